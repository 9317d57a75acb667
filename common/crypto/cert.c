#include "common/crypto/cert.h"

#include <string.h>

enum { VERSION = 2, RESERVED_BYTES = 16, BODY_BYTES = FL_CERT_BYTES - FL_SIGN_BYTES };
_Static_assert((int)FL_CERT_BYTES <= (int)FL_CERT_BYTES_MAX, "a certificate fits HELLO");

static const uint8_t reserved[RESERVED_BYTES];
static const char domain[] = "tributary/cert/v2";

static bool
s_valid(const fl_cert *cert)
{
    return cert->role >= FL_ROLE_DEVICE && cert->role <= FL_ROLE_OPERATOR &&
           fl_name_valid(&cert->node) && cert->not_before < cert->not_after && cert->serial > 0;
}

static bool
s_reserved(fl_bytes zeros)
{
    return memcmp(zeros.data, reserved, sizeof reserved) == 0;
}

void
fl_cert_issue(const fl_authority *authority, fl_cert *cert, uint64_t now, uint64_t life_s,
              uint8_t bytes[FL_CERT_BYTES])
{
    FL_ASSERT(life_s > 0 && life_s <= FL_CERT_LIFE_MAX_S && now <= UINT64_MAX - life_s);
    cert->not_before = now > FL_CERT_DATED_BACK_S ? now - FL_CERT_DATED_BACK_S : 0;
    cert->not_after = now + life_s;
    FL_ASSERT(s_valid(cert));
    fl_writer writer = fl_writer_over(bytes, FL_CERT_BYTES);
    fl_write_u8(&writer, VERSION);
    fl_write_u8(&writer, (uint8_t)cert->role);
    fl_write_from(&writer, cert->node.name, sizeof cert->node.name);
    fl_write_from(&writer, cert->keys.ed, sizeof cert->keys.ed);
    fl_write_from(&writer, cert->keys.x, sizeof cert->keys.x);
    fl_write_u64(&writer, cert->not_before);
    fl_write_u64(&writer, cert->not_after);
    fl_write_u64(&writer, cert->serial);
    fl_write_u8(&writer, cert->class_max);
    fl_write_from(&writer, reserved, sizeof reserved);
    FL_ASSERT(fl_writer_size(&writer) == BODY_BYTES);
    fl_authority_sign(authority, domain, fl_bytes_of(bytes, BODY_BYTES), bytes + BODY_BYTES);
}

static fl_trust
s_parse(fl_bytes bytes, fl_cert *cert)
{
    fl_reader reader = fl_reader_of(bytes);
    uint8_t version = fl_read_u8(&reader);
    cert->role = (fl_role)fl_read_u8(&reader);
    fl_read_into(&reader, cert->node.name, sizeof cert->node.name);
    fl_read_into(&reader, cert->keys.ed, sizeof cert->keys.ed);
    fl_read_into(&reader, cert->keys.x, sizeof cert->keys.x);
    cert->not_before = fl_read_u64(&reader);
    cert->not_after = fl_read_u64(&reader);
    cert->serial = fl_read_u64(&reader);
    cert->class_max = fl_read_u8(&reader);
    fl_bytes zeros = fl_read_view(&reader, RESERVED_BYTES);
    (void)fl_read_view(&reader, FL_SIGN_BYTES);
    if (bytes.size > 0 && version != VERSION) {
        return FL_TRUST_VERSION;
    }
    return fl_reader_done(&reader) && s_valid(cert) && s_reserved(zeros) ? FL_TRUST_OK
                                                                         : FL_TRUST_MALFORMED;
}

static fl_trust
s_signed(fl_bytes bytes, const fl_authority_public *authority, fl_cert *cert)
{
    fl_trust trust = s_parse(bytes, cert);
    if (trust == FL_TRUST_OK &&
        !fl_sign_holds(authority->ed, domain, fl_bytes_of(bytes.data, BODY_BYTES),
                       bytes.data + BODY_BYTES)) {
        trust = FL_TRUST_SIGNATURE;
    }
    if (trust != FL_TRUST_OK) {
        memset(cert, 0, sizeof *cert);
    }
    return trust;
}

fl_trust
fl_cert_time(const fl_cert *cert, uint64_t now)
{
    return now < cert->not_before  ? FL_TRUST_EARLY
           : now > cert->not_after ? FL_TRUST_EXPIRED
                                   : FL_TRUST_OK;
}

fl_trust
fl_cert_prove(fl_bytes bytes, const fl_authority_public *authority, unsigned roles, fl_cert *cert)
{
    fl_trust trust = s_signed(bytes, authority, cert);
    bool fits = trust != FL_TRUST_OK || (roles & FL_ROLES(cert->role)) != 0;
    return fits ? trust : FL_TRUST_ROLE;
}

fl_trust
fl_cert_check(fl_bytes bytes, const fl_authority_public *authority, uint64_t now, unsigned roles,
              fl_cert *cert)
{
    fl_trust trust = fl_cert_prove(bytes, authority, roles, cert);
    bool proved = trust == FL_TRUST_OK || trust == FL_TRUST_ROLE;
    fl_trust time = proved ? fl_cert_time(cert, now) : trust;
    return time == FL_TRUST_OK ? trust : time;
}

uint64_t
fl_cert_made(const fl_cert *cert)
{
    uint64_t made = cert->not_before + FL_CERT_DATED_BACK_S;
    return made < cert->not_after ? made : cert->not_before;
}

uint64_t
fl_cert_ends_from(const fl_cert *cert)
{
    return cert->not_after - (cert->not_after - fl_cert_made(cert)) / 3;
}
