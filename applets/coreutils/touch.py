"""touch [-acfhm] [-d DATE] [-r FILE] [-t STAMP] FILE...

Set the times of files to now; files that are not there are made, empty.

  -a                   only the time of access
  -m                   only the time of modification
      --time=WORD      the same: access, atime, use; modify, mtime
  -c, --no-create      do not make files
  -d, --date=DATE      this time: `2026-11-21 05:16`, `3 days ago`, `@1700000000`
  -t STAMP             this time: [[CC]YY]MMDDhhmm[.SS]
  -r, --reference=FILE  the times of FILE; with -d DATE is relative to them
  -h, --no-dereference  the times of symbolic links themselves
  -f                   nothing
"""

from __future__ import annotations

import errno
import os
import time

from toolbox.errors import UsageError, warn
from toolbox.options import Options, Values

options = Options(__doc__)

_TIMES = {"access": "a", "atime": "a", "use": "a", "modify": "m", "mtime": "m"}


def main(argv: list[str]) -> int:
    opt, files = options.parse(argv)
    which = {"a"} if opt.a else set()
    which |= {"m"} if opt.m else set()
    if opt.time is not None:
        if opt.time not in _TIMES:
            raise UsageError(f"invalid argument {opt.time!r} for '--time': {', '.join(_TIMES)}")
        which.add(_TIMES[opt.time])
    times = _times(opt)
    for name in files:
        try:
            _touch(name, times, which or {"a", "m"}, opt)
        except OSError as error:
            if not (opt.no_create and error.errno == errno.ENOENT):
                warn(f"cannot touch {name!r}: {error.strerror}")
    return 0


def _times(opt: Values) -> tuple[int, int] | None:
    """Times of access and modification in nanoseconds; None: now."""
    if opt.t is not None and (opt.date is not None or opt.reference is not None):
        raise UsageError("cannot specify times from more than one source")
    if opt.t is not None:
        from toolbox.dates import stamp

        when = stamp(opt.t, time.time())
        return when, when
    if opt.reference is not None:
        status = os.stat(opt.reference, follow_symlinks=not opt.no_dereference)
        times = (status.st_atime_ns, status.st_mtime_ns)
        if opt.date is None:
            return times
        from toolbox.dates import parse

        return parse(opt.date, times[0] / 1e9), parse(opt.date, times[1] / 1e9)
    if opt.date is not None:
        from toolbox.dates import parse

        when = parse(opt.date, time.time())
        return when, when
    return None


def _touch(name: str, times: tuple[int, int] | None, which: set[str], opt: Values) -> None:
    if name == "-":
        _set(1, times, which, True)
        return
    follow = not opt.no_dereference
    if not (opt.no_create or opt.no_dereference):
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
            fd = os.open(name, flags, 0o666)
        except OSError as error:
            # What cannot be written to (a directory, a pipe without reader, another's file) may
            # still be ours to touch; what is not there is an error.
            if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
                raise
            try:
                _set(name, times, which, True)
            except FileNotFoundError:
                raise error from None
            return
        try:
            _set(fd, times, which, True)
        finally:
            os.close(fd)
        return
    _set(name, times, which, follow)


def _set(file: str | int, times: tuple[int, int] | None, which: set[str], follow: bool) -> None:
    if times is None and len(which) == 2:
        # The system's own now needs write permission only, not ownership.
        if follow:
            os.utime(file)
        else:
            os.utime(file, follow_symlinks=False)
        return
    access, modification = times or (time.time_ns(),) * 2
    if len(which) == 1:
        status = os.stat(file) if follow else os.stat(file, follow_symlinks=False)
        if "a" in which:
            modification = status.st_mtime_ns
        else:
            access = status.st_atime_ns
    if follow:
        os.utime(file, ns=(access, modification))
    else:
        os.utime(file, ns=(access, modification), follow_symlinks=False)
