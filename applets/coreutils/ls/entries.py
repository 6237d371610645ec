"""What ls shows of a directory: which names, what is known of each, in which order."""

from __future__ import annotations

import os
import stat

from applets.coreutils.ls.choices import hidden_test, sort_of, time_of
from toolbox.errors import warn
from toolbox.linux.statx import MODE, NANOSECONDS, SECONDS, SIZE, UNKNOWN, Reader, of_kind

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from toolbox.linux.statx import Status
    from toolbox.options import Values

    #: Names to show, and their statuses: UNKNOWN or `of_kind` where they were not needed or could not be had.
    #: Two sequences, for a directory may have very many.
    Items = tuple[Sequence[str], Sequence[Status]]

#: How a directory is opened for what its names are relative to: so the kernel walks down its path but once.
_FOLDER = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC


class Entries:
    """What the options choose of directories and of the operands.

    need_status, need_kind: whether all of a file's status, or only its type, has to be known
    """

    def __init__(self, opt: Values, *, long: bool, need_status: bool, need_kind: bool) -> None:
        self.opt = opt
        self.sort = sort_of(opt, long)
        self.all = opt.all or opt.f or opt.almost_all
        self.dots = opt.last("all", "almost_all", "f") in ("all", "f")
        self.hidden = hidden_test(opt, self.all)
        self.need_kind = need_kind or bool(opt.group_directories_first)
        self.need_status = (
            need_status
            or bool(opt.inode)
            or self.sort in ("time", "size")
            or bool(opt.dereference and self.need_kind)
        )
        self.reader = Reader(time_of(opt), follow=bool(opt.dereference))
        self._folder: int | None = None

    def read(self, path: str) -> Items:
        """Those of a directory, with what has to be known of each; OSError when it cannot be read."""
        return self.ordered(*self._read(path), path)

    def _read(self, path: str) -> Items:
        if self.need_status:
            return self._with_statuses(path)
        if self.need_kind:
            return self._with_kinds(path)
        names = self._chosen(os.listdir(path))
        return names, [UNKNOWN] * len(names)

    def _with_statuses(self, path: str) -> Items:
        def failed(error: OSError) -> None:
            error.filename = os.path.join(path, error.filename)
            warn(error)

        # Of /proc/self/fd the names are those of our descriptors: this one, which stays open while they are shown, gets the
        # number that the one of os.listdir had.
        self.close()
        names = self._chosen(os.listdir(path))
        self._folder = os.open(path, _FOLDER)
        return names, self.reader.read_all(names, self._folder, failed)

    def close(self) -> None:
        """Close the directory that was read last."""
        if self._folder is not None:
            os.close(self._folder)
            self._folder = None

    def _with_kinds(self, path: str) -> Items:
        with os.scandir(path) as scanned:
            entries = {entry.name: entry for entry in scanned}
        names = self._chosen(list(entries))
        # . and .. are not among the entries.
        return names, [
            of_kind(_kind_of(entries[name]) if name in entries else stat.S_IFDIR) for name in names
        ]

    def _chosen(self, names: list[str]) -> list[str]:
        """Those of a directory's names that the options show, in bytewise order unless they want none."""
        hidden = self.hidden
        if not self.all:
            names = [name for name in names if name[0] != "."]
        if hidden:
            names = [name for name in names if not hidden(name)]
        if self.dots:
            names += (".", "..")
        if self.sort != "none":
            # ASCII's code points order as the bytes do, and need no key.
            key = None if all(map(str.isascii, names)) else os.fsencode
            names.sort(key=key, reverse=self.opt.reverse)
        return names

    def ordered(self, names: Sequence[str], statuses: Sequence[Status], folder: str = "") -> Items:
        """Names that are ordered by name, and their statuses, in the order that the options want.

        folder: what the names are relative to
        """
        opt = self.opt
        backwards = self.sort == "none" and opt.reverse and not opt.f
        key = self._sort_key()
        if not (backwards or key or opt.group_directories_first):
            return names, statuses
        items = list(zip(names, statuses, strict=True))
        if backwards:
            items.reverse()
        if key:
            items.sort(key=lambda item: key(*item), reverse=opt.reverse)
        if opt.group_directories_first:
            items.sort(key=lambda item: not _leads_to_directory(folder, *item))
        return columns(items)

    def _sort_key(self) -> Callable[[str, Status], Any] | None:
        if self.sort == "time":
            return lambda name, status: -_nanoseconds(status)
        if self.sort == "size":
            return lambda name, status: -(status[SIZE] or 0)
        if self.sort == "extension":
            return lambda name, status: os.fsencode(_extension(name))
        if self.sort == "version":
            from toolbox.versions import version_key

            return lambda name, status: version_key(os.fsencode(name))
        if self.sort == "width":
            from toolbox.columns import display_width

            return lambda name, status: display_width(name)
        return None


def _kind_of(entry: os.DirEntry[str]) -> int:
    """S_IFDIR and so on; from the directory itself for the common types."""
    if entry.is_symlink():
        return stat.S_IFLNK
    if entry.is_dir(follow_symlinks=False):
        return stat.S_IFDIR
    if entry.is_file(follow_symlinks=False):
        return stat.S_IFREG
    try:
        return stat.S_IFMT(entry.stat(follow_symlinks=False).st_mode)
    except OSError as error:
        warn(error)
        return 0


def is_directory(status: Status) -> bool:
    return stat.S_ISDIR(status[MODE])


def _leads_to_directory(folder: str, name: str, status: Status) -> bool:
    if stat.S_ISLNK(status[MODE]):
        return os.path.isdir(os.path.join(folder, name))
    return is_directory(status)


def columns(items: list[tuple[str, Status]]) -> Items:
    """Of pairs of a name and its status, all names and all statuses."""
    return [name for name, _ in items], [status for _, status in items]


def _nanoseconds(status: Status) -> int:
    """The time since 1970; 0 where it is not known."""
    return (status[SECONDS] or 0) * 1_000_000_000 + (status[NANOSECONDS] or 0)


def _extension(name: str) -> str:
    return name[name.rfind(".") :] if "." in name else ""
