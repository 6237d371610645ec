"""Texts that each match of an expression holds, one behind the other: lines without them need no closer look.

Texts are searched in a block of lines by `bytes.find`, which takes a tenth of the time of any matcher.  Each search goes
on where the one before it has ended, and where a text comes in a later line only, the lines between are passed over.
So the time is linear in the block, whatever the texts.
"""

from __future__ import annotations

from toolbox.regex.charset import fold as both_cases
from toolbox.regex.rewriting import is_any_text
from toolbox.regex.tree import Alt, Assertion, Cat, Chars, Group, Node, Repeat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


#: The most texts of which one must come at a place.
_MOST = 8

#: The most members of a set of characters that is a choice of texts.
_FEW = 3

#: The most copies of a repeated part, and the most parts in all, that are looked at.
_COPIES = 8
_PARTS = 1000

#: Bytes of a block by which it is guessed how often a text comes.
_SAMPLE = 1 << 14


class Landmarks:
    """The texts of an expression.

    pieces: in order, each a choice of texts; they do not overlap in a match
    exact: a line matches just when it holds the pieces in order
    fold: case does not matter, and the texts are in lower case
    """

    __slots__ = ("exact", "fold", "pieces")

    def __init__(self, pieces: list[list[bytes]], *, exact: bool, fold: bool) -> None:
        self.pieces = pieces
        self.exact = exact
        self.fold = fold

    def useful(self) -> bool:
        """Whether there are any, and few enough to look for one after the other."""
        return bool(self.pieces) and max(map(len, self.pieces)) <= _MOST

    def rarest(self, block: bytes, end: bytes, share: int) -> int:
        """Which piece seems to come most rarely; -1 when that is in more than one line of `share`."""
        sample = block[:_SAMPLE]
        text = sample.lower() if self.fold else sample
        counts = [sum(map(text.count, piece)) for piece in self.pieces]
        least = min(counts)
        lines = text.count(end)
        if lines and least * share >= lines:
            return -1
        # Long texts are found faster.
        return max(
            (min(map(len, piece)), number)
            for number, piece in enumerate(self.pieces)
            if counts[number] == least
        )[1]

    def lines(self, block: bytes, end: bytes, rarest: int) -> Iterator[tuple[int, int]]:
        """The lines of a block that hold the texts in order.

        rarest: the piece to look for first.  Unless the pieces are exact it is the only one.
        """
        text = block.lower() if self.fold else block
        find, rfind, total = text.find, text.rfind, len(text)
        search, wanted, size = _search(self.pieces[rarest], text)
        pieces = self.pieces[not rarest :] if self.exact else []
        rest = [_search_line(piece, text) for piece in pieces]
        at = 0
        while at < total and (hit := search(wanted, at)) >= 0:
            place = hit + size
            before, at = at, find(end, place) + 1 or total
            if rarest and rest:
                place = rfind(end, before, place) + 1 or before
            for find_next, one, length in rest:
                hit = find_next(one, place, at)
                if hit < 0:
                    break
                place = hit + length
            else:
                yield rfind(end, before, place) + 1 or before, at


def landmarks(node: Node, end: bytes, *, fold: bool) -> Landmarks:
    """The texts of a tree, which has no references.  end: what ends a line; fold: case does not matter."""
    walk = _Walk(1 << end[0], fold)
    walk.visit(node)
    walk.gap()
    pieces = walk.pieces
    if not walk.exact:
        pieces = [piece for piece in pieces if min(map(len, piece)) > 1] or pieces
    return Landmarks(pieces, exact=walk.exact and bool(pieces), fold=fold)


def _search(texts: list[bytes], text: bytes) -> tuple[Callable[[bytes, int], int], bytes, int]:
    """A function, its first argument, and a number.

    The second argument is a place, which must not decrease from call to call.  What is returned, unless it is -1,
    and the number make the end of the first one of the texts to end that begins there or behind.
    """
    find = text.find
    if len(texts) == 1:
        return find, texts[0], len(texts[0])
    never = len(text) + 1
    ends = [-1] * len(texts)
    numbered = [(number, one, len(one)) for number, one in enumerate(texts)]

    def end_of_any(_: bytes, place: int) -> int:
        for number, one, size in numbered:
            if ends[number] < place + size:
                hit = find(one, place)
                ends[number] = hit + size if hit >= 0 else never
        least = min(ends)
        return least if least < never else -1

    return end_of_any, b"", 0


def _search_line(
    texts: list[bytes], text: bytes
) -> tuple[Callable[[bytes, int, int], int], bytes, int]:
    """The same with a third argument, where the search ends; places may decrease."""
    find = text.find
    if len(texts) == 1:
        return find, texts[0], len(texts[0])

    def end_of_any(_: bytes, place: int, stop: int) -> int:
        return min(
            [hit + len(one) for one in texts if (hit := find(one, place, stop)) >= 0], default=-1
        )

    return end_of_any, b"", 0


class _Walk:
    """Collects the pieces of a tree.

    exact: nothing was left out; connected: no gap has come; `run`: the texts that have come since the last gap
    """

    def __init__(self, end: int, fold: bool) -> None:
        self.pieces: list[list[bytes]] = []
        self.exact = self.connected = True
        self._end = end  # as a set
        self._fold = fold
        self._run = [b""]
        self._left = _PARTS

    def gap(self) -> None:
        """Anything may come here."""
        if self._run != [b""]:
            self.pieces.append(self._run)
            self._run = [b""]

    def visit(self, node: Node) -> None:
        """Go on behind a node."""
        self._left -= 1
        if self._left < 0:
            self._texts(None)
        elif isinstance(node, Cat):
            for part in node.parts:
                self.visit(part)
        elif isinstance(node, Chars):
            self._texts(self._members(node))
        elif isinstance(node, Alt):
            self._alternatives(node)
        elif isinstance(node, Repeat):
            self._repeat(node)
        elif isinstance(node, Group):
            self.visit(node.body)
        else:
            self.exact = False
            if not isinstance(node, Assertion):
                self._any()

    def _any(self) -> None:
        self.connected = False
        self.gap()

    def _texts(self, texts: list[bytes] | None) -> None:
        """One of the texts comes; None: it may be any."""
        if texts is None or len(texts) > _MOST:
            self.exact = False
            self._any()
            return
        if len(texts) == 1:
            text = texts[0]
            self._run = [one + text for one in self._run]
            return
        if len(self._run) * len(texts) > _MOST:
            self.exact = False
            self._any()
        self._run = [one + text for one in self._run for text in texts]

    def _members(self, node: Chars) -> list[bytes] | None:
        narrow = node.narrow
        if narrow & self._end or not (narrow or node.wide):  # an empty set has no text
            return None
        if not self._fold:
            text = node.text()
            if text is not None:
                return [text]
            return _each(narrow) if not node.wide and narrow.bit_count() <= _FEW else None
        if node.wide or narrow >> 128 or narrow.bit_count() > 2 * _FEW:
            return None
        if both_cases(narrow) != narrow:
            return None
        return sorted({one.lower() for one in _each(narrow)})

    def _alternatives(self, node: Alt) -> None:
        """A text of each branch, the longest where it has several."""
        found: list[bytes] = []
        exact = True
        for branch in node.branches:
            inner = _Walk(self._end, self._fold)
            inner._left = self._left
            inner.visit(branch)
            inner.gap()
            self._left = inner._left
            if not inner.pieces or len(found) > _MOST:
                self._texts(None)
                return
            exact = exact and inner.exact and inner.connected
            found += max(inner.pieces, key=lambda piece: min(map(len, piece)))
        if exact:
            self._texts(found)
            return
        self.exact = False
        self._any()
        self._texts(found)
        self._any()

    def _repeat(self, node: Repeat) -> None:
        if is_any_text(node, self._end):
            self._any()
            return
        body, low, high = node.body, node.low, node.high
        for _ in range(min(low, _COPIES)):
            self.visit(body)
        if low != high or low > _COPIES:
            self._texts(None)


def _each(narrow: int) -> list[bytes]:
    return [bytes((c,)) for c in range(256) if narrow >> c & 1]
