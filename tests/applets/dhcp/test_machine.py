"""The DHCP client's state machine as tables: what a server says and when, and what must come of it.

Breaks when a state, a timer or a rule of RFC 2131 section 4.4 changes, or when a hostile message gets
through.
"""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from applets.dhcp import machine
from applets.dhcp.machine import Bound, Client, Event, GaveUp, Lost, Note, Send, Settings
from toolbox.net import dhcp
from toolbox.net.ip import address_bytes

MAC = bytes.fromhex("525400123456")
SERVER = "10.0.0.1"
ADDRESS = "10.0.0.7"


class Bench:
    """A client on a bench: a clock that we move, chance that is always one half, all that it did."""

    def __init__(self, **settings: object) -> None:
        self.client = Client(MAC, lambda: 0.5, Settings(**settings))  # type: ignore[arg-type]
        self.now = 1000.0
        self.events: list[Event] = []

    def take(self, events: list[Event]) -> list[Event]:
        self.events += events
        return events

    def start(self, address: str | None = None) -> list[Event]:
        return self.take(self.client.start(self.now, address))

    def wait(self) -> list[Event]:
        """Let time pass until the client wants to be called."""
        assert self.client.deadline < math.inf
        self.now = max(self.now, self.client.deadline)
        return self.take(self.client.tick(self.now))

    def pass_until(self, state: str) -> None:
        for _ in range(200):
            if self.client.state == state:
                return
            self.wait()
        raise AssertionError(f"never came to {state}")

    @property
    def sent(self) -> list[Send]:
        return [event for event in self.events if isinstance(event, Send)]

    @property
    def last(self) -> dhcp.Message:
        return dhcp.decode(self.sent[-1].data)

    def answer(
        self,
        kind: int,
        address: str = ADDRESS,
        server: str | None = SERVER,
        options: dict[int, bytes | None] | None = None,
        **fields: int | bytes,
    ) -> list[Event]:
        """The server's answer to what was sent last; `options` add to or (None) remove from the usual."""
        usual: dict[int, bytes | None] = {
            dhcp.MESSAGE_TYPE: bytes([kind]),
            dhcp.SERVER_ID: address_bytes(server) if server else None,
            dhcp.SUBNET_MASK: bytes([255, 255, 255, 0]),
            dhcp.LEASE_TIME: (3600).to_bytes(4, "big"),
            **(options or {}),
        }
        given = {code: value for code, value in usual.items() if value is not None}
        message = dhcp.Message(dhcp.REPLY, self.last.xid, MAC, given, yiaddr=address)
        for name, value in fields.items():
            setattr(message, name, value)
        return self.take(self.client.receive(message.encode(), self.now, server or SERVER))

    def bind(self, **options: object) -> list[Event]:
        self.start()
        self.answer(dhcp.OFFER, **options)  # type: ignore[arg-type]
        return self.answer(dhcp.ACK, **options)  # type: ignore[arg-type]


def notes(events: list[Event]) -> list[str]:
    return [event.text for event in events if isinstance(event, Note)]


def kinds(events: list[Event]) -> list[type]:
    return [type(event) for event in events if not isinstance(event, Note)]


def test_discover_offer_request_ack() -> None:
    bench = Bench(hostname="box")
    assert kinds(bench.start()) == [Send]  # at once, without the RFC's 1 to 10 s
    discover = bench.last
    assert (discover.kind, discover.op, discover.hardware) == (dhcp.DISCOVER, dhcp.REQUEST, MAC)
    assert discover.options[dhcp.CLIENT_ID] == b"\x01" + MAC
    assert discover.options[dhcp.HOST_NAME] == b"box"
    assert set(machine.PARAMETERS) == set(discover.options[dhcp.PARAMETER_LIST])
    assert (bench.sent[-1].source, bench.sent[-1].destination) == ("0.0.0.0", "255.255.255.255")

    assert kinds(bench.answer(dhcp.OFFER)) == [Send]
    request = bench.last
    assert request.kind == dhcp.REQUEST_LEASE
    assert request.xid == discover.xid
    assert request.ciaddr == "0.0.0.0"
    assert request.options[dhcp.REQUESTED_ADDRESS] == address_bytes(ADDRESS)
    assert request.options[dhcp.SERVER_ID] == address_bytes(SERVER)

    (bound,) = bench.answer(dhcp.ACK)
    assert isinstance(bound, Bound) and bound.previous is None
    assert (bound.lease.address, bound.lease.prefix) == (ADDRESS, 24)
    assert bench.client.state == machine.BOUND


def test_discovers_double_their_pause_and_never_end() -> None:
    bench = Bench()
    bench.start()
    times = [bench.now]
    for _ in range(10):
        bench.wait()
        times.append(bench.now)
    assert [b - a for a, b in pairwise(times)] == [
        1,
        2,
        4,
        8,
        16,
        32,
        64,
        64,
        64,
        64,
    ]
    assert all(dhcp.decode(send.data).kind == dhcp.DISCOVER for send in bench.sent)
    assert bench.last.secs == 63 + 4 * 64
    # one line at the beginning, one when it takes long: not one for each
    assert len([event for event in bench.events if isinstance(event, Note)]) == 2


def test_tries_are_counted_for_those_who_give_up() -> None:
    bench = Bench(tries=3)
    bench.start()
    for _ in range(3):
        assert GaveUp not in kinds(bench.events)
        bench.wait()
    assert kinds(bench.events).count(GaveUp) == 1


def test_offerer_that_never_acknowledges_is_left_for_another() -> None:
    bench = Bench()
    bench.start()
    bench.answer(dhcp.OFFER)
    for _ in range(machine.REQUEST_TRIES):
        assert bench.client.state == machine.REQUESTING
        bench.wait()
    assert bench.client.state == machine.SELECTING
    assert bench.answer(dhcp.OFFER) == []  # first at hand again, but not taken at once
    bench.answer(dhcp.OFFER, "10.0.0.8", "10.0.0.2")
    assert bench.client.state == machine.REQUESTING
    assert bench.last.options[dhcp.SERVER_ID] == address_bytes("10.0.0.2")


def test_offerer_that_never_acknowledges_is_tried_again_when_it_is_alone() -> None:
    bench = Bench()
    bench.start()
    bench.answer(dhcp.OFFER)
    bench.pass_until(machine.SELECTING)
    bench.answer(dhcp.OFFER)
    bench.wait()
    assert bench.client.state == machine.REQUESTING


def test_timers_of_a_lease() -> None:
    """T1 by half of the lease: unicast; T2 by 7/8: broadcast; then the end (RFC 2131 4.4.5)."""
    bench = Bench()
    bench.bind()
    begin = bench.now
    bench.wait()
    assert bench.client.state == machine.RENEWING
    assert bench.now == pytest.approx(begin + 1800, rel=0.04)
    assert (bench.sent[-1].source, bench.sent[-1].destination) == (ADDRESS, SERVER)
    assert bench.last.ciaddr == ADDRESS
    assert dhcp.REQUESTED_ADDRESS not in bench.last.options
    assert dhcp.SERVER_ID not in bench.last.options
    before = len(bench.sent)
    bench.pass_until(machine.REBINDING)
    assert 3 <= len(bench.sent) - before <= 8  # half of what is left each time, at least 60 s
    assert bench.now == begin + 3150
    assert (bench.sent[-1].source, bench.sent[-1].destination) == (ADDRESS, "255.255.255.255")
    bench.pass_until(machine.SELECTING)
    assert bench.now == begin + 3600
    assert kinds(bench.events)[-2:] == [Lost, Send]
    assert bench.client.lease is None


def test_short_lease_gets_more_than_one_try() -> None:
    bench = Bench()
    bench.bind(options={dhcp.LEASE_TIME: (20).to_bytes(4, "big")})
    bench.wait()
    before = len(bench.sent)
    bench.pass_until(machine.SELECTING)
    assert len(bench.sent) - before >= 5


@pytest.mark.parametrize("state", [machine.RENEWING, machine.REBINDING])
def test_renewal_prolongs(state: str) -> None:
    bench = Bench()
    bench.bind()
    bench.pass_until(state)
    server = (
        SERVER if state == machine.RENEWING else "10.0.0.2"
    )  # any server may answer a broadcast
    asked = bench.now
    bench.now += 2
    (bound,) = bench.answer(dhcp.ACK, server=server)
    assert isinstance(bound, Bound) and bound.previous is not None
    assert bound.lease.server == server
    assert bench.client.state == machine.BOUND
    bench.wait()
    # the lease counts from the request, not from the answer
    assert bench.now == pytest.approx(asked + 1800, rel=0.04)


@pytest.mark.parametrize(
    "state", [machine.REQUESTING, machine.REBOOTING, machine.RENEWING, machine.REBINDING]
)
def test_nak_starts_over(state: str) -> None:
    bench = Bench()
    if state == machine.REBOOTING:
        bench.start(ADDRESS)
    elif state == machine.REQUESTING:
        bench.start()
        bench.answer(dhcp.OFFER)
    else:
        bench.bind()
        bench.pass_until(state)
    held = bench.client.lease is not None
    events = bench.answer(dhcp.NAK, "0.0.0.0", options={dhcp.ERROR_TEXT: b"wrong network"})
    assert kinds(events) == ([Lost, Send] if held else [Send])
    assert any(isinstance(event, Note) and "wrong network" in event.text for event in events)
    assert bench.client.state == machine.SELECTING
    assert dhcp.REQUESTED_ADDRESS not in bench.last.options


def test_offer_and_nak_in_a_circle_slows_down() -> None:
    """A mad server must not make us flood its network."""
    bench = Bench()
    bench.start()
    begin = bench.now
    for _ in range(20):
        bench.pass_until(machine.SELECTING)
        bench.answer(dhcp.OFFER)
        if bench.client.state == machine.SELECTING:
            bench.wait()
        bench.answer(dhcp.NAK, "0.0.0.0")
    assert bench.now - begin > 300


def test_remembered_address_is_asked_for_by_two_messages() -> None:
    bench = Bench()
    bench.start(ADDRESS)
    assert bench.client.state == machine.REBOOTING
    assert bench.last.kind == dhcp.REQUEST_LEASE
    assert bench.last.ciaddr == "0.0.0.0"
    assert bench.last.options[dhcp.REQUESTED_ADDRESS] == address_bytes(ADDRESS)
    assert dhcp.SERVER_ID not in bench.last.options
    assert kinds(bench.answer(dhcp.ACK)) == [Bound]


def test_remembered_address_that_nobody_answers_for() -> None:
    bench = Bench()
    bench.start(ADDRESS)
    begin = bench.now
    bench.pass_until(machine.SELECTING)
    assert bench.now - begin == 3
    assert bench.last.options[dhcp.REQUESTED_ADDRESS] == address_bytes(ADDRESS)


def test_link_down_keeps_the_lease_and_link_up_asks_for_it_again() -> None:
    bench = Bench()
    bench.bind()
    assert bench.take(bench.client.link(False, bench.now)) == []
    assert bench.client.state == machine.SILENT
    bench.now += 10
    assert kinds(bench.take(bench.client.link(True, bench.now))) == [Send]
    assert bench.client.state == machine.REBOOTING
    (bound,) = bench.answer(dhcp.ACK)
    assert isinstance(bound, Bound) and bound.previous is not None


def test_another_network_after_the_link_came_back() -> None:
    """Nobody knows the old address there: the new lease replaces it, or the old one runs out."""
    bench = Bench()
    bench.bind()
    bench.client.link(False, bench.now)
    bench.take(bench.client.link(True, bench.now))
    bench.pass_until(machine.SELECTING)
    bench.answer(dhcp.OFFER, "192.168.1.5", "192.168.1.1")
    (bound,) = bench.answer(dhcp.ACK, "192.168.1.5", "192.168.1.1")
    assert isinstance(bound, Bound) and bound.previous is not None
    assert (bound.previous.address, bound.lease.address) == (ADDRESS, "192.168.1.5")


def test_lease_runs_out_while_the_link_is_down() -> None:
    bench = Bench()
    bench.bind()
    bench.client.link(False, bench.now)
    assert kinds(bench.wait()) == [Lost]
    assert bench.client.deadline == math.inf
    assert kinds(bench.client.link(True, bench.now)) == [Send]
    assert bench.client.state == machine.SELECTING


def test_conflict_declines_and_waits() -> None:
    bench = Bench()
    bench.bind()
    begin = bench.now
    assert kinds(bench.take(bench.client.conflict(bench.now))) == [Send, Lost]
    assert bench.last.kind == dhcp.DECLINE
    assert bench.last.options[dhcp.REQUESTED_ADDRESS] == address_bytes(ADDRESS)
    assert bench.last.options[dhcp.SERVER_ID] == address_bytes(SERVER)
    assert bench.last.ciaddr == "0.0.0.0"
    bench.pass_until(machine.SELECTING)
    assert bench.now == begin + 10


def test_stop_with_release() -> None:
    bench = Bench()
    bench.bind()
    assert kinds(bench.take(bench.client.stop(bench.now, release=True))) == [Send, Lost]
    assert bench.last.kind == dhcp.RELEASE
    assert (bench.sent[-1].source, bench.sent[-1].destination) == (ADDRESS, SERVER)
    assert bench.last.ciaddr == ADDRESS
    assert bench.client.deadline == math.inf
    assert kinds(bench.client.renew(bench.now)) == [Send]  # USR1 after USR2 looks for a lease again


def test_stop_without_release() -> None:
    bench = Bench()
    bench.bind()
    assert kinds(bench.client.stop(bench.now, release=False)) == [Lost]


def test_renew_on_demand() -> None:
    bench = Bench()
    bench.bind()
    assert kinds(bench.take(bench.client.renew(bench.now))) == [Send]
    assert kinds(bench.answer(dhcp.ACK)) == [Bound]


def test_infinite_lease_never_wakes() -> None:
    bench = Bench()
    bench.bind(options={dhcp.LEASE_TIME: b"\xff" * 4})
    assert bench.client.deadline == math.inf
    bench.client.renew(bench.now)
    assert bench.now < bench.client.deadline < math.inf


NOT_FOR_US = [
    {"xid": 1},
    {"op": dhcp.REQUEST},
    {"hardware": b"\x02" * 6},
    {"hardware": b""},
]


@pytest.mark.parametrize("fields", NOT_FOR_US)
def test_answers_to_others_change_nothing(fields: dict[str, int | bytes]) -> None:
    bench = Bench()
    bench.start()
    assert bench.answer(dhcp.OFFER, **fields) == []
    bench.answer(dhcp.OFFER)
    assert bench.answer(dhcp.ACK, **fields) == []
    assert bench.answer(dhcp.NAK, **fields) == []
    assert bench.answer(dhcp.ACK, server="10.0.0.66") == []  # not the server that we asked
    assert bench.answer(dhcp.NAK, server="10.0.0.66") == []
    assert kinds(bench.answer(dhcp.ACK)) == [Bound]


UNEXPECTED = [
    (machine.SELECTING, (dhcp.ACK, dhcp.NAK, dhcp.DISCOVER, dhcp.RELEASE)),
    (machine.REQUESTING, (dhcp.OFFER, dhcp.DECLINE, dhcp.INFORM)),
    (machine.BOUND, (dhcp.OFFER, dhcp.ACK, dhcp.NAK)),
]


@pytest.mark.parametrize(("state", "unexpected"), UNEXPECTED)
def test_unexpected_kinds_change_nothing(state: str, unexpected: tuple[int, ...]) -> None:
    bench = Bench()
    bench.start()
    for kind in (dhcp.OFFER, dhcp.ACK):
        if bench.client.state != state:
            bench.answer(kind)
    for kind in unexpected:
        assert bench.answer(kind) == []
        assert bench.client.state == state


BAD = [
    ("127.0.0.1", {}),
    ("0.0.0.0", {}),
    ("224.0.0.5", {}),
    ("255.255.255.255", {}),
    (ADDRESS, {dhcp.SUBNET_MASK: b"\xff\0\xff\0"}),
    (ADDRESS, {dhcp.SUBNET_MASK: b"\xff"}),
    (ADDRESS, {dhcp.SERVER_ID: b"\x0a"}),
]


@pytest.mark.parametrize(("address", "options"), BAD)
def test_unusable_offers_and_acks_are_one_line(
    address: str, options: dict[int, bytes | None]
) -> None:
    bench = Bench()
    bench.start()
    (event,) = bench.answer(dhcp.OFFER, address, options=options)
    assert isinstance(event, Note) and event.text.startswith("ignored a message from 10.0.0.1: ")
    bench.now += 60
    bench.answer(dhcp.OFFER)
    (event,) = bench.answer(dhcp.ACK, address, options=options)
    assert isinstance(event, Note)
    assert kinds(bench.answer(dhcp.ACK)) == [Bound]


def test_a_flood_of_junk_is_one_line_now_and_then() -> None:
    bench = Bench()
    bench.start()
    for _ in range(1000):
        bench.take(bench.client.receive(b"junk", bench.now, "10.0.0.66"))
        bench.now += 0.1
    lines = [event for event in bench.events if isinstance(event, Note)]
    assert len(lines) <= 12
    assert "more were not reported" in lines[-1].text


@pytest.mark.parametrize("seconds", [0, 1])
def test_lease_of_no_time_does_not_make_us_spin(seconds: int) -> None:
    bench = Bench()
    bench.bind(options={dhcp.LEASE_TIME: seconds.to_bytes(4, "big")})
    assert bench.client.deadline - bench.now >= 2


@given(st.lists(st.one_of(st.binary(max_size=300), st.integers(0, 9)), max_size=30), st.data())
def test_no_message_and_no_moment_raises(steps: list[bytes | int], data: st.DataObject) -> None:
    """Any order of junk, half-sound messages, time and link changes leaves a client that goes on."""
    bench = Bench()
    bench.start()
    for step in steps:
        if isinstance(step, bytes):
            options = {data.draw(st.integers(1, 254)): step[:255]}
            bench.answer(data.draw(st.integers(1, 8)), options=options)  # type: ignore[arg-type]
            bench.take(bench.client.receive(step, bench.now, SERVER))
        elif step < 5 and bench.client.deadline < math.inf:
            bench.wait()
        elif step == 6:
            bench.take(bench.client.conflict(bench.now))
        else:
            bench.take(bench.client.link(step % 2 == 0, bench.now))
    bench.take(bench.client.link(True, bench.now))
    assert bench.client.deadline < math.inf


def test_a_message_longer_than_was_asked_for_is_a_line_and_no_lease() -> None:
    bench = Bench()
    bench.start()
    long = {224: b"x" * 255, 225: b"y" * 1300}
    events = bench.answer(dhcp.OFFER, options=long)
    assert kinds(events) == []
    assert "bytes, where 1500 are the most" in notes(events)[0]
    assert kinds(bench.answer(dhcp.OFFER, options={224: b"x" * 255})) == [Send]


def test_what_was_passed_over_is_said_once_and_again_when_it_changes() -> None:
    bench = Bench()
    bad = {dhcp.DNS_SERVERS: bytes(4), dhcp.INTERFACE_MTU: (68).to_bytes(2, "big")}
    first = bench.bind(options=bad)
    assert notes(first) == [
        "ignored name server 0.0.0.0: no host's address",
        "ignored an MTU of 68: less than 576",
    ]
    bench.pass_until(machine.RENEWING)
    assert notes(bench.answer(dhcp.ACK, options=bad)) == []
    bench.pass_until(machine.RENEWING)
    assert notes(bench.answer(dhcp.ACK, options={dhcp.NTP_SERVERS: b"\xe0\0\0\1"})) == [
        "ignored time server 224.0.0.1: no host's address"
    ]


def test_the_least_mtu_is_asked_for_at_each_lease() -> None:
    """IPv6 may be turned on after we have begun."""
    bench = Bench()
    least = 576
    bench.client.mtus = lambda: (least, 1500)
    mtu = {dhcp.INTERFACE_MTU: (1000).to_bytes(2, "big")}
    bench.bind(options=mtu)
    assert bench.client.lease is not None and bench.client.lease.mtu == 1000
    least = 1280
    bench.pass_until(machine.RENEWING)
    bench.answer(dhcp.ACK, options=mtu)
    assert bench.client.lease.mtu is None


@pytest.mark.parametrize("server", ["0.0.0.0", "255.255.255.255", "224.0.0.1", "127.0.0.1"])
def test_no_server_is_asked_at_an_address_that_is_none(server: str) -> None:
    """Renewals go to the server's identifier (option 54)."""
    bench = Bench()
    bench.start()
    identity = {dhcp.SERVER_ID: address_bytes(server)}
    assert kinds(bench.answer(dhcp.OFFER, options=identity)) == []
    assert kinds(bench.answer(dhcp.OFFER)) == [Send]
