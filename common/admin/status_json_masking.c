//  What an operator sees of the masks of a round: the profile, a line per block, totals per tier.
#include "common/admin/status_json_inside.h"

static const char *const tiers[FL_LEDGER_HOPS] = { "devices", "edges" };

void
fl_json_profile(fl_json *sheet, json_t *in, fl_masking masking)
{
    fl_json_text(sheet, in, "masking", fl_masking_name(masking));
}

//  A sum is as well hidden as its blocks say. One over devices that sit at the root itself has no
//  blocks of hop 1: then every update in it came through a block of the root.
bool
fl_json_masked(const fl_report *report, const fl_ledger_hop hops[FL_LEDGER_HOPS])
{
    const fl_ledger_hop *devices = &hops[0], *edges = &hops[1];
    bool below = devices->opened + devices->aborted_blocks > 0;
    bool above = edges->opened + edges->aborted_blocks > 0;
    if (report->masking == FL_MASKING_NONE) {
        return false;
    }
    if (report->close != FL_CLOSE_DONE) {
        return true; // there is no sum
    }
    if (above && !below) {
        return edges->opened > 0 && report->count == edges->survivors;
    }
    return devices->opened > 0 && (edges->opened > 0 || !above);
}

void
fl_json_tiers(fl_json *sheet, json_t *in, const fl_ledger_hop hops[FL_LEDGER_HOPS])
{
    json_t *both = fl_json_object(sheet, in, "tiers");
    for (int i = 0; i < FL_LEDGER_HOPS; i++) {
        json_t *tier = fl_json_object(sheet, both, tiers[i]);
        fl_json_whole(sheet, tier, "masked", hops[i].masked);
        fl_json_whole(sheet, tier, "recovered", hops[i].recovered);
        fl_json_whole(sheet, tier, "aborted", hops[i].aborted);
        fl_json_whole(sheet, tier, "blocks", hops[i].opened);
        fl_json_whole(sheet, tier, "blocks_aborted", hops[i].aborted_blocks);
    }
}

static void
s_block(fl_json *sheet, json_t *blocks, const fl_block_line *line, fl_secagg_state state)
{
    json_t *item = fl_json_item(sheet, blocks);
    FL_ASSERT(line->hop >= 1 && line->hop <= FL_LEDGER_HOPS);
    fl_json_text(sheet, item, "tier", tiers[line->hop - 1]);
    fl_json_text(sheet, item, "parent", line->parent.name);
    fl_json_whole(sheet, item, "block", line->block);
    fl_json_text(sheet, item, "state", fl_secagg_state_name(state));
    fl_json_whole(sheet, item, "members", line->members);
    fl_json_whole(sheet, item, "masked", line->masked);
    fl_json_whole(sheet, item, "survivors", line->survivors);
    fl_json_whole(sheet, item, "recovered",
                  state == FL_SERVER_DONE ? (uint64_t)line->masked - line->survivors : 0);
    fl_json_bool(sheet, item, "aborted", state == FL_SERVER_ABORTED);
    fl_json_text(sheet, item, "reason", fl_json_reason((fl_reason)line->reason));
}

void
fl_json_blocks(fl_json *sheet, json_t *in, const fl_block_line *lines, uint32_t count)
{
    json_t *blocks = fl_json_array(sheet, in, "blocks");
    for (uint32_t i = 0; i < count; i++) {
        bool opened = lines[i].reason == FL_WHY_NONE;
        s_block(sheet, blocks, &lines[i], opened ? FL_SERVER_DONE : FL_SERVER_ABORTED);
    }
}

void
fl_json_live_blocks(fl_json *sheet, json_t *in, const fl_aggregator *aggregator)
{
    json_t *blocks = fl_json_array(sheet, in, "blocks");
    fl_block_view view;
    for (uint32_t i = 0; aggregator != NULL && i < FL_BLOCKS_MAX; i++) {
        if (fl_aggregator_block(aggregator, i, &view)) {
            s_block(sheet, blocks, &view.line, view.state);
        }
    }
}
