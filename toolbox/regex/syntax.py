r"""Reading POSIX's basic and extended regular expressions (XBD 9), with GNU's extensions, into trees.

GNU's: `\w \W \s \S \b \B \< \> \` \'`, and in basic expressions `\+ \? \|`.  Where POSIX leaves something open
(a star at the start, `a{x`, `a||b`, `()`), it is read as GNU grep reads it.  Its errors have GNU's words.
"""

from __future__ import annotations

import re

from toolbox.errors import UsageError
from toolbox.regex.charset import (
    ALL,
    ASCII,
    LOWER,
    NEWLINE,
    SPACE,
    UPPER,
    WIDE,
    WORD,
    characters,
    class_members,
    fold,
    joined,
    other_cases,
    span,
    without,
)
from toolbox.regex.tree import (
    BOUNDARY,
    END,
    NO_BOUNDARY,
    START,
    WORD_END,
    WORD_START,
    Assertion,
    Chars,
    Group,
    Node,
    Reference,
    alt,
    cat,
    repeat,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from toolbox.regex.charset import Sequence

#: The largest repetition count (GNU's RE_DUP_MAX).
_MOST = 32767

#: Bytes that may be more than themselves in an expression.
SPECIAL = frozenset(b"\\.[]*^$+?{}()|\n")

_PLAIN = re.compile(rb"[^\\.\[\]*^$+?{}()|\n\x80-\xff]+")
_INTERVAL = re.compile(rb"\{([0-9]*)(,?)([0-9]*)(\\?)\}")
_UNMATCHED_BRACKET = "Unmatched [, [^, [:, [., or [="

_ASSERTIONS = {
    b"b": BOUNDARY,
    b"B": NO_BOUNDARY,
    b"<": WORD_START,
    b">": WORD_END,
    b"`": START,
    b"'": END,
}


class Syntax:
    r"""How expressions are read.

    extended: extended or basic ones
    ignore_case: letters stand for both cases
    utf8: characters are UTF-8, not bytes; an expression that is no UTF-8 itself is read as bytes all the same
    lines: a newline ends a line: `.` and `[^x]` do not match one, `^` and `$` match at it
    """

    __slots__ = ("extended", "ignore_case", "lines", "utf8")

    def __init__(self, *, extended: bool, ignore_case: bool, utf8: bool, lines: bool) -> None:
        self.extended = extended
        self.ignore_case = ignore_case
        self.utf8 = utf8
        self.lines = lines


class Parsed:
    """A tree, how many subexpressions it has, and whether it refers to one."""

    __slots__ = ("groups", "node", "refers")

    def __init__(self, node: Node, groups: int, refers: bool) -> None:
        self.node = node
        self.groups = groups
        self.refers = refers


def parse(pattern: bytes, syntax: Syntax, *, groups: bool = False, first_group: int = 0) -> Parsed:
    """Read an expression.  UsageError says what is wrong with it.

    groups: keep subexpressions in the tree; one that refers to any (`\\1`) keeps them anyway
    first_group: subexpressions before this one when several expressions become one
    """
    if syntax.utf8 and not _is_utf8(pattern):
        syntax = Syntax(
            extended=syntax.extended, ignore_case=syntax.ignore_case, utf8=False, lines=syntax.lines
        )
    reader = _Reader(pattern, syntax, groups, first_group)
    node = reader.run()
    if reader.refers and not groups:
        return parse(pattern, syntax, groups=True, first_group=first_group)
    return Parsed(node, reader.groups, reader.refers)


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


class _Level:
    """What is open: a group, or the whole expression.

    before: the groups that were closed when it began; closed: those that its earlier branches have closed
    """

    __slots__ = ("before", "branches", "closed", "number", "parts")

    def __init__(self, number: int, before: frozenset[int]) -> None:
        self.number = number
        self.before = before
        self.closed = before
        self.branches: list[Node] = []
        self.parts: list[Node] = []

    def node(self) -> Node:
        """All that was read."""
        last = cat(self.parts)
        return alt([*self.branches, last]) if self.branches else last


class _Reader:
    def __init__(self, pattern: bytes, syntax: Syntax, keep: bool, first_group: int) -> None:
        self.text = pattern
        self.at = 0
        self.syntax = syntax
        self.keep = keep
        self.base = first_group
        self.groups = 0
        self.refers = False
        self.closed: frozenset[int] = frozenset()  # the groups that may be referred to
        self.open = [_Level(0, self.closed)]
        self.known: dict[int, Chars] = {}  # by their byte
        self.repeatable = False  # whether there is a last piece, and it is something to repeat

    def run(self) -> Node:
        text = self.text
        extended = self.syntax.extended
        while self.at < len(text):
            if plain := _PLAIN.match(text, self.at):
                self.at = plain.end()
                self._plain_text(plain[0])
                continue
            c = text[self.at : self.at + 1]
            if c == b"\\":
                self._backslash()
            elif c == b"[":
                self._piece(_Bracket(text, self.at, self.syntax).read(self))
            elif c == b".":
                self.at += 1
                self._piece(self._any())
            elif c == b"*":
                self._star()
            elif extended and c in b"+?":
                self.at += 1
                self._repeat(*_OPERATORS[c])
            elif extended and c == b"{":
                self._interval()
            elif extended and c == b"(":
                self.at += 1
                self._group()
            elif extended and c == b")" and len(self.open) > 1:
                self.at += 1
                self._end_group()
            elif extended and c == b"|":
                self.at += 1
                self._alternative()
            elif c == b"^" and self._anchors_start():
                self.at += 1
                self._assertion(START)
            elif c == b"$" and self._anchors_end():
                self.at += 1
                self._assertion(END)
            else:
                self._character()
        if len(self.open) > 1:
            raise UsageError("Unmatched ( or \\(")
        return self.open[0].node()

    # -- pieces ----------------------------------------------------------------------------

    def _piece(self, node: Node) -> None:
        self.open[-1].parts.append(node)
        self.repeatable = True

    def _assertion(self, pairs: int) -> None:
        self.open[-1].parts.append(Assertion(pairs))
        self.repeatable = False

    def _plain_text(self, text: bytes) -> None:
        """Add characters of one byte each."""
        known, parts = self.known, self.open[-1].parts
        for c in text:
            one = known.get(c)
            if one is None:
                narrow = 1 << c
                one = Chars(fold(narrow) if self.syntax.ignore_case else narrow)
                known[c] = one
            parts.append(one)
        self.repeatable = True

    def _character(self) -> None:
        text, at, syntax = self.text, self.at, self.syntax
        size = _character_size(text, at) if syntax.utf8 else 1
        self.at += size
        if size == 1:
            self._plain_text(text[at : at + 1])
            return
        code = ord(text[at : at + size].decode())
        codes = {code, *other_cases(code, code)} if syntax.ignore_case else {code}
        self._piece(Chars(0, joined(s for c in sorted(codes) for s in characters(c, c))))

    def _any(self) -> Node:
        return _all_but(0, self.syntax)

    def _anchors_start(self) -> bool:
        return (
            self.syntax.extended
            or not self.open[-1].parts
            or self.text.startswith(b"\n", self.at - 1)
        )

    def _anchors_end(self) -> bool:
        text, after = self.text, self.at + 1
        return (
            self.syntax.extended
            or after == len(text)
            or text.startswith((b"\\)", b"\\|", b"\n"), after)
        )

    def _star(self) -> None:
        if not self.syntax.extended and not self.repeatable:
            # XBD 9.3.3: a star at the start of a basic expression, or after \( or ^, is a star.
            self._character()
            return
        self.at += 1
        self._repeat(0, None)

    def _repeat(self, low: int, high: int | None) -> None:
        if not self.repeatable:
            return  # GNU: repeating nothing is nothing
        parts = self.open[-1].parts
        last = parts[-1]
        if isinstance(last, Chars) and last.wide == WIDE and low <= 1 and high is None:
            # Where any number will do it makes no difference whether bytes or characters are counted.
            last = Chars(last.narrow | ALL & ~ASCII)
        parts[-1] = repeat(last, low, high)

    def _interval(self) -> None:
        """`{n}`, `{n,}`, `{,m}`, `{n,m}` at self.at (past the backslash of a basic expression)."""
        text, extended = self.text, self.syntax.extended
        found = _INTERVAL.match(text, self.at)
        if not extended and not self.repeatable:
            self._character()  # as GNU, and as a star would be
            return
        if not found or bool(found[4]) is extended or not (found[1] or found[2]):
            if not extended:
                end = text.find(b"\\}", self.at)
                raise UsageError("Unmatched { or \\{" if end < 0 else "Invalid content of \\{\\}")
            self._character()  # GNU: an invalid interval is what it looks like
            return
        low = _count(found[1] or b"0")
        high = _count(found[3]) if found[3] else None if found[2] else low
        if high is not None and low > high:
            raise UsageError("Invalid content of \\{\\}")
        self.at = found.end()
        self._repeat(low, high)

    def _group(self) -> None:
        self.groups += 1
        self.open.append(_Level(self.groups, self.closed))
        self.repeatable = False

    def _end_group(self) -> None:
        if len(self.open) == 1:
            raise UsageError("Unmatched ) or \\)")
        level = self.open.pop()
        if level.number < 10:
            self.closed = self.closed | level.closed | {level.number}
        node = level.node()
        self._piece(Group(node, level.number + self.base) if self.keep else node)

    def _alternative(self) -> None:
        level = self.open[-1]
        level.branches.append(cat(level.parts))
        level.parts = []
        level.closed |= self.closed
        self.closed = level.before  # GNU: a branch cannot refer to another's groups
        self.repeatable = False

    def _backslash(self) -> None:
        text, syntax = self.text, self.syntax
        c = text[self.at + 1 : self.at + 2]
        if not c:
            raise UsageError("Trailing backslash")
        self.at += 2
        if not syntax.extended and c in b"(){}|+?":
            self._basic_operator(c)
        elif c in b"123456789":
            self._back_reference(int(c))
        elif c in b"wWsS":
            self._piece(_class(c, syntax))
        elif c in _ASSERTIONS:
            self._assertion(_ASSERTIONS[c])
        else:
            self.at -= 1
            self._character()

    def _basic_operator(self, c: bytes) -> None:
        if c == b"(":
            self._group()
        elif c == b")":
            self._end_group()
        elif c == b"|":
            self._alternative()
        elif c == b"{":
            self.at -= 1
            self._interval()
        elif c == b"}" or not self.repeatable:
            self.at -= 1
            self._character()
        else:
            self._repeat(*_OPERATORS[c])

    def _back_reference(self, number: int) -> None:
        if number not in self.closed:
            raise UsageError("Invalid back reference")
        self.refers = True
        self._piece(Reference(number + self.base))


_OPERATORS: dict[bytes, tuple[int, int | None]] = {b"+": (1, None), b"?": (0, 1)}


def _count(digits: bytes) -> int:
    digits = digits.lstrip(b"0") or b"0"
    if len(digits) > 5 or int(digits) > _MOST:
        raise UsageError("Regular expression too big")
    return int(digits)


def _all_but(narrow: int, syntax: Syntax) -> Chars:
    """Any character, but these and, where lines are matched, their end."""
    if syntax.lines:
        narrow |= NEWLINE
    return Chars(ASCII & ~narrow, WIDE) if syntax.utf8 else Chars(ALL & ~narrow)


def _class(c: bytes, syntax: Syntax) -> Node:
    r"""`\w`, `\W`, `\s`, `\S`."""
    narrow = WORD if c in b"wW" else SPACE
    if c in b"WS":
        return _all_but(narrow, syntax)
    return Chars(narrow & ~NEWLINE if syntax.lines else narrow)


class _Bracket:
    """A bracket expression (XBD 9.3.5) at a place of a pattern."""

    def __init__(self, text: bytes, at: int, syntax: Syntax) -> None:
        self.text = text
        self.start = at
        self.syntax = syntax
        self.plain = True  # no class, no range
        self.narrow = 0
        self.wide: tuple[Sequence, ...] = ()

    def read(self, reader: _Reader) -> Chars:
        """The set; the reader goes on behind it."""
        text, syntax = self.text, self.syntax
        at = self.start + 1
        negated = text[at : at + 1] == b"^"
        at += negated
        first = at
        while True:
            c = text[at : at + 1]
            if not c:
                raise UsageError(_UNMATCHED_BRACKET)
            if c == b"]" and at > first:
                break
            at = self._member(at)
        inside = text[first:at]
        if self.plain and inside[:1] == inside[-1:] == b":" and inside.strip(b":"):
            raise UsageError("character class syntax is [[:space:]], not [:space:]")
        reader.at = at + 1
        narrow, wide = self.narrow, self.wide
        if negated:
            narrow = (ASCII if syntax.utf8 else ALL) & ~narrow
            wide = without(WIDE, wide) if syntax.utf8 else ()
        if syntax.lines:
            narrow &= ~NEWLINE
        return Chars(narrow, wide)

    def _member(self, at: int) -> int:
        """Read a class, a character or a range; returns where the text goes on."""
        text, syntax = self.text, self.syntax
        if text[at : at + 2] == b"[:":
            self.plain = False
            name, at = _named(text, at, b":]")
            members = class_members(name)
            if syntax.ignore_case and name in (b"upper", b"lower"):
                members = UPPER | LOWER
            self.narrow |= members
            if _is_range(text, at):
                raise UsageError("Invalid range end")
            return at
        low, at = self._element(at)
        high = low
        if _is_range(text, at):
            self.plain = False
            high, at = self._element(at + 1)
            if _is_range(text, at):
                raise UsageError("Invalid range end")  # a-b-c
        if low > high:
            raise UsageError("Invalid range end")
        self._add(low, high)
        return at

    def _element(self, at: int) -> tuple[int, int]:
        """One character, `[.x.]` or `[=x=]`: its code and where the text goes on."""
        text, utf8 = self.text, self.syntax.utf8
        two = text[at : at + 2]
        if two in (b"[.", b"[="):
            name, at = _named(text, at, two[1:] + b"]")
            size = _character_size(name, 0) if utf8 and name else 1
            if len(name) != size:
                raise UsageError("Invalid collation character")
            return (ord(name.decode()) if size > 1 else name[0]), at
        if two == b"[:":
            raise UsageError("Invalid range end")
        size = _character_size(text, at) if utf8 else 1
        if size > 1:
            return ord(text[at : at + size].decode()), at + size
        return text[at], at + 1

    def _add(self, low: int, high: int) -> None:
        utf8, ignore_case = self.syntax.utf8, self.syntax.ignore_case
        edge = 0x7F if utf8 else 0xFF
        if low <= edge:
            narrow = span(low, min(high, edge))
            self.narrow |= fold(narrow) if ignore_case else narrow
        if high > edge:
            low = max(low, edge + 1)
            self._add_wide(low, high)
            if ignore_case:
                for code in sorted(set(other_cases(low, high))):
                    self._add_wide(code, code)

    def _add_wide(self, low: int, high: int) -> None:
        self.wide = joined((*self.wide, *without(characters(low, high), self.wide)))


def _is_range(text: bytes, at: int) -> bool:
    """Whether a `-` at `at` makes a range of what is around it."""
    return text[at : at + 1] == b"-" and text[at + 1 : at + 2] not in (b"]", b"")


def _named(text: bytes, at: int, end: bytes) -> tuple[bytes, int]:
    """The name in `[:name:]` at `at`, and where the text goes on."""
    stop = text.find(end, at + 2)
    if stop < 0:
        raise UsageError(_UNMATCHED_BRACKET)
    return text[at + 2 : stop], stop + 2


def _character_size(text: bytes, at: int) -> int:
    """Bytes of the UTF-8 character at `at`."""
    first = text[at]
    return 1 if first < 0xC2 else 2 if first < 0xE0 else 3 if first < 0xF0 else 4
