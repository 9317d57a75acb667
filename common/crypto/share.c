#include "common/crypto/share.h"

#include "common/crypto/share_kernel.h"

#include <sodium.h>
#include <string.h>

//  Deeper than the frames below, where shares lay in passing.
enum { STACK_BYTES = 2 * 1024 };

void
fl_share_deal(const uint8_t secret[FL_SHARE_BYTES], unsigned holders, unsigned threshold,
              const fl_entropy *entropy, fl_share *shares)
{
    FL_ASSERT(threshold >= 1 && threshold <= holders && holders <= FL_SHARE_HOLDERS_MAX);
    fl_share_value *value = fl_share_value_avx2();
    if (value == NULL) {
        value = fl_share_value_portable;
    }
    fl_share coefficients[FL_SHARE_HOLDERS_MAX];
    memcpy(&coefficients[0], secret, FL_SHARE_BYTES);
    if (threshold > 1) {
        fl_entropy_fill(entropy, &coefficients[1], (threshold - 1) * sizeof coefficients[0]);
    }
    for (unsigned i = 0; i < holders; i++) {
        value(coefficients, threshold, (uint8_t)(i + 1), &shares[i]);
    }
    fl_wipe(coefficients, threshold * sizeof coefficients[0]);
    sodium_stackzero(STACK_BYTES);
}

//  Logarithms to the generator 3, of public points only: 3 * v is v and v doubled.
typedef struct logs {
    uint8_t power[255];
    uint8_t log[256];
} logs;

static void
s_fill_logs(logs *self)
{
    unsigned value = 1;
    self->log[0] = 0; // asked for by nobody
    for (unsigned i = 0; i < 255; i++) {
        self->power[i] = (uint8_t)value;
        self->log[value] = (uint8_t)i;
        value ^= (value << 1) ^ (value & 0x80 ? 0x11b : 0);
    }
}

//  Lagrange's weight of point k at zero: the product over j of x_j / (x_j - x_k), where minus is
//  exclusive or.
static uint8_t
s_weight(const logs *table, const uint8_t *x, unsigned count, unsigned k)
{
    unsigned sum = 0;
    for (unsigned j = 0; j < count; j++) {
        if (j != k) {
            sum += 255u + table->log[x[j]] - table->log[x[j] ^ x[k]];
        }
    }
    return table->power[sum % 255];
}

bool
fl_share_rebuild(const uint8_t *indices, const fl_share *shares, unsigned count,
                 uint8_t secret[FL_SHARE_BYTES])
{
    FL_ASSERT(count >= 1 && count <= FL_SHARE_HOLDERS_MAX);
    uint8_t x[FL_SHARE_HOLDERS_MAX];
    uint64_t seen = 0;
    memset(secret, 0, FL_SHARE_BYTES);
    for (unsigned k = 0; k < count; k++) {
        if (indices[k] >= FL_SHARE_HOLDERS_MAX || seen >> indices[k] & 1) {
            return false;
        }
        seen |= (uint64_t)1 << indices[k];
        x[k] = (uint8_t)(indices[k] + 1);
    }
    logs table;
    s_fill_logs(&table);
    fl_share sum = { 0 };
    for (unsigned k = 0; k < count; k++) {
        fl_share_add_times(&sum, &shares[k], s_weight(&table, x, count, k));
    }
    memcpy(secret, sum.bytes, FL_SHARE_BYTES);
    fl_wipe(&sum, sizeof sum);
    sodium_stackzero(STACK_BYTES);
    return true;
}
