#include "common/identity/enrol_relay.h"

#include "tests/support/unit.h"

#include <string.h>

static fl_outbox *out;
static fl_enrol_relay *relay;

// ---- what stands around it --------------------------------------------------------------------
//  An identity that holds a list of this version; it is never looked into.
static uint64_t version;
static const uint8_t list[] = { 1, 2, 3 };
static uint8_t large[2 * FL_DENY_BYTES_MAX + 10];
static bool is_large;
static uint64_t missing; // of the list that comes in parts

uint64_t
fl_identity_deny_version(const fl_identity *self)
{
    (void)self;
    return version;
}

fl_bytes
fl_identity_deny_bytes(const fl_identity *self)
{
    (void)self;
    return is_large ? fl_bytes_of(large, sizeof large) : fl_bytes_of(list, sizeof list);
}

uint64_t
fl_identity_deny_missing(const fl_identity *self, uint64_t of)
{
    (void)self;
    (void)of;
    return missing;
}

static unsigned stepped; // of the machine inside
static fl_event_kind kind;

static void
s_step(void *self, const fl_event *event, fl_time now, fl_outbox *to)
{
    (void)self;
    (void)now;
    (void)to;
    stepped++;
    kind = event->kind;
}

static fl_time
s_deadline(const void *self)
{
    (void)self;
    return 4242;
}

//  The root's registrar.
static uint64_t registered[2 * FL_ENROL_RELAY_OPEN];
static unsigned registrations;
static bool busy;

static bool
s_register(void *arg, uint64_t ticket, fl_bytes sealed)
{
    (void)arg;
    assert_int_equal(sealed.size, 4);
    if (!busy) {
        registered[registrations++] = ticket;
    }
    return !busy;
}

static int
s_start(fl_enrol_relay_register *enrol)
{
    const fl_enrol_relay_conf conf = { .inner = { .step = s_step, .deadline = s_deadline },
                                       .enrol = enrol };
    stepped = registrations = 0;
    version = missing = 0;
    is_large = false;
    busy = false;
    out = fl_outbox_new(64);
    relay = fl_enrol_relay_new(&conf);
    return relay == NULL || out == NULL;
}

static int
edge(void **state)
{
    (void)state;
    return s_start(NULL);
}

static int
root(void **state)
{
    (void)state;
    return s_start(s_register);
}

static int
end(void **state)
{
    (void)state;
    fl_enrol_relay_destroy(&relay);
    fl_outbox_destroy(&out);
    return 0;
}

static void
step_as(fl_peer from, uint64_t origin, fl_role role, const fl_message *message, fl_time now)
{
    fl_machine machine = fl_enrol_relay_machine(relay);
    fl_event event = { .kind = FL_EV_MESSAGE };
    event.message.from = from;
    event.message.message = message;
    event.message.origin = origin;
    event.message.role = role;
    fl_outbox_reset(out);
    machine.step(machine.self, &event, now, out);
}

static void
step(fl_peer from, const fl_message *message, fl_time now)
{
    step_as(from, 0, FL_ROLE_NONE, message, now);
}

static void
tick(void)
{
    fl_machine machine = fl_enrol_relay_machine(relay);
    fl_outbox_reset(out);
    machine.step(machine.self, &(fl_event){ .kind = FL_EV_TICK }, 0, out);
}

static void
enrol(fl_peer from, uint64_t request, fl_time now)
{
    const fl_message message = { .verb = FL_ENROL,
                                 .enrol = { .request = request,
                                            .sealed = fl_bytes_of("seal", 4) } };
    step(from, &message, now);
}

enum { PACE_MS = 1000 / FL_ENROL_RELAY_PER_SECOND };
static bool went[512]; // whose enrolment went up: its sealed bytes begin with who it was

static void
come(fl_peer from, uint64_t request, uint64_t origin, fl_role role, fl_time now)
{
    const fl_message message = { .verb = FL_ENROL,
                                 .enrol = { .request = request,
                                            .sealed = fl_bytes_of(&from, sizeof from) } };
    step_as(from, origin, role, &message, now);
    for (uint32_t i = 0; i < fl_outbox_count(out); i++) {
        const fl_message *up = &fl_outbox_at(out, i)->send.message;
        fl_peer whose = 0;
        if (up->verb == FL_ENROL) {
            memcpy(&whose, up->enrol.sealed.data, sizeof whose);
            went[whose] = true;
        }
    }
}

//  The only message said, of this verb.
static const fl_message *
said(fl_verb verb, fl_peer to)
{
    assert_int_equal(fl_outbox_count(out), 1);
    const fl_effect *effect = fl_outbox_at(out, 0);
    assert_int_equal(effect->kind, FL_FX_SEND);
    assert_int_equal(effect->send.to, to);
    assert_int_equal(effect->send.message.verb, verb);
    return &effect->send.message;
}

static fl_message
answer_of(uint64_t request, fl_reason reason)
{
    static const uint8_t certificate[FL_CERT_BYTES] = { 9, 9 };
    fl_message message = { .verb = FL_ENROLLED,
                           .enrolled = { .request = request, .reason = reason, .text = "so" } };
    if (reason == FL_WHY_NONE) {
        message.enrolled.certificate = fl_bytes_of(certificate, sizeof certificate);
        message.enrolled.shard = 2;
        message.enrolled.shards = 5;
    }
    return message;
}

static void
a_renewal_of_our_own_goes_the_same_way_and_stays_here(void **state)
{
    (void)state;
    fl_sealed sealed = { .bytes = "seal", .size = 4 };
    fl_enrol_relay_answer answer;
    fl_enrol_relay_ask(relay, &sealed, 0);
    assert_false(fl_enrol_relay_answered(relay, &answer));
    tick();
    fl_message back = answer_of(said(FL_ENROL, FL_PARENT)->enrol.request, FL_WHY_NONE);
    step(FL_PARENT, &back, 0);
    assert_int_equal(fl_outbox_count(out), 0);
    assert_true(fl_enrol_relay_answered(relay, &answer) && answer.certificate[0] == 9);
    assert_false(fl_enrol_relay_answered(relay, &answer));
}

static void
a_root_asks_itself_and_is_told_nothing_when_it_is_busy(void **state)
{
    (void)state;
    fl_sealed sealed = { .bytes = "seal", .size = 4 };
    fl_enrol_relay_answer answer = { .reason = FL_WHY_NONE, .certificate = { 7 } };
    busy = true;
    fl_enrol_relay_ask(relay, &sealed, 0);
    tick();
    assert_int_equal(fl_outbox_count(out), 0);
    busy = false;
    fl_enrol_relay_ask(relay, &sealed, 1000);
    const fl_message beat = { .verb = FL_BEAT, .beat.deny_version = 3 }; // of a child with a newer
    step(5, &beat, 1000);                                                // list: that is logged
    assert_int_equal(registrations, 1);
    fl_enrol_relay_enrolled(relay, registered[0], &answer);
    tick();
    assert_true(fl_enrol_relay_answered(relay, &answer) && answer.certificate[0] == 7);
}

// ---- at an edge -------------------------------------------------------------------------------
static void
an_enrolment_goes_up_and_its_answer_back_to_who_asked(void **state)
{
    (void)state;
    enrol(3, 1000, 0);
    const fl_message *up = said(FL_ENROL, FL_PARENT);
    assert_int_equal(up->enrol.sealed.size, 4);
    uint64_t first = up->enrol.request;
    enrol(4, 1000, PACE_MS); // another newcomer who drew the same number
    uint64_t second = said(FL_ENROL, FL_PARENT)->enrol.request;
    assert_int_not_equal(first, second);
    fl_message answer = answer_of(second, FL_WHY_NONE);
    step(FL_PARENT, &answer, 0);
    const fl_enrolled *enrolled = &said(FL_ENROLLED, 4)->enrolled;
    assert_int_equal(enrolled->request, 1000);
    assert_int_equal(enrolled->certificate.size, FL_CERT_BYTES);
    assert_int_equal(enrolled->certificate.data[0], 9);
    assert_true(enrolled->shard == 2 && enrolled->shards == 5);
    answer = answer_of(first, FL_WHY_USED_UP);
    step(FL_PARENT, &answer, 0);
    enrolled = &said(FL_ENROLLED, 3)->enrolled;
    assert_int_equal(enrolled->reason, FL_WHY_USED_UP);
    assert_string_equal(enrolled->text, "so");
    assert_int_equal(enrolled->certificate.size, 0);
    assert_int_equal(stepped, 0);
}

static void
the_same_request_again_is_one_pending_enrolment(void **state)
{
    (void)state;
    enrol(3, 1000, 0);
    uint64_t first = said(FL_ENROL, FL_PARENT)->enrol.request;
    enrol(3, 1000, 500);
    assert_int_equal(said(FL_ENROL, FL_PARENT)->enrol.request, first);
}

static void
an_answer_to_nobody_or_without_its_certificate_is_dropped(void **state)
{
    (void)state;
    fl_message answer = answer_of(77, FL_WHY_NONE);
    step(FL_PARENT, &answer, 0);
    assert_int_equal(fl_outbox_count(out), 0);
    enrol(3, 1000, 0);
    answer = answer_of(said(FL_ENROL, FL_PARENT)->enrol.request, FL_WHY_NONE);
    answer.enrolled.certificate.size = 10;
    step(FL_PARENT, &answer, 0);
    assert_int_equal(fl_outbox_count(out), 0);
    answer.enrolled.certificate.size = FL_CERT_BYTES;
    step(FL_PARENT, &answer, 0);
    (void)said(FL_ENROLLED, 3);
    step(FL_PARENT, &answer, 0); // once
    assert_int_equal(fl_outbox_count(out), 0);
}

static void
pending_enrolments_are_bounded_and_overdue_ones_make_room(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < FL_ENROL_RELAY_OPEN; i++) {
        enrol(3, i, (fl_time)i * PACE_MS);
        (void)said(FL_ENROL, FL_PARENT);
    }
    enrol(3, 5000, FL_ENROL_RELAY_OPEN * PACE_MS);
    const fl_refused *refused = &said(FL_REFUSED, 3)->refused;
    assert_int_equal(refused->reason, FL_WHY_BUSY);
    assert_int_equal(refused->about, FL_ENROL);
    enrol(3, 5000, FL_ENROL_RELAY_MS); // the first of them is overdue
    assert_int_equal(fl_outbox_count(out), 2);
    assert_int_equal(fl_outbox_at(out, 1)->send.message.verb, FL_ENROL);
}

static void
enrolments_are_passed_on_one_by_one_and_no_more_in_a_second(void **state)
{
    (void)state;
    unsigned up = 0;
    for (fl_time now = 0; now < 1000; now++) {
        enrol(3, 1000 + (uint64_t)now, now);
        for (uint32_t i = 0; i < fl_outbox_count(out); i++) {
            up += fl_outbox_at(out, i)->send.message.verb == FL_ENROL;
        }
    }
    assert_int_equal(up, FL_ENROL_RELAY_PER_SECOND);
    fl_machine machine = fl_enrol_relay_machine(relay);
    assert_int_equal(machine.deadline(machine.self), 1000); // those that wait have a time
}

//  Floods of 200 keys in one network, of one key in another, and of a known child (an edge that
//  passes on a flood); then one newcomer of a third network, and one node that renews.
static void
a_flood_stops_neither_a_newcomer_of_another_network_nor_a_renewal(void **state)
{
    (void)state;
    uint64_t request = 1;
    for (fl_time now = 0; now < 3000; now += 5) {
        for (fl_peer key = 100; key < 300; key += 10) {
            come(key + (fl_peer)(now % 10), request++, 77, FL_ROLE_NONE, now);
        }
        come(50, request++, 78, FL_ROLE_NONE, now);
        come(60, request++, 0, FL_ROLE_EDGE, now);
    }
    come(7, 4711, 79, FL_ROLE_NONE, 3000);
    come(8, 4712, 77, FL_ROLE_DEVICE, 3000); // even from the network of the flood
    bool newcomer = false, renewal = false;
    for (fl_time now = 3000; now < 3000 + FL_ENROL_RELAY_OPEN * PACE_MS; now++) {
        come(100, request++, 77, FL_ROLE_NONE, now);
        come(60, request++, 0, FL_ROLE_EDGE, now);
        newcomer = newcomer || went[7];
        renewal = renewal || went[8];
    }
    assert_true(newcomer);
    assert_true(renewal);
    for (fl_time now = 5000; now < 7000; now++) { // from more networks than there are places
        come(100 + (fl_peer)(now % 400), request++, 1000 + (uint64_t)now, FL_ROLE_NONE, now);
        if (now == 6000) {
            come(9, 4713, 0, FL_ROLE_DEVICE, now);
        }
    }
    assert_true(went[9]);
}

// ---- at the root ------------------------------------------------------------------------------
static void
at_the_root_it_ends_at_the_registrar_which_answers_later(void **state)
{
    (void)state;
    enrol(3, 1000, 0);
    assert_int_equal(fl_outbox_count(out), 0);
    assert_int_equal(registrations, 1);
    tick();
    assert_int_equal(fl_outbox_count(out), 0);
    fl_enrol_relay_answer answer = { .reason = FL_WHY_NONE,
                                     .certificate = { 7 },
                                     .lease = { .shard = 1, .shards = 3 } };
    fl_enrol_relay_enrolled(relay, registered[0] + 1, &answer); // nobody's ticket
    tick();
    assert_int_equal(fl_outbox_count(out), 0);
    fl_enrol_relay_enrolled(relay, registered[0], &answer);
    tick();
    const fl_enrolled *enrolled = &said(FL_ENROLLED, 3)->enrolled;
    assert_int_equal(enrolled->request, 1000);
    assert_int_equal(enrolled->certificate.data[0], 7);
    assert_true(enrolled->shard == 1 && enrolled->shards == 3);
    assert_int_equal(stepped, 3); // ticks go on to the machine inside
    tick();
    assert_int_equal(fl_outbox_count(out), 0);
}

static void
a_registrar_that_is_busy_is_said_to_be(void **state)
{
    (void)state;
    busy = true;
    enrol(3, 1000, 0);
    assert_int_equal(said(FL_REFUSED, 3)->refused.reason, FL_WHY_BUSY);
    busy = false;
    enrol(3, 1000, PACE_MS);
    assert_int_equal(registrations, 1);
}

// ---- the rest ---------------------------------------------------------------------------------
static void
a_child_with_an_older_list_hears_the_newer_one_with_its_beat(void **state)
{
    (void)state;
    fl_message beat = { .verb = FL_BEAT, .beat = { .deny_version = 3 } };
    version = 3;
    step(3, &beat, 0);
    assert_int_equal(fl_outbox_count(out), 0);
    version = 4;
    step(3, &beat, 0);
    const fl_deny *deny = &said(FL_DENY, 3)->deny;
    assert_int_equal(deny->version, 4);
    assert_int_equal(deny->list.size, sizeof list);
    assert_int_equal(stepped, 2); // the beat goes on as well
    step(FL_PARENT, &beat, 0);    // a parent's beat asks for nothing
    assert_int_equal(fl_outbox_count(out), 0);
    assert_int_equal(stepped, 3);
}

static void
a_long_list_is_handed_out_in_parts_when_it_is_asked_for(void **state)
{
    (void)state;
    fl_message beat = { .verb = FL_BEAT, .beat = { .deny_version = 3 } };
    fl_message get = { .verb = FL_DENY_GET, .deny_get = { .version = 4 } };
    version = 4;
    is_large = true;
    step(3, &beat, 0);
    assert_int_equal(fl_outbox_count(out), 0); // the beat's answer says that there is a newer one
    static const uint64_t sizes[] = { FL_DENY_BYTES_MAX, FL_DENY_BYTES_MAX, 10 };
    for (int i = 0; i < 3; i++) {
        get.deny_get.offset = (uint64_t)i * FL_DENY_BYTES_MAX;
        step(3, &get, 0);
        const fl_deny_part *part = &said(FL_DENY_PART, 3)->deny_part;
        assert_true(part->version == 4 && part->total == sizeof large);
        assert_int_equal(part->offset, get.deny_get.offset);
        assert_int_equal(part->part.size, sizes[i]);
    }
    get.deny_get.offset = sizeof large;
    step(3, &get, 0);
    assert_int_equal(fl_outbox_count(out), 0);
    get.deny_get.version = 3; // it has grown meanwhile
    step(3, &get, 0);
    assert_int_equal(said(FL_DENY_PART, 3)->deny_part.offset, 0);
}

static void
a_part_is_asked_for_once_and_again_with_each_beat(void **state)
{
    (void)state;
    fl_message beat = { .verb = FL_BEAT, .beat = { .deny_version = 4 } };
    fl_message part = { .verb = FL_DENY_PART, .deny_part = { .version = 4 } };
    version = 4;
    step(FL_PARENT, &beat, 0); // we have it
    assert_int_equal(fl_outbox_count(out), 0);
    version = 3;
    step(FL_PARENT, &beat, 0);
    assert_int_equal(said(FL_DENY_GET, FL_PARENT)->deny_get.offset, 0);
    missing = 7;
    step(FL_PARENT, &part, 0);
    assert_int_equal(said(FL_DENY_GET, FL_PARENT)->deny_get.offset, 7);
    step(FL_PARENT, &part, 0); // a repeated one
    assert_int_equal(fl_outbox_count(out), 0);
    step(FL_PARENT, &beat, 0);
    const fl_deny_get *get = &said(FL_DENY_GET, FL_PARENT)->deny_get;
    assert_true(get->version == 4 && get->offset == 7);
    version = 4; // that was the last one
    step(FL_PARENT, &part, 0);
    assert_int_equal(fl_outbox_count(out), 0);
}

static void
what_is_not_of_a_round_does_not_reach_the_machine_and_the_rest_does(void **state)
{
    (void)state;
    fl_message deny = { .verb = FL_DENY }, task = { .verb = FL_TASK };
    step(FL_PARENT, &deny, 0);
    assert_int_equal(stepped, 0);
    step(FL_PARENT, &task, 0);
    assert_int_equal(stepped, 1);
    assert_int_equal(kind, FL_EV_MESSAGE);
    tick();
    assert_int_equal(kind, FL_EV_TICK);
    fl_machine machine = fl_enrol_relay_machine(relay);
    assert_int_equal(machine.deadline(machine.self), 4242);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        unit_case(an_enrolment_goes_up_and_its_answer_back_to_who_asked, edge, end),
        unit_case(a_renewal_of_our_own_goes_the_same_way_and_stays_here, edge, end),
        unit_case(a_root_asks_itself_and_is_told_nothing_when_it_is_busy, root, end),
        unit_case(the_same_request_again_is_one_pending_enrolment, edge, end),
        unit_case(an_answer_to_nobody_or_without_its_certificate_is_dropped, edge, end),
        unit_case(pending_enrolments_are_bounded_and_overdue_ones_make_room, edge, end),
        unit_case(enrolments_are_passed_on_one_by_one_and_no_more_in_a_second, edge, end),
        unit_case(a_flood_stops_neither_a_newcomer_of_another_network_nor_a_renewal, edge, end),
        unit_case(at_the_root_it_ends_at_the_registrar_which_answers_later, root, end),
        unit_case(a_registrar_that_is_busy_is_said_to_be, root, end),
        unit_case(a_child_with_an_older_list_hears_the_newer_one_with_its_beat, edge, end),
        unit_case(a_long_list_is_handed_out_in_parts_when_it_is_asked_for, edge, end),
        unit_case(a_part_is_asked_for_once_and_again_with_each_beat, edge, end),
        unit_case(what_is_not_of_a_round_does_not_reach_the_machine_and_the_rest_does, edge, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
