#include "common/model/blas.h"

#include "tests/support/unit.h"

#include <stdlib.h>
#include <string.h>

//  Run `act` in a child, where the library was never opened; true when it returns true.
static bool
s_in_a_child(bool (*act)(void))
{
    pid_t child = fork();
    if (child == 0) {
        _exit(act() ? 0 : 1);
    }
    int status = 1;
    assert_true(child > 0 && waitpid(child, &status, 0) == child);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static bool
s_keeps_the_chosen_core(void)
{
    const fl_blas *blas = NULL;
    (void)setenv("OPENBLAS_CORETYPE", "Prescott", 1);
    return fl_blas_open(1, &blas, NULL) == FL_OK && strcmp(blas->core, "Prescott") == 0;
}

static bool
s_knows_this_cpu(void)
{
    const fl_blas *blas = NULL;
    (void)unsetenv("OPENBLAS_CORETYPE");
    if (fl_blas_open(1, &blas, NULL) != FL_OK) {
        return false;
    }
#if defined(__x86_64__)
    return !__builtin_cpu_supports("avx2") || strcmp(blas->core, "Prescott") != 0;
#else
    return true;
#endif
}

static bool
s_says_when_there_is_none(void)
{
    //  Without a descriptor nothing can be opened.
    (void)setrlimit(RLIMIT_NOFILE, &(struct rlimit){ 3, 3 });
    const fl_blas *blas = NULL;
    fl_why why = { "" };
    return fl_blas_open(1, &blas, &why) == FL_MISSING && blas == NULL &&
           strstr(why.text, "install libopenblas0-pthread") != NULL;
}

//  OpenBLAS would map its buffer again and again.
static bool
s_says_when_memory_ends(void)
{
    (void)setrlimit(RLIMIT_AS, &(struct rlimit){ 200000 * 1024, 200000 * 1024 });
    const fl_blas *blas = NULL;
    fl_why why = { "" };
    return fl_blas_open(2, &blas, &why) == FL_NOMEM && blas == NULL &&
           strstr(why.text, "320 MiB of address space with threads: 2;") != NULL;
}

//  Nothing more can be mapped: a product that asked for memory would not end.
static bool
s_multiplies_when_memory_ends(void)
{
    const fl_blas *blas = NULL;
    const float a[2] = { 2, 3 }, b[2] = { 5, 7 };
    float c[1] = { 0 };
    if (fl_blas_open(1, &blas, NULL) != FL_OK) {
        return false;
    }
    (void)setrlimit(RLIMIT_AS, &(struct rlimit){ 4096, 4096 });
    (void)alarm(5);
    blas->sgemm(false, false, 1, 1, 2, a, b, c);
    return c[0] > 30.5f;
}

static void
a_core_set_from_outside_is_kept(void **state)
{
    (void)state;
    assert_true(s_in_a_child(s_keeps_the_chosen_core));
}

static void
a_cpu_newer_than_the_library_gets_the_kernels_it_can_run(void **state)
{
    (void)state;
    assert_true(s_in_a_child(s_knows_this_cpu));
}

static void
a_missing_library_is_refused_with_advice(void **state)
{
    (void)state;
    assert_true(s_in_a_child(s_says_when_there_is_none));
}

static void
memory_that_it_cannot_have_is_refused_before_it_asks(void **state)
{
    (void)state;
    assert_true(s_in_a_child(s_says_when_memory_ends));
    assert_true(s_in_a_child(s_multiplies_when_memory_ends));
}

static void
it_multiplies_and_is_opened_once(void **state)
{
    (void)state;
    const fl_blas *blas = NULL, *again = NULL;
    assert_int_equal(fl_blas_open(1, &blas, NULL), FL_OK);
    assert_int_equal(fl_blas_open(1, &again, NULL), FL_OK);
    assert_ptr_equal(blas, again);
    const float a[2] = { 2, 3 }, b[2] = { 5, 7 };
    float c[1] = { 0 };
    blas->sgemm(false, false, 1, 1, 2, a, b, c);
    assert_true(c[0] == 31);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_core_set_from_outside_is_kept),
        cmocka_unit_test(a_cpu_newer_than_the_library_gets_the_kernels_it_can_run),
        cmocka_unit_test(a_missing_library_is_refused_with_advice),
        cmocka_unit_test(memory_that_it_cannot_have_is_refused_before_it_asks),
        cmocka_unit_test(it_multiplies_and_is_opened_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
