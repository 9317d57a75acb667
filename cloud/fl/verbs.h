//  verbs - the table of `fl`: every verb with its settings, and every exit code. `context` of a
//  verb is a const fl_context; it returns the exit code.
#ifndef FL_CLOUD_FL_VERBS_H
#define FL_CLOUD_FL_VERBS_H

#include "cloud/fl/context.h"
#include "common/crypto/token.h"

extern const fl_cli fl_verbs;

//  init.c
int fl_verb_init(void *context, const fl_conf *conf);
fl_status fl_check_init(const fl_conf *conf, fl_why *why);
//  ca.c
int fl_verb_ca_init(void *context, const fl_conf *conf);
int fl_verb_token(void *context, const fl_conf *conf);
fl_status fl_check_token(const fl_conf *conf, fl_why *why);
//  tokens.c
int fl_verb_token_list(void *context, const fl_conf *conf);
//  Before it is handed out: a line of DIRECTORY/tokens, without its secret.
FL_CHECKED fl_status fl_token_note(const char *directory, const fl_token *token, fl_why *why);
//  enrol.c
int fl_verb_enrol(void *context, const fl_conf *conf);
fl_status fl_check_enrol(const fl_conf *conf, fl_why *why);
//  control.c
int fl_verb_revoke(void *context, const fl_conf *conf);
int fl_verb_admit(void *context, const fl_conf *conf);
int fl_verb_forget(void *context, const fl_conf *conf);
int fl_verb_token_revoke(void *context, const fl_conf *conf);
int fl_verb_stop(void *context, const fl_conf *conf);
int fl_verb_drain(void *context, const fl_conf *conf);
int fl_verb_approve(void *context, const fl_conf *conf);
int fl_verb_health(void *context, const fl_conf *conf);
//  status.c
int fl_verb_status(void *context, const fl_conf *conf);
int fl_verb_report(void *context, const fl_conf *conf);
//  rounds.c
int fl_verb_rounds(void *context, const fl_conf *conf);
//  top.c
int fl_verb_top(void *context, const fl_conf *conf);
//  run.c
int fl_verb_run_submit(void *context, const fl_conf *conf);
//  runs.c
int fl_verb_run_settings(void *context, const fl_conf *conf);
int fl_verb_run_list(void *context, const fl_conf *conf);
int fl_verb_run_show(void *context, const fl_conf *conf);
int fl_verb_run_watch(void *context, const fl_conf *conf);
int fl_verb_run_set(void *context, const fl_conf *conf);
int fl_verb_run_pause(void *context, const fl_conf *conf);
int fl_verb_run_resume(void *context, const fl_conf *conf);
int fl_verb_run_stop(void *context, const fl_conf *conf);
//  Of a run that has ended: FL_EXIT_OK, FL_EXIT_SKIPPED, FL_EXIT_ABORTED.
int fl_run_code(const json_t *run, bool done);
//  Follow a run until it has ended; the exit code says how. `context->watch` was called.
int fl_run_follow(const fl_context *context, const char *state, const char *verb, const char *run,
                  uint32_t patience_ms, bool json);
//  model.c
int fl_verb_model_export(void *context, const fl_conf *conf);
//  experiment.c
int fl_verb_shards(void *context, const fl_conf *conf);
int fl_verb_reference(void *context, const fl_conf *conf);
//  trainer.c
int fl_verb_trainer_check(void *context, const fl_conf *conf);
int fl_verb_tensor_get(void *context, const fl_conf *conf);
int fl_verb_tensor_put(void *context, const fl_conf *conf);

#endif
