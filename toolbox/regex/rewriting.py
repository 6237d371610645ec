"""Other trees for an expression, which are easier to match."""

from __future__ import annotations

from toolbox.regex.charset import ALL
from toolbox.regex.tree import (
    END,
    NOTHING,
    START,
    Alt,
    Assertion,
    Cat,
    Chars,
    Group,
    Node,
    Reference,
    Repeat,
    alt,
    cat,
    repeat,
)


def trimmed(node: Node) -> Node:
    """A simpler expression that is found in just the same lines: its ends need no more than they must.

    Not for one with groups.
    """
    return _without_end(_without_end(node, 0), -1)


def _without_end(node: Node, at: int) -> Node:
    if isinstance(node, Repeat):
        return cat([_without_end(node.body, at)]) if node.low == 1 else _fewest(node)
    if isinstance(node, Alt):
        branches = [_without_end(branch, at) for branch in node.branches]
        return NOTHING if NOTHING in branches else alt(branches)
    if not isinstance(node, Cat):
        return node
    parts = list(node.parts)
    while parts:
        end = _without_end(parts[at], at)
        if end is parts[at]:
            break
        del parts[at]
        if not isinstance(end, Cat) or end.parts:
            parts = [end, *parts] if at == 0 else [*parts, end]
            break
    return cat(parts) if len(parts) != len(node.parts) or parts != list(node.parts) else node


def _fewest(node: Repeat) -> Node:
    if node.low == node.high:
        return node
    return Repeat(node.body, node.low, node.low) if node.low else NOTHING


def direct(node: Node, end: int) -> Node:
    """An expression that is found in just the same lines, with fewer ways through them: `a[^b]*b` for `a.*b`.

    Only where nothing or `.*` comes behind, because then the first b is as good as any.  Not for one with groups.
    end: the bytes that end a line, as a set
    """
    if not isinstance(node, Cat):
        return node
    parts = list(node.parts)
    for at in range(len(parts) - 1):
        after = parts[at + 1]
        if (
            is_any_text(parts[at], end)
            and isinstance(after, Chars)
            and not after.wide
            and (at + 2 == len(parts) or is_any_text(node.parts[at + 2], end))
            and (before := ALL & ~end & ~after.narrow)
        ):
            parts[at] = repeat(Chars(before), 0, None)
    return Cat(tuple(parts))


def without_anchors(node: Node, end: int) -> Node:
    """An expression that is found in just the same lines: without `^.*` and `.*$` at its ends.

    Not for one with groups.  end: the bytes that end a line, as a set
    """
    parts = node.parts if isinstance(node, Cat) else (node,)
    if len(parts) > 1 and _asserts(parts[0], START) and is_any_text(parts[1], end):
        parts = parts[2:]
    if len(parts) > 1 and _asserts(parts[-1], END) and is_any_text(parts[-2], end):
        parts = parts[:-2]
    return node if not isinstance(node, Cat) or parts == node.parts else trimmed(cat(parts))


def _asserts(node: Node, pairs: int) -> bool:
    return isinstance(node, Assertion) and node.pairs == pairs


def is_any_text(node: Node, end: int) -> bool:
    """Whether it matches all that may come in a line (`.*`).  end: the bytes that end a line, as a set"""
    return (
        isinstance(node, Repeat)
        and (node.low, node.high) == (0, None)
        and isinstance(node.body, Chars)
        and node.body.narrow | end == ALL
    )


def factored(node: Node, levels: int = 8) -> Node:
    """The node with the common beginnings of alternatives taken out: foo|fox is fo[ox].

    Not for one with groups.
    """
    if not node.forks:
        return node
    if isinstance(node, Cat):
        return cat([factored(part, levels) for part in node.parts])
    if isinstance(node, Repeat):
        return repeat(factored(node.body, levels), node.low, node.high)
    if not isinstance(node, Alt) or levels == 0:
        return node
    by_first: dict[Node, list[tuple[Node, ...]]] = {}
    for branch in node.branches:
        parts = branch.parts if isinstance(branch, Cat) else (branch,)
        by_first.setdefault(parts[0], []).append(parts[1:])
    if len(by_first) == len(node.branches):
        return Alt(tuple(factored(branch, levels) for branch in node.branches))
    return alt(
        cat([first, factored(alt(map(cat, rests)), levels - 1)])
        for first, rests in by_first.items()
    )


def relaxed(node: Node) -> Node:
    """An expression without groups and references that matches at least what this one does."""
    bodies: dict[int, Node] = {}

    def without_known(node: Node, asserts: bool) -> Node:
        if isinstance(node, Group):
            bodies[node.number] = node.body
            return without_known(node.body, asserts)
        if isinstance(node, Reference):
            return without_known(bodies[node.number], False)
        if isinstance(node, Cat):
            return cat([without_known(part, asserts) for part in node.parts])
        if isinstance(node, Alt):
            return alt([without_known(branch, asserts) for branch in node.branches])
        if isinstance(node, Repeat):
            return repeat(without_known(node.body, asserts), node.low, node.high)
        # What a group asserts does not hold where its text comes again.
        return NOTHING if isinstance(node, Assertion) and not asserts else node

    return without_known(node, True)
