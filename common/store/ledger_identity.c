//  What ledger keeps of identity: serial numbers, certificates, uses of tokens, leases of data
//  shards, the deny list.
#include "common/store/ledger_inside.h"

#include <string.h>

fl_status
fl_ledger_serial_next(fl_ledger *self, uint64_t *serial, fl_why *why)
{
    fl_query query = fl_query_of(
        self->sql, "INSERT INTO counter(name, value) VALUES('serial', 1) "
                   "ON CONFLICT(name) DO UPDATE SET value=counter.value+1 RETURNING value");
    *serial = 0;
    if (fl_query_next(&query)) {
        *serial = fl_query_take_u64(&query);
        bool more = fl_query_next(&query); // the change takes hold with the last step
        FL_ASSERT(!more);
    }
    return fl_query_end(&query, why);
}

fl_status
fl_ledger_serial_from(fl_ledger *self, uint64_t least, uint64_t gap, fl_why *why)
{
    fl_query query = fl_query_of(
        self->sql, "INSERT INTO counter(name, value) VALUES('serial', ?) ON CONFLICT(name) "
                   "DO UPDATE SET value=CASE WHEN counter.value < excluded.value "
                   "THEN excluded.value ELSE counter.value + ? END");
    fl_query_u64(&query, least - 1);
    fl_query_u64(&query, gap);
    return fl_query_run(&query, why);
}

fl_status
fl_ledger_token_uses(fl_ledger *self, fl_bytes token, uint32_t *uses, bool *revoked, fl_why *why)
{
    fl_query query =
        fl_query_of(self->sql, "SELECT count, revoked_at FROM token_use WHERE token=?");
    fl_query_blob(&query, token.data, token.size);
    bool found = fl_query_next(&query);
    *uses = found ? (uint32_t)fl_query_take_u64(&query) : 0;
    *revoked = found && !fl_query_take_null(&query);
    return fl_query_end(&query, why);
}

fl_status
fl_ledger_token_revoke(fl_ledger *self, fl_bytes token, fl_why *why)
{
    fl_query query =
        fl_query_of(self->sql, "INSERT INTO token_use(token, count, revoked_at) VALUES(?, 0, ?) ON "
                               "CONFLICT(token) DO UPDATE SET revoked_at=coalesce("
                               "token_use.revoked_at, excluded.revoked_at)");
    fl_query_blob(&query, token.data, token.size);
    fl_query_u64(&query, fl_ledger_clock());
    return fl_query_run(&query, why);
}

static fl_status
s_use_token(fl_ledger *self, fl_bytes token, uint32_t uses_max, fl_why *why)
{
    uint32_t uses = 0;
    bool revoked = false;
    FL_TRY(fl_ledger_token_uses(self, token, &uses, &revoked, why));
    if (revoked) {
        return fl_fail(FL_DENIED, why, "this token is revoked");
    }
    if (uses >= uses_max) {
        return fl_fail(FL_FULL, why,
                       "this token was used %u times, it is good for %u; make a new one", uses,
                       uses_max);
    }
    fl_query query =
        fl_query_of(self->sql, "INSERT INTO token_use(token, count) VALUES(?, 1) "
                               "ON CONFLICT(token) DO UPDATE SET count=token_use.count+1");
    fl_query_blob(&query, token.data, token.size);
    return fl_query_run(&query, why);
}

static fl_status
s_record(fl_ledger *self, const fl_issued *issued, fl_why *why)
{
    fl_query query = fl_query_of(
        self->sql, "INSERT INTO issued(serial, node, role, certificate, issued_at, home) "
                   "VALUES(?,?,?,?,?,(SELECT p.node FROM issued p WHERE p.role IN (2,3) AND "
                   "substr(p.certificate, 51, 32)=? ORDER BY p.serial DESC LIMIT 1))");
    fl_query_u64(&query, issued->serial);
    fl_query_blob(&query, issued->node.name, sizeof issued->node.name);
    fl_query_u64(&query, issued->role);
    fl_query_blob(&query, issued->certificate, issued->certificate_bytes);
    fl_query_u64(&query, fl_ledger_clock());
    fl_query_blob(&query, issued->parent, sizeof issued->parent);
    return fl_query_run(&query, why);
}

fl_status
fl_ledger_leased(fl_ledger *self, uint32_t *leased, uint32_t *shards, fl_why *why)
{
    fl_query query = fl_query_of(self->sql, "SELECT count(*), coalesce(max(shards), 0) FROM lease");
    *leased = 0;
    *shards = 0;
    if (fl_query_next(&query)) {
        *leased = (uint32_t)fl_query_take_u64(&query);
        *shards = (uint32_t)fl_query_take_u64(&query);
    }
    return fl_query_end(&query, why);
}

//  True: the node holds a shard already.
static bool
s_holds(fl_ledger *self, const fl_name *node, fl_lease *lease)
{
    fl_query query = fl_query_of(self->sql, "SELECT shard, shards FROM lease WHERE node=?");
    fl_query_blob(&query, node->name, sizeof node->name);
    bool found = fl_query_next(&query);
    if (found) {
        lease->shard = (uint32_t)fl_query_take_u64(&query);
        lease->shards = (uint32_t)fl_query_take_u64(&query);
    }
    return fl_query_end(&query, NULL) == FL_OK && found;
}

//  Of those that were forgotten and did not come back, the one that was first.
static fl_status
s_take_over(fl_ledger *self, const fl_name *node, fl_lease *lease, fl_why *why)
{
    fl_query query = fl_query_of(
        self->sql,
        "UPDATE lease SET node=? WHERE shard=(SELECT l.shard FROM lease l JOIN denied d ON "
        "d.node=l.node WHERE d.why='" FL_LEDGER_FORGOTTEN "' AND d.serial=(SELECT max(serial) FROM "
        "issued i WHERE i.node=l.node) ORDER BY d.line LIMIT 1) RETURNING shard");
    fl_query_blob(&query, node->name, sizeof node->name);
    bool found = fl_query_next(&query);
    lease->shard = found ? (uint32_t)fl_query_take_u64(&query) : 0;
    while (fl_query_next(&query)) { // the change takes hold with the last step
    }
    FL_TRY(fl_query_end(&query, why));
    return found ? FL_OK : fl_fail(FL_BUSY, why, "all %u shards are leased", lease->shards);
}

//  Shards are given in their order, so the next one is their number.
static fl_status
s_lease(fl_ledger *self, const fl_name *node, fl_lease *lease, fl_why *why)
{
    uint32_t leased, of;
    if (s_holds(self, node, lease)) {
        return FL_OK;
    }
    FL_TRY(fl_ledger_leased(self, &leased, &of, why));
    if (leased > 0 && of != lease->shards) {
        return fl_fail(FL_MISMATCH, why, "shards are leased out of %u, not out of %u", of,
                       lease->shards);
    }
    if (leased >= lease->shards) {
        return s_take_over(self, node, lease, why);
    }
    fl_query query = fl_query_of(self->sql, "INSERT INTO lease(shard, node, shards) VALUES(?,?,?)");
    fl_query_u64(&query, leased);
    fl_query_blob(&query, node->name, sizeof node->name);
    fl_query_u64(&query, lease->shards);
    lease->shard = leased;
    return fl_query_run(&query, why);
}

fl_status
fl_ledger_lease(fl_ledger *self, const fl_name *node, fl_lease *lease, fl_why *why)
{
    FL_ASSERT(lease->shards > 0);
    FL_TRY(fl_sql_begin(self->sql, why));
    return fl_sql_end(self->sql, s_lease(self, node, lease, why), why);
}

fl_status
fl_ledger_issue(fl_ledger *self, fl_bytes token, uint32_t uses_max, const fl_issued *issued,
                fl_lease *lease, fl_why *why)
{
    FL_ASSERT(token.size <= FL_LEDGER_TOKEN_MAX);
    FL_ASSERT(issued->serial > 0 && issued->certificate_bytes <= FL_CERT_BYTES_MAX);
    FL_TRY(fl_sql_begin(self->sql, why));
    fl_status status = token.size > 0 ? s_use_token(self, token, uses_max, why) : FL_OK;
    FL_THEN(status, s_record(self, issued, why));
    if (status == FL_OK && lease != NULL && lease->shards > 0) {
        status = s_lease(self, &issued->node, lease, why);
    }
    return fl_sql_end(self->sql, status, why);
}

static fl_status
s_issued(fl_query *query, const fl_name *node, uint64_t from, fl_issued *issued, fl_why *why)
{
    fl_query_blob(query, node->name, sizeof node->name);
    fl_query_u64(query, from);
    bool found = fl_query_next(query);
    *issued = (fl_issued){ .node = *node };
    if (found) {
        issued->serial = fl_query_take_u64(query);
        issued->role = (fl_role)fl_query_take_u64(query);
        issued->certificate_bytes =
            (uint32_t)fl_query_take_blob(query, issued->certificate, sizeof issued->certificate);
    }
    FL_TRY(fl_query_end(query, why));
    return found ? FL_OK
                 : fl_fail(FL_MISSING, why, "no certificate was issued to %.16s", node->name);
}

#define ISSUED "SELECT serial, role, certificate FROM issued WHERE node=? AND serial>=? "

fl_status
fl_ledger_issued(fl_ledger *self, const fl_name *node, fl_issued *issued, fl_why *why)
{
    fl_query query = fl_query_of(self->sql, ISSUED "ORDER BY serial DESC LIMIT 1");
    return s_issued(&query, node, 0, issued, why);
}

fl_status
fl_ledger_issued_from(fl_ledger *self, const fl_name *node, uint64_t serial, fl_issued *issued,
                      fl_why *why)
{
    fl_query query = fl_query_of(self->sql, ISSUED "ORDER BY serial LIMIT 1");
    return s_issued(&query, node, serial, issued, why);
}

bool
fl_ledger_denies(fl_ledger *self, const fl_name *node, uint64_t serial)
{
    fl_query query = fl_query_of(self->sql, "SELECT lifted FROM denied WHERE node=? AND serial=? "
                                            "ORDER BY line DESC LIMIT 1");
    fl_query_blob(&query, node->name, sizeof node->name);
    fl_query_u64(&query, serial);
    bool denied = fl_query_next(&query) && fl_query_take_u64(&query) == 0;
    return fl_query_end(&query, NULL) == FL_OK && denied;
}

fl_status
fl_ledger_issued_of_late(fl_ledger *self, const fl_name *node, uint64_t ms, uint32_t *count,
                         fl_why *why)
{
    uint64_t now = fl_ledger_clock();
    fl_query query = fl_query_of(self->sql, "SELECT count(*) FROM issued WHERE node=? AND "
                                            "issued_at BETWEEN ? AND ?");
    fl_query_blob(&query, node->name, sizeof node->name);
    fl_query_u64(&query, now > ms ? now - ms : 0);
    fl_query_u64(&query, now);
    *count = fl_query_next(&query) ? (uint32_t)fl_query_take_u64(&query) : 0;
    return fl_query_end(&query, why);
}

static fl_status
s_note_denial(fl_ledger *self, const fl_denied *act, fl_why *why)
{
    fl_query query = fl_query_of(self->sql, "INSERT INTO denied(line, node, serial, lifted, at, "
                                            "why) VALUES((SELECT coalesce(max(line), 0)+1 "
                                            "FROM denied),?,?,?,?,?)");
    fl_query_blob(&query, act->node.name, sizeof act->node.name);
    fl_query_u64(&query, act->serial);
    fl_query_u64(&query, act->lifted);
    fl_query_u64(&query, fl_ledger_clock());
    fl_query_text(&query, fl_bytes_of(act->reason, strlen(act->reason)));
    return fl_query_run(&query, why);
}

static fl_status
s_put_list(fl_ledger *self, uint64_t version, fl_bytes list, fl_why *why)
{
    fl_query query = fl_query_of(
        self->sql,
        "INSERT INTO deny_list(one, version, list) VALUES(1,?,?) ON CONFLICT(one) DO UPDATE SET "
        "version=excluded.version, list=excluded.list WHERE excluded.version > deny_list.version");
    fl_query_u64(&query, version);
    fl_query_blob(&query, list.data, list.size);
    FL_TRY(fl_query_run(&query, why));
    return fl_sql_changes(self->sql) > 0
               ? FL_OK
               : fl_fail(FL_RANGE, why, "deny list of version %llu is not newer than the one held",
                         (unsigned long long)version);
}

fl_status
fl_ledger_deny_put(fl_ledger *self, uint64_t version, fl_bytes list, const fl_denied *act,
                   fl_why *why)
{
    FL_ASSERT(version > 0);
    FL_TRY(fl_sql_begin(self->sql, why));
    fl_status status = s_put_list(self, version, list, why);
    if (status == FL_OK && act != NULL) {
        status = s_note_denial(self, act, why);
    }
    return fl_sql_end(self->sql, status, why);
}

fl_status
fl_ledger_deny_get(fl_ledger *self, uint64_t *version, fl_blob **list, fl_why *why)
{
    fl_query query = fl_query_of(self->sql, "SELECT version, list FROM deny_list");
    *version = 0;
    *list = NULL;
    if (fl_query_next(&query)) {
        *version = fl_query_take_u64(&query);
        *list = fl_query_take_copy(&query);
    }
    return fl_query_end(&query, why);
}
