"""Backups of files that are about to be replaced: -b, --backup and --suffix of cp, ln, mv, install."""

from __future__ import annotations

import errno
import os

from toolbox.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from toolbox.options import Values

_KINDS = {
    "none": "none",
    "off": "none",
    "numbered": "numbered",
    "t": "numbered",
    "existing": "existing",
    "nil": "existing",
    "simple": "simple",
    "never": "simple",
}


class Backups:
    """How backups are made.  `wanted`: whether they are."""

    def __init__(self, kind: str = "none", suffix: str = "~") -> None:
        self.kind = kind
        self.suffix = suffix
        self.wanted = kind != "none"

    @classmethod
    def from_options(cls, opt: Values) -> Backups:
        """From the options b, backup and suffix, and $VERSION_CONTROL and $SIMPLE_BACKUP_SUFFIX."""
        suffix = opt.suffix or os.environ.get("SIMPLE_BACKUP_SUFFIX") or "~"
        if "/" in suffix:
            suffix = "~"  # a backup lies beside the file (GNU)
        if not (opt.b or opt.backup is not None or opt.suffix is not None):
            return cls("none", suffix)
        word = opt.backup or os.environ.get("VERSION_CONTROL") or "existing"
        if word not in _KINDS:
            raise UsageError(f"invalid argument {word!r} for backup type: {', '.join(_KINDS)}")
        return cls(_KINDS[word], suffix)

    def make(self, name: str, fd: int | None = None) -> str:
        """Rename a file (of the directory `fd`) out of the way; returns the new name.  OSError as rename(2)."""
        name = name.rstrip("/") or name
        while (kept := self._numbered(name, fd)) is not None:
            try:
                _rename_to_new(name, kept, fd)
                return kept
            except FileExistsError:
                pass  # somebody else took the number meanwhile
        kept = name + self.suffix
        os.rename(name, kept, src_dir_fd=fd, dst_dir_fd=fd)
        return kept

    def endangers(self, source: str, name: str) -> bool:
        """Whether the backup of the file `name` would take the place of `source`: as `cp --backup=simple a~ a`."""
        from toolbox.same_file import same_name

        name = name.rstrip("/") or name
        return self._numbered(name) is None and same_name(source, name + self.suffix)

    def name(self, name: str) -> str:
        """The name of the backup of a file."""
        return self._numbered(name) or name + self.suffix

    def _numbered(self, name: str, fd: int | None = None) -> str | None:
        """The name of a numbered backup; None when a simple one is to be made."""
        numbers = self._numbers(name, fd) if self.kind in ("numbered", "existing") else []
        if self.kind == "numbered" or numbers:
            return f"{name}.~{max(numbers, default=0) + 1}~"
        return None

    def _numbers(self, name: str, fd: int | None) -> list[int]:
        start = os.path.basename(name) + ".~"
        names = os.listdir(os.path.dirname(name) or "." if fd is None else fd)
        return [
            int(number)
            for other in names
            if other.startswith(start)
            and other.endswith("~")
            and (number := other[len(start) : -1]).isdecimal()
            and number.isascii()
            and len(number) < _DIGITS
        ]


#: Longer numbers are no backups' (NAME_MAX ends them anyway).
_DIGITS = 200

#: renameat2(2): an existing file is an error.
_RENAME_NOREPLACE = 1
_AT_FDCWD = -100


def _rename_to_new(name: str, kept: str, fd: int | None) -> None:
    """rename(2) that replaces nothing, where the kernel and the file system have it."""
    from toolbox.linux.syscall import syscall

    folder = _AT_FDCWD if fd is None else fd
    try:
        syscall("renameat2", folder, name, folder, kept, _RENAME_NOREPLACE)
    except OSError as error:
        if error.errno not in (errno.ENOSYS, errno.EINVAL):
            raise
        os.rename(name, kept, src_dir_fd=fd, dst_dir_fd=fd)
