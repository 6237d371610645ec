"""reset

Bring a terminal back to its usual state, after a program left it garbled.
"""

from __future__ import annotations

import os

from toolbox.options import Options
from toolbox.streams import stdout

options = Options(__doc__)

#: Full reset (RIS), character set ASCII, attributes off, cursor shown, line wrapping on.
SEQUENCE = b"\x1bc\x1b(B\x1b[m\x1b[?25h\x1b[?7h"


def main(argv: list[str]) -> int:
    """The escape sequences, and the line discipline as `stty sane` has it."""
    options.parse(argv)
    out = stdout()
    if not os.isatty(1):
        out.write(SEQUENCE)
        return 0
    import termios

    out.write(SEQUENCE)
    out.flush()
    sane(termios.tcgetattr(1))
    return 0


def sane(mode: list[int | list[bytes | int]]) -> None:
    """Set the usual flags and control characters on standard output's terminal (stty(1), sane)."""
    import termios as t

    mode[0] = t.BRKINT | t.ICRNL | t.IMAXBEL | t.IXON | t.IUTF8 if hasattr(t, "IUTF8") else t.ICRNL
    mode[1] = t.OPOST | t.ONLCR
    mode[3] = t.ISIG | t.ICANON | t.IEXTEN | t.ECHO | t.ECHOE | t.ECHOK | t.ECHOCTL | t.ECHOKE
    characters = mode[6]
    if isinstance(characters, list):
        for name, value in (
            ("VINTR", 3),
            ("VQUIT", 28),
            ("VERASE", 127),
            ("VKILL", 21),
            ("VEOF", 4),
        ):
            characters[getattr(t, name)] = bytes([value])
    t.tcsetattr(1, t.TCSANOW, mode)
