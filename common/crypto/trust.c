#include "common/crypto/trust.h"

#include "common/base/status.h"

static const char *const names[FL_TRUST_COUNT] = {
    [FL_TRUST_OK] = "ok",       [FL_TRUST_MALFORMED] = "malformed", [FL_TRUST_VERSION] = "version",
    [FL_TRUST_SEAL] = "seal",   [FL_TRUST_SIGNATURE] = "signature", [FL_TRUST_KEY] = "key",
    [FL_TRUST_TOKEN] = "token", [FL_TRUST_EXPIRED] = "expired",     [FL_TRUST_EARLY] = "not-yet",
    [FL_TRUST_ROLE] = "role",   [FL_TRUST_NAME] = "name",           [FL_TRUST_REVOKED] = "revoked",
    [FL_TRUST_OLD] = "old",     [FL_TRUST_MEMORY] = "no-memory",
};

const char *
fl_trust_name(fl_trust trust)
{
    FL_ASSERT((unsigned)trust < FL_TRUST_COUNT);
    return names[trust];
}
