"""The NTP client's rounds as tables.  Breaks when a server is asked too often or not at all, when a
forged or unkind answer counts, or when the poll interval does not follow the clock."""

from __future__ import annotations

import math
import struct
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from applets.ntp import machine
from applets.ntp.machine import Ask, Client, Correct, Event, Note, Unreachable
from toolbox.net import ntp

NOW = 1_795_000_000.0


class World:
    """A client, steady time that we move, servers that are right, and a local clock that is `off`."""

    def __init__(self, *servers: str) -> None:
        self.cookies = 0
        self.client = Client(NOW - 86400, self.nonce, lambda: 0.5)
        self.now = 100.0
        self.off = -3.0  # of the local clock
        self.events: list[Event] = []
        self.asked: dict[str, bytes] = {}
        self.client.use([[server] for server in servers or ("a",)], self.now)

    def nonce(self, size: int) -> bytes:
        self.cookies += 1
        return self.cookies.to_bytes(size, "big")

    def true(self) -> float:
        return NOW + self.now

    def take(self, events: list[Event]) -> list[Event]:
        self.events += events
        for event in events:
            if isinstance(event, Ask):
                self.asked[event.server] = event.data
            elif isinstance(event, Correct):
                self.off += event.sample.offset
        return events

    def wait(self) -> list[Event]:
        """Let time pass until the client wants to be called."""
        assert self.client.deadline < math.inf
        self.now = max(self.now, self.client.deadline)
        return self.take(self.client.tick(self.now))

    def packet(self, server: str, lie: float = 0.0, head: bytes = b"\x24\x02\x06\xec") -> bytes:
        when = self.true() + lie + ntp.UNIX_EPOCH
        time = struct.pack("!II", int(when), int(when % 1 * 2**32))
        return head + bytes(12) + time + self.asked[server][40:48] + time + time

    def answer(self, server: str = "a", lie: float = 0.0, delay: float = 0.002) -> list[Event]:
        self.now += delay / 2
        data = self.packet(server, lie)
        self.now += delay / 2
        return self.hear(server, data)

    def hear(self, server: str, data: bytes) -> list[Event]:
        return self.take(self.client.receive(data, server, self.now, self.true() + self.off))

    def kiss(self, code: bytes, server: str = "a") -> list[Event]:
        data = bytearray(self.packet(server))
        data[1] = 0
        data[12:16] = code
        return self.hear(server, bytes(data))

    @property
    def corrections(self) -> list[Correct]:
        return [event for event in self.events if isinstance(event, Correct)]

    @property
    def notes(self) -> list[str]:
        return [event.text for event in self.events if isinstance(event, Note)]

    def settle(self, *servers: str) -> None:
        for _ in range(1 + machine.BURST_ROUNDS):
            self.wait()
            for server in servers or ("a",):
                self.answer(server)
        assert self.client.state == machine.SET


def test_one_server_sets_the_clock_at_its_first_answer() -> None:
    world = World()
    assert isinstance(world.wait()[0], Ask)
    (correct,) = world.answer()
    assert isinstance(correct, Correct) and correct.first
    assert correct.sample.offset == pytest.approx(3.0, abs=1e-5)
    assert world.now < 100.01


def test_several_servers_are_asked_at_once_and_the_last_is_not_waited_for() -> None:
    world = World("a", "b", "c", "d")
    assert [e.server for e in world.wait() if isinstance(e, Ask)] == ["a", "b", "c", "d"]
    for server in "abc":
        assert not world.answer(server)
    begin = world.now
    world.wait()
    assert world.now - begin == machine.AFTER_MOST
    (correct,) = world.corrections
    assert (correct.used, correct.asked) == (3, 4)


def test_liar_among_three() -> None:
    world = World("a", "b", "c")
    world.wait()
    world.answer("a", lie=1e6)
    world.answer("b")
    world.answer("c", lie=0.0005)
    assert world.corrections[0].sample.offset == pytest.approx(3.0, abs=0.01)


def test_two_that_disagree_set_nothing() -> None:
    world = World("a", "b")
    world.wait()
    world.answer("a", lie=50)
    world.answer("b")
    assert not world.corrections
    assert world.notes == ["the servers disagree about the time"]


def test_silence_is_tried_again_ever_more_slowly() -> None:
    world = World()
    begins = []
    for _ in range(10):
        assert isinstance(world.wait()[0], Ask)
        begins.append(world.now)
        world.wait()  # the round ends
    pauses = [b - a - machine.ROUND_LIMIT for a, b in pairwise(begins)]
    assert pauses == [1, 2, 4, 8, 16, 32, 64, 64, 64]
    assert len([e for e in world.events if isinstance(e, Unreachable)]) == 2


def test_burst_then_64_seconds_then_longer_while_the_clock_keeps_well() -> None:
    world = World()
    world.settle()
    begins = []
    for _ in range(25):
        world.wait()
        begins.append(world.now)
        world.answer()
    pauses = [round(b - a) for a, b in pairwise(begins)]
    assert pauses[0] == 64
    assert pauses == sorted(pauses)
    assert pauses[-1] == 1024


def test_a_clock_that_wanders_is_asked_for_more_often() -> None:
    world = World()
    world.settle()
    while world.corrections[-1].poll < 1024:
        world.wait()
        world.answer()
    world.off = -0.2
    world.wait()
    world.answer()
    assert world.corrections[-1].poll == 64


def test_one_slow_answer_is_passed_over_and_three_are_the_new_usual() -> None:
    world = World()
    world.settle()
    before = len(world.corrections)
    for _ in range(machine.SLOW_ROUNDS):
        world.wait()
        world.answer(delay=0.8)
        assert len(world.corrections) == before
    world.wait()
    world.answer(delay=0.8)
    assert len(world.corrections) == before + 1


def test_rate_is_obeyed_twice_as_long_each_time() -> None:
    world = World("a", "b")
    pauses = []
    for _ in range(4):
        world.asked.clear()
        while "a" not in world.asked:
            world.wait()
            if "b" in world.asked:
                world.answer("b")
        world.kiss(b"RATE")
        begin = world.now
        world.asked.clear()
        while "a" not in world.asked:
            for event in world.wait():
                if isinstance(event, Ask) and event.server == "b":
                    world.answer("b")
        pauses.append(world.now - begin)
        world.answer("a")
    assert pauses[0] >= 128 and pauses[1] >= 256 and pauses[2] >= 512


@pytest.mark.parametrize("code", [b"DENY", b"RSTR"])
def test_refusal_is_final(code: bytes) -> None:
    world = World()
    world.wait()
    world.kiss(code)
    world.asked.clear()
    for _ in range(20):
        world.wait()
    assert not world.asked
    assert len(world.notes) == 1 and "refuses us" in world.notes[0]


def test_other_kisses_are_no_time_and_no_end() -> None:
    world = World()
    world.wait()
    world.kiss(b"\xff\n\x1b[")
    assert not world.corrections
    assert world.notes[0].isprintable()
    world.wait()
    world.answer()
    assert world.corrections


def test_forged_late_and_double_answers_are_nothing() -> None:
    world = World()
    world.wait()
    good = world.packet("a")
    world.hear("a", good[:24] + b"forgery!" + good[32:])
    assert not world.corrections
    assert world.take(world.client.receive(good, "stranger", world.now, world.true())) == []
    world.hear("a", good)
    assert len(world.corrections) == 1
    assert world.hear("a", good) == []  # once more
    world.wait()
    world.hear("a", good)  # the last round's cookie
    assert len(world.corrections) == 1
    world.answer()
    assert len(world.corrections) == 2


def test_unset_server_is_one_line_a_minute() -> None:
    world = World()
    for _ in range(10):
        world.wait()
        world.hear("a", world.packet("a", head=b"\xe4\x10\x06\xec"))
        if world.client._asking:
            world.wait()
    assert not world.corrections
    assert 1 <= len(world.notes) <= 5
    assert "not set" in world.notes[0]


def test_new_servers_are_asked_at_once_while_the_clock_is_unset() -> None:
    world = World()
    for _ in range(12):
        world.wait()
    world.client.use([["b"]], world.now)
    assert world.client.deadline == world.now
    assert isinstance(world.wait()[0], Ask)
    world.answer("b")
    assert world.corrections
    world.client.use([["c"]], world.now)
    assert world.client.deadline > world.now  # no hurry now


def several(*addresses: tuple[str, ...]) -> World:
    world = World()
    world.client = Client(NOW - 86400, world.nonce, lambda: 0.5)
    world.client.use(addresses, world.now)
    return world


def asked(events: list[Event]) -> list[str]:
    return [event.server for event in events if isinstance(event, Ask)]


def rounds(world: World, count: int) -> list[list[str]]:
    """Whom the next rounds ask when nobody answers."""
    found: list[list[str]] = []
    while len(found) < count:
        if servers := asked(world.wait()):
            found.append(servers)
    return found


def test_a_mute_address_gives_way_to_the_servers_next_one() -> None:
    world = several(("a", "b", "c"))
    assert rounds(world, 4) == [["a"], ["b"], ["c"], ["a"]]
    world = several(("a", "b"), ("x",))
    assert rounds(world, 3) == [["a", "x"], ["b", "x"], ["a", "x"]]


def test_all_addresses_are_tried_before_there_is_a_pause() -> None:
    world = several(("a", "b", "c", "d"))
    began = world.now
    rounds(world, 4)
    assert world.now - began < 3 * (machine.ROUND_LIMIT + 0.2)
    rounds(world, 1)
    assert world.now - began > 4 * machine.ROUND_LIMIT + 0.9, "then as with any failure"


def test_others_answers_do_not_save_a_mute_address() -> None:
    world = several(("a", "b"), ("x",), ("y",))
    for expected in (["a", "x", "y"], ["b", "x", "y"]):
        while not (servers := asked(world.wait())):
            pass
        assert servers == expected
        world.answer("x")
        world.answer("y")
    (correct,) = world.answer("b")
    assert isinstance(correct, Correct) and correct.used == 3


def test_one_lost_packet_does_not_cost_an_address_that_answers() -> None:
    world = several(("a", "b"))
    world.settle("a")
    assert rounds(world, 3) == [["a"], ["a"], ["b"]]


def test_an_address_without_a_way_gives_way_at_once() -> None:
    world = several(("a", "b", "c"))
    assert asked(world.wait()) == ["a"]
    assert asked(world.take(world.client.unsent("a", world.now))) == ["b"]
    assert asked(world.take(world.client.unsent("b", world.now))) == ["c"]
    world.answer("c")
    assert world.corrections


def test_no_way_to_any_address_ends_the_round_and_not_the_client() -> None:
    world = several(("a", "b"))
    for _ in range(8):
        while not (servers := asked(world.wait())):
            pass
        for _ in range(2):
            (server,) = servers
            servers = asked(world.take(world.client.unsent(server, world.now)))
        assert servers == []
        assert world.now < world.client.deadline <= world.now + machine.MOST_PAUSE * 1.1
    assert any(isinstance(event, Unreachable) for event in world.events)


def test_an_address_that_refuses_is_not_asked_again() -> None:
    world = several(("a", "b", "c"))
    world.wait()
    world.kiss(b"DENY", "a")
    assert rounds(world, 4) == [["b"], ["c"], ["b"], ["c"]]
    world.asked.clear()


def test_two_servers_never_share_an_address() -> None:
    world = several(("a", "b"), ("a", "b"), ("a",), ("b", "a"))
    assert asked(world.wait()) == ["a", "b"]


def test_new_addresses_of_a_server_keep_its_state() -> None:
    world = several(("a", "b"))
    world.settle("a")
    world.client.use([("c", "a")], world.now)
    assert rounds(world, 1) == [["a"]]
    world.client.use([("c",)], world.now)
    assert rounds(world, 1) == [["c"]]


def test_no_servers_no_wakeups() -> None:
    client = Client(NOW, bytes, lambda: 0.5)
    assert client.deadline == math.inf
    client.use([], 0.0)
    if client.deadline < math.inf:
        client.tick(client.deadline)
    assert client.deadline == math.inf


@given(st.lists(st.one_of(st.binary(max_size=80), st.integers(0, 60)), max_size=40))
def test_no_message_raises_or_stops_the_client(steps: list[bytes | int]) -> None:
    world = World("a", "b")
    for step in steps:
        if isinstance(step, int):
            world.wait()
            if "a" in world.asked:
                data = bytearray(world.packet("a"))
                if step < 48:
                    data[step] ^= 0xFF
                world.hear("a", bytes(data))
        else:
            world.hear("a", step)
        assert world.client.deadline < math.inf
