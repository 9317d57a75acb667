//  hostile - what the parts of the hostile peer share: a child that dials and says what it likes.
#ifndef FL_INTEG_HOSTILE_H
#define FL_INTEG_HOSTILE_H

#include "common/crypto/cert.h"
#include "common/net/socket.h"
#include "common/wire/codec.h"

enum { MIB = 1 << 20, CONTROL_FRAME = 64000 };
#define HOSTILE_ENDLESS ((uint64_t)8 << 30)

//  What a child knows after WELCOME.
typedef struct hostile_child {
    fl_socket *control;
    fl_run run;
    fl_welcome seat;
} hostile_child;

//  With the keys of `home=`, or with these.
fl_socket *hostile_dial(fl_socket_kind kind, const char *endpoint, int queue);
fl_socket *hostile_dial_as(const fl_keypair *pair, fl_socket_kind kind, const char *endpoint,
                           int queue);
void hostile_say(fl_socket *link, const fl_message *message, fl_bytes route);
//  Wait for one message. False when none came, or one that is not of our protocol.
bool hostile_hear(fl_socket *link, fl_parcel *parcel, fl_message *message, int64_t wait_ms);
fl_role hostile_role(const char *name);
fl_message hostile_hello(uint8_t bytes[FL_CERT_BYTES]);
fl_message hostile_contrib(const hostile_child *self, bool forged);
//  Say one of the words of `speak`, and print what is answered.
void hostile_act(hostile_child *self, const char *what);
//  One message of so many frames, all the same bytes of ours; libzmq holds references only.
void hostile_endless(fl_socket *link, uint64_t frames, size_t frame_bytes);
//  The acts `flood` and `keys`.
void hostile_flood(void);
void hostile_keys(void);

#endif
