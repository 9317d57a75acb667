//  What ledger keeps of runs: the queue, their states, and where each goes on.
#include "common/store/ledger_inside.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

//  The columns of a run, in the order that s_take_run takes them.
#define RUN_COLUMNS                                                                                \
    "number, run, name, state, reason, why, priority, submitted_at, begun_at, ended_at, "          \
    "elements, model, model_bytes, coalesce((SELECT round FROM round WHERE round.run=run.run "     \
    "AND closed_at IS NOT NULL ORDER BY round DESC LIMIT 1), 0), "                                 \
    "coalesce((SELECT CASE WHEN closed_at IS NULL THEN seq ELSE 0 END FROM round "                 \
    "WHERE round.run=run.run ORDER BY round DESC, attempt DESC LIMIT 1), 0), pruned, pruned_to"

const char *
fl_run_state_name(fl_run_state state)
{
    static const char *const names[FL_RUN_STATES] = {
        [FL_RUN_QUEUED] = "queued", [FL_RUN_RUNNING] = "running", [FL_RUN_PAUSED] = "paused",
        [FL_RUN_DONE] = "done",     [FL_RUN_STOPPED] = "stopped", [FL_RUN_ABORTED] = "aborted",
    };
    FL_ASSERT(state >= FL_RUN_QUEUED && state < FL_RUN_STATES);
    return names[state];
}

bool
fl_run_name_valid(const char *name)
{
    size_t size = strlen(name);
    return size > 0 && size < FL_RUN_NAME_BYTES &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789.-") == size &&
           strspn(name, "0123456789") < size;
}

static void
s_take_run(fl_query *query, fl_ledger_run *run)
{
    *run = (fl_ledger_run){ .number = fl_query_take_u64(query) };
    (void)fl_query_take_blob(query, run->run.bytes, sizeof run->run.bytes);
    fl_ledger_take_text(query, run->name, sizeof run->name);
    run->state = (fl_run_state)fl_query_take_u64(query);
    run->reason = (fl_reason)fl_query_take_u64(query);
    fl_ledger_take_text(query, run->text, sizeof run->text);
    run->priority = (int32_t)fl_query_take_u64(query);
    run->submitted_at = fl_query_take_u64(query);
    run->begun_at = fl_query_take_u64(query);
    run->ended_at = fl_query_take_u64(query);
    run->elements = fl_query_take_u64(query);
    (void)fl_query_take_blob(query, run->model.bytes, sizeof run->model.bytes);
    run->model_bytes = fl_query_take_u64(query);
    run->rounds_closed = fl_query_take_u64(query);
    run->open = fl_query_take_u64(query);
    run->pruned = fl_query_take_u64(query);
    run->pruned_to = fl_query_take_u64(query);
}

//  The one row of a query that was bound. FL_MISSING: none.
static fl_status
s_one(fl_query *query, const char *which, fl_ledger_run *run, fl_why *why)
{
    bool found = fl_query_next(query);
    if (found) {
        s_take_run(query, run);
    }
    FL_TRY(fl_query_end(query, why));
    if (!found) {
        return which[0] == '\0' ? fl_fail(FL_MISSING, why, "no run was submitted yet")
                                : fl_fail(FL_MISSING, why, "there is no run %.40s", which);
    }
    return FL_OK;
}

static fl_status
s_by_id(fl_ledger *self, const fl_run *id, fl_ledger_run *run, fl_why *why)
{
    char hex[2 * sizeof *id + 1];
    fl_query query = fl_query_of(self->sql, "SELECT " RUN_COLUMNS " FROM run WHERE run=?");
    fl_query_blob(&query, id->bytes, sizeof id->bytes);
    fl_hex(id->bytes, sizeof id->bytes, hex);
    return s_one(&query, hex, run, why);
}

fl_status
fl_ledger_run_find(fl_ledger *self, const char *which, fl_ledger_run *run, fl_why *why)
{
    fl_run id;
    if (fl_unhex(which, id.bytes, sizeof id.bytes)) {
        return s_by_id(self, &id, run, why);
    }
    const char *text = "SELECT " RUN_COLUMNS " FROM run WHERE name=? ORDER BY number DESC LIMIT 1";
    bool number = strspn(which, "0123456789") == strlen(which);
    if (which[0] == '\0') {
        text = "SELECT " RUN_COLUMNS " FROM run ORDER BY number DESC LIMIT 1";
    } else if (number) {
        text = "SELECT " RUN_COLUMNS " FROM run WHERE number=?";
    }
    fl_query query = fl_query_of(self->sql, text);
    if (which[0] != '\0' && number) {
        fl_query_u64(&query, strtoull(which, NULL, 10));
    } else if (which[0] != '\0') {
        fl_query_text(&query, fl_bytes_of(which, strlen(which)));
    }
    return s_one(&query, which, run, why);
}

fl_status
fl_ledger_runs(fl_ledger *self, uint64_t first, fl_ledger_run *runs, uint32_t capacity,
               uint32_t *count, fl_why *why)
{
    fl_query query = fl_query_of(self->sql, "SELECT " RUN_COLUMNS
                                            " FROM run WHERE number>=? ORDER BY number LIMIT ?");
    fl_query_u64(&query, first);
    fl_query_u64(&query, capacity);
    for (*count = 0; *count < capacity && fl_query_next(&query);) {
        s_take_run(&query, &runs[(*count)++]);
    }
    return fl_query_end(&query, why);
}

fl_status
fl_ledger_run_recipe(fl_ledger *self, const fl_run *run, fl_blob **recipe, fl_why *why)
{
    fl_query query = fl_query_of(self->sql, "SELECT recipe FROM run WHERE run=?");
    fl_query_blob(&query, run->bytes, sizeof run->bytes);
    bool found = fl_query_next(&query);
    *recipe = found ? fl_query_take_copy(&query) : NULL;
    FL_TRY(fl_query_end(&query, why));
    return found ? FL_OK : fl_fail(FL_MISSING, why, "there is no such run");
}

fl_status
fl_ledger_run_prefer(fl_ledger *self, const fl_run *run, int32_t priority, fl_why *why)
{
    fl_query query = fl_query_of(self->sql, "UPDATE run SET priority=? WHERE run=?");
    fl_query_u64(&query, (uint64_t)priority);
    fl_query_blob(&query, run->bytes, sizeof run->bytes);
    return fl_query_run(&query, why);
}

// ---- submit -----------------------------------------------------------------------------------
//  A run of that name which has not ended.
static fl_status
s_name_free(fl_ledger *self, const char *name, fl_why *why)
{
    fl_query query = fl_query_of(self->sql, "SELECT number FROM run WHERE name=? AND state<?");
    fl_query_text(&query, fl_bytes_of(name, strlen(name)));
    fl_query_u64(&query, FL_RUN_DONE);
    bool found = fl_query_next(&query);
    uint64_t number = found ? fl_query_take_u64(&query) : 0;
    FL_TRY(fl_query_end(&query, why));
    return !found ? FL_OK
                  : fl_fail(FL_EXISTS, why,
                            "run %llu is called %s and has not ended: choose another name",
                            (unsigned long long)number, name);
}

static fl_status
s_insert(fl_ledger *self, const fl_ledger_run *run, fl_bytes recipe, fl_why *why)
{
    fl_query query = fl_query_of(
        self->sql, "INSERT INTO run(number, run, name, state, reason, why, priority, submitted_at, "
                   "begun_at, ended_at, elements, model, model_bytes, recipe) "
                   "VALUES(?,?,?,?,0,'',?,?,0,0,0,?,?,?)");
    fl_query_u64(&query, run->number);
    fl_query_blob(&query, run->run.bytes, sizeof run->run.bytes);
    fl_query_text(&query, fl_bytes_of(run->name, strlen(run->name)));
    fl_query_u64(&query, FL_RUN_QUEUED);
    fl_query_u64(&query, (uint64_t)run->priority);
    fl_query_u64(&query, fl_ledger_clock());
    fl_query_blob(&query, run->model.bytes, sizeof run->model.bytes);
    fl_query_u64(&query, run->model_bytes);
    fl_query_text(&query, recipe);
    return fl_query_run(&query, why);
}

//  What a run begins with is held from the moment that it is known.
static fl_status
s_hold_initial(fl_ledger *self, const fl_run *run, const fl_hash *hash, uint64_t bytes, fl_why *why)
{
    const fl_ledger_model model = { *run, FL_MODEL_INITIAL, 0, *hash, bytes };
    return bytes > 0 ? fl_ledger_model_put(self, &model, why) : FL_OK;
}

static fl_status
s_submit(fl_ledger *self, const fl_ledger_run *asked, fl_bytes recipe, uint64_t *number,
         fl_why *why)
{
    fl_ledger_run run, newest;
    fl_status status = s_by_id(self, &asked->run, &run, why);
    if (status == FL_OK) {
        *number = run.number;
        return fl_fail(FL_EXISTS, why, "this is run %llu already", (unsigned long long)run.number);
    }
    FL_TRY(status == FL_MISSING ? FL_OK : status);
    status = fl_ledger_run_find(self, "", &newest, why);
    FL_TRY(status == FL_MISSING ? FL_OK : status);
    run = *asked;
    run.number = status == FL_OK ? newest.number + 1 : 1;
    if (run.name[0] == '\0') {
        (void)snprintf(run.name, sizeof run.name, "run-%llu", (unsigned long long)run.number);
    }
    FL_TRY(s_name_free(self, run.name, why));
    FL_TRY(s_insert(self, &run, recipe, why));
    FL_TRY(s_hold_initial(self, &run.run, &run.model, run.model_bytes, why));
    FL_TRY(fl_ledger_state_event(self, &run.run, FL_RUN_QUEUED, FL_WHY_NONE, "", why));
    *number = run.number;
    return FL_OK;
}

fl_status
fl_ledger_run_submit(fl_ledger *self, const fl_ledger_run *run, fl_bytes recipe, uint64_t *number,
                     fl_why *why)
{
    *number = 0;
    if (run->name[0] != '\0' && !fl_run_name_valid(run->name)) {
        return fl_fail(FL_RANGE, why,
                       "name: '%.31s' is no name: 1 to 31 of a-z, 0-9, dot and dash, and not "
                       "digits alone",
                       run->name);
    }
    if (recipe.size > FL_RUN_RECIPE_MAX) {
        return fl_fail(FL_RANGE, why, "the recipe has %zu bytes, more than %d", recipe.size,
                       FL_RUN_RECIPE_MAX);
    }
    FL_TRY(fl_sql_begin(self->sql, why));
    return fl_sql_end(self->sql, s_submit(self, run, recipe, number, why), why);
}

// ---- states -----------------------------------------------------------------------------------
//  The change of a run's state has changed nothing: it is not there, or not where it was thought.
static fl_status
s_unchanged(fl_ledger *self, const fl_run *id, fl_why *why)
{
    fl_ledger_run run;
    FL_TRY(s_by_id(self, id, &run, why));
    return fl_fail(FL_EXISTS, why, "run %llu (%s) is %s", (unsigned long long)run.number, run.name,
                   fl_run_state_name(run.state));
}

static fl_status
s_begin(fl_ledger *self, const fl_run *run, uint64_t elements, const fl_hash *model,
        uint64_t model_bytes, fl_bytes manifest, fl_why *why)
{
    fl_query query = fl_query_of(
        self->sql, "UPDATE run SET state=?, reason=0, why='', begun_at=?, elements=?, model=?, "
                   "model_bytes=?, manifest=? WHERE run=? AND state=?");
    fl_query_u64(&query, FL_RUN_RUNNING);
    fl_query_u64(&query, fl_ledger_clock());
    fl_query_u64(&query, elements);
    fl_query_blob(&query, model->bytes, sizeof model->bytes);
    fl_query_u64(&query, model_bytes);
    fl_query_blob(&query, manifest.data, manifest.size);
    fl_query_blob(&query, run->bytes, sizeof run->bytes);
    fl_query_u64(&query, FL_RUN_QUEUED);
    FL_TRY(fl_query_run(&query, why));
    if (fl_sql_changes(self->sql) == 0) {
        return s_unchanged(self, run, why);
    }
    FL_TRY(s_hold_initial(self, run, model, model_bytes, why));
    return fl_ledger_state_event(self, run, FL_RUN_RUNNING, FL_WHY_NONE, "", why);
}

fl_status
fl_ledger_run_begin(fl_ledger *self, const fl_run *run, uint64_t elements, const fl_hash *model,
                    uint64_t model_bytes, fl_bytes manifest, fl_why *why)
{
    FL_TRY(fl_sql_begin(self->sql, why));
    return fl_sql_end(self->sql, s_begin(self, run, elements, model, model_bytes, manifest, why),
                      why);
}

static fl_status
s_enter(fl_ledger *self, const fl_run *run, fl_run_state state, fl_reason reason, const char *text,
        fl_why *why)
{
    fl_query query = fl_query_of(self->sql, "UPDATE run SET state=?, reason=?, why=?, ended_at=? "
                                            "WHERE run=? AND state<?");
    fl_query_u64(&query, state);
    fl_query_u64(&query, reason);
    fl_query_text(&query, fl_bytes_of(text, strnlen(text, FL_TEXT_MAX - 1)));
    fl_query_u64(&query, state < FL_RUN_DONE ? 0 : fl_ledger_clock());
    fl_query_blob(&query, run->bytes, sizeof run->bytes);
    fl_query_u64(&query, FL_RUN_DONE);
    FL_TRY(fl_query_run(&query, why));
    if (fl_sql_changes(self->sql) == 0) {
        return s_unchanged(self, run, why);
    }
    FL_TRY(state < FL_RUN_DONE ? FL_OK : fl_ledger_facts_forget(self, run, why));
    return fl_ledger_state_event(self, run, state, reason, text, why);
}

fl_status
fl_ledger_run_enter(fl_ledger *self, const fl_run *run, fl_run_state state, fl_reason reason,
                    const char *text, fl_why *why)
{
    FL_ASSERT(state >= FL_RUN_QUEUED && state < FL_RUN_STATES);
    FL_TRY(fl_sql_begin(self->sql, why));
    return fl_sql_end(self->sql, s_enter(self, run, state, reason, text, why), why);
}

// ---- going on ---------------------------------------------------------------------------------
fl_status
fl_ledger_resume_get(fl_ledger *self, const fl_run *run, fl_ledger_resume *resume, fl_why *why)
{
    *resume = (fl_ledger_resume){ .round = 1 };
    FL_TRY(s_by_id(self, run, &resume->run, why));
    resume->round = resume->run.rounds_closed + 1;
    fl_query query = fl_query_of(
        self->sql, "SELECT hash, bytes FROM model WHERE run=? ORDER BY round DESC LIMIT 1");
    fl_query_blob(&query, run->bytes, sizeof run->bytes);
    if (fl_query_next(&query)) {
        (void)fl_query_take_blob(&query, resume->run.model.bytes, sizeof(fl_hash));
        resume->run.model_bytes = fl_query_take_u64(&query);
    }
    FL_TRY(fl_query_end(&query, why));
    query = fl_query_of(
        self->sql,
        "SELECT CASE WHEN r.close=? THEN 0 ELSE r.draw END, (SELECT count(*) FROM round b WHERE "
        "b.run=r.run AND b.draw=r.draw AND b.reason=? AND b.round > (SELECT coalesce(max(d.round), "
        "0) FROM round d WHERE d.run=r.run AND d.close=?)) FROM round r WHERE r.run=? "
        "ORDER BY r.round DESC, r.attempt DESC LIMIT 1");
    fl_query_u64(&query, FL_CLOSE_DONE);
    fl_query_u64(&query, FL_WHY_SAME_MODEL);
    fl_query_u64(&query, FL_CLOSE_DONE);
    fl_query_blob(&query, run->bytes, sizeof run->bytes);
    if (fl_query_next(&query)) {
        resume->draw = (uint8_t)fl_query_take_u64(&query);
        resume->bound = (uint32_t)fl_query_take_u64(&query);
    }
    FL_TRY(fl_query_end(&query, why));
    return fl_ledger_attempts(self, run, resume->round, &resume->attempt, why);
}
