"""read (POSIX XCU): one line into variables, and not a byte more taken from a pipe."""

from __future__ import annotations

import codecs
import os

from applets.sh.builtins.arguments import number, seconds
from applets.sh.errors import ShellError
from applets.sh.expand.fields import DEFAULT_IFS
from applets.sh.shell.state import is_name
from applets.sh.syntax.source import read_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from applets.sh.shell.state import State


def read(shell: State, argv: list[str]) -> int:
    """read [-rs] [-p PROMPT] [-t SECONDS] [-n COUNT] [-u FD] [-d CHARACTER] [NAME]..."""
    given, names = _options(argv)
    fd = number(given.get("u", "0"))
    for name in names:
        if not is_name(name):
            raise ShellError(f"{name}: bad variable name")
    if "p" in given and os.isatty(fd):
        try:
            os.write(2, os.fsencode(given["p"]))
        except OSError:
            pass  # nobody sees the prompt, but somebody may answer
    raw = "r" in given
    if given.get("t") == "0":  # only: is there something to read?
        return 0 if _ready(fd, 0.0) else 1
    try:
        shell.may_block()
        with Terminal(fd, "n" in given, "s" in given):
            if "t" not in given:
                shell.wait_readable(fd)
            text, status = _read(shell, fd, given, raw)
    except OSError as error:
        raise ShellError(f"{error.strerror}", 1) from None
    finally:
        shell.traps.interruptible = False
    characters, escaped = _unescape(text) if not raw and "\\" in text else (text, None)
    ifs = shell.vars.get("IFS")
    ifs = DEFAULT_IFS if ifs is None else ifs
    if not names:
        shell.set("REPLY", characters)
        return status
    values = split(characters, escaped or frozenset(), ifs, len(names))
    for name, value in zip(names, values, strict=True):
        shell.set(name, value)
    return status


def _options(argv: list[str]) -> tuple[dict[str, str], list[str]]:
    given: dict[str, str] = {}
    words = argv[1:]
    while words and words[0][:1] == "-" and len(words[0]) > 1:
        word = words.pop(0)
        if word == "--":
            break
        at = 1
        while at < len(word):
            letter = word[at]
            at += 1
            if letter in "rs":
                given[letter] = ""
            elif letter in "ptnud":
                if at >= len(word) and not words:
                    raise ShellError(f"no arg for -{letter} option")
                given[letter] = word[at:] if at < len(word) else words.pop(0)
                at = len(word)
            else:
                raise ShellError(f"illegal option -{letter}")
    return given, words


def _read(shell: State, fd: int, given: dict[str, str], raw: bool) -> tuple[str, int]:
    """The text without its delimiter, and the status: 1 at the end of the input, 142 after the time."""
    delimiter = os.fsencode(given.get("d", "\n"))[:1] or b"\0"
    if "t" not in given and "n" not in given and delimiter == b"\n":
        return _read_lines(fd, raw)
    limit = number(given["n"]) if "n" in given else -1
    deadline = None
    if "t" in given:
        import time

        deadline = time.monotonic() + seconds(given["t"])
    got = bytearray()
    escaped = False
    decode = codecs.getincrementaldecoder("utf-8")("surrogateescape").decode
    characters = 0
    while limit < 0 or characters < limit:
        if deadline is not None and not _ready(fd, deadline):
            return os.fsdecode(bytes(got)), 142 if got or deadline else 1
        byte = os.read(fd, 1)
        if not byte:
            return os.fsdecode(bytes(got)), 1
        if byte == b"\0" and delimiter != b"\0":
            continue
        if byte == delimiter and not escaped:
            break
        if escaped and byte == b"\n":
            del got[-1:]
            characters -= 1
            escaped = False
            continue
        escaped = not raw and byte == b"\\" and not escaped
        got += byte
        characters += len(decode(byte))
    return os.fsdecode(bytes(got)), 0


def _ready(fd: int, deadline: float) -> bool:
    import time

    from toolbox.waits import readable

    return readable(fd, deadline - time.monotonic())


def _read_lines(fd: int, raw: bool) -> tuple[str, int]:
    """A line, with the lines that a backslash at the end joins to it."""
    got = b""
    while True:
        line = read_line(fd).replace(b"\0", b"")
        if not line.endswith(b"\n"):
            return os.fsdecode(got + line), 1
        got += line[:-1]
        if raw or (len(got) - len(got.rstrip(b"\\"))) % 2 == 0:
            return os.fsdecode(got), 0
        got = got[:-1]


def _unescape(text: str) -> tuple[str, frozenset[int]]:
    """The text without its backslashes, and the places of the characters that they quoted."""
    got: list[str] = []
    places = set()
    pieces = iter(text)
    for c in pieces:
        if c == "\\":
            c = next(pieces, "")
            if c:
                places.add(len(got))
        if c:
            got.append(c)
    return "".join(got), frozenset(places)


def split(text: str, escaped: frozenset[int], ifs: str, count: int) -> list[str]:
    """Split a line into `count` values; the last takes the rest, without white space around it."""
    space = {c for c in ifs if c in DEFAULT_IFS}

    def separates(at: int) -> bool:
        return text[at] in ifs and at not in escaped

    def blank(at: int) -> bool:
        return text[at] in space and at not in escaped

    values: list[str] = []
    at, size = 0, len(text)
    while at < size and blank(at):
        at += 1
    while len(values) < count - 1 and at < size:
        start = at
        while at < size and not separates(at):
            at += 1
        values.append(text[start:at])
        while at < size and blank(at):
            at += 1
        if at < size and separates(at):
            at += 1
            while at < size and blank(at):
                at += 1
    end = size
    while end > at and blank(end - 1):
        end -= 1
    # a single field that ends in a separator is that field alone
    if end > at and separates(end - 1):
        last = end - 1
        while last > at and blank(last - 1):
            last -= 1
        if not any(separates(i) for i in range(at, last)):
            end = last
    values.append(text[at:end])
    return values + [""] * (count - len(values))


class Terminal:
    """While it holds, a terminal gives single characters (-n) or does not echo (-s)."""

    __slots__ = ("_fd", "_former", "_quiet", "_single")

    def __init__(self, fd: int, single: bool, quiet: bool) -> None:
        self._fd = fd
        self._single = single
        self._quiet = quiet
        self._former: list[object] | None = None

    def __enter__(self) -> None:
        if not (self._single or self._quiet) or not os.isatty(self._fd):
            return
        import termios

        self._former = list(termios.tcgetattr(self._fd))
        mode = termios.tcgetattr(self._fd)
        if self._single:
            mode[3] &= ~termios.ICANON
        if self._quiet:
            mode[3] &= ~termios.ECHO
        termios.tcsetattr(self._fd, termios.TCSANOW, mode)

    def __exit__(self, *error: object) -> None:
        if self._former is not None:
            import termios

            termios.tcsetattr(self._fd, termios.TCSANOW, self._former)  # type: ignore[arg-type]
