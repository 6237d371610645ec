"""ip neighbour: show, get, add, replace, change, delete, flush: the ARP and NDP tables."""

from __future__ import annotations

import struct

from applets.networking.ip.context import Context
from applets.networking.ip.words import (
    Refusal,
    Words,
    address,
    garbage,
    hardware,
    number,
    one_of,
    prefix,
    within,
)
from toolbox.linux import rtnetlink as rt
from toolbox.linux.netlink import (
    ADD,
    CHANGE,
    NUD_NOARP,
    NUD_PERMANENT,
    REPLACE,
    RTM_DELNEIGH,
    RTM_NEWNEIGH,
    packed,
)
from toolbox.linux.netlink_objects import Neighbour, attribute, u32

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_STATES = {
    0x01: "INCOMPLETE",
    0x02: "REACHABLE",
    0x04: "STALE",
    0x08: "DELAY",
    0x10: "PROBE",
    0x20: "FAILED",
    0x40: "NOARP",
    0x80: "PERMANENT",
}
_PROXY, _ROUTER, _EXTERNAL = 0x08, 0x80, 0x10
_ALL = 0xFF


def run(command: str, words: Words, context: Context) -> int:
    """Obey `ip neighbour COMMAND ...`."""
    name = one_of(command, "add change chg replace delete get show list lst flush help") or command
    hows = {"add": ADD, "replace": REPLACE, "change": CHANGE, "chg": CHANGE}
    if name in ("show", "list", "lst"):
        _show(words, context)
    elif name in hows:
        _change(RTM_NEWNEIGH, hows[name], words, context)
    elif name == "delete":
        _change(RTM_DELNEIGH, 0, words, context)
    elif name == "get":
        _show(words, context)
    elif name == "flush":
        _flush(words, context)
    else:
        raise Refusal(f'Command "{command}" is unknown, try "ip neigh help".', 255)
    return 0


class _Filter:
    """Which entries are to be shown."""

    def __init__(self) -> None:
        self.index = 0
        self.to: tuple[str, int] | None = None
        self.states = _ALL & ~NUD_NOARP
        self.chosen_states = False
        self.proxy = False

    def take(self, word: str, words: Words, context: Context) -> None:
        if word == "dev":
            self.index = context.check(words.after(word)).index
        elif word == "nud":
            self._state(words.after(word))
        elif word == "unused":
            self._state("stale")
        elif word == "proxy":
            self.proxy = True
        elif word in ("router", "master", "vrf"):
            raise garbage(word)
        else:
            if word == "to":
                word = words.after(word)
            text, length, _ = prefix(word, context.family)
            self.to = (text, length)

    def _state(self, word: str) -> None:
        if not self.chosen_states:
            self.states, self.chosen_states = 0, True
        self.states |= _ALL if word == "all" else _state_of(word)

    def takes(self, one: Neighbour) -> bool:
        if self.index and one.index != self.index:
            return False
        if self.to is not None and not within(one.address, *self.to):
            return False
        if bool(one.flags & _PROXY) != self.proxy:
            return False
        return (
            self.proxy or bool(one.state & self.states) or (not one.state and self.states == _ALL)
        )


def _state_of(word: str) -> int:
    for bit, name in _STATES.items():
        if name.lower() == word:
            return bit
    if word == "none":
        return 0
    return number(word, "nud", 0, 255)


def _chosen(words: Words, context: Context) -> tuple[_Filter, list[Neighbour]]:
    chosen = _Filter()
    while words:
        chosen.take(words.take(), words, context)
    found = context.kernel.neighbours(context.family)
    return chosen, [one for one in found if one.address and chosen.takes(one)]


def _show(words: Words, context: Context) -> None:
    chosen, found = _chosen(words, context)
    if context.json:
        context.write_json([as_json(one, context, not chosen.index) for one in found])
        return
    for one in found:
        context.write(as_text(one, context, not chosen.index))


def as_json(one: Neighbour, context: Context, device: bool = True) -> dict[str, Any]:
    """What -j shows; the text is made of it too."""
    found: dict[str, Any] = {"dst": one.address}
    if device:
        found["dev"] = context.name_of(one.index)
    if one.hardware:
        found["lladdr"] = one.hardware.hex(":")
    for bit, name in ((_ROUTER, "router"), (_PROXY, "proxy"), (_EXTERNAL, "extern_learn")):
        if one.flags & bit:
            found[name] = None
    times = one.attributes.get(rt.NDA_CACHEINFO, b"")
    if context.statistics and len(times) >= 16:
        confirmed, used, updated, references = struct.unpack_from("=IIII", times)
        if references:
            found["refcnt"] = references
        found["used"], found["confirmed"] = used // 100, confirmed // 100
        found["updated"] = updated // 100
        found["probes"] = u32(one.attributes.get(rt.NDA_PROBES))
    found["state"] = [name for bit, name in _STATES.items() if one.state & bit]
    return found


def as_text(one: Neighbour, context: Context, device: bool = True) -> str:
    """The line of an entry."""
    found = as_json(one, context, device)
    text = f"{found['dst']} "
    for key in ("dev", "lladdr"):
        text += f"{key} {found[key]} " if key in found else ""
    text += "".join(f"{key} " for key in ("router", "proxy", "extern_learn") if key in found)
    if "used" in found:
        text += f" ref {found['refcnt']}" if "refcnt" in found else ""
        text += f" used {found['used']}/{found['confirmed']}/{found['updated']}"
        text += f"probes {found['probes']} "
    return text + "".join(f"{state} " for state in found["state"]) + "\n"


def _change(kind: int, how: int, words: Words, context: Context) -> None:
    device = target = ""
    lladdr = b""
    state, flags = NUD_PERMANENT, 0
    while words:
        word = words.take()
        if word == "lladdr":
            lladdr = hardware(words.after(word))
        elif word == "nud":
            state = _state_of(words.after(word))
        elif word == "proxy":
            target, flags = address(words.after(word), context.family), flags | _PROXY
        elif word == "router":
            flags |= _ROUTER
        elif word == "dev":
            device = words.after(word)
        else:
            if word == "to":
                word = words.after(word)
            if target:
                raise garbage(word)
            target = address(word, context.family)
    if not device or not target:
        raise Refusal("Device and destination are required arguments.")
    index = context.check(device).index
    family = 10 if ":" in target else 2
    if kind == RTM_DELNEIGH:
        state = 0
    body = struct.pack("=BxxxiHBB", family, index, state, flags, 0) + attribute(
        rt.NDA_DST, packed(target)
    )
    context.kernel.request(kind, how, body + (attribute(rt.NDA_LLADDR, lladdr) if lladdr else b""))


def _flush(words: Words, context: Context) -> None:
    if not words:
        raise Refusal("Flush requires arguments.")
    chosen, found = _chosen(words, context)
    count = 0
    for one in found:
        if one.state & NUD_PERMANENT and not chosen.chosen_states:
            continue  # what somebody entered by hand stays
        body = struct.pack("=BxxxiHBB", one.family, one.index, 0, one.flags & _PROXY, 0)
        try:
            context.kernel.request(
                RTM_DELNEIGH, 0, body + attribute(rt.NDA_DST, packed(one.address))
            )
            count += 1
        except FileNotFoundError:
            pass  # it has timed out meanwhile
    if context.statistics:
        context.write(
            f"*** Flush is complete after {count} deletions ***\n"
            if count
            else "Nothing to flush.\n"
        )
