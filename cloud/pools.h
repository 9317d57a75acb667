//  pools - the drawing of a running root: it looks who is enrolled, draws, keeps what it drew, and
//  hands it to the machines. `refresh` on the store's strand, the rest on the reactor's thread.
#ifndef FL_CLOUD_POOLS_H
#define FL_CLOUD_POOLS_H

#include "cloud/drawing.h"
#include "common/store/ledger.h"

typedef struct fl_pools fl_pools;

//  `first`: root, online and floor. With what was drawn before. Who may still come back with a
//  certificate that ended `grace_s` ago is enrolled. The caller owns the result.
FL_CHECKED fl_status fl_pools_open(fl_ledger *ledger, const fl_drawing *first, uint64_t grace_s,
                                   const fl_entropy *entropy, fl_pools **pools, fl_why *why);
void fl_pools_close(fl_pools **self_p);

//  Look who is enrolled and draw what is to be drawn; blocks for the disk. `goes_on`: a round that
//  was open before a restart, whose order names what there is: nothing is drawn, if anything was.
FL_CHECKED fl_status fl_pools_refresh(fl_pools *self, bool goes_on, uint64_t now_s, fl_why *why);
//  The newest; the view lasts until the next call.
const fl_drawing *fl_pools_drawing(fl_pools *self);

#endif
