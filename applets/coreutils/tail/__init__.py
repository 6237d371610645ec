"""tail [-fFqvz] [-NUM] [-n [+]N] [-c [+]N] [--pid PID] [-s SECONDS] [FILE]...

Print the last 10 lines of each FILE, or of standard input.

  -n, --lines=[+]N         last N lines; +N: from the Nth on
  -c, --bytes=[+]N         last N bytes; +N: from the Nth on
  -f, --follow[=HOW]       go on with what is added: descriptor, or name as -F
  -F                       and with a file that takes the name's place
      --retry              keep trying to open a file that is not there
      --pid=PID            with -f: until that process ends
  -s, --sleep-interval=SECONDS  with -f: how long to wait between looks at files whose changes the
                           kernel does not tell, as those of other machines (default: 1)
  -q, --quiet, --silent    never print headers
  -v, --verbose            always print headers
  -z, --zero-terminated    lines end with a NUL
  -NUM                     the same as -n NUM
"""

from __future__ import annotations

import os
import stat

from toolbox.ends import Window, start_of_last
from toolbox.errors import UsageError, warn
from toolbox.options import Options, number
from toolbox.streams import BLOCK, Source, line_end, open_input, stdout

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from toolbox.options import Values

options = Options(__doc__)

alters_process = True  # -f holds the process for long

#: The largest process id that Linux knows (PID_MAX_LIMIT of <linux/threads.h>).
_PID_MAX = 1 << 22


def main(argv: list[str]) -> int:
    """POSIX XCU tail, with GNU's options; `tail +5` of old is understood too."""
    argv = [argv[0], *(new for word in argv[1:2] for new in _obsolete(word)), *argv[2:]]
    opt, files = options.parse(argv)
    given = opt.last("lines", "bytes", "NUM") or "lines"
    text = str(getattr(opt, given) if getattr(opt, given) is not None else 10)
    end = b"" if given == "bytes" else b"\0" if opt.zero_terminated else b"\n"
    part = Part(
        text.startswith("+"), abs(number(text, f"number of {'lines' if end else 'bytes'}")), end
    )
    if opt.follow not in (None, "", "descriptor", "name"):
        raise UsageError(f"invalid argument {opt.follow!r} for '--follow'")
    names = files or ["-"]
    headers = Headers(opt.verbose or (len(names) > 1 and not opt.quiet))
    if opt.F or opt.follow is not None:
        return _follow(opt, names, part, headers)
    if opt.pid is not None:
        _process(opt)
        warn("PID ignored; --pid=PID is useful only when following", 0)
    for name in names:
        source = open_input(name)
        if source is not None:
            with source:
                headers.show(source.name)
                part.show(source)
    return 0


def _process(opt: Values) -> int:
    """--pid; 0 for none."""
    return 0 if opt.pid is None else number(opt.pid, "PID", least=0, most=_PID_MAX)


def _follow(opt: Values, names: list[str], part: Part, headers: Headers) -> int:
    from applets.coreutils.tail.follow import Ending, Watched, follow

    by_name = opt.F or opt.follow == "name"
    ending = Ending(_process(opt))
    followed = []
    for name in names:
        watched = Watched(name, by_name, opt.retry, ending)
        if watched.open(quiet=False):
            headers.show(watched.shown)
            part.show(watched.source())
        if watched.is_worth_following():
            followed.append(watched)
    follow(followed, headers, 1.0 if opt.sleep_interval is None else opt.sleep_interval, ending)
    return 0


def _obsolete(word: str) -> list[str]:
    """`+NUM[bcl][f]` and `-NUM[bcl][f]`: blocks of 512 bytes, bytes or lines, and -f (GNU)."""
    sign, digits = word[:1], word[1:].rstrip("bclf")
    letters = word[len(digits) + 1 :]
    if (
        not (sign and sign in "+-" and digits.isdecimal())
        or letters not in ("", "b", "c", "l", "f", "bf", "cf", "lf")
        or (sign == "-" and not letters)
    ):
        return [word]
    counts = "--bytes" if letters[:1] in ("b", "c") else "--lines"
    unit = "b" if letters[:1] == "b" else ""
    new = [f"{counts}={sign.replace('-', '')}{digits}{unit}"]
    return [*new, "-f"] if letters[-1:] == "f" else new


class Headers:
    """The lines that say whose bytes come next, where they are wanted."""

    def __init__(self, wanted: bool) -> None:
        self.wanted = wanted
        self.last: str | None = None

    def show(self, name: str) -> None:
        """Write a header if the next bytes are another file's than the last ones."""
        if self.wanted and name != self.last:
            line_feed = b"" if self.last is None else b"\n"
            stdout().write(b"%s==> %s <==\n" % (line_feed, os.fsencode(name)))
        stdout().flush()
        self.last = name


class Part:
    """The wanted part of each input: from the `count`th line on, or the last `count` lines; bytes without an `end`."""

    def __init__(self, from_start: bool, count: int, end: bytes) -> None:
        self.from_start = from_start
        self.count = count
        self.end = end

    def show(self, source: Source) -> None:
        """Print it."""
        out = stdout()
        skipped = max(0, self.count - 1)
        if not self.from_start:
            parts = last(source, self.count, self.end)
        elif self.end:
            parts = skip_lines(source, skipped, self.end)
        else:
            parts = skip_bytes(source, skipped)
        for part in parts:
            out.write(part)
        out.flush()


def skip_bytes(source: Source, count: int) -> Iterator[bytes]:
    """All but the first `count` bytes."""
    while count and (block := source.read(min(count, BLOCK))):
        count -= len(block)
    yield from source.blocks()


def skip_lines(source: Source, count: int, end: bytes) -> Iterator[bytes]:
    """All but the first `count` lines."""
    for block in source.blocks():
        if count:
            lines = block.count(end)
            if lines < count:
                count -= lines
                continue
            block = block[line_end(block, count, end) :]
            count = 0
        yield block


def last(source: Source, count: int, end: bytes) -> Iterable[bytes | memoryview]:
    """The last `count` bytes, or lines if these have an `end`."""
    start = start_of_last(source.fd, count, end)
    if start is not None:
        os.lseek(source.fd, start, os.SEEK_SET)
        return source.blocks()
    if not end and _is_endless(source.fd):
        return iter((os.read(source.fd, count),)) if count else ()
    window = Window(count, end)
    for block in source.blocks():
        for _ in window.push(block):
            pass
    return window.parts()[1]


def _is_endless(fd: int) -> bool:
    """Whether it is a device as /dev/zero, which has no end, and can be sought in: any part is its last one (GNU)."""
    try:
        return stat.S_ISCHR(os.fstat(fd).st_mode) and os.lseek(fd, 0, os.SEEK_CUR) >= 0
    except OSError:
        return False
