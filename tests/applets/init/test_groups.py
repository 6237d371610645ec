"""Control groups of services, in a group made for the test: breaks when a process of a service escapes a
signal, or when a limit that cannot be set ends a start."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from applets.init import groups
from applets.init.groups import Groups, kinship, session_members, signal_session
from toolbox.linux.memory import sizes

ROOT = Path(__file__).resolve().parents[3]


SCRIPT = """
import os, subprocess, sys, time
from applets.init import groups
from applets.init.groups import Groups
from toolbox.linux import cgroup
from toolbox.linux.mount import mount
folder = sys.argv[1]
mount("cgroup", folder, "cgroup2")
root = f"{folder}/test-{os.getpid()}"
os.mkdir(root)
said = []
try:
    groups = Groups(said.append)
    groups.open(root, {"nonsense"})
    path = groups.prepare("web", {"nonsense.max": "1"})
    body = "setsid sh -c 'trap \\"\\" TERM; while :; do sleep 1000; done' & sleep 1000"
    leader = subprocess.Popen(["sh", "-c", body], preexec_fn=lambda: cgroup.move(path))
    while len(cgroup.processes(path)) < 4:
        time.sleep(0.02)
    print(groups.service_of(leader.pid), groups.service_of(os.getpid()))
    groups.send("web", leader.pid, 15)
    print(leader.wait())
    while len(cgroup.processes(path)) > 2:
        time.sleep(0.02)
    groups.send("web", leader.pid, 9)
    while cgroup.processes(path):
        time.sleep(0.02)
    print("empty")
    print(*said, sep="\\n")
finally:
    for group in (f"{root}/services/web.service", f"{root}/services", root):
        while os.path.isdir(group):
            try:
                os.rmdir(group)
            except OSError:
                time.sleep(0.02)
"""


@pytest.mark.lab
def test_a_signal_reaches_all_processes_of_the_group(tmp_path: Path) -> None:
    done = subprocess.run(
        ["unshare", "--mount", sys.executable, "-c", textwrap.dedent(SCRIPT), str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.stderr == b""
    assert done.stdout.decode().splitlines() == [
        "web None",
        "-15",
        "empty",
        "control groups: there is no controller 'nonsense'",
        "web: nonsense.max = 1: No such file or directory",
    ]


def test_without_control_groups_limits_are_said_not_to_hold() -> None:
    said: list[str] = []
    groups = Groups(said.append)
    assert groups.prepare("web", {"memory.max": "1M"}) is None
    assert said == ["web: no control groups here: its limits do not hold"]
    assert groups.service_of(os.getpid()) is None


def test_without_control_groups_the_session_is_found() -> None:
    body = "sleep 1000 & sleep 1000 & echo up; wait"
    with subprocess.Popen(
        ["sh", "-c", body], stdout=subprocess.PIPE, start_new_session=True
    ) as leader:
        assert leader.stdout is not None
        assert leader.stdout.readline() == b"up\n"
        members = session_members(leader.pid)
        assert len(members) == 3
        assert list(kinship(members[-1]))[:2] == [members[-1], leader.pid]
        signal_session(leader.pid, signal.SIGKILL)
        assert leader.wait(20) == 0  # the leader itself was spared, and saw its children end


def test_shares_are_of_what_the_machine_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(groups, "sizes", lambda: {"MemTotal": 1000 << 20})
    monkeypatch.setattr(groups, "_tasks", lambda: 4000)
    assert groups.amount("memory.max", "70%") == str(700 << 20)
    assert groups.amount("pids.max", "15%") == "600"
    assert groups.amount("pids.max", "100") == "100"
    assert groups.amount("memory.max", "64M") == "64M"
    assert groups.amount("memory.max", "max") == "max"
    monkeypatch.setattr(groups, "sizes", dict)
    assert groups.amount("memory.max", "70%") == "max"
    assert 0 < groups._tasks() < 1 << 23


def test_the_kernels_memory_in_bytes() -> None:
    found = sizes()
    assert found["MemTotal"] > found["MemAvailable"] > 1 << 20
    assert sizes("/none") == {}
