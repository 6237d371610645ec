"""ps [-AadefFHjlLNTwy] [-o FORMAT] [-p PIDS] [-C NAMES] [-t TERMINALS] [-u USERS]
ps [afhjlruwx] [o FORMAT] [p PIDS] [t TERMINALS] [U USERS] [k KEYS] [PID]...

List processes: `ps` alone lists all of them. With options, unless they say which, it is the
caller's own on the same terminal.

Which (POSIX and GNU; several add up):
  -A, -e               all
  -a                   all with a terminal but session leaders
  -d                   all but session leaders
  -N, --deselect       all but those that are selected
  -p, --pid=LIST       by process id (also p LIST, and a bare number)
      --ppid=LIST      by the parent's id
  -C NAMES             by name
  -u, --user=LIST      by effective user
  -U, --User=LIST      by real user
  -g LIST              by session, or effective group's name
  -G, --Group=LIST     by real group
  -s, --sid=LIST       by session
  -t, --tty=LIST       by terminal (also t LIST)

What of them:
  -f                   full: user, parent, start, command line
  -F                   extra full: memory and processor too
  -l                   long: state, priority, size
  -j                   process group and session
  -c                   scheduling class and priority
  -M, -Z               security label
  -P                   processor
  -L, -T               a line for each thread
  -o, --format=FORMAT  columns, separated by commas; NAME=HEADER names a column, NAME:N is N wide
  -O FORMAT            these columns after the process id (also o, O)
  -H, --forest         parents above their children
      --sort=KEYS      order by columns, -KEY: downwards (also k)
      --no-headers     without the header
  -w                   wide; twice: not cut at all
      --cols=N         at most N columns
  -y                   with -l: no flags, memory instead of addresses

BSD's words, without a dash: a: with a terminal, x: also without one, ax: all; u: by user, with
load and memory; j, l, s, v, Z: jobs, long, signals, memory, label; S: times with those of dead
children; f: forest; r: only running ones; e: environment after the command; c: name instead of
the command line; h: no header; w: wide; T: this terminal; n: numbers for names; L: list the
columns' names.
"""

from __future__ import annotations

import os

from applets.procps.ps.columns import COLUMNS, PERCENT, Column, Context
from applets.procps.ps.selection import Selection
from toolbox.errors import UsageError
from toolbox.options import Options, whole
from toolbox.processes import PPID, Process, process_ids
from toolbox.streams import stdout

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

options = Options(__doc__)

_ALL = "pid,user,bsdtime,args"  # as BusyBox does: what one wants to see on a small box
_USUAL = "pid,tty=TTY,time,ucmd"
_FULL = "uid_hack=UID,pid,ppid,c,stime,tname,time,cmd"
_EXTRA_FULL = "uid_hack=UID,pid,ppid,c,sz,rss,psr,stime,tname,time,cmd"
_LONG = "f,s,uid,pid,ppid,c,opri,ni,addr_1,wchan,tname,time,ucmd"
_LONG_Y = "s,uid,pid,ppid,c,opri,ni,rss,sz,wchan,tname,time,ucmd"
_JOBS = "pid,pgid,sid,tname,time,ucmd"
_BSD = "pid,tname,stat,bsdtime,args"
_BSD_USER = "user,pid,pcpu,pmem,vsz,rss,tname,stat,start_time,bsdtime,args"
_BETWEEN = "pid,state,tname,time,command"
_BSD_SIGNALS = "uid,pid,pending,blocked,ignored,caught,stat,tname,bsdtime,args"
_BSD_MEMORY = "pid,tname,stat,bsdtime,maj_flt,trs,drs,rss,pmem,args"
_BSD_LONG = "f,uid,pid,ppid,priority,ni,vsz,rss,wchan,stat,tname,bsdtime,args"
_BSD_JOBS = "ppid,pid,pgid,sid,tname,tpgid,stat,uid,bsdtime,args"

_LONGS = {
    "pid": "p",
    "quick-pid": "p",
    "ppid": "ppid",
    "format": "o",
    "user": "u",
    "User": "U",
    "group": "g",
    "Group": "G",
    "sid": "s",
    "tty": "t",
    "sort": "k",
    "cols": "cols",
    "columns": "cols",
    "width": "cols",
    "rows": "rows",
    "lines": "rows",
}
_LONG_FLAGS = {
    "deselect": "N",
    "forest": "forest",
    "no-headers": "h",
    "no-heading": "h",
    "headers": "",
    "heading": "",
    "cumulative": "",
}


def main(argv: list[str]) -> int:
    options.standard(argv)
    command = _Command()
    command.read(argv[1:])
    command.plain = not any(word.strip("-w") for word in argv[1:])
    if "L" in command.bsd:
        stdout().write("".join(f"{name:<12}{c.header}\n" for name, c in COLUMNS.items()).encode())
        return 0
    return command.run()


class _Command:
    """What the command line asks for."""

    def __init__(self) -> None:
        self.flags = ""  # letters with a dash
        self.bsd = ""  # letters without
        self.is_bsd = False  # some word without a dash changes the format
        self.formats: list[str] = []
        self.between: list[str] = []
        self.sort = ""
        self.width: int | None = None
        self.plain = False  # nothing was asked for
        self.selection = Selection()

    # -- reading ----------------------------------------------------------------------------------

    def read(self, words: list[str]) -> None:
        """Take the words of the command line.  UsageError names what is wrong."""
        rest = iter(words)
        for word in rest:
            if word.startswith("--") and word != "--":
                self._long(word[2:], rest)
            elif word.startswith("-") and len(word) > 1:
                # `-123` is a process id as `123` is.
                if word[1:].isdecimal():
                    self.selection.add("p", word[1:])
                else:
                    # POSIX: -u takes a user. Everybody types `ps -aux` and means `ps aux`.
                    mistaken = word.endswith("x") and not set(word[1:]) - set("aefjluwx")
                    self._letters(word[1:], rest, dashed=not mistaken)
            elif word[:1].isdecimal():
                self.selection.add("p", word)
            elif word:
                self._letters(word, rest, dashed=False)

    def _long(self, word: str, rest: Iterator[str]) -> None:
        name, equals, text = word.partition("=")
        if name in _LONG_FLAGS and not equals:
            flag = _LONG_FLAGS[name]
            if flag == "N":
                self.flags += "N"
            elif flag == "forest":
                self.bsd += "f"
            elif flag == "h":
                self.bsd += "h"
            return
        letter = _LONGS.get(name)
        if letter is None:
            raise UsageError(f"unknown option '--{name}'")
        if not equals:
            text = self._following(rest, f"--{name}")
        self._argument(letter, text)

    def _letters(self, word: str, rest: Iterator[str], *, dashed: bool) -> None:
        known = "AadefFHjlLNTwyMPcZ" if dashed else "aefhjlrsuwxcTnLHSvZ"
        takes = "poOCuUgGstkq" if dashed else "poOUtkq"
        for at, letter in enumerate(word):
            if letter in takes:
                text = word[at + 1 :] or self._following(rest, ("-" if dashed else "") + letter)
                if not dashed and letter in "kO":
                    self.is_bsd = True
                if not dashed and letter == "U":
                    letter = "u"
                self._argument("p" if letter == "q" else letter, text)
                return
            if letter not in known:
                raise UsageError(
                    f"invalid option -- {letter!r}" if dashed else f"unknown word {word!r}"
                )
            if dashed:
                self.flags += letter
            else:
                self.bsd += letter
                self.is_bsd = True

    def _following(self, rest: Iterator[str], shown: str) -> str:
        text = next(rest, None)
        if text is None:
            raise UsageError(f"option '{shown}' requires an argument")
        return text

    def _argument(self, letter: str, text: str) -> None:
        if letter == "o":
            self.formats.append(text)
        elif letter == "O":
            self.between.append(text)
        elif letter == "k":
            self.sort = text
        elif letter == "cols":
            self.width = whole(text, "number of columns", least=0, most=1 << 20)
        elif letter != "rows":
            self.selection.add(letter, text)

    # -- listing ----------------------------------------------------------------------------------

    def run(self) -> int:
        """List; the status is 1 when nothing was selected."""
        context = Context(
            numeric="n" in self.bsd, environment="e" in self.bsd, children="S" in self.bsd
        )
        columns = self._columns()
        chosen = self._chosen()
        self._order(chosen, context)
        tree = "H" in self.flags or "f" in self.bsd
        prefixes = _forest(chosen, plain="f" not in self.bsd) if tree else {}
        if {"L", "T"} & set(self.flags) or "H" in self.bsd:
            chosen = [thread for process in chosen for thread in process.threads()]
        context.prefixes = prefixes
        rows = []
        for process in chosen:
            try:
                rows.append([column.show(process, context) for column in columns])
            except ProcessLookupError:
                pass  # it ended meanwhile
        self._print(columns, rows)
        return 0 if rows else 1

    def _columns(self) -> list[Column]:
        if self.formats:
            return [c for text in self.formats for c in _parse_format(text)]
        text = self._format()
        found = _parse_format(text)
        if "c" in self.bsd:
            found = [COLUMNS["ucmd"].named(c.header) if c.is_command else c for c in found]
        if self.between:
            extra = [c for word in self.between for c in _parse_format(word)]
            at = 1 + next((i for i, c in enumerate(found) if c.name == "pid"), 0)
            found[at:at] = extra
        if "Z" in self.bsd or {"M", "Z"} & set(self.flags):
            found.insert(0, COLUMNS["label"])
        if "c" in self.flags:
            # In the place of C, where it is shown.
            names = [c.name for c in found]
            at = names.index("c") if "c" in names else names.index("pid") + 1
            if names[at : at + 1] == ["c"]:
                del found[at]
            found[at:at] = [COLUMNS["cls"], COLUMNS["pri"]]
        if "P" in self.flags:
            found.insert(
                1 + next(i for i, c in enumerate(found) if c.name == "pid"), COLUMNS["psr"]
            )
        if "L" in self.flags:
            at = 1 + max(i for i, c in enumerate(found) if c.name in ("ppid", "pid"))
            found.insert(at, COLUMNS["lwp"])
            if "f" in self.flags or "F" in self.flags:
                found.insert(at + 2, COLUMNS["nlwp"])
        elif "T" in self.flags:
            at = 1 + next(i for i, c in enumerate(found) if c.name == "pid")
            found.insert(at, COLUMNS["spid"])
        return found

    def _format(self) -> str:
        if "u" in self.bsd:
            return _BSD_USER
        if "j" in self.bsd:
            return _BSD_JOBS
        if "l" in self.bsd:
            return _BSD_LONG
        if "l" in self.flags:
            text = _LONG_Y if "y" in self.flags else _LONG
            if "f" in self.flags:
                text = text.replace("uid,", "uid_hack=UID,").replace("wchan,", "wchan,stime,")
                text = text.replace("ucmd", "cmd")
            return text
        if "F" in self.flags:
            return _EXTRA_FULL
        if "f" in self.flags:
            if "j" in self.flags:
                return _FULL.replace("ppid,", "ppid,pgid,sid,")
            return _FULL
        if "j" in self.flags:
            return _JOBS
        if "s" in self.bsd:
            return _BSD_SIGNALS
        if "v" in self.bsd:
            return _BSD_MEMORY
        if self.between:
            return _BETWEEN.replace("command", "ucmd=COMMAND") if self.is_bsd else _BETWEEN
        if self.is_bsd:
            return _BSD
        return _ALL if self.plain else _USUAL

    def _chosen(self) -> list[Process]:
        self.selection.prepare(self.flags + "A" * self.plain, self.bsd)
        found = []
        for pid in process_ids():
            try:
                process = Process(pid)
                if self.selection.takes(process):
                    found.append(process)
            except ProcessLookupError:
                pass  # it ended meanwhile
        return found

    def _order(self, chosen: list[Process], context: Context) -> None:
        for word in reversed(self.sort.split(",") if self.sort else []):
            name = word.lstrip("+-")
            column = COLUMNS.get(name)
            if column is None:
                raise UsageError(f"unknown sort specifier {name!r}")
            keys = {}
            for process in chosen:
                try:
                    keys[process.pid] = column.key(process, context)
                except ProcessLookupError:
                    pass  # it ended meanwhile
            chosen[:] = [process for process in chosen if process.pid in keys]
            chosen.sort(key=lambda process, keys=keys: keys[process.pid], reverse=word[:1] == "-")  # type: ignore[misc]

    def _print(self, columns: list[Column], rows: list[list[str]]) -> None:
        headers = [column.header for column in columns]
        width = self._line_width()
        lines = []
        if any(headers) and "h" not in self.bsd:
            lines.append(headers)
        out = stdout()
        for cells in [*lines, *rows]:
            out.write(os.fsencode(_line(columns, cells, width)) + b"\n")

    def _line_width(self) -> int:
        """Columns to cut lines at; 0: none."""
        if self.width is not None:
            return self.width
        wide = self.flags.count("w") + self.bsd.count("w")
        if wide >= 2:
            return 0
        from toolbox.columns import terminal_width

        columns = terminal_width(default=0) if os.isatty(1) else 0
        return max(columns, 132) if columns and wide else columns


def _line(columns: list[Column], cells: list[str], width: int) -> str:
    parts = []
    for i, (column, cell) in enumerate(zip(columns, cells, strict=True)):
        last = i == len(columns) - 1
        size = max(column.width, len(column.header))
        if not last and column.cut:
            cell = cell[:size]
        if column.right:
            cell = cell.rjust(size)
        elif not last:
            cell = cell.ljust(size)
        parts.append(cell)
    line = " ".join(parts)
    return line[:width] if width else line


def _parse_format(text: str) -> list[Column]:
    """The columns of a -o argument: `pid,comm`, `pid=,comm=`, `user=OWNER`."""
    found = []
    words = [text]
    if "=" not in text:
        words = text.replace("%", ",%").replace(" ", ",").replace("\t", ",").split(",")
    for word in words:
        if not word:
            continue
        name, equals, header = word.partition("=")
        # `user,pid=P`: the names before the last comma are columns too.
        *before, name = name.replace(" ", ",").split(",")
        found += [_column(one) for one in before if one]
        following = header.split(",", 1)
        if (
            equals
            and len(following) > 1
            and following[1].partition("=")[0].split(",")[0] in COLUMNS
        ):
            # POSIX: all of it is the header; as procps we read `pid=,comm=` as two columns.
            found.append(_column(name).named(following[0]))
            found += _parse_format(following[1])
        else:
            found.append(_column(name).named(header) if equals else _column(name))
    if not found:
        raise UsageError("improper format list")
    return found


def _column(name: str) -> Column:
    if name[:1] == "%" and name[1:] in PERCENT:
        name = PERCENT[name[1:]]
    name, colon, width = name.partition(":")
    column = COLUMNS.get(name) or COLUMNS.get(name.lower())
    if column is None:
        raise UsageError(f'unknown user-defined format specifier "{name}"')
    if colon:
        if not (
            width.isascii() and width.isdecimal() and len(width) < 9 and 0 < int(width) < 1 << 16
        ):
            raise UsageError(f"invalid width of column {name!r}: {width!r}")
        return column.named(width=int(width))
    return column


def _forest(chosen: list[Process], *, plain: bool) -> dict[int, str]:
    """Put children below their parents, and say what each command is indented by."""
    known = {process.pid for process in chosen}
    children: dict[int, list[Process]] = {}
    for process in chosen:
        parent = process.field(PPID)
        parent = parent if parent in known and parent != process.pid else 0
        children.setdefault(parent, []).append(process)
    ordered: list[Process] = []
    prefixes: dict[int, str] = {}
    # (process, what its own line starts with, what its children's lines start with)
    stack = [(process, "", "") for process in reversed(children.get(0, []))]
    while stack:
        process, prefix, below = stack.pop()
        ordered.append(process)
        prefixes[process.pid] = prefix
        descendants = children.get(process.pid, [])
        for i, child in reversed(list(enumerate(descendants))):
            if plain:
                stack.append((child, below + "  ", below + "  "))
            else:
                last = i == len(descendants) - 1
                stack.append((child, below + " \\_ ", below + ("    " if last else " |  ")))
    chosen[:] = ordered
    return prefixes
