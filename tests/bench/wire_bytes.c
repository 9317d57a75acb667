//  wire_bytes - what one round costs a device in bytes, unmasked and masked, by the codec itself.
//      wire-bytes                 the tables of docs/protocol.md, as they stand there
//      wire-bytes --check FILE    does FILE hold every line of them? Names the first that it lacks
//  Header and body frames are counted; what ZeroMQ and CURVE add to a frame is not (about 40
//  bytes), nor heartbeats. Exit code 1 also when a masked upload is above what it may be.
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/status.h"
#include "common/tensor/element.h"
#include "common/wire/codec.h"

enum { SIZES = 4, LENGTHS = 3, TEXT_ROOM = 16 * 1024, FILE_ROOM = 1024 * 1024 };
static const uint32_t members_of[SIZES] = { 8, 16, 32, 64 };
static const uint64_t elements_of[LENGTHS] = { 10000, 250000, 1000000 };
//  All that a masked device sends (but to ask for the model) has at most so many times the bytes of
//  its integers packed bit by bit, from long_enough elements on.
static const double upload_ratio_max = 1.1;
static const uint64_t long_enough = 250000;

static const uint8_t room[FL_HEADER_BYTES_MAX]; // what all views show
static char text[TEXT_ROOM];

static fl_bytes
s_view(size_t size)
{
    return fl_bytes_of(room, size);
}

static uint64_t
s_set(uint32_t members)
{
    return UINT64_MAX >> (64 - members);
}

static void __attribute__((format(printf, 1, 2))) s_print(const char *format, ...)
{
    size_t used = strlen(text);
    va_list args;
    va_start(args, format);
    int size = vsnprintf(text + used, sizeof text - used, format, args);
    va_end(args);
    FL_ASSERT(size > 0 && used + (size_t)size < sizeof text);
}

//  Bytes of a message on the wire, its body included.
static uint64_t
s_bytes(fl_message *message, size_t body_bytes)
{
    memset(&message->run, 7, sizeof message->run);
    message->round = 100;
    if (message->verb == FL_TASK) {
        message->task.order.run = message->run;
        message->task.order.round = message->round;
    }
    fl_blob *frame = fl_encode(message, body_bytes);
    if (frame == NULL) {
        (void)fputs("wire-bytes: out of memory\n", stderr);
        exit(1);
    }
    uint64_t size = fl_blob_size(frame) + body_bytes;
    fl_blob_unref(&frame);
    return size;
}

// ---- the steps of masking ---------------------------------------------------------------------
typedef struct step {
    fl_verb verb;
    bool up;
} step;

static const step steps[] = {
    { FL_KEYS, true },  { FL_ROSTER, false },  { FL_SHARES, true },     { FL_DEALT, false },
    { FL_READY, true }, { FL_MASKSET, false }, { FL_SURVIVORS, false }, { FL_ACK, true },
    { FL_ACKS, false }, { FL_UNMASK, true },
};
enum { STEPS = sizeof steps / sizeof *steps };

//  Of a block of `n`, none of which is lost.
static uint64_t
s_step_bytes(fl_verb verb, uint32_t n)
{
    fl_message message = { .verb = verb };
    switch ((int)verb) {
    case FL_KEYS:
        message.keys.certificate = s_view(FL_MEMBER_CERT_BYTES);
        break;
    case FL_ROSTER:
        message.roster.list = s_view((size_t)n * FL_MEMBER_BYTES);
        break;
    case FL_SHARES:
        message.shares.index = n - 1;
        message.shares.digests = s_view((size_t)n * FL_DIGESTS_BYTES);
        message.shares.sealed = s_view((size_t)n * FL_SEALED_SHARE_BYTES);
        break;
    case FL_DEALT:
        message.dealt.set = s_set(n) & ~(uint64_t)1;
        message.dealt.list = s_view((size_t)(n - 1) * FL_DEALT_BYTES);
        break;
    case FL_READY:
        message.ready.set = s_set(n);
        break;
    case FL_MASKSET:
        message.maskset.set = s_set(n);
        break;
    case FL_SURVIVORS:
        message.survivors.set = s_set(n);
        message.survivors.list = s_view((size_t)n * FL_SIGNATURE_BYTES);
        break;
    case FL_ACKS:
        message.acks.set = s_set(n);
        message.acks.list = s_view((size_t)n * FL_SIGNATURE_BYTES);
        break;
    case FL_UNMASK:
        message.unmask.self = s_set(n);
        message.unmask.shares = s_view((size_t)n * FL_SHARE_WIRE_BYTES);
        break;
    default: // FL_ACK has no list
        break;
    }
    return s_bytes(&message, 0);
}

static uint64_t
s_steps_bytes(uint32_t n, bool up)
{
    uint64_t sum = 0;
    for (int i = 0; i < STEPS; i++) {
        sum += steps[i].up == up ? s_step_bytes(steps[i].verb, n) : 0;
    }
    return sum;
}

// ---- what every round has ---------------------------------------------------------------------
static uint64_t
s_contrib(bool masked, uint64_t elements, uint64_t vector_bytes)
{
    fl_message message = { .verb = FL_CONTRIB };
    fl_contrib *self = &message.contrib;
    *self = (fl_contrib){ .attempt = 1,
                          .seat = 63,
                          .epoch = 1,
                          .base_round = 100,
                          .elements = elements,
                          .vector_bytes = vector_bytes };
    if (masked) {
        self->header = s_view(FL_MASKED_HEADER_BYTES);
        self->psig = s_view(FL_SIGNATURE_BYTES);
    } else {
        self->weight = 200;
        self->count = 1;
        for (int i = 0; i < FL_STAT_CAPPED; i++) {
            self->stats[i] = 60000;
        }
    }
    return s_bytes(&message, 0);
}

//  Chunks of the smallest usual size, which have the most headers.
static uint64_t
s_chunks(uint64_t total)
{
    uint64_t sum = 0;
    for (uint64_t at = 0; at < total; at += FL_CHUNK_BYTES_MIN) {
        uint64_t left = total - at;
        fl_message message = {
            .verb = FL_CHUNK,
            .chunk = { .attempt = 1, .seat = 63, .epoch = 1, .offset = at, .total = total }
        };
        sum += s_bytes(&message, left < FL_CHUNK_BYTES_MIN ? left : FL_CHUNK_BYTES_MIN);
    }
    return sum;
}

//  The model, in pieces of the same size: what is asked goes up, what is answered comes down.
static void
s_model(uint64_t total, uint64_t *up, uint64_t *down)
{
    for (uint64_t at = 0; at < total; at += FL_CHUNK_BYTES_MIN) {
        uint64_t left = total - at;
        size_t size = left < FL_CHUNK_BYTES_MIN ? (size_t)left : FL_CHUNK_BYTES_MIN;
        fl_message fetch = { .verb = FL_FETCH, .fetch = { .offset = at, .bytes = (uint32_t)size } };
        fl_message piece = { .verb = FL_PIECE, .piece = { .offset = at, .total = total } };
        *up += s_bytes(&fetch, 0);
        *down += s_bytes(&piece, size);
    }
}

//  TASK, a GRANT per chunk, CLOSED.
static uint64_t
s_down_control(const fl_plan *plan, uint64_t elements, uint64_t vector_bytes)
{
    fl_message task = {
        .verb = FL_TASK,
        .task = { .attempt = 1,
                  .budget_ms = 60000,
                  .order = { .model_bytes = 4 * elements, .elements = elements, .plan = *plan } }
    };
    fl_message closed = { .verb = FL_CLOSED, .closed = { .attempt = 1, .outcome = FL_OUT_IN } };
    uint64_t sum = s_bytes(&task, 0) + s_bytes(&closed, 0);
    for (uint64_t at = 0; at < vector_bytes; at += FL_CHUNK_BYTES_MIN) {
        fl_message grant = { .verb = FL_GRANT,
                             .grant = { .attempt = 1,
                                        .next = at,
                                        .limit = vector_bytes,
                                        .chunk_bytes = FL_CHUNK_BYTES_MIN } };
        sum += s_bytes(&grant, 0);
    }
    return sum;
}

// ---- the tables -------------------------------------------------------------------------------
//  The root's own plan, unless it is told otherwise.
static fl_element
s_fixed(void)
{
    fl_element fixed = {
        .clip = 1.0f, .bits = 16, .weight_unit = 64, .weight_max = 1, .devices_max = 256
    };
    fl_why why;
    if (fl_element_choose(&fixed, &why) != FL_OK) {
        (void)fprintf(stderr, "wire-bytes: %s\n", why.text);
        exit(1);
    }
    return fixed;
}

//  Bits of the largest sum, sign included: b'.
static unsigned
s_packed_bits(const fl_element *fixed)
{
    uint64_t most = (uint64_t)fixed->devices_max * fixed->weight_max;
    unsigned bits = fixed->bits;
    while (((uint64_t)1 << (bits - fixed->bits)) < most) {
        bits++;
    }
    return bits;
}

static void
s_table_of_steps(void)
{
    s_print("| step | way |");
    for (int i = 0; i < SIZES; i++) {
        s_print(" n = %u |", members_of[i]);
    }
    s_print("\n|---|---|---|---|---|---|\n");
    for (int i = 0; i < STEPS; i++) {
        s_print("| `%s` | %s |", fl_verb_name(steps[i].verb), steps[i].up ? "up" : "down");
        for (int n = 0; n < SIZES; n++) {
            s_print(" %llu |", (unsigned long long)s_step_bytes(steps[i].verb, members_of[n]));
        }
        s_print("\n");
    }
    for (int up = 1; up >= 0; up--) {
        s_print("| all of masking | %s |", up == 1 ? "up" : "down");
        for (int n = 0; n < SIZES; n++) {
            s_print(" %llu |", (unsigned long long)s_steps_bytes(members_of[n], up == 1));
        }
        s_print("\n");
    }
}

//  One row; false when a masked upload is too long.
static bool
s_row(const fl_element *fixed, uint64_t d, int size)
{
    uint32_t n = members_of[size];
    uint64_t vector = d * fixed->wire_bytes, fetch = 0, model = 0;
    const fl_plan plan = { .clip = fixed->clip,
                           .bits = fixed->bits,
                           .weighting = FL_WEIGHTING_EQUAL,
                           .weight_unit = fixed->weight_unit,
                           .weight_max = fixed->weight_max,
                           .devices_max = fixed->devices_max,
                           .recipe = { 3, { { "batch", 32 }, { "epochs", 1 }, { "rate", 0.1f } } },
                           .masking = { FL_MASKING_MALICIOUS, FL_MASKING_MALICIOUS },
                           .block_max = FL_MEMBERS_MAX,
                           .step_ms = 2000 };
    s_model(4 * d, &fetch, &model);
    uint64_t chunks = s_chunks(vector), control = s_down_control(&plan, d, vector);
    uint64_t sent = s_contrib(true, d, vector) + chunks + s_steps_bytes(n, true);
    uint64_t up = fetch + s_contrib(false, d, vector) + chunks;
    uint64_t up_masked = fetch + sent;
    uint64_t down = control + model, down_masked = down + s_steps_bytes(n, false);
    double packed = (double)d * s_packed_bits(fixed) / 8;
    double ratio = (double)sent / packed;
    s_print("| %llu | %u | %llu | %llu | %llu | %llu | %.4f | %.4f | %.4f |\n",
            (unsigned long long)d, n, (unsigned long long)up, (unsigned long long)up_masked,
            (unsigned long long)down, (unsigned long long)down_masked,
            (double)(up_masked + down_masked) / (double)(up + down), ratio,
            (double)sent / (4.0 * (double)d));
    return d < long_enough || ratio <= upload_ratio_max;
}

static bool
s_table_of_rounds(void)
{
    bool fine = true;
    const fl_element fixed = s_fixed();
    s_print("| d | n | up | up, masked | down | down, masked | masked / unmasked | "
            "sent / %u bits | sent / float32 |\n|---|---|---|---|---|---|---|---|---|\n",
            s_packed_bits(&fixed));
    for (int d = 0; d < LENGTHS; d++) {
        for (int n = 0; n < SIZES; n++) {
            fine = s_row(&fixed, elements_of[d], n) && fine;
        }
    }
    return fine;
}

//  0 when every line of `text` is a line of the file.
static int
s_check(const char *path)
{
    static char file[FILE_ROOM];
    char line[512];
    FILE *in = fopen(path, "r");
    if (in == NULL) {
        (void)fprintf(stderr, "wire-bytes: %s cannot be read\n", path);
        return 1;
    }
    size_t size = fread(file + 1, 1, sizeof file - 2, in);
    (void)fclose(in);
    file[0] = '\n';
    file[size + 1] = '\0';
    for (const char *at = text; *at != '\0'; at = strchr(at, '\n') + 1) {
        (void)snprintf(line, sizeof line, "\n%.*s\n", (int)strcspn(at, "\n"), at);
        if (strstr(file, line) == NULL) {
            (void)fprintf(stderr, "wire-bytes: %s lacks this line:%s", path, line);
            return 1;
        }
    }
    return 0;
}

int
main(int argc, char **argv)
{
    if (argc != 1 && !(argc == 3 && strcmp(argv[1], "--check") == 0)) {
        (void)fputs("usage: wire-bytes [--check FILE]\n", stderr);
        return 2;
    }
    s_table_of_steps();
    s_print("\n");
    bool fine = s_table_of_rounds();
    if (!fine) {
        (void)fprintf(stderr, "wire-bytes: masked, above %.1f times the packed integers is sent\n",
                      upload_ratio_max);
    }
    if (argc == 3) {
        return s_check(argv[2]) == 0 && fine ? 0 : 1;
    }
    (void)fputs(text, stdout);
    return fine ? 0 : 1;
}
