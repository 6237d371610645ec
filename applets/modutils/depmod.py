"""depmod [-aAenvw] [-b FOLDER] [-o FOLDER] [RELEASE] [FILE]...

Write the index of a kernel's modules, from which modprobe knows what they need.

  -a, --all           all modules (usual)
  -A, --quick         only when a module is newer than the index
  -b, --basedir=FOLDER  modules are in FOLDER/lib/modules/RELEASE
  -o, --outdir=FOLDER  write into FOLDER/lib/modules/RELEASE
  -n, --show, --dry-run  write to standard output
  -e, --errsyms       warn of what is needed and not there
  -E, --symvers=FILE  nothing
  -F, --filesyms=FILE  nothing
  -w, --warn          the same as -e
  -C, --config=FILE   nothing
  -v, --verbose       say what every module needs
"""

from __future__ import annotations

import os

from toolbox.errors import Fatal, warn
from toolbox.files import replace_file
from toolbox.kmod import SUFFIXES, folder_of
from toolbox.kmod.index import Index
from toolbox.options import Options
from toolbox.streams import stdout

options = Options(__doc__)


def main(argv: list[str]) -> int:
    opt, words = options.parse(argv)
    release = words[0] if words else ""
    if release and not release[0].isdecimal():
        release = ""  # a file of a module: its kernel is the running one
    folder = folder_of(opt.basedir or "", release)
    if not os.path.isdir(folder):
        raise Fatal(f"could not open directory {folder}: {os.strerror(2)}")
    target = folder_of(opt.outdir, release) if opt.outdir else folder
    if opt.quick and _is_new(folder, target):
        return 0
    index = Index(folder)
    complain = warn if opt.errsyms or opt.warn else _nothing
    index.scan(lambda text: complain(f"WARNING: {text}", 0))
    texts = index.write()
    out = stdout()
    for name, text in texts.items():
        if opt.show:
            out.write(os.fsencode(text))
        else:
            os.makedirs(target, exist_ok=True)
            replace_file(os.path.join(target, name), os.fsencode(text))
    if opt.verbose and not opt.show:
        out.write(os.fsencode(texts["modules.dep"]))
    return 0


def _nothing(text: str, status: int) -> None:
    """Keep silent of what is missing."""


def _is_new(folder: str, target: str) -> bool:
    """Whether no module is newer than the index."""
    try:
        written = os.stat(os.path.join(target, "modules.dep")).st_mtime
    except FileNotFoundError:
        return False
    return not any(
        os.stat(os.path.join(top, name)).st_mtime > written
        for top, _, names in os.walk(folder)
        for name in names
        if name.endswith(SUFFIXES)
    )
