#include "common/store/file.h"

#include "tests/support/unit.h"

#include "tests/support/place.h"

#include <errno.h>
#include <fcntl.h>

static fl_why why;

static fl_bytes
s_text(const char *text)
{
    return fl_bytes_of(text, strlen(text));
}

static void
s_expect(const char *name, const char *text)
{
    fl_blob *blob = NULL;
    assert_int_equal(fl_file_read(place_of(name), 1024, &blob, &why), FL_OK);
    assert_int_equal(fl_blob_size(blob), strlen(text));
    assert_memory_equal(fl_blob_bytes(blob).data, text, strlen(text));
    fl_blob_unref(&blob);
}

static void
what_was_written_is_read_and_replaced(void **state)
{
    (void)state;
    struct stat about;
    assert_int_equal(fl_file_write(place_of("a"), s_text("first"), 0600, &why), FL_OK);
    s_expect("a", "first");
    assert_int_equal(fl_file_write(place_of("a"), s_text("second, longer"), 0640, &why), FL_OK);
    s_expect("a", "second, longer");
    assert_int_equal(fl_file_write(place_of("a"), s_text(""), 0640, &why), FL_OK);
    s_expect("a", "");
    assert_int_equal(stat(place_of("a"), &about), 0);
    assert_int_equal(about.st_mode & 0777, 0640);
    assert_int_equal(place_count_files(), 1);
}

static void
a_name_without_a_directory_is_written_here(void **state)
{
    (void)state;
    char before[PATH_MAX];
    assert_non_null(getcwd(before, sizeof before));
    assert_int_equal(chdir(place), 0);
    assert_int_equal(fl_file_write("here", s_text("x"), 0600, &why), FL_OK);
    assert_int_equal(chdir(before), 0);
    s_expect("here", "x");
}

static void
a_read_is_bounded_and_says_what_is_wrong(void **state)
{
    (void)state;
    fl_blob *blob = NULL;
    place_write("long", "12345", 5);
    assert_int_equal(fl_file_read(place_of("long"), 4, &blob, &why), FL_RANGE);
    assert_null(blob);
    assert_non_null(strstr(why.text, "5 bytes, at most 4"));
    assert_int_equal(fl_file_read(place_of("none"), 4, &blob, &why), FL_MISSING);
    assert_non_null(strstr(why.text, "/none"));
    assert_int_equal(fl_file_read(place, 4, &blob, &why), FL_IO);
    assert_non_null(strstr(why.text, "not a file"));
    assert_int_equal(mkfifo(place_of("pipe"), 0600), 0);
    assert_int_equal(fl_file_read(place_of("pipe"), 4, &blob, &why), FL_IO);
}

static void
a_write_into_nowhere_leaves_nothing(void **state)
{
    (void)state;
    char path[2 * PATH_MAX];
    assert_int_equal(fl_file_write(place_of("no/such"), s_text("x"), 0600, &why), FL_MISSING);
    memset(path, 'p', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    assert_int_equal(fl_file_write(path, s_text("x"), 0600, &why), FL_IO);
    assert_int_equal(mkdir(place_of("dir"), 0700), 0);
    assert_int_equal(fl_file_write(place_of("dir"), s_text("x"), 0600, &why), FL_IO);
    assert_int_equal(place_count_files(), 1);
}

static void
a_full_disk_keeps_the_old_file(void **state)
{
    (void)state;
    static const uint8_t much[1 << 20];
    if (!place_on_disk("size=64k", false)) {
        skip();
    }
    assert_int_equal(fl_file_write(place_of("a"), s_text("old"), 0600, &why), FL_OK);
    assert_int_equal(fl_file_write(place_of("a"), fl_bytes_of(much, sizeof much), 0600, &why),
                     FL_FULL);
    assert_non_null(strstr(why.text, "no space left"));
    s_expect("a", "old");
    assert_int_equal(place_count_files(), 1);
}

static void
a_read_only_disk_is_named(void **state)
{
    (void)state;
    if (!place_on_disk("size=64k", true)) {
        skip();
    }
    assert_int_equal(fl_file_write(place_of("a"), s_text("x"), 0600, &why), FL_DENIED);
    assert_non_null(strstr(why.text, "read-only"));
    assert_int_equal(fl_directory_make(place_of("d"), 0700, &why), FL_DENIED);
}

static unsigned
s_mode(const char *name)
{
    struct stat about;
    assert_int_equal(lstat(place_of(name), &about), 0);
    return about.st_mode;
}

static void
what_a_user_names_keeps_its_mode_and_its_link(void **state)
{
    (void)state;
    assert_int_equal(fl_file_deliver(place_of("new"), s_text("x"), 0640, false, &why), FL_OK);
    assert_int_equal(s_mode("new"), S_IFREG | 0640);
    place_write("old", "old", 3);
    assert_int_equal(chmod(place_of("old"), 0604), 0);
    assert_int_equal(symlink("old", place_of("link")), 0);
    assert_int_equal(fl_file_deliver(place_of("link"), s_text("new"), 0644, false, &why), FL_OK);
    assert_true(S_ISLNK(s_mode("link")));
    assert_int_equal(s_mode("old"), S_IFREG | 0604);
    s_expect("old", "new");
    assert_int_equal(symlink("none", place_of("astray")), 0);
    assert_int_equal(fl_file_deliver(place_of("astray"), s_text("x"), 0644, true, &why), FL_EXISTS);
    assert_non_null(strstr(why.text, "link to nothing"));
    assert_true(S_ISLNK(s_mode("astray")));
}

static void
what_is_no_writable_file_is_left_alone_unless_forced(void **state)
{
    (void)state;
    char got[8] = "";
    place_write("own", "old", 3);
    assert_int_equal(chmod(place_of("own"), 0444), 0);
    assert_int_equal(fl_file_deliver(place_of("own"), s_text("x"), 0644, false, &why), FL_EXISTS);
    assert_non_null(strstr(why.text, "/own is read-only"));
    s_expect("own", "old");
    assert_int_equal(fl_file_deliver(place_of("own"), s_text("new"), 0644, true, &why), FL_OK);
    s_expect("own", "new");
    assert_int_equal(s_mode("own"), S_IFREG | 0444);
    assert_int_equal(mkfifo(place_of("pipe"), 0600), 0);
    int reader = open(place_of("pipe"), O_RDONLY | O_NONBLOCK);
    assert_int_equal(fl_file_deliver(place_of("pipe"), s_text("x"), 0644, false, &why), FL_EXISTS);
    assert_non_null(strstr(why.text, "/pipe is no regular file"));
    assert_true(S_ISFIFO(s_mode("pipe")));
    assert_int_equal(fl_file_deliver(place_of("pipe"), s_text("abc"), 0644, true, &why), FL_OK);
    assert_int_equal(read(reader, got, sizeof got), 3);
    assert_true(S_ISFIFO(s_mode("pipe")));
    (void)close(reader);
    assert_int_equal(fl_file_deliver("/dev/null", s_text("x"), 0644, false, &why), FL_EXISTS);
    assert_int_equal(fl_file_deliver("/dev/null", s_text("x"), 0644, true, &why), FL_OK);
    assert_int_equal(fl_file_deliver(place, s_text("x"), 0644, true, &why), FL_EXISTS);
}

//  A limit on file size kills the child with SIGXFSZ in the middle of its write.
static void
killed_in_mid_write_the_old_file_stands(void **state)
{
    (void)state;
    static const uint8_t much[1 << 16];
    assert_int_equal(fl_file_write(place_of("a"), s_text("old"), 0600, &why), FL_OK);
    pid_t child = fork();
    if (child == 0) {
        (void)setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
        (void)setrlimit(RLIMIT_FSIZE, &(struct rlimit){ 4096, 4096 });
        (void)signal(SIGXFSZ, SIG_DFL);
        fl_status status = fl_file_write(place_of("a"), fl_bytes_of(much, sizeof much), 0600, &why);
        _exit(status == FL_OK ? 0 : 1);
    }
    int status = 0;
    assert_true(waitpid(child, &status, 0) == child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGXFSZ);
    s_expect("a", "old");
    assert_int_equal(place_count_files(), 2); // the unfinished one, found by the sweep
    assert_int_equal(fl_file_sweep(place), 1);
    assert_int_equal(place_count_files(), 1);
    s_expect("a", "old");
}

static void
a_sweep_takes_only_what_a_crash_left(void **state)
{
    (void)state;
    place_write("model.tmp-abcdef", "x", 1);
    place_write("model.tmp-abcdefg", "x", 1);
    place_write("notes.tmp-", "x", 1);
    place_write("model", "x", 1);
    assert_int_equal(fl_file_sweep(place), 1);
    assert_int_equal(place_count_files(), 3);
    assert_int_equal(fl_file_sweep(place_of("none")), 0);
}

static void
directories_are_made_with_their_parents(void **state)
{
    (void)state;
    struct stat about;
    assert_int_equal(fl_directory_make(place_of("a/b/c"), 0700, &why), FL_OK);
    assert_int_equal(fl_directory_make(place_of("a/b/c"), 0700, &why), FL_OK);
    assert_int_equal(stat(place_of("a/b"), &about), 0);
    assert_int_equal(about.st_mode & 0777, 0700);
    place_write("file", "x", 1);
    assert_int_equal(fl_directory_make(place_of("file"), 0700, &why), FL_IO);
    assert_int_equal(fl_directory_make(place_of("file/x"), 0700, &why), FL_IO);
    assert_int_equal(fl_directory_make("", 0700, &why), FL_IO);
}

static void
every_error_has_its_status(void **state)
{
    (void)state;
    static const struct {
        int error;
        fl_status status;
    } table[] = {
        { ENOSPC, FL_FULL },   { EDQUOT, FL_FULL },  { EROFS, FL_DENIED },
        { EACCES, FL_DENIED }, { EPERM, FL_DENIED }, { ENOENT, FL_MISSING },
        { ENOMEM, FL_NOMEM },  { EMFILE, FL_IO },    { 9999, FL_IO },
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        assert_int_equal(fl_file_why(table[i].error, "/x", "read", &why), table[i].status);
        assert_non_null(strstr(why.text, "/x cannot be read"));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        unit_case(what_was_written_is_read_and_replaced, place_make, place_end),
        unit_case(a_name_without_a_directory_is_written_here, place_make, place_end),
        unit_case(a_read_is_bounded_and_says_what_is_wrong, place_make, place_end),
        unit_case(a_write_into_nowhere_leaves_nothing, place_make, place_end),
        unit_case(a_full_disk_keeps_the_old_file, place_make, place_end),
        unit_case(a_read_only_disk_is_named, place_make, place_end),
        unit_case(what_a_user_names_keeps_its_mode_and_its_link, place_make, place_end),
        unit_case(what_is_no_writable_file_is_left_alone_unless_forced, place_make, place_end),
        unit_case(killed_in_mid_write_the_old_file_stands, place_make, place_end),
        unit_case(a_sweep_takes_only_what_a_crash_left, place_make, place_end),
        unit_case(directories_are_made_with_their_parents, place_make, place_end),
        cmocka_unit_test(every_error_has_its_status),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
