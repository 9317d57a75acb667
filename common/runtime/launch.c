#include "common/runtime/launch.h"

#include <signal.h>
#include <stdio.h>

#include "common/config/cli.h"
#include "common/config/start.h"
#include "common/crypto/entropy.h"

const fl_exit fl_launch_exits[] = {
    { FL_EXIT_OK, "it was asked to stop" },
    { FL_LAUNCH_FAILED, "it could not start or continue; one line on standard error says why" },
    { FL_EXIT_USAGE, "a setting or the command line is wrong" },
    { FL_LAUNCH_ABORTED, "two files or settings contradict each other" },
    { FL_LAUNCH_BUSY, "the state directory or a port is in use by another process" },
    { 0, NULL },
};

static int
s_exit_code(fl_status status)
{
    return status == FL_OK         ? FL_EXIT_OK
           : status == FL_MISMATCH ? FL_LAUNCH_ABORTED
           : status == FL_BUSY     ? FL_LAUNCH_BUSY
                                   : FL_LAUNCH_FAILED;
}

int
fl_launch(const fl_program *program, int argc, char **argv,
          fl_status (*run)(const fl_conf *conf, fl_stop *stop, fl_why *why))
{
    fl_conf *conf = NULL;
    fl_stop *stop = NULL;
    fl_why why = { "" };
    fl_status status = fl_conf_load(program, argc, argv, stdout, &conf, &why);
    if (status != FL_OK) {
        (void)fprintf(stderr, "%s: %s\n", program->name, why.text);
        return FL_EXIT_USAGE;
    }
    if (conf == NULL) {
        return FL_EXIT_OK; // it only asked for help or a check
    }
    status = fl_crypto_init(&why);
    FL_THEN(status, fl_stop_open(&stop, &why));
    if (status == FL_OK) {
        (void)signal(SIGHUP, SIG_IGN); // the log is standard error: there is nothing to open again
        fl_start_begin(program->name, FL_LAUNCH_FAILED);
        status = run(conf, stop, &why);
        fl_start_over();
    }
    if (status != FL_OK) {
        (void)fprintf(stderr, "%s: %s\n", program->name, why.text);
    }
    if (stop != NULL) {
        fl_stop_close(&stop);
    }
    fl_conf_destroy(&conf);
    return s_exit_code(status);
}
