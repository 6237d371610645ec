"""dirname [-z] NAME...

Print a path without its last component.

  -z, --zero  end each line with a NUL
"""

from __future__ import annotations

import os

from toolbox.options import Options
from toolbox.streams import stdout

options = Options(__doc__)


def main(argv: list[str]) -> int:
    """POSIX XCU dirname."""
    opt, names = options.parse(argv)
    end = "\0" if opt.zero else "\n"
    stdout().write(os.fsencode("".join(folder(name) + end for name in names)))
    return 0


def folder(name: str) -> str:
    """What is left of `name` without its last component: "." or "/" when nothing is."""
    stripped = name.rstrip("/")
    if not stripped:
        return "/" if name else "."
    head, slash, _ = stripped.rpartition("/")
    return head.rstrip("/") or ("/" if slash else ".")
