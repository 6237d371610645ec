"""Patterns (POSIX XCU 2.14): translation to regular expressions, and pathname expansion.

A pattern is text in which a backslash quotes the next character.
"""

from __future__ import annotations

import os
import re
import stat

_SPECIAL = re.compile(r"[*?\[\\]")
_TO_QUOTE = re.compile(r"[*?\[\]\\!^-]")
_CLASSES = {
    "alnum": "a-zA-Z0-9",
    "alpha": "a-zA-Z",
    "blank": r" \t",
    "cntrl": r"\x00-\x1f\x7f",
    "digit": "0-9",
    "graph": "!-~",
    "lower": "a-z",
    "print": " -~",
    "punct": r"!-/:-@\[-`{-~",
    "space": r" \t\n\r\f\v",
    "upper": "A-Z",
    "xdigit": "0-9A-Fa-f",
}


def quote(text: str) -> str:
    """`text` as a pattern that matches only itself."""
    return _TO_QUOTE.sub(r"\\\g<0>", text)


def unquote(pattern: str) -> str:
    """What a pattern without special characters matches."""
    return re.sub(r"\\(.)", r"\1", pattern, flags=re.DOTALL) if "\\" in pattern else pattern


def is_pattern(pattern: str) -> bool:
    """Whether the pattern holds an unquoted `*`, `?` or `[`."""
    at = 0
    while match := _SPECIAL.search(pattern, at):
        if match.group() != "\\":
            return match.group() != "[" or "]" in pattern[match.end() :]
        at = match.end() + 1
    return False


def translate(pattern: str, star: str = ".*") -> str:
    """The regular expression (DOTALL) for `pattern`; `star` is what `*` becomes (greedy or not)."""
    got: list[str] = []
    at = 0
    size = len(pattern)
    while at < size:
        c = pattern[at]
        at += 1
        if c == "*":
            while pattern.startswith("*", at):  # ** is *, without the backtracking
                at += 1
            got.append(star)
        elif c == "?":
            got.append(".")
        elif c == "[":
            source, end = _bracket(pattern, at)
            got.append(source)
            at = end
        elif c == "\\" and at < size:
            got.append(re.escape(pattern[at]))
            at += 1
        else:
            got.append(re.escape(c))
    return "".join(got)


def _bracket(pattern: str, at: int) -> tuple[str, int]:
    """A bracket expression that opens before `at`: its regular expression and its end."""
    opening = at
    negated = pattern[at : at + 1] in ("!", "^")
    if negated:
        at += 1
    members: list[str] = []
    first = True
    while True:
        if at >= len(pattern):
            return r"\[", opening  # never closed: a plain [
        c = pattern[at]
        if c == "]" and not first:
            break
        first = False
        if c == "[" and pattern[at + 1 : at + 2] in (":", ".", "="):
            kind = pattern[at + 1]
            end = pattern.find(kind + "]", at + 2)
            if end >= 0:
                name = pattern[at + 2 : end]
                if kind != ":":
                    members.append(re.escape(name[:1]))
                elif name in _CLASSES:
                    members.append(_CLASSES[name])
                else:
                    members.append("")
                at = end + 2
                continue
        low, at = _member(pattern, at)
        if pattern[at : at + 1] == "-" and pattern[at + 1 : at + 2] not in ("]", ""):
            high, at = _member(pattern, at + 1)
            if low <= high:
                members.append(f"{_escape(low)}-{_escape(high)}")
        else:
            members.append(_escape(low))
    inside = "".join(members)
    if not inside:
        return ("." if negated else "(?!)"), at + 1
    return f"[{'^' if negated else ''}{inside}]", at + 1


def _member(pattern: str, at: int) -> tuple[str, int]:
    if pattern[at] == "\\" and at + 1 < len(pattern):
        at += 1
    return pattern[at], at + 1


def _escape(c: str) -> str:
    return "\\" + c if c in r"\]^-[&~|" else c


class Patterns:
    """Compiled patterns, remembered, because loops use the same ones again."""

    def __init__(self) -> None:
        self._compiled: dict[tuple[str, str], re.Pattern[str]] = {}

    def compile(self, pattern: str, kind: str) -> re.Pattern[str]:
        """`kind`: "whole", "#", "##", "%", "%%" (the rest is group 1 with %) or "any" (for `/`)."""
        key = (pattern, kind)
        compiled = self._compiled.get(key)
        if compiled is None:
            source = translate(pattern, ".*?" if kind in ("#", "%") else ".*")
            if kind == "%":
                source = rf"(.*)(?:{source})\Z"
            elif kind == "%%":
                source = rf"(.*?)(?:{source})\Z"
            elif kind == "whole":
                source += r"\Z"
            if len(self._compiled) > 500:
                self._compiled.clear()
            compiled = self._compiled[key] = re.compile(source, re.DOTALL)
        return compiled

    def matches(self, pattern: str, text: str) -> bool:
        """Whether the whole `text` matches (case)."""
        if pattern == "*" or (pattern == text and "\\" not in pattern and "[" not in pattern):
            return True
        return self.compile(pattern, "whole").match(text) is not None

    def remove(self, operator: str, pattern: str, text: str) -> str:
        """`${text#pattern}` and its three brothers."""
        if not pattern:
            return text
        match = self.compile(pattern, operator).match(text)
        if not match:
            return text
        return text[match.end() :] if operator[0] == "#" else match.group(1)

    def glob(self, pattern: str) -> list[str]:
        """The existing pathnames that match, sorted; empty when there are none."""
        found = [""]
        parts = re.split("(/+)", pattern)
        for index in range(0, len(parts), 2):
            name = parts[index]
            slash = parts[index + 1] if index + 1 < len(parts) else ""
            if not name:
                found = [prefix + slash for prefix in found]
            elif is_pattern(name):
                found = [
                    prefix + match + slash
                    for prefix in found
                    for match in self._directory(prefix, name, bool(slash))
                ]
            else:
                plain = unquote(name)
                found = [prefix + plain + slash for prefix in found]
                if len(found) > 1 or index + 2 >= len(parts) or index:
                    found = [path for path in found if os.path.lexists(path)]
            if not found:
                return []
        found = [path for path in found if os.path.lexists(path)]
        return sorted(found, key=os.fsencode)

    def _directory(self, directory: str, name: str, only_directories: bool) -> list[str]:
        """The entries of one directory that match one component."""
        try:
            entries = os.listdir(directory or ".")
        except OSError:
            return []
        hidden = name[0] == "." or name.startswith("\\.")
        if hidden:
            entries += [".", ".."]
        match = self.compile(name, "whole").match
        got = [e for e in entries if match(e) and (hidden or e[0] != ".")]
        if only_directories:
            got = [e for e in got if _is_directory(directory + e)]
        return got


def _is_directory(path: str) -> bool:
    try:
        return stat.S_ISDIR(os.stat(path).st_mode)
    except OSError:
        return False
