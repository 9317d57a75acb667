#include "common/wire/verb_table.h"

#include <stddef.h>

#include "common/base/status.h"

// ---- rows -------------------------------------------------------------------------------------
#define SIZE(type, member) sizeof(((type *)0)->member)
#define NAMED(name, type, member, kind, low, high, group)                                          \
    {                                                                                              \
        name, kind, offsetof(type, member), SIZE(type, member), low, high, group, 0                \
    }
#define ROW(type, member, kind, low, high, group)                                                  \
    NAMED(#member, type, member, kind, low, high, group)
#define UINT(type, member, low, high) ROW(type, member, FL_FIELD_UINT, low, high, NULL)
#define U16(type, member) UINT(type, member, 0, UINT16_MAX)
#define U32(type, member) UINT(type, member, 0, UINT32_MAX)
#define U64(type, member) UINT(type, member, 0, UINT64_MAX)
#define BOOL(type, member) ROW(type, member, FL_FIELD_BOOL, 0, 1, NULL)
#define BYTES(type, member) ROW(type, member, FL_FIELD_BYTES, 0, 0, NULL)
//  Zeros when a peer of a smaller minor left it out.
#define LATER(type, member, minor)                                                                 \
    {                                                                                              \
#member, FL_FIELD_BYTES, offsetof(type, member), SIZE(type, member), 0, 0, NULL, minor     \
    }
#define VIEW(type, member, low, high) ROW(type, member, FL_FIELD_VIEW, low, high, NULL)
#define TEXT(type, member, low) ROW(type, member, FL_FIELD_TEXT, low, SIZE(type, member) - 1, NULL)
#define ORDER(type, member) ROW(type, member, FL_FIELD_ORDER, 0, 0, NULL)
#define SETTINGS(type)                                                                             \
    NAMED("settings", type, order, FL_FIELD_SETTINGS, 1, FL_SETTINGS_BYTES_MAX, NULL)
#define MANIFEST(type)                                                                             \
    NAMED("manifest", type, order, FL_FIELD_MANIFEST, 1, FL_MANIFEST_BYTES_MAX, NULL)
#define UINTS(type, member) ROW(type, member, FL_FIELD_UINTS, 0, UINT64_MAX, NULL)
#define GROUP(type, member, of) ROW(type, member, FL_FIELD_GROUP, 0, 0, &(of))
//  The set and the list of a word are of something else in each.
#define SET(name, low) NAMED(name, fl_block_word, set, FL_FIELD_UINT, low, UINT64_MAX, NULL)
#define LIST(name, low, high) NAMED(name, fl_block_word, list, FL_FIELD_VIEW, low, high, NULL)
#define COUNT(rows) (sizeof(rows) / sizeof *(rows))

static const fl_field tally_fields[] = {
    U32(fl_tally, invited),       U32(fl_tally, in),       U32(fl_tally, late),
    U32(fl_tally, absent),        U32(fl_tally, refused),  U64(fl_tally, samples_missing),
    U64(fl_tally, samples_known), U32(fl_tally, merge_ms), U64(fl_tally, bytes_up),
    U64(fl_tally, bytes_down),    U32(fl_tally, masked),   U32(fl_tally, recovered),
    U32(fl_tally, aborted),
};
static const fl_group tally = { tally_fields, COUNT(tally_fields) };

// ---- control lane -----------------------------------------------------------------------------
static const fl_field hello[] = {
    UINT(fl_hello, role, FL_ROLE_DEVICE, FL_ROLE_OPERATOR),
    U64(fl_hello, incarnation),
    BYTES(fl_hello, model),
    U32(fl_hello, leaves),
    VIEW(fl_hello, certificate, 0, FL_CERT_BYTES_MAX),
    { "offers", FL_FIELD_VIEW, offsetof(fl_hello, offers), SIZE(fl_hello, offers), 0,
      FL_OFFERINGS_BYTES_MAX, NULL, 2 },
};

static const fl_field welcome[] = {
    U32(fl_welcome, seat),         U32(fl_welcome, epoch),
    BYTES(fl_welcome, ticket),     UINT(fl_welcome, beat_ms, 1, UINT32_MAX),
    U16(fl_welcome, up_port),      U16(fl_welcome, down_port),
    U64(fl_welcome, deny_version), VIEW(fl_welcome, certificate, 0, FL_CERT_BYTES_MAX),
    LATER(fl_welcome, next, 3),
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
    SETTINGS(fl_task),
    MANIFEST(fl_task),
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
    VIEW(fl_contrib, header, 0, FL_MASKED_HEADER_BYTES),
    VIEW(fl_contrib, psig, 0, FL_SIGNATURE_BYTES),
    VIEW(fl_contrib, blocks, 0, FL_BLOCK_LINES_MAX *FL_BLOCK_LINE_BYTES),
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
    UINT(fl_closed, end, 0, FL_WHY_COUNT - 1),
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

static const fl_field deny_get[] = { U64(fl_deny_get, version), U64(fl_deny_get, offset) };

static const fl_field twins[] = {
    VIEW(fl_twins, nodes, 0, FL_TWINS_BYTES_MAX),
};

static const fl_field deny_part[] = {
    U64(fl_deny_part, version),
    UINT(fl_deny_part, total, 1, FL_DENY_LIST_BYTES_MAX),
    UINT(fl_deny_part, offset, 0, FL_DENY_LIST_BYTES_MAX),
    VIEW(fl_deny_part, part, 1, FL_DENY_BYTES_MAX),
};

static const fl_field enrol[] = {
    U64(fl_enrol, request),
    VIEW(fl_enrol, sealed, 1, FL_SEALED_BYTES_MAX),
};

static const fl_field enrolled[] = {
    U64(fl_enrolled, request),   UINT(fl_enrolled, reason, 0, FL_WHY_COUNT - 1),
    TEXT(fl_enrolled, text, 0),  VIEW(fl_enrolled, certificate, 0, FL_CERT_BYTES_MAX),
    U32(fl_enrolled, shard),     U32(fl_enrolled, shards),
    LATER(fl_enrolled, next, 3),
};

// ---- masking ----------------------------------------------------------------------------------
static const fl_field keys[] = {
    VIEW(fl_block_keys, certificate, FL_MEMBER_CERT_BYTES, FL_MEMBER_CERT_BYTES),
    BYTES(fl_block_keys, epk),
    BYTES(fl_block_keys, mpk),
    BYTES(fl_block_keys, signature),
    UINT(fl_block_keys, class, 0, UINT8_MAX),
    UINT(fl_block_keys, roster, 0, UINT8_MAX),
};

static const fl_field roster[] = {
    U32(fl_block_word, block),
    LIST("members", FL_MEMBER_BYTES, FL_MEMBERS_MAX *FL_MEMBER_BYTES),
};

static const fl_field shares[] = {
    U32(fl_block_shares, block),
    UINT(fl_block_shares, index, 0, FL_MEMBERS_MAX - 1),
    BYTES(fl_block_shares, commitment),
    BYTES(fl_block_shares, signature),
    VIEW(fl_block_shares, digests, FL_DIGESTS_BYTES, FL_MEMBERS_MAX *FL_DIGESTS_BYTES),
    VIEW(fl_block_shares, sealed, FL_SEALED_SHARE_BYTES, FL_MEMBERS_MAX *FL_SEALED_SHARE_BYTES),
};

static const fl_field dealt[] = {
    U32(fl_block_word, block),
    SET("dealers", 0),
    LIST("parts", 0, (FL_MEMBERS_MAX - 1) * FL_DEALT_BYTES),
};

static const fl_field ready[] = { U32(fl_block_word, block), SET("dealers", 0) };

static const fl_field maskset[] = {
    U32(fl_block_word, block),
    SET("members", 1),
};

static const fl_field survivors[] = {
    U32(fl_block_word, block),
    SET("members", 1),
    LIST("psigs", 0, FL_MEMBERS_MAX *FL_SIGNATURE_BYTES),
};

static const fl_field ack[] = {
    U32(fl_block_ack, block),
    BYTES(fl_block_ack, signature),
};

static const fl_field acks[] = {
    U32(fl_block_word, block),
    SET("members", 1),
    LIST("asigs", FL_SIGNATURE_BYTES, FL_MEMBERS_MAX *FL_SIGNATURE_BYTES),
};

static const fl_field unmask[] = {
    U32(fl_block_unmask, block),
    U64(fl_block_unmask, self),
    U64(fl_block_unmask, pair),
    VIEW(fl_block_unmask, shares, FL_SHARE_WIRE_BYTES, FL_MEMBERS_MAX *FL_SHARE_WIRE_BYTES),
};

static const fl_field pool[] = { VIEW(fl_pools_told, pools, 1, FL_POOLS_BYTES_MAX) };
static const fl_field burnts[] = {
    U32(fl_block_word, block),
    SET("signers", 0),
    LIST("papers", FL_MEMBER_BYTES, FL_MEMBERS_MAX *(FL_MEMBER_BYTES + FL_SIGNATURE_BYTES)),
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

//  A masked contribution says nothing in the clear that its header hides.
static const char *
s_check_masked(const fl_contrib *self)
{
    bool masked = self->header.size > 0, open = self->weight > 0 || self->count > 0;
    for (int i = 0; i < FL_STATS; i++) {
        open = open || self->stats[i] > 0;
    }
    if (masked && (self->header.size != FL_MASKED_HEADER_BYTES || open)) {
        return "the masked header has a wrong size, or its numbers are unmasked too";
    }
    return self->psig.size == 0 || (masked && self->psig.size == FL_SIGNATURE_BYTES)
               ? NULL
               : "the signature has a wrong size, or there is no masked header";
}

//  Lines of a report, or of blocks.
static const char *
s_check_lines(fl_bytes lines, bool roll)
{
    size_t each = roll ? FL_ROLL_ENTRY_BYTES : FL_BLOCK_LINE_BYTES;
    bool fine = lines.size % each == 0;
    for (size_t at = 0; fine && at < lines.size; at += each) {
        fl_bytes line = fl_bytes_of(lines.data + at, each);
        fl_roll_entry entry;
        fl_block_line block;
        fine = roll ? fl_roll_decode(line, &entry) : fl_block_line_decode(line, &block);
    }
    return fine ? NULL : roll ? "a report line is malformed" : "a line of a block is malformed";
}

static const char *
s_check_contrib(const fl_message *message, size_t body_bytes)
{
    (void)body_bytes;
    const fl_contrib *self = &message->contrib;
    const char *wrong = s_check_masked(self);
    if (wrong != NULL) {
        return wrong;
    }
    if (self->base_round > message->round) {
        return "base_round is after the round";
    }
    wrong = s_check_lines(self->roll, true);
    return wrong != NULL ? wrong : s_check_lines(self->blocks, false);
}

static const char *
s_check_grant(const fl_message *message, size_t body_bytes)
{
    (void)body_bytes;
    return message->round == 0                          ? "the round is 0"
           : message->grant.limit < message->grant.next ? "the limit is below the next offset"
                                                        : NULL;
}

static const char *
s_check_closed(const fl_message *message, size_t body_bytes)
{
    (void)body_bytes;
    const fl_closed *self = &message->closed;
    return self->end == FL_WHY_NONE || self->final ? NULL : "an end of a run that goes on";
}

static const char *
s_check_enrolled(const fl_message *message, size_t body_bytes)
{
    (void)body_bytes;
    const fl_enrolled *self = &message->enrolled;
    if ((self->reason == FL_WHY_NONE) != (self->certificate.size > 0)) {
        return "there must be a certificate or a reason, and not both";
    }
    bool leased = self->shard < self->shards && self->reason == FL_WHY_NONE;
    return leased || (self->shard == 0 && self->shards == 0) ? NULL : "shard is not below shards";
}

//  NULL when a list holds `count` entries of `each` bytes.
static const char *
s_list(fl_bytes list, size_t count, size_t each)
{
    return list.size == count * each ? NULL : "the list has a wrong length";
}

static const char *
s_check_roster(const fl_message *message, size_t body_bytes)
{
    (void)body_bytes;
    fl_bytes list = message->roster.list;
    return s_list(list, list.size / FL_MEMBER_BYTES, FL_MEMBER_BYTES);
}

static const char *
s_check_shares(const fl_message *message, size_t body_bytes)
{
    (void)body_bytes;
    const fl_block_shares *self = &message->shares;
    size_t members = self->digests.size / FL_DIGESTS_BYTES;
    const char *wrong = s_list(self->digests, members, FL_DIGESTS_BYTES);
    wrong = wrong != NULL ? wrong : s_list(self->sealed, members, FL_SEALED_SHARE_BYTES);
    return wrong == NULL && self->index >= members ? "the index is outside the block" : wrong;
}

//  An entry for each of the set; under the profile honest SURVIVORS has none.
static const char *
s_check_set(const fl_message *message, size_t body_bytes)
{
    (void)body_bytes;
    size_t each = message->verb == FL_DEALT ? FL_DEALT_BYTES : FL_SIGNATURE_BYTES;
    bool bare = message->verb == FL_SURVIVORS && message->word.list.size == 0;
    return bare ? NULL : s_list(message->word.list, fl_set_count(message->word.set), each);
}

static const char *
s_check_burnts(const fl_message *message, size_t body_bytes)
{
    (void)body_bytes;
    const size_t signatures = fl_set_count(message->burnts.set) * (size_t)FL_SIGNATURE_BYTES;
    const size_t size = message->burnts.list.size;
    const size_t lines = size > signatures ? (size - signatures) / FL_MEMBER_BYTES : 0;
    return lines < 1 || lines > FL_MEMBERS_MAX ||
                   !fl_set_within(message->burnts.set, (uint32_t)lines)
               ? "there are no lines, or a signature without one"
               : s_list(message->burnts.list, 1, lines * FL_MEMBER_BYTES + signatures);
}

static const char *
s_check_unmask(const fl_message *message, size_t body_bytes)
{
    (void)body_bytes;
    const fl_block_unmask *self = &message->unmask;
    return (self->self & self->pair) != 0
               ? "both kinds of share for one participant"
               : s_list(self->shares, fl_set_count(self->self | self->pair), FL_SHARE_WIRE_BYTES);
}

static const char *
s_inside(uint64_t offset, size_t bytes, uint64_t total)
{
    return offset <= total && bytes <= total - offset ? NULL : "the body reaches beyond the total";
}

static const char *
s_check_chunk(const fl_message *message, size_t body_bytes)
{
    return message->round == 0 ? "the round is 0"
                               : s_inside(message->chunk.offset, body_bytes, message->chunk.total);
}

static const char *
s_check_deny_part(const fl_message *message, size_t body_bytes)
{
    (void)body_bytes;
    const fl_deny_part *part = &message->deny_part;
    return s_inside(part->offset, part->part.size, part->total);
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

enum {
    CHILD = FL_FROM_CHILD,
    STRANGER = FL_FROM_STRANGER,
    PARENT = FL_FROM_PARENT,
    OPERATOR = FL_FROM_OPERATOR,
    PROCESS = FL_FROM_PROCESS
};
#define OF_RUN true
#define ANY_RUN false
#define MASKED true
#define PLAIN false

// clang-format off
static const fl_verb_row rows[FL_VERB_COUNT] = {
    //  name, lane, who says it, whose run, a step of masking?, fields, size of the body from, to,
    //  check, minor
    [FL_HELLO] = { "hello", FL_LANE_CONTROL, STRANGER, ANY_RUN, PLAIN,
        FIELDS(hello), 0, 0, NULL, 2 },
    [FL_WELCOME] = { "welcome", FL_LANE_CONTROL, PARENT, ANY_RUN, PLAIN,
        FIELDS(welcome), 0, 0, NULL, 3 },
    [FL_REFUSED] = { "refused", FL_LANE_CONTROL, CHILD | PARENT, ANY_RUN, PLAIN,
        FIELDS(refused), 0, 0, NULL, 0 },
    [FL_TASK] = { "task", FL_LANE_CONTROL, PARENT, OF_RUN, PLAIN,
        FIELDS(task), 0, 0, s_check_task, 0 },
    [FL_CONTRIB] = { "contrib", FL_LANE_CONTROL, CHILD, OF_RUN, PLAIN,
        FIELDS(contrib), 0, 0, s_check_contrib, 0 },
    [FL_GRANT] = { "grant", FL_LANE_CONTROL, PARENT, OF_RUN, PLAIN,
        FIELDS(grant), 0, 0, s_check_grant, 0 },
    [FL_CLOSED] = { "closed", FL_LANE_CONTROL, PARENT, OF_RUN, PLAIN,
        FIELDS(closed), 0, 0, s_check_closed, 0 },
    [FL_BEAT] = { "beat", FL_LANE_CONTROL, CHILD | PARENT, ANY_RUN, PLAIN,
        FIELDS(beat), 0, 0, NULL, 0 },
    [FL_LEAVE] = { "leave", FL_LANE_CONTROL, CHILD, ANY_RUN, PLAIN, FIELDS(leave), 0, 0, NULL, 0 },
    [FL_DENY] = { "deny", FL_LANE_CONTROL, PARENT, ANY_RUN, PLAIN, FIELDS(deny), 0, 0, NULL, 0 },
    [FL_ENROL] = { "enrol", FL_LANE_CONTROL, STRANGER, ANY_RUN, PLAIN,
        FIELDS(enrol), 0, 0, NULL, 0 },
    [FL_ENROLLED] = { "enrolled", FL_LANE_CONTROL, PARENT, ANY_RUN, PLAIN,
        FIELDS(enrolled), 0, 0, s_check_enrolled, 3 },
    [FL_DENY_GET] = { "deny-get", FL_LANE_CONTROL, CHILD, ANY_RUN, PLAIN,
        FIELDS(deny_get), 0, 0, NULL, 0 },
    [FL_DENY_PART] = { "deny-part", FL_LANE_CONTROL, PARENT, ANY_RUN, PLAIN,
        FIELDS(deny_part), 0, 0, s_check_deny_part, 0 },
    [FL_TWINS] = { "twins", FL_LANE_CONTROL, PARENT, ANY_RUN, PLAIN, FIELDS(twins), 0, 0, NULL, 1 },
    [FL_CHUNK] = { "chunk", FL_LANE_UP, CHILD, OF_RUN, PLAIN,
        FIELDS(chunk), 1, FL_CHUNK_BYTES_MAX, s_check_chunk, 0 },
    [FL_FETCH] = { "fetch", FL_LANE_DOWN, CHILD, ANY_RUN, PLAIN, FIELDS(fetch), 0, 0, NULL, 0 },
    [FL_PIECE] = { "piece", FL_LANE_DOWN, PARENT, OF_RUN, PLAIN,
        FIELDS(piece), 1, FL_CHUNK_BYTES_MAX, s_check_piece, 0 },
    [FL_ASK] = { "ask", FL_LANE_OPERATOR, OPERATOR, ANY_RUN, PLAIN,
        FIELDS(ask), 0, FL_JSON_BYTES_MAX, NULL, 0 },
    [FL_ANSWER] = { "answer", FL_LANE_OPERATOR, PROCESS, ANY_RUN, PLAIN,
        FIELDS(answer), 1, FL_JSON_BYTES_MAX, NULL, 0 },
    [FL_KEYS] = { "keys", FL_LANE_CONTROL, CHILD, OF_RUN, MASKED,
        FIELDS(keys), 0, 0, NULL, 0 },
    [FL_ROSTER] = { "roster", FL_LANE_CONTROL, PARENT, OF_RUN, MASKED,
        FIELDS(roster), 0, 0, s_check_roster, 0 },
    [FL_SHARES] = { "shares", FL_LANE_CONTROL, CHILD, OF_RUN, MASKED,
        FIELDS(shares), 0, 0, s_check_shares, 0 },
    [FL_DEALT] = { "dealt", FL_LANE_CONTROL, PARENT, OF_RUN, MASKED,
        FIELDS(dealt), 0, 0, s_check_set, 0 },
    [FL_READY] = { "ready", FL_LANE_CONTROL, CHILD, OF_RUN, MASKED,
        FIELDS(ready), 0, 0, NULL, 0 },
    [FL_MASKSET] = { "maskset", FL_LANE_CONTROL, PARENT, OF_RUN, MASKED,
        FIELDS(maskset), 0, 0, NULL, 0 },
    [FL_SURVIVORS] = { "survivors", FL_LANE_CONTROL, PARENT, OF_RUN, MASKED,
        FIELDS(survivors), 0, 0, s_check_set, 0 },
    [FL_ACK] = { "ack", FL_LANE_CONTROL, CHILD, OF_RUN, MASKED, FIELDS(ack), 0, 0, NULL, 0 },
    [FL_ACKS] = { "acks", FL_LANE_CONTROL, PARENT, OF_RUN, MASKED,
        FIELDS(acks), 0, 0, s_check_set, 0 },
    [FL_UNMASK] = { "unmask", FL_LANE_CONTROL, CHILD, OF_RUN, MASKED,
        FIELDS(unmask), 0, 0, s_check_unmask, 0 },
    [FL_BURNT] = { "burnt", FL_LANE_CONTROL, CHILD, ANY_RUN, PLAIN, FIELDS(ack), 0, 0, NULL, 3 },
    [FL_BURNTS] = { "burnts", FL_LANE_CONTROL, PARENT, ANY_RUN, PLAIN,
        FIELDS(burnts), 0, 0, s_check_burnts, 3 },
    [FL_POOL] = { "pool", FL_LANE_CONTROL, PARENT, ANY_RUN, PLAIN, FIELDS(pool), 0, 0, NULL, 2 },
};
// clang-format on

const fl_verb_row *
fl_verb_row_of(uint32_t verb)
{
    return verb < FL_VERB_COUNT && rows[verb].name != NULL ? &rows[verb] : NULL;
}

bool
fl_verb_allowed(fl_verb verb, fl_lane lane, unsigned from)
{
    const fl_verb_row *row = fl_verb_row_of(verb);
    return row != NULL && row->lane == lane && (row->from & from) != 0;
}

const char *
fl_verb_name(fl_verb verb)
{
    const fl_verb_row *row = fl_verb_row_of(verb);
    return row != NULL ? row->name : verb == FL_VERB_NONE ? "none" : "unknown";
}
