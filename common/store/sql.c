#include "common/store/sql.h"

#include <sqlite3.h>

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/store/file.h"

enum { PATH_SHOWN = 256, APPLICATION = 0x544c4c47, BUSY_MS = 2000 }; // "TLLG"

struct fl_sql {
    sqlite3 *base;
    char path[PATH_SHOWN];
};

//  What SQLite answered as a status and a line.
static fl_status
s_why(const fl_sql *self, int code, fl_why *why)
{
    const char *said = sqlite3_errmsg(self->base);
    switch (code & 0xff) {
    case SQLITE_OK:
        return FL_OK;
    case SQLITE_FULL:
        return fl_file_why(ENOSPC, self->path, "written", why);
    case SQLITE_NOMEM:
        return fl_file_why(ENOMEM, self->path, "used", why);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return fl_fail(FL_MALFORMED, why,
                       "%s is damaged or no ledger (%s); restore it from a copy, or move it away "
                       "to start anew",
                       self->path, said);
    case SQLITE_CONSTRAINT:
        return fl_fail(FL_EXISTS, why, "%s: that is recorded already (%s)", self->path, said);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return fl_fail(FL_BUSY, why, "%s is held by another program; close it", self->path);
    case SQLITE_READONLY:
    case SQLITE_PERM:
        return fl_fail(FL_DENIED, why,
                       "%s cannot be written (%s); check its owner, its mode and its disk",
                       self->path, said);
    case SQLITE_CANTOPEN:
        return fl_fail(FL_IO, why,
                       "%s cannot be opened (%s); check its directory and the limit of "
                       "descriptors",
                       self->path, said);
    default:
        return fl_fail(FL_IO, why, "%s: %s (SQLite %d)", self->path, said, code);
    }
}

static fl_status
s_execute(fl_sql *self, const char *text, fl_why *why)
{
    return s_why(self, sqlite3_exec(self->base, text, NULL, NULL, NULL), why);
}

static fl_status
s_pragma_u64(fl_sql *self, const char *text, uint64_t *value, fl_why *why)
{
    fl_query query = fl_query_of(self, text);
    *value = fl_query_next(&query) ? fl_query_take_u64(&query) : 0;
    return fl_query_end(&query, why);
}

static fl_status
s_climb(fl_sql *self, uint64_t found, const fl_sql_step *steps, uint32_t count, fl_why *why)
{
    const uint32_t version = steps[count - 1].to;
    while (found < version) {
        uint64_t next = found;
        for (uint32_t i = 0; i < count; i++) {
            if (steps[i].from == found) {
                FL_TRY(s_execute(self, steps[i].text, why));
                next = steps[i].to;
            }
        }
        if (next == found) {
            return fl_fail(FL_MISMATCH, why,
                           "%s is of version %llu, this program writes %u: finish its run with the "
                           "older program, or name another state directory",
                           self->path, (unsigned long long)found, version);
        }
        found = next;
    }
    char marks[96];
    (void)snprintf(marks, sizeof marks, "PRAGMA application_id=%d; PRAGMA user_version=%u",
                   APPLICATION, version);
    return s_execute(self, marks, why);
}

//  A database must be of ours and not newer; an older one is brought up.
static fl_status
s_prepare(fl_sql *self, const fl_sql_step *steps, uint32_t count, fl_why *why)
{
    const uint32_t version = steps[count - 1].to;
    uint64_t application = 0, found = 0, tables = 0;
    FL_TRY(s_pragma_u64(self, "PRAGMA application_id", &application, why));
    FL_TRY(s_pragma_u64(self, "PRAGMA user_version", &found, why));
    FL_TRY(s_pragma_u64(self, "SELECT count(*) FROM sqlite_schema", &tables, why));
    if (tables > 0 && application != APPLICATION) {
        return fl_fail(FL_MALFORMED, why,
                       "%s is a database of another program; choose another path", self->path);
    }
    if (found > version) {
        return fl_fail(FL_MISMATCH, why,
                       "%s is of version %llu, this program knows up to %u; use the newer program",
                       self->path, (unsigned long long)found, version);
    }
    if (found == version) {
        return FL_OK;
    }
    FL_TRY(fl_sql_begin(self, why));
    return fl_sql_end(self, s_climb(self, found, steps, count, why), why);
}

//  SQLite would make the file with the mode of the umask; it names nodes, so 0600 it is.
static fl_status
s_touch(const char *path, fl_why *why)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return fl_file_why(errno, path, "opened", why);
    }
    (void)close(fd);
    return FL_OK;
}

fl_status
fl_sql_open(const char *path, const fl_sql_step *steps, uint32_t count, fl_sql **sql, fl_why *why)
{
    *sql = NULL;
    fl_status status = s_touch(path, why);
    if (status != FL_OK) {
        return status;
    }
    fl_sql *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return fl_file_why(ENOMEM, path, "opened", why);
    }
    (void)snprintf(self->path, sizeof self->path, "%s", path);
    int how = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX;
    int code = sqlite3_open_v2(path, &self->base, how, NULL);
    if (self->base == NULL) {
        status = fl_file_why(ENOMEM, path, "opened", why);
    } else if (code != SQLITE_OK) {
        status = s_why(self, code, why);
    } else {
        (void)sqlite3_busy_timeout(self->base, BUSY_MS);
        status = s_execute(self,
                           "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
                           "PRAGMA foreign_keys=ON; PRAGMA trusted_schema=OFF",
                           why);
    }
    FL_THEN(status, s_prepare(self, steps, count, why));
    if (status != FL_OK) {
        fl_sql_close(&self);
    }
    *sql = self;
    return status;
}

void
fl_sql_close(fl_sql **self_p)
{
    if (*self_p != NULL) {
        int code = sqlite3_close((*self_p)->base);
        FL_ASSERT(code == SQLITE_OK); // else a statement was not ended
    }
    free(*self_p);
    *self_p = NULL;
}

fl_status
fl_sql_begin(fl_sql *self, fl_why *why)
{
    return s_execute(self, "BEGIN IMMEDIATE", why);
}

fl_status
fl_sql_end(fl_sql *self, fl_status status, fl_why *why)
{
    FL_THEN(status, s_execute(self, "COMMIT", why));
    if (status != FL_OK && sqlite3_get_autocommit(self->base) == 0) {
        (void)sqlite3_exec(self->base, "ROLLBACK", NULL, NULL, NULL);
    }
    return status;
}

fl_query
fl_query_of(fl_sql *sql, const char *text)
{
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(sql->base, text, -1, &statement, NULL);
    return (fl_query){ .sql = sql, .statement = statement, .code = code };
}

static void
s_note(fl_query *self, int code)
{
    if (self->code == SQLITE_OK) {
        self->code = code;
    }
}

void
fl_query_u64(fl_query *self, uint64_t value)
{
    //  SQLite has signed numbers only; the bits come back as they went.
    s_note(self, sqlite3_bind_int64(self->statement, ++self->bound, (sqlite3_int64)value));
}

void
fl_query_null(fl_query *self)
{
    s_note(self, sqlite3_bind_null(self->statement, ++self->bound));
}

void
fl_query_real(fl_query *self, double value)
{
    if (isnan(value)) {
        fl_query_null(self);
    } else {
        s_note(self, sqlite3_bind_double(self->statement, ++self->bound, value));
    }
}

void
fl_query_text(fl_query *self, fl_bytes text)
{
    const char *data = text.size == 0 ? "" : (const char *)text.data;
    s_note(self, sqlite3_bind_text64(self->statement, ++self->bound, data, text.size,
                                     SQLITE_TRANSIENT, SQLITE_UTF8));
}

void
fl_query_blob(fl_query *self, const void *data, size_t size)
{
    s_note(self, sqlite3_bind_blob64(self->statement, ++self->bound, size == 0 ? "" : data, size,
                                     SQLITE_TRANSIENT));
}

bool
fl_query_next(fl_query *self)
{
    self->column = 0;
    if (self->code != SQLITE_OK) {
        return false;
    }
    int code = sqlite3_step(self->statement);
    if (code != SQLITE_ROW && code != SQLITE_DONE) {
        s_note(self, code);
    }
    return code == SQLITE_ROW;
}

uint64_t
fl_query_take_u64(fl_query *self)
{
    return (uint64_t)sqlite3_column_int64(self->statement, self->column++);
}

double
fl_query_take_real(fl_query *self)
{
    bool null = fl_query_take_null(self);
    double value = sqlite3_column_double(self->statement, self->column++);
    return null ? (double)NAN : value;
}

bool
fl_query_take_null(fl_query *self)
{
    return sqlite3_column_type(self->statement, self->column) == SQLITE_NULL;
}

size_t
fl_query_take_blob(fl_query *self, void *to, size_t size)
{
    const void *data = sqlite3_column_blob(self->statement, self->column);
    size_t stored = (size_t)sqlite3_column_bytes(self->statement, self->column++);
    size_t taken = stored < size ? stored : size;
    memset(to, 0, size);
    if (taken > 0) {
        memcpy(to, data, taken);
    }
    return stored;
}

fl_blob *
fl_query_take_copy(fl_query *self)
{
    const void *data = sqlite3_column_blob(self->statement, self->column);
    size_t size = (size_t)sqlite3_column_bytes(self->statement, self->column++);
    fl_blob *copy = fl_blob_copy(fl_bytes_of(data, size));
    s_note(self, copy == NULL ? SQLITE_NOMEM : SQLITE_OK);
    return copy;
}

fl_status
fl_query_end(fl_query *self, fl_why *why)
{
    fl_status status = s_why(self->sql, self->code, why);
    (void)sqlite3_finalize(self->statement);
    self->statement = NULL;
    return status;
}

fl_status
fl_query_run(fl_query *self, fl_why *why)
{
    bool row = fl_query_next(self);
    FL_ASSERT(!row);
    return fl_query_end(self, why);
}

void
fl_query_reset(fl_query *self)
{
    (void)sqlite3_reset(self->statement);
    self->bound = 0;
}

uint64_t
fl_sql_changes(const fl_sql *self)
{
    return (uint64_t)sqlite3_changes64(self->base);
}
