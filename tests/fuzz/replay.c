//  replay - run a fuzz target over every file of a corpus folder, as an ordinary test. An empty or
//  missing folder is a failure: a test that cannot fail is worse than none.
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/fuzz/fuzz.h"

enum { PATH_ROOM = 512, FILE_BYTES_MAX = 1024 * 1024 };

//  The bytes in a heap block of exactly their size, so that a sanitizer sees one byte beyond.
static int
s_replay(const char *path)
{
    FILE *file = fopen(path, "rb");
    uint8_t *all = malloc(FILE_BYTES_MAX);
    int answer = 1;
    if (file != NULL && all != NULL) {
        size_t size = fread(all, 1, FILE_BYTES_MAX, file);
        uint8_t *exact = malloc(size > 0 ? size : 1);
        if (exact != NULL) {
            memcpy(exact, all, size);
            answer = LLVMFuzzerTestOneInput(exact, size);
        }
        free(exact);
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    free(all);
    return answer;
}

int
main(int argc, char **argv)
{
    DIR *folder = argc == 2 ? opendir(argv[1]) : NULL;
    if (folder == NULL) {
        (void)fprintf(stderr, "usage: %s FOLDER (of files to replay)\n", argv[0]);
        return 2;
    }
    int files = 0, failed = 0;
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        if (entry->d_name[0] == '.') {
            continue;
        }
        char path[PATH_ROOM];
        int length = snprintf(path, sizeof path, "%s/%s", argv[1], entry->d_name);
        failed += length >= (int)sizeof path || s_replay(path) != 0;
        files++;
    }
    (void)closedir(folder);
    (void)printf("%d files replayed, %d failed\n", files, failed);
    return files > 0 && failed == 0 ? 0 : 1;
}
