#include "cloud/central_baseline.h"

#include <stdlib.h>

//  Samples scored at a time: large enough for the products to run at full speed.
enum { ASSESS_BATCH = 256 };

static fl_status
s_no_memory(const fl_shape *shape, fl_why *why)
{
    return fl_fail(FL_NOMEM, why, "no memory for a network of %llu parameters",
                   (unsigned long long)fl_shape_elements(shape));
}

static fl_status
s_check(const fl_samples *samples, const fl_shape *shape, fl_why *why)
{
    if (samples->count == 0) {
        return fl_fail(FL_MISSING, why, "the data set is empty");
    }
    return fl_samples_check(samples, shape, why);
}

static fl_status
s_score(fl_network *network, const float *parameters, const fl_samples *test,
        const atomic_bool *cancel, fl_central_baseline *result)
{
    fl_score score;
    FL_TRY(fl_assess(network, test, parameters, cancel, &score));
    result->loss = score.loss / (double)score.samples;
    result->accuracy = (double)score.correct / (double)score.samples;
    return FL_OK;
}

fl_status
fl_central_baseline_evaluate(fl_bytes blob, fl_gemm gemm, const fl_samples *test,
                             const atomic_bool *cancel, fl_central_baseline *result, fl_why *why)
{
    fl_safetensors file;
    fl_shape shape;
    FL_TRY(fl_safetensors_parse(blob, &file, why));
    FL_TRY(fl_shape_infer(&file, &shape, why));
    FL_TRY(s_check(test, &shape, why));
    fl_status status = FL_OK;
    float *parameters = malloc((size_t)file.elements * sizeof *parameters);
    fl_network *network = fl_network_new(&shape, ASSESS_BATCH, gemm);
    if (parameters == NULL || network == NULL) {
        status = s_no_memory(&shape, why);
    } else {
        fl_safetensors_read(&file, 0, file.elements, parameters);
        status = s_score(network, parameters, test, cancel, result);
    }
    fl_network_destroy(&network);
    free(parameters);
    return status;
}

fl_status
fl_central_baseline_train(const fl_shape *shape, fl_gemm gemm, const fl_sgd *sgd,
                          const fl_samples *train, const fl_samples *test,
                          const atomic_bool *cancel, fl_central_baseline *result, fl_why *why)
{
    FL_TRY(s_check(train, shape, why));
    FL_TRY(s_check(test, shape, why));
    fl_status status = FL_NOMEM;
    const uint32_t batch = sgd->batch > ASSESS_BATCH ? sgd->batch : ASSESS_BATCH;
    float *parameters = malloc((size_t)fl_shape_elements(shape) * sizeof *parameters);
    fl_network *network = fl_network_new(shape, batch, gemm);
    if (parameters != NULL && network != NULL) {
        fl_network_init(shape, sgd->seed, parameters);
        status = fl_learn(network, sgd, train, NULL, parameters, cancel);
    }
    FL_THEN(status, s_score(network, parameters, test, cancel, result));
    if (status == FL_NOMEM) {
        status = s_no_memory(shape, why);
    }
    fl_network_destroy(&network);
    free(parameters);
    return status;
}
