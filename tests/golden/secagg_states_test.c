//  The moves of both machines of a masked round, as the machines themselves note them while blocks
//  are run to every end, against the tables in docs/masking.md. To see them as they should stand:
//      build/<preset>/golden_masking_states_test --print
#include "tests/support/unit.h"

#include "tests/support/secagg.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_ROOM = 8 * 1024, FILE_ROOM = 256 * 1024, MEMBERS = 5, KEEPS = 8 };

//  [profile is honest][from]: a set of the states that were reached from there; what a block ended
//  as from there.
static uint32_t block_moves[2][FL_SERVER_STATES], member_moves[2][FL_CLIENT_STEPS];
static bool block_ends[FL_SERVER_STATES][FL_WHY_COUNT];
static fl_secagg_state block_at;
static fl_secagg_step member_at[MASKED_MEMBERS];

static char tables[TEXT_ROOM], document[FILE_ROOM];

// ---- watching ---------------------------------------------------------------------------------
static void
on_note(masked_world *world, int32_t index, const fl_note *note)
{
    int honest = world->plan.profile == FL_MASKING_HONEST;
    if (note->id == FL_NOTE_MASKING) {
        fl_secagg_state next = (fl_secagg_state)note->a;
        block_moves[honest][block_at] |= (uint32_t)1 << next;
        if (next == FL_SERVER_ABORTED) {
            block_ends[block_at][note->reason] = true;
        }
        block_at = next;
    } else if (note->id == FL_NOTE_MASKING_STEP) {
        FL_ASSERT(index >= 0);
        fl_secagg_step next = (fl_secagg_step)note->a;
        member_moves[honest][member_at[index]] |= (uint32_t)1 << next;
        member_at[index] = next;
    }
}

static masked_world *
s_world(fl_masking profile)
{
    masked_plan plan = masked_plan_small(MEMBERS);
    plan.profile = profile;
    masked_world *world = masked_new(&plan, 1);
    world->note_hook = on_note;
    block_at = FL_SERVER_INVITED; // the one state that is reached without a note
    memset(member_at, 0, sizeof member_at);
    return world;
}

static void
s_end(masked_world *world, fl_reason reason)
{
    for (uint32_t i = 0; i < MEMBERS; i++) {
        fl_secagg_client_end(world->member[i].machine, reason, world->out);
        masked_obey(world, (int32_t)i);
    }
    masked_destroy(&world);
}

//  `sum`: what is wrong with the opened sum.
static void
s_run(fl_masking profile, masked_drop drop, uint32_t lost, fl_reason sum)
{
    masked_world *world = s_world(profile);
    for (uint32_t i = 0; i < lost; i++) {
        world->member[i].drop = drop;
    }
    world->checksum_error = sum == FL_WHY_CHECKSUM;
    world->unmask_fails = sum == FL_WHY_STORAGE ? sum : FL_WHY_NONE;
    masked_open(world);
    fl_reason reason = masked_run(world);
    s_end(world, reason);
}

//  The aggregator's fact number `failing` cannot be kept.
static void
s_run_without_disk(fl_masking profile, int failing)
{
    masked_world *world = s_world(profile);
    world->hold_saved = true;
    masked_open(world);
    for (int kept = 0; kept <= failing; kept++) {
        for (int turns = 0; turns < 32 && world->token == 0; turns++) {
            if (!masked_settle(world) && world->token == 0) {
                world->now = fl_secagg_server_deadline(world->aggregator);
                fl_secagg_server_tick(world->aggregator, world->now, world->out);
                masked_obey(world, -1);
            }
        }
        if (world->token != 0) {
            masked_answer_saved(world, kept < failing);
            world->token = 0;
        }
    }
    s_end(world, FL_WHY_STORAGE);
}

//  The same model after a round that failed: they wait in vain, and then with proof.
static void
s_run_again(fl_masking profile)
{
    masked_world *world = s_world(profile);
    for (uint32_t i = 0; i < 3; i++) {
        world->member[i].drop = MASKED_BEFORE_UPLOAD;
    }
    masked_open(world);
    (void)masked_run(world);
    for (uint32_t i = 0; i < 3; i++) {
        world->member[i].drop = MASKED_STAYS;
    }
    masked_lapse(world);
    block_at = FL_SERVER_INVITED;
    masked_next_round(world, 2, true);
    masked_open(world);
    (void)masked_run(world);
    masked_lapse(world);
    block_at = FL_SERVER_INVITED;
    masked_next_round(world, 3, true);
    masked_open(world);
    masked_tell_burnt(world);
    s_end(world, masked_run(world));
}

static void
s_watch(void)
{
    static const fl_masking profiles[] = { FL_MASKING_MALICIOUS, FL_MASKING_HONEST };
    for (int p = 0; p < 2; p++) {
        s_run(profiles[p], MASKED_STAYS, 0, FL_WHY_NONE);
        s_run(profiles[p], MASKED_STAYS, 0, FL_WHY_CHECKSUM);
        s_run(profiles[p], MASKED_STAYS, 0, FL_WHY_STORAGE);
        for (int drop = MASKED_BEFORE_KEYS; drop < MASKED_DROPS; drop++) {
            s_run(profiles[p], (masked_drop)drop, 1, FL_WHY_NONE);
            s_run(profiles[p], (masked_drop)drop, 3, FL_WHY_NONE);
        }
        for (int failing = 0; failing < KEEPS; failing++) {
            s_run_without_disk(profiles[p], failing);
        }
        s_run_again(profiles[p]);
    }
}

// ---- telling ----------------------------------------------------------------------------------
static void __attribute__((format(printf, 1, 2))) s_print(const char *format, ...)
{
    size_t used = strlen(tables);
    va_list args;
    va_start(args, format);
    int size = vsnprintf(tables + used, sizeof tables - used, format, args);
    va_end(args);
    FL_ASSERT(size >= 0 && used + (size_t)size < sizeof tables);
}

typedef const char *name_of(unsigned number);

static const char *
s_state_name(unsigned number)
{
    return fl_secagg_state_name((fl_secagg_state)number);
}

static const char *
s_step_name(unsigned number)
{
    return fl_secagg_step_name((fl_secagg_step)number);
}

//  " `a`, `b` |", " |" for none.
static void
s_cell(uint64_t set, name_of *name)
{
    bool first = true;
    for (unsigned i = 0; i < 64; i++) {
        if ((set >> i & 1) != 0) {
            s_print("%s`%s`", first ? " " : ", ", name(i));
            first = false;
        }
    }
    s_print(" |");
}

static void
s_tell(void)
{
    s_print("| member | next | next, `honest` |\n|---|---|---|\n");
    for (unsigned step = 0; step < FL_CLIENT_STEPS; step++) {
        s_print("| `%s` |", s_step_name(step));
        s_cell(member_moves[0][step], s_step_name);
        s_cell(member_moves[1][step], s_step_name);
        s_print("\n");
    }
    s_print("\n| block | next | next, `honest` | aborted as |\n|---|---|---|---|\n");
    for (unsigned state = FL_SERVER_INVITED; state < FL_SERVER_STATES; state++) {
        uint32_t ended = (uint32_t)1 << FL_SERVER_ABORTED;
        s_print("| `%s` |", s_state_name(state));
        s_cell(block_moves[0][state] & ~ended, s_state_name);
        s_cell(block_moves[1][state] & ~ended, s_state_name);
        const char *between = " ";
        for (unsigned reason = 0; reason < FL_WHY_COUNT; reason++) {
            if (block_ends[state][reason]) {
                s_print("%s`%s`", between, fl_reason_name((fl_reason)reason));
                between = ", ";
            }
        }
        s_print(" |\n");
    }
}

// ---- tests ------------------------------------------------------------------------------------
static bool
s_load(const char *path)
{
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        return false;
    }
    document[fread(document, 1, sizeof document - 1, file)] = '\0';
    return fclose(file) == 0;
}

static void
the_document_has_the_moves_that_the_machines_make(void **state)
{
    (void)state;
    assert_true(s_load("docs/masking.md"));
    for (const char *line = tables; *line != '\0'; line = strchr(line, '\n') + 1) {
        char wanted[512];
        (void)snprintf(wanted, sizeof wanted, "\n%.*s\n", (int)strcspn(line, "\n"), line);
        if (strstr(document, wanted) == NULL) {
            fail_msg("docs/masking.md lacks this line:%s", wanted);
        }
    }
}

//  The runs above went everywhere: without this the tables could shrink unseen.
static void
every_state_and_step_was_left(void **state)
{
    (void)state;
    for (int honest = 0; honest < 2; honest++) {
        for (unsigned step = 0; step < FL_CLIENT_STEPS; step++) {
            assert_int_equal(member_moves[honest][step] == 0, honest && step == FL_CLIENT_ACKED);
        }
        for (unsigned at = FL_SERVER_INVITED; at < FL_SERVER_DONE; at++) {
            assert_int_equal(block_moves[honest][at] == 0, honest && at == FL_SERVER_ACKING);
        }
    }
    assert_int_equal(block_moves[0][FL_SERVER_DONE] | block_moves[0][FL_SERVER_ABORTED], 0);
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_document_has_the_moves_that_the_machines_make),
        cmocka_unit_test(every_state_and_step_was_left),
    };
    s_watch();
    s_tell();
    if (argc == 2 && strcmp(argv[1], "--print") == 0) {
        (void)fputs(tables, stdout);
        return 0;
    }
    return cmocka_run_group_tests_name("golden/masking_states", tests, NULL, NULL);
}
