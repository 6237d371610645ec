"""Builtins on processes, jobs and signals: wait, jobs, fg, bg, kill, trap, times."""

from __future__ import annotations

import os

from applets.sh.builtins import arguments
from applets.sh.builtins.arguments import letters, write
from applets.sh.errors import Interrupt, ShellError
from applets.sh.run.jobs import resume, wait_until
from applets.sh.shell.traps import name_of, number_of
from applets.sh.syntax.quoting import single_quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from applets.sh.shell.jobs import Job
    from applets.sh.shell.state import State


def wait(shell: State, argv: list[str]) -> int:
    """wait [-n] [PID|%JOB]...: 128 + the signal when a trap is to run."""
    found, operands = letters(argv, "n")
    table = shell.jobs
    if "n" in found:
        return _wait_any(shell)
    if not operands:
        running = list(table.jobs)

        def settled() -> bool:
            while running and (running[-1].done or running[-1].stopped):
                running.pop()
            return not running

        number = wait_until(shell, settled)
        if number:
            return _interrupted(shell, number)
        for job in [job for job in table.jobs if job.done]:
            table.forget(job)
        return 0
    status = 0
    for word in operands:
        status = _wait_one(shell, word)
        if shell.traps.pending:
            return status
    return status


def _interrupted(shell: State, number: int) -> int:
    if number not in shell.traps.actions:
        shell.traps.pending.clear()
        shell.traps.interrupted = False
        raise Interrupt
    return 128 + number


def _wait_any(shell: State) -> int:
    jobs = [job for job in shell.jobs.jobs if not job.done]
    if not jobs:
        return 127
    number = wait_until(shell, lambda: any(job.done for job in jobs))
    if number:
        return _interrupted(shell, number)
    return next(job.status() for job in jobs if job.done)


def _wait_one(shell: State, word: str) -> int:
    table = shell.jobs
    if word.startswith("%"):
        job: Job | None = table.find(word)
        process = job.processes[-1] if job else None
    else:
        pid = arguments.number(word)
        job = table.of_pid(pid)
        process = next((p for p in job.processes if p.pid == pid), None) if job else None
        if job is None:
            status = table.ended(pid)
            return 127 if status is None else status
    if job is None or process is None:
        return 127
    one, all_of = process, job
    number = wait_until(shell, lambda: one.raw is not None)
    if number:
        return _interrupted(shell, number)
    if all_of.done and "i" in shell.flags:
        table.forget(all_of)
    return one.status if one.status is not None else all_of.status()


def jobs(shell: State, argv: list[str]) -> int:
    """jobs [-lp] [%JOB]..."""
    found, operands = letters(argv, "lp")
    table = shell.jobs
    table.reap()
    chosen = [table.find(word) for word in operands] if operands else list(table.jobs)
    for job in chosen:
        if "p" in found:
            write(f"{job.processes[0].pid}\n")
        else:
            write(table.describe(job, "l" in found) + "\n")
        if job.done:
            table.forget(job)
    return 0


def _resumable(shell: State, argv: list[str]) -> list[Job]:
    if shell.jobs.terminal < 0 and "m" not in shell.flags:
        raise ShellError("no job control", 1)
    return [shell.jobs.find(word) for word in argv[1:] or ["%%"]]


def fg(shell: State, argv: list[str]) -> int:
    """fg [%JOB]"""
    status = 0
    for job in _resumable(shell, argv):
        write(f"{job.text}\n")
        status = resume(shell, job, True)
    return status


def bg(shell: State, argv: list[str]) -> int:
    """bg [%JOB]..."""
    for job in _resumable(shell, argv):
        write(f"[{job.number}] {job.text}\n")
        resume(shell, job, False)
    return 0


def kill(shell: State, argv: list[str]) -> int:
    """kill, with %JOB for its processes; the applet does the work."""
    from toolbox import multicall

    shell.jobs.reap()  # a loop that waits for `kill -0` to fail must see the end of its child
    words = [argv[0]]
    for word in argv[1:]:
        if word.startswith("%"):
            if "--" not in words:  # a process group looks like an option
                words.append("--")
            job = shell.jobs.find(word)
            words += [f"-{job.pgid}"] if job.pgid else [str(p.pid) for p in job.processes]
        else:
            words.append(word)
    return multicall.call(words)


def trap(shell: State, argv: list[str]) -> int:
    """trap [-p] [ACTION SIGNAL...]"""
    operands = argv[1:]
    if operands[:1] == ["--"]:
        operands = operands[1:]
    if operands[:1] == ["-l"]:
        from toolbox import multicall

        return multicall.call(["kill", "-l"])
    shown = shell.traps.listed()
    if not operands or operands[0] == "-p":
        chosen = [n for n in map(number_of, operands[1:]) if n is not None] or sorted(shown)
        for number in chosen:
            if number in shown:
                write(f"trap -- {single_quoted(shown[number])} {name_of(number)}\n")
        return 0
    action: str | None = operands[0]
    if action == "-":
        action, operands = None, operands[1:]
    elif operands[0].isdecimal() or len(operands) == 1:
        action = None
    else:
        operands = operands[1:]
    status = 0
    for word in operands:
        found = number_of(word)
        if found is None:
            shell.complain(f"{word}: invalid signal specification")
            status = 1
        else:
            shell.traps.set(found, action)
    return status


def times(shell: State, argv: list[str]) -> int:
    """times: user and system time of the shell and of its children."""
    t = os.times()
    for user, system in ((t.user, t.system), (t.children_user, t.children_system)):
        write(f"{_minutes(user)} {_minutes(system)}\n")
    return 0


def _minutes(seconds: float) -> str:
    return f"{int(seconds // 60)}m{seconds % 60:.3f}s"
