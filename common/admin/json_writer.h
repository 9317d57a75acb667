//  json_writer - a JSON document in the making, with a sticky failure: add all values straight
//  down, test once at the end. And the values that a status and a report both show.
#ifndef FL_ADMIN_JSON_WRITER_H
#define FL_ADMIN_JSON_WRITER_H

#include <jansson.h>

#include "common/base/blob.h"
#include "common/base/id.h"
#include "common/secagg/server.h"
#include "common/store/ledger.h"

typedef struct fl_json {
    json_t *top; // NULL after `end`
    bool broken; // out of memory, or text that is not UTF-8
} fl_json;

fl_json fl_json_begin(void);
//  The document as the caller's blob; NULL when broken. Releases the rest.
fl_blob *fl_json_end(fl_json *self);

//  Objects and arrays that were added belong to the document. NULL is taken everywhere for one that
//  could not be made.
json_t *fl_json_object(fl_json *self, json_t *in, const char *key);
json_t *fl_json_array(fl_json *self, json_t *in, const char *key);
json_t *fl_json_item(fl_json *self, json_t *array); // an object at its end
//  Takes `value`; NULL is one that could not be made.
void fl_json_put(fl_json *self, json_t *in, const char *key, json_t *value);
//  NULL becomes null.
void fl_json_text(fl_json *self, json_t *in, const char *key, const char *value);
void fl_json_whole(fl_json *self, json_t *in, const char *key, uint64_t value);
void fl_json_signed(fl_json *self, json_t *in, const char *key, int64_t value);
//  NaN and infinities become null.
void fl_json_real(fl_json *self, json_t *in, const char *key, double value);
void fl_json_bool(fl_json *self, json_t *in, const char *key, bool value);
//  As hex; null when all bytes are zero.
void fl_json_hex(fl_json *self, json_t *in, const char *key, const void *bytes, unsigned size);
void fl_json_append(fl_json *self, json_t *array, const char *value);

//  The tiers whose blocks are summed, by hop.
extern const char *const fl_json_tiers[FL_LEDGER_HOPS];
//  NULL for FL_WHY_NONE, so that it becomes null.
const char *fl_json_reason(fl_reason reason);
void fl_json_tally(fl_json *self, json_t *in, const fl_tally *tally);
//  Of the model that the round began with, on the devices' own samples: the mean over samples.
enum { FL_STAT_ONE = 1 << 20 }; // of a fixed-point stat
void fl_json_device_scores(fl_json *self, json_t *in, const uint64_t stats[FL_STATS]);
//  One more item of `blocks`.
void fl_json_block(fl_json *self, json_t *blocks, const fl_block_line *line, fl_secagg_state state);

#endif
