"""Deterministic automata, built while they run: each byte of a text costs one or two index operations.

A state is a list with the next state for each class of bytes.  Where that is not known yet it holds what stands for
the state itself, which cannot be indexed: so the loops need no test, and the rare TypeError says that there is
something to find out.  States are forgotten when there are too many of them.
"""

from __future__ import annotations

from operator import length_hint

from toolbox.regex.tree import EDGE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from toolbox.regex.automaton import Automaton

#: Bytes that the states of one automaton may take.
_MEMORY = 16 << 20


class _State:
    """What is known of a state: its positions, the kind of the byte between them and the next edges.

    row: for each class of bytes the next row, or this state where it is not known yet; then `value` and the state
    """

    __slots__ = ("kind", "positions", "row")

    def __init__(self, positions: int, kind: int, value: int, width: int) -> None:
        self.positions = positions
        self.kind = kind
        self.row: list[Any] = [self] * width
        self.row += (value, self)


class _Found:
    """Stands for the next row when a match has been seen."""


_FOUND = _Found()


class _States:
    """The states of one automaton, within a bound of memory."""

    def __init__(self, automaton: Automaton) -> None:
        self.automaton = automaton
        self.width = automaton.width
        self._known: dict[tuple[int, int, int], _State] = {}
        # A list, its state, its place in `_known`, and the bits of two numbers.
        size = 8 * automaton.width + 400 + automaton.size // 4
        self._most = max(_MEMORY // size, 16)

    def row(self, positions: int, kind: int, value: int = 0) -> list[Any]:
        """The row of a state; all others are forgotten when there are too many."""
        key = (positions, kind, value)
        found = self._known.get(key)
        if found is None:
            if len(self._known) >= self._most:
                for old in self._known.values():
                    old.row.clear()  # they refer to each other
                self._known.clear()
            found = self._known[key] = _State(positions, kind, value, self.width)
        return found.row

    def fill(self, state: _State, c: int) -> Any:
        """Find out which row follows a state by a class of bytes."""
        found = self.step(state, c)
        if state.row:  # it may have been forgotten meanwhile
            state.row[c] = found
        return found

    def step(self, state: _State, c: int) -> Any:
        """The row after a state and a class of bytes."""
        raise NotImplementedError


class Scanner(_States):
    """Finds where in a text there is a match; where it begins, or how far it goes, does not matter."""

    def __init__(self, automaton: Automaton) -> None:
        super().__init__(automaton)
        self._at_once = not automaton.asserts

    def find(self, text: bytes, start: int = 0) -> int:
        """A place in the line of the first match; -1.

        text: classes; start: where a line begins.  The place is that of a byte of the line or of its end, or the
        text's end.
        """
        total = len(text)
        steps: Any = iter(text)
        if start:
            steps.__setstate__(start)
        row: Any = self._start()
        if row is _FOUND:
            return start
        while True:
            try:
                for c in steps:
                    row = row[c]
                at = total
            except TypeError:
                at = total - length_hint(steps) - 1
                steps.__setstate__(at)
            # `row` is what follows from the byte before `at`.
            if row.__class__ is _State:
                row = self.fill(row, text[at - 1])
            if row is _FOUND:
                return at - 1
            if at == total:
                break
        if total > start and text[-1] == self.automaton.edge:
            return -1
        state = row[-1]
        final = self.automaton.edges(state.kind, self.automaton.kinds[self.automaton.edge]).final
        return total if state.positions & final else -1

    def _start(self) -> Any:
        if self._at_once and self.automaton.edges(EDGE, EDGE).final & 1:
            return _FOUND
        return self.row(1, self.automaton.kinds[self.automaton.edge])

    def step(self, state: _State, c: int) -> Any:
        """The row after a state and a class of bytes; `_FOUND` when there is a match before or behind these."""
        automaton = self.automaton
        kind = automaton.kinds[c]
        edges = automaton.edges(state.kind, kind)
        if not self._at_once and state.positions & edges.final:
            return _FOUND
        if c == automaton.edge:
            return self.row(1, kind)
        positions = edges.forward(state.positions) & automaton.places[c] | 1
        if self._at_once and positions & edges.final:
            return _FOUND
        return self.row(positions, kind)


class _Ahead(_States):
    """Where a match that began at one place has come to; a row's value are the positions."""

    def step(self, state: _State, c: int) -> list[Any]:
        """The row after a state and a class of bytes."""
        automaton = self.automaton
        kind = automaton.kinds[c]
        positions = automaton.edges(state.kind, kind).forward(state.positions)
        positions &= automaton.places[c]
        return self.row(positions, kind, positions)


class _Back(_States):
    """From where a match can go on to an end, read from a line's end; a row's value are these positions.

    A state's own positions are those that take the byte which was read last.
    """

    def __init__(self, automaton: Automaton, anywhere: bool) -> None:
        super().__init__(automaton)
        self.anywhere = anywhere

    def step(self, state: _State, c: int) -> list[Any]:
        """The row after a state and a class of bytes, read from the right."""
        automaton = self.automaton
        kind = automaton.kinds[c]
        edges = automaton.edges(kind, state.kind)
        reach = edges.backward(state.positions)
        if self.anywhere or state.row[-2] < 0:
            reach |= edges.final
        return self.row(reach & automaton.places[c], kind, reach)


class Spans:
    """Finds the leftmost longest matches in a line.

    A pass from its end finds out from which positions a match can still end, at each place; so a pass from a start
    stops just where the longest match does, and each byte is looked at twice, however many matches there are.
    """

    def __init__(self, automaton: Automaton, *, anywhere: bool = True) -> None:
        """anywhere: matches may end anywhere, not only where `reach` begins to read"""
        self.automaton = automaton
        self._ahead = _Ahead(automaton)
        self._back = _Back(automaton, anywhere)

    def spans(self, line: bytes, at: int = 0) -> Iterator[tuple[int, int]]:
        """The matches from `at` on, also empty ones, but not right behind another; line: classes, without its end."""
        reach = self.reach(line)
        size = len(line)
        before = -1
        while at <= size:
            while not reach[at] & 1:
                at += 1
                if at > size:
                    return
            end = self.longest(line, at, reach)
            if at < end or at != before:
                yield at, end
            before = end
            at = end if end > at else end + 1

    def reach(self, line: bytes, start: int = 0, stop: int | None = None) -> list[int]:
        """For each place of a line the positions from which a match can end there or behind.

        Of line[start:stop], and by index from `start`; what lies around that is looked at by assertions only.
        """
        automaton, back = self.automaton, self._back
        edge = automaton.edge
        stop = len(line) if stop is None else stop
        after = line[stop] if stop < len(line) else edge
        before = line[start - 1] if start else edge
        text = line[start:stop][::-1] + bytes((before,))
        found: list[int] = []
        add = found.append
        value = automaton.width
        row: Any = back.row(0, automaton.kinds[after], -1)
        steps: Any = iter(text)
        while True:
            try:
                for c in steps:
                    row = row[c]
                    add(row[value])
                break
            except TypeError:
                at = len(text) - length_hint(steps) - 1
                row = back.fill(row, text[at])
                add(row[value])
        found.reverse()
        return found

    def longest(self, line: bytes, start: int, reach: list[int]) -> int:
        """The end of the longest match at `start`, where `reach` says that there is one."""
        automaton, ahead = self.automaton, self._ahead
        value = automaton.width
        before = line[start - 1] if start else automaton.edge
        row: Any = ahead.row(1, automaton.kinds[before], 1)
        end = start
        steps: Any = iter(line)
        steps.__setstate__(start)
        while True:
            try:
                for c in steps:
                    row = row[c]
                    end += 1
                    if not row[value] & reach[end]:
                        return end - 1
                return end
            except TypeError:
                row = ahead.fill(row, line[end - 1])
                if not row[value] & reach[end]:
                    return end - 1
