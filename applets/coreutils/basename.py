"""basename NAME [SUFFIX]
basename [-az] [-s SUFFIX] NAME...

Print the last component of a path, without a suffix.

  -a, --multiple       every operand is a NAME
  -s, --suffix=SUFFIX  take SUFFIX away from each NAME; implies -a
  -z, --zero           end each line with a NUL
"""

from __future__ import annotations

import os

from toolbox.errors import UsageError
from toolbox.options import Options
from toolbox.streams import stdout

options = Options(__doc__)


def main(argv: list[str]) -> int:
    """POSIX XCU basename."""
    opt, names = options.parse(argv)
    suffix = opt.suffix or ""
    if not opt.multiple and opt.suffix is None:
        if len(names) > 2:
            raise UsageError(f"extra operand {names[2]!r}")
        names, suffix = names[:1], names[1] if len(names) == 2 else ""
    end = "\0" if opt.zero else "\n"
    stdout().write(os.fsencode("".join(base(name, suffix) + end for name in names)))
    return 0


def base(name: str, suffix: str) -> str:
    """The last component of `name`; `suffix` goes unless it is all there is."""
    stripped = name.rstrip("/")
    if not stripped:
        return "/" if name else ""
    last = stripped.rpartition("/")[2]
    return last.removesuffix(suffix) or last
