"""Strangers' lines.  Breaks when a flood can wash out a log, or when something that happened is told nowhere."""

from __future__ import annotations

import re

from tests.toolbox.trust.test_sessions import Clock
from toolbox.limited_log import LimitedLog


def made(burst: int = 3, refill: float = 100) -> tuple[LimitedLog, Clock, list[str]]:
    clock, lines = Clock(), list[str]()
    log = LimitedLog("x", clock, lines.append, burst=burst, refill=refill, interval=60)
    return log, clock, lines


def test_few_lines_are_said_as_they_come() -> None:
    log, clock, lines = made()
    for number in range(20):
        log("refused", f"10.0.0.{number}", f"refused for reason {number}")
        clock.now += 100
    assert lines == [f"x: 10.0.0.{n}: refused for reason {n}" for n in range(20)]
    assert log.due() is None


def test_more_are_counted_and_the_count_is_said() -> None:
    log, clock, lines = made()
    for number in range(1000):
        log("refused", "10.0.0.1" if number % 10 else "10.0.0.2")
        clock.now += 0.01
    assert lines == ["x: 10.0.0.2: refused", *["x: 10.0.0.1: refused"] * 2]
    due = log.due()
    assert due is not None and 49 < due < 61
    clock.now += due
    log.flush()
    said = "x: refused: 997 more like this (898 from 10.0.0.1, 99 from 10.0.0.2)"
    assert lines[3:] == [said]
    assert log.due() is None


def test_kinds_do_not_displace_each_other() -> None:
    log, _, lines = made()
    for _ in range(100):
        log("turned away", "10.0.0.1")
    log("wrong password", "10.0.0.2")
    assert lines[-1] == "x: 10.0.0.2: wrong password"


def test_a_flood_of_a_day_is_a_few_lines_and_loses_no_count() -> None:
    log, clock, lines = made(burst=10, refill=1200)
    total = 0
    for second in range(0, 86400, 2):
        log("refused", f"10.0.{second % 5000 // 256}.{second % 256}")
        total += 1
        clock.now += 2
    log.flush(all=True)
    assert len(lines) < 120, len(lines)
    counted = sum(int(found[1]) for line in lines if (found := re.search(r"(\d+) more", line)))
    assert counted + sum("more" not in line for line in lines) == total
    assert max(map(len, lines)) < 150


def test_who_pauses_to_get_a_new_burst_gets_no_more() -> None:
    log, clock, lines = made(burst=10, refill=1200)
    for _ in range(1440):  # each minute of a day
        for _ in range(10):
            log("refused", "10.0.0.1")
        clock.now += 60
    assert len(lines) < 200


def test_the_last_count_is_said_at_the_end() -> None:
    log, _, lines = made()
    for _ in range(5):
        log("refused", "10.0.0.1")
    log.flush(all=True)
    assert lines[-1] == "x: refused: 2 more like this (2 from 10.0.0.1)"
    log.flush(all=True)
    assert len(lines) == 4
