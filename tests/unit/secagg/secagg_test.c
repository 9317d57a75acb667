#include "common/secagg/secagg.h"

#include "tests/support/unit.h"

#include "tests/support/identity.h"

#include <string.h>

static fl_authority *authority, *stranger;
static fl_deny_list *deny;
static fl_secagg_trust trust;
static const fl_transcript_round place = { .hop = 1, .round = 7, .block = 2 };

static int
s_setup(void **state)
{
    (void)state;
    if (fl_crypto_init(NULL) != FL_OK) {
        return -1;
    }
    authority = identity_authority(1);
    stranger = identity_authority(2);
    deny = fl_deny_list_new();
    trust = (fl_secagg_trust){ fl_authority_public_of(authority), deny, FL_ROLES(FL_ROLE_DEVICE) };
    return deny == NULL ? -1 : 0;
}

static int
s_teardown(void **state)
{
    (void)state;
    fl_authority_destroy(&authority);
    fl_authority_destroy(&stranger);
    fl_deny_list_destroy(&deny);
    return 0;
}

// ---- numbers ---------------------------------------------------------------------------------
static void
a_set_has_a_bit_for_each_member_up_to_the_last(void **state)
{
    (void)state;
    uint64_t set = 0;
    for (uint32_t members = 0; members <= FL_MEMBERS_MAX; members++) {
        assert_true(fl_secagg_all(members) == set);
        set |= members < FL_MEMBERS_MAX ? fl_secagg_bit(members) : 0;
    }
    assert_true(set == UINT64_MAX);
}

static void
thresholds_follow_from_the_size_of_a_block(void **state)
{
    (void)state;
    static const uint32_t table[][3] = {
        // n, t, losses
        { 3, 2, 0 },   { 4, 3, 1 },   { 5, 4, 1 },    { 6, 4, 2 },    { 7, 5, 2 },
        { 8, 6, 2 },   { 9, 6, 3 },   { 10, 7, 3 },   { 12, 8, 4 },   { 16, 11, 5 },
        { 20, 13, 7 }, { 24, 16, 8 }, { 32, 21, 11 }, { 48, 31, 17 }, { 64, 41, 23 },
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        assert_int_equal(fl_secagg_threshold(table[i][0]), table[i][1]);
        assert_int_equal(table[i][0] - fl_secagg_quorum(table[i][0], 0), table[i][2]);
    }
    for (uint32_t n = 3; n <= FL_MEMBERS_MAX; n++) {
        uint32_t a = fl_secagg_corrupt(n), t = fl_secagg_threshold(n);
        assert_true(4 * a <= n && 2 * t > n + a && t <= n);
        assert_true(fl_secagg_quorum(n, 0) >= 3 && fl_secagg_quorum(n, 0) <= n);
    }
    assert_int_equal(fl_secagg_quorum(10, 9), 9);
    uint8_t floors[2] = { 8, 3 };
    assert_int_equal(fl_secagg_floor(floors, 1), 8);
    assert_int_equal(fl_secagg_floor(floors, 2), 3);
    assert_int_equal(fl_secagg_floor(floors, 3), 3);
}

static void
a_plan_holds_when_its_sums_fit(void **state)
{
    (void)state;
    fl_plan plan = {
        .clip = 1, .bits = 16, .weight_unit = 1, .weight_max = 1024, .devices_max = 64
    };
    assert_true(fl_secagg_plan_holds(&plan, FL_VECTOR_BYTES_MAX / 4)); // 2^6 * 2^10 * 2^16
    assert_false(fl_secagg_plan_holds(&plan, FL_VECTOR_BYTES_MAX / 4 + 1));
    plan.devices_max = 65; // five bytes
    assert_true(fl_secagg_plan_holds(&plan, FL_VECTOR_BYTES_MAX / 5));
    assert_false(fl_secagg_plan_holds(&plan, FL_VECTOR_BYTES_MAX / 4));
    plan.devices_max = plan.weight_max = UINT32_MAX; // no ring holds them
    assert_false(fl_secagg_plan_holds(&plan, 1));
}

static void
the_hash_of_a_task_is_of_its_signed_part_alone(void **state)
{
    (void)state;
    fl_task task = { .attempt = 1, .budget_ms = 7 };
    task.order = (fl_order){ .round = 1,
                             .model_bytes = 1,
                             .elements = 1,
                             .plan = { .clip = 1,
                                       .bits = 8,
                                       .weight_unit = 1,
                                       .weight_max = 1,
                                       .devices_max = 1,
                                       .recipe = { 2, { { "batch", 1 }, { "epochs", 1 } } } } };
    fl_hash hash = fl_secagg_task_hash(&task), other;
    task.attempt = 2;
    task.budget_ms = 9;
    other = fl_secagg_task_hash(&task);
    assert_true(fl_hash_equal(&hash, &other));
    task.signature[63] ^= 1;
    other = fl_secagg_task_hash(&task);
    assert_false(fl_hash_equal(&hash, &other));
    task.signature[63] ^= 1;
    task.order.manifest.bytes[0] ^= 1; // it stands for the clip
    other = fl_secagg_task_hash(&task);
    assert_false(fl_hash_equal(&hash, &other));
}

// ---- rosters ---------------------------------------------------------------------------------
typedef struct line {
    uint8_t bytes[FL_MEMBER_BYTES];
    uint8_t epk[FL_POINT_BYTES], mpk[FL_POINT_BYTES];
} line;

static void
s_sign_line(line *self, const fl_keys *keys)
{
    memset(self->bytes + FL_MEMBER_BYTES - 2, 0, 2); // class and roster
    memcpy(self->bytes + FL_CERT_BYTES, self->epk, sizeof self->epk);
    memcpy(self->bytes + FL_CERT_BYTES + 32, self->mpk, sizeof self->mpk);
    fl_transcript_keys_sign(keys, &place, 0, self->epk, self->mpk,
                            self->bytes + FL_CERT_BYTES + 64);
}

//  Member number `seed`, certified by `by`.
static fl_keys *
s_line(line *self, const fl_authority *by, fl_role role, const char *name, uint64_t seed)
{
    fl_keys *keys = identity_keys(seed);
    uint8_t secret[32];
    (void)identity_cert(by, keys, role, name, seed, self->bytes);
    memset(secret, (int)seed, sizeof secret);
    fl_transcript_public_of(secret, self->epk);
    secret[0] ^= 0x80;
    fl_transcript_public_of(secret, self->mpk);
    s_sign_line(self, keys);
    return keys;
}

static fl_reason
s_add(fl_secagg_block *block, const line *self, uint64_t now_s)
{
    return fl_secagg_block_add(block, fl_bytes_of(self->bytes, sizeof self->bytes), &trust, now_s);
}

//  The verdict on a member of these things, after one good member.
static fl_reason
s_judge(const fl_authority *by, fl_role role, const char *name, uint64_t seed, uint64_t now_s)
{
    fl_secagg_block block = { .round = place };
    line first, second;
    fl_keys *keys = s_line(&first, authority, FL_ROLE_DEVICE, "d-1", 1);
    assert_int_equal(s_add(&block, &first, IDENTITY_NOW), FL_WHY_NONE);
    fl_keys_destroy(&keys);
    keys = s_line(&second, by, role, name, seed);
    fl_keys_destroy(&keys);
    fl_reason reason = s_add(&block, &second, now_s);
    assert_int_equal(block.members, reason == FL_WHY_NONE ? 2 : 1);
    return reason;
}

static void
certificates_of_a_roster_are_checked(void **state)
{
    (void)state;
    uint64_t now = IDENTITY_NOW, week = IDENTITY_WEEK_S;
    assert_int_equal(s_judge(authority, FL_ROLE_DEVICE, "d-2", 2, now), FL_WHY_NONE);
    assert_int_equal(s_judge(stranger, FL_ROLE_DEVICE, "d-2", 2, now), FL_WHY_CERTIFICATE);
    assert_int_equal(s_judge(authority, FL_ROLE_EDGE, "d-2", 2, now), FL_WHY_ROLE);
    assert_int_equal(s_judge(authority, FL_ROLE_DEVICE, "d-2", 2, now + week + 1), FL_WHY_EXPIRED);
    const struct { // clocks that are wrong
        uint64_t now;
        fl_reason reason;
    } rows[] = { { now + week - 1, FL_WHY_NONE },
                 { now - FL_CERT_DATED_BACK_S, FL_WHY_NONE },
                 { now - FL_CERT_DATED_BACK_S - 1, FL_WHY_CLOCK },
                 { 0, FL_WHY_CLOCK },
                 { UINT64_MAX, FL_WHY_EXPIRED } };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(s_judge(authority, FL_ROLE_DEVICE, "d-2", 2, rows[i].now), rows[i].reason);
    }
    assert_int_equal(s_judge(authority, FL_ROLE_DEVICE, "d-1", 2, now), FL_WHY_CERTIFICATE);
    assert_int_equal(s_judge(authority, FL_ROLE_DEVICE, "d-2", 1, now), FL_WHY_CERTIFICATE);
    fl_name node = identity_node("d-9");
    assert_int_equal(fl_deny_list_add(deny, &node, 0), FL_OK);
    assert_int_equal(s_judge(authority, FL_ROLE_DEVICE, "d-9", 2, now), FL_WHY_REVOKED);
}

static void
the_parent_is_refused_as_a_participant(void **state)
{
    (void)state;
    fl_secagg_block block = { .round = place };
    line self;
    fl_keys *keys = s_line(&self, authority, FL_ROLE_DEVICE, "d-1", 1);
    block.round.edge = identity_node("d-1");
    assert_int_equal(s_add(&block, &self, IDENTITY_NOW), FL_WHY_ROLE);
    assert_int_equal(block.members, 0);
    fl_keys_destroy(&keys);
}

//  The verdict on a member whose keys were changed by `spoil`, after one good member.
static fl_reason
s_with_keys(void (*spoil)(line *self, const line *first), bool sign)
{
    fl_secagg_block block = { .round = place };
    line first, second;
    fl_keys *keys = s_line(&first, authority, FL_ROLE_DEVICE, "d-1", 1);
    assert_int_equal(s_add(&block, &first, IDENTITY_NOW), FL_WHY_NONE);
    fl_keys_destroy(&keys);
    keys = s_line(&second, authority, FL_ROLE_DEVICE, "d-2", 2);
    spoil(&second, &first);
    if (sign) {
        s_sign_line(&second, keys);
    }
    fl_keys_destroy(&keys);
    return s_add(&block, &second, IDENTITY_NOW);
}

static void
s_zero_key(line *self, const line *first)
{
    (void)first;
    memset(self->mpk, 0, sizeof self->mpk);
}

static void
s_order_one(line *self, const line *first)
{
    (void)first;
    memset(self->epk, 0, sizeof self->epk);
    self->epk[0] = 1;
}

static void
s_misspelt(line *self, const line *first)
{
    (void)first;
    self->epk[31] |= 0x80;
}

static void
s_copied(line *self, const line *first)
{
    memcpy(self->epk, first->epk, sizeof self->epk);
}

static void
s_crossed(line *self, const line *first)
{
    memcpy(self->epk, first->mpk, sizeof self->epk);
}

static void
s_one_for_both(line *self, const line *first)
{
    (void)first;
    memcpy(self->epk, self->mpk, sizeof self->epk);
}

static void
s_flip_signature(line *self, const line *first)
{
    (void)first;
    self->bytes[FL_MEMBER_BYTES - 3] ^= 1;
}

static void
s_other_class(line *self, const line *first)
{
    (void)first;
    self->bytes[FL_MEMBER_BYTES - 2] = 1;
}

static void
s_other_roster(line *self, const line *first)
{
    (void)first;
    self->bytes[FL_MEMBER_BYTES - 1] = 1;
}

static void
s_flip_key(line *self, const line *first)
{
    (void)first;
    fl_transcript_public_of(self->mpk,
                            self->bytes + FL_CERT_BYTES); // another sound key, not signed
}

static void
keys_of_a_roster_are_sound_signed_and_ones_own(void **state)
{
    (void)state;
    assert_int_equal(s_with_keys(s_zero_key, true), FL_WHY_KEY);
    assert_int_equal(s_with_keys(s_order_one, true), FL_WHY_KEY);
    assert_int_equal(s_with_keys(s_misspelt, true), FL_WHY_KEY);
    assert_int_equal(s_with_keys(s_copied, true), FL_WHY_KEY);
    assert_int_equal(s_with_keys(s_crossed, true), FL_WHY_KEY);
    assert_int_equal(s_with_keys(s_one_for_both, true), FL_WHY_KEY);
    assert_int_equal(s_with_keys(s_flip_signature, false), FL_WHY_SIGNATURE);
    assert_int_equal(s_with_keys(s_flip_key, false), FL_WHY_SIGNATURE);
    assert_int_equal(s_with_keys(s_other_class, false), FL_WHY_SIGNATURE);
    assert_int_equal(s_with_keys(s_other_roster, false), FL_WHY_SIGNATURE);
}

static void
keys_of_another_round_hop_or_parent_do_not_hold(void **state)
{
    (void)state;
    line first;
    fl_keys *keys = s_line(&first, authority, FL_ROLE_DEVICE, "d-1", 1);
    fl_keys_destroy(&keys);
    for (int i = 0; i < 4; i++) {
        fl_secagg_block block = { .round = place };
        block.round.round += i == 0;
        block.round.hop = (uint8_t)(block.round.hop + (i == 1));
        block.round.edge.name[0] = i == 2 ? 'x' : 0;
        block.round.run.bytes[0] = i == 3;
        assert_int_equal(s_add(&block, &first, IDENTITY_NOW), FL_WHY_SIGNATURE);
    }
}

// ---- the tree, the header --------------------------------------------------------------------
static void
every_path_of_the_tree_leads_to_its_root_and_no_other_leaf_does(void **state)
{
    (void)state;
    static uint8_t digests[FL_MEMBERS_MAX * FL_DIGESTS_BYTES];
    fl_secagg_tree tree;
    uint8_t path[FL_PATH_BYTES], wrong[FL_DIGESTS_BYTES];
    for (size_t i = 0; i < sizeof digests; i++) {
        digests[i] = (uint8_t)(i * 7 + i / 251);
    }
    static const uint32_t sizes[] = { 1, 3, 10, 64 };
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        fl_secagg_tree_fill(&tree, fl_bytes_of(digests, (size_t)sizes[s] * FL_DIGESTS_BYTES));
        for (uint32_t i = 0; i < sizes[s]; i++) {
            const uint8_t *mine = digests + (size_t)i * FL_DIGESTS_BYTES;
            fl_secagg_tree_path(&tree, i, path);
            fl_hash root = fl_secagg_tree_climb(mine, i, path);
            assert_true(fl_hash_equal(&root, &tree.node[1]));
            root = fl_secagg_tree_climb(mine, i ^ 1, path);
            assert_false(fl_hash_equal(&root, &tree.node[1]));
            memcpy(wrong, mine, sizeof wrong);
            wrong[63] ^= 1;
            root = fl_secagg_tree_climb(wrong, i, path);
            assert_false(fl_hash_equal(&root, &tree.node[1]));
            path[0] ^= 1;
            root = fl_secagg_tree_climb(mine, i, path);
            assert_false(fl_hash_equal(&root, &tree.node[1]));
        }
    }
}

static void
header_sums_come_back_when_their_masks_cancel(void **state)
{
    (void)state;
    fl_secagg_sums a = { .weight = 3, .count = 1, .checksum = UINT64_MAX, .stats = { 1, 2, 3 } };
    fl_secagg_sums b = { .weight = 4, .count = 1, .checksum = 2, .stats = { 10, 20, 30 } };
    fl_mask_seed up = { .key = { 5 } }, down = { .key = { 5 }, .subtract = true };
    uint8_t bytes[FL_MASKED_HEADER_BYTES];
    fl_secagg_sums sum = { 0 };
    fl_secagg_header_mask(&a, &up, 1);
    assert_int_not_equal(a.weight, 3);
    fl_secagg_header_encode(&a, bytes);
    fl_secagg_header_add(&sum, bytes);
    fl_secagg_header_mask(&b, &down, 1);
    fl_secagg_header_encode(&b, bytes);
    fl_secagg_header_add(&sum, bytes);
    fl_secagg_sums want = { 7, 2, 1, { 11, 22, 33 } };
    assert_memory_equal(&sum, &want, sizeof want);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_set_has_a_bit_for_each_member_up_to_the_last),
        cmocka_unit_test(thresholds_follow_from_the_size_of_a_block),
        cmocka_unit_test(a_plan_holds_when_its_sums_fit),
        cmocka_unit_test(the_hash_of_a_task_is_of_its_signed_part_alone),
        cmocka_unit_test(certificates_of_a_roster_are_checked),
        cmocka_unit_test(the_parent_is_refused_as_a_participant),
        cmocka_unit_test(keys_of_a_roster_are_sound_signed_and_ones_own),
        cmocka_unit_test(keys_of_another_round_hop_or_parent_do_not_hold),
        cmocka_unit_test(every_path_of_the_tree_leads_to_its_root_and_no_other_leaf_does),
        cmocka_unit_test(header_sums_come_back_when_their_masks_cancel),
    };
    return cmocka_run_group_tests_name("core/masking", tests, s_setup, s_teardown);
}
