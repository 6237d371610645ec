"""grep [-abcEFGHhIiLlnoPqRrsTUvwxyZz] [-m N] [-A N] [-B N] [-C N] [PATTERN] [FILE]...

Print the lines of each FILE that match the PATTERN. Without FILE: standard input, or with -r the
current directory.

  -E, --extended-regexp   PATTERN is an extended regular expression (so in egrep)
  -F, --fixed-strings     PATTERN is plain text (so in fgrep)
  -G, --basic-regexp      PATTERN is a basic regular expression (usual)
  -P, --perl-regexp       PATTERN is a Perl regular expression, as far as Python's re knows them
  -e, --regexp=PATTERN...   the PATTERN; several: any of them
  -f, --file=FILE...      patterns from the lines of FILE
  -i, -y, --ignore-case   upper and lower case are the same
      --no-ignore-case    they are not
  -w, --word-regexp       matches must be whole words
  -x, --line-regexp       matches must be whole lines
  -v, --invert-match      lines that do not match
  -z, --null-data         lines end with a zero byte
  -c, --count             print only how many lines match
  -l, --files-with-matches  print only names of files with a match
  -L, --files-without-match  print only names of files without; the status is that without -L
  -q, --quiet, --silent   print nothing, stop at the first match
  -s, --no-messages       no messages about files that cannot be read
  -m, --max-count=[-]N    stop after N lines; -N: never
  -o, --only-matching     print only the parts that match
  -n, --line-number       with line numbers
  -b, --byte-offset       with byte offsets
  -H, --with-filename     with file names (usual with several)
  -h, --no-filename       without
      --label=NAME        the name of standard input
  -T, --initial-tab       a tab before the line
  -Z, --null              a zero byte after the file name
      --line-buffered     write each line at once
  -A, --after-context=N   with N lines after each match
  -B, --before-context=N  with N lines before
  -NUM                    as -C NUM
  -C, --context=N         with N lines before and after
      --group-separator=TEXT  between groups of lines, instead of --
      --no-group-separator  nothing between them
      --color[=WHEN]      mark matches: always, never or auto (only on a terminal); $GREP_COLORS
      --colour[=WHEN]     the same
  -a, --text              search binary files like text
  -I                      leave binary files out
      --binary-files=WORD  binary, text or without-match
  -U, --binary            nothing: lines never end with carriage returns here
  -r, --recursive         all files below each directory, links only as FILE
  -R, --dereference-recursive  the same, follow all links
  -d, --directories=WORD  read, skip or recurse
  -D, --devices=WORD      read or skip devices, pipes and sockets
      --include=GLOB...   only files that match
      --exclude=GLOB...   leave out files that match
      --exclude-from=FILE...  leave out files that match a GLOB of FILE
      --exclude-dir=GLOB...  leave out directories that match

Basic and extended regular expressions take a time that grows no faster than the line,
unless they refer to a subexpression (\\1); those and Perl's may take very long.

Status: 0 a line was selected (also with -L, as in GNU grep before 3.2 and since 3.5), 1 none,
2 an error.
"""

from __future__ import annotations

import os
import stat

from toolbox.errors import UsageError, current, warn
from toolbox.line_printer import Printer
from toolbox.options import Options, Values, number
from toolbox.streams import Source, stdout

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from toolbox.line_search import Matcher

options = Options(__doc__, trouble=2)

_FLAVORS = ("extended_regexp", "fixed_strings", "basic_regexp", "perl_regexp")


def main(argv: list[str]) -> int:
    opt, operands = options.parse(argv)
    patterns = _patterns(opt, operands)
    flavor = opt.last(*_FLAVORS)
    if flavor is None:
        name = argv[0].rpartition("/")[2]
        flavor = {"egrep": "extended_regexp", "fgrep": "fixed_strings"}.get(name, "basic_regexp")
    matcher = None
    if patterns is not None:
        from toolbox.line_search import Matcher

        matcher = Matcher(
            patterns,
            flavor,
            ignore_case=opt.last("ignore_case", "no_ignore_case") == "ignore_case",
            words=opt.word_regexp,
            whole=opt.line_regexp,
            end=b"\0" if opt.null_data else b"\n",
            utf8=_utf8(),
        )
    most = None if opt.max_count is None else number(opt.max_count, "max count")
    if most == 0:
        return 1
    search = _Search(opt, matcher, None if most is None or most < 0 else most)
    _Files(opt, search).run(operands)
    return 0 if search.selected else 1


def _patterns(opt: Values, operands: list[str]) -> list[bytes] | None:
    """All patterns, one a line; None when there are none (an empty -f file), so that nothing matches."""
    texts = [os.fsencode(text) for text in opt.regexp]
    for name in opt.file:
        with Source(0 if name == "-" else os.open(name, os.O_RDONLY | os.O_CLOEXEC), name, 2) as f:
            text = f.read_all()
        if text:
            texts.append(text.removesuffix(b"\n"))
    if not opt.regexp and not opt.file:
        if not operands:
            raise UsageError("missing PATTERN")
        texts.append(os.fsencode(operands.pop(0)))
    if not texts:
        return None
    return list(dict.fromkeys(b"\n".join(texts).split(b"\n")))


def _utf8() -> bool:
    """Whether the locale's characters are UTF-8 (POSIX XBD 8.2: LC_ALL, LC_CTYPE, LANG)."""
    for name in ("LC_ALL", "LC_CTYPE", "LANG"):
        value = os.environ.get(name)
        if value:
            return "utf8" in value.lower().replace("-", "")
    return False


class _Files:
    """Which files are searched."""

    def __init__(self, opt: Values, search: _Search) -> None:
        self.opt = opt
        self.search = search
        self.recurse = opt.last("recursive", "dereference_recursive")
        directories = opt.directories or "read"
        if opt.last("recursive", "dereference_recursive", "directories") == "directories":
            self.recurse = "recursive" if directories == "recurse" else None
        if directories not in ("read", "skip", "recurse"):
            raise UsageError(f"invalid argument {directories!r} for '--directories'")
        if opt.devices not in (None, "read", "skip"):
            raise UsageError("unknown devices method")
        self.skip_directories = directories == "skip"
        self.excluded = _globs(opt.exclude + [g for f in opt.exclude_from for g in _lines(f)])
        self.included = _globs(opt.include)
        self.excluded_directories = _globs([g.rstrip("/") for g in opt.exclude_dir])
        try:
            out = os.fstat(1)
            regular = stat.S_ISREG(out.st_mode)
        except OSError:
            regular = False
        self.output = (out.st_dev, out.st_ino) if regular and not search.stop_at_first else None

    def run(self, operands: list[str]) -> None:
        search = self.search
        search.with_name = self.opt.last("with_filename", "no_filename") == "with_filename" or (
            self.opt.last("with_filename", "no_filename") is None
            and (len(operands) > 1 or bool(self.recurse))
        )
        if self.recurse and not operands:
            self._tree(".", "./")
            return
        if self.recurse and len(operands) == 1 and not os.path.isdir(operands[0]):
            search.with_name = bool(self.opt.with_filename)
        for name in operands or ["-"]:
            if name == "-":
                label = self.opt.label or "(standard input)"
                self._one(Source(0, label, 2), label)
            elif self.recurse and os.path.isdir(name):
                self._tree(name, "")
            elif self._wanted(name):
                self._open(name, name, None, as_operand=True)

    def _wanted(self, name: str) -> bool:
        """Whether --include and --exclude leave in a file named on the command line."""
        if not (self.excluded or self.included):
            return True
        if os.path.isdir(name):
            return True
        return self._named(name) and self._named(os.path.basename(name))

    def _named(self, name: str) -> bool:
        if self.excluded and self.excluded(name):
            return False
        return not self.included or self.included(name)

    def _tree(self, top: str, strip: str) -> None:
        from toolbox.walk import walk

        follow = "always" if self.recurse == "dereference_recursive" else "top"
        for visit in walk(top, follow=follow, failed=self._failed):
            if visit.leaving:
                continue
            if visit.is_directory:
                excluded = self.excluded_directories
                if excluded and (
                    excluded(visit.name) or excluded(os.path.basename(visit.name.rstrip("/")))
                ):
                    # `.` given by nobody is never left out.
                    visit.prune = bool(visit.depth) or not strip
                continue
            if (self.excluded or self.included) and not self._named(visit.name):
                continue
            kind = visit.kind
            if kind != stat.S_IFREG and (kind in (0, stat.S_IFLNK) or self.opt.devices != "read"):
                if kind == 0 or (kind == stat.S_IFLNK and follow == "always"):
                    self._gone(visit.path)
                continue
            self._open(visit.name, visit.path.removeprefix(strip), visit.dir_fd)

    def _gone(self, path: str) -> None:
        try:
            os.stat(path)
        except OSError as error:
            self._failed(error)

    def _failed(self, error: OSError) -> None:
        if self.opt.no_messages:
            current().status = 2
        else:
            warn(error, 2)

    def _open(self, name: str, shown: str, dir_fd: int | None, as_operand: bool = False) -> None:
        try:
            fd = os.open(name, os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY, dir_fd=dir_fd)
        except OSError as error:
            self._failed(OSError(error.errno, error.strerror, shown))
            return
        source = _Quiet(fd, shown) if self.opt.no_messages else Source(fd, shown, 2)
        with source:
            status = os.fstat(fd)
            mode = status.st_mode
            if stat.S_ISDIR(mode) and self.skip_directories:
                return
            if (
                as_operand
                and self.opt.devices == "skip"
                and not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))
            ):
                return
            if self.output == (status.st_dev, status.st_ino):
                warn(f"{shown}: input file is also the output", 2)
                return
            self._one(source, shown)

    def _one(self, source: Source, shown: str) -> None:
        self.search.file(source, os.fsencode(shown))


class _Quiet(Source):
    """An input whose read errors are not told (-s)."""

    __slots__ = ()

    def read(self, size: int = 1 << 20) -> bytes:
        """Up to `size` bytes; an error only counts."""
        try:
            return os.read(self.fd, size)
        except OSError:
            current().status = 2
            return b""


def _lines(name: str) -> list[str]:
    with open(name, "rb") as f:
        return [os.fsdecode(line) for line in f.read().split(b"\n") if line]


def _globs(patterns: list[str]) -> Callable[[str], bool] | None:
    if not patterns:
        return None
    from toolbox.patterns import matcher

    tests = [matcher(pattern) for pattern in patterns]
    return lambda name: any(test(name) for test in tests)


class _Search:
    """The search of one file after another; `selected`: whether any line was."""

    def __init__(self, opt: Values, matcher: Matcher | None, most: int | None) -> None:
        """most: lines after which it stops"""
        self.matcher = matcher
        self.selected = False
        self.with_name = False
        self.invert = opt.invert_match
        self.end = b"\0" if opt.null_data else b"\n"
        self.max = most
        listing = opt.last("files_with_matches", "files_without_match")
        self.quiet = opt.quiet
        self.list_matching = listing == "files_with_matches"
        self.list_missing = listing == "files_without_match"
        self.stop_at_first = bool(self.quiet or listing)
        self.count = opt.count
        self.name_end = b"\0" if opt.null else b"\n"
        self.binary = _binary(opt)
        self.printer = Printer(opt, matcher, stdout())

    def file(self, source: Source, name: bytes) -> None:
        """Search one input and print what is asked for."""
        if self.stop_at_first or self.count:
            count = self._count(source)
            selected = bool(count)
            if selected and self.quiet:
                # Found: whatever went wrong with other files no longer matters (POSIX grep -q).
                raise SystemExit(0)
            if self.quiet:
                pass
            elif self.stop_at_first:
                if selected is not self.list_missing:
                    self.printer.name(name, self.name_end)
            else:
                self.printer.count(name if self.with_name else None, count)
        else:
            selected = self._print(source, name)
        self.selected = self.selected or selected

    def _selected(self, block: bytes) -> Iterator[tuple[int, int]]:
        """Runs of selected lines in a block: single lines, or with -v all between two matches."""
        lines = self.matcher.lines(block) if self.matcher else iter(())
        if not self.invert:
            yield from lines
            return
        at = 0
        for start, stop in lines:
            if start > at:
                yield at, start
            at = stop
        if at < len(block):
            yield at, len(block)

    def _count(self, source: Source) -> int:
        most = 1 if self.stop_at_first else self.max
        count = base = 0
        begin = _position(source.fd) if self.max else None
        for block in source.line_blocks(self.end):
            if self.binary == "without-match" and b"\0" in block:
                return 0
            for start, stop in self._selected(block):
                if not self.invert:
                    count += 1
                else:
                    count += block.count(self.end, start, stop)
                    count += not block.endswith(self.end, start, stop)
                if most is not None and count >= most:
                    if begin is not None:
                        while count > most:  # a run of -v went too far
                            stop = block.rfind(self.end, start, stop - 1) + 1
                            count -= 1
                        os.lseek(source.fd, begin + base + stop, os.SEEK_SET)
                    return most
            base += len(block)
        return count

    def _print(self, source: Source, name: bytes) -> bool:
        printer = self.printer
        printer.begin(name if self.with_name else None, self.max)
        begin = _position(source.fd) if self.max is not None else None
        for block in source.line_blocks(self.end):
            if self.binary != "text" and self.end == b"\n" and b"\0" in block:
                if self.binary == "without-match":
                    return printer.any
                if next(self._selected(block), None):
                    printer.binary(name)
                    return True
                continue
            stop = printer.block(block, self._selected(block))
            if stop is not None:
                if begin is not None:
                    # What comes after the last line that was wanted is left to whoever reads next.
                    os.lseek(source.fd, begin + stop, os.SEEK_SET)
                break
        return printer.any


def _position(fd: int) -> int | None:
    """Where standard input stands, when it can be moved there again."""
    if fd != 0:
        return None
    try:
        return os.lseek(fd, 0, os.SEEK_CUR)
    except OSError:
        return None


def _binary(opt: Values) -> str:
    given = opt.last("text", "I", "binary_files")
    word = {"text": "text", "I": "without-match"}.get(given or "", opt.binary_files or "binary")
    if word not in ("binary", "text", "without-match"):
        raise UsageError("unknown binary-files type")
    return word
