//  The checkers of masked rounds. The driver sees every plain byte, so it can say of every pushed
//  one that it hides something, of every sum whose it is, and of every named end whether it could
//  be: nobody lies here, so nobody may be called a liar.
#include <inttypes.h>
#include <string.h>

#include "common/crypto/hash.h"
#include "tests/sim/sim.h"

enum { FACT_HEAD = 1 + 4 + 16 + 8 + 32 + 8 }; // docs/masking.md, 8

static bool
s_masked(const fl_sim *sim)
{
    return fl_plan_masks(&sim->plan);
}

//  How what that node sends is to be hidden.
static fl_masking
s_masking(const fl_sim *sim, const fl_sim_node *node)
{
    return fl_plan_masking(&sim->plan, node->parent == 0 ? 2 : 1);
}

// ---- an update is masked once -----------------------------------------------------------------
static fl_secagg_mark
s_mark(const fl_sim_node *node)
{
    fl_secagg_mark mark = { 0 };
    if (node->masks.marked &&
        !fl_secagg_mark_decode(fl_bytes_of(node->masks.mark, sizeof node->masks.mark), &mark)) {
        FL_ASSERT(mark.round == 0);
    }
    return mark;
}

void
fl_sim_veil_masking(fl_sim *sim, fl_sim_node *node, fl_bytes plain)
{
    fl_sim_notary *notary = &sim->notary;
    const char *name = node->name.name;
    fl_hash hash = fl_hash_of(plain);
    fl_sim_lot *lot = fl_sim_lot_of(sim, &hash);
    if (lot == NULL || lot->masked) {
        fl_sim_fail(sim, CHECK_BYTES, "%s masks bytes that nobody has made", name);
        return;
    }
    const fl_secagg_mark mark = s_mark(node);
    uint64_t round = fl_sim_round(sim, &mark.run, mark.round);
    const fl_sim_era *era = fl_sim_era_of(sim, &mark.run);
    uint64_t *masked_in = &node->masks.masked_in[era == NULL ? 0 : era - sim->eras];
    if (round <= *masked_in) {
        fl_sim_fail(sim, CHECK_SPENT,
                    "%s masks, and what it kept is a mark of round %" PRIu64
                    "; it masked in round %" PRIu64 " already",
                    name, round, *masked_in);
        return;
    }
    bool device = lot->folds == 0;
    fl_sim_training *training =
        device ? &notary->trainings[notary->leaves[lot->leaves[0]].training] : NULL;
    uint64_t before = device ? training->masked_in : 0; // an edge hands in what it kept
    if (before != 0) {
        fl_sim_fail(sim, CHECK_SPENT,
                    "%s masks in round %" PRIu64 " what it masked in round %" PRIu64, name, round,
                    before);
        return;
    }
    *masked_in = round;
    lot->masked_in = round;
    if (device) {
        training->masked_in = round;
    }
}

// ---- nothing crosses a link in the clear ------------------------------------------------------
void
fl_sim_veil_pushed(fl_sim *sim, fl_sim_node *node, const fl_sim_vec *vec, fl_bytes bytes)
{
    if (s_masking(sim, node) == FL_MASKING_NONE || vec == NULL) {
        return;
    }
    if (!vec->masked) {
        fl_sim_fail(sim, CHECK_VEIL, "%s pushes a vector that was never masked", node->name.name);
        return;
    }
    fl_hash hash = fl_hash_of(bytes);
    const fl_sim_notary *notary = &sim->notary;
    for (uint32_t i = 0; i < notary->lot_count; i++) {
        if (!notary->lots[i].masked && fl_hash_equal(&notary->lots[i].hash, &hash)) {
            fl_sim_fail(sim, CHECK_VEIL, "%s pushes plain bytes", node->name.name);
            return;
        }
    }
    for (uint32_t i = 0; i < notary->leaf_count; i++) {
        fl_bytes plain = fl_blob_bytes(notary->leaves[i].bytes);
        if (plain.size >= bytes.size && memcmp(plain.data, bytes.data, bytes.size) == 0) {
            fl_sim_fail(sim, CHECK_VEIL, "%s pushes the first bytes of an update", node->name.name);
            return;
        }
    }
}

static void
s_check_contrib(fl_sim *sim, const fl_sim_node *node, const fl_contrib *contrib)
{
    uint64_t plain = contrib->weight | contrib->count;
    for (int i = 0; i < FL_STATS; i++) {
        plain |= contrib->stats[i];
    }
    const fl_sim_lot *lot = fl_sim_lot_of(sim, &contrib->hash);
    size_t psig = s_masking(sim, node) == FL_MASKING_MALICIOUS ? FL_SIGNATURE_BYTES : 0;
    if (s_masking(sim, node) == FL_MASKING_NONE) {
        return;
    }
    if (plain != 0) {
        fl_sim_fail(sim, CHECK_VEIL, "%s says numbers in the clear", node->name.name);
    } else if (lot == NULL || !lot->masked) {
        fl_sim_fail(sim, CHECK_VEIL, "%s offers a vector that was never masked", node->name.name);
    } else if (contrib->header.size != FL_MASKED_HEADER_BYTES || contrib->psig.size != psig) {
        fl_sim_fail(sim, CHECK_VEIL, "%s offers %zu bytes of header and %zu of signature",
                    node->name.name, contrib->header.size, contrib->psig.size);
    }
}

// ---- one content, and only what was kept ------------------------------------------------------
//  What every member of the block is told alike; of DEALT, what one is.
typedef struct tale {
    fl_keep what;
    uint32_t block;
    uint64_t set;
    fl_bytes list;
} tale;

static bool
s_tale(const fl_message *message, tale *told)
{
    if (message->verb == FL_ROSTER && fl_secagg_asks_keys(message->roster.list)) {
        return false; // it says nothing
    }
    if (message->verb == FL_ROSTER) {
        *told = (tale){ FL_KEEP_ROSTER, message->roster.block, 0, message->roster.list };
    } else if (message->verb == FL_DEALT) {
        *told = (tale){ FL_KEEP_DEALT, message->dealt.block, message->dealt.set,
                        message->dealt.list };
    } else if (message->verb == FL_MASKSET) {
        *told = (tale){ .what = FL_KEEP_MASKSET,
                        .block = message->maskset.block,
                        .set = message->maskset.set };
    } else if (message->verb == FL_SURVIVORS) {
        *told = (tale){ FL_KEEP_SURVIVORS, message->survivors.block, message->survivors.set,
                        message->survivors.list };
    } else if (message->verb == FL_ACKS) {
        *told =
            (tale){ FL_KEEP_ACKS, message->acks.block, message->acks.set, message->acks.list };
    } else {
        return false;
    }
    return true;
}

static bool
s_is_kept(const fl_sim_node *node, const fl_message *message, const tale *told)
{
    for (uint32_t i = 0; i < node->masks.fact_count; i++) {
        const fl_sim_fact *fact = &node->masks.facts[i];
        if (fact->round != message->round || fact->block != told->block % FL_BLOCKS_MAX ||
            fact->what != told->what || !fl_run_equal(&fact->run, &message->run)) {
            continue;
        }
        fl_bytes bytes = fl_blob_bytes(fact->bytes);
        fl_reader in = fl_reader_of(bytes);
        (void)fl_read_view(&in, FACT_HEAD - 8);
        uint64_t set = fl_read_u64(&in);
        fl_bytes list = fl_read_view(&in, bytes.size - FACT_HEAD);
        if (told->what == FL_KEEP_DEALT) { // each is shown a part of it
            return (told->set & ~set) == 0;
        }
        bool same = told->list.size == 0 || (list.size == told->list.size &&
                                             memcmp(list.data, told->list.data, list.size) == 0);
        return same && (told->what == FL_KEEP_ROSTER || set == told->set);
    }
    return false;
}

static void
s_check_told(fl_sim *sim, const fl_sim_node *node, uint32_t to, const fl_message *message)
{
    tale told;
    if (!s_tale(message, &told)) {
        return;
    }
    fl_sim_notary *notary = &sim->notary;
    const char *verb = fl_verb_name(message->verb);
    if (!s_is_kept(node, message, &told)) {
        fl_sim_fail(sim, CHECK_TOLD, "%s tells %s of round %" PRIu64 ", which it has not kept",
                    node->name.name, verb, message->round);
        return;
    }
    fl_hasher hasher;
    fl_hasher_init(&hasher);
    fl_hasher_update(&hasher, fl_bytes_of(&told.set, sizeof told.set));
    fl_hasher_update(&hasher, told.list);
    fl_sim_told fresh = { .parent = node->index + node->fate.generation * SIM_NODES_MAX,
                          .to = message->verb == FL_DEALT ? to : SIM_NONE,
                          .block = told.block,
                          .round = fl_sim_round(sim, &message->run, message->round),
                          .verb = message->verb,
                          .content = fl_hasher_final(&hasher) };
    for (uint32_t i = notary->told_count; i-- > 0;) {
        const fl_sim_told *old = &notary->told[i];
        if (old->parent == fresh.parent && old->to == fresh.to && old->block == fresh.block &&
            old->round == fresh.round && old->verb == fresh.verb) {
            if (!fl_hash_equal(&old->content, &fresh.content)) {
                fl_sim_fail(sim, CHECK_TOLD, "%s tells two different %s of round %" PRIu64,
                            node->name.name, verb, fresh.round);
            }
            return;
        }
    }
    if (notary->told_count == notary->told_capacity) {
        notary->told_capacity = 2 * notary->told_capacity + 64;
        notary->told = fl_sim_grow(notary->told, notary->told_capacity * sizeof fresh);
    }
    notary->told[notary->told_count++] = fresh;
}

// ---- names ------------------------------------------------------------------------------------
//  What is only found where somebody lies, or where we are wrong.
static bool
s_guilty(fl_reason reason)
{
    static const bool guilty[FL_WHY_COUNT] = {
        [FL_WHY_SIGNATURE] = true,   [FL_WHY_DEALER_LIED] = true,    [FL_WHY_EQUIVOCATION] = true,
        [FL_WHY_CHECKSUM] = true,    [FL_WHY_COUNT_MISMATCH] = true, [FL_WHY_MALFORMED] = true,
        [FL_WHY_CERTIFICATE] = true, [FL_WHY_ROLE] = true,           [FL_WHY_PLAN] = true,
        [FL_WHY_SHAPE] = true,       [FL_WHY_WEIGHT] = true,
    };
    return guilty[reason];
}

//  How a block or a masked round may end.
static bool
s_named(fl_reason reason)
{
    static const bool named[FL_WHY_COUNT] = {
        [FL_WHY_ROSTER_TOO_SMALL] = true,
        [FL_WHY_TOO_FEW_DEALT] = true,
        [FL_WHY_TOO_FEW_READY] = true,
        [FL_WHY_TOO_FEW_UPLOADS] = true,
        [FL_WHY_TOO_FEW_ACKS] = true,
        [FL_WHY_TOO_FEW_SHARES] = true,
        [FL_WHY_RESTART] = true,
        [FL_WHY_STORAGE] = true,
        [FL_WHY_QUORUM] = true,
        [FL_WHY_SAME_MODEL] = true,
        [FL_WHY_DRAWS_USED] = true,
        [FL_WHY_SILENT] = true,
        [FL_WHY_STALE] = true,
        [FL_WHY_LATE] = true,
        [FL_WHY_ABORTED] = true,
    };
    return named[reason];
}

bool
fl_sim_veil_waits(const fl_sim *sim)
{
    for (uint32_t i = 0; i < sim->node_count * sim->runs; i++) {
        const fl_sim_node *node = &sim->nodes[i / sim->runs];
        const fl_sim_era *era = &sim->eras[i % sim->runs];
        const fl_secagg_mark mark = s_mark(node);
        const fl_secagg_drawn of = { era->row.run, era->row.model, 0, era->plan.pin };
        if (node->role == FL_ROLE_DEVICE && fl_secagg_mark_draws(&mark, &of) > sim->draws_max) {
            return true;
        }
    }
    return false;
}

void
fl_sim_veil_noted(fl_sim *sim, fl_sim_node *node, const fl_note *note)
{
    const char *reason = fl_reason_name(note->reason);
    if (note->id == FL_NOTE_MASKING_BLAMED) {
        fl_sim_fail(sim, CHECK_BLAME, "%s blames %s by %s in round %" PRIu64, node->name.name,
                    note->node.name, reason, note->round);
    } else if (note->id == FL_NOTE_MASKING_OUT && s_guilty(note->reason)) {
        fl_sim_fail(sim, CHECK_BLAME, "the part of %s in round %" PRIu64 " ends by %s at %s",
                    note->node.name[0] != '\0' ? note->node.name : node->name.name, note->round,
                    reason, node->name.name);
    } else if (note->id == FL_NOTE_MASKING && note->reason != FL_WHY_NONE) {
        fl_sim_count_up(sim, SIM_BLOCKS_ABORTED);
        fl_sim_count_up(sim, (fl_sim_count)(SIM_ENDED + note->reason));
        if (s_guilty(note->reason)) { // else it is what the edge above was told
            fl_sim_fail(sim, CHECK_BLAME, "a block of %s ends by %s in round %" PRIu64,
                        node->name.name, reason, note->round);
        }
    } else if (note->id == FL_NOTE_SUM_AGAIN) {
        fl_sim_era *era = fl_sim_era_of(sim, &node->ledger.open_run);
        if (era != NULL) {
            era->again_in = note->round;
        }
        fl_sim_count_up(sim, SIM_SUMS_AGAIN);
    } else if (note->id == FL_NOTE_MASKING_CLEARED) {
        fl_sim_count_up(sim, SIM_CLEARED);
    } else if (note->id == FL_NOTE_DRAW) {
        fl_sim_count_up(sim, SIM_DRAWS);
    } else if (note->id == FL_NOTE_MASKING_ENDED) {
        fl_sim_count_up(sim, SIM_BLOCKS_DONE);
        sim->totals.count[SIM_TAKEN_UP_DONE] += note->round == node->masks.given_round;
    }
}

// ---- what is said -----------------------------------------------------------------------------
static bool
s_released(const fl_sim_node *node, const fl_run *run, uint64_t round)
{
    const fl_secagg_mark mark = s_mark(node);
    for (uint32_t i = 0; i < mark.count; i++) {
        const fl_secagg_deed *deed = &mark.deed[i];
        if (deed->where.round == round && fl_run_equal(&deed->where.run, run)) {
            return deed->released;
        }
    }
    return false;
}

void
fl_sim_veil_said(fl_sim *sim, fl_sim_node *node, uint32_t to, const fl_message *message)
{
    if (!s_masked(sim)) {
        return;
    }
    const char *name = node->name.name;
    if (message->verb == FL_CONTRIB) {
        s_check_contrib(sim, node, &message->contrib);
    } else if (message->verb == FL_BEAT && to == node->parent && message->beat.samples != 0 &&
               node->masks.profile != FL_MASKING_NONE) {
        fl_sim_fail(sim, CHECK_VEIL, "%s tells its samples in a heartbeat", name);
    } else if (message->verb == FL_UNMASK && !s_released(node, &message->run, message->round)) {
        fl_sim_fail(sim, CHECK_SPENT, "%s opens round %" PRIu64 " before that is kept", name,
                    message->round);
    } else {
        s_check_told(sim, node, to, message);
    }
}

// ---- what a report says of blocks -------------------------------------------------------------
static bool
s_line_holds(const fl_sim *sim, const fl_block_line *line)
{
    if (line->survivors > line->masked || line->masked > line->members ||
        line->members > sim->plan.block_max || line->hop < 1 || line->hop > 2) {
        return false;
    }
    if (line->reason != FL_WHY_NONE) {
        return s_named((fl_reason)line->reason);
    }
    uint32_t floor = fl_secagg_floor(sim->plan.survivors_min, line->hop);
    return line->survivors >= fl_secagg_quorum(line->members, floor);
}

void
fl_sim_veil_commit(fl_sim *sim, const fl_report *report)
{
    if (report->masking != fl_plan_masking(&sim->plan, 1)) {
        fl_sim_fail(sim, CHECK_BLOCKS, "round %" PRIu64 " reports that it was %s", report->round,
                    fl_masking_name(report->masking));
        return;
    }
    if (!s_masked(sim)) {
        return;
    }
    sim->totals.count[SIM_MASKED] += report->tally.masked;
    sim->totals.count[SIM_RECOVERED] += report->tally.recovered;
    uint32_t opened = 0;
    for (uint32_t i = 0; i < report->block_count; i++) {
        const fl_block_line *line = &report->blocks[i];
        opened += line->hop == 2 && line->reason == FL_WHY_NONE;
        if (!s_line_holds(sim, line)) {
            fl_sim_fail(sim, CHECK_BLOCKS,
                        "round %" PRIu64 ": block %u of %s, hop %u: %u members, %u masked, %u "
                        "survived, %s",
                        report->round, line->block, line->parent.name, line->hop, line->members,
                        line->masked, line->survivors, fl_reason_name((fl_reason)line->reason));
        }
    }
    bool root = fl_plan_masking(&sim->plan, 2) != FL_MASKING_NONE;
    if (report->close == FL_CLOSE_DONE && opened == 0 && root) {
        fl_sim_fail(sim, CHECK_BLOCKS, "round %" PRIu64 " is done without a block that was opened",
                    report->round);
    } else if (report->close != FL_CLOSE_DONE && !s_named(report->reason)) {
        fl_sim_fail(sim, CHECK_BLAME, "round %" PRIu64 " is %s by %s", report->round,
                    fl_close_name(report->close), fl_reason_name(report->reason));
    }
}
