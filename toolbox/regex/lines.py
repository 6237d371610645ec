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

    from toolbox.regex.tree import Node

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


def one_by_one(fits: Callable[[bytes], object], end: bytes) -> Lines:
    """Lines, without their end, for which `fits` is true."""

    def lines(block: bytes) -> Iterator[tuple[int, int]]:
        start = 0
        for line in block.removesuffix(end).split(end):
            stop = start + len(line) + 1
            if fits(line):
                yield start, min(stop, len(block))
            start = stop

    return lines


def by_automaton(node: Node, end: bytes, needed: bytes, fold: bool) -> Lines:
    """Lines that match a tree; `needed` is a text that each of these holds, or nothing (`fold`: as above)."""
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

    if not needed:
        return lines

    def likely_lines(block: bytes) -> Iterator[tuple[int, int]]:
        for start, stop in likely(block):
            if find_match(block[start:stop].translate(classes)) >= 0:
                yield start, stop

    likely = with_text(needed, end, fold)
    return likely_lines


def by_length(short: Lines, long: Callable[[], Lines], most: int, end: bytes) -> Lines:
    """Lines of up to `most` bytes by one way, those that are longer by the other, which is made when it is needed."""
    made: list[Lines] = []

    def lines(block: bytes) -> Iterator[tuple[int, int]]:
        return mixed(block) if next(longer_lines(block, most, end), None) else short(block)

    def mixed(block: bytes) -> Iterator[tuple[int, int]]:
        at = 0
        for start, stop in longer_lines(block, most, end):
            if start > at:
                for first, last in short(block[at:start]):
                    yield at + first, at + last
            if not made:
                made.append(long())
            if next(made[0](block[start:stop]), None):
                yield start, stop
            at = stop
        if at < len(block):
            for first, last in short(block[at:]):
                yield at + first, at + last

    return lines


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
