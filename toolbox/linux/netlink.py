"""Links, addresses, routes, neighbours and rules of the kernel: rtnetlink(7), netlink(7).

    with Netlink() as kernel:
        kernel.set_link("eth0", up=True)
        kernel.add_address("eth0", "10.0.2.15", 24)
        for route in kernel.routes(): ...

A refusal is an OSError with the kernel's errno and, where it gives them, its own words.
Attributes are decoded only as far as `Link`, `Address`, `Route`... show them.
"""

from __future__ import annotations

import errno
import os
import socket
import struct

from toolbox.linux import rtnetlink as rt
from toolbox.linux.netlink_objects import (
    Address,
    Link,
    Neighbour,
    Route,
    Rule,
    attribute,
    attributes,
    text,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

RTM_NEWLINK, RTM_DELLINK, RTM_GETLINK = 16, 17, 18
RTM_NEWADDR, RTM_DELADDR, RTM_GETADDR = 20, 21, 22
RTM_NEWROUTE, RTM_DELROUTE, RTM_GETROUTE = 24, 25, 26
RTM_NEWNEIGH, RTM_DELNEIGH, RTM_GETNEIGH = 28, 29, 30
RTM_NEWRULE, RTM_DELRULE, RTM_GETRULE = 32, 33, 34

NLM_F_REQUEST, NLM_F_MULTI, NLM_F_ACK = 1, 2, 4
NLM_F_REPLACE, NLM_F_EXCL, NLM_F_CREATE, NLM_F_APPEND = 0x100, 0x200, 0x400, 0x800
NLM_F_DUMP = 0x300
NLM_F_DUMP_INTR = 0x10
NLMSG_ERROR, NLMSG_DONE = 2, 3

#: How an object is made: `add` refuses one that is there, `replace` takes its place.
ADD = NLM_F_CREATE | NLM_F_EXCL
REPLACE = NLM_F_CREATE | NLM_F_REPLACE
CHANGE = NLM_F_REPLACE
APPEND = NLM_F_CREATE | NLM_F_APPEND

IFF_UP, IFF_BROADCAST, IFF_LOOPBACK, IFF_POINTOPOINT = 0x1, 0x2, 0x8, 0x10
IFF_RUNNING, IFF_NOARP, IFF_PROMISC, IFF_MULTICAST = 0x40, 0x80, 0x100, 0x1000
IFF_LOWER_UP = 0x10000

RTN_UNICAST, RTN_LOCAL, RTN_BROADCAST, RTN_BLACKHOLE, RTN_UNREACHABLE = 1, 2, 3, 6, 7
RT_TABLE_DEFAULT, RT_TABLE_MAIN, RT_TABLE_LOCAL = 253, 254, 255
RT_SCOPE_UNIVERSE, RT_SCOPE_SITE, RT_SCOPE_LINK, RT_SCOPE_HOST = 0, 200, 253, 254
RTPROT_KERNEL, RTPROT_BOOT, RTPROT_STATIC, RTPROT_DHCP = 2, 3, 4, 16
RTNH_F_ONLINK = 4

RTMGRP_LINK, RTMGRP_NEIGH, RTMGRP_IPV4_IFADDR, RTMGRP_IPV4_ROUTE = 0x1, 0x4, 0x10, 0x40
RTMGRP_IPV6_IFADDR, RTMGRP_IPV6_ROUTE = 0x100, 0x400

NUD_INCOMPLETE, NUD_REACHABLE, NUD_STALE, NUD_DELAY = 0x1, 0x2, 0x4, 0x8
NUD_PROBE, NUD_FAILED, NUD_NOARP, NUD_PERMANENT = 0x10, 0x20, 0x40, 0x80

_HEADER = struct.Struct("=IHHII")
_SOL_NETLINK, _NETLINK_EXT_ACK, _NETLINK_GET_STRICT_CHK = 270, 11, 12
_NLMSGERR_ATTR_MSG = 1
_NLM_F_CAPPED, _NLM_F_ACK_TLVS = 0x100, 0x200


class NetlinkError(OSError):
    """The kernel refused; `words` is its own explanation, where it gave one."""

    words = ""


class Netlink:
    """A socket to the kernel's routing subsystem, or to another one by its `protocol`."""

    def __init__(self, groups: int = 0, protocol: int = socket.NETLINK_ROUTE) -> None:
        """OSError as socket(2).  `groups`: what to be told of unasked (RTMGRP_LINK)."""
        self._sequence = 0
        kind = socket.SOCK_RAW | socket.SOCK_CLOEXEC
        self.socket = socket.socket(socket.AF_NETLINK, kind, protocol)
        self.socket.bind((0, groups))
        for option in (_NETLINK_EXT_ACK, _NETLINK_GET_STRICT_CHK):
            try:
                self.socket.setsockopt(_SOL_NETLINK, option, 1)
            except OSError:
                pass  # an older kernel: errors have no words then

    def __enter__(self) -> Netlink:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the socket."""
        self.socket.close()

    # -- asking -----------------------------------------------------------------------------------

    def links(self) -> list[Link]:
        """All interfaces."""
        return [
            Link(body) for body in self.dump(RTM_GETLINK, struct.pack("=BxHiII", 0, 0, 0, 0, 0))
        ]

    def link(self, name: str) -> Link:
        """The interface `name`; OSError ENODEV when there is none."""
        for link in self.links():
            if link.name == name:
                return link
        raise OSError(errno.ENODEV, os.strerror(errno.ENODEV), name)

    def addresses(self, family: int = 0) -> list[Address]:
        """All addresses, or those of AF_INET or AF_INET6."""
        body = struct.pack("=BBBBi", family, 0, 0, 0, 0)
        return [Address(answer) for answer in self.dump(RTM_GETADDR, body)]

    def routes(self, family: int = 0, table: int = RT_TABLE_MAIN) -> list[Route]:
        """The routes of a table (0: of all), of IPv4 and IPv6 or one of them."""
        families = (family,) if family else (socket.AF_INET, socket.AF_INET6)
        found = []
        for one in families:
            body = struct.pack("=BBBBBBBBI", one, 0, 0, 0, 0, 0, 0, 0, 0)
            found += [Route(answer) for answer in self.dump(RTM_GETROUTE, body)]
        return [route for route in found if table in (0, route.table)]

    def neighbours(self, family: int = 0) -> list[Neighbour]:
        """The ARP and NDP tables."""
        body = struct.pack("=BxxxiHBB", family, 0, 0, 0, 0)
        return [Neighbour(answer) for answer in self.dump(RTM_GETNEIGH, body)]

    def rules(self, family: int = socket.AF_INET) -> list[Rule]:
        """The rules of the routing policy, the first one first."""
        body = struct.pack("=BBBBBBBBI", family, 0, 0, 0, 0, 0, 0, 0, 0)
        return [Rule(answer) for answer in self.dump(RTM_GETRULE, body)]

    def route_to(self, address: str, source: str = "", extra: bytes = b"") -> Route:
        """The route of a packet to `address`, sent from the address `source` of ours if that is given.

        extra: further attributes.  OSError ENETUNREACH, EHOSTUNREACH...
        """
        family = family_of(address)
        target = packed(address)
        # RTM_F_LOOKUP_TABLE: say which table it was found in.  IPv6 always does, and refuses the flag.
        flags = 0x1000 if family == socket.AF_INET else 0
        sender = packed(source) if source else b""
        lengths = (len(target) * 8, len(sender) * 8)
        head = struct.pack("=BBBBBBBBI", family, *lengths, 0, 0, 0, 0, 0, flags)
        if sender:
            extra += attribute(rt.RTA_SRC, sender)
        answers = self.ask(RTM_GETROUTE, 0, head + attribute(rt.RTA_DST, target) + extra)
        if not answers:
            raise OSError(errno.ENETUNREACH, os.strerror(errno.ENETUNREACH))
        return Route(answers[0])

    def events(self) -> Iterator[tuple[int, bytes]]:
        """What the groups given to the constructor tell of: (RTM_NEWLINK..., body), for ever.

        OSError ENOBUFS: some were lost; ask for the state afresh.
        """
        while True:
            data, (sender, _) = self.socket.recvfrom(1 << 18)
            if sender == 0:
                yield from ((kind, body) for kind, _, _, body in messages(data))

    # -- changing ---------------------------------------------------------------------------------

    def set_link(
        self,
        name: str,
        *,
        up: bool | None = None,
        mtu: int | None = None,
        rename: str | None = None,
        hardware: bytes | None = None,
        flags: int = 0,
        mask: int = 0,
        extra: bytes = b"",
    ) -> None:
        """Change an interface: up or down, MTU in bytes, name, hardware address, flags under a mask.

        extra: further attributes.
        """
        if up is not None:
            flags, mask = flags | (IFF_UP if up else 0), mask | IFF_UP
        body = struct.pack("=BxHiII", 0, 0, _index(name), flags, mask) + extra
        if mtu is not None:
            body += attribute(rt.IFLA_MTU, struct.pack("=I", mtu))
        if rename is not None:
            body += attribute(rt.IFLA_IFNAME, os.fsencode(rename) + b"\0")
        if hardware is not None:
            body += attribute(rt.IFLA_ADDRESS, hardware)
        self.request(RTM_NEWLINK, 0, body)

    def add_link(self, name: str, kind: str, extra: bytes = b"", data: bytes = b"") -> None:
        """Make an interface of a kind ("dummy", "bridge").

        extra: further attributes; data: those that only this kind has (IFLA_INFO_DATA).
        """
        inner = attribute(rt.IFLA_INFO_KIND, kind.encode()) + (
            attribute(rt.IFLA_INFO_DATA, data) if data else b""
        )
        info = attribute(rt.IFLA_LINKINFO, inner)
        body = struct.pack("=BxHiII", 0, 0, 0, 0, 0) + attribute(
            rt.IFLA_IFNAME, os.fsencode(name) + b"\0"
        )
        self.request(RTM_NEWLINK, ADD, body + info + extra)

    def delete_link(self, name: str) -> None:
        """Take an interface away."""
        self.request(RTM_DELLINK, 0, struct.pack("=BxHiII", 0, 0, _index(name), 0, 0))

    def add_address(
        self,
        name: str,
        address: str,
        prefix: int,
        *,
        how: int = ADD,
        broadcast: str = "",
        peer: str = "",
        label: str = "",
        scope: int = RT_SCOPE_UNIVERSE,
        preferred: int | None = None,
        valid: int | None = None,
    ) -> None:
        """Give an interface an address; lifetimes in seconds (None: for ever)."""
        body = _address_body(name, address, prefix, scope, peer)
        if broadcast:
            body += attribute(rt.IFA_BROADCAST, packed(broadcast))
        if label:
            body += attribute(rt.IFA_LABEL, os.fsencode(label) + b"\0")
        if preferred is not None or valid is not None:
            ever = 0xFFFFFFFF
            times = (ever if preferred is None else preferred, ever if valid is None else valid)
            body += attribute(rt.IFA_CACHEINFO, struct.pack("=IIII", *times, 0, 0))
        self.request(RTM_NEWADDR, how, body)

    def delete_address(self, name: str, address: str, prefix: int, *, peer: str = "") -> None:
        """Take an address away.  OSError EADDRNOTAVAIL when the interface has not got it."""
        self.request(RTM_DELADDR, 0, _address_body(name, address, prefix, 0, peer))

    def add_route(
        self,
        destination: str,
        prefix: int,
        *,
        how: int = ADD,
        family: int = socket.AF_INET,
        gateway: str = "",
        name: str = "",
        metric: int | None = None,
        source: str = "",
        table: int = RT_TABLE_MAIN,
        protocol: int = RTPROT_BOOT,
        scope: int | None = None,
        kind: int = RTN_UNICAST,
        on_link: bool = False,
        mtu: int | None = None,
    ) -> None:
        """Add a route; destination "" with prefix 0 is the default route."""
        if scope is None:
            # A destination on the wire itself has link scope (ip-route(8)).
            direct = not gateway and kind == RTN_UNICAST and family == socket.AF_INET
            scope = RT_SCOPE_LINK if direct else RT_SCOPE_UNIVERSE
        body = _route_body(
            destination,
            prefix,
            family=family,
            gateway=gateway,
            name=name,
            metric=metric,
            source=source,
            table=table,
            protocol=protocol,
            scope=scope,
            kind=kind,
            flags=RTNH_F_ONLINK if on_link else 0,
        )
        if mtu is not None:
            body += attribute(rt.RTA_METRICS, attribute(rt.RTAX_MTU, struct.pack("=I", mtu)))
        self.request(RTM_NEWROUTE, how, body)

    def delete_route(
        self,
        destination: str,
        prefix: int,
        *,
        family: int = socket.AF_INET,
        gateway: str = "",
        name: str = "",
        metric: int | None = None,
        table: int = RT_TABLE_MAIN,
    ) -> None:
        """Take a route away; what is not given matches any.  OSError ESRCH when there is none."""
        body = _route_body(
            destination,
            prefix,
            family=family,
            gateway=gateway,
            name=name,
            metric=metric,
            table=table,
            scope=255,
            protocol=0,
            kind=0,
        )
        self.request(RTM_DELROUTE, 0, body)

    def add_neighbour(
        self, name: str, address: str, hardware: bytes | None, state: int, *, how: int = ADD
    ) -> None:
        """Enter an address and its hardware address; state: NUD_PERMANENT, NUD_REACHABLE..."""
        body = _neighbour_body(name, address, state)
        self.request(
            RTM_NEWNEIGH, how, body + (attribute(rt.NDA_LLADDR, hardware) if hardware else b"")
        )

    def delete_neighbour(self, name: str, address: str) -> None:
        """Forget the hardware address of an address.  OSError ENOENT when it is not known."""
        self.request(RTM_DELNEIGH, 0, _neighbour_body(name, address, 0))

    # -- messages ---------------------------------------------------------------------------------

    def request(self, kind: int, flags: int, body: bytes) -> None:
        """Send a request and wait for the kernel's word.  OSError when it refuses."""
        self.ask(kind, flags, body)

    def ask(self, kind: int, flags: int, body: bytes) -> list[bytes]:
        """Send a request; the bodies of the answers.  OSError when the kernel refuses."""
        return list(self._answers(self._send(kind, flags | NLM_F_ACK, body)))

    def dump(self, kind: int, body: bytes) -> list[bytes]:
        """Ask for all objects of a kind; the bodies of the answers."""
        while True:
            sequence = self._send(kind, NLM_F_DUMP, body)
            try:
                return list(self._answers(sequence))
            except InterruptedError:
                continue  # a list that changed while it was read: once more (NLM_F_DUMP_INTR)

    def _send(self, kind: int, flags: int, body: bytes) -> int:
        self._sequence += 1
        length = _HEADER.size + len(body)
        head = _HEADER.pack(length, kind, flags | NLM_F_REQUEST, self._sequence, 0)
        self.socket.sendto(head + body, (0, 0))
        return self._sequence

    def _answers(self, wanted: int) -> Iterator[bytes]:
        interrupted = False
        while True:
            data, (sender, _) = self.socket.recvfrom(1 << 18)
            if sender != 0:
                continue  # only the kernel may answer
            for kind, flags, sequence, body in messages(data):
                if sequence != wanted:
                    continue
                interrupted = interrupted or bool(flags & NLM_F_DUMP_INTR)
                if kind == NLMSG_ERROR:
                    _raise_refusal(flags, body)
                    return
                if kind == NLMSG_DONE:
                    if interrupted:
                        raise InterruptedError
                    return
                yield body


def messages(data: bytes) -> Iterator[tuple[int, int, int, bytes]]:
    """The (type, flags, sequence number, body) of each message in a datagram; a cut one ends it."""
    while len(data) >= _HEADER.size:
        length, kind, flags, sequence, _ = _HEADER.unpack_from(data)
        if not _HEADER.size <= length <= len(data):
            return
        yield kind, flags, sequence, data[_HEADER.size : length]
        data = data[(length + 3) & ~3 :]


def packed(address: str) -> bytes:
    """An IPv4 or IPv6 address as bytes.  OSError when it is neither."""
    return socket.inet_pton(family_of(address), address)


def family_of(address: str) -> int:
    """AF_INET or AF_INET6, by the colon."""
    return int(socket.AF_INET6 if ":" in address else socket.AF_INET)


def _raise_refusal(flags: int, body: bytes) -> None:
    (code,) = struct.unpack_from("=i", body)
    if code == 0:
        return
    words = ""
    if flags & _NLM_F_ACK_TLVS:
        (length,) = struct.unpack_from("=I", body, 4)
        skipped = 4 + (16 if flags & _NLM_F_CAPPED else (length + 3) & ~3)
        words = text(attributes(body[skipped:]).get(_NLMSGERR_ATTR_MSG, b"")).rstrip(".")
    error = NetlinkError(-code, f"{os.strerror(-code)} ({words})" if words else os.strerror(-code))
    error.words = words
    raise error


def _address_body(name: str, address: str, prefix: int, scope: int, peer: str) -> bytes:
    local = packed(address)
    head = struct.pack("=BBBBi", family_of(address), prefix, 0, scope, _index(name))
    return (
        head
        + attribute(rt.IFA_LOCAL, local)
        + attribute(rt.IFA_ADDRESS, packed(peer) if peer else local)
    )


def _neighbour_body(name: str, address: str, state: int) -> bytes:
    head = struct.pack("=BxxxiHBB", family_of(address), _index(name), state, 0, 0)
    return head + attribute(rt.NDA_DST, packed(address))


def _route_body(
    destination: str,
    prefix: int,
    *,
    family: int,
    gateway: str,
    name: str,
    metric: int | None,
    table: int,
    protocol: int,
    scope: int,
    kind: int,
    source: str = "",
    flags: int = 0,
) -> bytes:
    family = family_of(destination or gateway) if destination or gateway else family
    small = table if table < 256 else 0
    body = struct.pack("=BBBBBBBBI", family, prefix, 0, 0, small, protocol, scope, kind, flags)
    if destination:
        body += attribute(rt.RTA_DST, packed(destination))
    if gateway:
        body += attribute(rt.RTA_GATEWAY, packed(gateway))
    if name:
        body += attribute(rt.RTA_OIF, struct.pack("=i", _index(name)))
    if metric is not None:
        body += attribute(rt.RTA_PRIORITY, struct.pack("=I", metric))
    if source:
        body += attribute(rt.RTA_PREFSRC, packed(source))
    if small == 0:
        body += attribute(rt.RTA_TABLE, struct.pack("=I", table))
    return body


def _index(name: str) -> int:
    try:
        return socket.if_nametoindex(name)
    except OSError:
        raise OSError(errno.ENODEV, os.strerror(errno.ENODEV), name) from None
