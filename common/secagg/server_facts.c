//  What an aggregator must not say twice in two ways it keeps before it says it, and reads back
//  after a restart. A fact is a head that ties it to one task and block, and the list as it was
//  sent; DEALT is kept as what every member dealt, from which what each is told follows.
#include "common/secagg/server_inside.h"

#include <stdlib.h>
#include <string.h>

// ---- dealings --------------------------------------------------------------------------------
static size_t
s_dealing(uint32_t members)
{
    return sizeof(fl_hash) + FL_SIGN_BYTES +
           (size_t)members * (FL_DIGESTS_BYTES + FL_SEALED_SHARE_BYTES);
}

fl_secagg_dealing
fl_secagg_server_dealing(const fl_secagg_server *self, uint32_t index)
{
    uint32_t members = self->block.members;
    FL_ASSERT(index < members && self->dealt_fact != NULL);
    uint8_t *at = self->dealt_fact + FL_FACT_HEAD_BYTES + index * s_dealing(members);
    fl_secagg_dealing dealing = { .commitment = at };
    dealing.signature = dealing.commitment + sizeof(fl_hash);
    dealing.digests = dealing.signature + FL_SIGN_BYTES;
    dealing.sealed = dealing.digests + (size_t)members * FL_DIGESTS_BYTES;
    return dealing;
}

bool
fl_secagg_server_make_room(fl_secagg_server *self)
{
    uint32_t members = self->block.members;
    self->dealt_bytes = FL_FACT_HEAD_BYTES + members * s_dealing(members);
    self->dealt_fact = calloc(1, self->dealt_bytes);
    return self->dealt_fact != NULL;
}

//  What one dealer says to one member.
static void
s_part(const fl_secagg_server *self, const fl_secagg_tree *tree, uint32_t from, uint32_t to,
       uint8_t *part)
{
    fl_secagg_dealing dealing = fl_secagg_server_dealing(self, from);
    fl_writer out = fl_writer_over(part, FL_DEALT_BYTES);
    uint8_t path[FL_PATH_BYTES];
    fl_secagg_tree_path(tree, to, path);
    fl_write_from(&out, dealing.commitment, sizeof(fl_hash));
    fl_write_from(&out, dealing.digests + (size_t)to * FL_DIGESTS_BYTES, FL_DIGESTS_BYTES);
    fl_write_from(&out, path, sizeof path);
    fl_write_from(&out, dealing.signature, FL_SIGN_BYTES);
    fl_write_from(&out, dealing.sealed + (size_t)to * FL_SEALED_SHARE_BYTES, FL_SEALED_SHARE_BYTES);
    FL_ASSERT(!out.broken && fl_writer_size(&out) == FL_DEALT_BYTES);
}

bool
fl_secagg_server_make_parts(fl_secagg_server *self)
{
    uint32_t members = self->block.members;
    size_t each = (size_t)(members - 1) * FL_DEALT_BYTES;
    self->parts = calloc(members, each);
    if (self->parts == NULL) {
        return false;
    }
    uint32_t before = 0; // dealers in front of this one
    for (uint32_t from = 0; from < members; from++) {
        if ((self->dealt & fl_secagg_bit(from)) == 0) {
            continue;
        }
        fl_secagg_tree tree;
        fl_secagg_dealing dealing = fl_secagg_server_dealing(self, from);
        fl_secagg_tree_fill(&tree,
                            fl_bytes_of(dealing.digests, (size_t)members * FL_DIGESTS_BYTES));
        for (uint32_t to = 0; to < members; to++) {
            if (to == from) {
                continue;
            }
            bool skips = to < from && (self->dealt & fl_secagg_bit(to)) != 0;
            uint32_t place = before - (skips ? 1 : 0); // a member's own part is left out
            s_part(self, &tree, from, to, self->parts + to * each + (size_t)place * FL_DEALT_BYTES);
        }
        before++;
    }
    return true;
}

// ---- keeping ---------------------------------------------------------------------------------
static uint64_t
s_set(const fl_secagg_server *self, fl_keep what)
{
    return what == FL_KEEP_DEALT       ? self->dealt
           : what == FL_KEEP_MASKSET   ? self->maskset
           : what == FL_KEEP_SURVIVORS ? self->survivors
           : what == FL_KEEP_ACKS      ? self->acked
                                       : 0;
}

static void
s_head(const fl_secagg_server *self, fl_keep what, uint8_t head[FL_FACT_HEAD_BYTES])
{
    fl_writer out = fl_writer_over(head, FL_FACT_HEAD_BYTES);
    fl_write_u8(&out, (uint8_t)what);
    fl_write_u32(&out, self->block_id);
    fl_write_from(&out, self->task.order.run.bytes, sizeof self->task.order.run);
    fl_write_u64(&out, self->task.order.round);
    fl_write_from(&out, self->task_hash.bytes, sizeof self->task_hash);
    fl_write_u64(&out, s_set(self, what));
    FL_ASSERT(!out.broken && fl_writer_size(&out) == FL_FACT_HEAD_BYTES);
}

//  The signatures of a set, by ascending index.
static size_t
s_gather(uint64_t set, uint8_t from[FL_MEMBERS_MAX][FL_SIGN_BYTES], uint8_t *to)
{
    size_t size = 0;
    for (uint32_t i = 0; i < FL_MEMBERS_MAX; i++) {
        if ((set & fl_secagg_bit(i)) != 0) {
            memcpy(to + size, from[i], FL_SIGN_BYTES);
            size += FL_SIGN_BYTES;
        }
    }
    return size;
}

static fl_bytes
s_fact(fl_secagg_server *self, fl_keep what)
{
    size_t list = 0;
    uint8_t *fact = self->set_fact;
    switch (what) {
    case FL_KEEP_ROSTER:
        fact = self->roster_fact;
        list = (size_t)self->block.members * FL_MEMBER_BYTES;
        break;
    case FL_KEEP_DEALT:
        fact = self->dealt_fact;
        list = self->dealt_bytes - FL_FACT_HEAD_BYTES;
        break;
    case FL_KEEP_SURVIVORS:
        fact = self->psigs_fact;
        list = s_gather(self->survivors, self->psig, fact + FL_FACT_HEAD_BYTES);
        break;
    case FL_KEEP_ACKS:
        fact = self->asigs_fact;
        list = s_gather(self->acked, self->asig, fact + FL_FACT_HEAD_BYTES);
        break;
    case FL_KEEP_MASKSET:
        break;
    case FL_KEEP_MARK:
    case FL_KEEP_EVIDENCE:
    case FL_KEEP_COUNT:
        FL_ASSERT(false && "not a fact of the block");
    }
    s_head(self, what, fact);
    return fl_bytes_of(fact, FL_FACT_HEAD_BYTES + list);
}

void
fl_secagg_server_keep(fl_secagg_server *self, fl_keep what, fl_outbox *out)
{
    FL_ASSERT(self->token == 0);
    self->tokens = (self->tokens + 1) & 0xffffff;
    self->token = FL_SECAGG_TOKEN_SERVER | (uint64_t)self->block_id << 32 | self->tokens << 8 |
                  (uint64_t)what;
    fl_effect *effect = fl_outbox_add(out, FL_FX_KEEP);
    effect->keep.token = self->token;
    effect->keep.what = what;
    effect->keep.run = self->task.order.run;
    effect->keep.round = self->task.order.round;
    effect->keep.block = self->block_id;
    effect->keep.fact = s_fact(self, what);
}

static void
s_tell_all(fl_secagg_server *self, fl_keep what, fl_outbox *out)
{
    self->told[what] = true;
    for (uint32_t i = 0; i < self->block.members; i++) {
        fl_secagg_server_tell(self, i, what, out);
    }
}

bool
fl_secagg_server_saved(fl_secagg_server *self, uint64_t token, bool ok, fl_time now, fl_outbox *out)
{
    if (token != self->token || token == 0) {
        return false;
    }
    fl_keep what = (fl_keep)(token & 0xff);
    self->token = 0;
    if (!ok) {
        fl_secagg_server_abort(self, FL_WHY_STORAGE, out);
        return true;
    }
    if (what == FL_KEEP_DEALT) {
        fl_secagg_server_advance(self, now, out); // DEALING is left with the parts made
        if (self->state != FL_SERVER_WAITING_READY) {
            return true;
        }
    }
    s_tell_all(self, what, out);
    fl_secagg_server_advance(self, now, out);
    return true;
}

void
fl_secagg_server_bind(fl_secagg_server *self)
{
    fl_hash maskset = fl_transcript_set_hash(self->maskset, self->block.members);
    self->ctx = fl_transcript_ctx(&self->block.round, &self->task_hash, &maskset);
    if (self->fixed) {
        self->survivors_hash = fl_transcript_set_hash(self->survivors, self->block.members);
    }
}

// ---- coming back -----------------------------------------------------------------------------
bool
fl_secagg_fact_read(fl_bytes fact, fl_secagg_fact *head)
{
    if (fact.size < FL_FACT_HEAD_BYTES) {
        return false;
    }
    fl_reader in = fl_reader_of(fl_bytes_of(fact.data, FL_FACT_HEAD_BYTES));
    uint8_t what = fl_read_u8(&in);
    *head = (fl_secagg_fact){ .what = (fl_keep)what, .block = fl_read_u32(&in) };
    fl_read_into(&in, head->run.bytes, sizeof head->run);
    head->round = fl_read_u64(&in);
    return what >= FL_KEEP_ROSTER && what <= FL_KEEP_ACKS && head->block < FL_BLOCKS_MAX;
}

uint32_t
fl_secagg_fact_names(fl_bytes fact, const fl_secagg_trust *trust, uint64_t now_s,
                     fl_name names[FL_MEMBERS_MAX])
{
    size_t size = fact.size < FL_FACT_HEAD_BYTES ? 0 : fact.size - FL_FACT_HEAD_BYTES;
    uint32_t count = (uint32_t)(size / FL_MEMBER_BYTES);
    if (size % FL_MEMBER_BYTES != 0 || count > FL_MEMBERS_MAX) {
        return 0;
    }
    for (uint32_t i = 0; i < count; i++) {
        fl_cert cert;
        fl_bytes bytes = fl_bytes_of(fact.data + FL_FACT_HEAD_BYTES + (size_t)i * FL_MEMBER_BYTES,
                                     FL_CERT_BYTES);
        fl_trust sound = fl_cert_check(bytes, trust->authority, now_s, trust->roles, &cert);
        if (sound != FL_TRUST_OK && !fl_name_valid(&cert.node)) {
            return 0; // not ours: there is no name in it
        }
        names[i] = cert.node;
    }
    return count;
}

//  The list behind the head of a fact that is of this task and block; false otherwise.
static bool
s_read_head(const fl_secagg_server *self, fl_bytes fact, fl_keep *what, uint64_t *set,
            fl_bytes *list)
{
    uint8_t ours[FL_FACT_HEAD_BYTES];
    if (fact.size < sizeof ours || fact.data[0] >= FL_KEEP_COUNT) {
        return false;
    }
    *what = (fl_keep)fact.data[0];
    s_head(self, *what, ours);
    fl_reader in = fl_reader_of(fl_bytes_of(fact.data + sizeof ours - 8, 8));
    *set = fl_read_u64(&in);
    *list = fl_bytes_of(fact.data + sizeof ours, fact.size - sizeof ours);
    return memcmp(ours, fact.data, sizeof ours - 8) == 0;
}

//  Children in the order of the roster; members whom nobody invited again are added.
static bool
s_seat_again(fl_secagg_server *self)
{
    for (uint32_t i = 0; i < self->block.members; i++) {
        const fl_name *node = &self->block.seat[i].node;
        uint32_t at = i;
        while (at < self->count && !fl_name_equal(&self->child[at].node, node)) {
            at++;
        }
        if (at == self->count) {
            if (self->count == FL_MEMBERS_MAX) {
                return false;
            }
            self->child[self->count++] = (fl_secagg_child){ .node = *node };
        }
        fl_secagg_child child = self->child[at];
        self->child[at] = self->child[i];
        child.keyed = true;
        memcpy(child.member, self->roster_fact + FL_FACT_HEAD_BYTES + (size_t)i * FL_MEMBER_BYTES,
               FL_MEMBER_BYTES);
        self->child[i] = child;
    }
    return true;
}

static bool
s_resume_roster(fl_secagg_server *self, fl_bytes list, uint64_t now_s)
{
    if (list.size == 0 || list.size % FL_MEMBER_BYTES != 0 ||
        list.size / FL_MEMBER_BYTES > FL_MEMBERS_MAX) {
        return false;
    }
    memcpy(self->roster_fact + FL_FACT_HEAD_BYTES, list.data, list.size);
    self->block.members = 0;
    for (size_t at = 0; at < list.size; at += FL_MEMBER_BYTES) {
        fl_bytes member = fl_bytes_of(list.data + at, FL_MEMBER_BYTES);
        if (fl_secagg_block_add(&self->block, member, &self->conf.trust, now_s) != FL_WHY_NONE) {
            return false; // somebody was revoked, or ran out, meanwhile
        }
    }
    fl_secagg_block_seal(&self->block, list);
    const fl_plan *plan = &self->task.order.plan;
    uint32_t members = self->block.members;
    self->threshold = fl_secagg_threshold(members);
    self->quorum = fl_secagg_quorum(members, fl_secagg_floor(plan->survivors_min, self->conf.hop));
    return s_seat_again(self) && fl_secagg_server_make_room(self);
}

static bool
s_scatter(uint64_t set, fl_bytes list, uint8_t to[FL_MEMBERS_MAX][FL_SIGN_BYTES])
{
    if (list.size != (size_t)fl_set_count(set) * FL_SIGN_BYTES) {
        return false;
    }
    const uint8_t *at = list.data;
    for (uint32_t i = 0; i < FL_MEMBERS_MAX; i++) {
        if ((set & fl_secagg_bit(i)) != 0) {
            memcpy(to[i], at, FL_SIGN_BYTES);
            at += FL_SIGN_BYTES;
        }
    }
    return true;
}

static bool
s_resume_dealt(fl_secagg_server *self, uint64_t set, fl_bytes list)
{
    if (list.size + FL_FACT_HEAD_BYTES != self->dealt_bytes) {
        return false;
    }
    memcpy(self->dealt_fact + FL_FACT_HEAD_BYTES, list.data, list.size);
    self->dealt = set;
    return fl_secagg_server_make_parts(self);
}

static bool
s_resume_one(fl_secagg_server *self, fl_keep what, uint64_t set, fl_bytes list, uint64_t now_s)
{
    static const fl_secagg_state states[FL_KEEP_COUNT] = {
        [FL_KEEP_ROSTER] = FL_SERVER_ROSTERED,    [FL_KEEP_DEALT] = FL_SERVER_WAITING_READY,
        [FL_KEEP_MASKSET] = FL_SERVER_COLLECTING, [FL_KEEP_SURVIVORS] = FL_SERVER_ACKING,
        [FL_KEEP_ACKS] = FL_SERVER_OPENING,
    };
    bool honest = self->task.order.plan.masking == FL_MASKING_HONEST;
    bool within = what == FL_KEEP_ROSTER || fl_set_within(set, self->block.members);
    bool fine = within;
    if (what == FL_KEEP_ROSTER) {
        fine = s_resume_roster(self, list, now_s);
    } else if (what == FL_KEEP_DEALT) {
        fine = within && s_resume_dealt(self, set, list);
    } else if (what == FL_KEEP_MASKSET) {
        self->maskset = set;
    } else if (what == FL_KEEP_SURVIVORS) {
        self->survivors = set;
        self->fixed = true;
        fine = within && s_scatter(set, list, self->psig);
        (void)s_fact(self, what);
    } else {
        self->acked = set;
        fine = within && s_scatter(set, list, self->asig);
        (void)s_fact(self, what);
    }
    self->state = honest && what == FL_KEEP_SURVIVORS ? FL_SERVER_OPENING : states[what];
    self->told[what] = true;
    return fine;
}

bool
fl_secagg_server_resume(fl_secagg_server *self, const fl_bytes *facts, uint32_t count,
                        uint64_t now_s, fl_time now, fl_outbox *out)
{
    FL_ASSERT(self->state == FL_SERVER_INVITED);
    self->resumed = true;
    for (uint32_t i = 0; i < count; i++) {
        fl_keep what;
        uint64_t set;
        fl_bytes list;
        if (!s_read_head(self, facts[i], &what, &set, &list) ||
            (uint32_t)what != (uint32_t)FL_KEEP_ROSTER + i || what > FL_KEEP_ACKS ||
            !s_resume_one(self, what, set, list, now_s)) {
            fl_secagg_server_abort(self, FL_WHY_RESTART, out);
            return false;
        }
    }
    if (self->state >= FL_SERVER_COLLECTING) {
        fl_secagg_server_bind(self);
    }
    fl_time step = now + self->task.order.plan.step_ms;
    self->step_by = step > self->times.upload_by ? step : self->times.upload_by;
    for (int what = FL_KEEP_ROSTER; what <= FL_KEEP_ACKS; what++) {
        for (uint32_t i = 0; i < self->block.members; i++) {
            fl_secagg_server_tell(self, i, (fl_keep)what, out);
        }
    }
    fl_secagg_server_advance(self, now, out);
    return true;
}
