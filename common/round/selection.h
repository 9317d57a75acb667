//  selection - who is invited to a round. The rule at hand decides for each seat of a node that the
//  run wants, when the round opens, and again when a seat that is not invited is heard; who was
//  shown to have lied is refused before. Once invited, a seat stays so until the round ends. A part
//  of fl_aggregator; plain values, one thread.
#ifndef FL_ROUND_SELECTION_H
#define FL_ROUND_SELECTION_H

#include "common/round/seats.h"

typedef struct fl_selection fl_selection;

typedef struct fl_selection_rule {
    const char *name;
    bool (*invites)(const fl_selection *self, const fl_seat *seat);
} fl_selection_rule;

struct fl_selection {
    const fl_selection_rule *rule;
    fl_seats *seats;
    uint32_t invited; // to this round, so far
};

//  "all": whoever is there. NULL when there is no rule of that name.
const fl_selection_rule *fl_selection_find(const char *name);

//  Begin a round: ask everybody who is there.
void fl_selection_open(fl_selection *self);
//  Whether a seat is invited to the round at hand; asks if it was not yet.
bool fl_selection_invites(fl_selection *self, fl_seat *seat);

#endif
