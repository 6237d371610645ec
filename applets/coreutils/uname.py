"""uname [-asnrvmpio]

Print what system this is; without options, the kernel's name.

  -a, --all                all of it, in this order, without what is unknown
  -s, --kernel-name        the kernel's name
  -n, --nodename           the host name
  -r, --kernel-release     the kernel's release
  -v, --kernel-version     the kernel's version
  -m, --machine            the machine's architecture
  -p, --processor          the processor's type
  -i, --hardware-platform  the hardware platform
  -o, --operating-system   the operating system
"""

from __future__ import annotations

import os

from toolbox.options import Options
from toolbox.streams import stdout

options = Options(__doc__)

UNKNOWN = "unknown"


def main(argv: list[str]) -> int:
    """POSIX XCU uname, with GNU's -p, -i, -o."""
    opt, _ = options.parse(argv)
    system = os.uname()
    fields = {
        "kernel_name": system.sysname,
        "nodename": system.nodename,
        "kernel_release": system.release,
        "kernel_version": system.version,
        "machine": system.machine,
        "processor": UNKNOWN,
        "hardware_platform": UNKNOWN,
        "operating_system": "GNU/Linux",
    }
    if opt.all:
        shown = [value for value in fields.values() if value != UNKNOWN]
    else:
        shown = [value for key, value in fields.items() if getattr(opt, key)]
    stdout().write(os.fsencode(" ".join(shown or [system.sysname])) + b"\n")
    return 0
