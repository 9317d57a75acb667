//  state_dir - the files of a node's state directory, and of an authority's: their names, their
//  modes and how they are read and replaced. A directory is 0700 and ours; a secret file is 0600
//  and ours, or it is refused. Every write is all or nothing. Blocks for the disk; one thread.
//
//      node.key       secret keys of this node            0600
//      node.cert      its certificate                     0644
//      authority.pub  public keys of its authority        0644
//      parent         line 1 endpoint, line 2 CURVE key of the parent as hex   0644
//      shard          "3 of 16": the data shard that the root leased            0644
//      masking.mark   what a member must remember of its masked rounds         0600
//      authority.key  the authority's secret, in the operator's directory only 0600
//
//  New keys and their certificate change places together: first node.key.next, then node.cert.next,
//  then both are renamed. fl_state_dir_open finishes what a crash left half done.
//
//  Every call that can fail leaves one line in `why` with the file, what is wrong and what to do.
//  FL_MISSING: the file is not there. FL_DENIED: wrong owner or mode. FL_MALFORMED: damaged.
#ifndef FL_IDENTITY_STATE_DIR_H
#define FL_IDENTITY_STATE_DIR_H

#include "common/crypto/cert.h"
#include "common/crypto/keys.h"
#include "common/crypto/token.h"
#include "common/secagg/client_memory.h"
#include "common/store/ledger.h"

#define FL_STATE_KEYS "node.key"
#define FL_STATE_CERT "node.cert"
#define FL_STATE_AUTHORITY "authority.pub"
#define FL_STATE_PARENT "parent"
#define FL_STATE_LEASE "shard"
#define FL_STATE_MARK "masking.mark"
#define FL_STATE_EVIDENCE "evidence"
#define FL_STATE_SECRET "authority.key"
#define FL_STATE_OPERATOR "operator.sock"

enum { FL_STATE_PATH_MAX = 512 };

//  Whom a node belongs to: where to knock and which key must answer.
typedef struct fl_state_dir_parent {
    char endpoint[FL_ENDPOINT_LENGTH_MAX + 1]; // "tcp://host:port"
    uint8_t key[FL_CURVE_BYTES];
    uint8_t next[FL_CURVE_BYTES]; // the one after it; zeros: not known
    fl_name node;                 // whose they are; empty: not known
} fl_state_dir_parent;

//  "<directory>/<name>" into `path`. FL_RANGE when that is too long.
FL_CHECKED fl_status fl_state_dir_path(const char *directory, const char *name,
                                       char path[FL_STATE_PATH_MAX], fl_why *why);
//  Make the directory (0700) when it is not there, check that it is ours alone and that the socket
//  in it has a path, and finish an exchange of keys that was cut short. FL_RANGE: it is too long.
FL_CHECKED fl_status fl_state_dir_open(const char *directory, fl_why *why);

//  The result is the caller's; NULL unless FL_OK.
FL_CHECKED fl_status fl_state_dir_keys_load(const char *directory, fl_keys **keys, fl_why *why);
//  New keys, kept in the file. FL_EXISTS when there are some.
FL_CHECKED fl_status fl_state_dir_keys_make(const char *directory, const fl_entropy *entropy,
                                            fl_keys **keys, fl_why *why);
//  Keys for a renewal, beside those in use: what an earlier attempt left, or new ones. Without
//  `entropy` none are made: FL_MISSING.
FL_CHECKED fl_status fl_state_dir_keys_next(const char *directory, const fl_entropy *entropy,
                                            fl_keys **keys, fl_why *why);

//  The certificate's bytes; whether they are to be believed is fl_cert_check's to say.
FL_CHECKED fl_status fl_state_dir_cert_load(const char *directory, uint8_t bytes[FL_CERT_BYTES],
                                            fl_why *why);
//  `next`: it belongs to the keys of fl_state_dir_keys_next, and both replace those in use.
FL_CHECKED fl_status fl_state_dir_cert_save(const char *directory,
                                            const uint8_t bytes[FL_CERT_BYTES], bool next,
                                            fl_why *why);

FL_CHECKED fl_status fl_state_dir_authority_load(const char *directory,
                                                 fl_authority_public *authority, fl_why *why);
FL_CHECKED fl_status fl_state_dir_authority_save(const char *directory,
                                                 const fl_authority_public *authority, fl_why *why);

FL_CHECKED fl_status fl_state_dir_parent_load(const char *directory, fl_state_dir_parent *parent,
                                              fl_why *why);
FL_CHECKED fl_status fl_state_dir_parent_save(const char *directory,
                                              const fl_state_dir_parent *parent, fl_why *why);
//  The key that comes next is known.
bool fl_state_dir_parent_two(const fl_state_dir_parent *parent);

//  The data shard that came with the certificate.
FL_CHECKED fl_status fl_state_dir_lease_load(const char *directory, fl_lease *lease, fl_why *why);
FL_CHECKED fl_status fl_state_dir_lease_save(const char *directory, const fl_lease *lease,
                                             fl_why *why);

//  The mark of that node, which its enrolment made. FL_MISSING, FL_MALFORMED: what it masked is not
//  known any more, and `why` says what to do.
FL_CHECKED fl_status fl_state_dir_mark_load(const char *directory, const fl_name *node,
                                            fl_secagg_mark *mark, fl_why *why);
//  `bytes` of an encoded mark. Durable when it returns FL_OK.
FL_CHECKED fl_status fl_state_dir_mark_save(const char *directory, const fl_name *node,
                                            fl_bytes bytes, fl_why *why);
//  Of a node that has masked nothing. One that is there stays.
FL_CHECKED fl_status fl_state_dir_mark_make(const char *directory, const fl_name *node,
                                            fl_why *why);

//  The authority's secret. The result is the caller's; NULL unless FL_OK.
FL_CHECKED fl_status fl_state_dir_secret_load(const char *directory, fl_authority **authority,
                                              fl_why *why);
//  A new authority: its secret and its public file. FL_EXISTS when there is one.
FL_CHECKED fl_status fl_state_dir_secret_make(const char *directory, const fl_entropy *entropy,
                                              fl_authority **authority, fl_why *why);

#endif
