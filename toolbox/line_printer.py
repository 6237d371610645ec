"""How grep shows what it found: names, numbers, context, separators, colors.

A block of lines and the runs of selected lines in it go in; without any decoration each run is one
write of a slice.
"""

from __future__ import annotations

import os

from toolbox.errors import UsageError, say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

    from toolbox.line_search import Matcher
    from toolbox.options import Values

#: GREP_COLORS's defaults: match, context match, selected and context lines, names, numbers, offsets, separators.
_COLORS = {
    "ms": "01;31",
    "mc": "01;31",
    "sl": "",
    "cx": "",
    "fn": "35",
    "ln": "32",
    "bn": "32",
    "se": "36",
}


class Printer:
    """The output of one run.  `any`: whether a line of the current file was selected."""

    def __init__(self, opt: Values, matcher: Matcher | None, out: BinaryIO) -> None:
        self.out = out
        self.matcher = matcher
        self.end = b"\0" if opt.null_data else b"\n"
        self.invert = opt.invert_match
        self.only = opt.only_matching
        self.numbers = opt.line_number
        self.offsets = opt.byte_offset
        self.tab = opt.initial_tab
        self.name_separator = b"\0" if opt.null else None
        self.flush = opt.line_buffered
        self.colors = _colors(opt)
        around = _context(opt)
        self.context = around is not None
        self.before, self.after = around or (0, 0)
        self.separator = _separator(opt)
        bare = not (self.context or self.numbers or self.offsets or self.tab or self.colors)
        self.plain = bare and not self.only
        self.only_plain = bare and self.only and not self.invert
        self.groups = False  # whether a group was printed, in any file
        self.begin(None, None)

    def begin(self, name: bytes | None, most: int | None) -> None:
        """Start a file: `name` is shown with each line when given; stop after `most` lines."""
        self.file = name
        self.left = most
        self.any = False
        self.base = 0  # offset of the current block in the file
        self.done = -1  # offset up to which lines were printed
        self.line = 1  # number of the line at `counted` in the current block
        self.counted = 0
        self.pending = 0  # lines of trailing context still to print
        self.history: list[bytes] = []  # last lines of earlier blocks that were not printed

    # -- whole files -----------------------------------------------------------------------

    def name(self, name: bytes, end: bytes) -> None:
        """Only the file's name (-l, -L)."""
        self.out.write(self._colored("fn", name) + end)
        self._flush()

    def count(self, name: bytes | None, count: int) -> None:
        """Only how many lines were selected (-c)."""
        self.file = name
        self.out.write(self._name_prefix(b":") + b"%d\n" % count)
        self._flush()

    def binary(self, name: bytes) -> None:
        """Say that a binary file matches, instead of its lines."""
        say(f"grep: {os.fsdecode(name)}: binary file matches")

    # -- lines -----------------------------------------------------------------------------

    def block(self, block: bytes, runs: Iterator[tuple[int, int]]) -> int | None:
        """Print the runs of selected lines; returns the offset in the file where to stop, None to go on."""
        if self.plain and self.left is None:
            self._plain(block, runs)
        elif self.only_plain and self.left is None and self.file is None and self._all_parts(block):
            pass
        else:
            stop = self._decorated(block, runs)
            if stop is not None:
                return self.base + stop
            self._remember(block)
        self.base += len(block)
        return None

    def _all_parts(self, block: bytes) -> bool:
        """Print all matches of a block at once (-o without more); False when that cannot be done."""
        parts = self.matcher.all_parts(block) if self.matcher else []
        if parts is None:
            return False
        if parts:
            self.any = True
            self.out.write(self.end.join(parts) + self.end)
            self._flush()
        else:
            # Only empty matches: nothing to print, but the line is selected.
            self.any = self.any or bool(self.matcher and next(self.matcher.lines(block), None))
        return True

    def _plain(self, block: bytes, runs: Iterator[tuple[int, int]]) -> None:
        write, end = self.out.write, self.end
        prefix = self._name_prefix(b":")
        stop = 0
        if not prefix:
            pieces = [block[start : (stop := last)] for start, last in runs]
        else:
            pieces = []
            for start, stop in runs:
                if self.invert:
                    lines = block[start:stop].removesuffix(end).split(end)
                    pieces += [prefix + line + end for line in lines]
                else:
                    pieces.append(prefix + block[start:stop])
        if stop:
            self.any = True
            write(b"".join(pieces))
            if not pieces[-1].endswith(end):
                write(end)
            self._flush()

    def _decorated(self, block: bytes, runs: Iterator[tuple[int, int]]) -> int | None:
        at = 0  # lines before this are dealt with
        if self.left == 0:
            return self._trailing(block, 0)
        for start, stop in runs:
            at = self._after(block, at, start)
            self._before(block, at, start)
            line = start
            while line < stop:
                after = block.find(self.end, line) + 1 or len(block)
                self._selected(block, line, after)
                line = after
                if self.left is not None:
                    self.left -= 1
                    if self.left == 0:
                        self.pending = self.after
                        return self._trailing(block, line)
            self.pending = self.after
            at = stop
        self._after(block, at, len(block))
        return None

    def _trailing(self, block: bytes, at: int) -> int | None:
        """Context after the last wanted line, which ends at `at`; None when it goes on in the next block."""
        self._after(block, at, len(block))
        return None if self.pending else at

    def _after(self, block: bytes, at: int, stop: int) -> int:
        """Print the trailing context that is due from `at`; returns the offset behind it."""
        while self.pending and at < stop:
            line = at
            at = block.find(self.end, line) + 1 or len(block)
            self._line(block[line:at], self.base + line, self._number(block, line), b"-")
            self.pending -= 1
        return at

    def _before(self, block: bytes, at: int, start: int) -> None:
        """Print the leading context of a line at `start`; nothing before `at`."""
        if not self.context:
            return
        first, wanted = start, self.before
        printed = max(at, self.done - self.base) if self.done >= self.base else at
        while wanted and first > printed:
            first = block.rfind(self.end, printed, first - 1) + 1 or printed
            wanted -= 1
        old = self.history[-wanted:] if wanted and first == 0 else []
        offset = self.base + first - sum(map(len, old))
        if self.groups and self.separator is not None and offset != self.done:
            self.out.write(self._colored("se", self.separator) + b"\n")
        self.groups = True
        number = self._number(block, first) if self.numbers else 0
        for i, text in enumerate(old):
            self._line(text, offset, number - len(old) + i, b"-")
            offset += len(text)
        while first < start:
            stop = block.find(self.end, first) + 1
            self._line(block[first:stop], self.base + first, self._number(block, first), b"-")
            first = stop

    def _selected(self, block: bytes, start: int, stop: int) -> None:
        self.any = True
        self._line(block[start:stop], self.base + start, self._number(block, start), b":")

    def _number(self, block: bytes, offset: int) -> int:
        if self.numbers:
            self.line += block.count(self.end, self.counted, offset)
            self.counted = offset
        return self.line

    def _remember(self, block: bytes) -> None:
        """Keep the last lines for the context of a match in the next block."""
        if self.numbers:
            self._number(block, len(block))
            self.counted = 0
        if self.before:
            lines = block.removesuffix(self.end).rsplit(self.end, self.before)[-self.before :]
            kept = [line + self.end for line in lines]
            if len(kept) < self.before:
                kept = (self.history + kept)[-self.before :]
            # What was printed already is no leading context any more.
            unprinted = self.base + len(block) - max(self.done, 0)
            while kept and sum(map(len, kept)) > unprinted:
                kept.pop(0)
            self.history = kept

    def _line(self, text: bytes, offset: int, number: int, separator: bytes) -> None:
        """One line with its decorations; `separator` tells selected lines (:) from context (-)."""
        end = self.end
        self.done = offset + len(text)
        line = text.removesuffix(end)
        selected = separator == b":"
        if self.only:
            if selected and not self.invert and self.matcher:
                self._parts(line, offset, number)
            return
        if self.colors:
            line = self._marked(line, selected)
        self.out.write(self._prefix(offset, number, separator) + line + end)
        self._flush()

    def _parts(self, line: bytes, offset: int, number: int) -> None:
        if self.matcher is None:
            return
        for start, stop in self.matcher.parts(line):
            part = self._colored("ms", line[start:stop])
            self.out.write(self._prefix(offset + start, number, b":") + part + self.end)
        self._flush()

    def _marked(self, line: bytes, selected: bool) -> bytes:
        """The line with its matches colored."""
        pieces = []
        at = 0
        if self.matcher and selected is not self.invert:
            for start, stop in self.matcher.parts(line):
                pieces.append(line[at:start])
                pieces.append(self._colored("ms" if selected else "mc", line[start:stop]))
                at = stop
        pieces.append(line[at:])
        text = b"".join(pieces)
        return self._colored("sl" if selected else "cx", text) if text else text

    # -- decorations -----------------------------------------------------------------------

    def _name_prefix(self, separator: bytes) -> bytes:
        if self.file is None:
            return b""
        if self.name_separator is not None:
            return self._colored("fn", self.file) + self.name_separator
        return self._colored("fn", self.file) + self._colored("se", separator)

    def _prefix(self, offset: int, number: int, separator: bytes) -> bytes:
        prefix = self._name_prefix(separator)
        shown = self._colored("se", separator)
        # With -T line numbers take two columns at least, as in GNU grep.
        if self.numbers:
            prefix += self._colored("ln", b"%2d" % number if self.tab else b"%d" % number) + shown
        if self.offsets:
            prefix += self._colored("bn", b"%d" % offset) + shown
        return prefix + b"\t" if self.tab and prefix else prefix

    def _colored(self, what: str, text: bytes) -> bytes:
        color = self.colors.get(what) if self.colors else None
        if not color:
            return text
        return b"\x1b[" + color.encode() + b"m\x1b[K" + text + b"\x1b[m\x1b[K"

    def _flush(self) -> None:
        if self.flush:
            self.out.flush()


def _context(opt: Values) -> tuple[int, int] | None:
    """Lines before and after each selected one; None when no context was asked for."""
    given = opt.last("context", "NUM")
    around = getattr(opt, given) if given else None
    before = opt.before_context if opt.before_context is not None else around
    after = opt.after_context if opt.after_context is not None else around
    if before is None and after is None:
        return None
    if (before or 0) < 0 or (after or 0) < 0:
        raise UsageError("invalid context length argument")
    return before or 0, after or 0


def _separator(opt: Values) -> bytes | None:
    given = opt.last("group_separator", "no_group_separator")
    if given == "no_group_separator":
        return None
    return os.fsencode(opt.group_separator) if given else b"--"


def _colors(opt: Values) -> dict[str, str]:
    given = opt.last("color", "colour")
    word = getattr(opt, given) if given else "never"
    if word not in ("", "always", "yes", "force", "auto", "tty", "if-tty", "never", "no", "none"):
        raise UsageError(f"invalid argument {word!r} for '--color': always, never or auto")
    if word in ("never", "no", "none"):
        return {}
    if word in ("", "auto", "tty", "if-tty") and not (
        os.isatty(1) and os.environ.get("TERM", "dumb") != "dumb"
    ):
        return {}
    colors = dict(_COLORS)
    for field in os.environ.get("GREP_COLORS", "").split(":"):
        key, equals, value = field.partition("=")
        if key == "mt":
            colors["ms"] = colors["mc"] = value
        elif equals:
            colors[key] = value
    return colors
