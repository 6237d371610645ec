"""time: what it reports, and that it ends as its command does."""

from __future__ import annotations

import os
import re
import resource
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from applets.miscutils.time import VERBOSE, clock, report, shown

Run = Callable[..., Any]

DEFAULT = r"real\t\d+m \d+\.\d\ds\nuser\t\d+m \d+\.\d\ds\nsys\t\d+m \d+\.\d\ds\n"
#: GNU time, on hosts that have it.
GNU = [name for name in ("/usr/bin/time",) if os.path.exists(name)]
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


@pytest.mark.parametrize(
    ("form", "words", "status", "pattern"),
    [
        ("%%|%x", ["true"], 0, r"%\|0"),
        ("", ["true"], 0, ""),
        ("%x %C", ["sh", "-c", "exit 3"], 3, "Command exited with .* 3\n3 sh -c exit 3"),
        ("%x", ["sh", "-c", "kill -9 $$"], 137, "Command terminated .* 9\n0"),
        (r"a\tb\nc\\d", ["true"], 0, r"a\tb\nc\\d"),
        (r"\q%q|\x41", ["true"], 0, r"\?\\q\?q\|\?\\x41"),
        ("%z|%A|%5e", ["true"], 0, r"\?z\|\?A\|\?5e"),
        ("%e %U %S", ["true"], 0, r"(\d+\.\d\d ?){3}"),
        ("%E %P", ["true"], 0, r"\d+:\d\d\.\d\d (\d+|\?)%"),
        ("%F %R %c %w %I %O %M %Z", ["true"], 0, r"\d+( \d+){7}"),
        ("%D%K%X%p%t%W%k%s%r", ["true"], 0, "0{9}"),
    ],
)
@pytest.mark.parametrize("how", ["ours", "environment", *GNU])
def test_a_format(
    run: Run, how: str, form: str, words: list[str], status: int, pattern: str
) -> None:
    """GNU time's letters and escapes; GNU's own program, where it is, is held to the same table."""
    if how in GNU:
        done = subprocess.run([how, "-f", form, *words], capture_output=True, check=False)
        found, err = done.returncode, done.stderr
    else:
        options = ["-f", form] if how == "ours" else []
        r = run("time", *options, *words, env={"TIME": form})
        found, err = r.status, r.err
    assert (found, bool(re.fullmatch(f"{pattern}\n", err.decode()))) == (status, True), err


@pytest.mark.parametrize("form", ["a%", "a\\"])
def test_a_format_that_ends_early(run: Run, form: str) -> None:
    r = run("time", "-f", form, "true")
    assert r.err == form.replace("%", "?").replace("\\", "?\\").encode() + b"\n"


@pytest.mark.parametrize(
    ("words", "out"),
    [
        (["-o", "f", "-f", "%x", "true"], "0\n"),
        (["--output=f", "-f", "%x", "true"], "0\n"),
        (["-a", "-o", "f", "-f", "%x", "true"], "old\n0\n"),
        (["-ao", "f", "-f", "%x", "sh", "-c", "exit 3"], "old\nCommand exited .* 3\n3\n"),
        (["-qo", "f", "-f", "%x", "sh", "-c", "exit 3"], "3\n"),
        (["-o", "f", "-p", "true"], PORTABLE),
        (["-o", "f", "true"], DEFAULT),
        (["-o", "f", "-f", "%x", "-p", "true"], PORTABLE),
        (["-o", "f", "-p", "-f", "%x", "true"], "0\n"),
    ],
)
def test_a_file(run: Run, tmp_path: Path, words: list[str], out: str) -> None:
    (tmp_path / "f").write_text("old\n")
    r = run("time", *words, cwd=tmp_path)
    assert (r.status, r.err) == (3 if "exit 3" in words else 0, b"")
    assert re.fullmatch(out, (tmp_path / "f").read_text())


def test_a_file_that_cannot_be_written(run: Run, tmp_path: Path) -> None:
    r = run("time", "-o", "none/f", "touch", "done", cwd=tmp_path)
    assert (r.status, r.err) == (125, b"time: none/f: No such file or directory\n")
    assert not (tmp_path / "done").exists()
    r = run("time", "-o", "/dev/full", "true")
    assert (r.status, r.err) == (125, b"time: /dev/full: No space left on device\n")


def test_quiet_and_append_without_a_file(run: Run) -> None:
    assert run("time", "-aqf", "%x", "sh", "-c", "exit 3").err == b"3\n"


def test_verbose_says_all(run: Run) -> None:
    lines = run("time", "-v", "sh", "-c", "exit 3").err.decode().split("\n")
    assert lines[:2] == [
        "Command exited with non-zero status 3",
        '\tCommand being timed: "sh -c exit 3"',
    ]
    assert lines[-2:] == ["\tExit status: 3", ""]
    assert len(lines) == len(VERBOSE.split("\n")) + 2


def test_what_no_time_passed_in() -> None:
    used = resource.getrusage(resource.RUSAGE_SELF)
    assert report("%P", ["a"], 0, 0.0, used) == "?%"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0:00.00"),
        (62.5, "1:02.50"),
        (3599.99, "59:59.99"),
        (3600.5, "1:00:00"),
        (90061.0, "25:01:01"),
    ],
)
def test_the_clock(seconds: float, text: str) -> None:
    assert clock(seconds) == text
