"""Processes and job control (POSIX XCU 2.9.3, 2.11): pipelines in forks, waiting, the terminal.

With -m every pipeline is a process group of its own, and the foreground one owns the terminal.
"""

from __future__ import annotations

import errno
import os
import signal
from contextlib import contextmanager

from applets.sh.errors import Interrupt, ShellError
from applets.sh.numbers import decimal
from applets.sh.run.redirection import private
from applets.sh.syntax.nodes import Node

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from applets.sh.shell.state import State

    Command = Node | Callable[[], int]


class Process:
    """A child: `raw` is its wait status, None while it runs."""

    __slots__ = ("pid", "raw")

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.raw: int | None = None

    @property
    def status(self) -> int | None:
        """The exit status as $? has it; None while it runs or is stopped."""
        if self.raw is None or os.WIFSTOPPED(self.raw):
            return None
        return decode(self.raw)


class Job:
    """A pipeline that was started."""

    __slots__ = ("number", "pgid", "processes", "reported", "text")

    def __init__(self, number: int, text: str) -> None:
        self.number = number
        self.text = text
        self.processes: list[Process] = []
        self.pgid = 0  # 0: the shell's own
        self.reported = ""  # the state that the user has been told

    @property
    def done(self) -> bool:
        """Whether every process has ended."""
        return all(process.status is not None for process in self.processes)

    @property
    def stopped(self) -> bool:
        """Whether it is not done, and what has not ended is stopped."""
        rest = [process.raw for process in self.processes if process.status is None]
        return bool(rest) and all(raw is not None for raw in rest)

    def status(self, pipefail: bool = False) -> int:
        """The exit status: of the last process, or with pipefail of the last that failed."""
        last = self.processes[-1]
        if last.status is None:
            return decode(last.raw or 0)
        if pipefail:
            for process in reversed(self.processes):
                if process.status:
                    return process.status
        return last.status

    def state(self) -> str:
        """The state as `jobs` shows it."""
        if self.stopped:
            return "Stopped"
        if not self.done:
            return "Running"
        raw = self.processes[-1].raw or 0
        if os.WIFSIGNALED(raw):
            return signal.strsignal(os.WTERMSIG(raw)) or "Killed"
        return f"Done({os.WEXITSTATUS(raw)})" if os.WEXITSTATUS(raw) else "Done"


def decode(raw: int) -> int:
    """A wait status as $? has it: 128 + the signal for what a signal ended or stopped."""
    if os.WIFEXITED(raw):
        return os.WEXITSTATUS(raw)
    if os.WIFSIGNALED(raw):
        return 128 + os.WTERMSIG(raw)
    return 128 + os.WSTOPSIG(raw) if os.WIFSTOPPED(raw) else 0


#: Jobs that a shell lists before it forgets those that have ended: a script may start them for ever.
_LISTED = 64


class Jobs:
    """The jobs of one shell, the newest last, and its terminal.

    A job that has ended is forgotten after a while; the statuses of the last CHILD_MAX processes stay,
    for `wait` (XCU 2.9.3.2).
    """

    def __init__(self) -> None:
        self.jobs: list[Job] = []
        self._of: dict[int, Job] = {}  # process id -> its job
        self._ended: dict[
            int, int
        ] = {}  # process id of a forgotten job -> its status, the oldest first
        self._crowd = _LISTED  # with so many jobs those that have ended are forgotten
        self.terminal = -1
        self._group = 0  # the shell's own process group
        self._former_group = 0  # whose the terminal was before

    # Starting

    def foreground(self, shell: State, commands: Sequence[Command], text: str) -> int:
        """Start a pipeline and wait for it; returns its status."""
        job = self._start(shell, commands, text, True)
        return self.finish(shell, job)

    @contextmanager
    def feeding(self, shell: State, commands: Sequence[Command]) -> Iterator[None]:
        """Start a pipeline whose output is this process's input, and wait for it in the end."""
        reader, writer = os.pipe()
        job = self._start(shell, commands, "", True, writer)
        if reader:
            os.dup2(reader, 0)
            os.close(reader)
        else:
            os.set_inheritable(0, True)
        try:
            yield
        finally:
            for process in job.processes:
                _wait(process.pid, 0)

    def background(self, shell: State, commands: Sequence[Command], text: str) -> Job:
        """Start a pipeline and go on; sets $!."""
        self.reap()
        if len(self.jobs) >= self._crowd:
            for job in [job for job in self.jobs if job.done]:
                self.forget(job)
            self._crowd = max(_LISTED, 2 * len(self.jobs))
        job = self._start(shell, commands, text, False)
        shell.last_background = job.processes[-1].pid
        self._add(job)
        return job

    def _add(self, job: Job) -> None:
        """Put a job into the table."""
        self.jobs.append(job)
        for process in job.processes:
            self._ended.pop(process.pid, None)
            self._of[process.pid] = job

    def forget(self, job: Job) -> None:
        """Take a job out of the table; the statuses of its processes are still known."""
        self.jobs.remove(job)
        for process in job.processes:
            if self._of.get(process.pid) is job:
                del self._of[process.pid]
                if process.status is not None:
                    self._ended[process.pid] = process.status
        while len(self._ended) > _most_children():
            del self._ended[next(iter(self._ended))]

    def ended(self, pid: int) -> int | None:
        """The status of a process whose job has been forgotten; None when it is not known."""
        return self._ended.get(pid)

    def _start(
        self,
        shell: State,
        commands: Sequence[Command],
        text: str,
        foreground: bool,
        output: int = -1,
    ) -> Job:
        """Fork a pipeline; its last command writes to `output`, which is closed here."""
        job = Job(self.jobs[-1].number + 1 if self.jobs else 1, text)
        reader = -1
        for index, command in enumerate(commands):
            last = index == len(commands) - 1
            following, writer = (-1, output) if last else os.pipe()
            pid = fork(reader, writer, following)
            if not pid:
                self._child(shell, job, command, foreground, (reader, writer, following))
            if "m" in shell.flags:
                job.pgid = job.pgid or pid
                _set_group(pid, job.pgid)
            job.processes.append(Process(pid))
            for fd in (reader, writer):
                if fd >= 0:
                    os.close(fd)
            reader = following
        if foreground and job.pgid:
            self.give_terminal(job.pgid)
        return job

    def _child(
        self,
        shell: State,
        job: Job,
        command: Command,
        foreground: bool,
        pipes: tuple[int, int, int],
    ) -> None:
        from applets.sh.run.evaluator import leave, lists_traps, run_tail

        if "m" in shell.flags:
            _set_group(0, job.pgid)
            if foreground:
                self.give_terminal(job.pgid or os.getpid())
        reader, writer, following = pipes
        if following >= 0:
            os.close(following)
        for fd, target in ((reader, 0), (writer, 1)):
            if fd >= 0 and fd != target:
                os.dup2(fd, target)
                os.close(fd)
            elif fd == target:
                os.set_inheritable(fd, True)
        if not foreground and "m" not in shell.flags:
            # XCU 2.9.3.1, 2.11: such a command must take neither the terminal's input nor its signals
            if reader < 0:
                null = os.open(os.devnull, os.O_RDONLY)
                if null:
                    os.dup2(null, 0)
                    os.close(null)
            for number in (signal.SIGINT, signal.SIGQUIT):
                shell.traps.ignored_in_background(number)
        if isinstance(command, Node):
            node = command
            in_pipeline = reader >= 0 or writer >= 0
            leave(shell, lambda: run_tail(shell, node), in_pipeline and lists_traps(node))
        leave(shell, command)

    # Waiting

    def wait_for(self, pid: int, shell: State | None = None) -> int:
        """Wait for one child that belongs to no job; returns its status."""
        raw = _wait(pid, 0)
        if shell is not None:
            self._report_signal(shell, raw)
        return decode(raw)

    def finish(self, shell: State, job: Job) -> int:
        """Wait for a foreground job until it ends or stops, and take the terminal back."""
        for process in job.processes:
            if process.status is None:
                process.raw = _wait(process.pid, os.WUNTRACED if job.pgid else 0)
                if os.WIFSTOPPED(process.raw):
                    break
        if job.pgid:
            self.give_terminal(self._group)
        listed = self._of.get(job.processes[0].pid) is job
        if not job.done:
            if not listed:
                self._add(job)
            self.reap()
            job.reported = "Stopped"
            shell.complain_plain(f"\n[{job.number}]+  Stopped                    {job.text}")
        else:
            if listed:
                self.forget(job)
            self._report_signal(shell, job.processes[-1].raw or 0)
        return job.status("pipefail" in shell.flags)

    def _report_signal(self, shell: State, raw: int) -> None:
        """Say by which signal a foreground command ended; SIGINT leads an interactive shell back."""
        if not os.WIFSIGNALED(raw):
            return
        number = os.WTERMSIG(raw)
        if number == signal.SIGINT:
            if "i" in shell.flags and not shell.subshell:
                shell.status = 130
                shell.complain_plain("")
                raise Interrupt
        elif number != signal.SIGPIPE:
            dumped = " (core dumped)" if os.WCOREDUMP(raw) else ""
            shell.complain_plain(f"{signal.strsignal(number) or f'Signal {number}'}{dumped}")

    def reap(self) -> None:
        """Note what has become of background processes, without waiting."""
        while self._of:
            try:
                pid, raw = os.waitpid(-1, os.WNOHANG | os.WUNTRACED | os.WCONTINUED)
            except ChildProcessError:
                for job in self.jobs:
                    for process in job.processes:
                        if process.status is None:
                            process.raw = 127 << 8
                return
            if not pid:
                return
            known = self._of.get(pid)
            for process in known.processes if known else ():
                if process.pid == pid and process.status is None:
                    process.raw = None if os.WIFCONTINUED(raw) else raw

    def wait_until(self, shell: State, done: Callable[[], bool]) -> int:
        """Wait until `done()` or until a signal with a trap comes; returns that signal, or 0.

        The signals are blocked while nobody waits for them, so that none falls between look and sleep.
        """
        trapped = {n for n, action in shell.traps.actions.items() if n and action}
        if "i" in shell.flags:
            trapped.add(signal.SIGINT)
        waited = trapped | {signal.SIGCHLD}
        before = signal.pthread_sigmask(signal.SIG_BLOCK, waited)
        try:
            while True:
                if shell.traps.pending:
                    return shell.traps.pending[0]
                self.reap()
                if done():
                    return 0
                number = signal.sigwait(waited)
                if number in trapped:
                    shell.traps.note(number)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    # The table

    def find(self, text: str) -> Job:
        """The job that `%n`, `%%`, `%+`, `%-`, `%string`, `%?string` names; raises ShellError."""
        self.reap()
        key = text[1:] if text.startswith("%") else text
        found: list[Job]
        if key in ("", "%", "+"):
            found = self._current()[:1]
        elif key == "-":
            found = self._current()[1:2]
        elif key.isdecimal():
            found = [job for job in self.jobs if job.number == decimal(key)]
        elif key.startswith("?"):
            found = [job for job in self.jobs if key[1:] in job.text]
        else:
            found = [job for job in self.jobs if job.text.startswith(key)]
        if len(found) > 1:
            raise ShellError(f"{text}: ambiguous", 1)
        if not found:
            raise ShellError(f"{text}: no such job", 1)
        return found[0]

    def of_pid(self, pid: int) -> Job | None:
        """The job that a process belongs to."""
        return self._of.get(pid)

    def _current(self) -> list[Job]:
        """The jobs, the current one first: stopped ones before running ones, newer before older."""
        return [job for job in reversed(self.jobs) if job.stopped] + [
            job for job in reversed(self.jobs) if not job.stopped
        ]

    def any_stopped(self) -> bool:
        """Whether a job is stopped: the user should know before leaving."""
        self.reap()
        return any(job.stopped for job in self.jobs)

    def describe(self, job: Job, pids: bool = False) -> str:
        """The line of `jobs`."""
        current = self._current()
        mark = "+" if current[:1] == [job] else "-" if current[1:2] == [job] else " "
        pid = f"{job.processes[0].pid} " if pids else ""
        return f"[{job.number}] {mark} {pid}{job.state():<26} {job.text}"

    def report(self, shell: State) -> None:
        """Before a prompt: tell which jobs have ended or stopped."""
        self.reap()
        for job in list(self.jobs):
            if job.done:
                shell.complain_plain(self.describe(job))
                self.forget(job)
            elif job.stopped and job.reported != "Stopped":
                job.reported = "Stopped"
                shell.complain_plain(self.describe(job))

    def resume(self, shell: State, job: Job, foreground: bool) -> int:
        """fg and bg: let a job go on."""
        for process in job.processes:
            if process.status is None:
                process.raw = None
        job.reported = ""
        if foreground and job.pgid:
            self.give_terminal(job.pgid)
        if job.pgid:
            os.killpg(job.pgid, signal.SIGCONT)
        return self.finish(shell, job) if foreground else 0

    def enter_subshell(self) -> None:
        """A child has no jobs of its own yet."""
        self.jobs, self._of, self._ended = [], {}, {}

    # Job control

    def monitor(self, shell: State, on: bool) -> bool:
        """Switch job control; returns whether it is on.  Without a terminal it stays off, with one line."""
        if on == (self.terminal >= 0):
            return on
        if not on:
            self.give_terminal(self._former_group)
            _set_group(0, self._former_group)
            os.close(self.terminal)
            self.terminal = -1
            for number in _JOB_SIGNALS:
                signal.signal(number, signal.SIG_DFL)
            return False
        try:
            self._open_terminal()
        except OSError:
            shell.complain("can't access tty; job control turned off")
            return False
        return True

    def _open_terminal(self) -> None:
        terminal = private(os.open("/dev/tty", os.O_RDWR))
        try:
            while (owner := os.tcgetpgrp(terminal)) != os.getpgrp():
                if owner <= 0:
                    raise OSError(errno.ENOTTY, os.strerror(errno.ENOTTY))
                os.killpg(
                    0, signal.SIGTTIN
                )  # started in the background: wait to be brought forward
        except OSError:
            os.close(terminal)
            raise
        for number in _JOB_SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        self.terminal = terminal
        self._former_group = os.getpgrp()
        _set_group(0, 0)
        self._group = os.getpgrp()
        self.give_terminal(self._group)

    def give_terminal(self, group: int) -> None:
        """Make a process group the terminal's foreground one."""
        if self.terminal >= 0:
            try:
                os.tcsetpgrp(self.terminal, group)
            except OSError:
                pass  # the group has ended already, or the terminal has been hung up


def _most_children() -> int:
    """CHILD_MAX, at most what a table of numbers may cost."""
    return min(max(os.sysconf("SC_CHILD_MAX"), 1024), 1 << 16)


_JOB_SIGNALS = (signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU)


def fork(*pipes: int) -> int:
    """fork(2).  ShellError when there is no process to be had; the descriptors `pipes` are closed then."""
    try:
        return os.fork()
    except OSError as error:
        for fd in pipes:
            if fd >= 0:
                os.close(fd)
        raise ShellError(f"cannot fork: {error.strerror}") from None


def _set_group(pid: int, group: int) -> None:
    """Parent and child both do this, so that neither has to wait; the second time may fail."""
    try:
        os.setpgid(pid, group)
    except OSError:
        pass


def _wait(pid: int, flags: int) -> int:
    try:
        return os.waitpid(pid, flags)[1]
    except ChildProcessError:
        return 127 << 8  # somebody else has waited for it
