#include "common/identity/replica_dir.h"

#include <stdio.h>

static fl_status
s_path(const char *directory, uint32_t number, fl_replica_dir *slot, fl_why *why)
{
    char name[16];
    (void)snprintf(name, sizeof name, "%02u", number);
    slot->number = number;
    return fl_state_dir_path(directory, name, slot->path, why);
}

fl_status
fl_replica_dir_claim(const char *directory, const char *program, fl_replica_dir *slot,
                     fl_lock **lock, fl_why *why)
{
    *lock = NULL;
    for (uint32_t number = 0; number < FL_REPLICA_NUMBERS; number++) {
        fl_status status = s_path(directory, number, slot, why);
        FL_THEN(status, fl_lock_take(slot->path, program, lock, why));
        if (status == FL_OK) {
            status = fl_state_dir_open(slot->path, why);
            if (status != FL_OK) {
                fl_lock_release(lock);
            }
        }
        if (status != FL_BUSY) {
            return status;
        }
    }
    return fl_fail(FL_FULL, why,
                   "all %d slots of %s are in use: stop a replica, or give the service another "
                   "directory",
                   FL_REPLICA_NUMBERS, directory);
}

fl_status
fl_replica_dir_find(const char *directory, const char *program, fl_replica_dir *slot, fl_why *why)
{
    for (uint32_t number = 0; number < FL_REPLICA_NUMBERS; number++) {
        fl_status status = s_path(directory, number, slot, why);
        if (status != FL_OK || fl_lock_ours(slot->path, program)) {
            return status;
        }
    }
    return fl_fail(FL_MISSING, why,
                   "no slot of %s is held by %s here: it has not started, or has ended", directory,
                   program);
}
