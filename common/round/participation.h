//  participation - who took part: the numbers of a subtree and the lines of its report, built from
//  the seats of an aggregator. Pure functions over seats.
#ifndef FL_ROUND_PARTICIPATION_H
#define FL_ROUND_PARTICIPATION_H

#include "common/round/seats.h"

//  The devices of the subtree below these seats in the round at hand: a device by its own phase,
//  an edge by what it says of its own; if it is not in, or has forgotten some, they are as lost as
//  it is. Whoever was in the run and is gone is absent. Byte counts and merge time of this parent
//  are not set here.
fl_tally fl_participation_tally(const fl_seats *seats);

//  The next line of what an edge reported last, from `*at` on, which begins at 0: of those below
//  it, and none of our own but who is counted there too. Once it is not in, they are out with it.
//  False: there is none.
bool fl_participation_below(const fl_seats *seats, const fl_seat *edge, const fl_name *ourselves,
                            size_t *at, fl_roll_entry *entry);

//  Report lines: one per seat that was invited or is gone, and behind an edge those that it
//  reports; when it is not in, those that it reported last, with its own outcome. Writes at most
//  FL_ROLL_MAX into `entries` (that many places), returns how many; `dropped` counts what did not
//  fit. `round` gives the staleness of each contribution.
uint32_t fl_participation_roll(const fl_seats *seats, const fl_name *parent, uint64_t round,
                               fl_roll_entry *entries, uint32_t *dropped);
//  Adds those of the report before that nobody names any more: their parent, which knew them, began
//  anew. How many there are then.
uint32_t fl_participation_missed(const fl_name *ourselves, const fl_roll_entry *before,
                                 uint32_t before_count, fl_roll_entry *entries, uint32_t count,
                                 uint32_t *dropped);

//  Names that were counted under two parents, as copied keys are. Zeros at first; `lines` are to be
//  freed at the end.
typedef struct fl_doubles {
    fl_roll_entry *lines; // (count) of the round looked at last
    uint32_t count;
    uint32_t twin_count;
    fl_twin twins[FL_TWINS_MAX];
    fl_name other[FL_TWINS_MAX]; // that counted it too in this round; empty: none did
} fl_doubles;

//  Look at the round at hand. A name that was in two places stays with the parent that had it in
//  the round before, as long as it is not absent there.
void fl_participation_doubles(const fl_seats *seats, const fl_name *ourselves, fl_doubles *self);

#endif
