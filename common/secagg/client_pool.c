//  A member's half of pools: which one it holds, and what may be a block by it. What is not signed,
//  or older than what is held, is dropped and noted.
#include "common/secagg/client_inside.h"

#include <string.h>

//  Both as they are signed: anybody can check that they are the root's and differ.
static void
s_accuse(fl_secagg_client *self, fl_bytes other, fl_outbox *out)
{
    const size_t held = self->pool_bytes;
    memcpy(self->pools + held, other.data, other.size);
    fl_effect *effect = fl_outbox_add(out, FL_FX_KEEP);
    effect->keep.what = FL_KEEP_EVIDENCE;
    effect->keep.run = self->pool.run;
    effect->keep.round = self->accepted;
    effect->keep.fact = fl_bytes_of(self->pools, held + other.size);
    self->two_pools = true;
}

static void
s_take(fl_secagg_client *self, fl_bytes bytes, fl_outbox *out)
{
    fl_pool pool;
    fl_pool *held = &self->pool;
    fl_reason reason = fl_pool_check(bytes, self->conf.trust.authority, &pool);
    const bool same_run = held->epoch > 0 && fl_run_equal(&held->run, &pool.run);
    const bool same =
        same_run && held->epoch == pool.epoch && fl_name_equal(&held->edge, &pool.edge);
    if (fl_bytes_equal(bytes, fl_bytes_of(self->pools, self->pool_bytes))) {
        return;
    }
    if (reason == FL_WHY_NONE && same) {
        reason = FL_WHY_TWO_POOLS;
        s_accuse(self, bytes, out);
    } else if (reason == FL_WHY_NONE && same_run && pool.epoch < held->epoch) {
        reason = FL_WHY_OLD_POOL;
    }
    if (reason != FL_WHY_NONE) {
        fl_outbox_note(out, (fl_note){ .id = FL_NOTE_POOL_REFUSED,
                                       .node = pool.edge,
                                       .round = self->task.order.round,
                                       .reason = reason,
                                       .a = pool.epoch,
                                       .b = pool.index });
        if (reason == FL_WHY_TWO_POOLS) {
            fl_secagg_client_end(self, reason, out);
        }
        return;
    }
    self->pool = pool;
    self->two_pools = false;
    self->pool_bytes = bytes.size;
    memcpy(self->pools, bytes.data, bytes.size);
}

void
fl_secagg_client_pool(fl_secagg_client *self, fl_bytes pools, fl_outbox *out)
{
    fl_reader in = fl_reader_of(pools);
    while (in.at < in.end) {
        const uint8_t *from = in.at;
        fl_pool pool;
        if (!fl_pool_read(&in, &pool, NULL, NULL)) {
            fl_outbox_note(out,
                           (fl_note){ .id = FL_NOTE_POOL_REFUSED, .reason = FL_WHY_MALFORMED });
            return;
        }
        if (fl_pool_names(&pool, &self->conf.node)) {
            s_take(self, fl_bytes_of(from, (size_t)(in.at - from)), out);
        }
    }
}

bool
fl_secagg_client_pooled(const fl_secagg_client *self, const fl_order *order)
{
    return order->pools == 0 || fl_plan_masking(&order->plan, self->conf.hop) == FL_MASKING_NONE ||
           (self->pool.epoch == order->pools && fl_run_equal(&self->pool.run, &order->run));
}

fl_reason
fl_secagg_client_judge_pool(fl_secagg_client *self)
{
    const fl_order *order = &self->task.order;
    const fl_pool *pool = &self->pool;
    const fl_secagg_block *block = &self->block;
    memset(self->run, 0, sizeof self->run);
    if (order->pools == 0) {
        return FL_WHY_NONE; // the root has drawn none: it signed that
    }
    if (pool->epoch == 0 || !fl_run_equal(&pool->run, &order->run)) {
        return FL_WHY_NO_POOL;
    }
    if (self->two_pools) {
        return FL_WHY_TWO_POOLS;
    }
    if (pool->epoch != order->pools) {
        return FL_WHY_OLD_POOL;
    }
    if (!fl_name_equal(&pool->edge, &block->round.edge)) {
        return FL_WHY_OTHER_POOL;
    }
    for (uint32_t i = 0; i < block->members; i++) {
        if (!fl_pool_names(pool, &block->seat[i].node)) {
            return FL_WHY_OUTSIDE_POOL;
        }
        self->run[i] = fl_pool_run_of(pool, order->plan.batch, &block->seat[i].node);
    }
    return block->members < pool->floor ? FL_WHY_ROSTER_TOO_SMALL : FL_WHY_NONE;
}
