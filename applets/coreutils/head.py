"""head [-qvz] [-NUM] [-n [-]N] [-c [-]N] [FILE]...

Print the first 10 lines of each FILE, or of standard input.

  -n, --lines=[-]N      first N lines; -N: all but the last N
  -c, --bytes=[-]N      first N bytes; -N: all but the last N
  -q, --quiet, --silent  never print headers
  -v, --verbose         always print headers
  -z, --zero-terminated  lines end with a NUL
  -NUM                  the same as -n NUM
"""

from __future__ import annotations

import os

from toolbox.ends import Window, start_of_last
from toolbox.options import Options, number
from toolbox.streams import copy, inputs, line_end, stdout

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from toolbox.streams import Source

options = Options(__doc__)


def main(argv: list[str]) -> int:
    """POSIX XCU head, with GNU's options; `head -5c` of old is understood too."""
    if argv[1:] and argv[1][1:2].isdigit():
        argv = [argv[0], *_obsolete(argv[1]), *argv[2:]]
    opt, files = options.parse(argv)
    given = opt.last("lines", "bytes", "NUM") or "lines"
    text = str(getattr(opt, given) if getattr(opt, given) is not None else 10)
    count = number(text, f"number of {'bytes' if given == 'bytes' else 'lines'}")
    headers = opt.verbose or (len(files) > 1 and not opt.quiet)
    end = b"\0" if opt.zero_terminated else b"\n"
    out = stdout()
    separator = b""
    for source in inputs(files):
        if headers:
            out.write(b"%s==> %s <==\n" % (separator, os.fsencode(source.name)))
            separator = b"\n"
        if text.startswith("-"):
            all_but_last(source, -count, b"" if given == "bytes" else end)
        elif given == "bytes":
            out.flush()
            copy(source.fd, 1, count)
        else:
            for part in first_lines(source, count, end):
                out.write(part)
    return 0


def _obsolete(word: str) -> list[str]:
    """`-NUM[bkm][clqvz]`: a multiplier counts bytes, `c` says so (GNU)."""
    digits = word[1:].rstrip("bkmclqvz")
    letters = word[len(digits) + 1 :]
    if word[0] != "-" or not digits.isdecimal() or not letters:
        return [word]
    unit = "".join(letter for letter in letters if letter in "bkm")[-1:].replace("m", "M")
    counts = "--bytes" if unit or "c" in letters else "--lines"
    return [f"{counts}={digits}{unit}", *(f"-{flag}" for flag in letters if flag in "qvz")]


def first_lines(source: Source, count: int, end: bytes) -> Iterator[bytes]:
    """The first `count` lines; what was read too much is given back where the input can be (POSIX)."""
    # Small blocks: the usual few lines should not cost a megabyte of reading.
    for block in source.blocks(65536 if count < 1000 else 1 << 20) if count else ():
        lines = block.count(end)
        if lines < count:
            count -= lines
            yield block
            continue
        position = line_end(block, count, end)
        yield block[:position]
        give_back(source, len(block) - position)
        return


def give_back(source: Source, count: int) -> None:
    """Move the offset back over `count` bytes that were read and not used, where the input can be sought in.

    Who reads the descriptor next finds them (POSIX XCU 1.4, INPUT FILES).
    """
    try:
        os.lseek(source.fd, -count, os.SEEK_CUR)
    except OSError:
        pass  # a pipe or terminal


def all_but_last(source: Source, count: int, end: bytes) -> None:
    """Print all but the last `count` bytes, or lines if these have an `end`."""
    out = stdout()
    stop = start_of_last(source.fd, count, end)
    if stop is not None:
        out.flush()
        copy(source.fd, 1, stop - os.lseek(source.fd, 0, os.SEEK_CUR))
        return
    window = Window(count, end)
    for block in source.blocks():
        for part in window.push(block):
            out.write(part)
    before, after = window.parts()
    for rest in before:
        out.write(rest)
    give_back(source, sum(map(len, after)))
