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
        text = chosen(groups(source.lines(end), key_of(opt)), opt, end)
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

    def key(line: bytes) -> bytes:
        at = 0
        for _ in range(fields or 0):
            # A field: blanks, then what is none (POSIX).
            while line[at : at + 1] in (b" ", b"\t") and at < len(line):
                at += 1
            while at < len(line) and line[at : at + 1] not in (b" ", b"\t"):
                at += 1
        part = line[at + start :]
        part = part if length is None else part[:length]
        return part.lower() if opt.ignore_case else part

    return key


def groups(lines: Iterable[bytes], key: Callable[[bytes], bytes] | None) -> Iterator[list[bytes]]:
    """Runs of equal lines."""
    group: list[bytes] = []
    last = b""
    for line in lines:
        mark = line if key is None else key(line)
        if group and mark == last:
            group.append(line)
        else:
            if group:
                yield group
            group, last = [line], mark
    if group:
        yield group


def chosen(found: Iterable[list[bytes]], opt: Values, end: bytes) -> Iterator[bytes]:
    """The output, a group at a time."""
    if opt.group is not None:
        yield from _separated(found, opt.group or "separate", end)
        return
    if opt.D or opt.all_repeated is not None:
        several = (group for group in found if len(group) > 1)
        yield from _separated(several, opt.all_repeated or "none", end)
        return
    for group in found:
        if (opt.repeated and len(group) == 1) or (opt.unique and len(group) > 1):
            continue
        yield (b"%7d %s%s" % (len(group), group[0], end)) if opt.count else group[0] + end


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
