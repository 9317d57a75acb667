#include "common/wire/message.h"

#include <string.h>

#include "common/base/status.h"

static const char unknown[] = "unknown";

static const char *const reason_names[FL_WHY_COUNT] = {
#define FL_REASON(name, number, text) [number] = (text),
#include "common/wire/reason.def"
};

static const char *const masking_names[FL_MASKING_COUNT] = {
    [FL_MASKING_NONE] = "unmasked",
    [FL_MASKING_HONEST] = "honest",
    [FL_MASKING_MALICIOUS] = "malicious",
};

static const char *const outcome_names[FL_OUT_COUNT] = {
    [FL_OUT_ABSENT] = "absent",   [FL_OUT_IN] = "in",     [FL_OUT_LATE] = "late",
    [FL_OUT_REFUSED] = "refused", [FL_OUT_IDLE] = "idle",
};

static const char *const activity_names[FL_DOING_COUNT] = {
    [FL_DOING_NOTHING] = "nothing", [FL_DOING_FETCH] = "fetch",
    [FL_DOING_TRAIN] = "train",     [FL_DOING_COLLECT] = "collect",
    [FL_DOING_ENCODE] = "encode",   [FL_DOING_WAIT_GRANT] = "wait-grant",
    [FL_DOING_SEND] = "send",       [FL_DOING_WAIT_CLOSE] = "wait-close",
    [FL_DOING_PAUSED] = "paused",   [FL_DOING_REST] = "rest",
};

static const char *
s_name(const char *const *names, unsigned count, unsigned index)
{
    return index < count && names[index] != NULL ? names[index] : unknown;
}

const char *
fl_reason_name(fl_reason reason)
{
    return s_name(reason_names, FL_WHY_COUNT, reason);
}

bool
fl_reason_rests(fl_reason reason)
{
    return reason >= FL_WHY_DRAIN && reason <= FL_WHY_APPROVAL;
}

bool
fl_reason_rests_run(fl_reason reason)
{
    return reason == FL_WHY_SITE || reason == FL_WHY_APPROVAL || reason == FL_WHY_NO_TRAINER ||
           reason == FL_WHY_NO_DATA;
}

const char *
fl_outcome_name(fl_outcome outcome)
{
    return s_name(outcome_names, FL_OUT_COUNT, outcome);
}

const char *
fl_activity_name(fl_activity activity)
{
    return s_name(activity_names, FL_DOING_COUNT, activity);
}

const char *
fl_masking_name(fl_masking masking)
{
    return s_name(masking_names, FL_MASKING_COUNT, masking);
}

const char *
fl_weighting_name(fl_weighting weighting)
{
    static const char *const names[FL_WEIGHTING_COUNT] = { "samples", "equal", "classes" };
    return s_name(names, FL_WEIGHTING_COUNT, weighting);
}

uint32_t
fl_set_count(uint64_t set)
{
    uint32_t count = 0;
    for (; set != 0; set &= set - 1) {
        count++;
    }
    return count;
}

bool
fl_set_within(uint64_t set, uint32_t members)
{
    FL_ASSERT(members >= 1 && members <= FL_MEMBERS_MAX);
    return members == FL_MEMBERS_MAX || set >> members == 0;
}

uint32_t
fl_set_next(uint64_t set, uint32_t from)
{
    uint64_t left = from < FL_MEMBERS_MAX ? set >> from : 0;
    return left == 0 ? FL_MEMBERS_MAX : from + (uint32_t)__builtin_ctzll(left);
}

bool
fl_trainer_own(const char *name)
{
    return name[0] == '\0' || strcmp(name, "builtin") == 0 || strcmp(name, "synthetic") == 0;
}

// ---- the recipe -------------------------------------------------------------------------------
static const double *
s_find(const fl_recipe *self, const char *name)
{
    for (uint32_t i = 0; i < self->count; i++) {
        if (strcmp(self->value[i].name, name) == 0) {
            return &self->value[i].number;
        }
    }
    return NULL;
}

double
fl_recipe_get(const fl_recipe *self, const char *name, double otherwise)
{
    const double *found = s_find(self, name);
    return found != NULL ? *found : otherwise;
}

void
fl_recipe_put(fl_recipe *self, const char *name, double number)
{
    uint32_t at = 0;
    while (at < self->count && strcmp(self->value[at].name, name) < 0) {
        at++;
    }
    if (at == self->count || strcmp(self->value[at].name, name) != 0) {
        FL_ASSERT(self->count < FL_RECIPE_MAX && strlen(name) < FL_RECIPE_NAME_BYTES);
        memmove(&self->value[at + 1], &self->value[at], (self->count - at) * sizeof self->value[0]);
        memset(&self->value[at], 0, sizeof self->value[at]);
        memcpy(self->value[at].name, name, strlen(name));
        self->count++;
    }
    self->value[at].number = number;
}

// ---- orders -----------------------------------------------------------------------------------
fl_masking
fl_plan_masking(const fl_plan *self, uint8_t hop)
{
    return (fl_masking)self->masking[hop > 1];
}

bool
fl_plan_masks(const fl_plan *self)
{
    return self->masking[0] != FL_MASKING_NONE || self->masking[1] != FL_MASKING_NONE;
}

//  Without masks there is nothing to say about them.
static bool
s_policy_valid(const fl_plan *plan)
{
    bool masked = fl_plan_masks(plan);
    bool valid = plan->block_max <= FL_MEMBERS_MAX && plan->block_max >= (masked ? 3 : 0) &&
                 (plan->step_ms >= 1 || !masked);
    for (int i = 0; i < 2; i++) {
        valid = valid && plan->masking[i] < FL_MASKING_COUNT &&
                plan->members_min[i] <= plan->block_max &&
                plan->survivors_min[i] <= plan->block_max;
    }
    return valid && (masked || (plan->block_max == 0 && plan->step_ms == 0));
}

static bool
s_order_valid(const fl_order *order)
{
    const fl_plan *plan = &order->plan;
    return order->round >= 1 && order->draw <= FL_DRAW_MAX && order->model_bytes >= 1 &&
           order->model_bytes <= FL_VECTOR_BYTES_MAX && order->elements >= 1 &&
           order->elements <= FL_VECTOR_BYTES_MAX && plan->weight_unit >= 1 &&
           plan->weight_max >= 1 && plan->devices_max >= 1 && s_policy_valid(plan);
}

//  What has no user yet has one value only.
enum { ORDER_VERSION = 3, KIND_AVERAGE = 0, ONE_STEP = 1 };
static const uint8_t no_noise[1 + 1 + 8 + 4]; // noise, levels, norm2, clip2

static bool
s_weighting_known(const fl_plan *plan)
{
    return plan->weighting < FL_WEIGHTING_COUNT &&
           (plan->weighting != FL_WEIGHTING_EQUAL || plan->weight_max == 1);
}

static bool
s_batch_known(const fl_plan *plan)
{
    return plan->batch != 1 && plan->batch <= FL_BATCH_NAMES_MAX &&
           4 * plan->batch <= plan->block_max;
}

void
fl_order_encode(const fl_order *order, uint8_t bytes[FL_ORDER_BYTES])
{
    const fl_plan *plan = &order->plan;
    FL_ASSERT(s_order_valid(order) && !order->beyond && s_weighting_known(plan) &&
              s_batch_known(plan));
    fl_writer out = fl_writer_over(bytes, FL_ORDER_BYTES);
    memset(bytes, 0, FL_ORDER_BYTES);
    fl_write_u8(&out, ORDER_VERSION);
    fl_write_u8(&out, KIND_AVERAGE);
    fl_write_u8(&out, ONE_STEP);
    fl_write_u8(&out, order->draw);
    fl_write_u32(&out, 0); // fence
    fl_write_from(&out, order->run.bytes, sizeof order->run.bytes);
    fl_write_u64(&out, order->round);
    fl_write_from(&out, order->manifest.bytes, sizeof order->manifest.bytes);
    fl_write_from(&out, order->settings.bytes, sizeof order->settings.bytes);
    fl_write_from(&out, order->model.bytes, sizeof order->model.bytes);
    fl_write_u64(&out, order->model_bytes);
    fl_write_u64(&out, order->elements);
    fl_write_from(&out, order->tensors.bytes, sizeof order->tensors.bytes);
    fl_write_u64(&out, plan->seed);
    fl_write_u32(&out, plan->devices_max);
    fl_write_u32(&out, plan->weight_unit);
    fl_write_u32(&out, plan->weight_max);
    fl_write_u8(&out, plan->weighting);
    fl_write_from(&out, plan->masking, sizeof plan->masking);
    fl_write_u8(&out, plan->block_max);
    fl_write_from(&out, plan->members_min, sizeof plan->members_min);
    fl_write_from(&out, plan->survivors_min, sizeof plan->survivors_min);
    fl_write_u32(&out, plan->step_ms);
    fl_write_u64(&out, order->pools);
    fl_write_from(&out, no_noise, sizeof no_noise);
    fl_write_u8(&out, plan->batch);
    FL_ASSERT(!out.broken); // the rest are zeros
}

//  True when what this build does not know is as it would write it.
static bool
s_known(fl_bytes bytes, const fl_order *order)
{
    uint8_t ours[FL_ORDER_BYTES];
    fl_order_encode(order, ours);
    return memcmp(ours, bytes.data, sizeof ours) == 0;
}

bool
fl_order_decode(fl_bytes bytes, fl_order *order)
{
    memset(order, 0, sizeof *order);
    fl_plan *plan = &order->plan;
    fl_reader in = fl_reader_of(bytes);
    uint8_t version = fl_read_u8(&in);
    (void)fl_read_view(&in, 2);
    order->draw = fl_read_u8(&in);
    (void)fl_read_view(&in, 4);
    fl_read_into(&in, order->run.bytes, sizeof order->run.bytes);
    order->round = fl_read_u64(&in);
    fl_read_into(&in, order->manifest.bytes, sizeof order->manifest.bytes);
    fl_read_into(&in, order->settings.bytes, sizeof order->settings.bytes);
    fl_read_into(&in, order->model.bytes, sizeof order->model.bytes);
    order->model_bytes = fl_read_u64(&in);
    order->elements = fl_read_u64(&in);
    fl_read_into(&in, order->tensors.bytes, sizeof order->tensors.bytes);
    plan->seed = fl_read_u64(&in);
    plan->devices_max = fl_read_u32(&in);
    plan->weight_unit = fl_read_u32(&in);
    plan->weight_max = fl_read_u32(&in);
    plan->weighting = fl_read_u8(&in);
    plan->weighting = s_weighting_known(plan) ? plan->weighting : 0; // not ours
    fl_read_into(&in, plan->masking, sizeof plan->masking);
    plan->block_max = fl_read_u8(&in);
    fl_read_into(&in, plan->members_min, sizeof plan->members_min);
    fl_read_into(&in, plan->survivors_min, sizeof plan->survivors_min);
    plan->step_ms = fl_read_u32(&in);
    order->pools = fl_read_u64(&in);
    (void)fl_read_view(&in, sizeof no_noise);
    plan->batch = fl_read_u8(&in);
    plan->batch = s_batch_known(plan) ? plan->batch : 0; // not ours
    if (bytes.size != FL_ORDER_BYTES || version != ORDER_VERSION || !s_order_valid(order)) {
        memset(order, 0, sizeof *order);
        return false;
    }
    order->beyond = !s_known(bytes, order);
    return true;
}

static bool
s_roll_valid(const fl_roll_entry *entry)
{
    return fl_name_valid(&entry->node) && fl_name_valid(&entry->parent) &&
           entry->outcome < FL_OUT_COUNT && entry->reason < FL_WHY_COUNT && entry->spare == 0;
}

void
fl_roll_encode(const fl_roll_entry *entry, uint8_t bytes[FL_ROLL_ENTRY_BYTES])
{
    FL_ASSERT(s_roll_valid(entry));
    fl_writer out = fl_writer_over(bytes, FL_ROLL_ENTRY_BYTES);
    fl_write_from(&out, entry->node.name, sizeof entry->node.name);
    fl_write_from(&out, entry->parent.name, sizeof entry->parent.name);
    fl_write_u8(&out, entry->outcome);
    fl_write_u8(&out, entry->reason);
    fl_write_u8(&out, entry->staleness);
    fl_write_u8(&out, entry->spare);
    FL_ASSERT(!out.broken && fl_writer_size(&out) == FL_ROLL_ENTRY_BYTES);
}

bool
fl_roll_decode(fl_bytes bytes, fl_roll_entry *entry)
{
    memset(entry, 0, sizeof *entry);
    fl_reader in = fl_reader_of(bytes);
    fl_read_into(&in, entry->node.name, sizeof entry->node.name);
    fl_read_into(&in, entry->parent.name, sizeof entry->parent.name);
    entry->outcome = fl_read_u8(&in);
    entry->reason = fl_read_u8(&in);
    entry->staleness = fl_read_u8(&in);
    entry->spare = fl_read_u8(&in);
    if (fl_reader_done(&in) && s_roll_valid(entry)) {
        return true;
    }
    memset(entry, 0, sizeof *entry);
    return false;
}

static bool
s_block_line_valid(const fl_block_line *line)
{
    return fl_name_valid(&line->parent) && line->hop >= 1 && line->hop <= 2 &&
           line->reason < FL_WHY_COUNT && line->members <= FL_MEMBERS_MAX &&
           line->masked <= line->members && line->survivors <= line->masked && line->spare == 0;
}

void
fl_block_line_encode(const fl_block_line *line, uint8_t bytes[FL_BLOCK_LINE_BYTES])
{
    FL_ASSERT(s_block_line_valid(line));
    fl_writer out = fl_writer_over(bytes, FL_BLOCK_LINE_BYTES);
    fl_write_from(&out, line->parent.name, sizeof line->parent.name);
    fl_write_u16(&out, line->block);
    fl_write_u8(&out, line->hop);
    fl_write_u8(&out, line->reason);
    fl_write_u8(&out, line->members);
    fl_write_u8(&out, line->masked);
    fl_write_u8(&out, line->survivors);
    fl_write_u8(&out, line->spare);
    FL_ASSERT(!out.broken && fl_writer_size(&out) == FL_BLOCK_LINE_BYTES);
}

bool
fl_block_line_decode(fl_bytes bytes, fl_block_line *line)
{
    memset(line, 0, sizeof *line);
    fl_reader in = fl_reader_of(bytes);
    fl_read_into(&in, line->parent.name, sizeof line->parent.name);
    line->block = fl_read_u16(&in);
    line->hop = fl_read_u8(&in);
    line->reason = fl_read_u8(&in);
    line->members = fl_read_u8(&in);
    line->masked = fl_read_u8(&in);
    line->survivors = fl_read_u8(&in);
    line->spare = fl_read_u8(&in);
    if (fl_reader_done(&in) && s_block_line_valid(line)) {
        return true;
    }
    memset(line, 0, sizeof *line);
    return false;
}
