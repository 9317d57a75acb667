//  A member believes nobody. What it was told is in a context hash that its masks and signatures
//  depend on, so that members who were told different things make masks that do not cancel. What
//  it said it can say again, byte for byte, and nothing else. After the shares of a sum have left,
//  it knows for ever which sum that was.
#include "common/secagg/client_inside.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[FL_MASKING_STEPS] = {
    [FL_MASKING_IDLE] = "idle",     [FL_MASKING_KEYED] = "keyed",   [FL_MASKING_DEALT] = "dealt",
    [FL_MASKING_READY] = "ready",   [FL_MASKING_MASKED] = "masked", [FL_MASKING_ACKED] = "acked",
    [FL_MASKING_OPENED] = "opened",
};

static const bool legal[FL_MASKING_STEPS][FL_MASKING_STEPS] = {
    [FL_MASKING_IDLE] = { [FL_MASKING_KEYED] = true },
    [FL_MASKING_KEYED] = { [FL_MASKING_DEALT] = true, [FL_MASKING_IDLE] = true },
    [FL_MASKING_DEALT] = { [FL_MASKING_READY] = true, [FL_MASKING_IDLE] = true },
    [FL_MASKING_READY] = { [FL_MASKING_MASKED] = true, [FL_MASKING_IDLE] = true },
    [FL_MASKING_MASKED] = { [FL_MASKING_ACKED] = true,
                            [FL_MASKING_OPENED] = true, // the profile honest
                            [FL_MASKING_IDLE] = true },
    [FL_MASKING_ACKED] = { [FL_MASKING_OPENED] = true, [FL_MASKING_IDLE] = true },
    [FL_MASKING_OPENED] = { [FL_MASKING_IDLE] = true },
};

const char *
fl_masking_step_name(fl_masking_step step)
{
    FL_ASSERT((unsigned)step < FL_MASKING_STEPS);
    return names[step];
}

fl_masking_member *
fl_masking_member_new(const fl_masking_member_conf *conf, const fl_masking_mark *mark)
{
    fl_masking_member *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return NULL;
    }
    FL_ASSERT(conf->hop >= 1 && conf->again_ms >= 1);
    self->conf = *conf;
    if (mark != NULL) {
        self->mark = *mark;
    }
    self->until = FL_NEVER;
    self->again_at = FL_NEVER;
    self->secrets = sodium_malloc(sizeof *self->secrets);
    if (self->secrets == NULL) {
        fl_masking_member_destroy(&self);
        return NULL;
    }
    fl_wipe(self->secrets, sizeof *self->secrets);
    return self;
}

void
fl_masking_member_destroy(fl_masking_member **self_p)
{
    fl_masking_member *self = *self_p;
    *self_p = NULL;
    if (self != NULL) {
        sodium_free(self->secrets); // wipes
        fl_wipe(self->shares, sizeof self->shares);
        free(self);
    }
}

void
fl_masking_member_enter(fl_masking_member *self, fl_masking_step next, fl_outbox *out)
{
    FL_ASSERT(legal[self->step][next] || !FL_MASKING_RULE(&self->conf, FL_RULE_ONE_CONTENT));
    self->step = next;
    fl_outbox_note(out, (fl_note){ .id = FL_NOTE_MASKING_STEP,
                                   .round = self->task.order.round,
                                   .a = (uint64_t)next,
                                   .b = self->block.members });
}

// ---- what is said ----------------------------------------------------------------------------
fl_message *
fl_masking_member_word(fl_masking_member *self, fl_verb verb)
{
    memset(&self->said, 0, sizeof self->said);
    self->said.verb = verb;
    self->said.run = self->task.order.run;
    self->said.round = self->task.order.round;
    return &self->said;
}

void
fl_masking_member_utter(fl_masking_member *self, fl_time now, fl_outbox *out)
{
    *fl_outbox_send(out, FL_PARENT, self->said.verb) = self->said;
    self->again_at = now + self->conf.again_ms;
}

void
fl_masking_member_again(fl_masking_member *self, fl_time now, fl_outbox *out)
{
    if (self->said.verb != FL_VERB_NONE) {
        fl_masking_member_utter(self, now, out);
    }
}

// ---- the end of a round ----------------------------------------------------------------------
static void
s_finish(fl_masking_member *self, fl_reason reason, bool burnt, fl_outbox *out)
{
    fl_wipe(self->secrets, sizeof *self->secrets);
    fl_wipe(self->shares, sizeof self->shares);
    memset(&self->said, 0, sizeof self->said);
    self->again_at = FL_NEVER;
    self->until = FL_NEVER;
    self->token = 0;
    self->outcome = (fl_masking_outcome){
        .round = self->task.order.round, .reason = reason, .burnt = burnt, .spent = self->masking
    };
    self->outcome_new = true;
    if (reason != FL_WHY_NONE) {
        fl_outbox_note(out, (fl_note){ .id = FL_NOTE_MASKING_OUT,
                                       .round = self->task.order.round,
                                       .reason = reason,
                                       .a = self->index,
                                       .b = (uint64_t)self->step });
    }
    self->masking = self->masked = false;
    fl_masking_member_enter(self, FL_MASKING_IDLE, out);
}

void
fl_masking_member_burn(fl_masking_member *self, fl_reason reason, fl_verb about, fl_outbox *out)
{
    fl_message *message = fl_outbox_send(out, FL_PARENT, FL_REFUSED);
    message->run = self->task.order.run;
    message->round = self->task.order.round;
    message->refused.reason = reason;
    message->refused.about = about;
    s_finish(self, reason, true, out);
}

void
fl_masking_member_leave(fl_masking_member *self, fl_reason reason, fl_outbox *out)
{
    s_finish(self, reason, false, out);
}

void
fl_masking_member_end(fl_masking_member *self, fl_reason reason, fl_outbox *out)
{
    if (self->step != FL_MASKING_IDLE) {
        s_finish(self, reason, false, out);
    }
}

// ---- the beginning ---------------------------------------------------------------------------
bool
fl_masking_member_open(const fl_masking_member *self, const fl_plan *plan)
{
    return plan->masking == FL_MASKING_NONE && (self->conf.profile == FL_MASKING_NONE ||
                                                !FL_MASKING_RULE(&self->conf, FL_RULE_PROFILE));
}

static fl_reason
s_judge_task(const fl_masking_member *self, const fl_task *task)
{
    const fl_plan *plan = &task->order.plan;
    if (plan->masking == FL_MASKING_NONE || plan->masking < (uint8_t)self->conf.profile) {
        return FL_WHY_POLICY_REFUSED;
    }
    if (!fl_masking_plan_holds(plan)) {
        return FL_WHY_PLAN;
    }
    bool newer =
        !fl_run_equal(&task->order.run, &self->accepted_run) || task->order.round > self->accepted;
    newer = newer && task->order.round > fl_masking_mark_spent(&self->mark, &task->order.run);
    return newer ? FL_WHY_NONE : FL_WHY_STALE;
}

static void
s_say_keys(fl_masking_member *self, const fl_node *parent, fl_time now, fl_outbox *out)
{
    fl_masking_secrets *secrets = self->secrets;
    fl_entropy_fill(&self->conf.entropy, secrets->b, sizeof secrets->b);
    fl_entropy_fill(&self->conf.entropy, secrets->msk, sizeof secrets->msk);
    fl_entropy_fill(&self->conf.entropy, secrets->esk, sizeof secrets->esk);
    fl_hsa_public_of(secrets->esk, self->epk);
    fl_hsa_public_of(secrets->msk, self->mpk);
    memset(&self->block, 0, sizeof self->block);
    self->block.round = (fl_hsa_round){ .run = self->task.order.run,
                                        .hop = self->conf.hop,
                                        .edge = *parent,
                                        .round = self->task.order.round };
    fl_block_keys *keys = &fl_masking_member_word(self, FL_KEYS)->keys;
    keys->certificate = fl_bytes_of(self->conf.certificate, sizeof self->conf.certificate);
    memcpy(keys->epk, self->epk, sizeof keys->epk);
    memcpy(keys->mpk, self->mpk, sizeof keys->mpk);
    fl_hsa_keys_sign(self->conf.keys, &self->block.round, self->epk, self->mpk, keys->signature);
    fl_masking_member_utter(self, now, out);
}

void
fl_masking_member_under(fl_masking_member *self, uint8_t hop)
{
    FL_ASSERT(hop >= 1 && self->step == FL_MASKING_IDLE);
    self->conf.hop = hop;
}

fl_reason
fl_masking_member_begin(fl_masking_member *self, const fl_task *task, const fl_node *parent,
                        fl_time until, fl_time now, fl_outbox *out)
{
    fl_hash hash = fl_masking_task_hash(task);
    if (self->step != FL_MASKING_IDLE && fl_run_equal(&task->order.run, &self->accepted_run) &&
        task->order.round == self->accepted) {
        bool same = fl_hash_equal(&hash, &self->task_hash) &&
                    fl_node_equal(parent, &self->block.round.edge);
        if (!same && FL_MASKING_RULE(&self->conf, FL_RULE_ONE_CONTENT)) {
            fl_masking_member_burn(self, FL_WHY_EQUIVOCATION, FL_TASK, out);
            return FL_WHY_EQUIVOCATION;
        }
        self->until = until > self->until ? until : self->until; // a new attempt has a new budget
        return FL_WHY_NONE;
    }
    fl_reason reason = s_judge_task(self, task);
    if (reason != FL_WHY_NONE) {
        return reason;
    }
    fl_masking_member_end(self, FL_WHY_STALE, out); // a newer round replaces an older one
    self->accepted = task->order.round;
    self->accepted_run = task->order.run;
    self->task = *task;
    self->task_hash = hash;
    self->until = until;
    self->trained = self->masking = self->masked = false;
    self->good = self->maskset = self->survivors = self->signers = 0;
    memset(self->heard, 0, sizeof self->heard);
    s_say_keys(self, parent, now, out);
    fl_masking_member_enter(self, FL_MASKING_KEYED, out);
    return FL_WHY_NONE;
}

// ---- the update ------------------------------------------------------------------------------
static void
s_mask(fl_masking_member *self, fl_outbox *out)
{
    fl_effect *effect = fl_outbox_add(out, FL_FX_MASK);
    effect->mask.vec = self->input.vec;
    effect->mask.elements = self->input.elements;
    effect->mask.ring_bits = self->task.order.plan.ring_bits;
    effect->mask.wire_bytes = self->task.order.plan.wire_bytes;
    effect->mask.seeds = self->secrets->seeds;
    effect->mask.seed_count = self->secrets->seed_count;
    fl_hsa_checksum_key(&self->ctx, effect->mask.checksum_key);
}

fl_reason
fl_masking_member_trained(fl_masking_member *self, const fl_masking_input *input, fl_time now,
                          fl_outbox *out)
{
    const fl_order *order = &self->task.order;
    bool again = self->masked && !FL_MASKING_RULE(&self->conf, FL_RULE_ONCE);
    if (self->step == FL_MASKING_IDLE || (self->trained && !again)) {
        return FL_WHY_LATE;
    }
    bool fresh = fl_hash_equal(&input->base, &order->model);
    if (!fresh && order->plan.masking == FL_MASKING_MALICIOUS &&
        FL_MASKING_RULE(&self->conf, FL_RULE_BASE)) {
        return FL_WHY_BASE;
    }
    if (input->count < 1 || input->weight < input->count || input->elements != order->elements ||
        input->weight > (uint64_t)input->count * order->plan.weight_max) {
        return FL_WHY_WEIGHT;
    }
    self->input = *input;
    self->trained = true;
    if (again) {
        s_mask(self, out);
        return FL_WHY_NONE;
    }
    fl_masking_member_ready(self, now, out);
    return FL_WHY_NONE;
}

void
fl_masking_member_ready(fl_masking_member *self, fl_time now, fl_outbox *out)
{
    if (self->step != FL_MASKING_DEALT || !self->heard[FL_HEARD_DEALT] || !self->trained) {
        return;
    }
    fl_block_ready *ready = &fl_masking_member_word(self, FL_READY)->ready;
    ready->block = self->block.round.block;
    ready->dealers = self->good;
    fl_masking_member_utter(self, now, out);
    fl_masking_member_enter(self, FL_MASKING_READY, out);
}

void
fl_masking_member_masked(fl_masking_member *self, const fl_event *event, fl_time now,
                         fl_outbox *out)
{
    (void)now;
    if (self->step == FL_MASKING_IDLE || !self->masking) {
        return; // of a round that is over
    }
    if (event->masked.vec == 0) {
        fl_masking_member_burn(self, FL_WHY_STORAGE, FL_MASKSET, out);
        return;
    }
    fl_masking_sums sums = { .weight = self->input.weight,
                             .count = self->input.count,
                             .checksum = event->masked.checksum };
    memcpy(sums.stats, self->input.stats, sizeof sums.stats);
    fl_masking_header_mask(&sums, self->secrets->seeds, self->secrets->seed_count);
    fl_masking_header_encode(&sums, self->header);
    bool sign = self->task.order.plan.masking == FL_MASKING_MALICIOUS;
    fl_hsa_psig(self->conf.keys, &self->ctx, self->index, self->psig);
    self->upload =
        (fl_masking_upload){ .vec = event->masked.vec,
                             .hash = event->masked.hash,
                             .vector_bytes = event->masked.bytes,
                             .header = fl_bytes_of(self->header, sizeof self->header),
                             .psig = fl_bytes_of(self->psig, sign ? sizeof self->psig : 0) };
    self->masked = true;
    if (FL_MASKING_RULE(&self->conf, FL_RULE_ONCE)) {
        //  What could make a second mask, or undo this one, is gone from here on.
        fl_masking_secrets *secrets = self->secrets;
        fl_wipe(secrets->b, sizeof secrets->b);
        fl_wipe(secrets->msk, sizeof secrets->msk);
        fl_wipe(secrets->esk, sizeof secrets->esk);
        fl_wipe(secrets->pair, sizeof secrets->pair);
        fl_wipe(secrets->seeds, sizeof secrets->seeds);
        secrets->seed_count = 0;
    }
}

// ---- what is kept ----------------------------------------------------------------------------
void
fl_masking_member_keep(fl_masking_member *self, fl_outbox *out)
{
    fl_masking_mark_encode(&self->mark, self->fact);
    self->token = FL_MASKING_TOKEN_MEMBER | ++self->tokens;
    fl_effect *effect = fl_outbox_add(out, FL_FX_KEEP);
    effect->keep.token = self->token;
    effect->keep.what = FL_KEEP_MARK;
    effect->keep.run = self->task.order.run;
    effect->keep.round = self->task.order.round;
    effect->keep.fact = fl_bytes_of(self->fact, sizeof self->fact);
}

bool
fl_masking_member_saved(fl_masking_member *self, uint64_t token, bool ok, fl_time now,
                        fl_outbox *out)
{
    if ((token & FL_MASKING_TOKEN_MEMBER) == 0) {
        return false;
    }
    if (token != self->token || self->step == FL_MASKING_IDLE) {
        return true; // of a round that is over
    }
    self->token = 0;
    if (!ok) {
        fl_masking_member_burn(self, FL_WHY_STORAGE, FL_TASK, out);
    } else if (!self->masking) {
        self->masking = true;
        s_mask(self, out);
    } else {
        fl_masking_member_unmask(self, now, out);
    }
    return true;
}

// ---- time ------------------------------------------------------------------------------------
void
fl_masking_member_tick(fl_masking_member *self, fl_time now, fl_outbox *out)
{
    if (self->step == FL_MASKING_IDLE) {
        return;
    }
    if (now >= self->until) {
        fl_masking_member_burn(self, FL_WHY_SILENT, FL_TASK, out);
    } else if (now >= self->again_at) {
        fl_masking_member_again(self, now, out);
    }
}

fl_time
fl_masking_member_deadline(const fl_masking_member *self)
{
    return self->until < self->again_at ? self->until : self->again_at;
}

// ---- what the host looks at ------------------------------------------------------------------
fl_masking_step
fl_masking_member_step_of(const fl_masking_member *self)
{
    return self->step;
}

bool
fl_masking_member_upload(const fl_masking_member *self, fl_masking_upload *upload)
{
    if (self->step == FL_MASKING_IDLE || !self->masked) {
        return false;
    }
    *upload = self->upload;
    return true;
}

bool
fl_masking_member_outcome(fl_masking_member *self, fl_masking_outcome *outcome)
{
    if (!self->outcome_new) {
        return false;
    }
    *outcome = self->outcome;
    self->outcome_new = false;
    return true;
}
