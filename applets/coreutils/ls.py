"""ls [-1aAbBcCdfFgGhHiklLmnNopqQrRsStuUvxX] [-I PATTERN] [-T COLS] [-w COLS] [FILE]...

List the contents of directories, and other FILEs. Names are sorted bytewise.

  -a, --all              also names that start with a dot
  -A, --almost-all       the same without . and ..
  -B, --ignore-backups   leave out names that end in ~
  -I, --ignore=PATTERN...  leave out names that match the shell PATTERN
      --hide=PATTERN...  the same, unless -a or -A is given
  -d, --directory        directories themselves, not their contents
  -R, --recursive        contents of all directories below
  -H, --dereference-command-line  follow symbolic links among the FILEs
      --dereference-command-line-symlink-to-dir  ... only those to directories
  -L, --dereference      follow all symbolic links
  -l                     long format: mode, links, owner, group, size, time, name
  -g                     long format without owner
  -o                     long format without group
  -G, --no-group         no group in the long format
      --author           the owner again, as author, in the long format
  -n, --numeric-uid-gid  long format with numbers for owner and group
      --full-time        long format with full times
  -1                     one name per line
  -C                     in columns, sorted downwards (usual on a terminal)
  -x                     in columns, sorted across
  -m                     in lines, separated by commas
      --format=WORD      long, verbose, single-column, vertical, across, horizontal, commas
      --zero             end each name with a zero byte, nothing quoted
  -t                     newest first
  -S                     largest first
  -X                     by the part after the last dot
  -v                     version numbers in natural order
  -U                     as they lie in the directory
  -f                     the same, with -a
      --sort=WORD        name, none, size, time, version, extension, width
  -r, --reverse          the other way round
      --group-directories-first  directories before files
  -c                     time of last status change, for -l and -t
  -u                     time of last access
      --time=WORD        mtime, modification; ctime, status; atime, access, use; birth
      --time-style=STYLE   full-iso, long-iso, iso, locale, or +FORMAT of date
  -h, --human-readable   sizes as 1.5K, 234M
      --si               the same in powers of 1000
  -k, --kibibytes        count blocks in KiB
      --block-size=SIZE  count in units of SIZE
  -s, --size             show the blocks taken
  -i, --inode            show the inode numbers
  -F                     mark types: / directory, * program, @ link, = socket, | pipe
      --classify[=WHEN]  the same, always, never or auto (only on a terminal)
  -p                     mark directories only
      --file-type        as -F without *
      --indicator-style=WORD  none, slash, file-type, classify
      --color[=WHEN]     colors by $LS_COLORS: always, never or auto
  -b, --escape           escape odd characters as in C
  -q, --hide-control-chars  ? for characters that cannot be shown (usual on a terminal)
      --show-control-chars  show them as they are
  -N, --literal          names as they are
  -Q, --quote-name       names in double quotes
      --quoting-style=WORD  literal, shell, shell-always, shell-escape, shell-escape-always, c, escape
  -T, --tabsize=COLS     tab stops every COLS columns, 0: no tabs
  -w, --width=COLS       width of the output; 0: unlimited

Status: 0 all shown, 1 something below could not be read, 2 a FILE could not.
"""

from __future__ import annotations

import os
import stat
import time

from toolbox.errors import UsageError, warn
from toolbox.options import Options, Values
from toolbox.sizes import Scale, block_size
from toolbox.streams import stdout
from toolbox.users import Names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any, BinaryIO

options = Options(__doc__, trouble=2)

_MONTHS = " Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ")

#: Half of a mean Gregorian year in seconds: files older than this show their year (POSIX ls, "Long format").
_HALF_YEAR = 31556952 // 2

_FORMATS = {
    "long": "long",
    "verbose": "long",
    "single-column": "single",
    "vertical": "vertical",
    "across": "across",
    "horizontal": "across",
    "commas": "commas",
}
_FORMAT_LETTERS = {
    "l": "long",
    "g": "long",
    "o": "long",
    "numeric_uid_gid": "long",
    "full_time": "long",
    "C": "vertical",
    "x": "across",
    "m": "commas",
    "_1": "single",
}
_SORT_LETTERS = {
    "t": "time",
    "S": "size",
    "X": "extension",
    "v": "version",
    "U": "none",
    "f": "none",
}
_SORTS = ("name", "none", "size", "time", "version", "extension", "width")
_TIMES = {
    "mtime": "st_mtime_ns",
    "modification": "st_mtime_ns",
    "ctime": "st_ctime_ns",
    "status": "st_ctime_ns",
    "atime": "st_atime_ns",
    "access": "st_atime_ns",
    "use": "st_atime_ns",
    # Python's stat has no birth time on Linux; the status change is the nearest known.
    "birth": "st_ctime_ns",
    "creation": "st_ctime_ns",
}
_STYLES = {
    "full-iso": ("%Y-%m-%d %H:%M:%S.%N %z",) * 2,
    "long-iso": ("%Y-%m-%d %H:%M",) * 2,
    "iso": ("%Y-%m-%d ", "%m-%d %H:%M"),
}
_INDICATORS = {
    "none": {},
    "slash": {stat.S_IFDIR: "/"},
    "file-type": {
        stat.S_IFDIR: "/",
        stat.S_IFLNK: "@",
        stat.S_IFSOCK: "=",
        stat.S_IFIFO: "|",
    },
}
_INDICATORS["classify"] = _INDICATORS["file-type"]


def main(argv: list[str]) -> int:
    opt, files = options.parse(argv)
    _Listing(opt, stdout()).run(files or ["."])
    return 0


class _Item:
    """One name to show.  `status` is None when it was not needed or could not be had."""

    __slots__ = ("kind", "name", "path", "status")

    def __init__(self, name: str, path: str, kind: int, status: os.stat_result | None) -> None:
        self.name = name
        self.path = path
        self.kind = kind  # S_IFDIR, ...; 0: unknown
        self.status = status


class _Listing:
    """One run: what the options say, and the output."""

    def __init__(self, opt: Values, out: BinaryIO) -> None:
        self.opt = opt
        self.out = out
        self.names = Names()
        self.now = time.time()
        try:
            self.tty = os.isatty(1)
        except OSError:
            self.tty = False
        self.format = _format(opt, self.tty)
        self.long = self.format == "long"
        self.sort = _sort(opt, self.long)
        self.time = _which_time(opt)
        self.show_time = _time_shower(opt, self.now)
        self.all = opt.all or opt.f or opt.almost_all
        self.dots = opt.last("all", "almost_all", "f") in ("all", "f")
        self.hidden = _hidden(opt, self.all)
        self.show_name = _name_shower(opt, self.tty)
        self.sizes, self.blocks = _scales(opt)
        self.marks, self.mark_programs = _indicators(opt, self.tty)
        self.colors = None
        if _when(opt.color, self.tty):
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
                items = [item for e in entries if (item := self._entry(e, path))]
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
            total = sum(i.status.st_blocks for i in items if i.status) * 512
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

    def _entry(self, entry: os.DirEntry[str], parent: str) -> _Item | None:
        name = entry.name
        if name[0] == "." and not self.all:
            return None
        if self.hidden and self.hidden(name):
            return None
        status = None
        kind = 0
        path = entry.path
        if self.need_status or (self.opt.dereference and (self.need_kind or self.opt.inode)):
            try:
                status = entry.stat(follow_symlinks=bool(self.opt.dereference))
                kind = stat.S_IFMT(status.st_mode)
            except OSError as error:
                warn(error)
        elif self.need_kind:
            kind = _kind_of(entry)
        if self.opt.inode and status is None:
            try:
                status = entry.stat(follow_symlinks=False)
            except OSError as error:
                warn(error)
        return _Item(name, path, kind, status)

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
            # Bytewise: code points order as UTF-8 bytes do, but for undecodable bytes.
            items.sort(key=lambda item: os.fsencode(item.name), reverse=opt.reverse)
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
        opt = self.opt
        user = str if opt.numeric_uid_gid else self.names.user
        group = str if opt.numeric_uid_gid else self.names.group
        filemode = stat.filemode
        devices = _device_widths(items)
        which, show_time, show_size = self.time, self.show_time, self.sizes.show
        rows: list[list[str]] = []
        for item in items:
            status = item.status
            if status is None:
                rows.append(["??????????", "?", "?", "?", "?", "?", "?"])
                continue
            mode = status.st_mode
            if devices and (stat.S_ISCHR(mode) or stat.S_ISBLK(mode)):
                size = f"{os.major(status.st_rdev):{devices[0]}}, {os.minor(status.st_rdev):{devices[1]}}"
            else:
                size = show_size(status.st_size)
            owner = user(status.st_uid)
            rows.append(
                [
                    filemode(mode),
                    str(status.st_nlink),
                    owner,
                    group(status.st_gid),
                    owner,
                    size,
                    show_time(getattr(status, which)),
                ]
            )
        layout = ["<", ">", "<", "<", "<", ">", ">"]
        chosen = [0, 1]
        if not opt.g:
            chosen.append(2)
        if not (opt.o or opt.no_group):
            chosen.append(3)
        if opt.author:
            chosen.append(4)
        chosen += [5, 6]
        if opt.numeric_uid_gid:
            layout[2] = layout[3] = layout[4] = ">"
        # One format string for all lines: a template costs less per file than joining does.
        template = " ".join(
            f"{{{c}:{layout[c]}{max(len(row[c]) for row in rows)}}}" for c in chosen
        )
        form = template.format
        before = self._columns_before(items)
        return [
            f"{b}{form(*row)} {self._long_name(item, shown)}"
            for b, row, item, shown in zip(before, rows, items, quoted, strict=True)
        ]

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


def _device_widths(items: list[_Item]) -> tuple[int, int] | None:
    devices = [
        i.status.st_rdev for i in items if i.status and i.kind in (stat.S_IFCHR, stat.S_IFBLK)
    ]
    if not devices:
        return None
    return (
        max(len(str(os.major(d))) for d in devices),
        max(len(str(os.minor(d))) for d in devices),
    )


def _when(word: str | None, tty: bool) -> bool:
    """Whether --color=WORD or --classify=WORD holds; None: not given."""
    if word is None:
        return False
    if word in ("", "always", "yes", "force"):
        return True
    if word in ("auto", "tty", "if-tty"):
        return tty and os.environ.get("TERM") != "dumb"
    if word in ("never", "no", "none"):
        return False
    raise UsageError(f"invalid argument {word!r}: always, never or auto")


def _choice(word: str, of: Any, option: str) -> str:
    """A word of `of`, which may be shortened."""
    fits = [name for name in of if name.startswith(word)]
    if word in of:
        return word
    if len(fits) == 1:
        return str(fits[0])
    raise UsageError(f"invalid argument {word!r} for '--{option}'; valid are: {', '.join(of)}")


def _format(opt: Values, tty: bool) -> str:
    chosen = "vertical" if tty else "single"
    for given in opt.order:
        new = _FORMAT_LETTERS.get(given)
        if given == "format":
            new = _FORMATS[_choice(opt.format, _FORMATS, "format")]
        elif given == "zero" and chosen != "long":
            new = "single"
        # -1 does not undo -l: each of its entries already has a line of its own.
        if new and not (given == "_1" and chosen == "long"):
            chosen = new
    return chosen


def _sort(opt: Values, long: bool) -> str:
    given = opt.last(*_SORT_LETTERS, "sort")
    if given == "sort":
        return _choice(opt.sort, _SORTS, "sort")
    if given:
        return _SORT_LETTERS[given]
    if (opt.c or opt.u or opt.time) and not long:
        return "time"
    return "name"


def _which_time(opt: Values) -> str:
    given = opt.last("c", "u", "time")
    if given == "time":
        return _TIMES[_choice(opt.time, _TIMES, "time")]
    return {"c": "st_ctime_ns", "u": "st_atime_ns"}.get(given or "", "st_mtime_ns")


def _time_shower(opt: Values, now: float) -> Callable[[int], str]:
    """A function from nanoseconds since 1970 to the text of the long format."""
    style = opt.time_style or os.environ.get("TIME_STYLE", "locale")
    if opt.last("full_time", "time_style") == "full_time":
        style = "full-iso"
    style = style.removeprefix("posix-")
    localtime = time.localtime
    newest, oldest = now, now - _HALF_YEAR
    if style.startswith("+"):
        old, _, recent = style[1:].partition("\n")
        forms = (old, recent or old)
    elif style == "locale":

        def usual(ns: int) -> str:
            t = ns // 1_000_000_000
            at = localtime(t)
            if oldest < t <= newest:
                return f"{_MONTHS[at[1]]} {at[2]:2d} {at[3]:02d}:{at[4]:02d}"
            return f"{_MONTHS[at[1]]} {at[2]:2d}  {at[0]}"

        return usual
    else:
        forms = _STYLES[_choice(style, _STYLES, "time-style")]

    def formatted(ns: int) -> str:
        t, fraction = divmod(ns, 1_000_000_000)
        form = forms[oldest < t <= newest]
        return time.strftime(form.replace("%N", f"{fraction:09d}"), localtime(t))

    return formatted


def _name_shower(opt: Values, tty: bool) -> Callable[[str], str]:
    from toolbox.quoting import STYLES, mask, quote

    letters = {"literal": "literal", "escape": "escape", "quote_name": "c"}
    given = opt.last(*letters, "quoting_style")
    environment = os.environ.get("QUOTING_STYLE", "")
    if opt.zero:
        style = "literal"
    elif given == "quoting_style":
        style = _choice(opt.quoting_style, STYLES, "quoting-style")
    elif given:
        style = letters[given]
    elif environment in STYLES:
        style = environment
    else:
        style = "shell-escape" if tty else "literal"
    hide = opt.last("hide_control_chars", "show_control_chars")
    masked = hide == "hide_control_chars" or (tty and hide is None)
    if style == "literal":
        return mask if masked and not opt.zero else str
    if masked and style in ("shell", "shell-always"):
        return lambda name: mask(quote(name, style))
    return lambda name: quote(name, style)


def _scales(opt: Values) -> tuple[Scale, Scale]:
    """How sizes and how blocks are shown."""
    given = opt.last("human_readable", "si", "kibibytes", "block_size")
    if given == "human_readable":
        return Scale(base=1024), Scale(base=1024)
    if given == "si":
        return Scale(base=1000), Scale(base=1000)
    if given == "block_size":
        return block_size(opt.block_size), block_size(opt.block_size)
    default = 512 if "POSIXLY_CORRECT" in os.environ and not opt.kibibytes else 1024
    return Scale(), Scale(default)


def _indicators(opt: Values, tty: bool) -> tuple[dict[int, str], bool]:
    given = opt.last("F", "classify", "p", "file_type", "indicator_style")
    style = {"F": "classify", "p": "slash", "file_type": "file-type"}.get(given or "", "none")
    if given == "indicator_style":
        style = _choice(opt.indicator_style, _INDICATORS, "indicator-style")
    elif given == "classify" and _when(opt.classify, tty):
        style = "classify"
    return _INDICATORS[style], style == "classify"


def _hidden(opt: Values, everything: bool) -> Callable[[str], bool] | None:
    """A test for names that the options leave out; None when they leave out none."""
    patterns = list(_patterns(opt, everything))
    if not patterns:
        return None
    from fnmatch import fnmatchcase

    return lambda name: any(fnmatchcase(name, pattern) for pattern in patterns)


def _patterns(opt: Values, everything: bool) -> Iterator[str]:
    yield from opt.ignore
    if opt.ignore_backups:
        yield "*~"
    if not everything:
        yield from opt.hide
