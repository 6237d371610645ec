"""Echo requests and what comes back: RFC 792, RFC 4443, icmp(7), raw(7), ip(7) on IP_RECVERR.

A datagram socket of protocol ICMP needs no right where net.ipv4.ping_group_range allows it; a raw one
needs CAP_NET_RAW.  Errors come by the socket's error queue with both.
"""

from __future__ import annotations

import errno
import os
import socket
import struct

from toolbox.errors import Fatal
from toolbox.net.ip import checksum
from toolbox.waits import readable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

_IP_RECVERR, _IP_RECVTTL, _IPV6_RECVERR, _IPV6_HOPLIMIT = 11, 12, 25, 52
_IPV6_RECVHOPLIMIT, _ICMP6_FILTER = 51, 1
_SO_EE_ORIGIN_LOCAL = 1

_ECHO, _REPLY = {4: 8, 6: 128}, {4: 0, 6: 129}

_UNREACHABLE_4 = (
    *("Destination Net Unreachable", "Destination Host Unreachable"),
    *("Destination Protocol Unreachable", "Destination Port Unreachable"),
    *("Frag needed and DF set (mtu = {info})", "Source Route Failed"),
    *("Destination Net Unknown", "Destination Host Unknown", "Source Host Isolated"),
    *("Destination Net Prohibited", "Destination Host Prohibited"),
    *("Destination Net Unreachable for Type of Service",),
    *("Destination Host Unreachable for Type of Service", "Packet filtered"),
    *("Precedence Violation", "Precedence Cutoff"),
)
_UNREACHABLE_6 = (
    *("No route", "Administratively prohibited", "Beyond scope of source address"),
    *("Address unreachable", "Port unreachable", "Source address failed ingress/egress policy"),
    "Reject route to destination",
)


class Answer:
    """An echo reply.  ttl: -1 when it is not known."""

    __slots__ = ("data", "number", "source", "ttl")

    def __init__(self, source: str, number: int, ttl: int, data: bytes) -> None:
        self.source = source
        self.number = number
        self.ttl = ttl
        self.data = data


class Failure:
    """Why a request was not answered: `source` said so, or (`local`) our own kernel."""

    __slots__ = ("local", "number", "source", "text")

    def __init__(self, source: str, number: int, text: str, local: bool) -> None:
        self.source = source
        self.number = number
        self.text = text
        self.local = local


class Echo:
    """A socket for echo requests to one host."""

    #: Errors of sending of which the error queue tells more.
    REPORTED = frozenset(
        (
            *(errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ECONNREFUSED, errno.EMSGSIZE),
            *(errno.ENOBUFS, errno.EPROTO, errno.EACCES, errno.EPERM, errno.EADDRNOTAVAIL),
            errno.ENETDOWN,
        )
    )

    def __init__(self, family: int, address: tuple[Any, ...]) -> None:
        """address: as toolbox.names.Place has it.  Fatal without the right."""
        self.family = family
        self.version = 6 if family == socket.AF_INET6 else 4
        self.target = address
        self.device = ""
        self.source = ""
        protocol = socket.IPPROTO_ICMPV6 if self.version == 6 else socket.IPPROTO_ICMP
        try:
            self.socket = socket.socket(family, socket.SOCK_DGRAM, protocol)
            self.raw = False
        except OSError:
            try:
                self.socket = socket.socket(family, socket.SOCK_RAW, protocol)
            except PermissionError:
                raise Fatal("socket: Operation not permitted", 2) from None
            self.raw = True
        self.identifier = os.getpid() & 0xFFFF
        self._prepare()

    def _prepare(self) -> None:
        s = self.socket
        s.setblocking(False)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 18)
        if self.version == 4:
            s.setsockopt(socket.IPPROTO_IP, _IP_RECVERR, 1)
            s.setsockopt(socket.IPPROTO_IP, _IP_RECVTTL, 1)
            return
        s.setsockopt(socket.IPPROTO_IPV6, _IPV6_RECVERR, 1)
        s.setsockopt(socket.IPPROTO_IPV6, _IPV6_RECVHOPLIMIT, 1)
        if self.raw:
            # All types are filtered out but the reply: a set bit blocks.
            blocked = bytearray(b"\xff" * 32)
            blocked[_REPLY[6] // 32 * 4 + _REPLY[6] % 32 // 8] &= ~(1 << _REPLY[6] % 8) & 0xFF
            s.setsockopt(socket.IPPROTO_ICMPV6, _ICMP6_FILTER, bytes(blocked))

    def __enter__(self) -> Echo:
        return self

    def __exit__(self, *error: object) -> None:
        self.socket.close()

    def bind_to_device(self, name: str) -> None:
        """Send and receive by this interface only.  Fatal when there is none."""
        try:
            index = socket.if_nametoindex(name)
        except OSError:
            raise Fatal(f"unknown iface {name}", 2) from None
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, os.fsencode(name) + b"\0")
        self.device = name
        if self.version == 6 and self.target[0].startswith("fe80:"):
            self.target = (self.target[0], 0, 0, index)

    def bind(self, address: str) -> None:
        """Send from this address of ours.  OSError as bind(2)."""
        self.socket.bind((address, 0))
        self.source = address

    def connect_check(self) -> None:
        """Find out the address that we send from.  OSError ENETUNREACH..."""
        with socket.socket(self.family, socket.SOCK_DGRAM) as probe:
            if self.device:
                name = os.fsencode(self.device) + b"\0"
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, name)
            if self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST):
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            probe.connect((self.target[0], 1025, *self.target[2:]))
            self.source = self.source or str(probe.getsockname()[0]).partition("%")[0]

    def send(self, number: int, data: bytes) -> None:
        """Send request `number` (16 bits).  OSError as sendto(2)."""
        head = struct.pack(">BBHHH", _ECHO[self.version], 0, 0, self.identifier, number)
        packet = head + data
        if self.version == 4 and self.raw:
            packet = packet[:2] + struct.pack(">H", checksum(packet)) + packet[4:]
        self.socket.sendto(packet, self.target)

    def wait(self, seconds: float) -> bool:
        """Whether something comes within `seconds`."""
        return readable(self.socket.fileno(), seconds)

    def answers(self) -> Iterator[Answer]:
        """The replies that have come."""
        while True:
            try:
                data, control, _, source = self.socket.recvmsg(1 << 17, 512)
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in self.REPORTED:
                    continue  # the error queue says more
                raise
            if self.version == 4 and self.raw:
                data = data[(data[0] & 15) * 4 :] if data else data
            if len(data) < 8 or data[0] != _REPLY[self.version]:
                continue
            identifier, number = struct.unpack_from(">HH", data, 4)
            if self.raw and identifier != self.identifier:
                continue
            yield Answer(str(source[0]).partition("%")[0], number, _ttl(control), data[8:])

    def failures(self) -> Iterator[Failure]:
        """The errors that have come by the error queue (ip(7), struct sock_extended_err)."""
        while True:
            try:
                data, control, _, _ = self.socket.recvmsg(1 << 17, 1024, socket.MSG_ERRQUEUE)
            except OSError:
                return
            if len(data) < 8:
                continue
            identifier, number = struct.unpack_from(">HH", data, 4)
            if self.raw and identifier != self.identifier:
                continue
            for level, kind, raw in control:
                wanted = (socket.IPPROTO_IP, _IP_RECVERR), (socket.IPPROTO_IPV6, _IPV6_RECVERR)
                if (level, kind) in wanted and len(raw) >= 16:
                    yield self._failure(number, raw)

    def _failure(self, number: int, raw: bytes) -> Failure:
        code, origin, kind, detail, _, info, _ = struct.unpack_from("=IBBBBII", raw)
        if origin == _SO_EE_ORIGIN_LOCAL:
            text = f"message too long, mtu={info}" if code == errno.EMSGSIZE else os.strerror(code)
            return Failure(self.source, number, text, True)
        return Failure(_offender(raw[16:]), number, self._words(kind, detail, info), False)

    def _words(self, kind: int, detail: int, info: int) -> str:
        if self.version == 4:
            if kind == 3:
                names = _UNREACHABLE_4
                shown = (
                    names[detail]
                    if detail < len(names)
                    else f"Dest Unreachable, Bad Code: {detail}"
                )
                return shown.format(info=info)
            if kind == 11:
                return "Frag reassembly time exceeded" if detail else "Time to live exceeded"
            return {4: "Source Quench", 12: "Parameter problem"}.get(kind, f"Bad ICMP type: {kind}")
        if kind == 1:
            reason = (
                _UNREACHABLE_6[detail] if detail < len(_UNREACHABLE_6) else f"Unknown code {detail}"
            )
            return f"Destination unreachable: {reason}"
        if kind == 2:
            return f"Packet too big: mtu={info}"
        if kind == 3:
            return "Time exceeded: " + ("Defragmentation failure" if detail else "Hop limit")
        return "Parameter problem" if kind == 4 else f"unknown icmp type: {kind}"


def _ttl(control: list[tuple[int, int, bytes]]) -> int:
    for level, kind, raw in control:
        if (level, kind) in (
            (socket.IPPROTO_IP, socket.IP_TTL),
            (socket.IPPROTO_IPV6, _IPV6_HOPLIMIT),
        ):
            return int(struct.unpack_from("=i", raw)[0])
    return -1


def _offender(raw: bytes) -> str:
    """The address in a struct sockaddr_in or sockaddr_in6."""
    (family,) = struct.unpack_from("=H", raw)
    if family == socket.AF_INET:
        return socket.inet_ntop(socket.AF_INET, raw[4:8])
    if family == socket.AF_INET6:
        return socket.inet_ntop(socket.AF_INET6, raw[8:24])
    return "?"
