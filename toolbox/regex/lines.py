"""Which lines of a large block match.

A block of whole lines is searched as one text; after a hit the search goes on behind the end of its line.  So a line
that does not match costs no Python at all.  Each function here makes one that yields the start and the stop, with its
end, of each line of a block that matches.
"""

from __future__ import annotations

from toolbox.regex.automaton import Automaton
from toolbox.regex.dfa import Scanner

TYPE_CHECKING = False
if TYPE_CHECKING:
    import re
    from collections.abc import Callable, Iterator

    from toolbox.regex.landmarks import Landmarks
    from toolbox.regex.tree import Node

    Fits = Callable[[bytes], object]
    Lines = Callable[[bytes], Iterator[tuple[int, int]]]


def with_text(literal: bytes, end: bytes, fold: bool) -> Lines:
    """Lines that hold a text; with `fold`, which wants it in lower case, with capital letters as well."""

    def lines(block: bytes) -> Iterator[tuple[int, int]]:
        text = block.lower() if fold else block
        find, rfind, total, size = text.find, text.rfind, len(text), len(literal)
        at = 0
        while at < total and (hit := find(literal, at)) >= 0:
            start = rfind(end, at, hit) + 1 or at
            stop = find(end, hit + size) + 1 or total
            yield start, stop
            at = stop

    return lines


def by_block(compiled: re.Pattern[bytes], end: bytes) -> Lines:
    """Lines in which `re` finds something; no match spans an end."""
    search = compiled.search

    def lines(block: bytes) -> Iterator[tuple[int, int]]:
        find, rfind, total = block.find, block.rfind, len(block)
        ended = block.endswith(end)
        at = 0
        while at < total and (found := search(block, at)):
            hit, after = found.span()
            if hit == total and ended:
                break  # nothing is no line
            start = rfind(end, at, hit) + 1 or at
            stop = find(end, after) + 1 or total
            yield start, stop
            at = stop

    return lines


def one_by_one(fits: Fits, end: bytes) -> Lines:
    """Lines, without their end, for which `fits` is true."""

    def lines(block: bytes) -> Iterator[tuple[int, int]]:
        start = 0
        for line in block.removesuffix(end).split(end):
            stop = start + len(line) + 1
            if fits(line):
                yield start, min(stop, len(block))
            start = stop

    return lines


class Way:
    """A way to match that is made when it is first needed.

    lines: of a block; fits: whether a line does, without its end
    """

    def __init__(self, make: Callable[[], tuple[Lines, Fits]]) -> None:
        self._make = make
        self._made: tuple[Lines, Fits] | None = None

    @property
    def lines(self) -> Lines:
        """A function for the lines of a block that match."""
        if self._made is None:
            self._made = self._make()
        return self._made[0]

    @property
    def fits(self) -> Fits:
        """A function that says whether a line matches."""
        if self._made is None:
            self._made = self._make()
        return self._made[1]


def by_re(compile: Callable[[], re.Pattern[bytes]], end: bytes) -> Way:
    """The way of `re`."""

    def make() -> tuple[Lines, Fits]:
        compiled = compile()
        fits = compiled.search
        return (by_block(compiled, end) if end == b"\n" else one_by_one(fits, end)), fits

    return Way(make)


def by_automaton(node: Node, end: bytes) -> Way:
    """The way of an automaton."""

    def make() -> tuple[Lines, Fits]:
        automaton = Automaton(node, end[0])
        find_match = Scanner(automaton).find
        classes = automaton.classes

        def lines(block: bytes) -> Iterator[tuple[int, int]]:
            find, rfind, total = block.find, block.rfind, len(block)
            text = block.translate(classes)
            at = 0
            while at < total and (hit := find_match(text, at)) >= 0:
                start = rfind(end, at, hit) + 1 or at
                stop = find(end, hit) + 1 or total
                yield start, stop
                at = stop

        return lines, lambda line: find_match(line.translate(classes)) >= 0

    return Way(make)


def by_length(short: Way, long: Way, most: int, end: bytes) -> Way:
    """Lines of up to `most` bytes by one way, those that are longer by the other."""

    def lines(block: bytes) -> Iterator[tuple[int, int]]:
        return mixed(block) if any_longer(block, most, end) else short.lines(block)

    def mixed(block: bytes) -> Iterator[tuple[int, int]]:
        at = 0
        for start, stop in longer_lines(block, most, end):
            if start > at:
                for first, last in short.lines(block[at:start]):
                    yield at + first, at + last
            if long.fits(block[start:stop].removesuffix(end)):
                yield start, stop
            at = stop
        if at < len(block):
            for first, last in short.lines(block[at:]):
                yield at + first, at + last

    def fits(line: bytes) -> object:
        return short.fits(line) if len(line) <= most else long.fits(line)

    return Way(lambda: (lines, fits))


def by_landmarks(marks: Landmarks, way: Way, end: bytes, share: int) -> Lines:
    """Lines that hold certain texts and match by another way, too.

    share: where more than one line of so many seems to hold them, they are not looked for
    """

    def lines(block: bytes) -> Iterator[tuple[int, int]]:
        rarest = marks.rarest(block, end, share)
        if rarest < 0:
            return way.lines(block)
        return sieved(marks.lines(block, end, rarest), block, way.fits, end)

    return lines


def with_landmarks(marks: Landmarks, way: Way, most: int, end: bytes, share: int) -> Lines:
    """Lines that hold certain texts in order.

    way: what finds them as well in lines of up to `most` bytes, and sooner when more than one line of `share` holds them
    """

    def lines(block: bytes) -> Iterator[tuple[int, int]]:
        rarest = marks.rarest(block, end, share)
        if rarest < 0 and not any_longer(block, most, end):
            return way.lines(block)
        return marks.lines(block, end, max(rarest, 0))

    return lines


def sieved(
    likely: Iterator[tuple[int, int]], block: bytes, fits: Fits, end: bytes
) -> Iterator[tuple[int, int]]:
    """Those of the lines of a block that fit."""
    last = len(block) - (not block.endswith(end))  # the last stop behind an end
    for start, stop in likely:
        if fits(block[start : stop - 1 if stop <= last else stop]):
            yield start, stop


def any_longer(block: bytes, most: int, end: bytes) -> bool:
    """Whether a line of a block is longer than `most` bytes without its end."""
    if most >= len(block):
        return False
    if most < 200:  # the other way takes a step in Python for each so many bytes
        return max(map(len, block.split(end))) > most
    return next(longer_lines(block, most, end), None) is not None


def longer_lines(block: bytes, most: int, end: bytes) -> Iterator[tuple[int, int]]:
    """The lines of a block that are longer than `most` bytes without their end."""
    at, total = 0, len(block)
    while total - at > most:
        cut = block.rfind(end, at, at + most + 1)
        if cut >= 0:
            at = cut + 1
            continue
        stop = block.find(end, at + most + 1) + 1 or total
        yield at, stop
        at = stop
