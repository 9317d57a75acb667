//  blas - OpenBLAS, opened at run time: because it chooses its kernels while it is loaded, and a
//  release older than the CPU chooses ones from 2004 (measured: six times slower). Then it is
//  opened again with the kernels that the CPU can run. Opened once, at start-up, by one thread:
//  opening may set OPENBLAS_CORETYPE in this process's environment, unless it is set already, and
//  sets OPENBLAS_NUM_THREADS.
#ifndef FL_MODEL_BLAS_H
#define FL_MODEL_BLAS_H

#include "common/base/status.h"

//  Row-major, dense, c (rows, columns) = op(a) op(b).
typedef struct fl_blas {
    const char *core; // name of its kernels
    bool parallel;    // false: the serial build, which only one thread may ever call
    void (*sgemm)(bool a_turned, bool b_turned, int rows, int columns, int inner, const float *a,
                  const float *b, float *c);
} fl_blas;

//  The same library for the life of the process, held at one thread of its own, for `threads` of
//  ours. FL_MISSING: it is not installed; `why` says what to install. FL_NOMEM: the process may not
//  have the memory that it takes for each of them; without it OpenBLAS would try for ever. `blas`
//  is left alone then.
FL_CHECKED fl_status fl_blas_open(unsigned threads, const fl_blas **blas, fl_why *why);

#endif
