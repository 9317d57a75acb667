//  z85 - a 32-byte CURVE key as 40 characters, the way that ZeroMQ's tools print and read one
//  (ZeroMQ RFC 32).
#ifndef FL_CRYPTO_Z85_H
#define FL_CRYPTO_Z85_H

#include <stdbool.h>
#include <stdint.h>

enum { FL_Z85_KEY_BYTES = 32, FL_Z85_TEXT_BYTES = 41 };

//  40 characters and the final zero.
void fl_z85_encode(const uint8_t key[FL_Z85_KEY_BYTES], char text[FL_Z85_TEXT_BYTES]);
//  False (and a zeroed key) when `text` is not exactly 40 characters of the alphabet that stand for
//  32 bytes: a group of five above 2^32 - 1 is refused, so a key has one text.
bool fl_z85_decode(const char *text, uint8_t key[FL_Z85_KEY_BYTES]);

#endif
