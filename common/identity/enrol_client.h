//  enrol_client - how a newcomer joins, for `fl enrol` and for a program's first start: it makes
//  its keys where they stay, shows its token, keeps the certificate that comes back; later it
//  renews that one. The token is read from a file or standard input, never from the command line or
//  the environment, where other users could see it. Blocks, at most `wait_ms`. Main thread.
#ifndef FL_IDENTITY_ENROL_CLIENT_H
#define FL_IDENTITY_ENROL_CLIENT_H

#include <stdio.h>

#include "common/config/exit_codes.h"
#include "common/crypto/enrol.h"
#include "common/net/request.h"
#include "common/store/ledger.h"

//  What it uses of the world, so that it runs in a test without one. See fl_request_ask.
typedef struct fl_enrol_client_world {
    FILE *in; // standard input
    fl_entropy entropy;
    uint64_t (*wall_s)(void); // wall clock, seconds since 1970
    fl_time (*now_ms)(void);  // monotonic
    void *self;               // of the functions below
    fl_status (*ask)(void *self, const fl_request_conf *to, const fl_message *question,
                     fl_verb answer, uint32_t timeout_ms, fl_message *reply, fl_bytes *body,
                     fl_why *why);
    //  Let time pass. False: somebody wants us to end.
    bool (*pause)(void *self, uint32_t ms);
    //  One line about what is waited for.
    void (*say)(void *self, const char *line);
} fl_enrol_client_world;

typedef struct fl_enrol_client_conf {
    const char *state; // directory of the newcomer, opened
    bool locked;       // the caller holds its lock
    fl_role role;      // joining: what it becomes,
    fl_name node;      // and under which name
    const char *token; // joining: file with the token; "-" is standard input
    //  The file holds a token a line, and ours is line `line` modulo their number. Else it is one
    //  token, whatever its lines.
    bool lines;
    uint32_t line;
    const char *endpoint; // of the parent, when not where the token says; else ""
    const char *parent;   // file with its certificate, when it is not the token's; else ""
    uint32_t wait_ms;     // for an answer
    bool next_keys;       // renewing: change the keys too
} fl_enrol_client_conf;

//  How it ended well.
typedef struct fl_enrol_client {
    fl_cert cert;
    const char *how; // "enrolled", "already enrolled", "renewed"
    bool already;    // nothing was changed
    fl_lease lease;  // of a data shard, when one came with the certificate
} fl_enrol_client;

//  Before it joins with its token, a program whose certificate has ended tries so long to renew it.
enum { FL_ENROL_RENEW_MS = 10 * 1000 };

//  FL_EXIT_OK and `result`; else another of exit_codes.h, and one line in `why`.
int fl_enrol_client_join(const fl_enrol_client_conf *conf, const fl_enrol_client_world *world,
                         fl_enrol_client *result, fl_why *why);
int fl_enrol_client_renew(const fl_enrol_client_conf *conf, const fl_enrol_client_world *world,
                          fl_enrol_client *result, fl_why *why);

#endif
