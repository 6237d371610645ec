"""Field splitting (POSIX XCU 2.6.5) and pathname expansion (2.6.6) while a word is being expanded.

A field is a list of runs: pieces of text, quoted or not.  IFS is looked at only in what an expansion
gave; the state between two expansions is one flag: whether white space has just ended a field.
"""

from __future__ import annotations

import re

from applets.sh.pattern import is_pattern, quote
from applets.sh.syntax.nodes import may_match

TYPE_CHECKING = False
if TYPE_CHECKING:
    from applets.sh.shell.state import State

DEFAULT_IFS = " \t\n"


class Fields:
    """The fields of one word."""

    __slots__ = ("_after_space", "_done", "_ifs", "_open", "_runs", "_shell")

    def __init__(self, shell: State) -> None:
        self._shell = shell
        self._done: list[str] = []
        self._runs: list[tuple[str, bool]] = []
        self._open = False  # there is a field, though it may be empty
        self._after_space = False
        ifs = shell.vars.get("IFS")
        self._ifs = DEFAULT_IFS if ifs is None else ifs

    def add(self, text: str, quoted: bool) -> None:
        """Text that is not split."""
        self._runs.append((text, quoted))
        self._open = True
        self._after_space = False

    def split(self, text: str) -> None:
        """Text that came from an unquoted expansion."""
        ifs = self._ifs
        if ifs != DEFAULT_IFS:
            self._split_by(text, ifs)
            return
        if "\n" in text:
            text = text.replace("\n", " ")
        if "\t" in text:
            text = text.replace("\t", " ")
        pieces = text.split(" ")
        if pieces[0]:
            self._runs.append((pieces[0], False))
            self._open = True
            self._after_space = False
        for index in range(1, len(pieces)):
            if self._open:
                self.end()
                self._after_space = True
            if pieces[index]:
                self._runs.append((pieces[index], False))
                self._open = True
                self._after_space = False

    def _split_by(self, text: str, ifs: str) -> None:
        at = 0
        for match in delimiters(ifs).finditer(text) if ifs else ():
            if match.start() > at:
                self.add(text[at : match.start()], False)
            at = match.end()
            if match.group(1):
                if self._open:
                    self.end()
                elif self._after_space:
                    self._after_space = False
                else:
                    self._done.append("")
            elif self._open:
                self.end()
                self._after_space = True
        if at < len(text):
            self.add(text[at:], False)

    def end(self) -> None:
        """A field ends here, when there is one."""
        if not self._open:
            return
        runs = self._runs
        self._runs = []
        self._open = False
        text = runs[0][0] if len(runs) == 1 else "".join([run for run, _ in runs])
        if may_match(text) and "f" not in self._shell.flags:
            found = self._pathnames(runs)
            if found:
                self._done += found
                return
        self._done.append(text)

    def _pathnames(self, runs: list[tuple[str, bool]]) -> list[str]:
        if not may_match("".join([text for text, quoted in runs if not quoted])):
            return []
        pattern = "".join([quote(text) if quoted else text for text, quoted in runs])
        if not is_pattern(pattern):
            return []  # every special character came with a backslash, and stays as it is
        return self._shell.patterns.glob(pattern)

    def done(self) -> list[str]:
        """All the fields."""
        self.end()
        return self._done


def delimiters(ifs: str) -> re.Pattern[str]:
    """What separates fields: a non-white character of IFS (group 1) with IFS's white space around it,
    or that white space alone.  `re` remembers the compiled pattern."""
    space = "".join(c for c in DEFAULT_IFS if c in ifs)
    other = "".join(c for c in ifs if c not in DEFAULT_IFS)
    around = f"[{space}]*" if space else ""
    if not other:
        return re.compile(f"[{space}]+()")
    other = "".join("\\" + c if not c.isalnum() else c for c in other)
    alone = f"|[{space}]+" if space else ""
    return re.compile(f"{around}([{other}]){around}{alone}")
