#include "common/net/counters.h"

const char *
fl_way_name(fl_way way)
{
    static const char *const names[FL_WAYS] = {
        [FL_WAY_CONTROL] = "control",         [FL_WAY_UP] = "up",
        [FL_WAY_DOWN] = "down",               [FL_WAY_PARENT] = "parent",
        [FL_WAY_PARENT_UP] = "parent-up",     [FL_WAY_PARENT_DOWN] = "parent-down",
        [FL_WAY_OPERATOR] = "operator",
    };
    return (unsigned)way < FL_WAYS ? names[way] : "unknown";
}

const char *
fl_drop_name(fl_drop drop)
{
    static const char *const names[FL_DROPS] = {
        [FL_DROP_FULL] = "full",           [FL_DROP_ROUTE] = "route",
        [FL_DROP_LENT] = "lent",           [FL_DROP_UNSEATED] = "unseated",
        [FL_DROP_WAY] = "way",             [FL_DROP_MALFORMED] = "malformed",
        [FL_DROP_STANDING] = "standing",   [FL_DROP_NAMED] = "named",
        [FL_DROP_REFUSED] = "refused",     [FL_DROP_PARENT] = "parent",
    };
    return (unsigned)drop < FL_DROPS ? names[drop] : "unknown";
}
