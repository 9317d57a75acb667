//  One member against a parent that says what it likes, in any order, with every other member of
//  the block in its pocket: what the member gives is exactly what a second reading of the rules (R1
//  to R5), written for this test alone, says that it may. With a number, so many cases for each
//  size: unit_core_masking_words_test 100000 [seed]
#include "tests/support/unit.h"

#include "tests/support/secagg.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/secagg/client_inside.h"

enum { ME = 0, BLOCK = 3, WORDS_MAX = 7, VARIANTS = 2, KINDS = 3 };
enum { MASKSET, SURVIVORS, ACKS };

//  A word: a set, and whose signatures in its list are true.
typedef struct word {
    uint64_t set, valid;
} word;

typedef struct script {
    word of[KINDS][VARIANTS];
    uint8_t kind[WORDS_MAX], variant[WORDS_MAX]; // in the order in which they are said
    uint32_t count;
} script;

static masked_world *world;
static fl_secagg_client saved;
static fl_secagg_secrets saved_secrets;
static uint64_t gave_self, gave_pair;
static uint32_t unmasks, acks, masks;

// ---- the second reading ------------------------------------------------------------------------
typedef struct reading {
    int step;         // 0 ready, 1 masked, 2 acknowledged, 3 opened; -1 burnt or out
    int heard[KINDS]; // variant, -1: none
    uint64_t maskset, survivors, signers;
    uint32_t masks, acks, unmasks;
    uint64_t self, pair;
} reading;

static uint32_t
s_size(uint64_t set)
{
    uint32_t size = 0;
    for (; set != 0; set >>= 1) {
        size += (uint32_t)(set & 1);
    }
    return size;
}

static bool
s_mine(uint64_t set)
{
    return (set >> ME & 1) != 0;
}

static void
s_read_maskset(reading *self, uint32_t n, uint64_t good, uint64_t set)
{
    uint32_t t = (n + n / 4) / 2 + 1, least = t > 3 ? t : 3;
    bool fine = set >> n == 0 && s_mine(set) && (set & ~good) == 0 && s_size(set) >= least;
    self->step = fine ? 1 : -1;
    self->maskset = fine ? set : 0;
    self->masks += fine;
}

static void
s_read_survivors(reading *self, uint32_t n, const word *said)
{
    uint32_t t = (n + n / 4) / 2 + 1, least = t > 3 ? t : 3;
    if (said->set >> n == 0 && !s_mine(said->set)) {
        return; // the round goes on without us, and we say nothing more
    }
    bool fine =
        said->set >> n == 0 && (said->set & ~self->maskset) == 0 && s_size(said->set) >= least;
    self->step = fine ? 2 : -1;
    self->survivors = said->set;
    self->signers = (said->set & said->valid) | (uint64_t)1 << ME;
    self->acks += fine;
}

static void
s_read_acks(reading *self, uint32_t n, const word *said)
{
    uint64_t others = said->set & said->valid & self->survivors & ~((uint64_t)1 << ME);
    bool fine = said->set >> n == 0 && 1 + s_size(others) >= (n + n / 4) / 2 + 1;
    self->step = fine ? 3 : -1;
    if (fine) {
        self->unmasks++;
        self->self = self->survivors & self->signers;
        self->pair = self->maskset & ~self->survivors;
    }
}

static bool
s_same(const script *play, int kind, int one, int other)
{
    const word *a = &play->of[kind][one], *b = &play->of[kind][other];
    bool listed = kind != MASKSET; // lists differ where signatures do
    return a->set == b->set && (!listed || (a->valid & a->set) == (b->valid & b->set));
}

static reading
s_second_reading(const script *play, uint32_t n, uint64_t good)
{
    reading self = { .heard = { -1, -1, -1 } };
    for (uint32_t i = 0; i < play->count && self.step >= 0; i++) {
        int kind = play->kind[i], variant = play->variant[i];
        if (self.heard[kind] >= 0) {
            self.step = s_same(play, kind, self.heard[kind], variant) ? self.step : -1;
            continue;
        }
        if (self.step != kind) {
            continue; // not due
        }
        self.heard[kind] = variant;
        if (kind == MASKSET) {
            s_read_maskset(&self, n, good, play->of[kind][variant].set);
        } else if (kind == SURVIVORS) {
            s_read_survivors(&self, n, &play->of[kind][variant]);
        } else {
            s_read_acks(&self, n, &play->of[kind][variant]);
        }
    }
    return self;
}

// ---- the member --------------------------------------------------------------------------------
static bool
s_watch(masked_world *of, int32_t from, int32_t to, fl_message *message)
{
    (void)of;
    (void)to;
    if (from == ME && message->verb == FL_UNMASK) {
        unmasks++;
        gave_self = message->unmask.self;
        gave_pair = message->unmask.pair;
    }
    acks += from == ME && message->verb == FL_ACK;
    return false;
}

static void
s_count_mask(masked_world *of, uint32_t index, const fl_effect *effect)
{
    (void)of;
    (void)effect;
    masks += index == ME;
}

//  The list of a word: true signatures of those in `valid`, broken ones of the others.
static size_t
s_sign(const word *said, bool upload, uint8_t *list)
{
    const fl_secagg_client *machine = world->member[ME].machine;
    size_t size = 0;
    for (uint32_t i = 0; i < FL_MEMBERS_MAX; i++) {
        if ((said->set >> i & 1) == 0) {
            continue;
        }
        const fl_keys *keys = world->member[i < world->plan.members ? i : 1].keys;
        if (upload) {
            fl_transcript_psig(keys, &machine->ctx, i, list + size);
        } else {
            fl_transcript_asig(keys, &machine->ctx, &machine->survivors_hash, i, list + size);
        }
        list[size] ^= (said->valid >> i & 1) != 0 ? 0 : 1;
        size += FL_SIGN_BYTES;
    }
    return size;
}

static void
s_say(const script *play, uint32_t at)
{
    static uint8_t list[FL_MEMBERS_MAX * FL_SIGN_BYTES];
    const word *said = &play->of[play->kind[at]][play->variant[at]];
    fl_message message;
    if (play->kind[at] == MASKSET) {
        message = masked_message(world, FL_MASKSET);
        message.maskset = (fl_block_word){ .block = BLOCK, .set = said->set };
    } else if (play->kind[at] == SURVIVORS) {
        message = masked_message(world, FL_SURVIVORS);
        message.survivors =
            (fl_block_word){ BLOCK, said->set, fl_bytes_of(list, s_sign(said, true, list)) };
    } else {
        message = masked_message(world, FL_ACKS);
        message.acks =
            (fl_block_word){ BLOCK, said->set, fl_bytes_of(list, s_sign(said, false, list)) };
    }
    masked_say(world, ME, &message);
}

//  The member as it was when it said READY, and everything that it is told. The lists are signed
//  anew each time, under what the member thinks by then: a word said twice may differ by that.
static void
s_play(const script *play)
{
    unmasks = acks = masks = 0;
    *world->member[ME].machine = saved;
    *world->member[ME].machine->secrets = saved_secrets;
    for (uint32_t i = 0; i < play->count; i++) {
        s_say(play, i);
    }
}

// ---- scripts -----------------------------------------------------------------------------------
static uint64_t
s_random_set(fl_rng *rng, uint32_t n, uint64_t within)
{
    uint64_t set = within & (((uint64_t)1 << n) - 1);
    uint64_t most = fl_rng_below(rng, 2) == 0 ? 1 : 1 + n / 3;
    for (uint64_t drops = fl_rng_below(rng, most); drops > 0; drops--) {
        set &= ~((uint64_t)1 << fl_rng_below(rng, n));
    }
    if (fl_rng_below(rng, 12) == 0) {
        set ^= (uint64_t)1 << fl_rng_below(rng, n + 2); // somebody else, or nobody at all
    }
    return set;
}

static script
s_random_script(fl_rng *rng, uint32_t n, uint64_t good)
{
    script play = { .count = 3 + (uint32_t)fl_rng_below(rng, WORDS_MAX - 2) };
    for (int v = 0; v < VARIANTS; v++) {
        uint64_t all = ((uint64_t)1 << n) - 1;
        play.of[MASKSET][v].set = s_random_set(rng, n, fl_rng_below(rng, 10) == 0 ? all : good);
        play.of[SURVIVORS][v].set = s_random_set(rng, n, play.of[MASKSET][0].set);
        play.of[ACKS][v].set = s_random_set(rng, n, play.of[SURVIVORS][0].set);
        for (int kind = SURVIVORS; kind <= ACKS; kind++) {
            play.of[kind][v].valid = s_random_set(rng, n, all);
        }
    }
    bool orderly = fl_rng_below(rng, 3) > 0;
    for (uint32_t i = 0; i < play.count; i++) {
        play.kind[i] = (uint8_t)(orderly && i < 3 ? i : fl_rng_below(rng, KINDS));
        play.variant[i] = (uint8_t)(orderly && i < 3 ? 0 : fl_rng_below(rng, VARIANTS));
    }
    return play;
}

//  True when a word of a kind that has a list is said again after more has become known: its
//  signatures are then of another context, and the second reading cannot tell.
static bool
s_blurred(const script *play)
{
    uint32_t seen = 0;
    for (uint32_t i = 0; i < play->count; i++) {
        uint32_t bit = (uint32_t)1 << play->kind[i];
        if (play->kind[i] != MASKSET && (seen & bit) != 0) {
            return true;
        }
        seen |= bit;
    }
    return false;
}

static uint32_t
s_cases(uint32_t n, uint32_t cases, uint64_t seed)
{
    fl_rng rng = fl_rng_seeded(seed + n);
    masked_plan plan = masked_plan_small(n);
    uint32_t opened = 0;
    world = masked_new(&plan, n);
    world->member[n - 1].drop = n > 4 ? MASKED_BEFORE_SHARES : MASKED_STAYS; // not all are good
    masked_open(world);
    while (fl_secagg_client_step_of(world->member[ME].machine) != FL_CLIENT_READY) {
        if (!masked_deliver(world)) {
            world->now = fl_secagg_server_deadline(world->aggregator);
            fl_secagg_server_tick(world->aggregator, world->now, world->out);
            masked_obey(world, -1);
        }
    }
    world->hook = s_watch;
    world->seeds_hook = s_count_mask;
    saved = *world->member[ME].machine;
    saved_secrets = *world->member[ME].machine->secrets;
    for (uint32_t i = 0; i < cases; i++) {
        script play = s_random_script(&rng, n, saved.good);
        reading want = s_second_reading(&play, n, saved.good);
        s_play(&play);
        assert_true(unmasks <= 1 && acks <= 1 && masks <= 1);
        if (s_blurred(&play)) {
            continue;
        }
        assert_int_equal(masks, want.masks);
        assert_int_equal(acks, want.acks);
        assert_int_equal(unmasks, want.unmasks);
        assert_true(unmasks == 0 || (gave_self == want.self && gave_pair == want.pair));
        opened += unmasks;
    }
    masked_destroy(&world);
    return opened;
}

static void
a_member_gives_what_the_rules_say_and_nothing_else(void **state)
{
    (void)state;
    static const uint32_t sizes[] = { 3, 4, 5, 6, 8, 10 };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        uint32_t opened = s_cases(sizes[i], 400, 1);
        assert_true(opened > 20 && opened < 380); // sometimes it may, sometimes it may not
    }
}

int
main(int argc, char **argv)
{
    if (argc > 1) {
        uint32_t cases = (uint32_t)strtoul(argv[1], NULL, 10);
        uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 2;
        for (uint32_t n = 3; n <= 12; n++) {
            (void)printf("%u members: %u of %u scripts open a sum, all as the rules say\n", n,
                         s_cases(n, cases, seed), cases);
        }
        return 0;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_member_gives_what_the_rules_say_and_nothing_else),
    };
    return cmocka_run_group_tests_name("core/masking_words", tests, NULL, NULL);
}
