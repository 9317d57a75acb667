//  The rule of marks (docs/decisions/0027) as a model, searched whole: every order in which a
//  parent that lies can have members of a block mask, give shares, end, crash before or after a
//  mark is durable, say BURNT, hear BURNTS and mask again. Members of one kind are alike, so a
//  state is how many of them stand where. Bad ones give every share and every signature. A
//  violation: the shares of the block are complete, and somebody of it has masked again.
#include "tests/support/unit.h"

#include <stdlib.h>
#include <string.h>

#include "common/secagg/secagg.h"

enum { HONEST_MAX = 6, TABLE = 1 << 22, MOVES = 10 };

//  Where an honest member stands: in hand, its mark as it is durable, and what it has done.
enum { OUT, DEALT, MARKING, MASKED, RELEASING, RELEASED };
enum { NO_MARK, MARKED, GIVEN };
typedef struct a_stand {
    uint8_t at, mark;
    bool left, gave, said, again; // masked bytes; shares; BURNT; masked bytes once more
} a_stand;

//  The rule; all zero but `signatures`: as it is built.
typedef struct a_rule {
    uint32_t members, bad, signatures;
    bool bound_late; // the mark binds only once shares were given
    bool both_words; // who gave shares says BURNT, too
    bool told_early; // shares leave before the mark is durable
    bool any_run;    // signatures of a block of another run count
    uint32_t runs;   // 1 or 2, with one model
    bool draws;      // or, instead of two runs, two draws of one run
    bool one_update; // which are of one update
} a_rule;

//  Two runs, or draws: each member stands in both; in hand at most in one.
typedef struct a_state {
    uint16_t member[HONEST_MAX]; // sorted; 8 bits for each run
} a_state;

static a_state *table;
static uint8_t *used;
static uint32_t *stack;
static uint32_t stacked, found;

// ---- a member -----------------------------------------------------------------------------------
static uint8_t
s_pack(a_stand stand)
{
    //  What only those ask for who have masked is forgotten with them: fewer states.
    if (stand.at == OUT && !stand.left) {
        stand.mark = NO_MARK;
    }
    return (uint8_t)(stand.at | stand.mark << 3 | (stand.left || stand.at >= MASKED) << 5 |
                     (stand.gave ? 1 : 0) << 6 | (stand.said ? 1 : 0) << 7);
}

//  `again` takes the value of `at` that nobody else has.
enum { AGAIN = 7 };

static a_stand
s_unpack(uint8_t packed)
{
    a_stand stand = { .at = packed & 7,
                      .mark = packed >> 3 & 3,
                      .left = (packed >> 5 & 1) != 0,
                      .gave = (packed >> 6 & 1) != 0,
                      .said = packed >> 7 != 0 };
    stand.again = stand.at == AGAIN;
    return stand;
}

//  What one may do next in one run: how many moves there are. `proved`: enough signatures are out.
static uint32_t
s_moves(const a_rule *rule, a_stand now, bool proved, uint8_t next[MOVES])
{
    uint32_t count = 0;
    a_stand to;
#define MOVE(...) (to = now, __VA_ARGS__, next[count++] = s_pack(to))
    if (now.at == DEALT) {
        MOVE(to.at = MARKING);
    } else if (now.at == MARKING) {
        MOVE(to.at = MASKED, to.mark = MARKED, to.left = true);
        MOVE(to.at = OUT, to.mark = MARKED); // a crash once it was durable
    } else if (now.at == MASKED) {
        MOVE(to.at = RELEASING, to.gave = rule->told_early);
    } else if (now.at == RELEASING) {
        MOVE(to.at = RELEASED, to.mark = GIVEN, to.gave = true);
        MOVE(to.at = OUT, to.mark = GIVEN);
    }
    if (now.at != OUT && now.at != AGAIN) {
        MOVE(to.at = OUT); // CLOSED, or a crash: what was in memory is gone
    }
    if (now.at == OUT && !now.said && (now.mark != GIVEN || rule->both_words)) {
        MOVE(to.said = true);
    }
    if (now.at == OUT && now.mark != NO_MARK && proved) {
        MOVE(to.mark = NO_MARK);
    }
    bool free = now.mark == NO_MARK || (rule->bound_late && now.mark == MARKED);
    if (now.at == OUT && now.left && free) {
        MOVE(to.at = AGAIN);
    }
#undef MOVE
    return count;
}

// ---- the search ---------------------------------------------------------------------------------
static int
s_order(const void *a, const void *b)
{
    return (int)*(const uint16_t *)a - (int)*(const uint16_t *)b;
}

static void
s_push(a_state next)
{
    qsort(next.member, HONEST_MAX, sizeof next.member[0], s_order);
    uint64_t hash = 14695981039346656037u;
    for (uint32_t i = 0; i < HONEST_MAX; i++) {
        hash = (hash ^ next.member[i]) * 1099511628211u;
    }
    uint32_t at = (uint32_t)(hash >> 32 ^ hash) % TABLE;
    while (used[at] != 0) {
        if (memcmp(&table[at], &next, sizeof next) == 0) {
            return;
        }
        at = (at + 1) % TABLE;
    }
    assert_true(found < TABLE / 2);
    found++;
    used[at] = 1;
    table[at] = next;
    stack[stacked++] = at;
}

static uint32_t
s_count(const a_rule *rule, const a_state *now, uint32_t run, bool shares)
{
    uint32_t count = rule->bad;
    for (uint32_t i = 0; i < rule->members - rule->bad; i++) {
        a_stand one = s_unpack((uint8_t)(now->member[HONEST_MAX - 1 - i] >> 8 * run));
        count += shares ? one.gave : one.said;
    }
    return count;
}

static bool
s_violated(const a_rule *rule, const a_state *now)
{
    for (uint32_t run = 0; run < rule->runs; run++) {
        bool again = false;
        for (uint32_t i = 0; i < HONEST_MAX; i++) {
            again = again || s_unpack((uint8_t)(now->member[i] >> 8 * run)).again;
        }
        if (again && s_count(rule, now, run, true) >= fl_secagg_threshold(rule->members)) {
            return true;
        }
    }
    bool both = rule->one_update;
    for (uint32_t run = 0; run < 2 && both; run++) {
        both = s_count(rule, now, run, true) >= fl_secagg_threshold(rule->members);
    }
    for (uint32_t i = 0; i < HONEST_MAX && both; i++) {
        if (s_unpack((uint8_t)now->member[i]).left &&
            s_unpack((uint8_t)(now->member[i] >> 8)).left) {
            return true;
        }
    }
    return false;
}

static void
s_visit(const a_rule *rule, const a_state *now)
{
    bool proved[2] = { false, false };
    for (uint32_t run = 0; run < rule->runs; run++) {
        proved[run] = s_count(rule, now, run, false) >= rule->signatures;
    }
    proved[0] = proved[0] || (rule->any_run && proved[1]);
    proved[1] = proved[1] || (rule->any_run && proved[0]);
    for (uint32_t i = HONEST_MAX - (rule->members - rule->bad); i < HONEST_MAX; i++) {
        for (uint32_t run = 0; run < rule->runs; run++) {
            uint8_t next[MOVES];
            uint8_t other = (uint8_t)(now->member[i] >> 8 * (1 - run));
            uint32_t at = s_unpack(other).at;
            a_stand mine = s_unpack((uint8_t)(now->member[i] >> 8 * run));
            if (rule->runs == 2 && mine.at == DEALT && at != OUT && at != AGAIN && at != DEALT) {
                continue; // one round is in hand at a time
            }
            const bool later = rule->draws && run == 0 && s_unpack(other).mark != NO_MARK;
            if (later && mine.at == DEALT) {
                continue; // an earlier draw than one with a mark is not masked
            }
            uint32_t count = s_moves(rule, mine, proved[run], next);
            for (uint32_t m = 0; m < count; m++) {
                a_state then = *now;
                if (later && s_unpack(next[m]).again && !mine.again) {
                    continue;
                }
                then.member[i] = (uint16_t)(other << 8 * (1 - run) | next[m] << 8 * run);
                s_push(then);
            }
        }
    }
}

//  Does the rule break?
static bool
s_breaks(const a_rule *rule)
{
    const uint32_t honest = rule->members - rule->bad;
    const uint8_t dealt = s_pack((a_stand){ .at = DEALT });
    a_state first = { { 0 } };
    assert_true(honest <= HONEST_MAX);
    for (uint32_t i = 0; i < honest; i++) {
        first.member[i] = (uint16_t)(dealt | (rule->runs == 2 ? dealt << 8 : 0));
    }
    memset(used, 0, TABLE);
    stacked = found = 0;
    bool breaks = false;
    s_push(first);
    while (stacked > 0 && !breaks) {
        const a_state now = table[stack[--stacked]];
        breaks = s_violated(rule, &now);
        s_visit(rule, &now);
    }
    return breaks;
}

// ---- what it finds ------------------------------------------------------------------------------
static a_rule
s_rule(uint32_t members, uint32_t bad)
{
    return (a_rule){
        .members = members, .bad = bad, .signatures = fl_secagg_threshold(members), .runs = 1
    };
}

static void
below_the_cliff_no_order_breaks_the_rule_and_at_it_one_does(void **unused)
{
    (void)unused;
    for (uint32_t n = 3; n <= 6; n++) {
        const uint32_t cliff = 2 * fl_secagg_threshold(n) - n;
        for (uint32_t bad = 0; bad <= cliff && bad < n; bad++) {
            const a_rule rule = s_rule(n, bad);
            assert_int_equal(s_breaks(&rule), bad == cliff);
        }
    }
}

static void
each_part_of_the_rule_is_needed(void **unused)
{
    (void)unused;
    for (uint32_t n = 3; n <= 6; n++) {
        const uint32_t most = 2 * fl_secagg_threshold(n) - n - 1;
        a_rule few = s_rule(n, most), late = s_rule(n, 0), both = s_rule(n, 0),
               early = s_rule(n, 0);
        few.signatures--;
        late.bound_late = true;
        both.both_words = true;
        early.told_early = true;
        assert_true(s_breaks(&few));
        assert_true(s_breaks(&late));
        assert_true(s_breaks(&both));
        assert_true(s_breaks(&early));
    }
}

//  A member masks in both runs from one model: a block of one says nothing of that of the other.
static void
two_runs_of_one_model_are_each_by_itself(void **unused)
{
    (void)unused;
    a_rule two = s_rule(3, 0);
    two.runs = 2;
    assert_false(s_breaks(&two));
    two.any_run = true;
    assert_true(s_breaks(&two));
}

//  The root raises the draw whenever it likes. An honest member has another update there.
static void
two_draws_of_one_model_are_each_by_itself(void **unused)
{
    (void)unused;
    for (uint32_t bad = 0; bad < 2; bad++) { // of three and of four, below the cliff
        a_rule draws = s_rule(3 + bad, bad);
        draws.runs = 2;
        draws.draws = true;
        assert_false(s_breaks(&draws));
        draws.one_update = true;
        assert_true(s_breaks(&draws));
    }
}

//  With so many bad members both words can be had exactly from the cliff on.
static void
the_count_holds_for_every_size(void **unused)
{
    (void)unused;
    for (uint32_t n = 3; n <= 64; n++) {
        const uint32_t t = fl_secagg_threshold(n);
        for (uint32_t bad = 0; bad <= n; bad++) {
            bool possible = false;
            for (uint32_t signers = 0; signers <= n - bad; signers++) {
                possible = possible || (signers + bad >= t && n - signers >= t);
            }
            assert_int_equal(possible, bad + n >= 2 * t);
        }
    }
}

int
main(void)
{
    table = malloc(TABLE * sizeof *table);
    used = malloc(TABLE);
    stack = malloc(TABLE * sizeof *stack);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(below_the_cliff_no_order_breaks_the_rule_and_at_it_one_does),
        cmocka_unit_test(each_part_of_the_rule_is_needed),
        cmocka_unit_test(two_runs_of_one_model_are_each_by_itself),
        cmocka_unit_test(two_draws_of_one_model_are_each_by_itself),
        cmocka_unit_test(the_count_holds_for_every_size),
    };
    int failed = cmocka_run_group_tests_name("core/marks_model", tests, NULL, NULL);
    free(table);
    free(used);
    free(stack);
    return failed;
}
