#include "edge/kept.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/status.h"
#include "common/crypto/hash.h"
#include "common/wire/codec.h"

//  A head: tensors 32, key 32, and a CONTRIB.
enum { RUNS_MAX = 64, HEAD = 2 * sizeof(fl_hash) };

struct fl_kept {
    fl_blob *head[RUNS_MAX]; // (count), newest first
    uint32_t count;
};

//  What must not have changed for a sum to be added to others: the model, and how its integers are
//  to be read.
static fl_hash
s_key(const fl_order *order)
{
    uint8_t bytes[3 * sizeof(fl_hash) + 8 + 3 * 4 + 1];
    fl_writer out = fl_writer_over(bytes, sizeof bytes);
    fl_write_from(&out, order->tensors.bytes, sizeof order->tensors);
    fl_write_from(&out, order->manifest.bytes, sizeof order->manifest);
    fl_write_from(&out, order->run.bytes, sizeof order->run);
    fl_write_u64(&out, order->elements);
    fl_write_u32(&out, order->plan.weight_unit);
    fl_write_u32(&out, order->plan.weight_max);
    fl_write_u32(&out, order->plan.devices_max);
    fl_write_u8(&out, order->plan.weighting);
    FL_ASSERT(!out.broken);
    return fl_hash_domain("tributary/kept/v1", fl_bytes_of(bytes, fl_writer_size(&out)));
}

static bool
s_read(const fl_blob *head, fl_message *message)
{
    const fl_bytes bytes = fl_blob_bytes(head);
    return bytes.size > HEAD &&
           fl_decode(fl_bytes_of(bytes.data + HEAD, bytes.size - HEAD), 0, message).code ==
               FL_CODEC_OK &&
           message->verb == FL_CONTRIB && message->contrib.header.size == 0;
}

//  In place of what was kept of its run, or of the oldest.
static void
s_take(fl_kept *self, fl_blob *head, const fl_run *run)
{
    uint32_t at = 0;
    fl_message old;
    while (at < self->count && !(s_read(self->head[at], &old) && fl_run_equal(&old.run, run))) {
        at++;
    }
    if (at == RUNS_MAX) {
        at--;
    } else if (at == self->count) {
        self->count++;
    }
    fl_blob_unref(&self->head[at]);
    memmove(&self->head[1], &self->head[0], at * sizeof self->head[0]);
    self->head[0] = head;
}

fl_kept *
fl_kept_new(const fl_bytes *heads, uint32_t count)
{
    fl_kept *self = calloc(1, sizeof *self);
    for (uint32_t i = 0; self != NULL && i < count; i++) {
        fl_message message;
        fl_blob *head = fl_blob_copy(heads[i]);
        if (head != NULL && s_read(head, &message)) {
            s_take(self, head, &message.run);
        } else {
            fl_blob_unref(&head); // of another version
        }
    }
    return self;
}

void
fl_kept_destroy(fl_kept **self_p)
{
    for (uint32_t i = 0; *self_p != NULL && i < (*self_p)->count; i++) {
        fl_blob_unref(&(*self_p)->head[i]);
    }
    free(*self_p);
    *self_p = NULL;
}

//  The lists of a result as they travel, into `room`.
static void
s_lists(const fl_result *result, uint8_t *room, fl_contrib *contrib)
{
    for (uint32_t i = 0; i < result->roll_count; i++) {
        fl_roll_encode(&result->roll[i], room + (size_t)i * FL_ROLL_ENTRY_BYTES);
    }
    contrib->roll = fl_bytes_of(room, (size_t)result->roll_count * FL_ROLL_ENTRY_BYTES);
    room += contrib->roll.size;
    for (uint32_t i = 0; i < result->block_count; i++) {
        fl_block_line_encode(&result->blocks[i], room + (size_t)i * FL_BLOCK_LINE_BYTES);
    }
    contrib->blocks = fl_bytes_of(room, (size_t)result->block_count * FL_BLOCK_LINE_BYTES);
}

bool
fl_kept_put(fl_kept *self, const fl_order *order, const fl_result *result, uint64_t *token,
            fl_outbox *out)
{
    static uint8_t
        room[FL_ROLL_MAX * FL_ROLL_ENTRY_BYTES + FL_BLOCK_LINES_MAX * FL_BLOCK_LINE_BYTES];
    const fl_hash key = s_key(order);
    fl_message message = { .verb = FL_CONTRIB, .run = order->run, .round = order->round };
    message.contrib = (fl_contrib){ .attempt = 1,
                                    .base_round = order->round,
                                    .base = order->model,
                                    .weight = result->weight,
                                    .count = result->count,
                                    .elements = order->elements,
                                    .vector_bytes = result->vector_bytes,
                                    .hash = result->hash,
                                    .tally = result->tally,
                                    .roll_dropped = result->roll_dropped };
    memcpy(message.contrib.stats, result->stats, sizeof message.contrib.stats);
    s_lists(result, room, &message.contrib);
    fl_blob *frame = fl_encode(&message, 0);
    fl_blob *head = frame == NULL ? NULL : fl_blob_new(HEAD + fl_blob_size(frame));
    if (head != NULL) {
        fl_writer writer = fl_writer_over(fl_blob_data(head), fl_blob_size(head));
        fl_write_from(&writer, order->tensors.bytes, sizeof order->tensors);
        fl_write_from(&writer, key.bytes, sizeof key);
        fl_write_from(&writer, fl_blob_bytes(frame).data, fl_blob_size(frame));
        s_take(self, head, &order->run);
        fl_effect *effect = fl_outbox_ask(out, FL_FX_KEEP, token);
        effect->keep.what = FL_KEEP_SUM;
        effect->keep.run = order->run;
        effect->keep.round = order->round;
        effect->keep.fact = fl_blob_bytes(head);
        effect->keep.vec = result->vec;
    }
    fl_blob_unref(&frame);
    return head != NULL;
}

bool
fl_kept_of(const fl_kept *self, const fl_order *order, fl_contrib *contrib)
{
    const fl_hash key = s_key(order);
    for (uint32_t i = 0; i < self->count; i++) {
        const uint8_t *bytes = fl_blob_bytes(self->head[i]).data;
        fl_message message;
        if (memcmp(bytes + sizeof(fl_hash), key.bytes, sizeof key) == 0 &&
            s_read(self->head[i], &message)) {
            *contrib = message.contrib;
            return true;
        }
    }
    return false;
}
