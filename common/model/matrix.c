#include "common/model/matrix.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>

#include "common/base/rng.h"
#include "common/model/blas.h"

static void
s_check(const fl_product *product)
{
    FL_ASSERT(product->rows >= 1 && product->rows <= INT_MAX);
    FL_ASSERT(product->columns >= 1 && product->columns <= INT_MAX);
    FL_ASSERT(product->inner >= 1 && product->inner <= INT_MAX);
}

void
fl_gemm_reference(const fl_product *product)
{
    s_check(product);
    const size_t rows = product->rows, columns = product->columns, inner = product->inner;
    const size_t a_row = product->a_turned ? 1 : inner, a_step = product->a_turned ? rows : 1;
    const size_t b_column = product->b_turned ? inner : 1, b_step = product->b_turned ? 1 : columns;
    for (size_t i = 0; i < rows; i++) {
        for (size_t j = 0; j < columns; j++) {
            const float *a = product->a + i * a_row, *b = product->b + j * b_column;
            double sum = 0;
            for (size_t k = 0; k < inner; k++) {
                sum += (double)a[k * a_step] * (double)b[k * b_step];
            }
            product->c[i * columns + j] = (float)sum;
        }
    }
}

//  Set once by fl_gemm_choose, before other threads multiply.
static const fl_blas *blas;

static void
s_gemm_blas(const fl_product *product)
{
    s_check(product);
    blas->sgemm(product->a_turned, product->b_turned, (int)product->rows, (int)product->columns,
                (int)product->inner, product->a, product->b, product->c);
}

//  Operands in [-1, 1): the error of a product grows with `inner` at most linearly.
static bool
s_agrees_on(fl_gemm candidate, fl_product product, float *memory)
{
    const size_t a = product.rows * product.inner, b = product.inner * product.columns;
    const size_t c = product.rows * product.columns;
    fl_rng rng = fl_rng_seeded(a + 3 * b + 7 * c);
    for (size_t i = 0; i < a + b; i++) {
        memory[i] = (float)(2 * fl_rng_unit(&rng) - 1);
    }
    float *truth = memory + a + b, *got = truth + c;
    product.a = memory;
    product.b = memory + a;
    product.c = truth;
    fl_gemm_reference(&product);
    for (size_t i = 0; i < c; i++) {
        got[i] = NAN; // whatever was there before must not matter
    }
    product.c = got;
    candidate(&product);
    for (size_t i = 0; i < c; i++) {
        if (!(fabsf(truth[i] - got[i]) <= 1e-6f * (float)product.inner + 1e-6f)) {
            return false;
        }
    }
    return true;
}

bool
fl_gemm_agrees(fl_gemm candidate)
{
    static const size_t sizes[][3] = {
        { 1, 1, 1 }, { 2, 10, 128 }, { 17, 33, 65 }, { 32, 128, 200 },
        { 64, 10, 31 }, { 128, 96, 32 },
    };
    enum { FLOATS = 64 * 1024 };
    float *memory = malloc(FLOATS * sizeof *memory);
    if (memory == NULL) {
        return false;
    }
    bool agrees = true;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        for (unsigned turns = 0; turns < 4; turns++) {
            fl_product product = {
                .a_turned = turns & 1,
                .b_turned = turns & 2,
                .rows = sizes[i][0],
                .columns = sizes[i][1],
                .inner = sizes[i][2],
            };
            agrees = agrees && s_agrees_on(candidate, product, memory);
        }
    }
    free(memory);
    return agrees;
}

fl_status
fl_gemm_judge(unsigned threads, bool parallel, fl_gemm candidate, fl_gemm *gemm, fl_why *why)
{
    fl_why_set(why, "%s", "");
    if (threads > 1 && !parallel) {
        return fl_fail(FL_DENIED, why,
                       "this is the serial OpenBLAS, which errs when %u threads call it: install "
                       "libopenblas0-pthread and select it (update-alternatives --config "
                       "libopenblas.so.0-*), or set one thread",
                       threads);
    }
    if (fl_gemm_agrees(candidate)) {
        *gemm = candidate;
        return FL_OK;
    }
    fl_why_set(why, "OpenBLAS gives wrong products on this CPU: plain loops are used instead, "
                    "which is slow; try another kernel by OPENBLAS_CORETYPE or a newer OpenBLAS");
    *gemm = fl_gemm_reference;
    return FL_OK;
}

fl_status
fl_gemm_choose(unsigned threads, fl_gemm *gemm, fl_why *why)
{
    FL_TRY(fl_blas_open(threads, &blas, why));
    return fl_gemm_judge(threads, blas->parallel, s_gemm_blas, gemm, why);
}
