"""The table of jobs: it must not grow for as long as a script runs, nor forget what `wait` may ask for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Run = Callable[..., Any]


def test_a_script_s_jobs_are_forgotten_and_their_statuses_are_not(run: Run) -> None:
    program = """
    i=0
    (exit 9) & first=$!
    while [ $i -lt 300 ]; do i=$((i+1)); : & last=$!; done
    wait $last; sleep 0.2
    i=0
    while [ $i -lt 150 ]; do i=$((i+1)); : & wait $!; done
    jobs >jobs
    wait $first
    echo $?
    set -- $(wc -l jobs)
    [ $1 -lt 150 ] && echo bounded
    rm jobs
    """
    result = run("sh", "-c", program, cwd="/tmp")
    assert result.out == b"9\nbounded\n"
    assert result.err == b""


def test_the_number_of_system_calls_for_a_job_does_not_grow_with_their_number(run: Run) -> None:
    """Each `&` looks for what has ended with one call, however many run (it was one for each of them)."""
    program = """
import os, sys
from applets.sh.shell.jobs import Job, Jobs, Process

table, calls = Jobs(), 0
real = os.waitpid

def counted(pid, flags):
    global calls
    calls += 1
    return real(pid, flags)

os.waitpid = counted
reader, writer = os.pipe()
for number in range(50):
    pid = os.fork()
    if not pid:
        os.close(writer)
        os.read(reader, 1)
        os._exit(0)
    job = Job(number + 1, "")
    job.processes.append(Process(pid))
    table.add(job)
for _ in range(100):
    table.reap()
print(calls)
os.close(writer)
os.waitpid = real
while not all(job.done for job in table.jobs):
    table.reap()
print(True)
"""
    result = run("python", "-c", program)
    assert result.out.split() == [b"100", b"True"], result.err
