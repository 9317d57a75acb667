//  stub_gate - what an identity asks of a gate, answered by the test. Include in one file of it.
#ifndef FL_SUPPORT_STUB_GATE_H
#define FL_SUPPORT_STUB_GATE_H

#include "common/net/admission.h"

static fl_badge seated; // what the stub gate says of every peer
static bool is_seated;

const fl_badge *
fl_admission_badge(const fl_admission *self, fl_peer peer)
{
    (void)self;
    (void)peer;
    return is_seated ? &seated : NULL;
}

const char *
fl_admission_place(const fl_admission *self, fl_peer peer, bool seat)
{
    (void)self, (void)peer;
    return seat ? "10.0.0.5:4001" : "10.0.0.7:4002";
}

#endif
