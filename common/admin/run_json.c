#include "common/admin/run_json.h"

#include <string.h>

#include "common/admin/json_writer.h"

static void
s_run(fl_json *doc, json_t *in, const fl_ledger_run *run)
{
    fl_json_hex(doc, in, "run", run->run.bytes, sizeof run->run.bytes);
    fl_json_whole(doc, in, "number", run->number);
    fl_json_text(doc, in, "name", run->name);
    fl_json_text(doc, in, "state", fl_run_state_name(run->state));
    fl_json_bool(doc, in, "ended", run->state >= FL_RUN_DONE);
    fl_json_text(doc, in, "reason", fl_json_reason(run->reason));
    fl_json_text(doc, in, "text", run->text);
    fl_json_signed(doc, in, "priority", run->priority);
    fl_json_whole(doc, in, "submitted_at", run->submitted_at);
    fl_json_whole(doc, in, "begun_at", run->begun_at);
    fl_json_whole(doc, in, "ended_at", run->ended_at);
    fl_json_whole(doc, in, "elements", run->elements);
    fl_json_hex(doc, in, "model", run->model.bytes, sizeof run->model.bytes);
    fl_json_whole(doc, in, "rounds_closed", run->rounds_closed);
}

//  Where the next page begins; null: this was the last.
static void
s_next(fl_json *doc, bool more, uint64_t next)
{
    if (more) {
        fl_json_whole(doc, doc->top, "next", next);
    } else {
        fl_json_text(doc, doc->top, "next", NULL);
    }
}

fl_blob *
fl_run_json(const fl_ledger_run *run, const char *said)
{
    fl_json doc = fl_json_begin();
    s_run(&doc, doc.top, run);
    fl_json_text(&doc, doc.top, "said", said);
    return fl_json_end(&doc);
}

fl_blob *
fl_run_whole_json(const fl_ledger_run *run, fl_bytes recipe, bool pinned, const fl_report *scored,
                  const fl_ledger_change *changes, uint32_t count)
{
    fl_json doc = fl_json_begin();
    s_run(&doc, doc.top, run);
    fl_json_bool(&doc, doc.top, "pinned", pinned);
    json_t *scores = fl_json_object(&doc, doc.top, "scored");
    fl_json_whole(&doc, scores, "round", scored->round);
    fl_json_real(&doc, scores, "loss", scored->loss);
    fl_json_real(&doc, scores, "accuracy", scored->accuracy);
    fl_json_device_scores(&doc, scores, scored->stats);
    fl_json_put(&doc, doc.top, "recipe", json_stringn((const char *)recipe.data, recipe.size));
    json_t *list = fl_json_array(&doc, doc.top, "changes");
    for (uint32_t i = 0; i < count; i++) {
        json_t *in = fl_json_item(&doc, list);
        fl_json_whole(&doc, in, "at", changes[i].at);
        fl_json_whole(&doc, in, "round", changes[i].round);
        fl_json_text(&doc, in, "setting", changes[i].setting);
        fl_json_text(&doc, in, "old", changes[i].old_value);
        fl_json_text(&doc, in, "new", changes[i].new_value);
        fl_json_text(&doc, in, "who", changes[i].who);
    }
    return fl_json_end(&doc);
}

fl_blob *
fl_runs_json(const fl_ledger_run *runs, uint32_t count)
{
    fl_json doc = fl_json_begin();
    json_t *list = fl_json_array(&doc, doc.top, "runs");
    for (uint32_t i = 0; i < count; i++) {
        s_run(&doc, fl_json_item(&doc, list), &runs[i]);
    }
    s_next(&doc, count == FL_RUNS_JSON_MAX, count == 0 ? 0 : runs[count - 1].number + 1);
    return fl_json_end(&doc);
}

fl_blob *
fl_events_json(const fl_ledger_run *run, uint64_t after, const fl_ledger_event *events,
               uint32_t count)
{
    fl_json doc = fl_json_begin();
    s_run(&doc, fl_json_object(&doc, doc.top, "run"), run);
    json_t *list = fl_json_array(&doc, doc.top, "events");
    if (after < run->pruned_to) {
        json_t *in = fl_json_item(&doc, list);
        fl_json_whole(&doc, in, "seq", run->pruned_to);
        fl_json_whole(&doc, in, "at", count == 0 ? 0 : events[0].at);
        fl_json_text(&doc, in, "kind", "missed");
        fl_json_whole(&doc, fl_json_object(&doc, in, "what"), "given_up", run->pruned);
    }
    for (uint32_t i = 0; i < count; i++) {
        json_t *in = fl_json_item(&doc, list);
        fl_json_whole(&doc, in, "seq", events[i].seq);
        fl_json_whole(&doc, in, "at", events[i].at);
        fl_json_text(&doc, in, "kind", events[i].kind);
        fl_json_put(&doc, in, "what", json_loads(events[i].json, 0, NULL));
    }
    s_next(&doc, count == FL_EVENTS_JSON_MAX, count == 0 ? 0 : events[count - 1].seq);
    return fl_json_end(&doc);
}

fl_blob *
fl_put_json(uint64_t next)
{
    fl_json doc = fl_json_begin();
    fl_json_whole(&doc, doc.top, "next", next);
    return fl_json_end(&doc);
}
