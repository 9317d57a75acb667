//  The aggregator is trusted with the work, not with the inputs. It may stop a round, and then it
//  says why; it can open one sum of many, and nothing smaller, because members give it the pieces
//  of one sum only. It is the first to check what members show each other, so that a liar is named
//  here and does not spoil the round of the others.
#include "common/secagg/server_inside.h"

#include <stdlib.h>
#include <string.h>

#include "common/machine/policy.h"
#include "common/secagg/evidence.h"

//  Every state may be aborted, and every end opened anew.
static const fl_secagg_state next_of[FL_SERVER_STATES] = {
    [FL_SERVER_INVITED] = FL_SERVER_ROSTERED,      [FL_SERVER_ROSTERED] = FL_SERVER_DEALING,
    [FL_SERVER_DEALING] = FL_SERVER_WAITING_READY, [FL_SERVER_WAITING_READY] = FL_SERVER_COLLECTING,
    [FL_SERVER_COLLECTING] = FL_SERVER_ACKING,     [FL_SERVER_ACKING] = FL_SERVER_OPENING,
    [FL_SERVER_OPENING] = FL_SERVER_SUMMING,       [FL_SERVER_SUMMING] = FL_SERVER_DONE,
};

//  How the sums of this hop are hidden.
static fl_masking
s_profile(const fl_secagg_server *self)
{
    return fl_plan_masking(&self->task.order.plan, self->conf.hop);
}

static void
s_enter(fl_secagg_server *self, fl_secagg_state next, fl_outbox *out)
{
    bool honest = s_profile(self) == FL_MASKING_HONEST && self->state == FL_SERVER_COLLECTING &&
                  next == FL_SERVER_OPENING;
    bool anew = next == FL_SERVER_INVITED &&
                (self->state == FL_SERVER_ROSTERED || self->state == FL_SERVER_WAITING_READY);
    FL_ASSERT(next == FL_SERVER_ABORTED || next == next_of[self->state] || honest || anew);
    self->state = next;
    fl_outbox_note(out, (fl_note){ .id = FL_NOTE_MASKING,
                                   .round = self->task.order.round,
                                   .reason = self->result.reason,
                                   .a = (uint64_t)next,
                                   .b = self->block.members });
}

static bool
s_running(const fl_secagg_server *self)
{
    return self->state >= FL_SERVER_INVITED && self->state < FL_SERVER_DONE;
}

//  The index of who sits there, or `count`: nobody of this block.
static uint32_t
s_index(const fl_secagg_server *self, uint32_t seat)
{
    uint32_t index = 0;
    while (index < self->count && self->child[index].seat != seat) {
        index++;
    }
    return index;
}

// ---- what members are told --------------------------------------------------------------------
static uint64_t
s_set(const fl_secagg_server *self, fl_keep what)
{
    return what == FL_KEEP_DEALT       ? self->dealt
           : what == FL_KEEP_MASKSET   ? self->maskset
           : what == FL_KEEP_SURVIVORS ? self->survivors
           : what == FL_KEEP_ACKS      ? self->acked
                                       : 0;
}

//  Where a fact is kept.
static uint8_t *
s_paper(fl_secagg_server *self, fl_keep what)
{
    uint8_t *const papers[FL_KEEP_COUNT] = {
        [FL_KEEP_ROSTER] = self->roster_fact, [FL_KEEP_DEALT] = self->dealt_fact,
        [FL_KEEP_MASKSET] = self->set_fact,   [FL_KEEP_SURVIVORS] = self->psigs_fact,
        [FL_KEEP_ACKS] = self->asigs_fact,
    };
    FL_ASSERT(papers[what] != NULL);
    return papers[what];
}

//  The list behind its head.
static fl_bytes
s_list(fl_secagg_server *self, fl_keep what)
{
    size_t size = what == FL_KEEP_ROSTER    ? (size_t)self->block.members * FL_MEMBER_BYTES
                  : what == FL_KEEP_DEALT   ? self->dealt_bytes - FL_FACT_HEAD_BYTES
                  : what == FL_KEEP_MASKSET ? 0
                                            : fl_set_count(s_set(self, what)) * FL_SIGN_BYTES;
    return fl_bytes_of(s_paper(self, what) + FL_FACT_HEAD_BYTES, size);
}

static void
s_fill(fl_secagg_server *self, uint32_t index, fl_keep what, fl_block_word *word)
{
    word->block = self->block.round.block;
    word->set = s_set(self, what);
    if (what == FL_KEEP_DEALT) {
        word->set &= ~fl_secagg_bit(index);
        word->list =
            fl_bytes_of(self->parts + index * (size_t)(self->block.members - 1) * FL_DEALT_BYTES,
                        fl_set_count(word->set) * FL_DEALT_BYTES);
    } else if (what != FL_KEEP_SURVIVORS || s_profile(self) == FL_MASKING_MALICIOUS) {
        word->list = s_list(self, what);
    }
}

//  Whom a fact is for.
static uint64_t
s_audience(const fl_secagg_server *self, fl_keep what)
{
    const uint64_t audiences[FL_KEEP_COUNT] = {
        [FL_KEEP_ROSTER] = fl_secagg_all(self->block.members),
        [FL_KEEP_DEALT] = self->dealt,
        [FL_KEEP_MASKSET] = self->dealt, // who is not in it hears so
        [FL_KEEP_SURVIVORS] = self->maskset,
        [FL_KEEP_ACKS] = self->survivors,
    };
    return audiences[what];
}

//  Say one thing to one member, if it is reachable and the thing was kept and told.
static void
s_tell(fl_secagg_server *self, uint32_t index, fl_keep what, fl_outbox *out)
{
    static const fl_verb verbs[FL_KEEP_COUNT] = {
        [FL_KEEP_ROSTER] = FL_ROSTER,   [FL_KEEP_DEALT] = FL_DEALT,
        [FL_KEEP_MASKSET] = FL_MASKSET, [FL_KEEP_SURVIVORS] = FL_SURVIVORS,
        [FL_KEEP_ACKS] = FL_ACKS,
    };
    const fl_secagg_child *child = &self->child[index];
    if (!self->told[what] || !child->reachable ||
        (s_audience(self, what) & fl_secagg_bit(index)) == 0) {
        return;
    }
    fl_message *message = fl_outbox_send(out, child->peer, verbs[what]);
    message->run = self->task.order.run;
    message->round = self->task.order.round;
    s_fill(self, index, what, &message->word);
}

//  Ask for keys of the roster that is being made, when it is not the first: what it sent are those
//  of one before.
static void
s_ask_keys(fl_secagg_server *self, uint32_t index, fl_outbox *out)
{
    static const uint8_t nobody[FL_MEMBER_BYTES];
    const fl_secagg_child *child = &self->child[index];
    if (self->number == 0 || self->state != FL_SERVER_INVITED || !child->reachable ||
        child->keyed || child->reason != FL_WHY_NONE) {
        return;
    }
    fl_message *message = fl_outbox_send(out, child->peer, FL_ROSTER);
    message->run = self->task.order.run;
    message->round = self->task.order.round;
    message->word.block = self->block.round.block;
    message->word.list = fl_bytes_of(nobody, sizeof nobody);
}

static void
s_tell_all(fl_secagg_server *self, fl_keep what, fl_outbox *out)
{
    self->told[what] = true;
    for (uint32_t i = 0; i < self->block.members; i++) {
        s_tell(self, i, what, out);
    }
}

// ---- who falls out, and the end ---------------------------------------------------------------
static void
s_note(const fl_secagg_server *self, uint32_t index, fl_note_id id, fl_reason reason, uint64_t a,
       fl_outbox *out)
{
    fl_outbox_note(out, (fl_note){ .id = id,
                                   .node = self->child[index].node,
                                   .round = self->task.order.round,
                                   .reason = reason,
                                   .a = a,
                                   .b = (uint64_t)self->state });
}

//  A member that will not, or may not: nobody waits for it.
static void
s_out(fl_secagg_server *self, uint32_t index, fl_reason reason, fl_outbox *out)
{
    fl_secagg_child *child = &self->child[index];
    if (child->reason == FL_WHY_NONE) {
        child->reason = reason;
        s_note(self, index, FL_NOTE_MASKING_OUT, reason, index, out);
    }
}

//  A child's part in the round ends; `note` says how it is told of.
static void
s_turn_away(fl_secagg_server *self, uint32_t index, fl_reason reason, fl_verb about,
            fl_note_id note, fl_outbox *out)
{
    fl_secagg_child *child = &self->child[index];
    child->reason = reason;
    s_note(self, index, note, reason, index, out);
    if (child->reachable) {
        fl_message *message = fl_outbox_send(out, child->peer, FL_REFUSED);
        message->run = self->task.order.run;
        message->round = self->task.order.round;
        message->refused.reason = reason;
        message->refused.about = about;
    }
}

//  It lied, and that is shown: its part ends, and it is left out of the next rounds.
static void
s_blame(fl_secagg_server *self, uint32_t index, fl_reason reason, fl_verb about, fl_outbox *out)
{
    self->child[index].blamed = true;
    s_turn_away(self, index, reason, about, FL_NOTE_MASKING_BLAMED, out);
}

//  Wipe what opens.
static void
s_forget(fl_secagg_server *self)
{
    fl_wipe(self->opening, FL_MEMBERS_MAX * sizeof *self->opening);
    fl_wipe(self->seeds, sizeof self->seeds);
    self->seed_count = 0;
    self->openers = 0;
}

void
fl_secagg_server_abort(fl_secagg_server *self, fl_reason reason, fl_outbox *out)
{
    FL_ASSERT(reason != FL_WHY_NONE);
    if (self->state == FL_SERVER_NO_ROUND || self->state >= FL_SERVER_DONE) {
        return;
    }
    s_forget(self);
    self->token = 0;
    self->step_by = FL_NEVER;
    memset(&self->result, 0, sizeof self->result);
    self->result.reason = reason;
    for (uint32_t i = 0; i < self->count; i++) { // who refuse an old round are not too few
        if (self->child[i].reason == FL_WHY_RESTORED) {
            self->result.reason = FL_WHY_RESTORED;
        }
    }
    s_enter(self, FL_SERVER_ABORTED, out);
}

// ---- dealings ---------------------------------------------------------------------------------
static size_t
s_dealing(uint32_t members)
{
    return sizeof(fl_hash) + FL_SIGN_BYTES +
           (size_t)members * (FL_DIGESTS_BYTES + FL_SEALED_SHARE_BYTES);
}

fl_secagg_dealing
fl_secagg_server_dealing(const fl_secagg_server *self, uint32_t index)
{
    uint32_t members = self->block.members;
    FL_ASSERT(index < members && self->dealt_fact != NULL);
    uint8_t *at = self->dealt_fact + FL_FACT_HEAD_BYTES + index * s_dealing(members);
    fl_secagg_dealing dealing = { .commitment = at };
    dealing.signature = dealing.commitment + sizeof(fl_hash);
    dealing.digests = dealing.signature + FL_SIGN_BYTES;
    dealing.sealed = dealing.digests + (size_t)members * FL_DIGESTS_BYTES;
    return dealing;
}

//  Room for the dealings of a block whose size is known. False when out of memory.
static bool
s_make_room(fl_secagg_server *self)
{
    uint32_t members = self->block.members;
    self->dealt_bytes = FL_FACT_HEAD_BYTES + members * s_dealing(members);
    self->dealt_fact = calloc(1, self->dealt_bytes);
    return self->dealt_fact != NULL;
}

//  What one dealer says to one member.
static void
s_part(const fl_secagg_server *self, const fl_secagg_tree *tree, uint32_t from, uint32_t to,
       uint8_t *part)
{
    fl_secagg_dealing dealing = fl_secagg_server_dealing(self, from);
    fl_writer out = fl_writer_over(part, FL_DEALT_BYTES);
    uint8_t path[FL_PATH_BYTES];
    fl_secagg_tree_path(tree, to, path);
    fl_write_from(&out, dealing.commitment, sizeof(fl_hash));
    fl_write_from(&out, dealing.digests + (size_t)to * FL_DIGESTS_BYTES, FL_DIGESTS_BYTES);
    fl_write_from(&out, path, sizeof path);
    fl_write_from(&out, dealing.signature, FL_SIGN_BYTES);
    fl_write_from(&out, dealing.sealed + (size_t)to * FL_SEALED_SHARE_BYTES, FL_SEALED_SHARE_BYTES);
    FL_ASSERT(!out.broken && fl_writer_size(&out) == FL_DEALT_BYTES);
}

//  What DEALT says to each, from the dealings. False when out of memory.
static bool
s_make_parts(fl_secagg_server *self)
{
    uint32_t members = self->block.members;
    size_t each = (size_t)(members - 1) * FL_DEALT_BYTES;
    self->parts = calloc(members, each);
    if (self->parts == NULL) {
        return false;
    }
    uint32_t before = 0; // dealers in front of this one
    FL_EACH_MEMBER (from, self->dealt) {
        fl_secagg_tree tree;
        fl_secagg_dealing dealing = fl_secagg_server_dealing(self, from);
        fl_secagg_tree_fill(&tree,
                            fl_bytes_of(dealing.digests, (size_t)members * FL_DIGESTS_BYTES));
        for (uint32_t to = 0; to < members; to++) {
            if (to == from) {
                continue;
            }
            bool skips = to < from && (self->dealt & fl_secagg_bit(to)) != 0;
            uint32_t place = before - (skips ? 1 : 0); // a member's own part is left out
            s_part(self, &tree, from, to, self->parts + to * each + (size_t)place * FL_DEALT_BYTES);
        }
        before++;
    }
    return true;
}

// ---- what is kept -----------------------------------------------------------------------------
//  What an aggregator must not say twice in two ways it keeps before it says it, and reads back
//  after a restart. A fact is a head that ties it to one task and block, and the list as it was
//  sent; DEALT is kept as what every member dealt, from which what each is told follows.

static void
s_head(const fl_secagg_server *self, fl_keep what, uint8_t head[FL_FACT_HEAD_BYTES])
{
    fl_writer out = fl_writer_over(head, FL_FACT_HEAD_BYTES);
    fl_write_u8(&out, (uint8_t)what);
    fl_write_u32(&out, self->block.round.block);
    fl_write_from(&out, self->task.order.run.bytes, sizeof self->task.order.run);
    fl_write_u64(&out, self->task.order.round);
    fl_write_from(&out, self->task_hash.bytes, sizeof self->task_hash);
    fl_write_u64(&out, s_set(self, what));
    FL_ASSERT(!out.broken && fl_writer_size(&out) == FL_FACT_HEAD_BYTES);
}

//  The signatures of a set, by ascending index.
static void
s_gather(uint64_t set, uint8_t from[FL_MEMBERS_MAX][FL_SIGN_BYTES], uint8_t *to)
{
    size_t size = 0;
    FL_EACH_MEMBER (i, set) {
        memcpy(to + size, from[i], FL_SIGN_BYTES);
        size += FL_SIGN_BYTES;
    }
}

static fl_bytes
s_fact(fl_secagg_server *self, fl_keep what)
{
    uint8_t *fact = s_paper(self, what);
    if (what == FL_KEEP_SURVIVORS) {
        s_gather(self->survivors, self->psig, fact + FL_FACT_HEAD_BYTES);
    } else if (what == FL_KEEP_ACKS) {
        s_gather(self->acked, self->asig, fact + FL_FACT_HEAD_BYTES);
    }
    s_head(self, what, fact);
    return fl_bytes_of(fact, FL_FACT_HEAD_BYTES + s_list(self, what).size);
}

//  Ask for a fact to be kept; the state goes on with the answer.
static void
s_keep(fl_secagg_server *self, fl_keep what, fl_outbox *out)
{
    FL_ASSERT(self->token == 0);
    self->keeping = what;
    fl_effect *effect = fl_outbox_ask(out, FL_FX_KEEP, &self->token);
    effect->keep.what = what;
    effect->keep.run = self->task.order.run;
    effect->keep.round = self->task.order.round;
    effect->keep.block = self->block_id;
    effect->keep.fact = s_fact(self, what);
}

//  The context, when the mask set is known; and the survivors' hash, when they are.
static void
s_bind(fl_secagg_server *self)
{
    fl_hash maskset = fl_transcript_set_hash(self->maskset, self->block.members);
    self->ctx = fl_transcript_ctx(&self->block.round, &self->task_hash, &maskset);
    if (self->fixed) {
        self->survivors_hash = fl_transcript_set_hash(self->survivors, self->block.members);
    }
}

// ---- the opening ------------------------------------------------------------------------------
//  From the shares of `threshold` survivors, the own mask of each survivor and the mask key of each
//  who was lost after masking. What they give is what stands on the sum, and no more.

//  Every secret of the opening is here.
static bool
s_complete(const fl_secagg_server *self)
{
    return self->openers >= self->threshold;
}

//  The shares of one secret, from the first `threshold` openers.
static void
s_shares_of(const fl_secagg_server *self, uint32_t index, fl_share shares[FL_MEMBERS_MAX])
{
    for (uint32_t k = 0; k < self->threshold; k++) {
        shares[k] = self->opening[k][index];
    }
}

static void
s_accuse(fl_secagg_server *self, uint32_t index, fl_transcript_kind kind, const fl_share *shares,
         fl_outbox *out)
{
    fl_secagg_dealing dealing = fl_secagg_server_dealing(self, index);
    fl_evidence evidence = {
        .round = self->block.round,
        .members = self->block.members,
        .dealer = index,
        .threshold = self->threshold,
        .kind = kind,
        .member = fl_bytes_of(self->child[index].member, FL_MEMBER_BYTES),
        .signature = fl_bytes_of(dealing.signature, FL_SIGN_BYTES),
        .digests = fl_bytes_of(dealing.digests, (size_t)self->block.members * FL_DIGESTS_BYTES),
    };
    memcpy(evidence.commitment.bytes, dealing.commitment, sizeof evidence.commitment);
    memcpy(evidence.holders, self->opener, self->threshold);
    memcpy(evidence.shares, shares, self->threshold * sizeof *shares);
    self->evidence = malloc(FL_EVIDENCE_BYTES_MAX);
    if (self->evidence != NULL) {
        size_t size = fl_evidence_encode(&evidence, self->evidence);
        fl_effect *effect = fl_outbox_add(out, FL_FX_KEEP);
        effect->keep.what = FL_KEEP_EVIDENCE;
        effect->keep.run = self->task.order.run;
        effect->keep.round = self->task.order.round;
        effect->keep.block = self->block_id;
        effect->keep.fact = fl_bytes_of(self->evidence, size);
    }
    fl_wipe(&evidence, sizeof evidence);
    s_blame(self, index, FL_WHY_DEALER_LIED, FL_SHARES, out);
    fl_secagg_server_abort(self, FL_WHY_DEALER_LIED, out);
}

//  The masks that a lost member and the survivors share.
static bool
s_seeds_of_lost(fl_secagg_server *self, uint32_t lost, const uint8_t msk[FL_TRANSCRIPT_KEY_BYTES])
{
    FL_EACH_MEMBER (i, self->survivors) {
        FL_ASSERT(self->seed_count < FL_SECAGG_SEEDS_MAX);
        if (!fl_transcript_mask_seed(&self->ctx, &self->block.seat[lost], msk, &self->block.seat[i],
                                     &self->seeds[self->seed_count++])) {
            return false;
        }
    }
    return true;
}

//  False: the block was aborted.
static bool
s_open_one(fl_secagg_server *self, uint32_t index, fl_transcript_kind kind, fl_outbox *out)
{
    fl_share shares[FL_MEMBERS_MAX];
    uint8_t secret[FL_SHARE_BYTES];
    fl_hash commitment;
    s_shares_of(self, index, shares);
    memcpy(commitment.bytes, fl_secagg_server_dealing(self, index).commitment, sizeof commitment);
    bool built = fl_share_rebuild(self->opener, shares, self->threshold, secret);
    FL_ASSERT(built); // openers differ
    bool kept = fl_secagg_secret_kept(kind, secret, &commitment, self->block.seat[index].mpk);
    if (!kept) {
        s_accuse(self, index, kind, shares, out);
    } else if (kind == FL_TRANSCRIPT_SELF) {
        fl_mask_seed *seed = &self->seeds[self->seed_count++];
        fl_transcript_self_seed(&self->ctx, secret, seed);
        seed->subtract = true;
    } else {
        kept = s_seeds_of_lost(self, index, secret);
        FL_ASSERT(kept); // every point of the roster is sound
    }
    fl_wipe(secret, sizeof secret);
    fl_wipe(shares, sizeof shares);
    return kept;
}

//  Rebuild the secrets and ask for the masks to be taken off; or abort.
static void
s_sum(fl_secagg_server *self, fl_outbox *out)
{
    self->seed_count = 0;
    FL_EACH_MEMBER (i, self->maskset) {
        bool lives = (self->survivors & fl_secagg_bit(i)) != 0;
        if (!s_open_one(self, i, lives ? FL_TRANSCRIPT_SELF : FL_TRANSCRIPT_PAIR, out)) {
            return;
        }
    }
    fl_effect *effect = fl_outbox_ask(out, FL_FX_UNMASK, &self->token);
    effect->unmask.block = self->block_id;
    effect->unmask.elements = self->task.order.elements;
    effect->unmask.element = fl_policy_element(&self->task.order.plan);
    effect->unmask.seeds = self->seeds;
    effect->unmask.seed_count = self->seed_count;
    fl_transcript_checksum_key(&self->ctx, effect->unmask.checksum_key);
    s_enter(self, FL_SERVER_SUMMING, out);
}

// ---- the sum ----------------------------------------------------------------------------------
//  How many of a set are devices.
static uint32_t
s_devices(const fl_secagg_server *self, uint64_t set)
{
    uint32_t devices = 0;
    FL_EACH_MEMBER (i, set) {
        devices += self->block.cert[i].role == FL_ROLE_DEVICE ? 1 : 0;
    }
    return devices;
}

//  What the plan lets a sum of so many contributions weigh. A device's class is public, an edge's
//  weight is what it sums up.
static fl_reason
s_judge_weight(const fl_secagg_server *self, const fl_secagg_sums *sums, bool alone)
{
    const fl_plan *plan = &self->task.order.plan;
    if (plan->weighting == FL_WEIGHTING_EQUAL) {
        return sums->weight == sums->count ? FL_WHY_NONE : FL_WHY_WEIGHT;
    }
    if (plan->weighting == FL_WEIGHTING_CLASSES && alone) {
        return sums->weight == fl_secagg_weight(&self->block, self->survivors) ? FL_WHY_NONE
                                                                               : FL_WHY_WEIGHT;
    }
    bool fits = sums->weight >= sums->count && sums->weight <= sums->count * plan->weight_max;
    return fits ? FL_WHY_NONE : FL_WHY_COUNT_MISMATCH;
}

//  What a sum must look like, whoever made it: a device counts once, an edge for what is behind it.
static fl_reason
s_judge_sums(const fl_secagg_server *self, const fl_secagg_sums *sums, const fl_event *event)
{
    const fl_plan *plan = &self->task.order.plan;
    uint64_t survivors = fl_set_count(self->survivors);
    if (sums->checksum != event->unmasked.checksum) {
        return FL_WHY_CHECKSUM;
    }
    bool alone = s_devices(self, self->survivors) == survivors;
    bool counted = sums->count >= survivors && sums->count <= plan->devices_max &&
                   (!alone || sums->count == survivors);
    fl_reason weighed = counted ? s_judge_weight(self, sums, alone) : FL_WHY_COUNT_MISMATCH;
    if (weighed != FL_WHY_NONE) {
        return weighed;
    }
    uint64_t limit = ((uint64_t)1 << (plan->bits - 1)) - 1; // of one unit of weight
    return event->unmasked.peak <= sums->weight * limit ? FL_WHY_NONE : FL_WHY_WEIGHT;
}

static void
on_unmasked(fl_secagg_server *self, const fl_event *event, fl_outbox *out)
{
    if (event->unmasked.reason != FL_WHY_NONE) {
        fl_secagg_server_abort(self, event->unmasked.reason, out);
        return;
    }
    fl_secagg_sums sums = { 0 };
    FL_EACH_MEMBER (i, self->survivors) {
        fl_secagg_header_add(&sums, self->header[i]);
    }
    fl_secagg_header_mask(&sums, self->seeds, self->seed_count);
    fl_reason reason = s_judge_sums(self, &sums, event);
    if (reason != FL_WHY_NONE) {
        fl_secagg_server_abort(self, reason, out);
        return;
    }
    s_forget(self);
    self->result.sums = sums;
    s_enter(self, FL_SERVER_DONE, out);
    fl_outbox_note(out, (fl_note){ .id = FL_NOTE_MASKING_ENDED,
                                   .round = self->task.order.round,
                                   .a = fl_set_count(self->survivors),
                                   .b = fl_set_count(self->maskset & ~self->survivors) });
}

// ---- leaving states ---------------------------------------------------------------------------
//  Too few of those in `set` have answered: it ends, and they are named.
static void
s_abort_few(fl_secagg_server *self, fl_reason reason, uint64_t set, uint64_t have, fl_outbox *out)
{
    FL_EACH_MEMBER (i, set & ~have) {
        if (!self->child[i].gone) {
            s_out(self, i, FL_WHY_LATE, out);
        }
    }
    fl_secagg_server_abort(self, reason, out);
}

static void
s_free_room(fl_secagg_server *self)
{
    free(self->dealt_fact);
    free(self->parts);
    free(self->evidence);
    self->dealt_fact = self->parts = self->evidence = NULL;
    self->dealt_bytes = 0;
}

//  So many members make a block of this plan.
static bool
s_enough(const fl_secagg_server *self, uint32_t members)
{
    const fl_plan *plan = &self->task.order.plan;
    uint32_t floor = fl_secagg_floor(plan->survivors_min, self->conf.hop);
    return members >= FL_SECAGG_MEMBERS_MIN &&
           members >= fl_secagg_floor(plan->members_min, self->conf.hop) &&
           members >= self->times.floor && members >= fl_secagg_quorum(members, floor);
}

//  R13: those of a set of children whose run of the pool is whole in it.
static uint64_t
s_whole(const fl_secagg_server *self, uint64_t set)
{
    fl_pool_run run[FL_MEMBERS_MAX];
    for (uint32_t i = 0; i < self->count; i++) {
        run[i] = self->child[i].run;
    }
    return fl_pool_whole(run, set);
}

//  Who may still be in a roster: also who is away, or has lost what it knew of the one before.
static uint32_t
s_eligible(const fl_secagg_server *self)
{
    uint64_t eligible = 0;
    for (uint32_t i = 0; i < self->count; i++) {
        fl_reason reason = self->child[i].reason;
        bool may = reason == FL_WHY_NONE || reason == FL_WHY_RESTART;
        eligible |= may ? fl_secagg_bit(i) : 0;
    }
    return fl_set_count(s_whole(self, eligible));
}

static void
s_number(fl_secagg_server *self, uint32_t number)
{
    self->number = (uint8_t)number;
    self->block.round.number = self->number;
    self->block.round.block = fl_secagg_block_of(self->block_id, self->number);
}

//  Those of `silent` who are there and did not answer, if the others are enough without them.
static uint64_t
s_late(const fl_secagg_server *self, uint64_t silent)
{
    FL_EACH_MEMBER (i, silent) {
        bool there = !self->child[i].gone && self->child[i].reason == FL_WHY_NONE;
        silent &= there ? UINT64_MAX : ~fl_secagg_bit(i);
    }
    return s_enough(self, s_eligible(self) - fl_set_count(silent)) ? silent : 0;
}

//  Nothing is masked yet: when too few are left of this roster, all begin again with keys for the
//  next one, if there is one left, and time for a step each of KEYS, SHARES and READY. False: not.
//  `silent` have missed a deadline.
static bool
s_begin_anew(fl_secagg_server *self, uint64_t silent, fl_time now, fl_outbox *out)
{
    enum { STEPS = 3 };
    fl_time left = self->times.ready_by - now;
    if (self->number + 1 >= FL_SECAGG_ROSTERS_MAX || !s_enough(self, s_eligible(self)) ||
        left < STEPS * (fl_time)self->task.order.plan.step_ms) {
        return false;
    }
    FL_EACH_MEMBER (i, s_late(self, silent)) {
        s_out(self, i, FL_WHY_LATE, out);
    }
    s_free_room(self);
    self->behind = false;
    s_number(self, self->number + 1);
    self->block.members = 0;
    self->dealt = self->heard_ready = 0;
    memset(self->ready, 0, sizeof self->ready);
    memset(self->told, 0, sizeof self->told);
    self->times.keys_by = now + left / STEPS;
    self->times.deal_by = now + left / STEPS * 2;
    s_enter(self, FL_SERVER_INVITED, out);
    for (uint32_t i = 0; i < self->count; i++) {
        fl_secagg_child *child = &self->child[i];
        child->keyed = false;
        child->reason = child->reason == FL_WHY_RESTART ? FL_WHY_NONE : child->reason;
        s_ask_keys(self, i, out);
    }
    return true;
}

//  Of `set` too few are left for a sum, whoever answers; or the members are at a later roster,
//  which we have forgotten.
static bool
s_hopeless(const fl_secagg_server *self, uint64_t set, uint64_t have)
{
    uint32_t left = 0;
    FL_EACH_MEMBER (i, set) {
        bool has = (have & fl_secagg_bit(i)) != 0;
        left += has || self->child[i].reason == FL_WHY_NONE ? 1 : 0;
    }
    return left < self->quorum || self->behind;
}

//  Nobody in `set` is still to come; `have`: those who answered.
static bool
s_all_answered(const fl_secagg_server *self, uint64_t set, uint64_t have)
{
    FL_EACH_MEMBER (i, set & ~have) {
        if (!self->child[i].gone && self->child[i].reason == FL_WHY_NONE) {
            return false;
        }
    }
    return true;
}

static void
s_fix_roster(fl_secagg_server *self)
{
    uint32_t members = 0;
    for (uint32_t i = 0; i < self->count; i++) { // those with keys to the front, in their order
        if (self->child[i].keyed) {
            fl_secagg_child keyed = self->child[i];
            memmove(&self->child[members + 1], &self->child[members], (i - members) * sizeof keyed);
            self->child[members++] = keyed;
        }
    }
    for (uint32_t i = 0; i < members; i++) {
        memcpy(self->roster_fact + FL_FACT_HEAD_BYTES + (size_t)i * FL_MEMBER_BYTES,
               self->child[i].member, FL_MEMBER_BYTES);
    }
}

static uint64_t
s_keyed(const fl_secagg_server *self)
{
    uint64_t keyed = 0;
    for (uint32_t i = 0; i < self->count; i++) {
        keyed |= self->child[i].keyed ? fl_secagg_bit(i) : 0;
    }
    return keyed;
}

//  The keys of a child are in no roster yet: they are not in this one any more.
static void
s_take_back(fl_secagg_server *self, uint32_t index)
{
    fl_secagg_block *block = &self->block;
    uint32_t at = 0;
    while (!fl_name_equal(&block->seat[at].node, &self->child[index].node)) {
        at++;
    }
    self->child[index].keyed = false;
    block->members--;
    block->cert[at] = block->cert[block->members];
    block->seat[at] = block->seat[block->members];
}

//  Who would see its own update in too large a part of the sum refuses the roster: the heaviest
//  stay out of it.
static void
s_leave_heavy_out(fl_secagg_server *self, fl_outbox *out)
{
    const fl_secagg_block *block = &self->block;
    for (;;) {
        uint32_t heaviest = 0, index = 0;
        for (uint32_t i = 1; i < block->members; i++) {
            heaviest = block->seat[i].class > block->seat[heaviest].class ? i : heaviest;
        }
        if (fl_secagg_hides(block, heaviest, fl_secagg_all(block->members),
                            FL_SECAGG_PART_ROSTER)) {
            return;
        }
        while (!fl_name_equal(&self->child[index].node, &block->seat[heaviest].node)) {
            index++;
        }
        s_take_back(self, index);
        s_turn_away(self, index, FL_WHY_WEIGHT, FL_KEYS, FL_NOTE_MASKING_OUT, out);
    }
}

//  INVITED -> ROSTERED
static bool
s_leave_invited(fl_secagg_server *self, fl_time now, fl_outbox *out)
{
    uint64_t keyed = s_keyed(self);
    if (!s_all_answered(self, fl_secagg_all(self->count), keyed) && now < self->times.keys_by) {
        return false;
    }
    s_leave_heavy_out(self, out);
    keyed = s_whole(self, s_keyed(self));
    const fl_plan *plan = &self->task.order.plan;
    uint32_t members = fl_set_count(keyed);
    self->threshold = fl_secagg_threshold(members);
    self->quorum = fl_secagg_quorum(members, fl_secagg_floor(plan->survivors_min, self->conf.hop));
    if (!s_enough(self, members)) {
        if (now < self->times.keys_by && s_enough(self, s_eligible(self))) {
            return false; // who is away may come back
        }
        s_abort_few(self, FL_WHY_ROSTER_TOO_SMALL, fl_secagg_all(self->count), s_keyed(self), out);
        return false;
    }
    FL_EACH_MEMBER (i, s_keyed(self) & ~keyed) {
        s_take_back(self, i);
        s_turn_away(self, i, FL_WHY_BROKEN_BATCH, FL_KEYS, FL_NOTE_MASKING_OUT, out);
    }
    s_fix_roster(self);
    fl_secagg_block_seal(&self->block, fl_bytes_of(self->roster_fact + FL_FACT_HEAD_BYTES,
                                                   (size_t)members * FL_MEMBER_BYTES));
    //  `block` was filled in the order in which KEYS came: line it up with the roster.
    fl_secagg_block block = self->block;
    for (uint32_t i = 0; i < members; i++) {
        for (uint32_t n = 0; n < members; n++) {
            if (fl_name_equal(&block.seat[n].node, &self->child[i].node)) {
                self->block.cert[i] = block.cert[n];
                self->block.seat[i] = block.seat[n];
                self->block.seat[i].index = i;
            }
        }
    }
    if (!s_make_room(self)) {
        fl_secagg_server_abort(self, FL_WHY_STORAGE, out);
        return false;
    }
    s_keep(self, FL_KEEP_ROSTER, out);
    s_enter(self, FL_SERVER_ROSTERED, out);
    return true;
}

//  ROSTERED -> DEALING
static bool
s_leave_rostered(fl_secagg_server *self, fl_time now, fl_outbox *out)
{
    if (s_hopeless(self, fl_secagg_all(self->block.members), self->dealt) &&
        s_begin_anew(self, 0, now, out)) {
        return true;
    }
    if (!s_all_answered(self, fl_secagg_all(self->block.members), self->dealt) &&
        now < self->times.deal_by) {
        return false;
    }
    if (fl_set_count(self->dealt) < self->quorum) {
        if (s_begin_anew(self, fl_secagg_all(self->block.members) & ~self->dealt, now, out)) {
            return true;
        }
        s_abort_few(self, FL_WHY_TOO_FEW_DEALT, fl_secagg_all(self->block.members), self->dealt,
                    out);
        return false;
    }
    s_keep(self, FL_KEEP_DEALT, out);
    s_enter(self, FL_SERVER_DEALING, out);
    return true;
}

//  DEALING -> WAITING_READY
static bool
s_leave_dealing(fl_secagg_server *self, fl_time now, fl_outbox *out)
{
    (void)now;
    if (!s_make_parts(self)) {
        fl_secagg_server_abort(self, FL_WHY_STORAGE, out);
        return false;
    }
    s_enter(self, FL_SERVER_WAITING_READY, out);
    return true;
}

//  The mask set, without those whose upload cannot come: as long as somebody in it lacks a good
//  share of somebody else in it, the one with the most such gaps, on either side, goes.
static uint64_t
s_choose_maskset(const fl_secagg_server *self)
{
    uint64_t set = self->heard_ready & self->dealt;
    for (uint32_t i = 0; i < self->block.members; i++) {
        set &= self->child[i].reason == FL_WHY_NONE ? UINT64_MAX : ~fl_secagg_bit(i);
    }
    for (;;) {
        uint32_t worst = 0, most = 0;
        FL_EACH_MEMBER (i, set) {
            uint32_t gaps = fl_set_count(set & ~self->ready[i]);
            FL_EACH_MEMBER (n, set) {
                gaps += (self->ready[n] & fl_secagg_bit(i)) == 0 ? 1 : 0;
            }
            worst = gaps > most ? i : worst;
            most = gaps > most ? gaps : most;
        }
        if (most == 0) {
            return s_whole(self, set);
        }
        set &= ~fl_secagg_bit(worst);
    }
}

//  WAITING_READY -> COLLECTING
static bool
s_leave_waiting(fl_secagg_server *self, fl_time now, fl_outbox *out)
{
    if (s_hopeless(self, self->dealt, 0) && s_begin_anew(self, 0, now, out)) {
        return true;
    }
    if (!s_all_answered(self, self->dealt, self->heard_ready) && now < self->times.ready_by) {
        return false;
    }
    uint64_t set = s_choose_maskset(self);
    if (fl_set_count(set) < self->quorum) {
        if (s_begin_anew(self, self->dealt & ~self->heard_ready, now, out)) {
            return true;
        }
        s_abort_few(self, FL_WHY_TOO_FEW_READY, self->dealt, self->heard_ready, out);
        return false;
    }
    self->maskset = set;
    s_bind(self);
    s_keep(self, FL_KEEP_MASKSET, out);
    s_enter(self, FL_SERVER_COLLECTING, out);
    return true;
}

//  COLLECTING -> ACKING, under the profile honest OPENING
static bool
s_leave_collecting(fl_secagg_server *self, fl_time now, fl_outbox *out)
{
    if (!s_all_answered(self, self->maskset, self->uploaded) && now < self->times.upload_by) {
        return false;
    }
    //  What was uploaded is in the sum already: a part of a run spoils it.
    if (fl_set_count(self->uploaded) < self->quorum ||
        s_whole(self, self->uploaded) != self->uploaded) {
        s_abort_few(self, FL_WHY_TOO_FEW_UPLOADS, self->maskset, self->uploaded, out);
        return false;
    }
    self->survivors = self->uploaded;
    self->fixed = true;
    s_bind(self);
    s_keep(self, FL_KEEP_SURVIVORS, out);
    self->step_by = now + self->task.order.plan.step_ms;
    bool honest = s_profile(self) == FL_MASKING_HONEST;
    s_enter(self, honest ? FL_SERVER_OPENING : FL_SERVER_ACKING, out);
    return true;
}

//  ACKING -> OPENING
static bool
s_leave_acking(fl_secagg_server *self, fl_time now, fl_outbox *out)
{
    if (!s_all_answered(self, self->survivors, self->acked) && now < self->step_by) {
        return false;
    }
    if (fl_set_count(self->acked) < self->threshold) {
        fl_secagg_server_abort(self, FL_WHY_TOO_FEW_ACKS, out);
        return false;
    }
    s_keep(self, FL_KEEP_ACKS, out);
    self->step_by = now + self->task.order.plan.step_ms;
    if (self->resumed && self->step_by < self->times.upload_by) {
        self->step_by = self->times.upload_by;
    }
    s_enter(self, FL_SERVER_OPENING, out);
    return true;
}

//  OPENING -> SUMMING. Nothing is gained by waiting for more shares than rebuild.
static bool
s_leave_opening(fl_secagg_server *self, fl_time now, fl_outbox *out)
{
    bool whole = (self->survivors & ~self->uploaded) == 0; // uploads come again after a restart
    if (s_complete(self) && whole) {
        s_sum(self, out);
        return false;
    }
    uint64_t have = self->opened & (whole ? UINT64_MAX : self->uploaded);
    if (!s_all_answered(self, self->survivors, have) && now < self->step_by) {
        return false;
    }
    fl_secagg_server_abort(self, whole ? FL_WHY_TOO_FEW_SHARES : FL_WHY_RESTART, out);
    return false;
}

static bool
s_leave(fl_secagg_server *self, fl_time now, fl_outbox *out)
{
    static bool (*const leave[FL_SERVER_STATES])(fl_secagg_server *, fl_time, fl_outbox *) = {
        [FL_SERVER_INVITED] = s_leave_invited,       [FL_SERVER_ROSTERED] = s_leave_rostered,
        [FL_SERVER_DEALING] = s_leave_dealing,       [FL_SERVER_WAITING_READY] = s_leave_waiting,
        [FL_SERVER_COLLECTING] = s_leave_collecting, [FL_SERVER_ACKING] = s_leave_acking,
        [FL_SERVER_OPENING] = s_leave_opening,
    };
    return leave[self->state] != NULL && leave[self->state](self, now, out);
}

//  Leave states as long as there is reason to.
static void
s_advance(fl_secagg_server *self, fl_time now, fl_outbox *out)
{
    while (self->token == 0 && s_leave(self, now, out)) {
    }
}

static void
on_saved(fl_secagg_server *self, const fl_event *event, fl_time now, fl_outbox *out)
{
    if (!event->saved.ok) {
        fl_secagg_server_abort(self, FL_WHY_STORAGE, out);
        return;
    }
    if (self->keeping == FL_KEEP_DEALT) {
        s_advance(self, now, out); // DEALING is left with the parts made
        if (self->state != FL_SERVER_WAITING_READY) {
            return;
        }
    }
    s_tell_all(self, self->keeping, out);
    s_advance(self, now, out);
}

// ---- coming back ------------------------------------------------------------------------------
//  The list behind the head of a fact that is of this task and block; false otherwise.
static bool
s_read_head(const fl_secagg_server *self, fl_bytes fact, fl_keep *what, uint64_t *set,
            fl_bytes *list)
{
    uint8_t ours[FL_FACT_HEAD_BYTES];
    if (fact.size < sizeof ours || fact.data[0] >= FL_KEEP_COUNT) {
        return false;
    }
    *what = (fl_keep)fact.data[0];
    s_head(self, *what, ours);
    fl_reader in = fl_reader_of(fl_bytes_of(fact.data + sizeof ours - 8, 8));
    *set = fl_read_u64(&in);
    *list = fl_bytes_of(fact.data + sizeof ours, fact.size - sizeof ours);
    return memcmp(ours, fact.data, sizeof ours - 8) == 0;
}

//  Children in the order of the roster; members whom nobody invited again are added.
static bool
s_seat_again(fl_secagg_server *self)
{
    for (uint32_t i = 0; i < self->block.members; i++) {
        const fl_name *node = &self->block.seat[i].node;
        uint32_t at = i;
        while (at < self->count && !fl_name_equal(&self->child[at].node, node)) {
            at++;
        }
        if (at == self->count) {
            if (self->count == FL_MEMBERS_MAX) {
                return false;
            }
            self->child[self->count++] =
                (fl_secagg_child){ .node = *node, .seat = FL_SECAGG_NO_SEAT };
        }
        fl_secagg_child child = self->child[at];
        self->child[at] = self->child[i];
        child.keyed = true;
        memcpy(child.member, self->roster_fact + FL_FACT_HEAD_BYTES + (size_t)i * FL_MEMBER_BYTES,
               FL_MEMBER_BYTES);
        self->child[i] = child;
    }
    return true;
}

static bool
s_resume_roster(fl_secagg_server *self, fl_bytes list, uint64_t now_s)
{
    if (list.size == 0 || list.size % FL_MEMBER_BYTES != 0 ||
        list.size / FL_MEMBER_BYTES > FL_MEMBERS_MAX) {
        return false;
    }
    memcpy(self->roster_fact + FL_FACT_HEAD_BYTES, list.data, list.size);
    self->block.members = 0;
    for (size_t at = 0; at < list.size; at += FL_MEMBER_BYTES) {
        fl_bytes member = fl_bytes_of(list.data + at, FL_MEMBER_BYTES);
        if (fl_secagg_block_add(&self->block, member, &self->conf.trust, now_s) != FL_WHY_NONE) {
            return false; // somebody was revoked, or ran out, meanwhile
        }
    }
    fl_secagg_block_seal(&self->block, list);
    const fl_plan *plan = &self->task.order.plan;
    uint32_t members = self->block.members;
    self->threshold = fl_secagg_threshold(members);
    self->quorum = fl_secagg_quorum(members, fl_secagg_floor(plan->survivors_min, self->conf.hop));
    return s_seat_again(self) && s_make_room(self);
}

static bool
s_scatter(uint64_t set, fl_bytes list, uint8_t to[FL_MEMBERS_MAX][FL_SIGN_BYTES])
{
    if (list.size != (size_t)fl_set_count(set) * FL_SIGN_BYTES) {
        return false;
    }
    const uint8_t *at = list.data;
    FL_EACH_MEMBER (i, set) {
        memcpy(to[i], at, FL_SIGN_BYTES);
        at += FL_SIGN_BYTES;
    }
    return true;
}

static bool
s_resume_dealt(fl_secagg_server *self, uint64_t set, fl_bytes list)
{
    if (list.size + FL_FACT_HEAD_BYTES != self->dealt_bytes) {
        return false;
    }
    memcpy(self->dealt_fact + FL_FACT_HEAD_BYTES, list.data, list.size);
    self->dealt = set;
    return s_make_parts(self);
}

static bool
s_resume_one(fl_secagg_server *self, fl_keep what, uint64_t set, fl_bytes list, uint64_t now_s)
{
    static const fl_secagg_state states[FL_KEEP_COUNT] = {
        [FL_KEEP_ROSTER] = FL_SERVER_ROSTERED,    [FL_KEEP_DEALT] = FL_SERVER_WAITING_READY,
        [FL_KEEP_MASKSET] = FL_SERVER_COLLECTING, [FL_KEEP_SURVIVORS] = FL_SERVER_ACKING,
        [FL_KEEP_ACKS] = FL_SERVER_OPENING,
    };
    bool honest = s_profile(self) == FL_MASKING_HONEST;
    bool within = what == FL_KEEP_ROSTER || fl_set_within(set, self->block.members);
    bool fine = within;
    if (what == FL_KEEP_ROSTER) {
        fine = s_resume_roster(self, list, now_s);
    } else if (what == FL_KEEP_DEALT) {
        fine = within && s_resume_dealt(self, set, list);
    } else if (what == FL_KEEP_MASKSET) {
        self->maskset = set;
    } else if (what == FL_KEEP_SURVIVORS) {
        self->survivors = set;
        self->fixed = true;
        fine = within && s_scatter(set, list, self->psig);
        (void)s_fact(self, what);
    } else {
        self->acked = set;
        fine = within && s_scatter(set, list, self->asig);
        (void)s_fact(self, what);
    }
    self->state = honest && what == FL_KEEP_SURVIVORS ? FL_SERVER_OPENING : states[what];
    self->told[what] = true;
    return fine;
}

// ---- what members say -------------------------------------------------------------------------
//  A first content is taken, the same again is answered with what the member seems to have missed,
//  another one is refused: a member has one word per step.

//  A key that is sound, and somebody's already: one of the two copied it, and which is not shown.
static bool
s_copied(const fl_block_keys *keys)
{
    return fl_transcript_point_sound(keys->epk) && fl_transcript_point_sound(keys->mpk) &&
           memcmp(keys->epk, keys->mpk, sizeof keys->epk) != 0;
}

static fl_reason
on_keys(fl_secagg_server *self, uint32_t index, const fl_event *event, fl_outbox *out)
{
    const fl_block_keys *keys = &event->message.message->keys;
    fl_secagg_child *child = &self->child[index];
    uint8_t member[FL_MEMBER_BYTES];
    fl_writer line = fl_writer_over(member, sizeof member);
    fl_write_from(&line, keys->certificate.data, keys->certificate.size);
    fl_write_from(&line, keys->epk, sizeof keys->epk);
    fl_write_from(&line, keys->mpk, sizeof keys->mpk);
    fl_write_from(&line, keys->signature, sizeof keys->signature);
    fl_write_u8(&line, keys->class);
    fl_write_u8(&line, keys->roster);
    if (line.broken || fl_writer_size(&line) != sizeof member) {
        return FL_WHY_MALFORMED;
    }
    if (keys->roster != self->number) {
        self->behind = self->resumed && keys->roster > self->number;
        s_ask_keys(self, index, out);
        return FL_WHY_NONE;
    }
    if (child->keyed) {
        if (memcmp(child->member, member, sizeof member) != 0) {
            return FL_WHY_DUPLICATE;
        }
        if (self->state > FL_SERVER_INVITED && index < self->block.members) {
            s_tell(self, index, FL_KEEP_ROSTER, out);
        }
        return FL_WHY_NONE;
    }
    if (self->state != FL_SERVER_INVITED || child->reason != FL_WHY_NONE) {
        return FL_WHY_LATE;
    }
    fl_reason reason = fl_secagg_block_add(&self->block, fl_bytes_of(member, sizeof member),
                                           &self->conf.trust, event->wall_s);
    if (reason == FL_WHY_NONE &&
        !fl_name_equal(&self->block.seat[self->block.members - 1].node, &child->node)) {
        self->block.members--; // somebody else's
        reason = FL_WHY_CERTIFICATE;
    }
    bool clock = reason == FL_WHY_EXPIRED || reason == FL_WHY_CLOCK; // maybe ours: no lie
    if (clock || (reason == FL_WHY_KEY && s_copied(keys)) || reason == FL_WHY_WEIGHT) {
        s_turn_away(self, index, reason, FL_KEYS, FL_NOTE_MASKING_OUT, out);
        return FL_WHY_NONE;
    }
    if (reason != FL_WHY_NONE) {
        s_blame(self, index, reason, FL_KEYS, out);
        return FL_WHY_NONE;
    }
    memcpy(child->member, member, sizeof member);
    child->keyed = true;
    return FL_WHY_NONE;
}

static bool
s_dealing_holds(const fl_secagg_server *self, uint32_t index, const fl_block_shares *shares)
{
    static const uint8_t nothing[FL_SEALED_SHARE_BYTES];
    const fl_secagg_block *block = &self->block;
    if (memcmp(shares->sealed.data + (size_t)index * sizeof nothing, nothing, sizeof nothing) !=
        0) {
        return false;
    }
    fl_secagg_tree tree;
    uint8_t part[FL_SECAGG_PUBLIC_BYTES];
    fl_secagg_tree_fill(&tree, shares->digests);
    fl_secagg_public_part(&shares->commitment, &tree.node[1], part);
    return fl_transcript_dealt_holds(block->cert[index].keys.ed, &block->round, index,
                                     fl_bytes_of(part, sizeof part), shares->signature);
}

static fl_reason
on_shares(fl_secagg_server *self, uint32_t index, const fl_event *event, fl_outbox *out)
{
    const fl_block_shares *shares = &event->message.message->shares;
    size_t members = self->block.members;
    if (self->state < FL_SERVER_ROSTERED || index >= members || !self->told[FL_KEEP_ROSTER] ||
        shares->block != self->block.round.block) {
        return FL_WHY_UNKNOWN_ROUND;
    }
    if (shares->index != index || shares->digests.size != members * FL_DIGESTS_BYTES) {
        return FL_WHY_MALFORMED;
    }
    fl_secagg_dealing dealing = fl_secagg_server_dealing(self, index);
    if ((self->dealt & fl_secagg_bit(index)) != 0) {
        if (memcmp(dealing.signature, shares->signature, FL_SIGN_BYTES) != 0 ||
            memcmp(dealing.sealed, shares->sealed.data, shares->sealed.size) != 0) {
            return FL_WHY_DUPLICATE;
        }
        s_tell(self, index, FL_KEEP_DEALT, out);
        return FL_WHY_NONE;
    }
    if (self->state != FL_SERVER_ROSTERED || self->child[index].reason != FL_WHY_NONE) {
        return FL_WHY_LATE;
    }
    if (!s_dealing_holds(self, index, shares)) {
        s_blame(self, index, FL_WHY_SIGNATURE, FL_SHARES, out);
        return FL_WHY_NONE;
    }
    memcpy(dealing.commitment, shares->commitment.bytes, sizeof shares->commitment);
    memcpy(dealing.signature, shares->signature, FL_SIGN_BYTES);
    memcpy(dealing.digests, shares->digests.data, shares->digests.size);
    memcpy(dealing.sealed, shares->sealed.data, shares->sealed.size);
    self->dealt |= fl_secagg_bit(index);
    return FL_WHY_NONE;
}

static fl_reason
on_ready(fl_secagg_server *self, uint32_t index, const fl_event *event, fl_outbox *out)
{
    const fl_block_word *ready = &event->message.message->ready;
    uint64_t bit = fl_secagg_bit(index);
    if (!self->told[FL_KEEP_DEALT] || (self->dealt & bit) == 0 ||
        ready->block != self->block.round.block) {
        return FL_WHY_UNKNOWN_ROUND;
    }
    if (!fl_set_within(ready->set, self->block.members) || (ready->set & ~self->dealt) != 0 ||
        (ready->set & bit) == 0) {
        return FL_WHY_MALFORMED;
    }
    if ((self->heard_ready & bit) != 0 && self->ready[index] != ready->set) {
        return FL_WHY_DUPLICATE;
    }
    if (self->state >= FL_SERVER_COLLECTING) { // it asks for news
        s_tell(self, index, FL_KEEP_MASKSET, out);
        s_tell(self, index, FL_KEEP_SURVIVORS, out);
        return FL_WHY_NONE;
    }
    if (self->child[index].reason != FL_WHY_NONE) {
        return FL_WHY_LATE;
    }
    self->ready[index] = ready->set;
    self->heard_ready |= bit;
    return FL_WHY_NONE;
}

static fl_reason
on_ack(fl_secagg_server *self, uint32_t index, const fl_event *event, fl_outbox *out)
{
    const fl_block_ack *ack = &event->message.message->ack;
    uint64_t bit = fl_secagg_bit(index);
    if (!self->told[FL_KEEP_SURVIVORS] || (self->survivors & bit) == 0 ||
        ack->block != self->block.round.block || s_profile(self) != FL_MASKING_MALICIOUS) {
        return FL_WHY_UNKNOWN_ROUND;
    }
    if (self->told[FL_KEEP_ACKS]) {
        s_tell(self, index, FL_KEEP_ACKS, out);
        return FL_WHY_NONE;
    }
    if (self->state != FL_SERVER_ACKING || (self->acked & bit) != 0 ||
        self->child[index].reason != FL_WHY_NONE) {
        return FL_WHY_NONE; // ACKS are being kept; or it is waited for others, and for this one no
                            // more
    }
    if (!fl_transcript_asig_holds(self->block.cert[index].keys.ed, &self->ctx,
                                  &self->survivors_hash, index, ack->signature)) {
        s_blame(self, index, FL_WHY_SIGNATURE, FL_ACK, out);
        return FL_WHY_NONE;
    }
    memcpy(self->asig[index], ack->signature, FL_SIGN_BYTES);
    self->acked |= bit;
    return FL_WHY_NONE;
}

//  Every share is the one that its dealer signed for this holder.
static bool
s_shares_match(const fl_secagg_server *self, uint32_t holder, const fl_block_unmask *unmask)
{
    const uint8_t *at = unmask->shares.data;
    FL_EACH_MEMBER (i, unmask->self | unmask->pair) {
        bool self_kind = (unmask->self & fl_secagg_bit(i)) != 0;
        fl_share share;
        memcpy(share.bytes, at, sizeof share);
        at += sizeof share;
        fl_hash digest =
            fl_transcript_digest(&self->block.round, i, holder,
                                 self_kind ? FL_TRANSCRIPT_SELF : FL_TRANSCRIPT_PAIR, &share);
        fl_wipe(&share, sizeof share);
        const uint8_t *said = fl_secagg_server_dealing(self, i).digests +
                              (size_t)holder * FL_DIGESTS_BYTES + (self_kind ? 0 : sizeof digest);
        if (memcmp(digest.bytes, said, sizeof digest) != 0) {
            return false;
        }
    }
    return true;
}

static fl_reason
on_unmask(fl_secagg_server *self, uint32_t index, const fl_event *event, fl_outbox *out)
{
    const fl_block_unmask *unmask = &event->message.message->unmask;
    uint64_t bit = fl_secagg_bit(index);
    bool malicious = s_profile(self) == FL_MASKING_MALICIOUS;
    bool ours = unmask->block == self->block.round.block && (self->survivors & bit) != 0;
    if (self->state == FL_SERVER_SUMMING && ours) {
        return FL_WHY_NONE; // more shares than it takes
    }
    if (self->state != FL_SERVER_OPENING || !ours ||
        !self->told[malicious ? FL_KEEP_ACKS : FL_KEEP_SURVIVORS]) {
        return FL_WHY_UNKNOWN_ROUND;
    }
    if ((self->opened & bit) != 0 || self->child[index].reason != FL_WHY_NONE) {
        return FL_WHY_NONE;
    }
    if (unmask->self != self->survivors || unmask->pair != (self->maskset & ~self->survivors)) {
        return FL_WHY_MALFORMED;
    }
    if (!s_shares_match(self, index, unmask)) {
        s_blame(self, index, FL_WHY_HASH, FL_UNMASK, out);
        return FL_WHY_NONE;
    }
    const uint8_t *at = unmask->shares.data;
    FL_EACH_MEMBER (i, self->maskset) { // self and pair together
        memcpy(self->opening[self->openers][i].bytes, at, FL_SHARE_BYTES);
        at += FL_SHARE_BYTES;
    }
    self->opener[self->openers++] = (uint8_t)index;
    self->opened |= bit;
    return FL_WHY_NONE;
}

static fl_reason
on_refused(fl_secagg_server *self, uint32_t index, const fl_event *event, fl_outbox *out)
{
    const fl_refused *said = &event->message.message->refused;
    //  We give one task in a round: a child that had another one remembers more than we do.
    bool past = said->reason == FL_WHY_EQUIVOCATION && said->about == FL_TASK;
    s_out(self, index, past ? FL_WHY_RESTORED : said->reason, out);
    return FL_WHY_NONE;
}

//  Answers why a message is dropped; FL_WHY_NONE: it was taken, or answered.
typedef fl_reason (*handler)(fl_secagg_server *self, uint32_t index, const fl_event *event,
                             fl_outbox *out);

static const handler handlers[FL_VERB_COUNT] = {
    [FL_KEYS] = on_keys, [FL_SHARES] = on_shares, [FL_READY] = on_ready,
    [FL_ACK] = on_ack,   [FL_UNMASK] = on_unmask, [FL_REFUSED] = on_refused,
};

// ---- uploads ----------------------------------------------------------------------------------
//  Whose uploads are taken: of the mask set; once the survivors are said, of them alone.
static uint64_t
s_wanted(const fl_secagg_server *self)
{
    if (self->state == FL_SERVER_COLLECTING) {
        return self->told[FL_KEEP_MASKSET] ? self->maskset : 0;
    }
    bool opening = self->state == FL_SERVER_ACKING || self->state == FL_SERVER_OPENING;
    return opening ? self->survivors : 0;
}

bool
fl_secagg_server_wants(const fl_secagg_server *self, uint32_t seat)
{
    uint32_t index = s_index(self, seat);
    return index < self->block.members && self->told[FL_KEEP_MASKSET] &&
           (s_wanted(self) & ~self->uploaded & fl_secagg_bit(index)) != 0 &&
           !self->child[index].blamed;
}

uint32_t
fl_secagg_server_awaits(const fl_secagg_server *self)
{
    uint64_t set = self->told[FL_KEEP_MASKSET] ? s_wanted(self) & ~self->uploaded : 0;
    for (uint32_t i = 0; i < self->block.members; i++) {
        set &= self->child[i].blamed ? ~fl_secagg_bit(i) : UINT64_MAX;
    }
    return fl_set_count(set);
}

fl_reason
fl_secagg_server_contrib(fl_secagg_server *self, uint32_t seat, const fl_contrib *contrib,
                         fl_outbox *out)
{
    uint32_t index = s_index(self, seat);
    const fl_secagg_child *child = &self->child[index];
    if (index == self->count || !s_running(self) || !self->told[FL_KEEP_MASKSET]) {
        return FL_WHY_UNKNOWN_ROUND;
    }
    if (child->blamed) {
        return child->reason;
    }
    uint64_t bit = fl_secagg_bit(index);
    if ((s_wanted(self) & bit) == 0 || index >= self->block.members) {
        return FL_WHY_LATE;
    }
    if ((self->uploaded & bit) != 0) {
        return FL_WHY_NONE; // counted; the aggregator knows whether it is the same
    }
    if (contrib->header.size != FL_MASKED_HEADER_BYTES) {
        return FL_WHY_MALFORMED;
    }
    if (s_profile(self) == FL_MASKING_MALICIOUS) {
        if (contrib->psig.size != FL_SIGN_BYTES ||
            !fl_transcript_psig_holds(self->block.cert[index].keys.ed, &self->ctx, index,
                                      contrib->psig.data)) {
            s_blame(self, index, FL_WHY_SIGNATURE, FL_CONTRIB, out);
            return FL_WHY_SIGNATURE;
        }
        memcpy(self->psig[index], contrib->psig.data, FL_SIGN_BYTES);
    }
    memcpy(self->header[index], contrib->header.data, FL_MASKED_HEADER_BYTES);
    self->announced |= bit;
    return FL_WHY_NONE;
}

bool
fl_secagg_server_uploaded(fl_secagg_server *self, uint32_t seat, fl_time now, fl_outbox *out)
{
    uint32_t index = s_index(self, seat);
    if (!fl_secagg_server_wants(self, seat) || (self->announced & fl_secagg_bit(index)) == 0) {
        return false;
    }
    self->uploaded |= fl_secagg_bit(index);
    s_advance(self, now, out);
    return true;
}

// ---- the doors --------------------------------------------------------------------------------
fl_secagg_server *
fl_secagg_server_new(const fl_secagg_server_conf *conf)
{
    fl_secagg_server *self = calloc(1, sizeof *self);
    if (self != NULL) {
        FL_ASSERT(conf->hop >= 1);
        self->conf = *conf;
        self->opening = calloc(FL_MEMBERS_MAX, sizeof *self->opening);
        if (self->opening == NULL) {
            fl_secagg_server_destroy(&self);
        }
    }
    return self;
}

void
fl_secagg_server_destroy(fl_secagg_server **self_p)
{
    fl_secagg_server *self = *self_p;
    *self_p = NULL;
    if (self != NULL) {
        if (self->opening != NULL) {
            s_forget(self);
        }
        s_free_room(self);
        free(self->opening);
        free(self);
    }
}

void
fl_secagg_server_open(fl_secagg_server *self, uint32_t block, const fl_task *task,
                      const fl_secagg_invite *invites, uint32_t count, const fl_secagg_times *times,
                      fl_time now, fl_outbox *out)
{
    FL_ASSERT(count >= 1 && count <= FL_MEMBERS_MAX && block < FL_BLOCKS_MAX);
    FL_ASSERT(fl_plan_masking(&task->order.plan, self->conf.hop) != FL_MASKING_NONE);
    s_free_room(self);
    s_forget(self);
    fl_secagg_server_conf conf = self->conf;
    fl_share(*opening)[FL_MEMBERS_MAX] = self->opening;
    memset(self, 0, sizeof *self);
    self->conf = conf;
    self->opening = opening;
    self->block_id = block;
    self->task = *task;
    self->task_hash = fl_secagg_task_hash(task);
    self->times = *times;
    self->step_by = FL_NEVER;
    self->count = count;
    for (uint32_t i = 0; i < count; i++) {
        self->child[i].node = invites[i].node;
        self->child[i].seat = invites[i].seat;
        self->child[i].peer = invites[i].peer;
        self->child[i].run = invites[i].run;
        self->child[i].reachable = invites[i].seat != FL_SECAGG_NO_SEAT;
    }
    self->block.round = (fl_transcript_round){ .run = task->order.run,
                                               .hop = conf.hop,
                                               .edge = conf.node,
                                               .block = block,
                                               .round = task->order.round };
    self->block.plan = &self->task.order.plan;
    self->state = FL_SERVER_INVITED;
    s_advance(self, now, out);
}

bool
fl_secagg_server_resume(fl_secagg_server *self, const fl_bytes *facts, uint32_t count,
                        uint64_t now_s, fl_time now, fl_outbox *out)
{
    FL_ASSERT(self->state == FL_SERVER_INVITED);
    fl_secagg_fact head = { 0 };
    self->resumed = true;
    if (count > 0 && fl_secagg_fact_read(facts[0], &head)) {
        s_number(self, head.number);
    }
    for (uint32_t i = 0; i < count; i++) {
        fl_keep what;
        uint64_t set;
        fl_bytes list;
        if (i > 0 && fl_secagg_fact_read(facts[i], &head) && head.number < self->number) {
            break; // it and those behind it are of a roster before this one
        }
        if (!s_read_head(self, facts[i], &what, &set, &list) ||
            (uint32_t)what != (uint32_t)FL_KEEP_ROSTER + i || what > FL_KEEP_ACKS ||
            !s_resume_one(self, what, set, list, now_s)) {
            fl_secagg_server_abort(self, FL_WHY_RESTART, out);
            return false;
        }
    }
    if (self->state >= FL_SERVER_COLLECTING) {
        s_bind(self);
    }
    fl_time step = now + self->task.order.plan.step_ms;
    self->step_by = step > self->times.upload_by ? step : self->times.upload_by;
    for (int what = FL_KEEP_ROSTER; what <= FL_KEEP_ACKS; what++) {
        for (uint32_t i = 0; i < self->block.members; i++) {
            s_tell(self, i, (fl_keep)what, out);
        }
    }
    s_advance(self, now, out);
    return true;
}

bool
fl_secagg_server_adopt(fl_secagg_server *self, const fl_name *node, uint32_t seat, fl_peer peer)
{
    for (uint32_t i = 0; i < self->count; i++) {
        fl_secagg_child *child = &self->child[i];
        if (fl_name_equal(&child->node, node)) {
            child->seat = seat;
            child->peer = peer;
            child->reachable = true;
            return true;
        }
    }
    return false;
}

void
fl_secagg_server_hear(fl_secagg_server *self, uint32_t seat, const fl_event *event, fl_time now,
                      fl_outbox *out)
{
    const fl_message *message = event->message.message;
    uint32_t index = s_index(self, seat);
    fl_secagg_child *child = &self->child[index];
    if (index == self->count || !s_running(self) || message->round != self->task.order.round ||
        !fl_run_equal(&message->run, &self->task.order.run)) {
        return; // nobody of this block
    }
    child->peer = event->message.from;
    child->reachable = true;
    child->gone = false;
    handler on = handlers[message->verb];
    fl_reason reason = on == NULL ? FL_WHY_NONE : on(self, index, event, out);
    if (reason != FL_WHY_NONE) {
        s_note(self, index, FL_NOTE_MASKING_REFUSED, reason, (uint64_t)message->verb, out);
    }
    s_advance(self, now, out);
}

void
fl_secagg_server_joined(fl_secagg_server *self, uint32_t seat, fl_peer peer, fl_time now,
                        fl_outbox *out)
{
    uint32_t index = s_index(self, seat);
    fl_secagg_child *child = &self->child[index];
    if (index == self->count || !s_running(self)) {
        return;
    }
    child->peer = peer;
    child->reachable = true;
    child->gone = false;
    s_ask_keys(self, index, out);
    for (int what = FL_KEEP_ROSTER; what <= FL_KEEP_ACKS && index < self->block.members; what++) {
        s_tell(self, index, (fl_keep)what, out);
    }
    s_advance(self, now, out);
}

void
fl_secagg_server_gone(fl_secagg_server *self, uint32_t seat)
{
    uint32_t index = s_index(self, seat);
    if (index < self->count) {
        self->child[index].gone = true;
    }
}

void
fl_secagg_server_drop(fl_secagg_server *self, uint32_t seat, fl_reason reason, fl_outbox *out)
{
    uint32_t index = s_index(self, seat);
    if (index < self->count && s_running(self)) {
        s_out(self, index, reason, out);
    }
}

void
fl_secagg_server_restarted(fl_secagg_server *self, uint32_t seat, fl_time now, fl_outbox *out)
{
    uint32_t index = s_index(self, seat);
    if (index == self->count || !s_running(self)) {
        return;
    }
    if (self->state != FL_SERVER_INVITED) {
        s_out(self, index, FL_WHY_RESTART, out);
        s_advance(self, now, out);
    } else if (self->child[index].keyed) {
        s_take_back(self, index);
    }
}

bool
fl_secagg_server_answer(fl_secagg_server *self, const fl_event *event, fl_time now, fl_outbox *out)
{
    if (!fl_answers(event, self->token)) {
        return false;
    }
    self->token = 0;
    if (event->kind == FL_EV_SAVED) {
        on_saved(self, event, now, out);
    } else {
        on_unmasked(self, event, out);
    }
    return true;
}

fl_time
fl_secagg_server_deadline(const fl_secagg_server *self)
{
    const fl_time by[FL_SERVER_STATES] = {
        [FL_SERVER_NO_ROUND] = FL_NEVER,
        [FL_SERVER_INVITED] = self->times.keys_by,
        [FL_SERVER_ROSTERED] = self->times.deal_by,
        [FL_SERVER_DEALING] = FL_NEVER,
        [FL_SERVER_WAITING_READY] = self->times.ready_by,
        [FL_SERVER_COLLECTING] = self->times.upload_by,
        [FL_SERVER_ACKING] = self->step_by,
        [FL_SERVER_OPENING] = self->step_by,
        [FL_SERVER_SUMMING] = FL_NEVER,
        [FL_SERVER_DONE] = FL_NEVER,
        [FL_SERVER_ABORTED] = FL_NEVER,
    };
    return self->token != 0 ? FL_NEVER : by[self->state]; // the answer to KEEP wakes us
}

void
fl_secagg_server_tick(fl_secagg_server *self, fl_time now, fl_outbox *out)
{
    s_advance(self, now, out);
}

// ---- what the aggregator looks at -------------------------------------------------------------
static const char *const state_names[FL_SERVER_STATES] = {
    [FL_SERVER_NO_ROUND] = "no-round",
    [FL_SERVER_INVITED] = "invited",
    [FL_SERVER_ROSTERED] = "rostered",
    [FL_SERVER_DEALING] = "dealing",
    [FL_SERVER_WAITING_READY] = "waiting-ready",
    [FL_SERVER_COLLECTING] = "collecting",
    [FL_SERVER_ACKING] = "acking",
    [FL_SERVER_OPENING] = "opening",
    [FL_SERVER_SUMMING] = "summing",
    [FL_SERVER_DONE] = "done",
    [FL_SERVER_ABORTED] = "aborted",
};

const char *
fl_secagg_state_name(fl_secagg_state state)
{
    FL_ASSERT((unsigned)state < FL_SERVER_STATES);
    return state_names[state];
}

bool
fl_secagg_fact_read(fl_bytes fact, fl_secagg_fact *head)
{
    if (fact.size < FL_FACT_HEAD_BYTES) {
        return false;
    }
    fl_reader in = fl_reader_of(fl_bytes_of(fact.data, FL_FACT_HEAD_BYTES));
    uint8_t what = fl_read_u8(&in);
    uint32_t block = fl_read_u32(&in);
    *head = (fl_secagg_fact){ .what = (fl_keep)what,
                              .block = block % FL_BLOCKS_MAX,
                              .number = block / FL_BLOCKS_MAX };
    fl_read_into(&in, head->run.bytes, sizeof head->run);
    head->round = fl_read_u64(&in);
    head->list = fl_bytes_of(fact.data + FL_FACT_HEAD_BYTES, fact.size - FL_FACT_HEAD_BYTES);
    return what >= FL_KEEP_ROSTER && what <= FL_KEEP_ACKS && head->number < FL_SECAGG_ROSTERS_MAX;
}

uint32_t
fl_secagg_fact_names(fl_bytes fact, const fl_secagg_trust *trust, uint64_t now_s,
                     fl_name names[FL_MEMBERS_MAX])
{
    size_t size = fact.size < FL_FACT_HEAD_BYTES ? 0 : fact.size - FL_FACT_HEAD_BYTES;
    uint32_t count = (uint32_t)(size / FL_MEMBER_BYTES);
    if (size % FL_MEMBER_BYTES != 0 || count > FL_MEMBERS_MAX) {
        return 0;
    }
    for (uint32_t i = 0; i < count; i++) {
        fl_cert cert;
        fl_bytes bytes = fl_bytes_of(fact.data + FL_FACT_HEAD_BYTES + (size_t)i * FL_MEMBER_BYTES,
                                     FL_CERT_BYTES);
        fl_trust sound = fl_cert_check(bytes, trust->authority, now_s, trust->roles, &cert);
        if (sound != FL_TRUST_OK && !fl_name_valid(&cert.node)) {
            return 0; // not ours: there is no name in it
        }
        names[i] = cert.node;
    }
    return count;
}

fl_secagg_state
fl_secagg_server_state(const fl_secagg_server *self)
{
    return self->state;
}

bool
fl_secagg_server_result(const fl_secagg_server *self, fl_secagg_result *result)
{
    *result = self->result;
    result->members = self->block.members;
    result->masked = fl_set_count(self->maskset);
    result->survivors = fl_set_count(self->survivors);
    result->masked_devices = s_devices(self, self->maskset);
    result->surviving_devices = s_devices(self, self->survivors);
    return self->state == FL_SERVER_DONE || self->state == FL_SERVER_ABORTED;
}

bool
fl_secagg_server_lapsed(const fl_secagg_server *self, fl_transcript_round *round, fl_bytes *lines)
{
    *round = self->block.round;
    *lines = fl_bytes_of(self->roster_fact + FL_FACT_HEAD_BYTES,
                         (size_t)self->block.members * FL_MEMBER_BYTES);
    return self->state == FL_SERVER_ABORTED && self->told[FL_KEEP_ROSTER] &&
           (self->told[FL_KEEP_MASKSET] || self->resumed);
}

fl_secagg_seat
fl_secagg_server_seat(const fl_secagg_server *self, uint32_t seat)
{
    uint32_t index = s_index(self, seat);
    if (index == self->count) {
        return (fl_secagg_seat){ 0 };
    }
    const fl_secagg_child *child = &self->child[index];
    bool rostered = self->state >= FL_SERVER_ROSTERED && index < self->block.members &&
                    self->dealt_fact != NULL;
    uint64_t bit = rostered ? fl_secagg_bit(index) : 0;
    return (fl_secagg_seat){ .in_roster = rostered,
                             .dealt = (self->dealt & bit) != 0,
                             .masked = (self->maskset & bit) != 0,
                             .survived = (self->survivors & bit) != 0,
                             .reason = child->reason,
                             .blamed = child->blamed };
}
