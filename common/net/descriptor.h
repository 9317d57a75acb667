//  descriptor - what the kernel knows of a connection that libzmq's threads own and may close at
//  any moment: so a number alone says nothing, and every answer may be «gone». A file of its own
//  because <linux/tcp.h> and <czmq.h> do not compile together.
#ifndef FL_NET_DESCRIPTOR_H
#define FL_NET_DESCRIPTOR_H

#include <stdbool.h>
#include <stdint.h>

enum { FL_PLACE_CHARS = 21 }; // 255.255.255.255:65535

//  Tells this socket from a later one of the same number; 0: no socket.
uint64_t fl_descriptor_inode(int descriptor);
//  The TCP port at our end, or at the peer's; 0: none.
uint16_t fl_descriptor_port(int descriptor, bool of_peer);
//  Where the peer is, as ADDRESS:PORT of IPv4; "": unknown.
void fl_descriptor_place(int descriptor, char place[FL_PLACE_CHARS + 1]);
//  The network that the peer is in: the first 24 bits of an IPv4 address, 56 of an IPv6 one. One
//  customer's addresses are mostly one network. 0: unknown.
uint64_t fl_descriptor_origin(int descriptor);
//  Bytes that came in, read or not, and bytes of ours that the peer has acknowledged.
bool fl_descriptor_counts(int descriptor, uint64_t *received, uint64_t *acknowledged);
//  Bytes that came in and were not read yet; UINT64_MAX: it is gone.
uint64_t fl_descriptor_unread(int descriptor);
//  End a connection that still has this inode. True when it did.
bool fl_descriptor_shut(int descriptor, uint64_t inode);

#endif
