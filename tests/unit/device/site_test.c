#include "device/site.h"

#include "tests/support/unit.h"

#include "tests/support/place.h"

static uint64_t samples = 100;
static fl_site *site;

static fl_status
s_open(const char *rules, fl_why *why)
{
    place_write("site.yaml", rules, strlen(rules));
    return fl_site_open(place_of("site.yaml"), place, &samples, &site, why);
}

static int
s_end(void **state)
{
    fl_site_close(&site);
    return place_end(state);
}

static fl_reason
s_asks(const char *run, uint8_t number)
{
    char text[FL_TEXT_MAX] = "";
    fl_order order = { .round = 4, .manifest.bytes = { number, 0xcd, 0x12, 0x34 } };
    (void)snprintf(order.plan.run, sizeof order.plan.run, "%s", run);
    fl_reason reason = fl_site_judge(site, &order, text);
    assert_int_equal(reason != FL_WHY_NONE, text[0] != '\0');
    return reason;
}

static void
runs_are_chosen_by_name_and_need_samples(void **state)
{
    (void)state;
    assert_int_equal(s_open("runs: 'mnist-*, trial-?'\nsamples_min: 100\n", NULL), FL_OK);
    assert_int_equal(s_asks("mnist-7", 1), FL_WHY_NONE);
    assert_int_equal(s_asks("trial-7", 1), FL_WHY_NONE);
    assert_int_equal(s_asks("trial-77", 1), FL_WHY_SITE);
    assert_int_equal(s_asks("", 1), FL_WHY_SITE);
    samples = 99;
    assert_int_equal(s_asks("mnist-7", 1), FL_WHY_SITE);
    samples = 100;
}

static fl_reason
s_at(int hour, int minute)
{
    return fl_site_hours(site, &(struct tm){ .tm_hour = hour, .tm_min = minute });
}

static void
hours_may_go_over_midnight(void **state)
{
    (void)state;
    fl_why why;
    static const char *const wrong[] = { "hours: '8-9'\n", "hours: '08:00-24:00'\n",
                                         "hours: '08:00-08:00'\n", "hours: '08:60-09:00'\n",
                                         "hours: '08:00-09:00 x'\n" };
    assert_int_equal(s_open("hours: 08:00-18:30\n", NULL), FL_OK);
    assert_int_equal(s_at(7, 59), FL_WHY_HOURS);
    assert_int_equal(s_at(8, 0), FL_WHY_NONE);
    assert_int_equal(s_at(18, 30), FL_WHY_HOURS);
    fl_site_close(&site);
    assert_int_equal(s_open("hours: 20:00-06:00\n", NULL), FL_OK);
    assert_int_equal(s_at(23, 0), FL_WHY_NONE);
    assert_int_equal(s_at(5, 59), FL_WHY_NONE);
    assert_int_equal(s_at(12, 0), FL_WHY_HOURS);
    fl_site_close(&site);
    assert_int_equal(s_open("runs: '*'\n", NULL), FL_OK);
    assert_int_equal(s_at(12, 0), FL_WHY_NONE);
    fl_site_close(&site);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(s_open(wrong[i], &why), FL_RANGE);
        assert_null(site);
    }
    assert_int_equal(s_open("hour: 1\n", &why), FL_MALFORMED);
    assert_non_null(strstr(why.text, "did you mean 'hours'"));
}

static void
s_says(const char *hash, const char *approved, const char *waiting)
{
    char *said = NULL, wanted[512];
    (void)snprintf(wanted, sizeof wanted, "approved:\n%swaiting:%s", approved, waiting);
    assert_int_equal(fl_site_approve(site, hash, &said, NULL), FL_OK);
    assert_string_equal(said, wanted);
    free(said);
}

#define ZEROS "00000000000000000000000000000000000000000000000000000000"
#define ONE "01cd1234" ZEROS
#define TWO "02cd1234" ZEROS
#define THREE "03cd1234" ZEROS

static void
a_run_waits_until_it_is_approved_and_then_for_good(void **state)
{
    (void)state;
    fl_why why;
    char *said = NULL;
    assert_int_equal(s_open("approval: needed\n", NULL), FL_OK);
    assert_int_equal(s_asks("a", 1), FL_WHY_APPROVAL);
    assert_int_equal(s_asks("a", 1), FL_WHY_APPROVAL); // it is listed once
    s_says("", "", "\n" ONE " a");
    assert_int_equal(fl_site_approve(site, "01cd123", &said, &why), FL_MISSING); // too short
    assert_int_equal(fl_site_approve(site, "03cd1234", &said, &why), FL_MISSING);
    s_says("01cd1234", ONE " a\n", "");
    assert_int_equal(s_asks("a", 1), FL_WHY_NONE);
    assert_int_equal(s_asks("b", 2), FL_WHY_APPROVAL);   // another manifest
    s_says(THREE, ONE " a\n" THREE "\n", "\n" TWO " b"); // ahead of the run
    assert_int_equal(s_asks("c", 3), FL_WHY_NONE);
    fl_site_close(&site);
    assert_int_equal(s_open("approval: needed\n", NULL), FL_OK);
    assert_int_equal(s_asks("a", 1), FL_WHY_NONE);
    assert_int_equal(s_asks("b", 2), FL_WHY_APPROVAL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        unit_case(runs_are_chosen_by_name_and_need_samples, place_make, s_end),
        unit_case(hours_may_go_over_midnight, place_make, s_end),
        unit_case(a_run_waits_until_it_is_approved_and_then_for_good, place_make, s_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
