//  sim - the shapes that the files of the simulator share: one whole tree under a virtual clock,
//  decided by one seed. Everything belongs to the `fl_sim` of the run; one thread.
#ifndef FL_SIM_SIM_H
#define FL_SIM_SIM_H

#include "cloud/drawing.h"
#include "cloud/tracks.h"
#include "common/base/blob.h"
#include "common/base/rng.h"
#include "common/machine/policy.h"
#include "common/tensor/fold.h"
#include "device/device.h"
#include "edge/edge.h"
#include "tests/sim/life.h"
#include "tests/sim/masks.h"
#include "tests/sim/notary.h"
#include "tests/sim/plant.h"
#include "tests/sim/turns.h"

enum {
    SIM_VECS_MAX = 16,  // live vectors of one node; more is a leak
    SIM_MODELS_MAX = 4, // models that one node keeps
    SIM_LANES = 3,      // control, up, down
    SIM_EXODUS_MS = 600000,
    SIM_LONG_AGO = -1000000,
};
#define SIM_NONE UINT32_MAX

// ---- what really happened, summed over seeds --------------------------------------------------
typedef enum fl_sim_count {
    SIM_SENT,
    SIM_LOST,
    SIM_DUPLICATED,
    SIM_REORDERED,
    SIM_DELAYED,
    SIM_CLOGGED,
    SIM_CUT,
    SIM_FLIP_HEADER,
    SIM_FLIP_BODY,
    SIM_VANISHED,
    SIM_QUEUED_DEAD,
    SIM_PARTITIONS,
    SIM_CLOGS,
    SIM_FREEZES,
    SIM_STOPS,
    SIM_EXPELS,
    SIM_CRASH_ROOT,
    SIM_CRASH_EDGE,
    SIM_CRASH_DEVICE,
    SIM_CRASH_UNSAVED,
    SIM_CRASH_JOB,
    SIM_SAVE_FAILED,
    SIM_TRAIN_FAILED,
    SIM_EVENTS,
    SIM_RECONNECTS,
    SIM_REJOINS,
    SIM_BAD_HASH,
    SIM_WITHDRAWN,
    SIM_REWINDS,
    SIM_EXTENDS,
    SIM_RETRIES,
    SIM_DONE,
    SIM_SKIPPED,
    SIM_ABORTED,
    SIM_IN,
    SIM_LATE,
    SIM_ABSENT,
    SIM_REFUSED,
    SIM_CARRIED,
    SIM_CALM,
    SIM_STORMS,
    SIM_HURRICANES,
    SIM_SEEDS,
    SIM_RUNS,
    SIM_TURNS,
    SIM_OVERLAPS,
    SIM_ABREAST,
    SIM_PAUSED,
    SIM_PAUSED_ACROSS,
    SIM_STOPPED,
    SIM_GONE,
    SIM_REPLACED,
    SIM_COPIED,
    SIM_DOUBLED,
    SIM_DRAINED,
    SIM_OUTAGES,
    SIM_EXODUSES,
    SIM_SEEDS_MASKED,
    SIM_SEEDS_HONEST,
    SIM_BLOCKS_DONE,
    SIM_BLOCKS_ABORTED,
    SIM_MASKED,
    SIM_RECOVERED,
    SIM_KEEP_FAILED,
    SIM_TAKEN_UP,
    SIM_TAKEN_UP_DONE,
    SIM_SUMS_AGAIN,
    SIM_CLEARED,
    SIM_RESTORED,
    SIM_DRAWS,
    SIM_DRAWS_USED,
    SIM_SNIPED,
    SIM_CRASH_CHILD,                                      // a child by its step, from here on
    SIM_CRASH_PARENT = SIM_CRASH_CHILD + SIM_CHILD_STEPS, // a block by its state
    SIM_CRASH_KEEP = SIM_CRASH_PARENT + FL_SERVER_STATES, // between KEEP and SAVED, by kind
    SIM_ENDED = SIM_CRASH_KEEP + FL_KEEP_COUNT,           // blocks by how they ended
    SIM_VIRTUAL_MS = SIM_ENDED + FL_WHY_COUNT,
    SIM_COUNTS
} fl_sim_count;
const char *fl_sim_count_name(fl_sim_count count);

typedef struct fl_sim_totals {
    uint64_t count[SIM_COUNTS];
} fl_sim_totals;

// ---- weather ----------------------------------------------------------------------------------
typedef struct fl_sim_weather {
    bool clear;                                     // nothing blows any more
    uint32_t loss, duplicate, reorder, delay, flip; // of 10,000 messages
    uint32_t delay_max_ms, jitter_ms;
    uint32_t gust_ms;     // mean time between incidents; 0 = none
    uint32_t snipe;       // of 10,000 saves and jobs: a crash before the answer
    uint32_t train_fails; // of 10,000 trainings
    uint32_t save_fails;  // of 10,000 saves
    bool root_crashes;
    bool queue_dead; // a child's socket holds messages for a parent that is down
    fl_time clear_at;
} fl_sim_weather;

// ---- links ------------------------------------------------------------------------------------
typedef enum fl_sim_lane { SIM_CONTROL, SIM_UP, SIM_DOWN } fl_sim_lane;

typedef struct fl_sim_link {
    uint32_t child, parent;
    uint32_t latency_ms;
    bool admitted; // admission has heard a HELLO on this connection
    bool open[SIM_LANES];
    uint32_t epoch[SIM_LANES];     // letters of an older one are gone
    fl_time last_at[SIM_LANES][2]; // arrival of the newest letter, down and up
    fl_time cut_until;
    fl_time clog_until[2];
    fl_time heard_at; // its parent answered it last; SIM_LONG_AGO: never
} fl_sim_link;

typedef struct fl_sim_letter {
    uint32_t link;
    bool up; // child -> parent
    fl_sim_lane lane;
    uint32_t epoch;
    bool spoilt; // the hop's MAC would refuse it
    fl_verb verb;
    fl_blob *head, *body;
} fl_sim_letter;

// ---- nodes ------------------------------------------------------------------------------------
typedef struct fl_sim_vec {
    fl_vec id;         // 0: free
    fl_blob *blob;     // floats of an update, or encoded bytes
    uint32_t training; // of an update
    bool masked;       // these bytes may be pushed in a masked round
} fl_sim_vec;

typedef struct fl_sim_slot {
    fl_blob *blob; // NULL: free
    fl_hash hash;  // of its bytes when last verified
    bool folding;
} fl_sim_slot;

//  One accumulator of an aggregator and whose bytes are in it.
typedef struct fl_sim_sum {
    fl_fold *cells;
    bool opened;      // its masks are off
    uint32_t *leaves; // (leaf_count)
    uint32_t leaf_count, leaf_capacity;
    uint32_t folds;
} fl_sim_sum;

typedef struct fl_sim_ledger {
    fl_run open_run;
    uint64_t open_round;
    uint32_t open_attempt;
    struct {
        fl_roll_entry *roll; // (count), of an edge's newest close
        uint32_t count;
    } members[SIM_RUNS_MAX];
} fl_sim_ledger;

//  An aggregator's round as its driver sees it, for the deadline and quorum checkers.
typedef struct fl_sim_watch {
    bool open;
    fl_time due;              // latest time at which it must have ended
    uint32_t heard_budget_ms; // of the task just heard from above
    fl_time told_due;         // when the task that was taken on must be answered
} fl_sim_watch;

//  What one machine of a process has at its driver: the root has two, one for each track.
typedef struct fl_sim_desk {
    uint32_t saves, jobs;   // without an answer yet
    uint32_t loose, clears; // jobs that no newer round waits for; of its sums, so far
    fl_sim_slot slots[FL_SLOTS_MAX];
    fl_sim_sum *sums; // (sum_count), as many as the last CLEAR asked for
    uint32_t sum_count;
    fl_element sum_element;
    bool sum_masked;
    uint64_t sum_elements;
    fl_hash sum_hash; // of the last finished sum
    fl_hash models[SIM_MODELS_MAX];
    uint32_t model_next;
    fl_sim_watch watch;
    //  of the root
    fl_sim_era *turn; // the run that was given last
    fl_run cleared;   // whose sums are in the accumulators
    fl_root_phase phase;
    fl_time waits_since;
} fl_sim_desk;

typedef struct fl_sim_node {
    uint32_t index;
    uint32_t number; // in its name
    fl_role role;
    fl_name name;
    uint32_t parent;    // SIM_NONE for the root
    uint32_t link;      // to the parent
    fl_peer peer;       // our number at our parent
    uint32_t *children; // (child_count) by peer number: who has the route of that key ...
    uint32_t *asks;     // ... and whose HELLO was the newest
    uint32_t child_count;
    uint32_t kin; // children that it was given
    fl_sim_fate fate;
    uint32_t depth;

    bool alive;
    bool stopping;   // was told to stop: it ends whatever the weather
    uint32_t life;   // grows with each crash
    fl_time back_at; // when it starts again, while not alive
    union {
        fl_tracks *tracks;
        fl_edge *edge;
        fl_device *device;
    };
    fl_runs *runs;     // of the root
    fl_time called_at; // when the store's newest answer comes
    fl_machine machine;
    fl_outbox *out;
    fl_time tick_at; // earliest tick on the heap
    uint64_t tick_id;
    fl_time frozen_until;
    fl_time crew_at;      // when the workers are free again
    fl_time ledger_at;    // when the ledger's thread is

    uint32_t slot_count;
    fl_window window;  // the true one; the machine may have been given a planted one
    bool able;         // to be in under a clear sky
    uint32_t train_ms; // of a device
    uint64_t samples;
    uint32_t trainings;    // begun so far, over all lives
    bool training;         // one is running ...
    uint32_t train_serial; // ... this one; what has another number was cancelled
    uint64_t train_token;

    fl_vec vec_next;
    fl_sim_vec vecs[SIM_VECS_MAX];
    fl_sim_desk desk[FL_TRACKS];
    fl_blob *fetch;       // the model being fetched
    fl_sim_ledger ledger; // durable
    fl_sim_masks masks;   // partly durable
    //  for tests: messages by verb, and notes, over all lives; the newest of each
    uint32_t said[FL_VERB_COUNT], told[FL_VERB_COUNT], noted[FL_NOTE_COUNT_OF];
    fl_refused refused; // that it said
    fl_note note[FL_NOTE_COUNT_OF];
} fl_sim_node;

// ---- the heap ---------------------------------------------------------------------------------
typedef enum fl_sim_what {
    SIM_AT_LETTER,
    SIM_AT_TICK,
    SIM_AT_JOB,
    SIM_AT_DURABLE,
    SIM_AT_SAVED,
    SIM_AT_CRASH,
    SIM_AT_STORE, // a job on the store's strand
    SIM_AT_CALL,  // its end, at the reactor
    SIM_AT_POST,  // an event that the root's runs bring
    SIM_AT_LOOK,  // a turn of the root's loop
    SIM_AT_OUTAGE,
    SIM_AT_EXODUS,
    SIM_AT_OPERATOR, // says what he wants of a run
    SIM_AT_FATE,
    SIM_AT_START,
    SIM_AT_GUST,
    SIM_AT_CLEAR
} fl_sim_what;

//  An effect that takes time: a copy of it, and of what it shows of the machine.
typedef struct fl_sim_job {
    fl_effect effect;
    fl_report report; // of SAVE
    fl_roll_entry *roll;
    fl_block_line *blocks;
    fl_blob *bytes;      // of KEEP, and the plain ones of MASK
    fl_blob *vector;     // of a sum that is kept
    fl_mask_seed *seeds; // of MASK and UNMASK
    bool save_fails;
    uint32_t serial, clears; // of a training; of the node when it was asked for
    bool cancelled;
} fl_sim_job;

typedef struct fl_sim_item {
    fl_time at;
    uint64_t id; // the order of what is at the same time
    fl_sim_what what;
    uint32_t node, life;
    union {
        fl_sim_letter *letter;
        fl_sim_job *job;
        struct fl_sim_call *call;
    } with;
} fl_sim_item;

// ---- plants -----------------------------------------------------------------------------------
const char *fl_sim_plant_name(fl_sim_plant plant);
//  The checker that must find it.
fl_sim_checker fl_sim_plant_prey(fl_sim_plant plant);
//  True for one that wants masked rounds.
bool fl_sim_plant_masked(fl_sim_plant plant);
//  True for one that wants several runs, pauses and a store that fails.
bool fl_sim_plant_runs(fl_sim_plant plant);
//  True for one that wants members who come and go.
bool fl_sim_plant_lives(fl_sim_plant plant);
//  Those that change what is said in a masked round.
struct fl_sim;
void fl_sim_plant_said(const struct fl_sim *sim, uint32_t to, fl_message *message);

// ---- what a test lays out ---------------------------------------------------------------------
//  A tree under a clear sky in which all nodes of one kind are alike, instead of a drawn one.
typedef struct fl_sim_layout {
    uint32_t edges, devices; // devices below each edge, or below the root when there is no edge
    uint64_t rounds;
    uint32_t slots, train_ms;
    fl_plan plan;
    fl_window window; // of every parent
    fl_timing timing;
} fl_sim_layout;

//  Sees a message on its way and may change it; false loses it.
typedef bool fl_sim_letter_hook(struct fl_sim *sim, uint32_t from, uint32_t to,
                                fl_message *message);
//  Sees the answer to an effect and may change it; false holds it back, for the test to give.
typedef bool fl_sim_answer_hook(struct fl_sim *sim, fl_sim_node *node, const fl_effect *effect,
                                fl_event *answer);

// ---- the whole --------------------------------------------------------------------------------
typedef struct fl_sim {
    uint64_t seed;
    fl_sim_plant plant;
    bool trace;
    fl_time now;
    fl_rng shape_rng, weather_rng, work_rng, mask_rng, turn_rng, life_rng;

    uint32_t node_count;
    fl_sim_node *nodes; // (node_count), [0] is the root
    uint32_t link_count;
    fl_sim_link *links;
    uint64_t rounds;
    uint64_t elements, model_bytes;
    fl_plan plan;
    fl_timing timing;
    uint32_t expect, expect_leaves, start_wait_ms;
    fl_run run;                    // the first of them
    uint32_t runs;                 // that are submitted ...
    uint32_t most;                 // ... and are in hand at a time
    bool overlap;                  // some of them, as they are for different children
    fl_sim_era eras[SIM_RUNS_MAX]; // (runs)
    fl_sim_era *turn;              // that the root was given last
    uint32_t posted;               // events that it has not seen yet
    uint64_t opened;               // attempts so far
    fl_drawing drawing;            // of its pools
    fl_hash *model_hashes; // (model_count): every model ever made
    fl_blob **models;
    uint32_t model_count, model_capacity;

    fl_sim_weather weather;
    bool calm;           // no weather at all
    bool measured;       // some deadline follows the median: rounds may be missed for it
    bool stuck;          // masked, and some parent cannot be sure of enough members
    uint32_t draws_max;
    bool restores;       // the root, once, from a backup of the round before
    fl_time progress_by; // the run must have ended by then
    bool over;           // all runs have ended
    fl_time clear_since;
    fl_time outage_until; // the root's store fails until then
    uint32_t outages, outage_ms;
    bool lives;       // members come and go
    uint32_t doubled; // rounds under a clear sky that count a device and its copy
    bool patient; // all edges go away for long, and the runs wait

    //  for tests
    fl_sim_letter_hook *letter_hook;
    fl_sim_answer_hook *answer_hook;
    uint32_t deaf;      // set of checkers that say nothing, when somebody lies
    fl_sim_job *closed; // of the newest close that the root heard to be durable, with its report

    fl_sim_item *heap;
    size_t heap_count, heap_capacity;
    uint64_t next_id;

    fl_sim_notary notary;
    fl_sim_totals totals;
} fl_sim;

typedef struct fl_sim_setup {
    uint64_t seed;
    uint32_t nodes;
    fl_sim_masking masking;
    fl_sim_plant plant;
    bool trace;
    const fl_sim_layout *layout; // NULL: the seed draws one
} fl_sim_setup;

// ---- world.c ----------------------------------------------------------------------------------
//  Run one seed to its end. False when a checker failed: see `sentence` (room for 240).
bool fl_sim_run(const fl_sim_setup *setup, fl_sim_totals *totals, fl_sim_checker *failed,
                char *sentence);
//  The same step by step: a world at its beginning, one thing that happens (false: there is nothing
//  more to come, or a checker failed), its end.
fl_sim *fl_sim_open(const fl_sim_setup *setup);
bool fl_sim_go_on(fl_sim *sim);
void fl_sim_close(fl_sim **sim_p);
void fl_sim_push(fl_sim *sim, fl_sim_item item);
void fl_sim_count_up(fl_sim *sim, fl_sim_count count);
__attribute__((format(printf, 2, 3))) void fl_sim_trace(const fl_sim *sim, const char *format, ...);
//  The sky clears now, once.
void fl_sim_clear_sky(fl_sim *sim);
//  malloc and realloc that end the program when there is no memory.
void *fl_sim_new(size_t bytes);
void *fl_sim_grow(void *old, size_t bytes);

// ---- shape.c ----------------------------------------------------------------------------------
//  Draw the tree, the plan, the windows and the weather from the seed.
void fl_sim_shape(fl_sim *sim, uint32_t nodes, fl_sim_masking masking);
void fl_sim_lay_out(fl_sim *sim, const fl_sim_layout *layout);
void fl_sim_unshape(fl_sim *sim);

// ---- weather.c --------------------------------------------------------------------------------
fl_sim_weather fl_sim_weather_draw(fl_rng *rng, fl_sim_totals *totals);
//  The store that fails for a while, the edges that go away for ten minutes.
void fl_sim_draw_troubles(fl_sim *sim, fl_rng rng);
void fl_sim_outage(fl_sim *sim);
void fl_sim_exodus(fl_sim *sim);
//  True with a chance of `of_10000`, while the sky is not clear.
bool fl_sim_blows(fl_sim *sim, uint32_t of_10000);
//  One incident: a partition, clog, freeze, stop, expulsion or crash. Plans the next.
void fl_sim_gust(fl_sim *sim);
//  The admission of its parent cuts the child of this link off; it may come back with a new HELLO.
void fl_sim_expel(fl_sim *sim, uint32_t link);

// ---- link.c -----------------------------------------------------------------------------------
//  Encode and post a message; `body` may be NULL.
void fl_sim_send(fl_sim *sim, uint32_t link, bool up, fl_sim_lane lane, const fl_message *message,
                 fl_blob *body);
//  Deliver or discard; frees the letter.
void fl_sim_deliver(fl_sim *sim, fl_sim_letter *letter);
void fl_sim_letter_free(fl_sim_letter *letter);
void fl_sim_lane_set(fl_sim *sim, uint32_t link, fl_sim_lane lane, bool open);
//  Throw away everything in flight on all lanes of a link.
void fl_sim_link_break(fl_sim *sim, uint32_t link);

// ---- node.c -----------------------------------------------------------------------------------
void fl_sim_node_start(fl_sim *sim, fl_sim_node *node);
//  The pools of the root: their floors are drawn with the plan, they when the tree stands.
void fl_sim_pools_floor(fl_sim *sim);
void fl_sim_pools_draw(fl_sim *sim);
uint32_t fl_sim_pool_floor(const fl_sim *sim, const fl_sim_node *parent);
bool fl_sim_pools_give(void *sim, const fl_run *run, fl_pool_set *set);

fl_root_conf fl_sim_root_conf(const fl_sim *sim, const fl_sim_node *node);
void fl_sim_node_crash(fl_sim *sim, fl_sim_node *node, uint32_t down_ms);
void fl_sim_node_step(fl_sim *sim, fl_sim_node *node, const fl_event *event, fl_blob *body);
void fl_sim_node_tick(fl_sim *sim, fl_sim_node *node);
void fl_sim_node_release(fl_sim *sim, fl_sim_node *node);
//  True when there is nothing left to do for it: the run is over and it knows.
bool fl_sim_node_finished(const fl_sim *sim, const fl_sim_node *node);
//  True for an edge or device that hears no end: it has taken no part, or was away when its run
//  ended, and then another one had its turn.
bool fl_sim_node_astray(const fl_sim *sim, const fl_sim_node *node);

// ---- crew.c: when work ends, what survives ----------------------------------------------------
void fl_sim_work_begin(fl_sim *sim, fl_sim_node *node, const fl_effect *effect);
void fl_sim_work_done(fl_sim *sim, fl_sim_node *node, fl_sim_job *job);
void fl_sim_work_durable(fl_sim *sim, fl_sim_node *node, fl_sim_job *job);
void fl_sim_work_saved(fl_sim *sim, fl_sim_node *node, fl_sim_job *job);
void fl_sim_job_free(fl_sim_job *job);
void fl_sim_ledger_release(fl_sim_node *node);
//  A crash aimed at the time until then, by chance.
void fl_sim_snipe(fl_sim *sim, fl_sim_node *node, fl_time until, uint32_t of_10000);

// ---- work.c: the work itself, on real bytes ---------------------------------------------------
//  False when the work cannot be: the machine asked for something that is not there.
bool fl_sim_work_check(fl_sim *sim, fl_sim_node *node, const fl_effect *effect);
//  Do it and fill the event that answers.
void fl_sim_work_carry_out(fl_sim *sim, fl_sim_node *node, const fl_sim_job *job, fl_event *event);
//  It may be answered when its round is over, and the sums are another's.
bool fl_sim_work_loose(const fl_effect *effect);
void fl_sim_train_cancel(fl_sim *sim, fl_sim_node *node);
//  A dead process holds nothing.
void fl_sim_work_release(fl_sim_node *node);
//  What costs no time.
void fl_sim_slot_set(fl_sim *sim, fl_sim_node *node, const fl_effect *effect);
void fl_sim_stage(fl_sim *sim, fl_sim_node *node, const fl_effect *effect, fl_bytes body);
void fl_sim_clear(fl_sim *sim, fl_sim_node *node, const fl_effect *effect);
void fl_sim_place(fl_sim *sim, fl_sim_node *node, uint64_t offset, uint64_t total, fl_bytes body);
void fl_sim_drop(fl_sim *sim, fl_sim_node *node, fl_vec vec);
//  NULL after a failure.
fl_sim_vec *fl_sim_vec_at(fl_sim *sim, fl_sim_node *node, fl_vec id);
fl_sim_vec *fl_sim_vec_add(fl_sim *sim, fl_sim_node *node, fl_blob *blob);
//  A copy of some bytes, yours; NULL after a failure.
fl_blob *fl_sim_slice(fl_sim *sim, fl_sim_node *node, fl_vec vec, uint64_t offset, uint32_t bytes);
fl_blob *fl_sim_model_slice(fl_sim *sim, fl_sim_node *node, const fl_effect *serve);
//  What the model would be, and its bytes unless `file` is NULL.
fl_hash fl_sim_model_of(const fl_sim *sim, const fl_hash *before, const fl_hash *sum,
                        fl_blob **file);
fl_hash fl_sim_model_add(fl_sim *sim, const fl_hash *before, const fl_hash *sum);
void fl_sim_model_keep(fl_sim_desk *desk, const fl_hash *model);
bool fl_sim_model_held(const fl_sim_desk *desk, const fl_hash *model);

// ---- checker.c --------------------------------------------------------------------------------
//  The first failure counts; the run ends after the event in hand.
__attribute__((format(printf, 3, 4))) void fl_sim_fail(fl_sim *sim, fl_sim_checker checker,
                                                       const char *format, ...);
uint32_t fl_sim_note_training(fl_sim *sim, fl_sim_training training);
int64_t fl_sim_element(const uint8_t *wire, uint64_t index, unsigned wire_bytes);
//  A device has encoded an update (floats): known by its bytes from now on.
void fl_sim_note_leaf(fl_sim *sim, uint32_t training, const fl_effect *effect, fl_bytes update,
                      const fl_hash *hash, fl_blob *bytes);
//  What was made with this hash; NULL when nobody made it. Until the next is noted.
fl_sim_lot *fl_sim_lot_of(fl_sim *sim, const fl_hash *hash);
//  `leaves` (lot.leaf_count) are copied.
void fl_sim_lot_add(fl_sim *sim, fl_sim_lot lot, const uint32_t *leaves);
//  A verified slot has been folded into a sum: whose bytes were they?
void fl_sim_note_fold(fl_sim *sim, fl_sim_node *node, fl_sim_sum *sum, const fl_hash *hash);
//  The first sum has got the leaves of another.
void fl_sim_note_join(fl_sim_sum *sum, const fl_sim_sum *other);
//  Compare the bytes of a sum with the plain sum of its leaves.
void fl_sim_check_flat(fl_sim *sim, const fl_sim_node *node, uint32_t track, const fl_sim_sum *sum,
                       fl_bytes bytes);
//  A sum is finished: compare it with the flat sum, and know it by its hash.
void fl_sim_note_sum(fl_sim *sim, fl_sim_node *node, uint32_t track, fl_bytes bytes);
//  What a node says: contributions and verdicts are held against what the driver saw.
void fl_sim_watch_said(fl_sim *sim, fl_sim_node *node, uint32_t to, const fl_message *message);
//  What a node heard, before it is stepped with it.
void fl_sim_watch_heard(fl_sim *sim, fl_sim_node *node, const fl_message *message);
//  A node has asked for an effect, or has been stepped.
void fl_sim_watch_effect(fl_sim *sim, fl_sim_node *node, const fl_effect *effect);
void fl_sim_watch_step(fl_sim *sim, fl_sim_node *node);
//  The root's ledger has made a close durable.
void fl_sim_check_commit(fl_sim *sim, const fl_report *report);
//  The run has ended: progress, floor and leaks.
void fl_sim_check_end(fl_sim *sim);

// ---- mask.c: the effects of masked rounds, on real bytes --------------------------------------
//  Give a process that starts what it held before.
void fl_sim_mask_start(fl_sim *sim, fl_sim_node *node);
//  Of what it kept, the facts of this round. Who has several runs in hand: of each.
void fl_sim_mask_give(fl_sim *sim, fl_sim_node *node, uint32_t at, const fl_run *run,
                      uint64_t round);
//  The process is dead; what it asked to be kept stays.
void fl_sim_mask_crash(fl_sim *sim, fl_sim_node *node);
void fl_sim_mask_release(fl_sim_node *node);
//  A KEEP is durable.
void fl_sim_mask_kept(fl_sim *sim, fl_sim_node *node, const fl_sim_job *job);
void fl_sim_mask_carry_out(fl_sim *sim, fl_sim_node *node, const fl_sim_job *job, fl_event *event);
void fl_sim_mask_recall(fl_sim *sim, fl_sim_node *node, const fl_sim_job *job, fl_event *event);
void fl_sim_unmask_carry_out(fl_sim *sim, fl_sim_node *node, const fl_sim_job *job,
                             fl_event *event);
//  Where the process stands, for counting crashes and aiming them.
void fl_sim_mask_effect(fl_sim *sim, fl_sim_node *node, const fl_effect *effect);
void fl_sim_mask_event(fl_sim *sim, fl_sim_node *node, const fl_event *event);
// ---- veil.c: the checkers of masked rounds ----------------------------------------------------
void fl_sim_veil_said(fl_sim *sim, fl_sim_node *node, uint32_t to, const fl_message *message);
void fl_sim_veil_pushed(fl_sim *sim, fl_sim_node *node, const fl_sim_vec *vec, fl_bytes bytes);
void fl_sim_veil_noted(fl_sim *sim, fl_sim_node *node, const fl_note *note);
//  Plain bytes are about to be masked.
void fl_sim_veil_masking(fl_sim *sim, fl_sim_node *node, fl_bytes plain);
//  Devices wait for another model: they have masked all the draws of it that they may.
bool fl_sim_veil_waits(const fl_sim *sim);
void fl_sim_veil_commit(fl_sim *sim, const fl_report *report);

#endif
