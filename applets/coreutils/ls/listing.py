"""What ls lists, in which order and in which form."""

from __future__ import annotations

import os
import stat
import time
from operator import add, attrgetter

from applets.coreutils.ls.choices import (
    format_of,
    hidden_test,
    indicators,
    name_shower,
    scales,
    sort_of,
    time_of,
    time_shower,
    when,
)
from toolbox.errors import UsageError, warn
from toolbox.users import Names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable
    from typing import Any, BinaryIO

    from toolbox.options import Values


#: The bits of a mode that say which type a file has (inode(7)).
_TYPE = stat.S_IFMT(0xFFFF)

_DEVICES = (stat.S_IFCHR, stat.S_IFBLK)


class _Item:
    """One name to show.  `status` is None when it was not needed or could not be had."""

    __slots__ = ("kind", "name", "path", "status")

    def __init__(self, name: str, path: str, kind: int, status: os.stat_result | None) -> None:
        self.name = name
        self.path = path
        self.kind = kind  # S_IFDIR, ...; 0: unknown
        self.status = status


class _Unknown:
    """What is shown of a file whose status could not be had."""

    st_mode = st_nlink = st_uid = st_gid = st_size = None
    st_rdev = 0
    st_mtime_ns = st_ctime_ns = st_atime_ns = None


_UNKNOWN = _Unknown()


class Listing:
    """One run: what the options say, and the output."""

    #: The last one, for as long as the process lives: ending it is quicker than freeing object by object.
    kept: Listing | None = None

    def __init__(self, opt: Values, out: BinaryIO) -> None:
        Listing.kept = self
        self.items: list[_Item] = []  # of the last directory, kept like this
        self.opt = opt
        self.out = out
        self.names = Names()
        self.now = time.time()
        try:
            self.tty = os.isatty(1)
        except OSError:
            self.tty = False
        self.format = format_of(opt, self.tty)
        self.long = self.format == "long"
        self.sort = sort_of(opt, self.long)
        self.time = time_of(opt)
        self.show_time = time_shower(opt, self.now)
        self.all = opt.all or opt.f or opt.almost_all
        self.dots = opt.last("all", "almost_all", "f") in ("all", "f")
        self.hidden = hidden_test(opt, self.all)
        self.show_name = name_shower(opt, self.tty)
        self.sizes, self.blocks = scales(opt)
        self.marks, self.mark_programs = indicators(opt, self.tty)
        self.colors = None
        if when(opt.color, self.tty):
            from toolbox.colors import FileColors

            self.colors = FileColors(os.environ.get("LS_COLORS", ""))
        self.end = "\0" if opt.zero else "\n"
        self.need_status = bool(
            self.long
            or opt.size
            or self.sort in ("time", "size")
            or self.colors
            or self.mark_programs
        )
        self.need_kind = bool(self.marks or opt.recursive or opt.group_directories_first)
        self.written = False
        self.active: set[tuple[int, int]] = set()

    # -- what is shown ---------------------------------------------------------------------

    def run(self, operands: list[str]) -> None:
        items = [item for name in operands if (item := self._operand(name))]
        files = items if self.opt.directory else [i for i in items if i.kind != stat.S_IFDIR]
        directories = [] if self.opt.directory else [i for i in items if i.kind == stat.S_IFDIR]
        self._order(files)
        self._order(directories)
        if files:
            self._show(files)
            self.written = True
        titled = len(operands) > 1 or self.opt.recursive
        # A stack, not recursion: trees may be deeper than Python's.
        stack = [(item.path, True) for item in reversed(directories)]
        while stack:
            path, operand = stack.pop()
            below = self._directory(path, titled, operand)
            if self.opt.recursive:
                stack += [(item.path, False) for item in reversed(below)]

    def _operand(self, name: str) -> _Item | None:
        opt = self.opt
        follow = opt.dereference or opt.dereference_command_line
        if_directory = opt.dereference_command_line_symlink_to_dir or not (
            opt.directory or self.long or self.marks
        )
        try:
            try:
                status = os.stat(name, follow_symlinks=bool(follow or if_directory))
            except OSError:
                # A dangling link is still a name; with -L it is an error.
                if opt.dereference:
                    raise
                status = os.lstat(name)
        except OSError as error:
            warn(error, 2)
            return None
        kind = stat.S_IFMT(status.st_mode)
        if not follow and if_directory and kind != stat.S_IFDIR:
            status = os.lstat(name)
            kind = stat.S_IFMT(status.st_mode)
        return _Item(name, name, kind, status)

    def _directory(self, path: str, titled: bool, operand: bool) -> list[_Item]:
        """Show one directory; with -R return the directories in it, in order."""
        try:
            with os.scandir(path) as entries:
                if self.opt.dereference and self.opt.recursive and self._is_loop(path):
                    warn(f"{path}: not listing already-listed directory", 2)
                    return []
                self.items = items = self._entries(entries)
        except OSError as error:
            warn(error, 2 if operand else 1)
            return []
        if self.dots:
            items += [i for name in (".", "..") if (i := self._dot(name, path))]
        self._order(items)
        if titled:
            self._write(("\n" if self.written else "") + self.show_name(path) + ":\n")
        self.written = True
        if (self.long or self.opt.size) and not self.opt.zero:
            total = sum([i.status.st_blocks for i in items if i.status]) * 512
            self._write(f"total {self.blocks.show(total)}\n")
        self._show(items)
        if not self.opt.recursive:
            return []
        return [i for i in items if i.kind == stat.S_IFDIR and i.name not in (".", "..")]

    def _is_loop(self, path: str) -> bool:
        status = os.stat(path)
        key = (status.st_dev, status.st_ino)
        if key in self.active:
            return True
        self.active.add(key)
        return False

    def _entries(self, entries: Iterable[os.DirEntry[str]]) -> list[_Item]:
        """The names in a directory that the options show, with what has to be known of each."""
        opt = self.opt
        everything, hidden = self.all, self.hidden
        follow, inode, need_kind = bool(opt.dereference), opt.inode, self.need_kind
        need_status = self.need_status or (follow and (need_kind or inode))
        items = []
        for entry in entries:
            name = entry.name
            if (not everything and name[0] == ".") or (hidden and hidden(name)):
                continue
            status, kind = None, 0
            try:
                if need_status:
                    status = entry.stat(follow_symlinks=follow)
                    kind = status.st_mode & _TYPE
                elif need_kind:
                    kind = _kind_of(entry)
            except OSError as error:
                warn(error)
            if inode and status is None:
                try:
                    status = entry.stat(follow_symlinks=False)
                except OSError as error:
                    warn(error)
            items.append(_Item(name, entry.path, kind, status))
        return items

    def _dot(self, name: str, parent: str) -> _Item | None:
        path = os.path.join(parent, name)
        try:
            return _Item(name, path, stat.S_IFDIR, os.stat(path))
        except OSError as error:
            warn(error)
            return None

    # -- order -----------------------------------------------------------------------------

    def _order(self, items: list[_Item]) -> None:
        opt = self.opt
        if self.sort != "none":
            items.sort(key=_bytewise(items), reverse=opt.reverse)
            key = self._sort_key()
            if key:
                items.sort(key=key, reverse=opt.reverse)
        elif opt.reverse and not opt.f:
            items.reverse()
        if opt.group_directories_first:
            items.sort(key=lambda item: not _is_directory(item))

    def _sort_key(self) -> Callable[[_Item], Any] | None:
        if self.sort == "time":
            which = self.time
            return lambda item: -getattr(item.status, which) if item.status else 0
        if self.sort == "size":
            return lambda item: -item.status.st_size if item.status else 0
        if self.sort == "extension":
            return lambda item: os.fsencode(
                item.name[item.name.rfind(".") :] if "." in item.name else ""
            )
        if self.sort == "version":
            from toolbox.versions import version_key

            return lambda item: version_key(os.fsencode(item.name))
        if self.sort == "width":
            from toolbox.columns import display_width

            return lambda item: display_width(item.name)
        return None

    # -- output ----------------------------------------------------------------------------

    def _write(self, text: str) -> None:
        self.out.write(os.fsencode(text))

    def _show(self, items: list[_Item]) -> None:
        if not items:
            return
        quoted = [self.show_name(item.name) for item in items]
        if self.long:
            lines = self._long_lines(items, quoted)
        else:
            before = self._columns_before(items)
            if self.format != "single":
                self._in_columns(items, quoted, before)
                return
            lines = [
                b + self._decorated(i, q) for b, i, q in zip(before, items, quoted, strict=True)
            ]
        lines.append("")
        self._write(self.end.join(lines))

    def _columns_before(self, items: list[_Item]) -> list[str]:
        """Inode numbers and blocks, as wide as the widest when in lines of their own."""
        cells: list[list[str]] = []
        if self.opt.inode:
            cells.append([str(i.status.st_ino) if i.status else "?" for i in items])
        if self.opt.size:
            cells.append(
                [self.blocks.show(i.status.st_blocks * 512) if i.status else "?" for i in items]
            )
        if not cells:
            return [""] * len(items)
        if self.format != "commas":
            widths = [max(map(len, column)) for column in cells]
            cells = [[c.rjust(w) for c in column] for column, w in zip(cells, widths, strict=True)]
        return [" ".join(row) + " " for row in zip(*cells, strict=True)]

    def _mark(self, kind: int, status: os.stat_result | None) -> str:
        if self.mark_programs and kind == stat.S_IFREG and status and status.st_mode & 0o111:
            return "*"
        return self.marks.get(kind, "")

    def _decorated(self, item: _Item, shown: str) -> str:
        if self.colors:
            shown = self.colors.paint(shown, item.name, item.path, item.status)
        return shown + self._mark(item.kind, item.status) if self.marks else shown

    def _in_columns(self, items: list[_Item], quoted: list[str], before: list[str]) -> None:
        from toolbox.columns import arrange, display_width, pad

        cells = [b + self._decorated(i, q) for b, i, q in zip(before, items, quoted, strict=True)]
        widths = [
            len(b) + display_width(q) + (len(self._mark(i.kind, i.status)) if self.marks else 0)
            for b, i, q in zip(before, items, quoted, strict=True)
        ]
        line = self._width()
        if self.format == "commas":
            self._with_commas(cells, widths, line)
            return
        rows, spans = arrange(widths, line, across=self.format == "across")
        tab = 0 if self.colors else int(self.opt.tabsize or 8)
        text = []
        for row in rows:
            start = column = 0
            for place, index in enumerate(row):
                text.append(pad(column, start, tab) + cells[index])
                column = start + widths[index]
                start += spans[place]
            text.append(self.end)
        self._write("".join(text))

    def _with_commas(self, cells: list[str], widths: list[int], line: int) -> None:
        text = []
        column = 0
        for i, (cell, width) in enumerate(zip(cells, widths, strict=True)):
            if i:
                if not line or column + width + 2 < line:
                    text.append(", ")
                    column += 2
                else:
                    text.append(",\n")
                    column = 0
            text.append(cell)
            column += width
        self._write("".join(text) + self.end)

    def _width(self) -> int:
        from toolbox.columns import terminal_width

        text = self.opt.width
        if text is None:
            return terminal_width()
        if not (text.isascii() and text.isdecimal()):
            raise UsageError(f"invalid line width: {text!r}")
        return int(text)

    def _long_lines(self, items: list[_Item], quoted: list[str]) -> list[str]:
        """Made column by column: of a large directory's time most is spent here."""
        opt = self.opt
        statuses: list[Any] = [item.status or _UNKNOWN for item in items]
        user = str if opt.numeric_uid_gid else self.names.user
        group = str if opt.numeric_uid_gid else self.names.group
        pad = str.rjust if opt.numeric_uid_gid else str.ljust
        owners = list(_column([s.st_uid for s in statuses], user, pad))
        columns = [
            _column([s.st_mode for s in statuses], stat.filemode, str.ljust, "?" * 10),
            _column([s.st_nlink for s in statuses], str, str.rjust),
        ]
        if not opt.g:
            columns.append(owners)
        if not (opt.o or opt.no_group):
            columns.append(_column([s.st_gid for s in statuses], group, pad))
        if opt.author:
            columns.append(owners)
        columns.append(self._long_sizes(statuses))
        times = list(map(attrgetter(self.time), statuses))
        columns.append(_column(times, self.show_time, str.rjust))
        bare = not self.colors and not self.marks
        columns.append(
            name if bare and item.kind != stat.S_IFLNK else self._long_name(item, name)
            for item, name in zip(items, quoted, strict=True)
        )
        lines = map(" ".join, zip(*columns, strict=True))
        return list(map(add, self._columns_before(items), lines))

    def _long_sizes(self, statuses: list[Any]) -> Iterable[str]:
        """Sizes, and of devices their numbers."""
        devices = {s.st_rdev for s in statuses if s.st_rdev and s.st_mode & _TYPE in _DEVICES}
        if not devices:
            return _column([s.st_size for s in statuses], self.sizes.show, str.rjust)
        major = max(len(str(os.major(device))) for device in devices)
        minor = max(len(str(os.minor(device))) for device in devices)

        def show(status: Any) -> str:
            if status.st_mode & _TYPE in _DEVICES:
                device = status.st_rdev
                return f"{os.major(device):{major}}, {os.minor(device):{minor}}"
            return self.sizes.show(status.st_size)

        texts = [None if status is _UNKNOWN else show(status) for status in statuses]
        return _column(texts, str, str.rjust)

    def _long_name(self, item: _Item, shown: str) -> str:
        if item.kind != stat.S_IFLNK:
            return self._decorated(item, shown)
        try:
            target = os.readlink(item.path)
        except OSError as error:
            warn(error)
            return self._decorated(item, shown)
        if self.colors:
            shown = self.colors.paint(shown, item.name, item.path, item.status)
        pointed = self.show_name(target)
        if self.colors or self.marks:
            try:
                status = os.stat(item.path)
            except OSError:
                status = None
            kind = stat.S_IFMT(status.st_mode) if status else 0
            if self.colors:
                pointed = self.colors.paint(pointed, target, item.path, status)
            if self.marks:
                pointed += self._mark(kind, status)
        return f"{shown} -> {pointed}"


def _bytewise(items: list[_Item]) -> Callable[[_Item], Any]:
    """A key that orders by the names' bytes."""
    # ASCII's code points order as the bytes do, and are the cheaper key.
    if "".join([item.name for item in items]).isascii():
        return attrgetter("name")
    return lambda item: os.fsencode(item.name)


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


def _is_directory(item: _Item) -> bool:
    if item.kind == stat.S_IFLNK:
        return os.path.isdir(item.path)
    return item.kind == stat.S_IFDIR


def _column(
    values: Collection[Any],
    show: Callable[[Any], str],
    pad: Callable[[str, int], str],
    unknown: str = "?",
) -> Iterable[str]:
    """The values as texts of one width.  Of the many that are equal, each is shown and padded once."""
    texts = {value: unknown if value is None else show(value) for value in set(values)}
    width = max(map(len, texts.values()))
    padded = {value: pad(text, width) for value, text in texts.items()}
    return map(padded.__getitem__, values)
