//  A device in masked rounds: what it does with an update that was masked, that came late, or that
//  a newer round overtook. The two other members of its block are those of tests/support/secagg.h.
#include "tests/support/unit.h"

#include "tests/support/secagg.h"

#include <string.h>

#include "common/wire/codec.h"
#include "device/device.h"

enum { SAMPLES = 3, VECS = 64, BEAT_MS = 10000 };

static masked_world *world;
static fl_device *device;
static fl_outbox *out;
static fl_vec newest;
static bool alive[VECS];
static fl_vec update, encoded;       // newest of each
static uint32_t asked[FL_FX_COUNT];  // of each kind, ever
static uint32_t said[FL_VERB_COUNT]; // of each verb, ever
static fl_order training;            // newest that was asked for
static uint64_t weight;              // of the newest encoding

static void s_step(fl_event event);

static fl_vec
s_vec(void)
{
    assert_true(newest + 1 < VECS);
    alive[++newest] = true;
    return newest;
}

static void
s_start(fl_masking profile)
{
    masked_plan plan = masked_plan_small(3);
    plan.profile = profile;
    world = masked_new(&plan, 5);
    out = fl_outbox_new(256);
    memset(alive, 0, sizeof alive);
    memset(asked, 0, sizeof asked);
    memset(said, 0, sizeof said);
    newest = 0;
    device = fl_device_new(&(fl_participant_conf){ .node = world->member[0].node,
                                                   .role = FL_ROLE_DEVICE,
                                                   .incarnation = 5,
                                                   .beat_ms = BEAT_MS,
                                                   .backoff_min_ms = 100,
                                                   .backoff_max_ms = 400,
                                                   .masking = &world->member[0].conf });
    assert_true(out != NULL && device != NULL);
    s_step((fl_event){ .kind = FL_EV_TICK });
    assert_true(fl_participant_joined(fl_device_participant(device)));
}

static void
s_end(void)
{
    fl_device_destroy(&device);
    fl_outbox_destroy(&out);
    masked_destroy(&world);
}

// ---- around the device ------------------------------------------------------------------------
static void
s_hear(const fl_message *message, uint32_t body_bytes)
{
    fl_event event = { .kind = FL_EV_MESSAGE };
    event.message.from = FL_PARENT;
    event.message.message = message;
    event.message.body_bytes = body_bytes;
    s_step(event);
}

static void
s_welcome(void)
{
    uint8_t certificate[FL_CERT_BYTES];
    fl_keys *keys = identity_keys(4711);
    (void)identity_cert(world->authority, keys, FL_ROLE_EDGE, "edge-a", 4711, certificate);
    fl_keys_destroy(&keys);
    fl_message message = masked_message(world, FL_WELCOME);
    message.welcome = (fl_welcome){ .epoch = 1,
                                    .beat_ms = BEAT_MS,
                                    .certificate = fl_bytes_of(certificate, sizeof certificate) };
    s_hear(&message, 0);
}

static void
s_model(void)
{
    const fl_order *order = &world->task.order;
    fl_message piece = masked_message(world, FL_PIECE);
    piece.piece = (fl_piece){ .hash = order->model, .total = order->model_bytes };
    s_hear(&piece, (uint32_t)order->model_bytes);
    fl_event event = { .kind = FL_EV_MODEL };
    event.model.hash = order->model;
    event.model.ok = true;
    s_step(event);
}

static void
on_said(const fl_message *message)
{
    said[message->verb]++;
    if (message->verb == FL_HELLO) {
        s_welcome();
    } else if (message->verb == FL_FETCH) {
        s_model();
    } else if (message->verb != FL_CONTRIB) {
        masked_post(world, 0, -1, message);
    }
}

static void
on_mask(void)
{
    fl_event event = { .kind = FL_EV_MASKED };
    event.masked.vec = s_vec();
    event.masked.bytes = (uint64_t)world->plan.elements * world->plan.wire_bytes;
    s_step(event);
}

static void
s_obey(const fl_effect *effect)
{
    asked[effect->kind]++;
    if (effect->kind == FL_FX_SEND) {
        on_said(&effect->send.message);
    } else if (effect->kind == FL_FX_TRAIN) {
        training = effect->train.order;
    } else if (effect->kind == FL_FX_ENCODE) {
        weight = effect->encode.weight;
    } else if (effect->kind == FL_FX_DROP) {
        assert_true(effect->drop.vec < VECS && alive[effect->drop.vec]);
        alive[effect->drop.vec] = false;
    } else if (effect->kind == FL_FX_KEEP) {
        fl_event event = { .kind = FL_EV_SAVED };
        event.saved.token = effect->keep.token;
        event.saved.ok = true;
        s_step(event);
    } else if (effect->kind == FL_FX_MASK) {
        on_mask();
    }
}

static void
s_step(fl_event event)
{
    //  An answer comes in a step of its own, behind what the one before it asked for.
    fl_effect effects[64];
    event.wall_s = IDENTITY_NOW;
    fl_device_machine(device).step(device, &event, world->now, out);
    uint32_t count = fl_outbox_count(out);
    assert_true(count <= sizeof effects / sizeof *effects);
    for (uint32_t i = 0; i < count; i++) {
        effects[i] = *fl_outbox_at(out, i);
    }
    fl_outbox_reset(out);
    for (uint32_t i = 0; i < count; i++) {
        s_obey(&effects[i]);
    }
}

//  Everything that is on its way, the device's letters too.
static void
s_settle(void)
{
    for (;;) {
        if (world->head == world->tail) {
            return;
        }
        masked_letter letter = world->queue[world->head % MASKED_QUEUE];
        if (letter.to != 0) {
            (void)masked_deliver(world);
            continue;
        }
        world->head++;
        fl_message message;
        assert_int_equal(fl_decode(fl_blob_bytes(letter.frame), 0, &message).code, FL_CODEC_OK);
        s_hear(&message, 0);
        fl_blob_unref(&letter.frame);
    }
}

// ---- a round ----------------------------------------------------------------------------------
static void
s_task(uint64_t round)
{
    masked_next_round(world, round, false);
    world->task.order.plan.late = FL_LATE_CARRY;
    world->task.order.plan.staleness_max = 2;
    fl_secagg_invite invites[3];
    for (uint32_t i = 0; i < 3; i++) {
        invites[i] = (fl_secagg_invite){ .node = world->member[i].node, .peer = i };
    }
    fl_secagg_times times = { .keys_by = FL_NEVER - 1,
                              .deal_by = FL_NEVER - 1,
                              .ready_by = FL_NEVER - 1,
                              .upload_by = FL_NEVER - 1 };
    fl_secagg_server_open(world->aggregator, 3, &world->task, invites, 3, &times, world->now,
                          world->out);
    masked_obey(world, -1);
    for (uint32_t i = 1; i < 3; i++) {
        masked_begin(world, i);
        masked_train(world, i);
    }
    fl_message message = masked_message(world, FL_TASK);
    message.task = world->task;
    message.task.budget_ms = 5000;
    s_hear(&message, 0);
}

static void
s_trained(void)
{
    fl_event event = { .kind = FL_EV_TRAINED };
    event.trained.round = training.round;
    event.trained.update = update = s_vec();
    event.trained.samples = SAMPLES;
    s_step(event);
}

static void
s_encoded(void)
{
    fl_event event = { .kind = FL_EV_ENCODED };
    event.encoded.vec = encoded = s_vec();
    event.encoded.bytes = (uint64_t)world->plan.elements * world->plan.wire_bytes;
    s_step(event);
}

static void
s_closed(fl_outcome outcome, fl_reason reason)
{
    fl_message message = masked_message(world, FL_CLOSED);
    message.closed = (fl_closed){ .attempt = 1, .outcome = outcome, .reason = reason };
    s_hear(&message, 0);
}

//  Round 1 is trained and encoded; when `masked`, its masked bytes are announced.
static void
s_offer(fl_masking profile, bool masked)
{
    s_start(profile);
    s_task(1);
    s_trained();
    s_encoded();
    assert_int_equal(said[FL_KEYS], 1);
    if (masked) {
        s_settle();
    }
    assert_int_equal(said[FL_CONTRIB], masked);
    assert_int_equal(alive[encoded], !masked);
    assert_true(alive[update]);
}

static void
an_update_that_was_masked_is_never_offered_again(void **state)
{
    (void)state;
    for (int profile = FL_MASKING_HONEST; profile <= FL_MASKING_MALICIOUS; profile++) {
        s_offer((fl_masking)profile, true);
        assert_int_equal(asked[FL_FX_KEEP], 1);
        assert_int_equal(asked[FL_FX_MASK], 1);
        s_closed(FL_OUT_LATE, FL_WHY_LATE); // no byte of it was sent, and still
        assert_false(alive[update]);
        s_task(2);
        assert_int_equal(asked[FL_FX_ENCODE], 1);
        assert_int_equal(asked[FL_FX_TRAIN], 2);
        s_end();
    }
}

static void
one_that_was_not_masked_is_carried_among_the_honest(void **state)
{
    (void)state;
    s_offer(FL_MASKING_HONEST, false);
    s_closed(FL_OUT_LATE, FL_WHY_TOO_FEW_READY);
    assert_true(alive[update] && !alive[encoded]);
    s_task(2);
    assert_int_equal(asked[FL_FX_TRAIN], 1);
    assert_int_equal(asked[FL_FX_ENCODE], 2);
    assert_int_equal(weight, 1); // 3 samples, one round old
    s_encoded();
    s_settle();
    assert_int_equal(said[FL_CONTRIB], 1);
    s_end();
}

static void
among_the_malicious_nothing_is_carried(void **state)
{
    (void)state;
    s_offer(FL_MASKING_MALICIOUS, false);
    s_closed(FL_OUT_LATE, FL_WHY_TOO_FEW_READY);
    assert_false(alive[update]);
    s_task(2);
    assert_int_equal(asked[FL_FX_TRAIN], 2);
    assert_int_equal(asked[FL_FX_ENCODE], 1);
    s_end();
}

static void
a_training_that_a_newer_round_overtook_goes_on_among_the_honest_only(void **state)
{
    (void)state;
    for (int profile = FL_MASKING_HONEST; profile <= FL_MASKING_MALICIOUS; profile++) {
        bool honest = profile == FL_MASKING_HONEST;
        s_start((fl_masking)profile);
        s_task(1);
        s_task(2);
        assert_int_equal(asked[FL_FX_CANCEL], !honest);
        s_trained(); // it had just been ready
        assert_int_equal(asked[FL_FX_ENCODE], honest);
        assert_int_equal(asked[FL_FX_TRAIN], honest ? 1 : 2);
        assert_int_equal(alive[update], honest);
        s_end();
    }
}

static void
a_masked_round_that_breaks_off_leaves_no_task(void **state)
{
    (void)state;
    s_start(FL_MASKING_MALICIOUS);
    s_task(1);
    world->task.order.plan.clip = 2;
    fl_message message = masked_message(world, FL_TASK);
    message.task = world->task;
    s_hear(&message, 0); // another body
    assert_int_equal(said[FL_REFUSED], 1);
    assert_null(fl_participant_task(fl_device_participant(device)));
    s_trained(); // of no use to anybody
    assert_int_equal(asked[FL_FX_ENCODE], 0);
    s_task(2);
    assert_false(alive[update]);
    assert_int_equal(asked[FL_FX_TRAIN], 2);
    s_end();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_update_that_was_masked_is_never_offered_again),
        cmocka_unit_test(one_that_was_not_masked_is_carried_among_the_honest),
        cmocka_unit_test(among_the_malicious_nothing_is_carried),
        cmocka_unit_test(a_training_that_a_newer_round_overtook_goes_on_among_the_honest_only),
        cmocka_unit_test(a_masked_round_that_breaks_off_leaves_no_task),
    };
    return cmocka_run_group_tests_name("device/device_masking", tests, NULL, NULL);
}
