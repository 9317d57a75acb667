#include "common/round/session.h"

#include <string.h>

#include "common/base/limits.h"
#include "common/machine/policy.h"

enum { SILENT_BEATS = 3, SOON_TRIES = 8 };

void
fl_session_init(fl_session *self, const fl_participant_conf *conf)
{
    memset(self, 0, sizeof *self);
    self->beat_ms = conf->beat_ms;
    self->backoff_min_ms = conf->backoff_min_ms;
    self->backoff_max_ms = conf->backoff_max_ms;
    self->rng = fl_rng_seeded(conf->seed ^ conf->incarnation);
}

void
fl_session_heard(fl_session *self, fl_time now)
{
    self->heard_at = now;
}

void
fl_session_asked(fl_session *self, fl_time now)
{
    self->phase = FL_SESSION_JOINING;
    self->hello_at = now;
}

void
fl_session_welcomed(fl_session *self, uint32_t beat_ms, fl_time now)
{
    self->phase = FL_SESSION_JOINED;
    self->tries = self->unanswered = 0;
    self->beat_ms = beat_ms < FL_BEAT_MS_MIN   ? FL_BEAT_MS_MIN
                    : beat_ms > FL_BEAT_MS_MAX ? FL_BEAT_MS_MAX
                                               : beat_ms;
    self->beat_at = now + (fl_time)self->beat_ms;
}

uint32_t
fl_session_pause_ms(fl_session *self, uint32_t failures)
{
    return fl_policy_backoff_ms(failures, self->backoff_min_ms, self->backoff_max_ms,
                                fl_rng_u64(&self->rng));
}

uint32_t
fl_session_lost(fl_session *self, fl_reason reason, fl_time now)
{
    uint32_t delay = fl_session_pause_ms(self, self->tries);
    bool soon = reason == FL_WHY_IN_USE && self->tries < SOON_TRIES && delay > self->beat_ms;
    delay = soon ? self->beat_ms : delay;
    self->tries++;
    self->unanswered += self->phase == FL_SESSION_JOINING;
    self->phase = FL_SESSION_OFFLINE;
    self->retry_at = now + (fl_time)delay;
    return delay;
}

void
fl_session_left(fl_session *self)
{
    self->phase = FL_SESSION_OFFLINE;
    self->retry_at = FL_NEVER;
}

void
fl_session_beaten(fl_session *self, fl_time now)
{
    self->beat_at = now + (fl_time)self->beat_ms;
}

//  When the parent has been silent for too long.
static fl_time
s_silence_at(const fl_session *self)
{
    fl_time bound = (fl_time)SILENT_BEATS * self->beat_ms;
    fl_time patience = self->unanswered == 0 ? bound : 2 * bound;
    return self->phase == FL_SESSION_JOINING ? self->hello_at + patience
                                             : self->heard_at + bound + 1;
}

fl_session_step
fl_session_next(const fl_session *self, fl_time now)
{
    if (self->phase == FL_SESSION_OFFLINE) {
        return now >= self->retry_at ? FL_SESSION_DO_CONNECT : FL_SESSION_DO_WAIT;
    }
    if (now >= s_silence_at(self)) {
        return FL_SESSION_DO_GIVE_UP;
    }
    bool beat = self->phase == FL_SESSION_JOINED && now >= self->beat_at;
    return beat ? FL_SESSION_DO_BEAT : FL_SESSION_DO_WAIT;
}

fl_time
fl_session_deadline(const fl_session *self)
{
    if (self->phase == FL_SESSION_OFFLINE) {
        return self->retry_at;
    }
    fl_time silence = s_silence_at(self);
    return self->phase == FL_SESSION_JOINED && self->beat_at < silence ? self->beat_at : silence;
}
