"""One check for every secret.

Breaks when a shortcut goes round the limit, when guesses at the same time are more than one after the other, or when
something that happened at the gate is not told.
"""

from __future__ import annotations

import threading
import time

import pytest

from tests.toolbox.trust.test_sessions import Clock
from toolbox.limited_log import LimitedLog
from toolbox.trust.gate import Denied, Gate
from toolbox.trust.sessions import Tries


class Door:
    """A gate for the secret "right", and what it made and said."""

    def __init__(self, *, open: bool = False, number: int = 1024) -> None:
        self.clock = Clock()
        self.lines: list[str] = []
        self.hashes = 0
        self.stored = b"stored"
        log = LimitedLog("x", self.clock, self.lines.append)
        self.gate = Gate("secret", Tries(self.clock, number=number, open=open), log)

    def verify(self, given: bytes) -> bool:
        self.hashes += 1
        return given == b"right"

    def ask(self, peer: str, given: bytes) -> str:
        """How it went: right, wrong or unheard."""
        try:
            self.gate.check(peer, given, self.stored, lambda: self.verify(given))
        except Denied as denied:
            assert bool(denied.wait) or not denied.unheard
            return "unheard" if denied.unheard else "wrong"
        return "right"

    def lock(self, peer: str) -> None:
        for _ in range(5):
            assert self.ask(peer, b"wrong") == "wrong"


@pytest.mark.parametrize("remembered", [False, True])
def test_a_locked_source_hears_the_same_of_right_and_wrong(remembered: bool) -> None:
    door = Door()
    if remembered:
        assert door.ask("10.0.0.1", b"right") == "right"
    door.lock("10.0.0.7")
    made = door.hashes
    answers = {door.ask("10.0.0.7", given) for given in (b"right", b"wrong", b"other", b"")}
    assert answers == {"unheard"} and door.hashes == made
    assert door.ask("10.0.0.1", b"right") == "right", "others are not locked"
    door.clock.now += 10
    assert door.ask("10.0.0.7", b"right") == "right"


def test_what_was_right_is_not_hashed_again() -> None:
    door = Door()
    for _ in range(50):
        assert door.ask("10.0.0.1", b"right") == "right"
    assert door.hashes == 1
    assert door.ask("10.0.0.2", b"right") == "right" and door.hashes == 1
    door.stored = b"changed"
    assert door.ask("10.0.0.1", b"right") == "right" and door.hashes == 2


def test_what_is_given_and_what_is_stored_are_not_mixed_up() -> None:
    door = Door()
    door.stored = b"xstored"
    assert door.ask("10.0.0.1", b"right") == "right"
    door.stored = b"stored"
    assert door.ask("10.0.0.1", b"rightx") == "wrong"


def test_a_right_secret_that_is_remembered_forgives_no_guesses() -> None:
    """Else whoever shares the owner's address guesses on whenever the owner's program has asked something."""
    door = Door()
    assert door.ask("10.0.0.1", b"right") == "right"
    answers = []
    for _ in range(8):
        answers.append(door.ask("10.0.0.1", b"guess"))
        door.ask("10.0.0.1", b"right")
    assert answers == ["wrong"] * 5 + ["unheard"] * 3


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("10.0.0.1", "10.0.0.2", False),
        ("10.0.0.1", "::ffff:10.0.0.1", True),
        ("2001:db8::1", "2001:db8::ffff:0:0:2", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("fe80::1%eth0", "fe80::2%eth0", True),
        ("", "", True),
    ],
)
def test_guesses_are_counted_by_network(one: str, other: str, same: bool) -> None:
    door = Door()
    door.lock(one)
    assert (door.ask(other, b"right") == "unheard") is same


@pytest.mark.parametrize("remembered", [False, True])
def test_many_at_once_are_no_more_than_one_after_the_other(remembered: bool) -> None:
    door = Door()
    if remembered:
        assert door.ask("10.0.0.1", b"right") == "right"
        assert door.hashes == 1
        door.hashes = 0
    answers: list[str] = []

    def slow(given: bytes) -> bool:
        door.hashes += 1
        time.sleep(0.01)  # others come meanwhile
        return given == b"right"

    door.verify = slow  # type: ignore[method-assign]
    ready = threading.Barrier(30)

    def guess(number: int) -> None:
        ready.wait()
        answers.append(door.ask("10.0.0.7", b"guess%d" % number))

    threads = [threading.Thread(target=guess, args=(number,)) for number in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == ["unheard"] * 25 + ["wrong"] * 5
    assert door.hashes == 5


def test_who_hashes_for_long_holds_up_nobody_whose_secret_is_remembered() -> None:
    door = Door()
    assert door.ask("10.0.0.1", b"right") == "right"
    begun, go_on = threading.Event(), threading.Event()

    def slow(given: bytes) -> bool:
        begun.set()
        return go_on.wait(20) and False

    door.verify = slow  # type: ignore[method-assign]
    guess = threading.Thread(target=door.ask, args=("10.0.0.7", b"guess"))
    guess.start()
    assert begun.wait(20)
    assert door.ask("10.0.0.1", b"right") == "right"
    go_on.set()
    guess.join()


def test_an_error_while_checking_counts_for_nothing_and_holds_up_nobody() -> None:
    door = Door()

    def broken(given: bytes) -> bool:
        raise OSError("no memory")

    door.verify = broken  # type: ignore[method-assign]
    for _ in range(10):
        with pytest.raises(OSError, match="no memory"):
            door.ask("10.0.0.1", b"right")
    del door.verify  # type: ignore[method-assign]
    assert door.ask("10.0.0.1", b"right") == "right"


@pytest.mark.parametrize("open", [False, True])
def test_a_table_full_of_others(open: bool) -> None:
    """Who sends a token that nobody can guess does not wait for what others tried."""
    door = Door(open=open, number=64)
    for number in range(200):
        door.ask(f"10.1.{number // 250}.{number % 250}", b"wrong")
    assert door.ask("10.2.0.1", b"right") == ("right" if open else "unheard")
    assert len(door.gate.tries._clean) <= 64


def test_what_is_told() -> None:
    door = Door()
    door.lock("10.0.0.7")
    for _ in range(907):
        assert door.ask("10.0.0.7", b"guess") == "unheard"
    for _ in range(5):
        assert door.ask("10.0.0.1", b"right") == "right"
    door.gate.log.flush(all=True)
    assert door.lines[:5] == ["x: 10.0.0.7: wrong secret"] * 5
    refused = "too many wrong secrets: refused unheard"
    assert door.lines[5:15] == [f"x: 10.0.0.7: {refused}"] * 10
    assert door.lines[15:] == [
        "x: 10.0.0.1: right secret",
        f"x: {refused}: 897 more like this (897 from 10.0.0.7)",
    ]
    door.clock.now += 3601
    assert door.ask("10.0.0.1", b"right") == "right"
    assert door.lines[-1] == "x: 10.0.0.1: right secret"
