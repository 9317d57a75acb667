//  Out of memory in the heavy effects: the linker hands allocations of this program to us (--wrap),
//  and long ones fail while memory is scarce. Each effect is then answered by name, and the next
//  one that finds memory is carried out.
#include "common/runtime/effects.h"

#include "common/crypto/hash.h"
#include "tests/support/unit.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/workshop.h"

enum { ELEMENTS = 20000, LONG = 4096, ROLL = LONG / FL_ROLL_ENTRY_BYTES };

//  The linker's names.
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
void *__wrap_sodium_malloc(size_t size);
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
void *__real_sodium_malloc(size_t size);

static _Atomic bool scarce, no_locked;

void *
__wrap_malloc(size_t size)
{
    return scarce && size >= LONG ? NULL : __real_malloc(size);
}

void *
__wrap_calloc(size_t count, size_t size)
{
    return scarce && count * size >= LONG ? NULL : __real_calloc(count, size);
}

void *
__wrap_aligned_alloc(size_t alignment, size_t size)
{
    return scarce && size >= LONG ? NULL : __real_aligned_alloc(alignment, size);
}

void *
__wrap_sodium_malloc(size_t size)
{
    return no_locked ? NULL : __real_sodium_malloc(size);
}

static fl_plan plan;

static bool
s_save(void *self, fl_save what, const fl_report *report)
{
    (void)self;
    (void)what;
    return report->roll_count == ROLL && report->block_count == FL_BLOCK_LINES_MAX;
}

static int
start(void **state)
{
    if (workshop_open(state, 2) != 0) {
        return -1;
    }
    fl_element fixed = { .clip = 1.0f, .bits = 8, .weight_unit = 1, .weight_max = 2,
                       .devices_max = 4 };
    assert_int_equal(fl_element_choose(&fixed, &why), FL_OK);
    plan = (fl_plan){
        .clip = fixed.clip, .bits = fixed.bits, .weight_unit = 1, .weight_max = 2, .devices_max = 4
    };
    effects = workshop_effects((fl_effects_conf){ .saver.save = s_save });
    return effects == NULL;
}

//  A contribution of zeros into a block.
static void
take(uint32_t block)
{
    fl_blob *zeros = fl_blob_new((size_t)ELEMENTS * fl_policy_element(&plan).wire_bytes);
    lease(0, fl_blob_size(zeros));
    fl_effect stage = { .kind = FL_FX_STAGE };
    assert_true(fl_effects_obey(effects, &stage, fl_blob_bytes(zeros)));
    fl_effect verify = { .kind = FL_FX_VERIFY }, fold = { .kind = FL_FX_FOLD };
    verify.verify.hash = fl_hash_of(fl_blob_bytes(zeros));
    verify.verify.weight = 1;
    assert_true(answer_of(&verify, FL_EV_VERIFIED).verified.ok);
    fold.fold.block = block;
    (void)answer_of(&fold, FL_EV_FOLDED);
    fl_blob_unref(&zeros);
}

static fl_event
unmask(uint32_t block)
{
    static const fl_mask_seed seed;
    fl_effect effect = { .kind = FL_FX_UNMASK };
    effect.unmask.block = block;
    effect.unmask.elements = ELEMENTS;
    effect.unmask.element = fl_policy_element(&plan);
    effect.unmask.seeds = &seed;
    effect.unmask.seed_count = 1;
    fl_event event = answer_of(&effect, FL_EV_UNMASKED);
    return event;
}

static void
without_accumulators_a_round_goes_on_and_has_no_sum(void **state)
{
    (void)state;
    for (int again = 0; again < 2; again++) { // nothing was there before, or one of two was
        scarce = true;
        clear(2, ELEMENTS, &plan);
        settle();
        scarce = false;
        take(1);
        assert_int_equal(unmask(1).unmasked.reason, FL_WHY_STORAGE);
        assert_int_equal(finish(1, true).finished.reason, FL_WHY_STORAGE);
        assert_int_equal(last.finished.vec, 0);
        clear(1, ELEMENTS, &plan);
        take(0);
        assert_int_equal(unmask(0).unmasked.reason, FL_WHY_NONE);
        assert_int_equal(finish(1, false).finished.reason, FL_WHY_NONE);
    }
}

static void
a_sum_that_finds_no_room_is_no_sum(void **state)
{
    (void)state;
    clear(1, ELEMENTS, &plan);
    take(0);
    scarce = true;
    fl_event event = finish(1, true);
    assert_int_equal(event.finished.reason, FL_WHY_STORAGE);
    assert_int_equal(event.finished.vec, 0);
    event = finish(1, false); // its hash alone needs no room
    assert_int_equal(event.finished.reason, FL_WHY_NONE);
    assert_int_equal(unmask(0).unmasked.reason, FL_WHY_NONE); // nor does what comes off in place
    scarce = false;
    assert_int_equal(finish(1, true).finished.reason, FL_WHY_NONE);
    fl_handles_drop(handles, last.finished.vec);
}

static void
seeds_that_find_no_room_leave_the_masks_as_they_are(void **state)
{
    (void)state;
    static const fl_mask_seed seed;
    clear(1, ELEMENTS, &plan);
    take(0);
    no_locked = true;
    assert_int_equal(unmask(0).unmasked.reason, FL_WHY_STORAGE);
    fl_blob *plain = fl_blob_new((size_t)ELEMENTS * fl_policy_element(&plan).wire_bytes);
    fl_effect effect = { .kind = FL_FX_MASK };
    effect.mask.vec = fl_handles_put(handles, &plain);
    effect.mask.elements = ELEMENTS;
    effect.mask.element = fl_policy_element(&plan);
    effect.mask.seeds = &seed;
    effect.mask.seed_count = 1;
    assert_int_equal(answer_of(&effect, FL_EV_MASKED).masked.vec, 0);
    no_locked = false;
    scarce = true; // the masked bytes need no room of their own
    assert_int_not_equal(answer_of(&effect, FL_EV_MASKED).masked.vec, 0);
    scarce = false;
    assert_int_equal(fl_blob_size(fl_handles_look(handles, effect.mask.vec)), 0);
    fl_handles_drop(handles, last.masked.vec);
    fl_handles_drop(handles, effect.mask.vec);
}

static void
a_report_that_cannot_be_copied_is_not_saved(void **state)
{
    (void)state;
    static fl_roll_entry roll[ROLL];
    static fl_block_line lines[FL_BLOCK_LINES_MAX];
    const fl_report report = { .roll = roll, .roll_count = ROLL, .blocks = lines,
                               .block_count = FL_BLOCK_LINES_MAX };
    fl_effect effect = { .kind = FL_FX_SAVE };
    effect.save.report = &report;
    scarce = true;
    fl_event event = answer_of(&effect, FL_EV_SAVED);
    scarce = false;
    assert_false(event.saved.ok);
    assert_true(answer_of(&effect, FL_EV_SAVED).saved.ok);
}

static void
a_model_that_finds_no_room_fails_its_check_by_name(void **state)
{
    (void)state;
    static const uint8_t bytes[2 * LONG];
    fl_effect check = { .kind = FL_FX_CHECK };
    check.check.hash = fl_hash_of(fl_bytes_of(bytes, sizeof bytes));
    for (int enough = 0; enough < 2; enough++) {
        for (int half = 0; half < 2; half++) {
            fl_effect effect = { .kind = FL_FX_PLACE };
            effect.place.offset = half == 0 ? 0 : LONG;
            effect.place.total = sizeof bytes;
            scarce = enough == 0 && half == 0; // later there is room again: too late for this one
            assert_true(fl_effects_obey(effects, &effect, fl_bytes_of(bytes, LONG)));
            scarce = false;
        }
        fl_event event = answer_of(&check, FL_EV_MODEL);
        assert_int_equal(event.model.ok, enough);
        assert_int_equal(event.model.reason, enough ? FL_WHY_NONE : FL_WHY_STORAGE);
    }
}

static void
works_are_whole_or_not_there(void **state)
{
    (void)state;
    scarce = true; // what they are made of is long
    fl_effects *none = workshop_effects((fl_effects_conf){ 0 });
    scarce = false;
    assert_null(none);
}

int
main(void)
{
#define WORKING(test) cmocka_unit_test_setup_teardown(test, start, workshop_close)
    const struct CMUnitTest tests[] = {
        WORKING(without_accumulators_a_round_goes_on_and_has_no_sum),
        WORKING(a_sum_that_finds_no_room_is_no_sum),
        WORKING(seeds_that_find_no_room_leave_the_masks_as_they_are),
        WORKING(a_report_that_cannot_be_copied_is_not_saved),
        WORKING(a_model_that_finds_no_room_fails_its_check_by_name),
        WORKING(works_are_whole_or_not_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
