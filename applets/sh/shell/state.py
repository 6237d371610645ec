"""The state of one shell (POSIX XCU 2.13, shell execution environment): variables, options, names.

`vars` holds values, `exported` and `readonly` names; so the commonest act, the look at a value, is one
look into a dictionary.
"""

from __future__ import annotations

import os
import re

from applets.sh.errors import Interrupt, ShellError
from applets.sh.pattern import Patterns
from applets.sh.shell.jobs import Jobs
from applets.sh.shell.traps import Traps

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn, Protocol

    from applets.sh.syntax.nodes import Node
    from applets.sh.syntax.source import Lines

    Saved = tuple[str | None, bool, bool]
    Compiled = Callable[["State"], int]  # an arithmetic expression

    class Runner(Protocol):
        """What evaluates commands (run/evaluator.py), for the expansions and builtins that need it."""

        #: What evaluates a node, by its type: for a function's body, where a call less lets functions nest deeper.
        RUN: dict[type[Node], Callable[[State, Any], int]]

        def run(self, shell: State, node: Node) -> int:
            """Evaluate one command."""

        def run_tail(self, shell: State, node: Node) -> int:
            """Evaluate what this process does last: a program may replace it."""

        def run_text(self, shell: State, text: str, line: int = 1) -> int:
            """Evaluate program text."""

        def run_lines(self, shell: State, lines: Lines, line: int = 1, last: bool = False) -> int:
            """Evaluate a whole program; `last`: the shell ends with it."""

        def leave(
            self, shell: State, body: Callable[[], int], keep_traps: bool = False
        ) -> NoReturn:
            """In a forked child: run `body` as a subshell and end the process with its status."""

        def substitute(self, shell: State, body: Node | None) -> str:
            """The output of the commands without trailing newlines."""


_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")

# set -o NAME: the letter in `flags`; names without a letter stand for themselves.
OPTION_NAMES = {
    "allexport": "a",
    "errexit": "e",
    "hashall": "h",
    "ignoreeof": "ignoreeof",
    "interactive": "i",
    "monitor": "m",
    "noclobber": "C",
    "noexec": "n",
    "noglob": "f",
    "nolog": "nolog",
    "notify": "b",
    "nounset": "u",
    "pipefail": "pipefail",
    "stdin": "s",
    "verbose": "v",
    "vi": "vi",
    "emacs": "emacs",
    "xtrace": "x",
}
SETTABLE = frozenset("abCefhmnuvx")


def is_name(text: str) -> bool:
    """Whether `text` can be the name of a variable."""
    return _NAME.match(text) is not None


class Builtin:
    """A builtin's function; whether it is one of POSIX's special ones (XCU 2.14), or an applet of that name."""

    __slots__ = ("applet", "function", "special")

    def __init__(
        self,
        function: Callable[[State, list[str]], int],
        special: bool = False,
        applet: bool = False,
    ) -> None:
        self.function = function
        self.special = special
        self.applet = applet


class State:
    """One shell environment.  A subshell is a fork of it."""

    def __init__(self, name: str, runner: Runner, builtins: dict[str, Builtin]) -> None:
        self.runner = runner
        self.builtins = builtins
        self.name = name  # $0
        self.message_name = "sh"
        self.script = False  # messages tell the line
        self.command = ""  # the builtin or `.` file that messages name
        self.line = 0
        self.params: list[str] = []
        self.vars: dict[str, str] = {
            "IFS": " \t\n",
            "OPTIND": "1",
            "PS1": "$ ",
            "PS2": "> ",
            "PS4": "+ ",
        }
        self.exported: set[str] = set()
        self.readonly: set[str] = set()
        self.foreign: dict[str, str] = {}  # of the environment, with names that are no shell names
        self.dynamic: dict[str, Callable[[], str]] = {
            "LINENO": lambda: str(self.line),
            "RANDOM": lambda: str(int.from_bytes(os.urandom(2), "big") >> 1),
        }
        self.frames: list[
            dict[str, Saved]
        ] = []  # one for each function being run: what `local` hides
        self.functions: dict[str, Node] = {}
        self.aliases: dict[str, str] = {}
        self.hashed: dict[str, str] = {}  # command name -> path
        self.flags: set[str] = set()
        self.status = 0  # $?
        self.pid = os.getpid()  # $$: stays in subshells
        self.last_background: int | None = None  # $!
        self.substituted = 0  # the status of the last command substitution
        self.subshell = 0  # depth of forks
        self.loops = 0
        self.tested = 0  # > 0: -e does not apply
        self.sourced = 0  # `.` files being read
        self.bad_prompts: dict[
            str, str
        ] = {}  # PS1, PS2, PS4, ENV: values that could not be expanded
        self.option_at = 0  # getopts: place inside a bundle of letters
        self.jobs = Jobs()
        self.traps = Traps()
        self.patterns = Patterns()
        self.own_file: tuple[int, int] | None = (
            None  # device and inode of the program (programs.py)
        )
        self.expressions: dict[str, Compiled] = {}  # text -> what it was compiled to

    # Variables

    def get(self, name: str) -> str | None:
        """A variable's value, None when it is unset."""
        value = self.vars.get(name)
        if value is None and name in self.dynamic:
            return self.dynamic[name]()
        return value

    def set(self, name: str, value: str) -> None:
        """Assign; raises ShellError for a read-only variable."""
        if name in self.readonly:
            raise ShellError(f"{name}: is read only")
        if name in _WATCHED:
            self._watch(name)
        self.vars[name] = value
        if "a" in self.flags:
            self.exported.add(name)

    def unset(self, name: str) -> None:
        """Remove a variable; raises ShellError for a read-only one."""
        if name in self.readonly:
            raise ShellError(f"{name}: is read only")
        if name in _WATCHED:
            self._watch(name)
        self.vars.pop(name, None)
        self.exported.discard(name)

    def _watch(self, name: str) -> None:
        if name == "PATH":
            self.hashed.clear()
        elif name == "OPTIND":
            self.option_at = 0
        else:
            self.dynamic.pop(name, None)

    def save(self, name: str) -> Saved:
        """What `restore` needs to make the variable as it is now."""
        return self.vars.get(name), name in self.exported, name in self.readonly

    def restore(self, name: str, saved: Saved) -> None:
        """Make the variable as it was, read-only or not."""
        value, exported, readonly = saved
        if name == "-":
            kept = set((value or "").split())
            for flag in (kept ^ self.flags) - {"i", "s"}:
                self.set_option(flag, flag in kept)
            return
        if name in _WATCHED:
            self._watch(name)
        if value is None:
            self.vars.pop(name, None)
        else:
            self.vars[name] = value
        (self.exported.add if exported else self.exported.discard)(name)
        (self.readonly.add if readonly else self.readonly.discard)(name)

    def import_environment(self, environment: dict[str, str]) -> None:
        """Take the variables that the shell was started with."""
        for name, value in environment.items():
            if is_name(name):
                self.vars[name] = value
                self.exported.add(name)
            else:
                self.foreign[name] = value
        self.vars.update(IFS=" \t\n", OPTIND="1", PPID=str(os.getppid()))
        self.exported -= {"IFS", "OPTIND", "PPID"}

    def environment(self) -> dict[str, str]:
        """The exported variables, for a program."""
        values = self.vars
        return {**self.foreign, **{n: values[n] for n in self.exported if n in values}}

    def enter_subshell(self, keep_traps: bool) -> None:
        """In a forked child: traps and jobs are the parent's; `keep_traps`: `trap` still lists them."""
        self.subshell += 1
        self.traps.interruptible = False
        self.flags.discard("m")
        self.traps.enter_subshell(keep_traps)
        self.jobs.enter_subshell()

    def keep_options(self) -> None:
        """`local -`: the options are as now again when the function ends."""
        self.frames[-1].setdefault("-", (" ".join(self.flags), False, False))

    def recover(self) -> None:
        """An interactive shell goes on after an error: nothing is being run any more."""
        self.loops = self.tested = self.sourced = 0
        self.command = ""
        self.traps.interruptible = False

    def may_block(self) -> None:
        """From here on SIGINT leaves a system call (of an interactive shell); it may have come before."""
        self.traps.interruptible = True
        self.check_interrupt()

    def wait_readable(self, fd: int) -> None:
        """In an interactive shell: sleep until `fd` can be read or a signal has come.

        A signal between the look for it and a plain read(2) would be noticed only after the read.
        """
        if "i" not in self.flags:
            return
        import select
        import signal

        reader, writer = os.pipe()
        os.set_blocking(writer, False)
        former = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        try:
            poll = select.poll()  # select(2) takes no descriptor above 1023
            poll.register(fd, select.POLLIN)
            poll.register(reader, select.POLLIN)
            poll.poll()
        finally:
            signal.set_wakeup_fd(former)
            os.close(reader)
            os.close(writer)

    def check_interrupt(self) -> None:
        """Raise Interrupt when a SIGINT has come that nothing has acted upon."""
        if self.traps.interrupted:
            self.traps.interruptible = False
            self.traps.forget_interrupt()
            raise Interrupt

    # Options

    def option_letters(self) -> str:
        """$-"""
        return "".join(sorted(f for f in self.flags if len(f) == 1))

    def set_option(self, flag: str, on: bool) -> None:
        """Switch an option; -m also makes the shell ready for it (see jobs)."""
        if flag == "m":
            try:
                self.jobs.monitor(on)
            except OSError:
                self.complain("can't access tty; job control turned off")
                on = False
        (self.flags.add if on else self.flags.discard)(flag)

    # Messages

    def complain(self, text: str, line: int = 0) -> None:
        """One line on standard error: the name, the builtin and in a file the line, then the text."""
        from toolbox.errors import say

        place = f"{self.message_name}: "
        if self.command:
            place += f"{self.command}: "
        if self.script or self.sourced:
            place += f"line {line or self.line}: "
        say(place + text)

    def report(self, error: ShellError) -> int:
        """Say what went wrong, once, where standard error still is the failed command's; the status."""
        if not error.reported:
            error.reported = True
            self.complain(str(error), error.line)
        return error.status

    def refused(self, error: BaseException) -> int:
        """Say which of errors.UNEXPECTED has ended a command; the status."""
        from toolbox.errors import describe

        if isinstance(error, RecursionError):
            self.complain("nested too deeply")
        elif isinstance(error, MemoryError):
            self.complain("out of memory")
        else:
            self.complain(describe(error))
        return 2

    def echo(self, line: str) -> None:
        """-v: show a line of the program as it is read."""
        if "v" in self.flags and line:
            self.complain_plain(line.removesuffix("\n"))

    @staticmethod
    def complain_plain(text: str) -> None:
        """One line on standard error as it is (news of jobs)."""
        from toolbox.errors import echo

        echo(text)


_WATCHED = frozenset(("PATH", "OPTIND", "LINENO", "RANDOM"))
