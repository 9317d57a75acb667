//  Both are written from the order, and read by writing what was understood again: bytes that come
//  out otherwise hold something else, or say the same in another way.
#include "common/wire/manifest.h"

#include <math.h>
#include <string.h>

#include "common/wire/mp.h"

enum { BITS_MIN = 2, BITS_MAX = 24, VERSION = 1, KIND_AVERAGE = 0 };

static fl_bytes
s_text(const char *text)
{
    return fl_bytes_of(text, strlen(text));
}

static fl_bytes
s_made(const fl_writer *out)
{
    FL_ASSERT(!out->broken);
    return fl_bytes_of(out->start, fl_writer_size(out));
}

// ---- settings ---------------------------------------------------------------------------------
static bool
s_recipe_valid(const fl_recipe *recipe)
{
    bool valid = recipe->count <= FL_RECIPE_MAX;
    for (uint32_t i = 0; valid && i < recipe->count; i++) {
        const char *name = recipe->value[i].name;
        valid = name[0] != '\0' && isfinite(recipe->value[i].number) &&
                (i == 0 || strcmp(recipe->value[i - 1].name, name) < 0);
    }
    return valid;
}

fl_bytes
fl_settings_encode(const fl_order *order, uint8_t room[FL_PARTS_MADE_MAX])
{
    const fl_recipe *recipe = &order->plan.recipe;
    fl_writer out = fl_writer_over(room, FL_PARTS_MADE_MAX);
    FL_ASSERT(s_recipe_valid(recipe));
    fl_mp_write_map(&out, recipe->count);
    for (uint32_t i = 0; i < recipe->count; i++) {
        fl_mp_write_str(&out, s_text(recipe->value[i].name));
        fl_mp_write_number(&out, recipe->value[i].number);
    }
    return s_made(&out);
}

static bool
s_recipe_read(fl_mp_reader *in, fl_recipe *recipe)
{
    uint32_t count = fl_mp_enter_map(in);
    if (count > FL_RECIPE_MAX) {
        return false;
    }
    for (uint32_t i = 0; i < count && !in->broken; i++) {
        fl_bytes name = fl_mp_read_str(in);
        if (name.size == 0 || name.size >= FL_RECIPE_NAME_BYTES) {
            return false;
        }
        memcpy(recipe->value[i].name, name.data, name.size);
        recipe->value[i].number = fl_mp_read_number(in);
    }
    recipe->count = count;
    return !in->broken && s_recipe_valid(recipe);
}

void
fl_settings_decode(fl_bytes bytes, fl_order *order)
{
    uint8_t room[FL_PARTS_MADE_MAX];
    fl_mp_reader in;
    const char *wrong;
    fl_recipe recipe = { 0 };
    bool read = fl_mp_open(&in, bytes, &wrong) == FL_OK && s_recipe_read(&in, &recipe);
    fl_mp_close(&in);
    order->plan.recipe = recipe;
    order->beyond =
        !read || order->beyond || !fl_bytes_equal(bytes, fl_settings_encode(order, room));
}

// ---- the manifest -----------------------------------------------------------------------------
//  What the sums beside the vector are called, in the order of fl_stat.
static const char *const slots[FL_STATS] = {
    [FL_STAT_SAMPLES] = "samples",     [FL_STAT_LOSS] = "loss",
    [FL_STAT_CORRECT] = "correct",     [FL_STAT_EVALUATED] = "evaluated",
    [FL_STAT_SATURATED] = "saturated", [FL_STAT_STALE] = "stale",
    [FL_STAT_TRAIN_MS] = "train_ms",   [FL_STAT_CAPPED] = "capped",
};

static bool
s_fixed_valid(const fl_plan *plan)
{
    return plan->clip > 0.0f && isfinite(plan->clip) && plan->bits >= BITS_MIN &&
           plan->bits <= BITS_MAX && plan->late <= FL_LATE_CARRY;
}

fl_bytes
fl_manifest_encode(const fl_order *order, uint8_t room[FL_PARTS_MADE_MAX])
{
    const fl_plan *plan = &order->plan;
    fl_writer out = fl_writer_over(room, FL_PARTS_MADE_MAX);
    FL_ASSERT(s_fixed_valid(plan));
    const bool data = plan->data.name[0] != '\0';
    fl_mp_write_map(&out, data ? 9 : 8);
    if (data) {
        fl_mp_write_str(&out, s_text("data"));
        fl_mp_write_str(&out, s_text(plan->data.name));
    }
    fl_mp_write_str(&out, s_text("kind"));
    fl_mp_write_uint(&out, KIND_AVERAGE);
    fl_mp_write_str(&out, s_text("late")); // rule, largest staleness
    fl_mp_write_array(&out, 2);
    fl_mp_write_uint(&out, plan->late);
    fl_mp_write_uint(&out, plan->staleness_max);
    fl_mp_write_str(&out, s_text("name")); // of the run
    fl_mp_write_str(&out, s_text(plan->run));
    fl_mp_write_str(&out, s_text("pin"));
    fl_mp_write_bool(&out, plan->pin);
    fl_mp_write_str(&out, s_text("segments")); // first, count, kind, clip, bits of each
    fl_mp_write_array(&out, 1);
    fl_mp_write_array(&out, 5);
    fl_mp_write_uint(&out, 0);
    fl_mp_write_uint(&out, order->elements);
    fl_mp_write_uint(&out, KIND_AVERAGE);
    fl_mp_write_number(&out, (double)plan->clip);
    fl_mp_write_uint(&out, plan->bits);
    fl_mp_write_str(&out, s_text("slots"));
    fl_mp_write_array(&out, FL_STATS);
    for (int i = 0; i < FL_STATS; i++) {
        fl_mp_write_str(&out, s_text(slots[i]));
    }
    fl_mp_write_str(&out, s_text("trainer")); // none: the one that the device has
    fl_mp_write_str(&out, s_text(plan->trainer.name));
    fl_mp_write_str(&out, s_text("version"));
    fl_mp_write_uint(&out, VERSION);
    return s_made(&out);
}

//  A name, or nothing. What is none, nobody has.
static fl_name
s_name_read(fl_mp_reader *in)
{
    const fl_bytes text = fl_mp_read_str(in);
    fl_name name = { "" };
    if (text.size > 0 && text.size < sizeof name.name) {
        memcpy(name.name, text.data, text.size);
    }
    return name;
}

//  What this build can vary of it; that everything else is as it would write it, is seen by writing
//  it.
static bool
s_plan_read(fl_mp_reader *in, fl_plan *plan)
{
    fl_offering wanted = { .data = { "" } };
    if (fl_mp_enter_map(in) == 9) {
        (void)fl_mp_read_str(in); // data
        wanted.data = s_name_read(in);
    }
    (void)fl_mp_read_str(in); // kind
    (void)fl_mp_read_uint(in);
    (void)fl_mp_read_str(in); // late
    (void)fl_mp_enter(in);
    uint64_t late = fl_mp_read_uint(in);
    uint64_t staleness = fl_mp_read_uint(in);
    fl_mp_leave(in);
    (void)fl_mp_read_str(in); // name
    fl_bytes name = fl_mp_read_str(in);
    (void)fl_mp_read_str(in); // pin
    plan->pin = fl_mp_read_bool(in);
    (void)fl_mp_read_str(in); // segments
    (void)fl_mp_enter(in);
    (void)fl_mp_enter(in);
    (void)fl_mp_read_uint(in);
    (void)fl_mp_read_uint(in);
    (void)fl_mp_read_uint(in);
    double clip = fl_mp_read_number(in);
    uint64_t bits = fl_mp_read_uint(in);
    fl_mp_leave(in);
    fl_mp_leave(in);
    (void)fl_mp_read_str(in); // slots
    (void)fl_mp_enter(in);
    for (int i = 0; i < FL_STATS; i++) {
        (void)fl_mp_read_str(in);
    }
    fl_mp_leave(in);
    (void)fl_mp_read_str(in); // trainer
    wanted.trainer = s_name_read(in);
    if (in->broken || name.size >= sizeof plan->run || late > FL_LATE_CARRY ||
        staleness > UINT32_MAX || bits > BITS_MAX) {
        return false;
    }
    memset(plan->run, 0, sizeof plan->run);
    if (name.size > 0) {
        memcpy(plan->run, name.data, name.size);
    }
    plan->trainer = wanted.trainer;
    plan->data = wanted.data;
    plan->late = (uint8_t)late;
    plan->staleness_max = (uint32_t)staleness;
    plan->clip = (float)clip;
    plan->bits = (uint8_t)bits;
    return s_fixed_valid(plan);
}

void
fl_manifest_decode(fl_bytes bytes, fl_order *order)
{
    uint8_t room[FL_PARTS_MADE_MAX];
    fl_mp_reader in;
    const char *wrong;
    bool read = fl_mp_open(&in, bytes, &wrong) == FL_OK && s_plan_read(&in, &order->plan);
    fl_mp_close(&in);
    order->beyond =
        !read || order->beyond || !fl_bytes_equal(bytes, fl_manifest_encode(order, room));
}
