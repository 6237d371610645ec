"""which [-as] NAME...

Print where in $PATH each program is.

  -a, --all     all places, not only the first
  -s, --silent  print nothing: only the status tells
"""

from __future__ import annotations

import os
import stat

from toolbox.options import Options
from toolbox.streams import stdout

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

options = Options(__doc__)


def main(argv: list[str]) -> int:
    """As debianutils' which: 1 when one of the programs is not found."""
    opt, names = options.parse(argv)
    status = 0
    for name in names:
        found = False
        for path in places(name):
            found = True
            if not opt.silent:
                stdout().write(os.fsencode(path) + b"\n")
            if not opt.all:
                break
        status = status if found else 1
    return status


def places(name: str) -> Iterator[str]:
    """Executable files that `name` leads to, in the order of $PATH; a name with a slash is one itself."""
    folders = [""] if "/" in name else os.environ.get("PATH", os.defpath).split(":")
    for folder in folders:
        path = name if "/" in name else os.path.join(folder or ".", name)
        try:
            regular = stat.S_ISREG(os.stat(path).st_mode)
        except OSError:
            continue
        if regular and os.access(path, os.X_OK):
            yield path
