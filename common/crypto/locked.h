//  locked - memory for secrets that outlive a call: kept out of swap and dumps as far as the
//  system's limits allow, between guard pages, wiped when it is given back. Any thread.
#ifndef FL_CRYPTO_LOCKED_H
#define FL_CRYPTO_LOCKED_H

#include <stddef.h>

//  `size` zeroed bytes without alignment, the caller's. NULL when out of memory.
void *fl_locked_new(size_t size);
//  NULL is fine.
void fl_locked_free(void *memory);

#endif
