#include "common/model/matrix.h"

#include "tests/support/unit.h"

#include <string.h>

//  (2, 3) times (3, 2), by hand: {58, 64, 139, 154}.
static const float left[6] = { 1, 2, 3, 4, 5, 6 }, left_turned[6] = { 1, 4, 2, 5, 3, 6 };
static const float right[6] = { 7, 8, 9, 10, 11, 12 }, right_turned[6] = { 7, 9, 11, 8, 10, 12 };

static void
s_expect_product(fl_gemm gemm)
{
    for (unsigned turns = 0; turns < 4; turns++) {
        float c[4] = { -1, -1, -1, -1 };
        gemm(&(fl_product){
            .a_turned = turns & 1,
            .b_turned = turns & 2,
            .rows = 2,
            .columns = 2,
            .inner = 3,
            .a = turns & 1 ? left_turned : left,
            .b = turns & 2 ? right_turned : right,
            .c = c,
        });
        assert_true(c[0] == 58 && c[1] == 64 && c[2] == 139 && c[3] == 154);
    }
}

static void
the_reference_and_openblas_multiply_with_any_turn(void **state)
{
    (void)state;
    fl_why why = { "left over" };
    fl_gemm gemm = NULL;
    assert_int_equal(fl_gemm_choose(2, &gemm, &why), FL_OK);
    assert_string_equal(why.text, "");
    assert_ptr_not_equal(gemm, fl_gemm_reference);
    s_expect_product(fl_gemm_reference);
    s_expect_product(gemm);
    assert_true(fl_gemm_agrees(fl_gemm_reference));
}

static void
s_ignores_a_turn(const fl_product *product)
{
    fl_product wrong = *product;
    wrong.b_turned = false;
    fl_gemm_reference(&wrong);
}

static void
s_errs_in_one_element(const fl_product *product)
{
    fl_gemm_reference(product);
    if (product->rows == 17) {
        product->c[20] += 0.01f;
    }
}

static void
s_leaves_one_element_alone(const fl_product *product)
{
    float kept = product->c[0];
    fl_gemm_reference(product);
    product->c[0] = kept;
}

static void
a_library_that_errs_is_found_out_and_replaced(void **state)
{
    (void)state;
    const fl_gemm wrong[3] = {
        s_ignores_a_turn,
        s_errs_in_one_element,
        s_leaves_one_element_alone,
    };
    for (int i = 0; i < 3; i++) {
        fl_why why = { "" };
        fl_gemm gemm = NULL;
        assert_false(fl_gemm_agrees(wrong[i]));
        assert_int_equal(fl_gemm_judge(8, true, wrong[i], &gemm, &why), FL_OK);
        assert_ptr_equal(gemm, fl_gemm_reference);
        assert_non_null(strstr(why.text, "plain loops are used instead"));
    }
}

static void
the_serial_build_is_refused_to_many_threads(void **state)
{
    (void)state;
    fl_why why = { "" };
    fl_gemm gemm = NULL;
    assert_int_equal(fl_gemm_judge(2, false, fl_gemm_reference, &gemm, &why), FL_DENIED);
    assert_null(gemm);
    assert_non_null(strstr(why.text, "libopenblas0-pthread"));
    assert_int_equal(fl_gemm_judge(1, false, fl_gemm_reference, &gemm, &why), FL_OK);
    assert_string_equal(why.text, "");
}

static void
s_multiply_nothing(void)
{
    fl_gemm_reference(&(fl_product){ .rows = 1, .columns = 1, .inner = 0 });
}

static void
an_empty_product_is_our_mistake(void **state)
{
    (void)state;
    assert_true(unit_dies(s_multiply_nothing));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_reference_and_openblas_multiply_with_any_turn),
        cmocka_unit_test(a_library_that_errs_is_found_out_and_replaced),
        cmocka_unit_test(the_serial_build_is_refused_to_many_threads),
        cmocka_unit_test(an_empty_product_is_our_mistake),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
