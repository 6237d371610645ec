"""The command line of ./dev: each command knows its options, and a slip gets the nearest right word."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

#: Options of every command.
HELP = ("-h", "--help")
YES = "--yes"


class UsageError(Exception):
    """A command line that cannot be meant; the text is one line."""


@dataclass(frozen=True)
class Command:
    """A command: what it runs, and what it may be given."""

    #: Gets the options that were given and the other words; its docstring is the help.
    run: Callable[[frozenset[str], list[str]], int]
    options: tuple[str, ...] = ()
    #: The name of its one other word, if it takes any; "...": all words are another program's business.
    word: str = ""

    def usage(self, name: str) -> str:
        """One line."""
        options = [f"[{option}]" for option in (*self.options, YES)]
        word = [f"[{self.word}]"] if self.word else []
        return " ".join(["usage: ./dev", name, *options, *word])

    def help(self, name: str) -> str:
        """The usage and what the command does."""
        return f"{self.usage(name)}\n\n{inspect.cleandoc(self.run.__doc__ or '')}\n"


@dataclass(frozen=True)
class Line:
    """A command line that was understood."""

    name: str
    command: Command
    options: frozenset[str] = field(default_factory=frozenset)
    words: tuple[str, ...] = ()
    yes: bool = False
    help: bool = False


def parse(argv: list[str], commands: Mapping[str, Command]) -> Line | None:
    """What a command line means; nothing when it asks for the help of ./dev itself.  UsageError says what is wrong."""
    yes = YES in argv
    words = [word for word in argv if word != YES]
    if not words:
        raise UsageError("which command?")
    name, *words = words
    if name in HELP:
        return None
    if name.startswith("-"):
        raise UsageError(f"unknown option {name}{_nearest(name, [YES, *HELP])}")
    if name not in commands:
        raise UsageError(f"unknown command {name}{_nearest(name, commands)}")
    command = commands[name]
    if any(word in HELP for word in words):
        return Line(name, command, help=True)
    options = frozenset(word for word in words if word in command.options)
    words = [word for word in words if word not in options]
    if not command.word.endswith("..."):
        for word in words:
            if word.startswith("-"):
                near = _nearest(word, [*command.options, YES, *HELP])
                raise UsageError(f"{name}: unknown option {word}{near}")
        if len(words) > bool(command.word):
            raise UsageError(f"{name}: too many words: {' '.join(words)}; {command.usage(name)}")
    return Line(name, command, options, tuple(words), yes)


def _nearest(word: str, known: Iterable[str]) -> str:
    known = list(known)
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    return f": did you mean {near[0]}?" if near else f" (there is {', '.join(known)})"
