//  Slots on a real workers: what comes in is proved while the rest is on its way.
#include "common/runtime/effects.h"

#include "common/crypto/hash.h"
#include "tests/support/unit.h"

#include <stdatomic.h>

#include "tests/support/workshop.h"

enum { ELEMENTS = 600000, WIRE_BYTES = 2, SIZE = ELEMENTS * WIRE_BYTES, WORKERS = 2 };

//  Works with a plan of two bytes on the wire, in which one update may hold +-127.
static int
start(void **state)
{
    if (workshop_open(state, WORKERS) != 0) {
        return -1;
    }
    effects = workshop_effects((fl_effects_conf){ 0 });
    clear(
        1, ELEMENTS,
        &(fl_plan){ .clip = 1.0f, .bits = 8, .weight_unit = 1, .weight_max = 2, .devices_max = 4 });
    return 0;
}

static void
stage(uint32_t slot, fl_blob *blob, size_t from, size_t size)
{
    fl_effect effect = { .kind = FL_FX_STAGE };
    effect.stage.slot = slot;
    effect.stage.offset = from;
    assert_true(fl_effects_obey(effects, &effect, fl_bytes_of(fl_blob_data(blob) + from, size)));
}

static fl_reason
verify(uint32_t slot, fl_hash hash)
{
    fl_effect effect = { .kind = FL_FX_VERIFY };
    effect.verify.slot = slot;
    effect.verify.hash = hash;
    effect.verify.weight = 1;
    const fl_event posted = answer_of(&effect, FL_EV_VERIFIED);
    assert_true(posted.verified.ok == (posted.verified.reason == FL_WHY_NONE));
    return posted.verified.reason;
}

//  Every element is `value`.
static fl_blob *
wire_of(uint8_t value)
{
    fl_blob *blob = fl_blob_new(SIZE);
    for (size_t i = 0; i < SIZE; i += WIRE_BYTES) {
        fl_blob_data(blob)[i] = value;
    }
    return blob;
}

//  In pieces that are not whole elements; `place` (0: nowhere) is changed on the way.
static fl_reason
take_in_pieces(fl_blob *blob, fl_hash hash, size_t changed, uint8_t with)
{
    const size_t step = 100003;
    fl_blob_data(blob)[changed] ^= with;
    lease(0, SIZE);
    for (size_t at = 0; at < SIZE; at += step) {
        stage(0, blob, at, SIZE - at < step ? SIZE - at : step);
        if (at % 2 == 0) { // with a piece in work, and without
            settle();
        }
    }
    assert_int_equal(posts, 0);
    fl_blob_data(blob)[changed] ^= with;
    return verify(0, hash);
}

static void
a_contribution_is_refused_for_any_changed_byte(void **state)
{
    (void)state;
    fl_blob *blob = wire_of(9);
    const fl_hash hash = fl_hash_of(fl_blob_bytes(blob));
    assert_int_equal(take_in_pieces(blob, hash, 0, 0), FL_WHY_NONE);
    for (size_t at = 1000; at < SIZE; at += 399990) { // in pieces that are proved early, and late
        assert_int_equal(take_in_pieces(blob, hash, at, 1), FL_WHY_HASH);
    }
    assert_int_equal(take_in_pieces(blob, hash, 0, 0), FL_WHY_NONE); // nothing is left of a lie
    fl_blob_unref(&blob);
}

static void
one_element_beyond_the_bound_is_found_wherever_it_is(void **state)
{
    (void)state;
    fl_blob *blob = wire_of(127);
    for (size_t at = 0; at < SIZE; at += 399990) { // 127 + 128, where the bound is 127
        fl_blob_data(blob)[at] ^= 128;
        assert_int_equal(take_in_pieces(blob, fl_hash_of(fl_blob_bytes(blob)), 0, 0),
                         FL_WHY_WEIGHT);
        fl_blob_data(blob)[at] ^= 128;
    }
    assert_int_equal(take_in_pieces(blob, fl_hash_of(fl_blob_bytes(blob)), 0, 0), FL_WHY_NONE);
    fl_blob_unref(&blob);
}

static atomic_bool workers_wait;

static void
s_hold(void *arg)
{
    (void)arg;
    while (atomic_load(&workers_wait)) {
        (void)poll(NULL, 0, 1);
    }
}

static void
s_held(void *arg, bool ran)
{
    (void)arg;
    (void)ran;
}

static void
a_slot_that_is_given_up_while_it_is_read_is_anothers_at_once(void **state)
{
    (void)state;
    fl_blob *one = wire_of(9), *two = wire_of(5);
    const fl_job hold = { .work = s_hold, .done = s_held };
    settle();
    atomic_store(&workers_wait, true);
    for (int i = 0; i < WORKERS; i++) {
        assert_int_equal(fl_workers_add(workers, &hold), FL_OK);
    }
    lease(0, SIZE);
    stage(0, one, 0, SIZE); // a piece waits for a worker
    assert_int_equal(fl_effects_running(effects), 1);
    const uint8_t *memory = fl_staging_bytes(staging, 0).data;
    lease(0, SIZE);
    assert_ptr_not_equal(fl_staging_bytes(staging, 0).data, memory);
    stage(0, two, 0, SIZE);
    assert_memory_equal(memory, fl_blob_data(one), SIZE);
    atomic_store(&workers_wait, false);
    assert_int_equal(verify(0, fl_hash_of(fl_blob_bytes(two))), FL_WHY_NONE);
    fl_blob_unref(&one);
    fl_blob_unref(&two);
}

static void
what_is_still_in_a_slot_at_the_end_is_freed(void **state)
{
    (void)state;
    fl_blob *blob = wire_of(9);
    lease(0, SIZE);
    stage(0, blob, 0, SIZE);
    lease(1, SIZE);
    stage(1, blob, 0, 10);
    fl_blob_unref(&blob);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        unit_case(a_contribution_is_refused_for_any_changed_byte, start, workshop_close),
        unit_case(one_element_beyond_the_bound_is_found_wherever_it_is, start, workshop_close),
        unit_case(a_slot_that_is_given_up_while_it_is_read_is_anothers_at_once, start,
                  workshop_close),
        unit_case(what_is_still_in_a_slot_at_the_end_is_freed, start, workshop_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
