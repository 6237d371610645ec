"""Trees as automata: a set of positions is an int, and a step is a few operations on it.

Each character of an expression is a position (Glushkov's construction: no empty transitions, whatever the
expression).  Position 0 is before all of them.  An edge from one position to another is a bit in the mask of its
distance, because most edges lead to the next position, and all copies of a repeated part have the same ones; where
many positions lead to many others, the edge is a pair of sets (Navarro and Raffinot, Flexible Pattern Matching in
Strings, 2002, chapter 5).

An edge may hold only between certain bytes (the assertions); its pairs say so, as in `tree`.
"""

from __future__ import annotations

from toolbox.regex.charset import ALL, ASCII, WORD
from toolbox.regex.tree import (
    ALWAYS,
    BEYOND,
    EDGE,
    LETTER,
    OTHER,
    Alt,
    Assertion,
    Cat,
    Chars,
    Group,
    Node,
    Repeat,
    surely_nullable,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from toolbox.regex.charset import Sequence

#: Up to so many edges between two sets are kept by distance.
_FEW = 4
_FEW_OF_COPIES = 64


class _Fragment:
    """An automaton of a part; its positions count from 0.

    first, last: where it begins and ends, by pairs; empty: the pairs at which it matches nothing
    sets: the bytes of each position
    """

    __slots__ = ("distances", "empty", "first", "joints", "last", "sets")

    def __init__(self) -> None:
        self.sets: list[int] = []
        self.first: dict[int, int] = {}
        self.last: dict[int, int] = {}
        self.empty = 0
        self.distances: dict[tuple[int, int], int] = {}  # pairs, distance: from these positions
        self.joints: list[tuple[int, int, int]] = []  # pairs, from these positions, to those

    def join(self, last: dict[int, int], first: dict[int, int]) -> None:
        """Add edges from all of `last` to all of `first`."""
        for one, sources in last.items():
            for other, targets in first.items():
                pairs = one & other
                if not pairs:
                    continue
                if sources.bit_count() * targets.bit_count() > _FEW:
                    self.joints.append((pairs, sources, targets))
                    continue
                for source in _bits(sources):
                    for target in _bits(targets):
                        self.edges(pairs, target - source, 1 << source)

    def edges(self, pairs: int, distance: int, sources: int) -> None:
        """Add edges of one distance."""
        key = (pairs, distance)
        self.distances[key] = self.distances.get(key, 0) | sources

    def take(self, other: _Fragment) -> int:
        """Add another's positions and edges; returns by how much its positions have moved."""
        by = len(self.sets)
        self.sets += other.sets
        for (pairs, distance), sources in other.distances.items():
            self.edges(pairs, distance, sources << by)
        self.joints += [(pairs, a << by, b << by) for pairs, a, b in other.joints]
        return by


def _bits(positions: int) -> list[int]:
    found = []
    while positions:
        found.append((positions & -positions).bit_length() - 1)
        positions &= positions - 1
    return found


def _moved(ends: dict[int, int], by: int) -> dict[int, int]:
    return {pairs: positions << by for pairs, positions in ends.items()}


def _add(ends: dict[int, int], more: dict[int, int], where: int = ALWAYS) -> None:
    for pairs, positions in more.items():
        if pairs & where:
            ends[pairs & where] = ends.get(pairs & where, 0) | positions


def _build(node: Node) -> _Fragment:
    if isinstance(node, Chars):
        return _chars(node)
    if isinstance(node, Cat):
        return _cat(node.parts)
    if isinstance(node, Alt):
        return _alt(node.branches)
    if isinstance(node, Repeat):
        return _repeat(node)
    if isinstance(node, Group):
        return _build(node.body)
    whole = _Fragment()
    if not isinstance(node, Assertion):
        raise TypeError(node)
    whole.empty = node.pairs
    return whole


def _chars(node: Chars) -> _Fragment:
    if node.wide:
        return _build(_in_bytes(node))
    whole = _Fragment()
    whole.sets.append(node.narrow)
    whole.first = {ALWAYS: 1}
    whole.last = {ALWAYS: 1}
    return whole


def _in_bytes(node: Chars) -> Node:
    """A set of characters as a tree of single bytes, which shares what sequences have in common at their ends."""
    choices: list[Node] = [Chars(node.narrow)] if node.narrow else []
    by_last: dict[int, list[Sequence]] = {}
    for one in node.wide:
        by_last.setdefault(one[-1], []).append(one[:-1])
    for last, starts in by_last.items():
        narrow = 0
        for start in starts:
            narrow |= start[0] if len(start) == 1 else 0
        longer = tuple(start for start in starts if len(start) > 1)
        choices.append(Cat((_in_bytes(Chars(narrow, longer)), Chars(last))))
    return choices[0] if len(choices) == 1 else Alt(tuple(choices))


def _cat(parts: tuple[Node, ...]) -> _Fragment:
    whole = _Fragment()
    whole.empty = ALWAYS
    for part in parts:
        one = _build(part)
        by = whole.take(one)
        first, last = _moved(one.first, by), _moved(one.last, by)
        whole.join(whole.last, first)
        _add(whole.first, first, whole.empty)
        if one.empty:
            _add(last, whole.last, one.empty)
        whole.last = last
        whole.empty &= one.empty
    return whole


def _alt(branches: tuple[Node, ...]) -> _Fragment:
    whole = _Fragment()
    for branch in branches:
        one = _build(branch)
        by = whole.take(one)
        _add(whole.first, _moved(one.first, by))
        _add(whole.last, _moved(one.last, by))
        whole.empty |= one.empty
    return whole


def _repeat(node: Repeat) -> _Fragment:
    body, low, high = node.body, node.low, node.high
    copies = max(low, 1) if high is None else high
    if copies > 1 and body.nullable and not surely_nullable(body):
        # It matches nothing at some places only: then it matters which of the copies do.
        rest = (Repeat(body, 0, None),) if high is None else (Repeat(body, 0, 1),) * (high - low)
        return _cat((body,) * low + rest)
    one = _build(body)
    if copies == 1:
        if high is None:
            one.join(one.last, one.first)
        if low == 0:
            one.empty = ALWAYS
        return one
    return _copies(one, 0 if surely_nullable(body) else low, high, copies)


def _copies(one: _Fragment, low: int, high: int | None, copies: int) -> _Fragment:
    """So many copies in a row, of which the first `low` are needed; without `high` the last one repeats."""
    size = len(one.sets)
    whole = _Fragment()
    whole.sets = one.sets * copies
    every, between = _every(size, copies), _every(size, copies - 1)
    for (pairs, distance), sources in one.distances.items():
        whole.edges(pairs, distance, sources * every)
    for pairs, sources, targets in one.joints:
        if sources.bit_count() * targets.bit_count() <= _FEW_OF_COPIES:
            for source in _bits(sources):
                for target in _bits(targets):
                    whole.edges(pairs, target - source, every << source)
        else:
            whole.joints += [
                (pairs, sources << i * size, targets << i * size) for i in range(copies)
            ]
    for here, sources in one.last.items():
        for there, targets in one.first.items():
            if sources.bit_count() * targets.bit_count() <= _FEW_OF_COPIES:
                for source in _bits(sources):
                    for target in _bits(targets):
                        whole.edges(here & there, target + size - source, between << source)
            else:
                whole.joints += [
                    (here & there, sources << i * size, targets << (i + 1) * size)
                    for i in range(copies - 1)
                ]
    whole.first = one.first
    final = copies - 1
    if high is None:
        whole.join(_moved(one.last, final * size), _moved(one.first, final * size))
    start = final if high is None else max(low - 1, 0)
    ends = _every(size, copies - start) << start * size
    whole.last = {pairs: positions * ends for pairs, positions in one.last.items()}
    whole.empty = one.empty if low else ALWAYS
    return whole


def _every(size: int, count: int) -> int:
    """A bit at 0, size, 2 x size ...: `count` of them."""
    return ((1 << size * count) - 1) // ((1 << size) - 1)


class Edges:
    """The edges and ends that hold between two bytes of certain kinds."""

    __slots__ = ("distances", "final", "joints")

    def __init__(self, whole: _Fragment, pair: int) -> None:
        distances: dict[int, int] = {}
        for (pairs, distance), sources in whole.distances.items():
            if pairs >> pair & 1:
                distances[distance] = distances.get(distance, 0) | sources
        self.distances = list(distances.items())
        self.joints = [(a, b) for pairs, a, b in whole.joints if pairs >> pair & 1]
        self.final = 0
        for pairs, positions in whole.last.items():
            if pairs >> pair & 1:
                self.final |= positions
        if whole.empty >> pair & 1:
            self.final |= 1

    def forward(self, positions: int) -> int:
        """Where the edges lead from the positions."""
        found = 0
        for distance, sources in self.distances:
            leaving = positions & sources
            if leaving:
                found |= leaving << distance if distance >= 0 else leaving >> -distance
        for sources, targets in self.joints:
            if positions & sources:
                found |= targets
        return found

    def backward(self, positions: int) -> int:
        """From where the edges lead to the positions."""
        found = 0
        for distance, sources in self.distances:
            found |= (positions >> distance if distance >= 0 else positions << -distance) & sources
        for sources, targets in self.joints:
            if positions & targets:
                found |= sources
        return found


class Automaton:
    """An automaton on classes of bytes.

    classes: for bytes.translate: a byte's class; edge: the class of a line's end and of the text's, the last one
    kinds: what each class is beside an assertion; places: for each class the positions that take it
    width, size: how many classes and positions there are
    asserts: whether it asks what comes next before it knows that it has matched
    """

    __slots__ = (
        "_by_pair",
        "_whole",
        "asserts",
        "classes",
        "edge",
        "kinds",
        "places",
        "size",
        "width",
    )

    def __init__(self, node: Node, end: int | None) -> None:
        """end: the byte that ends a line, which no position takes; None when a text is no lines."""
        whole = _Fragment()
        whole.sets.append(0)
        one = _build(node)
        whole.take(one)
        whole.join({ALWAYS: 1}, _moved(one.first, 1))
        whole.last = _moved(one.last, 1)
        whole.empty = one.empty
        self._whole = whole
        self._by_pair: dict[int, Edges] = {}
        asserted = {pairs for pairs, _ in whole.distances} | {pairs for pairs, _, _ in whole.joints}
        asserted |= {*whole.last, whole.empty}
        # Without assertions all pairs are alike, and every kind is 0.
        self.asserts = bool(asserted - {0, ALWAYS})
        self.size = len(whole.sets)
        self._classify(end)

    def _classify(self, end: int | None) -> None:
        whole = self._whole
        at_set: dict[int, list[int]] = {}
        for position, narrow in enumerate(whole.sets):
            at_set.setdefault(narrow, []).append(position)
        parts = [ALL & ~(1 << end) if end is not None else ALL]
        splits = [*at_set, WORD, ASCII] if self.asserts else list(at_set)
        for split in splits:
            parts = [piece for part in parts for piece in (part & split, part & ~split) if piece]
        table = bytearray(256)
        self.kinds: list[int] = []
        self.places: list[int] = []
        size = len(whole.sets)
        masks = {narrow: _mask(positions, size) for narrow, positions in at_set.items()}
        for number, part in enumerate(parts):
            one = part & -part
            places = 0
            for narrow, mask in masks.items():
                if narrow & one:
                    places |= mask
            self.places.append(places)
            self.kinds.append(_kind(one) if self.asserts else 0)
            while part:
                table[(part & -part).bit_length() - 1] = number
                part &= part - 1
        self.edge = len(parts)
        self.width = self.edge + 1
        self.places.append(0)
        self.kinds.append(EDGE if self.asserts else 0)
        if end is not None:
            table[end] = self.edge
        self.classes = bytes(table)

    def edges(self, before: int, after: int) -> Edges:
        """The edges between two bytes of these kinds."""
        pair = before * 4 + after if self.asserts else 0
        found = self._by_pair.get(pair)
        if found is None:
            found = self._by_pair[pair] = Edges(self._whole, pair)
        return found


def _kind(byte: int) -> int:
    return LETTER if byte & WORD else OTHER if byte & ASCII else BEYOND


def _mask(positions: list[int], size: int) -> int:
    bits = bytearray(size // 8 + 1)
    for position in positions:
        bits[position >> 3] |= 1 << (position & 7)
    return int.from_bytes(bits, "little")
