//  The names of what machines note, and what the two numbers of each mean.
#include "common/machine/event.h"
#include "common/base/status.h"

static const char *const notes[FL_NOTE_COUNT_OF] = {
    [FL_NOTE_JOINED] = "joined",                 // a: seat, b: epoch
    [FL_NOTE_REJOINED] = "rejoined",             // a: seat, b: epoch
    [FL_NOTE_LEFT] = "left",                     // a: seat
    [FL_NOTE_EVASIVE] = "evasive",               // a: seat, b: ms since last heard
    [FL_NOTE_EXPIRED] = "expired",               // a: seat, b: ms since last heard
    [FL_NOTE_TASKED] = "tasked",                 // a: seat, b: budget ms
    [FL_NOTE_REFUSED] = "refused",               // a: verb refused
    [FL_NOTE_COUNTED] = "counted",               // a: seat, b: weight
    [FL_NOTE_LATE] = "late",                     // a: seat, b: bytes received of it
    [FL_NOTE_SLOT_WITHDRAWN] = "slot-withdrawn", // a: seat, b: bytes received of it
    [FL_NOTE_REWIND] = "rewind",                 // a: seat, b: offset gone back to
    [FL_NOTE_CHUNK_DROPPED] = "chunk-dropped",   // a: seat, b: offset
    [FL_NOTE_ROUND_OPEN] = "round-open",         // a: seats invited, b: budget ms
    [FL_NOTE_ROUND_EXTEND] = "round-extend",     // a: contributions so far, b: ms added
    [FL_NOTE_ROUND_CUTOFF] = "round-cutoff",     // a: contributions in, b: ms since open
    [FL_NOTE_ROUND_CLOSE] = "round-close",       // a: contributions in, b: merge ms
    [FL_NOTE_WAITING] = "waiting",               // a: ready, b: wanted
    [FL_NOTE_RECONNECT] = "reconnect",           // a: attempt, b: delay ms
    [FL_NOTE_WELCOMED] = "welcomed",             // a: seat, b: epoch
    [FL_NOTE_TASK] = "task",                     // a: attempt, b: budget ms
    [FL_NOTE_TASK_ENDED] = "task-ended",         // a: attempt
    [FL_NOTE_MODEL] = "model",                   // a: bytes, b: ms the fetch took
    [FL_NOTE_MODEL_FAILED] = "model-failed",     // a: failed checks in a row, b: ms of pause
    [FL_NOTE_DECLINED] = "declined",             // a: attempt
    [FL_NOTE_OFFERED] = "offered",               // a: weight, b: staleness
    [FL_NOTE_SENDING] = "sending",               // a: bytes sent so far, b: bytes of it all
    [FL_NOTE_SENT] = "sent",                     // likewise
    [FL_NOTE_VERDICT] = "verdict",               // a: outcome
    [FL_NOTE_CARRIED] = "carried",               // a: staleness, b: weight
    [FL_NOTE_DROPPED] = "dropped",               // a: staleness
    [FL_NOTE_SATURATED] = "saturated",           // a: elements clipped, b: elements
    [FL_NOTE_RUN_DONE] = "run-done",             // a: rounds
    [FL_NOTE_SAVE_FAILED] = "save-failed",       // a: token
    [FL_NOTE_MASKING] = "masking",               // a: state of a block, b: members
    [FL_NOTE_MASKING_STEP] = "masking-step",     // a: step of a member, b: members
    //  Of the next two b is a member's step when they are about ourselves, else a block's state.
    [FL_NOTE_MASKING_OUT] = "masking-out",         // a: index
    [FL_NOTE_MASKING_REFUSED] = "masking-refused", // a: verb
    [FL_NOTE_MASKING_BLAMED] = "masking-blamed",   // a: index, b: state
    [FL_NOTE_MASKING_ENDED] = "masking-ended",     // a: survivors, b: lost after masking
};

const char *
fl_note_name(fl_note_id id)
{
    FL_ASSERT((unsigned)id < FL_NOTE_COUNT_OF);
    return notes[id];
}

static const char *const closes[FL_CLOSE_COUNT] = {
    [FL_CLOSE_DONE] = "done",
    [FL_CLOSE_SKIPPED] = "skipped",
    [FL_CLOSE_ABORTED] = "aborted",
};

const char *
fl_close_name(fl_close close)
{
    FL_ASSERT((unsigned)close < FL_CLOSE_COUNT);
    return closes[close];
}
