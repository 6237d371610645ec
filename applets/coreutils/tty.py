"""tty [-s]

Print the name of the terminal on standard input.

  -s, --silent, --quiet  print nothing: only the status tells
"""

from __future__ import annotations

import os

from toolbox.options import Options
from toolbox.streams import stdout

options = Options(__doc__, trouble=2)


def main(argv: list[str]) -> int:
    """POSIX XCU tty: 0 on a terminal, 1 not, 2 for a wrong command line."""
    opt, _ = options.parse(argv)
    try:
        name = os.ttyname(0)
    except OSError:
        name = ""
    if not opt.silent:
        stdout().write(os.fsencode(name or "not a tty") + b"\n")
    return 0 if name else 1
