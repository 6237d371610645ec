"""find's command line: words to one function that is called for each file."""

from __future__ import annotations

import os
import time

from toolbox.errors import UsageError
from toolbox.options import whole

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from applets.findutils.find.actions import File
    from toolbox.walk import Visit

    Test = Callable[[Visit], Any]


class Expression:
    """A parsed expression.

    test: to be called for each file; least, most: depths; depth_first, one_device, follow: how to walk;
    files_from: where the names of the trees are listed
    """

    def __init__(self, words: list[str], follow: str) -> None:
        self.words = words
        self.at = 0
        self.follow = follow
        self.least = 0
        self.most: int | None = None
        self.depth_first = False
        self.one_device = False
        self.files_from: str | None = None
        self.regex_type = "emacs"
        self.now = time.time()
        self.day_start: float | None = None
        self.acted = False  # whether there is an action besides -prune and -quit
        self.directory_done: list[Callable[[Visit], None]] = []
        self.finishers: list[Callable[[], int]] = []
        self.files: list[File] = []  # that actions write to
        self._settings()
        self.test = self._whole()

    # -- at run time -----------------------------------------------------------------------

    def left(self, visit: Visit) -> None:
        """The walk leaves a directory: run what -execdir collected in it."""
        for done in self.directory_done:
            done(visit)

    def finish(self) -> int:
        """Run what is still collected, close files; returns the exit status."""
        return max([finisher() for finisher in self.finishers], default=0)

    # -- parsing ---------------------------------------------------------------------------

    def _settings(self) -> None:
        """Settings hold for the whole expression, wherever they stand."""
        from applets.findutils.find.tests import arity

        at = 0
        words = self.words
        while at < len(words):
            word = words[at]
            if word in ("-depth", "-d", "-delete"):
                self.depth_first = True
            elif word in ("-xdev", "-mount"):
                self.one_device = True
            elif word == "-follow":
                self.follow = "always"
            elif word == "-maxdepth" and at + 1 < len(words):
                self.most = _level(word, words[at + 1])
            elif word == "-mindepth" and at + 1 < len(words):
                self.least = _level(word, words[at + 1])
            elif word == "-files0-from" and at + 1 < len(words):
                self.files_from = words[at + 1]
            at = self._after_command(at) if word in _COMMANDS else at + 1 + arity(word)

    def _after_command(self, at: int) -> int:
        words = self.words
        at += 1
        while at < len(words):
            if words[at] == ";" or (words[at] == "+" and words[at - 1] == "{}"):
                return at + 1
            at += 1
        return at

    def peek(self) -> str | None:
        """The next word."""
        return self.words[self.at] if self.at < len(self.words) else None

    def argument(self, name: str) -> str:
        """The next word, as argument of `name`."""
        if self.at >= len(self.words):
            raise UsageError(f"missing argument to {name!r}")
        self.at += 1
        return self.words[self.at - 1]

    def command(self, name: str) -> tuple[list[str], bool]:
        """The words of a command up to `;` or `{} +`, and whether it was the latter."""
        words: list[str] = []
        while True:
            word = self.argument(name)
            if word == ";":
                break
            if word == "+" and words[-1:] == ["{}"]:
                return words[:-1], True
            words.append(word)
        if not words:
            raise UsageError(f"missing argument to {name!r}")
        return words, False

    def _whole(self) -> Test:
        if not self.words:
            test: Test = _true
        else:
            test = self._comma()
        if self.at < len(self.words):
            word = self.words[self.at]
            raise UsageError(
                "you have too many ')'"
                if word == ")"
                else f"paths must precede expression: {word!r}"
            )
        if self.acted:
            return test
        from applets.findutils.find.actions import printer

        show = printer(self, None, b"\n")
        return show if test is _true else lambda visit: test(visit) and show(visit)

    def _comma(self) -> Test:
        first = self._or()
        while self.peek() == ",":
            self.at += 1
            first = _both(first, self._or())
        return first

    def _or(self) -> Test:
        first = self._and()
        while self.peek() in ("-o", "-or"):
            self.at += 1
            first = _either(first, self._and())
        return first

    def _and(self) -> Test:
        first = self._not()
        while (word := self.peek()) not in (None, ")", ",", "-o", "-or"):
            if word in ("-a", "-and"):
                self.at += 1
            second = self._not()
            first = _conjunction(first, second)
        return first

    def _not(self) -> Test:
        negated = False
        while self.peek() in ("!", "-not"):
            negated = not negated
            self.at += 1
        test = self._primary()
        return (lambda visit: not test(visit)) if negated else test

    def _primary(self) -> Test:
        word = self.peek()
        if word is None:
            before = self.words[self.at - 1] if self.at else ""
            raise UsageError(f"expected an expression after {before!r}")
        self.at += 1
        if word == "(":
            if self.peek() == ")":
                raise UsageError("invalid expression: empty parentheses are not allowed")
            test = self._comma()
            if self.peek() != ")":
                raise UsageError("invalid expression: ')' is missing")
            self.at += 1
            return test
        if not word.startswith("-") or word in ("-a", "-and", "-o", "-or"):
            if word in (")", ",", "-a", "-and", "-o", "-or"):
                raise UsageError(f"invalid expression: nothing before {word!r}")
            raise UsageError(f"paths must precede expression: {word!r}")
        from applets.findutils.find.actions import action
        from applets.findutils.find.tests import test as find_test

        found = find_test(self, word) or action(self, word)
        if found is None:
            raise UsageError(f"unknown predicate {word!r}")
        return found

    def reference(self) -> float:
        """The time that ages count from: now, or with -daystart the end of today."""
        return self.now if self.day_start is None else self.day_start + 86400

    def start_at_day(self) -> None:
        """-daystart."""
        today = time.localtime(self.now)
        self.day_start = time.mktime((*today[:3], 0, 0, 0, 0, 0, -1))


_COMMANDS = ("-exec", "-execdir", "-ok", "-okdir")


def _level(name: str, text: str) -> int:
    if not (text.isascii() and text.isdecimal()):
        raise UsageError(f"{name}: {text!r} is not a number of levels")
    return whole(text, f"number of levels for {name}", least=0)


def _true(visit: Visit) -> bool:
    return True


def _conjunction(first: Test, second: Test) -> Test:
    if first is _true:
        return second
    return lambda visit: first(visit) and second(visit)


def _either(first: Test, second: Test) -> Test:
    return lambda visit: first(visit) or second(visit)


def _both(first: Test, second: Test) -> Test:
    def test(visit: Visit) -> Any:
        first(visit)
        return second(visit)

    return test


def always(value: bool) -> Test:
    """A test that is always true, or always false."""
    return _true if value else lambda visit: False


def path_bytes(visit: Visit) -> bytes:
    """The path as it is printed."""
    return os.fsencode(visit.path)
