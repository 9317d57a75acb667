//  The reactor's own doors: posts, watches, the operator's lane, the process's limits.
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include "common/crypto/hash.h"
#include "common/machine/outbox.h"
#include "common/net/admin_socket.h"
#include "common/net/request.h"
#include "common/net/worker_pool.h"
#include "tests/support/toy.h"

static char directory[] = "/tmp/fl-net-XXXXXX";
static char endpoint[128];

static int
s_setup(void **state)
{
    if (toy_setup(state) != 0 || mkdtemp(directory) == NULL) {
        return -1;
    }
    snprintf(endpoint, sizeof endpoint, "ipc://%s/operator.sock", directory);
    return 0;
}

static int
s_teardown(void **state)
{
    char path[128];
    snprintf(path, sizeof path, "%s/operator.sock", directory);
    (void)unlink(path);
    (void)rmdir(directory);
    return toy_teardown(state);
}

// ---- a machine that counts --------------------------------------------------------------------
typedef struct counter {
    fl_reactor *reactor;
    fl_metrics metrics;
    unsigned kinds[FL_EV_COUNT];
    unsigned undated;        // events without the wall clock
    uint32_t slots[64];
    unsigned slot_count;
    fl_time due;
    unsigned ticks_left;     // each tick sets `due` anew while some are left
    unsigned asks;
    uint32_t tickets[FL_TICKETS_MAX + 1];
    fl_ask ask;
    fl_hash handed; // of what came with it
    bool answers;
} counter;

static void
s_step(void *arg, const fl_event *event, fl_time now, fl_outbox *out)
{
    counter *self = arg;
    self->kinds[event->kind]++;
    self->undated += event->wall_s < 1600000000 ? 1 : 0;
    if (event->kind == FL_EV_FOLDED) {
        self->slots[self->slot_count++ % 64] = (uint32_t)event->token;
        fl_outbox_note(out, (fl_note){ .id = FL_NOTE_COUNTED });
    }
    if (event->kind == FL_EV_TICK) {
        self->due = --self->ticks_left > 0 ? now + 5 : FL_NEVER;
    }
}

static fl_time
s_deadline(const void *arg)
{
    return ((const counter *)arg)->due;
}

static void
s_obey(void *arg, const fl_effect *effect, fl_bytes body)
{
    (void)arg;
    assert_int_equal(effect->kind, FL_FX_NOTE);
    assert_int_equal(body.size, 0);
}

static void
s_ask(void *arg, uint32_t ticket, const fl_ask *ask)
{
    counter *self = arg;
    self->tickets[self->asks++] = ticket;
    self->ask = *ask;
    self->handed = fl_hash_of(ask->body);
    if (self->answers) {
        fl_blob *json = fl_blob_copy(fl_bytes_of("{\"ok\":true}", 11));
        fl_reactor_answer(self->reactor, ticket, 3, &json);
    }
}

static counter *
s_counter(const char *operator_endpoint)
{
    static const fl_admission_ops nobody = { .self = NULL };
    fl_why why = { .text = "" };
    counter *self = calloc(1, sizeof *self);
    assert_non_null(self);
    self->due = FL_NEVER;
    const fl_reactor_conf conf = {
        .machine = { self, s_step, s_deadline },
        .host = { .self = self, .obey = s_obey, .ask = s_ask },
        .ops = &nobody,
        .metrics = &self->metrics,
        .operator_endpoint = operator_endpoint,
        .effects_max = 4,
        .posts_max = 8,
    };
    self->reactor = fl_reactor_new(&conf, &why);
    if (self->reactor == NULL) {
        fail_msg("%s", why.text);
    }
    return self;
}

static void
s_counter_destroy(counter **self_p)
{
    fl_reactor_destroy(&(*self_p)->reactor);
    free(*self_p);
    *self_p = NULL;
}

// ---- posts ------------------------------------------------------------------------------------
static fl_event
s_folded(uint32_t slot)
{
    return (fl_event){ .kind = FL_EV_FOLDED, .token = slot };
}

static void
posts_are_stepped_in_order_and_bounded(void **state)
{
    (void)state;
    counter *self = s_counter(NULL);
    for (uint32_t i = 0; i < 8; i++) {
        assert_int_equal(
            fl_reactor_post(self->reactor, &(fl_event){ .kind = FL_EV_FOLDED, .token = i }), FL_OK);
    }
    const fl_event ninth = s_folded(9);
    assert_int_equal(fl_reactor_post(self->reactor, &ninth), FL_FULL);
    fl_reactor_turn(self->reactor, 0);
    assert_int_equal(self->kinds[FL_EV_FOLDED], 8);
    for (uint32_t i = 0; i < 8; i++) {
        assert_int_equal(self->slots[i], i);
    }
    assert_int_equal(fl_reactor_post(self->reactor, &ninth), FL_OK);
    fl_reactor_turn(self->reactor, 60000); // does not wait: a post is there
    assert_int_equal(self->kinds[FL_EV_FOLDED], 9);
    assert_int_equal(self->undated, 0);
    s_counter_destroy(&self);
}

enum { POSTS = 2000 };

static void *
s_post_many(void *arg)
{
    counter *self = arg;
    for (uint32_t i = 0; i < POSTS; i++) {
        const fl_event event = s_folded(i);
        while (fl_reactor_post(self->reactor, &event) == FL_FULL) {
            (void)poll(NULL, 0, 1);
        }
    }
    return NULL;
}

static void
posts_of_other_threads_wake_the_loop(void **state)
{
    (void)state;
    counter *self = s_counter(NULL);
    pthread_t threads[2];
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, s_post_many, self), 0);
    }
    while (self->kinds[FL_EV_FOLDED] < 2 * POSTS) {
        fl_reactor_turn(self->reactor, TOY_WAIT_MS);
    }
    for (unsigned i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
    }
    assert_int_equal(self->kinds[FL_EV_FOLDED], 2 * POSTS);
    s_counter_destroy(&self);
}

// ---- time -------------------------------------------------------------------------------------
static void
a_machine_is_stepped_at_its_deadline(void **state)
{
    (void)state;
    counter *self = s_counter(NULL);
    const fl_time from = toy_now();
    self->ticks_left = 4;
    self->due = from + 10;
    while (self->due != FL_NEVER) {
        fl_reactor_turn(self->reactor, 1000);
        assert_true(toy_now() - from < TOY_WAIT_MS);
    }
    assert_int_equal(self->kinds[FL_EV_TICK], 4);
    assert_int_equal(self->undated, 0);
    assert_true(fl_reactor_now(self->reactor) - from >= 25);
    assert_true(self->metrics.net_turns_total <= 12); // it waited, it did not spin
    s_counter_destroy(&self);
}

static void
a_deadline_that_never_moves_does_not_spin(void **state)
{
    (void)state;
    counter *self = s_counter(NULL);
    const fl_time from = toy_now();
    for (unsigned i = 0; i < 30; i++) {
        self->ticks_left = 2;
        self->due = 1;
        fl_reactor_turn(self->reactor, 1000);
        self->due = 1;
    }
    assert_true(toy_now() - from >= 29);
    s_counter_destroy(&self);
}

// ---- watches and the workers
// ---------------------------------------------------------------------
typedef struct errand {
    counter *self;
    fl_workers *workers;
    uint32_t number;
} errand;

static void
s_run_errand(void *arg)
{
    ((errand *)arg)->number++;
}

static void
s_end_errand(void *arg, bool ran)
{
    errand *done = arg;
    const fl_event event = s_folded(done->number);
    assert_true(ran);
    assert_int_equal(fl_reactor_post(done->self->reactor, &event), FL_OK);
}

static void
s_collect(void *arg)
{
    fl_workers_collect(arg);
}

static void
what_the_crew_finishes_comes_back_as_an_event(void **state)
{
    (void)state;
    counter *self = s_counter(NULL);
    fl_workers *workers = fl_workers_new(2, 8, NULL);
    fl_reactor_watch(self->reactor, fl_workers_fd(workers), s_collect, workers);
    errand errands[4];
    for (uint32_t i = 0; i < 4; i++) {
        errands[i] = (errand){ .self = self, .workers = workers, .number = i };
        assert_int_equal(
            fl_workers_add(workers, &(fl_job){ 1, s_run_errand, s_end_errand, &errands[i] }),
            FL_OK);
    }
    while (self->kinds[FL_EV_FOLDED] < 4) {
        fl_reactor_turn(self->reactor, TOY_WAIT_MS);
    }
    for (uint32_t i = 0; i < 4; i++) {
        assert_int_equal(self->slots[i], i + 1);
    }
    assert_int_equal(fl_workers_stop(workers, FL_WORKERS_DRAIN, TOY_WAIT_MS), FL_OK);
    fl_workers_destroy(&workers);
    s_counter_destroy(&self);
}

// ---- the operator -----------------------------------------------------------------------------
typedef struct talk {
    fl_status status;
    uint8_t code;
    fl_bytes said;
    char json[32];
    atomic_bool done;
} talk;

static fl_message
s_question(const char *verb)
{
    fl_message question = { .verb = FL_ASK };
    snprintf(question.ask.verb, sizeof question.ask.verb, "%s", verb);
    return question;
}

static void *
s_talk(void *arg)
{
    talk *self = arg;
    fl_why why = { .text = "" };
    fl_message reply;
    fl_bytes body;
    const fl_request_conf conf = { .endpoint = endpoint };
    fl_message question = s_question("status");
    question.ask.body = self->said;
    fl_request *inquiry = fl_request_new(&conf, &why);
    self->status = fl_request_ask(inquiry, &question, FL_ANSWER, TOY_WAIT_MS, &reply, &body, &why);
    if (self->status == FL_OK) {
        self->code = reply.answer.code;
        snprintf(self->json, sizeof self->json, "%.*s", (int)body.size, (const char *)body.data);
    }
    fl_request_destroy(&inquiry);
    atomic_store(&self->done, true);
    return NULL;
}

static void
an_operator_asks_and_is_answered(void **state)
{
    (void)state;
    counter *self = s_counter(endpoint);
    static uint8_t file[100000] = { 1, 2 };
    talk asked = { .status = FL_MISSING, .said = fl_bytes_of(file, sizeof file) };
    const fl_hash handed = fl_hash_of(asked.said);
    pthread_t thread;
    self->answers = true;
    assert_int_equal(pthread_create(&thread, NULL, s_talk, &asked), 0);
    while (!atomic_load(&asked.done)) {
        fl_reactor_turn(self->reactor, 10);
    }
    pthread_join(thread, NULL);
    assert_int_equal(asked.status, FL_OK);
    assert_int_equal(asked.code, 3);
    assert_string_equal(asked.json, "{\"ok\":true}");
    assert_string_equal(self->ask.verb, "status");
    assert_true(fl_hash_equal(&self->handed, &handed));
    assert_int_equal(self->metrics.net_messages_in_total[FL_WAY_OPERATOR], 1);
    assert_int_equal(self->metrics.net_messages_out_total[FL_WAY_OPERATOR], 1);
    fl_blob *late = fl_blob_new(1);
    fl_reactor_answer(self->reactor, self->tickets[0], 0, &late); // answered already
    assert_null(late);
    assert_int_equal(self->metrics.net_messages_out_total[FL_WAY_OPERATOR], 1);
    s_counter_destroy(&self);
}

//  A dealer on the operator's socket, for more questions than one.
static fl_socket *
s_asker(void)
{
    const fl_socket_conf conf = { .kind = FL_SOCKET_DEALER,
                                  .queue = 1000,
                                  .frame_bytes_max = FL_MESSAGE_BYTES_MAX };
    fl_socket *link = fl_socket_new(&conf, NULL);
    assert_int_equal(fl_socket_connect(link, endpoint, NULL), FL_OK);
    return link;
}

static void
s_send(fl_socket *link, const fl_message *message)
{
    fl_blob *header = fl_encode(message, 0);
    assert_int_equal(fl_socket_send(link, fl_bytes_of(NULL, 0), &header, NULL), FL_SENT);
}

static void
answers_may_come_later_and_open_questions_are_bounded(void **state)
{
    (void)state;
    counter *self = s_counter(endpoint);
    fl_socket *link = s_asker();
    const fl_message question = s_question("report");
    const fl_message beat = { .verb = FL_BEAT };
    s_send(link, &beat); // no question
    for (unsigned i = 0; i <= FL_TICKETS_MAX; i++) {
        s_send(link, &question);
    }
    fl_parcel parcel = { .descriptor = -1 };
    const fl_time from = toy_now();
    while (!fl_socket_receive(link, &parcel)) { // the one too many is answered first
        fl_reactor_turn(self->reactor, 5);
        assert_true(toy_now() - from < TOY_WAIT_MS);
    }
    fl_message answer;
    assert_int_equal(fl_decode(parcel.header, parcel.body.size, &answer).code, FL_CODEC_OK);
    assert_int_equal(answer.answer.code, FL_ANSWER_BUSY);
    assert_int_equal(self->asks, FL_TICKETS_MAX);
    assert_int_equal(self->metrics.net_dropped_total[FL_DROP_MALFORMED], 1);
    fl_blob *json = fl_blob_copy(fl_bytes_of("[]", 2));
    fl_reactor_answer(self->reactor, self->tickets[5], 0, &json);
    while (!fl_socket_receive(link, &parcel)) {
        fl_reactor_turn(self->reactor, 5);
        assert_true(toy_now() - from < TOY_WAIT_MS);
    }
    assert_int_equal(fl_decode(parcel.header, parcel.body.size, &answer).code, FL_CODEC_OK);
    assert_int_equal(answer.answer.code, 0);
    assert_memory_equal(parcel.body.data, "[]", 2);
    json = fl_blob_new(FL_JSON_BYTES_MAX + 1);
    fl_reactor_answer(self->reactor, self->tickets[6], 0, &json);
    while (!fl_socket_receive(link, &parcel)) {
        fl_reactor_turn(self->reactor, 5);
        assert_true(toy_now() - from < TOY_WAIT_MS);
    }
    assert_int_equal(fl_decode(parcel.header, parcel.body.size, &answer).code, FL_CODEC_OK);
    assert_int_equal(answer.answer.code, FL_ANSWER_LARGE);
    assert_memory_equal(parcel.body.data, "{}", 2);
    fl_parcel_release(&parcel);
    fl_socket_destroy(&link);
    s_counter_destroy(&self);
}

static void
a_question_to_nobody_ends_with_one_clear_line(void **state)
{
    (void)state;
    fl_why why = { .text = "" };
    fl_message reply;
    fl_bytes body;
    const fl_message question = s_question("status");
    fl_request *inquiry =
        fl_request_new(&(fl_request_conf){ .endpoint = "ipc:///tmp/fl-nobody.sock" }, &why);
    assert_int_equal(fl_request_ask(inquiry, &question, FL_ANSWER, 20, &reply, &body, &why),
                     FL_MISSING);
    assert_non_null(strstr(why.text, "fl-nobody"));
    fl_request_destroy(&inquiry);
    assert_null(fl_request_new(&(fl_request_conf){ .endpoint = "nonsense" }, &why));
    assert_non_null(strstr(why.text, "nonsense"));
}

static void
an_operator_socket_that_cannot_be_made_is_told_in_one_line(void **state)
{
    (void)state;
    static const fl_admission_ops nobody = { .self = NULL };
    fl_metrics metrics = { .net_turns_total = 0 };
    fl_why why = { .text = "" };
    const fl_reactor_conf conf = { .machine = { NULL, s_step, s_deadline }, .ops = &nobody,
                                   .metrics = &metrics, .effects_max = 1, .posts_max = 1,
                                   .operator_endpoint = "ipc:///nonexistent/dir/operator.sock" };
    assert_null(fl_reactor_new(&conf, &why));
    assert_non_null(strstr(why.text, "/nonexistent/dir/operator.sock"));
}

// ---- the process ------------------------------------------------------------------------------
static void
descriptors_are_raised_or_refused(void **state)
{
    (void)state;
    struct rlimit before, after;
    fl_why why = { .text = "" };
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    uint64_t got = 0;
    assert_int_equal(fl_raise_nofile(UINT64_MAX - 1, 0, &got, &why), FL_RANGE);
    assert_non_null(strstr(why.text, "seats"));
    struct rlimit low = { .rlim_cur = 256, .rlim_max = before.rlim_max };
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    assert_int_equal(fl_raise_nofile(500, 12, &got, &why), FL_OK);
    assert_int_equal(got, 12);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &after), 0);
    assert_int_equal(after.rlim_cur, 512);
    assert_int_equal(fl_raise_nofile(100, 12, &got, &why), FL_OK); // never lowers
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &after), 0);
    assert_int_equal(after.rlim_cur, 512);
    assert_int_equal(fl_raise_nofile(before.rlim_max - 5, 12, &got, &why), FL_OK);
    assert_int_equal(got, 5); // of what is wanted, what there is
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
}

static void
signals_stay_the_callers(void **state)
{
    (void)state;
    struct sigaction action;
    assert_int_equal(sigaction(SIGINT, NULL, &action), 0);
    assert_ptr_equal(action.sa_handler, SIG_DFL);
    assert_int_equal(sigaction(SIGTERM, NULL, &action), 0);
    assert_ptr_equal(action.sa_handler, SIG_DFL);
    fl_why why = { .text = "" };
    assert_int_equal(fl_net_open(0, &why), FL_RANGE);
}

static void
each_label_has_as_many_words_as_its_enum(void **state)
{
    (void)state;
    static const unsigned words[] = { [FL_LABEL_none] = 1,
                                      [FL_LABEL_lane] = FL_WAYS,
                                      [FL_LABEL_drop] = FL_DROPS,
                                      [FL_LABEL_code] = FL_CODEC_COUNT,
                                      [FL_LABEL_reason] = FL_WHY_COUNT };
    for (unsigned label = 0; label < sizeof words / sizeof *words; label++) {
        for (unsigned i = 0; i < words[label]; i++) {
            assert_non_null(fl_label_word((fl_label)label, i));
        }
        assert_null(fl_label_word((fl_label)label, words[label]));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(posts_are_stepped_in_order_and_bounded),
        cmocka_unit_test(posts_of_other_threads_wake_the_loop),
        cmocka_unit_test(a_machine_is_stepped_at_its_deadline),
        cmocka_unit_test(a_deadline_that_never_moves_does_not_spin),
        cmocka_unit_test(what_the_crew_finishes_comes_back_as_an_event),
        cmocka_unit_test(an_operator_asks_and_is_answered),
        cmocka_unit_test(answers_may_come_later_and_open_questions_are_bounded),
        cmocka_unit_test(a_question_to_nobody_ends_with_one_clear_line),
        cmocka_unit_test(an_operator_socket_that_cannot_be_made_is_told_in_one_line),
        cmocka_unit_test(descriptors_are_raised_or_refused),
        cmocka_unit_test(signals_stay_the_callers),
        cmocka_unit_test(each_label_has_as_many_words_as_its_enum),
    };
    return cmocka_run_group_tests(tests, s_setup, s_teardown);
}
