//  How the root draws pools. A number as argument sets how many draws are counted.
#include "tests/support/unit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cloud/drawing.h"
#include "tests/support/identity.h"

enum { ROOM = 512, SMALL_DRAWS = 6000 };

static uint32_t draws = SMALL_DRAWS;
static fl_seeded source;

static fl_entropy
s_entropy(uint64_t seed)
{
    source = fl_seeded_of(seed);
    return fl_entropy_seeded(&source);
}

//  An edge with so many devices, numbered from `first` on, behind those in `nodes`.
static uint32_t
s_edge(fl_place *nodes, uint32_t count, const char *edge, uint32_t first, uint32_t devices)
{
    nodes[count++] = (fl_place){ .edge = identity_node(edge) };
    for (uint32_t i = 0; i < devices; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "d%03u", first + i);
        nodes[count++] = (fl_place){ identity_node(edge), identity_node(name), 0 };
    }
    return count;
}

static uint32_t
s_draw(const fl_place *before, uint32_t count, const fl_place *nodes, uint32_t node_count,
       const fl_entropy *entropy, fl_place *next)
{
    return fl_drawing_next(before, count, nodes, node_count, 80, false, entropy, next);
}

static uint32_t
s_number(const fl_place *place)
{
    return (uint32_t)atoi(place->node.name + 1);
}

//  Every name is at every place equally often: chi-squared over names and places, and over pairs
//  that share a pool.
static void
a_draw_is_uniform(void **state)
{
    (void)state;
    enum { N = 12 };
    static uint32_t at[N][N];
    fl_place nodes[N + 1], next[N + 1];
    const fl_entropy entropy = s_entropy(1);
    const uint32_t count = s_edge(nodes, 0, "e1", 0, N);
    memset(at, 0, sizeof at);
    for (uint32_t i = 0; i < draws; i++) {
        assert_int_equal(s_draw(NULL, 0, nodes, count, &entropy, next), N);
        for (uint32_t p = 0; p < N; p++) {
            at[s_number(&next[p])][p]++;
        }
    }
    double chi2 = 0, expected = (double)draws / N;
    for (uint32_t i = 0; i < N * N; i++) {
        const double off = at[i / N][i % N] - expected;
        chi2 += off * off / expected;
    }
    const double freedom = (N - 1) * (N - 1); // a Latin square of frequencies
    assert_true(fabs(chi2 - freedom) < 4.5 * sqrt(2 * freedom));
}

static bool
s_holds(const fl_place *places, uint32_t count, const fl_place *one)
{
    for (uint32_t i = 0; i < count; i++) {
        if (memcmp(&places[i], one, sizeof *one) == 0) {
            return true;
        }
    }
    return false;
}

static void
later_draws_only_take_out_and_put_in(void **state)
{
    (void)state;
    static fl_place nodes[ROOM], first[ROOM], next[ROOM], more[ROOM];
    const fl_entropy entropy = s_entropy(2);
    uint32_t count = s_edge(nodes, 0, "e1", 0, 200);
    const uint32_t drawn = s_draw(NULL, 0, nodes, count, &entropy, first);
    assert_int_equal(drawn, 200);
    assert_int_equal(first[drawn - 1].pool + 1, 3); // 160 of 200 are there: 64 in a block
    assert_int_equal(s_draw(first, drawn, nodes, count, &entropy, next), drawn);
    assert_memory_equal(first, next, drawn * sizeof *first); // nothing new, nothing drawn
    //  d000 to d004 are revoked, five others come: the rest is where it was, in its order.
    memcpy(more, nodes, sizeof more);
    memmove(&more[1], &more[6], (count - 6) * sizeof *more);
    count -= 5;
    for (uint32_t i = 0; i < 5; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "d%03u", 500 + i);
        more[count++] = (fl_place){ more[0].edge, identity_node(name), 0 };
    }
    const uint32_t again = s_draw(first, drawn, more, count, &entropy, next);
    assert_int_equal(again, 200);
    uint32_t old = 0;
    for (uint32_t i = 0; i < drawn; i++) {
        if (s_number(&first[i]) >= 5) {
            assert_true(s_holds(next, again, &first[i]));
            while (memcmp(&next[old], &first[i], sizeof *next) != 0) {
                assert_true(s_number(&next[old]) >= 500); // only newcomers stand between
                old++;
            }
            old++;
        }
    }
    for (uint32_t i = 0; i < again; i++) {
        assert_true(s_number(&next[i]) >= 5);
    }
}

//  A newcomer is at every place of the smallest pools equally often.
static void
newcomers_come_to_random_places(void **state)
{
    (void)state;
    enum { N = 8 };
    fl_place nodes[N + 2], first[2 * N + 2], next[2 * N + 2];
    const fl_entropy entropy = s_entropy(3);
    uint32_t at[N + 1] = { 0 };
    const uint32_t count = s_edge(nodes, 0, "e1", 0, N + 1);
    const uint32_t drawn = s_draw(NULL, 0, nodes, count - 1, &entropy, first);
    for (uint32_t i = 0; i < draws; i++) {
        assert_int_equal(s_draw(first, drawn, nodes, count, &entropy, next), N + 1);
        uint32_t place = 0;
        while (s_number(&next[place]) != N) {
            place++;
        }
        at[place]++;
    }
    double chi2 = 0, expected = (double)draws / (N + 1);
    for (uint32_t i = 0; i <= N; i++) {
        chi2 += (at[i] - expected) * (at[i] - expected) / expected;
    }
    assert_true(chi2 < N + 4.5 * sqrt(2.0 * N));
}

static void
what_is_too_few_is_no_pool_and_what_is_too_many_is_drawn_anew(void **state)
{
    (void)state;
    static fl_place nodes[ROOM], first[ROOM], next[ROOM];
    const fl_entropy entropy = s_entropy(4);
    uint32_t count = s_edge(nodes, 0, "e1", 0, 2);
    assert_int_equal(s_draw(NULL, 0, nodes, count, &entropy, first), 1);
    assert_int_equal(first[0].node.name[0], '\0');
    count = s_edge(nodes, 0, "e1", 0, 3);
    assert_int_equal(s_draw(first, 1, nodes, count, &entropy, next), 3);
    count = s_edge(nodes, 0, "e1", 0, 80);
    uint32_t drawn = s_draw(NULL, 0, nodes, count, &entropy, first);
    assert_int_equal(first[drawn - 1].pool, 0); // one of 80
    count = s_edge(nodes, 0, "e1", 0, 129);
    drawn = s_draw(first, drawn, nodes, count, &entropy, next);
    assert_int_equal(next[drawn - 1].pool, 1); // it would have 129: two, of 64 and 65
    //  Uneven ones only when asked.
    memcpy(first, next, sizeof first);
    uint32_t kept = 1;
    for (uint32_t i = 0; i < drawn; i++) {
        if (first[i].pool == 0 || s_number(&first[i]) % 2 == 0) {
            nodes[kept++] = (fl_place){ first[i].edge, first[i].node, 0 };
        }
    }
    qsort(nodes, kept, sizeof *nodes, fl_place_order);
    for (int uneven = 0; uneven < 2; uneven++) {
        const uint32_t left =
            fl_drawing_next(first, drawn, nodes, kept, 80, uneven == 1, &entropy, next);
        uint32_t in_first = 0;
        for (uint32_t i = 0; i < left; i++) {
            in_first += next[i].pool == 0 ? 1 : 0;
        }
        assert_int_equal(in_first > 60, uneven == 0);
    }
}

//  Three edges, one of them below another.
static void
every_child_of_the_root_gets_the_pools_of_all_below_it(void **state)
{
    (void)state;
    static fl_place nodes[ROOM], places[ROOM];
    const fl_entropy entropy = s_entropy(5);
    fl_authority *authority = identity_authority(9);
    const fl_run run = { { 7 } };
    uint32_t count = s_edge(nodes, 0, "e1", 0, 5);
    count = s_edge(nodes, count, "e2", 10, 6);
    nodes[count++] = (fl_place){ identity_node("e2"), identity_node("e9"), 0 };
    count = s_edge(nodes, count, "e9", 20, 2);
    count = s_edge(nodes, count, "root", 30, 1);
    nodes[count++] = (fl_place){ identity_node("root"), identity_node("e1"), 0 };
    nodes[count++] = (fl_place){ identity_node("root"), identity_node("e2"), 0 };
    qsort(nodes, count, sizeof *nodes, fl_place_order);
    fl_drawing drawing = {
        .root = identity_node("root"), .online = 80, .epoch = 3, .places = places
    };
    drawing.count = s_draw(NULL, 0, nodes, count, &entropy, places);
    fl_pool_set set = { .epoch = 0 };
    assert_false(fl_drawing_give(&drawing, NULL, &run, &set));
    assert_true(fl_drawing_give(&drawing, authority, &run, &set));
    assert_int_equal(set.count, 3);
    assert_string_equal(set.parcels[0].to.name, "root");
    fl_pool_at at = { 0, 0 };
    fl_pool pool;
    fl_bytes whole;
    const fl_name e9 = identity_node("e9");
    assert_true(fl_pool_set_next(&set, &e9, &at, &pool, &whole));
    assert_int_equal(pool.count, 0); // nobody can mask there, and it is told so
    assert_string_equal(set.parcels[at.parcel].to.name, "e2");
    fl_drawing_view view = fl_drawing_look(&drawing);
    assert_int_equal(view.pools, 3);
    assert_int_equal(view.names, 5 + 7 + 3);
    assert_int_equal(view.floor, 4);
    assert_int_equal(view.bad, 2);
    drawing.floor = 3; // the operator's
    assert_int_equal(fl_drawing_look(&drawing).bad, 1);
    //  The authority may be away as long as nothing is new.
    assert_true(fl_drawing_give(&drawing, NULL, &run, &set));
    drawing.epoch++;
    assert_false(fl_drawing_give(&drawing, NULL, &run, &set));
    assert_int_equal(set.count, 0);
    fl_authority_destroy(&authority);
}

int
main(int argc, char **argv)
{
    draws = argc > 1 ? (uint32_t)atoi(argv[1]) : draws;
    if (fl_crypto_init(NULL) != FL_OK) {
        return 1;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_draw_is_uniform),
        cmocka_unit_test(later_draws_only_take_out_and_put_in),
        cmocka_unit_test(newcomers_come_to_random_places),
        cmocka_unit_test(what_is_too_few_is_no_pool_and_what_is_too_many_is_drawn_anew),
        cmocka_unit_test(every_child_of_the_root_gets_the_pools_of_all_below_it),
    };
    return cmocka_run_group_tests_name("cloud/drawing", tests, NULL, NULL);
}
