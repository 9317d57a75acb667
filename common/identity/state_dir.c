#include "common/identity/state_dir.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/config/lock.h"
#include "common/crypto/hash.h"
#include "common/store/file.h"

#define KEYS_NEXT FL_STATE_KEYS ".next"
#define CERT_NEXT FL_STATE_CERT ".next"

static const char enrol_first[] = "enrol this node first (fl enrol)";
static const char found_first[] =
    "make an authority first (fl ca init), or name the directory that holds it";

static const char mark_magic[8] = "FLmark-3"; // no zero behind it
enum { PRIVATE_DIRECTORY = 0700, SECRET = 0600, PUBLIC = 0644, PARENT_FILE_MAX = 512,
       LEASE_FILE_MAX = 64 };
enum { MARK_CHECK_BYTES = 16 };
enum { MARK_FILE_BYTES = sizeof mark_magic + sizeof(fl_name) + FL_MARK_BYTES + MARK_CHECK_BYTES };

fl_status
fl_state_dir_path(const char *directory, const char *name, char path[FL_STATE_PATH_MAX],
                  fl_why *why)
{
    int length = snprintf(path, FL_STATE_PATH_MAX, "%s/%s", directory, name);
    if (directory[0] == '\0' || length >= FL_STATE_PATH_MAX) {
        return fl_fail(FL_RANGE, why,
                       "directory '%.80s' is no usable path: give one of 1 to %d characters",
                       directory, FL_STATE_PATH_MAX - 32);
    }
    return FL_OK;
}

static bool
s_there(const char *path)
{
    struct stat about;
    return lstat(path, &about) == 0;
}

//  `path`, of the directory or in it, is there, and for us only.
static fl_status
s_private(const char *directory, const char *path, fl_why *why)
{
    return s_there(path) ? fl_lock_private(directory, path, why)
                         : fl_file_why(errno, path, "opened", why);
}

static fl_status
s_rename(const char *directory, const char *from, const char *to, fl_why *why)
{
    char old_path[FL_STATE_PATH_MAX], new_path[FL_STATE_PATH_MAX];
    fl_status status = fl_state_dir_path(directory, from, old_path, why);
    FL_THEN(status, fl_state_dir_path(directory, to, new_path, why));
    if (status == FL_OK && s_there(old_path) && rename(old_path, new_path) != 0) {
        status = fl_file_why(errno, new_path, "replaced", why);
    }
    return status;
}

//  A certificate for the next keys is here: both move in. Keys first, so that as long as a
//  node.cert.next stands there is something left to do.
static fl_status
s_exchange(const char *directory, fl_why *why)
{
    fl_status status = s_rename(directory, KEYS_NEXT, FL_STATE_KEYS, why);
    return status == FL_OK ? s_rename(directory, CERT_NEXT, FL_STATE_CERT, why) : status;
}

//  A socket's path is shorter than a file's.
static fl_status
s_fits_socket(const char *directory, fl_why *why)
{
    const size_t length_max =
        sizeof((struct sockaddr_un *)NULL)->sun_path - 1 - strlen("/" FL_STATE_OPERATOR);
    if (strlen(directory) > length_max) {
        return fl_fail(FL_RANGE, why,
                       "state directory %s is too long for the operator's socket in it: %zu "
                       "characters, at most %zu; give a shorter path, or one relative to where "
                       "this starts",
                       directory, strlen(directory), length_max);
    }
    return FL_OK;
}

static fl_status
s_open(const char *directory, fl_why *why)
{
    char next[FL_STATE_PATH_MAX];
    fl_status status = fl_state_dir_path(directory, CERT_NEXT, next, why);
    FL_THEN(status, fl_directory_make(directory, PRIVATE_DIRECTORY, why));
    FL_THEN(status, s_private(directory, directory, why));
    if (status == FL_OK && s_there(next)) {
        status = s_exchange(directory, why);
    }
    return status;
}

fl_status
fl_state_dir_open(const char *directory, fl_why *why)
{
    FL_TRY(s_fits_socket(directory, why));
    return s_open(directory, why);
}

// ---- reading and writing one file -------------------------------------------------------------
//  What is not there has to be made: say how.
static fl_status
s_say_missing(fl_status status, const char *path, const char *remedy, fl_why *why)
{
    if (status == FL_MISSING) {
        fl_why_set(why, "%s is not there: %s", path, remedy);
    }
    return status;
}

//  `blob` is the caller's: the whole file, at most `size_max` bytes.
static fl_status
s_read(const char *directory, const char *name, size_t size_max, bool secret,
       char path[FL_STATE_PATH_MAX], fl_blob **blob, fl_why *why)
{
    *blob = NULL;
    fl_status status = fl_state_dir_path(directory, name, path, why);
    if (status == FL_OK && secret) {
        status = s_private(directory, path, why);
    }
    FL_THEN(status, fl_file_read(path, size_max, blob, why));
    bool founding = strcmp(name, FL_STATE_SECRET) == 0;
    return s_say_missing(status, path, founding ? found_first : enrol_first, why);
}

static fl_status
s_write(const char *directory, const char *name, fl_bytes bytes, unsigned mode, fl_why *why)
{
    char path[FL_STATE_PATH_MAX];
    fl_status status = fl_state_dir_path(directory, name, path, why);
    return status == FL_OK ? fl_file_write(path, bytes, mode, why) : status;
}

static void
s_forget(fl_blob **secret_p)
{
    if (*secret_p != NULL) {
        fl_wipe(fl_blob_data(*secret_p), fl_blob_size(*secret_p));
        fl_blob_unref(secret_p);
    }
}

//  Put the file in front of what the decoder said.
static fl_status
s_say_file(fl_status status, const char *path, const fl_why *said, fl_why *why)
{
    if (status != FL_OK) {
        fl_why_set(why, "%s: %.200s", path, said->text);
    }
    return status;
}

// ---- keys -------------------------------------------------------------------------------------
static fl_status
s_keys_load(const char *directory, const char *name, fl_keys **keys, fl_why *why)
{
    char path[FL_STATE_PATH_MAX];
    fl_blob *blob;
    fl_why said = { "" };
    *keys = NULL;
    fl_status status = s_read(directory, name, FL_KEYS_FILE_BYTES, true, path, &blob, why);
    FL_THEN(status, s_say_file(fl_keys_decode(fl_blob_bytes(blob), keys, &said), path, &said, why));
    s_forget(&blob);
    return status;
}

static fl_status
s_keys_make(const char *directory, const char *name, const fl_entropy *entropy, fl_keys **keys,
            fl_why *why)
{
    uint8_t bytes[FL_KEYS_FILE_BYTES];
    *keys = fl_keys_new(entropy);
    if (*keys == NULL) {
        return fl_fail(FL_NOMEM, why, "keys for %s cannot be made: out of memory", directory);
    }
    fl_keys_encode(*keys, bytes);
    fl_status status = s_write(directory, name, fl_bytes_of(bytes, sizeof bytes), SECRET, why);
    fl_wipe(bytes, sizeof bytes);
    if (status != FL_OK) {
        fl_keys_destroy(keys);
    }
    return status;
}

fl_status
fl_state_dir_keys_load(const char *directory, fl_keys **keys, fl_why *why)
{
    return s_keys_load(directory, FL_STATE_KEYS, keys, why);
}

fl_status
fl_state_dir_keys_make(const char *directory, const fl_entropy *entropy, fl_keys **keys,
                       fl_why *why)
{
    char path[FL_STATE_PATH_MAX];
    *keys = NULL;
    fl_status status = fl_state_dir_path(directory, FL_STATE_KEYS, path, why);
    if (status == FL_OK && s_there(path)) {
        status = fl_fail(FL_EXISTS, why, "%s is there already and is not overwritten", path);
    }
    return status == FL_OK ? s_keys_make(directory, FL_STATE_KEYS, entropy, keys, why) : status;
}

fl_status
fl_state_dir_keys_next(const char *directory, const fl_entropy *entropy, fl_keys **keys,
                       fl_why *why)
{
    fl_status status = s_keys_load(directory, KEYS_NEXT, keys, why);
    return status == FL_MISSING && entropy != NULL
               ? s_keys_make(directory, KEYS_NEXT, entropy, keys, why)
               : status;
}

// ---- certificate ------------------------------------------------------------------------------
fl_status
fl_state_dir_cert_load(const char *directory, uint8_t bytes[FL_CERT_BYTES], fl_why *why)
{
    char path[FL_STATE_PATH_MAX];
    fl_blob *blob;
    memset(bytes, 0, FL_CERT_BYTES);
    fl_status status = s_read(directory, FL_STATE_CERT, FL_CERT_BYTES_MAX, false, path, &blob, why);
    if (status == FL_OK && fl_blob_size(blob) != FL_CERT_BYTES) {
        status =
            fl_fail(FL_MALFORMED, why,
                    "%s is no certificate of this version: it has %zu bytes, not %d; remove it and "
                    "enrol again",
                    path, fl_blob_size(blob), FL_CERT_BYTES);
    } else if (status == FL_OK) {
        memcpy(bytes, fl_blob_bytes(blob).data, FL_CERT_BYTES);
    }
    fl_blob_unref(&blob);
    return status;
}

fl_status
fl_state_dir_cert_save(const char *directory, const uint8_t bytes[FL_CERT_BYTES], bool next,
                  fl_why *why)
{
    fl_status status = s_write(directory, next ? CERT_NEXT : FL_STATE_CERT,
                               fl_bytes_of(bytes, FL_CERT_BYTES), PUBLIC, why);
    return status == FL_OK && next ? s_exchange(directory, why) : status;
}

// ---- the authority as everybody knows it ------------------------------------------------------
fl_status
fl_state_dir_authority_load(const char *directory, fl_authority_public *authority, fl_why *why)
{
    char path[FL_STATE_PATH_MAX];
    fl_blob *blob;
    fl_why said = { "" };
    memset(authority, 0, sizeof *authority);
    fl_status status = s_read(directory, FL_STATE_AUTHORITY, FL_AUTHORITY_PUBLIC_FILE_BYTES, false,
                              path, &blob, why);
    FL_THEN(status, s_say_file(fl_authority_public_decode(fl_blob_bytes(blob), authority, &said),
                               path, &said, why));
    fl_blob_unref(&blob);
    return status;
}

fl_status
fl_state_dir_authority_save(const char *directory, const fl_authority_public *authority,
                            fl_why *why)
{
    uint8_t bytes[FL_AUTHORITY_PUBLIC_FILE_BYTES];
    fl_authority_public_encode(authority, bytes);
    return s_write(directory, FL_STATE_AUTHORITY, fl_bytes_of(bytes, sizeof bytes), PUBLIC, why);
}

// ---- the parent -------------------------------------------------------------------------------
//  Cuts the first line or word off `*rest`, which is then what follows it.
static char *
s_cut(char **rest, const char *at)
{
    char *part = *rest;
    *rest += strcspn(part, at);
    if (**rest != '\0') {
        *(*rest)++ = '\0';
    }
    return part;
}

//  Two lines, or three; `text` is the file, cut into them here.
static bool
s_parent_parse(char *text, fl_state_dir_parent *parent)
{
    fl_endpoint place;
    const char *endpoint = s_cut(&text, "\n"), *key = s_cut(&text, "\n");
    char *node = s_cut(&text, "\n"); // behind the next key
    const char *next = s_cut(&node, " ");
    if (!fl_endpoint_parse_remote(endpoint, &place) ||
        !fl_unhex(key, parent->key, FL_CURVE_BYTES) ||
        (next[0] != '\0' && !fl_unhex(next, parent->next, FL_CURVE_BYTES)) ||
        (node[0] != '\0' && !fl_name_parse(node, &parent->node))) {
        return false;
    }
    memcpy(parent->endpoint, endpoint, strlen(endpoint) + 1);
    return true;
}

fl_status
fl_state_dir_parent_load(const char *directory, fl_state_dir_parent *parent, fl_why *why)
{
    char path[FL_STATE_PATH_MAX], text[PARENT_FILE_MAX + 1];
    fl_blob *blob;
    memset(parent, 0, sizeof *parent);
    fl_status status = s_read(directory, FL_STATE_PARENT, PARENT_FILE_MAX, false, path, &blob, why);
    if (status == FL_OK) {
        fl_bytes bytes = fl_blob_bytes(blob);
        memcpy(text, bytes.data, bytes.size);
        text[bytes.size] = '\0';
        if (!s_parent_parse(text, parent)) {
            memset(parent, 0, sizeof *parent);
            status = fl_fail(FL_MALFORMED, why,
                             "%s is damaged: line 1 is tcp://HOST:PORT, line 2 is %d hex digits; "
                             "enrol again",
                             path, 2 * FL_CURVE_BYTES);
        }
    }
    fl_blob_unref(&blob);
    return status;
}

bool
fl_state_dir_parent_two(const fl_state_dir_parent *parent)
{
    static const uint8_t none[FL_CURVE_BYTES];
    return memcmp(parent->next, none, sizeof none) != 0;
}

fl_status
fl_state_dir_parent_save(const char *directory, const fl_state_dir_parent *parent, fl_why *why)
{
    char text[PARENT_FILE_MAX], key[2 * FL_CURVE_BYTES + 1], next[2 * FL_CURVE_BYTES + 1];
    const bool two = fl_state_dir_parent_two(parent);
    const bool named = two && parent->node.name[0] != '\0';
    fl_hex(parent->key, FL_CURVE_BYTES, key);
    fl_hex(parent->next, FL_CURVE_BYTES, next);
    int length =
        snprintf(text, sizeof text, "%s\n%s\n%s%s%s%s", parent->endpoint, key, two ? next : "",
                 named ? " " : "", named ? parent->node.name : "", two ? "\n" : "");
    FL_ASSERT(length > 0 && length < (int)sizeof text);
    return s_write(directory, FL_STATE_PARENT, fl_bytes_of(text, (size_t)length), PUBLIC, why);
}

// ---- the data shard ---------------------------------------------------------------------------
fl_status
fl_state_dir_lease_load(const char *directory, fl_lease *lease, fl_why *why)
{
    char path[FL_STATE_PATH_MAX], text[LEASE_FILE_MAX + 1];
    fl_blob *blob;
    *lease = (fl_lease){ 0 };
    fl_status status = s_read(directory, FL_STATE_LEASE, LEASE_FILE_MAX, false, path, &blob, why);
    if (status == FL_OK) {
        fl_bytes bytes = fl_blob_bytes(blob);
        unsigned shard, shards;
        memcpy(text, bytes.data, bytes.size);
        text[bytes.size] = '\0';
        if (sscanf(text, "%9u of %9u\n", &shard, &shards) == 2 && shard < shards) {
            *lease = (fl_lease){ .shard = shard, .shards = shards };
        } else {
            status = fl_fail(FL_MALFORMED, why,
                             "%s is damaged: it says '3 of 16' for shard 3 of 0 to 15; write it "
                             "anew, or use another state directory",
                             path);
        }
    }
    fl_blob_unref(&blob);
    return status;
}

fl_status
fl_state_dir_lease_save(const char *directory, const fl_lease *lease, fl_why *why)
{
    char text[LEASE_FILE_MAX];
    int length = snprintf(text, sizeof text, "%u of %u\n", lease->shard, lease->shards);
    FL_ASSERT(length > 0 && length < (int)sizeof text);
    return s_write(directory, FL_STATE_LEASE, fl_bytes_of(text, (size_t)length), PUBLIC, why);
}

// ---- the mark of masked rounds ----------------------------------------------------------------
//  magic, whose it is, mark, checksum: the checksum finds a damaged file, it does not authenticate
//  one.
static void
s_mark_file(const fl_name *node, fl_bytes mark, uint8_t file[MARK_FILE_BYTES])
{
    fl_writer out = fl_writer_over(file, MARK_FILE_BYTES);
    fl_write_from(&out, mark_magic, sizeof mark_magic);
    fl_write_from(&out, node->name, sizeof node->name);
    fl_write_from(&out, mark.data, mark.size);
    fl_hash check = fl_hash_domain("tributary/mark/v3", fl_bytes_of(file, fl_writer_size(&out)));
    fl_write_from(&out, check.bytes, MARK_CHECK_BYTES);
    FL_ASSERT(!out.broken && fl_writer_size(&out) == MARK_FILE_BYTES);
}

//  What is wrong with these bytes; NULL: they are that node's mark.
static const char *
s_mark_fault(fl_bytes file, const fl_name *node, fl_secagg_mark *mark)
{
    const size_t head = sizeof mark_magic + sizeof node->name;
    fl_name owner;
    uint8_t expected[MARK_FILE_BYTES];
    if (file.size > sizeof mark_magic &&
        memcmp(file.data, mark_magic, sizeof mark_magic - 1) == 0 &&
        file.data[sizeof mark_magic - 1] < mark_magic[sizeof mark_magic - 1]) {
        return "is of an older version, which did not say all of what was masked";
    }
    if (file.size != MARK_FILE_BYTES) {
        return "is damaged";
    }
    memcpy(owner.name, file.data + sizeof mark_magic, sizeof owner.name);
    fl_bytes body = fl_bytes_of(file.data + head, FL_MARK_BYTES);
    s_mark_file(&owner, body, expected);
    if (memcmp(expected, file.data, MARK_FILE_BYTES) != 0 || !fl_secagg_mark_decode(body, mark)) {
        return "is damaged";
    }
    if (!fl_name_equal(&owner, node)) {
        memset(mark, 0, sizeof *mark);
        return "is that of another node";
    }
    return NULL;
}

fl_status
fl_state_dir_mark_load(const char *directory, const fl_name *node, fl_secagg_mark *mark,
                       fl_why *why)
{
    char path[FL_STATE_PATH_MAX];
    fl_blob *blob;
    memset(mark, 0, sizeof *mark);
    fl_status status = s_read(directory, FL_STATE_MARK, MARK_FILE_BYTES, true, path, &blob, why);
    const char *fault = status == FL_MISSING ? "is missing"
                        : status == FL_OK    ? s_mark_fault(fl_blob_bytes(blob), node, mark)
                                             : NULL;
    if (fault != NULL) {
        status = fl_fail(status == FL_OK ? FL_MALFORMED : status, why,
                         "%s %s: it says which updates were masked, and none may be masked twice; "
                         "enrol this node anew, in another directory",
                         path, fault);
    }
    fl_blob_unref(&blob);
    return status;
}

fl_status
fl_state_dir_mark_save(const char *directory, const fl_name *node, fl_bytes bytes, fl_why *why)
{
    uint8_t file[MARK_FILE_BYTES];
    FL_ASSERT(bytes.size == FL_MARK_BYTES);
    s_mark_file(node, bytes, file);
    return s_write(directory, FL_STATE_MARK, fl_bytes_of(file, sizeof file), SECRET, why);
}

fl_status
fl_state_dir_mark_make(const char *directory, const fl_name *node, fl_why *why)
{
    static const fl_secagg_mark none;
    char path[FL_STATE_PATH_MAX];
    uint8_t bytes[FL_MARK_BYTES];
    FL_TRY(fl_state_dir_path(directory, FL_STATE_MARK, path, why));
    if (s_there(path)) {
        return FL_OK;
    }
    fl_secagg_mark_encode(&none, bytes);
    return fl_state_dir_mark_save(directory, node, fl_bytes_of(bytes, sizeof bytes), why);
}

// ---- the authority's secret -------------------------------------------------------------------
fl_status
fl_state_dir_secret_load(const char *directory, fl_authority **authority, fl_why *why)
{
    char path[FL_STATE_PATH_MAX];
    fl_blob *blob;
    fl_why said = { "" };
    *authority = NULL;
    fl_status status = s_private(directory, directory, why);
    if (status != FL_OK) {
        return s_say_missing(status, directory, found_first, why);
    }
    status = s_read(directory, FL_STATE_SECRET, FL_AUTHORITY_FILE_BYTES, true, path, &blob, why);
    FL_THEN(status, s_say_file(fl_authority_decode(fl_blob_bytes(blob), authority, &said), path,
                               &said, why));
    s_forget(&blob);
    return status;
}

static fl_status
s_secret_save(const char *directory, const fl_authority *authority, fl_why *why)
{
    uint8_t bytes[FL_AUTHORITY_FILE_BYTES];
    fl_authority_encode(authority, bytes);
    fl_status status = s_write(directory, FL_STATE_SECRET, fl_bytes_of(bytes, sizeof bytes), SECRET,
                               why);
    fl_wipe(bytes, sizeof bytes);
    return status;
}

//  Nothing of an authority stands in the directory, not even somebody else's public keys.
static fl_status
s_secret_free(const char *directory, fl_why *why)
{
    static const char *const names[] = { FL_STATE_SECRET, FL_STATE_AUTHORITY };
    char path[FL_STATE_PATH_MAX];
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
        fl_status status = fl_state_dir_path(directory, names[i], path, why);
        if (status == FL_OK && s_there(path)) {
            status = fl_fail(FL_EXISTS, why,
                             "%s is there already and is not overwritten: nodes depend on it; "
                             "choose another directory",
                             path);
        }
        if (status != FL_OK) {
            return status;
        }
    }
    return FL_OK;
}

fl_status
fl_state_dir_secret_make(const char *directory, const fl_entropy *entropy, fl_authority **authority,
                    fl_why *why)
{
    char path[FL_STATE_PATH_MAX];
    *authority = NULL;
    fl_status status = s_open(directory, why);
    FL_THEN(status, s_secret_free(directory, why));
    if (status != FL_OK) {
        return status;
    }
    fl_authority *made = fl_authority_new(entropy);
    if (made == NULL) {
        return fl_fail(FL_NOMEM, why, "an authority for %s cannot be made: out of memory",
                       directory);
    }
    status = s_secret_save(directory, made, why);
    if (status == FL_OK) {
        status = fl_state_dir_authority_save(directory, fl_authority_public_of(made), why);
        if (status != FL_OK && fl_state_dir_path(directory, FL_STATE_SECRET, path, NULL) == FL_OK) {
            (void)unlink(path);                     // half an authority would only be in the way
        }
    }
    if (status != FL_OK) {
        fl_authority_destroy(&made);
    }
    *authority = made;
    return status;
}
