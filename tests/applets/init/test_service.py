"""The state machine of a service, as tables of events: breaks when a transition changes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from applets.init.config import ServiceConfig
from applets.init.restart import Restart
from applets.init.service import Service

#: Statuses of waitpid(2): exit 0, exit 1, killed by signal 9.
GOOD, BAD, KILLED = 0, 1 << 8, 9


def make(**settings: Any) -> Service:
    config = ServiceConfig("x", ["/bin/x"])
    for key, value in settings.items():
        setattr(config, key, value)
    return Service(config, Restart(lambda: 0.0), 0.0)


def play(service: Service, *steps: Any) -> list[Any]:
    """Do the steps, one a second; returns after each the action and the state."""
    trace = []
    for now, step in enumerate(steps):
        name, *arguments = step if isinstance(step, tuple) else (step,)
        action = getattr(service, name)(*arguments, *([] if name == "connection" else [now]))
        action = action or service.advance(now, True)
        trace.append((action, service.state) if action else service.state)
    return trace


STORIES = [
    (
        "up",
        {},
        ["start", ("spawned", 7), "executed"],
        [("spawn", "starting"), "starting", "running"],
    ),
    (
        "notify",
        {"ready": "notify"},
        ["start", ("spawned", 7), "executed", "became_ready"],
        [("spawn", "starting"), "starting", "starting", "running"],
    ),
    (
        "killed comes back",
        {},
        ["start", ("spawned", 7), "executed", ("exited", KILLED), "executed"],
        [("spawn", "starting"), "starting", "running", "backoff", ("spawn", "starting")],
    ),
    (
        "stop",
        {},
        ["start", ("spawned", 7), "executed", "stop", "stop", ("exited", 15), "executed"],
        [
            *[("spawn", "starting"), "starting", "running", ("term", "stopping"), "stopping"],
            *["stopped", "stopped"],
        ],
    ),
    (
        "does not stop",
        {"stop_timeout": 2.0},
        ["start", ("spawned", 7), "executed", "stop", "executed", "executed", ("exited", 9)],
        [
            *[("spawn", "starting"), "starting", "running", ("term", "stopping"), "stopping"],
            *[("kill", "stopping"), "stopped"],
        ],
    ),
    (
        "restart",
        {},
        [
            "start",
            ("spawned", 7),
            "executed",
            "restart",
            ("exited", 15),
            ("spawned", 8),
            "executed",
        ],
        [
            *[("spawn", "starting"), "starting", "running", ("term", "stopping")],
            *[("spawn", "starting"), "starting", "running"],
        ],
    ),
    (
        "stop while it waits to come back",
        {},
        ["start", ("spawned", 7), "executed", ("exited", BAD), "stop", "executed"],
        [("spawn", "starting"), "starting", "running", "backoff", "stopped", "stopped"],
    ),
    (
        "never, badly",
        {"restart": "never"},
        ["start", ("spawned", 7), "executed", ("exited", BAD), "executed"],
        [("spawn", "starting"), "starting", "running", "failed", "failed"],
    ),
    (
        "on failure, well",
        {"restart": "on-failure"},
        ["start", ("spawned", 7), "executed", ("exited", GOOD), "executed"],
        [("spawn", "starting"), "starting", "running", "stopped", "stopped"],
    ),
    (
        "on failure, badly",
        {"restart": "on-failure"},
        ["start", ("spawned", 7), "executed", ("exited", BAD), "executed"],
        [("spawn", "starting"), "starting", "running", "backoff", ("spawn", "starting")],
    ),
    (
        "always, well",
        {},
        ["start", ("spawned", 7), "executed", ("exited", GOOD), "executed"],
        [("spawn", "starting"), "starting", "running", "backoff", ("spawn", "starting")],
    ),
    (
        "ready by its end",
        {"ready": "exit"},
        ["start", ("spawned", 7), "executed", ("exited", GOOD), "executed"],
        [("spawn", "starting"), "starting", "starting", "stopped", "stopped"],
    ),
    (
        "no process to be had",
        {},
        ["start", ("not_started", "no memory"), "executed"],
        [("spawn", "starting"), "backoff", ("spawn", "starting")],
    ),
    (
        "by a connection, and idle",
        {"listen": [":1"]},
        [
            *["executed", "connection", ("spawned", 7), "executed", ("exited", GOOD), "executed"],
            "connection",
        ],
        [
            *["listening", ("spawn", "starting"), "starting", "running", "listening", "listening"],
            ("spawn", "starting"),
        ],
    ),
    (
        "by a connection, and broken",
        {"listen": [":1"]},
        ["executed", "connection", ("spawned", 7), "executed", ("exited", BAD), "executed"],
        ["listening", ("spawn", "starting"), "starting", "running", "backoff", "listening"],
    ),
    (
        "not ready in time",
        {"ready": "notify", "start_timeout": 2.0},
        ["start", ("spawned", 7), "executed", "executed", ("exited", KILLED)],
        [("spawn", "starting"), "starting", "starting", ("kill", "starting"), "backoff"],
    ),
]


@pytest.mark.parametrize(
    ("settings", "steps", "expected"), [s[1:] for s in STORIES], ids=[s[0] for s in STORIES]
)
def test_story(settings: dict[str, Any], steps: list[Any], expected: list[Any]) -> None:
    assert play(make(**settings), *steps) == expected


def test_waits_until_what_it_waits_for_is_there() -> None:
    service = make()
    assert (service.advance(1, False), service.state) == (None, "waiting")
    assert (service.advance(2, True), service.state) == ("spawn", "starting")


def test_a_bad_entry_is_failed_and_stays_so() -> None:
    service = make(wrong={"comand": "unknown key"})
    service.start(1)
    assert service.advance(1, True) is None
    assert service.restart(2) is None
    assert service.stop(3) is None
    assert (service.state, service.status) == ("failed", "'comand': unknown key")


def test_the_reason_of_a_failed_exec_is_kept() -> None:
    service = make()
    service.advance(0, True)
    service.spawned(7, 0)
    service.spawn_failed("exec: /bin/x: No such file or directory", 0)
    service.exited(127 << 8, 0)
    assert (service.state, service.status, service.exit) == (
        "backoff",
        "exec: /bin/x: No such file or directory",
        "exit 127",
    )


EVENTS = ["start", "stop", "restart", "connection", "ready", "exit", "executed", "wait"]


@given(
    st.lists(st.tuples(st.sampled_from(EVENTS), st.floats(0, 100)), max_size=60),
    st.sampled_from(["always", "on-failure", "never"]),
    st.booleans(),
)
def test_no_order_of_events_confuses_it(
    events: list[tuple[str, float]], restart: str, listens: bool
) -> None:
    """It never has two processes, and once it is stopped and its process gone, it stays down."""
    service = make(restart=restart, listen=[":1"] if listens else [])
    now, pids = 0.0, 100
    for event, after in events:
        now += after
        if event in ("start", "stop", "restart"):
            action = getattr(service, event)(now)
            assert (action == "term") <= (service.pid is not None)
        elif event == "connection":
            service.connection()
        elif event == "ready":
            service.became_ready(now)
        elif event == "executed" and service.pid:
            service.executed(now)
        elif event == "exit" and service.pid:
            service.exited(BAD, now)
        if service.advance(now, True) == "spawn":
            assert service.pid is None
            pids += 1
            service.spawned(pids, now)
        assert service.ready <= (service.state == "running")
    service.stop(now)
    if service.pid:
        service.exited(15, now)
    for later in range(200):
        assert service.advance(now + later, True) is None
    assert service.state in ("stopped", "failed")


def test_no_process_to_be_had_again_and_again() -> None:
    """The pause grows, however long the service had run before."""
    service = make()
    service.start(0.0)
    assert service.advance(0.0, True) == "spawn"
    service.spawned(7, 0.0)
    service.executed(0.0)
    now = 1000.0
    service.exited(BAD, now)
    pauses = []
    for _ in range(5):
        assert service.deadline is not None
        now = service.deadline
        assert service.advance(now, True) == "spawn"
        service.not_started("no memory", now)
        pauses.append(round(service.deadline - now, 3))
    assert pauses == [0.2, 0.4, 0.8, 1.6, 3.2]
