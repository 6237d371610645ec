"""What is read of /proc.  Breaks when a strange name is split wrongly, or an ended process stops a listing."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Iterator

import pytest

from toolbox import processes
from toolbox.processes import Process


@pytest.fixture
def ended() -> Iterator[Process]:
    """A process that was there when `stat` was read."""
    with subprocess.Popen(["sleep", "1000"]) as child:
        process = Process(child.pid)
        child.kill()
        child.wait()
        yield process


def test_this_process() -> None:
    me = Process(os.getpid())
    assert me.field(processes.PPID) == os.getppid()
    assert me.field(processes.PGRP) == os.getpgrp()
    assert me.ids("Uid")[:3] == os.getresuid()
    assert me.ids("Gid")[:3] == os.getresgid()
    assert me.arguments[1:] != [""]
    assert me.link("exe")
    assert os.getpid() in processes.process_ids()
    assert me.field(999) == 0


@pytest.mark.parametrize("name", ["a) R 1 (", ")", "((", "two words", "\udcff"])
def test_a_name_may_hold_anything(name) -> None:
    process = parsed(b"7 (" + os.fsencode(name) + b") S 1 7 7 0 -1 4194560\n")
    assert (process.name, process.state, process.field(processes.PPID)) == (name, "S", 1)


def parsed(raw: bytes) -> Process:
    class Given(Process):
        def read(self, name: str) -> bytes:
            return raw if name == "stat" else b""

    return Given(7)


@pytest.mark.parametrize("raw", [b"", b"7", b"7 (unfinished"])
def test_an_unreadable_stat_is_no_process(raw) -> None:
    with pytest.raises(ProcessLookupError):
        parsed(raw)


def test_no_such_process() -> None:
    with pytest.raises(ProcessLookupError):
        Process(999_999_999)


def test_an_ended_process_is_nobodys(ended) -> None:
    assert ended.name == "sleep"
    assert ended.arguments == []
    assert ended.status == {}
    assert ended.link("exe") == ""
    assert list(ended.threads()) == []
    with pytest.raises(ProcessLookupError):
        ended.ids("Uid")


def test_threads() -> None:
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait)
    thread.start()
    try:
        found = [one.thread for one in Process(os.getpid()).threads()]
    finally:
        stop.set()
        thread.join()
    assert {os.getpid(), thread.native_id} <= set(found)


@pytest.mark.parametrize(
    ("number", "name"),
    [
        (0, "?"),
        (os.makedev(136, 3), "pts/3"),
        (os.makedev(137, 1), "pts/257"),
        (os.makedev(4, 1), "tty1"),
        (os.makedev(4, 64), "ttyS0"),
        (os.makedev(5, 1), "console"),
    ],
)
def test_terminal_names(number, name) -> None:
    assert processes.terminal_name(number) == name


def test_memory_and_uptime() -> None:
    kib = processes.memory()
    assert 0 < kib["MemFree"] < kib["MemTotal"]
    assert processes.uptime() > 0
