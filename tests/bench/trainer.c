//  trainer - what the exchange with a trainer that stays costs: the time from asking until the
//  answer without the trainer's own work, over one copy of its tensors, in turns with it. Its
//  answer says how long both took: tests/support/copier.py.
//
//      bench-trainer COMMAND [elements=1000000] [pairs=15]
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/blob.h"
#include "common/trainer/child.h"
#include "tests/bench/bench.h"

//  A round; of the answer only its text matters here.
static void
s_round(fl_child *child, fl_bytes model, bench_pairs *pairs)
{
    fl_child_end end;
    fl_why why = { "" };
    unsigned long long own = 0, copy = 0;
    if (fl_image_give(fl_child_image(child), model, &why) != FL_OK) {
        bench_die("trainer", why.text);
    }
    const uint64_t begun = bench_ns();
    const char *said = fl_child_ask(child, "{\"id\":1,\"do\":\"fit\"}\n", &end);
    const uint64_t took = bench_ns() - begun;
    if (said == NULL ||
        sscanf(said, "{\"id\": 1, \"code\": 0, \"text\": \"%llu %llu", &own, &copy) != 2) {
        bench_die("trainer", "no answer");
    }
    bench_pairs_add(pairs, copy, took - own);
}

int
main(int argc, char **argv)
{
    if (fl_fence_asked(argc, argv)) {
        fl_fence_main(argv);
    }
    if (argc < 2) {
        return 2;
    }
    const uint64_t bytes = sizeof(float) * bench_option(argc, argv, "elements", 1000000);
    const uint64_t wanted = bench_option(argc, argv, "pairs", 15);
    char directory[] = "/tmp/fl-bench-XXXXXX", own[64], note[128];
    char *const environment[] = { "FL_TRAINER_IN=5",
                                  "FL_TRAINER_OUT=6",
                                  "FL_MODEL=/proc/self/fd/7",
                                  "FL_UPDATE=/proc/self/fd/8",
                                  own,
                                  NULL };
    static bench_pairs pairs;
    double low, high;
    fl_child *child = NULL;
    fl_child_end end;
    fl_blob *model = fl_blob_new(bytes);
    if (model == NULL || mkdtemp(directory) == NULL) {
        bench_die("trainer", "no directory, or no memory");
    }
    (void)snprintf(own, sizeof own, "FL_DIR=%s", directory);
    const fl_child_conf conf = { .command = argv[1],
                                 .directory = directory,
                                 .from = "/",
                                 .hidden = "",
                                 .disk = 2 * bytes,
                                 .time_max_ms = 60000,
                                 .stays = bytes,
                                 .environment = environment };
    if (fl_child_start(&conf, &child, NULL) != FL_OK || fl_child_ask(child, NULL, &end) == NULL) {
        bench_die("trainer", "it does not start");
    }
    s_round(child, fl_blob_bytes(model), &pairs); // warms up
    pairs.count = 0;
    for (uint64_t i = 0; i < wanted && i < BENCH_PAIRS_MAX; i++) {
        s_round(child, fl_blob_bytes(model), &pairs);
    }
    fl_child_close(&child);
    (void)(fl_child_empty(directory, NULL, NULL) == FL_OK && rmdir(directory));
    const double ratio = bench_pairs_ratio(&pairs, &low, &high);
    (void)snprintf(note, sizeof note, "%.0f MB; quartiles %.3f to %.3f", 1e-6 * (double)bytes, low,
                   high);
    bench_say("trainer_fit", ratio, "x copy", note);
    fl_blob_unref(&model);
    return 0;
}
