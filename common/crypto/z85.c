#include "common/crypto/z85.h"

#include <string.h>

enum { BASE = 85, GROUPS = 8, LETTERS = 5 };

static const char alphabet[BASE + 1] =
    "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";

void
fl_z85_encode(const uint8_t key[FL_Z85_KEY_BYTES], char text[FL_Z85_TEXT_BYTES])
{
    for (unsigned group = 0; group < GROUPS; group++) {
        const uint8_t *from = key + 4 * group;
        uint32_t value =
            (uint32_t)from[0] << 24 | (uint32_t)from[1] << 16 | (uint32_t)from[2] << 8 | from[3];
        for (unsigned i = LETTERS; i-- > 0;) {
            text[LETTERS * group + i] = alphabet[value % BASE];
            value /= BASE;
        }
    }
    text[FL_Z85_TEXT_BYTES - 1] = '\0';
}

//  Five letters as a number; above UINT32_MAX when they stand for none.
static uint64_t
s_group(const char *letters)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < LETTERS; i++) {
        const char *found = memchr(alphabet, letters[i], BASE);
        if (found == NULL) {
            return UINT64_MAX;
        }
        value = value * BASE + (uint64_t)(found - alphabet);
    }
    return value;
}

bool
fl_z85_decode(const char *text, uint8_t key[FL_Z85_KEY_BYTES])
{
    memset(key, 0, FL_Z85_KEY_BYTES);
    if (strlen(text) != FL_Z85_TEXT_BYTES - 1) {
        return false;
    }
    for (unsigned group = 0; group < GROUPS; group++) {
        uint64_t value = s_group(text + LETTERS * group);
        if (value > UINT32_MAX) {
            memset(key, 0, FL_Z85_KEY_BYTES);
            return false;
        }
        for (unsigned i = 0; i < 4; i++) {
            key[4 * group + i] = (uint8_t)(value >> (24 - 8 * i));
        }
    }
    return true;
}
