"""ip address: show, add, change, replace, delete, flush."""

from __future__ import annotations

import socket
import struct

from applets.networking.ip import link as links
from applets.networking.ip.context import INET, SCOPES, Context
from applets.networking.ip.words import Refusal, Words, garbage, number, one_of, prefix, within
from applets.networking.ip.words import address as any_address
from toolbox.linux import rtnetlink as rt
from toolbox.linux.netlink import (
    ADD,
    CHANGE,
    REPLACE,
    RTM_DELADDR,
    RTM_NEWADDR,
    packed,
)
from toolbox.linux.netlink_objects import Address, Link, attribute

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_FOREVER = 0xFFFFFFFF
_PERMANENT = 0x80

#: IFA_F_*, in the order in which ip shows them.
_FLAGS = {
    0x01: "secondary",
    0x02: "nodad",
    0x04: "optimistic",
    0x08: "dadfailed",
    0x10: "home",
    0x20: "deprecated",
    0x40: "tentative",
    0x80: "permanent",
    0x100: "mngtmpaddr",
    0x200: "noprefixroute",
    0x400: "autojoin",
    0x800: "stable-privacy",
}


def run(command: str, words: Words, context: Context) -> int:
    """Obey `ip address COMMAND ...`."""
    name = one_of(command, "add change chg replace delete show list lst flush help") or command
    if name in ("show", "list", "lst"):
        show(context, words)
    elif name in ("add", "change", "chg", "replace"):
        how = {"add": ADD, "replace": REPLACE}.get(name, CHANGE)
        _change(RTM_NEWADDR, how, words, context)
    elif name == "delete":
        _change(RTM_DELADDR, 0, words, context)
    elif name == "flush":
        return _flush(words, context)
    else:
        raise Refusal(f'Command "{command}" is unknown, try "ip address help".', 255)
    return 0


# -- show -----------------------------------------------------------------------------------------


class _Filter(links.Filter):
    """Which addresses are to be shown, besides which interfaces."""

    def __init__(self) -> None:
        super().__init__()
        self.to: tuple[str, int] | None = None
        self.scope = -1
        self.label = ""
        self.flags: list[tuple[int, bool]] = []

    def take(self, word: str, words: Words, context: Context) -> bool:
        negative = word.startswith("-")
        bits = {name: bit for bit, name in _FLAGS.items()} | {"temporary": 1, "primary": -1}
        if word == "to":
            # An address of one family: the other is not shown at all.
            network, length, context.family = prefix(words.after(word), context.family)
            self.to = (network, length)
        elif word == "scope":
            self.scope = context.scope(words.after(word))
        elif word == "label":
            self.label = words.after(word)
        elif word == "dynamic":
            self.flags.append((_PERMANENT, False))
        elif word.removeprefix("-") in bits:
            bit = bits[word.removeprefix("-")]
            self.flags.append((1, False) if bit == -1 else (bit, not negative))
        else:
            return super().take(word, words, context)
        return True

    @property
    def about_addresses(self) -> bool:
        """Whether an interface without a fitting address is to be left out."""
        return self.to is not None or bool(self.label) or bool(self.flags)

    def fits(self, one: Address) -> bool:
        """Whether an address is to be shown."""
        if self.to is not None and not within(one.local, *self.to):
            return False
        if self.scope >= 0 and one.scope != self.scope:
            return False
        if self.label:
            from toolbox.patterns import matcher

            if not matcher(self.label)(one.label):
                return False
        return all(bool(one.flags & bit) == wanted for bit, wanted in self.flags)


def _read_filter(words: Words, context: Context) -> _Filter:
    chosen = _Filter()
    while words:
        word = words.take()
        if not chosen.take(word, words, context):
            raise garbage(word)
    if chosen.device:
        context.check(chosen.device, shown=True)
    return chosen


def _chosen(chosen: _Filter, context: Context) -> list[tuple[Link, list[Address]]]:
    found: dict[int, list[Address]] = {}
    for one in context.kernel.addresses(context.family):
        if chosen.fits(one):
            found.setdefault(one.index, []).append(one)
    rows = []
    for link in context.links().values():
        mine = found.get(link.index, [])
        if chosen.takes(link) and (mine or not (context.family or chosen.about_addresses)):
            rows.append((link, mine))
    return rows


def show(context: Context, words: Words) -> None:
    """ip address show [DEVICE] [to PREFIX] [scope SCOPE] [up] [dynamic] ..."""
    rows = _chosen(_read_filter(words, context), context)
    if context.json:
        context.write_json([_link_json(link, mine, context) for link, mine in rows])
        return
    for link, mine in rows:
        if context.brief:
            shown = "".join(f"{_local(one)} " for one in mine)
            name = links.full_name(link, context)
            context.write(f"{name:<16} {link.state.upper():<14} {shown}\n")
        elif context.oneline:
            for one in mine:
                context.write(f"{link.index}: {link.name}" + as_text(one))
        else:
            text = links.as_text(link, context, mode=False)
            # Statistics come after the addresses.
            context.write(text + "".join(as_text(one) for one in mine))


def _link_json(link: Link, mine: list[Address], context: Context) -> dict[str, Any]:
    found = links.as_json(link, context, mode=False)
    if context.family and not context.brief:
        for key in ("link_type", "address", "broadcast"):
            found.pop(key, None)
    found["addr_info"] = [_as_json(one, context) for one in mine]
    return found


def _flags(one: Address) -> list[str]:
    names = []
    for bit, name in _FLAGS.items():
        if bit == _PERMANENT:
            if not one.flags & bit:
                names.append("dynamic")
        elif one.flags & bit:
            names.append("temporary" if bit == 1 and one.family != INET else name)
    return names


def _local(one: Address) -> str:
    peer = f" peer {one.peer}" if one.peer else ""
    return f"{one.local}{peer}/{one.prefix}"


def _as_json(one: Address, context: Context) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if not context.brief:
        found["family"] = "inet" if one.family == INET else "inet6"
    found["local"] = one.local
    if one.peer:
        found["address"] = one.peer
    found["prefixlen"] = one.prefix
    if context.brief:
        return found
    metric = one.attributes.get(rt.IFA_RT_PRIORITY)
    if metric:
        found["metric"] = int.from_bytes(metric, "little")
    if one.broadcast:
        found["broadcast"] = one.broadcast
    found["scope"] = SCOPES.get(one.scope, str(one.scope))
    found.update(dict.fromkeys(_flags(one), True))
    if one.label:
        found["label"] = one.label
    found["valid_life_time"] = one.valid
    found["preferred_life_time"] = one.preferred
    return found


def as_text(one: Address) -> str:
    """The two lines of an address."""
    words = ["inet" if one.family == INET else "inet6", _local(one)]
    if rt.IFA_RT_PRIORITY in one.attributes:
        words += ["metric", str(struct.unpack_from("=I", one.attributes[rt.IFA_RT_PRIORITY])[0])]
    if one.broadcast:
        words += ["brd", one.broadcast]
    words += ["scope", SCOPES.get(one.scope, str(one.scope)), *_flags(one)]
    line = "    " + " ".join(words) + " " + one.label
    valid, preferred = _lifetime(one.valid), _lifetime(one.preferred)
    return f"{line}\n       valid_lft {valid} preferred_lft {preferred}\n"


def _lifetime(seconds: int) -> str:
    return "forever" if seconds == _FOREVER else f"{seconds}sec"


# -- change ---------------------------------------------------------------------------------------


def _change(kind: int, how: int, words: Words, context: Context) -> None:
    device = local = peer = label = broadcast = ""
    length, peer_length, family = -1, -1, context.family
    scope: int | None = None
    flags, valid, preferred = 0, _FOREVER, _FOREVER
    lifetimes = False
    metric: int | None = None
    while words:
        word = words.take()
        if word in ("peer", "remote"):
            peer, peer_length, family = _host(words.after(word), family)
        elif word in ("broadcast", "brd"):
            broadcast = words.after(word)
        elif word == "dev":
            device = words.after(word)
        elif word == "label":
            label = words.after(word)
        elif word == "scope":
            scope = context.scope(words.after(word))
        elif word == "metric":
            metric = words.number(word)
        elif word in ("valid_lft", "preferred_lft"):
            text = words.after(word)
            seconds = _FOREVER if text == "forever" else number(text, word)
            lifetimes = True
            valid, preferred = (seconds, preferred) if word == "valid_lft" else (valid, seconds)
        elif word in _FLAGS.values():
            flags |= next(bit for bit, name in _FLAGS.items() if name == word)
        else:
            if word == "local":
                word = words.after(word)
            if local:
                raise Refusal(f'Error: either "local" is duplicate, or "{word}" is a garbage.', 255)
            local, length, family = _host(word, family)
    if not device:
        raise Refusal('Not enough information: "dev" argument is required.')
    index = context.check(device).index
    if not local:
        return
    if peer:
        length = peer_length
    if kind == RTM_DELADDR and length < 0:
        length = 32 if family == INET else 128
    if scope is None:
        scope = 254 if family == INET and local.startswith("127.") else 0
    body = struct.pack("=BBBBi", family, length, flags & 0xFF, scope, index)
    body += attribute(rt.IFA_LOCAL, packed(local))
    if peer or kind == RTM_NEWADDR or family == INET:
        body += attribute(rt.IFA_ADDRESS, packed(peer or local))
    if broadcast:
        body += attribute(rt.IFA_BROADCAST, _broadcast(broadcast, local, length))
    if label:
        body += attribute(rt.IFA_LABEL, label.encode() + b"\0")
    if lifetimes:
        if preferred > valid:
            raise Refusal('Error: argument "preferred_lft" is greater than valid_lft', 255)
        body += attribute(rt.IFA_CACHEINFO, struct.pack("=IIII", preferred, valid, 0, 0))
    if flags:
        body += attribute(rt.IFA_FLAGS, struct.pack("=I", flags))
    if metric is not None:
        body += attribute(rt.IFA_RT_PRIORITY, struct.pack("=I", metric))
    context.kernel.request(kind, how, body)


def _host(word: str, family: int) -> tuple[str, int, int]:
    text, length, family = prefix(word, family)
    if not text:
        raise Refusal(f'Error: any valid prefix is expected rather than "{word}".')
    return text, length, family


def _broadcast(word: str, local: str, length: int) -> bytes:
    """The broadcast address; `+` is that of the network with all bits set, `-` with none."""
    if word not in ("+", "-"):
        return packed(any_address(word, INET))
    value = int.from_bytes(socket.inet_aton(local), "big")
    bits = (1 << (32 - length)) - 1
    return (value | bits if word == "+" else value & ~bits).to_bytes(4, "big")


def _flush(words: Words, context: Context) -> int:
    if not words:
        raise Refusal("Flush requires arguments.")
    chosen = _read_filter(words, context)
    count = 0
    # The kernel takes the secondary addresses of a network away with its first one.
    for _ in range(10):
        found = [one for _, mine in _chosen(chosen, context) for one in mine]
        if not found:
            break
        for one in found:
            body = struct.pack("=BBBBi", one.family, one.prefix, 0, one.scope, one.index)
            body += attribute(rt.IFA_LOCAL, packed(one.local)) + attribute(
                rt.IFA_ADDRESS, packed(one.peer or one.local)
            )
            try:
                context.kernel.request(RTM_DELADDR, 0, body)
                count += 1
            except OSError as error:
                import errno

                if error.errno != errno.EADDRNOTAVAIL:
                    raise
    if context.statistics:
        context.write(
            "Nothing to flush.\n"
            if not count
            else f"*** Flush is complete after {count} deletions ***\n"
        )
    return 0
