#include "common/model/learn.h"

#include "tests/support/unit.h"

#include <math.h>
#include <string.h>

#include "tests/support/blobs.h"

static const fl_shape shape = { .layers = 2, .size = { BLOBS_FEATURES, 6, BLOBS_CLASSES } };
enum { ELEMENTS = (BLOBS_FEATURES + 1) * 6 + (6 + 1) * BLOBS_CLASSES };

static fl_network *
s_network(uint32_t batch)
{
    fl_network *network = fl_network_new(&shape, batch, fl_gemm_reference);
    assert_non_null(network);
    return network;
}

static void
training_learns_and_gives_the_same_parameters_again(void **state)
{
    (void)state;
    blobs here, there;
    const fl_samples train = blobs_fill(&here, 600, 1), test = blobs_fill(&there, 500, 2);
    fl_network *network = s_network(64);
    fl_sgd sgd = { .epochs = 8, .batch = 16, .rate = 0.1f, .momentum = 0.5f, .seed = 3 };
    float a[ELEMENTS], b[ELEMENTS];
    atomic_bool cancel = false;
    fl_score before, after;
    fl_network_init(&shape, 1, a);
    assert_int_equal(fl_assess(network, &test, a, &cancel, &before), FL_OK);
    assert_int_equal(fl_learn(network, &sgd, &train, NULL, a, &cancel), FL_OK);
    assert_int_equal(fl_assess(network, &test, a, &cancel, &after), FL_OK);
    assert_true(after.samples == 500 && after.correct > 480 && before.correct < 400);
    assert_true(after.loss < before.loss / 3);
    fl_network_init(&shape, 1, b);
    assert_int_equal(fl_learn(network, &sgd, &train, NULL, b, &cancel), FL_OK);
    assert_memory_equal(a, b, sizeof a);
    sgd.seed = 4;
    fl_network_init(&shape, 1, b);
    assert_int_equal(fl_learn(network, &sgd, &train, NULL, b, &cancel), FL_OK);
    assert_memory_not_equal(a, b, sizeof a);
    fl_network_destroy(&network);
}

//  One batch of all samples: the order does not matter, and the steps can be done by hand.
static void
a_step_is_that_of_the_formula(void **state)
{
    (void)state;
    blobs here;
    const fl_samples samples = blobs_fill(&here, 20, 5);
    const fl_sgd sgd = { .epochs = 3, .batch = 20, .rate = 0.2f, .momentum = 0.9f,
                               .decay = 0.05f, .proximal = 0.3f, .seed = 1 };
    fl_network *network = s_network(20);
    float got[ELEMENTS], anchor[ELEMENTS], gradient[ELEMENTS];
    double w[ELEMENTS], v[ELEMENTS] = { 0 };
    fl_network_init(&shape, 1, got);
    fl_network_init(&shape, 2, anchor);
    for (int i = 0; i < ELEMENTS; i++) {
        w[i] = (double)got[i];
    }
    atomic_bool cancel = false;
    assert_int_equal(fl_learn(network, &sgd, &samples, anchor, got, &cancel), FL_OK);
    for (int step = 0; step < 3; step++) {
        float now[ELEMENTS];
        for (int i = 0; i < ELEMENTS; i++) {
            now[i] = (float)w[i];
        }
        for (int i = 0; i < 20 * BLOBS_FEATURES; i++) {
            fl_network_input(network)[i] = (float)here.inputs[i] / 255;
        }
        (void)fl_network_gradient(network, now, here.labels, 20, gradient);
        for (int i = 0; i < ELEMENTS; i++) {
            double g = (double)gradient[i] + 0.05 * w[i] + 0.3 * (w[i] - (double)anchor[i]);
            v[i] = 0.9 * v[i] + g;
            w[i] -= 0.2 * v[i];
        }
    }
    for (int i = 0; i < ELEMENTS; i++) {
        assert_true(fabs((double)got[i] - w[i]) < 1e-5);
    }
    fl_network_destroy(&network);
}

static void
the_proximal_term_keeps_parameters_near_the_anchor(void **state)
{
    (void)state;
    blobs here;
    const fl_samples samples = blobs_fill(&here, 300, 6);
    fl_network *network = s_network(16);
    float anchor[ELEMENTS], w[ELEMENTS];
    fl_network_init(&shape, 1, anchor);
    double moved[2] = { 0 };
    for (int i = 0; i < 2; i++) {
        const fl_sgd sgd = { .epochs = 4, .batch = 16, .rate = 0.1f, .seed = 1,
                                   .proximal = i == 0 ? 0.0f : 2.0f };
        atomic_bool cancel = false;
        memcpy(w, anchor, sizeof w);
        assert_int_equal(fl_learn(network, &sgd, &samples, anchor, w, &cancel), FL_OK);
        for (int k = 0; k < ELEMENTS; k++) {
            moved[i] += pow((double)(w[k] - anchor[k]), 2);
        }
    }
    assert_true(moved[1] < moved[0] / 4);
    fl_network_destroy(&network);
}

static void
batches_cover_every_sample_once_an_epoch_whatever_their_size(void **state)
{
    (void)state;
    blobs here;
    const fl_samples samples = blobs_fill(&here, 100, 7);
    for (uint32_t batch = 1; batch <= 128; batch += 33) {
        fl_network *network = s_network(batch);
        const fl_sgd sgd = { .epochs = 2, .batch = batch, .rate = 0.01f };
        float w[ELEMENTS];
        atomic_bool cancel = false;
        fl_score score;
        fl_network_init(&shape, 1, w);
        assert_int_equal(fl_learn(network, &sgd, &samples, NULL, w, &cancel), FL_OK);
            assert_int_equal(fl_assess(network, &samples, w, &cancel, &score), FL_OK);
        assert_int_equal(score.samples, 100);
        fl_network_destroy(&network);
    }
}

static void
a_cancelled_loop_ends_before_its_next_batch(void **state)
{
    (void)state;
    blobs here;
    const fl_samples samples = blobs_fill(&here, 100, 8);
    fl_network *network = s_network(16);
    const fl_sgd sgd = { .epochs = 1000000, .batch = 16, .rate = 0.01f };
    float w[ELEMENTS];
    atomic_bool cancel = true;
    fl_score score;
    fl_network_init(&shape, 1, w);
    assert_int_equal(fl_learn(network, &sgd, &samples, NULL, w, &cancel), FL_BUSY);
    assert_int_equal(fl_assess(network, &samples, w, &cancel, &score), FL_BUSY);
    fl_network_destroy(&network);
}

static void
samples_that_do_not_fit_the_network_are_refused_with_advice(void **state)
{
    (void)state;
    blobs here;
    fl_samples samples = blobs_fill(&here, 50, 9);
    fl_why why = { "" };
    assert_int_equal(fl_samples_check(&samples, &shape, &why), FL_OK);
    here.labels[33] = BLOBS_CLASSES;
    assert_int_equal(fl_samples_check(&samples, &shape, &why), FL_MISMATCH);
    assert_non_null(strstr(why.text, "sample 33 has label 3"));
    samples.features = 9;
    assert_int_equal(fl_samples_check(&samples, &shape, &why), FL_MISMATCH);
    assert_non_null(strstr(why.text, "set its first layer to 9"));
}

static bool
s_seventh(const void *limit)
{
    static int asked;
    return limit == NULL || ++asked == 7;
}

//  What was done is what the same training has done by then.
static void
a_limit_cuts_training_after_a_whole_step_and_says_so(void **state)
{
    (void)state;
    blobs here;
    const fl_samples samples = blobs_fill(&here, 100, 7);
    static const struct {
        uint64_t most;
        bool over;
        uint64_t steps;
        uint32_t seen;
    } rows[] = { { 0, false, 14, 100 },
                 { 14, false, 14, 100 },
                 { 3, false, 3, 48 },
                 { 9, false, 9, 100 },
                 { 0, true, 7, 100 } };
    atomic_bool cancel = false;
    float w[ELEMENTS], before[ELEMENTS];
    fl_network *network = s_network(16);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        fl_limit limit = { .steps_max = rows[i].most,
                           .over = rows[i].over ? s_seventh : NULL,
                           .self = &limit };
        const fl_sgd sgd = { .epochs = 2, .batch = 16, .rate = 0.1f, .limit = &limit };
        fl_network_init(&shape, 1, w);
        memcpy(before, w, sizeof w);
        assert_int_equal(fl_learn(network, &sgd, &samples, NULL, w, &cancel), FL_OK);
        assert_memory_not_equal(w, before, sizeof w);
        assert_int_equal(limit.steps, rows[i].steps);
        assert_int_equal(limit.wanted, 14);
        assert_int_equal(limit.samples, rows[i].seen);
    }
    fl_network_destroy(&network);
}

//  Each sample lights one input, so the weights that move tell which ones were trained on.
static void
a_half_is_another_one_for_each_seed(void **state)
{
    (void)state;
    enum { N = 9, WEIGHTS = (N + 1) * 2 };
    static const fl_shape line = { .layers = 1, .size = { N, 2 } };
    uint8_t inputs[N * N] = { 0 }, labels[N] = { 0, 1, 0, 1, 0, 1, 0, 1, 0 };
    for (uint32_t i = 0; i < N; i++) {
        inputs[i * N + i] = 255;
    }
    const fl_samples samples = { inputs, labels, N, N };
    fl_network *network = fl_network_new(&line, 2, fl_gemm_reference);
    atomic_bool cancel = false;
    bool moved[3][WEIGHTS];
    for (uint32_t seed = 0; seed < 3; seed++) { // the last one as the one before
        fl_limit limit = { 0 };
        float before[WEIGHTS] = { 0 }, w[WEIGHTS] = { 0 };
        const fl_sgd sgd = { .epochs = 3,
                             .batch = 2,
                             .rate = 0.1f,
                             .seed = 7 + seed - seed / 2,
                             .half = true,
                             .limit = &limit };
        assert_int_equal(fl_learn(network, &sgd, &samples, NULL, w, &cancel), FL_OK);
        assert_int_equal(limit.samples, (N + 1) / 2);
        uint32_t count = 0;
        for (uint32_t i = 0; i < WEIGHTS; i++) {
            moved[seed][i] = w[i] != before[i];
            count += moved[seed][i];
        }
        assert_int_equal(count, 2 * ((N + 1) / 2 + 1)); // and both biases
    }
    assert_memory_not_equal(moved[0], moved[1], sizeof moved[0]);
    assert_memory_equal(moved[1], moved[2], sizeof moved[1]);
    fl_network_destroy(&network);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(training_learns_and_gives_the_same_parameters_again),
        cmocka_unit_test(a_half_is_another_one_for_each_seed),
        cmocka_unit_test(a_step_is_that_of_the_formula),
        cmocka_unit_test(the_proximal_term_keeps_parameters_near_the_anchor),
        cmocka_unit_test(batches_cover_every_sample_once_an_epoch_whatever_their_size),
        cmocka_unit_test(a_cancelled_loop_ends_before_its_next_batch),
        cmocka_unit_test(samples_that_do_not_fit_the_network_are_refused_with_advice),
        cmocka_unit_test(a_limit_cuts_training_after_a_whole_step_and_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
