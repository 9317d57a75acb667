//  How the blocks of masked rounds ended: a line each, beside the round that they belong to.
#include "common/store/ledger_inside.h"

#define BLOCK_COLUMNS "parent, block, hop, reason, members, masked, survivors"

void
fl_ledger_hop_add(fl_ledger_hop hops[FL_LEDGER_HOPS], const fl_block_line *line)
{
    FL_ASSERT(line->hop >= 1 && line->hop <= FL_LEDGER_HOPS);
    fl_ledger_hop *hop = &hops[line->hop - 1];
    if (line->reason != FL_WHY_NONE) {
        hop->aborted_blocks++;
        hop->aborted += line->members;
        return;
    }
    hop->opened++;
    hop->members += line->members;
    hop->masked += line->masked;
    hop->survivors += line->survivors;
    hop->recovered += (uint32_t)line->masked - line->survivors;
}

fl_status
fl_ledger_blocks_put(fl_ledger *self, const fl_report *report, fl_why *why)
{
    FL_ASSERT(report->block_count <= FL_BLOCK_LINES_MAX);
    fl_query query =
        fl_query_of(self->sql, "INSERT INTO block_line(run, round, attempt, line, " BLOCK_COLUMNS
                               ") VALUES(?,?,?,?,?,?,?,?,?,?,?)");
    for (uint32_t i = 0; i < report->block_count && query.code == 0; i++) {
        const fl_block_line *line = &report->blocks[i];
        fl_query_reset(&query);
        fl_ledger_bind_key(&query, report);
        fl_query_u64(&query, i);
        fl_query_blob(&query, line->parent.name, sizeof line->parent.name);
        fl_query_u64(&query, line->block);
        fl_query_u64(&query, line->hop);
        fl_query_u64(&query, line->reason);
        fl_query_u64(&query, line->members);
        fl_query_u64(&query, line->masked);
        fl_query_u64(&query, line->survivors);
        bool row = fl_query_next(&query);
        FL_ASSERT(!row);
    }
    return fl_query_end(&query, why);
}

//  False: no line that this build could have written.
static bool
s_take_line(fl_query *query, fl_block_line *line)
{
    *line = (fl_block_line){ 0 };
    (void)fl_query_take_blob(query, line->parent.name, sizeof line->parent.name);
    line->block = (uint16_t)fl_query_take_u64(query);
    line->hop = (uint8_t)fl_query_take_u64(query);
    line->reason = (uint8_t)fl_query_take_u64(query);
    line->members = (uint8_t)fl_query_take_u64(query);
    line->masked = (uint8_t)fl_query_take_u64(query);
    line->survivors = (uint8_t)fl_query_take_u64(query);
    return line->hop >= 1 && line->hop <= FL_LEDGER_HOPS && line->masked <= line->members &&
           line->survivors <= line->masked;
}

static fl_status
s_damaged(uint64_t round, fl_why *why)
{
    return fl_fail(FL_MALFORMED, why, "the blocks of round %llu are damaged in the ledger",
                   (unsigned long long)round);
}

fl_status
fl_ledger_blocks_get(fl_ledger *self, fl_ledger_round *round, fl_block_line *blocks, fl_why *why)
{
    fl_report *report = &round->report;
    fl_query query = fl_query_of(self->sql, "SELECT " BLOCK_COLUMNS " FROM block_line "
                                            "WHERE run=? AND round=? AND attempt=? ORDER BY line");
    fl_ledger_bind_key(&query, report);
    bool fine = true;
    uint32_t count = 0;
    for (; fine && count < FL_BLOCK_LINES_MAX && fl_query_next(&query); count++) {
        fine = s_take_line(&query, &blocks[count]);
        if (fine) {
            fl_ledger_hop_add(round->hops, &blocks[count]);
        }
    }
    report->blocks = blocks;
    report->block_count = count;
    fl_status status = fl_query_end(&query, why);
    return status == FL_OK && !fine ? s_damaged(report->round, why) : status;
}

fl_status
fl_ledger_hops_get(fl_ledger *self, fl_ledger_round *rounds, uint32_t count, fl_why *why)
{
    if (count == 0) {
        return FL_OK;
    }
    fl_query query =
        fl_query_of(self->sql, "SELECT round, attempt, " BLOCK_COLUMNS " FROM block_line "
                               "WHERE run=? AND round BETWEEN ? AND ? ORDER BY round, attempt");
    fl_query_blob(&query, rounds[0].report.run.bytes, sizeof rounds[0].report.run.bytes);
    fl_query_u64(&query, rounds[0].report.round);
    fl_query_u64(&query, rounds[count - 1].report.round);
    bool fine = true;
    uint64_t round = 0;
    for (uint32_t at = 0; fine && fl_query_next(&query);) {
        fl_block_line line;
        round = fl_query_take_u64(&query);
        uint64_t attempt = fl_query_take_u64(&query);
        fine = s_take_line(&query, &line);
        while (at + 1 < count && rounds[at].report.round < round) {
            at++;
        }
        //  Other attempts of a round have lines too.
        if (fine && rounds[at].report.round == round && rounds[at].report.attempt == attempt) {
            fl_ledger_hop_add(rounds[at].hops, &line);
        }
    }
    fl_status status = fl_query_end(&query, why);
    return status == FL_OK && !fine ? s_damaged(round, why) : status;
}
