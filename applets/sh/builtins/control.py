"""Builtins that change where control goes: break, return, exit, eval, `.`, exec."""

from __future__ import annotations

import os

from applets.sh.builtins.arguments import number
from applets.sh.errors import Break, Exit, Return, ShellError
from applets.sh.run.programs import replace
from applets.sh.syntax.source import Text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from applets.sh.shell.state import State


def colon(shell: State, argv: list[str]) -> int:
    """Do nothing."""
    return 0


def _operands(argv: list[str]) -> list[str]:
    return argv[2:] if argv[1:2] == ["--"] else argv[1:]


def _leave_loops(shell: State, argv: list[str], again: bool) -> int:
    operands = _operands(argv)
    levels = number(operands[0]) if operands else 1
    if levels < 1:
        raise ShellError(f"Illegal number: {operands[0]}")
    if shell.loops:
        raise Break(min(levels, shell.loops), again)
    return 0


def break_(shell: State, argv: list[str]) -> int:
    """break [N]: leave N loops."""
    return _leave_loops(shell, argv, False)


def continue_(shell: State, argv: list[str]) -> int:
    """continue [N]: go on with the next round of the Nth loop."""
    return _leave_loops(shell, argv, True)


def _status(shell: State, argv: list[str]) -> int:
    """The operand; else $?, which in a trap's action is the status from before it (XCU exit, return)."""
    operands = _operands(argv)
    if operands:
        return number(operands[0]) & 0xFF
    before = shell.traps.status_before
    return shell.status if before is None else before


def return_(shell: State, argv: list[str]) -> int:
    """return [N]: leave the function or the `.` file."""
    raise Return(_status(shell, argv))


def exit_(shell: State, argv: list[str]) -> int:
    """exit [N]: leave the shell."""
    raise Exit(_status(shell, argv))


def eval_(shell: State, argv: list[str]) -> int:
    """eval WORD...: the words, joined by blanks, as a program."""
    text = " ".join(_operands(argv))
    if not text.strip():
        return 0
    shell.command = ""
    return shell.runner.run_text(shell, text, shell.line)


def dot(shell: State, argv: list[str]) -> int:
    """. FILE [ARG]...: run a file's commands in this shell."""
    operands = _operands(argv)
    if not operands:
        raise ShellError("filename argument required")
    path = _find(shell, operands[0])
    text = read_file(path)
    shell.command = path
    params, loops, line = shell.params, shell.loops, shell.line
    if operands[1:]:
        shell.params = operands[1:]
    shell.sourced += 1
    try:
        return shell.runner.run_lines(shell, Text(text, shell.echo))
    except Return as leave:
        return leave.status
    finally:
        shell.sourced -= 1
        shell.line = line
        if operands[1:]:
            shell.params, shell.loops = params, loops


def _find(shell: State, name: str) -> str:
    """A file without a slash is looked for in PATH (it need not be executable), then here."""
    if "/" not in name:
        for folder in (shell.get("PATH") or "").split(":"):
            path = os.path.join(folder, name)
            if os.path.isfile(path) and os.access(path, os.R_OK):
                return path
    return name


def read_file(path: str) -> str:
    """A script's text; raises ShellError."""
    try:
        with open(path, "rb", 0) as file:
            return os.fsdecode(file.readall().replace(b"\0", b""))
    except OSError as error:
        raise ShellError(f"can't open '{path}': {error.strerror}") from None


def exec_(shell: State, argv: list[str]) -> int:
    """exec [COMMAND [ARG]...]: become the command; without one, redirections stay."""
    operands = _operands(argv)
    if not operands:
        return 0
    try:
        replace(shell, operands)
    except Exit as leave:
        if "i" in shell.flags and leave.status in (126, 127):
            return leave.status
        shell.traps.actions.pop(0, None)
        raise
