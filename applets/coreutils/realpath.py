"""realpath [-eEmLPqsz] FILE...

Print the absolute paths of FILEs without symbolic links, `.` and `..`.

  -e, --canonicalize-existing  all components must exist
  -E, --canonicalize           all but the last must (usual)
  -m, --canonicalize-missing   none must
  -L, --logical                take `..` away before links are followed
  -P, --physical               follow links as they come (usual)
  -s, --strip, --no-symlinks   do not follow links
      --relative-to=DIR        paths as seen from DIR
      --relative-base=DIR      paths as seen from DIR where they are below it
  -q, --quiet                  no messages
  -z, --zero                   a zero byte at the end instead of a newline
"""

from __future__ import annotations

import os

from toolbox.errors import current, warn
from toolbox.options import Options, Values
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
    missing = _MISSING[opt.last(*_MISSING) or "canonicalize"]
    base = _resolve(opt.relative_base, opt, missing) if opt.relative_base is not None else None
    start = _resolve(opt.relative_to, opt, missing) if opt.relative_to is not None else base
    if base is not None and start is not None and not _is_below(start, base):
        base = start = None
    end = b"\0" if opt.zero else b"\n"
    out = stdout()
    for name in files:
        try:
            path = _resolve(name, opt, missing)
        except OSError as error:
            if not opt.quiet:
                warn(error)
            current().status = 1
            continue
        if start is not None and (base is None or _is_below(path, base)):
            path = os.path.relpath(path, start)
        out.write(os.fsencode(path) + end)
    return 0


def _resolve(name: str, opt: Values, missing: str) -> str:
    links = opt.last("logical", "physical", "strip")
    if links in ("logical", "strip") and name:
        text = os.path.normpath(os.path.join(os.getcwd(), name))
        if text.startswith("//"):
            text = text[1:]
        if links == "strip":
            if missing == "none":
                os.stat(text)
            elif missing == "last":
                os.stat(os.path.dirname(text))
            return text
        name = text
    return real_path(name, missing=missing)


def _is_below(path: str, base: str) -> bool:
    return path == base or path.startswith(base.rstrip("/") + "/")
