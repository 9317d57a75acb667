//  trust - why something that claims to be signed, sealed or permitted is not believed. One list
//  for certificates, tokens, requests and deny lists, so that a log line means the same everywhere.
//  docs/identity.md says what each one means to an operator and what to do.
#ifndef FL_CRYPTO_TRUST_H
#define FL_CRYPTO_TRUST_H

typedef enum fl_trust {
    FL_TRUST_OK = 0,
    FL_TRUST_MALFORMED, // bytes do not parse, or a field is out of range
    FL_TRUST_VERSION,   // of a format that this build does not know
    FL_TRUST_SEAL,      // not sealed to this authority
    FL_TRUST_SIGNATURE, // not signed by the key that must have signed it
    FL_TRUST_KEY,       // the sender does not hold the CURVE key that it names
    FL_TRUST_TOKEN,     // the token is not of this authority, or was changed
    FL_TRUST_EXPIRED,
    FL_TRUST_EARLY,   // not valid yet
    FL_TRUST_ROLE,    // valid, but for another role
    FL_TRUST_NAME,    // valid, but for another node name
    FL_TRUST_REVOKED, // on the deny list
    FL_TRUST_OLD,     // a deny list no newer than the one held
    FL_TRUST_MEMORY,  // there was none to look at it
    FL_TRUST_COUNT
} fl_trust;

//  A stable lower-case name such as "expired"; never NULL.
const char *fl_trust_name(fl_trust trust);

#endif
