//  Who holds how much, and who goes first: sums and choices over plain values.
#include "common/net/allowance.h"

#include <string.h>

#include "tests/support/unit.h"

enum { MANY = 64, MIB = 1 << 20 };

static fl_visitor crowd[MANY];
static int count;

//  Each has shown its key and was let in; the clock goes on.
static fl_visitor *
s_visitor(fl_way way, fl_peer peer, bool child, uint64_t holds)
{
    fl_visitor *at = &crowd[count++];
    *at = (fl_visitor){ .inode = 1, .way = way, .peer = peer, .child = child,
                        .progress = FL_PROGRESS_APPROVED, .since = count, .progress_at = count,
                        .received = 1000 + holds, .delivered = 1000 };
    return at;
}

static int
s_clear(void **state)
{
    (void)state;
    memset(crowd, 0, sizeof crowd);
    return count = 0;
}

static void
shares_add_up_to_the_whole_and_are_apart(void **state)
{
    (void)state;
    uint64_t whole = 0;
    for (unsigned i = 0; i < FL_ALLOWANCES; i++) {
        whole += fl_allowance_bytes(FL_UNREAD_DEFAULT, (fl_allowance)i);
    }
    assert_int_equal(whole, FL_UNREAD_DEFAULT);
    s_visitor(FL_WAY_CONTROL, FL_PARENT, false, 5);       // a stranger
    s_visitor(FL_WAY_CONTROL, 7, false, 6);               // a newcomer: no child yet
    s_visitor(FL_WAY_CONTROL, 8, true, 100);
    s_visitor(FL_WAY_UP, FL_PARENT, false, 200);          // let in, has said nothing yet
    s_visitor(FL_WAY_DOWN, FL_PARENT, false, 7)->progress = FL_PROGRESS_PROOF; // not let in
    s_visitor(FL_WAY_DOWN, FL_PARENT, false, 3000)->ours = true;
    s_visitor(FL_WAY_UP, 8, true, 9000)->inode = 0;       // gone
    assert_int_equal(fl_allowance_sum(crowd, count, FL_ALLOWANCE_STRANGERS), 18);
    assert_int_equal(fl_allowance_sum(crowd, count, FL_ALLOWANCE_CHILDREN), 300);
    assert_int_equal(fl_allowance_sum(crowd, count, FL_ALLOWANCE_PARENT), 3000);
    crowd[2].delivered = crowd[2].received + 50; // more was delivered since the bytes were counted
    assert_int_equal(fl_allowance_sum(crowd, count, FL_ALLOWANCE_CHILDREN), 200);
}

static void
the_peer_that_holds_most_goes_first_by_its_largest_connection(void **state)
{
    (void)state;
    assert_int_equal(fl_allowance_heaviest(crowd, count, FL_ALLOWANCE_CHILDREN), -1);
    s_visitor(FL_WAY_UP, 1, true, 5 * MIB);   // an honest sender, the largest of all connections
    for (unsigned i = 0; i < 8; i++) {        // one key, many connections
        s_visitor(FL_WAY_UP, 2, true, MIB + i);
    }
    s_visitor(FL_WAY_CONTROL, FL_PARENT, false, 9 * MIB); // another share
    assert_int_equal(fl_allowance_heaviest(crowd, count, FL_ALLOWANCE_CHILDREN), 8);
    crowd[8].inode = crowd[7].inode = crowd[6].inode = crowd[5].inode = 0;
    assert_int_equal(fl_allowance_heaviest(crowd, count, FL_ALLOWANCE_CHILDREN), 0);
    assert_int_equal(fl_allowance_heaviest(crowd, count, FL_ALLOWANCE_STRANGERS), 9);
    for (unsigned i = 0; i < 10; i++) { // without a name each is its own holder
        s_visitor(FL_WAY_UP, FL_PARENT, false, MIB);
    }
    assert_int_equal(fl_allowance_heaviest(crowd, count, FL_ALLOWANCE_CHILDREN), 0);
}

static void
progress_is_told_by_bytes_and_never_goes_back(void **state)
{
    (void)state;
    assert_int_equal(fl_allowance_progress(FL_PROGRESS_NONE, 0, 65), FL_PROGRESS_NONE);
    assert_int_equal(fl_allowance_progress(FL_PROGRESS_NONE, 10, 65), FL_PROGRESS_BYTES);
    assert_int_equal(fl_allowance_progress(FL_PROGRESS_NONE, 64, 65), FL_PROGRESS_GREETING);
    assert_int_equal(fl_allowance_progress(FL_PROGRESS_NONE, 266, 65), FL_PROGRESS_KEY);
    assert_int_equal(fl_allowance_progress(FL_PROGRESS_NONE, 552, 235), FL_PROGRESS_PROOF);
    //  However much it sends: only our word to it lets it in, and «no» is a shorter one.
    assert_int_equal(fl_allowance_progress(FL_PROGRESS_NONE, MIB, 247), FL_PROGRESS_PROOF);
    assert_int_equal(fl_allowance_progress(FL_PROGRESS_NONE, 552, 287), FL_PROGRESS_APPROVED);
    assert_int_equal(fl_allowance_progress(FL_PROGRESS_KEY, 64, 65), FL_PROGRESS_KEY);
}

static void
strangers_make_room_from_the_fullest_crowd_who_stands_still_longest_first(void **state)
{
    (void)state;
    assert_int_equal(fl_allowance_least_stranger(crowd, count), -1);
    s_visitor(FL_WAY_CONTROL, 1, true, 0);                    // a child is never chosen
    s_visitor(FL_WAY_CONTROL, FL_PARENT, false, 0)->crowd = 1; // the oldest, and alone
    crowd[1].progress = FL_PROGRESS_NONE;
    for (unsigned i = 0; i < 4; i++) {
        fl_visitor *at = s_visitor(FL_WAY_CONTROL, FL_PARENT, false, 0);
        at->crowd = 2;
        at->progress = i == 0 ? FL_PROGRESS_KEY : FL_PROGRESS_NONE;
    }
    assert_int_equal(fl_allowance_least_stranger(crowd, count), 3); // not 2: it has sent something
    crowd[3].progress = FL_PROGRESS_GREETING;
    //  Now two of four are mute: a crowd that stalls later does not lock those out that begin.
    assert_int_equal(fl_allowance_least_stranger(crowd, count), 2);
    crowd[2].progress_at = 100; // it goes on
    assert_int_equal(fl_allowance_least_stranger(crowd, count), 3);
}

static void
a_key_above_its_connections_loses_the_oldest_of_that_lane(void **state)
{
    (void)state;
    for (unsigned i = 0; i < FL_KEY_CONNECTIONS; i++) {
        s_visitor(FL_WAY_UP, 4, true, 0);
        s_visitor(FL_WAY_DOWN, 4, true, 0);
        s_visitor(FL_WAY_UP, 5, true, 0);
    }
    assert_int_equal(fl_allowance_surplus(crowd, count, FL_WAY_UP, 4), -1);
    s_visitor(FL_WAY_UP, 4, true, 0);
    assert_int_equal(fl_allowance_surplus(crowd, count, FL_WAY_UP, 4), 0);
    crowd[0].seat = true; // a copy of the key does not push out the first one
    assert_int_equal(fl_allowance_surplus(crowd, count, FL_WAY_UP, 4), 3);
    crowd[0].inode = 0;
    assert_int_equal(fl_allowance_surplus(crowd, count, FL_WAY_UP, 4), -1);
}

#define TEST(name) cmocka_unit_test_setup(name, s_clear)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(shares_add_up_to_the_whole_and_are_apart),
        TEST(the_peer_that_holds_most_goes_first_by_its_largest_connection),
        TEST(progress_is_told_by_bytes_and_never_goes_back),
        TEST(strangers_make_room_from_the_fullest_crowd_who_stands_still_longest_first),
        TEST(a_key_above_its_connections_loses_the_oldest_of_that_lane),
    };
    return cmocka_run_group_tests_name("net/allowance", tests, NULL, NULL);
}
