#include "common/round/participation.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/status.h"

static void
s_add_device(fl_tally *sum, const fl_seat *seat)
{
    sum->invited++;
    sum->samples_known += seat->samples;
    switch (fl_seat_outcome(seat)) {
    case FL_OUT_IN:
        sum->in++;
        return; // nothing is missing
    case FL_OUT_LATE:
        sum->late++;
        break;
    case FL_OUT_REFUSED:
        sum->refused++;
        break;
    case FL_OUT_ABSENT:
        sum->absent += fl_seat_terminal(seat) ? 1 : 0;
        break;
    case FL_OUT_IDLE:
    case FL_OUT_COUNT:
        break;
    }
    sum->samples_missing += seat->samples;
}

//  Devices that the edge named last as idle: they rest.
static uint32_t
s_idle(const fl_seat *edge)
{
    fl_roll_entry entry;
    uint32_t idle = 0;
    for (size_t at = 0; at + FL_ROLL_ENTRY_BYTES <= edge->roll_used; at += FL_ROLL_ENTRY_BYTES) {
        idle += fl_roll_decode(fl_bytes_of(edge->roll + at, FL_ROLL_ENTRY_BYTES), &entry) &&
                entry.outcome == FL_OUT_IDLE;
    }
    return idle;
}

static void
s_add_edge(fl_tally *sum, const fl_seat *seat)
{
    bool in = fl_seat_outcome(seat) == FL_OUT_IN;
    const fl_tally *said = in ? &seat->contrib.tally : &seat->tally;
    uint32_t invited = said->invited > 0 ? said->invited : seat->leaves;
    uint32_t forgotten = invited < seat->below ? seat->below - invited : 0;
    uint32_t idle = forgotten > 0 ? s_idle(seat) : 0;
    forgotten -= idle < forgotten ? idle : forgotten;
    invited += forgotten;
    uint64_t known = said->samples_known > 0 ? said->samples_known : seat->samples;
    sum->invited += invited;
    sum->samples_known += known;
    if (said->merge_ms > sum->merge_ms) {
        sum->merge_ms = said->merge_ms;
    }
    sum->bytes_up += said->bytes_up;
    sum->bytes_down += said->bytes_down;
    sum->masked += said->masked;
    sum->recovered += said->recovered;
    sum->aborted += said->aborted;
    if (in || !fl_seat_terminal(seat)) { // still running: what the edge says so far
        sum->in += said->in;
        sum->late += said->late;
        sum->absent += said->absent + (in ? forgotten : 0);
        sum->refused += said->refused;
        sum->samples_missing += said->samples_missing;
        return;
    }
    sum->samples_missing += known; // the whole subtree is out with its edge
    if (seat->phase == FL_SEAT_LATE) {
        sum->late += invited;
    } else if (seat->phase == FL_SEAT_REFUSED) {
        sum->refused += invited;
    } else {
        sum->absent += invited;
    }
}

fl_tally
fl_participation_tally(const fl_seats *seats)
{
    fl_tally sum = { 0 };
    for (uint32_t i = 0; i < fl_seats_count(seats); i++) {
        const fl_seat *seat = fl_seats_look(seats, i);
        if (fl_seat_outcome(seat) == FL_OUT_IDLE) {
            continue;
        }
        if (seat->role == FL_ROLE_EDGE) {
            s_add_edge(&sum, seat);
        } else {
            s_add_device(&sum, seat);
        }
    }
    return sum;
}

typedef struct sheet {
    fl_roll_entry *entries;
    uint32_t count, dropped;
} sheet;

static void
s_write(sheet *page, const fl_roll_entry *entry)
{
    if (page->count < FL_ROLL_MAX) {
        page->entries[page->count++] = *entry;
    } else {
        page->dropped++;
    }
}

//  Why a child that is here or belongs here was asked for nothing: it rests, no block had a place
//  for it, or it came after the blocks were made.
static fl_reason
s_idles(const fl_seat *seat)
{
    return seat->rests != FL_WHY_NONE    ? seat->rests
           : seat->reason != FL_WHY_NONE ? seat->reason
                                         : FL_WHY_LATE;
}

static void
s_write_seat(sheet *page, const fl_seat *seat, const fl_name *parent, uint64_t round)
{
    fl_roll_entry entry = { .node = seat->node, .parent = *parent };
    entry.outcome = (uint8_t)fl_seat_outcome(seat);
    entry.reason = (uint8_t)(entry.outcome == FL_OUT_IDLE ? s_idles(seat) : seat->reason);
    if (entry.outcome == FL_OUT_IN) {
        entry.reason = seat->partial ? FL_WHY_PARTIAL : entry.reason;
        uint64_t staleness = round - seat->contrib.base_round;
        entry.staleness = staleness < 255 ? (uint8_t)staleness : 255;
    }
    s_write(page, &entry);
}

//  An edge tells of what is below it: neither of our other children, nor of what is below these.
static bool
s_below(const fl_seats *seats, const fl_seat *edge, const fl_name *ourselves,
        const fl_roll_entry *entry)
{
    return !fl_name_equal(&entry->parent, ourselves) &&
           (fl_name_equal(&entry->parent, &edge->node) || !fl_seats_has(seats, &entry->parent));
}

//  `ours`: of those with the name of a child of ours, too; one of them that is counted there is
//  always named, as its update is in the sum.
static bool
s_next_below(const fl_seats *seats, const fl_seat *edge, const fl_name *ourselves, bool ours,
             size_t *at, fl_roll_entry *entry)
{
    fl_outcome outcome = fl_seat_outcome(edge);
    bool rests = outcome == FL_OUT_IDLE && // now, or when the round was opened
                 (edge->rests != FL_WHY_NONE || edge->reason != FL_WHY_NONE);
    bool out = outcome != FL_OUT_IN && (outcome != FL_OUT_IDLE || rests) && fl_seat_terminal(edge);
    bool found = false;
    while (*at + FL_ROLL_ENTRY_BYTES <= edge->roll_used && !found) {
        found = fl_roll_decode(fl_bytes_of(edge->roll + *at, FL_ROLL_ENTRY_BYTES), entry) &&
                s_below(seats, edge, ourselves, entry) &&
                (ours || (outcome == FL_OUT_IN && entry->outcome == FL_OUT_IN) ||
                 !fl_seats_has(seats, &entry->node));
        *at += FL_ROLL_ENTRY_BYTES;
    }
    if (found && out) {
        entry->outcome = (uint8_t)outcome;
        entry->reason = (uint8_t)(rests ? s_idles(edge) : edge->reason);
        entry->staleness = 0;
    }
    return found;
}

bool
fl_participation_below(const fl_seats *seats, const fl_seat *edge, const fl_name *ourselves,
                       size_t *at, fl_roll_entry *entry)
{
    return s_next_below(seats, edge, ourselves, false, at, entry);
}

uint32_t
fl_participation_roll(const fl_seats *seats, const fl_name *parent, uint64_t round,
                      fl_roll_entry *entries, uint32_t *dropped)
{
    sheet page = { .entries = entries };
    for (uint32_t i = 0; i < fl_seats_count(seats); i++) {
        const fl_seat *seat = fl_seats_look(seats, i);
        bool known = seat->rests != FL_WHY_NONE || seat->member || seat->present;
        bool idle = fl_seat_outcome(seat) == FL_OUT_IDLE;
        if (idle && (!known || !fl_seats_wants(seats, &seat->node))) {
            continue;
        }
        s_write_seat(&page, seat, parent, round);
        fl_roll_entry entry;
        for (size_t at = 0; fl_participation_below(seats, seat, parent, &at, &entry);) {
            if (idle) {
                entry.outcome = FL_OUT_IDLE;
                entry.reason = (uint8_t)s_idles(seat);
                entry.staleness = 0;
            }
            s_write(&page, &entry);
        }
        page.dropped += fl_seat_outcome(seat) == FL_OUT_IN ? seat->contrib.roll_dropped : 0;
    }
    *dropped = page.dropped;
    return page.count;
}

static bool
s_names(const fl_roll_entry *roll, uint32_t count, const fl_name *node)
{
    for (uint32_t i = 0; i < count; i++) {
        if (fl_name_equal(&roll[i].node, node)) {
            return true;
        }
    }
    return false;
}

uint32_t
fl_participation_missed(const fl_name *ourselves, const fl_roll_entry *before,
                        uint32_t before_count, fl_roll_entry *entries, uint32_t count,
                        uint32_t *dropped)
{
    sheet page = { entries, count, 0 };
    for (uint32_t i = 0; i < before_count; i++) {
        fl_roll_entry entry = before[i];
        bool below =
            fl_name_equal(&entry.parent, ourselves) || s_names(entries, page.count, &entry.parent);
        if (below && !s_names(entries, count, &entry.node)) {
            entry.outcome = FL_OUT_ABSENT;
            entry.reason = entry.reason == FL_WHY_GONE ? FL_WHY_GONE : FL_WHY_SILENT;
            entry.staleness = 0;
            s_write(&page, &entry);
        }
    }
    *dropped += page.dropped;
    return page.count;
}

// ---- names under two parents ------------------------------------------------------------------
static int
s_by_name(const void *a, const void *b)
{
    return memcmp(a, b, 2 * sizeof(fl_name)); // node, then parent
}

//  All lines of the round, in order. NULL: out of memory.
static fl_roll_entry *
s_lines(const fl_seats *seats, const fl_name *ourselves, uint32_t *count)
{
    size_t most = 1, used = 0;
    for (uint32_t i = 0; i < fl_seats_count(seats); i++) {
        most += 1 + fl_seats_look(seats, i)->roll_used / FL_ROLL_ENTRY_BYTES;
    }
    fl_roll_entry *lines = calloc(most, sizeof *lines);
    for (uint32_t i = 0; lines != NULL && i < fl_seats_count(seats); i++) {
        const fl_seat *seat = fl_seats_look(seats, i);
        lines[used] = (fl_roll_entry){ .node = seat->node, .parent = *ourselves };
        fl_outcome own = fl_seat_outcome(seat);
        lines[used++].outcome = (uint8_t)own;
        for (size_t at = 0; s_next_below(seats, seat, ourselves, true, &at, &lines[used]);) {
            bool old = own != FL_OUT_IN && lines[used].outcome == FL_OUT_IN; // of an earlier round
            lines[used].outcome = old ? FL_OUT_LATE : lines[used].outcome;
            lines[used++].spare = 0;
        }
    }
    if (lines != NULL) {
        qsort(lines, used, sizeof *lines, s_by_name);
    }
    *count = (uint32_t)used;
    return lines;
}

//  How a line stood when it was looked at last; a line of zeros when it was not there.
static fl_roll_entry
s_then(const fl_doubles *self, const fl_roll_entry *line)
{
    const fl_roll_entry *then =
        self->lines == NULL ? NULL
                            : bsearch(line, self->lines, self->count, sizeof *line, s_by_name);
    return then == NULL ? (fl_roll_entry){ 0 } : *then;
}

//  Of the lines of one name, that of the parent which keeps it; NULL when it is in one place. A
//  line that keeps a name has a 1 in `spare`.
static fl_roll_entry *
s_keeping(const fl_doubles *self, const fl_name *ourselves, fl_roll_entry *lines, uint32_t count,
          const fl_roll_entry **other)
{
    fl_roll_entry *keeper = NULL, *first = NULL, *seen = NULL; // seen here
    *other = NULL;
    for (uint32_t i = 0; i < count; i++) {
        fl_roll_entry then = s_then(self, &lines[i]);
        bool here = lines[i].outcome != FL_OUT_ABSENT && lines[i].outcome != FL_OUT_IDLE;
        keeper = then.spare == 1 && here ? &lines[i] : keeper;
        if (lines[i].outcome == FL_OUT_IN) {
            bool before = first == NULL ||
                          (then.outcome == FL_OUT_IN && s_then(self, first).outcome != FL_OUT_IN);
            *other = before ? first : &lines[i];
            first = before ? &lines[i] : first;
            seen = fl_name_equal(&lines[i].parent, ourselves) ? &lines[i] : seen;
        }
    }
    if (seen != NULL && *other != NULL) {
        *other = *other == seen ? first : *other;
        return seen;
    }
    return keeper != NULL ? keeper : *other != NULL ? first : NULL;
}

void
fl_participation_doubles(const fl_seats *seats, const fl_name *ourselves, fl_doubles *self)
{
    uint32_t count = 0, twins = 0, to;
    fl_roll_entry *lines = s_lines(seats, ourselves, &count);
    for (uint32_t from = 0; lines != NULL && from < count; from = to) {
        const fl_roll_entry *other;
        for (to = from + 1; to < count && fl_name_equal(&lines[to].node, &lines[from].node); to++) {
        }
        fl_roll_entry *keeper = s_keeping(self, ourselves, lines + from, to - from, &other);
        if (keeper != NULL && twins < FL_TWINS_MAX) {
            keeper->spare = 1;
            self->other[twins] = other != NULL && other != keeper ? other->parent : (fl_name){ "" };
            self->twins[twins++] = (fl_twin){ lines[from].node, keeper->parent };
        }
    }
    free(self->lines);
    self->lines = lines;
    self->count = count;
    self->twin_count = twins;
}
