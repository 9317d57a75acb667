#include "common/model/blas.h"

#include <cblas.h>

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

//  The functions' types come from the header, so that a changed signature does not compile.
static __typeof__(&cblas_sgemm) s_cblas_sgemm;
static __typeof__(&openblas_get_corename) s_get_corename;
static __typeof__(&openblas_get_parallel) s_get_parallel;
static __typeof__(&openblas_set_num_threads) s_set_num_threads;

static void
s_sgemm(bool a_turned, bool b_turned, int rows, int columns, int inner, const float *a,
        const float *b, float *c)
{
    s_cblas_sgemm(CblasRowMajor, a_turned ? CblasTrans : CblasNoTrans,
                  b_turned ? CblasTrans : CblasNoTrans, rows, columns, inner, 1.0f, a,
                  a_turned ? rows : inner, b, b_turned ? inner : columns, 0.0f, c, columns);
}

//  The one that is open; its sgemm is NULL before.
static fl_blas library;

//  A data pointer as a function pointer, as POSIX has it for dlsym.
static bool
s_find(void *handle, const char *name, void *function)
{
    void *symbol = dlsym(handle, name);
    memcpy(function, &symbol, sizeof symbol);
    return symbol != NULL;
}

static void *
s_load(void)
{
    void *handle = dlopen("libopenblas.so.0", RTLD_NOW | RTLD_LOCAL);
    if (handle == NULL) {
        return NULL;
    }
    if (!s_find(handle, "cblas_sgemm", &s_cblas_sgemm) ||
        !s_find(handle, "openblas_get_corename", &s_get_corename) ||
        !s_find(handle, "openblas_get_parallel", &s_get_parallel) ||
        !s_find(handle, "openblas_set_num_threads", &s_set_num_threads)) {
        (void)dlclose(handle);
        return NULL;
    }
    return handle;
}

//  Better kernels than those of a CPU that OpenBLAS does not know; NULL when there are none.
static const char *
s_better_core(const char *core)
{
#if defined(__x86_64__)
    //  "Prescott" is what an unknown x86 CPU falls back to; the real one had no AVX2.
    if (strcmp(core, "Prescott") == 0 && getenv("OPENBLAS_CORETYPE") == NULL) {
        __builtin_cpu_init();
        if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
            __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")) {
            return "SkylakeX";
        }
        if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
            return "Haswell";
        }
    }
#else
    (void)core;
#endif
    return NULL;
}

//  Measured with 0.3.21 on x86-64: the library with its tables, and the buffer that each thread
//  maps at its first product. What cannot be mapped there is tried again without end.
enum { LIBRARY_MB = 64, BUFFER_MB = 128, THREADS_MAX = 64 };

//  Piece by piece, as it will be asked for: together they may be more than this machine has.
static bool
s_has_room(unsigned threads)
{
    void *piece[THREADS_MAX + 1];
    unsigned held = 0;
    bool room = true;
    for (; room && held <= threads; held++) {
        const size_t size = (size_t)(held == 0 ? LIBRARY_MB : BUFFER_MB) << 20;
        piece[held] = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        room = piece[held] != MAP_FAILED;
    }
    for (unsigned i = 0; i < (room ? held : held - 1); i++) {
        (void)munmap(piece[i], (size_t)(i == 0 ? LIBRARY_MB : BUFFER_MB) << 20);
    }
    return room;
}

//  Map the buffers of so many threads now: they are kept, so that no product asks for one later. A
//  build that hides its allocator has the check above only.
static void
s_hold_buffers(void *handle, unsigned threads)
{
    void *(*take)(int) = NULL;
    void (*give)(void *) = NULL;
    void *buffer[THREADS_MAX];
    if (!s_find(handle, "blas_memory_alloc", &take) || !s_find(handle, "blas_memory_free", &give)) {
        return;
    }
    for (unsigned i = 0; i < threads; i++) {
        buffer[i] = take(0);
    }
    for (unsigned i = 0; i < threads; i++) {
        give(buffer[i]);
    }
}

fl_status
fl_blas_open(unsigned threads, const fl_blas **blas, fl_why *why)
{
    if (library.sgemm != NULL) {
        *blas = &library;
        return FL_OK;
    }
    FL_ASSERT(threads >= 1 && threads <= THREADS_MAX);
    const unsigned wanted_mb = LIBRARY_MB + threads * BUFFER_MB;
    if (!s_has_room(threads)) {
        return fl_fail(FL_NOMEM, why,
                       "no memory for OpenBLAS, which takes %u MiB of address space with threads: "
                       "%u; raise the limit (ulimit -v), or lower threads",
                       wanted_mb, threads);
    }
    (void)setenv("OPENBLAS_NUM_THREADS", "1", 1); // more would be made, each with its memory
    void *handle = s_load();
    const char *better = handle == NULL ? NULL : s_better_core(s_get_corename());
    if (better != NULL) {
        (void)setenv("OPENBLAS_CORETYPE", better, 0);
        (void)dlclose(handle);
        handle = s_load();
    }
    if (handle == NULL) {
        return fl_fail(FL_MISSING, why,
                       "libopenblas.so.0 is missing or lacks a function: install "
                       "libopenblas0-pthread");
    }
    s_hold_buffers(handle, threads);
    s_set_num_threads(1);
    library = (fl_blas){
        .core = s_get_corename(),
        .parallel = s_get_parallel() != 0,
        .sgemm = s_sgemm,
    };
    *blas = &library;
    return FL_OK;
}
