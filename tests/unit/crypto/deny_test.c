#include "common/crypto/deny.h"

#include "tests/support/unit.h"

#include "tests/support/identity.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HEAD = 13, ENTRY = 24 };

static void
s_add(fl_deny_list *list, const char *name, uint64_t serial)
{
    fl_name node = identity_node(name);
    assert_int_equal(fl_deny_list_add(list, &node, serial), FL_OK);
}

static bool
s_names(const fl_deny_list *list, const char *name, uint64_t serial)
{
    fl_name node = identity_node(name);
    return fl_deny_list_names(list, &node, serial);
}

//  dev-1 for good, certificate 7 of dev-2, certificate 9 of edge-a: version 3.
static fl_deny_list *
s_sample(void)
{
    fl_deny_list *list = fl_deny_list_new();
    assert_non_null(list);
    s_add(list, "edge-a", 9);
    s_add(list, "dev-1", 0);
    s_add(list, "dev-2", 7);
    return list;
}

//  A copy of the sample's signed bytes; its size.
static size_t
s_signed(uint8_t *bytes, size_t room)
{
    fl_deny_list *list = s_sample();
    fl_blob *blob = fl_deny_list_sign(list, identity_ours);
    assert_non_null(blob);
    size_t size = fl_blob_size(blob);
    assert_true(size <= room);
    memcpy(bytes, fl_blob_bytes(blob).data, size);
    fl_blob_unref(&blob);
    fl_deny_list_destroy(&list);
    return size;
}

static fl_trust
s_take(fl_deny_list *list, const uint8_t *bytes, size_t size)
{
    return fl_deny_list_take(list, fl_bytes_of(bytes, size), fl_authority_public_of(identity_ours));
}

static void
an_empty_list_names_nobody(void **state)
{
    (void)state;
    fl_deny_list *list = fl_deny_list_new();
    assert_true(fl_deny_list_version(list) == 0);
    assert_int_equal(fl_deny_list_count(list), 0);
    assert_false(s_names(list, "dev-1", 1));
    fl_deny_list_destroy(&list);
    assert_null(list);
    fl_deny_list_destroy(&list);
}

static void
an_entry_names_one_certificate_or_all_of_a_node(void **state)
{
    (void)state;
    fl_deny_list *list = s_sample();
    assert_true(s_names(list, "dev-1", 1) && s_names(list, "dev-1", UINT64_MAX));
    assert_true(s_names(list, "dev-2", 7));
    assert_false(s_names(list, "dev-2", 6) || s_names(list, "dev-2", 8));
    assert_false(s_names(list, "dev-3", 7) || s_names(list, "dev", 7) || s_names(list, "a", 7));
    assert_true(s_names(list, "edge-a", 9));
    fl_deny_list_destroy(&list);
}

static void
each_change_makes_a_newer_version(void **state)
{
    (void)state;
    fl_deny_list *list = s_sample();
    fl_name node = identity_node("dev-2");
    assert_true(fl_deny_list_version(list) == 3);
    assert_int_equal(fl_deny_list_add(list, &node, 7), FL_EXISTS);
    assert_int_equal(fl_deny_list_remove(list, &node, 8), FL_MISSING);
    assert_true(fl_deny_list_version(list) == 3);
    assert_int_equal(fl_deny_list_remove(list, &node, 7), FL_OK);
    assert_true(fl_deny_list_version(list) == 4);
    assert_int_equal(fl_deny_list_count(list), 2);
    assert_false(s_names(list, "dev-2", 7));
    assert_true(s_names(list, "dev-1", 3) && s_names(list, "edge-a", 9));
    fl_deny_list_destroy(&list);
}

static void
a_signed_list_is_taken_over_as_it_is(void **state)
{
    (void)state;
    uint8_t bytes[256];
    size_t size = s_signed(bytes, sizeof bytes);
    assert_int_equal(size, HEAD + 3 * ENTRY + FL_SIGN_BYTES);
    fl_deny_list *list = fl_deny_list_new();
    assert_int_equal(s_take(list, bytes, size), FL_TRUST_OK);
    assert_true(fl_deny_list_version(list) == 3);
    assert_int_equal(fl_deny_list_count(list), 3);
    assert_true(s_names(list, "dev-1", 5) && s_names(list, "dev-2", 7));
    fl_blob *again = fl_deny_list_sign(list, identity_ours);
    assert_int_equal(fl_blob_size(again), size);
    assert_memory_equal(fl_blob_bytes(again).data, bytes, size);
    fl_blob_unref(&again);
    fl_deny_list_destroy(&list);
}

static void
only_a_newer_list_replaces_the_one_held(void **state)
{
    (void)state;
    uint8_t bytes[256];
    size_t size = s_signed(bytes, sizeof bytes);
    fl_deny_list *list = s_sample();
    assert_int_equal(s_take(list, bytes, size), FL_TRUST_OLD); // the same version
    s_add(list, "dev-9", 0);
    assert_int_equal(s_take(list, bytes, size), FL_TRUST_OLD); // an older one
    assert_true(s_names(list, "dev-9", 1) && fl_deny_list_version(list) == 4);
    fl_deny_list_destroy(&list);
    list = fl_deny_list_new();
    s_add(list, "dev-9", 0);
    assert_int_equal(s_take(list, bytes, size), FL_TRUST_OK);
    assert_false(s_names(list, "dev-9", 1)); // replaced, not merged: a removal travels too
    fl_deny_list_destroy(&list);
}

static void
a_refused_list_changes_nothing(void **state)
{
    (void)state;
    uint8_t bytes[256];
    size_t size = s_signed(bytes, sizeof bytes);
    fl_deny_list *list = fl_deny_list_new();
    s_add(list, "dev-9", 0);
    for (size_t bit = 0; bit < 8 * size; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        fl_trust trust = s_take(list, bytes, size);
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_true(trust == FL_TRUST_SIGNATURE || trust == FL_TRUST_MALFORMED ||
                    trust == FL_TRUST_VERSION);
        assert_true(fl_deny_list_version(list) == 1 && s_names(list, "dev-9", 1));
        assert_false(s_names(list, "dev-1", 1));
    }
    fl_authority_sign(identity_theirs, "tributary/deny/v1",
                      fl_bytes_of(bytes, size - FL_SIGN_BYTES), bytes + size - FL_SIGN_BYTES);
    assert_int_equal(s_take(list, bytes, size), FL_TRUST_SIGNATURE);
    fl_deny_list_destroy(&list);
}

static void
every_other_length_is_malformed(void **state)
{
    (void)state;
    uint8_t bytes[256] = { 0 };
    size_t right = s_signed(bytes, sizeof bytes);
    fl_deny_list *list = fl_deny_list_new();
    for (size_t size = 0; size <= right + ENTRY; size++) {
        uint8_t *exact = malloc(size > 0 ? size : 1);
        assert_non_null(exact);
        memcpy(exact, bytes, size);
        assert_int_equal(s_take(list, exact, size),
                         size == right ? FL_TRUST_OK : FL_TRUST_MALFORMED);
        free(exact);
    }
    fl_deny_list_destroy(&list);
}

//  Even when the authority itself has signed it.
static void
a_list_that_is_not_canonical_is_malformed(void **state)
{
    (void)state;
    static const struct {
        size_t offset;
        uint8_t value;
        fl_trust wanted;
    } rows[] = {
        { 0, 2, FL_TRUST_VERSION },
        { 1, 0, FL_TRUST_MALFORMED },           // list version 0
        { 9, 2, FL_TRUST_MALFORMED },           // fewer entries than bytes
        { 12, 0xff, FL_TRUST_MALFORMED },       // a count above the bytes that are left
        { HEAD, 'Z', FL_TRUST_MALFORMED },      // no name
        { HEAD, 'x', FL_TRUST_MALFORMED },      // "xev-1" before "dev-2"
        { HEAD + ENTRY + 4, '1', FL_TRUST_OK }, // dev-1 all, then dev-1 7: ascending
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t bytes[256];
        size_t size = s_signed(bytes, sizeof bytes);
        fl_deny_list *list = fl_deny_list_new();
        assert_int_not_equal(bytes[rows[i].offset], rows[i].value);
        bytes[rows[i].offset] = rows[i].value;
        fl_authority_sign(identity_ours, "tributary/deny/v1",
                          fl_bytes_of(bytes, size - FL_SIGN_BYTES), bytes + size - FL_SIGN_BYTES);
        if (s_take(list, bytes, size) != rows[i].wanted) {
            fail_msg("row %zu is not refused as it should be", i);
        }
        fl_deny_list_destroy(&list);
    }
    uint8_t bytes[256]; // the same entry twice
    size_t size = s_signed(bytes, sizeof bytes);
    fl_deny_list *list = fl_deny_list_new();
    memcpy(bytes + HEAD + ENTRY, bytes + HEAD, ENTRY);
    fl_authority_sign(identity_ours, "tributary/deny/v1", fl_bytes_of(bytes, size - FL_SIGN_BYTES),
                      bytes + size - FL_SIGN_BYTES);
    assert_int_equal(s_take(list, bytes, size), FL_TRUST_MALFORMED);
    fl_deny_list_destroy(&list);
}

static void
a_full_list_says_so_and_is_read_back(void **state)
{
    (void)state;
    fl_deny_list *list = fl_deny_list_new(), *taken = fl_deny_list_new();
    fl_name node;
    for (unsigned i = 0; i < FL_DENY_MAX; i++) { // ascending: then no entry is moved
        char name[16];
        (void)snprintf(name, sizeof name, "device-%08u", i);
        s_add(list, name, i % 3);
        node = identity_node(name);
    }
    assert_int_equal(fl_deny_list_add(list, &node, 77), FL_FULL);
    assert_int_equal(fl_deny_list_count(list), FL_DENY_MAX);
    fl_blob *blob = fl_deny_list_sign(list, identity_ours);
    assert_int_equal(fl_blob_size(blob), FL_DENY_LIST_BYTES_MAX);
    assert_int_equal(s_take(taken, fl_blob_bytes(blob).data, fl_blob_size(blob)), FL_TRUST_OK);
    assert_int_equal(fl_deny_list_count(taken), FL_DENY_MAX);
    assert_true(s_names(taken, "device-00000000", 1));
    fl_blob_unref(&blob);
    fl_deny_list_destroy(&list);
    fl_deny_list_destroy(&taken);
}

static void
s_sign_nothing(void)
{
    fl_deny_list *list = fl_deny_list_new();
    fl_blob *blob = fl_deny_list_sign(list, identity_ours);
    fl_blob_unref(&blob);
}

static void
s_deny_nobody(void)
{
    fl_deny_list *list = fl_deny_list_new();
    fl_name node = { .name = "" };
    (void)!fl_deny_list_add(list, &node, 0);
}

static void
a_list_that_never_changed_is_not_signed_and_nobody_is_not_denied(void **state)
{
    (void)state;
    assert_true(unit_dies(s_sign_nothing));
    assert_true(unit_dies(s_deny_nobody));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_list_names_nobody),
        cmocka_unit_test(an_entry_names_one_certificate_or_all_of_a_node),
        cmocka_unit_test(each_change_makes_a_newer_version),
        cmocka_unit_test(a_signed_list_is_taken_over_as_it_is),
        cmocka_unit_test(only_a_newer_list_replaces_the_one_held),
        cmocka_unit_test(a_refused_list_changes_nothing),
        cmocka_unit_test(every_other_length_is_malformed),
        cmocka_unit_test(a_list_that_is_not_canonical_is_malformed),
        cmocka_unit_test(a_full_list_says_so_and_is_read_back),
        cmocka_unit_test(a_list_that_never_changed_is_not_signed_and_nobody_is_not_denied),
    };
    return cmocka_run_group_tests(tests, identity_setup, identity_teardown);
}
