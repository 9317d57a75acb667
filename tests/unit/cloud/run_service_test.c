//  Runs as the operator asks for them, with a ledger and models on disk, workers, and a node that
//  is the test's own.
#include "cloud/run_service.h"

#include <inttypes.h>

#include "cloud/run_files.h"
#include "cloud/run_recipe.h"
#include "cloud/scheduler.h"
#include "common/config/exit_codes.h"
#include "common/crypto/hash.h"
#include "tests/support/unit.h"

#include "tests/support/ledger.h"
#include "tests/support/node.h"

#define ID "01000000000000000000000000000000"
#define OTHER "02000000000000000000000000000000"
#define RECIPE "rounds: 3\\n"
#define SUBMIT(id, name, recipe)                                                                   \
    "{\"run\":\"" id "\",\"name\":\"" name "\",\"recipe\":\"" recipe "\",\"priority\":-3}"

// ---- the rest of the node ---------------------------------------------------------------------
uint16_t
fl_node_port(const fl_node *self, fl_way way)
{
    (void)self;
    return (uint16_t)way;
}

// ---- a service --------------------------------------------------------------------------------
static fl_checkpoints *checkpoints;
static fl_queries *queries;
static fl_run_service *service;

//  What the root was told.
static struct {
    unsigned times;
    fl_ledger_run run; // the last time
    bool unfit;
    fl_reason trouble;
    fl_run_waiting waiting; // when it has a run
} told;

static fl_status
fits(void *self, const fl_conf *settings, fl_why *said)
{
    assert_ptr_equal(self, &told);
    assert_true(fl_conf_int(settings, "rounds") > 0);
    return told.unfit ? fl_fail(FL_MISMATCH, said, "the test set is of another width") : FL_OK;
}

static fl_reason
trouble(void *self)
{
    assert_ptr_equal(self, &told);
    return told.trouble;
}

static uint32_t
wait_for(void *self, fl_run_waiting waiting[FL_WAITING_MAX])
{
    static const fl_run none;
    assert_ptr_equal(self, &told);
    waiting[0] = told.waiting;
    return fl_run_equal(&told.waiting.run, &none) ? 0 : 1;
}

static void
tell(void *self, const fl_ledger_run *about)
{
    assert_ptr_equal(self, &told);
    told.times++;
    told.run = *about;
}

static int
start(void **state)
{
    memset(&told, 0, sizeof told);
    if (ledger_begin(state) != 0 ||
        fl_checkpoints_open(place_of("models"), ledger, &checkpoints, &why) != FL_OK) {
        return -1;
    }
    workers = fl_workers_new(1, 4, &why);
    queries = fl_queries_new(&(fl_queries_conf){ .ledger = ledger });
    service = fl_run_service_new(&(fl_run_service_conf){ .ledger = ledger,
                                                         .checkpoints = checkpoints,
                                                         .queries = queries,
                                                         .self = &told,
                                                         .fits = fits,
                                                         .trouble = trouble,
                                                         .told = tell,
                                                         .waiting = wait_for });
    return workers == NULL || queries == NULL || service == NULL;
}

static int
end(void **state)
{
    assert_int_equal(fl_workers_stop(workers, FL_WORKERS_DRAIN, STATION_WAIT_MS), FL_OK);
    fl_workers_destroy(&workers);
    fl_run_service_destroy(&service);
    fl_queries_destroy(&queries);
    fl_checkpoints_close(&checkpoints);
    return ledger_end(state);
}

static uint8_t
ask(const char *verb, const char *argument, const char *body)
{
    fl_ask question = { .body = fl_bytes_of(body, strlen(body)) };
    (void)snprintf(question.verb, sizeof question.verb, "%s", verb);
    (void)snprintf(question.argument, sizeof question.argument, "%s", argument);
    assert_true(fl_run_service_ask(service, 7, &question));
    station_hear(1);
    assert_int_equal(answered, 7);
    return code;
}

#define assert_says(part) assert_non_null(strstr(text, part))

static fl_ledger_run
stored(const char *which)
{
    fl_ledger_run found;
    assert_int_equal(fl_ledger_run_find(ledger, which, &found, &why), FL_OK);
    return found;
}

// ---- submit -----------------------------------------------------------------------------------
static void
a_run_is_submitted_once_however_often_it_is_asked_for(void **state)
{
    (void)state;
    const char *body = SUBMIT(ID, "digits", "rounds: 3\\n");
    assert_int_equal(ask("run-submit", "", body), 0);
    assert_says("\"said\":\"run 1 (digits) is queued\"");
    assert_says("\"priority\":-3");
    assert_int_equal(told.times, 1);
    assert_int_equal(told.run.number, 1);
    assert_int_equal(told.run.priority, -3);
    assert_int_equal(ask("run-submit", "", body), 0);
    assert_says("\"number\":1");
    assert_int_equal(told.times, 1);
    assert_int_equal(ask("run-submit", "", SUBMIT(OTHER, "digits", RECIPE)), FL_EXIT_EXISTS);
    assert_says("choose another name");
    assert_int_equal(told.times, 1);
}

static void
what_cannot_be_done_is_refused_and_leaves_nothing_behind(void **state)
{
    (void)state;
    static const struct {
        const char *body, *says;
        uint8_t code;
    } rows[] = {
        { "", "takes run, name, recipe", FL_EXIT_USAGE },
        { SUBMIT(ID, "digits", ""), "takes run, name, recipe", FL_EXIT_USAGE },
        { SUBMIT("01", "digits", RECIPE), "takes run, name, recipe", FL_EXIT_USAGE },
        { SUBMIT(ID, "12", RECIPE), "'12' is no name of a run", FL_EXIT_USAGE },
        { SUBMIT(ID, "Digits", RECIPE), "is no name of a run", FL_EXIT_USAGE },
        { SUBMIT(ID, "digits", "rounds: 0\\n"), "recipe:1: 'rounds' is 0", FL_EXIT_USAGE },
        { SUBMIT(ID, "digits", "ruonds: 2\\n"), "did you mean 'rounds'?", FL_EXIT_USAGE },
        { SUBMIT(ID, "digits", "model.initial: /etc/passwd\\n"), "must be the hash",
          FL_EXIT_REFUSED },
        { "{\"run\":\"" ID "\",\"name\":\"a\",\"recipe\":\"" RECIPE "\",\"priority\":1000001}",
          "a priority is", FL_EXIT_USAGE },
        { "{\"run\":\"" ID "\",\"name\":\"a\",\"recipe\":\"" RECIPE "\",\"initial\":\"" ID ID "\"}",
          "put it first", FL_EXIT_MISSING },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(ask("run-submit", "", rows[i].body), rows[i].code);
        assert_says(rows[i].says);
    }
    told.unfit = true;
    assert_int_equal(ask("run-submit", "", SUBMIT(ID, "digits", RECIPE)), FL_EXIT_REFUSED);
    assert_says("another width");
    told.unfit = false;
    assert_int_equal(told.times, 0);
    assert_int_equal(ask("run-list", "", ""), 0);
    assert_string_equal(text, "{\"runs\":[],\"next\":null}");
    assert_int_equal(ask("run-show", "", ""), FL_EXIT_MISSING);
}

// ---- states -----------------------------------------------------------------------------------
static void
a_run_is_paused_resumed_and_stopped_and_each_move_is_told_once(void **state)
{
    (void)state;
    (void)ask("run-submit", "", SUBMIT(ID, "digits", RECIPE));
    assert_int_equal(ask("run-pause", "digits", RECIPE), FL_EXIT_REFUSED);
    assert_says("run 1 (digits) is queued: it cannot be paused");
    assert_int_equal(ask("run-resume", "digits", RECIPE), FL_EXIT_REFUSED); // it begins by itself
    const fl_ledger_run queued = stored("digits");
    assert_int_equal(
        fl_ledger_run_begin(ledger, &queued.run, 10, &queued.model, 5, fl_bytes_of("m", 1), &why),
        FL_OK);
    assert_int_equal(ask("run-resume", "1", ""), 0);
    assert_says("is running already");
    assert_int_equal(told.times, 1);
    assert_int_equal(ask("run-pause", "", ""), 0);
    assert_says("is paused\"");
    assert_int_equal(told.times, 2);
    assert_int_equal(told.run.state, FL_RUN_PAUSED);
    assert_int_equal(stored("1").state, FL_RUN_PAUSED);
    assert_int_equal(ask("run-pause", ID, ""), 0);
    assert_says("is paused already");
    assert_int_equal(told.times, 2);
    assert_int_equal(ask("run-resume", "digits", RECIPE), 0);
    assert_int_equal(told.run.state, FL_RUN_RUNNING);
    assert_int_equal(ask("run-stop", "digits", RECIPE), 0);
    assert_int_equal(told.run.state, FL_RUN_STOPPED);
    assert_int_equal(stored("").reason, FL_WHY_STOPPED);
    assert_int_equal(ask("run-stop", "digits", RECIPE), 0);
    assert_says("is stopped already");
    assert_int_equal(ask("run-resume", "digits", RECIPE), FL_EXIT_REFUSED);
    assert_says("is stopped: it cannot be running");
    assert_int_equal(told.times, 4);
    assert_int_equal(ask("run-stop", "nobody", ""), FL_EXIT_MISSING);
}

static void
a_run_that_stands_still_for_trouble_is_shown_as_paused(void **state)
{
    (void)state;
    static const char *const verbs[][2] = { { "run-list", "1" },
                                            { "run-show", "digits" },
                                            { "run-watch", "0 digits" } };
    (void)ask("run-submit", "", SUBMIT(ID, "digits", RECIPE));
    told.trouble = FL_WHY_STORAGE;
    (void)ask("run-list", "1", "");
    assert_says("\"state\":\"queued\"");
    const fl_ledger_run queued = stored("");
    assert_int_equal(
        fl_ledger_run_begin(ledger, &queued.run, 10, &queued.model, 5, fl_bytes_of("m", 1), &why),
        FL_OK);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(ask(verbs[i][0], verbs[i][1], ""), 0);
        assert_says("\"state\":\"paused\"");
        assert_says("\"reason\":\"storage\"");
    }
    told.trouble = FL_WHY_NONE;
    (void)ask("run-list", "1", "");
    assert_says("\"state\":\"running\"");
    told.waiting = (fl_run_waiting){ .run = queued.run, .trouble = FL_WHY_STORAGE }; // it alone
    (void)ask("run-list", "1", "");
    assert_says("\"state\":\"paused\"");
    told.waiting = (fl_run_waiting){ .run = queued.run, .text = "it waits for e1" };
    (void)ask("run-list", "1", "");
    assert_says("\"state\":\"running\"");
    assert_says("it waits for e1");
    assert_int_equal(ask("run-pause", "digits", ""), 0); // the ledger knows better
    assert_int_equal(stored("").reason, FL_WHY_NONE);
}

static void
a_pause_of_the_operator_takes_the_place_of_trouble(void **state)
{
    (void)state;
    (void)ask("run-submit", "", SUBMIT(ID, "digits", RECIPE));
    const fl_ledger_run queued = stored("");
    assert_int_equal(
        fl_ledger_run_begin(ledger, &queued.run, 10, &queued.model, 5, fl_bytes_of("m", 1), &why),
        FL_OK);
    assert_int_equal(
        fl_ledger_run_enter(ledger, &queued.run, FL_RUN_PAUSED, FL_WHY_STORAGE, "full", &why),
        FL_OK);
    assert_int_equal(ask("run-pause", "digits", RECIPE), 0);
    assert_int_equal(told.times, 2);
    assert_int_equal(stored("").reason, FL_WHY_NONE);
}

// ---- settings ---------------------------------------------------------------------------------
static void
a_setting_that_only_the_root_reads_is_changed_and_recorded(void **state)
{
    (void)state;
    fl_conf *settings = NULL;
    (void)ask("run-submit", "", SUBMIT(ID, "digits", "rounds: 3\\n"));
    assert_int_equal(ask("run-set", "digits", "rounds=7"), 0);
    assert_says("run 1 (digits): rounds is 7, it was 3");
    assert_int_equal(ask("run-set", "digits", "rounds=9"), 0);
    assert_says("rounds is 9, it was 7");
    assert_int_equal(ask("run-set", "digits", "round.wait=3s"), 0);
    assert_int_equal(ask("run-set", "digits", "stop.patience=3"), 0);
    assert_int_equal(ask("run-set", "digits", "stop.metric=test.loss"), FL_EXIT_REFUSED);
    assert_int_equal(ask("run-set", "digits", "server.optimizer=fedavg"), FL_EXIT_REFUSED);
    assert_int_equal(told.times, 5);
    const fl_ledger_run about = stored("");
    assert_int_equal(fl_run_recipe_load(ledger, &about.run, NULL, &settings, &why), FL_OK);
    assert_int_equal(fl_conf_int(settings, "rounds"), 9);
    assert_int_equal(fl_conf_ms(settings, "round.wait"), 3000);
    fl_conf_destroy(&settings);
    assert_int_equal(ask("run-set", "digits", "priority=12"), 0);
    assert_says("priority is 12, it was -3");
    assert_int_equal(told.run.priority, 12);
    assert_int_equal(stored("").priority, 12);
    assert_int_equal(ask("run-show", "", ""), 0);
    assert_says("\"recipe\":\"rounds: 3\\n\"");
    assert_says("\"pinned\":false,\"scored\":{\"round\":0,\"loss\":null,\"accuracy\":null,");
    assert_says("\"setting\":\"rounds\",\"old\":\"7\",\"new\":\"9\",\"who\":\"operator\"");
}

static void
a_setting_that_is_fixed_wrong_or_of_an_ended_run_is_not_changed(void **state)
{
    (void)state;
    static const struct {
        const char *set, *says;
        uint8_t code;
    } rows[] = {
        { "train.rate=2", "fixed once a run is submitted", FL_EXIT_REFUSED },
        { "rounds=0", "'rounds' is 0, out of range", FL_EXIT_USAGE },
        { "round.wiat=3s", "is no setting", FL_EXIT_USAGE },
        { "rounds", "takes KEY=VALUE", FL_EXIT_USAGE },
        { "=1", "takes KEY=VALUE", FL_EXIT_USAGE },
        { "priority=x", "priority is 'x'", FL_EXIT_USAGE },
    };
    (void)ask("run-submit", "", SUBMIT(ID, "digits", RECIPE));
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(ask("run-set", "digits", rows[i].set), rows[i].code);
        assert_says(rows[i].says);
    }
    told.unfit = true;
    assert_int_equal(ask("run-set", "digits", "rounds=4"), FL_EXIT_REFUSED);
    (void)ask("run-stop", "digits", RECIPE);
    assert_int_equal(ask("run-set", "digits", "rounds=4"), FL_EXIT_REFUSED);
    assert_says("nothing of it can be changed");
    assert_int_equal(told.times, 2);
    assert_int_equal(ask("run-show", "", ""), 0);
    assert_says("\"changes\":[]");
}

static void
of_many_changes_the_newest_are_shown(void **state)
{
    (void)state;
    char set[32];
    (void)ask("run-submit", "", SUBMIT(ID, "digits", RECIPE));
    for (unsigned i = 1; i <= 450; i++) {
        const fl_ledger_run about = stored("");
        fl_ledger_change change = { .run = about.run, .round = 1, .setting = "rounds" };
        (void)snprintf(change.new_value, sizeof change.new_value, "%u", i);
        assert_int_equal(fl_ledger_run_change(ledger, &change, &why), FL_OK);
    }
    assert_int_equal(ask("run-show", "", ""), 0);
    for (unsigned i = 250; i <= 451; i++) {
        (void)snprintf(set, sizeof set, "\"new\":\"%u\"", i);
        assert_int_equal(strstr(text, set) != NULL, i > 250 && i < 451);
    }
}

// ---- looking ----------------------------------------------------------------------------------
static void
runs_are_listed_from_a_number_on_and_watched_from_an_event_on(void **state)
{
    (void)state;
    (void)ask("run-submit", "", SUBMIT(ID, "one", RECIPE));
    (void)ask("run-submit", "", SUBMIT(OTHER, "two", RECIPE));
    assert_int_equal(ask("run-list", "2", ""), 0);
    assert_null(strstr(text, "\"one\""));
    assert_says("\"name\":\"two\",\"state\":\"queued\",\"ended\":false");
    (void)ask("run-stop", "one", RECIPE);
    assert_int_equal(ask("run-watch", "0 one", ""), 0);
    assert_says("\"state\":\"stopped\",\"ended\":true");
    assert_says("\"seq\":1,");
    assert_says("\"seq\":3,");
    assert_null(strstr(text, "\"seq\":2,")); // of the other run
    assert_int_equal(ask("run-watch", "3 one", ""), 0);
    assert_says("\"events\":[],\"next\":null");
    ledger_sql("UPDATE run SET pruned=2, pruned_to=5 WHERE name='one'"); // as after 10,000 others
    assert_int_equal(ask("run-watch", "3 one", ""), 0);
    assert_says("{\"seq\":5,\"at\":0,\"kind\":\"missed\",\"what\":{\"given_up\":2}}]");
    assert_int_equal(ask("run-watch", "5 one", ""), 0);
    assert_says("\"events\":[],\"next\":null");
    assert_int_equal(ask("run-watch", "0 none", ""), FL_EXIT_MISSING);
    const fl_ask other = { .verb = "revoke" };
    assert_false(fl_run_service_ask(service, 7, &other));
}

// ---- files ------------------------------------------------------------------------------------
static char argument[FL_TEXT_MAX];

static const char *
put_of(const char *bytes, unsigned offset, uint64_t total)
{
    char hex[65];
    const fl_hash hash = fl_hash_of(fl_bytes_of(bytes, strlen(bytes)));
    fl_hex(hash.bytes, sizeof hash.bytes, hex);
    (void)snprintf(argument, sizeof argument, "%s %u %" PRIu64, hex, offset, total);
    return argument;
}

static void
a_file_is_put_in_pieces_and_a_run_begins_with_it(void **state)
{
    (void)state;
    char body[400];
    assert_int_equal(ask("put", put_of("abcdef", 0, 6), ""), 0);
    assert_string_equal(text, "{\"next\":0}");
    assert_int_equal(ask("put", put_of("abcdef", 0, 6), "abc"), 0);
    assert_string_equal(text, "{\"next\":3}");
    assert_int_equal(ask("put", put_of("abcdef", 0, 6), "abc"), 0); // the answer was lost
    assert_string_equal(text, "{\"next\":3}");
    assert_int_equal(ask("put", put_of("abcdef", 3, 6), "def"), 0);
    assert_string_equal(text, "{\"next\":6}");
    assert_int_equal(ask("put", put_of("abcdef", 0, 6), "abc"), 0); // it is here
    assert_string_equal(text, "{\"next\":6}");
    (void)snprintf(body, sizeof body,
                   "{\"run\":\"" ID "\",\"name\":\"a\",\"recipe\":\"model.initial: %.64s\\n\","
                   "\"initial\":\"%.64s\"}",
                   argument, argument);
    assert_int_equal(ask("run-submit", "", body), 0);
    assert_int_equal(told.run.model_bytes, 6);
    fl_blob *model = NULL;
    assert_int_equal(fl_checkpoints_load(checkpoints, &told.run.model, &model, &why), FL_OK);
    assert_memory_equal(fl_blob_data(model), "abcdef", 6);
    fl_blob_unref(&model);
}

static void
a_file_that_is_not_what_was_announced_or_too_large_is_not_kept(void **state)
{
    (void)state;
    assert_int_equal(ask("put", put_of("abcdef", 0, 6), "abcdeX"), FL_EXIT_DAMAGED);
    assert_says("not the one that was announced");
    assert_int_equal(ask("put", put_of("abcdef", 0, 6), ""), 0);
    assert_string_equal(text, "{\"next\":0}"); // all of it is gone
    assert_int_equal(ask("put", put_of("abcdef", 0, FL_VECTOR_BYTES_MAX + 1), ""), FL_EXIT_USAGE);
    assert_says("1 to 17179869184 bytes"); // what a model is read with
    assert_int_equal(ask("put", put_of("abcdef", 5, 6), "ab"), FL_EXIT_USAGE);
    assert_int_equal(ask("put", put_of("abcdef", 0, 0), ""), FL_EXIT_USAGE);
    assert_int_equal(ask("put", "abcd 0 6", "abc"), FL_EXIT_USAGE);
    assert_int_equal(ask("put", "", "abc"), FL_EXIT_USAGE);
}

//  One file per name, all of one piece of three.
static fl_status
put_begin(fl_run_files *files, unsigned which, fl_time now)
{
    uint64_t next;
    const fl_hash hash = { { (uint8_t)(which + 1) } };
    return fl_run_files_put(files, &hash, 0, 3, fl_bytes_of("a", 1), now, &next, &why);
}

static void
only_so_many_files_are_on_their_way_and_what_is_left_alone_goes(void **state)
{
    (void)state;
    fl_run_files *files = fl_run_files_new(checkpoints, ledger);
    const fl_hash first = { { 1 } };
    uint64_t next;
    for (unsigned i = 0; i < FL_RUN_FILES_MAX; i++) {
        assert_int_equal(put_begin(files, i, 1000), FL_OK);
    }
    assert_int_equal(put_begin(files, 99, 1000), FL_BUSY);
    assert_int_equal(put_begin(files, 0, 2000), FL_OK); // one of them goes on
    assert_int_equal(put_begin(files, 99, 1000 + FL_RUN_FILES_IDLE_MS), FL_OK);
    assert_int_equal(fl_run_files_put(files, &first, 0, 3, fl_bytes_of(NULL, 0),
                                      1000 + FL_RUN_FILES_IDLE_MS, &next, &why),
                     FL_OK);
    assert_int_equal(next, 1); // and is still here
    (void)snprintf(place + strlen(place), sizeof place - strlen(place), "/models");
    assert_int_equal(place_count_files(), 2);
    *strrchr(place, '/') = '\0';
    fl_run_files_destroy(&files);
}

static void
a_file_that_no_run_takes_goes_after_a_while(void **state)
{
    (void)state;
    fl_run_files *files = fl_run_files_new(checkpoints, ledger);
    const fl_hash free = fl_hash_of(fl_bytes_of("free", 4)),
                  held = fl_hash_of(fl_bytes_of("held", 4));
    const fl_ledger_run about = { .run = run, .name = "a", .model = held, .model_bytes = 4 };
    uint64_t next, number;
    assert_int_equal(fl_run_files_put(files, &free, 0, 4, fl_bytes_of("free", 4), 0, &next, &why),
                     FL_OK);
    assert_int_equal(fl_run_files_put(files, &held, 0, 4, fl_bytes_of("held", 4), 0, &next, &why),
                     FL_OK);
    assert_int_equal(fl_ledger_run_submit(ledger, &about, fl_bytes_of("", 0), &number, &why),
                     FL_OK);
    assert_int_equal(put_begin(files, 0, FL_RUN_FILES_IDLE_MS), FL_OK);
    assert_int_equal(fl_run_files_size(files, &free), 0);
    assert_int_equal(fl_run_files_size(files, &held), 4);
    fl_run_files_destroy(&files);
}

//  What is large is hashed in pieces, and stays the file that it grew in.
static void
a_whole_file_is_proved_in_pieces_and_not_copied(void **state)
{
    (void)state;
    static uint8_t bytes[150 * 1024];
    char path[PATH_MAX], growing[PATH_MAX + 16];
    struct stat before, after;
    uint64_t next;
    fl_run_files *files = fl_run_files_new(checkpoints, ledger);
    memset(bytes, 7, sizeof bytes);
    const fl_hash hash = fl_hash_of(fl_bytes_of(bytes, sizeof bytes));
    assert_int_equal(
        fl_run_files_put(files, &hash, 0, sizeof bytes, fl_bytes_of(bytes, 1000), 0, &next, &why),
        FL_OK);
    assert_true(fl_checkpoints_path(checkpoints, &hash, path, sizeof path));
    (void)snprintf(growing, sizeof growing, "%s.tmp-put", path);
    assert_int_equal(stat(growing, &before), 0);
    assert_int_equal(fl_run_files_put(files, &hash, 1000, sizeof bytes,
                                      fl_bytes_of(bytes + 1000, sizeof bytes - 1000), 0, &next,
                                      &why),
                     FL_OK);
    assert_int_equal(stat(path, &after), 0);
    assert_true(after.st_ino == before.st_ino && after.st_size == sizeof bytes);
    assert_int_not_equal(stat(growing, &before), 0);
    fl_run_files_destroy(&files);
}

static void
another_total_is_refused_and_spoils_nothing(void **state)
{
    (void)state;
    assert_int_equal(ask("put", put_of("abcdef", 0, 6), "abc"), 0);
    assert_int_equal(ask("put", put_of("abcdef", 0, 2), "ab"), FL_EXIT_USAGE);
    assert_says("a file of 2 bytes: 6 were announced for it before");
    assert_int_equal(ask("put", put_of("abcdef", 3, 6), "def"), 0);
    assert_string_equal(text, "{\"next\":6}");
}

static void
a_file_that_is_asked_for_again_is_here_for_as_long_again(void **state)
{
    (void)state;
    fl_run_files *files = fl_run_files_new(checkpoints, ledger);
    const fl_hash hash = fl_hash_of(fl_bytes_of("free", 4));
    const fl_time again = FL_RUN_FILES_IDLE_MS - 1;
    uint64_t next;
    assert_int_equal(fl_run_files_put(files, &hash, 0, 4, fl_bytes_of("free", 4), 0, &next, &why),
                     FL_OK);
    assert_int_equal(fl_run_files_put(files, &hash, 0, 4, fl_bytes_of(NULL, 0), again, &next, &why),
                     FL_OK);
    assert_int_equal(put_begin(files, 0, again + FL_RUN_FILES_IDLE_MS - 1), FL_OK);
    assert_int_equal(fl_run_files_size(files, &hash), 4);
    assert_int_equal(put_begin(files, 0, again + FL_RUN_FILES_IDLE_MS), FL_OK);
    assert_int_equal(fl_run_files_size(files, &hash), 0);
    fl_run_files_destroy(&files);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        unit_case(a_run_is_submitted_once_however_often_it_is_asked_for, start, end),
        unit_case(what_cannot_be_done_is_refused_and_leaves_nothing_behind, start, end),
        unit_case(a_run_is_paused_resumed_and_stopped_and_each_move_is_told_once, start, end),
        unit_case(a_run_that_stands_still_for_trouble_is_shown_as_paused, start, end),
        unit_case(a_pause_of_the_operator_takes_the_place_of_trouble, start, end),
        unit_case(a_setting_that_only_the_root_reads_is_changed_and_recorded, start, end),
        unit_case(a_setting_that_is_fixed_wrong_or_of_an_ended_run_is_not_changed, start, end),
        unit_case(of_many_changes_the_newest_are_shown, start, end),
        unit_case(runs_are_listed_from_a_number_on_and_watched_from_an_event_on, start, end),
        unit_case(a_file_is_put_in_pieces_and_a_run_begins_with_it, start, end),
        unit_case(a_file_that_is_not_what_was_announced_or_too_large_is_not_kept, start, end),
        unit_case(only_so_many_files_are_on_their_way_and_what_is_left_alone_goes, start, end),
        unit_case(a_file_that_no_run_takes_goes_after_a_while, start, end),
        unit_case(a_whole_file_is_proved_in_pieces_and_not_copied, start, end),
        unit_case(another_total_is_refused_and_spoils_nothing, start, end),
        unit_case(a_file_that_is_asked_for_again_is_here_for_as_long_again, start, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
