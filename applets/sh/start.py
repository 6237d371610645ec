"""The start of a shell (POSIX XCU sh): its command line, its profile, and where its commands come from."""

from __future__ import annotations

import os
import signal
import sys

from applets.sh.builtins import directories
from applets.sh.builtins.control import read_file
from applets.sh.builtins.table import TABLE
from applets.sh.builtins.variables import list_options, option_flag
from applets.sh.errors import Return, ShellError
from applets.sh.expand.prompts import expanded
from applets.sh.run import evaluator
from applets.sh.run.programs import search
from applets.sh.shell.state import SETTABLE, State
from applets.sh.syntax.source import Descriptor, Text
from toolbox.errors import UsageError

# Every call of a shell function takes several calls of Python's.
RECURSION = 12000


def start(argv: list[str]) -> int:
    """Run a shell to its end; returns its exit status."""
    # Python ignores it, and a program that the shell starts must not find it ignored.
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    sys.setrecursionlimit(max(RECURSION, sys.getrecursionlimit()))
    shell = State(argv[0], evaluator, TABLE)
    shell.message_name = os.path.basename(argv[0]).lstrip("-") or "sh"
    started = Start(shell, argv)
    return evaluator.finish(shell, started.run) & 0xFF


class Start:
    """The command line, and what the shell does first (POSIX XCU sh)."""

    def __init__(self, shell: State, argv: list[str]) -> None:
        self.shell = shell
        self.login = argv[0].startswith("-")
        self.commands: str | None = None
        self.file: str | None = None
        self._parse(argv)

    def _parse(self, argv: list[str]) -> None:
        shell = self.shell
        at = 1
        takes_commands = False
        wanted: list[tuple[str, bool]] = []
        ended = False
        while at < len(argv) and argv[at][:1] in ("-", "+") and argv[at][1:]:
            word = argv[at]
            at += 1
            if word == "--":
                ended = True
                break
            if word in ("--login", "--norc", "--noprofile"):
                self.login |= word == "--login"
                continue
            on = word[0] == "-"
            for letter in word[1:]:
                if letter == "c" and on:
                    takes_commands = True
                elif letter == "o":
                    if at >= len(argv):
                        list_options(shell, on)
                        continue
                    flag = option_flag(argv[at])
                    if flag is None:
                        raise UsageError(f"invalid option name -- '{argv[at]}'")
                    wanted.append((flag, on))
                    at += 1
                elif letter == "l":
                    self.login |= on
                elif letter in SETTABLE or letter in "is":
                    wanted.append((letter, on))
                else:
                    raise UsageError(f"invalid option -- '{letter}'")
        if not ended and at < len(argv) and argv[at] in ("-", "+"):
            at += 1  # a lone sign ends the options, too; after -- it is an operand
        operands = argv[at:]
        if takes_commands:
            if not operands:
                raise UsageError("option requires an argument -- 'c'")
            self.commands, *operands = operands
            if operands:
                shell.name, *operands = operands
                shell.message_name = shell.name
                shell.script = True
        elif operands and ("s", True) not in wanted:
            self.file, *operands = operands
            shell.name = self.file
        else:
            shell.flags.add("s")
        shell.params = operands
        self._wanted = wanted

    def run(self) -> int:
        """The whole life of the shell."""
        shell = self.shell
        shell.import_environment(dict(os.environ))
        directories.start(shell)
        self._interactive()
        if self.login:
            self._profile("/etc/profile")
            home = shell.get("HOME")
            if home:
                self._profile(os.path.join(home, ".profile"))
        if "i" in shell.flags and shell.get("ENV"):
            self._profile(expanded(shell, "ENV"))
        if self.commands is not None:
            return evaluator.run_lines(shell, Text(self.commands, shell.echo), last=True)
        if self.file is not None:
            return self._run_file(self.file)
        if "i" in shell.flags:
            from applets.sh.interactive import converse

            return converse(shell)
        return evaluator.run_lines(shell, Descriptor(0, shell.echo))

    def _interactive(self) -> None:
        shell = self.shell
        wanted = dict(self._wanted)
        reads_terminal = self.commands is None and self.file is None
        interactive = wanted.get("i", reads_terminal and os.isatty(0) and os.isatty(2))
        if interactive:
            shell.flags.add("i")
            shell.traps.enter_interactive()
        for letter, on in self._wanted:
            if letter != "i":
                shell.set_option(letter, on)
        if interactive and "m" not in wanted:
            shell.set_option("m", True)

    def _profile(self, path: str) -> None:
        """Read a file of commands when it is there."""
        try:
            with open(path, "rb", 0) as file:
                text = os.fsdecode(file.readall())
        except OSError:
            return  # these files need not be there
        try:
            evaluator.run_lines(self.shell, Text(text, self.shell.echo))
        except Return:
            pass
        except ShellError as error:
            if "i" not in self.shell.flags:
                raise
            self.shell.report(error)

    def _run_file(self, path: str) -> int:
        shell = self.shell
        try:
            if "/" not in path and not os.path.exists(path):
                path = search(shell, path) or path
            text = read_file(path)
        except ShellError as error:
            shell.report(error)
            return 127 if not os.path.exists(path) else 126
        shell.script = True
        shell.message_name = shell.name
        return evaluator.run_lines(shell, Text(text, shell.echo), last=True)
