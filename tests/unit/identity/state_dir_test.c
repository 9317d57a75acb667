#include "common/identity/state_dir.h"

#include "tests/support/unit.h"

#include "common/store/file.h"
#include "tests/support/identity.h"
#include "tests/support/place.h"

static fl_seeded source;
static fl_entropy entropy;
static fl_why why;

static int
start(void **state)
{
    source = fl_seeded_of(11);
    entropy = fl_entropy_seeded(&source);
    why = (fl_why){ "" };
    return place_make(state);
}

static mode_t
mode_of(const char *name)
{
    struct stat about;
    assert_int_equal(lstat(place_of(name), &about), 0);
    return about.st_mode & 0777;
}

static bool
is_there(const char *name)
{
    struct stat about;
    return lstat(place_of(name), &about) == 0;
}

#define assert_said(words) assert_non_null(strstr(why.text, words))

static void
a_path_is_the_directory_and_the_name_or_a_refusal(void **state)
{
    (void)state;
    char path[FL_STATE_PATH_MAX], deep[FL_STATE_PATH_MAX + 1];
    assert_int_equal(fl_state_dir_path("/var/lib/fl", "node.key", path, &why), FL_OK);
    assert_string_equal(path, "/var/lib/fl/node.key");
    assert_int_equal(fl_state_dir_path("", "node.key", path, &why), FL_RANGE);
    memset(deep, 'd', sizeof deep);
    deep[sizeof deep - 1] = '\0';
    assert_int_equal(fl_state_dir_path(deep, "node.key", path, &why), FL_RANGE);
    assert_said("no usable path");
}

//  107 characters fit a socket's name, with "/operator.sock" at its end.
static void
a_directory_too_long_for_the_socket_in_it_is_refused_before_it_is_made(void **state)
{
    (void)state;
    char name[108];
    memset(name, 'd', sizeof name);
    name[94 - strlen(place) - 1] = '\0';
    assert_int_equal(fl_state_dir_open(place_of(name), &why), FL_RANGE);
    assert_said("94 characters, at most 93");
    assert_false(is_there(name));
    name[93 - strlen(place) - 1] = '\0';
    assert_int_equal(fl_state_dir_open(place_of(name), &why), FL_OK);
}

static void
opening_makes_a_private_directory_and_refuses_one_that_others_may_read(void **state)
{
    (void)state;
    const char *directory = place_of("state");
    assert_int_equal(fl_state_dir_open(directory, &why), FL_OK);
    assert_int_equal(mode_of("state"), 0700);
    assert_int_equal(fl_state_dir_open(directory, &why), FL_OK);
    assert_int_equal(chmod(directory, 0750), 0);
    assert_int_equal(fl_state_dir_open(directory, &why), FL_DENIED);
    assert_said("chmod 700");
    assert_int_equal(fl_state_dir_open("", &why), FL_RANGE);
    place_write("file", "x", 1);
    assert_int_not_equal(fl_state_dir_open(place_of("file"), &why), FL_OK);
}

static void
somebody_elses_directory_is_refused_by_its_owner(void **state)
{
    (void)state;
    if (geteuid() != 0) {
        skip();
    }
    const char *directory = place_of("state");
    assert_int_equal(fl_state_dir_open(directory, &why), FL_OK);
    assert_int_equal(chown(directory, 12345, 12345), 0);
    assert_int_equal(fl_state_dir_open(directory, &why), FL_DENIED);
    assert_said("belongs to user 12345");
}

static void
keys_are_made_once_kept_secret_and_come_back(void **state)
{
    (void)state;
    fl_keys *keys = NULL, *back = NULL;
    assert_int_equal(fl_state_dir_keys_load(place, &back, &why), FL_MISSING);
    assert_null(back);
    assert_said("node.key");
    assert_int_equal(fl_state_dir_keys_make(place, &entropy, &keys, &why), FL_OK);
    assert_int_equal(mode_of("node.key"), 0600);
    assert_int_equal(fl_state_dir_keys_load(place, &back, &why), FL_OK);
    assert_true(fl_public_keys_equal(fl_keys_public(keys), fl_keys_public(back)));
    fl_keys_destroy(&back);
    assert_int_equal(fl_state_dir_keys_make(place, &entropy, &back, &why), FL_EXISTS);
    assert_null(back);
    assert_said("not overwritten");
    fl_keys_destroy(&keys);
}

static void
keys_that_others_may_read_or_that_are_damaged_are_refused(void **state)
{
    (void)state;
    fl_keys *keys = NULL;
    assert_int_equal(fl_state_dir_keys_make(place, &entropy, &keys, &why), FL_OK);
    fl_keys_destroy(&keys);
    assert_int_equal(chmod(place_of("node.key"), 0640), 0);
    assert_int_equal(fl_state_dir_keys_load(place, &keys, &why), FL_DENIED);
    assert_said("chmod 600");
    place_write("node.key", "short", 5);
    assert_int_equal(chmod(place_of("node.key"), 0600), 0);
    assert_int_equal(fl_state_dir_keys_load(place, &keys, &why), FL_MALFORMED);
    assert_null(keys);
    assert_said("node.key: ");
}

static void
a_certificate_is_kept_as_it_is_and_its_size_is_checked(void **state)
{
    (void)state;
    uint8_t bytes[FL_CERT_BYTES], back[FL_CERT_BYTES];
    memset(bytes, 7, sizeof bytes);
    assert_int_equal(fl_state_dir_cert_load(place, back, &why), FL_MISSING);
    assert_int_equal(fl_state_dir_cert_save(place, bytes, false, &why), FL_OK);
    assert_int_equal(fl_state_dir_cert_load(place, back, &why), FL_OK);
    assert_memory_equal(bytes, back, sizeof bytes);
    place_write("node.cert", bytes, sizeof bytes - 1);
    assert_int_equal(fl_state_dir_cert_load(place, back, &why), FL_MALFORMED);
    assert_said("enrol again");
}

static void
new_keys_and_their_certificate_change_places_together(void **state)
{
    (void)state;
    uint8_t old_cert[FL_CERT_BYTES], new_cert[FL_CERT_BYTES], back[FL_CERT_BYTES];
    fl_keys *old = NULL, *next = NULL, *again = NULL, *now = NULL;
    memset(old_cert, 1, sizeof old_cert);
    memset(new_cert, 2, sizeof new_cert);
    assert_int_equal(fl_state_dir_keys_make(place, &entropy, &old, &why), FL_OK);
    assert_int_equal(fl_state_dir_cert_save(place, old_cert, false, &why), FL_OK);
    assert_int_equal(fl_state_dir_keys_next(place, &entropy, &next, &why), FL_OK);
    assert_int_equal(mode_of("node.key.next"), 0600);
    assert_int_equal(fl_state_dir_keys_next(place, &entropy, &again, &why), FL_OK);
    assert_true(fl_public_keys_equal(fl_keys_public(next), fl_keys_public(again)));
    assert_int_equal(fl_state_dir_keys_load(place, &now, &why), FL_OK);
    assert_true(fl_public_keys_equal(fl_keys_public(old), fl_keys_public(now)));
    fl_keys_destroy(&now);
    assert_int_equal(fl_state_dir_cert_save(place, new_cert, true, &why), FL_OK);
    assert_int_equal(fl_state_dir_keys_load(place, &now, &why), FL_OK);
    assert_true(fl_public_keys_equal(fl_keys_public(next), fl_keys_public(now)));
    assert_int_equal(fl_state_dir_cert_load(place, back, &why), FL_OK);
    assert_memory_equal(new_cert, back, sizeof back);
    assert_false(is_there("node.key.next") || is_there("node.cert.next"));
    fl_keys_destroy(&old);
    fl_keys_destroy(&next);
    fl_keys_destroy(&again);
    fl_keys_destroy(&now);
}

//  What a crash leaves before the first rename, and between the two.
static void
opening_finishes_an_exchange_that_was_cut_short(void **state)
{
    (void)state;
    for (int step = 0; step < 2; step++) {
        uint8_t cert[FL_CERT_BYTES], back[FL_CERT_BYTES];
        fl_keys *next = NULL, *now = NULL;
        memset(cert, 3 + step, sizeof cert);
        assert_int_equal(fl_state_dir_keys_next(place, &entropy, &next, &why), FL_OK);
        place_write("node.cert.next", cert, sizeof cert);
        if (step == 1) {
            assert_int_equal(rename(place_of("node.key.next"), place_of("node.key")), 0);
        }
        assert_int_equal(fl_state_dir_open(place, &why), FL_OK);
        assert_int_equal(fl_state_dir_keys_load(place, &now, &why), FL_OK);
        assert_true(fl_public_keys_equal(fl_keys_public(next), fl_keys_public(now)));
        assert_int_equal(fl_state_dir_cert_load(place, back, &why), FL_OK);
        assert_memory_equal(cert, back, sizeof back);
        assert_false(is_there("node.key.next") || is_there("node.cert.next"));
        fl_keys_destroy(&next);
        fl_keys_destroy(&now);
    }
}

//  Keys without a certificate yet are a wish, not a fact.
static void
opening_leaves_next_keys_alone_that_have_no_certificate(void **state)
{
    (void)state;
    fl_keys *next = NULL;
    assert_int_equal(fl_state_dir_keys_next(place, &entropy, &next, &why), FL_OK);
    assert_int_equal(fl_state_dir_open(place, &why), FL_OK);
    assert_true(is_there("node.key.next"));
    assert_false(is_there("node.key"));
    fl_keys_destroy(&next);
}

static void
the_authoritys_public_keys_come_back(void **state)
{
    (void)state;
    fl_authority *authority = identity_authority(5);
    fl_authority_public back;
    assert_int_equal(fl_state_dir_authority_load(place, &back, &why), FL_MISSING);
    assert_int_equal(fl_state_dir_authority_save(place, fl_authority_public_of(authority), &why),
                     FL_OK);
    assert_int_equal(mode_of("authority.pub"), 0644);
    assert_int_equal(fl_state_dir_authority_load(place, &back, &why), FL_OK);
    assert_true(fl_authority_public_equal(&back, fl_authority_public_of(authority)));
    place_write("authority.pub", "junk", 4);
    assert_int_equal(fl_state_dir_authority_load(place, &back, &why), FL_MALFORMED);
    assert_said("authority.pub: ");
    fl_authority_destroy(&authority);
}

static void
the_parent_is_two_lines_of_text_or_three(void **state)
{
    (void)state;
    fl_state_dir_parent parent = { .endpoint = "tcp://edge-a.example:7001" }, back;
    memset(parent.key, 0xab, sizeof parent.key);
    assert_int_equal(fl_state_dir_parent_load(place, &back, &why), FL_MISSING);
    assert_int_equal(fl_state_dir_parent_save(place, &parent, &why), FL_OK);
    assert_int_equal(fl_state_dir_parent_load(place, &back, &why), FL_OK);
    assert_string_equal(back.endpoint, parent.endpoint);
    assert_memory_equal(back.key, parent.key, sizeof parent.key);
    assert_false(fl_state_dir_parent_two(&back));
    memset(parent.next, 0xcd, sizeof parent.next);
    for (int named = 0; named < 2; named++) {
        assert_true(named == 0 || fl_name_parse("edge-a", &parent.node));
        assert_int_equal(fl_state_dir_parent_save(place, &parent, &why), FL_OK);
        assert_int_equal(fl_state_dir_parent_load(place, &back, &why), FL_OK);
        assert_memory_equal(back.next, parent.next, sizeof parent.next);
        assert_true(fl_name_equal(&back.node, &parent.node));
    }
    static const char *const bad[] = {
        "",
        "tcp://a:1",
        "tcp://a:1\n",
        "tcp://a:1\nabcd\n",
        "tcp://a:1\nabababababababababababababababababababababababababababababababab\nabcd\n",
        "ipc://x\nabababababababababababababababababababababababababababababababab\n",
    };
    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
        place_write("parent", bad[i], strlen(bad[i]));
        assert_int_equal(fl_state_dir_parent_load(place, &back, &why), FL_MALFORMED);
        assert_string_equal(back.endpoint, "");
        assert_said("line 1 is tcp://HOST:PORT");
    }
}

enum { MARK_MAX = FL_MARK_BYTES + 256 }; // with what the file adds

static void
a_mark_comes_back_and_a_damaged_one_is_no_fresh_start(void **state)
{
    (void)state;
    fl_secagg_mark mark = { .round = 12 }, back;
    uint8_t bytes[FL_MARK_BYTES];
    const fl_name node = { "dev-1" }, other = { "dev-2" };
    assert_int_equal(fl_state_dir_mark_load(place, &node, &back, &why), FL_MISSING);
    assert_said("masking.mark is missing");
    assert_said("enrol this node anew, in another directory");
    assert_int_equal(fl_state_dir_mark_make(place, &node, &why), FL_OK);
    assert_int_equal(fl_state_dir_mark_load(place, &node, &back, &why), FL_OK);
    assert_int_equal(back.round, 0);
    fl_secagg_mark_mask(&mark, &(fl_secagg_drawn){ .tensors = { { 4 } } },
                        &(fl_transcript_round){ .round = 11 });
    for (uint64_t round = 12; round < 14; round++) {
        mark.round = round; // the second in place of the first
        fl_secagg_mark_encode(&mark, bytes);
        assert_int_equal(
            fl_state_dir_mark_save(place, &node, fl_bytes_of(bytes, sizeof bytes), &why), FL_OK);
        assert_int_equal(fl_state_dir_mark_load(place, &node, &back, &why), FL_OK);
        assert_memory_equal(&back, &mark, sizeof mark);
        assert_int_equal(mode_of("masking.mark"), 0600);
    }
    assert_int_equal(fl_state_dir_mark_make(place, &node, &why), FL_OK); // it stays
    assert_int_equal(fl_state_dir_mark_load(place, &other, &back, &why), FL_MALFORMED);
    assert_said("masking.mark is that of another node");
    assert_int_equal(back.round, 0);
    fl_blob *whole = NULL;
    assert_int_equal(fl_file_read(place_of("masking.mark"), MARK_MAX, &whole, &why), FL_OK);
    uint8_t *file = fl_blob_data(whole);
    size_t size = fl_blob_size(whole);
    for (size_t at = 0; at < size; at += at < 512 || at + 64 >= size ? 1 : 61) {
        file[at] ^= 0x10;
        place_write("masking.mark", file, size); // its mode stays
        assert_int_equal(fl_state_dir_mark_load(place, &node, &back, &why), FL_MALFORMED);
        assert_int_equal(back.round, 0);
        file[at] ^= 0x10;
    }
    assert_said("masking.mark is damaged");
    place_write("masking.mark", file, size - 1);
    assert_int_equal(fl_state_dir_mark_load(place, &node, &back, &why), FL_MALFORMED);
    uint8_t longer[MARK_MAX] = { 0 };
    memcpy(longer, file, size);
    place_write("masking.mark", longer, size + 1);
    assert_int_equal(fl_state_dir_mark_load(place, &node, &back, &why), FL_RANGE);
    place_write("masking.mark", file, size);
    fl_blob_unref(&whole);
    assert_int_equal(chmod(place_of("masking.mark"), 0644), 0);
    assert_int_equal(fl_state_dir_mark_load(place, &node, &back, &why), FL_DENIED);
}

static void
a_leased_shard_comes_back_and_a_damaged_one_is_said(void **state)
{
    (void)state;
    const fl_lease lease = { .shard = 3, .shards = 16 };
    static const char *const damaged[] = { "",          "3",        "3 of",    "16 of 16\n",
                                           "-1 of 4\n", "x of y\n", "0 of 0\n" };
    fl_lease found = lease;
    assert_int_equal(fl_state_dir_lease_load(place, &found, &why), FL_MISSING);
    assert_int_equal(found.shards, 0);
    assert_int_equal(fl_state_dir_lease_save(place, &lease, &why), FL_OK);
    assert_int_equal(fl_state_dir_lease_load(place, &found, &why), FL_OK);
    assert_true(found.shard == 3 && found.shards == 16);
    for (unsigned i = 0; i < sizeof damaged / sizeof *damaged; i++) {
        place_write("shard", damaged[i], strlen(damaged[i]));
        assert_int_equal(fl_state_dir_lease_load(place, &found, &why), FL_MALFORMED);
        assert_said("3 of 16");
        assert_int_equal(found.shards, 0);
    }
}

static void
an_authority_is_made_once_in_a_private_directory(void **state)
{
    (void)state;
    const char *directory = place_of("ca");
    fl_authority *made = NULL, *back = NULL;
    fl_authority_public known;
    assert_int_equal(fl_state_dir_secret_load(directory, &back, &why), FL_MISSING);
    assert_int_equal(fl_state_dir_secret_make(directory, &entropy, &made, &why), FL_OK);
    assert_int_equal(mode_of("ca"), 0700);
    assert_int_equal(mode_of("ca/authority.key"), 0600);
    assert_int_equal(fl_state_dir_secret_load(directory, &back, &why), FL_OK);
    assert_int_equal(fl_state_dir_authority_load(directory, &known, &why), FL_OK);
    assert_true(fl_authority_public_equal(&known, fl_authority_public_of(back)));
    assert_true(fl_authority_public_equal(&known, fl_authority_public_of(made)));
    fl_authority_destroy(&back);
    assert_int_equal(fl_state_dir_secret_make(directory, &entropy, &back, &why), FL_EXISTS);
    assert_null(back);
    assert_said("not overwritten");
    fl_authority_destroy(&made);
}

static void
an_authority_that_others_may_read_is_refused(void **state)
{
    (void)state;
    fl_authority *made = NULL;
    assert_int_equal(fl_state_dir_secret_make(place, &entropy, &made, &why), FL_OK);
    fl_authority_destroy(&made);
    assert_int_equal(chmod(place, 0755), 0);
    assert_int_equal(fl_state_dir_secret_load(place, &made, &why), FL_DENIED);
    assert_int_equal(chmod(place, 0700), 0);
    assert_int_equal(chmod(place_of("authority.key"), 0644), 0);
    assert_int_equal(fl_state_dir_secret_load(place, &made, &why), FL_DENIED);
    assert_null(made);
    assert_said("authority.key");
}

static void
the_directory_of_a_node_does_not_become_an_authority(void **state)
{
    (void)state;
    fl_authority *other = identity_authority(5), *made = NULL;
    assert_int_equal(fl_state_dir_authority_save(place, fl_authority_public_of(other), &why),
                     FL_OK);
    assert_int_equal(fl_state_dir_secret_make(place, &entropy, &made, &why), FL_EXISTS);
    assert_false(is_there("authority.key"));
    fl_authority_destroy(&other);
}

static void
a_full_or_read_only_disk_is_said_and_leaves_no_half_authority(void **state)
{
    (void)state;
    fl_authority *made = NULL;
    fl_keys *keys = NULL;
    if (!place_on_disk("size=64k,mode=700", true)) {
        skip();
    }
    assert_int_equal(fl_state_dir_secret_make(place, &entropy, &made, &why), FL_DENIED);
    assert_null(made);
    assert_said("read-only");
    assert_int_equal(fl_state_dir_keys_make(place, &entropy, &keys, &why), FL_DENIED);
    assert_null(keys);
    assert_int_equal(place_count_files(), 0);
}

#define with_place(name) cmocka_unit_test_setup_teardown(name, start, place_end)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        with_place(a_path_is_the_directory_and_the_name_or_a_refusal),
        with_place(a_directory_too_long_for_the_socket_in_it_is_refused_before_it_is_made),
        with_place(opening_makes_a_private_directory_and_refuses_one_that_others_may_read),
        with_place(somebody_elses_directory_is_refused_by_its_owner),
        with_place(keys_are_made_once_kept_secret_and_come_back),
        with_place(keys_that_others_may_read_or_that_are_damaged_are_refused),
        with_place(a_certificate_is_kept_as_it_is_and_its_size_is_checked),
        with_place(new_keys_and_their_certificate_change_places_together),
        with_place(opening_finishes_an_exchange_that_was_cut_short),
        with_place(opening_leaves_next_keys_alone_that_have_no_certificate),
        with_place(the_authoritys_public_keys_come_back),
        with_place(the_parent_is_two_lines_of_text_or_three),
        with_place(a_mark_comes_back_and_a_damaged_one_is_no_fresh_start),
        with_place(a_leased_shard_comes_back_and_a_damaged_one_is_said),
        with_place(an_authority_is_made_once_in_a_private_directory),
        with_place(an_authority_that_others_may_read_is_refused),
        with_place(the_directory_of_a_node_does_not_become_an_authority),
        with_place(a_full_or_read_only_disk_is_said_and_leaves_no_half_authority),
    };
    if (fl_crypto_init(NULL) != FL_OK) {
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
