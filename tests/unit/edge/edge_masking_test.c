//  An edge in a masked round: a participant of its parent's block, and a parent of blocks of its
//  own.
#include "edge/edge.h"

#include "tests/support/unit.h"

#include "tests/support/identity.h"
#include "tests/support/machine.h"

#include <string.h>

enum { STEP_MS = 500, BUDGET_MS = 16000, CHILDREN = 3 };

static fl_edge *edge;
static fl_authority *authority;
static fl_keys *keys;
static fl_seeded seeded;
static fl_secagg_client_conf above;
static fl_secagg_server_conf below;
static fl_order order;
static uint64_t token; // of the SAVE in the outbox

static fl_edge_conf
s_conf(void)
{
    return (fl_edge_conf){ .participant = { .node = machine_node("e1"),
                                            .role = FL_ROLE_EDGE,
                                            .incarnation = 5,
                                            .beat_ms = 10000,
                                            .backoff_min_ms = 100,
                                            .backoff_max_ms = 400,
                                            .masking = &above },
                           .aggregator = { .node = machine_node("e1"),
                                           .child_roles = { FL_ROLE_DEVICE, FL_ROLE_EDGE },
                                           .seats_max = MACHINE_SEATS,
                                           .slots = 2,
                                           .window = { .count_min = 1,
                                                       .time_max_ms = 100000,
                                                       .missed = FL_MISSED_SKIP },
                                           .timing = { .beat_ms = 10000,
                                                       .evasive_beats = 3,
                                                       .lease_beats = 6,
                                                       .hop_ms = 10,
                                                       .finish_ms = 50,
                                                       .rate_window_ms = 100000 },
                                           .masking = &below } };
}

static void
s_make(const fl_edge_conf *conf)
{
    fl_edge_destroy(&edge);
    edge = fl_edge_new(conf);
    assert_non_null(edge);
    machine_it = fl_edge_machine(edge);
    machine_now = 1000;
}

static int
s_new(void **state)
{
    (void)state;
    assert_int_equal(fl_crypto_init(NULL), FL_OK);
    authority = identity_authority(1);
    keys = identity_keys(2);
    seeded = fl_seeded_of(3);
    fl_secagg_trust trust = { .authority = fl_authority_public_of(authority),
                              .roles = FL_ROLES_CHILD };
    above = (fl_secagg_client_conf){ .keys = keys,
                                     .node = machine_node("e1"),
                                     .hop = 2,
                                     .trust = trust,
                                     .entropy = fl_entropy_seeded(&seeded),
                                     .profile = FL_MASKING_MALICIOUS,
                                     .again_ms = 100000 };
    (void)identity_cert(authority, keys, FL_ROLE_EDGE, "e1", 1, above.certificate);
    below = (fl_secagg_server_conf){ .node = machine_node("e1"), .hop = 1, .trust = trust };
    fl_edge_conf conf = s_conf();
    s_make(&conf);
    return 0;
}

static int
s_destroy(void **state)
{
    (void)state;
    fl_edge_destroy(&edge);
    fl_keys_destroy(&keys);
    fl_authority_destroy(&authority);
    return 0;
}

// ---- as far as ... ----------------------------------------------------------------------------
static void
s_hear_parent(const fl_message *message, uint32_t body_bytes)
{
    fl_event event = machine_from_parent(message, body_bytes);
    event.wall_s = IDENTITY_NOW;
    machine_step(&event);
}

//  Joined above, its children below.
static void
s_join(void)
{
    machine_tick();
    uint8_t certificate[FL_CERT_BYTES];
    fl_keys *root = identity_keys(4);
    (void)identity_cert(authority, root, FL_ROLE_ROOT, "root", 2, certificate);
    fl_keys_destroy(&root);
    fl_message welcome = machine_welcome(0, 1);
    welcome.welcome.beat_ms = 10000;
    welcome.welcome.certificate = fl_bytes_of(certificate, sizeof certificate);
    s_hear_parent(&welcome, 0);
    for (fl_peer peer = 0; peer < CHILDREN; peer++) {
        fl_message hello = machine_hello(1, 1);
        machine_hear_child(peer, &hello, 0);
    }
    assert_non_null(machine_said(CHILDREN - 1, FL_WELCOME));
}

static void
s_task(uint64_t round)
{
    order = machine_order(round);
    order.model = machine_hash(1);
    order.plan.masking[0] = order.plan.masking[1] = FL_MASKING_MALICIOUS;
    order.plan.block_max = 64;
    order.plan.step_ms = STEP_MS;
    fl_message task = machine_task(&order, 1, BUDGET_MS);
    s_hear_parent(&task, 0);
}

//  The model is fetched; either a SAVE or a refusal is in the outbox then.
static void
s_model(void)
{
    fl_message piece = machine_message(FL_PIECE, 1);
    piece.piece = (fl_piece){ .hash = machine_hash(1), .total = MACHINE_MODEL };
    s_hear_parent(&piece, MACHINE_MODEL);
    fl_event event = { .kind = FL_EV_MODEL };
    event.token = machine_token(FL_FX_CHECK, 0);
    event.model.ok = true;
    machine_step(&event);
    if (machine_count(FL_FX_SAVE) > 0) {
        token = machine_effect(FL_FX_SAVE)->token;
    }
}

static void
s_open(void)
{
    s_join();
    s_task(1);
    assert_non_null(machine_said(FL_PARENT, FL_KEYS)); // its own part above
    s_model();
    machine_saved(token, true);
    assert_non_null(machine_said(0, FL_TASK));
}

// ---- what it does -----------------------------------------------------------------------------
static void
its_sum_is_there_when_its_parent_wants_it_masked(void **state)
{
    (void)state;
    s_open();
    fl_time due = 1000 + BUDGET_MS - BUDGET_MS * 5 / 16;
    fl_time cutoff = due - 50 - 3 * STEP_MS;
    assert_int_equal(fl_aggregator_cutoff(fl_edge_aggregator(edge)), cutoff);
    assert_int_equal(machine_said(0, FL_TASK)->task.budget_ms, cutoff - 1000 - 10);
    assert_true(due < 1000 + BUDGET_MS / 4 * 3); // READY is wanted by then
    assert_int_equal(machine_effect(FL_FX_CLEAR)->clear.blocks, 1);
    assert_true(fl_edge_machine(edge).deadline(edge) <= 1000 + (cutoff - 1000) / 8);
}

static void
an_edge_without_blocks_declines_a_masked_task(void **state)
{
    (void)state;
    fl_edge_conf conf = s_conf();
    conf.aggregator.masking = NULL;
    s_make(&conf);
    s_join();
    s_task(1);
    s_model();
    assert_int_equal(machine_count(FL_FX_SAVE), 0);
    assert_true(machine_refuses(FL_PARENT, FL_TASK, FL_WHY_POLICY_REFUSED));
    assert_null(machine_said(0, FL_TASK));
    assert_int_equal(fl_edge_round(edge), 0);
    fl_message closed = machine_closed(1, 1, FL_OUT_REFUSED, FL_WHY_POLICY_REFUSED);
    s_hear_parent(&closed, 0);
    assert_true(fl_aggregator_idle(fl_edge_aggregator(edge)));
}

static void
a_round_without_a_block_is_declined_by_its_name(void **state)
{
    (void)state;
    s_open();
    machine_now = fl_edge_machine(edge).deadline(edge); // nobody has said KEYS
    while (fl_edge_round(edge) != 0 && machine_said(FL_PARENT, FL_REFUSED) == NULL) {
        assert_true(machine_now < 1000 + BUDGET_MS);
        machine_tick();
        fl_time next = fl_edge_machine(edge).deadline(edge);
        machine_now = next > machine_now ? next : machine_now;
    }
    assert_true(machine_refuses(FL_PARENT, FL_TASK, FL_WHY_ROSTER_TOO_SMALL));
    fl_message closed = machine_closed(1, 1, FL_OUT_REFUSED, FL_WHY_ROSTER_TOO_SMALL);
    s_hear_parent(&closed, 0);
    for (fl_peer peer = 0; peer < CHILDREN; peer++) {
        const fl_message *heard = machine_said(peer, FL_CLOSED);
        assert_int_equal(heard->closed.outcome, FL_OUT_LATE); // each of them is missing
        assert_int_equal(heard->closed.reason, FL_WHY_LATE);
    }
    const fl_report *report = machine_effect(FL_FX_SAVE)->save.report;
    assert_int_equal(report->masking, FL_MASKING_MALICIOUS);
    assert_int_equal(report->block_count, 1);
    assert_int_equal(report->blocks[0].hop, 1);
    assert_int_equal(report->tally.aborted, CHILDREN);
}

static void
an_answer_of_the_disk_that_nobody_waits_for_is_noted_when_bad(void **state)
{
    (void)state;
    s_open();
    const uint64_t tokens[] = { 0, token, token + 77 };
    for (size_t i = 0; i < sizeof tokens / sizeof *tokens; i++) {
        machine_saved(tokens[i], true); // nobody waits for these any more
        assert_int_equal(fl_outbox_count(machine_out), 0);
        machine_saved(tokens[i], false);
        assert_int_equal(machine_note(FL_NOTE_SAVE_FAILED)->a, tokens[i]);
        assert_int_equal(fl_outbox_count(machine_out), 1);
    }
    assert_int_equal(fl_edge_round(edge), 1);
}

static void
a_burnt_round_above_ends_the_one_below(void **state)
{
    (void)state;
    s_open();
    fl_message roster = machine_message(FL_ROSTER, 1);
    static uint8_t line[FL_MEMBER_BYTES] = { 1 };
    roster.roster.list = fl_bytes_of(line, sizeof line);
    s_hear_parent(&roster, 0); // no certificate at all: we take no part
    assert_non_null(machine_said(FL_PARENT, FL_REFUSED));
    assert_non_null(machine_said(0, FL_CLOSED));
    assert_int_equal(machine_said(0, FL_CLOSED)->closed.outcome, FL_OUT_LATE);
    assert_int_equal(fl_edge_round(edge), 0);
    assert_true(fl_aggregator_idle(fl_edge_aggregator(edge)));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        unit_case(its_sum_is_there_when_its_parent_wants_it_masked, s_new, s_destroy),
        unit_case(an_edge_without_blocks_declines_a_masked_task, s_new, s_destroy),
        unit_case(a_round_without_a_block_is_declined_by_its_name, s_new, s_destroy),
        unit_case(an_answer_of_the_disk_that_nobody_waits_for_is_noted_when_bad, s_new, s_destroy),
        unit_case(a_burnt_round_above_ends_the_one_below, s_new, s_destroy),
    };
    return cmocka_run_group_tests_name("edge/edge_masking", tests, machine_setup,
                                       machine_teardown);
}
