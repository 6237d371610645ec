"""rmmod [-fvw] MODULE...

Take modules out of the kernel; a MODULE may be a name or a file.

  -f, --force           even when it is in use: dangerous
  -v, --verbose         say what is done
  -w, --wait            accepted; a module in use is an error
"""

from __future__ import annotations

import os

from toolbox.errors import warn
from toolbox.linux import modules
from toolbox.linux.kmod import holders, references, state
from toolbox.linux.module_file import module_name
from toolbox.options import Options
from toolbox.streams import stdout

options = Options(__doc__)


def main(argv: list[str]) -> int:
    """As kmod's rmmod(8)."""
    opt, names = options.parse(argv)
    for name in map(module_name, names):
        if problem := _in_the_way(name, force=opt.force):
            warn(f"ERROR: {problem}")
            continue
        if opt.verbose:
            stdout().write(os.fsencode(f"rmmod {name}\n"))
        try:
            modules.unload(name, force=opt.force)
        except OSError as error:
            warn(f"ERROR: could not remove module {name}: {error.strerror}")
    return 0


def _in_the_way(name: str, *, force: bool) -> str:
    """Why the module cannot be taken out; "" when nothing speaks against it."""
    if state(name) is None:
        if os.path.isdir(f"/sys/module/{name}"):
            return f"Module {name} is builtin."
        return f"Module {name} is not currently loaded"
    if force:
        return ""
    if users := holders(name):
        return f"Module {name} is in use by: {' '.join(users)}"
    return f"Module {name} is in use" if references(name) else ""
