"""insmod [-f] FILE [PARAMETER]...

Load the module in FILE into the kernel.

  -f, --force   whatever kernel it was built for
  -v, --verbose, -s, --syslog   nothing
"""

from __future__ import annotations

import os

from toolbox.errors import warn
from toolbox.kmod.loading import insert, reason
from toolbox.options import Options

alters_process = True
options = Options(__doc__, permute=False)


def main(argv: list[str]) -> int:
    opt, (path, *parameters) = options.parse(argv)
    os.stat(path)  # the kernel's ENOENT is about symbols
    try:
        insert(path, " ".join(parameters), force=opt.force)
    except OSError as error:
        warn(f"ERROR: could not insert module {path}: {reason(error)}")
        return 1
    return 0
