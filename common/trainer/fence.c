//  Three processes: the fence, which holds the leash; below it the first of the command's own
//  world, which buries what is orphaned there and, as it ends, ends that world; below that the
//  command.
#include "common/trainer/fence.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    UNUSABLE = 126,
    BY_SIGNAL = 256,
    CAPABILITIES = 64,
    SHARED_MAX = 1 << 30,
    STEP_MS = 20,
    LEAVE_STEPS = 10, // for what ends by itself when the command has ended
};

typedef struct fence {
    const char *directory, *from, *hidden, *command;
    fl_network network;
    uint64_t memory, file;
    bool stays;
    unsigned holds; // fl_fences
} fence;

//  Of the first process of the world: for its handler, and what that was told last.
static pid_t command_pid;
static volatile sig_atomic_t told;

bool
fl_fence_asked(int argc, char **argv)
{
    return argc == FL_FENCE_WORDS && strcmp(argv[0], FL_FENCE_NAME) == 0;
}

// ---- a world of its own -----------------------------------------------------------------------
static bool
s_write(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool written = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    return fd >= 0 && close(fd) == 0 && written;
}

//  The same user inside as outside.
static bool
s_map(uid_t user, gid_t group)
{
    char users[64], groups[64];
    (void)snprintf(users, sizeof users, "%u %u 1", user, user);
    (void)snprintf(groups, sizeof groups, "%u %u 1", group, group);
    return s_write("/proc/self/setgroups", "deny") && s_write("/proc/self/uid_map", users) &&
           s_write("/proc/self/gid_map", groups);
}

static void
s_loopback(void)
{
    struct ifreq lo = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd >= 0) {
        (void)ioctl(fd, SIOCSIFFLAGS, &lo);
        (void)close(fd);
    }
}

//  `path` and its parents, which stand below a directory that is empty now.
static void
s_make(const char *path)
{
    char part[PATH_MAX];
    for (size_t i = 1; path[i - 1] != '\0' && i < sizeof part; i++) {
        if (path[i] == '/' || path[i] == '\0') {
            (void)snprintf(part, sizeof part, "%.*s", (int)i, path);
            (void)mkdir(part, 0700);
        }
    }
}

static bool
s_writable(const char *path, bool writable, bool below)
{
    const struct mount_attr attr = { .attr_set = writable ? 0 : MOUNT_ATTR_RDONLY,
                                     .attr_clr = writable ? MOUNT_ATTR_RDONLY : 0 };
    return syscall(SYS_mount_setattr, AT_FDCWD, path, below ? AT_RECURSIVE : 0, &attr,
                   sizeof attr) == 0;
}

//  Everything can be read but what is hidden, and nothing written but its own directory.
static bool
s_files(const fence *self)
{
    char own[32], shared[32];
    int fd = open(self->directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
    (void)snprintf(own, sizeof own, "/proc/self/fd/%d", fd);
    (void)snprintf(shared, sizeof shared, "size=%d", SHARED_MAX);
    if (fd < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        !s_writable("/", false, true)) {
        return false;
    }
    if (self->hidden[0] != '\0') {
        if (mount("tmpfs", self->hidden, "tmpfs", MS_NOSUID | MS_NODEV, "size=64k") != 0) {
            return false;
        }
        s_make(self->directory);
    }
    bool made = mount(own, self->directory, NULL, MS_BIND, NULL) == 0 &&
                s_writable(self->directory, true, false) &&
                (self->hidden[0] == '\0' || s_writable(self->hidden, false, false));
    (void)mount("tmpfs", "/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, shared);
    (void)close(fd);
    return made;
}

static void
s_part(fence *self)
{
    const bool world = self->network == FL_NETWORK_WORLD;
    const uid_t user = getuid();
    const gid_t group = getgid();
    if (unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC |
                (world ? 0 : CLONE_NEWNET)) != 0) {
        return;
    }
    self->holds = FL_FENCE_PROCESSES | (world ? 0 : FL_FENCE_NETWORK);
    if (s_map(user, group) && s_files(self)) {
        self->holds |= FL_FENCE_FILES;
    }
    if (!world) {
        s_loopback();
    }
}

// ---- where there is none ----------------------------------------------------------------------
#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#else
#define ARCHITECTURE 0
#endif
#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define ANSWER(error) BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (error))

//  No socket but those of one machine, and no second way to one.
static bool
s_no_network(void)
{
    struct sock_filter steps[] = {
        LOAD(arch),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0),
        ANSWER(ENOSYS),
        LOAD(nr),
        BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 0x40000000, 0, 1), // x32
        ANSWER(ENOSYS),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
        ANSWER(ENOSYS),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 0, 2), // to ALLOW
        LOAD(args[0]),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_UNIX, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        ANSWER(EACCES),
    };
    const struct sock_fprog program = { .len = sizeof steps / sizeof *steps, .filter = steps };
    return ARCHITECTURE != 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

// ---- the command ------------------------------------------------------------------------------
static void
s_limit(int what, uint64_t most)
{
    const struct rlimit limit = { .rlim_cur = most, .rlim_max = most };
    (void)setrlimit((__rlimit_resource_t)what, &limit);
}

//  Nothing of the world's first user is left, whatever it starts.
static void
s_drop(void)
{
    struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
    const struct __user_cap_data_struct none[2] = { { 0 } };
    for (unsigned long i = 0; i < CAPABILITIES; i++) {
        (void)prctl(PR_CAPBSET_DROP, i, 0, 0, 0);
    }
    (void)syscall(SYS_capset, &head, none);
}

_Noreturn static void
s_command(const fence *self)
{
    (void)setpgid(0, 0);
    s_limit(RLIMIT_CORE, 0);
    s_limit(RLIMIT_FSIZE, self->file);
    if (self->memory > 0) {
        s_limit(RLIMIT_DATA, self->memory);
    }
    s_drop();
    bool shut = self->network == FL_NETWORK_WORLD || (self->holds & FL_FENCE_NETWORK) != 0;
    if (chdir(self->from) != 0 || (!shut && !s_no_network())) {
        (void)dprintf(STDERR_FILENO, "%s cannot be entered, or the network not be shut\n",
                      self->from);
        _exit(UNUSABLE);
    }
    (void)syscall(SYS_close_range, FL_FENCE_LEASH, self->stays ? FL_FENCE_WORD : ~0U, 0);
    (void)execl("/bin/sh", "sh", "-c", self->command, (char *)NULL);
    _exit(UNUSABLE);
}

static void
s_pass_on(int number)
{
    told = number;
    if (command_pid > 0) {
        (void)kill(-command_pid, number == SIGUSR1 ? SIGKILL : SIGTERM);
    }
}

//  Who is still there when the command has ended; whose parent ends belongs to us.
static bool
s_left(void)
{
    int status;
    for (int i = 0; i < LEAVE_STEPS; i++) {
        pid_t one;
        while ((one = waitpid(-1, &status, WNOHANG)) > 0) {
        }
        if (one < 0) {
            return false;
        }
        (void)poll(NULL, 0, STEP_MS);
    }
    return true;
}

//  A child of ours; 0: there is none.
static pid_t
s_child(void)
{
    char path[64];
    long child = 0;
    (void)snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
    FILE *list = fopen(path, "re");
    if (list != NULL) {
        child = fscanf(list, "%ld", &child) == 1 ? child : 0;
        (void)fclose(list);
    }
    return (pid_t)child;
}

static void
s_sweep(bool alone)
{
    int status;
    pid_t child;
    if (alone) {
        (void)kill(-1, SIGKILL);
        while (waitpid(-1, &status, 0) > 0) {
        }
        return;
    }
    while ((child = s_child()) > 0) {
        (void)kill(child, SIGKILL);
        (void)waitpid(child, &status, 0);
    }
}

//  The first of the command's world. Its own exit code says nothing.
_Noreturn static void
s_first(const fence *self)
{
    const struct sigaction act = { .sa_handler = s_pass_on, .sa_flags = SA_RESTART };
    sigset_t none;
    int status = 0;
    (void)sigemptyset(&none);
    (void)sigaction(SIGTERM, &act, NULL);
    (void)sigaction(SIGUSR1, &act, NULL);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1);
    const bool alone = (self->holds & FL_FENCE_PROCESSES) != 0;
    if (alone) { // which hides those of others; where a kernel will not, they are seen
        (void)mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
    }
    command_pid = fork();
    if (command_pid == 0) {
        (void)signal(SIGTERM, SIG_DFL);
        (void)signal(SIGUSR1, SIG_DFL);
        (void)signal(SIGPIPE, SIG_DFL);
        (void)sigprocmask(SIG_SETMASK, &none, NULL);
        s_command(self);
    }
    (void)setpgid(command_pid, command_pid);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    pid_t ended = 0;
    while (command_pid > 0 && ended != command_pid) {
        ended = waitpid(-1, &status, 0);
    }
    bool left = s_left();
    while (left && told == SIGTERM) { // they have the time that the command had
        left = s_left();
    }
    s_sweep(alone);
    const int code = command_pid <= 0      ? UNUSABLE
                     : WIFSIGNALED(status) ? BY_SIGNAL + WTERMSIG(status)
                                           : WEXITSTATUS(status);
    (void)dprintf(FL_FENCE_WORD, "end %d %d\n", code, left);
    _exit(0);
}

//  Until the world has ended.
static void
s_hold(pid_t world)
{
    const int end = (int)syscall(SYS_pidfd_open, world, 0); // -1: it is looked for
    struct pollfd from[] = { { .fd = FL_FENCE_LEASH, .events = POLLIN },
                             { .fd = end, .events = POLLIN } };
    int status;
    while (waitpid(world, &status, WNOHANG) == 0) {
        char order = FL_LEASH_KILL;
        if (poll(from, 2, end < 0 ? STEP_MS : -1) > 0 && from[0].revents != 0) {
            bool said = read(FL_FENCE_LEASH, &order, 1) == 1;
            (void)kill(world, order == FL_LEASH_TERM ? SIGTERM : SIGUSR1);
            from[0].fd = said ? from[0].fd : -1;
        }
    }
}

void
fl_fence_main(char **argv)
{
    fence self = { .directory = argv[1],
                   .from = argv[2],
                   .hidden = argv[3],
                   .network =
                       strcmp(argv[4], "world") == 0 ? FL_NETWORK_WORLD : FL_NETWORK_LOOPBACK,
                   .memory = strtoull(argv[5], NULL, 10),
                   .file = strtoull(argv[6], NULL, 10),
                   .command = argv[7],
                   .stays = strcmp(argv[8], "stays") == 0 };
    sigset_t orders;
    (void)sigemptyset(&orders); // they wait until there is somebody to give them to
    (void)sigaddset(&orders, SIGTERM);
    (void)sigaddset(&orders, SIGUSR1);
    (void)sigprocmask(SIG_SETMASK, &orders, NULL);
    (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    (void)setsid();
    (void)signal(SIGPIPE, SIG_IGN);
    s_part(&self);
    const bool filtered = self.network != FL_NETWORK_WORLD && ARCHITECTURE != 0;
    (void)dprintf(FL_FENCE_WORD, "fences %u\n", self.holds | (filtered ? FL_FENCE_NETWORK : 0U));
    pid_t world = fork();
    if (world == 0) {
        s_first(&self);
    }
    if (world > 0) {
        s_hold(world);
    }
    _exit(world > 0 ? 0 : UNUSABLE);
}
