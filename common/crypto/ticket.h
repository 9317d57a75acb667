//  ticket - proof of a seat: 16 bytes that a parent gives its child with the seat and asks back
//  with each contribution. Only the process that gave it can make or check it, because the key is
//  drawn at its start. Keyed BLAKE2b, domain "tributary/ticket/v2", over
//
//      parent 16 | child 16 | seat u32 | epoch u32
#ifndef FL_CRYPTO_TICKET_H
#define FL_CRYPTO_TICKET_H

#include "common/base/id.h"
#include "common/crypto/entropy.h"

enum { FL_TICKET_MAC_BYTES = 16, FL_TICKET_KEY_BYTES = 32 };

typedef struct fl_ticket_key {
    uint8_t bytes[FL_TICKET_KEY_BYTES];
} fl_ticket_key;

//  What a ticket speaks for.
typedef struct fl_ticket_claim {
    fl_name parent, child;
    uint32_t seat, epoch;
} fl_ticket_claim;

//  fl_wipe the key at the end.
fl_ticket_key fl_ticket_key_draw(const fl_entropy *entropy);

void fl_ticket_make(const fl_ticket_key *key, const fl_ticket_claim *claim,
                    uint8_t ticket[FL_TICKET_MAC_BYTES]);
//  Takes as long for a wrong ticket as for a right one.
FL_CHECKED bool fl_ticket_holds(const fl_ticket_key *key, const fl_ticket_claim *claim,
                                const uint8_t ticket[FL_TICKET_MAC_BYTES]);

#endif
