#include "common/base/id.h"

#include <string.h>

#include "common/base/status.h"

static bool
s_name_character(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
}

bool
fl_name_parse(const char *text, fl_name *node)
{
    memset(node, 0, sizeof *node);
    size_t length = strlen(text);
    if (length == 0 || length >= sizeof node->name) {
        return false;
    }
    memcpy(node->name, text, length);
    if (!fl_name_valid(node)) {
        memset(node, 0, sizeof *node);
        return false;
    }
    return true;
}

bool
fl_name_valid(const fl_name *node)
{
    size_t length = 0;
    while (length < sizeof node->name && s_name_character(node->name[length])) {
        length++;
    }
    if (length == 0 || length == sizeof node->name) {
        return false;
    }
    for (size_t i = length; i < sizeof node->name; i++) {
        if (node->name[i] != '\0') {
            return false;
        }
    }
    return true;
}

bool
fl_name_equal(const fl_name *a, const fl_name *b)
{
    return memcmp(a->name, b->name, sizeof a->name) == 0;
}

bool
fl_run_equal(const fl_run *a, const fl_run *b)
{
    return memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

bool
fl_hash_equal(const fl_hash *a, const fl_hash *b)
{
    return memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

static const char *const role_names[] = { "none", "device", "edge", "root", "operator" };

const char *
fl_role_name(fl_role role)
{
    FL_ASSERT((unsigned)role <= FL_ROLE_OPERATOR);
    return role_names[role];
}

void
fl_hex(const void *bytes, unsigned size, char *text)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *from = bytes;
    for (unsigned i = 0; i < size; i++) {
        text[2 * i] = digits[from[i] >> 4];
        text[2 * i + 1] = digits[from[i] & 15];
    }
    text[2 * size] = '\0';
}

static int
s_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool
fl_unhex(const char *text, void *bytes, unsigned size)
{
    uint8_t *to = bytes;
    if (strlen(text) != 2 * (size_t)size) {
        return false;
    }
    for (unsigned i = 0; i < size; i++) {
        int high = s_digit(text[2 * i]);
        int low = s_digit(text[2 * i + 1]);
        if (high < 0 || low < 0) {
            return false;
        }
        to[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}
