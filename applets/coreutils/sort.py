"""sort [-bcCdfghiMmnRrsuVz] [-k KEY]... [-t CHAR] [-o FILE] [FILE]...

Sort the lines of all FILEs, or of standard input, by their bytes.

  -b, --ignore-leading-blanks  blanks before a key do not count
  -d, --dictionary-order       only blanks, letters and digits count
  -f, --ignore-case            lower case counts as upper case
  -i, --ignore-nonprinting     only printable characters count
  -g, --general-numeric-sort   by floating-point numbers
  -h, --human-numeric-sort     by sizes as people write them: 2K, 1G
  -M, --month-sort             by names of months: JAN < DEC
  -n, --numeric-sort           by numbers
  -R, --random-sort            in random order, equal keys together
  -V, --version-sort           by version numbers in the text
  -r, --reverse                the other way round
  -k, --key=KEY...             by part of the line: FIELD[.CHAR][OPTIONS][,FIELD[.CHAR][OPTIONS]]
  -t, --field-separator=CHAR   what separates fields; by default, white space begins one
  -u, --unique                 one of several with equal keys
  -s, --stable                 equal keys keep their order, whatever the rest of the line
  -c                           only check: status 1 and a message when it is not sorted
  -C                           the same, without a message
      --check[=HOW]            -c; quiet, silent: -C; diagnose-first: -c
  -m, --merge                  the FILEs are sorted already
  -o, --output=FILE...         write to FILE, which may be one of the inputs
  -z, --zero-terminated        lines end with a NUL
      --sort=WORD              general-numeric, human-numeric, month, numeric, random, version
      --files0-from=FILE       the names in FILE, each ended by a NUL
  -S, --buffer-size=SIZE       ignored, as are the next two
  -T, --temporary-directory=DIR  ignored
      --parallel=N             ignored
      --debug                  ignored
"""

from __future__ import annotations

import os

from toolbox.errors import Fatal, UsageError, say
from toolbox.options import Options
from toolbox.sort_keys import Key, check_orders, compare_all, parse_key
from toolbox.streams import inputs, open_input, stdout, write_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from toolbox.options import Values

options = Options(__doc__, trouble=2)

#: Options that say how to compare, and the letters that say so in a KEY.
ORDERS = {
    "ignore_leading_blanks": "b",
    "dictionary_order": "d",
    "ignore_case": "f",
    "ignore_nonprinting": "i",
    "general_numeric_sort": "g",
    "human_numeric_sort": "h",
    "month_sort": "M",
    "numeric_sort": "n",
    "random_sort": "R",
    "version_sort": "V",
    "reverse": "r",
}
WORDS = {
    word.replace("_sort", "").replace("_", "-"): c for word, c in ORDERS.items() if "_sort" in word
}

#: Bytes written at a time.
LINES_AT_ONCE = 100_000


def main(argv: list[str]) -> int:
    """POSIX XCU sort in the C locale; with -c, 1 when the input is not sorted."""
    opt, files = options.parse(argv)
    if opt.files0_from is not None:
        names = open_input(opt.files0_from, 2)
        files = [os.fsdecode(name) for name in names.lines(b"\0")] if names else []
    letters = "".join(letter for name, letter in ORDERS.items() if getattr(opt, name))
    if opt.sort is not None:
        if opt.sort not in WORDS:
            raise UsageError(f"invalid argument {opt.sort!r} for '--sort'")
        letters += WORDS[opt.sort]
    quiet = opt.C or opt.check in ("quiet", "silent")
    if opt.check not in (None, "", "quiet", "silent", "diagnose-first"):
        raise UsageError(f"invalid argument {opt.check!r} for '--check'")
    if quiet and (opt.c or opt.check in ("", "diagnose-first")):
        raise UsageError("options '-cC' are incompatible")
    separator = field_separator(opt.field_separator)
    keys = [parse_key(text, letters, separator) for text in opt.key]
    if not keys:
        # The whole line is the key; without an order it is compared as it is.
        check_orders(letters)
        keys = [Key.whole_line(letters)]
    end = b"\0" if opt.zero_terminated else b"\n"
    target = opt.output[-1] if opt.output else None
    if len(set(opt.output)) > 1:
        raise UsageError("multiple output files specified")
    if opt.c or quiet or opt.check is not None:
        if target is not None:
            raise UsageError(f"options '-{'C' if quiet else 'c'}o' are incompatible")
        return check(files, keys, opt, end, quiet)
    lines = read(files, end)
    if opt.unique:
        lines = first_of_equals(lines, keys)
    order(lines, keys, opt)
    write(lines, target, end)
    return 0


def field_separator(text: str | None) -> bytes | None:
    """-t's argument as a byte; `\\0` is a NUL (GNU)."""
    if text is None:
        return None
    raw = b"\0" if text == "\\0" else os.fsencode(text)
    if len(raw) != 1:
        raise UsageError(f"multi-character tab {text!r}" if raw else "empty tab")
    return raw


def read(files: list[str], end: bytes) -> list[bytes]:
    """All lines of all inputs; one that cannot be opened or read ends the run, as its lines would be missing."""
    lines: list[bytes] = []
    for name in files or ["-"]:
        source = open_input(name, 2)
        if source is None:
            raise SystemExit(2)
        with source:
            data = source.read_all()
        if source.failed:
            raise SystemExit(2)
        if data:
            lines += data.removesuffix(end).split(end)
    return lines


def order(lines: list[bytes], keys: list[Key], opt: Values) -> None:
    """Sort in place.  Sorting is stable, so the least important key goes first."""
    last_resort = not opt.stable and not opt.unique
    plain = len(keys) == 1 and keys[0].is_plain_line
    if plain:
        lines.sort(reverse=keys[0].reverse and last_resort)
        if keys[0].reverse and not last_resort:
            lines.sort(key=keys[0].extract, reverse=True)
        return
    if last_resort:
        lines.sort(reverse=opt.reverse)
    for key in reversed(keys):
        # list.sort asks for the keys once, in the order of the list.
        following = iter(key.extract_all(lines)).__next__
        lines.sort(key=lambda _, value=following: value(), reverse=key.reverse)  # type: ignore[misc]


def first_of_equals(lines: list[bytes], keys: list[Key]) -> list[bytes]:
    """The first of all lines whose keys are equal, in the order of the input."""
    columns = [key.extract_all(lines) for key in keys]
    marks = columns[0] if len(columns) == 1 else list(zip(*columns, strict=True))
    # The last to be set stays, so they go backwards.
    first = dict(zip(reversed(marks), reversed(lines), strict=True))
    return list(reversed(first.values()))


def check(files: list[str], keys: list[Key], opt: Values, end: bytes, quiet: bool) -> int:
    """0 when the one input is sorted (and with -u has no equals), else 1."""
    if len(files) > 1:
        raise UsageError(f"extra operand {files[1]!r} not allowed with -c")
    last_resort = not opt.stable and not opt.unique
    before: bytes | None = None
    for source in inputs(files, 2):
        for number, line in enumerate(source.lines(end), 1):
            if before is not None:
                relation = compare_all(keys, before, line)
                if relation == 0 and last_resort:
                    relation = (before > line) - (before < line)
                    relation = -relation if opt.reverse else relation
                if relation > 0 or (relation == 0 and opt.unique):
                    if not quiet:
                        shown = os.fsdecode(line)
                        say(f"sort: {source.name if files else '-'}:{number}: disorder: {shown}")
                    return 1
            before = line
    return 0


def write(lines: list[bytes], target: str | None, end: bytes) -> None:
    """Write the lines; a target is opened only now, when all input has been read."""
    if target is None:
        out = stdout()
        for start in range(0, len(lines), LINES_AT_ONCE):
            out.write(end.join(lines[start : start + LINES_AT_ONCE]) + end)
        return
    try:
        fd = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise Fatal(f"open failed: {target}: {error.strerror}", 2) from None
    try:
        for start in range(0, len(lines), LINES_AT_ONCE):
            write_all(fd, end.join(lines[start : start + LINES_AT_ONCE]) + end)
    except OSError as error:
        raise Fatal(f"write failed: {target}: {error.strerror}", 2) from None
    finally:
        os.close(fd)
