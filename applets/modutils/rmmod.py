"""rmmod [-fsv] MODULE...

Take modules out of the kernel.

  -f, --force    even though it is in use
  -s, --syslog   nothing
  -v, --verbose  say what is done
  -w, --wait     nothing
"""

from __future__ import annotations

import os

from toolbox.errors import warn
from toolbox.kmod import module_name
from toolbox.kmod.loading import count, is_loaded, users
from toolbox.linux import modules
from toolbox.options import Options
from toolbox.streams import stdout

alters_process = True
options = Options(__doc__)


def main(argv: list[str]) -> int:
    opt, names = options.parse(argv)
    for name in map(module_name, names):
        if not is_loaded(name):
            warn(f"ERROR: Module {name} is not currently loaded")
            continue
        by = users(name)
        if by and not opt.force:
            warn(f"ERROR: Module {name} is in use by: {' '.join(by)}")
            continue
        if count(name) and not opt.force:
            warn(f"ERROR: Module {name} is in use")
            continue
        if opt.verbose:
            stdout().write(os.fsencode(f"rmmod {name}\n"))
        try:
            modules.unload(name, force=opt.force)
        except OSError as error:
            warn(f"ERROR: could not remove '{name}': {error.strerror}")
    return 0
