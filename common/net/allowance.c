#include "common/net/allowance.h"

//  Bytes of libzmq's handshake, each way, as far as the step named.
enum { GREETING = 64, KEY = GREETING + 202, PROOF = KEY + 250, APPROVED = GREETING + 170 + 40 };

uint64_t
fl_allowance_bytes(uint64_t unread_max, fl_allowance share)
{
    static const uint64_t eighths[FL_ALLOWANCES] = {
        [FL_ALLOWANCE_STRANGERS] = 1, [FL_ALLOWANCE_CHILDREN] = 5, [FL_ALLOWANCE_PARENT] = 2
    };
    return unread_max / 8 * eighths[share];
}

fl_allowance
fl_allowance_of(const fl_visitor *visitor)
{
    if (visitor->ours) {
        return FL_ALLOWANCE_PARENT;
    }
    const bool approved = visitor->progress == FL_PROGRESS_APPROVED;
    return visitor->child || (visitor->way != FL_WAY_CONTROL && approved) ? FL_ALLOWANCE_CHILDREN
                                                                         : FL_ALLOWANCE_STRANGERS;
}

bool
fl_allowance_stranger(const fl_visitor *visitor)
{
    return visitor->inode != 0 && fl_allowance_of(visitor) == FL_ALLOWANCE_STRANGERS;
}

uint64_t
fl_allowance_held(const fl_visitor *visitor)
{
    return visitor->inode != 0 && visitor->received > visitor->delivered
               ? visitor->received - visitor->delivered
               : 0;
}

uint64_t
fl_allowance_sum(const fl_visitor visitors[], int size, fl_allowance share)
{
    uint64_t sum = 0;
    for (int i = 0; i < size; i++) {
        sum += fl_allowance_of(&visitors[i]) == share ? fl_allowance_held(&visitors[i]) : 0;
    }
    return sum;
}

fl_progress
fl_allowance_progress(fl_progress before, uint64_t received, uint64_t acknowledged)
{
    static const uint64_t takes[] = { 0, 1, GREETING, KEY, PROOF };
    fl_progress reached = FL_PROGRESS_PROOF;
    while (received < takes[reached]) {
        reached--;
    }
    reached += reached == FL_PROGRESS_PROOF && acknowledged >= APPROVED;
    return reached > before ? reached : before;
}

static bool
s_holds(const fl_visitor *visitor, fl_allowance share)
{
    return fl_allowance_held(visitor) > 0 && fl_allowance_of(visitor) == share;
}

//  By its peer; connections without a name are each their own holder.
static uint64_t
s_held_by(const fl_visitor visitors[], int size, const fl_visitor *holder, fl_allowance share)
{
    uint64_t sum = holder->peer == FL_PARENT ? fl_allowance_held(holder) : 0;
    for (int i = 0; i < size && holder->peer != FL_PARENT; i++) {
        if (visitors[i].peer == holder->peer && s_holds(&visitors[i], share)) {
            sum += fl_allowance_held(&visitors[i]);
        }
    }
    return sum;
}

int
fl_allowance_heaviest(const fl_visitor visitors[], int size, fl_allowance share)
{
    int found = -1;
    uint64_t most = 0, largest = 0; // of a holder, of its connections
    for (int i = 0; i < size; i++) {
        if (s_holds(&visitors[i], share)) {
            const uint64_t holds = s_held_by(visitors, size, &visitors[i], share);
            const uint64_t held = fl_allowance_held(&visitors[i]);
            if (holds > most || (holds == most && held > largest)) {
                found = i;
                most = holds;
                largest = held;
            }
        }
    }
    return found;
}

//  Connections that never sent a byte have half of the room, so that those that go on with their
//  handshake find the other half, and a newcomer some time to send its first.
int
fl_allowance_least_stranger(const fl_visitor visitors[], int size)
{
    uint16_t crowds[FL_CROWDS] = { 0 }, mute[FL_CROWDS] = { 0 };
    int fullest = 0, found = -1;
    for (int i = 0; i < size; i++) {
        if (fl_allowance_stranger(&visitors[i])) {
            const int crowd = visitors[i].crowd;
            if (visitors[i].progress == FL_PROGRESS_NONE) {
                mute[crowd]++;
            }
            crowds[crowd]++;
            fullest = crowds[crowd] > crowds[fullest] ? crowd : fullest;
        }
    }
    const bool mutes = 2 * mute[fullest] > crowds[fullest];
    for (int i = 0; i < size; i++) {
        const fl_visitor *at = &visitors[i];
        if (fl_allowance_stranger(at) && at->crowd == fullest &&
            (at->progress == FL_PROGRESS_NONE) == mutes &&
            (found < 0 || at->progress_at < visitors[found].progress_at)) {
            found = i;
        }
    }
    return found;
}

int
fl_allowance_surplus(const fl_visitor visitors[], int size, fl_way way, fl_peer peer)
{
    int oldest = -1, count = 0;
    for (int i = 0; i < size; i++) {
        if (visitors[i].inode != 0 && visitors[i].way == way && visitors[i].peer == peer) {
            count++;
            bool older = oldest < 0 || visitors[i].since < visitors[oldest].since;
            oldest = older && !visitors[i].seat ? i : oldest;
        }
    }
    return count > FL_KEY_CONNECTIONS ? oldest : -1;
}
