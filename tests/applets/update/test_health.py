"""When a box is healthy, when a release may be installed, and what init does when nobody says so.

Breaks when a box is committed that is not well, or for too short, or is left that only starts slowly.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from applets.init import health as guard
from applets.init.loop import Loop
from applets.update.daemon import parse_window, within
from applets.update.health import Health, check, restarts, trouble, troubles
from toolbox.errors import UsageError


def service(name: str, state: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "state": state, "ready": state == "running", "status": "", **more}


@pytest.mark.parametrize(
    ("one", "said"),
    [
        (service("x", "running"), ""),
        (service("x", "listening"), ""),
        (service("x", "stopped", exit="exit 0"), ""),
        (service("x", "stopped", exit="exit 2"), "x is stopped (exit 2)"),
        (service("x", "starting"), "x is starting"),
        (service("x", "backoff", exit="signal 11"), "x is backoff (signal 11)"),
        (service("x", "waiting", status="waits for network"), "x is waiting (waits for network)"),
        (service("x", "failed", status="no such program"), "x is failed (no such program)"),
    ],
)
def test_what_a_service_lacks(one: dict[str, Any], said: str) -> None:
    assert trouble(one) == said


def test_what_did_not_work_before_need_not_work_after() -> None:
    services = [service("ntp", "starting"), service("hello", "backoff")]
    assert troubles(services, {"ntp"}) == ["hello is backoff"]
    assert troubles(services, set()) == ["ntp is starting", "hello is backoff"]


def test_well_for_long_enough_and_in_time() -> None:
    health = Health(after=3, within=60, now=100)
    assert health.look("hello is starting", 101) is None
    assert health.look("", 102) is None
    assert health.look("hello is backoff", 104) is None  # it begins anew
    assert health.look("", 105) is None
    assert health.look("", 107.9) is None
    assert health.look("", 108) is True


def test_not_in_time() -> None:
    health = Health(after=3, within=60, now=100)
    assert health.look("hello is starting", 159.9) is None
    assert health.look("hello is starting", 160) is False
    assert health.trouble == "hello is starting"


def test_what_becomes_well_at_the_end_gets_its_time() -> None:
    health = Health(after=3, within=60, now=100)
    assert health.look("", 159) is None
    assert health.look("", 161) is None
    assert health.look("", 162) is True


def test_a_service_that_ends_again_and_again_is_not_well_in_between() -> None:
    health = Health(after=3, within=60, now=0)
    assert [health.look("", now, restarts=1 + now // 5) for now in range(75)] == [None] * 75
    assert health.look("", 75, restarts=16) is False
    assert health.trouble == "a service had to be started again"


def test_a_service_that_was_started_again_and_stays_is_well() -> None:
    health = Health(after=3, within=60, now=0)
    assert health.look("hello is backoff (exit 1)", 1, restarts=0) is None
    assert health.look("", 2, restarts=1) is None
    assert [health.look("", now, restarts=1) for now in (16.9, 17)] == [None, True]
    services = [{**service("ntp", "running"), "restarts": 3}, service("hello", "running")]
    assert restarts(services, set()) == 3
    assert restarts(services, {"ntp"}) == 0


def test_the_owners_check() -> None:
    assert check("true") == ""
    assert check("echo one; echo two; exit 3") == "the check failed with status 3: two"
    assert check("exit 1") == "the check failed with status 1: exit 1"
    assert check("sleep 100", 0.1) == "the check takes longer than 0.1 s: sleep 100"


@pytest.mark.parametrize(
    ("text", "hour", "inside"),
    [
        ("", "12:00", True),
        ("02:00-04:30", "02:00", True),
        ("02:00-04:30", "04:29", True),
        ("02:00-04:30", "04:30", False),
        ("02:00-04:30", "01:59", False),
        ("22:00-02:00", "23:59", True),
        ("22:00-02:00", "01:59", True),
        ("22:00-02:00", "12:00", False),
    ],
)
def test_windows(text: str, hour: str, inside: bool) -> None:
    assert within(parse_window(text), time.strptime(hour, "%H:%M")) is inside


@pytest.mark.parametrize("text", ["2", "2:00", "02:00-", "a:b-c:d", "02:00-25:00", "1:0-2:0-3:0"])
def test_no_windows(text: str) -> None:
    with pytest.raises(UsageError, match="invalid window"):
        parse_window(text)


# -- init's part -------------------------------------------------------------------------------------------


class Box:
    """What a guard looks at of init, with a clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 0.0
        self.said: list[str] = []
        self.left: list[str] = []
        self.conditions: set[str] = set()
        self.loop = Loop(lambda: self.now, lambda what, error: self.said.append(f"{error}"))

    def log(self, text: str) -> None:
        self.said.append(text)

    def leave(self, action: str) -> None:
        self.left.append(action)

    def at(self, now: float) -> None:
        self.now = now
        self.loop.turn(0)


TRIAL = "quiet snakeroot.slot=b snakeroot.boot=trial"


@pytest.mark.parametrize(
    ("words", "committed", "left"),
    [
        (TRIAL, False, ["reboot"]),
        (TRIAL, True, []),
        (TRIAL.replace("trial", "committed"), False, []),
        ("quiet", False, []),
    ],
)
def test_a_trial_is_bounded(words: str, committed: bool, left: list[str]) -> None:
    box = Box()
    guard.bound_trial(box, words, 90)  # type: ignore[arg-type]
    box.at(89.9)
    assert box.left == []
    if committed:
        box.conditions.add(guard.COMMITTED)
    box.at(90)
    assert box.left == left


def test_the_watchdog_hears_of_the_loop_only(tmp_path: Path) -> None:
    box = Box()
    path = tmp_path / "watchdog"
    os.mkfifo(path)
    reading = os.open(path, os.O_RDONLY | os.O_NONBLOCK)

    def heard() -> int:
        try:
            return len(os.read(reading, 100))
        except BlockingIOError:
            return 0

    watchdog = guard.Watchdog(box.loop, box.log, str(path))
    assert heard() == 1
    box.at(watchdog.timeout / 4 - 0.1)
    assert heard() == 0
    for turn in range(1, 5):
        box.at(turn * watchdog.timeout / 4)
        assert heard() == 1
    os.close(watchdog.fd)
    os.close(reading)


def test_no_watchdog_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    box = Box()
    seen: list[str] = []
    bound: Callable[..., None] = lambda box, words, seconds: seen.append(words)  # noqa: E731
    monkeypatch.setattr(guard, "bound_trial", bound)
    guard.begin(box, 90, str(tmp_path / "none"))  # type: ignore[arg-type]
    assert box.said == []
    assert len(seen) == 1
