//  json_writer - a JSON document in the making, with a sticky failure: add all values straight down, test
//  once at the end. For view only; this and view are where jansson is seen on the side of the host.
#ifndef FL_ADMIN_JSON_WRITER_H
#define FL_ADMIN_JSON_WRITER_H

#include <jansson.h>

#include "common/base/blob.h"
#include "common/base/id.h"

typedef struct fl_sheet {
    json_t *top;   // NULL after `end`
    bool broken;   // out of memory, or text that is not UTF-8
} fl_sheet;

fl_sheet fl_sheet_begin(void);
//  The document as the caller's blob; NULL when broken. Releases the sheet.
fl_blob *fl_sheet_end(fl_sheet *self);

//  Objects and arrays that were added belong to the sheet. NULL is taken everywhere for one that
//  could not be made.
json_t *fl_sheet_object(fl_sheet *self, json_t *in, const char *key);
json_t *fl_sheet_array(fl_sheet *self, json_t *in, const char *key);
json_t *fl_sheet_item(fl_sheet *self, json_t *array); // an object at its end
void fl_sheet_text(fl_sheet *self, json_t *in, const char *key, const char *value);
void fl_sheet_whole(fl_sheet *self, json_t *in, const char *key, uint64_t value);
//  NaN and infinities become null.
void fl_sheet_real(fl_sheet *self, json_t *in, const char *key, double value);
void fl_sheet_bool(fl_sheet *self, json_t *in, const char *key, bool value);
void fl_sheet_null(fl_sheet *self, json_t *in, const char *key);
//  As hex; null when all bytes are zero.
void fl_sheet_hex(fl_sheet *self, json_t *in, const char *key, const void *bytes, unsigned size);
void fl_sheet_append(fl_sheet *self, json_t *array, const char *value);

#endif
