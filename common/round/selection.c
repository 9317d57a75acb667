#include "common/round/selection.h"

#include <string.h>

static bool
s_all(const fl_selection *self, const fl_seat *seat)
{
    (void)self;
    (void)seat;
    return true;
}

static const fl_selection_rule rules[] = {
    { "all", s_all },
};

const fl_selection_rule *
fl_selection_find(const char *name)
{
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        if (strcmp(rules[i].name, name) == 0) {
            return &rules[i];
        }
    }
    return NULL;
}

void
fl_selection_open(fl_selection *self)
{
    self->invited = 0;
    for (uint32_t i = 0; i < fl_seats_count(self->seats); i++) {
        fl_seats_at(self->seats, i)->invited = false;
        (void)fl_selection_invites(self, fl_seats_at(self->seats, i));
    }
}

bool
fl_selection_invites(fl_selection *self, fl_seat *seat)
{
    if (!seat->present || seat->invited || seat->rests != FL_WHY_NONE) {
        return seat->invited;
    }
    if (seat->blamed != FL_WHY_NONE) {
        fl_seats_enter(self->seats, seat, FL_SEAT_REFUSED);
        seat->reason = seat->blamed;
        return false;
    }
    seat->invited = fl_seats_wants(self->seats, &seat->node) && self->rule->invites(self, seat);
    self->invited += seat->invited ? 1 : 0;
    return seat->invited;
}
