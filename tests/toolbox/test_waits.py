"""Waits: any number of seconds is one, and every wait of ours is cut where the system call is made.

Breaks when a long lease, timeout or interval reaches a system call as it is (an OverflowError ends the
daemon that waits), or when a wait ends before its time.
"""

from __future__ import annotations

import ast
import math
import os
import select
import selectors
import socket
import time
from pathlib import Path

import pytest

from toolbox import waits

ROOT = Path(__file__).resolve().parents[2]
DAY = 86400.0

LENGTHS = [
    24.8 * DAY,
    30 * DAY,
    90 * DAY,
    3650 * DAY,
    0xFFFFFFFE,
    0xFFFFFFFF,
    1e18,
    1e300,
    math.inf,
]


@pytest.mark.parametrize("seconds", LENGTHS)
def test_every_length_is_one_that_the_system_takes(seconds: float) -> None:
    reader, writer = os.pipe()
    os.write(writer, b"x")
    with selectors.DefaultSelector() as selector:
        selector.register(reader, selectors.EVENT_READ)
        assert selector.select(waits.bounded(seconds))
    assert select.select([reader], [], [], waits.bounded(seconds))[0]
    assert waits.readable(reader, seconds)
    with socket.socket() as sock:
        sock.settimeout(waits.bounded(seconds))
    os.close(reader)
    os.close(writer)


def test_what_has_passed_is_no_wait_and_none_has_no_end() -> None:
    assert waits.bounded(-5.0) == 0.0
    assert waits.milliseconds(-5.0) == 0
    assert waits.milliseconds(0.0001) == 1, (
        "rounded down, a loop would spin until the time has come"
    )
    assert waits.bounded(None) is None
    assert waits.until(math.inf, 5.0) is None
    assert waits.until(7.0, 5.0) == 2.0


def test_a_long_sleep_is_several(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    slept = []

    def sleep(seconds: float) -> None:
        nonlocal now
        slept.append(seconds)
        now += seconds

    monkeypatch.setattr(time, "sleep", sleep)
    monkeypatch.setattr(time, "monotonic", lambda: now)
    waits.sleep(90 * DAY)
    assert sum(slept) == 90 * DAY
    assert max(slept) <= waits.LONGEST


def test_nothing_to_read_within_the_time() -> None:
    reader, writer = os.pipe()
    before = time.monotonic()
    assert not waits.readable(reader, 0.05)
    assert time.monotonic() - before >= 0.05
    os.close(writer)
    assert waits.readable(reader, None), "an end is something to read"
    os.close(reader)


# -- nobody waits otherwise ------------------------------------------------------------------------

#: Where the wait stands among the arguments of a call.
_WAITS = {"settimeout": 0, "sleep": 0, "sigtimedwait": 1}
_OURS = ("bounded", "until", "milliseconds")


def _wait_of(call: ast.Call) -> ast.expr | None:
    """The argument of a call that says how long to wait; None when it has none."""
    if not isinstance(call.func, ast.Attribute):
        return None
    name, owner = call.func.attr, call.func.value
    if isinstance(owner, ast.Name) and owner.id == "waits":
        return None
    for keyword in call.keywords:
        if keyword.arg == "timeout" and name in (*_WAITS, "select", "poll"):
            return keyword.value
    if name == "select":
        of_module = isinstance(owner, ast.Name) and owner.id == "select"
        at = 3 if of_module else 0
    elif name == "poll":
        at = 0
    elif name == "create_connection" and isinstance(owner, ast.Name) and owner.id == "socket":
        at = 1
    elif name in _WAITS:
        at = _WAITS[name]
    else:
        return None
    return call.args[at] if len(call.args) > at else None


def _is_known(value: ast.expr) -> bool:
    """A literal, a constant, a product of such, no more than such, or what one of our functions made."""
    match value:
        case ast.Constant():
            return True
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name.isupper()
        case ast.BinOp(left=left, right=right):
            return _is_known(left) and _is_known(right)
        case ast.Call(func=ast.Name(id="min"), args=args):
            return any(map(_is_known, args))
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)):
            return name in _OURS
    return False


def unbounded(source: str) -> list[int]:
    """The lines with a wait whose length nobody has cut."""
    return [
        node.lineno
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call) and (wait := _wait_of(node)) and not _is_known(wait)
    ]


def test_every_wait_passes_here() -> None:
    found = []
    for top in ("applets", "toolbox"):
        for path in sorted((ROOT / top).rglob("*.py")):
            if path != ROOT / "toolbox" / "waits.py":
                found += [f"{path.relative_to(ROOT)}:{n}" for n in unbounded(path.read_text())]
    assert found == [], "cut these with toolbox.waits"


def test_the_check_finds_what_it_should() -> None:
    for bad in (
        "time.sleep(pause)",
        "selector.select(wait)",
        "selector.select(timeout=wait)",
        "select.select([fd], [], [], left)",
        "poll.poll(seconds * 1000)",
        "s.settimeout(opt.timeout)",
        "socket.create_connection(place, opt.timeout)",
    ):
        assert unbounded(bad) == [1], bad
    for good in (
        "time.sleep(PAUSE)",
        "time.sleep(0.1)",
        "selector.select()",
        "selector.select(bounded(wait))",
        "selector.select(waits.until(due, now))",
        "poll.poll(SEND_TIME * 1000)",
        "process.poll()",
        "waits.sleep(pause)",
        "s.settimeout(None)",
    ):
        assert unbounded(good) == [], good
