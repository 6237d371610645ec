"""A socket for ICMP echo: a datagram one, which needs no privilege, else a raw one (icmp(7), raw(7)).

Which kind it is shows nowhere: either gives answers to its own requests only, and the errors that
routers sent back (IP_RECVERR, ip(7)).
"""

from __future__ import annotations

import os
import socket
import struct
import time

from toolbox.errors import Fatal
from toolbox.net import ProtocolError
from toolbox.net.icmp import echo_request, parse_echo, without_ip_header

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

# linux/in.h, linux/in6.h, linux/icmp.h, linux/icmpv6.h: Python's socket has not got all of them.
_IP_RECVTTL, _IP_RECVERR = 12, 11
_IPV6_RECVERR, _IPV6_RECVHOPLIMIT, _IPV6_HOPLIMIT = 25, 51, 52
_SOL_RAW, _ICMP_FILTER, _ICMP6_FILTER = 255, 1, 1
_SO_EE_ORIGIN_LOCAL = 1
_ERROR = struct.Struct("=IBBBxII")


class Answer:
    """A reply: size in bytes with the ICMP header; time of the monotonic clock; ttl may be unknown."""

    __slots__ = ("sequence", "size", "source", "time", "ttl")

    def __init__(self, source: str, sequence: int, size: int, ttl: int | None, now: float) -> None:
        self.source = source
        self.sequence = sequence
        self.size = size
        self.ttl = ttl
        self.time = now


class Refusal:
    """An error for a request of ours.  local: of this box's kernel, and `code` is an errno then."""

    __slots__ = ("code", "information", "kind", "local", "sequence", "source")

    def __init__(
        self, source: str, sequence: int, kind: int, code: int, information: int, local: bool
    ) -> None:
        self.source = source
        self.sequence = sequence
        self.kind = kind
        self.code = code
        self.information = information
        self.local = local


class PingSocket:
    """Sends requests to one host and takes in what comes back; never waits."""

    def __init__(self, family: int, *, broadcast: bool = False) -> None:
        """Fatal (status 2) when neither kind of socket is allowed."""
        self.version = 6 if family == socket.AF_INET6 else 4
        protocol = socket.IPPROTO_ICMPV6 if self.version == 6 else socket.IPPROTO_ICMP
        flags = socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
        try:
            self.socket = socket.socket(family, socket.SOCK_DGRAM | flags, protocol)
            self.raw = False
        except OSError:
            try:
                self.socket = socket.socket(family, socket.SOCK_RAW | flags, protocol)
            except OSError as error:
                raise Fatal(f"socket: {error.strerror}", 2) from None
            self.raw = True
        self.identifier = os.getpid() & 0xFFFF
        self._set_options()
        if broadcast:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)

    def _set_options(self) -> None:
        s = self.socket
        if self.version == 4:
            s.setsockopt(socket.IPPROTO_IP, _IP_RECVTTL, 1)
            s.setsockopt(socket.IPPROTO_IP, _IP_RECVERR, 1)
            if self.raw:
                # Nothing but replies (type 0) comes in; errors come by the error queue.
                s.setsockopt(_SOL_RAW, _ICMP_FILTER, struct.pack("=I", 0xFFFFFFFE))
        else:
            s.setsockopt(socket.IPPROTO_IPV6, _IPV6_RECVHOPLIMIT, 1)
            s.setsockopt(socket.IPPROTO_IPV6, _IPV6_RECVERR, 1)
            if self.raw:
                blocked = [0xFFFFFFFF] * 8
                blocked[129 >> 5] &= ~(1 << (129 & 31))
                s.setsockopt(socket.IPPROTO_ICMPV6, _ICMP6_FILTER, struct.pack("=8I", *blocked))

    def __enter__(self) -> PingSocket:
        return self

    def __exit__(self, *error: object) -> None:
        self.socket.close()

    def fileno(self) -> int:
        """The descriptor to wait on."""
        return self.socket.fileno()

    def aim(
        self, address: tuple[Any, ...], *, interface: str, source: str, ttl: int | None
    ) -> None:
        """Whom to ask, by which interface, from which address, over how many hops.  OSError, Fatal."""
        self.address = address
        if interface:
            name = os.fsencode(interface) + b"\0"
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, name)
        if source:
            try:
                self.socket.bind((source, 0))
            except OSError as error:
                raise Fatal(f"bind: {error.strerror}", 2) from None
        if ttl is not None:
            if self.version == 4:
                self.socket.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, ttl)
            else:
                self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, ttl)
        self.source = source or self._chosen_source(interface)

    def _chosen_source(self, interface: str) -> str:
        """The address that the kernel would send from; "" when there is no way."""
        with socket.socket(self.socket.family, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as probe:
            try:
                if interface:
                    name = os.fsencode(interface) + b"\0"
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, name)
                probe.connect((self.address[0], 1025, *self.address[2:]))
                return str(probe.getsockname()[0])
            except OSError:
                return ""

    def send(self, sequence: int, payload: bytes) -> None:
        """Send a request.  OSError as send(2); it may speak of an earlier one."""
        request = echo_request(self.version, self.identifier, sequence, payload)
        self.socket.sendto(request, self.address)

    def receive(self) -> Iterator[Answer]:
        """The answers that have come; errors are left to `errors`."""
        while True:
            try:
                data, extra, _, source = self.socket.recvmsg(1 << 17, 512)
            except OSError:
                # EAGAIN: no more.  Any other speaks of an error that is in the queue, too.
                return
            now = time.monotonic()
            ttl = None
            try:
                if self.version == 4 and self.raw:
                    data, ttl = without_ip_header(data)
                echo = parse_echo(data, self.version)
            except ProtocolError:
                continue
            for level, kind, value in extra:
                known = (socket.IPPROTO_IP, socket.IP_TTL), (socket.IPPROTO_IPV6, _IPV6_HOPLIMIT)
                if (level, kind) in known and len(value) >= 4:
                    ttl = struct.unpack_from("=i", value)[0]
            if echo.reply and (not self.raw or echo.identifier == self.identifier):
                yield Answer(_shown(source), echo.sequence, len(data), ttl, now)

    def errors(self) -> Iterator[Refusal]:
        """The errors that have come for our requests."""
        while True:
            try:
                data, extra, _, _ = self.socket.recvmsg(1 << 17, 512, socket.MSG_ERRQUEUE)
            except OSError:
                return  # EAGAIN: no more
            try:
                echo = parse_echo(data, self.version)
            except ProtocolError:
                continue
            if self.raw and echo.identifier != self.identifier:
                continue  # another program's
            for level, kind, value in extra:
                wanted = (socket.IPPROTO_IP, _IP_RECVERR), (socket.IPPROTO_IPV6, _IPV6_RECVERR)
                if (level, kind) in wanted and len(value) >= _ERROR.size:
                    yield _refusal(value, echo.sequence)


def _refusal(value: bytes, sequence: int) -> Refusal:
    """struct sock_extended_err and the offender's socket address (ip(7), IP_RECVERR)."""
    number, origin, kind, code, information, _ = _ERROR.unpack_from(value)
    local = origin == _SO_EE_ORIGIN_LOCAL
    rest = value[_ERROR.size :]
    (family,) = struct.unpack_from("=H", rest) if len(rest) >= 2 else (0,)
    source = "?"
    if family == socket.AF_INET and len(rest) >= 8:
        source = socket.inet_ntop(socket.AF_INET, rest[4:8])
    elif family == socket.AF_INET6 and len(rest) >= 24:
        source = socket.inet_ntop(socket.AF_INET6, rest[8:24])
    return Refusal(source, sequence, kind, number if local else code, information, local)


def _shown(address: tuple[Any, ...]) -> str:
    """A socket address as ping writes it; a link-local one with its interface."""
    text = str(address[0])
    if len(address) == 4 and address[3] and "%" not in text:
        try:
            return f"{text}%{socket.if_indextoname(address[3])}"
        except OSError:
            return text
    return text
