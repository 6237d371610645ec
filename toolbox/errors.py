"""How an applet fails: what to raise, what to warn, and the one place that turns either into words.

An applet raises, and returns its status; it never prints an error itself.

* `UsageError`: the command line is wrong.  Printed with a pointer to --help.
* `Fatal`: the work cannot go on, for a reason that is no OSError.
* `OSError`: raised by the system; left to escape.
* `warn`: this operand failed, the others go on; the status becomes at least 1.

`Run` is one call of one applet: its name for messages and the worst status it warned of.
The dispatcher makes one for each call; calls nest when the shell runs an applet in its own process.
"""

from __future__ import annotations

import os
import sys

from toolbox.harmless import harmless

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType


#: The one control character that a line may hold.
_TAB = "\t"


class UsageError(Exception):
    """The command line cannot be understood; the text says which word and why."""


class Fatal(Exception):
    """The work cannot go on.  `status` is the exit status (1 to 255)."""

    def __init__(self, message: str, status: int = 1) -> None:
        super().__init__(message)
        self.status = status


class Run:
    """One call of an applet: `name` starts its messages, `status` is the worst it warned of."""

    __slots__ = ("name", "status")

    def __init__(self, name: str) -> None:
        self.name = name
        self.status = 0

    def __enter__(self) -> Run:
        _runs.append(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        _runs.remove(self)


# A stack, because the shell may call an applet while one of its own builtins runs.
_runs: list[Run] = []


def current() -> Run:
    """The innermost call under way; outside of any (a library use) a fresh one without a name."""
    return _runs[-1] if _runs else Run("")


def describe(error: BaseException) -> str:
    """The words for an error: `FILE: strerror` for an OSError that names a file."""
    if isinstance(error, OSError) and error.strerror:
        names = [os.fsdecode(n) for n in (error.filename, error.filename2) if _is_path(n)]
        return f"{' -> '.join(names)}: {error.strerror}" if names else error.strerror
    return str(error) or type(error).__name__


def warn(what: str | BaseException, status: int = 1) -> None:
    """Print `NAME: what` on standard error; the run's final status becomes at least `status`."""
    run = current()
    run.status = max(run.status, status)
    text = what if isinstance(what, str) else describe(what)
    say(f"{run.name}: {text}" if run.name else text)


def say(*lines: str) -> None:
    """Write lines to standard error in a single write, so that those of processes don't mix.

    Each argument is one line whatever it holds: names and words of others, which most messages contain, can
    neither begin another line nor command the terminal.
    """
    _write("".join([f"{harmless(line, keep=_TAB)}\n" for line in lines]))


def echo(text: str) -> None:
    """Write what the reader has typed himself (a shell's -v and -x) to standard error as it is, and an end of line."""
    _write(f"{text}\n")


def _write(text: str) -> None:
    try:
        # What was written to standard output before the error must be seen before it.
        if sys.stdout is not None:
            sys.stdout.flush()
    except (OSError, ValueError):
        pass  # the dispatcher's own flush reports it
    try:
        os.write(2, text.encode("utf-8", "surrogateescape"))
    except OSError:
        pass  # nobody listens, and there is nobody else to tell


def _is_path(name: object) -> bool:
    return isinstance(name, (str, bytes))
