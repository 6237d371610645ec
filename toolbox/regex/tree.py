"""Expressions as trees.

The functions `cat`, `alt` and `repeat` make the simplest tree for a set of strings, because what matters is which
strings are matched, not how: `(a+)+` is a+, `(x+x+)+` is x{2,}, `(a|b)*` is [ab]*, `.*.*` is `.*`.
Groups, where they must be known, stay as they are.
"""

from __future__ import annotations

from toolbox.errors import UsageError
from toolbox.regex.charset import WIDE, joined, without

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from toolbox.regex.charset import Sequence

#: The most bytes, counted with their repetitions, and levels that an expression may have.
_LARGEST = 1 << 18
_DEEPEST = 200

# What stands beside a place in a text: its edge, a letter (of a word), a byte beyond ASCII, or something else.
# An assertion is a set of pairs: bit (before x 4 + after).
EDGE, LETTER, BEYOND, OTHER = KINDS = range(4)
ALWAYS = 0xFFFF


def _where(fits: Callable[[int, int], bool]) -> int:
    return sum(
        1 << (before * 4 + after) for before in KINDS for after in KINDS if fits(before, after)
    )


START = _where(lambda before, after: before == EDGE)
END = _where(lambda before, after: after == EDGE)
WORD_START = _where(lambda before, after: before != LETTER and after == LETTER)
WORD_END = _where(lambda before, after: before == LETTER and after != LETTER)
BOUNDARY = WORD_START | WORD_END
NO_BOUNDARY = ALWAYS & ~BOUNDARY
# Around what is to be a whole word; in the second pair bytes beyond ASCII are letters.
NO_LETTER_BEFORE = _where(lambda before, after: before != LETTER)
NO_LETTER_AFTER = _where(lambda before, after: after != LETTER)
NO_WIDE_LETTER_BEFORE = _where(lambda before, after: before not in (LETTER, BEYOND))
NO_WIDE_LETTER_AFTER = _where(lambda before, after: after not in (LETTER, BEYOND))


_BYTES = [bytes((c,)) for c in range(256)]


class Node:
    """A tree.

    size: bytes that a match may have a place for; depth: levels; lead: bytes that a match may begin with;
    nullable: whether it may match nothing; known: whether it holds groups or references; forks: whether it holds
    alternatives
    """

    __slots__ = ("_hash", "depth", "forks", "known", "lead", "nullable", "size")
    _hash: int
    forks: bool
    depth: int
    known: bool
    lead: int
    nullable: bool
    size: int

    def _check(self) -> None:
        if self.size > _LARGEST or self.depth > _DEEPEST:
            raise UsageError("Regular expression too big")


class Chars(Node):
    """One character of a set: `narrow` of one byte, `wide` of more."""

    __slots__ = ("_text", "narrow", "wide")

    def __init__(self, narrow: int, wide: tuple[Sequence, ...] = ()) -> None:
        self.narrow = narrow
        self.wide = wide
        self._hash = hash((narrow, wide))
        self.depth = 0
        self.forks = self.known = self.nullable = False
        self.lead = narrow
        self.size = 1
        self._text: bytes | None = None
        if wide:
            for one in wide:
                self.lead |= one[0]
            self.size += 6 if wide == WIDE else sum(map(len, wide))
            if not narrow and len(wide) == 1 and not any(one & one - 1 for one in wide[0]):
                self._text = bytes(one.bit_length() - 1 for one in wide[0])
        elif narrow and not narrow & narrow - 1:
            self._text = _BYTES[narrow.bit_length() - 1]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Chars) and (self.narrow, self.wide) == (other.narrow, other.wide)

    def __hash__(self) -> int:
        return self._hash

    def text(self) -> bytes | None:
        """The character when there is only one."""
        return self._text


class Assertion(Node):
    """Nothing, at a place with certain surroundings: a set of pairs."""

    __slots__ = ("pairs",)

    def __init__(self, pairs: int) -> None:
        self.pairs = pairs
        self._hash = hash(pairs)
        self.depth = self.size = self.lead = 0
        self.forks = self.known = False
        self.nullable = True

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Assertion) and self.pairs == other.pairs

    def __hash__(self) -> int:
        return self._hash


class Cat(Node):
    """One after the other; without parts: nothing."""

    __slots__ = ("parts",)

    def __init__(self, parts: tuple[Node, ...]) -> None:
        self.parts = parts
        self._hash = hash(parts)
        depth = size = lead = 0
        self.forks = self.known = False
        nullable = True
        for part in parts:
            if part.depth > depth:
                depth = part.depth
            size += part.size
            if part.known:
                self.known = True
            if part.forks:
                self.forks = True
            if nullable:
                lead |= part.lead
                nullable = part.nullable
        self.depth = depth + 1
        self.size = size
        self.lead = lead
        self.nullable = nullable
        self._check()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Cat) and self.parts == other.parts

    def __hash__(self) -> int:
        return self._hash


class Alt(Node):
    """Any one."""

    __slots__ = ("branches",)

    def __init__(self, branches: tuple[Node, ...]) -> None:
        self.branches = branches
        self._hash = hash((branches, 1))
        self.depth = 1 + max([branch.depth for branch in branches])
        self.size = sum([branch.size for branch in branches])
        self.known = any(branch.known for branch in branches)
        self.forks = True
        self.nullable = any(branch.nullable for branch in branches)
        self.lead = 0
        for branch in branches:
            self.lead |= branch.lead
        self._check()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Alt) and self.branches == other.branches

    def __hash__(self) -> int:
        return self._hash


class Repeat(Node):
    """The body from `low` to `high` times; without `high`: any number of times."""

    __slots__ = ("body", "high", "low")

    def __init__(self, body: Node, low: int, high: int | None) -> None:
        self.body = body
        self.low = low
        self.high = high
        self._hash = hash((body, low, high))
        self.depth = body.depth + 1
        self.size = body.size * max(low, high or 1)
        self.forks = body.forks
        self.known = body.known
        self.lead = body.lead
        self.nullable = body.nullable or low == 0
        self._check()

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Repeat)
            and (self.low, self.high) == (other.low, other.high)
            and self.body == other.body
        )

    def __hash__(self) -> int:
        return self._hash


class Group(Node):
    """A subexpression whose place is wanted."""

    __slots__ = ("body", "number")

    def __init__(self, body: Node, number: int) -> None:
        self.body = body
        self.number = number
        self.depth = body.depth + 1
        self.size = body.size
        self.forks = body.forks
        self.known = True
        self.lead = body.lead
        self.nullable = body.nullable
        self._check()


class Reference(Node):
    """The text of a subexpression again."""

    __slots__ = ("number",)

    def __init__(self, number: int) -> None:
        self.number = number
        self.depth = self.size = self.lead = 0
        self.forks = False
        self.known = self.nullable = True


NOTHING = Cat(())


# -- making them -------------------------------------------------------------------------------------


def cat(parts: Iterable[Node]) -> Node:
    """One after the other."""
    found: list[Node] = []
    repeated = False  # whether the last one in `found` is repeated
    for part in parts:
        for one in part.parts if isinstance(part, Cat) else (part,):
            if repeated or isinstance(one, Repeat):
                _append(found, one)
                repeated = isinstance(found[-1], Repeat)
            else:
                found.append(one)
    return found[0] if len(found) == 1 else Cat(tuple(found))


def _append(found: list[Node], one: Node) -> None:
    """Add a node to others, merged with those before it."""
    both = _merged(found[-1], one) if found else None
    if both is None:
        found.append(one)
        return
    found.pop()
    for part in both:
        _append(found, part)


def _merged(one: Node, other: Node) -> tuple[Node, ...] | None:
    """x{a,b}x{c,d} as x{a+c,b+d}, and `a+.*` as `a.*`; None where that is not it."""
    if one.known or other.known:
        return None
    body, low, high = _counted(one)
    again, least, most = _counted(other)
    if body == again:
        return (repeat(body, low + least, None if high is None or most is None else high + most),)
    if low != high and (least, most) == (0, None) and _within(body, again):
        return (_times(body, low), other) if low else (other,)
    if least != most and (low, high) == (0, None) and _within(again, body):
        return (one, _times(again, least)) if least else (one,)
    return None


def _within(one: Node, other: Node) -> bool:
    """Whether all characters of one set, in bytes, are in the other."""
    return (
        isinstance(one, Chars)
        and isinstance(other, Chars)
        and not other.wide
        and not every_byte(one) & ~other.narrow
    )


def _times(body: Node, count: int) -> Node:
    return body if count == 1 else Repeat(body, count, count)


def _counted(node: Node) -> tuple[Node, int, int | None]:
    return (node.body, node.low, node.high) if isinstance(node, Repeat) else (node, 1, 1)


def alt(branches: Iterable[Node]) -> Node:
    """Any one."""
    every: list[Node] = []
    for branch in branches:
        every += branch.branches if isinstance(branch, Alt) else (branch,)
    if any(one.known for one in every):
        return Alt(tuple(every))
    found: list[Node] = []
    seen: set[Node] = set()
    chars: int | None = None  # where one character of a set stands in `found`
    for one in every:
        if one in seen:
            continue
        seen.add(one)
        if not isinstance(one, Chars):
            found.append(one)
        elif chars is None:
            chars = len(found)
            found.append(one)
        else:
            found[chars] = _either(found[chars], one)
    if NOTHING in seen:
        found.remove(NOTHING)
        if found:
            return repeat(alt(found), 0, 1)
    return found[0] if len(found) == 1 else Alt(tuple(found)) if found else NOTHING


def _either(one: Node, other: Chars) -> Chars:
    """One character of two sets."""
    if not isinstance(one, Chars):
        raise TypeError("not a set of characters")
    if WIDE in (one.wide, other.wide):
        return Chars(one.narrow | other.narrow, WIDE)
    return Chars(one.narrow | other.narrow, joined((*one.wide, *without(other.wide, one.wide))))


def surely_nullable(node: Node) -> bool:
    """Whether it matches nothing at every place."""
    if isinstance(node, Assertion):
        return node.pairs == ALWAYS
    if isinstance(node, Cat):
        return all(surely_nullable(part) for part in node.parts)
    if isinstance(node, Alt):
        return any(surely_nullable(branch) for branch in node.branches)
    if isinstance(node, Repeat):
        return node.low == 0 or surely_nullable(node.body)
    return isinstance(node, Group) and surely_nullable(node.body)


def repeat(body: Node, low: int, high: int | None) -> Node:
    """The body from `low` to `high` times."""
    if body.known:
        return Repeat(body, low, high)
    if high == 0 or (isinstance(body, Cat) and not body.parts):
        return NOTHING
    if low == high == 1:
        return body
    if isinstance(body, Assertion):
        return body if low else NOTHING
    if low and surely_nullable(body):
        low = 0
    if high is None:
        if low == 0:
            body = _core(body)
            if isinstance(body, Cat) and not body.parts:
                return NOTHING
        elif low == 1 and isinstance(body, Alt):
            body = alt(_once(branch) for branch in body.branches)
    if isinstance(body, Repeat):
        # Without a gap between n and n+1 of the outer it is one repetition.
        a, b = body.low, body.high
        if b is None:
            whole = low > 0 or a <= 1
        elif low == high:
            whole = True
        elif low == 0:
            whole = a <= 1
        else:
            whole = (low + 1) * a <= low * b + 1
        if whole:
            most = None if b is None or high is None else b * high
            return Repeat(body.body, low * a, most)
    return Repeat(body, low, high)


def _core(node: Node) -> Node:
    """What any number of times is the same as the node any number of times, without what repeats inside.

    So an automaton has no two ways for one text only because of a star in a star (star normal form:
    Brueggemann-Klein, Regular expressions into finite automata, 1993).
    """
    if isinstance(node, Assertion):
        return NOTHING
    if isinstance(node, Alt):
        return alt(filter(_is_something, map(_core, node.branches)))
    if isinstance(node, Repeat) and node.low <= 1:
        return _core(node.body)
    if isinstance(node, Cat) and all(map(surely_nullable, node.parts)):
        return alt(filter(_is_something, map(_core, node.parts)))
    return node


def _once(node: Node) -> Node:
    """x+ as a branch of what is repeated once or more itself is x."""
    return node.body if isinstance(node, Repeat) and (node.low, node.high) == (1, None) else node


def _is_something(node: Node) -> bool:
    return not isinstance(node, Cat) or bool(node.parts)


# -- asking them -------------------------------------------------------------------------------------


def children(node: Node) -> tuple[Node, ...]:
    """What a node is made of."""
    if isinstance(node, Cat):
        return node.parts
    if isinstance(node, Alt):
        return node.branches
    return (node.body,) if isinstance(node, (Repeat, Group)) else ()


def literal(node: Node, *, fold: bool = False) -> bytes | None:
    """The text when the node matches only that; with `fold` in lower case, when it is one but for case."""
    if isinstance(node, Cat):
        pieces = []
        for part in node.parts:
            piece = literal(part, fold=fold)
            if piece is None:
                return None
            pieces.append(piece)
        return b"".join(pieces)
    if isinstance(node, Chars):
        return character(node, fold)
    if isinstance(node, Repeat) and node.low == node.high and node.size <= 1000:
        body = literal(node.body, fold=fold)
        return None if body is None else body * node.low
    return None


def character(node: Chars, fold: bool) -> bytes | None:
    """The one character of a set; with `fold` also of a letter's two cases the lower one."""
    found = node.text()
    if found is None and fold and not node.wide:
        one = node.narrow >> 32 & node.narrow & (0x3FFFFFF << 65)
        if node.narrow == one | one << 32 and one and not one & one - 1:
            return bytes((one.bit_length() + 31,))
    return found if not fold or found is None or found.isascii() else None


def every_byte(node: Node) -> int:
    """All the bytes that a match may hold."""
    if isinstance(node, Chars):
        found = node.narrow
        for one in node.wide:
            for narrow in one:
                found |= narrow
        return found
    found = 0
    for part in children(node):
        found |= every_byte(part)
    return found


def fixed_size(node: Node) -> int | None:
    """How many characters each match has; None when that differs."""
    if isinstance(node, Chars):
        return 1
    if isinstance(node, Assertion):
        return 0
    if isinstance(node, Cat):
        total = 0
        for part in node.parts:
            size = fixed_size(part)
            if size is None:
                return None
            total += size
        return total
    if isinstance(node, Alt):
        sizes = {fixed_size(branch) for branch in node.branches}
        return sizes.pop() if len(sizes) == 1 else None
    if isinstance(node, Repeat) and node.low == node.high:
        size = fixed_size(node.body)
        return None if size is None else size * node.low
    return None
