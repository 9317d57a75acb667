//  status_json_inside - what the files of view share. For them only.
#ifndef FL_ADMIN_STATUS_JSON_INSIDE_H
#define FL_ADMIN_STATUS_JSON_INSIDE_H

#include "common/admin/json_writer.h"
#include "common/round/aggregator.h"
#include "common/store/ledger.h"

void fl_json_tally(fl_json *sheet, json_t *in, const fl_tally *tally);
//  NULL for FL_WHY_NONE, so that it becomes null.
const char *fl_json_reason(fl_reason reason);

//  "masking": the profile of an order.
void fl_json_profile(fl_json *sheet, json_t *in, fl_masking masking);
//  True when nobody above a device saw less than the sum of a block, at either hop.
bool fl_json_masked(const fl_report *report, const fl_ledger_hop hops[FL_LEDGER_HOPS]);
//  "tiers": the totals of both hops. "blocks": a line each.
void fl_json_tiers(fl_json *sheet, json_t *in, const fl_ledger_hop hops[FL_LEDGER_HOPS]);
void fl_json_blocks(fl_json *sheet, json_t *in, const fl_block_line *lines, uint32_t count);
//  The same of the blocks that an aggregator has in hand, or had in its last round.
void fl_json_live_blocks(fl_json *sheet, json_t *in, const fl_aggregator *aggregator);

#endif
