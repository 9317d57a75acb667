#include "tests/support/memory.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/base/status.h"

enum { MASK = 0x5a, WINDOW = 64 * 1024, LINE_ROOM = 512 };
static const uint64_t mapping_bytes_max = (uint64_t)256 << 20;

memory_needle
memory_mask(const uint8_t secret[MEMORY_NEEDLE_BYTES])
{
    memory_needle needle;
    for (int i = 0; i < MEMORY_NEEDLE_BYTES; i++) {
        needle.masked[i] = secret[i] ^ MASK;
    }
    return needle;
}

static bool
s_window_holds(const uint8_t *window, size_t size, const memory_needle *needle)
{
    for (size_t at = 0; at + MEMORY_NEEDLE_BYTES <= size; at++) {
        int same = 0;
        while (same < MEMORY_NEEDLE_BYTES &&
               (window[at + (size_t)same] ^ needle->masked[same]) == MASK) {
            same++;
        }
        if (same == MEMORY_NEEDLE_BYTES) {
            return true;
        }
    }
    return false;
}

//  Windows overlap by one needle, so that none is cut in two.
static bool
s_mapping_holds(int memory, uint64_t from, uint64_t to, const memory_needle *needle)
{
    static uint8_t window[WINDOW];
    bool found = false;
    for (uint64_t at = from; at < to && !found; at += WINDOW - MEMORY_NEEDLE_BYTES) {
        size_t wanted = to - at < WINDOW ? (size_t)(to - at) : WINDOW;
        ssize_t got = pread(memory, window, wanted, (off_t)at);
        found = got > 0 && s_window_holds(window, (size_t)got, needle);
    }
    memset(window, 0, sizeof window);
    return found;
}

bool
memory_holds(const memory_needle *needle)
{
    FILE *maps = fopen("/proc/self/maps", "r");
    int memory = open("/proc/self/mem", O_RDONLY);
    FL_ASSERT(maps != NULL && memory >= 0);
    char line[LINE_ROOM], rights[8];
    bool found = false;
    while (!found && fgets(line, sizeof line, maps) != NULL) {
        unsigned long from = 0, to = 0;
        if (sscanf(line, "%lx-%lx %7s", &from, &to, rights) == 3 && rights[0] == 'r' &&
            strstr(line, "[vvar]") == NULL && to - from < mapping_bytes_max) {
            found = s_mapping_holds(memory, from, to, needle);
        }
    }
    (void)fclose(maps);
    (void)close(memory);
    return found;
}
