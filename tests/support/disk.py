"""disk - a small disk of a test's own, and how it gets full."""
import contextlib
import os

from fabric import Skip, run


@contextlib.contextmanager
def small_disk(directory, size):
    """A disk of that size at this directory; the path of a file for `fill`."""
    os.makedirs(directory, exist_ok=True)
    if os.geteuid() != 0 or run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=0700", "tmpfs",
                                 directory])[0] != 0:
        raise Skip("needs to be root and allowed to mount: a small disk of its own")
    try:
        yield os.path.join(directory, "ballast")
    finally:
        run(["umount", "-l", directory])


def fill(ballast, leave=0):
    """Nothing but `leave` bytes is free afterwards."""
    about = os.statvfs(os.path.dirname(ballast))
    wanted = about.f_bavail * about.f_frsize - leave
    with open(ballast, "wb", buffering=0) as file:
        with contextlib.suppress(OSError):
            for _ in range(wanted // 4096 + (2 if leave == 0 else 0)):
                file.write(bytes(4096))
