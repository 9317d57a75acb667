//  What the ledger knows of who is enrolled becomes pools, which survive a restart.
#include "cloud/pools.h"

#include "tests/support/unit.h"

#include "tests/support/identity.h"
#include "tests/support/ledger.h"

#include <stdlib.h>
#include <string.h>

enum { END_S = 5000, ENDED_S = 100, GRACE_S = 300 };

static uint64_t serial;

//  A certificate of which only the key of the node and its end are looked at.
static void
s_issue(fl_role role, const char *name, uint8_t key, uint8_t parent, uint64_t end)
{
    fl_issued issued = { .node = identity_node(name),
                         .serial = ++serial,
                         .role = role,
                         .certificate_bytes = FL_CERT_BYTES };
    memset(issued.certificate + 50, key, 32);
    fl_writer at = fl_writer_over(issued.certificate + 90, 8);
    fl_write_u64(&at, end);
    memset(issued.parent, parent, parent > 0 ? sizeof issued.parent : 0);
    assert_int_equal(fl_ledger_issue(ledger, fl_bytes_of(NULL, 0), 0, &issued, NULL, &why), FL_OK);
}

static void
s_deny(const char *name, uint64_t of, bool lifted)
{
    static uint64_t version;
    const fl_denied act = { .node = identity_node(name), .serial = of, .lifted = lifted };
    assert_int_equal(fl_ledger_deny_put(ledger, ++version, fl_bytes_of("x", 1), &act, &why), FL_OK);
}

//  A round in which that edge had that device.
static void
s_seen(uint64_t round, const char *name, const char *edge)
{
    fl_roll_entry line = { .node = identity_node(name), .parent = identity_node(edge) };
    const fl_report report = {
        .run = run, .round = round, .attempt = 1, .roll = &line, .roll_count = 1
    };
    assert_int_equal(fl_ledger_round_close(ledger, &report, 0, &why), FL_OK);
}

//  The names below a parent, in order; "" and the parent's own line left out.
static const char *
s_below(const char *edge)
{
    static char text[256];
    fl_place *nodes;
    uint32_t count;
    const fl_name parent = identity_node(edge);
    text[0] = '\0';
    assert_int_equal(fl_ledger_enrolled(ledger, 1000, &nodes, &count, &why), FL_OK);
    qsort(nodes, count, sizeof *nodes, fl_place_order);
    for (uint32_t i = 0; i < count; i++) {
        if (fl_name_equal(&nodes[i].edge, &parent) && nodes[i].node.name[0] != '\0') {
            const size_t used = strlen(text);
            (void)snprintf(text + used, sizeof text - used, "%s ", nodes[i].node.name);
        }
    }
    free(nodes);
    return text;
}

static void
s_enrol_all(void)
{
    serial = 0;
    s_issue(FL_ROLE_ROOT, "root", 1, 0, END_S);
    s_issue(FL_ROLE_EDGE, "e1", 2, 1, END_S);
    s_issue(FL_ROLE_EDGE, "e2", 3, 1, END_S);
    s_issue(FL_ROLE_DEVICE, "d1", 11, 2, END_S);
    s_issue(FL_ROLE_DEVICE, "d2", 12, 2, END_S);
    s_issue(FL_ROLE_DEVICE, "d3", 13, 3, END_S);
    s_issue(FL_ROLE_DEVICE, "d4", 14, 99, END_S); // nobody has that key
}

static void
who_is_enrolled_is_below_the_parent_of_its_token_whatever_an_edge_says(void **state)
{
    (void)state;
    s_enrol_all();
    assert_string_equal(s_below("e1"), "d1 d2 ");
    assert_string_equal(s_below("e2"), "d3 ");
    assert_string_equal(s_below("root"), "e1 e2 ");
    s_issue(FL_ROLE_DEVICE, "d1", 15, 0, END_S); // renewed, under another key
    assert_string_equal(s_below("e1"), "d1 d2 ");
    //  e2 says that it has d2: that takes it from nobody.
    s_seen(1, "d2", "e2");
    assert_string_equal(s_below("e1"), "d1 d2 ");
    assert_string_equal(s_below("e2"), "d2 d3 ");
    s_seen(2, "d4", "e2");
    assert_string_equal(s_below("e2"), "d3 d4 ");
}

static void
who_is_revoked_forgotten_or_ended_is_not_drawn(void **state)
{
    (void)state;
    s_enrol_all();
    s_deny("d1", 0, false);
    assert_string_equal(s_below("e1"), "d2 ");
    s_deny("d1", 0, true);
    assert_string_equal(s_below("e1"), "d1 d2 ");
    s_deny("d2", 5, false); // by its number: forgotten
    assert_string_equal(s_below("e1"), "d1 ");
    s_issue(FL_ROLE_DEVICE, "d2", 16, 3, END_S); // and enrolled anew, elsewhere
    assert_string_equal(s_below("e1"), "d1 ");
    assert_string_equal(s_below("e2"), "d2 d3 ");
    s_issue(FL_ROLE_DEVICE, "d3", 13, 0, ENDED_S);
    assert_string_equal(s_below("e2"), "d2 ");
}

static fl_pools *
s_open(void)
{
    const fl_entropy entropy = fl_entropy_os();
    const fl_drawing first = { .root = identity_node("root"), .online = 80 };
    fl_pools *pools = NULL;
    assert_int_equal(fl_pools_open(ledger, &first, GRACE_S, &entropy, &pools, &why), FL_OK);
    return pools;
}

//  The epoch after a look at that time.
static uint64_t
s_look(fl_pools *pools, uint64_t now_s)
{
    assert_int_equal(fl_pools_refresh(pools, false, now_s, &why), FL_OK);
    return fl_pools_drawing(pools)->epoch;
}

static void
a_drawing_is_kept_and_its_epoch_grows_with_each_change(void **state)
{
    (void)state;
    s_enrol_all();
    s_issue(FL_ROLE_DEVICE, "d5", 17, 2, END_S);
    fl_pools *pools = s_open();
    assert_int_equal(s_look(pools, 1000), 1000);
    assert_int_equal(s_look(pools, 1001), 1000); // nothing is new
    assert_int_equal(fl_drawing_look(fl_pools_drawing(pools)).names, 3);
    const fl_drawing *drawn = fl_pools_drawing(pools);
    fl_place before[16];
    const uint32_t count = drawn->count;
    memcpy(before, drawn->places, count * sizeof *before);
    fl_pools_close(&pools);
    ledger_reopen();
    pools = s_open();
    assert_int_equal(s_look(pools, 1000), 1001);
    drawn = fl_pools_drawing(pools);
    assert_int_equal(drawn->count, count);
    assert_memory_equal(drawn->places, before, count * sizeof *before);
    s_issue(FL_ROLE_DEVICE, "d6", 18, 2, END_S);
    assert_int_equal(s_look(pools, 1000), 1002);
    assert_int_equal(fl_drawing_look(fl_pools_drawing(pools)).names, 4);
    //  Who may come back with a certificate that has ended is still expected.
    (void)s_look(pools, END_S + GRACE_S);
    assert_int_equal(fl_drawing_look(fl_pools_drawing(pools)).names, 4);
    (void)s_look(pools, END_S + GRACE_S + 1);
    assert_int_equal(fl_drawing_look(fl_pools_drawing(pools)).names, 0);
    fl_pools_close(&pools);
}

//  Members hold later epochs than the ledger knows, and take no older one, nor another pool of one.
static void
a_ledger_from_a_backup_draws_above_all_that_was_told(void **state)
{
    (void)state;
    static const uint64_t fast_s = 50 * 8766 * 3600ULL; // so far ahead the clock was before it
    for (uint64_t ahead = 0; ahead <= fast_s; ahead += fast_s) {
        s_enrol_all();
        s_issue(FL_ROLE_DEVICE, "d5", 17, 2, UINT64_MAX);
        fl_pools *pools = s_open();
        (void)s_look(pools, 1000 + ahead);
        const uint64_t copied = s_look(pools, 1000);
        fl_place *places;
        uint32_t count;
        uint64_t epoch;
        assert_int_equal(fl_ledger_pools_get(ledger, &epoch, &places, &count, &why), FL_OK);
        s_issue(FL_ROLE_DEVICE, "d6", 18, 2, UINT64_MAX);
        const uint64_t told = s_look(pools, 1001);
        assert_true(told > copied);
        fl_pools_close(&pools);
        s_deny("d6", serial, false); // the copy does not know it
        assert_int_equal(fl_ledger_pools_put(ledger, epoch, places, count, &why), FL_OK);
        free(places);
        pools = s_open();
        assert_int_equal(fl_pools_refresh(pools, true, 1002, &why), FL_OK); // a round was open
        assert_int_equal(fl_pools_drawing(pools)->epoch, epoch);
        assert_true(s_look(pools, 1002) > told);
        fl_pools_close(&pools);
        ledger_end(state);
        ledger_begin(state);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            who_is_enrolled_is_below_the_parent_of_its_token_whatever_an_edge_says, ledger_begin,
            ledger_end),
        cmocka_unit_test_setup_teardown(who_is_revoked_forgotten_or_ended_is_not_drawn,
                                        ledger_begin, ledger_end),
        cmocka_unit_test_setup_teardown(a_drawing_is_kept_and_its_epoch_grows_with_each_change,
                                        ledger_begin, ledger_end),
        cmocka_unit_test_setup_teardown(a_ledger_from_a_backup_draws_above_all_that_was_told,
                                        ledger_begin, ledger_end),
    };
    return cmocka_run_group_tests_name("cloud/pools", tests, NULL, NULL);
}
