"""poweroff [-fnw] [-d SECONDS]
reboot [-fnw] [-d SECONDS]
halt [-fnp] [-d SECONDS]

Power off, restart or halt the machine: init stops the services in order first.

  -f, --force           don't ask init: do it at once, without stopping services
  -n, --no-sync         with -f: don't write out what the file systems still hold
  -d, --delay=SECONDS   wait before
  -p, --poweroff        halt: power off
  -w, --wtmp-only       do nothing (there is no login record to write)
"""

from __future__ import annotations

import os

from toolbox import control, waits
from toolbox.errors import Fatal
from toolbox.multicall import applet_name
from toolbox.options import Options

options = Options(__doc__)


def main(argv: list[str]) -> int:
    """Do what the name says."""
    opt, _operands = options.parse(argv)
    action = applet_name(argv[0])
    if action not in ("reboot", "halt") or opt.poweroff:
        action = "poweroff"
    if opt.wtmp_only:
        return 0
    if opt.delay:
        waits.sleep(opt.delay)
    if not opt.force:
        control.request("power", action=action)
        return 0
    from toolbox.linux.power import halt, power_off, restart

    if not opt.no_sync:
        os.sync()
    {"reboot": restart, "halt": halt, "poweroff": power_off}[action]()
    raise Fatal("the kernel did not do it")
