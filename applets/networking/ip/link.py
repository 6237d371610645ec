"""ip link: show, add, set, delete."""

from __future__ import annotations

import os
import struct

from applets.networking.ip.context import Context
from applets.networking.ip.words import Refusal, Words, garbage, hardware, number, one_of
from toolbox.linux import rtnetlink as rt
from toolbox.linux.netlink import ADD, IFF_RUNNING, IFF_UP, RTM_NEWLINK
from toolbox.linux.netlink_objects import Link, attribute, text, u32

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

_FLAGS = (
    *((0x8, "LOOPBACK"), (0x2, "BROADCAST"), (0x10, "POINTOPOINT"), (0x1000, "MULTICAST")),
    *((0x80, "NOARP"), (0x200, "ALLMULTI"), (0x100, "PROMISC"), (0x400, "MASTER")),
    *((0x800, "SLAVE"), (0x4, "DEBUG"), (0x8000, "DYNAMIC"), (0x4000, "AUTOMEDIA")),
    *((0x2000, "PORTSEL"), (0x20, "NOTRAILERS"), (0x1, "UP"), (0x10000, "LOWER_UP")),
    *((0x20000, "DORMANT"), (0x40000, "ECHO")),
)

_TYPES = {
    1: "ether",
    32: "infiniband",
    512: "ppp",
    768: "ipip",
    769: "tunnel6",
    772: "loopback",
    776: "sit",
    778: "gre",
    801: "ieee802.11",
    823: "gre6",
    65534: "none",
    65535: "void",
}

_MACVLAN_MODES = {1: "private", 2: "vepa", 4: "bridge", 8: "passthru", 16: "source"}
_IPVLAN_MODES = {0: "l2", 1: "l3", 2: "l3s"}


def run(command: str, words: Words, context: Context) -> int:
    """Obey `ip link COMMAND ...`."""
    name = one_of(command, "add replace change set delete show list lst help") or command
    if name in ("show", "list", "lst"):
        show(context, words)
    elif name in ("set", "change"):
        _set(words, context)
    elif name == "add":
        _add(words, context)
    elif name == "delete":
        _delete(words, context)
    else:
        raise Refusal(f'Command "{command}" is unknown, try "ip link help".', 255)
    return 0


# -- show -----------------------------------------------------------------------------------------


class Filter:
    """Which interfaces are to be shown."""

    def __init__(self) -> None:
        self.device = ""
        self.up = False
        self.master = -1
        self.kind = ""
        self.group = -1

    def take(self, word: str, words: Words, context: Context) -> bool:
        """Take a word of the command; False when it is none of a filter's."""
        if word == "up":
            self.up = True
        elif word == "master":
            self.master = context.check(words.after(word), shown=True).index
        elif word == "nomaster":
            self.master = 0
        elif word == "type":
            self.kind = words.after(word)
        elif word == "group":
            self.group = _group(words.after(word))
        elif word == "dev":
            self.device = words.after(word)
        elif self.device:
            return False
        else:
            self.device = word
        return True

    def takes(self, link: Link) -> bool:
        """Whether an interface is to be shown."""
        return (
            (not self.device or link.name == self.device)
            and (not self.up or bool(link.flags & IFF_UP))
            and (self.master < 0 or link.master == self.master)
            and (not self.kind or link.kind == self.kind)
            and (self.group < 0 or u32(link.attributes.get(rt.IFLA_GROUP)) == self.group)
        )


def show(context: Context, words: Words) -> None:
    """ip link show [DEVICE] [up] [master DEVICE] [type KIND]"""
    chosen = Filter()
    while words:
        word = words.take()
        if not chosen.take(word, words, context):
            raise garbage(word)
    if chosen.device:
        context.check(chosen.device, shown=True)
    links = [link for link in context.links().values() if chosen.takes(link)]
    if context.json:
        context.write_json([as_json(link, context, mode=True) for link in links])
        return
    for link in links:
        context.write(brief(link, context) if context.brief else as_text(link, context, mode=True))


def flags(link: Link, context: Context) -> list[str]:
    """The words in the angle brackets."""
    names = []
    left = link.flags & ~IFF_RUNNING
    if link.flags & IFF_UP and not link.flags & IFF_RUNNING:
        names.append("NO-CARRIER")
    for bit, name in _FLAGS:
        if left & bit:
            names.append(name)
            left &= ~bit
    if left:
        names.append(f"{left:x}")
    parent = context.links().get(link.parent)
    if link.parent and _is_here(link) and parent is not None and not parent.flags & IFF_UP:
        names.append("M-DOWN")
    return names


def _is_here(link: Link) -> bool:
    """Whether the other end of the link is in this network namespace."""
    return rt.IFLA_LINK_NETNSID not in link.attributes


def full_name(link: Link, context: Context) -> str:
    """`eth0.5@eth0`: the name with what the link hangs on."""
    if rt.IFLA_LINK not in link.attributes or (link.parent == link.index and _is_here(link)):
        return link.name
    if link.parent == 0:
        return f"{link.name}@NONE"
    other = context.name_of(link.parent) if _is_here(link) else f"if{link.parent}"
    return f"{link.name}@{other}"


def _hardware(raw: bytes, kind: int) -> str:
    """An Ethernet address with colons, a tunnel's end as an IP address."""
    if kind in (768, 776, 778) and len(raw) == 4:
        return ".".join(map(str, raw))
    return raw.hex(":")


def as_json(link: Link, context: Context, *, mode: bool) -> dict[str, Any]:
    """What -j shows; mode: as `ip link` does, not `ip addr`."""
    if context.brief:
        return _brief_json(link, context, mode)
    found: dict[str, Any] = {"ifindex": link.index}
    found.update(_parent_json(link, context))
    found["ifname"] = link.name
    found["flags"] = flags(link, context)
    found["mtu"] = link.mtu
    found["qdisc"] = link.qdisc
    if link.master:
        found["master"] = context.name_of(link.master)
    found["operstate"] = link.state.upper()
    if mode:
        found["linkmode"] = _mode(link)
    found["group"] = _group_name(link)
    if link.queue:
        found["txqlen"] = link.queue
    found["link_type"] = _TYPES.get(link.type, str(link.type))
    if link.hardware:
        found["address"] = _hardware(link.hardware, link.type)
    if link.broadcast:
        point = bool(link.flags & 0x10)
        found["link_pointtopoint" if point else "broadcast"] = _hardware(link.broadcast, link.type)
        if point:
            found["link_pointtopoint"] = True
            found["broadcast"] = _hardware(link.broadcast, link.type)
    if rt.IFLA_LINK_NETNSID in link.attributes:
        found["link_netnsid"] = u32(link.attributes[rt.IFLA_LINK_NETNSID])
    if context.details:
        found["promiscuity"] = u32(link.attributes.get(rt.IFLA_PROMISCUITY))
        found["min_mtu"] = u32(link.attributes.get(rt.IFLA_MIN_MTU))
        found["max_mtu"] = u32(link.attributes.get(rt.IFLA_MAX_MTU))
        if link.kind:
            found["linkinfo"] = {"info_kind": link.kind}
            if link.information:
                found["linkinfo"]["info_data"] = {
                    key: value for key, _, value in _details(link) if value is not None
                }
    if mode and rt.IFLA_IFALIAS in link.attributes:
        found["ifalias"] = text(link.attributes[rt.IFLA_IFALIAS])
    if context.statistics and link.statistics:
        found["stats64"] = _statistics_json(link)
    return found


def _parent_json(link: Link, context: Context) -> dict[str, Any]:
    if rt.IFLA_LINK not in link.attributes or (link.parent == link.index and _is_here(link)):
        return {}
    if not _is_here(link):
        return {"link_index": link.parent}
    return {"link": context.name_of(link.parent) if link.parent else None}


def _brief_json(link: Link, context: Context, mode: bool) -> dict[str, Any]:
    found = _parent_json(link, context)
    found["ifname"] = link.name
    found["operstate"] = link.state.upper()
    if mode:
        found["address"] = _hardware(link.hardware, link.type)
        found["flags"] = flags(link, context)
    return found


def _mode(link: Link) -> str:
    return "DORMANT" if link.attributes.get(rt.IFLA_LINKMODE, b"\0")[0] == 1 else "DEFAULT"


def _group_name(link: Link) -> str:
    group = u32(link.attributes.get(rt.IFLA_GROUP))
    return str(group) if group else "default"


def _group(word: str) -> int:
    return 0 if word == "default" else number(word, "group")


def head(link: Link, context: Context, *, mode: bool) -> str:
    """The first line: `2: eth0: <UP> mtu 1500 ...`."""
    line = f"{link.index}: {full_name(link, context)}: <{','.join(flags(link, context))}> mtu {link.mtu}"
    line += f" qdisc {link.qdisc}" if link.qdisc else ""
    line += f" master {context.name_of(link.master)}" if link.master else ""
    line += f" state {link.state.upper()}"
    line += f" mode {_mode(link)}" if mode else ""
    line += f" group {_group_name(link)}"
    return line + (f" qlen {link.queue}" if link.queue else "")


def as_text(link: Link, context: Context, *, mode: bool) -> str:
    """The lines of one interface."""
    lines = [head(link, context, mode=mode)]
    if context.family == 0:
        line = f"    link/{_TYPES.get(link.type, f'[{link.type}]')} "
        line += _hardware(link.hardware, link.type)
        if link.broadcast:
            word = "peer" if link.flags & 0x10 else "brd"
            line += f" {word} {_hardware(link.broadcast, link.type)}"
        if rt.IFLA_LINK_NETNSID in link.attributes:
            line += f" link-netnsid {u32(link.attributes[rt.IFLA_LINK_NETNSID])}"
        if context.details:
            line += f" promiscuity {u32(link.attributes.get(rt.IFLA_PROMISCUITY))} "
            line += f" minmtu {u32(link.attributes.get(rt.IFLA_MIN_MTU))}"
            line += f" maxmtu {u32(link.attributes.get(rt.IFLA_MAX_MTU))} "
        lines.append(line)
        if context.details and link.kind:
            words = [word for _, word, _ in _details(link)]
            lines.append("    " + " ".join([link.kind, *words]) + " ")
    if mode and rt.IFLA_IFALIAS in link.attributes:
        lines.append(f"    alias {text(link.attributes[rt.IFLA_IFALIAS])}")
    if context.statistics and link.statistics:
        lines += _statistics(link)
    return "\n".join(lines) + "\n"


def _details(link: Link) -> Iterable[tuple[str, str, Any]]:
    """What only this kind of link has: (JSON's key, words, value)."""
    data = link.information
    if link.kind == "vlan":
        protocol = int.from_bytes(data.get(rt.IFLA_VLAN_PROTOCOL, b"\x81\x00"), "big")
        name = {0x8100: "802.1Q", 0x88A8: "802.1ad"}.get(protocol, f"{protocol:#x}")
        yield "protocol", f"protocol {name}", name
        identity = struct.unpack_from("=H", data.get(rt.IFLA_VLAN_ID, b"\0\0"))[0]
        yield "id", f"id {identity}", identity
    elif link.kind in ("macvlan", "macvtap"):
        mode = _MACVLAN_MODES.get(u32(data.get(rt.IFLA_MACVLAN_MODE)), "?")
        yield "mode", f"mode {mode}", mode
    elif link.kind == "ipvlan":
        number = struct.unpack_from("=H", data.get(rt.IFLA_IPVLAN_MODE, b"\0\0"))[0]
        mode = _IPVLAN_MODES.get(number, "?")
        yield "mode", f"mode {mode}", mode
    elif link.kind == "vrf":
        table = u32(data.get(rt.IFLA_VRF_TABLE))
        yield "table", f"table {table}", table
    elif link.kind == "bridge":
        for key, kind, shown in (
            (rt.IFLA_BR_STP_STATE, "stp_state", "stp_state"),
            (rt.IFLA_BR_FORWARD_DELAY, "forward_delay", "forward_delay"),
        ):
            yield kind, f"{shown} {u32(data.get(key))}", u32(data.get(key))


def brief(link: Link, context: Context) -> str:
    """-br's line."""
    line = f"{full_name(link, context):<16} {link.state.upper():<14} "
    return line + f"{_hardware(link.hardware, link.type)} <{','.join(flags(link, context))}> \n"


def _counts(link: Link) -> tuple[dict[str, int], dict[str, int]]:
    """struct rtnl_link_stats64's numbers as ip names them, received and sent."""
    s = (*link.statistics, *[0] * 24)
    received = {"bytes": s[2], "packets": s[0], "errors": s[4], "dropped": s[6]}
    received |= {"over_errors": s[15], "multicast": s[8]}
    sent = {"bytes": s[3], "packets": s[1], "errors": s[5], "dropped": s[7]}
    sent |= {"carrier_errors": s[17], "collisions": s[9]}
    return received, sent


def _statistics_json(link: Link) -> dict[str, Any]:
    received, sent = _counts(link)
    return {"rx": received, "tx": sent}


def _statistics(link: Link) -> list[str]:
    received, sent = (list(counts.values()) for counts in _counts(link))
    widths = [10, 7, 6, 7, 7, 7]
    widths = [
        max(width, len(str(r)), len(str(t)))
        for width, r, t in zip(widths, received, sent, strict=True)
    ]
    lines = []
    for name, counts, last in (
        ("RX", received, ("missed", "mcast")),
        ("TX", sent, ("carrier", "collsns")),
    ):
        heads = ["bytes", "packets", "errors", "dropped", *last]
        first = f"    {name}: {heads[0]:>{widths[0] - 4}}"
        rest = [f"{h:>{w}}" for h, w in zip(heads[1:], widths[1:], strict=True)]
        lines.append(" ".join([first, *rest]) + " " * 11)
        lines.append("    " + "".join(f"{n:>{w}} " for n, w in zip(counts, widths, strict=True)))
    return lines


# -- set, add, delete -----------------------------------------------------------------------------

_SWITCHES = {"arp": (0x80, True), "promisc": (0x100, False), "multicast": (0x1000, False)}
_SWITCHES |= {"allmulticast": (0x200, False), "dynamic": (0x8000, False), "trailers": (0x20, True)}


class _Change:
    """What `ip link set` and `add` collect."""

    def __init__(self) -> None:
        self.name = ""
        self.extra = b""
        self.flags = self.mask = 0
        self.rename: str | None = None

    def take(self, word: str, words: Words, context: Context) -> bool:
        """Take a word that both commands know; False when it is none."""
        if word in ("up", "down"):
            self.mask |= IFF_UP
            self.flags = self.flags & ~IFF_UP | (IFF_UP if word == "up" else 0)
        elif word in _SWITCHES:
            bit, inverted = _SWITCHES[word]
            self.mask |= bit
            if words.switch(word) != inverted:
                self.flags |= bit
        elif word == "mtu":
            self.extra += attribute(rt.IFLA_MTU, struct.pack("=I", words.number(word)))
        elif word in ("address", "lladdr"):
            self.extra += attribute(rt.IFLA_ADDRESS, hardware(words.after(word)))
        elif word in ("broadcast", "brd"):
            self.extra += attribute(rt.IFLA_BROADCAST, hardware(words.after(word)))
        elif word in ("txqueuelen", "qlen", "txqlen"):
            self.extra += attribute(rt.IFLA_TXQLEN, struct.pack("=I", words.number(word)))
        elif word == "master":
            master = context.check(words.after(word))
            self.extra += attribute(rt.IFLA_MASTER, struct.pack("=I", master.index))
        elif word == "nomaster":
            self.extra += attribute(rt.IFLA_MASTER, struct.pack("=I", 0))
        elif word == "alias":
            self.extra += attribute(rt.IFLA_IFALIAS, os.fsencode(words.after(word)))
        elif word == "group":
            self.extra += attribute(rt.IFLA_GROUP, struct.pack("=I", _group(words.after(word))))
        elif word == "mode":
            self.extra += attribute(rt.IFLA_LINKMODE, bytes([words.after(word) == "dormant"]))
        elif word == "netns":
            self.extra += _namespace(words.after(word))
        elif word == "numtxqueues":
            self.extra += attribute(rt.IFLA_NUM_TX_QUEUES, struct.pack("=I", words.number(word)))
        elif word == "numrxqueues":
            self.extra += attribute(rt.IFLA_NUM_RX_QUEUES, struct.pack("=I", words.number(word)))
        else:
            return False
        return True


def _namespace(word: str) -> bytes:
    """The attribute that moves a link into the namespace of a name or a process."""
    if word.isdecimal() and len(word) < 10:
        return attribute(rt.IFLA_NET_NS_PID, struct.pack("=I", int(word)))
    try:
        # Left open until the process ends: the kernel needs it while it handles the request.
        fd = os.open(f"/run/netns/{word}", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        raise Refusal(f'Error: argument "{word}" is wrong: Invalid "netns" value\n', 255) from None
    return attribute(rt.IFLA_NET_NS_FD, struct.pack("=i", fd))


def _set(words: Words, context: Context) -> None:
    change = _Change()
    while words:
        word = words.take()
        if word == "dev" and not change.name:
            change.name = words.after(word)
        elif word == "name":
            change.extra += attribute(rt.IFLA_IFNAME, os.fsencode(words.after(word)) + b"\0")
        elif not change.take(word, words, context):
            if change.name:
                raise garbage(word)
            change.name = word
    if not change.name:
        raise Refusal('Not enough of information: "dev" argument is required.')
    context.check(change.name)
    context.kernel.set_link(change.name, flags=change.flags, mask=change.mask, extra=change.extra)
    context.forget()


def _add(words: Words, context: Context) -> None:
    change = _Change()
    kind, data = "", b""
    while words:
        word = words.take()
        if word == "link":
            parent = context.check(words.after(word))
            change.extra += attribute(rt.IFLA_LINK, struct.pack("=I", parent.index))
        elif word in ("name", "dev"):
            change.name = words.after(word)
        elif word == "type":
            kind = words.after(word)
            data = _kind_data(kind, words, context)
        elif not change.take(word, words, context):
            if change.name:
                raise garbage(word)
            change.name = word
    if not kind:
        raise Refusal('Not enough information: "type" argument is required')
    head_flags = struct.pack("=BxHiII", 0, 0, 0, change.flags, change.mask)
    inner = attribute(rt.IFLA_INFO_KIND, kind.encode()) + (
        attribute(rt.IFLA_INFO_DATA, data) if data else b""
    )
    body = head_flags
    if change.name:
        body += attribute(rt.IFLA_IFNAME, os.fsencode(change.name) + b"\0")
    context.kernel.request(
        RTM_NEWLINK, ADD, body + attribute(rt.IFLA_LINKINFO, inner) + change.extra
    )
    context.forget()


def _kind_data(kind: str, words: Words, context: Context) -> bytes:
    """The attributes of one kind of link, from the words after `type KIND`."""
    data = b""
    while words:
        word = words.take()
        if kind == "veth" and word == "peer":
            data += _peer(words, context)
        elif kind == "vlan" and word == "id":
            data += attribute(rt.IFLA_VLAN_ID, struct.pack("=H", words.number(word, 0, 4095)))
        elif kind == "vlan" and word in ("protocol", "proto"):
            name = words.after(word).lower()
            number = {"802.1ad": 0x88A8}.get(name, 0x8100)
            data += attribute(rt.IFLA_VLAN_PROTOCOL, number.to_bytes(2, "big"))
        elif kind in ("macvlan", "macvtap") and word == "mode":
            mode = _by_name(words.after(word), _MACVLAN_MODES)
            data += attribute(rt.IFLA_MACVLAN_MODE, struct.pack("=I", mode))
        elif kind == "ipvlan" and word == "mode":
            mode = _by_name(words.after(word), _IPVLAN_MODES)
            data += attribute(rt.IFLA_IPVLAN_MODE, struct.pack("=H", mode))
        elif kind == "vrf" and word == "table":
            table = context.table(words.after(word))
            data += attribute(rt.IFLA_VRF_TABLE, struct.pack("=I", table))
        elif kind == "bridge" and word == "stp_state":
            data += attribute(rt.IFLA_BR_STP_STATE, struct.pack("=I", words.number(word)))
        elif kind == "bridge" and word == "forward_delay":
            data += attribute(rt.IFLA_BR_FORWARD_DELAY, struct.pack("=I", words.number(word)))
        elif kind == "bridge" and word == "vlan_filtering":
            data += attribute(rt.IFLA_BR_VLAN_FILTERING, bytes([words.number(word, 0, 1)]))
        elif word == "help":
            raise Refusal(f"Usage: ... {kind} takes no further words here", 255)
        else:
            raise Refusal(f'Unknown argument "{word}" for type {kind}', 255)
    return data


def _peer(words: Words, context: Context) -> bytes:
    """The other end of a veth pair: what follows is about it."""
    peer = _Change()
    while words:
        word = words.take()
        if word == "name":
            peer.name = words.after(word)
        elif not peer.take(word, words, context):
            if peer.name:
                raise garbage(word)
            peer.name = word
    body = struct.pack("=BxHiII", 0, 0, 0, peer.flags, peer.mask) + peer.extra
    if peer.name:
        body += attribute(rt.IFLA_IFNAME, os.fsencode(peer.name) + b"\0")
    return attribute(rt.VETH_INFO_PEER, body)


def _by_name(word: str, names: dict[int, str]) -> int:
    for value, name in names.items():
        if name == word:
            return value
    raise Refusal(f'Error: argument of "mode" must be one of {", ".join(names.values())}', 255)


def _delete(words: Words, context: Context) -> None:
    name = ""
    while words:
        word = words.take()
        if word == "type":
            words.after(word)
        elif word == "dev":
            name = words.after(word)
        elif name:
            raise garbage(word)
        else:
            name = word
    if not name:
        raise Refusal('Not enough of information: "dev" argument is required.')
    context.check(name)
    context.kernel.delete_link(name)
    context.forget()
