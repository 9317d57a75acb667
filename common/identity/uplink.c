#include "common/identity/uplink.h"

#include <string.h>

#include "common/base/log.h"

const uint8_t *
fl_uplink_dial(fl_uplink *self)
{
    self->ahead = fl_state_dir_parent_two(&self->parent) && self->ahead != self->failed;
    self->failed = true;
    self->changes = false;
    return self->ahead ? self->parent.next : self->parent.key;
}

void
fl_uplink_heard(fl_uplink *self, const fl_message *message)
{
    const bool told = message->verb == FL_REFUSED && message->refused.reason == FL_WHY_NEW_KEYS;
    self->changes = self->changes || told; // other words may be on their way behind this one
    self->failed = self->changes;
}

bool
fl_uplink_fits(const fl_uplink *self, const fl_cert *cert)
{
    static const fl_name unknown;
    const uint8_t *key = self->ahead ? self->parent.next : self->parent.key;
    bool same = !self->ahead || fl_name_equal(&self->parent.node, &unknown) ||
                fl_name_equal(&self->parent.node, &cert->node);
    return same && memcmp(cert->keys.x, key, FL_CURVE_BYTES) == 0;
}

void
fl_uplink_settle(fl_uplink *self, const fl_cert *cert, const uint8_t next[FL_CURVE_BYTES],
                 const char *directory)
{
    const bool news = self->ahead || memcmp(self->parent.next, next, FL_CURVE_BYTES) != 0;
    fl_why why;
    memcpy(self->parent.key, cert->keys.x, FL_CURVE_BYTES);
    memcpy(self->parent.next, next, FL_CURVE_BYTES);
    self->parent.node = cert->node;
    if (self->ahead) {
        fl_log(FL_LOG_INFO, "parent-keys", fl_log_text("parent", cert->node.name));
    }
    self->ahead = false;
    if (news && fl_state_dir_parent_save(directory, &self->parent, &why) != FL_OK) {
        fl_log(FL_LOG_WARN, "parent-not-kept", fl_log_text("why", why.text));
    }
}
