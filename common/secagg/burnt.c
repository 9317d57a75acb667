#include "common/secagg/burnt.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/status.h"

// ---- what BURNTS says -------------------------------------------------------------------------
bool
fl_burnts_read(const fl_message *burnts, const fl_name *edge, uint8_t hop, fl_burnts *self)
{
    const fl_block_word *word = &burnts->burnts;
    const size_t signatures = fl_set_count(word->set) * (size_t)FL_SIGN_BYTES;
    const size_t lines = word->list.size > signatures ? word->list.size - signatures : 0;
    const uint32_t members = (uint32_t)(lines / FL_MEMBER_BYTES);
    if (members < FL_SECAGG_MEMBERS_MIN || members > FL_MEMBERS_MAX ||
        lines % FL_MEMBER_BYTES != 0 || !fl_set_within(word->set, members)) {
        return false;
    }
    *self = (fl_burnts){ .members = members,
                         .lines = fl_bytes_of(word->list.data, lines),
                         .signers = word->set,
                         .signatures = fl_bytes_of(word->list.data + lines, signatures) };
    self->round = (fl_transcript_round){ .run = burnts->run,
                                         .hop = hop,
                                         .edge = *edge,
                                         .block = word->block,
                                         .round = burnts->round,
                                         .number = self->lines.data[FL_MEMBER_BYTES - 1],
                                         .roster = fl_secagg_roster_hash(self->lines) };
    return true;
}

//  A line was checked when it was made: the time of its certificate is not asked for.
static bool
s_cert(fl_bytes lines, uint32_t index, const fl_authority_public *authority, fl_cert *cert)
{
    const fl_bytes bytes =
        fl_bytes_of(lines.data + (size_t)index * FL_MEMBER_BYTES, FL_MEMBER_CERT_BYTES);
    return fl_cert_prove(bytes, authority, FL_ROLES_CHILD, cert) == FL_TRUST_OK;
}

uint32_t
fl_burnts_member(const fl_burnts *self, const fl_authority_public *authority, const fl_name *node,
                 const uint8_t ed[FL_SIGN_PUBLIC_BYTES])
{
    for (uint32_t i = 0; i < self->members; i++) {
        fl_cert cert;
        if (s_cert(self->lines, i, authority, &cert) && fl_name_equal(&cert.node, node) &&
            memcmp(cert.keys.ed, ed, FL_SIGN_PUBLIC_BYTES) == 0) {
            return i;
        }
    }
    return FL_MEMBERS_MAX;
}

bool
fl_burnts_prove(const fl_burnts *self, const fl_authority_public *authority)
{
    const uint8_t *signature = self->signatures.data;
    uint32_t holds = 0;
    FL_EACH_MEMBER (i, self->signers) {
        fl_cert cert;
        holds += s_cert(self->lines, i, authority, &cert) &&
                 fl_transcript_burnt_holds(cert.keys.ed, &self->round, i, signature);
        signature += FL_SIGN_BYTES;
    }
    return holds >= fl_secagg_threshold(self->members);
}

// ---- the parent's book ------------------------------------------------------------------------
enum { BLOCKS_MAX = 2 * FL_BLOCKS_MAX };

typedef struct lapsed lapsed;
struct lapsed {
    lapsed *next; // older
    bool dated;   // `tensors` is known
    fl_hash tensors;
    fl_transcript_round round;
    uint32_t members;
    fl_name node[FL_MEMBERS_MAX];
    uint8_t ed[FL_MEMBERS_MAX][FL_SIGN_PUBLIC_BYTES];
    uint64_t signers, heard; // who said BURNT; who needs no BURNTS any more
    uint8_t signature[FL_MEMBERS_MAX][FL_SIGN_BYTES];
    uint8_t paper[]; // the lines, and the signatures of `signers`
};

struct fl_burnt_book {
    lapsed *newest;
    lapsed *gone; // forgotten; what was said in this step may still show them
};

fl_burnt_book *
fl_burnt_book_new(void)
{
    return calloc(1, sizeof(fl_burnt_book));
}

static void
s_free(lapsed **list)
{
    while (*list != NULL) {
        lapsed *one = *list;
        *list = one->next;
        free(one);
    }
}

void
fl_burnt_book_destroy(fl_burnt_book **self_p)
{
    if (*self_p != NULL) {
        s_free(&(*self_p)->newest);
        s_free(&(*self_p)->gone);
    }
    free(*self_p);
    *self_p = NULL;
}

static void
s_forget(fl_burnt_book *self, lapsed **at)
{
    lapsed *one = *at;
    *at = one->next;
    one->next = self->gone;
    self->gone = one;
}

void
fl_burnt_book_turn(fl_burnt_book *self, const fl_run *run, const fl_hash *tensors)
{
    s_free(&self->gone);
    for (lapsed **at = &self->newest; *at != NULL;) {
        lapsed *one = *at;
        bool ours = fl_run_equal(&one->round.run, run);
        if (ours && !one->dated) {
            one->tensors = *tensors;
            one->dated = true;
        }
        if (ours && !fl_hash_equal(&one->tensors, tensors)) {
            s_forget(self, at);
        } else {
            at = &one->next;
        }
    }
}

static bool
s_proved(const lapsed *self)
{
    return fl_set_count(self->signers) >= fl_secagg_threshold(self->members);
}

static uint32_t
s_index(const lapsed *self, const fl_name *node)
{
    uint32_t at = 0;
    while (at < self->members && !fl_name_equal(&self->node[at], node)) {
        at++;
    }
    return at;
}

//  Room for one more, and it is new.
static bool
s_has_place(fl_burnt_book *self, const fl_hash *roster)
{
    uint32_t count = 0;
    for (lapsed **at = &self->newest; *at != NULL; at = &(*at)->next) {
        if (fl_hash_equal(&(*at)->round.roster, roster)) {
            return false;
        }
        if (++count == BLOCKS_MAX) {
            s_forget(self, at);
            return true;
        }
    }
    return true;
}

void
fl_burnt_book_add(fl_burnt_book *self, const fl_transcript_round *round, fl_bytes lines,
                  const fl_hash *tensors, const fl_authority_public *authority)
{
    const uint32_t members = (uint32_t)(lines.size / FL_MEMBER_BYTES);
    const fl_hash roster = fl_secagg_roster_hash(lines);
    bool fits = members >= FL_SECAGG_MEMBERS_MIN && members <= FL_MEMBERS_MAX &&
                lines.size % FL_MEMBER_BYTES == 0;
    if (!fits || !s_has_place(self, &roster)) {
        return;
    }
    lapsed *one = calloc(1, sizeof *one + lines.size + sizeof one->signature);
    if (one == NULL) {
        return;
    }
    one->dated = tensors != NULL;
    one->tensors = tensors != NULL ? *tensors : (fl_hash){ 0 };
    one->round = *round;
    one->round.roster = roster;
    one->members = members;
    memcpy(one->paper, lines.data, lines.size);
    for (uint32_t i = 0; i < members; i++) {
        fl_cert cert;
        if (s_cert(lines, i, authority, &cert)) {
            one->node[i] = cert.node;
            memcpy(one->ed[i], cert.keys.ed, sizeof one->ed[i]);
        }
    }
    one->next = self->newest;
    self->newest = one;
}

bool
fl_burnt_book_hear(fl_burnt_book *self, const fl_name *node, const fl_message *burnt)
{
    for (lapsed *one = self->newest; one != NULL; one = one->next) {
        const uint32_t index = s_index(one, node);
        if (index == one->members || one->round.round != burnt->round ||
            one->round.block != burnt->burnt.block || (one->signers & fl_secagg_bit(index)) != 0 ||
            !fl_run_equal(&one->round.run, &burnt->run) ||
            !fl_transcript_burnt_holds(one->ed[index], &one->round, index,
                                       burnt->burnt.signature)) {
            continue;
        }
        const bool before = s_proved(one);
        one->signers |= fl_secagg_bit(index);
        memcpy(one->signature[index], burnt->burnt.signature, FL_SIGN_BYTES);
        uint8_t *at = one->paper + (size_t)one->members * FL_MEMBER_BYTES;
        FL_EACH_MEMBER (i, one->signers) {
            memcpy(at, one->signature[i], FL_SIGN_BYTES);
            at += FL_SIGN_BYTES;
        }
        return !before && s_proved(one);
    }
    return false;
}

void
fl_burnt_book_tell(const fl_burnt_book *self, const fl_name *node, fl_peer peer, fl_outbox *out)
{
    for (const lapsed *one = self->newest; one != NULL; one = one->next) {
        const uint32_t index = s_index(one, node);
        const uint64_t done = s_proved(one) ? one->heard : one->signers;
        if (index == one->members || (done & fl_secagg_bit(index)) != 0) {
            continue;
        }
        fl_message *message = fl_outbox_send(out, peer, FL_BURNTS);
        message->run = one->round.run;
        message->round = one->round.round;
        message->burnts.block = one->round.block;
        message->burnts.set = one->signers;
        message->burnts.list =
            fl_bytes_of(one->paper, (size_t)one->members * FL_MEMBER_BYTES +
                                        (size_t)fl_set_count(one->signers) * FL_SIGN_BYTES);
    }
}

void
fl_burnt_book_heard(fl_burnt_book *self, const fl_name *node, bool heard)
{
    for (lapsed *one = self->newest; one != NULL; one = one->next) {
        const uint32_t index = s_index(one, node);
        if (index < one->members && s_proved(one)) {
            one->heard =
                heard ? one->heard | fl_secagg_bit(index) : one->heard & ~fl_secagg_bit(index);
        }
    }
}
