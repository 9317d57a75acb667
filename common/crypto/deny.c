#include "common/crypto/deny.h"

#include <stdlib.h>
#include <string.h>

typedef struct entry {
    fl_name node;
    uint64_t serial;
} entry;

struct fl_deny_list {
    uint64_t version;
    uint32_t count, room;
    entry *entries; // ascending by name, then serial; no two alike
};

enum { VERSION = 1, HEAD_BYTES = 13, ENTRY_BYTES = 24 };
_Static_assert(HEAD_BYTES + ENTRY_BYTES * FL_DENY_MAX + FL_SIGN_BYTES == FL_DENY_LIST_BYTES_MAX,
               "a full list");

static const char domain[] = "tributary/deny/v1";

fl_deny_list *
fl_deny_list_new(void)
{
    return calloc(1, sizeof(fl_deny_list));
}

void
fl_deny_list_destroy(fl_deny_list **self_p)
{
    if (*self_p != NULL) {
        free((*self_p)->entries);
        free(*self_p);
    }
    *self_p = NULL;
}

uint64_t
fl_deny_list_version(const fl_deny_list *self)
{
    return self->version;
}

uint32_t
fl_deny_list_count(const fl_deny_list *self)
{
    return self->count;
}

static int
s_compare(const void *left, const void *right)
{
    const entry *a = left;
    const entry *b = right;
    int names = memcmp(a->node.name, b->node.name, sizeof a->node.name);
    return names != 0 ? names : (a->serial > b->serial) - (a->serial < b->serial);
}

static const entry *
s_find(const fl_deny_list *self, const fl_name *node, uint64_t serial)
{
    entry wanted = { .node = *node, .serial = serial };
    return self->count == 0
               ? NULL
               : bsearch(&wanted, self->entries, self->count, sizeof wanted, s_compare);
}

bool
fl_deny_list_names(const fl_deny_list *self, const fl_name *node, uint64_t serial)
{
    return s_find(self, node, 0) != NULL || s_find(self, node, serial) != NULL;
}

fl_status
fl_deny_list_add(fl_deny_list *self, const fl_name *node, uint64_t serial)
{
    FL_ASSERT(fl_name_valid(node));
    if (s_find(self, node, serial) != NULL) {
        return FL_EXISTS;
    }
    if (self->count == FL_DENY_MAX) {
        return FL_FULL;
    }
    if (self->count == self->room) {
        uint32_t room = self->room == 0 ? 64 : 2 * self->room;
        entry *entries = realloc(self->entries, room * sizeof *entries);
        if (entries == NULL) {
            return FL_NOMEM;
        }
        self->entries = entries;
        self->room = room;
    }
    entry added = { .node = *node, .serial = serial };
    uint32_t at = self->count;
    while (at > 0 && s_compare(&added, &self->entries[at - 1]) < 0) {
        self->entries[at] = self->entries[at - 1];
        at--;
    }
    self->entries[at] = added;
    self->count++;
    self->version++;
    return FL_OK;
}

fl_status
fl_deny_list_remove(fl_deny_list *self, const fl_name *node, uint64_t serial)
{
    const entry *found = s_find(self, node, serial);
    if (found == NULL) {
        return FL_MISSING;
    }
    size_t at = (size_t)(found - self->entries);
    memmove(&self->entries[at], &self->entries[at + 1],
            (self->count - at - 1) * sizeof self->entries[0]);
    self->count--;
    self->version++;
    return FL_OK;
}

fl_blob *
fl_deny_list_sign(const fl_deny_list *self, const fl_authority *authority)
{
    FL_ASSERT(self->version > 0);
    size_t body = HEAD_BYTES + (size_t)self->count * ENTRY_BYTES;
    fl_blob *blob = fl_blob_new(body + FL_SIGN_BYTES);
    if (blob == NULL) {
        return NULL;
    }
    uint8_t *bytes = fl_blob_data(blob);
    fl_writer writer = fl_writer_over(bytes, body);
    fl_write_u8(&writer, VERSION);
    fl_write_u64(&writer, self->version);
    fl_write_u32(&writer, self->count);
    for (uint32_t i = 0; i < self->count; i++) {
        fl_write_from(&writer, self->entries[i].node.name, sizeof self->entries[i].node.name);
        fl_write_u64(&writer, self->entries[i].serial);
    }
    FL_ASSERT(!writer.broken && fl_writer_size(&writer) == body);
    fl_authority_sign(authority, domain, fl_bytes_of(bytes, body), bytes + body);
    return blob;
}

//  Into an empty list; the size of the entries is known to be right.
static fl_trust
s_parse_entries(fl_reader *reader, fl_deny_list *list, uint32_t count)
{
    list->entries = calloc(count > 0 ? count : 1, sizeof *list->entries);
    if (list->entries == NULL) {
        return FL_TRUST_MEMORY;
    }
    for (uint32_t i = 0; i < count; i++) {
        entry *next = &list->entries[i];
        fl_read_into(reader, next->node.name, sizeof next->node.name);
        next->serial = fl_read_u64(reader);
        if (!fl_name_valid(&next->node) || (i > 0 && s_compare(next - 1, next) >= 0)) {
            return FL_TRUST_MALFORMED;
        }
    }
    list->count = list->room = count;
    return FL_TRUST_OK;
}

static fl_trust
s_parse(fl_bytes bytes, fl_deny_list *list)
{
    fl_reader reader = fl_reader_of(bytes);
    uint8_t version = fl_read_u8(&reader);
    list->version = fl_read_u64(&reader);
    uint32_t count = fl_read_u32(&reader);
    if (bytes.size > 0 && version != VERSION) {
        return FL_TRUST_VERSION;
    }
    if (reader.broken || list->version == 0 || count > FL_DENY_MAX ||
        bytes.size != HEAD_BYTES + (size_t)count * ENTRY_BYTES + FL_SIGN_BYTES) {
        return FL_TRUST_MALFORMED;
    }
    return s_parse_entries(&reader, list, count);
}

fl_trust
fl_deny_list_take(fl_deny_list *self, fl_bytes bytes, const fl_authority_public *authority)
{
    fl_deny_list taken = { .count = 0 }; // `self` must stay whole until all is proved
    fl_trust trust = s_parse(bytes, &taken);
    size_t body = bytes.size - FL_SIGN_BYTES;
    if (trust == FL_TRUST_OK &&
        !fl_sign_holds(authority->ed, domain, fl_bytes_of(bytes.data, body), bytes.data + body)) {
        trust = FL_TRUST_SIGNATURE;
    }
    if (trust == FL_TRUST_OK && taken.version <= self->version) {
        trust = FL_TRUST_OLD;
    }
    if (trust != FL_TRUST_OK) {
        free(taken.entries);
        return trust;
    }
    free(self->entries);
    *self = taken;
    return FL_TRUST_OK;
}
