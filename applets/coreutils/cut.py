"""cut [-b LIST] [-c LIST] [-f LIST] [-d DELIM] [-F LIST] [-O STRING] [-nsDz] [FILE]...

Print parts of each line of each FILE, or of standard input.

  -b, --bytes=LIST       these bytes
  -c, --characters=LIST  these characters (UTF-8)
  -f, --fields=LIST      these fields
  -F LIST                these fields, between runs of white space or what matches DELIM, an
                         extended regular expression
  -d, --delimiter=DELIM  what separates fields (default: a tab)
  -O, --output-delimiter=STRING  what separates them in the output
  -s, --only-delimited   no lines without a delimiter
  -D                     in the order of LIST, with repetitions; a line without a delimiter
                         is one field
      --complement       all but these
  -n                     ignored
  -z, --zero-terminated  lines end with a NUL

LIST is made of N, N-, N-M, -M, separated by commas; counted from 1.
"""

from __future__ import annotations

import os

from toolbox.errors import UsageError
from toolbox.options import Options, whole
from toolbox.streams import inputs, stdout

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from toolbox.streams import Source

options = Options(__doc__)

#: Where an open range ends.
END = 1 << 60

Ranges = list[tuple[int, int]]

if TYPE_CHECKING:
    Change = Callable[[list[bytes]], list[bytes]]


def main(argv: list[str]) -> int:
    """POSIX XCU cut, with GNU's --complement and --output-delimiter and toybox's -D, -F, -O."""
    opt, files = options.parse(argv)
    modes = [m for m in ("bytes", "characters", "fields", "F") if getattr(opt, m) is not None]
    if len(modes) != 1:
        raise UsageError(
            "only one type of list may be specified"
            if modes
            else "you must specify a list of bytes, characters, or fields"
        )
    mode = modes[0]
    if mode in ("bytes", "characters") and (opt.delimiter is not None or opt.only_delimited):
        raise UsageError("a delimiter and -s go only with fields")
    if mode == "fields" and len(opt.delimiter or "") > 1:
        raise UsageError("the delimiter must be a single character")
    ranges = parse_list(getattr(opt, mode), opt.D)
    if opt.complement:
        ranges = complement(ranges)
    end = b"\0" if opt.zero_terminated else b"\n"
    out = stdout()
    joined = None if opt.output_delimiter is None else os.fsencode(opt.output_delimiter)
    if mode == "bytes":
        change = bytes_of(ranges, joined or b"")
    elif mode == "characters":
        change = characters_of(ranges, joined or b"")
    elif mode == "F":
        change = words_of(
            ranges, opt.delimiter, b" " if joined is None else joined, opt.only_delimited, opt.D
        )
    else:
        delimiter = os.fsencode("\t" if opt.delimiter is None else opt.delimiter or "\0")
        between = delimiter if joined is None else joined
        if delimiter == end:
            for source in inputs(files):
                out.write(lines_of(source, ranges, end, between))
            return 0
        change = fields_of(ranges, delimiter, between, opt.only_delimited, opt.D)
    for source in inputs(files):
        for block in source.line_blocks(end):
            lines = change(block.removesuffix(end).split(end))
            if lines:
                out.write(end.join(lines) + end)
    return 0


def parse_list(text: str, in_order: bool) -> Ranges:
    """LIST as half-open ranges counted from 0; sorted and joined unless `in_order`."""
    ranges = []
    for part in text.replace(" ", ",").replace("\t", ",").split(","):
        low, dash, high = part.partition("-")
        if not all(
            (word.isascii() and word.isdecimal()) or not word for word in (low, high)
        ) or part in ("", "-"):
            raise UsageError(f"invalid list {text!r}: {part!r} is no number or range")
        least, most = (whole(w, "position") if w else 0 for w in (low, high))
        first = least if low else 1
        last = (most if high else END) if dash else first
        if first == 0 or last == 0:
            raise UsageError("fields and positions are numbered from 1")
        if last < first:
            raise UsageError(f"invalid decreasing range {part!r}")
        ranges.append((first - 1, last))
    return ranges if in_order else joined(sorted(ranges))


def joined(ranges: Ranges) -> Ranges:
    """Sorted ranges with those that overlap or touch made one."""
    result: Ranges = []
    for first, last in ranges:
        if result and first < result[-1][1]:
            result[-1] = (result[-1][0], max(last, result[-1][1]))
        else:
            result.append((first, last))
    return result


def complement(ranges: Ranges) -> Ranges:
    """What the ranges leave out."""
    result, start = [], 0
    for first, last in joined(sorted(ranges)):
        if first > start:
            result.append((start, first))
        start = last
    return [*result, (start, END)] if start < END else result


def bytes_of(ranges: Ranges, between: bytes) -> Change:
    """A function that takes these bytes from lines."""
    if len(ranges) == 1:
        ((first, last),) = ranges
        return lambda lines: [line[first:last] for line in lines]
    return lambda lines: [
        between.join([line[first:last] for first, last in ranges if first < len(line)])
        for line in lines
    ]


def characters_of(ranges: Ranges, between: bytes) -> Change:
    """A function that takes these characters from lines; bytes that are no UTF-8 count as one each."""
    plain = bytes_of(ranges, between)

    def take(line: bytes) -> bytes:
        text = line.decode("utf-8", "surrogateescape")
        parts = [text[first:last] for first, last in ranges if first < len(text)]
        return between.join([part.encode("utf-8", "surrogateescape") for part in parts])

    def take_all(lines: list[bytes]) -> list[bytes]:
        if all(map(bytes.isascii, lines)):
            return plain(lines)
        return [take(line) for line in lines]

    return take_all


def fields_of(
    ranges: Ranges, delimiter: bytes, between: bytes, only: bool, in_order: bool
) -> Change:
    """A function that takes these fields from lines; those without a delimiter stay or go."""
    # No field behind the last wanted one needs to be split off.
    most = max((last for _, last in ranges), default=1)
    splits = most if most < END else -1

    def parts_of(lines: list[bytes]) -> list[list[bytes]]:
        # A line without a delimiter is one part; with -s it has none.
        parts = [line.split(delimiter, splits) for line in lines]
        return [p for p in parts if len(p) > 1] if only and not in_order else parts

    def one(lines: list[bytes]) -> list[bytes]:
        return [
            p[first] if len(p) > first else (p[0] if len(p) == 1 and not in_order else b"")
            for p in parts_of(lines)
        ]

    def row(lines: list[bytes]) -> list[bytes]:
        return [
            between.join(p[first:last]) if len(p) > 1 or in_order else p[0] for p in parts_of(lines)
        ]

    def several(lines: list[bytes]) -> list[bytes]:
        return [
            between.join([field for first, last in ranges for field in p[first:last]])
            if len(p) > 1 or in_order
            else p[0]
            for p in parts_of(lines)
        ]

    if len(ranges) != 1:
        return several
    ((first, last),) = ranges
    return one if last == first + 1 else row


def lines_of(source: Source, ranges: Ranges, end: bytes, between: bytes) -> bytes:
    """These lines of a source: what fields are when lines end with the delimiter itself (GNU)."""
    lines: list[bytes] = []
    wanted = iter(ranges)
    first, last = next(wanted, (END, END))
    count = 0
    for line in source.lines(end):
        while count >= last:
            first, last = next(wanted, (END, END))
        if count >= first:
            lines.append(line)
        count += 1
    return between.join(lines) + end if count else b""


def words_of(
    ranges: Ranges, expression: str | None, between: bytes, only: bool, in_order: bool
) -> Change:
    """A function that takes fields between white space, or matches of an extended regular expression.

    What separates the fields of one range stays as it is; `between` goes between ranges (toybox).
    """
    from toolbox.regex import compile

    expression = "[[:space:]]+" if expression is None else expression
    pattern = compile([os.fsencode(expression)], extended=True)

    def take(line: bytes) -> bytes | None:
        spans = [(start, end) for start, end in pattern.spans(line) if start < end]
        if not spans and not in_order:
            return None if only else line
        starts = [0, *[end for _, end in spans]]
        ends = [*[start for start, _ in spans], len(line)]
        taken = [
            line[starts[first] : ends[min(last, len(ends)) - 1]]
            for first, last in ranges
            if first < len(starts)
        ]
        return between.join([text for text in taken if text])

    return lambda lines: [text for line in lines if (text := take(line)) is not None]
