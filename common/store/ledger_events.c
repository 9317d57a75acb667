//  What happened to runs: events, and settings that were changed.
#include "common/store/ledger_inside.h"

#include <stdio.h>
#include <string.h>

//  The oldest are given up, and counted in the rows of their runs.
static fl_status
s_prune(fl_ledger *self, fl_why *why)
{
#define SURPLUS "seq<=(SELECT max(seq) FROM event)-?"
#define OF_RUN "FROM event WHERE event.run=run.run AND " SURPLUS
    static const char *const steps[] = {
        "UPDATE run SET pruned=pruned+(SELECT count(*) " OF_RUN
        "), pruned_to=(SELECT max(seq) " OF_RUN
        ") WHERE run IN (SELECT run FROM event WHERE " SURPLUS ")",
        "DELETE FROM event WHERE " SURPLUS,
    };
    for (int i = 0; i < 2; i++) {
        fl_query query = fl_query_of(self->sql, steps[i]);
        for (int bound = i == 0 ? 3 : 1; bound > 0; bound--) {
            fl_query_u64(&query, FL_EVENTS_KEPT);
        }
        FL_TRY(fl_query_run(&query, why));
    }
    return FL_OK;
}

fl_status
fl_ledger_event_put(fl_ledger *self, const fl_run *run, const char *kind, const char *json,
                    fl_why *why)
{
    if (strlen(kind) >= FL_EVENT_KIND_BYTES || strlen(json) >= FL_EVENT_JSON_BYTES) {
        return fl_fail(FL_RANGE, why, "an event (%.15s) of %zu bytes is too long", kind,
                       strlen(json));
    }
    fl_query query = fl_query_of(self->sql, "INSERT INTO event(seq, at, run, kind, json) VALUES("
                                            "(SELECT coalesce(max(seq), 0)+1 FROM event),?,?,?,?)");
    fl_query_u64(&query, fl_ledger_clock());
    fl_query_blob(&query, run->bytes, sizeof run->bytes);
    fl_query_text(&query, fl_bytes_of(kind, strlen(kind)));
    fl_query_text(&query, fl_bytes_of(json, strlen(json)));
    FL_TRY(fl_query_run(&query, why));
    return s_prune(self, why);
}

//  A text of ours as the inside of a JSON string: what is not plain ASCII becomes a question mark.
static void
s_json(const char *text, char *json, size_t room)
{
    size_t at = 0;
    for (; *text != '\0' && at + 3 < room; text++) {
        if (*text == '"' || *text == '\\') {
            json[at++] = '\\';
        }
        json[at++] = *text < ' ' || *text > '~' ? '?' : *text;
    }
    json[at] = '\0';
}

fl_status
fl_ledger_state_event(fl_ledger *self, const fl_run *run, fl_run_state state, fl_reason reason,
                      const char *text, fl_why *why)
{
    char said[2 * FL_TEXT_MAX], json[FL_EVENT_JSON_BYTES];
    s_json(text, said, sizeof said);
    (void)snprintf(json, sizeof json, "{\"state\":\"%s\",\"reason\":\"%s\",\"text\":\"%s\"}",
                   fl_run_state_name(state), fl_reason_name(reason), said);
    return fl_ledger_event_put(self, run, "state", json, why);
}

fl_status
fl_ledger_events(fl_ledger *self, const fl_run *run, uint64_t after, fl_ledger_event *events,
                 uint32_t capacity, uint32_t *count, fl_why *why)
{
    fl_query query = fl_query_of(self->sql, "SELECT seq, at, kind, json FROM event "
                                            "WHERE run=? AND seq>? ORDER BY seq LIMIT ?");
    fl_query_blob(&query, run->bytes, sizeof run->bytes);
    fl_query_u64(&query, after);
    fl_query_u64(&query, capacity);
    for (*count = 0; *count < capacity && fl_query_next(&query); (*count)++) {
        fl_ledger_event *event = &events[*count];
        event->seq = fl_query_take_u64(&query);
        event->at = fl_query_take_u64(&query);
        fl_ledger_take_text(&query, event->kind, sizeof event->kind);
        fl_ledger_take_text(&query, event->json, sizeof event->json);
    }
    return fl_query_end(&query, why);
}

static void
s_bind_text(fl_query *query, const char *text, size_t room)
{
    fl_query_text(query, fl_bytes_of(text, strnlen(text, room - 1)));
}

fl_status
fl_ledger_run_change(fl_ledger *self, const fl_ledger_change *change, fl_why *why)
{
    fl_query query = fl_query_of(
        self->sql, "INSERT INTO run_change(line, at, run, round, setting, old_value, new_value, "
                   "who) VALUES((SELECT coalesce(max(line), 0)+1 FROM run_change),?,?,?,?,?,?,?)");
    fl_query_u64(&query, fl_ledger_clock());
    fl_query_blob(&query, change->run.bytes, sizeof change->run.bytes);
    fl_query_u64(&query, change->round);
    s_bind_text(&query, change->setting, sizeof change->setting);
    s_bind_text(&query, change->old_value, sizeof change->old_value);
    s_bind_text(&query, change->new_value, sizeof change->new_value);
    s_bind_text(&query, change->who, sizeof change->who);
    return fl_query_run(&query, why);
}

fl_status
fl_ledger_run_changes(fl_ledger *self, const fl_run *run, uint64_t after, fl_ledger_change *changes,
                      uint32_t capacity, uint32_t *count, fl_why *why)
{
    fl_query query = fl_query_of(
        self->sql, "SELECT line, at, run, round, setting, old_value, new_value, who FROM "
                   "run_change WHERE run=? AND line>? ORDER BY line LIMIT ?");
    fl_query_blob(&query, run->bytes, sizeof run->bytes);
    fl_query_u64(&query, after);
    fl_query_u64(&query, capacity);
    for (*count = 0; *count < capacity && fl_query_next(&query); (*count)++) {
        fl_ledger_change *change = &changes[*count];
        change->line = fl_query_take_u64(&query);
        change->at = fl_query_take_u64(&query);
        (void)fl_query_take_blob(&query, change->run.bytes, sizeof change->run.bytes);
        change->round = fl_query_take_u64(&query);
        fl_ledger_take_text(&query, change->setting, sizeof change->setting);
        fl_ledger_take_text(&query, change->old_value, sizeof change->old_value);
        fl_ledger_take_text(&query, change->new_value, sizeof change->new_value);
        fl_ledger_take_text(&query, change->who, sizeof change->who);
    }
    return fl_query_end(&query, why);
}
