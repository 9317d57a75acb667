#include "common/machine/offerings.h"

#include "tests/support/machine.h"
#include "tests/support/unit.h"

#include <string.h>

static fl_offering
s_pair(const char *trainer, const char *data)
{
    fl_offering pair = { .trainer = { "" } };
    memcpy(pair.trainer.name, trainer, strlen(trainer));
    memcpy(pair.data.name, data, strlen(data));
    return pair;
}

static fl_reason
s_lack(const fl_offerings *offers, const char *trainer, const char *data)
{
    const fl_offering wanted = s_pair(trainer, data);
    return fl_offerings_lack(offers, &wanted);
}

static void
a_trainer_and_its_data_are_wanted_together(void **state)
{
    (void)state;
    const fl_offering pairs[] = { s_pair("builtin", "xray"), s_pair("digits", "scans"),
                                  s_pair("", "scans"), s_pair("builtin", "xray") };
    fl_offerings offers = fl_offerings_read(fl_bytes_of((const uint8_t *)pairs, sizeof pairs));
    assert_int_equal(offers.count, 2); // neither what has no name nor the same again
    assert_int_equal(fl_offerings_bytes(&offers).size, 2 * sizeof pairs[0]);
    assert_int_equal(s_lack(&offers, "builtin", "xray"), FL_WHY_NONE);
    assert_int_equal(s_lack(&offers, "", "scans"), FL_WHY_NONE);
    assert_int_equal(s_lack(&offers, "", ""), FL_WHY_NONE);
    assert_int_equal(s_lack(&offers, "builtin", "scans"), FL_WHY_NO_DATA);
    assert_int_equal(s_lack(&offers, "", "nothing"), FL_WHY_NO_DATA);
    assert_int_equal(s_lack(&offers, "other", "xray"), FL_WHY_NO_TRAINER);
    const fl_offerings nobody = { .count = 0 };
    assert_int_equal(s_lack(&nobody, "", ""), FL_WHY_NONE);
    assert_int_equal(s_lack(&nobody, "", "xray"), FL_WHY_NO_DATA);
}

//  Who has not said it, or has too much to say, is asked.
static void
what_is_not_known_may_be_anything(void **state)
{
    (void)state;
    fl_offerings silent = fl_offerings_read(fl_bytes_of(NULL, 0)), all = { .count = 0 };
    assert_int_equal(s_lack(&silent, "other", ""), FL_WHY_NONE);
    for (char letter = 'a'; letter <= 'a' + FL_OFFERINGS_MAX; letter++) {
        assert_int_equal(s_lack(&all, "other", ""), FL_WHY_NO_TRAINER);
        const char name[] = { letter, '\0' };
        const fl_offerings one = { .count = 1, .of = { s_pair("builtin", name) } };
        fl_offerings_add(&all, &one);
    }
    assert_int_equal(s_lack(&all, "other", ""), FL_WHY_NONE);
    assert_int_equal(fl_offerings_bytes(&all).size, 0);
    fl_offerings both = { .count = 1, .of = { s_pair("builtin", "a") } };
    fl_offerings_add(&both, &silent);
    assert_int_equal(s_lack(&both, "other", ""), FL_WHY_NONE);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_trainer_and_its_data_are_wanted_together),
        cmocka_unit_test(what_is_not_known_may_be_anything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
