#include "common/admin/queries.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "common/admin/run_json.h"
#include "common/config/clock.h"

//  Exit codes of `fl`: its manual page says what each means.
enum { FAILED = 1, UNUSABLE = 2, MISSING = 13 };

struct fl_queries {
    fl_queries_conf conf;
};

fl_queries *
fl_queries_new(const fl_queries_conf *conf)
{
    fl_queries *self = calloc(1, sizeof *self);
    if (self != NULL) {
        self->conf = *conf;
    }
    return self;
}

void
fl_queries_destroy(fl_queries **self_p)
{
    free(*self_p);
    *self_p = NULL;
}

void
fl_queries_say(fl_queries *self, uint32_t ticket, uint8_t code, const char *text)
{
    fl_blob *json = code == 0 ? fl_said_json(text) : fl_error_json(text);
    fl_node_answer(self->conf.node, ticket, code, &json);
}

static void
s_work(void *arg)
{
    fl_question *question = arg;
    question->work(question);
}

static void
s_done(void *arg, bool ran)
{
    fl_question *question = arg;
    if (ran && question->then != NULL) {
        question->then(question);
    }
    if (ran) {
        fl_node_answer(question->queries->conf.node, question->ticket, question->code,
                       &question->json);
    }
    fl_blob_unref(&question->json);
    fl_blob_unref(&question->made);
    free(question);
}

void
fl_queries_put(fl_queries *self, const fl_question *question)
{
    fl_question *kept = malloc(sizeof *kept);
    const fl_job job = { .strand = FL_STRAND_STORE, .work = s_work, .done = s_done, .arg = kept };
    if (kept != NULL) {
        *kept = *question;
        kept->queries = self;
    }
    if (kept == NULL || fl_workers_add(fl_node_workers(self->conf.node), &job) != FL_OK) {
        fl_blob *made = question->made;
        fl_blob_unref(&made);
        fl_queries_say(self, question->ticket, FAILED, "too busy, or stopping: ask again");
        free(kept);
    }
}

static fl_status_input
s_input(fl_queries *self)
{
    fl_node *node = self->conf.node;
    fl_status_input input = { .version = FL_VERSION,
                              .now = fl_clock_ms(),
                              .wall_s = fl_clock_wall_s(),
                              .certificate = fl_node_certificate(node),
                              .metrics = fl_node_metrics(node) };
    input.uptime_ms = (uint64_t)(input.now - fl_node_since(node));
    self->conf.fill(self->conf.self, &input);
    return input;
}

static void
s_status(fl_queries *self, uint32_t ticket)
{
    fl_status_input input = s_input(self);
    fl_blob *json = fl_status_json(&input);
    fl_node_answer(self->conf.node, ticket, 0, &json);
}

static void
s_fail(fl_question *question, fl_status status, const char *text)
{
    question->code = status == FL_MISSING ? MISSING : FAILED;
    question->json = fl_error_json(text);
}

static void
s_report(fl_question *question)
{
    fl_why why;
    fl_ledger_round *round = NULL;
    fl_status status = fl_ledger_round_get(question->queries->conf.ledger, &question->run,
                                           question->number, &round, &why);
    if (status != FL_OK) {
        s_fail(question, status, why.text);
    } else if (!round->closed) {
        s_fail(question, FL_MISSING, "that round is not closed yet");
    } else {
        question->json =
            fl_report_json(&round->report, round->model_bytes, round->opened_at, round->closed_at);
    }
    fl_ledger_round_destroy(&round);
}

static void
s_rounds(fl_question *question)
{
    fl_why why;
    uint32_t count = 0;
    uint32_t most = FL_ROUNDS_JSON_MAX;
    most = question->limit > 0 && question->limit < most ? (uint32_t)question->limit : most;
    fl_ledger_round *rounds = calloc(most, sizeof *rounds);
    if (rounds == NULL) {
        s_fail(question, FL_NOMEM, "out of memory");
    } else if (fl_ledger_rounds(question->queries->conf.ledger, &question->run, question->number,
                                question->before, rounds, most, &count, &why) != FL_OK) {
        s_fail(question, FL_IO, why.text);
    } else {
        question->json = fl_rounds_json(rounds, count);
    }
    free(rounds);
}

static void
s_export(fl_question *question)
{
    fl_why why = { "" };
    fl_ledger *ledger = question->queries->conf.ledger;
    fl_ledger_round *round = NULL;
    char path[FL_STATE_PATH_MAX], whole[PATH_MAX];
    if (question->best && fl_ledger_model_newest(ledger, &question->run, FL_MODEL_BEST,
                                                 &question->number, &why) != FL_OK) {
        s_fail(question, FL_MISSING,
               "no model of that run was scored: see the setting test.inputs");
        return;
    }
    fl_status status = fl_ledger_round_get(ledger, &question->run, question->number, &round, &why);
    if (status != FL_OK) {
        s_fail(question, status, why.text);
    } else if (!fl_checkpoints_path(question->queries->conf.checkpoints, &round->report.model, path,
                                    sizeof path)) {
        s_fail(question, FL_RANGE, "the path of the model is too long");
    } else if (realpath(path, whole) == NULL) { // who asks may stand in another directory
        s_fail(question, FL_MISSING,
               "the model of that round is not kept any more; see the "
               "settings keep and checkpoints");
    } else {
        question->json =
            fl_export_json(whole, &round->report.model, round->report.round, round->model_bytes);
    }
    fl_ledger_round_destroy(&round);
}

//  Of a run that is named: what the ledger has of it ...
static void
s_status_stored(fl_question *question)
{
    fl_ledger_run run;
    fl_why why;
    fl_status status =
        fl_ledger_run_find(question->queries->conf.ledger, question->which, &run, &why);
    if (status != FL_OK) {
        s_fail(question, status, why.text);
        return;
    }
    question->run = run.run;
    question->json = fl_run_json(&run, NULL);
}

//  ... unless it is the one in hand.
static void
s_status_in_hand(fl_question *question)
{
    fl_status_input input = s_input(question->queries);
    if (question->code == 0 && fl_run_equal(&question->run, &input.run)) {
        fl_blob_unref(&question->json);
        question->json = fl_status_json(&input);
    }
}

//  The run that is asked for: the one in hand unless another is named, else the newest.
static void
s_of_run(fl_question *question)
{
    static const fl_run none = { { 0 } };
    fl_ledger_run run = { .run = question->run };
    fl_status status = FL_OK;
    fl_why why;
    if (question->which[0] != '\0' || fl_run_equal(&question->run, &none)) {
        status = fl_ledger_run_find(question->queries->conf.ledger, question->which, &run, &why);
    }
    if (status != FL_OK) {
        s_fail(question, status, why.text);
        return;
    }
    question->run = run.run;
    question->of_run(question);
}

//  "[run:NAME]", and up to `most` whole numbers, with one space between them; of models also
//  "best".
static bool
s_argument(const char *text, uint32_t most, bool models, fl_question *question)
{
    static const char mark[] = "run:";
    uint64_t *const into[] = { &question->number, &question->before, &question->limit };
    if (strncmp(text, mark, sizeof mark - 1) == 0) {
        text += sizeof mark - 1;
        size_t length = strcspn(text, " ");
        if (length == 0 || length >= sizeof question->which) {
            return false;
        }
        memcpy(question->which, text, length);
        text += length + (text[length] == ' ');
    }
    question->best = models && strcmp(text, "best") == 0;
    if (question->best) {
        return true;
    }
    for (uint32_t i = 0; i < most && *text >= '0' && *text <= '9'; i++) {
        char *end = NULL;
        *into[i] = strtoull(text, &end, 10);
        text = end;
        if (*text == ' ' && i + 1 < most) {
            text++;
        }
    }
    return *text == '\0';
}

bool
fl_queries_ask(fl_queries *self, uint32_t ticket, const fl_ask *ask)
{
    static const struct {
        const char *verb;
        void (*work)(fl_question *question);
        bool models;
        uint32_t numbers; // of its argument, at most
    } questions[] = { { "status", NULL, false, 0 },
                      { "report", s_report, false, 1 },
                      { "rounds", s_rounds, false, 3 },
                      { "export", s_export, true, 1 } };
    const bool status = strcmp(ask->verb, "status") == 0;
    if (status && (ask->argument[0] == '\0' || self->conf.ledger == NULL)) {
        s_status(self, ticket);
        return true;
    }
    for (size_t i = 0; i < sizeof questions / sizeof questions[0]; i++) {
        if (strcmp(ask->verb, questions[i].verb) != 0) {
            continue;
        }
        bool kept =
            questions[i].models ? self->conf.checkpoints != NULL : self->conf.ledger != NULL;
        fl_question question = { .ticket = ticket,
                                 .work = status ? s_status_stored : s_of_run,
                                 .then = status ? s_status_in_hand : NULL,
                                 .of_run = questions[i].work };
        if (!kept) {
            return false;
        }
        if (!s_argument(ask->argument, questions[i].numbers, questions[i].models, &question)) {
            fl_queries_say(
                self, ticket, UNUSABLE,
                "the argument must be a round, a whole number, behind run:NAME or alone");
            return true;
        }
        question.run = s_input(self).run;
        fl_queries_put(self, &question);
        return true;
    }
    return false;
}
