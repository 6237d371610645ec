"""lsmod

List the loaded modules: name, size in bytes, and by whom they are used.
"""

from __future__ import annotations

import os

from toolbox.options import Options
from toolbox.streams import stdout

options = Options(__doc__)


def main(argv: list[str]) -> int:
    options.parse(argv)
    with open("/proc/modules", "rb") as file:
        rows = [os.fsdecode(line).split() for line in file]
    out = stdout()
    out.write(b"Module                  Size  Used by\n")
    for name, size, count, users, *_ in rows:
        used = "" if users == "-" else users.rstrip(",")
        out.write(os.fsencode(f"{name:<19} {size:>8}  {count}{' ' + used if used else ''}\n"))
    return 0
