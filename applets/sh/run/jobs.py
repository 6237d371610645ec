"""Processes and job control (POSIX XCU 2.9.3, 2.11): pipelines in forks, and waiting for them.

With -m every pipeline is a process group of its own, and the foreground one owns the terminal.
"""

from __future__ import annotations

import os
import signal
from contextlib import contextmanager

from applets.sh.errors import Interrupt, ShellError
from applets.sh.shell.jobs import Job, Process, decode, set_group
from applets.sh.syntax.nodes import Node, Simple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from applets.sh.shell.state import State

    Command = Node | Callable[[], int]


# Starting


def foreground(shell: State, commands: Sequence[Command], text: str) -> int:
    """Start a pipeline and wait for it; returns its status."""
    return finish(shell, _start(shell, commands, text, True))


@contextmanager
def feeding(shell: State, commands: Sequence[Command]) -> Iterator[None]:
    """Start a pipeline whose output is this process's input, and wait for it in the end."""
    reader, writer = os.pipe()
    job = _start(shell, commands, "", True, writer)
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


def background(shell: State, commands: Sequence[Command], text: str) -> Job:
    """Start a pipeline and go on; sets $!."""
    shell.jobs.make_room()
    job = _start(shell, commands, text, False)
    shell.last_background = job.processes[-1].pid
    shell.jobs.add(job)
    return job


def _start(
    shell: State, commands: Sequence[Command], text: str, foreground: bool, output: int = -1
) -> Job:
    """Fork a pipeline; its last command writes to `output`, which is closed here."""
    job = Job(shell.jobs.next_number(), text)
    reader = -1
    for index, command in enumerate(commands):
        last = index == len(commands) - 1
        following, writer = (-1, output) if last else os.pipe()
        pid = fork(reader, writer, following)
        if not pid:
            _child(shell, job, command, foreground, (reader, writer, following))
        if "m" in shell.flags:
            job.pgid = job.pgid or pid
            set_group(pid, job.pgid)
        job.processes.append(Process(pid))
        for fd in (reader, writer):
            if fd >= 0:
                os.close(fd)
        reader = following
    if foreground and job.pgid:
        shell.jobs.give_terminal(job.pgid)
    return job


def _child(
    shell: State, job: Job, command: Command, foreground: bool, pipes: tuple[int, int, int]
) -> None:
    if "m" in shell.flags:
        set_group(0, job.pgid)
        if foreground:
            shell.jobs.give_terminal(job.pgid or os.getpid())
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
    runner = shell.runner
    if isinstance(command, Node):
        node = command
        in_pipeline = reader >= 0 or writer >= 0
        runner.leave(shell, lambda: runner.run_tail(shell, node), in_pipeline and lists_traps(node))
    runner.leave(shell, command)


def lists_traps(node: Node) -> bool:
    """Whether the node is `trap` alone."""
    return isinstance(node, Simple) and node.static == ["trap"]


def fork(*pipes: int) -> int:
    """fork(2).  ShellError when there is no process to be had; the descriptors `pipes` are closed then."""
    try:
        return os.fork()
    except OSError as error:
        for fd in pipes:
            if fd >= 0:
                os.close(fd)
        raise ShellError(f"cannot fork: {error.strerror}") from None


# Waiting


def wait_for(pid: int, shell: State | None = None) -> int:
    """Wait for one child that belongs to no job; returns its status."""
    raw = _wait(pid, 0)
    if shell is not None:
        _report_signal(shell, raw)
    return decode(raw)


def finish(shell: State, job: Job) -> int:
    """Wait for a foreground job until it ends or stops, and take the terminal back."""
    table = shell.jobs
    for process in job.processes:
        if process.status is None:
            process.raw = _wait(process.pid, os.WUNTRACED if job.pgid else 0)
            if os.WIFSTOPPED(process.raw):
                break
    if job.pgid:
        table.take_terminal()
    listed = table.of_pid(job.processes[0].pid) is job
    if not job.done:
        if not listed:
            table.add(job)
        table.reap()
        job.reported = "Stopped"
        shell.complain_plain(f"\n[{job.number}]+  Stopped                    {job.text}")
    else:
        if listed:
            table.forget(job)
        _report_signal(shell, job.processes[-1].raw or 0)
    return job.status("pipefail" in shell.flags)


def _report_signal(shell: State, raw: int) -> None:
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


def wait_until(shell: State, done: Callable[[], bool]) -> int:
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
            shell.jobs.reap()
            if done():
                return 0
            number = signal.sigwait(waited)
            if number in trapped:
                shell.traps.note(number)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _wait(pid: int, flags: int) -> int:
    try:
        return os.waitpid(pid, flags)[1]
    except ChildProcessError:
        return 127 << 8  # somebody else has waited for it


# Job control


def report(shell: State) -> None:
    """Before a prompt: tell which jobs have ended or stopped."""
    table = shell.jobs
    table.reap()
    for job in list(table.jobs):
        if job.done:
            shell.complain_plain(table.describe(job))
            table.forget(job)
        elif job.stopped and job.reported != "Stopped":
            job.reported = "Stopped"
            shell.complain_plain(table.describe(job))


def resume(shell: State, job: Job, foreground: bool) -> int:
    """fg and bg: let a job go on."""
    for process in job.processes:
        if process.status is None:
            process.raw = None
    job.reported = ""
    if foreground and job.pgid:
        shell.jobs.give_terminal(job.pgid)
    if job.pgid:
        os.killpg(job.pgid, signal.SIGCONT)
    return finish(shell, job) if foreground else 0
