"""The tree is walked (POSIX XCU 2.9): one function for each kind of node, found by its type.

Every function returns the command's status and leaves it in `shell.status`.  Commands with a name are
in commands.py; jobs.py waits for processes.  The module is the shell's `runner` (shell.state.Runner): by it
what lies below, such as a substitution in a word, comes back up here.
"""

from __future__ import annotations

import os
import sys

from applets.sh.errors import (
    UNEXPECTED,
    Break,
    Exit,
    Flow,
    RedirectionError,
    Return,
    ShellError,
)
from applets.sh.expand import expansion
from applets.sh.run import jobs, redirection
from applets.sh.run.commands import run_simple, tail_simple
from applets.sh.run.substitution import substitute
from applets.sh.run.traps import run_exit, run_pending
from applets.sh.syntax.nodes import (
    AndOr,
    Background,
    Case,
    For,
    Function,
    If,
    Loop,
    Node,
    Pipeline,
    Redirected,
    Sequence,
    Simple,
    Subshell,
)
from applets.sh.syntax.parser import Parser
from applets.sh.syntax.source import Text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn, TypeVar

    from applets.sh.shell.state import State
    from applets.sh.syntax.source import Lines

    _N = TypeVar("_N", bound=Node)


def run(shell: State, node: Node) -> int:
    """Evaluate one command."""
    return RUN[type(node)](shell, node)


def run_text(shell: State, text: str, line: int = 1) -> int:
    """Evaluate program text (eval, traps)."""
    return run_lines(shell, Text(text), line)


def run_lines(shell: State, lines: Lines, line: int = 1, last: bool = False) -> int:
    """Evaluate a whole program; `last`: the shell ends with it, so the last command may replace it."""
    parser = Parser.of(lines, shell.aliases, line)
    status = 0
    while (node := parser.command()) is not None:
        if "n" in shell.flags and "i" not in shell.flags:
            continue
        if last and parser.at_end():
            return run_tail(shell, node)
        status = RUN[type(node)](shell, node)
    return status


def run_sequence(shell: State, node: Sequence) -> int:
    """One after the other."""
    status = 0
    for item in node.items:
        status = RUN[type(item)](shell, item)
        if "n" in shell.flags and "i" not in shell.flags:
            break
    return status


def run_and_or(shell: State, node: AndOr) -> int:
    """`&&` and `||`: -e looks only at the last command."""
    shell.tested += 1
    try:
        status = RUN[type(node.first)](shell, node.first)
        for operator, command in node.rest[:-1]:
            if (status == 0) == (operator == "&&"):
                status = RUN[type(command)](shell, command)
    finally:
        shell.tested -= 1
    operator, command = node.rest[-1]
    if (status == 0) == (operator == "&&"):
        status = RUN[type(command)](shell, command)
    return status


def run_if(shell: State, node: If) -> int:
    """`if`: the first branch whose condition is true."""
    for condition, body in node.branches:
        shell.tested += 1
        try:
            status = RUN[type(condition)](shell, condition)
        finally:
            shell.tested -= 1
        if status == 0:
            return RUN[type(body)](shell, body)
    if node.otherwise is not None:
        return RUN[type(node.otherwise)](shell, node.otherwise)
    shell.status = 0
    return 0


def run_loop(shell: State, node: Loop) -> int:
    """`while` and `until`."""
    status = 0
    condition, body, until = node.condition, node.body, node.until
    run_condition, run_body = RUN[type(condition)], RUN[type(body)]
    shell.loops += 1
    try:
        while True:
            try:
                shell.tested += 1
                try:
                    ended = (run_condition(shell, condition) != 0) != until
                finally:
                    shell.tested -= 1
                if ended:
                    break
                status = run_body(shell, body)
            except Break as leave:
                shell.status = status = 0
                if _leaves(leave):
                    break
                if shell.traps.pending:
                    run_pending(shell)
    finally:
        shell.loops -= 1
    shell.status = status
    return status


def run_for(shell: State, node: For) -> int:
    """`for`."""
    shell.line = node.line
    values = list(shell.params) if node.words is None else expansion.words(shell, node.words)
    status = 0
    body, run_body = node.body, RUN[type(node.body)]
    shell.loops += 1
    try:
        for value in values:
            shell.set(node.name, value)
            try:
                status = run_body(shell, body)
            except Break as leave:
                shell.status = status = 0
                if _leaves(leave):
                    break
    finally:
        shell.loops -= 1
    shell.status = status
    return status


def _leaves(leave: Break) -> bool:
    """Whether `break` or `continue` ends this loop; raises it on to an outer one."""
    if leave.levels > 1:
        leave.levels -= 1
        raise leave
    return not leave.again


def run_case(shell: State, node: Case) -> int:
    """`case`."""
    shell.line = node.line
    word = expansion.text(shell, node.word)
    status = 0
    falling = False
    for item in node.items:
        if falling or any(
            shell.patterns.matches(expansion.pattern(shell, pattern), word)
            for pattern in item.patterns
        ):
            status = 0
            if item.body is not None:
                status = RUN[type(item.body)](shell, item.body)
            elif not item.falls:
                shell.status = 0
            falling = item.falls
            if not falling:
                return status
    if not falling:
        shell.status = status
    return status


def run_function_definition(shell: State, node: Function) -> int:
    """`name() command`."""
    shell.functions[node.name] = node.body
    shell.status = 0
    return 0


def run_redirected(shell: State, node: Redirected) -> int:
    """A compound command with redirections: when they fail it does not run."""
    shell.line = node.line
    try:
        applied = redirection.apply(shell, node.redirections)
    except RedirectionError as error:
        return failed(shell, error.status)
    with applied:
        return RUN[type(node.command)](shell, node.command)


def failed(shell: State, status: int) -> int:
    """The end of a command that counts for -e."""
    shell.status = status
    if shell.traps.pending:
        run_pending(shell)
    if status and "e" in shell.flags and not shell.tested:
        raise Exit(status)
    return status


def run_subshell(shell: State, node: Subshell) -> int:
    """`( list )` in a fork."""
    status = jobs.foreground(shell, [node.body], node.text)
    return failed(shell, status)


def run_pipeline(shell: State, node: Pipeline) -> int:
    """`a | b | c`, each in a fork; `!`."""
    if node.negated:
        shell.tested += 1
        try:
            if len(node.commands) == 1:
                status = RUN[type(node.commands[0])](shell, node.commands[0])
            else:
                status = jobs.foreground(shell, node.commands, node.text)
        finally:
            shell.tested -= 1
        shell.status = status = 0 if status else 1
        return status
    status = jobs.foreground(shell, node.commands, node.text)
    return failed(shell, status)


def run_background(shell: State, node: Background) -> int:
    """`command &`."""
    command = node.command
    several = isinstance(command, Pipeline) and not command.negated
    commands = command.commands if isinstance(command, Pipeline) and several else [command]
    jobs.background(shell, commands, node.text)
    shell.status = 0
    return 0


def may_stay(shell: State) -> bool:
    """Whether nobody would notice that a subshell runs in this process, which ends with it."""
    return not (shell.traps.actions or "m" in shell.flags or "i" in shell.flags)


def tail_pipeline(shell: State, node: Pipeline) -> int:
    """A pipeline that is the last of this process: its last command runs here."""
    with jobs.feeding(shell, node.commands[:-1]):
        shell.enter_subshell(False)
        last = node.commands[-1]
        return run(shell, last.body if isinstance(last, Subshell) else last)


def run_tail(shell: State, node: Node) -> int:
    """Evaluate what this process does last: an external program then takes the process's place, and a
    subshell or the last command of a pipeline needs no process of its own.
    """
    if isinstance(node, Simple):
        return tail_simple(shell, node)
    if isinstance(node, (Subshell, Pipeline)) and may_stay(shell):
        if isinstance(node, Subshell):
            shell.enter_subshell(False)
            return run_tail(shell, node.body)
        if not node.negated and "pipefail" not in shell.flags:
            return tail_pipeline(shell, node)
    if isinstance(node, Sequence):
        for item in node.items[:-1]:
            status = run(shell, item)
            if "n" in shell.flags:
                return status
        return run_tail(shell, node.items[-1])
    return run(shell, node)


def _row(
    kind: type[_N], function: Callable[[State, _N], int]
) -> tuple[type[Node], Callable[[State, Any], int]]:
    """A row of RUN: the function is held to take this kind of node."""
    return kind, function


RUN: dict[type[Node], Callable[[State, Any], int]] = dict(
    [
        _row(Simple, run_simple),
        _row(Sequence, run_sequence),
        _row(AndOr, run_and_or),
        _row(If, run_if),
        _row(Loop, run_loop),
        _row(For, run_for),
        _row(Case, run_case),
        _row(Function, run_function_definition),
        _row(Redirected, run_redirected),
        _row(Subshell, run_subshell),
        _row(Pipeline, run_pipeline),
        _row(Background, run_background),
    ]
)


# The end of a shell or subshell


def finish(shell: State, body: Callable[[], int]) -> int:
    """Run `body`, turn whatever ends it into a status, and run the EXIT trap."""
    try:
        status = body()
        if shell.traps.pending:
            shell.status = status
            run_pending(shell)
            status = shell.status
    except Exit as leave:
        status = leave.status
    except ShellError as error:
        status = shell.report(error)
    except UNEXPECTED as error:
        status = shell.refused(error)
    except Return as returned:
        status = returned.status
    except Flow:
        status = shell.status
    return run_exit(shell, status)


def leave(shell: State, body: Callable[[], int], keep_traps: bool = False) -> NoReturn:
    """In a forked child: run `body` as a subshell and end the process with its status."""
    status = 2
    try:
        shell.enter_subshell(keep_traps)
        status = finish(shell, body)
        if sys.stdout is not None:
            sys.stdout.flush()
    except BaseException as error:
        # Nothing may escape into the code that the parent goes on with.
        shell.complain(f"{type(error).__name__}: {error}")
    finally:
        os._exit(status & 0xFF)


__all__ = ["RUN", "leave", "run", "run_lines", "run_tail", "run_text", "substitute"]
