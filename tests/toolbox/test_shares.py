"""Places of a server.  Breaks when one source can hold them all, or the owner finds a full server closed."""

from __future__ import annotations

import random
import socket
from collections.abc import Iterator

import pytest

from tests.toolbox.trust.test_sessions import Clock
from toolbox.net.address import network_of
from toolbox.shares import Shares


@pytest.fixture
def sockets() -> Iterator[list[socket.socket]]:
    """Keys; none of them is connected."""
    made = [socket.socket() for _ in range(200)]
    yield made
    for one in made:
        one.close()


def entered(shares: Shares, key: socket.socket, peer: str) -> list[socket.socket]:
    dropped = shares.enter(key, peer)
    assert dropped is not None, peer
    return dropped


SPREAD = {
    "one IPv4 address": lambda n: "10.0.0.7",
    "the same, mapped": lambda n: "::ffff:10.0.0.7" if n % 2 else "10.0.0.7",
    "an IPv6 network": lambda n: f"2001:db8::{n + 1:x}",
    "all of its 64 bits": lambda n: f"2001:db8::{n * 7919 % 65536:x}:{n:x}:0:1",
    "link-local": lambda n: f"fe80::{n + 1:x}%eth0",
}


@pytest.mark.parametrize("spread", SPREAD)
def test_one_source_gets_its_share_and_its_oldest_gives_way(
    sockets: list[socket.socket], spread: str
) -> None:
    clock = Clock()
    shares = Shares(20, 5, clock)
    for number in range(50):
        clock.now += 1
        dropped = entered(shares, sockets[number], SPREAD[spread](number))
        assert dropped == ([sockets[number - 5]] if number >= 5 else [])
        assert len(shares) == min(number + 1, 5)


def test_who_is_served_keeps_the_place(sockets: list[socket.socket]) -> None:
    clock = Clock()
    shares = Shares(20, 3, clock)
    for number in range(3):
        entered(shares, sockets[number], "10.0.0.1")
        shares.busy(sockets[number])
    assert shares.enter(sockets[3], "10.0.0.1") is None
    assert entered(shares, sockets[3], "10.0.0.2") == []
    shares.quiet(sockets[1])
    assert entered(shares, sockets[4], "10.0.0.1") == [sockets[1]]
    shares.quiet(sockets[0], after=10)
    shares.busy(sockets[4])
    assert shares.enter(sockets[5], "10.0.0.1") is None
    clock.now += 11
    assert entered(shares, sockets[5], "10.0.0.1") == [sockets[0]]


def test_a_full_server_drops_of_the_source_with_most_silent_ones(
    sockets: list[socket.socket],
) -> None:
    clock = Clock()
    shares = Shares(10, 8, clock)
    owner = sockets[0]
    entered(shares, owner, "10.0.0.1")
    for number in range(1, 10):
        clock.now += 1
        entered(shares, sockets[number], "10.9.9.9" if number < 7 else f"10.8.8.{number}")
    assert entered(shares, sockets[10], "10.0.0.2") == [sockets[1]], (
        "not the owner's, which is older"
    )
    assert entered(shares, sockets[11], "10.0.0.3") == [sockets[2]]


def test_who_got_further_goes_later(sockets: list[socket.socket]) -> None:
    clock = Clock()
    shares = Shares(3, 3, clock)
    for number in range(3):
        clock.now += 1
        entered(shares, sockets[number], f"10.0.0.{number}")
    shares.progress(sockets[0])
    assert entered(shares, sockets[3], "10.0.0.9") == [sockets[1]]


def test_all_busy_is_full(sockets: list[socket.socket]) -> None:
    shares = Shares(4, 4, Clock())
    for number in range(4):
        entered(shares, sockets[number], f"10.0.0.{number}")
        shares.busy(sockets[number])
    assert shares.enter(sockets[4], "10.0.0.9") is None
    shares.leave(sockets[0])
    shares.leave(sockets[0])
    assert entered(shares, sockets[4], "10.0.0.9") == []


def test_whatever_comes_the_limits_hold(sockets: list[socket.socket]) -> None:
    """A random history, held against a plain count."""
    rng = random.Random(7)
    clock = Clock()
    shares = Shares(12, 4, clock)
    held: dict[socket.socket, str] = {}
    for _ in range(5000):
        clock.now += rng.random()
        key = rng.choice(sockets)
        if key in held:
            step = rng.randrange(4)
            if step == 0:
                shares.leave(key)
                del held[key]
            else:
                (shares.quiet, shares.busy, shares.progress)[step - 1](key)
        else:
            peer = rng.choice(["10.0.0.1", "10.0.0.2", "fd00::1", "fd00::2", "fd00:0:0:1::1"])
            dropped = shares.enter(key, peer)
            for one in dropped or ():
                del held[one]
            if dropped is not None:
                held[key] = network_of(peer)
        assert len(shares) == len(held) <= 12
        assert all(list(held.values()).count(source) <= 4 for source in set(held.values()))
