#include "common/net/context.h"

#include <czmq.h>

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>

enum { SOCKETS_MAX = 256, IO_THREADS_MAX = 64 };

//  libzmq draws from rand() where its routing ids begin and how long a reconnect waits, and never
//  seeds it. Unseeded, a peer that names itself by the next id makes ROUTER abort (seen with
//  4.3.4: `Assertion failed: ok (src/socket_base.cpp)`), and all devices of a fleet wait equally.
static bool
s_seed_libzmq(void)
{
    unsigned seed;
    if (getrandom(&seed, sizeof seed, 0) != (ssize_t)sizeof seed) {
        return false;
    }
    (srand)(seed); // in parentheses: banned for our own use, not for libzmq's
    return true;
}

fl_status
fl_net_open(unsigned io_threads, fl_why *why)
{
    if (io_threads < 1 || io_threads > IO_THREADS_MAX) {
        return fl_fail(FL_RANGE, why, "net: %u I/O threads asked for; choose 1 to %d", io_threads,
                       IO_THREADS_MAX);
    }
    if (!s_seed_libzmq()) {
        return fl_fail(FL_IO, why, "net: the system gives no random numbers: %s", strerror(errno));
    }
    zsys_handler_set(NULL); // before init, so that CZMQ never takes SIGINT and SIGTERM
    if (zsys_init() == NULL) {
        return fl_fail(FL_IO, why, "net: cannot make a ZeroMQ context: %s", strerror(errno));
    }
    if (!zsys_has_curve()) {
        return fl_fail(FL_MISSING, why,
                       "net: this libzmq has no CURVE; install one that is built with libsodium");
    }
    zsys_set_io_threads(io_threads);
    zsys_set_max_sockets(SOCKETS_MAX);
    return FL_OK;
}

void
fl_net_close(void)
{
    zsys_shutdown();
}

fl_status
fl_raise_nofile(uint64_t needed, uint64_t more, uint64_t *got, fl_why *why)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return fl_fail(FL_IO, why, "net: cannot read the limit of open files: %s", strerror(errno));
    }
    *got = more;
    if (limit.rlim_cur >= needed + more) {
        return FL_OK;
    }
    if (limit.rlim_max < needed) {
        return fl_fail(FL_RANGE, why,
                       "net: %" PRIu64 " open files are needed, the hard limit is %" PRIu64
                       ": raise it (ulimit -Hn, LimitNOFILE=) or lower 'seats'",
                       needed, (uint64_t)limit.rlim_max);
    }
    *got = limit.rlim_max - needed < more ? limit.rlim_max - needed : more;
    limit.rlim_cur = (rlim_t)(needed + *got);
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return fl_fail(FL_IO, why, "net: cannot raise the limit of open files to %" PRIu64 ": %s",
                       needed + *got, strerror(errno));
    }
    return FL_OK;
}
