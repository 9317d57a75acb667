#include "common/wire/codec_fields.h"

#include <stddef.h>

#include "common/base/status.h"

// ---- rows -------------------------------------------------------------------------------------
#define SIZE(type, member) sizeof(((type *)0)->member)
#define ROW(type, member, kind, low, high, group)                                                  \
    {                                                                                              \
        .name = #member, kind, offsetof(type, member), SIZE(type, member), low, high, group        \
    }
#define UINT(type, member, low, high) ROW(type, member, FL_FIELD_UINT, low, high, NULL)
#define U16(type, member) UINT(type, member, 0, UINT16_MAX)
#define U32(type, member) UINT(type, member, 0, UINT32_MAX)
#define U64(type, member) UINT(type, member, 0, UINT64_MAX)
#define BOOL(type, member) ROW(type, member, FL_FIELD_BOOL, 0, 1, NULL)
#define BYTES(type, member) ROW(type, member, FL_FIELD_BYTES, 0, 0, NULL)
#define VIEW(type, member, low, high) ROW(type, member, FL_FIELD_VIEW, low, high, NULL)
#define TEXT(type, member, low) ROW(type, member, FL_FIELD_TEXT, low, SIZE(type, member) - 1, NULL)
#define ORDER(type, member) ROW(type, member, FL_FIELD_ORDER, 0, 0, NULL)
#define UINTS(type, member) ROW(type, member, FL_FIELD_UINTS, 0, UINT64_MAX, NULL)
#define GROUP(type, member, of) ROW(type, member, FL_FIELD_GROUP, 0, 0, &(of))
#define COUNT(rows) (sizeof(rows) / sizeof *(rows))

static const fl_field tally_fields[] = {
    U32(fl_tally, invited),       U32(fl_tally, in),       U32(fl_tally, late),
    U32(fl_tally, absent),        U32(fl_tally, refused),  U64(fl_tally, samples_missing),
    U64(fl_tally, samples_known), U32(fl_tally, merge_ms), U64(fl_tally, bytes_up),
    U64(fl_tally, bytes_down),
};
static const fl_group tally = { tally_fields, COUNT(tally_fields) };

// ---- control lane -----------------------------------------------------------------------------
static const fl_field hello[] = {
    UINT(fl_hello, role, FL_ROLE_DEVICE, FL_ROLE_OPERATOR),
    U64(fl_hello, incarnation),
    BYTES(fl_hello, model),
    U32(fl_hello, leaves),
    VIEW(fl_hello, certificate, 0, FL_CERT_BYTES_MAX),
};

static const fl_field welcome[] = {
    U32(fl_welcome, seat),         U32(fl_welcome, epoch),
    BYTES(fl_welcome, ticket),     UINT(fl_welcome, beat_ms, 1, UINT32_MAX),
    U16(fl_welcome, up_port),      U16(fl_welcome, down_port),
    U64(fl_welcome, deny_version), VIEW(fl_welcome, certificate, 0, FL_CERT_BYTES_MAX),
};

static const fl_field refused[] = {
    UINT(fl_refused, reason, 1, FL_WHY_COUNT - 1),
    UINT(fl_refused, about, 0, FL_VERB_COUNT - 1),
    TEXT(fl_refused, text, 0),
};

static const fl_field task[] = {
    UINT(fl_task, attempt, 1, UINT32_MAX),
    U32(fl_task, budget_ms),
    ORDER(fl_task, order),
    BYTES(fl_task, signature),
};

static const fl_field contrib[] = {
    UINT(fl_contrib, attempt, 1, UINT32_MAX),
    U32(fl_contrib, seat),
    U32(fl_contrib, epoch),
    BYTES(fl_contrib, ticket),
    UINT(fl_contrib, base_round, 1, UINT64_MAX),
    BYTES(fl_contrib, base),
    U64(fl_contrib, weight),
    U32(fl_contrib, count),
    UINT(fl_contrib, elements, 0, FL_VECTOR_BYTES_MAX),
    UINT(fl_contrib, vector_bytes, 0, FL_VECTOR_BYTES_MAX),
    BYTES(fl_contrib, hash),
    UINTS(fl_contrib, stats),
    GROUP(fl_contrib, tally, tally),
    U32(fl_contrib, roll_dropped),
    VIEW(fl_contrib, roll, 0, FL_ROLL_MAX *FL_ROLL_ENTRY_BYTES),
};

static const fl_field grant[] = {
    UINT(fl_grant, attempt, 1, UINT32_MAX),
    BYTES(fl_grant, hash),
    UINT(fl_grant, next, 0, FL_VECTOR_BYTES_MAX),
    UINT(fl_grant, limit, 0, FL_VECTOR_BYTES_MAX),
    U32(fl_grant, rewind),
    UINT(fl_grant, chunk_bytes, 1, FL_CHUNK_BYTES_MAX),
};

static const fl_field closed[] = {
    U32(fl_closed, attempt),
    UINT(fl_closed, outcome, 0, FL_OUT_COUNT - 1),
    UINT(fl_closed, reason, 0, FL_WHY_COUNT - 1),
    BOOL(fl_closed, final),
};

static const fl_field beat[] = {
    U32(fl_beat, seat),           U32(fl_beat, epoch),
    U32(fl_beat, attempt),        UINT(fl_beat, activity, 0, FL_DOING_COUNT - 1),
    U64(fl_beat, done),           U64(fl_beat, total),
    U32(fl_beat, leaves),         U64(fl_beat, samples),
    GROUP(fl_beat, tally, tally), U64(fl_beat, deny_version),
};

static const fl_field leave[] = { UINT(fl_leave, reason, 0, FL_WHY_COUNT - 1) };

static const fl_field deny[] = {
    U64(fl_deny, version),
    VIEW(fl_deny, list, 0, FL_DENY_BYTES_MAX),
};

static const fl_field enrol[] = {
    U64(fl_enrol, request),
    VIEW(fl_enrol, sealed, 1, FL_SEALED_BYTES_MAX),
};

static const fl_field enrolled[] = {
    U64(fl_enrolled, request),
    UINT(fl_enrolled, reason, 0, FL_WHY_COUNT - 1),
    TEXT(fl_enrolled, text, 0),
    VIEW(fl_enrolled, certificate, 0, FL_CERT_BYTES_MAX),
};

// ---- bulk and operator lanes ------------------------------------------------------------------
static const fl_field chunk[] = {
    UINT(fl_chunk, attempt, 1, UINT32_MAX),
    U32(fl_chunk, seat),
    U32(fl_chunk, epoch),
    BYTES(fl_chunk, hash),
    UINT(fl_chunk, offset, 0, FL_VECTOR_BYTES_MAX),
    UINT(fl_chunk, total, 1, FL_VECTOR_BYTES_MAX),
};

static const fl_field fetch[] = {
    BYTES(fl_fetch, hash),
    UINT(fl_fetch, offset, 0, FL_VECTOR_BYTES_MAX),
    UINT(fl_fetch, bytes, 1, FL_CHUNK_BYTES_MAX),
};

static const fl_field piece[] = {
    BYTES(fl_piece, hash),
    UINT(fl_piece, offset, 0, FL_VECTOR_BYTES_MAX),
    UINT(fl_piece, total, 1, FL_VECTOR_BYTES_MAX),
};

static const fl_field ask[] = { TEXT(fl_ask, verb, 1), TEXT(fl_ask, argument, 0) };

static const fl_field answer[] = { UINT(fl_answer, code, 0, UINT8_MAX) };

// ---- what several fields say together ---------------------------------------------------------
static const char *
s_check_task(const fl_message *message, size_t body_bytes)
{
    (void)body_bytes;
    const fl_order *order = &message->task.order;
    return message->round == order->round && fl_run_equal(&message->run, &order->run)
               ? NULL
               : "the order is of another run or round than the envelope";
}

static const char *
s_check_contrib(const fl_message *message, size_t body_bytes)
{
    (void)body_bytes;
    const fl_contrib *self = &message->contrib;
    if (self->base_round > message->round) {
        return "trained from a round that has not been";
    }
    if (self->roll.size % FL_ROLL_ENTRY_BYTES != 0) {
        return "the roll holds a broken entry";
    }
    for (size_t at = 0; at < self->roll.size; at += FL_ROLL_ENTRY_BYTES) {
        fl_roll_entry entry;
        if (!fl_roll_decode(fl_bytes_of(self->roll.data + at, FL_ROLL_ENTRY_BYTES), &entry)) {
            return "the roll holds a malformed entry";
        }
    }
    return NULL;
}

static const char *
s_check_grant(const fl_message *message, size_t body_bytes)
{
    (void)body_bytes;
    if (message->round == 0) {
        return "no round";
    }
    bool fine = message->grant.limit >= message->grant.next;
    return fine ? NULL : "the limit is below the next offset";
}

static const char *
s_check_enrolled(const fl_message *message, size_t body_bytes)
{
    (void)body_bytes;
    const fl_enrolled *self = &message->enrolled;
    return (self->reason == FL_WHY_NONE) == (self->certificate.size > 0)
               ? NULL
               : "either a certificate or a reason";
}

static const char *
s_inside(uint64_t offset, size_t bytes, uint64_t total)
{
    return offset <= total && bytes <= total - offset ? NULL : "the body reaches beyond the total";
}

static const char *
s_check_chunk(const fl_message *message, size_t body_bytes)
{
    return message->round == 0 ? "no round"
                               : s_inside(message->chunk.offset, body_bytes, message->chunk.total);
}

static const char *
s_check_piece(const fl_message *message, size_t body_bytes)
{
    return s_inside(message->piece.offset, body_bytes, message->piece.total);
}

// ---- the table --------------------------------------------------------------------------------
#define FIELDS(rows)                                                                               \
    {                                                                                              \
        (rows), COUNT(rows)                                                                        \
    }

static const fl_shape shapes[FL_VERB_COUNT] = {
    [FL_HELLO] = { FIELDS(hello), 0, NULL },
    [FL_WELCOME] = { FIELDS(welcome), 0, NULL },
    [FL_REFUSED] = { FIELDS(refused), 0, NULL },
    [FL_TASK] = { FIELDS(task), 0, s_check_task },
    [FL_CONTRIB] = { FIELDS(contrib), 0, s_check_contrib },
    [FL_GRANT] = { FIELDS(grant), 0, s_check_grant },
    [FL_CLOSED] = { FIELDS(closed), 0, NULL },
    [FL_BEAT] = { FIELDS(beat), 0, NULL },
    [FL_LEAVE] = { FIELDS(leave), 0, NULL },
    [FL_DENY] = { FIELDS(deny), 0, NULL },
    [FL_ENROL] = { FIELDS(enrol), 0, NULL },
    [FL_ENROLLED] = { FIELDS(enrolled), 0, s_check_enrolled },
    [FL_CHUNK] = { FIELDS(chunk), FL_CHUNK_BYTES_MAX, s_check_chunk },
    [FL_FETCH] = { FIELDS(fetch), 0, NULL },
    [FL_PIECE] = { FIELDS(piece), FL_CHUNK_BYTES_MAX, s_check_piece },
    [FL_ASK] = { FIELDS(ask), 0, NULL },
    [FL_ANSWER] = { FIELDS(answer), FL_JSON_BYTES_MAX, NULL },
};

const fl_shape *
fl_shape_of(uint32_t verb)
{
    return verb < FL_VERB_COUNT && shapes[verb].group.count > 0 ? &shapes[verb] : NULL;
}
