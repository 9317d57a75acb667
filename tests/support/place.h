//  place - a directory of its own for a test that needs files, and disks that are full or
//  read-only. Include after unit.h.
#ifndef FL_SUPPORT_PLACE_H
#define FL_SUPPORT_PLACE_H

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

static char place[64]; // the directory, without a slash at its end

static inline void
place_remove(const char *path)
{
    char below[PATH_MAX];
    DIR *listing = opendir(path);
    if (listing != NULL) {
        for (struct dirent *e = readdir(listing); e != NULL; e = readdir(listing)) {
            bool real = strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
            if (real && snprintf(below, sizeof below, "%s/%s", path, e->d_name) < PATH_MAX) {
                place_remove(below);
            }
        }
        (void)closedir(listing);
    }
    (void)remove(path);
}

static inline int
place_make(void **state)
{
    (void)state;
    (void)snprintf(place, sizeof place, "/tmp/fl-test-XXXXXX");
    return mkdtemp(place) == NULL ? -1 : 0;
}

static inline int
place_end(void **state)
{
    (void)state;
    (void)umount2(place, MNT_DETACH); // of place_on_disk, if there was one
    place_remove(place);
    return 0;
}

//  "<place>/<name>"; valid until the fourth call after.
static inline const char *
place_of(const char *name)
{
    static char paths[4][PATH_MAX];
    static unsigned next;
    char *path = paths[next++ % 4];
    (void)snprintf(path, PATH_MAX, "%s/%s", place, name);
    return path;
}

//  Put a disk of its own under `place`: "size=64k", and read-only if so asked. Needs root; false
//  when this machine does not allow it, and the test is then skipped by name.
static inline bool
place_on_disk(const char *options, bool read_only)
{
    return mount("tmpfs", place, "tmpfs", read_only ? MS_RDONLY : 0, options) == 0;
}

static inline unsigned
place_count_files(void)
{
    unsigned count = 0;
    DIR *listing = opendir(place);
    for (struct dirent *e = readdir(listing); e != NULL; e = readdir(listing)) {
        count += e->d_name[0] != '.';
    }
    (void)closedir(listing);
    return count;
}

static inline void
place_write(const char *name, const void *bytes, size_t size)
{
    FILE *file = fopen(place_of(name), "wb");
    assert_non_null(file);
    assert_int_equal(setvbuf(file, NULL, _IONBF, 0), 0); // keeps no copy of a secret
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

#endif
