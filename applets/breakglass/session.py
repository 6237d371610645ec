"""One session of a logged-in client: a shell, a command, or the file transfer of sftp and scp."""

from __future__ import annotations

import os
import re
import signal as _signal
import sys

from applets.breakglass import scp
from applets.breakglass.library import SSHReader, SSHServerStreamSession, SSHWriter, asyncssh
from applets.breakglass.program import Program

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from applets.breakglass.server import Client

#: What a client may put into the environment: how it wants to be spoken to, never what is run.
ENVIRONMENT = re.compile(r"LANG|LC_[A-Z]+|TZ|COLORTERM|NO_COLOR")

#: The old scp runs itself on our side, which the library stands in for: `scp -t DIR`, `scp -r -f FILE`.
_SCP = re.compile(r"scp (-[a-zA-Z]+ )*-[a-zA-Z]*[tf]")

#: Where programs are looked for when our own environment doesn't say.
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Files(asyncssh.SFTPServer):
    """The whole file system, by sftp and scp."""

    def exit(self) -> None:
        """Say that all went well: without a status OpenSSH's scp takes the end for a failure."""
        self.channel.exit(0)


def _files(channel: Any) -> Files:
    return Files(channel)


class Session(SSHServerStreamSession[bytes]):
    """One channel of a client; the program that it runs is `program`."""

    def __init__(self, client: Client) -> None:
        super().__init__(None, _files, 3, True)
        self.client = client
        self.program: Program | None = None
        self.channel: Any = None
        self.command: str | None = None
        self.transfer = False
        self.expanding: Program | None = None  # the shell that finds out what an scp is to send

    def connection_made(self, chan: Any) -> None:
        """The channel is open; what it is for comes next."""
        self.channel = chan
        super().connection_made(chan)

    def pty_requested(self, *_: object) -> bool:
        """A terminal is granted; it is opened together with the program."""
        return True

    def shell_requested(self) -> bool:
        """A login shell."""
        return True

    def exec_requested(self, command: str) -> bool:
        """One command, for the shell."""
        if "\0" in command or "\0" in (self.channel.original_command or ""):
            self.client.report("a command with a NUL is refused")
            return False
        self.command = command
        self.transfer = bool(_SCP.match(command))
        return True

    def subsystem_requested(self, subsystem: str) -> bool:
        """sftp, and nothing else."""
        self.transfer = subsystem == "sftp"
        if not self.transfer:
            self.client.report(f"subsystem {subsystem!r} is not offered")
        return self.transfer

    def session_started(self) -> None:
        """Everything is known: start the program, or the transfer."""
        if self.transfer and self.command is not None:
            self._expand(self.command)
            return
        if self.transfer:
            super().session_started()
            return
        program = Program(self.client.server.loop, self.channel, self._ended)
        path, argv = shell(self.client.server.shell, self.command)
        try:
            if self.channel.get_terminal_type() is None:
                program.start(path, argv, self._environment())
            else:
                program.start_on_terminal(
                    path,
                    argv,
                    {**self._environment(), "TERM": self.channel.get_terminal_type()},
                    self.channel.get_terminal_size(),
                    self.channel.get_terminal_modes(),
                )
        except OSError as error:
            self._cannot_run(path, error)
            return
        self.program = program
        self.client.server.programs.add(program)

    def _cannot_run(self, path: str, error: OSError) -> None:
        self.client.report(f"cannot run {path}: {error.strerror}")
        self.channel.write_stderr(f"breakglass: {path}: {error.strerror}\r\n".encode())
        self.channel.exit(126)

    def _expand(self, command: str) -> None:
        """Have the shell expand the command line of an scp, and then do what it says."""
        words = scp.Words(self.channel)

        def ended(status: int) -> None:
            self.client.server.programs.discard(program)
            self.expanding = None
            if self.channel.is_closing():
                return
            try:
                job = scp.Job(words.words())
            except ValueError as error:
                self.channel.write_stderr(f"scp: {error}\n".encode())
                self.channel.exit(status if status > 0 else 1)
                return
            self.channel.set_encoding(None)
            reader, writer = SSHReader(self, self.channel), SSHWriter(self, self.channel)
            task = scp.serve(_files(self.channel), job, reader, writer)
            self.client.connection.create_task(task, reader.logger)

        program = Program(self.client.server.loop, words, ended)
        path, argv = shell(self.client.server.shell, scp.FUNCTION + command)
        try:
            program.start(path, argv, self._environment())
            program.feed_end()
        except OSError as error:
            self._cannot_run(path, error)
            return
        self.expanding = program
        self.client.server.programs.add(program)

    def _ended(self, status: int) -> None:
        if self.program is not None:
            self.client.server.programs.discard(self.program)
        if self.channel.is_closing():
            return
        if status >= 0:
            self.channel.exit(status)
            return
        try:
            name = _signal.Signals(-status).name.removeprefix("SIG")
        except ValueError:
            name = f"SIG{-status}@snakeroot"  # a real-time signal; RFC 4254 6.10 asks for this form
        self.channel.exit_with_signal(name, False, f"ended by signal {-status}")

    def _environment(self) -> dict[str, str]:
        client = self.client
        own = os.environ
        given: dict[str, str] = {}
        for raw_name, raw_value in self.channel.get_environment_bytes().items():
            name, value = os.fsdecode(raw_name), os.fsdecode(raw_value)
            if ENVIRONMENT.fullmatch(name) and "\0" not in value:
                given[name] = value
            elif name not in client.key_environment:
                client.report(f"environment variable {name[:40]!r} is not accepted")
        # What the client asked for, where its key's own command runs instead (sshd(8)).
        forced = client.connection.get_key_option("command") is not None
        asked = self.channel.original_command if forced else None
        original = {} if asked is None else {"SSH_ORIGINAL_COMMAND": asked}
        source, port = client.address, client.port
        here, here_port = client.local
        return {
            **{name: own[name] for name in ("TZ", "LANG") if name in own},
            **given,
            **client.key_environment,
            "PATH": own.get("PATH", PATH),
            "HOME": client.server.home,
            "USER": client.server.user,
            "LOGNAME": client.server.user,
            "SHELL": client.server.shell,
            **original,
            "SSH_CLIENT": f"{source} {port} {here_port}",
            "SSH_CONNECTION": f"{source} {port} {here} {here_port}",
        }

    # Without a program these are the file transfer's.

    def data_received(self, data: bytes, datatype: Any) -> None:
        """Input."""
        if self.program is not None:
            self.program.feed(data)
        elif self.transfer:
            super().data_received(data, datatype)

    def eof_received(self) -> bool:
        """The end of the input; the output goes on."""
        if self.program is not None:
            self.program.feed_end()
            return True
        return bool(super().eof_received())

    def pause_writing(self) -> None:
        """The client reads more slowly than the program writes."""
        if self.program is not None:
            self.program.pause_output()
        else:
            super().pause_writing()

    def resume_writing(self) -> None:
        """The client has caught up."""
        if self.program is not None:
            self.program.resume_output()
        else:
            super().resume_writing()

    def terminal_size_changed(self, width: int, height: int, pixwidth: int, pixheight: int) -> None:
        """The client's window has another size."""
        if self.program is not None:
            self.program.resize((width, height, pixwidth, pixheight))

    def signal_received(self, signal: str) -> None:
        """A signal, by its name without SIG."""
        number = getattr(_signal, f"SIG{signal}", None)
        if self.program is None or not isinstance(number, int):
            self.client.report(f"signal {signal[:20]!r} is not known")
        else:
            self.program.send_signal(number)

    def break_received(self, msec: int) -> bool:
        """A break on the line."""
        return self.program is not None and self.program.send_break()

    def connection_lost(self, exc: Exception | None) -> None:
        """The channel is gone; a program that still runs is told so."""
        self.client.sessions.discard(self)
        for program in (self.program, self.expanding):
            if program is not None:
                program.hang_up()
        super().connection_lost(exc)


def shell(path: str, command: str | None) -> tuple[str, list[str]]:
    """The file to run and its arguments: a login shell, or the shell with one command.

    Where the shell is missing, this program itself is one.
    """
    arguments = [] if command is None else ["-c", command]
    dash = "-" if command is None else ""
    if os.access(path, os.X_OK):
        return path, [dash + os.path.basename(path), *arguments]
    if getattr(sys, "frozen", False):
        return "/proc/self/exe", [f"{dash}sh", *arguments]
    return sys.executable, [sys.executable, "-m", "toolbox", "sh", *arguments]
