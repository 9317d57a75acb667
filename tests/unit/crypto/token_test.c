#include "common/crypto/token.h"

#include "tests/support/unit.h"

#include "tests/support/identity.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static fl_token made;
static fl_seeded source;
static fl_entropy entropy;

static int
s_set_up(void **state)
{
    if (identity_setup(state) != 0) {
        return -1;
    }
    source = fl_seeded_of(4);
    entropy = fl_entropy_seeded(&source);
    return 0;
}

static int
s_make(void **state)
{
    (void)state;
    made = identity_token(identity_ours);
    return 0;
}

static fl_trust
s_verify_as(const fl_token *token, uint64_t now, fl_role role, const char *name)
{
    uint8_t bytes[FL_TOKEN_BYTES_MAX];
    fl_token proved;
    fl_name node = identity_node(name);
    size_t size = fl_token_encode(token, bytes);
    return fl_token_verify(identity_ours, fl_bytes_of(bytes, size), now, role, &node, &proved);
}

static fl_trust
s_verify(const fl_token *token)
{
    return s_verify_as(token, IDENTITY_NOW, FL_ROLE_DEVICE, "dev-1");
}

static void
s_assert_equal(const fl_token *a, const fl_token *b)
{
    assert_true(a->role == b->role && a->exact == b->exact && a->count == b->count);
    assert_memory_equal(a->name, b->name, sizeof a->name);
    assert_true(a->not_after == b->not_after);
    assert_memory_equal(a->id, b->id, sizeof a->id);
    assert_true(fl_authority_public_equal(&a->authority, &b->authority));
    assert_memory_equal(a->parent, b->parent, sizeof a->parent);
    assert_string_equal(a->endpoint, b->endpoint);
    assert_memory_equal(a->mac, b->mac, sizeof a->mac);
}

// ---- the line of text -------------------------------------------------------------------------
static void
a_token_is_one_url_safe_line_that_comes_back_whole(void **state)
{
    (void)state;
    char text[FL_TOKEN_TEXT_BYTES];
    fl_token back;
    fl_token_text(&made, text);
    assert_int_equal(strlen(text), strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuv"
                                                "wxyz0123456789-_"));
    assert_int_equal(fl_token_parse(text, &back), FL_TRUST_OK);
    s_assert_equal(&made, &back);
    assert_true(fl_authority_public_equal(&back.authority, fl_authority_public_of(identity_ours)));
    assert_int_equal(s_verify(&back), FL_TRUST_OK);
}

static void
white_space_from_a_file_or_a_mail_does_no_harm(void **state)
{
    (void)state;
    char text[FL_TOKEN_TEXT_BYTES], wrapped[FL_TOKEN_TEXT_BYTES + 8];
    fl_token back;
    fl_token_text(&made, text);
    (void)snprintf(wrapped, sizeof wrapped, "  %.40s\r\n%s\n", text, text + 40);
    assert_int_equal(fl_token_parse(wrapped, &back), FL_TRUST_OK);
    s_assert_equal(&made, &back);
}

static void
the_longest_endpoint_fits(void **state)
{
    (void)state;
    char text[FL_TOKEN_TEXT_BYTES];
    fl_token token = identity_terms(), back;
    memset(token.endpoint, 'h', FL_ENDPOINT_LENGTH_MAX);
    memcpy(token.endpoint, "tcp://", 6);
    memcpy(token.endpoint + FL_ENDPOINT_LENGTH_MAX - 6, ":65535", 7);
    assert_int_equal(fl_token_make(identity_ours, IDENTITY_NOW, &entropy, &token, NULL), FL_OK);
    fl_token_text(&token, text);
    assert_int_equal(fl_token_parse(text, &back), FL_TRUST_OK);
    s_assert_equal(&token, &back);
    assert_int_equal(s_verify(&back), FL_TRUST_OK);
}

static void
a_text_that_was_not_copied_whole_is_malformed(void **state)
{
    (void)state;
    static const fl_token zero;
    char text[FL_TOKEN_TEXT_BYTES];
    fl_token back;
    fl_token_text(&made, text);
    size_t length = strlen(text);
    for (size_t cut = 0; cut < length; cut++) {
        char *exact = malloc(cut + 1);
        assert_non_null(exact);
        memcpy(exact, text, cut);
        exact[cut] = '\0';
        assert_int_equal(fl_token_parse(exact, &back), FL_TRUST_MALFORMED);
        assert_memory_equal(&back, &zero, sizeof zero);
        free(exact);
    }
    for (size_t i = 0; i < length; i++) {
        char was = text[i];
        text[i] = was == 'A' ? 'B' : 'A';
        assert_int_equal(fl_token_parse(text, &back), FL_TRUST_MALFORMED);
        text[i] = '!';
        assert_int_equal(fl_token_parse(text, &back), FL_TRUST_MALFORMED);
        text[i] = was;
    }
}

static void
a_text_that_is_too_long_is_malformed(void **state)
{
    (void)state;
    char text[2 * FL_TOKEN_TEXT_BYTES];
    fl_token back;
    memset(text, 'A', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    assert_int_equal(fl_token_parse(text, &back), FL_TRUST_MALFORMED);
    fl_token_text(&made, text);
    memcpy(text + strlen(text), "AAAA", 5);
    assert_int_equal(fl_token_parse(text, &back), FL_TRUST_MALFORMED);
}

// ---- what a token allows ----------------------------------------------------------------------
static void
a_token_is_good_to_its_last_second(void **state)
{
    (void)state;
    assert_int_equal(s_verify_as(&made, made.not_after, FL_ROLE_DEVICE, "dev-1"), FL_TRUST_OK);
    assert_int_equal(s_verify_as(&made, made.not_after + 1, FL_ROLE_DEVICE, "dev-1"),
                     FL_TRUST_EXPIRED);
    assert_int_equal(s_verify_as(&made, 0, FL_ROLE_DEVICE, "dev-1"), FL_TRUST_OK);
}

static void
a_token_is_good_for_its_role_alone(void **state)
{
    (void)state;
    const fl_role wrong[] = { FL_ROLE_NONE, FL_ROLE_EDGE, FL_ROLE_ROOT, FL_ROLE_OPERATOR };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(s_verify_as(&made, IDENTITY_NOW, wrong[i], "dev-1"), FL_TRUST_ROLE);
    }
}

static void
a_prefix_allows_the_names_that_begin_with_it(void **state)
{
    (void)state;
    assert_int_equal(s_verify_as(&made, IDENTITY_NOW, FL_ROLE_DEVICE, "dev-a.very.long"),
                     FL_TRUST_OK);
    assert_int_equal(s_verify_as(&made, IDENTITY_NOW, FL_ROLE_DEVICE, "dev"), FL_TRUST_NAME);
    assert_int_equal(s_verify_as(&made, IDENTITY_NOW, FL_ROLE_DEVICE, "xdev-1"), FL_TRUST_NAME);
    fl_token token = identity_terms();
    memset(token.name, 0, sizeof token.name);
    assert_int_equal(fl_token_make(identity_ours, IDENTITY_NOW, &entropy, &token, NULL), FL_OK);
    assert_int_equal(s_verify_as(&token, IDENTITY_NOW, FL_ROLE_DEVICE, "x"), FL_TRUST_OK);
}

static void
an_exact_name_allows_no_other(void **state)
{
    (void)state;
    fl_token token = identity_terms();
    token.exact = true;
    assert_int_equal(fl_token_make(identity_ours, IDENTITY_NOW, &entropy, &token, NULL), FL_OK);
    assert_int_equal(s_verify_as(&token, IDENTITY_NOW, FL_ROLE_DEVICE, "dev-"), FL_TRUST_OK);
    assert_int_equal(s_verify_as(&token, IDENTITY_NOW, FL_ROLE_DEVICE, "dev-1"), FL_TRUST_NAME);
}

static void
what_was_verified_is_handed_out(void **state)
{
    (void)state;
    uint8_t bytes[FL_TOKEN_BYTES_MAX];
    fl_token proved;
    fl_name node = identity_node("dev-1");
    size_t size = fl_token_encode(&made, bytes);
    assert_int_equal(fl_token_verify(identity_ours, fl_bytes_of(bytes, size), IDENTITY_NOW,
                                     FL_ROLE_DEVICE, &node, &proved),
                     FL_TRUST_OK);
    s_assert_equal(&made, &proved);
}

static void
every_token_has_an_id_of_its_own(void **state)
{
    (void)state;
    fl_token one = identity_terms(), two = identity_terms();
    assert_int_equal(fl_token_make(identity_ours, IDENTITY_NOW, &entropy, &one, NULL), FL_OK);
    assert_int_equal(fl_token_make(identity_ours, IDENTITY_NOW, &entropy, &two, NULL), FL_OK);
    assert_memory_not_equal(one.id, two.id, sizeof one.id);
    assert_memory_not_equal(one.mac, two.mac, sizeof one.mac);
}

// ---- forgery ----------------------------------------------------------------------------------
static void
every_field_tampered_breaks_the_mac(void **state)
{
    (void)state;
    fl_token forged[11];
    for (size_t i = 0; i < 11; i++) {
        forged[i] = made;
    }
    forged[0].role = FL_ROLE_EDGE;
    forged[1].exact = true;
    forged[2].name[0] = 'x';
    forged[3].count = 1000;
    forged[4].not_after += 1;
    forged[5].id[0] ^= 1;
    forged[6].authority.ed[0] ^= 1;
    forged[7].authority.seal[0] ^= 1;
    forged[8].authority.order[0] ^= 1;
    forged[9].parent[0] ^= 1;
    memcpy(forged[10].endpoint, "tcp://edge-b", 12);
    assert_int_equal(s_verify(&made), FL_TRUST_OK);
    for (size_t i = 0; i < 11; i++) {
        if (s_verify(&forged[i]) != FL_TRUST_TOKEN) {
            fail_msg("forgery %zu: %s", i, fl_trust_name(s_verify(&forged[i])));
        }
    }
}

static void
every_flipped_bit_of_its_bytes_is_refused(void **state)
{
    (void)state;
    static const fl_token zero;
    uint8_t bytes[FL_TOKEN_BYTES_MAX];
    fl_token proved;
    fl_name node = identity_node("dev-1");
    size_t size = fl_token_encode(&made, bytes);
    for (size_t bit = 0; bit < 8 * size; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        fl_trust trust = fl_token_verify(identity_ours, fl_bytes_of(bytes, size), IDENTITY_NOW,
                                         FL_ROLE_DEVICE, &node, &proved);
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_true(trust == FL_TRUST_TOKEN || trust == FL_TRUST_MALFORMED ||
                    trust == FL_TRUST_VERSION);
        assert_memory_equal(&proved, &zero, sizeof zero);
    }
}

static void
a_token_of_another_authority_is_refused(void **state)
{
    (void)state;
    fl_token token = identity_token(identity_theirs);
    assert_int_equal(s_verify(&token), FL_TRUST_TOKEN);
}

static void
bytes_of_every_other_length_are_malformed(void **state)
{
    (void)state;
    uint8_t bytes[FL_TOKEN_BYTES_MAX + 1] = { 0 };
    fl_token proved;
    fl_name node = identity_node("dev-1");
    size_t right = fl_token_encode(&made, bytes);
    for (size_t size = 0; size <= right + 1; size++) {
        uint8_t *exact = malloc(size > 0 ? size : 1);
        assert_non_null(exact);
        memcpy(exact, bytes, size);
        assert_int_equal(fl_token_verify(identity_ours, fl_bytes_of(exact, size), IDENTITY_NOW,
                                         FL_ROLE_DEVICE, &node, &proved),
                         size == right ? FL_TRUST_OK : FL_TRUST_MALFORMED);
        free(exact);
    }
}

//  Even with a good checksum and, at the authority, a good MAC.
static void
a_token_that_makes_no_sense_is_malformed(void **state)
{
    (void)state;
    fl_token senseless[6], back;
    for (size_t i = 0; i < 6; i++) {
        senseless[i] = made;
    }
    senseless[0].role = FL_ROLE_ROOT;
    senseless[1].name[1] = '_';
    senseless[2].count = 0;
    memcpy(senseless[3].endpoint, "udp://", 6);
    senseless[4].exact = true;
    memset(senseless[4].name, 0, sizeof senseless[4].name);
    senseless[5].name[15] = 'x';
    for (size_t i = 0; i < 6; i++) {
        char text[FL_TOKEN_TEXT_BYTES];
        fl_token_text(&senseless[i], text);
        assert_int_equal(fl_token_parse(text, &back), FL_TRUST_MALFORMED);
        assert_int_equal(s_verify(&senseless[i]), FL_TRUST_MALFORMED);
    }
}

// ---- making one -------------------------------------------------------------------------------
static void
s_assert_not_made(const fl_token *wanted, const char *field)
{
    fl_token token = *wanted;
    fl_why why = { .text = "" };
    assert_int_equal(fl_token_make(identity_ours, IDENTITY_NOW, &entropy, &token, &why), FL_RANGE);
    if (strstr(why.text, field) == NULL) {
        fail_msg("\"%s\" does not name %s", why.text, field);
    }
}

static void
an_operator_s_mistake_is_refused_and_named(void **state)
{
    (void)state;
    fl_token token = identity_terms();
    token.role = FL_ROLE_ROOT;
    s_assert_not_made(&token, "role");
    token = identity_terms();
    token.name[0] = 'D';
    s_assert_not_made(&token, "name");
    token = identity_terms();
    token.exact = true;
    memset(token.name, 0, sizeof token.name);
    s_assert_not_made(&token, "name");
    token = identity_terms();
    token.count = 0;
    s_assert_not_made(&token, "count");
    token = identity_terms();
    token.not_after = IDENTITY_NOW;
    s_assert_not_made(&token, "end");
    token.not_after = IDENTITY_NOW + FL_TOKEN_LIFE_MAX_S + 1;
    s_assert_not_made(&token, "end");
    token.not_after = IDENTITY_NOW + FL_TOKEN_LIFE_MAX_S;
    assert_int_equal(fl_token_make(identity_ours, IDENTITY_NOW, &entropy, &token, NULL), FL_OK);
}

static void
an_endpoint_is_a_tcp_host_and_port(void **state)
{
    (void)state;
    fl_token listener = identity_terms();
    (void)snprintf(listener.endpoint, sizeof listener.endpoint, "tcp://*:1");
    s_assert_not_made(&listener, "endpoint");
    fl_token token = identity_terms();
    memset(token.endpoint, 'h', sizeof token.endpoint); // no end
    s_assert_not_made(&token, "endpoint");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_token_is_one_url_safe_line_that_comes_back_whole, s_make),
        cmocka_unit_test_setup(white_space_from_a_file_or_a_mail_does_no_harm, s_make),
        cmocka_unit_test_setup(the_longest_endpoint_fits, s_make),
        cmocka_unit_test_setup(a_text_that_was_not_copied_whole_is_malformed, s_make),
        cmocka_unit_test_setup(a_text_that_is_too_long_is_malformed, s_make),
        cmocka_unit_test_setup(a_token_is_good_to_its_last_second, s_make),
        cmocka_unit_test_setup(a_token_is_good_for_its_role_alone, s_make),
        cmocka_unit_test_setup(a_prefix_allows_the_names_that_begin_with_it, s_make),
        cmocka_unit_test_setup(an_exact_name_allows_no_other, s_make),
        cmocka_unit_test_setup(what_was_verified_is_handed_out, s_make),
        cmocka_unit_test_setup(every_token_has_an_id_of_its_own, s_make),
        cmocka_unit_test_setup(every_field_tampered_breaks_the_mac, s_make),
        cmocka_unit_test_setup(every_flipped_bit_of_its_bytes_is_refused, s_make),
        cmocka_unit_test_setup(a_token_of_another_authority_is_refused, s_make),
        cmocka_unit_test_setup(bytes_of_every_other_length_are_malformed, s_make),
        cmocka_unit_test_setup(a_token_that_makes_no_sense_is_malformed, s_make),
        cmocka_unit_test_setup(an_operator_s_mistake_is_refused_and_named, s_make),
        cmocka_unit_test_setup(an_endpoint_is_a_tcp_host_and_port, s_make),
    };
    return cmocka_run_group_tests(tests, s_set_up, identity_teardown);
}
