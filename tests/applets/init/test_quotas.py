"""How much of /perm each user may have, and what is said when that is used up.  tests/vm/test_quotas.py has the kernel."""

from __future__ import annotations

from typing import Any

import pytest

from applets.init import checks, quotas
from applets.init.config import ServiceConfig
from toolbox.linux.quota import FILES, SPACE, Limits, Reached


def service(name: str, user: int | None, disk: str | None, files: str | None) -> ServiceConfig:
    made = ServiceConfig(name, ["x"])
    made.user, made.disk, made.files = user, disk, files
    return made


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        (None, 0),
        ("max", 0),
        ("50%", 500),
        ("1%", 10),
        ("100%", 1000),
        ("7", 7),
        ("64K", 65536),
        ("2m", 2 << 20),
        ("1G", 1 << 30),
    ],
)
def test_amounts(text: str | None, amount: int) -> None:
    assert quotas.amount(text, 1000) == amount
    assert quotas.amount("1%", 10) == 1, "0 would be no limit"


def test_a_user_may_have_what_the_most_generous_of_his_services_is_given(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(quotas, "user_id", lambda service: service.user or None)
    given = [
        service("a", 7, "10%", "10"),
        service("b", 7, "5%", "max"),
        service("c", 8, None, "50%"),
        service("d", 9, None, None),
        service("root", None, "10%", "10%"),
    ]
    assert quotas.wanted(given, 1 << 20, 300) == {
        7: Limits((1 << 20) // 10, 0),
        8: Limits(0, 150),
    }


@pytest.mark.parametrize("key", ["disk", "files"])
@pytest.mark.parametrize(
    "value",
    [0, "0", "-1", "", "1.5", "101%", "0%", "64MB", True, 1.5, [], "x", "0K", "9" * 30, "²"],
)
def test_what_is_no_amount(key: str, value: Any) -> None:
    with pytest.raises(checks.Problem, match="is wanted, not"):
        checks.CHECKS[key](value)


def test_what_is_one() -> None:
    assert checks.CHECKS["disk"]("64M") == "64M"
    assert checks.CHECKS["disk"](1 << 20) == "1048576"
    assert checks.CHECKS["files"](1) == "1"
    assert checks.CHECKS["files"]("max") == checks.CHECKS["disk"]("max") == "max"
    assert checks.CHECKS["files"](None) is None


class Loop:
    READ = 1

    def __init__(self) -> None:
        self.now = 0.0
        self.timers: list[Any] = []

    def clock(self) -> float:
        return self.now

    def watch(self, fd: int, events: int, call: Any) -> None:
        assert fd >= 0

    def at(self, when: float, call: Any) -> Any:
        self.timers.append((when, call))

        class Timer:
            def cancel(timer) -> None:
                self.timers.remove((when, call))

        return Timer()


def test_what_is_said_is_bounded_and_names_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """A service that makes and removes files at its limit causes a message each time."""
    loop = Loop()
    said: list[str] = []
    monkeypatch.setattr(quotas, "user_id", lambda service: service.user)
    monkeypatch.setattr(quotas.quota, "limits", lambda device, uid: Limits(5 << 20, 2048))
    monkeypatch.setattr(
        quotas, "_is_on", lambda path, device: path == ["", "/tmp", "/perm"][device]
    )
    services = [service("a", 7, "1%", "1%"), service("b", 8, "1%", "1%")]
    watch = quotas.Watch(loop, said.append, lambda: services)  # type: ignore[arg-type]
    queue: list[Reached] = []

    def take() -> list[Reached]:
        taken = list(queue)
        queue.clear()
        return taken

    monkeypatch.setattr(watch.warnings, "take", take)
    queue += [Reached(7, 2, FILES), Reached(8, 2, SPACE), Reached(9, 1, SPACE)]
    watch.told()
    assert said == [
        "limit: a: has all 2048 files that it may have on /perm ('files' in snakeroot.toml)",
        "limit: b: has all 5.0M that it may have on /perm ('disk' in snakeroot.toml)",
        "limit: user 9: has all the space that a user may have on /tmp",
    ]
    said.clear()
    for _ in range(500):
        queue += [Reached(7, 2, FILES)] * 2
        watch.told()
    assert len(said) == quotas.BURST - 1
    assert len(loop.timers) == 1
    when, call = loop.timers.pop()
    loop.now = when
    watch._timer = None
    call()
    assert (
        said[-1] == f"limit: files on /perm: {1000 - quotas.BURST + 1} more like this (998 from a)"
    )
    watch.warnings.close()
