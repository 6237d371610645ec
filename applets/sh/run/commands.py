"""Simple commands (POSIX XCU 2.9.1): assignments, redirections, and finding what a name means.

The order is POSIX's: special builtins, functions, builtins, then what PATH and our applets have (programs.py).
"""

from __future__ import annotations

from applets.sh.errors import Exit, RedirectionError, Return, ShellError
from applets.sh.expand import expansion
from applets.sh.expand.prompts import expanded
from applets.sh.run import redirection
from applets.sh.run.programs import replace, run_program
from applets.sh.run.traps import run_pending
from applets.sh.syntax.quoting import quoted, traced

TYPE_CHECKING = False
if TYPE_CHECKING:
    from applets.sh.shell.state import Builtin, Saved, State
    from applets.sh.syntax.nodes import Assignment, Node, Simple


def run_simple(shell: State, node: Simple) -> int:
    """Evaluate a simple command."""
    status = _run(shell, node, False)
    shell.status = status
    if shell.traps.pending:
        run_pending(shell)
        status = shell.status
    if status and "e" in shell.flags and not shell.tested:
        raise Exit(status)
    return status


def tail_simple(shell: State, node: Simple) -> int:
    """The last command of this process: an external program replaces it."""
    # A trap must run after the command, so the shell must stay.
    return _run(shell, node, not shell.traps.actions)


def _run(shell: State, node: Simple, tail: bool) -> int:
    shell.line = node.line
    if node.static is not None:
        argv = node.static[:]
    else:
        shell.substituted = 0
        argv = expansion.words(shell, node.words)
    if not argv:
        return _assign_only(shell, node)
    name = argv[0]
    flags = shell.flags
    if "x" in flags:
        trace(shell, node, argv)
    builtin = shell.builtins.get(name)
    if builtin is not None and builtin.special:
        return _special(shell, node, builtin, argv)
    function = shell.functions.get(name)
    if function is not None:
        return _function(shell, node, function, argv)
    if builtin is not None:
        return _builtin(shell, node, builtin, argv)
    return _external(shell, node, argv, tail)


def _assign_only(shell: State, node: Simple) -> int:
    """No command name: the assignments last, the status is that of the last substitution."""
    if node.static is not None:
        shell.substituted = 0
    if not node.redirections:
        return _assign_all(shell, node)
    try:
        applied = redirection.apply(shell, node.redirections)
    except RedirectionError as error:
        return error.status
    with applied:  # x=$(cat) <file
        return _assign_all(shell, node)


def _assign_all(shell: State, node: Simple) -> int:
    values = [assign(shell, assignment) for assignment in node.assignments]
    if "x" in shell.flags and values:
        trace(shell, node, [], values)
    return shell.substituted


def assign(shell: State, assignment: Assignment) -> str:
    """Do one assignment; returns the value."""
    word = assignment.value
    value = word.literal
    if value is None:
        value = expansion.text(shell, word)
    if assignment.append:
        value = (shell.get(assignment.name) or "") + value
    shell.set(assignment.name, value)
    return value


def _special(shell: State, node: Simple, builtin: Builtin, argv: list[str]) -> int:
    """A special builtin: assignments last, errors end a non-interactive shell."""
    if node.redirections:
        replaces = len(argv) > 1 and argv[0] == "exec"
        applied = redirection.apply(shell, node.redirections, keep=replaces)
        with applied:
            status = _call_special(shell, node, builtin, argv)
            if argv[0] == "exec":
                applied.keep()
            return status
    return _call_special(shell, node, builtin, argv)


def _call_special(shell: State, node: Simple, builtin: Builtin, argv: list[str]) -> int:
    before = shell.command
    try:
        for assignment in node.assignments:
            assign(shell, assignment)
            if argv[0] == "exec" and len(argv) > 1:
                shell.exported.add(assignment.name)
        return invoke(shell, builtin, argv)
    except ShellError as error:
        shell.report(error)
        raise
    finally:
        shell.command = before


def invoke(shell: State, builtin: Builtin, argv: list[str]) -> int:
    """Call a builtin.  Output that cannot be written is its status, never the shell's end."""
    shell.command = argv[0]
    try:
        return builtin.function(shell, argv)
    except OSError as error:
        from toolbox.errors import describe

        writing = "write error: " if error.filename is None else ""
        shell.command = argv[0]
        shell.complain(writing + describe(error))
        return 1


def _builtin(shell: State, node: Simple, builtin: Builtin, argv: list[str]) -> int:
    """A regular builtin: assignments hold while it runs.

    An error of the builtin is its status; one in an assignment ends the shell (XCU 2.8.1).
    """
    if not node.redirections:
        return _call_regular(shell, node, builtin, argv)
    try:
        applied = redirection.apply(shell, node.redirections)
    except RedirectionError as error:
        return error.status
    with applied:
        status = _call_regular(shell, node, builtin, argv)
        if not status and _calls_exec(argv):
            applied.keep()
        return status


def _calls_exec(argv: list[str]) -> bool:
    """Whether it is `command exec` without a command: its redirections stay, as those of exec do."""
    words = [word for word in argv if word not in ("command", "-p", "--")]
    return argv[0] == "command" and words == ["exec"]


def _call_regular(shell: State, node: Simple, builtin: Builtin, argv: list[str]) -> int:
    before = shell.command
    try:
        if not node.assignments:
            return forgive(shell, builtin, argv)
        with Temporary(shell, node.assignments):
            return forgive(shell, builtin, argv)
    finally:
        shell.command = before


def forgive(shell: State, builtin: Builtin, argv: list[str]) -> int:
    """Call a builtin whose errors do not end the shell: a regular one, or any after `command`."""
    try:
        return invoke(shell, builtin, argv)
    except ShellError as error:
        return shell.report(error)


class Temporary:
    """Assignments in front of a command: exported while it runs, and undone after it."""

    __slots__ = ("_assignments", "_saved", "_shell")

    def __init__(self, shell: State, assignments: list[Assignment]) -> None:
        self._shell = shell
        self._assignments = assignments
        self._saved: list[tuple[str, Saved]] = []

    def __enter__(self) -> None:
        shell = self._shell
        try:
            for assignment in self._assignments:
                self._saved.append((assignment.name, shell.save(assignment.name)))
                assign(shell, assignment)
                shell.exported.add(assignment.name)
        except BaseException:
            self.__exit__()
            raise

    def __exit__(self, *error: object) -> None:
        for name, saved in reversed(self._saved):
            self._shell.restore(name, saved)


def _function(shell: State, node: Simple, body: Node, argv: list[str]) -> int:
    try:
        applied = redirection.apply(shell, node.redirections)
    except RedirectionError as error:
        return error.status
    with applied, Temporary(shell, node.assignments):
        return call_function(shell, body, argv[1:])


def call_function(shell: State, body: Node, arguments: list[str]) -> int:
    """Run a function's body with its own positional parameters and local variables."""
    params, loops = shell.params, shell.loops
    shell.params, shell.loops = arguments, 0
    shell.frames.append({})
    try:
        return shell.runner.RUN[type(body)](shell, body)
    except Return as leave:
        return leave.status
    finally:
        shell.params, shell.loops = params, loops
        for name, saved in shell.frames.pop().items():
            shell.restore(name, saved)


def _external(shell: State, node: Simple, argv: list[str], tail: bool) -> int:
    try:
        applied = redirection.apply(shell, node.redirections, keep=tail)
    except RedirectionError as error:
        return error.status
    with applied:
        if tail:
            for assignment in node.assignments:
                assign(shell, assignment)
                shell.exported.add(assignment.name)
            replace(shell, argv)
        with Temporary(shell, node.assignments):
            return run_program(shell, argv, node.text)


def trace(shell: State, node: Simple, argv: list[str], values: list[str] | None = None) -> None:
    """-x: the command as it is about to run."""
    from toolbox.errors import echo

    words = [
        f"{a.name}={quoted(v)}"
        for a, v in zip(node.assignments, values if values is not None else [], strict=False)
    ]
    words += [traced(word) for word in argv]
    flags, shell.flags = shell.flags, shell.flags - {"x"}
    try:
        prefix = expanded(shell, "PS4")
    finally:
        shell.flags = flags
    echo(prefix + " ".join(words))
