"""time: what it reports, and that it ends as its command does."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from applets.miscutils.time import shown

Run = Callable[..., Any]

DEFAULT = r"real\t\d+m \d+\.\d\ds\nuser\t\d+m \d+\.\d\ds\nsys\t\d+m \d+\.\d\ds\n"
PORTABLE = r"real \d+\.\d\d\nuser \d+\.\d\d\nsys \d+\.\d\d\n"


@pytest.mark.parametrize(
    ("words", "status", "out", "err"),
    [
        (["echo", "-p", "a"], 0, b"-p a\n", DEFAULT),
        (["-p", "echo", "a"], 0, b"a\n", PORTABLE),
        (["-p", "--", "echo", "a"], 0, b"a\n", PORTABLE),
        (["-p", "sh", "-c", "exit 7"], 7, b"", f"Command exited with .* 7\n{PORTABLE}"),
        (["-p", "sh", "-c", "kill -9 $$"], 137, b"", f"Command terminated .* 9\n{PORTABLE}"),
        (["/nonexistent/a"], 127, b"", r"time: /nonexistent/a: No such file or directory\n"),
        (["/"], 126, b"", r"time: /: Permission denied\n"),
    ],
)
def test_times_and_status(run: Run, words: list[str], status: int, out: bytes, err: str) -> None:
    r = run("time", *words)
    assert (r.status, r.out) == (status, out)
    assert re.fullmatch(err, r.err.decode())


def test_a_command_is_needed(run: Run) -> None:
    r = run("time", "-p")
    assert r.status == 1
    assert b"missing operand" in r.err


def test_the_processor_time_is_the_commands(run: Run) -> None:
    burn = "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done"
    times = dict(line.split() for line in run("time", "-p", "sh", "-c", burn).err.split(b"\n")[:3])
    assert float(times[b"user"]) > 0
    assert float(times[b"real"]) > 0


def test_ctrl_c_ends_the_command_and_the_times_are_said(
    toolbox_argv: list[str], toolbox_env: dict[str, str]
) -> None:
    body = "trap 'exit 5' INT; echo up; while :; do sleep 0.05; done"
    with subprocess.Popen(
        [*toolbox_argv, "time", "-p", "sh", "-c", body],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=toolbox_env,
        start_new_session=True,
    ) as timed:
        assert timed.stdout
        assert timed.stdout.readline() == b"up\n"
        os.killpg(timed.pid, signal.SIGINT)
        _, err = timed.communicate(timeout=30)
    assert timed.returncode == 5
    assert re.fullmatch(f"Command exited with .* 5\n{PORTABLE}", err.decode())


def test_a_command_may_interrupt_its_group_at_once(
    toolbox_argv: list[str], toolbox_env: dict[str, str]
) -> None:
    """The keys are ignored before the command is there, which on one processor often runs before we do."""
    words = [*toolbox_argv, "time", "-p", "sh", "-c", "trap '' INT; kill -INT 0; exit 5"]
    one = {min(os.sched_getaffinity(0))}
    for _ in range(100):
        done = subprocess.run(
            words,
            env=toolbox_env,
            capture_output=True,
            start_new_session=True,
            check=False,
            preexec_fn=lambda: os.sched_setaffinity(0, one),
        )
        assert done.returncode == 5, done.stderr


@pytest.mark.parametrize(("before", "status"), [("", 5), ("trap '' INT; ", 3)])
def test_what_is_ignored_stays_so_for_the_command(run: Run, before: str, status: int) -> None:
    ask = "trap 'exit 5' INT; kill -INT $$; exit 3"
    assert run("sh", "-c", f'{before}command time sh -c "$0"', ask).status == status


@pytest.mark.parametrize(
    ("seconds", "default", "portable"),
    [
        (0.0, "real\t0m 0.00s", "real 0.00"),
        (0.29, "real\t0m 0.29s", "real 0.29"),
        (1.999, "real\t0m 1.99s", "real 1.99"),
        (61.2, "real\t1m 1.20s", "real 61.20"),
        (7200.0, "real\t120m 0.00s", "real 7200.00"),
    ],
)
def test_how_times_are_written(seconds: float, default: str, portable: str) -> None:
    assert shown("real", seconds, portable=False) == default
    assert shown("real", seconds, portable=True) == portable
