#include "common/crypto/trust.h"

#include "tests/support/unit.h"

#include <string.h>

static void
every_trust_has_a_name_of_its_own(void **state)
{
    (void)state;
    for (int a = 0; a < FL_TRUST_COUNT; a++) {
        assert_true(strlen(fl_trust_name((fl_trust)a)) > 1);
        for (int b = 0; b < a; b++) {
            assert_string_not_equal(fl_trust_name((fl_trust)a), fl_trust_name((fl_trust)b));
        }
    }
    assert_string_equal(fl_trust_name(FL_TRUST_EARLY), "not-yet");
}

static void
s_name_of_nothing(void)
{
    (void)fl_trust_name(FL_TRUST_COUNT);
}

static void
a_number_beyond_the_table_is_a_broken_invariant(void **state)
{
    (void)state;
    assert_true(unit_dies(s_name_of_nothing));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_trust_has_a_name_of_its_own),
        cmocka_unit_test(a_number_beyond_the_table_is_a_broken_invariant),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
