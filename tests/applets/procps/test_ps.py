"""ps: which processes, which columns.  Breaks when POSIX's or BSD's options select or print something else."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def child() -> Iterator[int]:
    """A process with a name and words of its own, that waits for its input to end."""
    words = [sys.executable, "-c", "input()", "two words"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, start_new_session=True) as process:
        deadline = time.monotonic() + 30
        # Until it waits for its input: before that it is sometimes running, and shown as such.
        while b"pipe" not in Path(f"/proc/{process.pid}/wchan").read_bytes():
            assert time.monotonic() < deadline
            time.sleep(0.01)
        yield process.pid
        process.kill()


def test_columns_as_posix_names_them(run, child) -> None:
    r = run("ps", "-o", "pid,ppid,pgid,args", "-p", str(child))
    head, line = r.out.decode().splitlines()
    assert head.split() == ["PID", "PPID", "PGID", "COMMAND"]
    assert line.split()[:3] == [str(child), str(os.getpid()), str(child)]
    assert line.endswith("-c input() two words")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["-o", "pid=,ppid="], "{pid} {ppid}"),
        (["-o", "pid="], "{pid}"),
        (["-o", "pid=", "-o", "ppid="], "{pid} {ppid}"),
        (["h", "-o", "pid,ppid"], "{pid} {ppid}"),
        (["--no-headers", "-o", "pid ppid"], "{pid} {ppid}"),
        (["-o", "pid:9=NUMBER"], "NUMBER {pid}"),
        (["-o", "%p%P"], "PID PPID {pid} {ppid}"),
        (["-o", "pid=NUMBER"], "NUMBER {pid}"),
        (["-o", "pid=X,ppid=Y"], "X Y {pid} {ppid}"),
        (["-o", "uid=,nice=,s="], "{uid} {nice} S"),
    ],
)
def test_headers(run, child, words, expected) -> None:
    r = run("ps", *words, "-p", str(child))
    # Our caller may have made us nice, and the child has that from us.
    nice = os.getpriority(os.PRIO_PROCESS, child)
    values = {"pid": child, "ppid": os.getpid(), "uid": os.getuid(), "nice": nice}
    assert r.out.decode().split() == expected.format(**values).split()


def test_columns_line_up(run, child) -> None:
    head, line = (
        run("ps", "-o", "pid,tty,stat,time,comm", "-p", str(child)).out.decode().splitlines()
    )
    assert head == "  PID TT       STAT     TIME COMMAND"
    nice = os.getpriority(os.PRIO_PROCESS, child)
    state = "S" + ("N" if nice > 0 else "<" if nice < 0 else "") + "s"
    assert re.fullmatch(rf" *\d+ \?        {state:4} 00:00:0\d \S+", line)


@pytest.mark.parametrize(
    ("words", "head"),
    [
        (["-f"], "UID        PID  PPID  C STIME TTY          TIME CMD"),
        (["-l"], "F S   UID   PID  PPID  C PRI  NI ADDR SZ WCHAN  TTY          TIME CMD"),
        (["-j"], "  PID  PGID   SID TTY          TIME CMD"),
        (["-F"], "UID        PID  PPID  C    SZ   RSS PSR STIME TTY          TIME CMD"),
        (["-fL"], "UID        PID  PPID   LWP  C NLWP STIME TTY          TIME CMD"),
        (["-fc"], "UID        PID  PPID CLS PRI STIME TTY          TIME CMD"),
        (["-O", "rss"], "  PID   RSS S TTY          TIME COMMAND"),
        (["-o", "pid,user:12,s"], "  PID USER         S"),
        (["u"], "USER       PID %CPU %MEM    VSZ   RSS TTY      STAT START   TIME COMMAND"),
        (["j"], " PPID   PID  PGID   SID TTY      TPGID STAT   UID   TIME COMMAND"),
        ([], "  PID TTY          TIME CMD"),
    ],
)
def test_the_usual_formats_have_procps_headers(run, child, words, head) -> None:
    assert run("ps", *words, "-p", str(child)).out.decode().splitlines()[0] == head


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["-w"],
        ["-aux"],
        ["-ax"],
        ["-e"],
        ["-A"],
        ["ax"],
        ["aux"],
        ["-ef"],
        ["-eo", "pid"],
        ["axo", "pid"],
    ],
)
def test_all_processes(run, child, words) -> None:
    out = run("ps", *words).out.decode()
    assert re.search(rf"\b{child}\b", out)
    assert re.search(r"^\S* *1\b", out, re.M)


def test_without_options_as_busybox_does(run, child) -> None:
    head, *lines = run("ps").out.decode().splitlines()
    assert head == "  PID USER       TIME COMMAND"
    assert any(re.fullmatch(rf" *{child} \S+ +0:00 .* two words", line) for line in lines)
    threads = run("ps", "-o", "args=", "-p", "2").out
    assert threads == b"" or threads.startswith(b"[")  # in a container 2 may be no kernel's thread


def test_selection_adds_up_and_can_be_turned_round(run, child) -> None:
    def pids(*words: str) -> set[int]:
        return {int(w) for w in run("ps", *words, "-o", "pid=").out.split()}

    me = os.getpid()
    assert pids("-p", f"{child},{me}") == {child, me}
    assert pids("-p", str(child), "-p", str(me)) == {child, me}
    assert pids(str(child)) == {child}
    assert child in pids("--ppid", str(me))
    assert pids("-s", str(child)) == {child}
    assert child in pids("-u", str(os.geteuid()))
    assert child not in pids("-N", "-p", str(child))


def test_sort_and_forest(run, child) -> None:
    pids = [int(w) for w in run("ps", "-e", "-o", "pid=", "--sort=-pid").out.split()]
    assert pids == sorted(pids, reverse=True)
    r = run("ps", "f", "-o", "pid,args", "-p", f"{child},{os.getpid()}")
    assert re.search(rf"^ *{child}  \\_ ", r.out.decode(), re.M)


def test_nothing_found_is_status_1(run) -> None:
    r = run("ps", "-p", "999999999")
    assert (r.status, r.out) == (1, b"  PID TTY          TIME CMD\n")


@pytest.mark.parametrize(
    "words",
    [
        ["-o", "nonsense"],
        ["-p"],
        ["-p", "x"],
        ["--nonsense"],
        ["--sort=nonsense"],
        ["-%"],
        ["-o", "pid:x"],
        ["-t", "nonsense"],
        ["-u", "nobody-of-this-name"],
    ],
)
def test_what_it_does_not_know_is_named(run, words) -> None:
    r = run("ps", *words)
    assert r.status == 1
    assert r.err.startswith(b"ps: ")
    assert b"ps --help" in r.err


def test_a_name_cannot_reach_the_terminal(run) -> None:
    with subprocess.Popen(
        ["sh", "-c", "read x", "\x1b[31m\nroot"], stdin=subprocess.PIPE
    ) as process:
        out = run("ps", "-o", "args=", "-p", str(process.pid)).out
        process.kill()
    assert out == b"sh -c read x ?[31m?root\n"
