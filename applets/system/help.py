"""help [APPLET]...

Explain applets; without any, list them all by family.
"""

from __future__ import annotations

from toolbox.errors import warn
from toolbox.listing import overview, suggestion
from toolbox.multicall import find, load
from toolbox.options import Options
from toolbox.streams import stdout

options = Options(__doc__)


def main(argv: list[str]) -> int:
    """The same texts as `APPLET --help` and `toolbox` print."""
    _, names = options.parse(argv)
    out = stdout()
    if not names:
        out.write(overview().encode())
    for name in names:
        module = find(name)
        if module is None:
            warn(f"{name}: no such applet{suggestion(name)}")
        else:
            out.write(load(module).options.help().encode())
    return 0
