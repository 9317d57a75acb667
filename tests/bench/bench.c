#include "tests/bench/bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/base/status.h"

uint64_t
bench_ns(void)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return (uint64_t)at.tv_sec * 1000000000u + (uint64_t)at.tv_nsec;
}

uint64_t
bench_cpu_ns(void)
{
    struct timespec at;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &at);
    return (uint64_t)at.tv_sec * 1000000000u + (uint64_t)at.tv_nsec;
}

uint64_t
bench_option(int argc, char **argv, const char *key, uint64_t otherwise)
{
    const size_t length = strlen(key);
    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], key, length) == 0 && argv[i][length] == '=') {
            char *end = NULL;
            const uint64_t value = strtoull(argv[i] + length + 1, &end, 10);
            if (*end != '\0' || value == 0) {
                fprintf(stderr, "%s: a positive number is wanted\n", argv[i]);
                exit(2);
            }
            return value;
        }
    }
    return otherwise;
}

static int
s_compare(const void *one, const void *other)
{
    const double a = *(const double *)one;
    const double b = *(const double *)other;
    return (a > b) - (a < b);
}

double
bench_median(double *values, size_t count)
{
    FL_ASSERT(count > 0);
    qsort(values, count, sizeof values[0], s_compare);
    return (values[(count - 1) / 2] + values[count / 2]) / 2;
}

void
bench_pairs_add(bench_pairs *self, uint64_t a_ns, uint64_t b_ns)
{
    FL_ASSERT(self->count < BENCH_PAIRS_MAX && a_ns > 0);
    self->a[self->count] = (double)a_ns;
    self->b[self->count] = (double)b_ns;
    self->count++;
}

double
bench_pairs_ratio(const bench_pairs *self, double *low, double *high)
{
    double ratio[BENCH_PAIRS_MAX];
    for (size_t i = 0; i < self->count; i++) {
        ratio[i] = self->b[i] / self->a[i];
    }
    const double median = bench_median(ratio, self->count);
    if (low != NULL && high != NULL) {
        *low = ratio[self->count / 4];
        *high = ratio[self->count - 1 - self->count / 4];
    }
    return median;
}

void
bench_say(const char *name, double value, const char *unit, const char *note)
{
    printf("%s\t%.6g\t%s\t%s\n", name, value, unit, note);
    fflush(stdout);
}

void
bench_die(const char *what, const char *why)
{
    fprintf(stderr, "bench: %s: %s\n", what, why);
    exit(1);
}
