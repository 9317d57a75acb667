//  A member believes nobody. What it was told is in a context hash that its masks and signatures
//  depend on, so that members who were told different things make masks that do not cancel. What
//  it said it can say again, byte for byte, and nothing else. After the shares of a sum have left,
//  it knows for ever which sum that was.
#include "common/secagg/client_inside.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[FL_CLIENT_STEPS] = {
    [FL_CLIENT_IDLE] = "idle",     [FL_CLIENT_KEYED] = "keyed",   [FL_CLIENT_DEALT] = "dealt",
    [FL_CLIENT_READY] = "ready",   [FL_CLIENT_MASKED] = "masked", [FL_CLIENT_ACKED] = "acked",
    [FL_CLIENT_OPENED] = "opened",
};

static const bool legal[FL_CLIENT_STEPS][FL_CLIENT_STEPS] = {
    [FL_CLIENT_IDLE] = { [FL_CLIENT_KEYED] = true },
    [FL_CLIENT_KEYED] = { [FL_CLIENT_DEALT] = true, [FL_CLIENT_IDLE] = true },
    [FL_CLIENT_DEALT] = { [FL_CLIENT_READY] = true, [FL_CLIENT_IDLE] = true },
    [FL_CLIENT_READY] = { [FL_CLIENT_MASKED] = true, [FL_CLIENT_IDLE] = true },
    [FL_CLIENT_MASKED] = { [FL_CLIENT_ACKED] = true,
                           [FL_CLIENT_OPENED] = true, // the profile honest
                           [FL_CLIENT_IDLE] = true },
    [FL_CLIENT_ACKED] = { [FL_CLIENT_OPENED] = true, [FL_CLIENT_IDLE] = true },
    [FL_CLIENT_OPENED] = { [FL_CLIENT_IDLE] = true },
};

const char *
fl_secagg_step_name(fl_secagg_step step)
{
    FL_ASSERT((unsigned)step < FL_CLIENT_STEPS);
    return names[step];
}

fl_secagg_client *
fl_secagg_client_new(const fl_secagg_client_conf *conf, const fl_secagg_mark *mark)
{
    fl_secagg_client *self = calloc(1, sizeof *self);
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
        fl_secagg_client_destroy(&self);
        return NULL;
    }
    fl_wipe(self->secrets, sizeof *self->secrets);
    return self;
}

void
fl_secagg_client_destroy(fl_secagg_client **self_p)
{
    fl_secagg_client *self = *self_p;
    *self_p = NULL;
    if (self != NULL) {
        sodium_free(self->secrets); // wipes
        fl_wipe(self->shares, sizeof self->shares);
        free(self);
    }
}

void
fl_secagg_client_enter(fl_secagg_client *self, fl_secagg_step next, fl_outbox *out)
{
    FL_ASSERT(legal[self->step][next] || !FL_SECAGG_RULE(&self->conf, FL_RULE_ONE_CONTENT));
    self->step = next;
    fl_outbox_note(out, (fl_note){ .id = FL_NOTE_MASKING_STEP,
                                   .round = self->task.order.round,
                                   .a = (uint64_t)next,
                                   .b = self->block.members });
}

// ---- what is said ----------------------------------------------------------------------------
fl_message *
fl_secagg_client_word(fl_secagg_client *self, fl_verb verb)
{
    memset(&self->said, 0, sizeof self->said);
    self->said.verb = verb;
    self->said.run = self->task.order.run;
    self->said.round = self->task.order.round;
    return &self->said;
}

void
fl_secagg_client_utter(fl_secagg_client *self, fl_time now, fl_outbox *out)
{
    *fl_outbox_send(out, FL_PARENT, self->said.verb) = self->said;
    self->again_at = now + self->conf.again_ms;
}

void
fl_secagg_client_again(fl_secagg_client *self, fl_time now, fl_outbox *out)
{
    if (self->said.verb != FL_VERB_NONE) {
        fl_secagg_client_utter(self, now, out);
    }
}

// ---- the end of a round ----------------------------------------------------------------------
static void
s_finish(fl_secagg_client *self, fl_reason reason, bool burnt, fl_outbox *out)
{
    fl_wipe(self->secrets, sizeof *self->secrets);
    fl_wipe(self->shares, sizeof self->shares);
    memset(&self->said, 0, sizeof self->said);
    self->again_at = FL_NEVER;
    self->until = FL_NEVER;
    self->token = 0;
    self->outcome = (fl_secagg_outcome){
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
    fl_secagg_client_enter(self, FL_CLIENT_IDLE, out);
}

void
fl_secagg_client_burn(fl_secagg_client *self, fl_reason reason, fl_verb about, fl_outbox *out)
{
    fl_message *message = fl_outbox_send(out, FL_PARENT, FL_REFUSED);
    message->run = self->task.order.run;
    message->round = self->task.order.round;
    message->refused.reason = reason;
    message->refused.about = about;
    s_finish(self, reason, true, out);
}

void
fl_secagg_client_leave(fl_secagg_client *self, fl_reason reason, fl_outbox *out)
{
    s_finish(self, reason, false, out);
}

void
fl_secagg_client_end(fl_secagg_client *self, fl_reason reason, fl_outbox *out)
{
    if (self->step != FL_CLIENT_IDLE) {
        s_finish(self, reason, false, out);
    }
}

// ---- the beginning ---------------------------------------------------------------------------
bool
fl_secagg_client_open(const fl_secagg_client *self, const fl_plan *plan)
{
    return plan->masking == FL_MASKING_NONE &&
           (self->conf.profile == FL_MASKING_NONE || !FL_SECAGG_RULE(&self->conf, FL_RULE_PROFILE));
}

static fl_reason
s_judge_task(const fl_secagg_client *self, const fl_task *task)
{
    const fl_plan *plan = &task->order.plan;
    if (plan->masking == FL_MASKING_NONE || plan->masking < (uint8_t)self->conf.profile) {
        return FL_WHY_POLICY_REFUSED;
    }
    if (!fl_secagg_plan_holds(plan)) {
        return FL_WHY_PLAN;
    }
    bool newer =
        !fl_run_equal(&task->order.run, &self->accepted_run) || task->order.round > self->accepted;
    newer = newer && task->order.round > fl_secagg_mark_spent(&self->mark, &task->order.run);
    return newer ? FL_WHY_NONE : FL_WHY_STALE;
}

static void
s_say_keys(fl_secagg_client *self, const fl_name *parent, fl_time now, fl_outbox *out)
{
    fl_secagg_secrets *secrets = self->secrets;
    fl_entropy_fill(&self->conf.entropy, secrets->b, sizeof secrets->b);
    fl_entropy_fill(&self->conf.entropy, secrets->msk, sizeof secrets->msk);
    fl_entropy_fill(&self->conf.entropy, secrets->esk, sizeof secrets->esk);
    fl_transcript_public_of(secrets->esk, self->epk);
    fl_transcript_public_of(secrets->msk, self->mpk);
    memset(&self->block, 0, sizeof self->block);
    self->block.round = (fl_transcript_round){ .run = self->task.order.run,
                                               .hop = self->conf.hop,
                                               .edge = *parent,
                                               .round = self->task.order.round };
    fl_block_keys *keys = &fl_secagg_client_word(self, FL_KEYS)->keys;
    keys->certificate = fl_bytes_of(self->conf.certificate, sizeof self->conf.certificate);
    memcpy(keys->epk, self->epk, sizeof keys->epk);
    memcpy(keys->mpk, self->mpk, sizeof keys->mpk);
    fl_transcript_keys_sign(self->conf.keys, &self->block.round, self->epk, self->mpk,
                            keys->signature);
    fl_secagg_client_utter(self, now, out);
}

void
fl_secagg_client_under(fl_secagg_client *self, uint8_t hop)
{
    FL_ASSERT(hop >= 1 && self->step == FL_CLIENT_IDLE);
    self->conf.hop = hop;
}

fl_reason
fl_secagg_client_begin(fl_secagg_client *self, const fl_task *task, const fl_name *parent,
                       fl_time until, fl_time now, fl_outbox *out)
{
    fl_hash hash = fl_secagg_task_hash(task);
    if (self->step != FL_CLIENT_IDLE && fl_run_equal(&task->order.run, &self->accepted_run) &&
        task->order.round == self->accepted) {
        bool same = fl_hash_equal(&hash, &self->task_hash) &&
                    fl_name_equal(parent, &self->block.round.edge);
        if (!same && FL_SECAGG_RULE(&self->conf, FL_RULE_ONE_CONTENT)) {
            fl_secagg_client_burn(self, FL_WHY_EQUIVOCATION, FL_TASK, out);
            return FL_WHY_EQUIVOCATION;
        }
        self->until = until > self->until ? until : self->until; // a new attempt has a new budget
        return FL_WHY_NONE;
    }
    fl_reason reason = s_judge_task(self, task);
    if (reason != FL_WHY_NONE) {
        return reason;
    }
    fl_secagg_client_end(self, FL_WHY_STALE, out); // a newer round replaces an older one
    self->accepted = task->order.round;
    self->accepted_run = task->order.run;
    self->task = *task;
    self->task_hash = hash;
    self->until = until;
    self->trained = self->masking = self->masked = false;
    self->good = self->maskset = self->survivors = self->signers = 0;
    memset(self->heard, 0, sizeof self->heard);
    s_say_keys(self, parent, now, out);
    fl_secagg_client_enter(self, FL_CLIENT_KEYED, out);
    return FL_WHY_NONE;
}

// ---- the update ------------------------------------------------------------------------------
static void
s_mask(fl_secagg_client *self, fl_outbox *out)
{
    fl_effect *effect = fl_outbox_add(out, FL_FX_MASK);
    effect->mask.vec = self->input.vec;
    effect->mask.elements = self->input.elements;
    effect->mask.ring_bits = self->task.order.plan.ring_bits;
    effect->mask.wire_bytes = self->task.order.plan.wire_bytes;
    effect->mask.seeds = self->secrets->seeds;
    effect->mask.seed_count = self->secrets->seed_count;
    fl_transcript_checksum_key(&self->ctx, effect->mask.checksum_key);
}

fl_reason
fl_secagg_client_trained(fl_secagg_client *self, const fl_secagg_input *input, fl_time now,
                         fl_outbox *out)
{
    const fl_order *order = &self->task.order;
    bool again = self->masked && !FL_SECAGG_RULE(&self->conf, FL_RULE_ONCE);
    if (self->step == FL_CLIENT_IDLE || (self->trained && !again)) {
        return FL_WHY_LATE;
    }
    bool fresh = fl_hash_equal(&input->base, &order->model);
    if (!fresh && order->plan.masking == FL_MASKING_MALICIOUS &&
        FL_SECAGG_RULE(&self->conf, FL_RULE_BASE)) {
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
    fl_secagg_client_ready(self, now, out);
    return FL_WHY_NONE;
}

void
fl_secagg_client_ready(fl_secagg_client *self, fl_time now, fl_outbox *out)
{
    if (self->step != FL_CLIENT_DEALT || !self->heard[FL_HEARD_DEALT] || !self->trained) {
        return;
    }
    fl_block_ready *ready = &fl_secagg_client_word(self, FL_READY)->ready;
    ready->block = self->block.round.block;
    ready->dealers = self->good;
    fl_secagg_client_utter(self, now, out);
    fl_secagg_client_enter(self, FL_CLIENT_READY, out);
}

void
fl_secagg_client_masked(fl_secagg_client *self, const fl_event *event, fl_time now, fl_outbox *out)
{
    (void)now;
    if (self->step == FL_CLIENT_IDLE || !self->masking) {
        return; // of a round that is over
    }
    if (event->masked.vec == 0) {
        fl_secagg_client_burn(self, FL_WHY_STORAGE, FL_MASKSET, out);
        return;
    }
    fl_secagg_sums sums = { .weight = self->input.weight,
                            .count = self->input.count,
                            .checksum = event->masked.checksum };
    memcpy(sums.stats, self->input.stats, sizeof sums.stats);
    fl_secagg_header_mask(&sums, self->secrets->seeds, self->secrets->seed_count);
    fl_secagg_header_encode(&sums, self->header);
    bool sign = self->task.order.plan.masking == FL_MASKING_MALICIOUS;
    fl_transcript_psig(self->conf.keys, &self->ctx, self->index, self->psig);
    self->upload =
        (fl_secagg_upload){ .vec = event->masked.vec,
                            .hash = event->masked.hash,
                            .vector_bytes = event->masked.bytes,
                            .header = fl_bytes_of(self->header, sizeof self->header),
                            .psig = fl_bytes_of(self->psig, sign ? sizeof self->psig : 0) };
    self->masked = true;
    if (FL_SECAGG_RULE(&self->conf, FL_RULE_ONCE)) {
        //  What could make a second mask, or undo this one, is gone from here on.
        fl_secagg_secrets *secrets = self->secrets;
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
fl_secagg_client_keep(fl_secagg_client *self, fl_outbox *out)
{
    fl_secagg_mark_encode(&self->mark, self->fact);
    self->token = FL_SECAGG_TOKEN_CLIENT | ++self->tokens;
    fl_effect *effect = fl_outbox_add(out, FL_FX_KEEP);
    effect->keep.token = self->token;
    effect->keep.what = FL_KEEP_MARK;
    effect->keep.run = self->task.order.run;
    effect->keep.round = self->task.order.round;
    effect->keep.fact = fl_bytes_of(self->fact, sizeof self->fact);
}

bool
fl_secagg_client_saved(fl_secagg_client *self, uint64_t token, bool ok, fl_time now, fl_outbox *out)
{
    if ((token & FL_SECAGG_TOKEN_CLIENT) == 0) {
        return false;
    }
    if (token != self->token || self->step == FL_CLIENT_IDLE) {
        return true; // of a round that is over
    }
    self->token = 0;
    if (!ok) {
        fl_secagg_client_burn(self, FL_WHY_STORAGE, FL_TASK, out);
    } else if (!self->masking) {
        self->masking = true;
        s_mask(self, out);
    } else {
        fl_secagg_client_unmask(self, now, out);
    }
    return true;
}

// ---- time ------------------------------------------------------------------------------------
void
fl_secagg_client_tick(fl_secagg_client *self, fl_time now, fl_outbox *out)
{
    if (self->step == FL_CLIENT_IDLE) {
        return;
    }
    if (now >= self->until) {
        fl_secagg_client_burn(self, FL_WHY_SILENT, FL_TASK, out);
    } else if (now >= self->again_at) {
        fl_secagg_client_again(self, now, out);
    }
}

fl_time
fl_secagg_client_deadline(const fl_secagg_client *self)
{
    return self->until < self->again_at ? self->until : self->again_at;
}

// ---- what the host looks at ------------------------------------------------------------------
fl_secagg_step
fl_secagg_client_step_of(const fl_secagg_client *self)
{
    return self->step;
}

bool
fl_secagg_client_upload(const fl_secagg_client *self, fl_secagg_upload *upload)
{
    if (self->step == FL_CLIENT_IDLE || !self->masked) {
        return false;
    }
    *upload = self->upload;
    return true;
}

bool
fl_secagg_client_outcome(fl_secagg_client *self, fl_secagg_outcome *outcome)
{
    if (!self->outcome_new) {
        return false;
    }
    *outcome = self->outcome;
    self->outcome_new = false;
    return true;
}
