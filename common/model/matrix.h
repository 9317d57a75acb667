//  matrix - the one product that training needs, by OpenBLAS and by plain loops, and the check
//  that the two agree on this CPU. Row-major, dense. Any thread may multiply; `choose` is called
//  once at start-up, before other threads do.
#ifndef FL_MODEL_MATRIX_H
#define FL_MODEL_MATRIX_H

#include "common/base/status.h"

//  c (rows, columns) = A B, where A (rows, inner) is `a`, or the transpose of `a` when a_turned
//  (then `a` is (inner, rows)); the same for B (inner, columns). `c` overlaps neither.
typedef struct fl_product {
    bool a_turned, b_turned;
    size_t rows, columns, inner; // each 1..INT_MAX
    const float *a;
    const float *b;
    float *c;
} fl_product;

typedef void (*fl_gemm)(const fl_product *product);

//  Plain loops: slow, and right.
void fl_gemm_reference(const fl_product *product);

//  True when `candidate` gives the products of the reference, within rounding.
bool fl_gemm_agrees(fl_gemm candidate);

//  What this process multiplies with when `threads` threads will: OpenBLAS (see blas.h), held at
//  one thread of its own. When it errs on this CPU, the reference is chosen and `why` says so (it
//  is empty otherwise). FL_DENIED: this is the serial OpenBLAS, which gives wrong results when
//  more than one thread calls it. FL_MISSING: there is none. FL_NOMEM: see fl_blas_open.
FL_CHECKED fl_status fl_gemm_choose(unsigned threads, fl_gemm *gemm, fl_why *why);
//  The same decision about any candidate; `parallel` is false for a library without locks.
FL_CHECKED fl_status fl_gemm_judge(unsigned threads, bool parallel, fl_gemm candidate,
                                   fl_gemm *gemm, fl_why *why);

#endif
