"""pwd [-LP]

Print the working directory.

  -L, --logical   $PWD, when it leads here, even through symbolic links
  -P, --physical  without symbolic links
"""

from __future__ import annotations

import os

from toolbox.options import Options
from toolbox.streams import stdout

options = Options(__doc__)


def main(argv: list[str]) -> int:
    """POSIX XCU pwd: -L unless told otherwise; GNU's is -P unless POSIXLY_CORRECT, and shells' is -L."""
    opt, _ = options.parse(argv)
    path = None if opt.last("logical", "physical") == "physical" else logical()
    stdout().write(os.fsencode(path or os.getcwd()) + b"\n")
    return 0


def logical() -> str | None:
    """$PWD, if it is an absolute path to here without dots in it."""
    path = os.environ.get("PWD", "")
    if not path.startswith("/") or {".", ".."} & set(path.split("/")):
        return None
    try:
        return path if os.path.samefile(path, ".") else None
    except OSError:
        return None
