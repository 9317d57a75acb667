//  share_kernel - the inner loop of dealing: a polynomial's value at one public point, for all
//  bytes of the secret at once. Every version gives the same bytes, and none looks anything up by a
//  coefficient. For share.c and its tests.
#ifndef FL_CRYPTO_SHARE_KERNEL_H
#define FL_CRYPTO_SHARE_KERNEL_H

#include "common/crypto/share.h"

//  value = sum of coefficients[k] * x^k over 0 <= k < count, count >= 1.
typedef void fl_share_value(const fl_share *coefficients, unsigned count, uint8_t x,
                            fl_share *value);

fl_share_value fl_share_value_portable;
//  NULL when this build or this CPU has not got it.
fl_share_value *fl_share_value_avx2(void);

//  sum += share * by, with `by` public; the portable one, fast enough for what rebuilding does.
void fl_share_add_times(fl_share *sum, const fl_share *share, uint8_t by);

#endif
