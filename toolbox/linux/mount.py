"""Mounting, and what is mounted: mount(2), umount(2), proc_pid_mountinfo(5)."""

from __future__ import annotations

import os

from toolbox.linux.syscall import syscall

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

MS_RDONLY = 1 << 0
MS_NOSUID = 1 << 1
MS_NODEV = 1 << 2
MS_NOEXEC = 1 << 3
MS_SYNCHRONOUS = 1 << 4
MS_REMOUNT = 1 << 5
MS_MANDLOCK = 1 << 6
MS_DIRSYNC = 1 << 7
MS_NOSYMFOLLOW = 1 << 8
MS_NOATIME = 1 << 10
MS_NODIRATIME = 1 << 11
MS_BIND = 1 << 12
MS_MOVE = 1 << 13
MS_REC = 1 << 14
MS_SILENT = 1 << 15
MS_UNBINDABLE = 1 << 17
MS_PRIVATE = 1 << 18
MS_SLAVE = 1 << 19
MS_SHARED = 1 << 20
MS_RELATIME = 1 << 21
MS_STRICTATIME = 1 << 24
MS_LAZYTIME = 1 << 25

MNT_FORCE = 1
MNT_DETACH = 2
MNT_EXPIRE = 4
UMOUNT_NOFOLLOW = 8

#: mount(8)'s words: (bits to set, bits to clear).  `defaults` is rw,suid,dev,exec,async.
OPTIONS = {
    "defaults": (0, MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_SYNCHRONOUS),
    "ro": (MS_RDONLY, 0),
    "rw": (0, MS_RDONLY),
    "nosuid": (MS_NOSUID, 0),
    "suid": (0, MS_NOSUID),
    "nodev": (MS_NODEV, 0),
    "dev": (0, MS_NODEV),
    "noexec": (MS_NOEXEC, 0),
    "exec": (0, MS_NOEXEC),
    "sync": (MS_SYNCHRONOUS, 0),
    "async": (0, MS_SYNCHRONOUS),
    "dirsync": (MS_DIRSYNC, 0),
    "remount": (MS_REMOUNT, 0),
    "mand": (MS_MANDLOCK, 0),
    "nomand": (0, MS_MANDLOCK),
    "nosymfollow": (MS_NOSYMFOLLOW, 0),
    "noatime": (MS_NOATIME, MS_RELATIME | MS_STRICTATIME),
    "atime": (0, MS_NOATIME),
    "nodiratime": (MS_NODIRATIME, 0),
    "diratime": (0, MS_NODIRATIME),
    "relatime": (MS_RELATIME, MS_NOATIME | MS_STRICTATIME),
    "norelatime": (0, MS_RELATIME),
    "strictatime": (MS_STRICTATIME, MS_RELATIME | MS_NOATIME),
    "nostrictatime": (0, MS_STRICTATIME),
    "lazytime": (MS_LAZYTIME, 0),
    "nolazytime": (0, MS_LAZYTIME),
    "bind": (MS_BIND, 0),
    "rbind": (MS_BIND | MS_REC, 0),
    "move": (MS_MOVE, 0),
    "silent": (MS_SILENT, 0),
    "loud": (0, MS_SILENT),
    "private": (MS_PRIVATE, 0),
    "rprivate": (MS_PRIVATE | MS_REC, 0),
    "shared": (MS_SHARED, 0),
    "rshared": (MS_SHARED | MS_REC, 0),
    "slave": (MS_SLAVE, 0),
    "rslave": (MS_SLAVE | MS_REC, 0),
    "unbindable": (MS_UNBINDABLE, 0),
    "runbindable": (MS_UNBINDABLE | MS_REC, 0),
}


def mount(source: str, target: str, kind: str, flags: int = 0, data: str = "") -> None:
    """Mount `source` at `target` as a file system of type `kind` (mount(2)).  OSError names the target."""
    try:
        syscall("mount", source, target, kind or None, flags, data or None)
    except OSError as error:
        raise OSError(error.errno, error.strerror, target) from None


def knows(kind: str, option: str) -> bool:
    """Whether this kernel's file system `kind` has an option without a value ("usrquota" of tmpfs).

    Nothing is mounted, and what fsconfig(2) has to say of an option that it does not know stays with the
    descriptor; mount(2) would write it to the kernel's log, and so to the console.  False where that cannot be
    asked, before Linux 5.2 too.
    """
    set_flag, close_on_exec = 0, 1  # FSCONFIG_SET_FLAG, FSOPEN_CLOEXEC
    try:
        fd = syscall("fsopen", kind, close_on_exec)
    except OSError:
        return False
    try:
        syscall("fsconfig", fd, set_flag, option, None, 0)
    except OSError:
        return False
    finally:
        os.close(fd)
    return True


def umount(target: str, flags: int = 0) -> None:
    """Unmount what is at `target` (umount2(2)).  OSError names the target."""
    try:
        syscall("umount2", target, flags)
    except OSError as error:
        raise OSError(error.errno, error.strerror, target) from None


def parse_options(words: Iterable[str]) -> tuple[int, str]:
    """mount(8)'s option words -> (flags, the rest for the file system, joined by commas)."""
    flags = 0
    rest = []
    for word in words:
        if word in OPTIONS:
            set_bits, cleared = OPTIONS[word]
            flags = flags & ~cleared | set_bits
        elif word:
            rest.append(word)
    return flags, ",".join(rest)


class Mount:
    """A line of mountinfo: what is mounted where, as what.

    options: of the mount point      super_options: of the file system, which all its mounts share
    """

    __slots__ = (
        "device",
        "id",
        "kind",
        "options",
        "parent",
        "root",
        "source",
        "super_options",
        "target",
    )

    def __init__(self, line: bytes) -> None:
        before, _, after = line.partition(b" - ")
        words = before.split(b" ")
        kind, source, super_options = (*after.split(b" "), b"", b"")[:3]
        self.id = int(words[0])
        self.parent = int(words[1])
        self.device = words[2].decode()
        self.root = _unescape(words[3])
        self.target = _unescape(words[4])
        self.options = os.fsdecode(words[5])
        self.kind = os.fsdecode(kind)
        self.source = _unescape(source)
        self.super_options = os.fsdecode(super_options)

    @property
    def all_options(self) -> str:
        """Both kinds of options as mount(8) shows them: those of the file system only once."""
        own = self.options.split(",")
        return ",".join(
            [*own, *(o for o in self.super_options.split(",") if o and o not in [*own, "rw", "ro"])]
        )


def mounts(path: str = "/proc/self/mountinfo") -> list[Mount]:
    """All mounts in the order in which they were made.  OSError where there is no /proc."""
    with open(path, "rb") as file:
        return [Mount(line.rstrip(b"\n")) for line in file]


def _unescape(word: bytes) -> str:
    """The kernel writes blank, tab, line feed and backslash as three octal digits."""
    head, *parts = word.split(b"\\")
    decoded = head + b"".join(bytes([int(p[:3], 8)]) + p[3:] for p in parts)
    return os.fsdecode(decoded)
