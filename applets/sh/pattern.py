"""Patterns in the shell (POSIX XCU 2.14): case, the parts of a value, pathname expansion.

A pattern is text in which a backslash quotes the next character.
"""

from __future__ import annotations

import os
import re
import stat

from toolbox.patterns import longest, matcher, mirrored, segments, shortest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_SPECIAL = re.compile(r"[*?\[\\]")
_TO_QUOTE = re.compile(r"[*?\[\]\\!^-]")

#: How many compiled patterns are remembered.
_MOST = 500


def quote(text: str) -> str:
    """`text` as a pattern that matches only itself."""
    return _TO_QUOTE.sub(r"\\\g<0>", text)


def unquote(pattern: str) -> str:
    """What a pattern without special characters matches."""
    return re.sub(r"\\(.)", r"\1", pattern, flags=re.DOTALL) if "\\" in pattern else pattern


def is_pattern(pattern: str) -> bool:
    """Whether the pattern holds an unquoted `*`, `?` or `[`."""
    at = 0
    closing = pattern.rfind("]")
    while match := _SPECIAL.search(pattern, at):
        if match.group() != "\\":
            if match.group() != "[" or closing > match.start():
                return True
            at = match.end()
        else:
            at = match.end() + 1
    return False


class Patterns:
    """Compiled patterns, remembered, because loops use the same ones again."""

    def __init__(self) -> None:
        self._tests: dict[str, Callable[[str], bool]] = {}
        self._compiled: dict[tuple[str, str], re.Pattern[str]] = {}

    def matcher(self, pattern: str) -> Callable[[str], bool]:
        """A test whether a whole text matches."""
        test = self._tests.get(pattern)
        if test is None:
            if len(self._tests) > _MOST:
                self._tests.clear()
            test = self._tests[pattern] = matcher(pattern)
        return test

    def _compile(self, pattern: str, kind: str) -> re.Pattern[str]:
        """An expression for the start of a text; `kind`: "#", "##", "%", "%%" or "/".

        % and %% are for a text that is read from its end.  / is for all the text: group 1 is what comes
        before the match, group 2 the match.  What does not match behind the first place of the first
        segment does not match behind a later one, so that a search at every place would be in vain.
        """
        key = (pattern, kind)
        compiled = self._compiled.get(key)
        if compiled is None:
            parts = segments(pattern)
            if kind == "/":
                first = "".join(parts[0])
                source = f"(?>(.*?)(?={first}))({longest(parts)})"
            else:
                if kind[0] == "%":
                    parts = mirrored(parts)
                source = shortest(parts) if len(kind) == 1 else longest(parts)
            if len(self._compiled) > _MOST:
                self._compiled.clear()
            compiled = self._compiled[key] = re.compile(source, re.DOTALL)
        return compiled

    def matches(self, pattern: str, text: str) -> bool:
        """Whether the whole `text` matches (case)."""
        return self.matcher(pattern)(text)

    def remove(self, operator: str, pattern: str, text: str) -> str:
        """`${text#pattern}` and its three brothers."""
        if not pattern:
            return text
        compiled = self._compile(pattern, operator)
        if operator[0] == "#":
            match = compiled.match(text)
            return text[match.end() :] if match else text
        match = compiled.match(text[::-1])
        return text[: len(text) - match.end()] if match else text

    def replace(self, pattern: str, replacement: str, text: str, every: bool) -> str:
        """`${text/pattern/replacement}`, with `every` `${text//pattern/replacement}`."""
        if not text:
            return replacement if self.matches(pattern, "") else ""
        if not is_pattern(pattern):
            return text.replace(unquote(pattern), replacement, -1 if every else 1)
        search = self._compile(pattern, "/").match
        pieces = []
        at = 0
        while (match := search(text, at)) and match.end() > match.start(2):
            pieces += [match.group(1), replacement]
            at = match.end()
            if not every:
                break
        return "".join(pieces) + text[at:]

    def glob(self, pattern: str) -> list[str]:
        """The existing pathnames that match, sorted; empty when there are none."""
        found = [""]
        if "\\/" in pattern:  # a slash is itself, quoted or not
            pattern = re.sub(
                r"\\(.)", lambda m: "/" if m[1] == "/" else m[0], pattern, flags=re.DOTALL
            )
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
        match = self.matcher(name)
        got = [e for e in entries if match(e) and (hidden or e[0] != ".")]
        if only_directories:
            got = [e for e in got if _is_directory(directory + e)]
        return got


def _is_directory(path: str) -> bool:
    try:
        return stat.S_ISDIR(os.stat(path).st_mode)
    except OSError:
        return False
