//  render - what a process answered, as text for a human. Takes the JSON of common/admin and
//  prints; knows no socket and no terminal, so that snapshots of it are tests. A key that is not
//  there is shown as «-», so that an older process can be looked at.
#ifndef FL_CLOUD_FL_RENDER_H
#define FL_CLOUD_FL_RENDER_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define FL_RENDER_ON_DEVICES "on the devices, of the model before: accuracy %.4f, loss %.4f"
enum { FL_RENDER_TEXT_BYTES = 32, FL_RENDER_LINE_BYTES = 512 };

//  `status`: where the run stands, what is waited for, a row per child.
void fl_render_status(const json_t *status, uint32_t width, FILE *out);
//  `report`: who was in, late, absent, refused and why.
void fl_render_report(const json_t *report, uint32_t width, FILE *out);
//  `rounds`: a row per round.
void fl_render_rounds(const json_t *rounds, uint32_t width, FILE *out);

//  `run-list`: a row per run.
void fl_render_runs(const json_t *runs, uint32_t width, FILE *out);
//  `run-show`: the run, its recipe, what was changed.
void fl_render_run(const json_t *run, uint32_t width, FILE *out);
//  One of `run-watch`: "2026-11-30 13:31:02 round 3 accuracy=0.7812".
void fl_render_event(const json_t *event, char line[FL_RENDER_LINE_BYTES]);

//  One line each, without a newline, into `line`; "" when there is nothing to say.
//  "round 7/20 collecting", "3 of 4 edges ready, 14 s more for edge-b".
void fl_render_stand(const json_t *status, char line[FL_RENDER_LINE_BYTES]);
void fl_render_wait(const json_t *status, char line[FL_RENDER_LINE_BYTES]);
//  "round 6 done in 2.1 s, masked (malicious): 15 of 16 devices in, 1 late (device-07: slow), 1
//  recovered, 1 block aborted (edge-b/0: checksum); accuracy 0.7812".
void fl_render_round(const json_t *report, char line[FL_RENDER_LINE_BYTES]);
//  "masked (malicious)", "not masked", "only partly masked (malicious)"; of a status or a report.
void fl_render_masking(const json_t *answer, char line[FL_RENDER_LINE_BYTES]);
//  How a run ended.
void fl_render_end(const json_t *status, char line[FL_RENDER_LINE_BYTES]);

//  "850 B", "1.2 MB" (steps of 1000); "0.4 s", "14 s", "3m05s", "2h07m".
const char *fl_render_bytes(uint64_t bytes, char text[FL_RENDER_TEXT_BYTES]);
const char *fl_render_ms(uint64_t ms, char text[FL_RENDER_TEXT_BYTES]);

#endif
