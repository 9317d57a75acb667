//  Revocations, with a ledger on disk, workers, and a node that is the test's own. The linker
//  hands malloc and calloc of this program to us, so that memory can end anywhere.
#include "cloud/authority_service.h"

#include "common/config/exit_codes.h"
#include "common/identity/state_dir.h"
#include "tests/support/unit.h"

#include <sqlite3.h>

#include "tests/support/node.h"
#include "tests/support/place.h"
#include "tests/support/scarce.h"
#include "tests/support/settled.h"

// ---- the rest of the node ------------------------------------------------------------------
fl_enrol_relay *
fl_node_relay(fl_node *self)
{
    (void)self;
    return NULL;
}

static unsigned shut_out; // that a node is shut out

fl_status
fl_node_post(fl_node *self, const fl_event *event)
{
    (void)self;
    shut_out += event->kind == FL_EV_DENIED ? 1 : 0;
    return FL_OK;
}

// ---- an service --------------------------------------------------------------------------------
static fl_ledger *ledger;
static fl_identity *identity;
static fl_queries *queries;
static fl_authority_service *service;

static void
s_issue(const char *name, uint64_t serial)
{
    fl_keys *keys = identity_keys(serial);
    fl_issued issued = { .node = identity_node(name), .serial = serial, .role = FL_ROLE_DEVICE };
    issued.certificate_bytes = FL_CERT_BYTES;
    (void)identity_cert(authority, keys, FL_ROLE_DEVICE, name, serial, issued.certificate);
    assert_int_equal(fl_ledger_issue(ledger, (fl_bytes){ 0 }, 0, &issued, NULL, &why), FL_OK);
    fl_keys_destroy(&keys);
}

static int
start(void **state)
{
    if (place_make(state) != 0) {
        return -1;
    }
    authority = identity_authority(1);
    settle("root", 1, FL_ROLE_ROOT, NULL);
    identity = open_as("root", FL_ROLE_ROOT);
    assert_int_equal(fl_ledger_open(place_of("ledger.db"), &ledger, &why), FL_OK);
    workers = fl_workers_new(1, 4, &why);
    queries = fl_queries_new(&(fl_queries_conf){ .ledger = ledger });
    service = fl_authority_service_new(
        &(fl_authority_service_conf){ .identity = identity, .ledger = ledger, .queries = queries });
    s_issue("d0", 1);
    s_issue("d1", 2);
    s_issue("d2", 3);
    s_issue("d1", 4);
    shut_out = 0;
    return workers == NULL || queries == NULL || service == NULL;
}

static int
end(void **state)
{
    assert_int_equal(fl_workers_stop(workers, FL_WORKERS_DRAIN, STATION_WAIT_MS), FL_OK);
    fl_workers_destroy(&workers);
    fl_authority_service_destroy(&service);
    fl_queries_destroy(&queries);
    fl_identity_close(&identity);
    fl_ledger_close(&ledger);
    fl_authority_destroy(&authority);
    return place_end(state);
}

static void
put(const char *verb, const char *node)
{
    fl_ask ask = { .verb = "" };
    (void)snprintf(ask.verb, sizeof ask.verb, "%s", verb);
    (void)snprintf(ask.argument, sizeof ask.argument, "%s", node);
    assert_true(fl_authority_service_ask(service, 7, &ask));
}

static void
ask(const char *verb, const char *node)
{
    put(verb, node);
    station_hear(1);
}

static uint64_t
stored(fl_blob **list)
{
    uint64_t version = 0;
    assert_int_equal(fl_ledger_deny_get(ledger, &version, list, &why), FL_OK);
    return version;
}

//  What is in force, and told to children, is what the ledger holds, byte for byte.
static void
assert_stored(uint64_t version)
{
    fl_blob *list = NULL;
    assert_int_equal(stored(&list), version);
    assert_int_equal(fl_identity_deny_version(identity), version);
    fl_bytes held = list == NULL ? fl_bytes_of(NULL, 0) : fl_blob_bytes(list);
    fl_bytes told = fl_identity_deny_bytes(identity);
    assert_int_equal(told.size, held.size);
    assert_true(held.size == 0 || memcmp(told.data, held.data, held.size) == 0);
    fl_blob_unref(&list);
}

static bool
denies(const char *name, uint64_t serial)
{
    const fl_name node = identity_node(name);
    return fl_deny_list_names(fl_identity_denied(identity), &node, serial);
}

static bool
denied(const char *name)
{
    return denies(name, 1000);
}

#define assert_says(part) assert_non_null(strstr(text, part))

//  A ledger that takes no act, as on a full disk, and takes it again.
static void
s_ledger(const char *command)
{
    sqlite3 *base = NULL;
    assert_int_equal(sqlite3_open(place_of("ledger.db"), &base), SQLITE_OK);
    assert_int_equal(sqlite3_exec(base, command, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(base), SQLITE_OK);
}

static void
a_node_is_revoked_and_admitted_and_asking_twice_does_no_harm(void **state)
{
    (void)state;
    ask("revoke", "d1");
    assert_int_equal(code, 0);
    assert_says("d1 is revoked\"");
    assert_int_equal(shut_out, 1);
    assert_true(denied("d1"));
    assert_stored(1);
    ask("revoke", "d1");
    assert_int_equal(code, 0);
    assert_says("was revoked already");
    assert_stored(1);
    ask("admit", "d1");
    assert_int_equal(code, 0);
    assert_says("d1 is admitted again\"");
    assert_false(denied("d1"));
    assert_stored(2);
    ask("admit", "d1");
    assert_int_equal(code, 0);
    assert_says("is not revoked");
    assert_stored(2);
    ask("revoke", "no name");
    assert_int_equal(code, FL_EXIT_USAGE);
    assert_int_equal(shut_out, 1);
}

static void
a_name_or_a_number_that_never_was_is_not_revoked(void **state)
{
    (void)state;
    ask("revoke", "nosuch");
    assert_int_equal(code, FL_EXIT_MISSING);
    assert_says("no certificate was issued to nosuch");
    ask("forget", "nosuch");
    assert_int_equal(code, FL_EXIT_MISSING);
    ask("revoke", "d1 3"); // that is d2's
    assert_int_equal(code, FL_EXIT_MISSING);
    assert_says("d1 never had the certificate 3; its newest is 4");
    assert_stored(0);
    ask("revoke", "nosuch 0 any");
    assert_int_equal(code, 0);
    assert_true(denied("nosuch"));
}

static void
one_certificate_of_a_node_is_revoked_by_its_number(void **state)
{
    (void)state;
    ask("revoke", "d1 2");
    assert_int_equal(code, 0);
    assert_true(denies("d1", 2) && !denies("d1", 4));
    assert_int_equal(shut_out, 0); // the node goes on
    ask("admit", "d1 2");
    assert_false(denies("d1", 2));
    assert_stored(2);
}

static void
a_node_that_is_forgotten_has_no_certificate_and_its_name_is_free(void **state)
{
    (void)state;
    const fl_name node = identity_node("d1");
    ask("revoke", "d1"); // as an operator would who does not know better
    ask("forget", "d1");
    assert_int_equal(code, 0);
    assert_says("d1 is forgotten");
    assert_true(denies("d1", 2) && denies("d1", 4) && !denied("d1"));
    assert_true(fl_ledger_denies(ledger, &node, 4));
    assert_int_equal(shut_out, 2);
    ask("forget", "d1");
    assert_int_equal(code, 0);
    assert_says("forgotten already");
    assert_int_equal(shut_out, 2);
    s_issue("d1", 5); // its replacement
    assert_false(fl_ledger_denies(ledger, &node, 5) || denies("d1", 5));
    ask("forget", "d1");
    assert_true(denies("d1", 5));
    ask("admit", "d1 5");
    assert_false(fl_ledger_denies(ledger, &node, 5) || denies("d1", 5));
}

static void
a_revocation_is_in_force_and_answered_only_when_it_is_stored(void **state)
{
    (void)state;
    put("revoke", "d1");
    assert_int_equal(fl_workers_stop(workers, FL_WORKERS_DRAIN, STATION_WAIT_MS), FL_OK);
    fl_blob *list = NULL;
    assert_int_equal(stored(&list), 1); // a crash here loses the answer, and not the revocation
    fl_blob_unref(&list);
    assert_int_equal(answers, 0);
    assert_int_equal(fl_identity_deny_version(identity), 0);
    station_hear(1);
    assert_int_equal(code, 0);
    assert_stored(1);
}

static void
a_revocation_that_is_not_stored_failed_and_may_be_asked_again(void **state)
{
    (void)state;
    s_ledger("CREATE TRIGGER full BEFORE INSERT ON denied BEGIN SELECT RAISE(ABORT, 'full'); END");
    ask("revoke", "d1");
    assert_int_equal(code, 1);
    assert_says("error");
    assert_false(denied("d1"));
    assert_stored(0);
    s_ledger("DROP TRIGGER full");
    ask("revoke", "d2"); // the number that failed goes to this list, and nobody heard of the other
    assert_int_equal(code, 0);
    assert_stored(1);
    assert_true(denied("d2") && !denied("d1"));
    ask("revoke", "d1");
    assert_int_equal(code, 0);
    assert_says("d1 is revoked");
    assert_stored(2);
}

static void
changes_asked_at_once_build_on_one_another(void **state)
{
    (void)state;
    put("revoke", "d1");
    put("revoke", "d2");
    put("admit", "d1");
    station_hear(3);
    assert_stored(3);
    assert_true(denied("d2") && !denied("d1"));
}

static void
a_list_in_the_ledger_that_does_not_hold_is_not_built_upon(void **state)
{
    (void)state;
    assert_int_equal(fl_ledger_deny_put(ledger, 4, fl_bytes_of("list", 4), NULL, &why), FL_OK);
    ask("revoke", "d1");
    assert_int_equal(code, 1);
    assert_says("does not hold");
    assert_false(denied("d1"));
}

static void
when_memory_ends_nothing_is_in_force_that_is_not_stored(void **state)
{
    (void)state;
    uint64_t version = 0;
    fl_blob *list = NULL;
    ask("revoke", "d0");
    for (int allowed = 0; code != 0 || version < 2; allowed++) {
        assert_true(allowed < 100);
        scarce_left = allowed;
        ask("revoke", "d1");
        scarce_left = -1;
        version = fl_identity_deny_version(identity);
        assert_int_equal(code == 0, version == 2);
        assert_true(version <= stored(&list));
        fl_blob_unref(&list);
    }
    assert_stored(2); // one that was stored and not obeyed for want of memory was when asked again
    assert_true(denied("d1"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        unit_case(a_node_is_revoked_and_admitted_and_asking_twice_does_no_harm, start, end),
        unit_case(a_name_or_a_number_that_never_was_is_not_revoked, start, end),
        unit_case(one_certificate_of_a_node_is_revoked_by_its_number, start, end),
        unit_case(a_node_that_is_forgotten_has_no_certificate_and_its_name_is_free, start, end),
        unit_case(a_revocation_is_in_force_and_answered_only_when_it_is_stored, start, end),
        unit_case(a_revocation_that_is_not_stored_failed_and_may_be_asked_again, start, end),
        unit_case(changes_asked_at_once_build_on_one_another, start, end),
        unit_case(a_list_in_the_ledger_that_does_not_hold_is_not_built_upon, start, end),
        unit_case(when_memory_ends_nothing_is_in_force_that_is_not_stored, start, end),
    };
    return fl_crypto_init(NULL) == FL_OK ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
