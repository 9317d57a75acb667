#include "common/config/nearest.h"

#include "tests/support/unit.h"

#include <string.h>

static const char *
s_nearest(const char *typed)
{
    static const char *const words[] = { "window", "quorum", "budget", "seats", "window.max" };
    fl_nearest nearest = { 0 };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        fl_nearest_try(&nearest, typed, words[i]);
    }
    return nearest.word == NULL ? "" : nearest.word;
}

static void
a_mistyped_word_gets_the_nearest_one_as_a_hint(void **state)
{
    (void)state;
    assert_string_equal(s_nearest("widnow"), "window");  // swapped
    assert_string_equal(s_nearest("windo"), "window");   // left out
    assert_string_equal(s_nearest("windoow"), "window"); // doubled
    assert_string_equal(s_nearest("qvorum"), "quorum");  // another key
    assert_string_equal(s_nearest("window.mxa"), "window.max");
    assert_string_equal(s_nearest("window"), "window");
}

static void
a_word_unlike_all_others_gets_no_hint(void **state)
{
    (void)state;
    char longest[200];
    memset(longest, 'w', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    assert_string_equal(s_nearest("zebra"), "");
    assert_string_equal(s_nearest("seal"), ""); // two of five letters
    assert_string_equal(s_nearest(""), "");
    assert_string_equal(s_nearest(longest), "");
}

static void
a_hint_is_printed_when_there_is_one(void **state)
{
    (void)state;
    char text[96];
    fl_nearest nearest = { .word = "window", .distance = 1 }, none = { 0 };
    fl_nearest_say(&nearest, text);
    assert_string_equal(text, ", did you mean 'window'?");
    fl_nearest_say(&none, text);
    assert_string_equal(text, "");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_mistyped_word_gets_the_nearest_one_as_a_hint),
        cmocka_unit_test(a_word_unlike_all_others_gets_no_hint),
        cmocka_unit_test(a_hint_is_printed_when_there_is_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
