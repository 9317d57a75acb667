#include "common/data/partition.h"

#include "tests/support/unit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SAMPLES = 6000, CLASSES = 10 };

static uint8_t labels[SAMPLES];

static int
s_setup(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < SAMPLES; i++) {
        labels[i] = (uint8_t)(i * 7 % CLASSES);
    }
    return 0;
}

static fl_partition
s_make(uint32_t shards, double alpha, uint32_t minimum, uint64_t seed)
{
    const fl_partition_conf conf = { shards, alpha, minimum, seed };
    fl_partition partition;
    fl_why why = { "" };
    if (fl_partition_make(&conf, labels, SAMPLES, &partition, &why) != FL_OK) {
        fail_msg("%s", why.text);
    }
    return partition;
}

//  Every sample in exactly one shard, ascending, none below the minimum. Returns the smallest.
static uint32_t
s_check(const fl_partition *partition, uint32_t minimum)
{
    bool seen[SAMPLES] = { false };
    uint32_t total = 0, smallest = SAMPLES;
    for (uint32_t s = 0; s < partition->shards; s++) {
        uint32_t count = 0;
        const uint32_t *shard = fl_partition_shard(partition, s, &count);
        assert_true(count >= minimum);
        smallest = count < smallest ? count : smallest;
        for (uint32_t i = 0; i < count; i++) {
            assert_true(shard[i] < SAMPLES && !seen[shard[i]]);
            assert_true(i == 0 || shard[i] > shard[i - 1]);
            seen[shard[i]] = true;
        }
        total += count;
    }
    assert_int_equal(total, SAMPLES);
    return smallest;
}

static void
every_sample_belongs_to_exactly_one_shard(void **state)
{
    (void)state;
    const double alphas[4] = { 0, 0.1, 0.3, 100 };
    for (int i = 0; i < 4; i++) {
        for (uint32_t shards = 1; shards <= 16; shards *= 2) {
            fl_partition partition = s_make(shards, alphas[i], 5, 11);
            assert_int_equal(partition.shards, shards);
            (void)s_check(&partition, 5);
            fl_partition_release(&partition);
            assert_null(partition.index);
        }
    }
}

static void
equal_arguments_give_the_same_partition_and_others_another(void **state)
{
    (void)state;
    const double alphas[2] = { 0, 0.3 };
    for (int i = 0; i < 2; i++) {
        fl_partition a = s_make(16, alphas[i], 10, 1), b = s_make(16, alphas[i], 10, 1);
        fl_partition c = s_make(16, alphas[i], 10, 2);
        assert_memory_equal(a.start, b.start, 17 * sizeof *a.start);
        assert_memory_equal(a.index, b.index, SAMPLES * sizeof *a.index);
        assert_memory_not_equal(a.index, c.index, SAMPLES * sizeof *a.index);
        fl_partition_release(&a);
        fl_partition_release(&b);
        fl_partition_release(&c);
    }
}

static void
an_even_split_differs_by_one_sample_at_most(void **state)
{
    (void)state;
    for (uint32_t shards = 1; shards < 40; shards += 6) {
        fl_partition partition = s_make(shards, 0, 0, 3);
        for (uint32_t s = 0; s < shards; s++) {
            uint32_t count = 0;
            (void)fl_partition_shard(&partition, s, &count);
            assert_in_range(count, SAMPLES / shards, SAMPLES / shards + 1);
        }
        fl_partition_release(&partition);
    }
}

//  Mean over shards of the distance between a shard's label shares and the even ones.
static double
s_skew(double alpha)
{
    fl_partition partition = s_make(16, alpha, 10, 4);
    double skew = 0;
    for (uint32_t s = 0; s < 16; s++) {
        uint32_t count = 0;
        const uint32_t *shard = fl_partition_shard(&partition, s, &count);
        double share[CLASSES] = { 0 };
        for (uint32_t i = 0; i < count; i++) {
            share[labels[shard[i]]] += 1.0 / count;
        }
        for (int k = 0; k < CLASSES; k++) {
            skew += fabs(share[k] - 1.0 / CLASSES) / 16;
        }
    }
    fl_partition_release(&partition);
    return skew;
}

static void
a_smaller_alpha_skews_the_labels_more(void **state)
{
    (void)state;
    double even = s_skew(0), mild = s_skew(100), strong = s_skew(0.3), most = s_skew(0.1);
    assert_true(even < 0.25 && mild < 0.35);
    assert_true(strong > 2 * mild && most > strong);
}

static void
draws_are_repeated_until_every_shard_has_the_minimum(void **state)
{
    (void)state;
    fl_partition loose = s_make(16, 0.3, 0, 5);
    uint32_t smallest = s_check(&loose, 0);
    fl_partition strict = s_make(16, 0.3, smallest + 1, 5);
    (void)s_check(&strict, smallest + 1);
    assert_memory_not_equal(loose.start, strict.start, 17 * sizeof *loose.start);
    fl_partition_release(&loose);
    fl_partition_release(&strict);
}

static void
a_tiny_alpha_gives_each_label_to_one_shard(void **state)
{
    (void)state;
    fl_partition partition = s_make(4, 1e-6, 0, 6);
    (void)s_check(&partition, 0);
    uint8_t owner[CLASSES];
    memset(owner, 0xff, sizeof owner);
    for (uint32_t s = 0; s < 4; s++) {
        uint32_t count = 0;
        const uint32_t *shard = fl_partition_shard(&partition, s, &count);
        for (uint32_t i = 0; i < count; i++) {
            uint8_t *of = &owner[labels[shard[i]]];
            assert_true(*of == 0xff || *of == s);
            *of = (uint8_t)s;
        }
    }
    fl_partition_release(&partition);
}

static void
what_cannot_be_split_is_refused_with_advice(void **state)
{
    (void)state;
    const struct { fl_partition_conf conf; uint32_t samples; const char *said; } rows[] = {
        { { 0, 0.3, 1, 1 }, SAMPLES, "0 shards" },
        { { FL_SHARDS_MAX + 1, 0.3, 0, 1 }, SAMPLES, "65537 shards" },
        { { 4, -1, 1, 1 }, SAMPLES, "alpha is -1" },
        { { 4, NAN, 1, 1 }, SAMPLES, "alpha is" },
        { { 16, 0.3, 376, 1 }, SAMPLES, "cannot give 16 shards 376 each" },
        { { 1, 0, 0, 1 }, 0, "0 samples" },
        { { 16, 1e-6, 1, 1 }, SAMPLES, "raise alpha" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        fl_partition partition;
        fl_why why = { "" };
        fl_status got =
            fl_partition_make(&rows[i].conf, labels, rows[i].samples, &partition, &why);
        assert_int_equal(got, FL_RANGE);
        assert_non_null(strstr(why.text, rows[i].said));
        assert_true(partition.index == NULL && partition.start == NULL);
    }
}

static void
s_shard_beyond_the_last(void)
{
    fl_partition partition = s_make(2, 0, 0, 1);
    uint32_t count = 0;
    (void)fl_partition_shard(&partition, 2, &count);
}

static void
a_shard_beyond_the_last_is_our_mistake(void **state)
{
    (void)state;
    assert_true(unit_dies(s_shard_beyond_the_last));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_sample_belongs_to_exactly_one_shard),
        cmocka_unit_test(equal_arguments_give_the_same_partition_and_others_another),
        cmocka_unit_test(an_even_split_differs_by_one_sample_at_most),
        cmocka_unit_test(a_smaller_alpha_skews_the_labels_more),
        cmocka_unit_test(draws_are_repeated_until_every_shard_has_the_minimum),
        cmocka_unit_test(a_tiny_alpha_gives_each_label_to_one_shard),
        cmocka_unit_test(what_cannot_be_split_is_refused_with_advice),
        cmocka_unit_test(a_shard_beyond_the_last_is_our_mistake),
    };
    return cmocka_run_group_tests(tests, s_setup, NULL);
}
