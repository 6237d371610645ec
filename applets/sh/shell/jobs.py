"""The table of jobs (POSIX XCU 2.11), and the terminal that they take turns to own.

run/jobs.py starts them and waits for them.
"""

from __future__ import annotations

import errno
import os
import signal

from applets.sh.descriptors import private
from applets.sh.errors import ShellError
from applets.sh.numbers import decimal


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

    def next_number(self) -> int:
        """The number for a new job."""
        return self.jobs[-1].number + 1 if self.jobs else 1

    def make_room(self) -> None:
        """Note what has ended; in a crowded table, forget it."""
        self.reap()
        if len(self.jobs) >= self._crowd:
            for job in [job for job in self.jobs if job.done]:
                self.forget(job)
            self._crowd = max(_LISTED, 2 * len(self.jobs))

    def add(self, job: Job) -> None:
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

    def enter_subshell(self) -> None:
        """A child has no jobs of its own yet."""
        self.jobs, self._of, self._ended = [], {}, {}

    # Job control

    def monitor(self, on: bool) -> None:
        """Switch job control.  OSError without a terminal; it stays off then."""
        if on == (self.terminal >= 0):
            return
        if not on:
            self.give_terminal(self._former_group)
            set_group(0, self._former_group)
            os.close(self.terminal)
            self.terminal = -1
            for number in _JOB_SIGNALS:
                signal.signal(number, signal.SIG_DFL)
            return
        self._open_terminal()

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
        set_group(0, 0)
        self._group = os.getpgrp()
        self.give_terminal(self._group)

    def take_terminal(self) -> None:
        """Make the shell's own process group the terminal's foreground one."""
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


def set_group(pid: int, group: int) -> None:
    """Parent and child both do this, so that neither has to wait; the second time may fail."""
    try:
        os.setpgid(pid, group)
    except OSError:
        pass
