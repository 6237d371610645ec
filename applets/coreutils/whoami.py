"""whoami

Print the name of the user that this process acts as.
"""

from __future__ import annotations

import os

from toolbox.errors import Fatal
from toolbox.options import Options
from toolbox.streams import stdout
from toolbox.users import user_name

options = Options(__doc__)


def main(argv: list[str]) -> int:
    """GNU whoami, the same as `id -un`."""
    options.parse(argv)
    name = user_name(os.geteuid())
    if name is None:
        raise Fatal(f"cannot find name for user ID {os.geteuid()}")
    stdout().write(os.fsencode(name) + b"\n")
    return 0
