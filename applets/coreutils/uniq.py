"""uniq [-cdDuiz] [-f N] [-s N] [-w N] [--group[=METHOD]] [INPUT [OUTPUT]]

Print one of several equal lines in a row.

  -c, --count            before each, how many there were
  -d, --repeated         only those that there were several of
  -u, --unique           only those that there was one of
  -D                     all of those that there were several of
      --all-repeated[=METHOD]  the same, groups separated: none, prepend, separate
      --group[=METHOD]   all, groups separated: separate, prepend, append, both
  -f, --skip-fields=N    do not compare the first N fields
  -s, --skip-chars=N     nor the first N bytes behind them
  -w, --check-chars=N    nor more than N bytes
  -i, --ignore-case      lower and upper case are equal
  -z, --zero-terminated  lines end with a NUL
  -NUM                   the same as -f NUM
"""

from __future__ import annotations

import os

from toolbox.errors import UsageError
from toolbox.options import Options
from toolbox.streams import open_input, stdout, write_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from toolbox.options import Values

options = Options(__doc__)

#: Lines of output joined at a time.
LINES_AT_ONCE = 10_000


def main(argv: list[str]) -> int:
    """POSIX XCU uniq."""
    opt, operands = options.parse(argv)
    for name, allowed in (
        ("group", ("", "separate", "prepend", "append", "both")),
        ("all_repeated", ("", "none", "prepend", "separate")),
    ):
        if getattr(opt, name) is not None and getattr(opt, name) not in allowed:
            raise UsageError(
                f"invalid argument {getattr(opt, name)!r} for '--{name.replace('_', '-')}'"
            )
    if opt.group is not None and (opt.count or opt.repeated or opt.unique or opt.D):
        raise UsageError("--group is mutually exclusive with -c/-d/-D/-u")
    if opt.count and (opt.D or opt.all_repeated is not None):
        raise UsageError("printing all duplicated lines and repeat counts is meaningless")
    source = open_input(operands[0] if operands else "-")
    if source is None:
        return 1
    end = b"\0" if opt.zero_terminated else b"\n"
    with source:
        text = chosen(source.lines(end), key_of(opt), opt, end)
        if len(operands) == 2 and operands[1] != "-":
            fd = os.open(operands[1], os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
            try:
                for block in text:
                    write_all(fd, block)
            finally:
                os.close(fd)
            return 0
        out = stdout()
        for block in text:
            out.write(block)
    return 0


def key_of(opt: Values) -> Callable[[bytes], bytes] | None:
    """What of a line is compared; None when all of it is."""
    fields = opt.skip_fields if opt.last("skip_fields", "NUM") != "NUM" else opt.NUM
    start, length = opt.skip_chars or 0, opt.check_chars
    if not fields and not start and length is None and not opt.ignore_case:
        return None

    if opt.ignore_case and not fields and not start and length is None:
        return bytes.lower
    import re

    # A field: blanks, then what is none (POSIX); with -z a line feed is a blank (GNU).
    skip = re.compile(
        rb"(?:[ \t\n]*+[^ \t\n]*+){0,%d}" % min(fields or 0, 1 << 31), re.DOTALL
    ).match

    def key(line: bytes) -> bytes:
        found = skip(line) if fields else None
        at = (found.end() if found else 0) + start
        part = line[at:] if length is None else line[at : at + length]
        return part.lower() if opt.ignore_case else part

    return key


def chosen(
    lines: Iterable[bytes], key: Callable[[bytes], bytes] | None, opt: Values, end: bytes
) -> Iterator[bytes]:
    """The output, many lines at a time."""
    from itertools import groupby, islice

    found = groupby(lines, key)
    if opt.group is not None:
        yield from _separated((list(g) for _, g in found), opt.group or "separate", end)
        return
    if opt.D or opt.all_repeated is not None:
        several = (group for _, g in found if len(group := list(g)) > 1)
        yield from _separated(several, opt.all_repeated or "none", end)
        return
    if opt.count or opt.repeated or opt.unique:
        groups = (list(g) for _, g in found)
        wanted = (
            group
            for group in groups
            if not (opt.repeated and len(group) == 1) and not (opt.unique and len(group) > 1)
        )
        if opt.count:
            texts = (b"%7d %s" % (len(group), group[0]) for group in wanted)
        else:
            texts = (group[0] for group in wanted)
    elif key is None:
        texts = (line for line, _ in found)
    else:
        texts = (next(g) for _, g in found)
    while some := list(islice(texts, LINES_AT_ONCE)):
        yield end.join(some) + end


def _separated(found: Iterable[list[bytes]], method: str, end: bytes) -> Iterator[bytes]:
    """All lines of the groups, with empty lines between, before or after them."""
    first = True
    for group in found:
        if method in ("prepend", "both") or (method == "separate" and not first):
            yield end
        if method == "append" and not first:
            yield end
        yield end.join(group) + end
        first = False
    if not first and method in ("append", "both"):
        yield end
