//  context - what a process does once before its first socket, and once after its last.
//  Main thread only. One ZeroMQ context per process: CZMQ's own.
#ifndef FL_NET_CONTEXT_H
#define FL_NET_CONTEXT_H

#include <stdint.h>

#include "common/base/status.h"

//  Open the context with so many I/O threads (1..64). Signals stay the caller's. FL_MISSING when
//  this libzmq has no CURVE: there is no unencrypted mode.
FL_CHECKED fl_status fl_net_open(unsigned io_threads, fl_why *why);
//  After the last socket was destroyed.
void fl_net_close(void);

//  Make room for `needed` open descriptors, and for `more` as far as the hard limit goes; `got` of
//  these are there. FL_RANGE when the hard limit is below what is needed: out of descriptors libzmq
//  spins and serves nobody, so a process refuses to start instead.
FL_CHECKED fl_status fl_raise_nofile(uint64_t needed, uint64_t more, uint64_t *got, fl_why *why);

#endif
