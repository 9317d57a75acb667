#include "common/admin/json_writer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *const fl_json_tiers[FL_LEDGER_HOPS] = { "devices", "edges" };

enum { REAL_DIGITS = 9, HEX_BYTES_MAX = 32 };

fl_json
fl_json_begin(void)
{
    json_t *top = json_object();
    return (fl_json){ .top = top, .broken = top == NULL };
}

fl_blob *
fl_json_end(fl_json *self)
{
    fl_blob *blob = NULL;
    char *text = self->broken ? NULL
                              : json_dumps(self->top, JSON_COMPACT | JSON_PRESERVE_ORDER |
                                                          JSON_REAL_PRECISION(REAL_DIGITS));
    if (text != NULL) {
        blob = fl_blob_copy(fl_bytes_of(text, strlen(text)));
    }
    free(text);
    json_decref(self->top);
    self->top = NULL;
    return blob;
}

void
fl_json_put(fl_json *self, json_t *in, const char *key, json_t *value)
{
    if (json_object_set_new(in, key, value) != 0) {
        self->broken = true;
    }
}

json_t *
fl_json_object(fl_json *self, json_t *in, const char *key)
{
    json_t *made = json_object();
    fl_json_put(self, in, key, made);
    return self->broken ? NULL : made;
}

json_t *
fl_json_array(fl_json *self, json_t *in, const char *key)
{
    json_t *made = json_array();
    fl_json_put(self, in, key, made);
    return self->broken ? NULL : made;
}

json_t *
fl_json_item(fl_json *self, json_t *array)
{
    json_t *made = json_object();
    if (json_array_append_new(array, made) != 0) {
        self->broken = true;
    }
    return self->broken ? NULL : made;
}

void
fl_json_text(fl_json *self, json_t *in, const char *key, const char *value)
{
    fl_json_put(self, in, key, value == NULL ? json_null() : json_string(value));
}

void
fl_json_whole(fl_json *self, json_t *in, const char *key, uint64_t value)
{
    fl_json_put(self, in, key, json_integer(value > INT64_MAX ? INT64_MAX : (json_int_t)value));
}

void
fl_json_signed(fl_json *self, json_t *in, const char *key, int64_t value)
{
    fl_json_put(self, in, key, json_integer(value));
}

void
fl_json_real(fl_json *self, json_t *in, const char *key, double value)
{
    fl_json_put(self, in, key, isfinite(value) ? json_real(value) : json_null());
}

void
fl_json_bool(fl_json *self, json_t *in, const char *key, bool value)
{
    fl_json_put(self, in, key, json_boolean(value));
}

void
fl_json_hex(fl_json *self, json_t *in, const char *key, const void *bytes, unsigned size)
{
    static const uint8_t zeros[HEX_BYTES_MAX];
    char text[2 * HEX_BYTES_MAX + 1];
    FL_ASSERT(size <= HEX_BYTES_MAX);
    fl_hex(bytes, size, text);
    fl_json_text(self, in, key, memcmp(bytes, zeros, size) == 0 ? NULL : text);
}

void
fl_json_append(fl_json *self, json_t *array, const char *value)
{
    if (json_array_append_new(array, json_string(value)) != 0) {
        self->broken = true;
    }
}

const char *
fl_json_reason(fl_reason reason)
{
    return reason == FL_WHY_NONE ? NULL : fl_reason_name(reason);
}

void
fl_json_tally(fl_json *self, json_t *in, const fl_tally *tally)
{
    fl_json_whole(self, in, "invited", tally->invited);
    fl_json_whole(self, in, "in", tally->in);
    fl_json_whole(self, in, "late", tally->late);
    fl_json_whole(self, in, "absent", tally->absent);
    fl_json_whole(self, in, "refused", tally->refused);
    fl_json_whole(self, in, "samples_known", tally->samples_known);
    fl_json_whole(self, in, "samples_missing", tally->samples_missing);
    fl_json_whole(self, in, "merge_ms", tally->merge_ms);
    fl_json_whole(self, in, "bytes_up", tally->bytes_up);
    fl_json_whole(self, in, "bytes_down", tally->bytes_down);
    fl_json_whole(self, in, "masked", tally->masked);
    fl_json_whole(self, in, "recovered", tally->recovered);
    fl_json_whole(self, in, "aborted", tally->aborted);
}

void
fl_json_device_scores(fl_json *self, json_t *in, const uint64_t stats[FL_STATS])
{
    const double samples = (double)stats[FL_STAT_EVALUATED]; // of none: NaN
    fl_json_real(self, in, "device_loss", (double)stats[FL_STAT_LOSS] / FL_STAT_ONE / samples);
    fl_json_real(self, in, "device_accuracy", (double)stats[FL_STAT_CORRECT] / samples);
}

void
fl_json_block(fl_json *self, json_t *blocks, const fl_block_line *line, fl_secagg_state state)
{
    json_t *item = fl_json_item(self, blocks);
    FL_ASSERT(line->hop >= 1 && line->hop <= FL_LEDGER_HOPS);
    fl_json_text(self, item, "tier", fl_json_tiers[line->hop - 1]);
    fl_json_text(self, item, "parent", line->parent.name);
    fl_json_whole(self, item, "block", line->block);
    fl_json_text(self, item, "state", fl_secagg_state_name(state));
    fl_json_whole(self, item, "members", line->members);
    fl_json_whole(self, item, "masked", line->masked);
    fl_json_whole(self, item, "survivors", line->survivors);
    fl_json_whole(self, item, "recovered",
                  state == FL_SERVER_DONE ? (uint64_t)line->masked - line->survivors : 0);
    fl_json_bool(self, item, "aborted", state == FL_SERVER_ABORTED);
    fl_json_text(self, item, "reason", fl_json_reason((fl_reason)line->reason));
}
