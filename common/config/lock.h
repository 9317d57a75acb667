//  lock - one process per state directory. The directory is made (0700) when it is not there; the
//  lock is a file in it, held by flock and so gone with its process, however that ends.
#ifndef FL_CONFIG_LOCK_H
#define FL_CONFIG_LOCK_H

#include "common/base/status.h"

typedef struct fl_lock fl_lock;

//  `path`, a state directory or a file with secrets in it, is ours and nobody else may open it. Or
//  it is of a volume that was given to a group of ours: the directory has the setgid bit and
//  nothing for others. Then its owner may be anybody, as with the users that a cluster draws at
//  random.
FL_CHECKED fl_status fl_lock_private(const char *directory, const char *path, fl_why *why);

//  Take the lock of `directory` for `program` ("edge-agg"). FL_BUSY: `why` says who holds it and
//  what to do. FL_DENIED: the directory belongs to somebody else or others may read it.
FL_CHECKED fl_status fl_lock_take(const char *directory, const char *program, fl_lock **lock,
                                  fl_why *why);
void fl_lock_release(fl_lock **self_p);
//  Whether a process of `program` on this machine, in this container, holds that lock.
bool fl_lock_ours(const char *directory, const char *program);

#endif
