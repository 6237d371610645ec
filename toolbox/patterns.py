r"""Shell patterns (POSIX XCU 2.14, fnmatch(3)) on names: `*`, `?`, `[a-c]`, `[!x]`, `[[:digit:]]`, `\*`.

match = matcher("*.[ch]")
match("main.c")          True
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
    if not (ignore_case or path or period):
        fast = _fast(pattern)
        if fast:
            return fast
    import re

    flags = re.DOTALL | (re.IGNORECASE if ignore_case else 0)
    found = re.compile(translate(pattern, path=path, period=period), flags).fullmatch
    return lambda name: found(name) is not None


def translate(pattern: str, *, path: bool = False, period: bool = False) -> str:
    """The regular expression (of Python's `re`, for str, with DOTALL) for a whole name."""
    any_one = "[^/]" if path else "."
    start = True  # whether a leading dot would be hidden here
    out = []
    at = 0
    while at < len(pattern):
        c = pattern[at]
        at += 1
        hidden = "(?!\\.)" if period and start else ""
        start = path and c == "/"
        if c == "*":
            while pattern[at : at + 1] == "*":
                at += 1
            out.append(hidden + any_one + "*")
        elif c == "?":
            out.append(hidden + any_one)
        elif c == "[":
            source, at = _bracket(pattern, at, path)
            out.append(hidden + source if source != "\\[" else source)
        else:
            if c == "\\" and at < len(pattern):
                c = pattern[at]
                at += 1
            out.append(_escape(c))
    return "".join(out)


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
            name, colon, _ = pattern[at + 2 :].partition(":]")
            if colon and name in _CLASSES:
                members.append(_CLASSES[name])
                at += len(name) + 4
                continue
        low, at = _member(pattern, at)
        high = low
        if pattern[at : at + 1] == "-" and pattern[at + 1 : at + 2] not in ("]", ""):
            high, at = _member(pattern, at + 1)
        if low <= high:
            members.append(_escape(low) if low == high else f"{_escape(low)}-{_escape(high)}")
    no_slash = "(?!/)" if path else ""
    if not members:  # only ranges that run backwards: they hold nothing
        return (no_slash + "." if negated else "(?!)"), at
    return f"{no_slash}[{'^' if negated else ''}{''.join(members)}]", at


def _member(pattern: str, at: int) -> tuple[str, int]:
    two = pattern[at : at + 2]
    if two in ("[.", "[="):
        name, end, _ = pattern[at + 2 :].partition(two[1] + "]")
        if end and len(name) == 1:
            return name, at + 5
    if two[0] == "\\" and len(two) == 2:
        return two[1], at + 2
    return two[0], at + 1
