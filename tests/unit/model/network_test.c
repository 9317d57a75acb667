#include "common/model/network.h"

#include "tests/support/unit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/rng.h"

enum { BATCH = 5, WIDTH_MAX = 16, ELEMENTS_MAX = 400 };

static const char *const shapes[] = { "6-3", "6-5-3", "7-6-5-4", "3-2" };

//  The mean loss in double precision, by the definition and with none of the code under test.
static double
s_loss(const fl_shape *shape, const double *w, const float *inputs, const uint8_t *labels,
       uint32_t count)
{
    double loss = 0;
    for (uint32_t n = 0; n < count; n++) {
        double now[WIDTH_MAX], next[WIDTH_MAX];
        for (uint32_t i = 0; i < shape->size[0]; i++) {
            now[i] = (double)inputs[n * shape->size[0] + i];
        }
        const double *at = w;
        for (uint32_t layer = 0; layer < shape->layers; layer++) {
            const uint32_t in = shape->size[layer], out = shape->size[layer + 1];
            for (uint32_t o = 0; o < out; o++) {
                next[o] = at[o];
                for (uint32_t i = 0; i < in; i++) {
                    next[o] += at[out + o * in + i] * now[i];
                }
                bool hidden = layer + 1 < shape->layers;
                next[o] = hidden && next[o] < 0 ? 0 : next[o];
            }
            at += (size_t)out * (in + 1);
            memcpy(now, next, sizeof now);
        }
        double sum = 0;
        for (uint32_t i = 0; i < fl_shape_classes(shape); i++) {
            sum += exp(now[i]);
        }
        loss += log(sum) - now[labels[n]];
    }
    return loss / count;
}

typedef struct fixture {
    fl_shape shape;
    uint64_t elements;
    float parameters[ELEMENTS_MAX];
    float inputs[BATCH * WIDTH_MAX];
    uint8_t labels[BATCH];
} fixture;

static fixture
s_fixture(const char *text, uint64_t seed)
{
    fixture fix = { .elements = 0 };
    assert_int_equal(fl_shape_parse(text, &fix.shape, NULL), FL_OK);
    fix.elements = fl_shape_elements(&fix.shape);
    assert_true(fix.elements <= ELEMENTS_MAX);
    fl_rng rng = fl_rng_seeded(seed);
    for (uint64_t i = 0; i < fix.elements; i++) {
        fix.parameters[i] = (float)(fl_rng_normal(&rng) * 0.6);
    }
    for (size_t i = 0; i < BATCH * WIDTH_MAX; i++) {
        fix.inputs[i] = (float)fl_rng_normal(&rng);
    }
    for (size_t i = 0; i < BATCH; i++) {
        fix.labels[i] = (uint8_t)fl_rng_below(&rng, fl_shape_classes(&fix.shape));
    }
    return fix;
}

static void
s_expect_gradient(const fixture *fix, fl_gemm gemm)
{
    fl_network *network = fl_network_new(&fix->shape, BATCH, gemm);
    assert_non_null(network);
    memcpy(fl_network_input(network), fix->inputs,
           (size_t)BATCH * fl_shape_inputs(&fix->shape) * sizeof(float));
    float gradient[ELEMENTS_MAX];
    fl_score score = fl_network_gradient(network, fix->parameters, fix->labels, BATCH, gradient);
    double w[ELEMENTS_MAX];
    for (uint64_t i = 0; i < fix->elements; i++) {
        w[i] = (double)fix->parameters[i];
    }
    double loss = s_loss(&fix->shape, w, fix->inputs, fix->labels, BATCH);
    assert_true(fabs(score.loss / BATCH - loss) < 1e-5);
    for (uint64_t i = 0; i < fix->elements; i++) {
        const double step = 1e-6, kept = w[i];
        w[i] = kept + step;
        double above = s_loss(&fix->shape, w, fix->inputs, fix->labels, BATCH);
        w[i] = kept - step;
        double below = s_loss(&fix->shape, w, fix->inputs, fix->labels, BATCH);
        w[i] = kept;
        double slope = (above - below) / (2 * step);
        assert_true(fabs(slope - (double)gradient[i]) < 2e-6 + 1e-5 * fabs(slope));
    }
    fl_network_destroy(&network);
    assert_null(network);
}

static void
the_gradient_is_that_of_finite_differences(void **state)
{
    (void)state;
    fl_gemm blas = NULL;
    assert_int_equal(fl_gemm_choose(1, &blas, NULL), FL_OK);
    for (uint64_t seed = 0; seed < 20; seed++) {
        const fixture fix = s_fixture(shapes[seed % 4], seed);
        s_expect_gradient(&fix, fl_gemm_reference);
        s_expect_gradient(&fix, blas);
    }
}

static void
evaluation_gives_the_score_of_the_gradient_and_touches_nothing_else(void **state)
{
    (void)state;
    const fixture fix = s_fixture("7-6-5-4", 3);
    fl_network *network = fl_network_new(&fix.shape, BATCH, fl_gemm_reference);
    assert_non_null(network);
    assert_int_equal(fl_network_batch_max(network), BATCH);
    assert_memory_equal(fl_network_shape(network), &fix.shape, sizeof fix.shape);
    memcpy(fl_network_input(network), fix.inputs, (size_t)BATCH * 7 * sizeof(float));
    float gradient[ELEMENTS_MAX];
    fl_score all = { 0 };
    for (uint32_t count = 1; count <= BATCH; count++) {
        fl_score a = fl_network_evaluate(network, fix.parameters, fix.labels, count);
        fl_score b = fl_network_gradient(network, fix.parameters, fix.labels, count, gradient);
        assert_true(a.loss == b.loss && a.correct == b.correct && a.samples == count);
        assert_true(a.loss > all.loss && a.correct >= all.correct);
        all = a;
    }
    fl_network_destroy(&network);
}

static void
the_largest_output_is_the_answer(void **state)
{
    (void)state;
    //  One input of 1, weights that are the outputs: sample by sample the same three.
    const fl_shape shape = { .layers = 1, .size = { 1, 3 } };
    const float parameters[6] = { 0, 0, 0, 1, 3, 2 };
    fl_network *network = fl_network_new(&shape, 3, fl_gemm_reference);
    assert_non_null(network);
    for (int n = 0; n < 3; n++) {
        fl_network_input(network)[n] = 1;
    }
    const uint8_t labels[3] = { 1, 1, 0 };
    fl_score score = fl_network_evaluate(network, parameters, labels, 3);
    assert_int_equal(score.correct, 2);
    double sum = exp(1) + exp(3) + exp(2);
    assert_true(fabs(score.loss - (3 * log(sum) - 3 - 3 - 1)) < 1e-5);
    fl_network_destroy(&network);
}

static void
large_outputs_do_not_overflow(void **state)
{
    (void)state;
    const fl_shape shape = { .layers = 1, .size = { 1, 2 } };
    const float parameters[4] = { 0, 0, 1000, -1000 };
    fl_network *network = fl_network_new(&shape, 2, fl_gemm_reference);
    assert_non_null(network);
    fl_network_input(network)[0] = 1;
    fl_network_input(network)[1] = 1;
    const uint8_t labels[2] = { 0, 1 };
    float gradient[4];
    fl_score score = fl_network_gradient(network, parameters, labels, 2, gradient);
    assert_true(fabs(score.loss - 2000) < 1e-3);
    assert_int_equal(score.correct, 1);
    assert_true(gradient[0] == 0.5f && gradient[1] == -0.5f);
    fl_network_destroy(&network);
}

static void
fresh_weights_have_the_variance_of_he_and_biases_are_zero(void **state)
{
    (void)state;
    const fl_shape shape = { .layers = 2, .size = { 200, 100, 10 } };
    const uint64_t elements = fl_shape_elements(&shape);
    float *a = malloc(elements * sizeof *a), *b = malloc(elements * sizeof *b);
    assert_true(a != NULL && b != NULL);
    fl_network_init(&shape, 5, a);
    fl_network_init(&shape, 5, b);
    assert_memory_equal(a, b, elements * sizeof *a);
    fl_network_init(&shape, 6, b);
    assert_memory_not_equal(a, b, elements * sizeof *a);
    double sum = 0, squares = 0;
    for (uint64_t i = 0; i < 200 * 100; i++) {
        double value = (double)a[fl_shape_weight(&shape, 0) + i];
        sum += value;
        squares += value * value;
    }
    assert_true(fabs(sum / 20000) < 5 * 0.1 / sqrt(20000));
    assert_true(fabs(squares / 20000 - 0.01) < 5 * 0.01 * sqrt(2.0 / 20000));
    for (uint32_t layer = 0; layer < 2; layer++) {
        for (uint32_t i = 0; i < shape.size[layer + 1]; i++) {
            assert_true(a[fl_shape_bias(&shape, layer) + i] == 0);
        }
    }
    free(a);
    free(b);
}

static void
s_label_too_large(void)
{
    const fixture fix = s_fixture("6-3", 1);
    fl_network *network = fl_network_new(&fix.shape, 1, fl_gemm_reference);
    const uint8_t label = 3;
    (void)fl_network_evaluate(network, fix.parameters, &label, 1);
}

static void
s_batch_too_large(void)
{
    const fixture fix = s_fixture("6-3", 1);
    fl_network *network = fl_network_new(&fix.shape, 2, fl_gemm_reference);
    (void)fl_network_evaluate(network, fix.parameters, fix.labels, 3);
}

static void
a_label_or_batch_beyond_the_network_is_our_mistake(void **state)
{
    (void)state;
    assert_true(unit_dies(s_label_too_large));
    assert_true(unit_dies(s_batch_too_large));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_gradient_is_that_of_finite_differences),
        cmocka_unit_test(evaluation_gives_the_score_of_the_gradient_and_touches_nothing_else),
        cmocka_unit_test(the_largest_output_is_the_answer),
        cmocka_unit_test(large_outputs_do_not_overflow),
        cmocka_unit_test(fresh_weights_have_the_variance_of_he_and_biases_are_zero),
        cmocka_unit_test(a_label_or_batch_beyond_the_network_is_our_mistake),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
