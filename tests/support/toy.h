//  toy - a parent and its children in one process, with real sockets on loopback: machines that
//  keep what they hear and say what the test tells them, and an identity that takes certificates
//  of the form "name" || role || key. Everything runs on the test's thread, turn by turn; `until`
//  waits for a condition, bounded, and never sleeps for its own sake.
#ifndef FL_SUPPORT_TOY_H
#define FL_SUPPORT_TOY_H

#include "common/net/context.h"
#include "common/net/reactor.h"
#include "tests/support/unit.h"

enum { TOY_HEARD_MAX = 2048, TOY_SAYS_MAX = 64, TOY_DENIED_MAX = 8, TOY_WAIT_MS = 20000 };

//  What a toy heard of one event.
typedef struct toy_heard {
    fl_event_kind kind;
    fl_verb verb;            // of a message
    fl_peer from;
    fl_name node;
    fl_role role;
    fl_reason reason;        // of REFUSED and GONE
    fl_verb about;           // of REFUSED
    char text[FL_TEXT_MAX];  // of REFUSED
    uint64_t offset;         // of CHUNK and PIECE
    uint32_t body_bytes;
    bool body_right;         // the body is what toy_fill makes of that offset
} toy_heard;

//  The identity of one process.
typedef struct toy_trust {
    fl_admission_ops ops;
    uint8_t denied[TOY_DENIED_MAX][FL_KEY_BYTES];
    unsigned denied_count;
    fl_verb suspect;         // `incoming` says `suspicion` of this verb
    fl_reason suspicion;
    fl_bytes certificate;    // that `outgoing` adds to HELLO
    uint8_t bytes[FL_CERT_BYTES_MAX];
} toy_trust;

typedef struct toy {
    toy_trust trust;
    fl_keypair keys;
    fl_metrics metrics;
    fl_listener listener;
    fl_reactor *reactor;
    toy_heard heard[TOY_HEARD_MAX];
    unsigned heard_count;
    fl_effect says[TOY_SAYS_MAX]; // emitted at the next step
    unsigned says_count;
    unsigned obeyed;         // effects that were handed to the host
    unsigned ticks;
    unsigned refusals;       // told to the host
    fl_refused refused;      // the last of them
    fl_name refused_node;    // and of whom; empty: a stranger
    fl_blob *vector;         // lent for every vector and model
    bool welcomes;           // answer HELLO with WELCOME
    fl_ask ask;              // the last question
    uint32_t ticket;
    unsigned asks;
    bool answers;            // at once, with code 3 and "{}"
} toy;

//  Context, once per test program.
int toy_setup(void **state);
int toy_teardown(void **state);
//  After each test: destroys its toys.
int toy_clear(void **state);
#define toy_test(name) cmocka_unit_test_teardown(name, toy_clear)

void toy_keys(fl_keypair *keys);
//  The certificate of this key, made into `bytes`.
fl_bytes toy_certificate(const char *name, fl_role role, const fl_keypair *keys,
                         uint8_t bytes[FL_CERT_BYTES_MAX]);
//  Recognisable bytes for an offset of a vector.
void toy_fill(uint8_t *bytes, size_t size, uint64_t offset);

toy *toy_parent(void);
//  With the right certificate of its own key; it says nothing by itself.
toy *toy_child(toy *parent, const char *name);
//  The same with keys, certificate and parent's key as they are given (NULL: the right ones).
toy *toy_stranger(toy *parent, const fl_keypair *keys, fl_bytes certificate,
                  const uint8_t *parent_key);
void toy_destroy(toy **self_p);

//  A bare connection of these keys to a lane of the parent.
fl_socket *toy_dial(const toy *parent, fl_way way, fl_socket_kind kind, const fl_keypair *keys,
                    int queue);
//  Four gigabytes of one message, all frames of it the same bytes of ours.
void toy_send_endless(fl_socket *link, size_t frame_bytes);

void toy_deny(toy *self, const fl_keypair *keys);
void toy_allow_all(toy *self);

//  Say it at the next turn.
fl_message *toy_say(toy *self, fl_peer to, fl_verb verb);
fl_effect *toy_do(toy *self, fl_effect_kind kind);
void toy_say_hello(toy *self);
void toy_say_beat(toy *self);

//  How often this was heard; the last one.
unsigned toy_count(const toy *self, fl_event_kind kind, fl_verb verb);
const toy_heard *toy_last(const toy *self, fl_event_kind kind, fl_verb verb);

//  Turn both (either may be NULL) once.
void toy_turn(toy *one, toy *other);
//  Turn both until `condition` holds; the test fails after TOY_WAIT_MS.
#define toy_until(one, other, condition)                                                           \
    do {                                                                                           \
        const fl_time toy_from = toy_now();                                                        \
        while (!(condition)) {                                                                     \
            assert_true(toy_now() - toy_from < TOY_WAIT_MS);                                       \
            toy_turn((one), (other));                                                              \
        }                                                                                          \
    } while (0)
fl_time toy_now(void);

#endif
