#include "tests/support/child.h"

#include "common/base/status.h"

fl_participant *child_member;
fl_order child_order;
uint32_t child_lanes_ms;

static void
s_step(void *self, const fl_event *event, fl_time now, fl_outbox *out)
{
    fl_participant_step(self, event, now, out);
}

static fl_time
s_deadline(const void *self)
{
    return fl_participant_deadline(self);
}

int
child_new(void **state)
{
    (void)state;
    child_member = fl_participant_new(&(fl_participant_conf){ .node = machine_node("d1"),
                                                              .role = FL_ROLE_DEVICE,
                                                              .incarnation = 5,
                                                              .seed = 1,
                                                              .beat_ms = 100,
                                                              .backoff_min_ms = 100,
                                                              .backoff_max_ms = 400,
                                                              .lanes_ms = child_lanes_ms });
    FL_ASSERT(child_member != NULL);
    machine_it = (fl_machine){ child_member, s_step, s_deadline };
    machine_now = 1000;
    child_order = machine_order_of(1, CHILD_BYTES);
    return 0;
}

int
child_destroy(void **state)
{
    (void)state;
    fl_participant_destroy(&child_member);
    return 0;
}

// ---- as far as ... ----------------------------------------------------------------------------
void
child_join(void)
{
    machine_tick();
    fl_message welcome = machine_welcome(3, 1);
    machine_hear_parent(&welcome, 0);
    FL_ASSERT(fl_participant_joined(child_member));
}

void
child_task(uint64_t round, uint32_t attempt, uint32_t budget_ms)
{
    child_order = machine_order_of(round, CHILD_BYTES);
    child_order.model = machine_hash(1); // one model for all rounds: it is fetched once
    fl_message task = machine_task(&child_order, attempt, budget_ms);
    machine_hear_parent(&task, 0);
}

void
child_fetch_all(void)
{
    for (uint64_t at = 0; at < MACHINE_MODEL; at += CHILD_CHUNK) {
        fl_message piece = machine_message(FL_PIECE, 1);
        piece.piece = (fl_piece){ .hash = machine_hash(1), .offset = at, .total = MACHINE_MODEL };
        machine_hear_parent(&piece, at + CHILD_CHUNK < MACHINE_MODEL ? CHILD_CHUNK
                                                                     : MACHINE_MODEL - CHILD_CHUNK);
    }
    FL_ASSERT(machine_count(FL_FX_CHECK) == 1);
}

//  Joined, with the model of round 1 and its task.
void
child_work(void)
{
    child_join();
    child_task(1, 1, 5000);
    child_fetch_all();
    machine_model(true);
    FL_ASSERT(fl_participant_wants(child_member));
}

void
child_offer(void)
{
    machine_clear();
    fl_participant_offer(child_member,
                         &(fl_offer){ .vec = CHILD_VEC,
                                      .hash = machine_hash(70),
                                      .vector_bytes = CHILD_BYTES,
                                      .base_round = child_order.round,
                                      .base = child_order.model,
                                      .weight = 9,
                                      .count = 1 },
                         machine_now, machine_out);
    machine_proof();
}

void
child_grant(uint32_t attempt, uint64_t next, uint64_t limit, uint32_t rewind)
{
    fl_message grant = machine_message(FL_GRANT, child_order.round);
    grant.grant = (fl_grant){ .attempt = attempt,
                              .hash = machine_hash(70),
                              .next = next,
                              .limit = limit,
                              .rewind = rewind,
                              .chunk_bytes = CHILD_CHUNK };
    machine_hear_parent(&grant, 0);
}

//  Offered, and every byte is out: it may be counted.
void
child_send_all(void)
{
    child_work();
    child_offer();
    child_grant(1, 0, CHILD_BYTES, 0);
    FL_ASSERT(fl_participant_activity(child_member) == FL_DOING_WAIT_CLOSE);
}

void
child_closed(uint64_t round, uint32_t attempt, fl_outcome outcome, fl_reason reason, bool final)
{
    fl_message closed = machine_closed(round, attempt, outcome, reason);
    closed.closed.final = final;
    machine_hear_parent(&closed, 0);
}

fl_verdict
child_verdict(void)
{
    fl_verdict verdict;
    FL_ASSERT(fl_participant_verdict(child_member, &verdict));
    fl_verdict again;
    FL_ASSERT(!fl_participant_verdict(child_member, &again)); // once
    return verdict;
}

bool
child_no_verdict(void)
{
    fl_verdict verdict;
    return !fl_participant_verdict(child_member, &verdict);
}
