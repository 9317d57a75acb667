//  fl-sim - run seeds of the simulator, say what blew and what came of it, and name the first seed
//  that failed with the command that plays it again.
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/sim/sim.h"

enum { JOBS_MAX = 8, FAILED = 1, USAGE = 2, SENTENCE = 240 };

typedef struct choice {
    uint64_t first, last;
    const char *file; // of seeds, instead of a range
    uint64_t *seeds;  // (seed_count) of the file
    uint32_t seed_count;
    uint32_t nodes, jobs;
    fl_sim_masking masking;
    fl_sim_plant plant;
    bool trace;
} choice;

//  What a worker shares with whoever started it.
typedef struct desk {
    volatile uint64_t done;
    volatile uint64_t at; // the seed in hand
    bool failed;
    fl_sim_checker checker;
    char sentence[SENTENCE];
    fl_sim_totals totals;
} desk;

static desk *own; // of this process, for the signal handler

// ---- the command line -------------------------------------------------------------------------
static int
s_usage(const char *wrong)
{
    fprintf(stderr,
            "fl-sim: cannot use «%s»\n"
            "usage: fl-sim [--seeds A..B | --file PATH] [--nodes N] [--jobs N]\n"
            "              [--masking drawn|never|always] [--plant NAME] [--trace] [--no-memo]\n"
            "plants:",
            wrong);
    for (int i = 1; i < PLANTS; i++) {
        fprintf(stderr, " %s", fl_sim_plant_name((fl_sim_plant)i));
    }
    fprintf(stderr, "\n");
    return USAGE;
}

static bool
s_number(const char *text, uint64_t low, uint64_t high, uint64_t *number)
{
    char *end = NULL;
    errno = 0;
    *number = strtoull(text, &end, 10);
    return errno == 0 && end != text && *end == '\0' && *number >= low && *number <= high;
}

static bool
s_range(const char *text, choice *options)
{
    char *end = NULL;
    options->first = strtoull(text, &end, 10);
    options->last = options->first;
    if (end == text) {
        return false;
    }
    return *end == '\0' || (strncmp(end, "..", 2) == 0 &&
                            s_number(end + 2, options->first, UINT64_MAX - 1, &options->last));
}

static bool
s_plant(const char *text, fl_sim_plant *plant)
{
    for (int i = 1; i < PLANTS; i++) {
        if (strcmp(text, fl_sim_plant_name((fl_sim_plant)i)) == 0) {
            *plant = (fl_sim_plant)i;
            return true;
        }
    }
    return false;
}

static const char *const maskings[] = {
    [SIM_MASKING_DRAWN] = "drawn", [SIM_MASKING_NEVER] = "never", [SIM_MASKING_ALWAYS] = "always"
};

static bool
s_masking(const char *text, fl_sim_masking *masking)
{
    for (int i = SIM_MASKING_DRAWN; i <= SIM_MASKING_ALWAYS; i++) {
        if (strcmp(text, maskings[i]) == 0) {
            *masking = (fl_sim_masking)i;
            return true;
        }
    }
    return false;
}

static bool
s_option(const char *name, const char *value, choice *options)
{
    uint64_t number = 0;
    if (strcmp(name, "--seeds") == 0) {
        return s_range(value, options);
    }
    if (strcmp(name, "--file") == 0) {
        options->file = value;
        return true;
    }
    if (strcmp(name, "--masking") == 0) {
        return s_masking(value, &options->masking);
    }
    if (strcmp(name, "--plant") == 0) {
        return s_plant(value, &options->plant);
    }
    if (strcmp(name, "--nodes") == 0 && s_number(value, 2, SIM_NODES_MAX, &number)) {
        options->nodes = (uint32_t)number;
        return true;
    }
    if (strcmp(name, "--jobs") == 0 && s_number(value, 1, JOBS_MAX, &number)) {
        options->jobs = (uint32_t)number;
        return true;
    }
    return false;
}

//  One seed a line; what follows a # is for people.
static bool
s_read_seeds(choice *options)
{
    FILE *file = fopen(options->file, "r");
    if (file == NULL) {
        return false;
    }
    char line[256];
    while (fgets(line, sizeof line, file) != NULL) {
        char *end = NULL;
        uint64_t seed = strtoull(line, &end, 10);
        if (end != line) {
            options->seeds = fl_sim_grow(options->seeds, (options->seed_count + 1) * sizeof seed);
            options->seeds[options->seed_count++] = seed;
        }
    }
    fclose(file);
    options->first = 0;
    options->last = options->seed_count > 0 ? options->seed_count - 1 : 0;
    return options->seed_count > 0;
}

// ---- one worker -------------------------------------------------------------------------------
//  A panic inside a machine: say which seed it was, with nothing but write.
static void
s_on_panic(int number)
{
    char digits[24];
    size_t at = sizeof digits;
    uint64_t seed = own->at;
    do {
        digits[--at] = (char)('0' + seed % 10);
        seed /= 10;
    } while (seed > 0);
    static const char before[] = "fl-sim: a machine panicked; replay: fl-sim --trace --seeds ";
    ssize_t written = write(STDERR_FILENO, before, sizeof before - 1);
    written += write(STDERR_FILENO, digits + at, sizeof digits - at);
    written += write(STDERR_FILENO, "\n", 1);
    (void)written;
    own->failed = true;
    signal(number, SIG_DFL);
    raise(number);
}

static uint64_t
s_seed_at(const choice *options, uint64_t index)
{
    return options->file != NULL ? options->seeds[index] : index;
}

static void
s_say_failure(const choice *options, const desk *share)
{
    printf("FAILED %s, seed %" PRIu64 ": %s\n  replay: fl-sim --seeds %" PRIu64 " --nodes %u "
           "--masking %s%s%s --trace\n",
           fl_sim_checker_name(share->checker), share->at, share->sentence, share->at,
           options->nodes, maskings[options->masking],
           options->plant != PLANT_NONE ? " --plant " : "",
           options->plant != PLANT_NONE ? fl_sim_plant_name(options->plant) : "");
    fflush(stdout);
}

static void
s_work(const choice *options, uint32_t worker, desk *share)
{
    own = share;
    signal(SIGABRT, s_on_panic);
    signal(SIGSEGV, s_on_panic);
    for (uint64_t i = options->first + worker; i <= options->last; i += options->jobs) {
        fl_sim_setup setup = { .seed = s_seed_at(options, i),
                               .nodes = options->nodes,
                               .masking = options->masking,
                               .plant = options->plant,
                               .trace = options->trace };
        share->at = setup.seed;
        if (!fl_sim_run(&setup, &share->totals, &share->checker, share->sentence)) {
            share->failed = true;
            s_say_failure(options, share);
            return;
        }
        share->done++;
    }
}

// ---- several ----------------------------------------------------------------------------------
static double
s_clock(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void
s_progress(const choice *options, const desk *shares, double since, double *said)
{
    double now = s_clock();
    if (now - *said < 5.0) {
        return;
    }
    *said = now;
    uint64_t done = 0;
    uint64_t all = options->last - options->first + 1;
    for (uint32_t i = 0; i < options->jobs; i++) {
        done += shares[i].done;
    }
    if (done > 0) {
        fprintf(stderr, "fl-sim: %" PRIu64 " of %" PRIu64 " seeds, %.0f s more\n", done, all,
                (now - since) / (double)done * (double)(all - done));
    }
}

//  True when every worker ended well.
static bool
s_wait(const choice *options, const desk *shares, double since)
{
    double said = since;
    bool well = true;
    for (uint32_t left = options->jobs; left > 0;) {
        int status = 0;
        pid_t gone = waitpid(-1, &status, WNOHANG);
        if (gone > 0) {
            left--;
            well = well && WIFEXITED(status) && WEXITSTATUS(status) == 0;
        } else {
            nanosleep(&(struct timespec){ .tv_nsec = 50000000 }, NULL);
            s_progress(options, shares, since, &said);
        }
    }
    return well;
}

static bool
s_run_all(const choice *options, desk *shares)
{
    double since = s_clock();
    if (options->jobs == 1) {
        s_work(options, 0, &shares[0]);
        return !shares[0].failed;
    }
    fflush(stdout);
    for (uint32_t i = 0; i < options->jobs; i++) {
        pid_t child = fork();
        FL_ASSERT(child >= 0);
        if (child == 0) {
            s_work(options, i, &shares[i]);
            fflush(stdout);
            _exit(shares[i].failed ? FAILED : 0);
        }
    }
    return s_wait(options, shares, since);
}

// ---- what came of it --------------------------------------------------------------------------
static void
s_summary(const choice *options, const desk *shares, double took)
{
    fl_sim_totals all = { 0 };
    for (uint32_t i = 0; i < options->jobs; i++) {
        for (int j = 0; j < SIM_COUNTS; j++) {
            all.count[j] += shares[i].totals.count[j];
        }
    }
    for (int j = 0; j < SIM_COUNTS; j++) {
        bool masks = j > SIM_SEEDS_MASKED && j < SIM_ENDED && all.count[SIM_SEEDS_MASKED] > 0;
        if (j <= SIM_SEEDS_MASKED || masks || all.count[j] > 0) {
            printf("%-34s %12" PRIu64 "\n", fl_sim_count_name((fl_sim_count)j), all.count[j]);
        }
    }
    uint64_t seeds = all.count[SIM_SEEDS];
    printf("%-34s %12.2f\n%-34s %12.2f\n", "seconds", took, "ms a seed",
           seeds > 0 ? took * 1000 * options->jobs / (double)seeds : 0.0);
}

//  A plant must be found by its own checker, by the first that speaks up.
static int
s_judge_plant(const choice *options, const desk *shares)
{
    fl_sim_checker prey = fl_sim_plant_prey(options->plant);
    for (uint32_t i = 0; i < options->jobs; i++) {
        if (shares[i].failed) {
            bool found = shares[i].checker == prey;
            printf("plant %s: %s by %s\n", fl_sim_plant_name(options->plant),
                   found ? "found" : "NOT found",
                   fl_sim_checker_name(found ? prey : shares[i].checker));
            return found ? 0 : FAILED;
        }
    }
    printf("plant %s: NOT found by anyone\n", fl_sim_plant_name(options->plant));
    return FAILED;
}

int
main(int argc, char **argv)
{
    choice options = {
        .first = 1, .last = 300, .nodes = 40, .jobs = 1, .masking = SIM_MASKING_DRAWN
    };
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--trace") == 0) {
            options.trace = true;
        } else if (strcmp(argv[i], "--no-memo") == 0) {
            fl_sim_memo_off();
        } else if (i + 1 >= argc || !s_option(argv[i], argv[i + 1], &options)) {
            return s_usage(argv[i]);
        } else {
            i++;
        }
    }
    if (options.plant != PLANT_NONE) { // each in the rounds that it is a mistake of
        options.masking =
            fl_sim_plant_masked(options.plant) ? SIM_MASKING_ALWAYS : SIM_MASKING_NEVER;
    }
    if (options.file != NULL && !s_read_seeds(&options)) {
        return s_usage(options.file);
    }
    desk *shares = mmap(NULL, JOBS_MAX * sizeof *shares, PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    FL_ASSERT(shares != MAP_FAILED);
    double since = s_clock();
    bool well = s_run_all(&options, shares);
    s_summary(&options, shares, s_clock() - since);
    int code = options.plant != PLANT_NONE ? s_judge_plant(&options, shares) : well ? 0 : FAILED;
    free(options.seeds);
    fl_sim_mint_release();
    return code;
}
