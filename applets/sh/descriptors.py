"""The shell's own descriptors: at 10 or above, closed on exec, so that scripts may use 0 to 9 (XCU 2.7)."""

from __future__ import annotations

import fcntl
import os

FIRST_PRIVATE = 10


def private(fd: int) -> int:
    """Move a descriptor of the shell's own out of the way of scripts."""
    moved = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, FIRST_PRIVATE)
    os.close(fd)
    return moved
