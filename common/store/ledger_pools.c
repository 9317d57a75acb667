//  What ledger keeps of pools: whom the root may draw, and what it drew. A drawing is every run's:
//  it stands under the run of zeros, and is signed for each run anew.
#include "common/store/ledger_inside.h"

#include <stdlib.h>
#include <string.h>

static const uint8_t every_run[sizeof(fl_run)];

typedef struct growing {
    fl_place *places;
    uint32_t count, room;
} growing;

static bool
s_push(growing *self, const fl_place *place)
{
    if (self->count == self->room) {
        const uint32_t room = self->room == 0 ? 64 : 2 * self->room;
        fl_place *more = realloc(self->places, room * sizeof *more);
        if (more == NULL) {
            return false;
        }
        self->places = more;
        self->room = room;
    }
    self->places[self->count++] = *place;
    return true;
}

static fl_status
s_hand_over(growing *self, fl_status status, bool fine, fl_place **places, uint32_t *count,
            fl_why *why)
{
    status = status == FL_OK && !fine ? fl_fail(FL_NOMEM, why, "out of memory") : status;
    if (status != FL_OK) {
        free(self->places);
        *self = (growing){ .count = 0 };
    }
    *places = self->places;
    *count = self->count;
    return status;
}

//  Byte 90 of a certificate is where its end stands (crypto/cert.h).
#define ENROLLED                                                                                   \
    "FROM issued i WHERE i.role IN (1,2,3) AND i.serial=(SELECT max(m.serial) FROM issued m "      \
    "WHERE "                                                                                       \
    "m.node=i.node) AND NOT EXISTS(SELECT 1 FROM denied d WHERE d.node=i.node AND d.serial IN "    \
    "(0, i.serial) AND d.lifted=0 AND d.line=(SELECT max(e.line) FROM denied e WHERE "             \
    "e.node=d.node AND e.serial=d.serial))"
#define HOME                                                                                       \
    "(SELECT h.home FROM issued h WHERE h.node=i.node AND h.home IS NOT NULL "                     \
    "ORDER BY h.serial DESC LIMIT 1)"
//  What the newest closed round says of where they are.
#define SEEN                                                                                       \
    "SELECT DISTINCT r.node, r.parent FROM receipt r, (SELECT run, round, attempt FROM round "     \
    "WHERE close IS NOT NULL ORDER BY seq DESC LIMIT 1) q WHERE r.run=q.run AND "                  \
    "r.round=q.round AND r.attempt=q.attempt"

static int
s_by_node(const void *a, const void *b)
{
    return memcmp(&((const fl_place *)a)->node, &((const fl_place *)b)->node, sizeof(fl_name));
}

//  `nodes` get every parent and everybody that is enrolled, by name; an edge is both.
static fl_status
s_enrolled(fl_ledger *self, uint64_t now_s, growing *nodes, bool *fine, fl_why *why)
{
    fl_query query = fl_query_of(self->sql, "SELECT i.node, i.role, i.certificate, " HOME
                                            " " ENROLLED " ORDER BY i.node");
    while (*fine && fl_query_next(&query)) {
        fl_place place = { .pool = 0 };
        uint8_t certificate[FL_CERT_BYTES_MAX];
        (void)fl_query_take_blob(&query, place.node.name, sizeof place.node);
        const uint64_t role = fl_query_take_u64(&query);
        (void)fl_query_take_blob(&query, certificate, sizeof certificate);
        (void)fl_query_take_blob(&query, place.edge.name, sizeof place.edge);
        fl_reader ends = fl_reader_of(fl_bytes_of(certificate + 90, 8));
        const bool valid = fl_read_u64(&ends) >= now_s;
        if (role != FL_ROLE_ROOT && valid) {
            *fine = s_push(nodes, &place); // without a parent yet, perhaps
        }
        if (role != FL_ROLE_DEVICE) {
            *fine = *fine && s_push(nodes, &(fl_place){ .edge = place.node });
        }
    }
    return fl_query_end(&query, why);
}

//  Behind them: once more below a parent that has them, if their home is another one.
static fl_status
s_seen(fl_ledger *self, growing *nodes, bool *fine, fl_why *why)
{
    const uint32_t known = nodes->count;
    qsort(nodes->places, known, sizeof *nodes->places, s_by_node);
    fl_query query = fl_query_of(self->sql, SEEN);
    while (*fine && fl_query_next(&query)) {
        fl_place place = { .pool = 0 };
        (void)fl_query_take_blob(&query, place.node.name, sizeof place.node);
        (void)fl_query_take_blob(&query, place.edge.name, sizeof place.edge);
        const fl_place *home =
            known == 0 ? NULL
                       : bsearch(&place, nodes->places, known, sizeof *nodes->places, s_by_node);
        if (home != NULL && !fl_name_equal(&home->edge, &place.edge)) {
            *fine = s_push(nodes, &place);
        }
    }
    return fl_query_end(&query, why);
}

fl_status
fl_ledger_enrolled(fl_ledger *self, uint64_t now_s, fl_place **nodes, uint32_t *count, fl_why *why)
{
    growing found = { .count = 0 };
    bool fine = true;
    fl_status status = s_enrolled(self, now_s, &found, &fine, why);
    if (status == FL_OK && fine) {
        status = s_seen(self, &found, &fine, why);
    }
    uint32_t kept = 0;
    for (uint32_t i = 0; i < found.count; i++) {
        if (found.places[i].edge.name[0] != '\0') {
            found.places[kept++] = found.places[i];
        }
    }
    found.count = kept;
    return s_hand_over(&found, status, fine, nodes, count, why);
}

//  A row is a pool, its names behind each other.
static fl_status
s_put(fl_ledger *self, uint64_t epoch, const fl_place *places, uint32_t count, fl_why *why)
{
    fl_query query = fl_query_of(self->sql, "DELETE FROM pool WHERE run=?");
    fl_query_blob(&query, every_run, sizeof every_run);
    fl_status status = fl_query_run(&query, why);
    fl_name *names = calloc(count + 1, sizeof *names);
    for (uint32_t from = 0, to; status == FL_OK && names != NULL && from < count; from = to) {
        const fl_place *first = &places[from];
        for (to = from; to < count && places[to].pool == first->pool &&
                        fl_name_equal(&places[to].edge, &first->edge);
             to++) {
            names[to - from] = places[to].node;
        }
        query = fl_query_of(self->sql,
                            "INSERT INTO pool(run, epoch, edge, pool, bytes) VALUES(?,?,?,?,?)");
        fl_query_blob(&query, every_run, sizeof every_run);
        fl_query_u64(&query, epoch);
        fl_query_blob(&query, first->edge.name, sizeof first->edge);
        fl_query_u64(&query, first->pool);
        fl_query_blob(&query, names, (to - from) * sizeof *names);
        status = fl_query_run(&query, why);
    }
    bool fine = names != NULL;
    free(names);
    return status == FL_OK && !fine ? fl_fail(FL_NOMEM, why, "out of memory") : status;
}

fl_status
fl_ledger_pools_put(fl_ledger *self, uint64_t epoch, const fl_place *places, uint32_t count,
                    fl_why *why)
{
    FL_TRY(fl_sql_begin(self->sql, why));
    return fl_sql_end(self->sql, s_put(self, epoch, places, count, why), why);
}

fl_status
fl_ledger_pools_get(fl_ledger *self, uint64_t *epoch, fl_place **places, uint32_t *count,
                    fl_why *why)
{
    growing found = { .count = 0 };
    bool fine = true;
    fl_query query = fl_query_of(self->sql, "SELECT epoch, edge, pool, bytes FROM pool WHERE run=? "
                                            "ORDER BY edge, pool");
    fl_query_blob(&query, every_run, sizeof every_run);
    *epoch = 0;
    while (fine && fl_query_next(&query)) {
        fl_place place;
        *epoch = fl_query_take_u64(&query);
        (void)fl_query_take_blob(&query, place.edge.name, sizeof place.edge);
        place.pool = (uint32_t)fl_query_take_u64(&query);
        fl_blob *names = fl_query_take_copy(&query);
        fl_reader in = fl_reader_of(names == NULL ? fl_bytes_of(NULL, 0) : fl_blob_bytes(names));
        while (fine && in.at < in.end) {
            fl_read_into(&in, place.node.name, sizeof place.node);
            fine = s_push(&found, &place);
        }
        fl_blob_unref(&names);
    }
    return s_hand_over(&found, fl_query_end(&query, why), fine, places, count, why);
}
