#include "common/runtime/settings.h"

#include <string.h>

#include "common/base/endpoint.h"
#include "common/base/log.h"
#include "common/config/clock.h"

enum {
    AGAIN_MS = 1000, // a step of a masked round that was not answered is said again
    LANES_MS = 15000, // a bulk lane that is not open by then is said to be unreachable
};

static uint32_t
s_ms(const fl_conf *conf, const char *key)
{
    return (uint32_t)fl_conf_ms(conf, key);
}

static uint32_t
s_count(const fl_conf *conf, const char *key)
{
    return (uint32_t)fl_conf_int(conf, key);
}

static fl_window
s_window(const fl_conf *conf)
{
    return (fl_window){
        .count_min = s_count(conf, "round.count_min"),
        .count_max = s_count(conf, "round.count_max"),
        .time_min_ms = s_ms(conf, "round.time_min"),
        .time_max_ms = s_ms(conf, "round.time_max"),
        .factor_permille = (uint32_t)(fl_conf_real(conf, "round.factor") * 1000.0 + 0.5),
        .missed = (fl_missed)fl_conf_choice(conf, "round.missed"),
        .extend_ms = s_ms(conf, "round.extend"),
        .extends_max = s_count(conf, "round.extends_max"),
        .share_permille = (uint32_t)(fl_conf_real(conf, "round.share_min") * 1000.0 + 0.5),
    };
}

fl_timing
fl_settings_timing(const fl_conf *conf, const fl_conf *window)
{
    fl_timing timing = fl_timing_default();
    timing.beat_ms = s_ms(conf, "beat");
    timing.lease_beats = s_count(conf, "lease");
    if (timing.evasive_beats > timing.lease_beats) {
        timing.evasive_beats = timing.lease_beats;
    }
    timing.hop_ms = s_ms(conf, "margin.hop");
    timing.finish_ms = s_ms(conf, "margin.finish");
    timing.join_wait_ms = window == NULL ? 0 : s_ms(window, "round.join_wait");
    timing.rate_min = (uint32_t)fl_conf_bytes(conf, "rate.min");
    timing.rate_window_ms = s_ms(conf, "rate.window");
    return timing;
}

fl_status
fl_settings_check_parent(const fl_conf *conf, fl_why *why)
{
    const char *text = fl_conf_text(conf, "join.endpoint");
    fl_endpoint place;
    if (text[0] != '\0' && !fl_endpoint_parse_remote(text, &place)) {
        return fl_fail(FL_MALFORMED, why, "join.endpoint: " FL_ENDPOINT_REFUSED, text,
                       FL_ENDPOINT_LENGTH_MAX);
    }
    return FL_OK;
}

fl_status
fl_settings_check_listen(const fl_conf *conf, fl_why *why)
{
    static const char *const keys[] = { "listen.control", "listen.up", "listen.down" };
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const char *text = fl_conf_text(conf, keys[i]);
        fl_endpoint place;
        if (!fl_endpoint_parse(text, &place)) {
            return fl_fail(FL_MALFORMED, why,
                           "%s: '%s' is no tcp://ADDRESS:PORT, with an address of this machine or "
                           "0.0.0.0 and a port from 0 (any free one) to 65535",
                           keys[i], text);
        }
    }
    return FL_OK;
}

fl_status
fl_settings_check(const fl_conf *parent, const fl_conf *of_window, fl_why *why)
{
    fl_window window = s_window(of_window);
    fl_timing timing = fl_settings_timing(parent, of_window);
    uint32_t seats = s_count(parent, "seats"), expect = s_count(of_window, "round.expect");
    uint64_t margins = (uint64_t)timing.hop_ms + timing.finish_ms;
    if (expect > seats || window.count_min > seats) {
        return fl_fail(FL_RANGE, why,
                       "%s is above seats (%u), so no round can have it: raise seats, or lower it",
                       expect > seats ? "round.expect" : "round.count_min", seats);
    }
    if (window.count_max > 0 && window.count_max < window.count_min) {
        return fl_fail(FL_RANGE, why,
                       "round.count_max (%u) is below round.count_min (%u), so that each round "
                       "closes as missed: raise the one, or lower the other",
                       window.count_max, window.count_min);
    }
    if (window.time_min_ms > window.time_max_ms) {
        return fl_fail(FL_RANGE, why,
                       "round.time_min is above round.time_max: lower it, or raise the deadline");
    }
    if (margins >= window.time_max_ms) {
        return fl_fail(FL_RANGE, why,
                       "margin.hop and margin.finish take all of round.time_max (%u ms), so that "
                       "no child has time: raise round.time_max, or lower them",
                       window.time_max_ms);
    }
    return FL_OK;
}

fl_aggregator_conf
fl_settings_aggregator(const fl_conf *parent, const fl_conf *window)
{
    fl_aggregator_conf conf = { .seats_max = s_count(parent, "seats"),
                                .slots = s_count(parent, "slots"),
                                .timing = fl_settings_timing(parent, window) };
    if (window != NULL) {
        conf.expect = s_count(window, "round.expect");
        conf.absent_max = s_count(window, "round.absent_max");
        conf.window = s_window(window);
    }
    return conf;
}

fl_participant_conf
fl_settings_participant(const fl_conf *conf, fl_role role)
{
    fl_participant_conf participant = { .role = role,
                                        .lanes_ms = LANES_MS,
                                        .beat_ms = fl_timing_default().beat_ms,
                                        .backoff_min_ms = s_ms(conf, "backoff.min"),
                                        .backoff_max_ms = s_ms(conf, "backoff.max") };
    fl_entropy entropy = fl_entropy_os();
    fl_entropy_fill(&entropy, &participant.incarnation, sizeof participant.incarnation);
    fl_entropy_fill(&entropy, &participant.seed, sizeof participant.seed);
    return participant;
}

fl_secagg_client_conf
fl_settings_masking(const fl_conf *conf, const fl_identity *identity, uint32_t draws_max)
{
    fl_secagg_client_conf client = {
        .keys = fl_identity_keys(identity),
        .node = *fl_identity_node(identity),
        .hop = 1,
        .trust = fl_identity_trust(identity, FL_ROLES_CHILD),
        .entropy = fl_entropy_os(),
        .profile = (fl_masking)fl_conf_choice(conf, "masking"),
        .members_min = s_count(conf, "masking.members_min"),
        .survivors_min = s_count(conf, "masking.survivors_min"),
        .pin_allowed = fl_conf_bool(conf, "masking.pin_allowed"),
        .draws_max = draws_max,
        .again_ms = AGAIN_MS,
    };
    memcpy(client.certificate, fl_identity_certificate(identity), sizeof client.certificate);
    return client;
}

fl_secagg_server_conf
fl_settings_blocks(const fl_identity *identity, uint8_t hop)
{
    return (fl_secagg_server_conf){ .node = *fl_identity_node(identity),
                                    .hop = hop,
                                    .trust = fl_identity_trust(identity, FL_ROLES_CHILD) };
}

fl_node_conf
fl_settings_node(const fl_conf *conf, bool children)
{
    fl_node_conf node = { .directory = fl_conf_text(conf, "state"),
                             .threads = s_count(conf, "threads"),
                             .io_threads = s_count(conf, "io_threads"),
                             .unread_max = fl_conf_bytes(conf, "net.unread_max") };
    if (children) {
        node.listen[FL_WAY_CONTROL] = fl_conf_text(conf, "listen.control");
        node.listen[FL_WAY_UP] = fl_conf_text(conf, "listen.up");
        node.listen[FL_WAY_DOWN] = fl_conf_text(conf, "listen.down");
        node.advertise[FL_WAY_UP] = (uint16_t)s_count(conf, "listen.advertise.up");
        node.advertise[FL_WAY_DOWN] = (uint16_t)s_count(conf, "listen.advertise.down");
        node.seats_max = s_count(conf, "seats");
        node.slots = s_count(conf, "slots");
    }
    return node;
}

void
fl_settings_log(const fl_conf *conf, const char *tier, const char *node)
{
    const fl_log_conf log = { .tier = tier,
                              .node = node,
                              .least = (fl_log_level)fl_conf_choice(conf, "log.level"),
                              .now = fl_clock_ms,
                              .stamp = fl_clock_stamp };
    fl_log_setup(&log);
}
