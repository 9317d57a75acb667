#include "common/crypto/ticket.h"

#include "common/crypto/hash.h"

_Static_assert((int)FL_TICKET_KEY_BYTES == (int)FL_MAC_KEY_BYTES, "a ticket key is a MAC key");

fl_ticket_key
fl_ticket_key_draw(const fl_entropy *entropy)
{
    fl_ticket_key key;
    fl_entropy_fill(entropy, key.bytes, sizeof key.bytes);
    return key;
}

void
fl_ticket_make(const fl_ticket_key *key, const fl_ticket_claim *claim,
               uint8_t ticket[FL_TICKET_MAC_BYTES])
{
    uint8_t bytes[40];
    fl_writer writer = fl_writer_over(bytes, sizeof bytes);
    fl_write_from(&writer, claim->parent.name, sizeof claim->parent.name);
    fl_write_from(&writer, claim->child.name, sizeof claim->child.name);
    fl_write_u32(&writer, claim->seat);
    fl_write_u32(&writer, claim->epoch);
    FL_ASSERT(!writer.broken && fl_writer_size(&writer) == sizeof bytes);
    fl_mac(key->bytes, "tributary/ticket/v2", fl_bytes_of(bytes, sizeof bytes), ticket,
           FL_TICKET_MAC_BYTES);
}

bool
fl_ticket_holds(const fl_ticket_key *key, const fl_ticket_claim *claim,
                const uint8_t ticket[FL_TICKET_MAC_BYTES])
{
    uint8_t wanted[FL_TICKET_MAC_BYTES];
    fl_ticket_make(key, claim, wanted);
    return fl_mac_equal(wanted, ticket, sizeof wanted);
}
