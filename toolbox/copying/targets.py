"""The directories that a copy fills, and what stands in them."""

from __future__ import annotations

import errno
import os

#: Target directories that are kept open, whatever the depth.
_OPEN = 64

DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Targets:
    """The directories that are being filled, the innermost last; only the last ones are kept open."""

    def __init__(self) -> None:
        self.levels: list[tuple[tuple[int, int], bool]] = []
        self.fds: list[int] = []

    @property
    def fd(self) -> int:
        """The innermost one's descriptor."""
        return self.fds[-1]

    @property
    def key(self) -> tuple[int, int]:
        """The innermost one's device and inode."""
        return self.levels[-1][0]

    @property
    def depth(self) -> int:
        """How many there are."""
        return len(self.levels)

    def push(self, fd: int, made: bool) -> None:
        """Go into a directory."""
        self.levels.append((key_of(os.fstat(fd)), made))
        self.fds.append(fd)
        # The outermost one may have been reached by a symbolic link; `..` finds all others again.
        if len(self.fds) > _OPEN and self.fds[-_OPEN] >= 0:
            os.close(self.fds[-_OPEN])
            self.fds[-_OPEN] = -1

    def top(self) -> tuple[int, bool]:
        """The innermost one's descriptor, and whether it is new."""
        return self.fds[-1], self.levels[-1][1]

    def pop(self) -> None:
        """Go out of the innermost one."""
        fd = self.fds.pop()
        self.levels.pop()
        try:
            if self.fds and self.fds[-1] < 0:
                outer = os.open("..", DIRECTORY, dir_fd=fd)
                self.fds[-1] = outer
                if key_of(os.fstat(outer)) != self.key:
                    raise OSError(errno.ESTALE, "Directory was moved during the copy")
        finally:
            os.close(fd)

    def close(self) -> None:
        """Close whatever is open."""
        for fd in self.fds:
            if fd >= 0:
                os.close(fd)


def key_of(status: os.stat_result) -> tuple[int, int]:
    """What a file is known by: its device and inode."""
    return status.st_dev, status.st_ino


def status_of(name: str, fd: int | None, *, follow: bool) -> os.stat_result | None:
    """stat or lstat; None when there is nothing."""
    try:
        return os.stat(name, dir_fd=fd, follow_symlinks=follow)
    except FileNotFoundError:
        return None
