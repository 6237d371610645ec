"""A program and the pipes, or the terminal, between it and an SSH channel.

Data goes both ways without waiting: what the program doesn't read yet stops the channel, what the channel
doesn't take yet stops the reading of the program.  The program ends the session: without a terminal when
it has ended and its output is closed, with one when it has ended and the terminal holds nothing more.
"""

from __future__ import annotations

import os
import signal

from applets.breakglass import terminal

TYPE_CHECKING = False
if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Mapping
    from typing import Protocol

    class Channel(Protocol):
        """What a program needs of an SSH channel."""

        def write(self, data: bytes, datatype: int | None = None) -> None: ...
        def pause_reading(self) -> None: ...
        def resume_reading(self) -> None: ...


#: Bytes read at a time: what one SSH packet carries.
BLOCK = 32768

#: Bytes read of one descriptor before others get their turn.
TURN = 8 * BLOCK

#: SSH_EXTENDED_DATA_STDERR (RFC 4254, section 5.2).
STDERR = 1

#: Signals that Python ignores or that the server handles: a program starts with the usual ones.
DEFAULTS = (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def _as_any_other(pid: int) -> None:
    """The server is spared when memory runs out; what somebody runs by it is not (sshd does the same)."""
    try:
        with open(f"/proc/{pid}/oom_score_adj", "w") as file:
            file.write("0")
    except OSError:
        pass  # it has ended, or we may not: it stays as it is


class Program:
    """A running program.

    channel: where its output goes; `ended(status)` is called once, with waitpid(2)'s exit code: negative for
    a signal.  OSError when it cannot be started.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        channel: Channel,
        ended: Callable[[int], None],
    ) -> None:
        self.loop = loop
        self.channel = channel
        self.ended = ended
        self.pid = 0
        self.master = -1
        self.stdin = -1
        self.status: int | None = None
        self._outputs: dict[int, int | None] = {}
        self._watch = -1
        self._pending: list[bytes] = []
        self._held = False
        self._end_of_input = False
        self._paused = False
        self._finished = False

    # Starting.

    def start(self, path: str, argv: list[str], environment: Mapping[str, str]) -> None:
        """Run the program on three pipes, in a session of its own."""
        ours: list[int] = []
        theirs: list[int] = []
        try:
            for number in range(3):
                read, write = os.pipe()
                theirs.append(read if number == 0 else write)
                ours.append(write if number == 0 else read)
            for fd in ours:
                os.set_blocking(fd, False)
            actions = [(os.POSIX_SPAWN_DUP2, fd, number) for number, fd in enumerate(theirs)]
            self._spawn(path, argv, environment, actions)
        except BaseException:
            _close(*ours)
            raise
        finally:
            _close(*theirs)
        self.stdin = ours[0]
        self._outputs = {ours[1]: None, ours[2]: STDERR}
        self._read_on()

    def start_on_terminal(
        self,
        path: str,
        argv: list[str],
        environment: Mapping[str, str],
        size: tuple[int, int, int, int],
        modes: Mapping[int, int],
    ) -> None:
        """Run the program on a new terminal, which it controls."""
        master, slave, name = terminal.open_terminal(size, modes)
        try:
            # The leader of a new session that opens a terminal gets it as its controlling one.
            actions: list[tuple[object, ...]] = [
                (os.POSIX_SPAWN_OPEN, 0, name, os.O_RDWR, 0),
                (os.POSIX_SPAWN_DUP2, 0, 1),
                (os.POSIX_SPAWN_DUP2, 0, 2),
            ]
            self._spawn(path, argv, {**environment, "SSH_TTY": name}, actions)
        except BaseException:
            os.close(master)
            raise
        finally:
            os.close(slave)
        self.master = self.stdin = master
        self._outputs = {master: None}
        self._read_on()

    def _spawn(
        self,
        path: str,
        argv: list[str],
        environment: Mapping[str, str],
        actions: list[tuple[object, ...]] | list[tuple[int, int, int]],
    ) -> None:
        self.pid = os.posix_spawn(
            path,
            argv,
            environment,
            file_actions=actions,
            setsid=True,
            setsigmask=[],
            setsigdef=DEFAULTS,
        )
        self._watch = os.pidfd_open(self.pid)
        _as_any_other(self.pid)
        self.loop.add_reader(self._watch, self._exited)

    # Input.

    def feed(self, data: bytes) -> None:
        """Data for the program's input; what it doesn't take at once is kept and the channel held."""
        if self.stdin < 0 or self._end_of_input:
            return
        self._pending.append(data)
        if not self._held:
            self._write()

    def feed_end(self) -> None:
        """No more input will come."""
        if not self._end_of_input and self.stdin >= 0:
            if self.stdin == self.master:
                self.feed(terminal.end_of_file(self.master))
            self._end_of_input = True
            if not self._held:
                self._write()

    def _write(self) -> None:
        try:
            while self._pending:
                done = os.write(self.stdin, self._pending[0])
                if done == len(self._pending[0]):
                    del self._pending[0]
                else:
                    self._pending[0] = self._pending[0][done:]
        except BlockingIOError:
            if not self._held:
                self._held = True
                self.channel.pause_reading()
                self.loop.add_writer(self.stdin, self._write)
            return
        except OSError:
            # The program has closed its input: what it doesn't want is dropped.
            self._pending.clear()
            self._end_of_input = True
        held, self._held = self._held, False
        if held:
            self.loop.remove_writer(self.stdin)
        if self._end_of_input:
            self._close_input()
        if held:
            # The last step, because the channel hands over at once what it has kept.
            self.channel.resume_reading()

    def _close_input(self) -> None:
        if self.stdin >= 0 and self.stdin != self.master:
            os.close(self.stdin)
            self.stdin = -1

    # Output.

    def pause_output(self) -> None:
        """The channel takes no more for now."""
        self._paused = True
        for fd in self._outputs:
            self.loop.remove_reader(fd)

    def resume_output(self) -> None:
        """The channel takes data again."""
        if self._paused:
            self._paused = False
            self._read_on()
            if self.status is not None:
                self._finish_terminal()

    def _read_on(self) -> None:
        for fd in self._outputs:
            self.loop.add_reader(fd, self._read, fd)

    def _read(self, fd: int) -> None:
        left = TURN
        while left > 0 and not self._paused and fd in self._outputs:
            try:
                data = os.read(fd, BLOCK)
            except BlockingIOError:
                return
            except OSError:
                data = b""  # EIO: nobody has the terminal open any more
            if not data:
                self._output_ended(fd)
                return
            left -= len(data)
            self.channel.write(data, self._outputs[fd])

    def _output_ended(self, fd: int) -> None:
        self.loop.remove_reader(fd)
        del self._outputs[fd]
        if fd != self.master:
            os.close(fd)
        self._finish()

    # The end.

    def _exited(self) -> None:
        self.loop.remove_reader(self._watch)
        os.close(self._watch)
        self._watch = -1
        _, status = os.waitpid(self.pid, 0)
        self.status = os.waitstatus_to_exitcode(status)
        self._finish_terminal()
        self._finish()

    def _finish_terminal(self) -> None:
        """After the program's end, whatever its terminal still holds is the last of its output.

        Others that it left in the background may keep the terminal open for ever, so nobody waits
        for its end of file.
        """
        while self.master in self._outputs and not self._paused:
            try:
                data = os.read(self.master, BLOCK)
            except OSError:
                data = b""
            if not data:
                self._output_ended(self.master)
                return
            self.channel.write(data, None)

    def _finish(self) -> None:
        if self.status is not None and not self._outputs and not self._finished:
            self._finished = True
            self._close_all()
            self.ended(self.status)

    # What the client may do to it.

    def resize(self, size: tuple[int, int, int, int]) -> None:
        """The client's window has another size."""
        if self.master >= 0:
            terminal.resize(self.master, size)

    def send_signal(self, number: int) -> None:
        """A signal for the program and all that it started in its group."""
        if self.status is None and self.pid:
            try:
                os.killpg(self.pid, number)
            except ProcessLookupError:
                pass  # it has just ended

    def send_break(self) -> bool:
        """A break on the line: on a terminal an interrupt, else nothing (False)."""
        if self.master < 0:
            return False
        self.send_signal(signal.SIGINT)
        return True

    def hang_up(self) -> None:
        """The client is gone: SIGHUP, and no more data either way.  Its end is still waited for."""
        if self.status is None:
            self.send_signal(signal.SIGHUP)
        self._close_all()

    def _close_all(self) -> None:
        if self._held:
            self._held = False
            self.loop.remove_writer(self.stdin)
        self._pending.clear()
        self._close_input()
        for fd in self._outputs:
            self.loop.remove_reader(fd)
            if fd != self.master:
                os.close(fd)
        self._outputs = {}
        if self.master >= 0:
            os.close(self.master)
        self.master = self.stdin = -1


def _close(*fds: int) -> None:
    for fd in fds:
        os.close(fd)
