//  file - whole files, read with a bound and written all or nothing: temp, fsync, rename, fsync of
//  the directory. A reader sees the old bytes or the new ones, whatever ends the process meanwhile.
//  Every refusal says which file, what the system answered and what to do.
#ifndef FL_STORE_FILE_H
#define FL_STORE_FILE_H

#include "common/base/blob.h"
#include "common/base/status.h"

//  What the unfinished file of fl_file_write is called: <path>.tmp-XXXXXX. Left-overs of a crash
//  carry it too; fl_file_sweep removes them.
#define FL_FILE_TEMP_MARK ".tmp-"

//  Read all of `path` into a new blob, the caller's. FL_RANGE when larger than `size_max`.
FL_CHECKED fl_status fl_file_read(const char *path, uint64_t size_max, fl_blob **blob, fl_why *why);
//  Replace `path` by `bytes`. On failure the old file is untouched and no temp file is left.
FL_CHECKED fl_status fl_file_write(const char *path, fl_bytes bytes, unsigned mode, fl_why *why);
//  The same at a path that a user named, where cp would write: a symbolic link is followed, and
//  what is there keeps its mode and, if we may, its owner; `mode` is that of a new file. FL_EXISTS:
//  there is a directory, a read-only file, a pipe or a device; `force` replaces such a file, and
//  writes into a pipe or a device. A new file and one that is replaced are all or nothing.
FL_CHECKED fl_status fl_file_deliver(const char *path, fl_bytes bytes, unsigned mode, bool force,
                                     fl_why *why);
//  A finished file of the same disk becomes `path`, as durable as one that was written.
FL_CHECKED fl_status fl_file_adopt(const char *finished, const char *path, fl_why *why);
//  Make `path` and its missing parents with `mode`; FL_OK when it is there already.
FL_CHECKED fl_status fl_directory_make(const char *path, unsigned mode, fl_why *why);
//  Remove what crashed writers left in `directory`. Returns how many files. Call it while no writer
//  is at work there, that is at start-up under the lock.
unsigned fl_file_sweep(const char *directory);

//  The status and the line for a system call on `path` that failed with `error`: no space is
//  FL_FULL, no right FL_DENIED, no such file FL_MISSING. `doing`: "written", "opened".
fl_status fl_file_why(int error, const char *path, const char *doing, fl_why *why);

#endif
