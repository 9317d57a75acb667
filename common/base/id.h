//  id - the names of things: nodes, runs, hashes, and the clock's unit.
#ifndef FL_BASE_ID_H
#define FL_BASE_ID_H

#include <stdbool.h>
#include <stdint.h>

//  Milliseconds of a monotonic clock. Never compared with another machine's.
typedef int64_t fl_time;
#define FL_NEVER INT64_MAX

//  A node's name: 1 to 15 characters of [a-z0-9.-], padded with zeros to 16 bytes.
//  Unique under one authority, so it is its identity as well.
typedef struct fl_name {
    char name[16];
} fl_name;

//  A run: 16 random bytes, drawn when the root first starts it.
typedef struct fl_run {
    uint8_t bytes[16];
} fl_run;

//  A name below a parent, in the pool of that number there. Without padding.
typedef struct fl_place {
    fl_name edge, node;
    uint32_t pool;
} fl_place;

//  BLAKE2b-256.
typedef struct fl_hash {
    uint8_t bytes[32];
} fl_hash;

typedef enum fl_role {
    FL_ROLE_NONE,
    FL_ROLE_DEVICE,
    FL_ROLE_EDGE,
    FL_ROLE_ROOT,
    FL_ROLE_OPERATOR,
} fl_role;

//  False when `text` is no valid node name (`node` is zeroed then).
bool fl_name_parse(const char *text, fl_name *node);
//  A valid name in all 16 bytes, zero padding included.
bool fl_name_valid(const fl_name *node);
bool fl_name_equal(const fl_name *a, const fl_name *b);
bool fl_run_equal(const fl_run *a, const fl_run *b);
bool fl_hash_equal(const fl_hash *a, const fl_hash *b);

//  "device", "edge", "root", "operator".
const char *fl_role_name(fl_role role);

//  Lower-case hex of `size` bytes into `text` (2 * size + 1 characters).
void fl_hex(const void *bytes, unsigned size, char *text);
//  False when `text` is not exactly 2 * size hex digits.
bool fl_unhex(const char *text, void *bytes, unsigned size);

#endif
