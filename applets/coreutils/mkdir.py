"""mkdir [-pv] [-m MODE] DIRECTORY...

Make directories.

  -p, --parents    make the directories above as needed; no error when one is there
  -m, --mode=MODE  permissions: octal or symbolic from a=rwx
  -v, --verbose    print each directory that was made
"""

from __future__ import annotations

import os

from toolbox.errors import warn
from toolbox.modes import Mode, current_umask, set_mode
from toolbox.options import Options
from toolbox.streams import stdout

options = Options(__doc__)


def main(argv: list[str]) -> int:
    opt, directories = options.parse(argv)
    mask = current_umask()
    mode = Mode(opt.mode).apply(0o777, directory=True, umask=mask) if opt.mode is not None else None

    def make(path: str, bits: int) -> None:
        os.mkdir(path, bits)
        if opt.verbose:
            stdout().write(os.fsencode(f"{argv[0]}: created directory {path!r}\n"))

    for path in directories:
        try:
            if opt.parents and path:
                _make_parents(path, mode, mask, make)
            else:
                make(path, 0o777 if mode is None else mode)
                if mode is not None:
                    # Exactly these bits, whatever the umask took away and mkdir(2) ignores.
                    set_mode(path, mode)
        except OSError as error:
            warn(f"cannot create directory {path!r}: {error.strerror}")
    return 0


def _make_parents(path: str, mode: int | None, mask: int, make: Callable[[str, int], None]) -> None:
    """mkdir -p: every missing directory on the way; those above get u+wx, as POSIX has it."""
    missing: list[str] = []
    above = path.rstrip("/") or "/"
    while True:
        try:
            # Trying to make it tells without a race whether it is there.
            last = not missing
            make(above, (0o777 if mode is None else mode) if last else 0o777)
            if missing:
                _open_up(above, mask)
            break
        except FileNotFoundError:
            missing.append(above)
            above = os.path.dirname(above).rstrip("/")
            if not above:
                raise
        except FileExistsError:
            if not os.path.isdir(above):
                raise
            if not missing:
                return
            break
    for name in reversed(missing):
        try:
            make(name, (0o777 if mode is None else mode) if name is missing[0] else 0o777)
        except FileExistsError:
            if not os.path.isdir(name):
                raise
            continue
        if name is not missing[0]:
            _open_up(name, mask)
    if mode is not None:
        set_mode(path, mode)


def _open_up(path: str, mask: int) -> None:
    if mask & 0o300:
        status = os.stat(path)
        if status.st_uid == os.geteuid():
            set_mode(path, (status.st_mode & 0o7777) | 0o300)


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
