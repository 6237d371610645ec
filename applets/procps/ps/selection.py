"""Which processes ps shows."""

from __future__ import annotations

import os

from toolbox.errors import Fatal, UsageError
from toolbox.options import whole
from toolbox.processes import PPID, SESSION, TTY, Process, terminal_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


class Selection:
    """The lists of the command line; a process is shown when any of them names it."""

    def __init__(self) -> None:
        self._tests: list[Callable[[Process], bool]] = []
        self._invert = False
        self._only: Callable[[Process], bool] | None = None

    def add(self, kind: str, text: str) -> None:
        """Select by a list, separated by commas or blanks.  kind: the option's letter, or "ppid"."""
        words = [w for w in text.replace(",", " ").split() if w]
        if not words:
            raise UsageError("list of process IDs must follow -p" if kind == "p" else "empty list")
        if kind in ("p", "ppid", "s"):
            numbers = {_number(w) for w in words}
            if kind == "p":
                self._tests.append(lambda p: p.pid in numbers)
            else:
                field = PPID if kind == "ppid" else SESSION
                self._tests.append(lambda p: p.field(field) in numbers)
        elif kind == "C":
            names = {w[:15] for w in words}
            self._tests.append(lambda p: p.name in names)
        elif kind == "t":
            terminals = {_terminal(w) for w in words}
            self._tests.append(lambda p: terminal_name(p.field(TTY)) in terminals)
        elif kind in ("u", "U"):
            users = {_id(w, "user") for w in words}
            which = 1 if kind == "u" else 0
            self._tests.append(lambda p: p.ids("Uid")[which] in users)
        elif kind == "g" and all(w.isdecimal() for w in words):
            sessions = {whole(w, "session id") for w in words}
            self._tests.append(lambda p: p.field(SESSION) in sessions)
        else:
            groups = {_id(w, "group") for w in words}
            which = 1 if kind == "g" else 0
            self._tests.append(lambda p: p.ids("Gid")[which] in groups)

    def prepare(self, flags: str, bsd: str) -> None:
        """Take the letters of the command line into account; without any selection the usual one."""
        if "A" in flags or "e" in flags or ("a" in bsd and "x" in bsd):
            self._tests.append(lambda p: True)
        if "a" in flags:
            self._tests.append(lambda p: p.field(TTY) != 0 and p.field(SESSION) != p.pid)
        if "d" in flags:
            self._tests.append(lambda p: p.field(SESSION) != p.pid)
        if "a" in bsd and "x" not in bsd:
            self._tests.append(lambda p: p.field(TTY) != 0)
        user = os.geteuid()
        if "x" in bsd and "a" not in bsd:
            self._tests.append(lambda p: p.ids("Uid")[1] == user)
        if not self._tests or "T" in bsd:
            try:
                terminal = Process(os.getpid()).field(TTY)
            except OSError:
                terminal = 0
            # POSIX: the same effective user and terminal.
            self._tests.append(lambda p: p.field(TTY) == terminal and p.ids("Uid")[1] == user)
        self._invert = "N" in flags
        if "r" in bsd:
            self._only = lambda p: p.state in ("R", "D")

    def takes(self, process: Process) -> bool:
        """Whether ps shows this process."""
        if self._only is not None and not self._only(process):
            return False
        return any(test(process) for test in self._tests) != self._invert


def _number(word: str) -> int:
    if not (word.isascii() and word.isdecimal()):
        raise UsageError("process ID list syntax error")
    return whole(word, "process id")


def _terminal(word: str) -> str:
    """`pts/0`, `/dev/pts/0`, `tty1`, `S0` for ttyS0, `1` for tty1, `-` and `?` for none (POSIX: the name or its end)."""
    word = word.removeprefix("/dev/")
    if word in ("-", "?"):
        return "?"
    for name in (word, f"tty{word}", f"pts/{word}"):
        if os.path.exists(f"/dev/{name}"):
            return name
    raise UsageError("TTY could not be found")


def _id(word: str, kind: str) -> int:
    from toolbox.users import group_id, user_id

    try:
        return user_id(word) if kind == "user" else group_id(word)
    except Fatal:
        raise UsageError(f"{kind} name does not exist") from None
