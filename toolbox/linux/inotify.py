"""Changes of files, told by the kernel: inotify(7).

    watches = Watches()
    watches.add("/var/log", IN_CREATE | IN_MOVED_TO)
    poll.register(watches.fd, select.POLLIN)
    ...
    watches.drain()       # something has changed; what it is must be looked up

The events themselves are not told: they may be lost when there are too many (IN_Q_OVERFLOW), so whoever wakes looks
at everything anyway.
"""

from __future__ import annotations

import os

from toolbox.linux.syscall import syscall

#: <linux/inotify.h>
IN_MODIFY = 0x0002
IN_ATTRIB = 0x0004
IN_MOVED_FROM = 0x0040
IN_MOVED_TO = 0x0080
IN_CREATE = 0x0100
IN_DELETE = 0x0200
IN_DELETE_SELF = 0x0400
IN_MOVE_SELF = 0x0800
_IN_MASK_ADD = 0x20000000
_IN_NONBLOCK = os.O_NONBLOCK
_IN_CLOEXEC = os.O_CLOEXEC

#: statfs(2): file systems whose every change goes through this kernel, so that inotify sees it.
_LOCAL = {
    0xEF53,  # ext2, ext3, ext4
    0x01021994,  # tmpfs
    0x858458F6,  # ramfs
    0x58465342,  # xfs
    0x9123683E,  # btrfs
    0xF2F52010,  # f2fs
    0x2FC12FC1,  # zfs
    0x4D44,  # vfat
    0x2011BAB0,  # exfat
    0x73717368,  # squashfs
}


class Watches:
    """An inotify instance.  `fd` is readable when something watched has changed."""

    def __init__(self) -> None:
        """OSError when there is no inotify, or no more of it for this user."""
        self.fd = syscall("inotify_init1", _IN_NONBLOCK | _IN_CLOEXEC)

    def add(self, path: str, events: int) -> None:
        """Watch a file or directory for more `events`.  OSError as inotify_add_watch(2)."""
        syscall("inotify_add_watch", self.fd, path, events | _IN_MASK_ADD)

    def drain(self) -> None:
        """Take all events that are there."""
        try:
            while os.read(self.fd, 1 << 16):
                pass
        except BlockingIOError:
            pass

    def close(self) -> None:
        """Give the instance back."""
        os.close(self.fd)


def sees_all(fd: int) -> bool:
    """Whether inotify is told of each change of an open file: not where other machines or daemons make them.

    False when the file system is not known to be local: nfs, fuse, overlay, proc.
    """
    buffer = bytearray(256)  # struct statfs: f_type comes first, and is a long
    try:
        syscall("fstatfs", fd, buffer)
    except OSError:
        return False
    return int.from_bytes(buffer[:4], "little") in _LOCAL
