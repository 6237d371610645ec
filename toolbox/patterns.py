r"""Shell patterns (POSIX XCU 2.14, fnmatch(3)): `*`, `?`, `[a-c]`, `[!x]`, `[[:digit:]]`, `\*`.

    match = matcher("*.[ch]")
    match("main.c")          True

A pattern becomes a regular expression of Python's `re` (for str, with DOTALL) whose time is bounded by
length of pattern x length of text.  What stands between two stars has a fixed length, so its first place
leaves the most for the rest, and no other place need be tried: `(?>.*?ab)` is atomic.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_SPECIAL = frozenset("*?[\\")


def matcher(
    pattern: str, *, ignore_case: bool = False, path: bool = False, period: bool = False
) -> Callable[[str], bool]:
    """A test for whole names.

    path: `*`, `?` and brackets do not match a slash (FNM_PATHNAME)
    period: a dot at the start (with `path`: of each component) must be in the pattern itself (FNM_PERIOD)
    """
    if period and not path and pattern[:1] not in ("*", "?", "["):
        period = False
    if not (ignore_case or path or period):
        fast = _fast(pattern)
        if fast:
            return fast
    import re

    flags = re.DOTALL | (re.IGNORECASE if ignore_case else 0)
    source = longest(segments(pattern, path=path, period=period), "[^/]" if path else ".")
    found = re.compile(source, flags).fullmatch
    return lambda name: found(name) is not None


def _fast(pattern: str) -> Callable[[str], bool] | None:
    """Plain string operations for the usual patterns: `name`, `*`, `name*`, `*name`, `*name*`."""
    if pattern.strip("*") == "" and pattern:
        return lambda name: True
    middle = pattern.strip("*")
    if not _SPECIAL.isdisjoint(middle):
        return None
    before, after = pattern.startswith("*"), pattern.endswith("*")
    if before and after:
        return lambda name: middle in name
    if before:
        return lambda name: name.endswith(middle)
    if after:
        return lambda name: name.startswith(middle)
    return middle.__eq__


# -- as expressions of `re` --------------------------------------------------------------------------


def segments(pattern: str, *, path: bool = False, period: bool = False) -> list[list[str]]:
    """What stands between the stars: for each segment a list of expressions for one character each."""
    any_one = "[^/]" if path else "."
    start = True  # whether a leading dot would be hidden here
    found: list[list[str]] = [[]]
    at = 0
    while at < len(pattern):
        c = pattern[at]
        at += 1
        hidden = "(?!\\.)" if period and start else ""
        start = path and c == "/"
        if c == "*":
            while pattern[at : at + 1] == "*":
                at += 1
            if hidden:
                found[-1].append(hidden)
            found.append([])
        elif c == "?":
            found[-1].append(hidden + any_one)
        elif c == "[":
            source, at = _bracket(pattern, at, path)
            found[-1].append(hidden + source if source != "\\[" else source)
        else:
            if c == "\\" and at < len(pattern):
                c = pattern[at]
                at += 1
            found[-1].append(_escape(c))
    return found


def longest(parts: list[list[str]], any_one: str = ".") -> str:
    """An expression for segments that takes as much as it can; at the end of a text it is the whole's."""
    if len(parts) == 1:
        return "".join(parts[0])
    return _placed(parts[:-1], any_one) + any_one + "*" + "".join(parts[-1])


def shortest(parts: list[list[str]]) -> str:
    """An expression for segments that takes as little as it can."""
    return _placed(parts, ".")


def _placed(parts: list[list[str]], any_one: str) -> str:
    """Each segment at its first place after the one before."""
    first, *others = parts
    return "".join(first) + "".join([f"(?>{any_one}*?{''.join(part)})" for part in others])


def mirrored(parts: list[list[str]]) -> list[list[str]]:
    """The segments for a text that is read from its end."""
    return [part[::-1] for part in reversed(parts)]


def _escape(c: str) -> str:
    return "\\" + c if c in ".^$*+?{}[]|()\\&~-# \t\n\v\f\r" else c


_CLASSES = {
    "alpha": "A-Za-z",
    "digit": "0-9",
    "alnum": "0-9A-Za-z",
    "upper": "A-Z",
    "lower": "a-z",
    "space": " \\t\\n\\r\\f\\v",
    "blank": " \\t",
    "punct": "!-/:-@\\[-`{-~",
    "print": " -~",
    "graph": "!-~",
    "cntrl": "\\x00-\\x1f\\x7f",
    "xdigit": "0-9A-Fa-f",
}


def _bracket(pattern: str, at: int, path: bool) -> tuple[str, int]:
    """The class for a bracket expression whose `[` stands before `at`; a lone `[` is itself."""
    start = at
    if pattern.find("]", at) < 0:
        return "\\[", start
    negated = pattern[at : at + 1] in ("!", "^")
    at += negated
    members: list[str] = []
    first = True
    while True:
        c = pattern[at : at + 1]
        if not c:
            return "\\[", start
        if c == "]" and not first:
            at += 1
            break
        first = False
        if pattern[at : at + 2] == "[:":
            end = pattern.find(":]", at + 2)
            if end >= 0:
                # A class that does not exist has no members (fnmatch(3)).
                members.append(_CLASSES.get(pattern[at + 2 : end], ""))
                at = end + 2
                continue
        low, at = _member(pattern, at)
        high = low
        if pattern[at : at + 1] == "-" and pattern[at + 1 : at + 2] not in ("]", ""):
            high, at = _member(pattern, at + 1)
        if low and high and low <= high:
            members.append(_escape(low) if low == high else f"{_escape(low)}-{_escape(high)}")
    no_slash = "(?!/)" if path else ""
    inside = "".join(members)
    if not inside:  # nothing but ranges that run backwards and classes that do not exist
        return (no_slash + "." if negated else "(?!)"), at
    return f"{no_slash}[{'^' if negated else ''}{inside}]", at


def _member(pattern: str, at: int) -> tuple[str, int]:
    """One character, `[.x.]` or `[=x=]` and where it ends; empty for a name that is more than a character."""
    two = pattern[at : at + 2]
    if two in ("[.", "[="):
        end = pattern.find(two[1] + "]", at + 2)
        if end >= 0:
            return (pattern[at + 2] if end == at + 3 else ""), end + 2
    if two[0] == "\\" and len(two) == 2:
        return two[1], at + 2
    return two[0], at + 1
