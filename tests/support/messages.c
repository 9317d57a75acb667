#include "tests/support/messages.h"

#include "tests/support/messages_inside.h"

#include <string.h>

#include "common/base/status.h"
#include "common/wire/manifest.h"
#include "common/wire/verb_table.h"

const fl_verb messages_verbs[MESSAGES_VERBS] = {
    FL_HELLO,     FL_WELCOME, FL_REFUSED,   FL_TASK,  FL_CONTRIB,  FL_GRANT,  FL_CLOSED,
    FL_BEAT,      FL_LEAVE,   FL_DENY,      FL_ENROL, FL_ENROLLED, FL_CHUNK,  FL_FETCH,
    FL_PIECE,     FL_ASK,     FL_ANSWER,    FL_KEYS,  FL_ROSTER,   FL_SHARES, FL_DEALT,
    FL_READY,     FL_MASKSET, FL_SURVIVORS, FL_ACK,   FL_ACKS,     FL_UNMASK, FL_DENY_GET,
    FL_DENY_PART, FL_TWINS,   FL_POOL,      FL_BURNT, FL_BURNTS,
};

// ---- samples ----------------------------------------------------------------------------------
//  `size` bytes that count up from `first`.
void
messages_count_up(void *to, size_t size, unsigned first)
{
    for (size_t i = 0; i < size; i++) {
        ((uint8_t *)to)[i] = (uint8_t)(first + i);
    }
}

uint8_t *
messages_room(messages_letter *letter, size_t size)
{
    FL_ASSERT(letter->used + size <= sizeof letter->room);
    uint8_t *start = letter->room + letter->used;
    letter->used += size;
    return start;
}

fl_bytes
messages_view(messages_letter *letter, size_t size, unsigned first)
{
    uint8_t *start = messages_room(letter, size);
    messages_count_up(start, size, first);
    return fl_bytes_of(start, size);
}

static const fl_tally sample_tally = {
    .invited = 9,
    .in = 6,
    .late = 1,
    .absent = 1,
    .refused = 1,
    .samples_missing = 3000,
    .samples_known = 60000,
    .merge_ms = 12,
    .bytes_up = 2442240,
    .bytes_down = 3663360,
    .masked = 8,
    .recovered = 2,
    .aborted = 3,
};

static void
s_sample_order(const fl_message *message, fl_order *order)
{
    *order = (fl_order){
        .run = message->run,
        .round = message->round,
        .model_bytes = 407160,
        .elements = 101770,
        .plan = { .clip = 0.25f,
                  .bits = 16,
                  .weight_unit = 64,
                  .weight_max = 400,
                  .devices_max = 16,
                  .recipe = { 6,
                              { { "batch", 32 },
                                { "decay", 0.0001f },
                                { "epochs", 1 },
                                { "momentum", 0.5f },
                                { "proximal", 0.01f },
                                { "rate", 0.1f } } },
                  .seed = 0x0102030405060708u,
                  .late = FL_LATE_CARRY,
                  .staleness_max = 3,
                  .masking = { FL_MASKING_MALICIOUS, FL_MASKING_MALICIOUS },
                  .block_max = 48,
                  .members_min = { 8, 3 },
                  .survivors_min = { 6, 3 },
                  .step_ms = 2000 },
    };
    messages_count_up(order->model.bytes, sizeof order->model, 0x40);
    messages_count_up(order->tensors.bytes, sizeof order->tensors, 0x50);
    messages_count_up(order->manifest.bytes, sizeof order->manifest, 0x70);
    memcpy(order->plan.run, "digits", sizeof "digits");
    messages_count_up(order->settings.bytes, sizeof order->settings, 0x90);
}

static fl_bytes
s_sample_roll(messages_letter *letter)
{
    fl_roll_entry entry = { .outcome = FL_OUT_IN, .staleness = 1 };
    FL_ASSERT(fl_name_parse("device-07", &entry.node) && fl_name_parse("edge-b", &entry.parent));
    uint8_t *start = messages_room(letter, 2 * FL_ROLL_ENTRY_BYTES);
    fl_roll_encode(&entry, start);
    entry =
        (fl_roll_entry){ .parent = entry.parent, .outcome = FL_OUT_LATE, .reason = FL_WHY_LATE };
    FL_ASSERT(fl_name_parse("device-08.lab", &entry.node));
    fl_roll_encode(&entry, start + FL_ROLL_ENTRY_BYTES);
    return fl_bytes_of(start, 2 * FL_ROLL_ENTRY_BYTES);
}

static void
s_sample_contrib(messages_letter *letter, fl_contrib *self)
{
    *self = (fl_contrib){
        .attempt = 1,
        .seat = 5,
        .epoch = 2,
        .base_round = 6,
        .elements = 101770,
        .vector_bytes = 407080,
        .tally = sample_tally,
        .roll_dropped = 7,
        .roll = s_sample_roll(letter),
        .header = messages_view(letter, FL_MASKED_HEADER_BYTES, 0xd0),
        .psig = messages_view(letter, FL_SIGNATURE_BYTES, 0xe0),
        .blocks = messages_sample_blocks(letter),
    };
    messages_count_up(self->ticket, sizeof self->ticket, 0x50);
    messages_count_up(self->base.bytes, sizeof self->base, 0x40);
    messages_count_up(self->hash.bytes, sizeof self->hash, 0x60);
}

static void
s_sample_joining(messages_letter *letter)
{
    fl_message *message = &letter->message;
    switch ((int)message->verb) {
    case FL_HELLO:
        message->hello = (fl_hello){ .role = FL_ROLE_EDGE,
                                     .incarnation = 0xdecafbad12345678u,
                                     .leaves = 9,
                                     .certificate = messages_view(letter, 40, 0x80),
                                     .offers = messages_view(letter, 64, 0x90) };
        messages_count_up(message->hello.model.bytes, sizeof message->hello.model, 0x40);
        break;
    case FL_WELCOME:
        message->welcome = (fl_welcome){ .seat = 5,
                                         .epoch = 2,
                                         .beat_ms = 1000,
                                         .up_port = 7002,
                                         .down_port = 7003,
                                         .deny_version = 3,
                                         .certificate = messages_view(letter, 40, 0x90) };
        messages_count_up(message->welcome.ticket, sizeof message->welcome.ticket, 0x50);
        break;
    case FL_REFUSED:
        message->refused = (fl_refused){ .reason = FL_WHY_ROLE,
                                         .about = FL_HELLO,
                                         .text = "this certificate is a device's, not an edge's" };
        break;
    case FL_LEAVE:
        message->leave = (fl_leave){ .reason = FL_WHY_LEFT };
        break;
    case FL_DENY:
        message->deny = (fl_deny){ .version = 3, .list = messages_view(letter, 100, 0xa0) };
        break;
    case FL_DENY_GET:
        message->deny_get = (fl_deny_get){ .version = 4, .offset = 61440 };
        break;
    case FL_DENY_PART:
        message->deny_part = (fl_deny_part){ .version = 4, .total = 61500, .offset = 61440,
                                             .part = messages_view(letter, 60, 0xd0) };
        break;
    case FL_POOL:
        message->pool.pools = messages_view(letter, 159, 0xe0); // three names
        break;
    case FL_TWINS:
        message->twins.nodes = messages_view(letter, sizeof(fl_twin), 'a');
        break;
    case FL_ENROL:
        message->enrol = (fl_enrol){ .request = 77, .sealed = messages_view(letter, 60, 0xb0) };
        break;
    default: // FL_ENROLLED
        message->enrolled = (fl_enrolled){ .request = 77,
                                           .text = "valid for 365 days",
                                           .certificate = messages_view(letter, 40, 0xc0),
                                           .shard = 3,
                                           .shards = 16 };
        break;
    }
}

static void
s_sample_moving(messages_letter *letter)
{
    fl_message *message = &letter->message;
    letter->body_bytes = message->verb == FL_FETCH ? 0 : 65536;
    switch ((int)message->verb) {
    case FL_CHUNK:
        message->chunk =
            (fl_chunk){ .attempt = 1, .seat = 5, .epoch = 2, .offset = 131072, .total = 407080 };
        messages_count_up(message->chunk.hash.bytes, sizeof message->chunk.hash, 0x60);
        break;
    case FL_FETCH:
        message->fetch = (fl_fetch){ .offset = 131072, .bytes = 65536 };
        messages_count_up(message->fetch.hash.bytes, sizeof message->fetch.hash, 0x40);
        break;
    default: // FL_PIECE
        message->piece = (fl_piece){ .offset = 131072, .total = 407160 };
        messages_count_up(message->piece.hash.bytes, sizeof message->piece.hash, 0x40);
        break;
    }
}

static void
s_sample_round(messages_letter *letter)
{
    fl_message *message = &letter->message;
    switch ((int)message->verb) {
    case FL_TASK:
        message->task = (fl_task){ .attempt = 1, .budget_ms = 2500 };
        s_sample_order(message, &message->task.order);
        messages_count_up(message->task.signature, sizeof message->task.signature, 0x70);
        break;
    case FL_CONTRIB:
        s_sample_contrib(letter, &message->contrib);
        break;
    case FL_GRANT:
        message->grant = (fl_grant){
            .attempt = 1, .next = 131072, .limit = 393216, .rewind = 1, .chunk_bytes = 65536
        };
        messages_count_up(message->grant.hash.bytes, sizeof message->grant.hash, 0x60);
        break;
    case FL_CLOSED:
        message->closed = (fl_closed){
            .attempt = 1, .outcome = FL_OUT_LATE, .reason = FL_WHY_LATE, .final = true
        };
        break;
    default: // FL_BEAT
        message->beat = (fl_beat){ .seat = 5,
                                   .epoch = 2,
                                   .attempt = 1,
                                   .activity = FL_DOING_COLLECT,
                                   .done = 6,
                                   .total = 9,
                                   .leaves = 9,
                                   .samples = 60000,
                                   .tally = sample_tally,
                                   .deny_version = 3 };
        break;
    }
}

void
messages_sample(fl_verb verb, messages_letter *letter)
{
    memset(letter, 0, offsetof(messages_letter, room));
    letter->message.verb = verb;
    letter->message.round = 7;
    messages_count_up(letter->message.run.bytes, sizeof letter->message.run, 0x10);
    switch (verb) {
    case FL_TASK:
    case FL_CONTRIB:
    case FL_GRANT:
    case FL_CLOSED:
    case FL_BEAT:
        s_sample_round(letter);
        break;
    case FL_CHUNK:
    case FL_FETCH:
    case FL_PIECE:
        s_sample_moving(letter);
        break;
    case FL_ASK:
        letter->message.ask = (fl_ask){ .verb = "report", .argument = "7" };
        break;
    case FL_ANSWER:
        letter->message.answer = (fl_answer){ .code = 3 };
        letter->body_bytes = 2;
        break;
    case FL_HELLO:
    case FL_WELCOME:
    case FL_REFUSED:
    case FL_LEAVE:
    case FL_DENY:
    case FL_DENY_GET:
    case FL_DENY_PART:
    case FL_TWINS:
    case FL_POOL:
    case FL_ENROL:
    case FL_ENROLLED:
        s_sample_joining(letter);
        break;
    case FL_KEYS:
    case FL_ROSTER:
    case FL_SHARES:
    case FL_DEALT:
    case FL_READY:
    case FL_MASKSET:
    case FL_SURVIVORS:
    case FL_ACK:
    case FL_ACKS:
    case FL_UNMASK:
    case FL_BURNT:
    case FL_BURNTS:
        messages_sample_masking(letter);
        break;
    case FL_VERB_NONE:
    case FL_VERB_COUNT:
        FL_ASSERT(false);
    }
}

// ---- random messages --------------------------------------------------------------------------
//  All magnitudes are about equally likely, the two ends too.
uint64_t
messages_draw(fl_rng *rng, uint64_t low, uint64_t high)
{
    uint64_t choice = fl_rng_below(rng, 8);
    uint64_t wide = fl_rng_u64(rng) >> fl_rng_below(rng, 64);
    if (choice == 0 || high == low) {
        return low;
    }
    if (choice == 1) {
        return high;
    }
    return high - low == UINT64_MAX ? wide : low + wide % (high - low + 1);
}

static float
s_draw_float(fl_rng *rng, double high)
{
    return fl_rng_below(rng, 8) == 0 ? 0.0f : (float)(high * fl_rng_unit(rng));
}

static void
s_random_bytes(fl_rng *rng, void *to, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        ((uint8_t *)to)[i] = (uint8_t)fl_rng_u64(rng);
    }
}

static void
s_random_order(fl_rng *rng, const fl_message *message, fl_order *order)
{
    fl_plan *plan = &order->plan;
    order->run = message->run;
    order->round = message->round;
    s_random_bytes(rng, order->model.bytes, sizeof order->model);
    s_random_bytes(rng, order->tensors.bytes, sizeof order->tensors);
    s_random_bytes(rng, order->manifest.bytes, sizeof order->manifest);
    s_random_bytes(rng, order->settings.bytes, sizeof order->settings);
    order->model_bytes = messages_draw(rng, 1, FL_VECTOR_BYTES_MAX);
    memset(plan->run, 'a', (size_t)messages_draw(rng, 0, sizeof plan->run - 1));
    memset(plan->trainer.name, 't', (size_t)messages_draw(rng, 0, sizeof plan->trainer.name - 1));
    memset(plan->data.name, 'd', (size_t)messages_draw(rng, 0, sizeof plan->data.name - 1));
    plan->clip = s_draw_float(rng, 100) + 1e-6f;
    plan->bits = (uint8_t)messages_draw(rng, 2, 24);
    order->elements = messages_draw(rng, 1, FL_VECTOR_BYTES_MAX);
    order->pools = messages_draw(rng, 0, UINT64_MAX);
    plan->weight_unit = (uint32_t)messages_draw(rng, 1, UINT32_MAX);
    plan->weighting = (uint8_t)messages_draw(rng, 0, FL_WEIGHTING_COUNT - 1);
    plan->weight_max =
        plan->weighting == FL_WEIGHTING_EQUAL ? 1 : (uint32_t)messages_draw(rng, 1, UINT32_MAX);
    plan->devices_max = (uint32_t)messages_draw(rng, 1, UINT32_MAX);
    fl_recipe_put(&plan->recipe, "epochs", (double)messages_draw(rng, 1, UINT32_MAX));
    fl_recipe_put(&plan->recipe, "batch", (double)messages_draw(rng, 1, UINT32_MAX));
    fl_recipe_put(&plan->recipe, "rate", s_draw_float(rng, 1e6));
    fl_recipe_put(&plan->recipe, "momentum", s_draw_float(rng, 1.0));
    fl_recipe_put(&plan->recipe, "decay", s_draw_float(rng, 1e6));
    fl_recipe_put(&plan->recipe, "proximal", s_draw_float(rng, 1e6));
    plan->seed = fl_rng_u64(rng);
    plan->late = (uint8_t)fl_rng_below(rng, 2);
    plan->pin = fl_rng_below(rng, 2) == 0;
    plan->staleness_max = (uint32_t)messages_draw(rng, 0, UINT32_MAX);
    plan->masking[0] = (uint8_t)fl_rng_below(rng, FL_MASKING_COUNT);
    plan->masking[1] = (uint8_t)fl_rng_below(rng, FL_MASKING_COUNT);
    if (fl_plan_masks(plan)) {
        plan->block_max = (uint8_t)messages_draw(rng, 3, FL_MEMBERS_MAX);
        plan->step_ms = (uint32_t)messages_draw(rng, 1, UINT32_MAX);
    }
    for (int i = 0; i < 2; i++) {
        plan->members_min[i] = (uint8_t)messages_draw(rng, 0, plan->block_max);
        plan->survivors_min[i] = (uint8_t)messages_draw(rng, 0, plan->block_max);
    }
}

void
messages_random_node(fl_rng *rng, fl_name *node)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789.-";
    uint64_t length = messages_draw(rng, 1, sizeof node->name - 1);
    memset(node, 0, sizeof *node);
    for (uint64_t i = 0; i < length; i++) {
        node->name[i] = letters[fl_rng_below(rng, sizeof letters - 1)];
    }
}

static fl_bytes
s_random_roll(fl_rng *rng, messages_letter *letter)
{
    uint64_t count = messages_draw(rng, 0, FL_ROLL_MAX);
    uint8_t *start = messages_room(letter, count * FL_ROLL_ENTRY_BYTES);
    for (uint64_t i = 0; i < count; i++) {
        fl_roll_entry entry = { .outcome = (uint8_t)fl_rng_below(rng, FL_OUT_COUNT),
                                .reason = (uint8_t)fl_rng_below(rng, FL_WHY_COUNT),
                                .staleness = (uint8_t)fl_rng_u64(rng) };
        messages_random_node(rng, &entry.node);
        messages_random_node(rng, &entry.parent);
        fl_roll_encode(&entry, start + i * FL_ROLL_ENTRY_BYTES);
    }
    return fl_bytes_of(start, count * FL_ROLL_ENTRY_BYTES);
}

static void
s_store(const fl_field *field, uint8_t *to, uint64_t value)
{
    uint32_t u32 = (uint32_t)value;
    uint16_t u16 = (uint16_t)value;
    uint8_t u8 = (uint8_t)value;
    const void *from = field->size == 8   ? (const void *)&value
                       : field->size == 4 ? (const void *)&u32
                       : field->size == 2 ? (const void *)&u16
                                          : (const void *)&u8;
    memcpy(to, from, field->size);
}

static void s_random_group(fl_rng *rng, const fl_group *group, messages_letter *letter,
                           uint8_t *base);

static void
s_random_field(fl_rng *rng, const fl_field *field, messages_letter *letter, uint8_t *to)
{
    uint64_t size = messages_draw(rng, field->min, field->max);
    fl_bytes view;
    bool truth = fl_rng_below(rng, 2) == 0;
    switch (field->kind) {
    case FL_FIELD_UINT:
        s_store(field, to, size);
        break;
    case FL_FIELD_BOOL:
        memcpy(to, &truth, sizeof truth);
        break;
    case FL_FIELD_BYTES:
    case FL_FIELD_UINTS:
        s_random_bytes(rng, to, field->size);
        break;
    case FL_FIELD_VIEW:
        view = strcmp(field->name, "roll") == 0 ? s_random_roll(rng, letter)
                                                : messages_view(letter, size, (unsigned)size);
        memcpy(to, &view, sizeof view);
        break;
    case FL_FIELD_TEXT:
        for (uint64_t i = 0; i < size; i++) {
            to[i] = (uint8_t)messages_draw(rng, ' ', '~');
        }
        break;
    case FL_FIELD_ORDER:
        s_random_order(rng, &letter->message, (fl_order *)(void *)to);
        break;
    case FL_FIELD_SETTINGS: // drawn with the order
    case FL_FIELD_MANIFEST:
        break;
    case FL_FIELD_GROUP:
        s_random_group(rng, field->group, letter, to);
        break;
    }
}

static void
s_random_group(fl_rng *rng, const fl_group *group, messages_letter *letter, uint8_t *base)
{
    for (uint32_t i = 0; i < group->count; i++) {
        s_random_field(rng, &group->fields[i], letter, base + group->fields[i].offset);
    }
}

//  What fields say together was drawn apart: put it right.
static void
s_agree(fl_rng *rng, messages_letter *letter)
{
    fl_message *message = &letter->message;
    messages_agree_masking(rng, letter);
    if (message->verb == FL_CONTRIB) {
        messages_agree_contrib(rng, letter);
    } else if (message->verb == FL_CLOSED) {
        message->closed.end = message->closed.final ? message->closed.end : FL_WHY_NONE;
    } else if (message->verb == FL_GRANT) {
        message->grant.limit = messages_draw(rng, message->grant.next, FL_VECTOR_BYTES_MAX);
    } else if (message->verb == FL_ENROLLED) {
        fl_enrolled *self = &message->enrolled;
        self->reason = self->certificate.size > 0 ? FL_WHY_NONE : FL_WHY_TOKEN;
        self->shards = self->certificate.size > 0 ? self->shards : 0;
        self->shard = self->shards == 0 ? 0 : self->shard % self->shards;
    } else if (message->verb == FL_CHUNK) {
        letter->body_bytes = (uint32_t)messages_draw(rng, 1, FL_CHUNK_BYTES_MAX);
        message->chunk.total = messages_draw(rng, letter->body_bytes, FL_VECTOR_BYTES_MAX);
        message->chunk.offset = messages_draw(rng, 0, message->chunk.total - letter->body_bytes);
    } else if (message->verb == FL_DENY_PART) {
        fl_deny_part *part = &message->deny_part;
        part->total = messages_draw(rng, part->part.size, FL_DENY_LIST_BYTES_MAX);
        part->offset = messages_draw(rng, 0, part->total - part->part.size);
    } else if (message->verb == FL_PIECE) {
        letter->body_bytes = (uint32_t)messages_draw(rng, 1, FL_CHUNK_BYTES_MAX);
        message->piece.total = messages_draw(rng, letter->body_bytes, FL_VECTOR_BYTES_MAX);
        message->piece.offset = messages_draw(rng, 0, message->piece.total - letter->body_bytes);
    } else if (message->verb == FL_ANSWER) {
        letter->body_bytes = (uint32_t)messages_draw(rng, 1, FL_JSON_BYTES_MAX);
    }
}

void
messages_random(fl_verb verb, fl_rng *rng, messages_letter *letter)
{
    memset(letter, 0, offsetof(messages_letter, room));
    letter->message.verb = verb;
    letter->message.round = messages_draw(rng, 1, UINT64_MAX);
    s_random_bytes(rng, letter->message.run.bytes, sizeof letter->message.run);
    s_random_group(rng, &fl_verb_row_of(verb)->group, letter, (uint8_t *)&letter->message.hello);
    s_agree(rng, letter);
}

// ---- equality ---------------------------------------------------------------------------------
static bool s_group_equal(const fl_group *group, const uint8_t *a, const uint8_t *b);

//  With its settings and its manifest.
static bool
s_order_equal(const uint8_t *a, const uint8_t *b)
{
    const fl_order *one = (const fl_order *)(const void *)a;
    const fl_order *other = (const fl_order *)(const void *)b;
    uint8_t left[3][FL_PARTS_MADE_MAX] = { { 0 } }, right[3][FL_PARTS_MADE_MAX] = { { 0 } };
    if (one->beyond || other->beyond) {
        return one->beyond && other->beyond;
    }
    fl_order_encode(one, left[0]);
    fl_order_encode(other, right[0]);
    (void)fl_settings_encode(one, left[1]);
    (void)fl_settings_encode(other, right[1]);
    (void)fl_manifest_encode(one, left[2]);
    (void)fl_manifest_encode(other, right[2]);
    return memcmp(left, right, sizeof left) == 0;
}

static bool
s_view_equal(const uint8_t *a, const uint8_t *b)
{
    fl_bytes one, other;
    memcpy(&one, a, sizeof one);
    memcpy(&other, b, sizeof other);
    return one.size == other.size && (one.size == 0 || memcmp(one.data, other.data, one.size) == 0);
}

static bool
s_group_equal(const fl_group *group, const uint8_t *a, const uint8_t *b)
{
    for (uint32_t i = 0; i < group->count; i++) {
        const fl_field *field = &group->fields[i];
        const uint8_t *one = a + field->offset, *other = b + field->offset;
        bool same = field->kind == FL_FIELD_VIEW    ? s_view_equal(one, other)
                    : field->kind == FL_FIELD_ORDER ? s_order_equal(one, other)
                    : field->kind == FL_FIELD_SETTINGS || field->kind == FL_FIELD_MANIFEST
                        ? true // with the order
                    : field->kind == FL_FIELD_GROUP ? s_group_equal(field->group, one, other)
                                                    : memcmp(one, other, field->size) == 0;
        if (!same) {
            return false;
        }
    }
    return true;
}

bool
messages_equal(const fl_message *a, const fl_message *b)
{
    return a->verb == b->verb && a->round == b->round && fl_run_equal(&a->run, &b->run) &&
           s_group_equal(&fl_verb_row_of(a->verb)->group, (const uint8_t *)&a->hello,
                         (const uint8_t *)&b->hello);
}
