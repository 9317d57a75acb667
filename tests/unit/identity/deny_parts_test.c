//  A deny list of 100,000 entries on its way to a node: what is in force while its parts come in.
#include "common/identity/identity.h"

#include "tests/support/unit.h"

#include "tests/support/identity.h"
#include "tests/support/place.h"

enum { MANY = 100000 };

static fl_authority *authority;
static fl_identity *at;
static fl_why why;

static uint64_t
s_wall(void)
{
    return IDENTITY_NOW;
}

static int
start(void **state)
{
    uint8_t bytes[FL_CERT_BYTES];
    const fl_entropy entropy = fl_entropy_os();
    fl_keys *keys = NULL;
    if (place_make(state) != 0) {
        return -1;
    }
    authority = identity_authority(1);
    assert_int_equal(fl_state_dir_open(place_of("root"), &why), FL_OK);
    assert_int_equal(fl_state_dir_keys_make(place_of("root"), &entropy, &keys, &why), FL_OK);
    (void)identity_cert(authority, keys, FL_ROLE_ROOT, "root", 10, bytes);
    assert_int_equal(fl_state_dir_cert_save(place_of("root"), bytes, false, &why), FL_OK);
    assert_int_equal(fl_state_dir_authority_save(place_of("root"),
                                                 fl_authority_public_of(authority), &why), FL_OK);
    fl_keys_destroy(&keys);
    const fl_identity_conf conf = { .directory = place_of("root"), .role = FL_ROLE_ROOT,
                                    .authority = authority, .wall_s = s_wall };
    return fl_identity_open(&conf, &at, &why) == FL_OK ? 0 : -1;
}

static int
end(void **state)
{
    fl_identity_close(&at);
    fl_authority_destroy(&authority);
    return place_end(state);
}

static fl_reason
s_hear(fl_message *message)
{
    fl_admission_ops ops = fl_identity_ops(at);
    return ops.incoming(ops.self, FL_PARENT, NULL, message);
}

static fl_deny_list *
s_many(void)
{
    fl_deny_list *all = fl_deny_list_new();
    for (uint32_t i = 0; i < MANY; i++) {
        fl_name node = { { 0 } };
        (void)snprintf(node.name, sizeof node.name, "n-%07u", i);
        assert_int_equal(fl_deny_list_add(all, &node, 0), FL_OK);
    }
    return all;
}

static fl_message
s_part(fl_bytes list, uint64_t version, uint64_t offset, size_t size)
{
    return (fl_message){ .verb = FL_DENY_PART,
                         .deny_part = { .version = version, .total = list.size, .offset = offset,
                                        .part = fl_bytes_of(list.data + offset, size) } };
}

//  100,000 nodes are revoked. Every part before the last one leaves the old list in force, and so
//  do parts that are missing, repeated, of another version, or of a list that was changed on its
//  way.
static void
a_long_deny_list_comes_in_parts_and_holds_whole_or_not_at_all(void **state)
{
    (void)state;
    enum { PART = FL_DENY_BYTES_MAX };
    fl_deny_list *all = s_many();
    fl_blob *blob = fl_deny_list_sign(all, authority);
    fl_bytes list = fl_blob_bytes(blob);
    uint64_t version = fl_deny_list_version(all);
    fl_message last = s_part(list, version, list.size - 100, 100);
    assert_int_equal(s_hear(&last), FL_WHY_NONE); // not the next one
    assert_int_equal(fl_identity_deny_missing(at, version), 0);
    for (int turn = 0; turn < 2; turn++) { // at first one byte is changed on its way
        fl_blob_data(blob)[1000] ^= 1;
        for (uint64_t from = 0; from < list.size; from += PART) {
            size_t size = list.size - from < PART ? list.size - from : PART;
            fl_message part = s_part(list, version, from, size);
            assert_int_equal(fl_identity_deny_version(at), 0);
            assert_int_equal(fl_identity_deny_missing(at, version), from);
            bool last_one = from + size == list.size;
            fl_reason reason = s_hear(&part);
            assert_int_equal(reason == FL_WHY_NONE, !last_one || turn == 1);
            assert_int_equal(s_hear(&part), FL_WHY_NONE); // again
        }
        if (turn == 0) { // its last part came twice and began nothing
            assert_int_equal(fl_identity_deny_missing(at, version), 0);
        }
    }
    fl_name first = identity_node("n-0000000"), end = identity_node("n-0099999"),
            other = identity_node("dev-a");
    const fl_deny_list *held = fl_identity_denied(at);
    assert_int_equal(fl_identity_deny_version(at), version);
    assert_int_equal(fl_identity_deny_bytes(at).size, list.size);
    assert_true(fl_deny_list_names(held, &first, 7) && fl_deny_list_names(held, &end, 7));
    assert_false(fl_deny_list_names(held, &other, 7));
    fl_message newer = s_part(list, version + 1, 0, PART);
    assert_int_equal(s_hear(&newer), FL_WHY_NONE);
    newer = s_part(list, version + 2, 0, PART); // the list grew meanwhile
    assert_int_equal(s_hear(&newer), FL_WHY_NONE);
    assert_int_equal(fl_identity_deny_missing(at, version + 1), 0);
    assert_int_equal(fl_identity_deny_missing(at, version + 2), PART);
    fl_blob_unref(&blob);
    fl_deny_list_destroy(&all);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            a_long_deny_list_comes_in_parts_and_holds_whole_or_not_at_all, start, end),
    };
    return fl_crypto_init(NULL) == FL_OK ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
