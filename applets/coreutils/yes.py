"""yes [STRING]...

Print a line with the strings, or "y", until killed.
"""

from __future__ import annotations

import os

from toolbox.options import Options
from toolbox.streams import write_all

options = Options(__doc__)


def main(argv: list[str]) -> int:
    """Ends by SIGPIPE, or with an error when the output cannot be written."""
    _, words = options.parse(argv)
    line = os.fsencode(" ".join(words or ["y"])) + b"\n"
    block = line * max(1, 65536 // len(line))
    while True:
        write_all(1, block)
