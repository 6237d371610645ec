"""The conversation: prompt, line, command; Ctrl-C leads back to the prompt, Ctrl-D ends it."""

from __future__ import annotations

import os

from applets.sh.errors import UNEXPECTED, Break, Exit, Interrupt, Return, ShellError
from applets.sh.prompt import prompt
from applets.sh.run.jobs import report
from applets.sh.run.traps import run_pending
from applets.sh.syntax.parser import Parser
from applets.sh.syntax.source import read_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from applets.sh.editing import Editor
    from applets.sh.shell.state import State


def converse(shell: State) -> int:
    """Read and run commands until the end of the input; returns the exit status."""
    shell.vars.setdefault("PS1", r"\w \$ ")
    lines = Typed(shell)
    warned = False
    while True:
        parser = Parser.of(lines, shell.aliases)
        try:
            while (node := parser.command()) is not None:
                shell.check_interrupt()
                shell.runner.run(shell, node)
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
        except UNEXPECTED as error:
            shell.status = shell.refused(error)
        shell.recover()


class Typed:
    """Lines from the person at the terminal."""

    def __init__(self, shell: State) -> None:
        self._shell = shell
        self._editor: Editor | None = None
        self._plainly = (shell.get("TERM") or "dumb") in ("dumb", "unknown") or not (
            os.isatty(0) and os.isatty(2)
        )

    def line(self, continued: bool) -> str:
        """Prompt for a line; "" at Ctrl-D.  Raises Interrupt at Ctrl-C."""
        shell = self._shell
        if not continued:
            report(shell)
        if shell.traps.pending:
            run_pending(shell)
        *above, text = prompt(shell, "PS2" if continued else "PS1").split("\n")
        for line in above:
            self._show(line + "\n")
        if self._editor is None and not self._plainly:
            self._await_key(text)
            self._editor = _editor(shell)
            self._plainly = self._editor is None
        return self._plain(text) if self._editor is None else self._editor.line(text)

    def _plain(self, text: str) -> str:
        """Without line editing: the terminal's own line discipline serves."""
        self._show(text)
        try:
            self._sleep()
            return os.fsdecode(read_line(0))
        except OSError:
            return ""  # the terminal is gone
        finally:
            self._shell.traps.interruptible = False

    def _await_key(self, text: str) -> None:
        """The prompt, until somebody types: a console that nobody uses needs no line editor in its memory."""
        import termios

        try:
            former = termios.tcgetattr(0)
            mode = termios.tcgetattr(0)
            # One key is enough, and the editor will show it.
            mode[3] &= ~(termios.ICANON | termios.ECHO)
            termios.tcsetattr(0, termios.TCSANOW, mode)
            try:
                self._show(text)
                self._sleep()
            finally:
                self._shell.traps.interruptible = False
                termios.tcsetattr(0, termios.TCSANOW, former)
        except (OSError, termios.error):
            pass  # the terminal is gone: the next one to read it finds out
        else:
            self._show("\r\x1b[J")  # the editor shows it again

    def _sleep(self) -> None:
        """Until there is something to read.  Raises Interrupt at Ctrl-C."""
        shell = self._shell
        try:
            shell.may_block()
            shell.wait_readable(0)
        except Interrupt:
            shell.complain_plain("")
            shell.traps.forget_interrupt()
            raise

    def _show(self, text: str) -> None:
        try:
            os.write(2, os.fsencode(text))
        except OSError:
            pass  # nobody sees it, but commands may come all the same


def _editor(shell: State) -> Editor | None:
    """The line editor; None when it cannot be had."""
    try:
        from applets.sh.editing import Editor

        return Editor(shell)
    except (ImportError, OSError) as error:  # a rescue shell must come up all the same
        shell.complain(f"no line editing: {error}")
        return None
