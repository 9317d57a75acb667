//  The samples of the verbs of a masked round, and what their fields say together.
#include "tests/support/messages_inside.h"

#include <string.h>

#include "common/base/status.h"

static void
s_sample_setup(messages_letter *letter)
{
    fl_message *message = &letter->message;
    switch ((int)message->verb) {
    case FL_KEYS:
        message->keys.certificate = messages_view(letter, FL_MEMBER_CERT_BYTES, 0x80);
        messages_count_up(message->keys.epk, sizeof message->keys.epk, 0x20);
        messages_count_up(message->keys.mpk, sizeof message->keys.mpk, 0x30);
        messages_count_up(message->keys.signature, sizeof message->keys.signature, 0x70);
        break;
    case FL_ROSTER:
        message->roster = (fl_block_word){
            .block = 2, .list = messages_view(letter, (size_t)3 * FL_MEMBER_BYTES, 0x90)
        };
        break;
    case FL_SHARES:
        message->shares =
            (fl_block_shares){ .block = 2,
                               .index = 1,
                               .digests = messages_view(letter, (size_t)3 * FL_DIGESTS_BYTES, 0xa0),
                               .sealed =
                                   messages_view(letter, (size_t)3 * FL_SEALED_SHARE_BYTES, 0xb0) };
        messages_count_up(message->shares.commitment.bytes, sizeof message->shares.commitment,
                          0x60);
        messages_count_up(message->shares.signature, sizeof message->shares.signature, 0x70);
        break;
    case FL_DEALT:
        message->dealt = (fl_block_word){
            .block = 2, .set = 5, .list = messages_view(letter, (size_t)2 * FL_DEALT_BYTES, 1)
        };
        break;
    default: // FL_READY
        message->ready = (fl_block_word){ .block = 2, .set = 7 };
        break;
    }
}

static void
s_sample_opening(messages_letter *letter)
{
    fl_message *message = &letter->message;
    switch ((int)message->verb) {
    case FL_MASKSET:
        message->maskset = (fl_block_word){ .block = 2, .set = 7 };
        break;
    case FL_SURVIVORS:
        message->survivors = (fl_block_word){ .block = 2,
                                                   .set = 6,
                                                   .list = messages_view(
                                                       letter, (size_t)2 * FL_SIGNATURE_BYTES, 2) };
        break;
    case FL_ACK:
        message->ack.block = 2;
        messages_count_up(message->ack.signature, sizeof message->ack.signature, 0x70);
        break;
    case FL_BURNT:
        message->burnt.block = 2;
        messages_count_up(message->burnt.signature, sizeof message->burnt.signature, 0x60);
        break;
    case FL_BURNTS:
        message->burnts = (fl_block_word){
            .block = 2,
            .set = 2,
            .list = messages_view(letter, (size_t)3 * FL_MEMBER_BYTES + FL_SIGNATURE_BYTES, 5)
        };
        break;
    case FL_ACKS:
        message->acks =
            (fl_block_word){ .block = 2,
                             .set = 6,
                             .list = messages_view(letter, (size_t)2 * FL_SIGNATURE_BYTES, 3) };
        break;
    default: // FL_UNMASK
        message->unmask = (fl_block_unmask){ .block = 2,
                                             .self = 6,
                                             .pair = 1,
                                             .shares = messages_view(
                                                 letter, (size_t)3 * FL_SHARE_WIRE_BYTES, 4) };
        break;
    }
}

void
messages_sample_masking(messages_letter *letter)
{
    (letter->message.verb <= FL_READY ? s_sample_setup : s_sample_opening)(letter);
}

//  A block that was opened after a loss, and one that was not.
fl_bytes
messages_sample_blocks(messages_letter *letter)
{
    fl_block_line line = { .block = 1, .hop = 1, .members = 5, .masked = 5, .survivors = 4 };
    FL_ASSERT(fl_name_parse("edge-b", &line.parent));
    uint8_t *start = messages_room(letter, (size_t)2 * FL_BLOCK_LINE_BYTES);
    fl_block_line_encode(&line, start);
    line.block = 2;
    line.reason = FL_WHY_TOO_FEW_UPLOADS;
    line.masked = 3;
    line.survivors = 1;
    fl_block_line_encode(&line, start + FL_BLOCK_LINE_BYTES);
    return fl_bytes_of(start, (size_t)2 * FL_BLOCK_LINE_BYTES);
}

static fl_bytes
s_random_blocks(fl_rng *rng, messages_letter *letter)
{
    uint64_t count = messages_draw(rng, 0, FL_BLOCK_LINES_MAX);
    uint8_t *start = messages_room(letter, count * FL_BLOCK_LINE_BYTES);
    for (uint64_t i = 0; i < count; i++) {
        fl_block_line line = { .block = (uint16_t)messages_draw(rng, 0, UINT16_MAX),
                               .hop = (uint8_t)messages_draw(rng, 1, 2),
                               .reason = (uint8_t)fl_rng_below(rng, FL_WHY_COUNT),
                               .members = (uint8_t)messages_draw(rng, 0, FL_MEMBERS_MAX) };
        line.masked = (uint8_t)messages_draw(rng, 0, line.members);
        line.survivors = (uint8_t)messages_draw(rng, 0, line.masked);
        messages_random_node(rng, &line.parent);
        fl_block_line_encode(&line, start + i * FL_BLOCK_LINE_BYTES);
    }
    return fl_bytes_of(start, count * FL_BLOCK_LINE_BYTES);
}

//  Lists as long as the sets beside them say.
void
messages_agree_masking(fl_rng *rng, messages_letter *letter)
{
    fl_message *message = &letter->message;
    size_t members = (size_t)messages_draw(rng, 1, FL_MEMBERS_MAX);
    switch ((int)message->verb) {
    case FL_ROSTER:
        message->roster.list = messages_view(letter, members * FL_MEMBER_BYTES, 9);
        break;
    case FL_SHARES:
        message->shares.index = (uint32_t)messages_draw(rng, 0, members - 1);
        message->shares.digests = messages_view(letter, members * FL_DIGESTS_BYTES, 9);
        message->shares.sealed = messages_view(letter, members * FL_SEALED_SHARE_BYTES, 9);
        break;
    case FL_DEALT:
        message->dealt.set &= ~(uint64_t)1;
        members = fl_set_count(message->dealt.set);
        message->dealt.list = messages_view(letter, members * FL_DEALT_BYTES, 9);
        break;
    case FL_SURVIVORS:
        members = fl_rng_below(rng, 2) * fl_set_count(message->survivors.set);
        message->survivors.list = messages_view(letter, members * FL_SIGNATURE_BYTES, 9);
        break;
    case FL_ACKS:
        members = fl_set_count(message->acks.set);
        message->acks.list = messages_view(letter, members * FL_SIGNATURE_BYTES, 9);
        break;
    case FL_BURNTS:
        message->burnts.set &= (members < 64 ? ((uint64_t)1 << members) - 1 : UINT64_MAX);
        message->burnts.list =
            messages_view(letter,
                          members * FL_MEMBER_BYTES +
                              fl_set_count(message->burnts.set) * (size_t)FL_SIGNATURE_BYTES,
                          9);
        break;
    case FL_UNMASK:
        message->unmask.pair &= ~message->unmask.self;
        message->unmask.pair |= message->unmask.self == 0;
        members = fl_set_count(message->unmask.self | message->unmask.pair);
        message->unmask.shares = messages_view(letter, members * FL_SHARE_WIRE_BYTES, 9);
        break;
    default:
        break;
    }
}

void
messages_agree_contrib(fl_rng *rng, messages_letter *letter)
{
    fl_contrib *self = &letter->message.contrib;
    self->base_round = messages_draw(rng, 1, letter->message.round);
    self->blocks = s_random_blocks(rng, letter);
    if (fl_rng_below(rng, 2) == 0) {
        self->header = self->psig = fl_bytes_of(NULL, 0);
        return;
    }
    self->weight = self->count = 0;
    memset(self->stats, 0, sizeof self->stats);
    self->header = messages_view(letter, FL_MASKED_HEADER_BYTES, 9);
    self->psig = messages_view(letter, fl_rng_below(rng, 2) * FL_SIGNATURE_BYTES, 9);
}
