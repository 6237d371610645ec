"""Questions on standard error, answers from standard input: -i of rm, cp, mv, -ok of find, -p of xargs."""

from __future__ import annotations

import os


def confirm(question: str, fd: int = 0) -> bool:
    """Ask, and read a line from `fd`; true when the answer begins with y or Y (POSIX locale's yesexpr)."""
    from toolbox.harmless import harmless
    from toolbox.streams import stdout

    stdout().flush()
    os.write(2, os.fsencode(harmless(question)))
    answer = b""
    # Byte by byte: what follows the line is for others to read.
    while (c := os.read(fd, 1)) not in (b"", b"\n"):
        answer += c
    return answer.lstrip()[:1] in (b"y", b"Y")
