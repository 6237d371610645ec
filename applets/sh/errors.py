"""How commands leave the evaluator other than by a status."""

from __future__ import annotations


class ShellError(Exception):
    """An error that ends a non-interactive shell, or the command line of an interactive one (XCU 2.8.1)."""

    line = 0  # where, when it is not where the evaluator is

    def __init__(self, message: str, status: int = 2) -> None:
        super().__init__(message)
        self.status = status
        self.reported = False


class SyntaxFault(ShellError):
    """The input is no shell program.  `line` counts from 1; `unfinished` when only more input could help."""

    def __init__(self, message: str, line: int = 0, unfinished: bool = False) -> None:
        super().__init__(f"syntax error: {message}")
        self.line = line
        self.unfinished = unfinished


class RedirectionError(ShellError):
    """A file cannot be opened; fatal only with a special builtin."""

    def __init__(self, message: str) -> None:
        super().__init__(message, 1)


#: What the system or the interpreter refuses in the middle of a command: told, and the command is over.
UNEXPECTED = (OSError, MemoryError, RecursionError)


class Flow(Exception):
    """Control leaves the command that is being evaluated."""


class Break(Flow):
    """`break n` and `continue n`: `levels` loops are still to be left."""

    def __init__(self, levels: int, again: bool) -> None:
        self.levels = levels
        self.again = again


class Return(Flow):
    """`return`: leaves the function, or the file read by `.`."""

    def __init__(self, status: int) -> None:
        self.status = status


class Exit(Flow):
    """`exit`, or -e: the shell (or subshell) ends with `status`."""

    def __init__(self, status: int) -> None:
        self.status = status


class Interrupt(Flow):
    """SIGINT in an interactive shell: back to the prompt."""
