"""The loop: timers in their order, and failing callbacks that neither end it nor make it spin."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import pytest

from applets.init.loop import PATIENCE, REST, Loop


class Turned:
    """A loop whose clock stands still, and what it reported."""

    def __init__(self) -> None:
        self.now = 100.0
        self.reports: list[str] = []
        self.loop = Loop(lambda: self.now, lambda what, error: self.reports.append(str(error)))


@pytest.fixture
def turned() -> Turned:
    return Turned()


@pytest.fixture
def readable() -> Iterator[int]:
    reading, writing = os.pipe()
    os.write(writing, b"x")
    yield reading
    os.close(reading)
    os.close(writing)


def test_timers_come_in_their_order_once_and_not_when_cancelled(turned: Turned) -> None:
    seen: list[int] = []
    for number, after in ((3, 3.0), (1, 1.0), (2, 1.0), (9, 2.0)):
        timer = turned.loop.at(turned.now + after, lambda n=number: seen.append(n))  # type: ignore[misc]
        if number == 9:
            timer.cancel()
    for _ in range(5):
        turned.loop.turn(0)
        turned.now += 1
    assert seen == [1, 2, 3]


def test_many_cancelled_timers_do_not_pile_up(turned: Turned) -> None:
    for _ in range(10_000):
        turned.loop.at(turned.now + 1e6, print).cancel()
    assert len(turned.loop._timers) <= 1001


def test_a_failing_callback_rests_and_comes_again(turned: Turned, readable: int) -> None:
    def fail(events: int) -> None:
        raise RuntimeError("oops")

    turned.loop.watch(readable, turned.loop.READ, fail)
    for _ in range(PATIENCE * 3):
        turned.loop.turn(0)
    assert turned.reports == ["oops"] * PATIENCE
    turned.now += REST
    for _ in range(3):
        turned.loop.turn(0)
    assert len(turned.reports) > PATIENCE


def test_a_failing_report_ends_nothing(readable: int) -> None:
    def fail(*_: object) -> None:
        raise MemoryError

    loop = Loop(lambda: 0.0, fail)
    loop.watch(readable, loop.READ, fail)
    loop.each_turn = fail
    loop.at(0.0, fail)
    loop.turn(0)
    loop.unwatch(readable)
    loop.unwatch(readable)


def test_it_runs_until_it_is_stopped(turned: Turned) -> None:
    turned.loop.at(turned.now, lambda: turned.loop.stop(3))
    assert turned.loop.run() == 3


def test_an_event_of_a_descriptor_that_is_another_by_now() -> None:
    """One callback closes the other's descriptor and opens one that gets its number: that one's bytes are its own."""
    loop = Loop(time.monotonic, lambda what, error: None)
    pairs = [os.pipe(), os.pipe()]
    fresh: list[int] = []
    called: list[int] = []

    def ready(mine: int) -> None:
        called.append(mine)
        other = next(reader for reader, _ in pairs if reader != mine)
        if not fresh:
            loop.unwatch(other)
            os.close(other)
            fresh.extend(os.pipe())
            assert fresh[0] == other, "the lowest free number"
            loop.watch(fresh[0], loop.READ, lambda events: None)

    for reader, writer in pairs:
        os.write(writer, b"x")
        loop.watch(reader, loop.READ, lambda events, reader=reader: ready(reader))
    loop.turn(1.0)
    assert len(called) == 1
    for fd in {*fresh, *(fd for pair in pairs for fd in pair)}:
        os.close(fd)
