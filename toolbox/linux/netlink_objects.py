"""What rtnetlink's messages say: links, addresses, routes, neighbours, rules (rtnetlink(7)), and attributes.

Each class is made of the body of a message; `attributes` holds all of the message's attributes by
type, for those that have no name here.
"""

from __future__ import annotations

import os
import socket
import struct

from toolbox.linux import rtnetlink as rt


class Link:
    """An interface.  hardware: its address as bytes; `state` is RFC 2863's ("up", "down", "unknown"...)."""

    __slots__ = (
        *("flags", "hardware", "broadcast", "index", "kind", "master", "mtu", "name", "parent"),
        *("qdisc", "queue", "state", "statistics", "type", "attributes", "information"),
    )

    STATES = ("unknown", "notpresent", "down", "lowerlayerdown", "testing", "dormant", "up")

    def __init__(self, body: bytes) -> None:
        _, self.type, self.index, self.flags, _ = struct.unpack_from("=BxHiII", body)
        self.attributes = found = attributes(body[16:])
        self.name = text(found.get(rt.IFLA_IFNAME, b""))
        self.hardware = found.get(rt.IFLA_ADDRESS, b"")
        self.broadcast = found.get(rt.IFLA_BROADCAST, b"")
        self.mtu = u32(found.get(rt.IFLA_MTU))
        self.parent = u32(found.get(rt.IFLA_LINK))
        self.qdisc = text(found.get(rt.IFLA_QDISC, b""))
        self.master = u32(found.get(rt.IFLA_MASTER))
        self.queue = u32(found.get(rt.IFLA_TXQLEN))
        state = (found.get(rt.IFLA_OPERSTATE) or b"\0")[0]
        self.state = self.STATES[state] if state < len(self.STATES) else "unknown"
        #: What only this kind of link has (IFLA_INFO_DATA): vlan's id, macvlan's mode...
        information = attributes(found.get(rt.IFLA_LINKINFO, b""))
        self.kind = text(information.get(rt.IFLA_INFO_KIND, b""))
        self.information = attributes(information.get(rt.IFLA_INFO_DATA, b""))
        # struct rtnl_link_stats64: packets, bytes, errors, dropped... received and sent in turn.
        raw = found.get(rt.IFLA_STATS64, b"")
        self.statistics = struct.unpack(f"={len(raw) // 8}Q", raw[: len(raw) // 8 * 8])


class Address:
    """An address of an interface.  lifetimes in seconds; 0xffffffff is for ever."""

    __slots__ = (
        *("broadcast", "family", "flags", "index", "label", "local", "peer", "preferred", "prefix"),
        *("scope", "valid", "attributes"),
    )

    def __init__(self, body: bytes) -> None:
        self.family, self.prefix, self.flags, self.scope, self.index = struct.unpack_from(
            "=BBBBi", body
        )
        self.attributes = found = attributes(body[8:])
        peer, local = found.get(rt.IFA_ADDRESS, b""), found.get(rt.IFA_LOCAL, b"")
        self.local = address_text(local or peer)
        self.peer = address_text(peer) if local and peer != local else ""
        self.broadcast = address_text(found.get(rt.IFA_BROADCAST, b""))
        self.label = text(found.get(rt.IFA_LABEL, b""))
        self.flags = u32(found.get(rt.IFA_FLAGS)) or self.flags
        self.preferred, self.valid = struct.unpack_from(
            "=II", found.get(rt.IFA_CACHEINFO, b"").ljust(8, b"\xff")
        )


class Route:
    """A route.  destination "" with prefix 0 is the default route; gateway "" is none."""

    __slots__ = (
        *("destination", "family", "flags", "gateway", "index", "metric", "mtu", "attributes"),
        *("preferred_source", "prefix", "protocol", "scope", "table", "type", "tos"),
        *("source_prefix",),
    )

    def __init__(self, body: bytes) -> None:
        fields = struct.unpack_from("=BBBBBBBBI", body)
        self.family, self.prefix, self.source_prefix, self.tos, self.table, self.protocol = fields[
            :6
        ]
        self.scope, self.type, self.flags = fields[6:]
        self.attributes = found = attributes(body[12:])
        self.destination = address_text(found.get(rt.RTA_DST, b""))
        self.gateway = address_text(found.get(rt.RTA_GATEWAY, b"")) or address_text(
            found.get(rt.RTA_VIA, b"")[2:]
        )
        self.index = u32(found.get(rt.RTA_OIF))
        self.metric = u32(found.get(rt.RTA_PRIORITY))
        self.preferred_source = address_text(found.get(rt.RTA_PREFSRC, b""))
        self.table = u32(found.get(rt.RTA_TABLE)) or self.table
        self.mtu = u32(self.metrics.get(rt.RTAX_MTU))

    @property
    def metrics(self) -> dict[int, bytes]:
        """RTAX_MTU and its like, by number."""
        return attributes(self.attributes.get(rt.RTA_METRICS, b""))

    @property
    def hops(self) -> list[tuple[int, int, int, str]]:
        """The ways of a route that has several: (interface's index, weight, flags, gateway)."""
        raw = self.attributes.get(rt.RTA_MULTIPATH, b"")
        found = []
        while len(raw) >= 8:
            length, flags, weight, index = struct.unpack_from("=HBBi", raw)
            if not 8 <= length <= len(raw):
                break
            inner = attributes(raw[8:length])
            gateway = address_text(inner.get(rt.RTA_GATEWAY, b"")) or address_text(
                inner.get(rt.RTA_VIA, b"")[2:]
            )
            found.append((index, weight + 1, flags, gateway))
            raw = raw[(length + 3) & ~3 :]
        return found


class Neighbour:
    """An entry of the ARP or NDP table."""

    __slots__ = ("address", "attributes", "family", "flags", "hardware", "index", "state")

    def __init__(self, body: bytes) -> None:
        self.family, self.index, self.state, self.flags, _ = struct.unpack_from("=BxxxiHBB", body)
        self.attributes = found = attributes(body[12:])
        self.address = address_text(found.get(rt.NDA_DST, b""))
        self.hardware = found.get(rt.NDA_LLADDR, b"")


class Rule:
    """A rule of the routing policy (ip-rule(8)).  source and destination: "" is any."""

    __slots__ = (
        *("action", "attributes", "destination", "destination_prefix", "family", "flags"),
        *("priority", "source", "source_prefix", "table", "tos"),
    )

    def __init__(self, body: bytes) -> None:
        fields = struct.unpack_from("=BBBBBxxBI", body)
        self.family, self.destination_prefix, self.source_prefix, self.tos = fields[:4]
        self.table, self.action, self.flags = fields[4:]
        self.attributes = found = attributes(body[12:])
        self.destination = address_text(found.get(rt.FRA_DST, b""))
        self.source = address_text(found.get(rt.FRA_SRC, b""))
        self.priority = u32(found.get(rt.FRA_PRIORITY))
        self.table = u32(found.get(rt.FRA_TABLE)) or self.table


def attribute(kind: int, data: bytes) -> bytes:
    """An attribute: length, type, data, padding to four bytes."""
    length = 4 + len(data)
    return struct.pack("=HH", length, kind) + data + bytes(-length % 4)


def attributes(data: bytes) -> dict[int, bytes]:
    """The attributes in a message, by type (without the flags for nesting and byte order)."""
    found = {}
    while len(data) >= 4:
        length, kind = struct.unpack_from("=HH", data)
        if not 4 <= length <= len(data):
            break
        found[kind & 0x3FFF] = data[4:length]
        data = data[(length + 3) & ~3 :]
    return found


def address_text(raw: bytes) -> str:
    """An IPv4 or IPv6 address in words; "" for bytes that are none."""
    if len(raw) == 4:
        return socket.inet_ntop(socket.AF_INET, raw)
    return socket.inet_ntop(socket.AF_INET6, raw) if len(raw) == 16 else ""


def text(raw: bytes) -> str:
    """A string that a zero byte ends."""
    return os.fsdecode(raw.split(b"\0")[0])


def u32(raw: bytes | None) -> int:
    """A number of four bytes; 0 when there is none."""
    return int(struct.unpack_from("=I", raw)[0]) if raw and len(raw) >= 4 else 0
