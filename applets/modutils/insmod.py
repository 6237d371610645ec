"""insmod [-fv] FILE [PARAMETER]...

Put the kernel module in FILE in, with parameters of the form NAME=VALUE.

  -f, --force           whatever kernel it was made for
  -v, --verbose         say what is done
"""

from __future__ import annotations

import os

from toolbox.errors import Fatal
from toolbox.linux import modules
from toolbox.linux.kmod import insert, meaning, parameter
from toolbox.options import Options
from toolbox.streams import stdout

options = Options(__doc__, permute=False)


def main(argv: list[str]) -> int:
    """As kmod's insmod(8)."""
    opt, (file, *words) = options.parse(argv)
    flags = 0
    if opt.force:
        flags = modules.MODULE_INIT_IGNORE_MODVERSIONS | modules.MODULE_INIT_IGNORE_VERMAGIC
    parameters = " ".join(map(parameter, words))
    if not os.path.exists(file):
        raise Fatal(f"ERROR: could not load module {file}: No such file or directory")
    if opt.verbose:
        stdout().write(os.fsencode(f"insmod {file} {parameters}".rstrip() + "\n"))
    try:
        insert(file, parameters, flags)
    except OSError as error:
        raise Fatal(f"ERROR: could not insert module {file}: {meaning(error)}") from None
    return 0
