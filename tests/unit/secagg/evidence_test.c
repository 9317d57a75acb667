//  A dealer whose shares do not make what it promised: found at the opening, named, and shown.
#include "common/secagg/evidence.h"

#include "tests/support/unit.h"

#include "tests/support/secagg.h"

#include <string.h>

#include "common/secagg/client_inside.h"
#include "common/secagg/server_inside.h"

enum { LIAR = 3 };

static fl_transcript_kind lie;

//  Deal shares of another secret, well sealed and signed.
static bool
s_lie(masked_world *world, int32_t from, int32_t to, fl_message *message)
{
    static uint8_t digests[FL_MEMBERS_MAX * FL_DIGESTS_BYTES];
    static uint8_t sealed[FL_MEMBERS_MAX * FL_SEALED_SHARE_BYTES];
    (void)to;
    if (from != LIAR || message->verb != FL_SHARES) {
        return true;
    }
    fl_secagg_client *self = world->member[LIAR].machine;
    uint32_t n = self->block.members, t = fl_secagg_threshold(n);
    uint8_t other[FL_SHARE_BYTES] = { 1 };
    fl_share own[FL_MEMBERS_MAX], pair[FL_MEMBERS_MAX];
    fl_share_deal(lie == FL_TRANSCRIPT_SELF ? other : self->secrets->b, n, t, &self->conf.entropy,
                  own);
    fl_share_deal(lie == FL_TRANSCRIPT_PAIR ? other : self->secrets->msk, n, t, &self->conf.entropy,
                  pair);
    for (uint32_t i = 0; i < n; i++) {
        fl_transcript_dealt dealt = { own[i], pair[i] };
        fl_hash digest =
            fl_transcript_digest(&self->block.round, LIAR, i, FL_TRANSCRIPT_SELF, &own[i]);
        memcpy(digests + i * FL_DIGESTS_BYTES, digest.bytes, 32);
        digest = fl_transcript_digest(&self->block.round, LIAR, i, FL_TRANSCRIPT_PAIR, &pair[i]);
        memcpy(digests + i * FL_DIGESTS_BYTES + 32, digest.bytes, 32);
        if (i == LIAR) {
            self->secrets->held[i] = dealt;
            memset(sealed + i * FL_SEALED_SHARE_BYTES, 0, FL_SEALED_SHARE_BYTES);
        } else {
            fl_transcript_seal(&self->block.round, self->secrets->pair[i], LIAR, i, &dealt,
                               &self->conf.entropy, sealed + i * FL_SEALED_SHARE_BYTES);
        }
    }
    fl_secagg_tree tree;
    uint8_t part[FL_SECAGG_PUBLIC_BYTES];
    message->shares.digests.data = digests;
    message->shares.sealed.data = sealed;
    fl_secagg_tree_fill(&tree, message->shares.digests);
    fl_secagg_public_part(&message->shares.commitment, &tree.node[1], part);
    fl_transcript_dealt_sign(self->conf.keys, &self->block.round, LIAR,
                             fl_bytes_of(part, sizeof part), message->shares.signature);
    return true;
}

//  A block of six whose liar lies about one of its two secrets; for the pair it must be lost.
static masked_world *
s_lied(fl_transcript_kind kind)
{
    masked_plan plan = masked_plan_small(6);
    masked_world *world = masked_new(&plan, 5);
    lie = kind;
    world->hook = s_lie;
    world->member[LIAR].drop = kind == FL_TRANSCRIPT_PAIR ? MASKED_BEFORE_UPLOAD : MASKED_STAYS;
    masked_open(world);
    assert_int_equal(masked_run(world), FL_WHY_DEALER_LIED);
    assert_string_equal(world->blamed.name, world->member[LIAR].node.name);
    assert_int_equal(world->unmasks, 0);
    assert_non_null(world->facts[FL_KEEP_EVIDENCE]);
    return world;
}

static void
a_dealer_that_lies_is_named_with_evidence(void **state)
{
    (void)state;
    static const fl_transcript_kind kinds[] = { FL_TRANSCRIPT_SELF, FL_TRANSCRIPT_PAIR };
    for (size_t i = 0; i < 2; i++) {
        fl_name liar;
        masked_world *world = s_lied(kinds[i]);
        fl_bytes paper = fl_blob_bytes(world->facts[FL_KEEP_EVIDENCE]);
        assert_true(fl_evidence_holds(paper, &world->trust, IDENTITY_NOW, &liar));
        assert_string_equal(liar.name, world->member[LIAR].node.name);
        masked_destroy(&world);
    }
}

static void
evidence_with_any_byte_changed_does_not_hold(void **state)
{
    (void)state;
    fl_name liar;
    masked_world *world = s_lied(FL_TRANSCRIPT_SELF);
    fl_bytes paper = fl_blob_bytes(world->facts[FL_KEEP_EVIDENCE]);
    fl_blob *copy = fl_blob_new(paper.size + 1);
    assert_non_null(copy);
    uint8_t *bytes = fl_blob_data(copy);
    size_t size = paper.size;
    memcpy(bytes, paper.data, size);
    bytes[size] = 0;
    for (size_t at = 0; at < size; at += at < 400 ? 1 : 29) {
        bytes[at] ^= 1;
        assert_false(
            fl_evidence_holds(fl_bytes_of(bytes, size), &world->trust, IDENTITY_NOW, &liar));
        bytes[at] ^= 1;
    }
    assert_false(
        fl_evidence_holds(fl_bytes_of(bytes, size - 1), &world->trust, IDENTITY_NOW, &liar));
    assert_false(
        fl_evidence_holds(fl_bytes_of(bytes, size + 1), &world->trust, IDENTITY_NOW, &liar));
    assert_true(fl_evidence_holds(fl_bytes_of(bytes, size), &world->trust, IDENTITY_NOW, &liar));
    fl_blob_unref(&copy);
    masked_destroy(&world);
}

static void
no_evidence_can_be_made_against_an_honest_dealer(void **state)
{
    (void)state;
    uint8_t b[FL_SHARE_BYTES] = { 4 }, other[FL_SHARE_BYTES] = { 4, 1 },
            mpk[FL_TRANSCRIPT_KEY_BYTES];
    fl_hash commitment = fl_transcript_commitment(b);
    fl_transcript_public_of(b, mpk);
    assert_true(fl_secagg_secret_kept(FL_TRANSCRIPT_SELF, b, &commitment, mpk));
    assert_true(fl_secagg_secret_kept(FL_TRANSCRIPT_PAIR, b, &commitment, mpk));
    assert_false(fl_secagg_secret_kept(FL_TRANSCRIPT_SELF, other, &commitment, mpk));
    assert_false(fl_secagg_secret_kept(FL_TRANSCRIPT_PAIR, other, &commitment, mpk));
}

//  True shares of an honest dealer, as those who hold them could put them together.
static void
true_or_too_few_shares_are_no_evidence_against_their_dealer(void **state)
{
    (void)state;
    masked_plan plan = masked_plan_small(6);
    masked_world *world = masked_new(&plan, 5);
    masked_open(world);
    while (fl_secagg_server_state(world->aggregator) != FL_SERVER_COLLECTING) {
        assert_true(masked_deliver(world));
    }
    fl_secagg_dealing dealing = fl_secagg_server_dealing(world->aggregator, LIAR);
    fl_evidence paper = { .round = world->aggregator->block.round,
                          .members = 6,
                          .dealer = LIAR,
                          .kind = FL_TRANSCRIPT_SELF,
                          .member =
                              fl_bytes_of(world->aggregator->child[LIAR].member, FL_MEMBER_BYTES),
                          .signature = fl_bytes_of(dealing.signature, FL_SIGN_BYTES),
                          .digests = fl_bytes_of(dealing.digests, (size_t)6 * FL_DIGESTS_BYTES) };
    memcpy(paper.commitment.bytes, dealing.commitment, sizeof paper.commitment);
    uint32_t threshold = fl_secagg_threshold(6);
    for (uint32_t i = 0; i < threshold; i++) {
        paper.holders[i] = (uint8_t)i;
        paper.shares[i] = world->member[i].machine->secrets->held[LIAR].self;
    }
    for (paper.threshold = 1; paper.threshold <= threshold; paper.threshold++) {
        uint8_t bytes[FL_EVIDENCE_BYTES_MAX];
        fl_name liar;
        size_t size = fl_evidence_encode(&paper, bytes);
        assert_false(
            fl_evidence_holds(fl_bytes_of(bytes, size), &world->trust, IDENTITY_NOW, &liar));
    }
    masked_destroy(&world);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_dealer_that_lies_is_named_with_evidence),
        cmocka_unit_test(evidence_with_any_byte_changed_does_not_hold),
        cmocka_unit_test(no_evidence_can_be_made_against_an_honest_dealer),
        cmocka_unit_test(true_or_too_few_shares_are_no_evidence_against_their_dealer),
    };
    return cmocka_run_group_tests_name("core/masking_evidence", tests, NULL, NULL);
}
