"""When an idle service starts.  Breaks when it starts beside what it was to let start, or waits for ever."""

from __future__ import annotations

import pytest

from applets.init.config import ServiceConfig
from applets.init.idle import REST, start
from applets.init.restart import Restart
from applets.init.service import LISTENING, RUNNING, STARTING, STOPPED, WAITING, Service


def service(
    state: str, since: float = 0, *, pid: int | None = 9, idle: float = 0, wait_for: str = ""
) -> Service:
    config = ServiceConfig("one", ["/one"])
    config.idle, config.wait_for = idle, wait_for.split()
    made = Service(config, Restart(lambda: 0.5), 0)
    made.state, made.since, made.pid = state, since, pid
    return made


@pytest.mark.parametrize(
    ("others", "expected"),
    [
        ([], REST),
        ([service(RUNNING, 100.5), service(RUNNING, 100.2)], 100.5 + REST),
        ([service(RUNNING, 100.5), service(STARTING, 100.2)], 102),
        ([service(RUNNING, 101.9)], 102),
        ([service(WAITING, 100, pid=None)], 102),
        ([service(WAITING, 100, pid=None, wait_for="network")], REST),
        ([service(WAITING, 100, pid=None, wait_for="clock")], 102),
        ([service(STOPPED, 101, pid=None), service(LISTENING, 101, pid=None)], REST),
        ([service(STARTING, 101, idle=1), service(RUNNING, 101, idle=1)], REST),
    ],
)
def test_it_starts_a_little_after_the_last_of_the_others(
    others: list[Service], expected: float
) -> None:
    assert start(2, 100, others, lambda wanted: wanted == "clock") == pytest.approx(expected)
