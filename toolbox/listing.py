"""toolbox APPLET [ARG]...
toolbox [--list] [--install DIR]

Run an applet, list the applets, or make links to them.

      --list          print the applets' names, one a line
      --install=DIR   make a link in DIR for each applet; what is there already stays
"""

from __future__ import annotations

import os
import sys

from toolbox.errors import UsageError, warn
from toolbox.multicall import find, load
from toolbox.options import Options
from toolbox.streams import stdout

options = Options(__doc__)


def main(argv: list[str]) -> int:
    """The program under its own name, without an applet."""
    opt, operands = options.parse(argv)
    if operands:
        raise UsageError(f"extra operand {operands[0]!r}")
    if opt.install is not None:
        return install(opt.install)
    out = stdout()
    if opt.list:
        out.write("".join(f"{name}\n" for name in names()).encode())
    else:
        out.write(overview().encode())
    return 0


def names() -> list[str]:
    """Every name that the program answers to, aliases too, sorted."""
    import applets

    return sorted(applets.MODULES)


def overview() -> str:
    """The applets by family, each with the first sentence of what it does."""
    import applets

    lines = [f"{options.usage()}\n"]
    for family, members in applets.FAMILIES.items():
        if members != family:
            lines.append(f"\n{family}:\n")
        elif not lines[-1].startswith("  "):
            lines.append("\ndaemons and the shell:\n")
        for name in members.split():
            module = find(name)
            text = load(module).options.summary if module else ""
            aliases = " ".join(a for a, of in applets.ALIASES.items() if of == name)
            lines.append(f"  {name:<12}{text}{f' (also: {aliases})' if aliases else ''}\n")
    return "".join(lines)


def suggestion(wrong: str) -> str:
    """`; did you mean NAME?` for the nearest right names, or where to find them when none is near."""
    import difflib

    near = difflib.get_close_matches(wrong, names(), n=2, cutoff=0.65)
    shown = " or ".join(repr(name) for name in near)
    return f"; did you mean {shown}?" if near else "; 'toolbox --list' shows them all"


def install(folder: str) -> int:
    """Link every name in `folder` to this program.  A name that exists there is kept and reported."""
    if getattr(sys, "frozen", False):  # set in the frozen program, which is its own interpreter
        target = os.readlink("/proc/self/exe")
    else:
        target = os.path.join(os.path.dirname(sys.executable), "toolbox")
    for name in names():
        try:
            os.symlink(target, os.path.join(folder, name))
        except OSError as error:
            warn(error)
    return 0
