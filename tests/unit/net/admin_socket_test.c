//  The operator's socket as a file: who may connect to it.
#include "common/net/admin_socket.h"

#include <string.h>
#include <sys/stat.h>

#include "common/net/context.h"
#include "common/net/dialer.h"
#include "tests/support/unit.h"
#include "tests/support/place.h"

static void
its_mode_is_0600_whatever_the_umask(void **state)
{
    (void)state;
    static const mode_t masks[] = { 0, 022, 0777 };
    for (size_t i = 0; i < sizeof masks / sizeof *masks; i++) {
        fl_metrics metrics = { 0 };
        fl_why why = { "" };
        char endpoint[256];
        struct stat at;
        snprintf(endpoint, sizeof endpoint, "ipc://%s", place_of("fl.sock"));
        mode_t before = umask(masks[i]);
        fl_admin_socket *self = fl_admin_socket_new(endpoint, &metrics, &why);
        mode_t after = umask(before);
        assert_non_null(self);
        assert_int_equal(after, masks[i]); // as it was
        assert_int_equal(stat(place_of("fl.sock"), &at), 0);
        assert_true(S_ISSOCK(at.st_mode));
        assert_int_equal(at.st_mode & 0777, 0600);
        fl_admin_socket_destroy(&self);
    }
}

//  A dialer needs its keys as long as it lives, to connect again; the bytes stay in one place.
static void
a_dialer_holds_no_copy_of_the_secret_key(void **state)
{
    (void)state;
    fl_keypair keys;
    fl_why why = { "" };
    memset(&keys, 0x5c, sizeof keys);
    const fl_dialer_conf conf = { .host = "127.0.0.1", .port = 1, .keys = &keys };
    fl_metrics metrics = { .net_turns_total = 0 };
    fl_dialer dialer;
    assert_int_equal(fl_dialer_open(&dialer, &conf, &metrics, &why), FL_OK);
    assert_ptr_equal(dialer.conf.keys, &keys);
    for (size_t at = 0; at + FL_KEY_BYTES <= sizeof dialer; at++) {
        assert_memory_not_equal((uint8_t *)&dialer + at, keys.secret_key, FL_KEY_BYTES);
    }
    fl_dialer_close(&dialer);
}

static int
s_begin(void **state)
{
    fl_why why = { "" };
    return place_make(state) != 0 || fl_net_open(1, &why) != FL_OK;
}

static int
s_end(void **state)
{
    fl_net_close();
    return place_end(state);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(its_mode_is_0600_whatever_the_umask),
        cmocka_unit_test(a_dialer_holds_no_copy_of_the_secret_key),
    };
    return cmocka_run_group_tests_name("net/admin_socket", tests, s_begin, s_end);
}
