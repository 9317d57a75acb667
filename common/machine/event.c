#include "common/machine/event.h"
#include "common/base/status.h"

static const char *const notes[FL_NOTE_COUNT_OF] = {
#define FL_NOTED(id, name, level, a, b, counter) [FL_NOTE_##id] = (name),
#include "common/machine/notes.def"
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
