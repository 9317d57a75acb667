//  The judge of a mutant (tests/mutants), linked into a test program: runs only the cases with the
//  name in FL_MUTANT_CASE, and wants each of them to fail, or with FL_MUTANT_HOLDS to pass. A name
//  that does not exist and a panic are failures.
#include "tests/support/unit.h"

#include <stdlib.h>
#include <string.h>

int __wrap__cmocka_run_group_tests(const char *group, const struct CMUnitTest *tests, size_t count,
                                   CMFixtureFunction setup, CMFixtureFunction teardown);
int __real__cmocka_run_group_tests(const char *group, const struct CMUnitTest *tests, size_t count,
                                   CMFixtureFunction setup, CMFixtureFunction teardown);

int
__wrap__cmocka_run_group_tests(const char *group, const struct CMUnitTest *tests, size_t count,
                               CMFixtureFunction setup, CMFixtureFunction teardown)
{
    const char *name = getenv("FL_MUTANT_CASE");
    int wanted = getenv("FL_MUTANT_HOLDS") == NULL, found = 0, right = 0;
    for (size_t i = 0; i < count && name != NULL; i++) {
        if (strcmp(tests[i].name, name) == 0) {
            found++;
            right += __real__cmocka_run_group_tests(group, &tests[i], 1, setup, teardown) == wanted;
        }
    }
    return found > 0 && right == found ? EXIT_SUCCESS : EXIT_FAILURE;
}
