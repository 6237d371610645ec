"""NTP as a client speaks it (RFC 5905 section 14, SNTP), on ntplib's packet codec.

ntplib reads and writes the fields; the rules are kept here: the answer must carry our random
cookie, a clock that its server does not trust itself is refused, a kiss-o'-death is obeyed, dates
are of the era nearest to a known one, and what several servers say is weighed against each other.
Times are Unix times in seconds, offsets "how much the local clock must go forward".
"""

from __future__ import annotations

import ntplib

from toolbox.net import ProtocolError

PORT = 123
COOKIE_SIZE = 8
PACKET_SIZE = 48
CLIENT, SERVER = 3, 4
VERSION = 4
UNSYNCHRONISED = 3
#: Seconds from the epoch of NTP (1900) to Unix's (1970).
UNIX_EPOCH = 2_208_988_800
ERA = 2**32
#: RFC 5905 A.1: a server whose error may be larger is of no use.
MOST_DISTANCE = 1.5
#: How far a round trip may come out below zero: the clocks' grain, and their drift while it lasts.
GRAIN = 0.01


class KissOfDeath(ProtocolError):
    """The server does not want us: `code` is RATE (more slowly), DENY, RSTR (go away) or another."""

    def __init__(self, code: str) -> None:
        super().__init__(f"kiss-o'-death {code}")
        self.code = code


class Reply:
    """A server's answer: when it got our request, when it answered, and how far to trust it."""

    __slots__ = ("distance", "received", "sent", "stratum")

    def __init__(self, received: float, sent: float, stratum: int, distance: float) -> None:
        self.received = received
        self.sent = sent
        self.stratum = stratum
        self.distance = distance


class Sample:
    """What one exchange says: the offset of our clock, the round trip, and the largest error."""

    __slots__ = ("delay", "error", "offset")

    def __init__(self, offset: float, delay: float, error: float) -> None:
        self.offset = offset
        self.delay = delay
        self.error = error


def request(cookie: bytes) -> bytes:
    """A request.  Its transmit time is a random cookie: nobody needs our time, and the server
    sends it back as the origin, which proves that it has seen this request."""
    packet: bytes = ntplib.NTPPacket(version=VERSION, mode=CLIENT).to_data()
    return packet[: PACKET_SIZE - COOKIE_SIZE] + cookie


def read_reply(data: bytes, cookie: bytes, known: float) -> Reply:
    """The answer to the request with `cookie`.  `known` is a Unix time not long past: it gives the
    era, and no right time lies before it.

    ProtocolError when it is no answer to that request or not to be trusted; KissOfDeath.
    """
    packet = ntplib.NTPPacket()
    try:
        packet.from_data(data)
    except ntplib.NTPException:
        raise ProtocolError(f"message of {len(data)} bytes is too short") from None
    if packet.mode != SERVER or not 1 <= packet.version <= VERSION:
        raise ProtocolError("not the answer of a server")
    if data[24:32] != cookie:
        raise ProtocolError("not the answer to our request")
    if packet.stratum == 0:
        raise KissOfDeath(data[12:16].decode("ascii", "replace").rstrip("\0 "))
    if packet.stratum > 15 or packet.leap == UNSYNCHRONISED:
        raise ProtocolError("the server's own clock is not set")
    distance = packet.root_delay / 2 + packet.root_dispersion
    if distance > MOST_DISTANCE:
        raise ProtocolError(f"the server's clock may be wrong by {distance:.1f} s")
    if not any(data[32:40]) or not any(data[40:48]):
        raise ProtocolError("the server's times are missing")
    received = unix_time(packet.recv_timestamp, known)
    sent = unix_time(packet.tx_timestamp, known)
    if sent < received - GRAIN:
        raise ProtocolError("the server answered before it was asked")
    if sent < known:
        raise ProtocolError("the server's time lies before this release was made")
    return Reply(received, sent, packet.stratum, distance)


def unix_time(timestamp: float, near: float) -> float:
    """The Unix time of an NTP timestamp (seconds), in the era that brings it nearest to `near`.

    NTP's seconds start again at 0 on 7 February 2036 and every 136 years (RFC 5905 section 6).
    """
    time = timestamp - UNIX_EPOCH
    return time + ERA * round((near - time) / ERA)


def measure(reply: Reply, elapsed: float, arrived: float) -> Sample:
    """What an exchange says that took `elapsed` seconds of a steady clock, and whose answer came
    when the local clock showed `arrived`.  ProtocolError when that cannot be."""
    delay = elapsed - (reply.sent - reply.received)
    if delay < -GRAIN:
        raise ProtocolError("the server claims to have taken longer than the exchange took")
    delay = max(delay, 0.0)
    # RFC 5905 section 8: ((T2 - T1) + (T3 - T4)) / 2, with T1 = T4 - elapsed
    offset = (reply.received + reply.sent) / 2 - (arrived - elapsed / 2)
    return Sample(offset, delay, delay / 2 + reply.distance + GRAIN / 10)


def agree(samples: list[Sample]) -> Sample | None:
    """The median of the samples that can be true together; None when no majority agrees.

    Marzullo's intersection, as RFC 5905 11.2.1 uses it: each sample claims that the true offset lies
    within its error; the claims that hold at the point where most of them meet survive.
    """
    edges = sorted(
        edge
        for sample in samples
        for edge in ((sample.offset - sample.error, 0), (sample.offset + sample.error, 1))
    )
    best = depth = 0
    point = 0.0
    for at, (where, is_end) in enumerate(edges):
        depth += -1 if is_end else 1
        if depth > best:
            # the best point so far lies between this edge and the next one
            best, point = depth, (where + edges[at + 1][0]) / 2
    if best * 2 <= len(samples):
        return None
    truth = sorted(
        (s for s in samples if abs(s.offset - point) <= s.error), key=lambda sample: sample.offset
    )
    middle = truth[(len(truth) - 1) // 2]
    if len(truth) % 2 == 0:
        other = truth[len(truth) // 2]
        return Sample(
            (middle.offset + other.offset) / 2,
            max(middle.delay, other.delay),
            max(middle.error, other.error),
        )
    return middle
