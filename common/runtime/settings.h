//  settings - the rows of the settings tables that the programs share, and what they mean as plain
//  values. A program's table is these rows and its own.
#ifndef FL_RUNTIME_SETTINGS_H
#define FL_RUNTIME_SETTINGS_H

#include "common/config/conf.h"
#include "common/round/aggregator.h"
#include "common/round/participant.h"
#include "common/runtime/node.h"

//  Where a process lives. Not for a device, which may have a slot instead.
#define FL_SETTINGS_STATE                                                                          \
    { "state", FL_CONF_TEXT, NULL, 0, 0, NULL,                                                     \
      "directory of this process's keys, ledger and operator socket" }

//  Every process.
#define FL_SETTINGS_PROCESS                                                                        \
    { "healthcheck", FL_CONF_BOOL, "false", 0, 0, NULL,                                            \
      "only ask the running process whether it is well: exit code 0 when it is, else 1" },         \
    { "start.wait", FL_CONF_DURATION, "0ms", 0, 86400000, NULL,                                    \
      "how long to wait at the start for files that others make: authority, data, token" },        \
    { "log.level", FL_CONF_CHOICE, "info", 0, 0, "error|warn|info|debug",                          \
      "log lines of this level and of more urgent ones" },                                         \
    { "threads", FL_CONF_INT, "2", 1, 64, NULL, "worker threads for adding up and training" },     \
    { "io_threads", FL_CONF_INT, "1", 1, 64, NULL, "threads that encrypt and move frames" },   \
    { "net.unread_max", FL_CONF_SIZE, "0", 0, 1099511627776, NULL,                                 \
      "bytes received that may wait unread: an eighth of strangers, five of children, two of the " \
      "parent; 0 is 64M, or more when slots need it" }

//  A process with children.
#define FL_SETTINGS_PARENT                                                                         \
    { "listen.control", FL_CONF_TEXT, "tcp://0.0.0.0:7000", 0, 0, NULL,                            \
      "where children connect; port 0 takes any free one" },                                       \
    { "listen.up", FL_CONF_TEXT, "tcp://0.0.0.0:7001", 0, 0, NULL,                                 \
      "where children send contributions" },                                                       \
    { "listen.down", FL_CONF_TEXT, "tcp://0.0.0.0:7002", 0, 0, NULL,                               \
      "where children ask for models" },                                                           \
    { "listen.advertise.up", FL_CONF_INT, "0", 0, UINT16_MAX, NULL,                                \
      "port by which children reach listen.up, when it is mapped; 0 is the one listened on" },     \
    { "listen.advertise.down", FL_CONF_INT, "0", 0, UINT16_MAX, NULL,                              \
      "port by which children reach listen.down, likewise" },                                      \
    { "seats", FL_CONF_INT, "64", 1, FL_SEATS_MAX, NULL, "most children at a time" },              \
    { "slots", FL_CONF_INT, "4", 1, FL_SLOTS_MAX, NULL, "most contributions received at a time" }, \
    { "beat", FL_CONF_DURATION, "1s", 10, 3600000, NULL, "time between a child's heartbeats" },    \
    { "lease", FL_CONF_INT, "6", 2, 1000, NULL, "missed heartbeats that end a seat" },             \
    { "margin.hop", FL_CONF_DURATION, "100ms", 0, 3600000, NULL,                                   \
      "taken off a child's time for the way there and back" },                                     \
    { "margin.finish", FL_CONF_DURATION, "200ms", 0, 3600000, NULL,                                \
      "taken off our own time, to finish the sum and send it" },                                   \
    { "rate.min", FL_CONF_SIZE, "2k", 0, 1073741824, NULL,                                         \
      "bytes per second; a slower contribution is refused and its slot given to another" },        \
    { "rate.window", FL_CONF_DURATION, "10s", 100, 3600000, NULL,                                  \
      "time over which rate.min is measured" }

//  How its rounds are opened and closed; at the root a run's own.
#define FL_SETTINGS_WINDOW                                                                         \
    { "round.expect", FL_CONF_INT, "0", 0, FL_SEATS_MAX, NULL,                                     \
      "children to wait for, at most round.absent_max rounds long; 0 waits for nobody" },          \
    { "round.count_min", FL_CONF_INT, "1", 1, FL_SEATS_MAX, NULL,                                  \
      "quorum: with fewer contributions the round is missed" },                                    \
    { "round.share_min", FL_CONF_REAL, "0", 0, 1, NULL,                                            \
      "quorum: with a smaller share of devices, or unmasked of samples, it is missed; 0 is any" }, \
    { "round.count_max", FL_CONF_INT, "0", 0, FL_SEATS_MAX, NULL,                                  \
      "contributions with which a round closes early; 0 is one of each invited child" },           \
    { "round.time_min", FL_CONF_DURATION, "0ms", 0, 86400000, NULL, "shortest time of a round" },  \
    { "round.time_max", FL_CONF_DURATION, "60s", 1, 86400000, NULL,                                \
      "deadline of a round, or its upper bound when round.factor measures it" },                   \
    { "round.factor", FL_CONF_REAL, "0", 0, 1000, NULL,                                            \
      "deadline as a multiple of the last rounds' median time; 0 is always time_max" },            \
    { "round.missed", FL_CONF_CHOICE, "skip", 0, 0, "extend|skip|abort",                           \
      "what to do when the deadline passes without the quorum" },                                  \
    { "round.extend", FL_CONF_DURATION, "10s", 1, 86400000, NULL, "time of one extension" },       \
    { "round.extends_max", FL_CONF_INT, "1", 0, 1000, NULL, "most extensions of one round" },      \
    { "round.join_wait", FL_CONF_DURATION, "5s", 0, 86400000, NULL,                                \
      "at an edge: how long an open round waits for expected children that are not there" },       \
    { "round.absent_max", FL_CONF_INT, "1", 0, 1000000, NULL,                                      \
      "rounds in a row without it until a child is not waited for, until it is back; 0 is never" }

//  In the order of fl_masking.
#define FL_SETTINGS_MASKING "unmasked|honest|malicious"

//  A process with a parent; `weakest` is the default of the masking that it asks for.
// clang-format off
#define FL_SETTINGS_PARTICIPANT(weakest)                                                           \
    { "masking", FL_CONF_CHOICE, weakest, 0, 0, FL_SETTINGS_MASKING,                               \
      "weakest secure aggregation to take part in; unmasked lets the parent read what is sent" },  \
    { "join.token", FL_CONF_TEXT, "", 0, 0, NULL,                                                  \
      "file with a join token for the first start; not needed once enrolled" },                    \
    { "join.name", FL_CONF_TEXT, "", 0, 0, NULL,                                                   \
      "node name to join as; with slots, the number of the slot is appended" },                    \
    { "join.endpoint", FL_CONF_TEXT, "", 0, 0, NULL,                                               \
      "address of the parent, tcp://HOST:PORT, when it is not the one in the token" },             \
    { "join.parent", FL_CONF_TEXT, "", 0, 0, NULL,                                                 \
      "file with that parent's certificate, when it is not the parent in the token" },             \
    { "join.wait", FL_CONF_DURATION, "60s", 1, 86400000, NULL,                                     \
      "how long to try to reach the parent before giving up" },                                    \
    { "backoff.min", FL_CONF_DURATION, "200ms", 10, 3600000, NULL,                                 \
      "first wait before a new connection to the parent; it doubles each time" },                  \
    { "backoff.max", FL_CONF_DURATION, "10s", 10, 3600000, NULL, "longest such wait" },            \
    { "masking.members_min", FL_CONF_INT, "3", 3, FL_MEMBERS_MAX, NULL,                            \
      "smallest block to take part in, whatever the root asks for" },                              \
    { "masking.survivors_min", FL_CONF_INT, "3", 3, FL_MEMBERS_MAX, NULL,                          \
      "fewest survivors whose sum to help open, whatever the root asks for" },                     \
    { "masking.pin_allowed", FL_CONF_BOOL, "false", 0, 0, NULL,                                    \
      "under malicious, take part in masked runs whose updates are not random (plan.pin) too" }
// clang-format on

//  What must hold between the rows of a process with children and those of a window, so that a
//  round can succeed at all. Both are the same settings but at the root, where a window is a run's.
FL_CHECKED fl_status fl_settings_check(const fl_conf *parent, const fl_conf *window, fl_why *why);
//  The addresses of a process with children.
FL_CHECKED fl_status fl_settings_check_listen(const fl_conf *conf, fl_why *why);
//  The address of a parent.
FL_CHECKED fl_status fl_settings_check_parent(const fl_conf *conf, fl_why *why);
//  All but the node and the roles; nothing of a window when that is NULL.
fl_aggregator_conf fl_settings_aggregator(const fl_conf *parent, const fl_conf *window);
fl_timing fl_settings_timing(const fl_conf *parent, const fl_conf *window);
//  All but the node and role; the incarnation is drawn anew.
fl_participant_conf fl_settings_participant(const fl_conf *conf, fl_role role);
//  Its half of masked rounds, all but the hop, which is its parent's. Borrows from the identity.
fl_secagg_client_conf fl_settings_masking(const fl_conf *conf, const fl_identity *identity,
                                          uint32_t draws_max);
//  A parent's half, of blocks of that hop.
fl_secagg_server_conf fl_settings_blocks(const fl_identity *identity, uint8_t hop);
//  What fl_node_open wants, for a process with children or without.
fl_node_conf fl_settings_node(const fl_conf *conf, bool children);
//  Log lines of this process from now on.
void fl_settings_log(const fl_conf *conf, const char *tier, const char *node);

#endif
