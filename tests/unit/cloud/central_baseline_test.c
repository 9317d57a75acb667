#include "cloud/central_baseline.h"

#include "tests/support/unit.h"

#include <math.h>
#include <string.h>

#include "common/model/start.h"
#include "tests/support/blobs.h"

static const fl_shape shape = { .layers = 2, .size = { BLOBS_FEATURES, 6, BLOBS_CLASSES } };
static const fl_sgd sgd = { .epochs = 6, .batch = 16, .rate = 0.1f, .seed = 1 };
static blobs here, there;

static void
training_in_one_place_reaches_a_good_accuracy(void **state)
{
    (void)state;
    const fl_samples train = blobs_fill(&here, 600, 1), test = blobs_fill(&there, 500, 2);
    atomic_bool cancel = false;
    fl_central_baseline result = { 0 }, again = { 0 };
    assert_int_equal(fl_central_baseline_train(&shape, fl_gemm_reference, &sgd, &train, &test,
                                               &cancel, &result, NULL),
                     FL_OK);
    assert_true(result.accuracy > 0.95 && result.loss > 0 && result.loss < 0.4);
    assert_int_equal(fl_central_baseline_train(&shape, fl_gemm_reference, &sgd, &train, &test,
                                               &cancel, &again, NULL),
                     FL_OK);
    assert_true(result.accuracy == again.accuracy && result.loss == again.loss);
}

static void
a_model_file_is_scored_on_a_test_set(void **state)
{
    (void)state;
    const fl_samples test = blobs_fill(&there, 500, 2);
    fl_blob *blob = NULL;
    assert_int_equal(fl_start_network(&shape, 1, &blob, NULL), FL_OK);
    atomic_bool cancel = false;
    fl_central_baseline result = { 0 };
    assert_int_equal(fl_central_baseline_evaluate(fl_blob_bytes(blob), fl_gemm_reference, &test,
                                                  &cancel, &result, NULL),
                     FL_OK);
    //  The same by hand.
    float parameters[75];
    fl_network_init(&shape, 1, parameters);
    fl_network *network = fl_network_new(&shape, 500, fl_gemm_reference);
    assert_non_null(network);
    fl_score score;
    assert_int_equal(fl_assess(network, &test, parameters, &cancel, &score), FL_OK);
    assert_true(result.accuracy == (double)score.correct / 500);
    assert_true(fabs(result.loss - score.loss / 500) < 1e-9);
    fl_network_destroy(&network);
    fl_blob_unref(&blob);
}

static void
what_is_no_model_or_does_not_fit_the_samples_is_refused(void **state)
{
    (void)state;
    fl_samples test = blobs_fill(&there, 50, 2);
    fl_blob *network = NULL, *vector = NULL;
    assert_int_equal(fl_start_network(&shape, 1, &network, NULL), FL_OK);
    assert_int_equal(fl_start_vector(75, &vector, NULL), FL_OK);
    atomic_bool cancel = false;
    fl_central_baseline result;
    fl_why why = { "" };
    const fl_bytes junk = fl_bytes_of("junk", 4);
    assert_int_equal(
        fl_central_baseline_evaluate(junk, fl_gemm_reference, &test, &cancel, &result, &why),
        FL_MALFORMED);
    assert_int_equal(fl_central_baseline_evaluate(fl_blob_bytes(vector), fl_gemm_reference, &test,
                                                  &cancel, &result, &why),
                     FL_MISMATCH);
    assert_non_null(strstr(why.text, "no network"));
    test.features = 9;
    assert_int_equal(fl_central_baseline_evaluate(fl_blob_bytes(network), fl_gemm_reference, &test,
                                                  &cancel, &result, &why),
                     FL_MISMATCH);
    assert_int_equal(fl_central_baseline_train(&shape, fl_gemm_reference, &sgd, &test, &test,
                                               &cancel, &result, &why),
                     FL_MISMATCH);
    test.features = 8;
    test.count = 0;
    assert_int_equal(fl_central_baseline_evaluate(fl_blob_bytes(network), fl_gemm_reference, &test,
                                                  &cancel, &result, &why),
                     FL_MISSING);
    const fl_samples train = blobs_fill(&here, 50, 1);
    assert_int_equal(fl_central_baseline_train(&shape, fl_gemm_reference, &sgd, &train, &test,
                                               &cancel, &result, &why),
                     FL_MISSING);
    assert_non_null(strstr(why.text, "empty"));
    fl_blob_unref(&network);
    fl_blob_unref(&vector);
}

static void
training_and_evaluation_can_be_cancelled(void **state)
{
    (void)state;
    const fl_samples samples = blobs_fill(&here, 50, 1);
    fl_blob *blob = NULL;
    assert_int_equal(fl_start_network(&shape, 1, &blob, NULL), FL_OK);
    atomic_bool cancel = true;
    fl_central_baseline result;
    assert_int_equal(fl_central_baseline_evaluate(fl_blob_bytes(blob), fl_gemm_reference, &samples,
                                                  &cancel, &result, NULL),
                     FL_BUSY);
    assert_int_equal(fl_central_baseline_train(&shape, fl_gemm_reference, &sgd, &samples,
                                               &samples, &cancel, &result, NULL),
                     FL_BUSY);
    fl_blob_unref(&blob);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(training_in_one_place_reaches_a_good_accuracy),
        cmocka_unit_test(a_model_file_is_scored_on_a_test_set),
        cmocka_unit_test(what_is_no_model_or_does_not_fit_the_samples_is_refused),
        cmocka_unit_test(training_and_evaluation_can_be_cancelled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
