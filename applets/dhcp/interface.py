"""What the client does to the kernel's network: links, addresses and routes by rtnetlink(7)."""

from __future__ import annotations

import errno
import os
import socket
import struct

from toolbox.net.ip import ANY, address_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from applets.dhcp.lease import Lease

IFF_UP, IFF_LOOPBACK, IFF_NOARP, IFF_LOWER_UP = 0x1, 0x8, 0x80, 0x10000
ARPHRD_ETHER = 1
RTPROT_DHCP = 16
RTM_NEWLINK, RTM_GETLINK = 16, 18
RTM_NEWADDR, RTM_DELADDR = 20, 21
RTM_NEWROUTE, RTM_DELROUTE = 24, 25
NLM_REQUEST, NLM_ACK, NLM_REPLACE, NLM_CREATE, NLM_DUMP = 1, 4, 0x100, 0x400, 0x300
RTMGRP_LINK = 1
RTNH_F_ONLINK = 4
SCOPE_UNIVERSE, SCOPE_LINK = 0, 253


class Link:
    """An interface as the kernel shows it."""

    __slots__ = ("carrier", "flags", "hardware", "index", "kind", "mtu", "name", "type")

    def __init__(
        self, index: int, name: str, kind: int, flags: int, hardware: bytes, mtu: int
    ) -> None:
        self.index = index
        self.name = name
        self.kind = kind
        self.flags = flags
        self.hardware = hardware
        self.mtu = mtu
        self.carrier = bool(flags & IFF_LOWER_UP)

    @property
    def like_ethernet(self) -> bool:
        """Whether DHCP makes sense on it: 6-byte addresses, ARP, not the loopback."""
        return (
            self.kind == ARPHRD_ETHER
            and len(self.hardware) == 6
            and not self.flags & (IFF_LOOPBACK | IFF_NOARP)
        )

    def with_carrier(self, up: bool) -> Link:
        """The same link with its carrier up or down."""
        flags = self.flags | IFF_LOWER_UP if up else self.flags & ~IFF_LOWER_UP
        return Link(self.index, self.name, self.kind, flags, self.hardware, self.mtu)


class Interfaces:
    """The door to rtnetlink; `news` is readable when a link has changed."""

    def __init__(self) -> None:
        kind = socket.SOCK_RAW | socket.SOCK_NONBLOCK
        self.news = socket.socket(socket.AF_NETLINK, kind, 0)
        self.news.bind((0, RTMGRP_LINK))
        self._former_mtu: dict[int, int] = {}

    def close(self) -> None:
        self.news.close()

    def links(self) -> list[Link]:
        """All interfaces, in the kernel's order."""
        found = []
        for body in _dump(RTM_GETLINK, struct.pack("BxHiII", 0, 0, 0, 0, 0)):
            _, kind, index, flags, _ = struct.unpack_from("BxHiII", body)
            attrs = dict(_attributes(body[16:]))
            name = os.fsdecode(attrs.get(3, b"").rstrip(b"\0"))
            (mtu,) = struct.unpack("I", attrs.get(4, bytes(4)))
            found.append(Link(index, name, kind, flags, attrs.get(1, b""), mtu))
        return found

    def changes(self) -> Iterator[tuple[int, bool]]:
        """The links that the kernel told of since the last call: index, and whether it has a carrier."""
        while True:
            try:
                data = self.news.recv(65536)
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno == errno.ENOBUFS:  # too much news: the caller looks anew anyway
                    continue
                raise
            for kind, body in _messages(data):
                if kind == RTM_NEWLINK and len(body) >= 16:
                    _, _, index, flags, _ = struct.unpack_from("BxHiII", body)
                    yield index, bool(flags & IFF_LOWER_UP)

    def bring_up(self, link: Link) -> Link:
        """Set the interface up, and return it as it then is."""
        if not link.flags & IFF_UP:
            _request(RTM_NEWLINK, 0, struct.pack("BxHiII", 0, 0, link.index, IFF_UP, IFF_UP))
            return next((new for new in self.links() if new.index == link.index), link)
        return link

    def configure(self, link: Link, lease: Lease, previous: Lease | None, metric: int) -> None:
        """Set what the lease says, and remove what only the previous one said."""
        if previous and (previous.address, previous.prefix) != (lease.address, lease.prefix):
            self._address(RTM_DELADDR, 0, link, previous)
        if lease.mtu and lease.mtu != link.mtu:
            self._former_mtu.setdefault(link.index, link.mtu)
            self._mtu(link, lease.mtu)
        self._address(RTM_NEWADDR, NLM_CREATE | NLM_REPLACE, link, lease)
        for route in previous.routes if previous else ():
            if route not in lease.routes:
                self._drop_route(link, lease, route, metric)
        # First the routes on the link itself: the others' routers may be reached by them.
        for route in sorted(lease.routes, key=lambda route: route[2] != ANY):
            self._route(RTM_NEWROUTE, NLM_CREATE | NLM_REPLACE, link, lease, route, metric)

    def withdraw(self, link: Link, lease: Lease, metric: int) -> None:
        """Remove everything that came with the lease."""
        for route in lease.routes:
            self._drop_route(link, lease, route, metric)
        mtu = self._former_mtu.pop(link.index, None)
        if mtu:
            self._mtu(link, mtu)
        try:
            self._address(RTM_DELADDR, 0, link, lease)
        except OSError as error:
            if error.errno not in (errno.EADDRNOTAVAIL, errno.ENODEV):
                raise

    def _mtu(self, link: Link, mtu: int) -> None:
        body = struct.pack("BxHiII", 0, 0, link.index, 0, 0) + _attribute(4, struct.pack("I", mtu))
        _request(RTM_NEWLINK, 0, body)

    def _address(self, kind: int, flags: int, link: Link, lease: Lease) -> None:
        own = address_bytes(lease.address)
        host = (1 << (32 - lease.prefix)) - 1
        broadcast = (int.from_bytes(own, "big") | host).to_bytes(4, "big")
        body = struct.pack("BBBBi", socket.AF_INET, lease.prefix, 0, 0, link.index)
        body += _attribute(1, own) + _attribute(2, own)
        if lease.prefix < 31:
            body += _attribute(4, broadcast)
        _request(kind, flags, body)

    def _drop_route(
        self, link: Link, lease: Lease, route: tuple[str, int, str], metric: int
    ) -> None:
        try:
            self._route(RTM_DELROUTE, 0, link, lease, route, metric)
        except OSError as error:
            if error.errno not in (errno.ESRCH, errno.ENODEV, errno.ENETDOWN):
                raise

    def _route(
        self,
        kind: int,
        flags: int,
        link: Link,
        lease: Lease,
        route: tuple[str, int, str],
        metric: int,
    ) -> None:
        destination, length, router = route
        scope = SCOPE_LINK if router == ANY else SCOPE_UNIVERSE
        # Some clouds give /32 addresses with a router outside of them: it is on the link all the same.
        onlink = 0 if router == ANY else RTNH_F_ONLINK
        body = struct.pack(
            "BBBBBBBBI", socket.AF_INET, length, 0, 0, 254, RTPROT_DHCP, scope, 1, onlink
        )
        if length:
            body += _attribute(1, address_bytes(destination))
        if router != ANY:
            body += _attribute(5, address_bytes(router))
        if kind == RTM_NEWROUTE:
            body += _attribute(7, address_bytes(lease.address))
        body += _attribute(4, struct.pack("i", link.index))
        body += _attribute(6, struct.pack("I", metric))
        _request(kind, flags, body)


def _attribute(kind: int, data: bytes) -> bytes:
    size = 4 + len(data)
    return struct.pack("HH", size, kind) + data + bytes(-size % 4)


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    while len(data) >= 4:
        size, kind = struct.unpack_from("HH", data)
        if size < 4:
            return
        yield kind & 0x3FFF, data[4:size]
        data = data[(size + 3) & ~3 :]


def _messages(data: bytes) -> Iterator[tuple[int, bytes]]:
    while len(data) >= 16:
        size, kind, _, _, _ = struct.unpack_from("IHHII", data)
        if size < 16:
            return
        yield kind, data[16:size]
        data = data[(size + 3) & ~3 :]


def _request(kind: int, flags: int, body: bytes) -> None:
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as door:
        head = struct.pack("IHHII", 16 + len(body), kind, flags | NLM_REQUEST | NLM_ACK, 1, 0)
        door.send(head + body)
        number = -int(struct.unpack_from("i", door.recv(65536), 16)[0])
    if number:
        raise OSError(number, os.strerror(number))


def _dump(kind: int, body: bytes) -> Iterator[bytes]:
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as door:
        door.send(struct.pack("IHHII", 16 + len(body), kind, NLM_REQUEST | NLM_DUMP, 1, 0) + body)
        while True:
            for answer, rest in _messages(door.recv(1 << 18)):
                if answer == 3:
                    return
                if answer == 2:
                    number = -int(struct.unpack_from("i", rest)[0])
                    raise OSError(number, os.strerror(number))
                yield rest
