//  fl shards, fl reference: what a data set is worth before any device joins. How a partition falls
//  out, and how good the same training is with all samples in one place. They talk to no process.
#include <stdatomic.h>
#include <stdlib.h>

#include "cloud/central_baseline.h"
#include "cloud/fl/verbs.h"
#include "common/data/idx.h"
#include "common/data/partition.h"

// ---- fl shards --------------------------------------------------------------------------------
typedef struct shard {
    uint32_t number;
    uint32_t samples;
} shard;

static int
s_by_samples(const void *a, const void *b)
{
    const shard *left = a;
    const shard *right = b;
    if (left->samples != right->samples) {
        return left->samples < right->samples ? -1 : 1;
    }
    return left->number < right->number ? -1 : left->number > right->number;
}

//  The shard in the middle when they are ordered by size.
static uint32_t
s_median(const fl_partition *partition, uint32_t shards)
{
    shard *list = calloc(shards, sizeof *list);
    if (list == NULL) {
        return 0;
    }
    for (uint32_t i = 0; i < shards; i++) {
        list[i].number = i;
        (void)fl_partition_shard(partition, i, &list[i].samples);
    }
    qsort(list, shards, sizeof *list, s_by_samples);
    uint32_t median = list[shards / 2].number;
    free(list);
    return median;
}

static void
s_show_shards(const fl_context *context, const fl_partition *partition, uint32_t shards, bool json)
{
    json_t *list = json_array();
    uint32_t median = s_median(partition, shards);
    for (uint32_t i = 0; i < shards; i++) {
        uint32_t samples = 0;
        (void)fl_partition_shard(partition, i, &samples);
        if (json) {
            (void)json_array_append_new(list, json_integer((json_int_t)samples));
        } else {
            (void)fprintf(context->out, "shard %u: %u samples%s\n", i, samples,
                          i == median ? ", the median" : "");
        }
    }
    if (json) {
        json_t *answer = json_pack("{s:o,s:i}", "samples", list, "median", (int)median);
        fl_context_print(context, &answer);
    } else {
        json_decref(list);
    }
}

int
fl_verb_shards(void *arg, const fl_conf *conf)
{
    const fl_context *context = arg;
    const fl_partition_conf wanted = {
        .shards = (uint32_t)fl_conf_int(conf, "shards"),
        .alpha = fl_conf_real(conf, "alpha"),
        .minimum = (uint32_t)fl_conf_int(conf, "minimum"),
        .seed = (uint64_t)fl_conf_int(conf, "seed"),
    };
    fl_why why;
    uint8_t *labels = NULL;
    uint32_t samples = 0;
    fl_partition partition = { 0 };
    fl_status status = fl_idx_labels(fl_conf_text(conf, "labels"), &labels, &samples, &why);
    FL_THEN(status, fl_partition_make(&wanted, labels, samples, &partition, &why));
    if (status == FL_OK) {
        s_show_shards(context, &partition, wanted.shards, fl_conf_bool(conf, "json"));
    }
    fl_partition_release(&partition);
    free(labels);
    return status == FL_OK ? FL_EXIT_OK
                           : fl_context_fail(context, "shards", FL_EXIT_FAILED, "%s", why.text);
}

// ---- fl reference -----------------------------------------------------------------------------
static fl_samples
s_samples(const fl_dataset *data)
{
    return (fl_samples){ .inputs = data->inputs,
                         .labels = data->labels,
                         .count = data->samples,
                         .features = data->features };
}

static fl_status
s_reference(const fl_conf *conf, const fl_dataset *train, const fl_dataset *test,
            fl_central_baseline *result, fl_why *why)
{
    const fl_sgd sgd = { .epochs = (uint32_t)fl_conf_int(conf, "epochs"),
                               .batch = (uint32_t)fl_conf_int(conf, "batch"),
                               .rate = (float)fl_conf_real(conf, "rate"),
                               .momentum = (float)fl_conf_real(conf, "momentum"),
                               .decay = (float)fl_conf_real(conf, "decay"),
                               .seed = (uint64_t)fl_conf_int(conf, "seed") };
    const fl_samples train_samples = s_samples(train);
    const fl_samples test_samples = s_samples(test);
    atomic_bool cancel = false;
    fl_shape shape;
    fl_gemm gemm = NULL;
    FL_TRY(fl_shape_parse(fl_conf_text(conf, "layers"), &shape, why));
    FL_TRY(fl_gemm_choose(1, &gemm, why));
    return fl_central_baseline_train(&shape, gemm, &sgd, &train_samples, &test_samples, &cancel,
                                     result, why);
}

int
fl_verb_reference(void *arg, const fl_conf *conf)
{
    const fl_context *context = arg;
    fl_why why;
    fl_dataset train = { 0 };
    fl_dataset test = { 0 };
    fl_central_baseline result = { 0 };
    fl_status status = fl_dataset_load(fl_conf_text(conf, "train.inputs"),
                                       fl_conf_text(conf, "train.labels"), NULL, 0, &train, &why);
    FL_THEN(status, fl_dataset_load(fl_conf_text(conf, "test.inputs"),
                                    fl_conf_text(conf, "test.labels"), NULL, 0, &test, &why));
    FL_THEN(status, s_reference(conf, &train, &test, &result, &why));
    if (status == FL_OK && fl_conf_bool(conf, "json")) {
        json_t *answer = json_pack("{s:f,s:f}", "accuracy", result.accuracy, "loss", result.loss);
        fl_context_print(context, &answer);
    } else if (status == FL_OK) {
        (void)fprintf(context->out, "accuracy %.4f, loss %.4f\n", result.accuracy, result.loss);
    }
    fl_dataset_release(&train);
    fl_dataset_release(&test);
    return status == FL_OK ? FL_EXIT_OK
                           : fl_context_fail(context, "reference", FL_EXIT_FAILED, "%s", why.text);
}
