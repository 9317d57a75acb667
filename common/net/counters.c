#include "common/net/counters.h"

#include "common/base/status.h"

_Static_assert((int)FL_WAYS <= FL_ROOM_lane && (int)FL_DROPS <= FL_ROOM_drop, "room for words");
_Static_assert((int)FL_CODEC_COUNT <= FL_ROOM_code && (int)FL_WHY_COUNT <= FL_ROOM_reason,
               "room for words");

static const char *const lanes[FL_WAYS] = {
    [FL_WAY_CONTROL] = "control",         [FL_WAY_UP] = "up",
    [FL_WAY_DOWN] = "down",               [FL_WAY_PARENT] = "parent",
    [FL_WAY_PARENT_UP] = "parent-up",     [FL_WAY_PARENT_DOWN] = "parent-down",
    [FL_WAY_OPERATOR] = "operator",
};

static const char *const drops[FL_DROPS] = {
    [FL_DROP_FULL] = "full",           [FL_DROP_ROUTE] = "route",
    [FL_DROP_LENT] = "lent",           [FL_DROP_UNSEATED] = "unseated",
    [FL_DROP_WAY] = "way",             [FL_DROP_MALFORMED] = "malformed",
    [FL_DROP_STANDING] = "standing",   [FL_DROP_NAMED] = "named",
    [FL_DROP_REFUSED] = "refused",     [FL_DROP_PARENT] = "parent",
};

const char *
fl_label_word(fl_label label, unsigned word)
{
    switch (label) {
    case FL_LABEL_none:
        return word == 0 ? "" : NULL;
    case FL_LABEL_lane:
        return word < FL_WAYS ? lanes[word] : NULL;
    case FL_LABEL_drop:
        return word < FL_DROPS ? drops[word] : NULL;
    case FL_LABEL_code:
        return word < FL_CODEC_COUNT ? fl_codec_name((fl_codec)word) : NULL;
    case FL_LABEL_reason:
        return word < FL_WHY_COUNT ? fl_reason_name((fl_reason)word) : NULL;
    }
    FL_ASSERT(false);
    return NULL;
}
