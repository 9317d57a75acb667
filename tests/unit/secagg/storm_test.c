//  Both machines in a storm: frames that are changed, repeated, misdirected, of random sets and
//  lists. Whatever comes, the process stays, no update is masked twice, no member opens two sums,
//  and a sum that comes out is exact. With a number, so many seeds: unit_core_masking_storm_test
//  20000 [first seed]
#include "tests/support/unit.h"

#include "tests/support/secagg.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/wire/codec.h"

enum { KEPT = 512 };

static fl_rng rng;
static struct {
    int32_t from, to;
    fl_blob *frame;
} kept[KEPT];
static uint32_t frames;
static fl_hash opened[MASKED_MEMBERS];
static bool has_opened[MASKED_MEMBERS], twice;

//  Keep every honest frame, and watch what is opened.
static bool
s_watch(masked_world *world, int32_t from, int32_t to, fl_message *message)
{
    (void)world;
    if (message->verb == FL_CONTRIB) {
        return true;
    }
    fl_blob *frame = fl_encode(message, 0);
    assert_non_null(frame);
    if (message->verb == FL_UNMASK) {
        fl_hash hash = fl_hash_of(fl_blob_bytes(frame));
        twice = twice || (has_opened[from] && !fl_hash_equal(&hash, &opened[from]));
        has_opened[from] = true;
        opened[from] = hash;
    }
    if (frames < KEPT) {
        kept[frames].from = from;
        kept[frames].to = to;
        kept[frames++].frame = frame;
    } else {
        fl_blob_unref(&frame);
    }
    return true;
}

//  A kept frame with some bits behind the envelope changed, to whom it went or to anybody.
static void
s_blow(masked_world *world)
{
    uint32_t which = (uint32_t)fl_rng_below(&rng, frames);
    fl_blob *frame = fl_blob_copy(fl_blob_bytes(kept[which].frame));
    assert_non_null(frame);
    uint8_t *bytes = fl_blob_data(frame);
    size_t size = fl_blob_size(frame);
    for (uint64_t flips = fl_rng_below(&rng, 4); flips > 0; flips--) {
        uint64_t span = fl_rng_below(&rng, 2) == 0 && size > 80 ? 40 : size - FL_ENVELOPE_BYTES;
        bytes[FL_ENVELOPE_BYTES + fl_rng_below(&rng, span)] ^=
            (uint8_t)(1 << fl_rng_below(&rng, 8));
    }
    fl_message message;
    int32_t from = kept[which].from, to = kept[which].to;
    bool astray = fl_rng_below(&rng, 4) == 0;
    int32_t anybody = (int32_t)fl_rng_below(&rng, world->plan.members);
    if (fl_decode(fl_bytes_of(bytes, size), 0, &message).code == FL_CODEC_OK) {
        masked_post(world, astray && from >= 0 ? anybody : from, astray && to >= 0 ? anybody : to,
                    &message);
    }
    fl_blob_unref(&frame);
}

static bool
s_storm(uint64_t seed)
{
    rng = fl_rng_seeded(seed);
    masked_plan plan = masked_plan_small(3 + (uint32_t)fl_rng_below(&rng, 4));
    plan.profile = fl_rng_below(&rng, 4) == 0 ? FL_MASKING_HONEST : FL_MASKING_MALICIOUS;
    masked_world *world = masked_new(&plan, seed);
    uint64_t wind = fl_rng_below(&rng, 30);
    frames = 0;
    twice = false;
    memset(has_opened, 0, sizeof has_opened);
    world->hook = s_watch;
    masked_open(world);
    fl_secagg_result result;
    for (int turn = 0; turn < 4000 && !fl_secagg_server_result(world->aggregator, &result);
         turn++) {
        if (fl_rng_below(&rng, 100) < wind && frames > 0) {
            s_blow(world);
        }
        if (!masked_deliver(world)) {
            world->now = fl_secagg_server_deadline(world->aggregator);
            fl_secagg_server_tick(world->aggregator, world->now, world->out);
            masked_obey(world, -1);
        }
    }
    assert_true(fl_secagg_server_result(world->aggregator, &result));
    assert_int_equal(masked_sum_exact(world), result.reason == FL_WHY_NONE);
    assert_false(twice);
    for (uint32_t i = 0; i < plan.members; i++) {
        assert_true(world->member[i].masks <= 1);
    }
    while (frames > 0) {
        fl_blob_unref(&kept[--frames].frame);
    }
    masked_destroy(&world);
    return result.reason == FL_WHY_NONE;
}

static void
a_storm_breaks_no_rule(void **state)
{
    (void)state;
    uint32_t complete = 0;
    for (uint64_t seed = 1; seed <= 300; seed++) {
        complete += s_storm(seed) ? 1 : 0;
    }
    assert_true(complete > 50 && complete < 290); // some weather, and not only that
}

int
main(int argc, char **argv)
{
    if (argc > 1) {
        uint64_t seeds = strtoull(argv[1], NULL, 10);
        uint64_t first = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
        uint64_t complete = 0;
        for (uint64_t seed = first; seed < first + seeds; seed++) {
            complete += s_storm(seed) ? 1 : 0;
        }
        (void)printf("%llu of %llu storms ended with a sum\n", (unsigned long long)complete,
                     (unsigned long long)seeds);
        return 0;
    }
    const struct CMUnitTest tests[] = { cmocka_unit_test(a_storm_breaks_no_rule) };
    return cmocka_run_group_tests_name("core/masking_storm", tests, NULL, NULL);
}
