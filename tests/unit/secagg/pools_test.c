//  R11: a block lies inside a pool that the root drew, and is not smaller than its floor.
#include "tests/support/unit.h"

#include <string.h>

#include "common/base/status.h"
#include "common/secagg/client_inside.h"
#include "common/secagg/pool.h"
#include "tests/support/secagg_thief.h"

enum { MEMBERS = 4, EPOCH = 5, VICTIM = 0 };

static thief bad;
static struct {
    fl_reason refused, noted;
    uint32_t papers;
} seen;

static bool
s_hears(masked_world *world, int32_t from, int32_t to, fl_message *message)
{
    (void)world;
    (void)to;
    seen.refused =
        from == VICTIM && message->verb == FL_REFUSED ? message->refused.reason : seen.refused;
    return true;
}

//  The pool of sixteen that all four are in.
static fl_pool
s_pool(const masked_world *world)
{
    fl_pool pool = { .run = world->task.order.run,
                     .epoch = EPOCH,
                     .edge = world->parent,
                     .of = 1,
                     .floor = 4,
                     .count = 16 };
    for (uint32_t i = 0; i < pool.count; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "m-%02u", i);
        pool.names[i] = identity_node(name);
    }
    return pool;
}

static void
s_tell(masked_world *world, uint32_t index, const fl_pool *pool, uint8_t spoil)
{
    uint8_t bytes[FL_POOL_BYTES_MAX];
    const size_t size = fl_pool_encode(pool, world->authority, bytes);
    bytes[size - 1] ^= spoil;
    fl_secagg_client_pool(world->member[index].machine, fl_bytes_of(bytes, size), world->out);
    for (uint32_t i = 0; i < fl_outbox_count(world->out); i++) {
        const fl_effect *effect = fl_outbox_at(world->out, i);
        seen.papers += effect->kind == FL_FX_KEEP && effect->keep.what == FL_KEEP_EVIDENCE;
        seen.noted = effect->kind == FL_FX_NOTE ? effect->note.reason : seen.noted;
    }
    fl_outbox_reset(world->out);
}

static masked_world *
s_world(uint64_t epoch)
{
    masked_plan plan = masked_plan_small(MEMBERS);
    masked_world *world = masked_new(&plan, 1);
    world->task.order.pools = epoch;
    masked_sign(world, &world->task);
    world->hook = s_hears;
    memset(&seen, 0, sizeof seen);
    return world;
}

typedef void change(fl_pool *pool);

//  What the victim says of the roster, when it was told of a pool like that.
static fl_reason
s_says(change *how, uint8_t spoil)
{
    masked_world *world = s_world(EPOCH);
    fl_pool pool = s_pool(world);
    for (uint32_t i = 1; i < MEMBERS; i++) {
        s_tell(world, i, &pool, 0);
    }
    if (how != NULL) {
        how(&pool);
    }
    s_tell(world, VICTIM, &pool, spoil);
    masked_open(world);
    (void)masked_run(world);
    masked_destroy(&world);
    return seen.refused;
}

static void
s_as_it_is(fl_pool *pool)
{
    (void)pool;
}
static void
s_older(fl_pool *pool)
{
    pool->epoch--;
}
static void
s_elsewhere(fl_pool *pool)
{
    pool->edge = identity_node("another");
}
static void
s_other_run(fl_pool *pool)
{
    pool->run.bytes[0] ^= 1;
}
static void
s_without_member(fl_pool *pool)
{
    pool->names[2] = identity_node("m-99");
}
static void
s_without_victim(fl_pool *pool)
{
    pool->names[VICTIM] = identity_node("m-99");
}
static void
s_high_floor(fl_pool *pool)
{
    pool->floor = MEMBERS + 1;
}

static void
a_roster_is_taken_only_inside_its_pool(void **state)
{
    (void)state;
    assert_int_equal(s_says(s_as_it_is, 0), FL_WHY_NONE);
    assert_int_equal(s_says(s_older, 0), FL_WHY_OLD_POOL);
    assert_int_equal(s_says(s_elsewhere, 0), FL_WHY_OTHER_POOL);
    assert_int_equal(s_says(s_other_run, 0), FL_WHY_NO_POOL);
    assert_int_equal(s_says(s_without_member, 0), FL_WHY_OUTSIDE_POOL);
    assert_int_equal(s_says(s_without_victim, 0), FL_WHY_NO_POOL);
    assert_int_equal(s_says(s_high_floor, 0), FL_WHY_ROSTER_TOO_SMALL);
    assert_int_equal(s_says(s_as_it_is, 1), FL_WHY_NO_POOL);
    assert_int_equal(seen.noted, FL_WHY_SIGNATURE);
}

static void
an_order_without_pools_needs_none(void **state)
{
    (void)state;
    masked_world *world = s_world(0);
    masked_open(world);
    assert_int_equal(masked_run(world), FL_WHY_NONE);
    assert_true(masked_sum_exact(world));
    masked_destroy(&world);
}

//  An edge with two of its own builds a block of four, although the pool has sixteen, and tells two
//  halves of it two things (attack_test half_and_half...).
static bool
s_two_sybils(uint64_t epoch)
{
    masked_world *world = s_world(epoch);
    fl_pool pool = s_pool(world);
    pool.floor = (uint8_t)fl_pool_floor(pool.count, 80, false);
    for (uint32_t i = 0; i < MEMBERS; i++) {
        s_tell(world, i, &pool, 0);
    }
    const uint64_t victim = 1, other = 2, own = 4 | 8, all = 15;
    thief_move_in(&bad, world, own);
    thief_wait_for_uploads(&bad);
    if (fl_secagg_server_state(world->aggregator) == FL_SERVER_COLLECTING) {
        thief_tell_survivors(&bad, victim, all, 0);
        thief_tell_survivors(&bad, other, all & ~victim, 0);
        thief_tell_acks(&bad, victim, victim | own);
        thief_tell_acks(&bad, other, other | own);
    }
    bool reads = thief_reads(&bad, victim);
    seen.refused = (bad.refused & victim) != 0 ? FL_WHY_ROSTER_TOO_SMALL : FL_WHY_NONE;
    masked_destroy(&world);
    return reads;
}

static void
two_sybils_and_small_blocks_read_nobody(void **state)
{
    (void)state;
    assert_true(s_two_sybils(0)); // without pools: they read any device
    assert_false(s_two_sybils(EPOCH));
    assert_int_equal(seen.refused, FL_WHY_ROSTER_TOO_SMALL);
}

static void
two_pools_of_one_epoch_are_evidence_and_end_the_round(void **state)
{
    (void)state;
    masked_world *world = s_world(EPOCH);
    fl_pool pool = s_pool(world), other = pool;
    other.names[9] = identity_node("sybil");
    s_tell(world, VICTIM, &pool, 0);
    s_tell(world, VICTIM, &pool, 0);
    assert_int_equal(seen.papers, 0);
    masked_begin(world, VICTIM);
    s_tell(world, VICTIM, &other, 0);
    assert_int_equal(seen.papers, 1);
    assert_int_equal(fl_secagg_client_step_of(world->member[VICTIM].machine), FL_CLIENT_IDLE);
    //  Both are in the paper, and anybody can check them.
    const fl_secagg_client *machine = world->member[VICTIM].machine;
    const fl_authority_public *authority = fl_authority_public_of(world->authority);
    fl_pool read;
    for (size_t i = 0; i < 2; i++) {
        const fl_bytes paper =
            fl_bytes_of(machine->pools + i * machine->pool_bytes, machine->pool_bytes);
        assert_int_equal(fl_pool_check(paper, authority, &read), FL_WHY_NONE);
    }
    masked_destroy(&world);
    //  Nor is a later round of that epoch taken; one of the next is.
    world = s_world(EPOCH);
    for (uint32_t i = 0; i < MEMBERS; i++) {
        s_tell(world, i, &pool, 0);
    }
    s_tell(world, VICTIM, &other, 0);
    masked_open(world);
    (void)masked_run(world);
    assert_int_equal(seen.refused, FL_WHY_TWO_POOLS);
    pool.epoch++;
    s_tell(world, VICTIM, &pool, 0);
    assert_false(world->member[VICTIM].machine->two_pools);
    s_tell(world, VICTIM, &other, 0); // the old one again
    assert_int_equal(seen.noted, FL_WHY_OLD_POOL);
    masked_destroy(&world);
}

//  Nor does a restart lead back to an older drawing: what was masked in says which was the newest.
static void
an_epoch_is_remembered_after_a_restart(void **state)
{
    (void)state;
    for (uint64_t epoch = EPOCH - 1; epoch <= EPOCH; epoch++) {
        masked_world *world = s_world(EPOCH);
        fl_pool pool = s_pool(world);
        for (uint32_t i = 0; i < MEMBERS; i++) {
            s_tell(world, i, &pool, 0);
        }
        masked_open(world);
        assert_int_equal(masked_run(world), FL_WHY_NONE);
        masked_lapse(world);
        masked_restart_member(world, VICTIM);
        pool.epoch = epoch;
        s_tell(world, VICTIM, &pool, 0);
        masked_next_round(world, 2, false);
        world->task.order.pools = epoch;
        masked_sign(world, &world->task);
        assert_int_equal(fl_secagg_client_begin(world->member[VICTIM].machine, &world->task,
                                                &world->parent, 1000, 0, world->out),
                         epoch < EPOCH ? FL_WHY_OLD_POOL : FL_WHY_NONE);
        fl_outbox_reset(world->out);
        masked_destroy(&world);
    }
}

// ---- bytes ------------------------------------------------------------------------------------
static void
a_pool_is_read_as_it_was_written_and_not_otherwise(void **state)
{
    (void)state;
    masked_world *world = s_world(EPOCH);
    const fl_authority_public *authority = fl_authority_public_of(world->authority);
    fl_pool pool = s_pool(world), back;
    uint8_t bytes[FL_POOL_BYTES_MAX];
    const size_t size = fl_pool_encode(&pool, world->authority, bytes);
    assert_int_equal(size, FL_POOL_HEAD_BYTES + 16 * 16 + FL_SIGN_BYTES);
    assert_int_equal(fl_pool_check(fl_bytes_of(bytes, size), authority, &back), FL_WHY_NONE);
    assert_memory_equal(back.names, pool.names, sizeof pool.names);
    for (size_t i = 0; i < size; i++) {
        bytes[i] ^= 0x41;
        assert_int_not_equal(fl_pool_check(fl_bytes_of(bytes, size), authority, &back),
                             FL_WHY_NONE);
        bytes[i] ^= 0x41;
        assert_int_equal(fl_pool_check(fl_bytes_of(bytes, i), authority, &back), FL_WHY_MALFORMED);
    }
    masked_destroy(&world);
}

static void
a_set_holds_one_epoch_and_knows_when_it_is_whole(void **state)
{
    (void)state;
    static const fl_name nobody;
    masked_world *world = s_world(EPOCH);
    uint8_t bytes[2 * FL_POOL_BYTES_MAX];
    fl_pool pool = s_pool(world), got;
    fl_pool_set set = { .epoch = 0 };
    fl_bytes whole;
    pool.of = 2;
    size_t size = fl_pool_encode(&pool, world->authority, bytes);
    for (int twice = 0; twice < 2; twice++) {
        assert_true(fl_pool_set_add(&set, &nobody, fl_bytes_of(bytes, size)));
        assert_int_equal(set.count, 1);
    }
    assert_false(fl_pool_set_whole(&set, &pool.run, EPOCH, &pool.edge));
    pool.index = 1;
    size = fl_pool_encode(&pool, world->authority, bytes);
    assert_true(fl_pool_set_add(&set, &nobody, fl_bytes_of(bytes, size)));
    assert_true(fl_pool_set_whole(&set, &pool.run, EPOCH, &pool.edge));
    assert_false(fl_pool_set_whole(&set, &pool.run, EPOCH + 1, &pool.edge));
    fl_pool_at at = { 0, 0 };
    uint32_t found = 0;
    while (fl_pool_set_next(&set, &pool.edge, &at, &got, &whole)) {
        assert_int_equal(got.index, found++);
    }
    assert_int_equal(found, 2);
    pool.epoch--; // an older one changes nothing
    size = fl_pool_encode(&pool, world->authority, bytes);
    assert_true(fl_pool_set_add(&set, &nobody, fl_bytes_of(bytes, size)));
    assert_int_equal(set.count, 2);
    pool.epoch += 2; // a newer one replaces all; a mixed parcel is none
    size += fl_pool_encode(&pool, world->authority, bytes + size);
    assert_false(fl_pool_set_add(&set, &nobody, fl_bytes_of(bytes, size)));
    size = fl_pool_encode(&pool, world->authority, bytes);
    assert_true(fl_pool_set_add(&set, &nobody, fl_bytes_of(bytes, size)));
    assert_int_equal(set.count, 1);
    fl_pool_set_clear(&set);
    masked_destroy(&world);
}

// ---- floors -----------------------------------------------------------------------------------
//  The table of docs/masking.md, row by row.
static void
the_table_of_floors_is_what_it_takes(void **state)
{
    (void)state;
    static const uint32_t rows[][2] = { { 3, 1 },  { 4, 2 },  { 8, 3 },   { 12, 4 },
                                        { 16, 5 }, { 32, 9 }, { 48, 13 }, { 64, 18 } };
    char text[64 * 1024], floors[256] = "| floor |", bad_ones[256] = "| bad members |";
    FILE *file = fopen("docs/masking.md", "r");
    assert_non_null(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    (void)fclose(file);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(fl_pool_cliff(rows[i][0]), rows[i][1]);
        size_t used = strlen(floors);
        (void)snprintf(floors + used, sizeof floors - used, " %u |", rows[i][0]);
        used = strlen(bad_ones);
        (void)snprintf(bad_ones + used, sizeof bad_ones - used, " %u |", fl_pool_cliff(rows[i][0]));
    }
    assert_non_null(strstr(text, floors));
    assert_non_null(strstr(text, bad_ones));
}

static void
a_floor_follows_its_pool(void **state)
{
    (void)state;
    static const uint32_t rows[][3] = { // names, percent that are there, floor
                                        { 16, 95, 12 }, { 16, 80, 8 },   { 16, 50, 4 },
                                        { 64, 95, 55 }, { 64, 80, 41 },  { 64, 50, 20 },
                                        { 79, 80, 52 }, { 128, 50, 47 }, { 5, 80, 4 },
                                        { 8, 50, 4 },   { 128, 100, 64 }
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(fl_pool_floor(rows[i][0], rows[i][1], false), rows[i][2]);
    }
    assert_int_equal(fl_pool_floor(3, 80, false), 3);
    assert_int_equal(fl_pool_floor(4, 100, false), 3);
    assert_int_equal(fl_pool_floor(40, 80, true), 3);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_roster_is_taken_only_inside_its_pool),
        cmocka_unit_test(an_order_without_pools_needs_none),
        cmocka_unit_test(two_sybils_and_small_blocks_read_nobody),
        cmocka_unit_test(two_pools_of_one_epoch_are_evidence_and_end_the_round),
        cmocka_unit_test(an_epoch_is_remembered_after_a_restart),
        cmocka_unit_test(a_pool_is_read_as_it_was_written_and_not_otherwise),
        cmocka_unit_test(a_set_holds_one_epoch_and_knows_when_it_is_whole),
        cmocka_unit_test(the_table_of_floors_is_what_it_takes),
        cmocka_unit_test(a_floor_follows_its_pool),
    };
    return cmocka_run_group_tests_name("secagg/pools", tests, NULL, NULL);
}
