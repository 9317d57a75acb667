//  bench - what the measuring programs share: a clock, medians, and the lines that tests/bench/run
//  reads, one figure each: name, value, unit and a note, with tabs between them.
//  One thread.
#ifndef FL_BENCH_BENCH_H
#define FL_BENCH_BENCH_H

#include <stddef.h>
#include <stdint.h>

enum { BENCH_PAIRS_MAX = 64 };

uint64_t bench_ns(void); // monotonic
uint64_t bench_cpu_ns(void); // spent by all threads of this process, in user and kernel mode

//  The value of "key=value" among the words of the command line, or else `otherwise`. Ends the
//  program with code 2 when it is no positive number.
uint64_t bench_option(int argc, char **argv, const char *key, uint64_t otherwise);

//  Of `count` values, at least one; sorts them.
double bench_median(double *values, size_t count);

//  Pairs of durations of the same work, A by us and B by what we are compared with, taken in turns.
typedef struct bench_pairs {
    double a[BENCH_PAIRS_MAX], b[BENCH_PAIRS_MAX]; // ns
    size_t count;
} bench_pairs;

void bench_pairs_add(bench_pairs *self, uint64_t a_ns, uint64_t b_ns);
//  Median over the pairs of B's duration over A's: 1 is as fast as B. `low` and `high` (may be
//  NULL): its quartiles.
double bench_pairs_ratio(const bench_pairs *self, double *low, double *high);

void bench_say(const char *name, double value, const char *unit, const char *note);

//  Prints the line and ends the program with code 1.
void bench_die(const char *what, const char *why) __attribute__((noreturn));

#endif
