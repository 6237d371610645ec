"""tail [-fFqvz] [-NUM] [-n [+]N] [-c [+]N] [--pid PID] [-s SECONDS] [FILE]...

Print the last 10 lines of each FILE, or of standard input.

  -n, --lines=[+]N         last N lines; +N: from the Nth on
  -c, --bytes=[+]N         last N bytes; +N: from the Nth on
  -f, --follow[=HOW]       go on with what is added: descriptor, or name as -F
  -F                       and with a file that takes the name's place
      --retry              keep trying to open a file that is not there
      --pid=PID            with -f: until that process ends
  -s, --sleep-interval=SECONDS  with -f: how long to wait between looks (default: 1)
  -q, --quiet, --silent    never print headers
  -v, --verbose            always print headers
  -z, --zero-terminated    lines end with a NUL
  -NUM                     the same as -n NUM
"""

from __future__ import annotations

import os
import stat

from toolbox import waits
from toolbox.errors import UsageError, warn
from toolbox.options import Options, number
from toolbox.streams import BLOCK, Source, copy, line_end, stdout

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

options = Options(__doc__)

alters_process = True  # -f holds the process for long


def main(argv: list[str]) -> int:
    """POSIX XCU tail, with GNU's options; `tail +5` of old is understood too."""
    argv = [argv[0], *(new for word in argv[1:2] for new in _obsolete(word)), *argv[2:]]
    opt, files = options.parse(argv)
    given = opt.last("lines", "bytes", "NUM") or "lines"
    text = str(getattr(opt, given) if getattr(opt, given) is not None else 10)
    unit = "bytes" if given == "bytes" else "lines"
    count = abs(number(text, f"number of {unit}"))
    if opt.follow not in (None, "", "descriptor", "name"):
        raise UsageError(f"invalid argument {opt.follow!r} for '--follow'")
    by_name = opt.F or opt.follow == "name"
    end = b"\0" if opt.zero_terminated else b"\n"
    names = files or ["-"]
    output = Output(opt.verbose or (len(names) > 1 and not opt.quiet))
    followed = []
    for name in names:
        watched = Watched(name, by_name)
        if watched.open(quiet=False):
            output.header(watched)
            show(watched.source(), text.startswith("+"), count, unit, end)
        if watched.fd is not None or by_name or opt.retry:
            followed.append(watched)
    if (by_name or opt.follow is not None) and followed:
        pid = None if opt.pid is None else number(opt.pid, "PID")
        follow([w for w in followed if w.worth_following], output, opt.sleep_interval or 1.0, pid)
    for watched in followed:
        watched.close()
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


class Output:
    """Standard output with a header whenever another file begins to speak."""

    def __init__(self, headers: bool) -> None:
        self.headers = headers
        self.last: Watched | None = None

    def header(self, watched: Watched) -> None:
        """Say whose bytes come next, if they are another's than before."""
        if self.headers and watched is not self.last:
            shown = "standard input" if watched.name == "-" else watched.name
            line_feed = b"\n" if self.last else b""
            stdout().write(b"%s==> %s <==\n" % (line_feed, os.fsencode(shown)))
        stdout().flush()
        self.last = watched


class Watched:
    """A file that is followed, by its descriptor or by its name."""

    def __init__(self, name: str, by_name: bool) -> None:
        self.name = name
        self.by_name = by_name and name != "-"
        self.fd: int | None = None
        self.told = False  # that it cannot be opened

    def open(self, *, quiet: bool) -> bool:
        """Open it; False after a warning."""
        if self.name == "-":
            self.fd = 0
            return True
        try:
            self.fd = os.open(self.name, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            if not quiet and not self.told:
                warn(error)
                self.told = True
            return False
        self.told = False
        return True

    def source(self) -> Source:
        """The open file as a source."""
        return Source(self.fd or 0, "standard input" if self.name == "-" else self.name)

    @property
    def worth_following(self) -> bool:
        """A pipe that ended on standard input will not grow (POSIX)."""
        return self.name != "-" or not stat.S_ISFIFO(os.fstat(0).st_mode)

    def close(self) -> None:
        """Close it, unless it is standard input."""
        if self.fd:
            os.close(self.fd)
        self.fd = None

    def look(self) -> None:
        """See to it that what bears the name is open, and begin again when it became shorter."""
        if self.by_name:
            try:
                now: os.stat_result | None = os.stat(self.name)
            except OSError:
                now = None
            before = os.fstat(self.fd) if self.fd is not None else None
            if now is None:
                if self.fd is not None:
                    warn(f"{self.name}: has become inaccessible: No such file or directory")
                    self.close()
                return
            if before is None or (before.st_dev, before.st_ino) != (now.st_dev, now.st_ino):
                if before is not None:
                    warn(f"{self.name} has been replaced; following new file", 0)
                    self.close()
                elif self.told:
                    warn(f"{self.name} has appeared; following new file", 0)
                self.open(quiet=True)
        if self.fd is not None:
            status = os.fstat(self.fd)
            if stat.S_ISREG(status.st_mode) and status.st_size < os.lseek(self.fd, 0, os.SEEK_CUR):
                warn(f"{self.name}: file truncated", 0)
                os.lseek(self.fd, 0, os.SEEK_SET)


def follow(files: list[Watched], output: Output, interval: float, pid: int | None) -> None:
    """Print what is added to the files, until `pid` ends; for ever without."""
    while files:
        # Whether it lives is asked before the last look, so that its last words are seen.
        alive = pid is None or _lives(pid)
        moved = False
        for watched in files:
            watched.look()
            while watched.fd is not None and (block := watched.source().read(BLOCK)):
                output.header(watched)
                stdout().write(block)
                stdout().flush()
                moved = True
        if not alive:
            return
        if not moved:
            waits.sleep(interval)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def show(source: Source, from_start: bool, count: int, unit: str, end: bytes) -> None:
    """Print the wanted part of one input."""
    out = stdout()
    if from_start:
        skipped = max(0, count - 1)
        parts = skip_bytes(source, skipped) if unit == "bytes" else skip_lines(source, skipped, end)
    elif unit == "bytes":
        parts = last_bytes(source, count)
    else:
        parts = last_lines(source, count, end)
    for part in parts:
        out.write(part)
    out.flush()


def skip_bytes(source: Source, count: int) -> Iterator[bytes]:
    """All but the first `count` bytes."""
    while count and (block := source.read(min(count, BLOCK))):
        count -= len(block)
    stdout().flush()
    try:
        copy(source.fd, 1)
    except IsADirectoryError:
        return
    yield b""


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


def last_bytes(source: Source, count: int) -> Iterator[bytes]:
    """The last `count` bytes; of a regular file only these are read."""
    start = _size_to_come(source)
    if start is not None:
        here, size = start
        os.lseek(source.fd, max(here, size - count), os.SEEK_SET)
        yield from source.blocks()
        return
    held = b""
    for block in source.blocks():
        held = (held + block)[-count:] if count else b""
    yield held


def last_lines(source: Source, count: int, end: bytes) -> Iterator[bytes]:
    """The last `count` lines; a regular file is read backwards from its end."""
    start = _size_to_come(source)
    if start is not None and count:
        here, size = start
        os.lseek(source.fd, _line_start(source.fd, here, size, count, end), os.SEEK_SET)
        yield from source.blocks()
        return
    blocks: list[bytes] = []
    lines: list[int] = []
    for block in source.blocks():
        blocks.append(block)
        lines.append(block.count(end))
        # Whole blocks that can no longer hold a wanted line are dropped.
        while len(blocks) > 1 and sum(lines[1:]) > count:
            del blocks[0], lines[0]
    text = b"".join(blocks)
    yield text[_from_end(text, count, end) :] if count else b""


def _size_to_come(source: Source) -> tuple[int, int] | None:
    """(position, size) of a regular file that has something to come; None for what cannot be sought in."""
    try:
        status = os.fstat(source.fd)
        here = os.lseek(source.fd, 0, os.SEEK_CUR)
    except OSError:
        return None
    # Files of /proc say that they are empty.
    regular = stat.S_ISREG(status.st_mode) and status.st_size > here
    return (here, status.st_size) if regular else None


def _line_start(fd: int, first: int, size: int, count: int, end: bytes) -> int:
    """Where the last `count` lines of a file begin, at `first` at the earliest."""
    position, found = size, 0
    step = 1 << 16
    while position > first:
        start = max(first, position - step)
        block = os.pread(fd, position - start, start)
        # The line feed at the very end ends the last line, and begins none.
        last = len(block) - (1 if position == size and block.endswith(end) else 0)
        at = last
        while (at := block.rfind(end, 0, at)) >= 0:
            found += 1
            if found == count:
                return start + at + 1
        position = start
        step = min(step * 4, BLOCK)
    return first


def _from_end(text: bytes, count: int, end: bytes) -> int:
    at = len(text) - (1 if text.endswith(end) else 0)
    for _ in range(count):
        at = text.rfind(end, 0, at)
        if at < 0:
            return 0
    return at + 1
