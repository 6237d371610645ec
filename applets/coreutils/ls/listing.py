"""What ls lists, and in which form."""

from __future__ import annotations

import os
import stat
import time
from operator import add

from applets.coreutils.ls.choices import (
    format_of,
    indicators,
    name_shower,
    scales,
    time_of,
    time_shower,
    when,
)
from applets.coreutils.ls.entries import Entries, columns, is_directory
from toolbox.errors import warn
from toolbox.linux.statx import (
    BLOCKS,
    GROUP,
    INODE,
    LINKS,
    MAJOR,
    MINOR,
    MODE,
    NANOSECONDS,
    OWNER,
    SECONDS,
    SIZE,
    UNKNOWN,
    Reader,
)
from toolbox.options import whole
from toolbox.users import Names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, BinaryIO

    from applets.coreutils.ls.entries import Items
    from toolbox.linux.statx import Status
    from toolbox.options import Values

#: The bits of a mode that say which type a file has (inode(7)).
_TYPE = stat.S_IFMT(0xFFFF)

_DEVICES = frozenset((stat.S_IFCHR, stat.S_IFBLK))


class Listing:
    """One run: what the options say, and the output."""

    #: The last one, for as long as the process lives: ending it is quicker than freeing object by object.
    kept: Listing | None = None

    def __init__(self, opt: Values, out: BinaryIO) -> None:
        Listing.kept = self
        self.items: Items = ((), ())  # of the last directory, kept like this
        self.folder = ""  # what the names that are shown are relative to
        self.opt = opt
        self.out = out
        self.names = Names()
        self.now = time.time()
        try:
            self.tty = os.isatty(1)
        except OSError:
            self.tty = False
        self.format = format_of(opt, self.tty)
        # Read now, so that what is no number is told whether it counts or not.
        self.tab = 8 if opt.tabsize is None else whole(opt.tabsize, "tab size", least=0)
        self.width = None if opt.width is None else _width(opt.width)
        self.long = self.format == "long"
        self.show_time, self.nanoseconds = time_shower(opt, self.now)
        self.show_name = name_shower(opt, self.tty)
        self.sizes, self.blocks = scales(opt)
        self.marks, self.mark_programs = indicators(opt, self.tty)
        self.colors = None
        if when(opt.color, self.tty):
            from toolbox.colors import FileColors

            self.colors = FileColors(os.environ.get("LS_COLORS", ""))
        self.end = "\0" if opt.zero else "\n"
        self.entries = Entries(
            opt,
            long=self.long,
            need_status=bool(self.long or opt.size or self.colors or self.mark_programs),
            need_kind=bool(self.marks or opt.recursive),
        )
        self.written = False
        self.above: list[tuple[int, int]] = []  # -LR: the directories that lead to this one

    # -- what is shown ---------------------------------------------------------------------

    def run(self, operands: list[str]) -> None:
        items = [(name, status) for name in operands if (status := self._operand(name))]
        if self.entries.sort != "none":
            items.sort(key=lambda item: os.fsencode(item[0]), reverse=self.opt.reverse)
        whole = self.opt.directory
        files = columns([i for i in items if whole or not is_directory(i[1])])
        directories = columns([i for i in items if not whole and is_directory(i[1])])
        self._show(*self.entries.ordered(*files))
        self.written = bool(files[0])
        titled = len(operands) > 1 or self.opt.recursive
        # A stack, not recursion: trees may be deeper than Python's.
        stack = [(name, 0) for name in reversed(self.entries.ordered(*directories)[0])]
        while stack:
            path, depth = stack.pop()
            below = self._directory(path, titled, depth)
            stack += [(path, depth + 1) for path in reversed(below)]
        self.entries.close()

    def _operand(self, name: str) -> Status | None:
        opt = self.opt
        follow = bool(opt.dereference or opt.dereference_command_line)
        if_directory = opt.dereference_command_line_symlink_to_dir or not (
            opt.directory or self.long or self.marks
        )
        which = time_of(opt)
        itself = Reader(which)
        try:
            try:
                status = Reader(which, follow=bool(follow or if_directory)).read(name)
            except OSError:
                # A dangling link is still a name; with -L and -H it is an error.
                if follow:
                    raise
                status = itself.read(name)
        except OSError as error:
            warn(error, 2)
            return None
        if not follow and if_directory and not is_directory(status):
            status = itself.read(name)
        return status

    def _directory(self, path: str, titled: bool, depth: int) -> list[str]:
        """Show one directory; with -R return the paths of the directories in it, in order."""
        try:
            if self.opt.dereference and self.opt.recursive and self._is_loop(path, depth):
                warn(f"{path}: not listing already-listed directory", 2)
                return []
            self.folder = path
            self.items = names, statuses = self.entries.read(path)
        except OSError as error:
            warn(error, 1 if depth else 2)
            return []
        if titled:
            self._write(("\n" if self.written else "") + self.show_name(path) + ":\n")
        self.written = True
        if (self.long or self.opt.size) and not self.opt.zero:
            total = sum([status[BLOCKS] or 0 for status in statuses]) * 512
            self._write(f"total {self.blocks.show(total)}\n")
        self._show(names, statuses)
        if not self.opt.recursive:
            return []
        return [
            self._path(name)
            for name, status in zip(names, statuses, strict=True)
            if is_directory(status) and name not in (".", "..")
        ]

    def _is_loop(self, path: str, depth: int) -> bool:
        """Whether a directory is one of those that lead to it.  Another link to one that was listed is none."""
        status = os.stat(path)
        key = (status.st_dev, status.st_ino)
        del self.above[depth:]
        if key in self.above:
            return True
        self.above.append(key)
        return False

    def _path(self, name: str) -> str:
        return os.path.join(self.folder, name)

    # -- output ----------------------------------------------------------------------------

    def _write(self, text: str) -> None:
        self.out.write(os.fsencode(text))

    def _show(self, names: Sequence[str], statuses: Sequence[Status]) -> None:
        if not names:
            return
        quoted = list(map(self.show_name, names))
        if self.long:
            columns = self._long_columns(names, statuses, quoted)
        elif self.format == "single":
            columns = [
                *self._columns_before(statuses),
                self._all_decorated(names, statuses, quoted),
            ]
        else:
            self._in_columns(names, statuses, quoted)
            return
        lines = list(map(" ".join, zip(*columns, strict=True)))
        lines.append("")
        self._write(self.end.join(lines))

    def _columns_before(self, statuses: Sequence[Status]) -> list[list[str]]:
        """Inode numbers and blocks, as wide as the widest when in lines of their own."""
        pad = _unpadded if self.format == "commas" else str.rjust
        columns = []
        if self.opt.inode:
            columns.append(_column([s[INODE] for s in statuses], str, pad))
        if self.opt.size:
            show = self.blocks.show
            blocks = [s[BLOCKS] for s in statuses]
            columns.append(_column(blocks, lambda count: show(count * 512), pad))
        return columns

    def _mark(self, mode: int) -> str:
        if self.mark_programs and stat.S_ISREG(mode) and mode & 0o111:
            return "*"
        return self.marks.get(mode & _TYPE, "")

    def _decorated(self, name: str, status: Status, shown: str) -> str:
        mode = status[MODE]
        if self.colors:
            shown = self.colors.paint(shown, name, self._path(name), mode, status[LINKS])
        return shown + self._mark(mode) if self.marks else shown

    def _all_decorated(
        self, names: Sequence[str], statuses: Sequence[Status], quoted: list[str]
    ) -> list[str]:
        if not (self.colors or self.marks):
            return quoted
        return list(map(self._decorated, names, statuses, quoted))

    def _in_columns(
        self, names: Sequence[str], statuses: Sequence[Status], quoted: list[str]
    ) -> None:
        from toolbox.columns import arrange, display_width, pad

        cells = self._all_decorated(names, statuses, quoted)
        marks = [self._mark(status[MODE]) for status in statuses]
        widths = [display_width(q) + len(mark) for q, mark in zip(quoted, marks, strict=True)]
        before = self._columns_before(statuses)
        if before:
            starts = [" ".join(row) + " " for row in zip(*before, strict=True)]
            cells = list(map(add, starts, cells))
            widths = list(map(add, map(len, starts), widths))
        line = self._line_width()
        if self.format == "commas":
            self._with_commas(cells, widths, line)
            return
        rows, spans = arrange(widths, line, across=self.format == "across")
        tab = 0 if self.colors else self.tab
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

    def _line_width(self) -> int:
        """Columns of the output; 0: without end."""
        from toolbox.columns import terminal_width

        return terminal_width() if self.width is None else self.width

    def _long_columns(
        self, names: Sequence[str], statuses: Sequence[Status], quoted: list[str]
    ) -> list[list[str]]:
        """Made one after the other: of a large directory's time most is spent here."""
        opt = self.opt
        modes = [s[MODE] for s in statuses]
        user = str if opt.numeric_uid_gid else self.names.user
        group = str if opt.numeric_uid_gid else self.names.group
        pad = str.rjust if opt.numeric_uid_gid else str.ljust
        owners = _column([s[OWNER] for s in statuses], user, pad)
        columns = self._columns_before(statuses)
        columns.append(_column(modes, _mode, str.ljust))
        columns.append(_column([s[LINKS] for s in statuses], str, str.rjust))
        if not opt.g:
            columns.append(owners)
        if not (opt.o or opt.no_group):
            columns.append(_column([s[GROUP] for s in statuses], group, pad))
        if opt.author:
            columns.append(owners)
        kinds = {mode & _TYPE for mode in set(modes)}
        if kinds.isdisjoint(_DEVICES):
            columns.append(_column([s[SIZE] for s in statuses], self.sizes.show, str.rjust))
        else:
            columns.append(self._sizes_and_devices(statuses))
        columns.append(self._times(statuses))
        if self.colors or self.marks or stat.S_IFLNK in kinds:
            quoted = list(map(self._long_name, names, statuses, quoted))
        return [*columns, quoted]

    def _sizes_and_devices(self, statuses: Sequence[Status]) -> list[str]:
        """Sizes, and of devices their numbers; there is at least one device."""
        devices = [s for s in statuses if s[MODE] & _TYPE in _DEVICES]
        major = max(len(str(s[MAJOR])) for s in devices)
        minor = max(len(str(s[MINOR])) for s in devices)

        def show(s: Status) -> str:
            if s[MODE] & _TYPE in _DEVICES:
                return f"{s[MAJOR]:{major}}, {s[MINOR]:{minor}}"
            return self.sizes.show(s[SIZE])

        known = [None if s[SIZE] is None else s for s in statuses]
        return _column(known, show, str.rjust)

    def _times(self, statuses: Sequence[Status]) -> list[str]:
        show = self.show_time
        if not self.nanoseconds:
            return _column([s[SECONDS] for s in statuses], show, str.rjust)

        def exact(time: tuple[int, int]) -> str:
            return show(time[0]).replace("%N", f"{time[1]:09d}")

        known = [None if s[SECONDS] is None else (s[SECONDS], s[NANOSECONDS]) for s in statuses]
        return _column(known, exact, str.rjust)

    def _long_name(self, name: str, status: Status, shown: str) -> str:
        if not stat.S_ISLNK(status[MODE]):
            return self._decorated(name, status, shown)
        path = self._path(name)
        try:
            target = os.readlink(path)
        except OSError as error:
            warn(error)
            return self._decorated(name, status, shown)
        if self.colors:
            shown = self.colors.paint(shown, name, path, status[MODE], status[LINKS])
        pointed = self.show_name(target)
        if self.colors or self.marks:
            try:
                end = Reader(follow=True).read(path)
            except OSError:
                end = UNKNOWN
            if self.colors:
                pointed = self.colors.paint(pointed, target, path, end[MODE], end[LINKS])
            pointed += self._mark(end[MODE])
        return f"{shown} -> {pointed}"


def _mode(mode: int) -> str:
    return stat.filemode(mode) if mode else "?" * 10


def _width(text: str) -> int:
    # What no line is as wide as is without end, as 0 is (GNU).
    if text.isascii() and text.isdecimal() and len(text) > 18:
        return 0
    return whole(text, "line width", least=0)


def _unpadded(text: str, width: int) -> str:
    return text


def _column(
    values: Sequence[Any], show: Callable[[Any], str], pad: Callable[[str, int], str]
) -> list[str]:
    """The values as texts of one width, `?` for None.  Of many that are equal, one is shown and padded."""
    texts = {value: "?" if value is None else show(value) for value in set(values)}
    width = max(map(len, texts.values()))
    padded = {value: pad(text, width) for value, text in texts.items()}
    if len(padded) == 1:
        return [*padded.values()] * len(values)
    return [padded[value] for value in values]
