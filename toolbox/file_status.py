"""The fields of stat(1): one letter each for a file, and for a file system."""

from __future__ import annotations

import os
import re
import stat
import time

from toolbox.errors import UsageError
from toolbox.options import too_wide

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_DIRECTIVE = re.compile(r"%([-+ #0']*)(\d*)(?:\.(\d*))?([HL]?[A-Za-z%])", re.ASCII)
_ESCAPE = re.compile(r"\\([0-7]{1,3}|x[0-9A-Fa-f]{1,2}|.)", re.DOTALL)
_ESCAPES = {
    "a": "\a",
    "b": "\b",
    "e": "\x1b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "v": "\v",
    "\\": "\\",
    '"': '"',
}

_KINDS = {
    stat.S_IFBLK: "block special file",
    stat.S_IFCHR: "character special file",
    stat.S_IFDIR: "directory",
    stat.S_IFREG: "regular file",
    stat.S_IFLNK: "symbolic link",
    stat.S_IFIFO: "fifo",
    stat.S_IFSOCK: "socket",
}

#: f_type of statfs(2) by the name that /proc/mounts has, and the name that GNU stat shows.
_MAGIC = {
    "ext2": (0xEF53, "ext2/ext3"),
    "ext3": (0xEF53, "ext2/ext3"),
    "ext4": (0xEF53, "ext2/ext3"),
    "tmpfs": (0x01021994, "tmpfs"),
    "devtmpfs": (0x01021994, "tmpfs"),
    "ramfs": (0x858458F6, "ramfs"),
    "rootfs": (0x858458F6, "ramfs"),
    "proc": (0x9FA0, "proc"),
    "sysfs": (0x62656572, "sysfs"),
    "squashfs": (0x73717368, "squashfs"),
    "overlay": (0x794C7630, "overlayfs"),
    "vfat": (0x4D44, "msdos"),
    "xfs": (0x58465342, "xfs"),
    "btrfs": (0x9123683E, "btrfs"),
    "cgroup2": (0x63677270, "cgroup2fs"),
    "devpts": (0x1CD1, "devpts"),
    "nfs": (0x6969, "nfs"),
    "nfs4": (0x6969, "nfs"),
    "9p": (0x01021997, "v9fs"),
    "erofs": (0xE0F5E1E2, "erofs"),
    "f2fs": (0xF2F52010, "f2fs"),
    "iso9660": (0x9660, "isofs"),
    "fuse": (0x65735546, "fuseblk"),
    "mqueue": (0x19800202, "mqueue"),
    "debugfs": (0x64626720, "debugfs"),
    "tracefs": (0x74726163, "tracefs"),
    "securityfs": (0x73636673, "securityfs"),
}


class FileStatus:
    """What %LETTER shows of a file.  OSError as stat(2)."""

    def __init__(self, name: str, *, follow: bool) -> None:
        from toolbox.users import Names

        self.name = name
        self.follow = follow
        if name == "-":
            self.status = os.fstat(0)
        else:
            self.status = os.stat(name, follow_symlinks=follow)
        self.names = Names()

    def field(self, letter: str) -> str | int | None:
        """The value: int for numbers in decimal, None when there is no such letter."""
        s = self.status
        simple: dict[str, str | int] = {
            "a": f"{s.st_mode & 0o7777:o}",
            "A": stat.filemode(s.st_mode),
            "b": s.st_blocks,
            "B": 512,
            "d": s.st_dev,
            "D": f"{s.st_dev:x}",
            "Hd": os.major(s.st_dev),
            "Ld": os.minor(s.st_dev),
            "f": f"{s.st_mode:x}",
            "g": s.st_gid,
            "h": s.st_nlink,
            "i": s.st_ino,
            "n": self.name,
            "o": s.st_blksize,
            "r": s.st_rdev,
            "R": f"{s.st_rdev:x}",
            "Hr": os.major(s.st_rdev),
            "Lr": os.minor(s.st_rdev),
            "s": s.st_size,
            "t": f"{os.major(s.st_rdev):x}",
            "T": f"{os.minor(s.st_rdev):x}",
            "u": s.st_uid,
            "C": "?",
        }
        if letter in simple:
            return simple[letter]
        if letter == "F":
            kind = _KINDS.get(stat.S_IFMT(s.st_mode), "weird file")
            return "regular empty file" if kind == "regular file" and not s.st_size else kind
        if letter == "G":
            return self.names.group(s.st_gid)
        if letter == "U":
            return self.names.user(s.st_uid)
        if letter == "m":
            return mount_point(self.name)
        if letter == "N":
            return self._quoted("shell-escape-always")
        if letter == "LN":  # as in the usual format: quoted only where it must be
            return self._quoted("shell-escape")
        return self._time(letter)

    def _quoted(self, style: str) -> str:
        from toolbox.quoting import quote

        text = quote(self.name, style) if self.name != "-" else "-"
        if stat.S_ISLNK(self.status.st_mode):
            text += " -> " + quote(os.readlink(self.name), style)
        return text

    def _time(self, letter: str) -> str | None:
        s = self.status
        times = {"x": s.st_atime_ns, "y": s.st_mtime_ns, "z": s.st_ctime_ns}
        if letter in ("w", "W"):
            from toolbox.linux.statx import birth

            born = birth(0 if self.name == "-" else self.name, follow=self.follow)
            if not born:
                return "-" if letter == "w" else "0"
            seconds, fraction = born
        elif letter.lower() in times:
            seconds, fraction = divmod(times[letter.lower()], 1_000_000_000)
        else:
            return None
        if letter.isupper():
            return f"{seconds}.{fraction:09d}"
        at = time.localtime(seconds)
        return time.strftime(f"%Y-%m-%d %H:%M:%S.{fraction:09d} %z", at)


class FileSystemStatus:
    """What %LETTER shows of the file system that a file is on.  OSError as statvfs(3)."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.status = os.statvfs(name)

    def field(self, letter: str) -> str | int | None:
        """The value: int for numbers in decimal, None when there is no such letter."""
        s = self.status
        values: dict[str, str | int] = {
            "a": s.f_bavail,
            "b": s.f_blocks,
            "c": s.f_files,
            "d": s.f_ffree,
            "f": s.f_bfree,
            "i": f"{((s.f_fsid & 0xFFFFFFFF) << 32) | (s.f_fsid >> 32):x}",
            "l": s.f_namemax,
            "n": self.name,
            "s": s.f_bsize,
            "S": s.f_frsize,
        }
        if letter in values:
            return values[letter]
        if letter in ("t", "T"):
            from toolbox.mount_points import mount_of

            mount = mount_of(self.name)
            kind = mount.kind if mount else "UNKNOWN"
            magic, shown = _MAGIC.get(kind, (0, kind))
            return f"{magic:x}" if letter == "t" else shown
        return None


def mount_point(name: str) -> str:
    """The directory where the file system of a file is mounted."""
    from toolbox.mount_points import mount_of

    found = mount_of(name)
    return found.target if found else "?"


def compile_format(form: str, *, escapes: bool) -> Callable[[FileStatus | FileSystemStatus], str]:
    """A function that fills in a format; `escapes`: backslashes are understood (--printf)."""

    def render(fields: FileStatus | FileSystemStatus) -> str:
        out = []
        at = 0
        for found in _DIRECTIVE.finditer(form):
            out.append(_text(form[at : found.start()], escapes))
            out.append(_filled(found, fields))
            at = found.end()
        out.append(_text(form[at:], escapes))
        return "".join(out)

    return render


def _text(text: str, escapes: bool) -> str:
    if not escapes or "\\" not in text:
        return text

    def replace(found: re.Match[str]) -> str:
        c = found[1]
        if c[0] in "01234567":
            return os.fsdecode(bytes((int(c, 8) & 0xFF,)))
        if c[0] == "x" and len(c) > 1:
            return os.fsdecode(bytes((int(c[1:], 16),)))
        return _ESCAPES.get(c, "\\" + c)

    return _ESCAPE.sub(replace, text)


def _filled(found: re.Match[str], fields: FileStatus | FileSystemStatus) -> str:
    flags, width, precision, letter = found.groups()
    if letter == "%":
        return "%"
    if too_wide(found[0]):
        raise UsageError(f"field too wide: {found[0]!r}")
    value = fields.field(letter)
    if value is None:
        value = fields.field(letter[-1]) if len(letter) > 1 else None
        if value is None:
            if len(letter) > 1:
                raise UsageError(f"invalid directive '%{letter}'")
            return "?"
    text = str(value)
    if isinstance(value, int) and "'" in flags:
        flags = flags.replace("'", "")
    if letter in ("X", "Y", "Z", "W"):
        # Whole seconds, unless digits of the fraction are asked for.
        whole, _, fraction = text.partition(".")
        digits = None if precision is None else int(precision or 9)
        text = f"{whole}.{fraction.ljust(9, '0')[:digits]}" if digits else whole
    elif precision and not isinstance(value, int):
        text = text[: int(precision)]
    if "#" in flags and letter == "a":
        text = "0" + text
    elif "#" in flags and letter in ("f", "D", "t", "T", "R"):
        text = "0x" + text
    if "+" in flags and isinstance(value, int):
        text = "+" + text
    wide = int(width or 0)
    if "-" in flags:
        return text.ljust(wide)
    return text.rjust(wide, "0" if "0" in flags else " ")
