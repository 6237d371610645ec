"""du [-0abcDHhkLlmPSsx] [-B SIZE] [-d N] [-t SIZE] [-X FILE] [FILE]...

Show how much room files take, directories with all that is in them.

  -a, --all            files, too, not only directories
  -s, --summarize      only the FILEs
  -d, --max-depth=N    only down to N levels below the FILEs
  -c, --total          a line with the sum
  -S, --separate-dirs  directories without those in them
  -h, --human-readable  as 1.5M
      --si             the same in powers of 1000
  -k                   in KiB (usual)
  -m                   in MiB
  -B, --block-size=SIZE  in units of SIZE
  -b, --bytes          as --apparent-size --block-size=1
      --apparent-size  the length of files, not the room they take
      --inodes         count files instead
  -l, --count-links    count hard links each time
  -D, -H, --dereference-args  follow symbolic links among the FILEs
  -L, --dereference    follow all
  -P, --no-dereference  follow none (usual)
  -x, --one-file-system  do not go into other file systems
  -t, --threshold=SIZE  leave out what is smaller than SIZE; with -SIZE what is larger
      --exclude=GLOB...  leave out files that match
  -X, --exclude-from=FILE...  leave out files that match a GLOB of FILE
      --files0-from=FILE  the FILEs are in FILE, each with a zero byte behind it
      --time[=WORD]    with the newest time of modification (or atime, ctime) of all files below
      --time-style=STYLE  full-iso, long-iso, iso, or +FORMAT of date
  -0, --null           end lines with a zero byte
"""

from __future__ import annotations

import errno
import os
import stat
import time

from toolbox.errors import UsageError, warn
from toolbox.options import Options, Values, number
from toolbox.sizes import Scale, block_size
from toolbox.streams import stdout
from toolbox.walk import walk

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from toolbox.walk import Visit

options = Options(__doc__)

_TIMES = {
    "": "st_mtime",
    "mtime": "st_mtime",
    "modification": "st_mtime",
    "atime": "st_atime",
    "access": "st_atime",
    "use": "st_atime",
    "ctime": "st_ctime",
    "status": "st_ctime",
}
#: What has a length that says something.
_MEASURED = frozenset((stat.S_IFREG, stat.S_IFLNK, stat.S_IFDIR))
_STYLES = {
    "full-iso": "%Y-%m-%d %H:%M:%S.000000000 %z",
    "long-iso": "%Y-%m-%d %H:%M",
    "iso": "%Y-%m-%d",
}


def main(argv: list[str]) -> int:
    opt, files = options.parse(argv)
    if opt.files0_from is not None:
        if files:
            raise UsageError(
                f"extra operand {files[0]!r}: file operands cannot go with --files0-from"
            )
        from toolbox.streams import inputs

        files = [
            os.fsdecode(n) for source in inputs([opt.files0_from]) for n in source.lines(b"\0")
        ]
    if opt.summarize and opt.all:
        raise UsageError("cannot both summarize and show all entries")
    if opt.summarize and opt.max_depth:
        raise UsageError("summarizing conflicts with --max-depth")
    usage = _Usage(opt, many=len(files) > 1)
    total, newest = 0, 0.0
    for name in files or ["."]:
        size, when = usage.tree(name)
        total, newest = total + size, max(newest, when)
    if opt.total:
        usage.show(total, newest, "total")
    return 0


class _Usage:
    def __init__(self, opt: Values, many: bool) -> None:
        self.opt = opt
        self.out = stdout()
        self.scale = _scale(opt)
        self.most = 0 if opt.summarize else opt.max_depth
        given = opt.last("dereference_args", "dereference", "no_dereference")
        follow = {"dereference_args": "top", "dereference": "always"}
        self.follow = follow.get(given or "", "never")
        self.measure = _measure(opt)
        # Directories are met again only by links or by operands that lie in one another.
        self.remember_all = many or self.follow == "always"
        self.seen: set[tuple[int, int]] = set()
        self.excluded = _excluded(opt)
        self.end = b"\0" if opt.null else b"\n"
        self.threshold = number(opt.threshold, "threshold") if opt.threshold is not None else None
        if opt.time is not None and opt.time not in _TIMES:
            raise UsageError(f"invalid argument {opt.time!r} for '--time'")
        self.time = _TIMES[opt.time] if opt.time is not None else None
        style = opt.time_style or "long-iso"
        if not style.startswith("+") and style not in _STYLES:
            raise UsageError(f"invalid argument {style!r} for '--time-style'")
        self.time_form = style[1:] if style.startswith("+") else _STYLES[style]

    def tree(self, top: str) -> tuple[int, float]:
        """Show one operand; returns its size and the newest time in it."""
        opt = self.opt
        sums: list[int] = []  # of the directories that the walk is in
        inner: list[int] = []  # the part of them that is in directories below
        times: list[float] = []
        total, newest = 0, 0.0
        skipped: set[int] = set()  # depths of directories that were counted before
        for visit in walk(top, follow=self.follow, one_device=bool(opt.one_file_system)):
            if visit.leaving:
                if visit.depth in skipped:
                    skipped.discard(visit.depth)
                    continue
                size, when, below = sums.pop(), times.pop(), inner.pop()
                if self.most is None or visit.depth <= self.most:
                    self.show(size - below if opt.separate_dirs else size, when, visit.path)
            else:
                own = self._own(visit)
                if own is None:
                    if visit.is_directory:
                        visit.prune = True
                        skipped.add(visit.depth)
                    continue
                size, when = own
                if visit.is_directory:
                    sums.append(size)
                    inner.append(0)
                    times.append(when)
                    continue
                if (opt.all and (self.most is None or visit.depth <= self.most)) or not visit.depth:
                    self.show(size, when, visit.path)
            if sums:
                sums[-1] += size
                times[-1] = max(times[-1], when)
                if visit.leaving:
                    inner[-1] += size
            else:
                total, newest = total + size, max(newest, when)
        return total, newest

    def _own(self, visit: Visit) -> tuple[int, float] | None:
        """A file's own size and time; None when it does not count."""
        if self.excluded and (self.excluded(visit.name) or self.excluded(visit.path)):
            return None
        try:
            status = visit.status()
            if visit.followed and stat.S_ISLNK(status.st_mode):
                raise OSError(errno.ENOENT, os.strerror(errno.ENOENT), visit.path)
        except OSError as error:
            warn(error)
            return None
        if (status.st_nlink > 1 or self.remember_all) and not self.opt.count_links:
            key = (status.st_dev, status.st_ino)
            # A directory always has several links; only a second way to it makes it count twice.
            if not visit.is_directory or self.remember_all:
                if key in self.seen:
                    return None
                self.seen.add(key)
        return self.measure(status), getattr(status, self.time) if self.time else 0.0

    def show(self, size: int, when: float, path: str) -> None:
        """One line."""
        limit = self.threshold
        if limit is not None and (size < limit if limit >= 0 else size > -limit):
            return
        shown = self.scale.show(size)
        if self.time:
            shown += "\t" + time.strftime(self.time_form, time.localtime(when))
        self.out.write(os.fsencode(f"{shown}\t{path}") + self.end)


def _measure(opt: Values) -> Callable[[os.stat_result], int]:
    if opt.inodes:
        return lambda status: 1
    if opt.apparent_size or opt.bytes:
        return lambda s: s.st_size if stat.S_IFMT(s.st_mode) in _MEASURED else 0
    return lambda status: status.st_blocks * 512


def _scale(opt: Values) -> Scale:
    given = opt.last("human_readable", "si", "k", "m", "block_size", "bytes")
    if opt.inodes and given not in ("human_readable", "si"):
        return Scale()
    if given == "human_readable":
        return Scale(base=1024)
    if given == "si":
        return Scale(base=1000)
    if given == "m":
        return Scale(1 << 20)
    if given == "block_size":
        return block_size(opt.block_size)
    if given == "bytes":
        return Scale()
    return Scale(512 if given is None and "POSIXLY_CORRECT" in os.environ else 1024)


def _excluded(opt: Values) -> Callable[[str], bool] | None:
    globs = list(opt.exclude)
    for name in opt.exclude_from:
        from toolbox.streams import inputs

        globs += [os.fsdecode(line) for s in inputs([name]) for line in s.lines() if line]
    if not globs:
        return None
    from toolbox.patterns import matcher

    tests = [matcher(glob) for glob in globs]
    return lambda name: any(test(name) for test in tests)
