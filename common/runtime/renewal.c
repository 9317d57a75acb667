#include "common/runtime/renewal.h"

#include "common/base/log.h"

enum {
    ANSWER_MS = 3000,
    LOOK_MS = 10 * 1000,
    WRONG_S = 60, // of a certificate that does not hold: between two attempts
    PAUSE_MAX_S = 3600,
};

static uint64_t
s_draw(void)
{
    fl_entropy entropy = fl_entropy_os();
    uint64_t draw = 0;
    fl_entropy_fill(&entropy, &draw, sizeof draw);
    return draw;
}

uint64_t
fl_renewal_at(const fl_cert *cert, uint64_t draw)
{
    uint64_t from = fl_cert_ends_from(cert);
    return from + draw % ((cert->not_after - from) / 2 + 1);
}

uint32_t
fl_renewal_pause_ms(const fl_cert *cert, uint64_t now_s, uint64_t draw)
{
    bool holds = fl_cert_time(cert, now_s) == FL_TRUST_OK;
    uint64_t most_s = holds ? (cert->not_after - now_s) / 8 : WRONG_S;
    most_s = most_s < 1 ? 1 : most_s > PAUSE_MAX_S ? PAUSE_MAX_S : most_s;
    uint64_t half_ms = most_s * 1000 / 2;
    return (uint32_t)(half_ms + draw % half_ms);
}

static void
s_failed(fl_renewal *self, fl_time now, const char *text)
{
    const fl_cert *cert = fl_identity_cert(self->identity);
    uint64_t wall_s = fl_identity_wall_s(self->identity);
    uint64_t left_s = cert->not_after > wall_s ? cert->not_after - wall_s : 0;
    self->try_at = now + fl_renewal_pause_ms(cert, wall_s, s_draw());
    fl_log(left_s == 0 ? FL_LOG_ERROR : FL_LOG_WARN, "not-renewed", fl_log_text("why", text),
           fl_log_u64("hours_left", left_s / 3600));
}

//  What stands in the directory. False: nothing new.
static bool
s_take_over(fl_renewal *self, fl_time now)
{
    fl_event renewed = { .kind = FL_EV_RENEWED };
    fl_why why;
    fl_status status = fl_identity_reload(self->identity, &renewed.renewed.rekeyed, &why);
    if (status != FL_OK && status != FL_MISSING) {
        s_failed(self, now, why.text);
    }
    if (status == FL_OK) {
        fl_log(FL_LOG_INFO, "renewed",
               fl_log_u64("serial", fl_identity_cert(self->identity)->serial),
               fl_log_text("keys", renewed.renewed.rekeyed ? "new" : "same"));
    }
    if (status == FL_OK && fl_identity_cert(self->identity)->role != FL_ROLE_ROOT) {
        renewed.renewed.keys = fl_identity_keys(self->identity);
        renewed.renewed.certificate = fl_identity_certificate(self->identity);
        self->post(self->self, &renewed);
    }
    return status == FL_OK;
}

static void
s_ask(fl_renewal *self, fl_time now)
{
    const fl_keys *keys = fl_identity_keys(self->identity);
    const fl_entropy entropy = fl_entropy_os();
    fl_bytes held = fl_bytes_of(fl_identity_certificate(self->identity), FL_CERT_BYTES);
    fl_sealed sealed;
    if (!fl_enrol_renew(keys, keys, held, fl_identity_trust(self->identity, 0).authority, &entropy,
                        &sealed)) {
        s_failed(self, now, "authority.pub holds no usable key");
        return;
    }
    fl_enrol_relay_ask(self->relay, &sealed, now);
    self->post(self->self, &(fl_event){ .kind = FL_EV_TICK });
    self->asked = true;
    self->try_at = now + ANSWER_MS;
}

//  One that does not hold by our clock is not taken over: what is held is at least as good, and is
//  renewed when the clocks are right again.
static fl_status
s_keep(fl_renewal *self, const fl_enrol_relay_answer *answer, fl_why *why)
{
    const fl_cert *held = fl_identity_cert(self->identity);
    uint64_t wall_s = fl_identity_wall_s(self->identity);
    fl_cert cert;
    if (answer->reason != FL_WHY_NONE) {
        return fl_fail(FL_DENIED, why, "refused (%s): %.150s", fl_reason_name(answer->reason),
                       answer->text);
    }
    fl_trust trust =
        fl_enrol_accept(fl_bytes_of(answer->certificate, FL_CERT_BYTES),
                        fl_identity_trust(self->identity, 0).authority,
                        fl_identity_keys(self->identity), held->role, &held->node, &cert);
    if (trust != FL_TRUST_OK) {
        return fl_fail(FL_DENIED, why, "the certificate that came is not valid: %s",
                       fl_trust_name(trust));
    }
    if (fl_cert_time(&cert, wall_s) != FL_TRUST_OK) {
        fl_identity_clock_why(&cert, wall_s, why);
        return FL_DENIED;
    }
    return fl_state_dir_cert_save(self->directory, answer->certificate, false, why);
}

static bool
s_due(fl_renewal *self)
{
    const fl_cert *cert = fl_identity_cert(self->identity);
    uint64_t wall_s = fl_identity_wall_s(self->identity);
    fl_trust time = fl_cert_time(cert, wall_s);
    fl_why why;
    if (time != self->time && time != FL_TRUST_OK) {
        fl_identity_clock_why(cert, wall_s, &why);
        fl_log(FL_LOG_WARN, "clock", fl_log_text("why", why.text));
    }
    if (time != self->time && !self->asked) {
        self->try_at = 0; // the pause was for the other clock
    }
    self->time = time;
    if (self->serial != cert->serial) {
        self->serial = cert->serial;
        self->due_s = fl_renewal_at(cert, s_draw());
    }
    return time != FL_TRUST_OK || wall_s >= self->due_s;
}

void
fl_renewal_turn(fl_renewal *self, fl_time now)
{
    fl_enrol_relay_answer answer;
    fl_why why = { "no answer" };
    bool heard = self->asked && fl_enrol_relay_answered(self->relay, &answer);
    bool ended = heard || (self->asked && now >= self->try_at);
    //  `fl enrol --renew` may have been faster, with new keys: its certificate stays.
    if ((ended || now >= self->look_at) && !s_take_over(self, now) && ended) {
        if (!heard || s_keep(self, &answer, &why) != FL_OK) {
            s_failed(self, now, why.text);
        } else {
            (void)s_take_over(self, now);
        }
    }
    self->look_at = ended || now >= self->look_at ? now + LOOK_MS : self->look_at;
    self->asked = self->asked && !ended;
    if (s_due(self) && !self->asked && now >= self->try_at) {
        s_ask(self, now);
    }
}
