//  deny - the list of revoked nodes: signed by the authority, with a version that only grows,
//  passed down from parent to child. An entry names one certificate of a node, or all of them
//  (serial 0).
//
//      version u8 = 1 | list version u64 | count u32 | count * (node 16 | serial u64), ascending
//      | Ed25519 signature 64, domain "tributary/deny/v1", over everything in front of it
//
//  One thread at a time. At most FL_DENY_MAX entries; to look one up takes log time. Made durable
//  by cloud/authority_service.c.
#ifndef FL_CRYPTO_DENY_H
#define FL_CRYPTO_DENY_H

#include "common/base/blob.h"
#include "common/base/limits.h"
#include "common/crypto/authority.h"
#include "common/crypto/trust.h"

typedef struct fl_deny_list fl_deny_list;

//  An empty list of version 0. The caller owns the result. NULL when out of memory.
fl_deny_list *fl_deny_list_new(void);
void fl_deny_list_destroy(fl_deny_list **self_p);

//  Grows by one with each change; 0 for a list that never changed.
uint64_t fl_deny_list_version(const fl_deny_list *self);
uint32_t fl_deny_list_count(const fl_deny_list *self);
//  True when this certificate of this node is revoked.
bool fl_deny_list_names(const fl_deny_list *self, const fl_name *node, uint64_t serial);

//  Serial 0: every certificate of the node. FL_EXISTS when it stands there already, FL_FULL,
//  FL_NOMEM.
FL_CHECKED fl_status fl_deny_list_add(fl_deny_list *self, const fl_name *node, uint64_t serial);
//  FL_MISSING when no such entry stands there.
FL_CHECKED fl_status fl_deny_list_remove(fl_deny_list *self, const fl_name *node, uint64_t serial);

//  The list as signed bytes (<= FL_DENY_LIST_BYTES_MAX), yours. NULL when out of memory.
//  A list of version 0 says nothing and is not signed.
fl_blob *fl_deny_list_sign(const fl_deny_list *self, const fl_authority *authority);

//  Take over a signed list. FL_TRUST_OK, or the first of: malformed, version, memory, signature,
//  old (no newer than what is held); on all of these `self` stays as it was.
FL_CHECKED fl_trust fl_deny_list_take(fl_deny_list *self, fl_bytes bytes,
                                      const fl_authority_public *authority);

#endif
