#include "common/crypto/locked.h"

#include "tests/support/unit.h"

#include <stdint.h>
#include <string.h>

#include "common/crypto/entropy.h"
#include "tests/support/memory.h"

static int
s_begin(void **state)
{
    (void)state;
    return fl_crypto_init(NULL) == FL_OK ? 0 : -1;
}

static void
locked_memory_is_zeroed_and_writable_to_the_last_byte(void **state)
{
    (void)state;
    static const size_t sizes[] = { 1, 33, 4096, 70000 };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        uint8_t *memory = fl_locked_new(sizes[i]);
        assert_non_null(memory);
        for (size_t at = 0; at < sizes[i]; at++) {
            assert_int_equal(memory[at], 0);
        }
        memset(memory, 0xff, sizes[i]);
        fl_locked_free(memory);
    }
    fl_locked_free(NULL);
}

static void
locked_memory_is_wiped_when_it_is_freed(void **state)
{
    (void)state;
    fl_entropy entropy = fl_entropy_os();
    uint8_t *memory = fl_locked_new(MEMORY_NEEDLE_BYTES);
    fl_entropy_fill(&entropy, memory, MEMORY_NEEDLE_BYTES);
    memory_needle needle = memory_mask(memory);
    assert_true(memory_holds(&needle));
    fl_locked_free(memory);
    assert_false(memory_holds(&needle));
}

static void
a_write_after_locked_memory_ends_the_process(void **state)
{
    (void)state;
    volatile uint8_t *memory = fl_locked_new(64);
    pid_t child = fork();
    if (child == 0) {
        (void)setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
        (void)dup2(open("/dev/null", O_WRONLY), 2);
        memory[64] = 1;
        _exit(0);
    }
    int status = 0;
    assert_true(child > 0 && waitpid(child, &status, 0) == child);
    assert_false(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    fl_locked_free((void *)(uintptr_t)memory);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(locked_memory_is_zeroed_and_writable_to_the_last_byte),
        cmocka_unit_test(locked_memory_is_wiped_when_it_is_freed),
        cmocka_unit_test(a_write_after_locked_memory_ends_the_process),
    };
    return cmocka_run_group_tests(tests, s_begin, NULL);
}
