"""umask and ulimit (POSIX XCU; getrlimit(2))."""

from __future__ import annotations

import os
import re

from applets.sh.builtins.arguments import letters, write
from applets.sh.errors import ShellError
from toolbox.options import LARGEST

TYPE_CHECKING = False
if TYPE_CHECKING:
    from applets.sh.shell.state import State

# Letter: resource, unit in bytes (or 1), description.
LIMITS = {
    "c": ("CORE", 512, "core file size (blocks)"),
    "d": ("DATA", 1024, "data seg size (kb)"),
    "e": ("NICE", 1, "scheduling priority"),
    "f": ("FSIZE", 512, "file size (blocks)"),
    "i": ("SIGPENDING", 1, "pending signals"),
    "l": ("MEMLOCK", 1024, "max locked memory (kb)"),
    "m": ("RSS", 1024, "max memory size (kb)"),
    "n": ("NOFILE", 1, "open files"),
    "q": ("MSGQUEUE", 1, "POSIX message queues (bytes)"),
    "r": ("RTPRIO", 1, "real-time priority"),
    "s": ("STACK", 1024, "stack size (kb)"),
    "t": ("CPU", 1, "cpu time (seconds)"),
    "p": ("NPROC", 1, "max user processes"),
    "v": ("AS", 1024, "virtual memory (kb)"),
}


def ulimit(shell: State, argv: list[str]) -> int:
    """ulimit [-SH] [-a | -cdefilmnpqrstv] [LIMIT|unlimited]"""
    import resource

    chosen, hard, soft, everything = "", False, False, False
    operands = argv[1:]
    while operands and operands[0][:1] == "-" and len(operands[0]) > 1:
        for letter in operands.pop(0)[1:]:
            if letter == "a":
                everything = True
            elif letter == "H":
                hard = True
            elif letter == "S":
                soft = True
            elif letter in LIMITS:
                chosen += letter
            elif letter != "-":
                raise ShellError(f"illegal option -{letter}")
    if len(operands) > 1:
        raise ShellError("too many arguments")
    for letter in LIMITS if everything else chosen or "f":
        name, unit, description = LIMITS[letter]
        number = int(getattr(resource, f"RLIMIT_{name}"))
        now = resource.getrlimit(number)
        if everything or not operands:
            value = now[1] if hard and not soft else now[0]
            shown = "unlimited" if value == resource.RLIM_INFINITY else str(value // unit)
            several = everything or len(chosen) > 1
            write(f"-{letter}: {description:<32}{shown}\n" if several else f"{shown}\n")
            continue
        value = _limit(operands[0], unit, now, resource.RLIM_INFINITY)
        both = hard == soft
        try:
            resource.setrlimit(
                number, (value if soft or both else now[0], value if hard or both else now[1])
            )
        except (OSError, ValueError, OverflowError) as error:
            raise ShellError(f"error setting limit: {error}", 1) from None
    return 0


def _limit(text: str, unit: int, now: tuple[int, int], infinity: int) -> int:
    if text == "unlimited":
        return infinity
    if text in ("hard", "soft"):
        return now[1] if text == "hard" else now[0]
    if text.isascii() and text.isdecimal() and len(text) <= 20 and int(text) * unit <= LARGEST:
        return int(text) * unit
    raise ShellError(f"Illegal number: {text}")


_CLAUSE = re.compile(r"([ugoa]*)((?:[-+=][rwxugoXst]*)+)\Z")
_BITS = {"r": 4, "w": 2, "x": 1, "X": 1, "s": 0, "t": 0}
_SHIFTS = {"u": 6, "g": 3, "o": 0}


def umask(shell: State, argv: list[str]) -> int:
    """umask [-S] [MODE]"""
    found, operands = letters(argv[:2], "S") if argv[1:2] == ["-S"] else ("", argv[1:])
    if found:
        operands = argv[2:]
    now = os.umask(0)
    os.umask(now)
    if not operands:
        if found:
            allowed = ~now
            text = ",".join(
                f"{who}=" + "".join(c for c in "rwx" if allowed >> shift & _BITS[c])
                for who, shift in _SHIFTS.items()
            )
            write(text + "\n")
        else:
            write(f"{now:04o}\n")
        return 0
    text = operands[0]
    if re.fullmatch("0*[0-7]{1,4}", text):
        os.umask(int(text, 8) & 0o777)
    elif text.isdecimal():
        raise ShellError(f"Illegal number: {text}")
    else:
        os.umask(_symbolic(text, now))
    return 0


def _symbolic(text: str, mask: int) -> int:
    """A mask after clauses like `u+w,go-rwx`: they change what is allowed."""
    allowed = ~mask & 0o777
    for clause in text.split(","):
        match = _CLAUSE.match(clause)
        if not match:
            raise ShellError(f"Illegal mode: {text}")
        who = match.group(1).replace("a", "ugo") or "ugo"
        for action, letters_ in re.findall(r"([-+=])([a-zA-Z]*)", match.group(2)):
            bits = 0
            for letter in letters_:
                bits |= allowed >> _SHIFTS[letter] & 7 if letter in _SHIFTS else _BITS[letter]
            for shift in {_SHIFTS[w] for w in who}:
                if action == "=":
                    allowed &= ~(7 << shift)
                allowed = allowed & ~(bits << shift) if action == "-" else allowed | bits << shift
    return ~allowed & 0o777
