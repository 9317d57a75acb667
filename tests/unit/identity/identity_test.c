//  Each question of the gate, asked of the identities of a root, an edge and a device that share an
//  authority. The gate itself is a stub: who holds a seat is the test's to say.
#include "common/identity/identity.h"

#include "common/crypto/ticket.h"
#include "tests/support/memory.h"
#include "tests/support/unit.h"

#include "tests/support/place.h"
#include "tests/support/settled.h"
#include "tests/support/stub_gate.h"

static fl_deny_list *denied; // as the authority holds it

static int
start(void **state)
{
    wall = IDENTITY_NOW;
    is_seated = false;
    if (place_make(state) != 0) {
        return -1;
    }
    authority = identity_authority(1);
    denied = fl_deny_list_new();
    settle("root", 10, FL_ROLE_ROOT, NULL);
    settle("edge-a", 20, FL_ROLE_EDGE, "root");
    settle("dev-a", 30, FL_ROLE_DEVICE, "edge-a");
    settle("dev-b", 31, FL_ROLE_DEVICE, "edge-a");
    return 0;
}

static int
end(void **state)
{
    fl_deny_list_destroy(&denied);
    fl_authority_destroy(&authority);
    return place_end(state);
}

//  What the authority does: the next list, signed and taken over.
static void
publish(fl_identity *to, const char *name, bool admit)
{
    const fl_name node = identity_node(name);
    assert_int_equal(admit ? fl_deny_list_remove(denied, &node, 0)
                           : fl_deny_list_add(denied, &node, 0), FL_OK);
    fl_blob *list = fl_deny_list_sign(denied, authority);
    assert_int_equal(fl_identity_deny_take(to, fl_blob_bytes(list)), FL_TRUST_OK);
    fl_blob_unref(&list);
}

typedef struct papers {
    uint8_t bytes[FL_CERT_BYTES];
    uint8_t key[FL_KEY_BYTES];
} papers;

static papers
papers_of(const char *name)
{
    papers of;
    assert_int_equal(fl_state_dir_cert_load(place_of(name), of.bytes, &why), FL_OK);
    memcpy(of.key, of.bytes + 50, sizeof of.key);
    return of;
}

static fl_reason
check(fl_identity *at, const papers *shown, const uint8_t key[FL_KEY_BYTES], fl_role claimed,
      fl_badge *badge)
{
    fl_admission_ops ops = fl_identity_ops(at);
    return ops.check(ops.self, fl_bytes_of(shown->bytes, sizeof shown->bytes), key, claimed, badge);
}

static fl_reason
standing(fl_identity *at, const papers *of, const fl_badge *badge)
{
    fl_admission_ops ops = fl_identity_ops(at);
    return ops.standing(ops.self, of->key, badge);
}

static fl_reason
incoming(fl_identity *at, fl_peer from, const fl_badge *badge, fl_message *message)
{
    fl_admission_ops ops = fl_identity_ops(at);
    return ops.incoming(ops.self, from, badge, message);
}

static fl_message
outgoing(fl_identity *at, fl_peer to, fl_message message)
{
    fl_admission_ops ops = fl_identity_ops(at);
    ops.outgoing(ops.self, to, &message);
    return message;
}

// ---- our own files ----------------------------------------------------------------------------
static void
an_identity_knows_itself_and_its_parent(void **state)
{
    (void)state;
    fl_identity *edge = open_as("edge-a", FL_ROLE_EDGE);
    papers own = papers_of("edge-a"), above = papers_of("root");
    assert_memory_equal(fl_identity_keypair(edge)->public_key, own.key, sizeof own.key);
    assert_string_equal(fl_identity_node(edge)->name, "edge-a");
    assert_memory_equal(fl_identity_parent(edge)->key, above.key, sizeof above.key);
    assert_string_equal(fl_identity_parent(edge)->endpoint, "tcp://127.0.0.1:7000");
    assert_int_equal(fl_identity_deny_version(edge), 0);
    assert_int_equal(fl_identity_deny_bytes(edge).size, 0);
    memory_needle secret = memory_mask(fl_identity_keypair(edge)->secret_key);
    assert_true(memory_holds(&secret));
    fl_identity_close(&edge);
    assert_false(memory_holds(&secret)); // it was nowhere but in what is wiped
    assert_null(edge);
    fl_identity_close(&edge);
}

static void
each_file_that_is_missing_is_named(void **state)
{
    (void)state;
    static const char *const names[] = { "node.key", "node.cert", "authority.pub", "parent" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        fl_identity *identity = NULL;
        char at[128], away[128];
        (void)snprintf(at, sizeof at, "%s/edge-a/%s", place, names[i]);
        (void)snprintf(away, sizeof away, "%s/away", place);
        assert_int_equal(rename(at, away), 0);
        assert_int_equal(s_open("edge-a", FL_ROLE_EDGE, true, &identity), FL_MISSING);
        assert_null(identity);
        assert_non_null(strstr(why.text, names[i]));
        assert_int_equal(rename(away, at), 0);
    }
}

static void
a_certificate_of_ours_that_does_not_hold_is_named(void **state)
{
    (void)state;
    fl_identity *identity = NULL;
    assert_int_equal(s_open("dev-a", FL_ROLE_EDGE, true, &identity), FL_DENIED);
    assert_non_null(strstr(why.text, "role"));
    papers other = papers_of("dev-b");
    assert_int_equal(fl_state_dir_cert_save(place_of("dev-a"), other.bytes, false, &why), FL_OK);
    assert_int_equal(s_open("dev-a", FL_ROLE_DEVICE, true, &identity), FL_DENIED);
    assert_non_null(strstr(why.text, "key"));
    assert_null(identity);
}

//  The clock is set later, or the certificate renewed, while the process runs.
static void
a_certificate_of_another_time_is_taken_and_the_clock_named(void **state)
{
    (void)state;
    wall = 65; // no battery
    fl_identity *device = open_as("dev-a", FL_ROLE_DEVICE);
    assert_int_equal(fl_cert_time(fl_identity_cert(device), wall), FL_TRUST_EARLY);
    fl_identity_clock_why(fl_identity_cert(device), wall, &why);
    assert_non_null(strstr(why.text, "this machine's clock says 1970-01-01 00:01 UTC"));
    papers above = papers_of("root");
    fl_message welcome = { .verb = FL_WELCOME };
    welcome.welcome.certificate = fl_bytes_of(above.bytes, sizeof above.bytes);
    assert_int_equal(incoming(device, FL_PARENT, NULL, &welcome), FL_WHY_CLOCK);
    fl_identity_close(&device);
    wall = IDENTITY_NOW + 2 * IDENTITY_WEEK_S;
    device = open_as("dev-a", FL_ROLE_DEVICE);
    assert_int_equal(fl_cert_time(fl_identity_cert(device), wall), FL_TRUST_EXPIRED);
    fl_identity_close(&device);
}

// ---- check ------------------------------------------------------------------------------------
static void
a_certificate_of_this_key_and_role_gets_a_badge(void **state)
{
    (void)state;
    fl_identity *edge = open_as("edge-a", FL_ROLE_EDGE);
    papers device = papers_of("dev-a");
    fl_badge badge;
    assert_int_equal(check(edge, &device, device.key, FL_ROLE_DEVICE, &badge), FL_WHY_NONE);
    assert_string_equal(badge.node.name, "dev-a");
    assert_int_equal(badge.role, FL_ROLE_DEVICE);
    assert_int_equal(badge.not_after, IDENTITY_NOW + IDENTITY_WEEK_S);
    fl_identity_close(&edge);
}

static void
what_is_wrong_with_a_certificate_has_its_name(void **state)
{
    (void)state;
    fl_identity *edge = open_as("edge-a", FL_ROLE_EDGE);
    papers device = papers_of("dev-a"), other = papers_of("dev-b"), root = papers_of("root");
    fl_badge badge;
    assert_int_equal(check(edge, &device, other.key, FL_ROLE_DEVICE, &badge), FL_WHY_CERTIFICATE);
    assert_int_equal(check(edge, &device, device.key, FL_ROLE_EDGE, &badge), FL_WHY_ROLE);
    assert_int_equal(check(edge, &root, root.key, FL_ROLE_DEVICE, &badge), FL_WHY_ROLE);
    papers changed = device;
    changed.bytes[20] ^= 1;
    assert_int_equal(check(edge, &changed, device.key, FL_ROLE_DEVICE, &badge),
                     FL_WHY_CERTIFICATE);
    fl_admission_ops ops = fl_identity_ops(edge);
    assert_int_equal(ops.check(ops.self, fl_bytes_of(NULL, 0), device.key, FL_ROLE_DEVICE, &badge),
                     FL_WHY_CERTIFICATE);
    wall = IDENTITY_NOW + IDENTITY_WEEK_S + 1;
    assert_int_equal(check(edge, &device, device.key, FL_ROLE_DEVICE, &badge), FL_WHY_EXPIRED);
    wall = IDENTITY_NOW - 3 * 24 * 3600;
    assert_int_equal(check(edge, &device, device.key, FL_ROLE_DEVICE, &badge), FL_WHY_CLOCK);
    fl_identity_close(&edge);
}

static void
each_lack_of_trust_has_a_reason(void **state)
{
    (void)state;
    assert_int_equal(fl_identity_reason(FL_TRUST_OK), FL_WHY_NONE);
    assert_int_equal(fl_identity_reason(FL_TRUST_ROLE), FL_WHY_ROLE);
    assert_int_equal(fl_identity_reason(FL_TRUST_REVOKED), FL_WHY_REVOKED);
    assert_int_equal(fl_identity_reason(FL_TRUST_TOKEN), FL_WHY_TOKEN);
    static const fl_trust rest[] = { FL_TRUST_MALFORMED, FL_TRUST_VERSION, FL_TRUST_SIGNATURE,
                                     FL_TRUST_KEY,       FL_TRUST_NAME,    FL_TRUST_OLD };
    for (size_t i = 0; i < sizeof rest / sizeof *rest; i++) {
        assert_int_equal(fl_identity_reason(rest[i]), FL_WHY_CERTIFICATE);
    }
}

// ---- standing and the deny list ---------------------------------------------------------------
static void
a_denied_node_loses_its_standing_and_gets_it_back(void **state)
{
    (void)state;
    fl_identity *root = open_as("root", FL_ROLE_ROOT);
    papers edge = papers_of("edge-a");
    fl_badge badge;
    assert_int_equal(check(root, &edge, edge.key, FL_ROLE_EDGE, &badge), FL_WHY_NONE);
    assert_int_equal(standing(root, &edge, NULL), FL_WHY_NONE);
    assert_false(fl_identity_deny_changed(root));
    publish(root, "edge-a", false);
    assert_true(fl_identity_deny_changed(root));
    assert_false(fl_identity_deny_changed(root));
    assert_int_equal(fl_identity_deny_version(root), 1);
    assert_int_equal(fl_deny_list_count(fl_identity_denied(root)), 1);
    assert_int_equal(standing(root, &edge, &badge), FL_WHY_REVOKED);
    assert_int_equal(check(root, &edge, edge.key, FL_ROLE_EDGE, &badge), FL_WHY_REVOKED);
    papers device = papers_of("dev-a"); // a key that was never seen may connect, and say who it is
    assert_int_equal(standing(root, &device, NULL), FL_WHY_NONE);
    publish(root, "edge-a", true);
    assert_int_equal(fl_identity_deny_version(root), 2);
    assert_int_equal(standing(root, &edge, &badge), FL_WHY_NONE);
    assert_int_equal(check(root, &edge, edge.key, FL_ROLE_EDGE, &badge), FL_WHY_NONE);
    fl_identity_close(&root);
}

static void
a_badge_is_good_until_its_last_second(void **state)
{
    (void)state;
    fl_identity *edge = open_as("edge-a", FL_ROLE_EDGE);
    papers device = papers_of("dev-a");
    fl_badge badge;
    assert_int_equal(check(edge, &device, device.key, FL_ROLE_DEVICE, &badge), FL_WHY_NONE);
    wall = badge.not_after;
    assert_int_equal(standing(edge, &device, &badge), FL_WHY_NONE);
    wall++;
    assert_int_equal(standing(edge, &device, &badge), FL_WHY_EXPIRED);
    assert_int_equal(standing(edge, &device, NULL), FL_WHY_NONE);
    fl_identity_close(&edge);
}

//  The same keys under two names: the newest certificate tells who stands there.
static void
a_key_stands_under_the_name_that_it_showed_last(void **state)
{
    (void)state;
    fl_identity *root = open_as("root", FL_ROLE_ROOT);
    papers first = papers_of("edge-a"), second = first;
    fl_keys *keys = identity_keys(20);
    (void)identity_cert(authority, keys, FL_ROLE_EDGE, "edge-b", 99, second.bytes);
    fl_badge badge;
    assert_int_equal(check(root, &first, first.key, FL_ROLE_EDGE, &badge), FL_WHY_NONE);
    assert_int_equal(check(root, &second, first.key, FL_ROLE_EDGE, &badge), FL_WHY_NONE);
    publish(root, "edge-b", false);
    assert_int_equal(standing(root, &first, &badge), FL_WHY_REVOKED);
    fl_keys_destroy(&keys);
    fl_identity_close(&root);
}

static void
a_list_comes_down_once_and_never_an_older_one(void **state)
{
    (void)state;
    fl_identity *root = open_as("root", FL_ROLE_ROOT), *edge = open_as("edge-a", FL_ROLE_EDGE);
    papers device = papers_of("dev-a");
    fl_badge badge;
    assert_int_equal(check(edge, &device, device.key, FL_ROLE_DEVICE, &badge), FL_WHY_NONE);
    publish(root, "dev-a", false);
    fl_blob *first = fl_blob_copy(fl_identity_deny_bytes(root));
    fl_message deny = { .verb = FL_DENY, .deny = { .version = 1, .list = fl_blob_bytes(first) } };
    assert_int_equal(incoming(edge, FL_PARENT, NULL, &deny), FL_WHY_NONE);
    assert_true(fl_identity_deny_changed(edge));
    assert_int_equal(fl_identity_deny_version(edge), 1);
    assert_int_equal(fl_identity_deny_bytes(edge).size, fl_blob_size(first));
    assert_int_equal(standing(edge, &device, &badge), FL_WHY_REVOKED);
    assert_int_equal(incoming(edge, FL_PARENT, NULL, &deny), FL_WHY_NONE); // a repetition
    assert_false(fl_identity_deny_changed(edge));
    assert_int_equal(fl_identity_deny_take(edge, fl_blob_bytes(first)), FL_TRUST_OLD);
    publish(root, "dev-a", true);
    assert_int_equal(fl_identity_deny_take(edge, fl_identity_deny_bytes(root)), FL_TRUST_OK);
    assert_int_equal(standing(edge, &device, &badge), FL_WHY_NONE);
    assert_int_equal(incoming(edge, FL_PARENT, NULL, &deny), FL_WHY_NONE); // played back
    assert_int_equal(standing(edge, &device, &badge), FL_WHY_NONE);
    fl_blob_data(first)[30] ^= 1;
    assert_int_equal(incoming(edge, FL_PARENT, NULL, &deny), FL_WHY_CERTIFICATE);
    fl_blob_unref(&first);
    fl_identity_close(&root);
    fl_identity_close(&edge);
}

static fl_deny_list *
s_many(void)
{
    fl_deny_list *all = fl_deny_list_new();
    for (uint32_t i = 0; i < 100000; i++) {
        fl_name node = { { 0 } };
        (void)snprintf(node.name, sizeof node.name, "n-%07u", i);
        assert_int_equal(fl_deny_list_add(all, &node, 0), FL_OK);
    }
    return all;
}

static fl_message
s_part(fl_bytes list, uint64_t version, uint64_t offset, size_t size)
{
    return (fl_message){ .verb = FL_DENY_PART,
                         .deny_part = { .version = version,
                                        .total = list.size,
                                        .offset = offset,
                                        .part = fl_bytes_of(list.data + offset, size) } };
}

//  100,000 nodes are revoked. Every part before the last one leaves the old list in force, and so
//  do parts that are missing, repeated, of another version, or of a list that was changed on its
//  way.
static void
a_long_deny_list_comes_in_parts_and_holds_whole_or_not_at_all(void **state)
{
    (void)state;
    enum { PART = FL_DENY_BYTES_MAX };
    fl_identity *edge = open_as("edge-a", FL_ROLE_EDGE);
    fl_deny_list *all = s_many();
    fl_blob *blob = fl_deny_list_sign(all, authority);
    fl_bytes list = fl_blob_bytes(blob);
    uint64_t version = fl_deny_list_version(all);
    fl_message last = s_part(list, version, list.size - 100, 100);
    assert_int_equal(incoming(edge, FL_PARENT, NULL, &last), FL_WHY_NONE); // not the next one
    assert_int_equal(fl_identity_deny_missing(edge, version), 0);
    for (int turn = 0; turn < 2; turn++) { // at first one byte is changed on its way
        fl_blob_data(blob)[1000] ^= 1;
        for (uint64_t from = 0; from < list.size; from += PART) {
            size_t size = list.size - from < PART ? list.size - from : PART;
            fl_message part = s_part(list, version, from, size);
            assert_int_equal(fl_identity_deny_version(edge), 0);
            assert_int_equal(fl_identity_deny_missing(edge, version), from);
            bool last_one = from + size == list.size;
            fl_reason reason = incoming(edge, FL_PARENT, NULL, &part);
            assert_int_equal(reason == FL_WHY_NONE, !last_one || turn == 1);
            assert_int_equal(incoming(edge, FL_PARENT, NULL, &part), FL_WHY_NONE); // again
        }
        if (turn == 0) { // its last part came twice and began nothing
            assert_int_equal(fl_identity_deny_missing(edge, version), 0);
        }
    }
    fl_name first = identity_node("n-0000000"), end = identity_node("n-0099999"),
            other = identity_node("dev-a");
    const fl_deny_list *held = fl_identity_denied(edge);
    assert_int_equal(fl_identity_deny_version(edge), version);
    assert_int_equal(fl_identity_deny_bytes(edge).size, list.size);
    assert_true(fl_deny_list_names(held, &first, 7) && fl_deny_list_names(held, &end, 7));
    assert_false(fl_deny_list_names(held, &other, 7));
    fl_message newer = s_part(list, version + 1, 0, PART);
    assert_int_equal(incoming(edge, FL_PARENT, NULL, &newer), FL_WHY_NONE);
    newer = s_part(list, version + 2, 0, PART); // the list grew meanwhile
    assert_int_equal(incoming(edge, FL_PARENT, NULL, &newer), FL_WHY_NONE);
    assert_int_equal(fl_identity_deny_missing(edge, version + 1), 0);
    assert_int_equal(fl_identity_deny_missing(edge, version + 2), PART);
    fl_blob_unref(&blob);
    fl_deny_list_destroy(&all);
    fl_identity_close(&edge);
}

// ---- what comes in ----------------------------------------------------------------------------
//  WELCOME as `parent` fills it in for dev-a.
static fl_message
s_welcomed(fl_identity *parent, uint32_t seat, uint32_t epoch)
{
    seated = (fl_badge){ .node = identity_node("dev-a"), .role = FL_ROLE_DEVICE };
    is_seated = true;
    const fl_message said = { .verb = FL_WELCOME, .run = { { 9 } },
                              .welcome = { .seat = seat, .epoch = epoch, .beat_ms = 1000 } };
    return outgoing(parent, 5, said);
}

static void
a_parent_proves_itself_in_welcome(void **state)
{
    (void)state;
    fl_identity *edge = open_as("edge-a", FL_ROLE_EDGE), *device = open_as("dev-a", FL_ROLE_DEVICE);
    fl_identity *root = open_as("root", FL_ROLE_ROOT);
    fl_identity_serve(edge, NULL, 71, 72);
    fl_message welcome = s_welcomed(edge, 3, 1);
    assert_int_equal(welcome.welcome.up_port, 71);
    assert_int_equal(welcome.welcome.down_port, 72);
    assert_int_equal(welcome.welcome.deny_version, 0);
    assert_int_equal(welcome.welcome.certificate.size, FL_CERT_BYTES);
    assert_int_equal(incoming(device, FL_PARENT, NULL, &welcome), FL_WHY_NONE);
    papers other = papers_of("root"); // a parent, but not the one of this key
    welcome.welcome.certificate = fl_bytes_of(other.bytes, sizeof other.bytes);
    assert_int_equal(incoming(device, FL_PARENT, NULL, &welcome), FL_WHY_CERTIFICATE);
    other = papers_of("dev-b");
    welcome.welcome.certificate = fl_bytes_of(other.bytes, sizeof other.bytes);
    assert_int_equal(incoming(device, FL_PARENT, NULL, &welcome), FL_WHY_ROLE);
    publish(device, "edge-a", false);
    welcome = s_welcomed(edge, 3, 1);
    assert_int_equal(incoming(device, FL_PARENT, NULL, &welcome), FL_WHY_REVOKED);
    is_seated = false; // cut off in this very turn: nothing is made for nobody
    fl_message bare = outgoing(edge, 5, (fl_message){ .verb = FL_WELCOME });
    assert_int_equal(bare.welcome.certificate.size, 0);
    fl_identity_close(&root);
    fl_identity_close(&edge);
    fl_identity_close(&device);
}

static void
a_ticket_is_good_for_its_seat_and_its_child_in_any_run(void **state)
{
    (void)state;
    fl_identity *edge = open_as("edge-a", FL_ROLE_EDGE);
    fl_message welcome = s_welcomed(edge, 3, 2);
    fl_message contrib = { .verb = FL_CONTRIB, .run = welcome.run };
    contrib.contrib.seat = 3;
    contrib.contrib.epoch = 2;
    memcpy(contrib.contrib.ticket, welcome.welcome.ticket, sizeof welcome.welcome.ticket);
    fl_badge other = { .node = identity_node("dev-b"), .role = FL_ROLE_DEVICE };
    assert_int_equal(incoming(edge, 5, &seated, &contrib), FL_WHY_NONE);
    assert_int_equal(incoming(edge, 5, &other, &contrib), FL_WHY_TICKET);
    contrib.contrib.epoch = 1;
    assert_int_equal(incoming(edge, 5, &seated, &contrib), FL_WHY_TICKET);
    contrib.contrib.epoch = 2;
    contrib.contrib.seat = 4;
    assert_int_equal(incoming(edge, 5, &seated, &contrib), FL_WHY_TICKET);
    contrib.contrib.seat = 3;
    contrib.run.bytes[0] ^= 1; // of whatever run
    assert_int_equal(incoming(edge, 5, &seated, &contrib), FL_WHY_NONE);
    contrib.contrib.ticket[15] ^= 1;
    assert_int_equal(incoming(edge, 5, &seated, &contrib), FL_WHY_TICKET);
    fl_message beat = { .verb = FL_BEAT };
    assert_int_equal(incoming(edge, 5, &seated, &beat), FL_WHY_NONE);
    fl_identity_close(&edge);
}

static fl_message
s_task(uint64_t round)
{
    fl_message task = { .verb = FL_TASK, .run = { { 9 } }, .round = round };
    task.task.attempt = 1;
    task.task.order = (fl_order){ .run = task.run, .round = round, .model_bytes = 10,
                                  .elements = 4 };
    task.task.order.plan = (fl_plan){ .clip = 1,
                                      .bits = 8,
                                      .weight_unit = 1,
                                      .weight_max = 1,
                                      .devices_max = 1,
                                      .recipe = { 2, { { "batch", 1 }, { "epochs", 1 } } } };
    return task;
}

static fl_message
s_signed(const fl_identity *root, fl_message task)
{
    fl_identity_sign(root, &task.task);
    return task;
}

static void
an_order_is_believed_only_with_the_authoritys_signature(void **state)
{
    (void)state;
    fl_identity *root = open_as("root", FL_ROLE_ROOT), *edge = open_as("edge-a", FL_ROLE_EDGE);
    fl_identity *device = open_as("dev-a", FL_ROLE_DEVICE);
    fl_message first = s_signed(root, s_task(1)), again = s_signed(root, s_task(1));
    assert_int_equal(incoming(edge, FL_PARENT, NULL, &first), FL_WHY_NONE);
    assert_memory_equal(first.task.signature, again.task.signature, sizeof first.task.signature);
    fl_message passed = outgoing(edge, 1, first); // an edge hands it on as it is
    assert_int_equal(incoming(device, FL_PARENT, NULL, &passed), FL_WHY_NONE);
    passed.task.order.plan.clip = 2;
    assert_int_equal(incoming(device, FL_PARENT, NULL, &passed), FL_WHY_PLAN);
    fl_message second = s_signed(root, s_task(2));
    assert_int_equal(incoming(device, FL_PARENT, NULL, &second), FL_WHY_NONE);
    second.task.order.round = 1;
    assert_int_equal(incoming(device, FL_PARENT, NULL, &second), FL_WHY_PLAN);
    fl_message parts[3] = { first, first, first };
    parts[0].task.order.plan.late = FL_LATE_CARRY;              // the manifest is another one
    fl_recipe_put(&parts[1].task.order.plan.recipe, "rate", 1); // or the settings
    parts[2].task.order.beyond = true; // or it asks for what is not known here
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        assert_int_equal(incoming(device, FL_PARENT, NULL, &parts[i]), FL_WHY_PLAN);
    }
    fl_message own = outgoing(edge, 1, s_task(3)); // nobody but the root can make one
    assert_int_equal(incoming(device, FL_PARENT, NULL, &own), FL_WHY_PLAN);
    fl_identity_close(&root);
    fl_identity_close(&edge);
    fl_identity_close(&device);
}

static void
hello_and_beats_carry_what_the_machines_do_not_know(void **state)
{
    (void)state;
    fl_identity *root = open_as("root", FL_ROLE_ROOT), *edge = open_as("edge-a", FL_ROLE_EDGE);
    papers own = papers_of("edge-a");
    fl_message hello = outgoing(edge, FL_PARENT, (fl_message){ .verb = FL_HELLO });
    assert_int_equal(hello.hello.certificate.size, sizeof own.bytes);
    assert_memory_equal(hello.hello.certificate.data, own.bytes, sizeof own.bytes);
    publish(root, "dev-a", false);
    assert_int_equal(outgoing(root, 1, (fl_message){ .verb = FL_BEAT }).beat.deny_version, 1);
    assert_int_equal(outgoing(edge, 1, (fl_message){ .verb = FL_BEAT }).beat.deny_version, 0);
    fl_message closed = { .verb = FL_CLOSED, .closed = { .attempt = 4 } };
    assert_int_equal(outgoing(edge, 1, closed).closed.attempt, 4);
    fl_identity_close(&root);
    fl_identity_close(&edge);
}

static void
the_policy_of_masks_is_part_of_what_is_signed(void **state)
{
    (void)state;
    fl_identity *root = open_as("root", FL_ROLE_ROOT), *edge = open_as("edge-a", FL_ROLE_EDGE);
    fl_message masked = s_task(1), changed;
    masked.task.order.plan.masking[0] = masked.task.order.plan.masking[1] = FL_MASKING_MALICIOUS;
    masked.task.order.plan.block_max = 8;
    masked.task.order.plan.step_ms = 100;
    masked = s_signed(root, masked);
    assert_int_equal(incoming(edge, FL_PARENT, NULL, &masked), FL_WHY_NONE);
    changed = masked;
    changed.task.order.plan.masking[0] = changed.task.order.plan.masking[1] = FL_MASKING_HONEST;
    assert_int_equal(incoming(edge, FL_PARENT, NULL, &changed), FL_WHY_PLAN);
    fl_identity_close(&root);
    fl_identity_close(&edge);
}

static void
what_a_masked_round_needs_is_lent_and_not_copied(void **state)
{
    (void)state;
    fl_identity *edge = open_as("edge-a", FL_ROLE_EDGE);
    papers own = papers_of("edge-a");
    assert_memory_equal(fl_keys_public(fl_identity_keys(edge))->x, own.key, sizeof own.key);
    assert_memory_equal(fl_identity_certificate(edge), own.bytes, sizeof own.bytes);
    fl_secagg_trust trust = fl_identity_trust(edge, FL_ROLES_CHILD);
    assert_true(
        fl_authority_public_equal(trust.authority, fl_authority_public_of(authority)));
    assert_int_equal(trust.roles, FL_ROLES_CHILD);
    fl_name node = identity_node("dev-a");
    assert_false(fl_deny_list_names(trust.deny, &node, 30));
    publish(edge, "dev-a", false);
    assert_true(fl_deny_list_names(trust.deny, &node, 30)); // the newest, always
    fl_identity_close(&edge);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        unit_case(an_identity_knows_itself_and_its_parent, start, end),
        unit_case(each_file_that_is_missing_is_named, start, end),
        unit_case(a_certificate_of_ours_that_does_not_hold_is_named, start, end),
        unit_case(a_certificate_of_another_time_is_taken_and_the_clock_named, start, end),
        unit_case(a_certificate_of_this_key_and_role_gets_a_badge, start, end),
        unit_case(what_is_wrong_with_a_certificate_has_its_name, start, end),
        unit_case(each_lack_of_trust_has_a_reason, start, end),
        unit_case(a_denied_node_loses_its_standing_and_gets_it_back, start, end),
        unit_case(a_badge_is_good_until_its_last_second, start, end),
        unit_case(a_key_stands_under_the_name_that_it_showed_last, start, end),
        unit_case(a_list_comes_down_once_and_never_an_older_one, start, end),
        unit_case(a_long_deny_list_comes_in_parts_and_holds_whole_or_not_at_all, start, end),
        unit_case(a_parent_proves_itself_in_welcome, start, end),
        unit_case(a_ticket_is_good_for_its_seat_and_its_child_in_any_run, start, end),
        unit_case(an_order_is_believed_only_with_the_authoritys_signature, start, end),
        unit_case(the_policy_of_masks_is_part_of_what_is_signed, start, end),
        unit_case(what_a_masked_round_needs_is_lent_and_not_copied, start, end),
        unit_case(hello_and_beats_carry_what_the_machines_do_not_know, start, end),
    };
    return fl_crypto_init(NULL) == FL_OK ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
