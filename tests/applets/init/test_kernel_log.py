"""The kernel's messages in the logs, from a pipe instead of /dev/kmsg: breaks when junk, an overrun or the
end of the source ends more than itself."""

from __future__ import annotations

import os
from pathlib import Path

from applets.init.kernel_log import KernelLog
from applets.init.logs import Logs
from applets.init.loop import Loop


def test_records_become_lines_with_their_own_times(tmp_path: Path) -> None:
    path = tmp_path / "kmsg"
    os.mkfifo(path)
    reports: list[str] = []
    loop, logs = Loop(lambda: 50.0, lambda what, error: reports.append(str(error))), Logs()
    KernelLog(loop, logs, str(path))
    writer = os.open(path, os.O_WRONLY)
    for record in (b"6,1,1500000,-;first\n", b"junk", b"4,2,2500000,-;second\n SUBSYSTEM=x\n"):
        os.write(writer, record)
        loop.turn(1)
    os.close(writer)
    for _ in range(3):
        loop.turn(0)
    assert [(line.time, line.text) for line in logs.read(0, ["kernel"])] == [
        (1.5, b"first"),
        (2.5, b"second"),
    ]
    assert reports == []
