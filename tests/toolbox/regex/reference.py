"""What an expression matches, found by trying everything: slow, and too simple to be wrong.

An expression is a nested tuple: ("set", text, members), ("at", text, test), ("cat", parts), ("alt", branches),
("repeat", body, low, high).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

Expression = tuple[Any, ...]

_EVERY = frozenset(range(256)) - {10}
LETTERS = frozenset(b"abx")


def _letter_at(text: bytes, at: int) -> bool:
    return 0 <= at < len(text) and text[at] in LETTERS


_SETS = {
    "a": frozenset(b"a"),
    "b": frozenset(b"b"),
    "x": frozenset(b"x"),
    "-": frozenset(b"-"),
    "[ab]": frozenset(b"ab"),
    "[^a]": _EVERY - {97},
    "[b-]": frozenset(b"b-"),
    ".": _EVERY,
    r"\w": LETTERS,
    r"\W": _EVERY - LETTERS,
}

_ASSERTIONS: dict[str, Callable[[bytes, int], bool]] = {
    "^": lambda text, at: at == 0,
    "$": lambda text, at: at == len(text),
    r"\b": lambda text, at: _letter_at(text, at - 1) != _letter_at(text, at),
    r"\B": lambda text, at: _letter_at(text, at - 1) == _letter_at(text, at),
    r"\<": lambda text, at: not _letter_at(text, at - 1) and _letter_at(text, at),
    r"\>": lambda text, at: _letter_at(text, at - 1) and not _letter_at(text, at),
}

_COUNTS = {
    "*": (0, None),
    "+": (1, None),
    "?": (0, 1),
    "{2}": (2, 2),
    "{2,}": (2, None),
    "{,2}": (0, 2),
    "{1,3}": (1, 3),
}

_LEAVES = st.one_of(
    st.sampled_from([("set", text, members) for text, members in _SETS.items()]),
    st.sampled_from([("at", text, test) for text, test in _ASSERTIONS.items()]),
)


def _larger(inner: st.SearchStrategy[Expression]) -> st.SearchStrategy[Expression]:
    return st.one_of(
        st.lists(inner, max_size=4).map(lambda parts: ("cat", parts)),
        st.lists(inner, min_size=1, max_size=3).map(lambda branches: ("alt", branches)),
        st.tuples(inner, st.sampled_from(sorted(_COUNTS))).map(
            lambda pair: ("repeat", pair[0], pair[1], *_COUNTS[pair[1]])
        ),
    )


#: Any expression; and texts of one line that it may match.
EXPRESSIONS = st.recursive(_LEAVES, _larger, max_leaves=12)
TEXTS = st.text("aabbx- ", max_size=10).map(str.encode)


def written(node: Expression) -> str:
    """The expression as an extended regular expression."""
    kind = node[0]
    if kind in ("set", "at"):
        return str(node[1])
    if kind == "cat":
        parts = [f"({written(p)})" if p[0] == "alt" else written(p) for p in node[1]]
        return "".join(parts) or "()"
    if kind == "alt":
        return "|".join(map(written, node[1]))
    body = written(node[1])
    return (body if node[1][0] == "set" else f"({body})") + str(node[2])


def ends(
    node: Expression, text: bytes, start: int, known: dict[tuple[int, int], set[int]]
) -> set[int]:
    """Where a match of the expression that begins at `start` may end."""
    key = (id(node), start)
    if key not in known:
        known[key] = _ends(node, text, start, known)
    return known[key]


def _ends(
    node: Expression, text: bytes, start: int, known: dict[tuple[int, int], set[int]]
) -> set[int]:
    def after(part: Expression, places: set[int]) -> set[int]:
        return {end for place in places for end in ends(part, text, place, known)}

    if node[0] == "set":
        return {start + 1} if start < len(text) and text[start] in node[2] else set()
    if node[0] == "at":
        return {start} if node[2](text, start) else set()
    found = {start}
    if node[0] == "cat":
        for part in node[1]:
            found = after(part, found)
        return found
    if node[0] == "alt":
        return {end for branch in node[1] for end in ends(branch, text, start, known)}
    _, body, _, low, high = node
    for _ in range(low):
        found = after(body, found)
    last = found
    for _ in range(len(text) + 1 if high is None else high - low):
        last = after(body, last)
        found = found | last
    return found


def spans(node: Expression, text: bytes) -> list[tuple[int, int]]:
    """The leftmost longest matches, one behind the other; an empty one not right behind another."""
    known: dict[tuple[int, int], set[int]] = {}
    found: list[tuple[int, int]] = []
    at, before = 0, -1
    while at <= len(text):
        end = max(ends(node, text, at, known), default=-1)
        if end > at or end == at != before:
            found.append((at, end))
        before = max(end, before)
        at = end if end > at else at + 1
    return found
