#include "common/crypto/entropy.h"

#include "tests/support/unit.h"

#include "tests/support/seeded.h"

#include <string.h>

static void
the_library_starts_and_starts_again(void **state)
{
    (void)state;
    fl_why why;
    assert_int_equal(fl_crypto_init(&why), FL_OK);
    assert_int_equal(fl_crypto_init(NULL), FL_OK);
}

static void
the_same_seed_gives_the_same_draws(void **state)
{
    (void)state;
    fl_seeded one = fl_seeded_of(7), two = fl_seeded_of(7);
    fl_entropy first = fl_entropy_seeded(&one), second = fl_entropy_seeded(&two);
    uint8_t a[3][40], b[3][40];
    for (int i = 0; i < 3; i++) {
        fl_entropy_fill(&first, a[i], sizeof a[i]);
        fl_entropy_fill(&second, b[i], sizeof b[i]);
    }
    assert_memory_equal(a, b, sizeof a);
    assert_memory_not_equal(a[0], a[1], sizeof a[0]);
    assert_memory_not_equal(a[1], a[2], sizeof a[1]);
}

static void
another_seed_gives_other_draws(void **state)
{
    (void)state;
    fl_seeded one = fl_seeded_of(7), two = fl_seeded_of(8);
    fl_entropy first = fl_entropy_seeded(&one), second = fl_entropy_seeded(&two);
    uint8_t a[32], b[32];
    fl_entropy_fill(&first, a, sizeof a);
    fl_entropy_fill(&second, b, sizeof b);
    assert_memory_not_equal(a, b, sizeof a);
}

static void
the_system_fills_all_that_is_asked_for_and_no_more(void **state)
{
    (void)state;
    fl_entropy entropy = fl_entropy_os();
    uint8_t a[34] = { 0 }, b[34] = { 0 };
    fl_entropy_fill(&entropy, a + 1, 32);
    fl_entropy_fill(&entropy, b + 1, 32);
    assert_memory_not_equal(a, b, sizeof a);
    assert_true(a[0] == 0 && a[33] == 0);
    fl_entropy_fill(&entropy, a, 0);
    assert_int_equal(a[0], 0);
}

static void
a_wiped_secret_is_zero(void **state)
{
    (void)state;
    uint8_t secret[16], zero[16] = { 0 };
    memset(secret, 0xaa, sizeof secret);
    fl_wipe(secret, 15);
    assert_memory_equal(secret, zero, 15);
    assert_int_equal(secret[15], 0xaa);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_library_starts_and_starts_again),
        cmocka_unit_test(the_same_seed_gives_the_same_draws),
        cmocka_unit_test(another_seed_gives_other_draws),
        cmocka_unit_test(the_system_fills_all_that_is_asked_for_and_no_more),
        cmocka_unit_test(a_wiped_secret_is_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
