"""depmod [-aAenwv] [-b DIR] [-o DIR] [-F FILE] [VERSION]

Write down which kernel modules need which others, for modprobe.

The files modules.dep, .alias, .softdep, .symbols and .devname go into /lib/modules/VERSION (of this
kernel, unless told).

  -a, --all             all modules; the default
  -A, --quick           only when a module is newer than modules.dep
  -b, --basedir=DIR     below DIR, which stands for /
  -e, --errsyms         tell of symbols that neither a module nor the kernel has; needs -F
  -F, --filesyms=FILE   the kernel's symbols: a System.map
  -n, --dry-run, --show  write to standard output instead
  -o, --outdir=DIR      write below DIR, which stands for /
  -v, --verbose         show each module and what it needs
  -w, --warn            accepted; a module that is there twice is always told of
"""

from __future__ import annotations

import os

from toolbox.errors import Fatal, UsageError, warn
from toolbox.files import replace_file
from toolbox.linux.module_tree import Graph, render, scan
from toolbox.options import Options
from toolbox.streams import stdout

TYPE_CHECKING = False
if TYPE_CHECKING:
    from toolbox.linux.module_file import ModuleFile

options = Options(__doc__)


def main(argv: list[str]) -> int:
    """As kmod's depmod(8), without the binary index files: modprobe reads the text."""
    opt, operands = options.parse(argv)
    version = operands[0] if operands else os.uname().release
    if not version[:1].isdigit() or "/" in version:
        raise UsageError(f"bad version passed: {version}")
    folder = os.path.join(opt.basedir or "/", "lib/modules", version)
    if not os.path.isdir(folder):
        raise Fatal(f"could not open directory {folder}: {os.strerror(2)}")
    if opt.quick and _up_to_date(folder):
        return 0
    # What cannot be read is missing from the lists: they are written, but it is no success.
    modules = scan(folder, warn)
    written = render(folder, modules)
    if opt.verbose or opt.errsyms:
        _report(modules, opt.filesyms if opt.errsyms else None, verbose=opt.verbose)
    if opt.dry_run:
        for lines in written.values():
            stdout().write(_text(lines))
        return 0
    target = os.path.join(opt.outdir, "lib/modules", version) if opt.outdir else folder
    os.makedirs(target, exist_ok=True)
    for name, lines in written.items():
        replace_file(os.path.join(target, name), _text(lines))
    return 0


def _text(lines: list[str]) -> bytes:
    return b"".join(os.fsencode(line) + b"\n" for line in lines)


def _up_to_date(folder: str) -> bool:
    """Whether modules.dep is newer than everything of the tree that could change it."""
    try:
        made = os.stat(os.path.join(folder, "modules.dep")).st_mtime_ns
    except OSError:
        return False
    for where, _, names in os.walk(os.path.join(folder)):
        paths = [os.path.join(where, name) for name in names if ".ko" in name]
        if where != folder:
            paths.append(where)  # a module has gone
        if any(os.stat(path).st_mtime_ns > made for path in paths):
            return False
    return True


def _report(modules: list[ModuleFile], symbols: str | None, *, verbose: bool) -> None:
    """-v: what needs what; -e: symbols that nobody has, given the kernel's in the file `symbols`."""
    graph = Graph(modules)
    known: set[bytes] = set()
    if symbols:
        with open(symbols, "rb") as file:
            known = {
                words[2].removeprefix(b"__ksymtab_")
                for words in map(bytes.split, file)
                if len(words) > 2
            }
    for i, module in enumerate(modules):
        if verbose:
            needed = " ".join(modules[n].name for n in graph.needs[i])
            stdout().write(os.fsencode(f"{module.path}: {needed}".rstrip()) + b"\n")
        for symbol in graph.unresolved[i] if symbols else ():
            if symbol not in known:
                warn(f"{module.path} needs unknown symbol {os.fsdecode(symbol)}", 0)
