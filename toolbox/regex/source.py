r"""Trees as expressions of Python's `re`, on bytes, and what that costs.

`re` backtracks: it tries one way after the other.  `longest_line` says for which texts that is bearable, and
`first_is_longest` whether the first way that it finds is the longest match, as POSIX wants it.
"""

from __future__ import annotations

from toolbox.regex.charset import ALL, ASCII, DIGIT, NEWLINE, WIDE, WORD, runs
from toolbox.regex.tree import (
    BOUNDARY,
    END,
    NO_BOUNDARY,
    NO_LETTER_AFTER,
    NO_LETTER_BEFORE,
    NO_WIDE_LETTER_AFTER,
    NO_WIDE_LETTER_BEFORE,
    START,
    WORD_END,
    WORD_START,
    Alt,
    Assertion,
    Cat,
    Chars,
    Group,
    Node,
    Reference,
    Repeat,
    every_byte,
    fixed_size,
    surely_nullable,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_SPECIAL = frozenset(b"\\.^$*+?{}[]|()#&~-\t\n\v\f\r ")


def escape(text: bytes) -> bytes:
    """The text as an expression that matches only itself."""
    return b"".join(b"\\" + bytes((c,)) if c in _SPECIAL else bytes((c,)) for c in text)


# -- writing -----------------------------------------------------------------------------------------

#: With lines (for re.MULTILINE), and without.
_ASSERTIONS = {
    START: (b"^", b"\\A"),
    END: (b"$", b"\\Z"),
    BOUNDARY: (b"\\b", b"\\b"),
    NO_BOUNDARY: (b"(?!\\b)", b"(?!\\b)"),  # \\B fails in an empty text
    WORD_START: (b"\\b(?=\\w)", b"\\b(?=\\w)"),
    WORD_END: (b"\\b(?<=\\w)", b"\\b(?<=\\w)"),
    NO_LETTER_BEFORE: (b"(?<!\\w)", b"(?<!\\w)"),
    NO_LETTER_AFTER: (b"(?!\\w)", b"(?!\\w)"),
    NO_WIDE_LETTER_BEFORE: (b"(?<![\\w\\x80-\\xff])", b"(?<![\\w\\x80-\\xff])"),
    NO_WIDE_LETTER_AFTER: (b"(?![\\w\\x80-\\xff])", b"(?![\\w\\x80-\\xff])"),
}


class Writer:
    """Writes expressions.

    lines: a newline ends a line (the expression is for re.MULTILINE)
    """

    def __init__(self, *, lines: bool) -> None:
        self.lines = lines

    def write(self, node: Node) -> bytes:
        """The expression for a tree; as a part of a longer one it may need parentheses."""
        if isinstance(node, Chars):
            return _chars(node)
        if isinstance(node, Cat):
            return b"".join(
                [
                    _chars(part)
                    if isinstance(part, Chars)
                    else self._grouped(part)
                    if isinstance(part, Alt)
                    else self.write(part)
                    for part in node.parts
                ]
            )
        if isinstance(node, Repeat):
            if isinstance(node.body, Chars) and node.body.wide and node.high is None:
                return self._wide_loop(node.body, node.low)
            return self._atom(node.body) + _count(node.low, node.high)
        if isinstance(node, Alt):
            return b"|".join(map(self.write, node.branches))
        if isinstance(node, Group):
            return b"(?P<g%d>" % node.number + self.write(node.body) + b")"
        if isinstance(node, Reference):
            return b"(?P=g%d)" % node.number
        if isinstance(node, Assertion):
            return self._assertion(node.pairs)
        raise TypeError(node)

    def _wide_loop(self, body: Chars, low: int) -> bytes:
        """Runs of single bytes as loops of their own, which `re` runs through far faster than through alternatives."""
        one = self._grouped(body)
        start = one + _count(low, low) if low > 1 else one if low else b""
        if not body.narrow:
            return start + one + b"*"
        run = _set(body.narrow) + b"*"
        return start + run + b"(?:(?:" + _chars(Chars(0, body.wide)) + b")" + run + b")*"

    def _grouped(self, node: Node) -> bytes:
        return b"(?:" + self.write(node) + b")"

    def _atom(self, node: Node) -> bytes:
        one = isinstance(node, (Group, Reference)) or (isinstance(node, Chars) and node.size == 1)
        return self.write(node) if one else self._grouped(node)

    def _assertion(self, pairs: int) -> bytes:
        return _ASSERTIONS[pairs][0 if self.lines else 1]


_WIDE = rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}"

#: Sets that come often.
_SETS = {
    ALL: rb"[\x00-\xff]",
    ALL & ~NEWLINE: rb"[^\n]",
    ASCII & ~NEWLINE: rb"[\x00-\x09\x0b-\x7f]",
    DIGIT: rb"[0-9]",
    WORD: rb"\w",
}


def _count(low: int, high: int | None) -> bytes:
    if high is None:
        return b"*" if low == 0 else b"+" if low == 1 else b"{%d,}" % low
    if (low, high) == (0, 1):
        return b"?"
    return b"{%d}" % low if low == high else b"{%d,%d}" % (low, high)


def _chars(node: Chars) -> bytes:
    if not node.wide and not node.narrow & node.narrow - 1 and node.narrow:
        c = node.narrow.bit_length() - 1
        return b"\\%c" % c if c in _SPECIAL else b"%c" % c
    narrow = _set(node.narrow) if node.narrow or not node.wide else b""
    if not node.wide:
        return narrow
    text = node.text()
    if text:
        return b"(?:" + text + b")"
    choices = [narrow] if narrow else []
    if node.wide == WIDE:
        choices.append(_WIDE)
    else:
        choices += [b"".join(map(_set, one)) for one in node.wide]
    return b"(?:" + b"|".join(choices) + b")"


def _set(narrow: int) -> bytes:
    """A class for one byte of a set."""
    if not narrow & narrow - 1:
        return escape(bytes((narrow.bit_length() - 1,))) if narrow else b"(?!)"
    if narrow in _SETS:
        return _SETS[narrow]
    inside, outside = ranges(narrow), ranges(ALL & ~narrow)
    if len(inside) > 2 or len(inside) < len(outside):
        return b"[" + b"".join(inside) + b"]"  # from three on `re` looks them up in a table
    return b"[^" + b"".join(outside) + b"]"


#: Each byte as it stands in a class; `re` reads letters faster than numbers.
_WRITTEN = [
    b"%c" % c if bytes((c,)).isalnum() else b"\\n" if c == 10 else b"\\x%02x" % c
    for c in range(256)
]


def ranges(narrow: int) -> list[bytes]:
    """The runs of a set of bytes as they stand in a class."""
    return [
        _WRITTEN[low] if low == high else _WRITTEN[low] + b"-" + _WRITTEN[high]
        for low, high in runs(narrow)
    ]


def alternatives(words: Iterable[bytes]) -> bytes:
    """An expression for any of the words; of those that match at a place the longest is taken.

    Words are grouped by common beginnings, so that thousands of them stay fast.
    """
    return _grouped(sorted(set(words)), 0, 6)


def _grouped(words: list[bytes], at: int, levels: int) -> bytes:
    if len(words) == 1:
        return escape(words[0][at:])
    if levels == 0:
        by_length = sorted(words, key=len, reverse=True)
        return b"(?:" + b"|".join(escape(word[at:]) for word in by_length) + b")"
    ends = bool(words) and len(words[0]) == at  # sorted: the shortest comes first
    rest = words[1:] if ends else words
    branches = []
    start = 0
    for stop in range(1, len(rest) + 1):
        if stop == len(rest) or rest[stop][at] != rest[start][at]:
            first = bytes((rest[start][at],))
            branches.append(escape(first) + _grouped(rest[start:stop], at + 1, levels - 1))
            start = stop
    if ends:
        branches.append(b"")
    return b"(?:" + b"|".join(branches) + b")"


# -- judging -----------------------------------------------------------------------------------------

#: What `longest_line` says of an expression whose time grows with the length of a line as the line itself.
ANY_LINE = 1 << 62

#: For a time that grows with its square or its third power: up to here it takes a few microseconds a byte at worst,
#: and usually less than a DFA.  A loop of characters beyond ASCII takes `re` longer, one of more than a character far
#: longer, and memory with each round.
_LONGEST_LINES = (
    {1: ANY_LINE, 2: 2000, 3: 125},
    {1: 4000, 2: 500},
    {1: 1000, 2: 125},
)

#: Repeated more often than this, a bounded repetition counts as an unbounded one.
_FEW = 8

#: The most ways from choices that are not in a loop.
_MOST_WAYS = 64


def longest_line(node: Node, *, search: bool = True) -> int:
    """The longest line on which `re` may be let loose; 0: none.

    search: a match is looked for at every place, not only at the start.  Not for trees with references.
    """
    ways = _Ways()
    ways.add(node, 0, True)
    if ways.explodes or ways.factor > _MOST_WAYS:
        return 0
    if not ways.loops:
        return ANY_LINE
    power = max(1, ways.choices + ways.more)
    if search and node.lead & ways.bytes and not node.nullable and not _begins_lines(node):
        power += 1
    found = _LONGEST_LINES[ways.deep].get(power, 0)
    return found if found == ANY_LINE else found // ways.factor


def _begins_lines(node: Node) -> bool:
    """Whether a match begins only where a line does."""
    first = node.parts[0] if isinstance(node, Cat) and node.parts else node
    return isinstance(first, Assertion) and first.pairs == START


class _Ways:
    """How many ways through an expression there may be for one start.

    choices: loops that may be left at different places, and the rest still goes on: each multiplies the ways by
    the line's length; more: whether another loop comes behind the last of these; loops: whether there is any;
    bytes: what they repeat; factor: the ways from other choices; deep: 1 for a loop of characters
    beyond ASCII, 2 for one of more than a character; explodes: the ways may double with each byte
    """

    def __init__(self) -> None:
        self.choices = 0
        self.more = self.loops = self.explodes = False
        self.deep = 0
        self.bytes = 0
        self.factor = 1

    def add(self, node: Node, after: int, final: bool) -> None:
        """Add a node.  after: what may come behind it; final: nothing behind it can fail."""
        if isinstance(node, Cat):
            behind = [(after, final)]
            for part in reversed(node.parts[1:]):
                after = part.lead | (after if part.nullable else 0)
                final = final and surely_nullable(part)
                behind.append((after, final))
            for part in node.parts:
                following = behind.pop()
                if not isinstance(part, Chars):
                    self.add(part, *following)
        elif isinstance(node, Alt):
            self._add_branches(node, after, final)
        elif isinstance(node, Repeat):
            self._add_repeat(node, after, final)
        elif isinstance(node, Group):
            self.add(node.body, after, final)

    def _add_branches(self, node: Alt, after: int, final: bool) -> None:
        before, seen, overlaps = self.choices, 0, False
        most = before
        for branch in node.branches:
            overlaps = overlaps or bool(branch.lead & seen) or branch.nullable
            seen |= branch.lead
            self.choices = before
            self.add(branch, after, final)
            most = max(most, self.choices)
        self.choices = most
        if overlaps:
            self.factor *= len(node.branches)

    def _add_repeat(self, node: Repeat, after: int, final: bool) -> None:
        body, low, high = node.body, node.low, node.high
        open_end = not final and bool(body.lead & after)
        rounds = None if high is None else high - low
        single = isinstance(body, Chars)
        if single and rounds is not None and rounds <= _FEW and node.size <= 64:
            if open_end:
                self.factor *= rounds + 1
        elif high == 1:
            self.add(body, after, final)
            if open_end:
                self.factor *= 2
        elif single or (not body.nullable and deterministic(body, body.lead)):
            self.loops = True
            self.deep = max(self.deep, 2 if not single else int(body.size > 1))
            self.bytes |= every_byte(body)
            self.more = not final
            if open_end and rounds != 0:
                self.choices += 1
                self.more = False
        elif high is not None and high <= 4 and not body.nullable:
            self.deep = 2
            for _ in range(high):
                self.add(body, after | body.lead, False)
            self.factor *= high - low + 1
        else:
            self.explodes = True


def deterministic(node: Node, after: int) -> bool:
    """Whether the next byte always says how to go on, when what comes behind the node begins with `after`.

    (One-unambiguous: Brueggemann-Klein and Wood 1998.)
    """
    if isinstance(node, Cat):
        for part in reversed(node.parts):
            if not deterministic(part, after):
                return False
            after = part.lead | (after if part.nullable else 0)
        return True
    if isinstance(node, Alt):
        seen = 0
        for branch in node.branches:
            if branch.lead & seen or not deterministic(branch, after):
                return False
            seen |= branch.lead
        return not node.nullable or not seen & after
    if isinstance(node, Repeat):
        body, high = node.body, node.high
        if node.low != high and body.lead & after:
            return False
        if high is None or high > 1:
            return not body.nullable and deterministic(body, after | body.lead)
        return deterministic(body, after)
    return isinstance(node, (Chars, Assertion))


def first_is_longest(node: Node) -> bool:
    """Whether the first match that `re` finds at a place is the longest one there; not for trees with groups.

    It is so for a row of characters, each with its repetition, and of expressions whose matches all have the same
    number of characters: two ways through such a row meet again before one overtakes the other, so that taking
    less somewhere never gains anything in the end.  It is so, too, where the next byte says how to go on.
    """
    parts = node.parts if isinstance(node, Cat) else (node,)
    row = all(
        (isinstance(part, Repeat) and isinstance(part.body, Chars)) or fixed_size(part) is not None
        for part in parts
    )
    return row or (deterministic(node, 0) and _goes_on(node))


def _goes_on(node: Node) -> bool:
    """Whether alternatives that match nothing come last, so that `re` prefers others."""
    if isinstance(node, Cat):
        return all(map(_goes_on, node.parts))
    if isinstance(node, Alt):
        return not any(b.nullable for b in node.branches[:-1]) and all(map(_goes_on, node.branches))
    return _goes_on(node.body) if isinstance(node, Repeat) else True
