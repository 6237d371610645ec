"""test EXPRESSION
[ EXPRESSION ]

Evaluate an expression: status 0 when it is true, 1 when false, 2 when none.

Files:    -e FILE exists; -f file; -d folder; -h or -L link; -b -c -p -S other kinds; -s not empty;
          -r -w -x may be read, written, executed; -u -g -k mode bits; -O -G owned by this process;
          -N changed since it was read;
          -t FD is a terminal; FILE1 -nt FILE2 newer; -ot older; -ef the same file
Strings:  STRING or -n STRING not empty; -z empty; = or == equal; != not; < and > in byte order
Numbers:  N1 -eq N2, -ne, -lt, -le, -gt, -ge
Others:   ! EXPRESSION, EXPRESSION -a EXPRESSION, EXPRESSION -o EXPRESSION, ( EXPRESSION )
"""

from __future__ import annotations

import os
import stat

from toolbox.errors import Fatal
from toolbox.options import Options

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

options = Options(__doc__, trouble=2)


def main(argv: list[str]) -> int:
    """POSIX XCU test: up to four arguments are understood by their number."""
    words = argv[1:]
    if argv[0].rpartition("/")[2] == "[":
        options.standard(argv)
        if words[-1:] != ["]"]:
            raise Fatal("missing ']'", 2)
        words = words[:-1]
    return 0 if by_count(words) else 1


def by_count(words: list[str]) -> bool:
    """POSIX's rules for 0 to 4 arguments; more are parsed as an expression."""
    count = len(words)
    if count == 0:
        return False
    if count == 1:
        return bool(words[0])
    if words[0] == "!" and count <= 4 and not (count == 3 and words[1] in BINARY):
        return not by_count(words[1:])
    if count == 2:
        if words[0] in UNARY:
            return unary(words[0], words[1])
        raise Fatal(f"{words[0]}: unary operator expected", 2)
    if count == 3:
        if words[1] in BINARY:
            return binary(*words)
        if words[1] in ("-a", "-o"):
            left, right = bool(words[0]), bool(words[2])
            return left and right if words[1] == "-a" else left or right
        if words[0] == "(" and words[2] == ")":
            return bool(words[1])
        if words[0] not in UNARY and words[0] != "(":
            raise Fatal(f"{words[1]}: binary operator expected", 2)
    if count == 4 and words[0] == "(" and words[3] == ")":
        return by_count(words[1:3])
    return Expression(words).parse()


class Expression:
    """A recursive descent parser: -o binds weakest, then -a, then !."""

    def __init__(self, words: list[str]) -> None:
        self.words = words
        self.at = 0

    def parse(self) -> bool:
        """The value of the whole; Fatal when words are left or missing."""
        value = self._or()
        if self.at < len(self.words):
            raise Fatal(f"extra argument {self.words[self.at]!r}", 2)
        return value

    def _or(self) -> bool:
        value = self._and()
        while self._peek() == "-o":
            self.at += 1
            right = self._and()
            value = value or right
        return value

    def _and(self) -> bool:
        value = self._not()
        while self._peek() == "-a":
            self.at += 1
            right = self._not()
            value = value and right
        return value

    def _not(self) -> bool:
        if self._peek() == "!":
            self.at += 1
            return not self._not()
        return self._primary()

    def _primary(self) -> bool:
        word = self._next()
        if self._peek() in BINARY and self.at + 1 < len(self.words):
            operator = self._next()
            return binary(word, operator, self._next())
        if word == "(":
            value = self._or()
            if self._peek() != ")":
                raise Fatal("')' expected", 2)
            self.at += 1
            return value
        if word in UNARY and self._peek() is not None:
            return unary(word, self._next())
        return bool(word)

    def _peek(self) -> str | None:
        return self.words[self.at] if self.at < len(self.words) else None

    def _next(self) -> str:
        word = self._peek()
        if word is None:
            raise Fatal("argument expected", 2)
        self.at += 1
        return word


def _kind(check: Callable[[int], bool]) -> Callable[[str], bool]:
    return lambda name: check(os.stat(name).st_mode)


def _bit(bit: int) -> Callable[[str], bool]:
    return lambda name: bool(os.stat(name).st_mode & bit)


def _access(mode: int) -> Callable[[str], bool]:
    return lambda name: os.access(name, mode, effective_ids=True)


def _terminal(text: str) -> bool:
    return 0 <= number(text) < 1 << 31 and os.isatty(number(text))


#: What a file is asked; an OSError is false.
UNARY: dict[str, Callable[[str], bool]] = {
    "-b": _kind(stat.S_ISBLK),
    "-c": _kind(stat.S_ISCHR),
    "-d": _kind(stat.S_ISDIR),
    "-e": lambda name: bool(os.stat(name)),
    "-f": _kind(stat.S_ISREG),
    "-g": _bit(stat.S_ISGID),
    "-h": lambda name: stat.S_ISLNK(os.lstat(name).st_mode),
    "-k": _bit(stat.S_ISVTX),
    "-L": lambda name: stat.S_ISLNK(os.lstat(name).st_mode),
    "-n": bool,
    "-p": _kind(stat.S_ISFIFO),
    "-r": _access(os.R_OK),
    "-s": lambda name: os.stat(name).st_size > 0,
    "-S": _kind(stat.S_ISSOCK),
    "-t": _terminal,
    "-u": _bit(stat.S_ISUID),
    "-w": _access(os.W_OK),
    "-x": _access(os.X_OK),
    "-z": lambda text: not text,
    "-O": lambda name: os.stat(name).st_uid == os.geteuid(),
    "-N": lambda name: _unread(os.stat(name)),
    "-G": lambda name: os.stat(name).st_gid == os.getegid(),
}

BINARY: dict[str, Callable[[str, str], bool]] = {
    "=": lambda a, b: a == b,
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: os.fsencode(a) < os.fsencode(b),
    ">": lambda a, b: os.fsencode(a) > os.fsencode(b),
    "-eq": lambda a, b: number(a) == number(b),
    "-ne": lambda a, b: number(a) != number(b),
    "-lt": lambda a, b: number(a) < number(b),
    "-le": lambda a, b: number(a) <= number(b),
    "-gt": lambda a, b: number(a) > number(b),
    "-ge": lambda a, b: number(a) >= number(b),
    "-nt": lambda a, b: _modified(a) > _modified(b),
    "-ot": lambda a, b: _modified(a) < _modified(b),
    "-ef": os.path.samefile,
}


def _unread(status: os.stat_result) -> bool:
    return status.st_mtime_ns > status.st_atime_ns


def unary(operator: str, operand: str) -> bool:
    """The value of `operator operand`."""
    try:
        return UNARY[operator](operand)
    except (OSError, ValueError):
        return False


def binary(left: str, operator: str, right: str) -> bool:
    """The value of `left operator right`."""
    try:
        return BINARY[operator](left, right)
    except OSError:
        return False


def number(text: str) -> int:
    """A decimal integer, blanks around it allowed; Fatal with status 2 for anything else."""
    stripped = text.strip()
    digits = stripped[1:] if stripped[:1] in ("+", "-") else stripped
    if not (digits.isascii() and digits.isdecimal()):
        raise Fatal(f"{text}: integer expression expected", 2)
    return int(stripped)


def _modified(name: str) -> int:
    """When a file was changed, in nanoseconds; before all times when it is not there."""
    try:
        return os.stat(name).st_mtime_ns
    except OSError:
        return -(1 << 80)
