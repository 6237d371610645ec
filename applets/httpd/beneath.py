"""Open a file beneath a directory and nowhere else, whatever links and races there are.

The kernel has openat2(2) with RESOLVE_BENEATH for this; here the path is walked name by name from open
directories, links are read and walked too, and one that leads out of the directory leads nowhere.
"""

from __future__ import annotations

import errno
import os
import stat

#: The most links on one path (the kernel's limit is 40).
LINKS = 16

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


def open_beneath(root: int, names: list[bytes]) -> tuple[int, os.stat_result]:
    """Open the regular file or directory that `names` lead to from the directory `root`, for reading.

    OSError: ENOENT, ENOTDIR and EACCES as open(2); EXDEV when a link leads out, ELOOP when there are too
    many links, EPERM when it is neither a file nor a directory.
    """
    # The directories from the root (not included) to where we are; `..` in a link goes back along them.
    held: list[int] = []
    todo = list(reversed(names))
    links = 0
    try:
        while todo:
            name = todo.pop()
            here = held[-1] if held else root
            if name in (b"", b"."):
                continue
            if name == b"..":
                if not held:
                    raise OSError(errno.EXDEV, "the path leads out of the directory")
                os.close(held.pop())
                continue
            status = os.stat(name, dir_fd=here, follow_symlinks=False)
            if stat.S_ISLNK(status.st_mode):
                links += 1
                if links > LINKS:
                    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
                target = os.readlink(name, dir_fd=here)
                if target.startswith(b"/"):
                    raise OSError(errno.EXDEV, "the path leads out of the directory")
                todo += reversed(target.split(b"/"))
            elif stat.S_ISDIR(status.st_mode):
                held.append(os.open(name, _DIRECTORY, dir_fd=here))
            elif not stat.S_ISREG(status.st_mode):
                raise OSError(errno.EPERM, "neither a file nor a directory")
            elif any(rest not in (b"", b".") for rest in todo):
                raise OSError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
            else:
                fd = os.open(name, _FILE, dir_fd=here)
                return _checked(fd)
        fd = held.pop() if held else os.open(b".", _DIRECTORY, dir_fd=root)
        return fd, os.fstat(fd)
    finally:
        for directory in held:
            os.close(directory)


def _checked(fd: int) -> tuple[int, os.stat_result]:
    """The file's status, now that it is open: the name may have changed its meaning in between."""
    status = os.fstat(fd)
    if not stat.S_ISREG(status.st_mode):
        os.close(fd)
        raise OSError(errno.EPERM, "neither a file nor a directory")
    return fd, status
