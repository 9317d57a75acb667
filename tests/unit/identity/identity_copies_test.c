//  Refusals that name addresses: no machine knows any, the identity writes them into the text.
#include "common/identity/identity.h"

#include "tests/support/unit.h"

#include "tests/support/place.h"
#include "tests/support/settled.h"
#include "tests/support/stub_gate.h"

static int
start(void **state)
{
    if (place_make(state) != 0) {
        return -1;
    }
    authority = identity_authority(1);
    settle("root", 10, FL_ROLE_ROOT, NULL);
    settle("edge-a", 20, FL_ROLE_EDGE, "root");
    settle("dev-a", 30, FL_ROLE_DEVICE, "edge-a");
    seated = (fl_badge){ .node = identity_node("dev-a"), .role = FL_ROLE_DEVICE };
    is_seated = true;
    return 0;
}

static int
end(void **state)
{
    fl_authority_destroy(&authority);
    return place_end(state);
}

//  As it goes out.
static fl_message
s_said(fl_identity *at, fl_peer to, fl_message message)
{
    fl_admission_ops ops = fl_identity_ops(at);
    ops.outgoing(ops.self, to, &message);
    return message;
}

static fl_message
s_refusal(fl_reason reason, fl_verb about, const char *text)
{
    fl_message refusal = { .verb = FL_REFUSED, .refused = { .reason = reason, .about = about } };
    (void)snprintf(refusal.refused.text, sizeof refusal.refused.text, "%s", text);
    return refusal;
}

static void
a_copy_is_told_both_addresses_and_what_to_do(void **state)
{
    (void)state;
    static const char *const tells[][2] = {
        { "", "in use at 10.0.0.5:4001, came again from 10.0.0.7:4002: stop one" },
        { "edge-b", "in use under edge-b, came again from 10.0.0.7:4002: stop one" },
    };
    fl_identity *edge = open_as("edge-a", FL_ROLE_EDGE);
    for (size_t i = 0; i < sizeof tells / sizeof *tells; i++) {
        fl_message said = s_said(edge, 1, s_refusal(FL_WHY_IN_USE, FL_HELLO, tells[i][0]));
        assert_non_null(strstr(said.refused.text, tells[i][1]));
    }
    fl_identity_close(&edge);
}

static void
a_lane_is_named_by_its_address_and_its_parent(void **state)
{
    (void)state;
    static const struct {
        fl_verb about;
        const char *text;
    } tells[] = { { FL_CHUNK, "cannot reach 127.0.0.1:7001, the up lane of edge-a" },
                  { FL_FETCH, "cannot reach 127.0.0.1:7002, the down lane of edge-a" },
                  { FL_TASK, "as it was" } };
    fl_identity *edge = open_as("edge-a", FL_ROLE_EDGE), *device = open_as("dev-a", FL_ROLE_DEVICE);
    fl_admission_ops ops = fl_identity_ops(device);
    fl_identity_serve(edge, NULL, 7001, 7002);
    fl_message welcome = s_said(edge, 1, (fl_message){ .verb = FL_WELCOME });
    assert_int_equal(ops.incoming(ops.self, FL_PARENT, NULL, &welcome), FL_WHY_NONE);
    for (size_t i = 0; i < sizeof tells / sizeof *tells; i++) {
        fl_message bare = s_refusal(FL_WHY_UNREACHABLE, tells[i].about, "as it was");
        assert_string_equal(s_said(device, FL_PARENT, bare).refused.text, tells[i].text);
    }
    fl_identity_close(&edge);
    fl_identity_close(&device);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_copy_is_told_both_addresses_and_what_to_do, start, end),
        cmocka_unit_test_setup_teardown(a_lane_is_named_by_its_address_and_its_parent, start, end),
    };
    return fl_crypto_init(NULL) == FL_OK ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
