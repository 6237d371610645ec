"""lsmod

Show the modules in the kernel: name, size in bytes, and which modules use it.
"""

from __future__ import annotations

import os

from toolbox.errors import Fatal
from toolbox.linux.kmod import loaded
from toolbox.options import Options
from toolbox.streams import stdout

options = Options(__doc__)


def main(argv: list[str]) -> int:
    """As kmod's lsmod(8)."""
    options.parse(argv)
    try:
        modules = loaded()
    except OSError as error:
        raise Fatal(f"could not get list of modules: {error.strerror}") from None
    lines = ["Module                  Size  Used by"]
    for module in modules:
        users = f"{module.users} {','.join(module.holders)}".rstrip()
        lines.append(f"{module.name:<19} {module.size:>8}  {users}")
    stdout().write(os.fsencode("\n".join(lines) + "\n"))
    return 0
