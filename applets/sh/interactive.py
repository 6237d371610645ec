"""The conversation: prompt, line, command; Ctrl-C leads back to the prompt, Ctrl-D ends it."""

from __future__ import annotations

import os

from applets.sh.errors import Break, Exit, Interrupt, Return, ShellError
from applets.sh.parser import Parser
from applets.sh.prompt import prompt
from applets.sh.source import read_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from applets.sh.editing import Editor
    from applets.sh.state import State


def converse(shell: State) -> int:
    """Read and run commands until the end of the input; returns the exit status."""
    shell.vars.setdefault("PS1", r"\w \$ ")
    lines = Typed(shell)
    warned = False
    while True:
        parser = Parser.of(lines, shell.aliases)
        try:
            while (node := parser.command()) is not None:
                from applets.sh.evaluator import run

                shell.check_interrupt()
                run(shell, node)
                warned = False
            if shell.jobs.any_stopped() and not warned:
                shell.complain_plain("You have stopped jobs.")
                warned = True
                continue
            if "ignoreeof" in shell.flags:
                shell.complain_plain('Use "exit" to leave the shell.')
                continue
            return shell.status
        except Exit as leave:
            if shell.jobs.any_stopped() and not warned:
                shell.complain_plain("You have stopped jobs.")
                warned = True
                continue
            return leave.status
        except Interrupt:
            shell.status = 130
        except ShellError as error:
            shell.status = shell.report(error)
        except (Break, Return):
            pass
        except RecursionError:
            shell.complain("nested too deeply")
            shell.status = 2
        shell.recover()


class Typed:
    """Lines from the person at the terminal."""

    def __init__(self, shell: State) -> None:
        self._shell = shell
        self._editor: Editor | None = _editor(shell)

    def line(self, continued: bool) -> str:
        """Prompt for a line; "" at Ctrl-D.  Raises Interrupt at Ctrl-C."""
        shell = self._shell
        if not continued:
            shell.jobs.report(shell)
        if shell.traps.pending:
            shell.traps.run(shell)
        text = prompt(shell, "PS2" if continued else "PS1")
        if self._editor is not None:
            return self._editor.line(text)
        return self._plain(text)

    def _plain(self, text: str) -> str:
        """Without line editing: the terminal's own line discipline serves."""
        shell = self._shell
        try:
            os.write(2, os.fsencode(text))
        except OSError:
            pass  # nobody sees the prompt, but commands may come all the same
        try:
            shell.may_block()
            shell.wait_readable(0)
            return os.fsdecode(read_line(0))
        except Interrupt:
            shell.complain_plain("")
            shell.traps.forget_interrupt()
            raise
        except OSError:
            return ""  # the terminal is gone
        finally:
            shell.interruptible = False


def _editor(shell: State) -> Editor | None:
    """Line editing, when the terminal can do it."""
    if (shell.get("TERM") or "dumb") in ("dumb", "unknown") or not (os.isatty(0) and os.isatty(2)):
        return None
    try:
        from applets.sh.editing import Editor

        return Editor(shell)
    except (ImportError, OSError) as error:  # a rescue shell must come up all the same
        shell.complain(f"no line editing: {error}")
        return None
