//  view_inside - what view.c and view_record.c share. For them only.
#ifndef FL_HOST_VIEW_INSIDE_H
#define FL_HOST_VIEW_INSIDE_H

#include "common/host/sheet.h"
#include "common/wire/message.h"

void fl_view_tally(fl_sheet *sheet, json_t *in, const fl_tally *tally);
//  NULL for FL_WHY_NONE, so that it becomes null.
const char *fl_view_reason(fl_reason reason);

#endif
