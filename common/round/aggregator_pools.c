//  Which seats are in which block of a masked round: blocks lie inside the pools that the root
//  drew.
#include "common/round/aggregator_inside.h"

enum { PARCELS_TOLD = 6 }; // with a task, to an edge: the outbox has room for so many

//  An order without pools has one for all.
static bool
s_in(const fl_seat *seat, uint32_t pool)
{
    return seat->invited && seat->pool == pool;
}

static void
s_leave_out(fl_aggregator *self, fl_seat *seat, fl_reason reason)
{
    fl_seats_enter(self->seats, seat, FL_SEAT_ABSENT);
    seat->reason = reason;
    seat->invited = false;
}

//  Who is silent when the round is opened is not waited for, as long as the others are a block.
static void
s_leave_out_silent(fl_aggregator *self, uint32_t pool, uint32_t least)
{
    uint32_t heard = 0;
    for (uint32_t i = 0; i < fl_seats_count(self->seats); i++) {
        const fl_seat *seat = fl_seats_look(self->seats, i);
        heard += s_in(seat, pool) && !seat->evasive ? 1 : 0;
    }
    for (uint32_t i = 0; i < fl_seats_count(self->seats) && heard >= least; i++) {
        fl_seat *seat = fl_seats_at(self->seats, i);
        if (s_in(seat, pool) && seat->evasive) {
            s_leave_out(self, seat, FL_WHY_SILENT);
        }
    }
}

//  R13: a run of the pool of which somebody is not there takes no part.
static void
s_leave_out_broken(fl_aggregator *self, uint32_t pool)
{
    uint32_t there[FL_POOL_MAX] = { 0 };
    for (uint32_t i = 0; i < fl_seats_count(self->seats); i++) {
        const fl_seat *seat = fl_seats_look(self->seats, i);
        there[seat->run.number] += s_in(seat, pool) ? 1 : 0;
    }
    for (uint32_t i = 0; i < fl_seats_count(self->seats); i++) {
        fl_seat *seat = fl_seats_at(self->seats, i);
        if (s_in(seat, pool) && there[seat->run.number] < seat->run.names) {
            s_leave_out(self, seat, FL_WHY_BROKEN_BATCH);
        }
    }
}

static void
s_out(const fl_aggregator *self, uint32_t index, fl_reason reason, fl_outbox *out)
{
    fl_outbox_note(out, (fl_note){ .id = FL_NOTE_MASKING_OUT,
                                   .node = fl_seats_look(self->seats, index)->node,
                                   .round = self->task.order.round,
                                   .reason = reason,
                                   .a = index });
}

//  How many blocks for so many children: as few as hold them, and none that is below the floor.
static uint32_t
s_block_count(uint32_t children, uint32_t most, uint32_t least, uint32_t room)
{
    uint32_t count = (children + most - 1) / most;
    count = count < children / least ? count : children / least;
    count = count > 0 ? count : children > 0;
    return count < room ? count : room;
}

//  Seats of one pool in blocks from `first` on, whose sizes differ by one at most, and by a run
//  where those stay together; how many blocks.
static uint32_t
s_place(fl_aggregator *self, uint32_t pool, uint32_t floor, uint32_t first, fl_outbox *out)
{
    const fl_plan *plan = &self->task.order.plan;
    uint32_t most = plan->block_max;
    most = most > 0 && most < FL_MEMBERS_MAX ? most : FL_MEMBERS_MAX;
    uint32_t least = fl_secagg_floor(plan->members_min, self->conf.masking->hop);
    least = least > FL_SECAGG_MEMBERS_MIN ? least : FL_SECAGG_MEMBERS_MIN;
    least = least > floor ? least : floor;
    s_leave_out_silent(self, pool, least);
    s_leave_out_broken(self, pool);
    const bool batched = plan->batch > 0 && pool > 0;
    const uint32_t spread = batched ? plan->batch - 1u : 0;
    const uint32_t runs = batched ? FL_POOL_MAX : 1;
    uint32_t children = 0, placed = 0;
    for (uint32_t i = 0; i < fl_seats_count(self->seats); i++) {
        children += s_in(fl_seats_look(self->seats, i), pool) ? 1 : 0;
    }
    uint32_t count = s_block_count(children, most - spread, least + spread, FL_BLOCKS_MAX - first);
    const uint32_t seats = children < count * most ? children : count * most;
    uint32_t size[FL_BLOCKS_MAX] = { 0 };
    for (uint32_t run = 0; run < runs; run++) {
        const uint32_t before = placed;
        for (uint32_t i = 0; i < fl_seats_count(self->seats); i++) {
            fl_seat *seat = fl_seats_at(self->seats, i);
            if (!s_in(seat, pool) || seat->run.number != run) {
                continue;
            }
            const uint64_t at = batched ? before : placed;
            const uint32_t block = seats > 0 ? (uint32_t)(at * count / seats) : 0;
            if (placed == seats || size[block] == most) {
                seat->reason = FL_WHY_FULL;
                s_out(self, i, FL_WHY_FULL, out);
                continue;
            }
            seat->in_block = true;
            seat->block = first + block;
            self->block[seat->block].used = true;
            self->block[seat->block].floor = floor;
            size[block]++;
            placed++;
        }
    }
    return count;
}

fl_pool_run
fl_aggregator_run_of(const fl_aggregator *self, const fl_name *node)
{
    fl_pool pool;
    fl_bytes whole;
    fl_pool_at at = { 0, 0 };
    const bool pooled = self->task.order.pools > 0;
    while (pooled && fl_pool_set_next(&self->pools, &self->conf.node, &at, &pool, &whole)) {
        if (fl_pool_names(&pool, node)) {
            return fl_pool_run_of(&pool, self->task.order.plan.batch, node);
        }
    }
    return (fl_pool_run){ 0, 0 };
}

//  Why a present child is in none of our pools: it came after they were drawn, and the next ones
//  have it; or the root does not know it, or knows too few for a pool.
static fl_reason
s_unpooled(const fl_seat *seat, bool drawn)
{
    const bool known = seat->rounds[FL_OUT_IN] > 0 || seat->last_reason == FL_WHY_NEWCOMER ||
                       seat->last_reason == FL_WHY_NO_POOL;
    return drawn && !known ? FL_WHY_NEWCOMER : FL_WHY_NO_POOL;
}

void
fl_aggregator_place(fl_aggregator *self, fl_outbox *out)
{
    fl_pool pool;
    fl_bytes whole;
    fl_pool_at at = { 0, 0 };
    uint32_t blocks = 0, number = 0;
    const bool pooled = self->task.order.pools > 0;
    bool drawn = false;
    for (uint32_t i = 0; i < fl_seats_count(self->seats); i++) {
        fl_seats_at(self->seats, i)->pool = 0;
        fl_seats_at(self->seats, i)->run = (fl_pool_run){ 0, 0 };
    }
    if (!pooled) {
        (void)s_place(self, 0, 0, 0, out);
    }
    while (pooled && fl_pool_set_next(&self->pools, &self->conf.node, &at, &pool, &whole)) {
        number++;
        drawn = drawn || pool.count > 0;
        for (uint32_t i = 0; i < pool.count; i++) {
            const int64_t place = fl_seats_of_node(self->seats, &pool.names[i]);
            if (place >= 0) {
                fl_seat *seat = fl_seats_at(self->seats, (uint32_t)place);
                seat->pool = number;
                seat->run = fl_pool_run_of(&pool, self->task.order.plan.batch, &seat->node);
            }
        }
        blocks += s_place(self, number, pool.floor, blocks, out);
    }
    if (pooled && blocks == 0) {
        self->opened.reason = FL_WHY_ROSTER_TOO_SMALL;
    }
    for (uint32_t i = 0; pooled && i < fl_seats_count(self->seats); i++) {
        fl_seat *seat = fl_seats_at(self->seats, i);
        if (s_in(seat, 0)) {
            const fl_reason reason = s_unpooled(seat, drawn);
            s_out(self, i, reason, out);
            s_leave_out(self, seat, reason);
        }
    }
}

static void
s_tell(const fl_seat *seat, fl_bytes pools, fl_outbox *out)
{
    fl_outbox_send(out, seat->peer, FL_POOL)->pool.pools = pools;
}

void
fl_aggregator_tell_pools(const fl_aggregator *self, const fl_seat *seat, fl_outbox *out)
{
    const fl_pool_set *set = &self->pools;
    const fl_secagg_server_conf *masking = self->conf.masking;
    fl_pool pool;
    fl_bytes whole;
    fl_pool_at at = { 0, 0 };
    uint32_t told = 0;
    if (masking == NULL || set->epoch == 0 || set->epoch != self->task.order.pools) {
        return;
    }
    bool masked = fl_plan_masking(&self->task.order.plan, masking->hop) != FL_MASKING_NONE;
    while (masked && fl_pool_set_next(set, &self->conf.node, &at, &pool, &whole)) {
        if (fl_pool_names(&pool, &seat->node)) {
            s_tell(seat, whole, out);
            break;
        }
    }
    for (uint32_t i = 0; i < set->count && seat->role == FL_ROLE_EDGE && told < PARCELS_TOLD; i++) {
        const fl_pool_parcel *parcel = &set->parcels[i];
        if (parcel->to.name[0] == '\0' || fl_name_equal(&parcel->to, &seat->node)) {
            s_tell(seat, fl_bytes_of(parcel->bytes, parcel->size), out);
            told++;
        }
    }
}

fl_pool_set *
fl_aggregator_pools(fl_aggregator *self)
{
    return &self->pools;
}
