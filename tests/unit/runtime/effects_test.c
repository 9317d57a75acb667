//  The heavy effects on a real workers; the machine is the test, which waits for each answer.
#include "common/runtime/effects.h"

#include "common/crypto/hash.h"
#include "common/model/safetensors.h"
#include "tests/support/unit.h"

#include <math.h>

#include "tests/support/workshop.h"

enum { ELEMENTS = 100 };

static fl_plan plan;
static fl_run run;
static fl_blob *model;  // that is trained ...
static fl_hash tensors; // ... and what is in it

// ---- what the tier brings ---------------------------------------------------------------------
static fl_status train_says;
static uint64_t trained_seed;
static bool cancelled;

static fl_status
s_train(void *self, fl_training *training, fl_why *reason)
{
    (void)self;
    fl_why_set(reason, "as the test says");
    trained_seed = training->order.plan.seed;
    training->samples = 77;
    training->stats[FL_STAT_SAMPLES] = 77;
    for (uint64_t i = 0; i < training->order.elements; i++) {
        training->update[i] = training->model.size == fl_blob_size(model) ? 0.5f : 0.0f;
    }
    return train_says;
}

static void
s_cancel(void *self)
{
    (void)self;
    cancelled = true;
}

static bool apply_says, save_says;
static float applied_mean;
static fl_report saved;
static fl_roll_entry saved_roll[2];
static fl_block_line saved_blocks[2];
static fl_save saved_what;

static bool
s_apply(void *self, const fl_fold *fold, const fl_effect *effect, fl_applied *applied)
{
    (void)self;
    fl_fold_mean(fold, effect->apply.weight, 0, 1, &applied_mean);
    if (apply_says) {
        applied->model = fl_blob_copy(fl_bytes_of("next", 4));
        applied->hash = fl_hash_of(fl_bytes_of("next", 4));
        applied->loss = 0.25;
        applied->accuracy = 0.75;
    }
    return apply_says;
}

static bool
s_save(void *self, fl_save what, const fl_report *report)
{
    (void)self;
    saved_what = what;
    saved = *report;
    for (uint32_t i = 0; i < report->roll_count; i++) {
        saved_roll[i] = report->roll[i];
    }
    for (uint32_t i = 0; i < report->block_count; i++) {
        saved_blocks[i] = report->blocks[i];
    }
    return save_says;
}

// ---- a test -----------------------------------------------------------------------------------
static fl_trainer trainer = { .train = s_train, .cancel = s_cancel };

static void
open_works(const char *node, bool saver)
{
    fl_effects_conf conf = { .own_seed = { 77 },
                             .trainer = &trainer,
                             .applier.apply = s_apply,
                             .saver.save = saver ? s_save : NULL };
    assert_true(fl_name_parse(node, &conf.node));
    effects = workshop_effects(conf);
    assert_non_null(effects);
}

static fl_blob *
model_of(const char *round, fl_hash *digest)
{
    const fl_tensor tensor = { .name = "a", .rank = 1, .shape = { ELEMENTS } };
    fl_safetensors_note note = { .key = "round" };
    fl_blob *made = NULL;
    fl_safetensors file;
    (void)snprintf(note.text, sizeof note.text, "%s", round);
    assert_int_equal(fl_safetensors_save(&tensor, 1, &note, 1, NULL, &made), FL_OK);
    assert_int_equal(fl_safetensors_parse(fl_blob_bytes(made), &file, NULL), FL_OK);
    *digest = fl_safetensors_digest(&file);
    return made;
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
    plan = (fl_plan){ .clip = fixed.clip,
                      .bits = fixed.bits,
                      .weight_unit = 1,
                      .weight_max = 2,
                      .devices_max = 4,
                      .seed = 5 };
    run = (fl_run){ .bytes = "one" };
    model = model_of("1", &tensors);
    cancelled = false;
    train_says = FL_OK;
    apply_says = save_says = true;
    open_works("node-a", true);
    return 0;
}

static fl_order
order_of(uint64_t round, uint64_t elements)
{
    fl_order order = { .run = run, .round = round, .elements = elements, .plan = plan };
    order.model = fl_hash_of(fl_blob_bytes(model));
    order.tensors = tensors;
    return order;
}

//  Bytes of a contribution in which every element is `value`.
static fl_blob *
wire_of(uint64_t elements, int8_t value)
{
    fl_blob *blob = fl_blob_new(elements * fl_policy_element(&plan).wire_bytes);
    for (uint64_t i = 0; i < elements; i++) {
        uint8_t *at = fl_blob_data(blob) + i * fl_policy_element(&plan).wire_bytes;
        memset(at, value < 0 ? 0xff : 0, fl_policy_element(&plan).wire_bytes);
        at[0] = (uint8_t)value;
    }
    return blob;
}

static void
stage(uint32_t slot, fl_blob *blob)
{
    const size_t half = fl_blob_size(blob) / 2;
    for (int part = 0; part < 2; part++) {
        fl_effect effect = { .kind = FL_FX_STAGE };
        effect.stage.slot = slot;
        effect.stage.offset = part == 0 ? 0 : half;
        fl_bytes body = fl_bytes_of(fl_blob_data(blob) + effect.stage.offset,
                                    part == 0 ? half : fl_blob_size(blob) - half);
        assert_true(fl_effects_obey(effects, &effect, body));
    }
}

static fl_event
verify(uint32_t slot, fl_hash hash, uint64_t weight)
{
    fl_effect effect = { .kind = FL_FX_VERIFY };
    effect.verify.slot = slot;
    effect.verify.hash = hash;
    effect.verify.weight = weight;
    fl_event event = answer_of(&effect, FL_EV_VERIFIED);
    return event;
}

static void
fold(uint32_t slot)
{
    fl_effect effect = { .kind = FL_FX_FOLD };
    effect.fold.slot = slot;
    (void)answer_of(&effect, FL_EV_FOLDED);
}

//  A contribution from its slot into the sum.
static void
take(uint32_t slot, fl_blob *blob)
{
    lease(slot, fl_blob_size(blob));
    stage(slot, blob);
    assert_true(verify(slot, fl_hash_of(fl_blob_bytes(blob)), 1).verified.ok);
    fold(slot);
    lease(slot, 0);
}

// ---- a parent's work --------------------------------------------------------------------------
static void
staged_contributions_are_checked_added_and_finished(void **state)
{
    (void)state;
    clear(1, ELEMENTS, &plan);
    fl_blob *one = wire_of(ELEMENTS, 3), *two = wire_of(ELEMENTS, -5);
    fl_blob *sum = wire_of(ELEMENTS, -2);
    take(0, one);
    take(1, two);
    fl_event event = finish(1, true);
    assert_int_equal(event.finished.bytes, fl_blob_size(sum));
    fl_blob *made = fl_handles_look(handles, event.finished.vec);
    assert_non_null(made);
    assert_memory_equal(fl_blob_data(made), fl_blob_data(sum), fl_blob_size(sum));
    fl_hash hash = fl_hash_of(fl_blob_bytes(sum));
    assert_true(fl_hash_equal(&event.finished.hash, &hash));
    event = finish(1, false);
    assert_int_equal(event.finished.vec, 0);
    assert_true(fl_hash_equal(&event.finished.hash, &hash));
    clear(1, ELEMENTS, &plan); // the same again is zeroed
    fl_blob *nothing = wire_of(ELEMENTS, 0);
    hash = fl_hash_of(fl_blob_bytes(nothing));
    event = finish(1, false);
    assert_true(fl_hash_equal(&event.finished.hash, &hash));
    fl_blob_unref(&one);
    fl_blob_unref(&two);
    fl_blob_unref(&sum);
    fl_blob_unref(&nothing);
}

static void
a_long_sum_has_the_same_hash_with_and_without_its_vector(void **state)
{
    (void)state;
    const uint64_t elements = 70001; // more than is finished at a time
    clear(1, elements, &plan);
    fl_blob *one = wire_of(elements, 9);
    take(2, one);
    fl_event with = finish(1, true), without = finish(1, false);
    assert_true(fl_hash_equal(&with.finished.hash, &without.finished.hash));
    fl_blob_unref(&one);
}

static void
a_slot_without_disk_space_is_refused_as_such(void **state)
{
    (void)state;
    fl_staging_close(&staging);
    if (!place_on_disk("size=64k", false)) {
        skip();
    }
    assert_int_equal(fl_staging_open(place, 4, &staging, &why), FL_OK);
    fl_effects_destroy(&effects);
    open_works("node-a", true);
    clear(1, ELEMENTS, &plan);
    fl_blob *blob = wire_of(ELEMENTS, 1);
    lease(0, 1 << 20);
    stage(0, blob); // goes nowhere
    fl_event event = verify(0, fl_hash_of(fl_blob_bytes(blob)), 1);
    assert_false(event.verified.ok);
    assert_int_equal(event.verified.reason, FL_WHY_STORAGE);
    take(0, blob); // a smaller one has room
    fl_blob_unref(&blob);
}

static void
what_is_applied_is_the_next_model(void **state)
{
    (void)state;
    clear(1, ELEMENTS, &plan);
    fl_blob *one = wire_of(ELEMENTS, 127);
    take(0, one);
    fl_effect effect = { .kind = FL_FX_APPLY };
    effect.apply.weight = 1;
    fl_event event = answer_of(&effect, FL_EV_APPLIED);
    assert_true(event.applied.ok);
    assert_int_equal(event.applied.model_bytes, 4);
    assert_float_equal(event.applied.loss, 0.25, 0);
    assert_float_equal(event.applied.accuracy, 0.75, 0);
    assert_float_equal(applied_mean, 1.0, 1e-6);
    assert_non_null(fl_handles_model(handles, &event.applied.model));
    apply_says = false;
    event = answer_of(&effect, FL_EV_APPLIED);
    assert_false(event.applied.ok);
    assert_int_equal(event.applied.model_bytes, 0);
    fl_blob_unref(&one);
}

static void
a_report_is_saved_with_its_lines(void **state)
{
    (void)state;
    fl_roll_entry roll[2] = { { .outcome = FL_OUT_IN }, { .outcome = FL_OUT_LATE } };
    fl_block_line blocks[2] = { { .block = 0, .members = 5 }, { .block = 1, .survivors = 4 } };
    fl_report report = { .round = 6, .roll = roll, .roll_count = 2, .blocks = blocks,
                         .block_count = 2 };
    fl_effect effect = { .kind = FL_FX_SAVE };
    effect.save.what = FL_SAVE_CLOSE;
    effect.save.report = &report;
    obey(&effect);
    memset(roll, 0, sizeof roll); // the machine's own again
    memset(blocks, 0, sizeof blocks);
    fl_event event = answer(FL_EV_SAVED);
    assert_true(event.saved.ok);
    assert_int_equal(saved_what, FL_SAVE_CLOSE);
    assert_int_equal(saved.round, 6);
    assert_int_equal(saved_roll[1].outcome, FL_OUT_LATE);
    assert_int_equal(saved_blocks[0].members, 5);
    assert_int_equal(saved_blocks[1].survivors, 4);
    save_says = false;
    report.roll_count = report.block_count = 0;
    assert_false(answer_of(&effect, FL_EV_SAVED).saved.ok);
    fl_effects_destroy(&effects);
    open_works("node-a", false); // one that keeps nothing has nothing to lose
    assert_true(answer_of(&effect, FL_EV_SAVED).saved.ok);
}

// ---- a child's work ---------------------------------------------------------------------------
static void
place_piece(uint64_t offset, const char *bytes, uint64_t total)
{
    fl_effect effect = { .kind = FL_FX_PLACE };
    effect.place.offset = offset;
    effect.place.total = total;
    assert_true(fl_effects_obey(effects, &effect, fl_bytes_of(bytes, strlen(bytes))));
}

static fl_event
check(const char *expected)
{
    fl_effect effect = { .kind = FL_FX_CHECK };
    effect.check.hash = fl_hash_of(fl_bytes_of(expected, strlen(expected)));
    return answer_of(&effect, FL_EV_MODEL);
}

static void
a_model_comes_in_pieces_and_is_kept_when_its_hash_is_right(void **state)
{
    (void)state;
    place_piece(0, "mo", 5);
    place_piece(2, "del", 5);
    fl_event event = check("model");
    assert_true(event.model.ok);
    const fl_hash five = fl_hash_of(fl_bytes_of("model", 5));
    fl_blob *held = fl_handles_model(handles, &five);
    assert_memory_equal(fl_blob_data(held), "model", 5);
    place_piece(0, "modem", 5); // wrong bytes
    event = check("modul");
    assert_false(event.model.ok);
    const fl_hash modul = fl_hash_of(fl_bytes_of("modul", 5));
    assert_null(fl_handles_model(handles, &modul));
    assert_int_equal(check("model").model.reason, FL_WHY_STORAGE); // nothing was fetched since
    place_piece(0, "xx", 5);
    place_piece(0, "longer", 9); // begun anew
    place_piece(6, "one", 9);
    assert_true(check("longerone").model.ok);
}

static void
put_model(void)
{
    const fl_hash hash = fl_hash_of(fl_blob_bytes(model));
    fl_blob *kept = fl_blob_ref(model);
    fl_handles_put_model(handles, 0, &hash, &kept);
}

static fl_event
train(void)
{
    fl_effect effect = { .kind = FL_FX_TRAIN };
    effect.train.order = order_of(4, ELEMENTS);
    fl_event event = answer_of(&effect, FL_EV_TRAINED);
    return event;
}

static void
training_gives_an_update_of_the_model_that_is_held(void **state)
{
    (void)state;
    put_model();
    fl_event event = train();
    assert_int_equal(event.trained.reason, FL_WHY_NONE);
    assert_int_equal(event.trained.samples, 77);
    assert_int_equal(event.trained.stats[FL_STAT_SAMPLES], 77);
    fl_blob *update = fl_handles_look(handles, event.trained.update);
    assert_int_equal(fl_blob_size(update), ELEMENTS * sizeof(float));
    assert_float_equal(((const float *)(const void *)fl_blob_data(update))[ELEMENTS - 1], 0.5, 0);
    fl_effect drop = { .kind = FL_FX_DROP };
    drop.drop.vec = event.trained.update;
    obey(&drop);
    assert_null(fl_handles_look(handles, event.trained.update));
    obey(&(fl_effect){ .kind = FL_FX_CANCEL });
    assert_true(cancelled);
}

static void
training_that_fails_says_why_and_leaves_no_update(void **state)
{
    (void)state;
    assert_int_equal(train().trained.reason, FL_WHY_MODEL); // it is not held here
    put_model();
    static const struct {
        fl_status status;
        fl_reason reason;
    } rows[] = { { FL_MISMATCH, FL_WHY_MODEL },
                 { FL_MISSING, FL_WHY_NO_DATA },
                 { FL_BUSY, FL_WHY_ABORTED },
                 { FL_IO, FL_WHY_TRAINER } };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        train_says = rows[i].status;
        fl_event event = train();
        assert_int_equal(event.trained.reason, rows[i].reason);
        assert_int_equal(event.trained.update, 0);
    }
}

//  A root could let the same tensors look like others, so that who masked them does not know.
static void
a_model_whose_tensors_the_order_does_not_name_is_not_trained(void **state)
{
    (void)state;
    put_model();
    const fl_hash named = tensors;
    tensors.bytes[0] ^= 1;
    assert_int_equal(train().trained.reason, FL_WHY_PLAN);
    fl_blob_unref(&model);
    model = model_of("2", &tensors); // another file, and still the same tensors
    assert_true(fl_hash_equal(&named, &tensors));
    put_model();
    assert_int_equal(train().trained.reason, FL_WHY_NONE);
}

static fl_vec
put_update(float value, uint64_t elements)
{
    fl_blob *blob = fl_blob_new(elements * sizeof(float));
    float *values = (float *)(void *)fl_blob_data(blob);
    for (uint64_t i = 0; i < elements; i++) {
        values[i] = value;
    }
    return fl_handles_put(handles, &blob);
}

static fl_event
encode(fl_vec update, uint64_t round)
{
    fl_effect effect = { .kind = FL_FX_ENCODE };
    effect.encode.update = update;
    effect.encode.weight = 2;
    effect.encode.order = order_of(round, ELEMENTS);
    return answer_of(&effect, FL_EV_ENCODED);
}

//  The plan tells everything of the dither, or, under masks, all but what the device knows.
static void
a_masked_update_has_a_dither_of_its_own_unless_it_is_pinned(void **state)
{
    (void)state;
    fl_vec update = put_update(0.3f, ELEMENTS);
    fl_hash open = encode(update, 1).encoded.hash;
    plan.masking[0] = plan.masking[1] = FL_MASKING_MALICIOUS;
    fl_hash own = encode(update, 1).encoded.hash, again = encode(update, 1).encoded.hash;
    assert_false(fl_hash_equal(&own, &open));
    assert_true(fl_hash_equal(&own, &again));
    plan.pin = true;
    fl_hash pinned = encode(update, 1).encoded.hash;
    assert_true(fl_hash_equal(&pinned, &open));
}

//  R4 takes a run for another draw, so nothing may come twice in a process that lives on.
static void
a_masked_run_has_randomness_of_its_own_unless_it_is_pinned(void **state)
{
    (void)state;
    fl_vec update = put_update(0.3f, ELEMENTS);
    put_model();
    plan.masking[0] = plan.masking[1] = FL_MASKING_MALICIOUS;
    for (int pin = 0; pin < 2; pin++) {
        plan.pin = pin == 1;
        run = (fl_run){ .bytes = "one" };
        fl_hash one = encode(update, 1).encoded.hash;
        (void)train();
        const uint64_t seed = trained_seed;
        (void)train();
        assert_int_equal(trained_seed, seed);
        assert_int_equal(seed == plan.seed, plan.pin);
        run = (fl_run){ .bytes = "two" };
        fl_hash two = encode(update, 1).encoded.hash;
        (void)train();
        assert_int_equal(fl_hash_equal(&one, &two), plan.pin);
        assert_int_equal(trained_seed == seed, plan.pin);
    }
}

static void
the_same_update_in_the_same_round_is_encoded_to_the_same_bytes(void **state)
{
    (void)state;
    fl_vec update = put_update(0.3f, ELEMENTS); // between two steps: the dither decides
    fl_event first = encode(update, 1), again = encode(update, 1), next = encode(update, 2);
    assert_int_equal(first.encoded.reason, FL_WHY_NONE);
    assert_int_equal(first.encoded.bytes, ELEMENTS * fl_policy_element(&plan).wire_bytes);
    fl_hash hash = fl_hash_of(fl_blob_bytes(fl_handles_look(handles, first.encoded.vec)));
    assert_true(fl_hash_equal(&first.encoded.hash, &hash));
    assert_true(fl_hash_equal(&again.encoded.hash, &hash));
    assert_false(fl_hash_equal(&next.encoded.hash, &hash));
    fl_effects_destroy(&effects);
    open_works("node-b", true); // another device, another dither
    fl_event other = encode(update, 1);
    assert_false(fl_hash_equal(&other.encoded.hash, &hash));
}

static void
what_is_clipped_is_counted_and_what_is_no_number_is_refused(void **state)
{
    (void)state;
    fl_event event = encode(put_update(3.0f, ELEMENTS), 1);
    assert_int_equal(event.encoded.reason, FL_WHY_NONE);
    assert_int_equal(event.encoded.saturated, ELEMENTS);
    event = encode(put_update(NAN, ELEMENTS), 1);
    assert_int_equal(event.encoded.reason, FL_WHY_NAN);
    assert_int_equal(event.encoded.vec, 0);
    event = encode(put_update(1.0f, ELEMENTS - 1), 1); // of another plan
    assert_int_equal(event.encoded.reason, FL_WHY_STORAGE);
}

// ---- the rest ---------------------------------------------------------------------------------
static void
what_concerns_lanes_or_the_log_is_not_of_works(void **state)
{
    (void)state;
    static const fl_effect_kind others[] = {
        FL_FX_SEND,      FL_FX_PUSH,  FL_FX_SERVE, FL_FX_LANE,
        FL_FX_RECONNECT, FL_FX_EXPEL, FL_FX_REST,  FL_FX_NOTE
    };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        const fl_effect effect = { .kind = others[i] };
        assert_false(fl_effects_obey(effects, &effect, fl_bytes_of(NULL, 0)));
    }
}

static void
what_is_asked_of_a_crew_that_stops_is_forgotten(void **state)
{
    (void)state;
    assert_int_equal(fl_workers_stop(workers, FL_WORKERS_DRAIN, WAIT_MS), FL_OK);
    fl_effect effect = { .kind = FL_FX_ENCODE };
    effect.encode.update = put_update(1.0f, ELEMENTS);
    effect.encode.order = order_of(1, ELEMENTS);
    obey(&effect);
    assert_int_equal(fl_effects_running(effects), 0);
    assert_int_equal(posts, 0);
}

static int
wind_up(void **state)
{
    fl_blob_unref(&model);
    return workshop_close(state);
}

#define working(test) cmocka_unit_test_setup_teardown(test, start, wind_up)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        working(staged_contributions_are_checked_added_and_finished),
        working(a_long_sum_has_the_same_hash_with_and_without_its_vector),
        working(a_slot_without_disk_space_is_refused_as_such),
        working(what_is_applied_is_the_next_model),
        working(a_report_is_saved_with_its_lines),
        working(a_model_comes_in_pieces_and_is_kept_when_its_hash_is_right),
        working(training_gives_an_update_of_the_model_that_is_held),
        working(training_that_fails_says_why_and_leaves_no_update),
        working(a_model_whose_tensors_the_order_does_not_name_is_not_trained),
        working(a_masked_update_has_a_dither_of_its_own_unless_it_is_pinned),
        working(a_masked_run_has_randomness_of_its_own_unless_it_is_pinned),
        working(the_same_update_in_the_same_round_is_encoded_to_the_same_bytes),
        working(what_is_clipped_is_counted_and_what_is_no_number_is_refused),
        working(what_concerns_lanes_or_the_log_is_not_of_works),
        working(what_is_asked_of_a_crew_that_stops_is_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
