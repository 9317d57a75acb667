//  A certificate that is kept alive: a real identity and directory, an authority in memory, a
//  parent that is a stub.
#include "common/runtime/renewal.h"

#include "tests/support/unit.h"

#include "tests/support/place.h"
#include "tests/support/settled.h"

static fl_identity *identity;
static fl_renewal renewal;
static fl_time now;
static struct {
    unsigned asked;
    fl_sealed sealed;
    bool answered;
    fl_enrol_relay_answer answer;
} parent;
static fl_event posted;
static uint64_t their_clock; // the authority's
static uint64_t serial;

void
fl_enrol_relay_ask(fl_enrol_relay *self, const fl_sealed *sealed, fl_time at)
{
    (void)at;
    (void)self;
    parent.asked++;
    parent.sealed = *sealed;
    parent.answered = false;
}

bool
fl_enrol_relay_answered(fl_enrol_relay *self, fl_enrol_relay_answer *answer)
{
    (void)self;
    *answer = parent.answer;
    bool answered = parent.answered;
    parent.answered = false;
    return answered;
}

static void
s_post(void *self, const fl_event *event)
{
    (void)self;
    posted = *event;
}

static void
s_issue(const fl_cert *terms, uint8_t bytes[FL_CERT_BYTES])
{
    fl_cert cert = *terms;
    cert.serial = ++serial;
    fl_cert_issue(authority, &cert, their_clock, IDENTITY_WEEK_S, bytes);
}

//  The parent brings what the authority says to the request that is out.
static void
s_answer(void)
{
    const fl_enrol_time time = { .now = their_clock, .grace_s = 3600 };
    fl_enrol_request request;
    fl_trust trust = fl_enrol_open(authority, fl_bytes_of(parent.sealed.bytes, parent.sealed.size),
                                   &time, NULL, &request);
    parent.answered = true;
    parent.answer = (fl_enrol_relay_answer){ .reason = fl_identity_reason(trust) };
    if (trust == FL_TRUST_OK) {
        s_issue(&(fl_cert){ .role = request.role, .node = request.node, .keys = request.keys },
                parent.answer.certificate);
    }
}

static void
s_begin(const char *name, fl_role role)
{
    identity = open_as(name, role);
    renewal = (fl_renewal){ .directory = place_of(name), .identity = identity, .post = s_post };
}

static int
start(void **state)
{
    memset(&parent, 0, sizeof parent);
    memset(&posted, 0, sizeof posted);
    now = 1000;
    serial = 500;
    wall = their_clock = IDENTITY_NOW;
    if (place_make(state) != 0) {
        return -1;
    }
    authority = identity_authority(1);
    settle("root", 10, FL_ROLE_ROOT, NULL);
    settle("dev-a", 30, FL_ROLE_DEVICE, "root");
    return 0;
}

static int
end(void **state)
{
    fl_identity_close(&identity);
    fl_authority_destroy(&authority);
    return place_end(state);
}

static void
s_turn_at(fl_time later, uint64_t clock)
{
    now += later;
    wall = clock;
    fl_renewal_turn(&renewal, now);
}

// ---- when -------------------------------------------------------------------------------------
static void
the_moment_is_drawn_from_the_last_third_and_the_pause_from_what_is_left(void **state)
{
    (void)state;
    fl_cert cert = { .not_before = 0, .not_after = FL_CERT_DATED_BACK_S + 3000 };
    const uint64_t from = FL_CERT_DATED_BACK_S + 2000;
    uint64_t least = UINT64_MAX, most = 0;
    for (uint64_t draw = 0; draw < 2000; draw++) {
        uint64_t at = fl_renewal_at(&cert, draw);
        least = at < least ? at : least;
        most = at > most ? at : most;
    }
    assert_true(least == from && most == from + 500);
    assert_in_range(fl_renewal_pause_ms(&cert, cert.not_after - 80, 12345), 5000, 10000);
    assert_in_range(fl_renewal_pause_ms(&cert, cert.not_after - 1, 12345), 500, 1000);
    assert_in_range(fl_renewal_pause_ms(&cert, cert.not_after + 1, 12345), 30000, 60000);
    cert.not_after += 1000000;
    assert_in_range(fl_renewal_pause_ms(&cert, 0, 999), 1800000, 3600000);
}

// ---- the parent is asked ----------------------------------------------------------------------
static void
a_certificate_is_renewed_while_the_process_runs(void **state)
{
    (void)state;
    s_begin("dev-a", FL_ROLE_DEVICE);
    s_turn_at(0, fl_cert_ends_from(fl_identity_cert(identity)) - 1);
    assert_int_equal(parent.asked, 0);
    their_clock = IDENTITY_NOW + IDENTITY_WEEK_S - 60; // beyond the moment, whichever was drawn
    s_turn_at(250, their_clock);
    assert_int_equal(parent.asked, 1);
    s_turn_at(250, wall);
    assert_int_equal(parent.asked, 1);
    s_turn_at(3000, wall); // no answer: again, after a pause
    s_turn_at(0, wall);
    assert_int_equal(parent.asked, 1);
    s_turn_at(8000, wall);
    assert_int_equal(parent.asked, 2);
    s_answer();
    s_turn_at(100, wall);
    assert_int_equal(fl_identity_cert(identity)->serial, 501);
    assert_int_equal(posted.kind, FL_EV_RENEWED);
    assert_false(posted.renewed.rekeyed);
    uint8_t kept[FL_CERT_BYTES];
    assert_int_equal(fl_state_dir_cert_load(place_of("dev-a"), kept, NULL), FL_OK);
    assert_memory_equal(kept, posted.renewed.certificate, sizeof kept);
    s_turn_at(60000, wall);
    assert_int_equal(parent.asked, 2);
}

static void
a_node_that_overslept_is_renewed_within_the_grace_and_asks_on_after_it(void **state)
{
    (void)state;
    s_begin("dev-a", FL_ROLE_DEVICE);
    their_clock = IDENTITY_NOW + IDENTITY_WEEK_S + 3601;
    s_turn_at(0, their_clock);
    assert_int_equal(parent.asked, 1); // at once
    s_answer();
    s_turn_at(100, their_clock);
    assert_int_equal(parent.answer.reason, FL_WHY_EXPIRED);
    their_clock -= 1; // the operator sets a longer one
    s_turn_at(60000, their_clock);
    assert_int_equal(parent.asked, 2);
    s_answer();
    s_turn_at(100, their_clock);
    assert_int_equal(fl_identity_cert(identity)->serial, 501);
}

static void
new_keys_that_fl_enrol_left_are_taken_over(void **state)
{
    (void)state;
    s_begin("dev-a", FL_ROLE_DEVICE);
    const fl_keys *held = fl_identity_keys(identity);
    const fl_public_keys old = *fl_keys_public(held);
    const fl_entropy entropy = fl_entropy_os();
    uint8_t bytes[FL_CERT_BYTES];
    fl_keys *next = NULL;
    assert_int_equal(fl_state_dir_keys_next(place_of("dev-a"), &entropy, &next, &why), FL_OK);
    fl_cert cert = *fl_identity_cert(identity);
    cert.keys = *fl_keys_public(next);
    s_issue(&cert, bytes);
    assert_int_equal(fl_state_dir_cert_save(place_of("dev-a"), bytes, true, &why), FL_OK);
    s_turn_at(0, wall);
    assert_true(posted.kind == FL_EV_RENEWED && posted.renewed.rekeyed);
    assert_memory_equal(fl_identity_keypair(identity)->public_key, cert.keys.x, FL_KEY_BYTES);
    assert_true(fl_public_keys_equal(fl_keys_public(held), &old)); // a round in hand may need it
    fl_keys_destroy(&next);
}

// ---- clocks -----------------------------------------------------------------------------------
static void
no_clock_that_is_wrong_costs_a_node_its_certificate(void **state)
{
    (void)state;
    static const struct {
        uint64_t ours, theirs;
    } wrong[] = { { 60, IDENTITY_NOW },                          // ours: 1970
                  { 2 * IDENTITY_NOW, IDENTITY_NOW },            // ours: 2084
                  { IDENTITY_NOW + IDENTITY_WEEK_S - 60, 60 } }; // the root's: 1970
    s_begin("dev-a", FL_ROLE_DEVICE);
    uint64_t held = fl_identity_cert(identity)->serial;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        their_clock = wrong[i].theirs;
        s_turn_at(100000, wrong[i].ours);
        assert_int_equal(parent.asked, i + 1);
        s_answer();
        assert_int_equal(parent.answer.reason, FL_WHY_NONE);
        s_turn_at(100, wrong[i].ours);
        assert_int_equal(fl_identity_cert(identity)->serial, held);
    }
    s_turn_at(100000, IDENTITY_NOW); // set right: what was held holds
    assert_int_equal(parent.asked, 3);
}

static void
what_a_clock_ahead_has_made_is_replaced_when_it_is_set_right(void **state)
{
    (void)state;
    const uint64_t years = (uint64_t)30 * 365 * 24 * 3600;
    s_begin("dev-a", FL_ROLE_DEVICE);
    their_clock = IDENTITY_NOW + years;
    fl_cert cert = *fl_identity_cert(identity);
    uint8_t bytes[FL_CERT_BYTES];
    s_issue(&cert, bytes);
    assert_int_equal(fl_state_dir_cert_save(place_of("dev-a"), bytes, false, NULL), FL_OK);
    their_clock = IDENTITY_NOW;
    s_turn_at(20000, IDENTITY_NOW); // takes it over, and finds that its time has not come
    assert_int_equal(parent.asked, 1);
    s_answer();
    s_turn_at(100, IDENTITY_NOW);
    assert_int_equal(fl_identity_cert(identity)->serial, 502);
    assert_int_equal(fl_cert_time(fl_identity_cert(identity), IDENTITY_NOW), FL_TRUST_OK);
}

static void
a_root_asks_itself_and_has_nobody_to_show_it_to(void **state)
{
    (void)state;
    s_begin("root", FL_ROLE_ROOT);
    their_clock = IDENTITY_NOW - 5 * IDENTITY_WEEK_S; // it was ahead and is set right
    s_turn_at(0, their_clock);
    s_answer();
    s_turn_at(100, their_clock);
    assert_int_equal(fl_identity_cert(identity)->serial, 501);
    assert_int_equal(posted.kind, FL_EV_TICK);
    their_clock = IDENTITY_NOW + 2600 * IDENTITY_WEEK_S; // it was behind by years and is set right
    s_turn_at(200, their_clock);
    s_answer();
    s_turn_at(300, their_clock);
    assert_int_equal(fl_identity_cert(identity)->serial, 502);
}

static void
a_clock_that_is_set_right_ends_the_pause_of_the_wrong_one(void **state)
{
    (void)state;
    s_begin("dev-a", FL_ROLE_DEVICE);
    s_turn_at(100, 2 * IDENTITY_NOW);
    s_answer();
    s_turn_at(200, 2 * IDENTITY_NOW); // not taken over: the next attempt is half a minute away
    s_turn_at(300, 2 * IDENTITY_NOW);
    assert_int_equal(parent.asked, 1);
    s_turn_at(400, IDENTITY_NOW + IDENTITY_WEEK_S - 10); // and it has ten seconds left
    assert_int_equal(parent.asked, 2);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        unit_case(the_moment_is_drawn_from_the_last_third_and_the_pause_from_what_is_left, start,
                  end),
        unit_case(a_certificate_is_renewed_while_the_process_runs, start, end),
        unit_case(a_node_that_overslept_is_renewed_within_the_grace_and_asks_on_after_it, start,
                  end),
        unit_case(new_keys_that_fl_enrol_left_are_taken_over, start, end),
        unit_case(no_clock_that_is_wrong_costs_a_node_its_certificate, start, end),
        unit_case(what_a_clock_ahead_has_made_is_replaced_when_it_is_set_right, start, end),
        unit_case(a_root_asks_itself_and_has_nobody_to_show_it_to, start, end),
        unit_case(a_clock_that_is_set_right_ends_the_pause_of_the_wrong_one, start, end),
    };
    return fl_crypto_init(NULL) == FL_OK ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
