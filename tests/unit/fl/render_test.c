//  Snapshots of what an operator sees, from canned JSON.
#include "cloud/fl/render.h"

#include "tests/support/unit.h"

#include <stdlib.h>
#include <string.h>

typedef void show(const json_t *json, uint32_t width, FILE *out);
typedef void say(const json_t *json, char line[FL_RENDER_LINE_BYTES]);

static json_t *
parse(const char *text)
{
    json_error_t trouble;
    json_t *json = json_loads(text, JSON_REJECT_DUPLICATES, &trouble);
    if (json == NULL) {
        fail_msg("the test's JSON: %s at %d", trouble.text, trouble.position);
    }
    return json;
}

static void
assert_shows(show *how, const char *text, uint32_t width, const char *wanted)
{
    char *page = NULL;
    size_t size = 0;
    json_t *json = parse(text);
    FILE *out = open_memstream(&page, &size);
    how(json, width, out);
    assert_int_equal(fclose(out), 0);
    assert_string_equal(page, wanted);
    free(page);
    json_decref(json);
}

static void
assert_says(say *how, const char *text, const char *wanted)
{
    char line[FL_RENDER_LINE_BYTES];
    json_t *json = parse(text);
    how(json, line);
    assert_string_equal(line, wanted);
    json_decref(json);
}

// ---- numbers ----------------------------------------------------------------------------------
static void
bytes_and_times_are_short_and_rounded(void **state)
{
    (void)state;
    static const struct {
        uint64_t value;
        const char *bytes, *ms;
    } cases[] = {
        { 0, "0 B", "0.0 s" },          { 999, "999 B", "1.0 s" },
        { 1000, "1.0 kB", "1.0 s" },    { 9949, "9.9 kB", "9.9 s" },
        { 9950, "10 kB", "10 s" },      { 59499, "59 kB", "59 s" },
        { 59500, "60 kB", "1m00s" },    { 185000, "185 kB", "3m05s" },
        { 999499, "999 kB", "16m39s" }, { 999500, "1.0 MB", "16m40s" },
        { 7620000, "7.6 MB", "2h07m" }, { 1234567890123, "1.2 TB", "342935h31m" },
    };
    char text[FL_RENDER_TEXT_BYTES];
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_string_equal(fl_render_bytes(cases[i].value, text), cases[i].bytes);
        assert_string_equal(fl_render_ms(cases[i].value, text), cases[i].ms);
    }
    assert_string_equal(fl_render_bytes(UINT64_MAX, text), "18446744 TB");
}

// ---- lines ------------------------------------------------------------------------------------
#define EDGES "\"children\":[{\"role\":\"edge\"}]"

static void
waiting_is_said_with_how_many_how_long_and_for_whom(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        { "{" EDGES ",\"waiting\":{\"for\":\"children\",\"ready\":3,\"expect\":4,\"leaves\":12,"
          "\"expect_leaves\":0,\"left_ms\":14000,\"missing\":[\"edge-b\"]}}",
          "3 of 4 edges ready, 14 s more for edge-b" },
        { "{" EDGES ",\"waiting\":{\"for\":\"children\",\"ready\":1,\"expect\":4,\"leaves\":4,"
          "\"expect_leaves\":16,\"left_ms\":2500,\"missing\":[\"edge-b\"]}}",
          "1 of 4 edges ready with 4 of 16 devices, 2.5 s more for edge-b and 2 not seen yet" },
        { "{" EDGES ",\"waiting\":{\"for\":\"children\",\"ready\":3,\"resting\":1,\"expect\":3,"
          "\"left_ms\":60000,\"missing\":[]}}",
          "3 of 3 edges ready, of which 1 rests, 1m00s more" },
        { "{\"waiting\":{\"for\":\"children\",\"ready\":0,\"expect\":2,\"left_ms\":60000,"
          "\"missing\":[]}}",
          "0 of 2 children ready, 1m00s more for 2 not seen yet" },
        { "{" EDGES ",\"waiting\":{\"for\":\"children\",\"ready\":4,\"expect\":4,\"leaves\":15,"
          "\"expect_leaves\":16,\"left_ms\":900,\"missing\":[]}}",
          "4 of 4 edges ready with 15 of 16 devices, 0.9 s more for 1 device" },
        { "{\"children\":[{\"role\":\"device\"}],\"waiting\":{\"for\":\"contributions\","
          "\"ready\":1,\"expect\":7,\"left_ms\":3000,"
          "\"missing\":[\"d1\",\"d2\",\"d3\",\"d4\",\"d5\",\"d6\"]}}",
          "1 of 7 devices in, 3.0 s more for d1, d2, d3, d4 and 2 more" },
        { "{\"children\":[{\"role\":\"device\"},{\"role\":\"edge\"}],\"waiting\":{"
          "\"for\":\"contributions\",\"ready\":2,\"expect\":2,\"left_ms\":3000,\"missing\":[]}}",
          "2 of 2 children in, 3.0 s more" },
        { "{\"children\":[{\"role\":\"device\"}],\"waiting\":{\"for\":\"contributions\","
          "\"ready\":2,\"expect\":3,\"leaves\":2,\"expect_leaves\":3,\"left_ms\":3000,"
          "\"missing\":[\"d1\"]}}",
          "2 of 3 devices in, 3.0 s more for d1" },
        { "{" EDGES ",\"waiting\":{\"for\":\"contributions\",\"ready\":0,\"expect\":2,"
          "\"leaves\":3,\"expect_leaves\":6,\"left_ms\":3000,\"missing\":[\"edge-a\"]}}",
          "0 of 2 edges in with 3 of 6 devices, 3.0 s more for edge-a and 1 not seen yet" },
        { "{\"waiting\":{\"for\":\"children\",\"ready\":0,\"expect\":0,\"left_ms\":500,"
          "\"missing\":[]}}",
          "0 children ready, 0.5 s more" },
        { "{\"member\":{\"parent\":\"tcp://edge-a:7001\"},\"waiting\":{\"for\":\"parent\","
          "\"left_ms\":null}}",
          "not joined yet, connecting to tcp://edge-a:7001" },
        { "{\"waiting\":{\"for\":\"task\",\"left_ms\":null}}",
          "joined, the parent has no task for it" },
        { "{\"waiting\":{\"for\":\"grant\",\"left_ms\":4000}}",
          "waiting for the parent's grant, 4.0 s more" },
        { "{\"waiting\":null}", "" },
        { "{}", "" },
    };
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_says(fl_render_wait, cases[i][0], cases[i][1]);
    }
}

static void
where_a_run_stands_is_said_in_a_few_words(void **state)
{
    (void)state;
    assert_says(fl_render_stand,
                "{\"round\":7,\"rounds\":20,\"phase\":\"collecting\",\"attempt\":1}",
                "round 7/20 collecting");
    assert_says(fl_render_stand, "{\"round\":7,\"rounds\":20,\"phase\":\"waiting\",\"attempt\":3}",
                "round 7/20 waiting (attempt 3)");
    assert_says(fl_render_stand, "{\"round\":2,\"phase\":\"paused\",\"reason\":\"storage\"}",
                "round 2 paused (storage)");
    assert_says(fl_render_stand, "{\"round\":2,\"rounds\":null,\"phase\":\"train\"}",
                "round 2 train");
    assert_says(fl_render_stand, "{\"round\":-1}", "round 0 -");
}

static void
a_round_is_said_with_names_and_reasons(void **state)
{
    (void)state;
    assert_says(fl_render_round,
                "{\"round\":6,\"close\":\"done\",\"reason\":null,\"duration_ms\":2100,"
                "\"accuracy\":0.78125,\"loss\":0.6,\"tally\":{\"invited\":9,\"in\":2,\"late\":1,"
                "\"absent\":6,\"refused\":0},\"entries\":["
                "{\"node\":\"edge-a\",\"parent\":\"cloud\",\"outcome\":\"in\"},"
                "{\"node\":\"d7\",\"parent\":\"edge-a\",\"outcome\":\"late\",\"reason\":\"slow\"},"
                "{\"node\":\"a\",\"parent\":\"e\",\"outcome\":\"absent\",\"reason\":\"silent\"},"
                "{\"node\":\"b\",\"parent\":\"e\",\"outcome\":\"absent\",\"reason\":null},"
                "{\"node\":\"c\",\"parent\":\"e\",\"outcome\":\"absent\"},"
                "{\"node\":\"d\",\"parent\":\"e\",\"outcome\":\"absent\"},"
                "{\"node\":\"f\",\"parent\":\"e\",\"outcome\":\"absent\"},"
                "{\"node\":\"g\",\"parent\":\"e\",\"outcome\":\"absent\"}]}",
                "round 6 done in 2.1 s: 2 of 9 devices in, 1 late (d7: slow), 6 absent (a: silent, "
                "b, c, d and 2 more); accuracy 0.7812, loss 0.6000");
    assert_says(fl_render_round,
                "{\"round\":6,\"close\":\"skipped\",\"reason\":\"quorum\",\"duration_ms\":30000,"
                "\"accuracy\":null,\"loss\":null,\"tally\":{\"invited\":4,\"in\":0,\"refused\":2},"
                "\"entries\":[]}",
                "round 6 skipped (quorum) in 30 s: 0 of 4 devices in, 2 refused");
}

static void
a_run_ends_with_its_outcome(void **state)
{
    (void)state;
    assert_says(fl_render_end,
                "{\"round\":20,\"rounds\":20,\"aborted\":false,\"accuracy\":0.8531,\"loss\":0.41}",
                "run done: 20 rounds, accuracy 0.8531, loss 0.4100");
    assert_says(fl_render_end,
                "{\"round\":3,\"rounds\":20,\"aborted\":true,\"reason\":\"quorum\",\"loss\":0.5}",
                "run aborted in round 3 of 20: quorum, loss 0.5000");
    assert_says(fl_render_end, "{\"final\":true}", "run done");
    assert_says(fl_render_end,
                "{\"round\":7,\"rounds\":20,\"reason\":\"target\",\"best_round\":7,"
                "\"accuracy\":0.9}",
                "run done: 7 of 20 rounds, target reached, accuracy 0.9000");
    assert_says(fl_render_end,
                "{\"round\":7,\"rounds\":20,\"reason\":\"patience\",\"best_round\":4,\"loss\":0.5}",
                "run done: 7 of 20 rounds, no better model came, loss 0.5000, best in round 4");
    assert_says(fl_render_end, "{\"round\":20,\"rounds\":20,\"best_round\":18}",
                "run done: 20 rounds, best in round 18");
}

// ---- pages ------------------------------------------------------------------------------------
static const char root_status[] =
    "{\"tier\":\"root\",\"node\":\"cloud\",\"run\":\"0a1b2c3d4e5f\",\"uptime_s\":72,"
    "\"phase\":\"collecting\",\"round\":7,\"rounds\":20,\"attempt\":1,\"left_ms\":3200,"
    "\"eta_s\":26.4,\"loss\":0.6021,\"accuracy\":0.7812,\"encrypted\":true,"
    "\"masking\":\"unmasked\",\"masked\":false,"
    "\"waiting\":{\"for\":\"contributions\",\"ready\":1,\"expect\":2,\"left_ms\":3200,"
    "\"missing\":[\"edge-b\"]},"
    "\"children\":["
    "{\"node\":\"edge-a\",\"role\":\"edge\",\"present\":true,\"evasive\":false,"
    "\"activity\":\"wait-close\",\"done\":0,\"total\":0,\"outcome\":\"in\",\"reason\":null,"
    "\"leaves\":4,\"offers\":\"builtin/xray, ...\","
    "\"tally\":{\"in\":3,\"late\":1,\"absent\":0,\"refused\":0,\"bytes_up\":1221300,"
    "\"bytes_down\":1628400},\"rounds\":{\"in\":6,\"late\":0,\"absent\":0,\"refused\":0}},"
    "{\"node\":\"edge-b\",\"role\":\"edge\",\"present\":true,\"evasive\":true,"
    "\"activity\":\"collect\",\"done\":1,\"total\":4,\"outcome\":\"absent\",\"reason\":null,"
    "\"leaves\":4,\"tally\":{\"in\":1,\"late\":0,\"absent\":3,\"refused\":0,\"bytes_up\":0,"
    "\"bytes_down\":900},\"rounds\":{\"in\":5,\"late\":1,\"absent\":0,\"refused\":0}},"
    "{\"node\":\"edge-c\",\"role\":\"edge\",\"present\":false,\"activity\":\"nothing\","
    "\"outcome\":\"absent\",\"reason\":\"silent\",\"leaves\":0},"
    "{\"node\":\"dev-9\",\"role\":\"device\",\"present\":true,\"activity\":\"train\",\"done\":5,"
    "\"total\":8,\"outcome\":\"absent\",\"reason\":null,\"leaves\":1,"
    "\"rounds\":{\"in\":1,\"late\":2,\"absent\":3,\"refused\":4}}],"
    "\"children_dropped\":2}";

static void
a_root_is_shown_with_a_row_per_child(void **state)
{
    (void)state;
    assert_shows(
        fl_render_status, root_status, 130,
        "root cloud  run 0a1b2c3d  round 7/20 collecting, at most 3.2 s  up 1m12s\n"
        "accuracy 0.7812  loss 0.6021  about 26 s to go  encrypted, not masked\n"
        "1 of 2 children in, 3.2 s more for edge-b\n"
        "not in: edge-b silent, edge-c gone\n"
        "\n"
        "NODE    ROLE    OUTCOME  WHY     DOING       DEVICES  IN  LATE  ABSENT  REFUSED   ROUNDS"
        "      UP    DOWN  OFFERS\n"
        "edge-a  edge    in       -       wait-close        4   3     1       0        0  6/0/0/0"
        "  1.2 MB  1.6 MB  builtin/xray, ...\n"
        "edge-b  edge    -        -       silent?           4   1     0       3        0  5/1/0/0"
        "     0 B   900 B  -\n"
        "edge-c  edge    absent   silent  gone              0   0     0       0        0  0/0/0/0"
        "     0 B     0 B  -\n"
        "dev-9   device  -        -       train 62%         1   -     -       -        -  1/2/3/4"
        "     0 B     0 B  -\n"
        "and 2 more\n");
}

static void
a_narrow_terminal_keeps_what_matters(void **state)
{
    (void)state;
    assert_shows(fl_render_status, root_status, 50,
                 "root cloud  run 0a1b2c3d  round 7/20 collecting, >\n"
                 "accuracy 0.7812  loss 0.6021  about 26 s to go  e>\n"
                 "1 of 2 children in, 3.2 s more for edge-b\n"
                 "not in: edge-b silent, edge-c gone\n"
                 "\n"
                 "NODE    OUTCOME  WHY     DOING       IN  LATE\n"
                 "edge-a  in       -       wait-close   3     1\n"
                 "edge-b  -        -       silent?      1     0\n"
                 "edge-c  absent   silent  gone         0     0\n"
                 "dev-9   -        -       train 62%    -     -\n"
                 "and 2 more\n");
}

#define EDGE(name, more)                                                                           \
    "{\"node\":\"" name "\",\"role\":\"edge\",\"present\":true,\"activity\":\"wait-close\","       \
    "\"outcome\":\"in\",\"reason\":null,\"leaves\":2,\"tally\":{\"in\":1,\"late\":1},"             \
    "\"rounds\":{\"in\":6}," more "}"
#define NODE(name, parent, outcome, reason)                                                        \
    "{\"node\":\"" name "\",\"parent\":\"" parent "\",\"outcome\":\"" outcome "\",\"reason\":"     \
        reason "}"

//  All devices are there by name, and who is late or silent is named before them, in 80 columns.
static void
the_tree_has_every_device_below_its_edge(void **state)
{
    (void)state;
    static const char status[] =
        "{\"tier\":\"root\",\"node\":\"cloud\",\"run\":\"0a1b2c3d4e\",\"phase\":\"collecting\","
        "\"round\":7,\"rounds\":20,\"children\":["
        EDGE("edge-north.site", "\"told_round\":6,\"below\":["
             NODE("dev-00.long-nam", "edge-north.site", "in", "null") ","
             NODE("dev-01.long-nam", "edge-north.site", "refused", "\"roster-too-small\"") ","
             NODE("hall-1", "edge-north.site", "in", "null") ","
             NODE("dev-02", "hall-1", "absent", "\"silent\"") ","
             NODE("dev-03", "edge-north.site", "late", "\"slow\"") "]") ","
        EDGE("edge-b", "\"told_round\":0,\"below\":[" NODE("dev-04", "edge-b", "late", "null") "]")
        "],\"below_dropped\":3}";
    assert_shows(fl_render_status, status, 80,
                 "root cloud  run 0a1b2c3d  round 7/20 collecting  up 0.0 s\n"
                 "NOT encrypted\n"
                 "not in: dev-01.long-nam refused, dev-02 silent, dev-03 late and 1 more\n"
                 "\n"
                 "NODE               OUTCOME  WHY               DOING       DEVICES  IN  LATE\n"
                 "edge-north.site    in       -                 wait-close        2   1     1\n"
                 "  dev-00.long-nam  in       -                 in round 6\n"
                 "  dev-01.long-nam  refused  roster-too-small  in round 6\n"
                 "  hall-1           in       -                 in round 6\n"
                 "    dev-02         absent   silent            in round 6\n"
                 "  dev-03           late     slow              in round 6\n"
                 "edge-b             in       -                 wait-close        2   1     1\n"
                 "  dev-04           late     -                 earlier\n"
                 "and 3 more\n");
}

//  Whatever the width, no line is wider.
static void
no_line_is_wider_than_the_terminal(void **state)
{
    (void)state;
    json_t *json = parse(root_status);
    for (uint32_t width = 12; width < 130; width++) {
        char *page = NULL;
        size_t size = 0;
        FILE *out = open_memstream(&page, &size);
        fl_render_status(json, width, out);
        assert_int_equal(fclose(out), 0);
        for (const char *line = page; *line != '\0'; line += strcspn(line, "\n") + 1) {
            assert_true(strcspn(line, "\n") <= width);
        }
        free(page);
    }
    json_decref(json);
}

static void
a_run_that_is_over_says_so_on_the_page(void **state)
{
    (void)state;
    assert_shows(fl_render_status,
                 "{\"tier\":\"root\",\"node\":\"cloud\",\"run\":\"0a1b2c3d4e\",\"uptime_s\":9,"
                 "\"phase\":\"done\",\"round\":3,\"rounds\":3,\"final\":true,\"aborted\":false,"
                 "\"accuracy\":0.5,\"encrypted\":true,\"masking\":\"malicious\",\"masked\":true,"
                 "\"waiting\":null,\"tally\":{\"masked\":16,\"recovered\":2,\"aborted\":3},"
                 "\"children\":[]}",
                 80,
                 "root cloud  run 0a1b2c3d  round 3/3 done  up 9.0 s\n"
                 "accuracy 0.5000  encrypted, masked (malicious): 16 devices, 2 recovered, "
                 "3 abor>\n"
                 "run done: 3 rounds, accuracy 0.5000\n");
}

static void
an_answer_without_the_keys_is_shown_as_nothing_and_not_as_a_crash(void **state)
{
    (void)state;
    assert_shows(fl_render_status, "{}", 80,
                 "- -  run -  round 0 -  up 0.0 s\n"
                 "NOT encrypted\n");
    assert_shows(fl_render_status, "{\"children\":[7,null],\"waiting\":{\"for\":3},\"run\":9}", 80,
                 "- -  run -  round 0 -  up 0.0 s\n"
                 "NOT encrypted\n"
                 "waiting for the parent's -\n"
                 "not in: - gone, - gone\n"
                 "\n"
                 "NODE  ROLE  OUTCOME  WHY  DOING  DEVICES  IN  LATE  ABSENT  REFUSED   UP\n"
                 "-     -     -        -    gone         0   -     -       -        -  0 B\n"
                 "-     -     -        -    gone         0   -     -       -        -  0 B\n");
    assert_shows(fl_render_rounds, "{}", 200,
                 "ROUND  CLOSE  WHY  TIME  IN  LATE  ABSENT  REFUSED  CAPPED  MASKING  WEIGHTING"
                 "  RECOVERED  ABORTED  LOST  ACCURACY  LOSS  ON DEVICES\n");
}

static void
a_report_is_a_line_some_facts_and_a_row_per_node(void **state)
{
    (void)state;
    static const char report[] =
        "{\"round\":7,\"attempt\":1,\"close\":\"done\",\"reason\":null,\"duration_ms\":2100,"
        "\"budget_ms\":10000,\"weight\":600,\"accuracy\":0.8,\"loss\":0.5,\"merge_ms\":12,"
        "\"samples_lost_share\":0.031,\"model\":\"9f86d081884c7d659a2feaa0c55ad015\","
        "\"base\":\"2c26b46b68ffc68ff99b453c1d304134\",\"model_bytes\":407100,"
        "\"stats\":{\"saturated\":3,\"stale\":1,\"capped\":2,"
        "\"device_accuracy\":0.77,\"device_loss\":0.63},"
        "\"tally\":{\"invited\":2,\"in\":1,\"late\":1,\"bytes_up\":1000,\"bytes_down\":2000},"
        "\"entries\":[{\"node\":\"dev-1\",\"parent\":\"edge-a\",\"outcome\":\"in\","
        "\"reason\":null,\"staleness\":1},"
        "{\"node\":\"dev-2\",\"parent\":\"edge-a\",\"outcome\":\"late\",\"reason\":\"slow\","
        "\"staleness\":0}],\"entries_dropped\":4}";
    assert_shows(fl_render_report, report, 100,
                 "round 7 done in 2.1 s: 1 of 2 devices in, 1 late (dev-2: slow); accuracy 0.8000,"
                 " loss 0.5000\n"
                 "attempt 1, budget 10 s, weight 600, up 1.0 kB, down 2.0 kB\n"
                 "samples lost 3.1%, merge 12 ms, saturated 3, stale 1, capped 2\n"
                 "on the devices, of the model before: accuracy 0.7700, loss 0.6300\n"
                 "model 9f86d081884c7d65 (407 kB), from 2c26b46b68ffc68f\n"
                 "\n"
                 "NODE   PARENT  OUTCOME  WHY   STALENESS\n"
                 "dev-1  edge-a  in       -             1\n"
                 "dev-2  edge-a  late     slow          0\n"
                 "and 4 more\n");
    assert_shows(fl_render_report, "{\"round\":2,\"close\":\"skipped\",\"entries\":[]}", 60,
                 "round 2 skipped in 0.0 s: 0 of 0 devices in\n"
                 "attempt 0, budget 0.0 s, weight 0, up 0 B, down 0 B\n"
                 "samples lost -, merge 0 ms, saturated 0, stale 0, capped 0\n"
                 "of model -\n");
}

static void
a_masked_report_has_a_line_per_tier_and_a_row_per_block(void **state)
{
    (void)state;
    static const char report[] =
        "{\"round\":7,\"close\":\"done\",\"duration_ms\":2100,\"masking\":\"malicious\","
        "\"masked\":true,\"tally\":{\"invited\":14,\"in\":6,\"refused\":5,\"recovered\":2},"
        "\"tiers\":{\"devices\":{\"masked\":8,\"recovered\":2,\"aborted\":5,\"blocks\":1,"
        "\"blocks_aborted\":1},\"edges\":{\"masked\":3,\"blocks\":1}},\"blocks\":["
        "{\"tier\":\"devices\",\"parent\":\"edge-a\",\"block\":0,\"members\":9,\"masked\":8,"
        "\"survivors\":6,\"recovered\":2,\"state\":\"done\",\"reason\":null},"
        "{\"tier\":\"devices\",\"parent\":\"edge-a\",\"block\":1,\"members\":5,\"masked\":5,"
        "\"survivors\":0,\"recovered\":0,\"aborted\":true,\"state\":\"aborted\","
        "\"reason\":\"checksum\"},"
        "{\"tier\":\"edges\",\"parent\":\"cloud\",\"block\":0,\"members\":3,\"masked\":3,"
        "\"survivors\":3,\"recovered\":0,\"state\":\"done\",\"reason\":null}]}";
    assert_shows(
        fl_render_report, report, 120,
        "round 7 done in 2.1 s, masked (malicious): 6 of 14 devices in, 5 refused, 2 recovered, "
        "1 block aborted (edge-a/1: check>\n"
        "attempt 0, budget 0.0 s, weight 0, up 0 B, down 0 B\n"
        "samples lost -, merge 0 ms, saturated 0, stale 0, capped 0\n"
        "of model -\n"
        "devices: 8 masked, 2 recovered, 5 aborted; blocks: 1 opened, 1 aborted\n"
        "edges: 3 masked, 0 recovered, 0 aborted; blocks: 1 opened, 0 aborted\n"
        "\n"
        "TIER     PARENT  BLOCK  MEMBERS  MASKED  SURVIVORS  RECOVERED  STATE    WHY\n"
        "devices  edge-a      0        9       8          6          2  done     -\n"
        "devices  edge-a      1        5       5          0          0  aborted  checksum\n"
        "edges    cloud       0        3       3          3          0  done     -\n");
}

static void
live_blocks_are_shown_below_the_children(void **state)
{
    (void)state;
    assert_shows(fl_render_status,
                 "{\"tier\":\"edge\",\"node\":\"edge-a\",\"round\":3,\"phase\":\"collecting\","
                 "\"encrypted\":true,\"masking\":\"malicious\",\"masked\":true,\"blocks\":["
                 "{\"tier\":\"devices\",\"parent\":\"edge-a\",\"block\":0,\"members\":5,"
                 "\"state\":\"waiting-ready\",\"reason\":null},"
                 "{\"tier\":\"devices\",\"parent\":\"edge-a\",\"block\":1,\"members\":2,"
                 "\"state\":\"aborted\",\"aborted\":true,\"reason\":\"roster-too-small\"}]}",
                 100,
                 "edge edge-a  run -  round 3 collecting  up 0.0 s\n"
                 "encrypted, masked (malicious)\n"
                 "\n"
                 "TIER     PARENT  BLOCK  MEMBERS  MASKED  SURVIVORS  RECOVERED  STATE"
                 "          WHY\n"
                 "devices  edge-a      0        5       0          0          0  waiting-ready  -\n"
                 "devices  edge-a      1        2       0          0          0  aborted        "
                 "roster-too-small\n");
}

static void
how_a_round_was_masked_is_said_in_its_line(void **state)
{
    (void)state;
    assert_says(fl_render_masking, "{\"masking\":\"malicious\",\"masked\":true}",
                "masked (malicious)");
    assert_says(fl_render_masking, "{\"masking\":\"honest\",\"masked\":true}", "masked (honest)");
    assert_says(fl_render_masking,
                "{\"masking\":\"malicious\",\"masked\":true,"
                "\"pools\":{\"weakest\":\"e1\",\"floor\":8,\"bad\":3}}",
                "masked (malicious), floor 8: 3 bad devices break it at e1");
    assert_says(fl_render_masking, "{\"masking\":\"honest\",\"masked\":false}",
                "only partly masked (honest)");
    assert_says(fl_render_masking, "{\"masking\":\"unmasked\",\"masked\":false}", "not masked");
    assert_says(fl_render_masking, "{\"masking\":null,\"masked\":null}", "");
    assert_says(fl_render_round, "{\"round\":2,\"close\":\"done\",\"masking\":\"unmasked\"}",
                "round 2 done in 0.0 s, not masked: 0 of 0 devices in");
    static const char many[] =
        "{\"round\":2,\"close\":\"skipped\",\"reason\":\"too-few-acks\",\"masking\":\"honest\","
        "\"masked\":true,\"blocks\":["
        "{\"parent\":\"a\",\"block\":0,\"aborted\":true,\"reason\":\"too-few-acks\"},"
        "{\"parent\":\"a\",\"block\":1,\"aborted\":true,\"reason\":\"restart\"},"
        "{\"parent\":\"b\",\"block\":0,\"aborted\":true,\"reason\":\"restart\"},"
        "{\"parent\":\"b\",\"block\":1,\"aborted\":true,\"reason\":\"key\"},"
        "{\"parent\":\"b\",\"block\":2,\"aborted\":true,\"reason\":\"key\"},"
        "{\"parent\":\"b\",\"block\":3,\"aborted\":false,\"reason\":null}]}";
    assert_says(fl_render_round, many,
                "round 2 skipped (too-few-acks) in 0.0 s, masked (honest): 0 of 0 devices in, 5 "
                "blocks aborted (a/0: too-few-acks, a/1: restart, b/0: restart, b/1: key and 1 "
                "more)");
}

static void
rounds_are_a_table(void **state)
{
    (void)state;
    static const char rounds[] =
        "{\"rounds\":[{\"round\":1,\"close\":\"done\",\"reason\":null,"
        "\"duration_ms\":2100,\"in\":15,\"late\":1,\"absent\":0,\"refused\":0,\"capped\":3,"
        "\"samples_lost_share\":0.0625,\"accuracy\":0.5,\"loss\":1.25,"
        "\"device_accuracy\":0.25,\"pinned\":true,"
        "\"masking\":\"malicious\",\"masked\":true,\"tiers\":{\"devices\":{\"recovered\":2},"
        "\"edges\":{\"recovered\":1,\"aborted\":4}}},"
        "{\"round\":2,\"close\":\"done\",\"masking\":\"malicious\",\"masked\":false},"
        "{\"round\":3,\"close\":null,\"reason\":null,\"duration_ms\":0,\"accuracy\":null,"
        "\"loss\":null,\"masking\":\"unmasked\"}]}";
    assert_shows(
        fl_render_rounds, rounds, 140,
        "ROUND  CLOSE  WHY   TIME  IN  LATE  ABSENT  REFUSED  CAPPED  MASKING           RECOVERED"
        "  ABORTED  LOST  ACCURACY    LOSS  ON DEVICES\n"
        "    1  done   -    2.1 s  15     1       0        0       3  malicious pinned        2/1"
        "      0/4  6.2%    0.5000  1.2500      0.2500\n"
        "    2  done   -    0.0 s   0     0       0        0       0  partly                  0/0"
        "      0/0     -         -       -           -\n"
        "    3  open   -    0.0 s   0     0       0        0       0  unmasked                0/0"
        "      0/0     -         -       -           -\n");
    assert_shows(fl_render_rounds, "{\"rounds\":[{\"round\":1,\"capped\":3}]}", 80,
                 "ROUND  CLOSE  WHY   TIME  IN  LATE  ABSENT  REFUSED  CAPPED  MASKING  ACCURACY"
                 "\n    1  open   -    0.0 s   0     0       0        0       3  -               "
                 "-\n");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_and_times_are_short_and_rounded),
        cmocka_unit_test(waiting_is_said_with_how_many_how_long_and_for_whom),
        cmocka_unit_test(where_a_run_stands_is_said_in_a_few_words),
        cmocka_unit_test(a_round_is_said_with_names_and_reasons),
        cmocka_unit_test(a_run_ends_with_its_outcome),
        cmocka_unit_test(a_root_is_shown_with_a_row_per_child),
        cmocka_unit_test(a_narrow_terminal_keeps_what_matters),
        cmocka_unit_test(the_tree_has_every_device_below_its_edge),
        cmocka_unit_test(no_line_is_wider_than_the_terminal),
        cmocka_unit_test(a_run_that_is_over_says_so_on_the_page),
        cmocka_unit_test(an_answer_without_the_keys_is_shown_as_nothing_and_not_as_a_crash),
        cmocka_unit_test(a_report_is_a_line_some_facts_and_a_row_per_node),
        cmocka_unit_test(a_masked_report_has_a_line_per_tier_and_a_row_per_block),
        cmocka_unit_test(live_blocks_are_shown_below_the_children),
        cmocka_unit_test(how_a_round_was_masked_is_said_in_its_line),
        cmocka_unit_test(rounds_are_a_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
