//  record - what single calls cost, for the record and without a bound: a message as bytes and
//  back, signatures and tickets, and an aggregator's step for one chunk, with few and with many
//  seats.
//
//      bench-record [calls=2000] [batches=15]
#include <stdio.h>
#include <string.h>

#include "common/crypto/authority.h"
#include "common/crypto/ticket.h"
#include "common/round/aggregator.h"
#include "common/secagg/burnt.h"
#include "tests/bench/bench.h"
#include "tests/support/identity.h"
#include "tests/support/messages.h"

static uint64_t calls, batches;

typedef struct bench_act {
    void (*once)(void *arg);
    void *arg;
} bench_act;

//  Median over the batches of the mean of a batch.
static double
s_time(bench_act act, uint64_t count)
{
    double mean[BENCH_PAIRS_MAX];
    const uint64_t rounds = batches < BENCH_PAIRS_MAX ? batches : BENCH_PAIRS_MAX;
    for (uint64_t i = 0; i <= rounds; i++) { // the first one warms up
        const uint64_t start = bench_ns();
        for (uint64_t n = 0; n < count; n++) {
            act.once(act.arg);
        }
        mean[i > 0 ? i - 1 : 0] = (double)(bench_ns() - start) / (double)count;
    }
    return bench_median(mean, rounds);
}

// ---- codec ------------------------------------------------------------------------------------
typedef struct post {
    messages_letter letter;
    fl_blob *frame;
} post;

static void
s_encode(void *arg)
{
    post *self = arg;
    fl_blob *frame = fl_encode(&self->letter.message, self->letter.body_bytes);
    fl_blob_unref(&frame);
}

static void
s_decode(void *arg)
{
    post *self = arg;
    fl_message message;
    FL_ASSERT(fl_decode(fl_blob_bytes(self->frame), self->letter.body_bytes, &message).code ==
              FL_CODEC_OK);
}

static void
s_codec(fl_verb verb)
{
    static post letter;
    char name[64], note[64];
    messages_sample(verb, &letter.letter);
    letter.frame = fl_encode(&letter.letter.message, letter.letter.body_bytes);
    snprintf(note, sizeof note, "%zu bytes", fl_blob_size(letter.frame));
    snprintf(name, sizeof name, "encode_%s", fl_verb_name(verb));
    bench_say(name, s_time((bench_act){ s_encode, &letter }, calls), "ns", note);
    snprintf(name, sizeof name, "decode_%s", fl_verb_name(verb));
    bench_say(name, s_time((bench_act){ s_decode, &letter }, calls), "ns", note);
    fl_blob_unref(&letter.frame);
}

// ---- seals ------------------------------------------------------------------------------------
typedef struct seals {
    fl_authority *authority;
    uint8_t order[FL_ORDER_BYTES];
    uint8_t signature[FL_SIGN_BYTES];
    fl_ticket_key key;
    fl_ticket_claim claim;
    uint8_t ticket[FL_TICKET_MAC_BYTES];
} seals;

static void
s_sign_order(void *arg)
{
    seals *self = arg;
    fl_order_sign(self->authority, fl_bytes_of(self->order, sizeof self->order),
                  self->signature);
}

static void
s_check_order(void *arg)
{
    seals *self = arg;
    FL_ASSERT(fl_order_holds(fl_authority_public_of(self->authority),
                             fl_bytes_of(self->order, sizeof self->order), self->signature));
}

static void
s_make_ticket(void *arg)
{
    seals *self = arg;
    fl_ticket_make(&self->key, &self->claim, self->ticket);
}

static void
s_check_ticket(void *arg)
{
    seals *self = arg;
    FL_ASSERT(fl_ticket_holds(&self->key, &self->claim, self->ticket));
}

static void
s_seals(void)
{
    fl_why why = { "" };
    if (fl_crypto_init(&why) != FL_OK) {
        bench_die("record", why.text);
    }
    const fl_entropy entropy = fl_entropy_os();
    seals self = { .authority = fl_authority_new(&entropy), .key = fl_ticket_key_draw(&entropy),
                   .claim = { .seat = 3, .epoch = 1 } };
    FL_ASSERT(self.authority != NULL);
    const uint64_t count = calls / 20 + 1;
    bench_say("order_sign", s_time((bench_act){ s_sign_order, &self }, count), "ns", "Ed25519");
    bench_say("order_verify", s_time((bench_act){ s_check_order, &self }, count), "ns", "Ed25519");
    bench_say("ticket_make", s_time((bench_act){ s_make_ticket, &self }, calls), "ns",
              "keyed BLAKE2b");
    bench_say("ticket_verify", s_time((bench_act){ s_check_ticket, &self }, calls), "ns",
              "keyed BLAKE2b");
    fl_authority_destroy(&self.authority);
}

// ---- a proof that a block was not opened --------------------------------------------------------
typedef struct proof {
    fl_authority *authority;
    fl_message message;
    fl_name edge;
    uint8_t list[FL_MEMBERS_MAX * (FL_MEMBER_BYTES + FL_SIGN_BYTES)];
} proof;

static void
s_prove(void *arg)
{
    proof *self = arg;
    fl_burnts burnts;
    FL_ASSERT(fl_burnts_read(&self->message, &self->edge, 1, &burnts) &&
              fl_burnts_prove(&burnts, fl_authority_public_of(self->authority)));
}

//  BURNTS of the largest block, with as many signatures as it takes.
static void
s_burnts(void)
{
    enum { MEMBERS = FL_MEMBERS_MAX, LINES = MEMBERS * FL_MEMBER_BYTES };
    static proof self = { .edge = { "e1" }, .message = { .verb = FL_BURNTS, .round = 3 } };
    const uint32_t signers = fl_secagg_threshold(MEMBERS);
    fl_keys *keys[MEMBERS];
    self.authority = identity_authority(1);
    for (uint32_t i = 0; i < MEMBERS; i++) {
        char name[16];
        snprintf(name, sizeof name, "m-%02u", i);
        keys[i] = identity_keys(i + 2);
        (void)identity_cert(self.authority, keys[i], FL_ROLE_DEVICE, name, i + 1,
                            self.list + (size_t)i * FL_MEMBER_BYTES);
    }
    const fl_transcript_round round = { .hop = 1,
                                        .edge = self.edge,
                                        .round = self.message.round,
                                        .roster =
                                            fl_secagg_roster_hash(fl_bytes_of(self.list, LINES)) };
    for (uint32_t i = 0; i < MEMBERS; i++) {
        if (i < signers) {
            fl_transcript_burnt_sign(keys[i], &round, i,
                                     self.list + LINES + (size_t)i * FL_SIGN_BYTES);
        }
        fl_keys_destroy(&keys[i]);
    }
    self.message.burnts.set = fl_secagg_all(signers);
    self.message.burnts.list = fl_bytes_of(self.list, LINES + (size_t)signers * FL_SIGN_BYTES);
    bench_say("burnts_verify_64", s_time((bench_act){ s_prove, &self }, calls / 200 + 1), "ns",
              "41 signatures and as many certificates");
    fl_authority_destroy(&self.authority);
}

// ---- the aggregator
// -------------------------------------------------------------------------------
typedef struct chunks {
    fl_aggregator *aggregator;
    fl_outbox *out;
    fl_event event;
    fl_message message;
    fl_time now;
} chunks;

enum { CHUNK = FL_CHUNK_BYTES_MIN };

static void
s_step(chunks *self)
{
    fl_outbox_reset(self->out);
    fl_aggregator_step(self->aggregator, &self->event, self->now, self->out);
}

//  The verb that the aggregator says in its newest step.
static bool
s_said(const chunks *self, fl_verb verb)
{
    for (uint32_t i = 0; i < fl_outbox_count(self->out); i++) {
        const fl_effect *effect = fl_outbox_at(self->out, i);
        if (effect->kind == FL_FX_SEND && effect->send.message.verb == verb) {
            return true;
        }
    }
    return false;
}

static void
s_chunk(void *arg)
{
    chunks *self = arg;
    s_step(self);
    FL_ASSERT(fl_outbox_count(self->out) > 0 &&
              fl_outbox_at(self->out, 0)->kind == FL_FX_STAGE);
    self->message.chunk.offset += CHUNK;
    self->now += self->message.chunk.offset % (16 * CHUNK) == 0;
}

static void
s_join(chunks *self, uint32_t seat)
{
    fl_name node = { "" };
    snprintf(node.name, sizeof node.name, "d%u", seat);
    self->event = (fl_event){ .kind = FL_EV_MESSAGE };
    self->event.message.from = seat;
    self->event.message.node = node;
    self->event.message.role = FL_ROLE_DEVICE;
    self->event.message.message = &self->message;
    self->message = (fl_message){ .verb = FL_HELLO };
    self->message.hello = (fl_hello){ .role = FL_ROLE_DEVICE, .incarnation = 1, .leaves = 1 };
    s_step(self);
    FL_ASSERT(s_said(self, FL_WELCOME));
}

//  All have joined and have a task; the last one offers a vector so long that it lasts for the
//  measurement.
static void
s_offer(chunks *self, uint32_t seats, uint64_t vector_bytes)
{
    static const fl_run run = { .bytes = { 1 } };
    static const fl_hash hash = { .bytes = { 2 } };
    const fl_plan plan = { .clip = 1.0f,
                           .bits = 16,
                           .weight_unit = 64,
                           .weight_max = 255,
                           .devices_max = 256,
                           .recipe = { 2, { { "batch", 32 }, { "epochs", 1 } } } };
    fl_aggregator_model(self->aggregator, &run, &hash, 1024);
    for (uint32_t i = 0; i < seats; i++) {
        s_join(self, i);
    }
    fl_task task = { .attempt = 1, .order = { .run = run, .round = 1, .model = hash,
                                              .model_bytes = 1024, .elements = vector_bytes / 4,
                                              .plan = plan } };
    fl_outbox_reset(self->out);
    fl_aggregator_open(self->aggregator, &task, FL_NEVER, 0, self->now, self->out);
    self->message = (fl_message){ .verb = FL_CONTRIB, .run = run, .round = 1 };
    self->message.contrib = (fl_contrib){ .attempt = 1, .seat = seats - 1, .epoch = 1,
                                          .base_round = 1, .base = hash, .weight = 1, .count = 1,
                                          .elements = vector_bytes / 4,
                                          .vector_bytes = vector_bytes, .hash = hash };
    s_step(self);
    FL_ASSERT(s_said(self, FL_GRANT));
    self->message = (fl_message){ .verb = FL_CHUNK, .run = run, .round = 1 };
    self->message.chunk = (fl_chunk){ .attempt = 1, .seat = seats - 1, .epoch = 1,
                                      .hash = hash, .total = vector_bytes };
    self->event.message.body_bytes = CHUNK;
}

static double
s_chunk_ns(uint32_t seats)
{
    fl_aggregator_conf conf = { .node = { .name = "e1" },
                                .child_roles = { FL_ROLE_DEVICE },
                                .seats_max = seats,
                                .slots = 4,
                                .window = { .count_min = 1, .time_max_ms = 60000 },
                                .timing = fl_timing_default() };
    conf.window.time_max_ms = UINT32_MAX / 2;
    chunks self = { .aggregator = fl_aggregator_new(&conf),
                    .out = fl_outbox_new(4 * seats + 64),
                    .now = 1000 };
    FL_ASSERT(self.aggregator != NULL && self.out != NULL);
    s_offer(&self, seats, (batches + 2) * calls * CHUNK);
    const double ns = s_time((bench_act){ s_chunk, &self }, calls);
    fl_outbox_destroy(&self.out);
    fl_aggregator_destroy(&self.aggregator);
    return ns;
}

//  The same child sends the same chunks; the others have a task and are silent.
static void
s_cohort(void)
{
    const double few = s_chunk_ns(16), many = s_chunk_ns(FL_SEATS_MAX);
    bench_say("cohort_chunk_16", few, "ns", "one chunk taken, grants included; 16 seats");
    bench_say("cohort_chunk_4096", many, "ns", "the same with 4096 seats");
    bench_say("cohort_chunk_4096_over_16", many / few, "x", "1: seats cost nothing");
}

int
main(int argc, char **argv)
{
    static const fl_verb verbs[] = { FL_TASK, FL_CONTRIB, FL_GRANT, FL_CHUNK, FL_BEAT };
    calls = bench_option(argc, argv, "calls", 2000);
    batches = bench_option(argc, argv, "batches", 15);
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        s_codec(verbs[i]);
    }
    s_seals();
    s_burnts();
    s_cohort();
    return 0;
}
