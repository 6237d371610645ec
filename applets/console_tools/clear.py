"""clear [-x]

Clear the terminal.

  -x  leave what has scrolled away
"""

from __future__ import annotations

from toolbox.options import Options
from toolbox.streams import stdout

options = Options(__doc__)


def main(argv: list[str]) -> int:
    """ECMA-48: cursor home, erase the display; xterm's 3J erases what has scrolled away."""
    opt, _ = options.parse(argv)
    stdout().write(b"\x1b[H\x1b[2J" if opt.x else b"\x1b[H\x1b[2J\x1b[3J")
    return 0
