//  A link carries three lanes between a child and its parent. A lane is in order until the weather
//  says otherwise. Every message goes through the real codec, both ways.
#include <stdlib.h>
#include <string.h>

#include "common/wire/codec.h"
#include "tests/sim/sim.h"

enum { UP_PORT = 7001, DOWN_PORT = 7002 };

void
fl_sim_letter_free(fl_sim_letter *letter)
{
    fl_blob_unref(&letter->head);
    fl_blob_unref(&letter->body);
    free(letter);
}

static void
s_discard(fl_sim *sim, fl_sim_letter *letter, fl_sim_count why)
{
    fl_sim_count_up(sim, why);
    fl_sim_letter_free(letter);
}

// ---- sending ----------------------------------------------------------------------------------
static void
s_post(fl_sim *sim, fl_sim_letter *letter)
{
    fl_sim_link *link = &sim->links[letter->link];
    fl_sim_weather *weather = &sim->weather;
    fl_time *last_at = &link->last_at[letter->lane][letter->up];
    fl_time at = sim->now + link->latency_ms;
    if (weather->jitter_ms > 0) {
        at += (fl_time)fl_rng_below(&sim->weather_rng, weather->jitter_ms);
    }
    if (fl_sim_blows(sim, weather->delay)) {
        at += (fl_time)fl_rng_below(&sim->weather_rng, weather->delay_max_ms);
        fl_sim_count_up(sim, SIM_DELAYED);
    }
    if (link->clog_until[letter->up] > at) {
        at = link->clog_until[letter->up];
        fl_sim_count_up(sim, SIM_CLOGGED);
    }
    if (fl_sim_blows(sim, weather->reorder)) { // what is sent after it may overtake it
        at = (*last_at > at ? *last_at : at) + (fl_time)fl_rng_below(&sim->weather_rng, 400);
        fl_sim_count_up(sim, SIM_REORDERED);
    } else {
        at = *last_at > at ? *last_at : at;
        *last_at = at;
    }
    fl_sim_push(sim, (fl_sim_item){ .at = at, .what = SIM_AT_LETTER, .with.letter = letter });
}

static void
s_flip(fl_sim *sim, fl_blob **blob_p)
{
    fl_blob *spoilt = fl_blob_copy(fl_blob_bytes(*blob_p));
    FL_ASSERT(spoilt != NULL);
    uint64_t bit = fl_rng_below(&sim->weather_rng, 8 * (uint64_t)fl_blob_size(spoilt));
    fl_blob_data(spoilt)[bit / 8] ^= (uint8_t)(1u << (bit % 8));
    fl_blob_unref(blob_p);
    *blob_p = spoilt;
}

static void
s_spoil(fl_sim *sim, fl_sim_letter *letter)
{
    if (sim->plant == PLANT_CUT_HEADER && sim->next_id % 512 == 0) {
        fl_bytes head = fl_blob_bytes(letter->head);
        fl_blob *cut = fl_blob_copy(fl_bytes_of(head.data, head.size - 1));
        FL_ASSERT(cut != NULL);
        fl_blob_unref(&letter->head);
        letter->head = cut;
    }
    if (!fl_sim_blows(sim, sim->weather.flip)) {
        return;
    }
    if (letter->body != NULL && fl_rng_below(&sim->weather_rng, 2) == 0) {
        s_flip(sim, &letter->body);
        fl_sim_count_up(sim, SIM_FLIP_BODY);
    } else {
        s_flip(sim, &letter->head);
        letter->spoilt = true;
        fl_sim_count_up(sim, SIM_FLIP_HEADER);
    }
}

static fl_sim_letter *
s_twin(const fl_sim_letter *letter)
{
    fl_sim_letter *twin = fl_sim_new(sizeof *twin);
    *twin = *letter;
    twin->head = fl_blob_ref(letter->head);
    twin->body = letter->body != NULL ? fl_blob_ref(letter->body) : NULL;
    return twin;
}

void
fl_sim_send(fl_sim *sim, uint32_t index, bool up, fl_sim_lane lane, const fl_message *message,
            fl_blob *body)
{
    fl_sim_link *link = &sim->links[index];
    fl_message seen = *message;
    uint32_t from = up ? link->child : link->parent, to = up ? link->parent : link->child;
    sim->nodes[from].said[message->verb]++;
    if (message->verb == FL_REFUSED) {
        sim->nodes[from].refused = message->refused;
    }
    fl_sim_count_up(sim, SIM_SENT);
    if (sim->letter_hook != NULL && !sim->letter_hook(sim, from, to, &seen)) {
        return;
    }
    fl_sim_letter *letter = fl_sim_new(sizeof *letter);
    letter->link = index;
    letter->up = up;
    letter->lane = lane;
    letter->epoch = link->epoch[lane];
    letter->verb = message->verb;
    letter->head = fl_encode(&seen, body != NULL ? fl_blob_size(body) : 0);
    FL_ASSERT(letter->head != NULL);
    letter->body = body != NULL ? fl_blob_ref(body) : NULL;
    if (link->cut_until > sim->now) {
        s_discard(sim, letter, SIM_CUT);
        return;
    }
    if (fl_sim_blows(sim, sim->weather.loss)) {
        s_discard(sim, letter, SIM_LOST);
        return;
    }
    s_spoil(sim, letter);
    if (fl_sim_blows(sim, sim->weather.duplicate)) {
        fl_sim_count_up(sim, SIM_DUPLICATED);
        s_post(sim, s_twin(letter));
    }
    s_post(sim, letter);
}

// ---- the gate: what the driver of a node adds and proves --------------------------------------
//  A ticket is what its parent made of (child, seat, epoch); the parent's key outlives it.
static void
s_ticket(const fl_sim_link *link, uint32_t seat, uint32_t epoch, uint8_t ticket[FL_TICKET_BYTES])
{
    uint64_t words[2] = { ((uint64_t)link->parent << 32 | link->child) * 0x9e3779b97f4a7c15u,
                          ((uint64_t)epoch << 32 | seat) };
    memcpy(ticket, words, FL_TICKET_BYTES);
}

static void
s_refuse(fl_sim *sim, uint32_t index, const fl_message *about, fl_reason reason)
{
    fl_message message = { .verb = FL_REFUSED, .run = about->run, .round = about->round };
    message.refused.reason = reason;
    message.refused.about = about->verb;
    fl_sim_send(sim, index, false, SIM_CONTROL, &message, NULL);
}

//  What a parent's gate lets through from a child.
static bool
s_admits(fl_sim *sim, uint32_t index, const fl_message *message)
{
    fl_sim_link *link = &sim->links[index];
    if (message->verb == FL_HELLO) {
        fl_sim_gate_asked(sim, index);
        return true;
    }
    if (!link->admitted) {
        bool bulk = message->verb == FL_CHUNK || message->verb == FL_FETCH;
        if (!bulk && !fl_sim_blows(sim, 1000)) { // who was told often enough hears nothing
            s_refuse(sim, index, message, FL_WHY_UNKNOWN_SEAT);
        }
        return false;
    }
    if (message->verb == FL_CONTRIB) {
        uint8_t ticket[FL_TICKET_BYTES];
        s_ticket(link, message->contrib.seat, message->contrib.epoch, ticket);
        if (memcmp(ticket, message->contrib.ticket, sizeof ticket) != 0) {
            s_refuse(sim, index, message, FL_WHY_TICKET);
            return false;
        }
    }
    return true;
}

static fl_message
s_dressed(fl_sim *sim, const fl_sim_link *link, const fl_message *message)
{
    fl_message dressed = *message;
    if (message->verb == FL_WELCOME) {
        const fl_sim_node *parent = &sim->nodes[link->parent];
        dressed.welcome.certificate =
            fl_bytes_of(fl_sim_identity_of(parent->role, &parent->name,
                                           parent->number + parent->fate.generation * SIM_NODES_MAX)
                            ->certificate,
                        FL_CERT_BYTES);
        dressed.welcome.up_port = UP_PORT;
        dressed.welcome.down_port = DOWN_PORT;
        s_ticket(link, dressed.welcome.seat, dressed.welcome.epoch, dressed.welcome.ticket);
    }
    return dressed;
}

static bool
s_paused(fl_sim *sim, const fl_run *run)
{
    const fl_sim_era *era = fl_sim_era_of(sim, run);
    return era != NULL && era->row.state == FL_RUN_PAUSED;
}

// ---- receiving --------------------------------------------------------------------------------
static void
s_receive(fl_sim *sim, fl_sim_letter *letter, const fl_message *message)
{
    fl_sim_link *link = &sim->links[letter->link];
    fl_sim_node *to = &sim->nodes[letter->up ? link->parent : link->child];
    const fl_sim_node *child = &sim->nodes[link->child];
    if (letter->up && !s_admits(sim, letter->link, message)) {
        return;
    }
    fl_message dressed = letter->up ? *message : s_dressed(sim, link, message);
    bool lies = sim->plant == PLANT_LIE_CLOSED ||
                (sim->plant == PLANT_PAUSE_TWICE && s_paused(sim, &message->run));
    if (lies && !letter->up && to->role == FL_ROLE_DEVICE && dressed.verb == FL_CLOSED &&
        dressed.closed.outcome == FL_OUT_IN) {
        dressed.closed.outcome = FL_OUT_LATE;
        dressed.closed.reason = FL_WHY_LATE;
    }
    if (sim->plant == PLANT_WRONG_WEIGHT && dressed.verb == FL_CONTRIB &&
        dressed.contrib.weight > 1) {
        dressed.contrib.weight--;
    }
    if ((sim->plant == PLANT_LOST_TASK && dressed.verb == FL_TASK) ||
        (sim->plant == PLANT_LOST_TWINS && dressed.verb == FL_TWINS)) {
        return;
    }
    if (sim->plant == PLANT_COPY_BESIDE && dressed.verb == FL_HELLO &&
        child->fate.origin != SIM_NONE) { // and it is taken for its original
        dressed.hello.incarnation = sim->nodes[child->fate.origin].fate.incarnation;
    }
    fl_event event = { .kind = FL_EV_MESSAGE };
    event.message.from = letter->up ? child->peer : FL_PARENT;
    if (letter->up) {
        event.message.node = child->name;
        event.message.role = child->role;
    }
    event.message.message = &dressed;
    event.message.body_bytes = letter->body != NULL ? (uint32_t)fl_blob_size(letter->body) : 0;
    to->told[dressed.verb]++;
    fl_sim_watch_heard(sim, to, &dressed);
    fl_sim_node_step(sim, to, &event, letter->body);
}

//  A child's socket keeps what it could not deliver until its parent is back.
static bool
s_queued(fl_sim *sim, fl_sim_letter *letter, const fl_sim_node *to)
{
    if (!letter->up || !sim->weather.queue_dead || to->back_at <= sim->now) {
        return false;
    }
    fl_sim_count_up(sim, SIM_QUEUED_DEAD);
    fl_time at = to->back_at + sim->links[letter->link].latency_ms;
    fl_sim_push(sim, (fl_sim_item){ .at = at, .what = SIM_AT_LETTER, .with.letter = letter });
    return true;
}

void
fl_sim_deliver(fl_sim *sim, fl_sim_letter *letter)
{
    fl_sim_link *link = &sim->links[letter->link];
    fl_sim_node *to = &sim->nodes[letter->up ? link->parent : link->child];
    if (letter->epoch != link->epoch[letter->lane]) {
        s_discard(sim, letter, SIM_VANISHED);
        return;
    }
    if (link->cut_until > sim->now) {
        s_discard(sim, letter, SIM_CUT);
        return;
    }
    if (!to->alive) {
        if (!s_queued(sim, letter, to)) {
            s_discard(sim, letter, SIM_VANISHED);
        }
        return;
    }
    fl_message message;
    size_t body_bytes = letter->body != NULL ? fl_blob_size(letter->body) : 0;
    fl_codec_result result = fl_decode(fl_blob_bytes(letter->head), body_bytes, &message);
    if (!letter->spoilt) { // a spoilt header must not hurt the decoder; the hop's MAC drops it
        if (result.code != FL_CODEC_OK) {
            fl_sim_fail(sim, CHECK_WIRE, "a %s did not survive the wire: %s (%s)",
                        fl_verb_name(letter->verb), fl_codec_name(result.code), result.text);
        } else {
            s_receive(sim, letter, &message);
        }
    }
    fl_sim_letter_free(letter);
}

// ---- lanes ------------------------------------------------------------------------------------
void
fl_sim_lane_set(fl_sim *sim, uint32_t index, fl_sim_lane lane, bool open)
{
    fl_sim_link *link = &sim->links[index];
    if (open && !link->open[lane]) { // a handshake passes before the first byte
        fl_time ready = sim->now + 2 * (fl_time)link->latency_ms;
        link->last_at[lane][0] = ready;
        link->last_at[lane][1] = ready;
    }
    if (!open) {
        link->epoch[lane]++;
    }
    link->open[lane] = open;
}

void
fl_sim_link_break(fl_sim *sim, uint32_t index)
{
    fl_sim_link *link = &sim->links[index];
    link->heard_at = SIM_LONG_AGO;
    for (int lane = 0; lane < SIM_LANES; lane++) {
        link->epoch[lane]++;
        link->last_at[lane][0] = sim->now + 2 * (fl_time)link->latency_ms;
        link->last_at[lane][1] = link->last_at[lane][0];
    }
}
