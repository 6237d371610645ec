"""readlink [-femnqsvz] FILE...

Print where symbolic links point to.

  -f, --canonicalize           the real path, all links followed; only the last part may be missing
  -e, --canonicalize-existing  ... all components must exist
  -m, --canonicalize-missing   ... any may be missing
  -n, --no-newline             no newline at the end (with one FILE)
  -q, -s, --quiet, --silent    no messages (usual)
  -v, --verbose                messages about what went wrong
  -z, --zero                   a zero byte at the end instead of a newline
"""

from __future__ import annotations

import os

from toolbox.errors import warn
from toolbox.options import Options
from toolbox.realpath import real_path
from toolbox.streams import stdout

options = Options(__doc__)

_MISSING = {
    "canonicalize": "last",
    "canonicalize_existing": "none",
    "canonicalize_missing": "any",
}


def main(argv: list[str]) -> int:
    opt, files = options.parse(argv)
    how = opt.last(*_MISSING)
    end = b"\0" if opt.zero else b"\n"
    if opt.no_newline and len(files) == 1:
        end = b""
    loud = opt.verbose or ("POSIXLY_CORRECT" in os.environ and not opt.quiet)
    status = 0
    out = stdout()
    for name in files:
        try:
            path = real_path(name, missing=_MISSING[how]) if how else os.readlink(name)
        except OSError as error:
            status = 1
            if loud:
                warn(error)
            continue
        out.write(os.fsencode(path) + end)
    return status
