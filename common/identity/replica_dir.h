//  replica_dir - one state directory of many below one: each replica of a service claims a free
//  one, so that replicas that are all started alike have homes of their own. Directories are named
//  by their number, 00, 01, ...; what holds one is its lock, so a slot is free again when its
//  process ends, however that ends. All replicas must see the same files on one machine. Main
//  thread.
#ifndef FL_IDENTITY_REPLICA_DIR_H
#define FL_IDENTITY_REPLICA_DIR_H

#include "common/config/lock.h"
#include "common/identity/state_dir.h"

enum { FL_REPLICA_NUMBERS = 1000 };

typedef struct fl_replica_dir {
    uint32_t number;
    char path[FL_STATE_PATH_MAX];
} fl_replica_dir;

//  The lowest free slot below `directory`, made (0700) when it is not there; `lock` is yours.
//  FL_FULL when every number is in use.
FL_CHECKED fl_status fl_replica_dir_claim(const char *directory, const char *program,
                                          fl_replica_dir *slot, fl_lock **lock, fl_why *why);
//  The slot that a process of `program` in this container holds. FL_MISSING when none does.
FL_CHECKED fl_status fl_replica_dir_find(const char *directory, const char *program,
                                         fl_replica_dir *slot, fl_why *why);

#endif
