#include "common/config/lock.h"

#include "tests/support/unit.h"

#include "tests/support/place.h"

#include <sys/file.h>

static fl_why why;

static void
one_process_holds_a_directory_at_a_time(void **state)
{
    (void)state;
    fl_lock *first = NULL, *second = NULL;
    char holder[64];
    struct stat about;
    assert_int_equal(fl_lock_take(place_of("a/state"), "edge-agg", &first, &why), FL_OK);
    assert_int_equal(stat(place_of("a/state"), &about), 0);
    assert_int_equal(about.st_mode & 0777, 0700);
    assert_int_equal(fl_lock_take(place_of("a/state"), "edge-agg", &second, &why), FL_BUSY);
    assert_null(second);
    (void)snprintf(holder, sizeof holder, "in use by edge-agg (pid %ld on ", (long)getpid());
    assert_non_null(strstr(why.text, holder));
    fl_lock_release(&first);
    assert_null(first);
    assert_int_equal(fl_lock_take(place_of("a/state"), "fl-root", &second, &why), FL_OK);
    fl_lock_release(&second);
    fl_lock_release(&second);
}

static void
whose_a_lock_is_can_be_asked(void **state)
{
    (void)state;
    fl_lock *lock = NULL;
    assert_false(fl_lock_ours(place_of("s"), "fl-device")); // not there
    assert_int_equal(fl_lock_take(place_of("s"), "fl-device", &lock, &why), FL_OK);
    assert_true(fl_lock_ours(place_of("s"), "fl-device"));
    assert_false(fl_lock_ours(place_of("s"), "fl-root"));
    assert_false(fl_lock_ours(place_of("s"), "fl"));
    place_write("s/lock", "fl-device (pid 7 on somewhere-else)\n", 36);
    assert_false(fl_lock_ours(place_of("s"), "fl-device"));
    fl_lock_release(&lock);
    assert_int_equal(fl_lock_take(place_of("s"), "fl-device", &lock, &why), FL_OK);
    fl_lock_release(&lock);
    assert_false(fl_lock_ours(place_of("s"), "fl-device")); // only what it says is left
}

//  Replicas claim the first free slot; those that run ask for theirs, and must not make them pass
//  over it.
static void
who_asks_never_stands_in_the_way_of_another_machine(void **state)
{
    (void)state;
    enum { TRIES = 200000 };
    unsigned refused = 0;
    int asking[2];
    char byte;
    assert_int_equal(pipe(asking), 0);
    assert_int_equal(mkdir(place_of("s"), 0700), 0);
    place_write("s/lock", "fl-device (pid 7 on somewhere-else)\n", 36);
    int fd = open(place_of("s/lock"), O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    pid_t child = fork();
    if (child == 0) {
        for (bool said = false;; said = true) {
            (void)fl_lock_ours(place_of("s"), "fl-device");
            if (!said && write(asking[1], "x", 1) != 1) {
                _exit(1);
            }
        }
    }
    assert_int_equal(read(asking[0], &byte, 1), 1);
    for (int i = 0; i < TRIES; i++) {
        refused += flock(fd, LOCK_EX | LOCK_NB) != 0 ? 1 : 0;
        (void)flock(fd, LOCK_UN);
    }
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_int_equal(refused, 0);
    (void)close(fd);
    (void)close(asking[0]);
    (void)close(asking[1]);
}

static void
a_lock_ends_with_its_process(void **state)
{
    (void)state;
    fl_lock *lock = NULL;
    pid_t child = fork();
    if (child == 0) {
        if (fl_lock_take(place_of("state"), "edge-agg", &lock, &why) == FL_OK) {
            (void)raise(SIGKILL);
        }
        _exit(1);
    }
    int status = 0;
    assert_true(waitpid(child, &status, 0) == child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(fl_lock_take(place_of("state"), "edge-agg", &lock, &why), FL_OK);
    fl_lock_release(&lock);
}

static void
a_directory_open_to_others_is_refused(void **state)
{
    (void)state;
    fl_lock *lock = NULL;
    assert_int_equal(mkdir(place_of("open"), 0700), 0);
    assert_int_equal(chmod(place_of("open"), 0750), 0);
    assert_int_equal(fl_lock_take(place_of("open"), "x", &lock, &why), FL_DENIED);
    assert_null(lock);
    assert_non_null(strstr(why.text, "run: chmod 700 "));
}

//  As a cluster mounts a volume: the setgid bit says that it is the group's.
static void
a_volume_of_a_group_of_ours_is_safe_and_others_have_nothing_in_it(void **state)
{
    (void)state;
    static const struct {
        mode_t directory, file;
        fl_status status;
    } cases[] = {
        { 02770, 0660, FL_OK },     { 02770, 0600, FL_OK },     { 0770, 0600, FL_DENIED },
        { 02775, 0600, FL_DENIED }, { 02770, 0664, FL_DENIED }, { 0700, 0660, FL_DENIED }
    };
    char directory[PATH_MAX], file[PATH_MAX + 16];
    (void)snprintf(directory, sizeof directory, "%s", place_of("volume"));
    (void)snprintf(file, sizeof file, "%s/node.key", directory);
    assert_int_equal(mkdir(directory, 0700), 0);
    place_write("volume/node.key", "x", 1);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(chmod(directory, cases[i].directory), 0);
        assert_int_equal(chmod(file, cases[i].file), 0);
        fl_status home = fl_lock_private(directory, directory, &why);
        fl_status status = home == FL_OK ? fl_lock_private(directory, file, &why) : home;
        assert_int_equal(status, cases[i].status);
    }
    if (geteuid() == 0) { // the user that ran here before was another one
        assert_int_equal(chown(directory, 12345, getegid()), 0);
        assert_int_equal(chmod(directory, 02770), 0);
        assert_int_equal(fl_lock_private(directory, directory, &why), FL_OK);
        assert_int_equal(chown(directory, 12345, 54321), 0);
        assert_int_equal(chmod(directory, 02770), 0);
        assert_int_equal(fl_lock_private(directory, directory, &why), FL_DENIED);
    }
}

static void
a_directory_of_somebody_else_is_refused(void **state)
{
    (void)state;
    fl_lock *lock = NULL;
    if (geteuid() != 0) {
        skip();
    }
    assert_int_equal(mkdir(place_of("theirs"), 0700), 0);
    assert_int_equal(chown(place_of("theirs"), 12345, 12345), 0);
    assert_int_equal(fl_lock_take(place_of("theirs"), "x", &lock, &why), FL_DENIED);
    assert_non_null(strstr(why.text, "belongs to user 12345"));
}

static void
a_path_that_cannot_be_is_said(void **state)
{
    (void)state;
    fl_lock *lock = NULL;
    char path[2 * PATH_MAX];
    place_write("file", "x", 1);
    assert_int_equal(fl_lock_take(place_of("file"), "x", &lock, &why), FL_IO);
    assert_int_equal(fl_lock_take(place_of("file/x"), "x", &lock, &why), FL_IO);
    assert_int_equal(fl_lock_take("", "x", &lock, &why), FL_RANGE);
    memset(path, 'p', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    assert_int_equal(fl_lock_take(path, "x", &lock, &why), FL_RANGE);
    assert_int_equal(mkdir(place_of("d"), 0700), 0);
    assert_int_equal(symlink("/etc/passwd", place_of("d/lock")), 0);
    assert_int_equal(fl_lock_take(place_of("d"), "x", &lock, &why), FL_IO);
    assert_null(lock);
}

static void
a_read_only_disk_is_said(void **state)
{
    (void)state;
    fl_lock *lock = NULL;
    if (!place_on_disk("size=64k,mode=0700", true)) {
        skip();
    }
    assert_int_equal(fl_lock_take(place_of("state"), "x", &lock, &why), FL_DENIED);
    assert_int_equal(fl_lock_take(place, "x", &lock, &why), FL_DENIED);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        unit_case(one_process_holds_a_directory_at_a_time, place_make, place_end),
        unit_case(whose_a_lock_is_can_be_asked, place_make, place_end),
        unit_case(who_asks_never_stands_in_the_way_of_another_machine, place_make, place_end),
        unit_case(a_lock_ends_with_its_process, place_make, place_end),
        unit_case(a_directory_open_to_others_is_refused, place_make, place_end),
        unit_case(a_volume_of_a_group_of_ours_is_safe_and_others_have_nothing_in_it, place_make,
                  place_end),
        unit_case(a_directory_of_somebody_else_is_refused, place_make, place_end),
        unit_case(a_path_that_cannot_be_is_said, place_make, place_end),
        unit_case(a_read_only_disk_is_said, place_make, place_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
