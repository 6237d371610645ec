"""The actions of traps are run (POSIX XCU 2.14 trap): between two commands, and at the end of the shell."""

from __future__ import annotations

from applets.sh.errors import UNEXPECTED, Exit, Flow, ShellError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from applets.sh.shell.state import State


def run_pending(shell: State) -> None:
    """Run the actions of what has come; $? is kept."""
    traps = shell.traps
    while traps.pending:
        number = traps.pending.pop(0)
        action = traps.actions.get(number)
        if action:
            before, traps.status_before = traps.status_before, shell.status
            status = shell.status
            try:
                shell.runner.run_text(shell, action)
            finally:
                traps.status_before = before
            shell.status = status
        elif traps.interrupted:
            shell.check_interrupt()


def run_exit(shell: State, status: int) -> int:
    """Run the EXIT action once; returns the status to end with."""
    action = shell.traps.actions.pop(0, None)
    if not action:
        return status
    shell.status = shell.traps.status_before = status
    try:
        shell.runner.run_text(shell, action)
    except Exit as leave:
        return leave.status
    except ShellError as error:
        return shell.report(error)
    except UNEXPECTED as error:
        return shell.refused(error)
    except Flow:
        pass
    return status
