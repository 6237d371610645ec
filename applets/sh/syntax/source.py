"""Where the shell's program text comes from, one line at a time.

A shell that reads its commands from standard input must leave the rest of it to the commands that it
runs (XCU sh, STDIN): so a line is taken with single-byte reads from a pipe, and with one read and a seek
back from a file.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    class Lines(Protocol):
        """A source of program text."""

        def line(self, continued: bool) -> str:
            """The next line with its newline, "" at the end of the input."""

    Echo = Callable[[str], None]  # told each line as it is read (-v)


class Text:
    """A program held in memory: `sh -c`, eval, traps, `.` and script files."""

    def __init__(self, text: str, echo: Echo | None = None) -> None:
        self._text = text
        self._echo = echo
        self._position = 0

    def line(self, continued: bool) -> str:
        """The next line with its newline; "" at the end."""
        start = self._position
        end = self._text.find("\n", start) + 1
        if not end:
            end = len(self._text)
        self._position = end
        if self._echo is not None:
            self._echo(self._text[start:end])
        return self._text[start:end]

    def ended(self) -> bool:
        """Whether only blanks and newlines are left."""
        return not self._text[self._position :].strip()


class Descriptor:
    """A program read from an open file that others read too."""

    def __init__(self, fd: int, echo: Echo | None = None) -> None:
        self._fd = fd
        self._echo = echo

    def line(self, continued: bool) -> str:
        """The next line with its newline; "" at the end.  NUL bytes are dropped."""
        text = os.fsdecode(read_line(self._fd).replace(b"\0", b""))
        if self._echo is not None:
            self._echo(text)
        return text


def read_line(fd: int) -> bytes:
    """One line of `fd` with its newline, and not a byte more; the rest at the end of the file."""
    try:
        at = os.lseek(fd, 0, os.SEEK_CUR)
    except OSError:
        at = -1
    got = bytearray()
    while True:
        block = os.read(fd, 4096 if at >= 0 else 1)
        if not block:
            return bytes(got)
        end = block.find(b"\n") + 1
        if end:
            got += block[:end]
            if at >= 0:
                os.lseek(fd, at + len(got), os.SEEK_SET)
            return bytes(got)
        got += block
