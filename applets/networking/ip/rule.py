"""ip rule: show, add, delete, flush: which routing table is asked for which packets."""

from __future__ import annotations

import socket
import struct

from applets.networking.ip.context import INET, PROTOCOLS, Context
from applets.networking.ip.words import Refusal, Words, number, one_of, prefix
from toolbox.linux import rtnetlink as rt
from toolbox.linux.netlink import ADD, RT_TABLE_MAIN, RTM_DELRULE, RTM_NEWRULE, packed
from toolbox.linux.netlink_objects import Rule, attribute, text, u32

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_TO_TABLE, _GOTO, _NOP = 1, 2, 3
_ACTIONS = {3: "nop", 6: "blackhole", 7: "unreachable", 8: "prohibit"}
_INVERT, _IIF_DETACHED, _OIF_DETACHED = 0x2, 0x8, 0x10
_PROTOCOLS = {1: "icmp", 6: "tcp", 17: "udp", 58: "ipv6-icmp"}


def run(command: str, words: Words, context: Context) -> int:
    """Obey `ip rule COMMAND ...`."""
    name = one_of(command, "list lst show add delete flush help") or command
    if name in ("show", "list", "lst"):
        _show(words, context)
    elif name == "add":
        _change(RTM_NEWRULE, ADD, words, context)
    elif name == "delete":
        _change(RTM_DELRULE, 0, words, context)
    elif name == "flush":
        _flush(context)
    else:
        raise Refusal(f'Command "{command}" is unknown, try "ip rule help".', 255)
    return 0


def _show(words: Words, context: Context) -> None:
    table = priority = -1
    while words:
        word = words.take()
        if word in ("table", "lookup"):
            table = context.table(words.after(word))
        elif word in ("pref", "preference", "order", "priority"):
            priority = words.number(word)
        else:
            raise Refusal(f'Error: argument "{word}" is wrong: unknown filter\n', 255)
    found = [
        rule
        for rule in context.kernel.rules(context.family or INET)
        if table in (-1, rule.table) and priority in (-1, rule.priority)
    ]
    if context.json:
        context.write_json([as_json(rule, context) for rule in found])
        return
    for rule in found:
        context.write(as_text(rule, context))


def as_json(rule: Rule, context: Context) -> dict[str, Any]:
    """What -j shows."""
    a = rule.attributes
    found: dict[str, Any] = {"priority": rule.priority}
    if rule.flags & _INVERT:
        found["not"] = None
    whole = 32 if rule.family == INET else 128
    for key, shown, length in (
        ("src", rule.source, rule.source_prefix),
        ("dst", rule.destination, rule.destination_prefix),
    ):
        if shown:
            found[key] = shown
            if length != whole:
                found[f"{key}len"] = length
        elif key == "src":
            found[key] = "all"
    if rule.tos:
        found["tos"] = f"{rule.tos:#x}"
    mark, mask = u32(a.get(rt.FRA_FWMARK)), u32(a.get(rt.FRA_FWMASK))
    if mark or mask:
        found["fwmark"] = f"{mark:#x}"
        if mask != 0xFFFFFFFF:
            found["fwmask"] = f"{mask:#x}"
    for key, kind, bit in (("iif", 3, _IIF_DETACHED), ("oif", 17, _OIF_DETACHED)):
        if kind in a:
            found[key] = text(a[kind])
            if rule.flags & bit:
                found[f"{key}_detached"] = None
    if rt.FRA_UID_RANGE in a and len(a[rt.FRA_UID_RANGE]) >= 8:
        found["uid_start"], found["uid_end"] = struct.unpack_from("=II", a[rt.FRA_UID_RANGE])
    if rt.FRA_IP_PROTO in a:
        found["ipproto"] = _PROTOCOLS.get(a[rt.FRA_IP_PROTO][0], str(a[rt.FRA_IP_PROTO][0]))
    for key, kind in (("sport", 23), ("dport", 24)):
        if kind in a and len(a[kind]) >= 4:
            low, high = struct.unpack_from("=HH", a[kind])
            if high == low:
                found[key] = low
            else:
                found[f"{key}_start"], found[f"{key}_end"] = low, high
    if rule.action == _TO_TABLE:
        if rule.table:
            found["table"] = context.table_name(rule.table)
        if rt.FRA_SUPPRESS_PREFIXLEN in a and u32(a[rt.FRA_SUPPRESS_PREFIXLEN]) != 0xFFFFFFFF:
            found["suppress_prefixlen"] = u32(a[rt.FRA_SUPPRESS_PREFIXLEN])
    elif rule.action == _GOTO:
        found["goto"] = u32(a.get(rt.FRA_GOTO))
    else:
        found["action"] = _ACTIONS.get(rule.action, str(rule.action))
    if context.details and rt.FRA_PROTOCOL in a:
        found["protocol"] = PROTOCOLS.get(a[rt.FRA_PROTOCOL][0], str(a[rt.FRA_PROTOCOL][0]))
    return found


def as_text(rule: Rule, context: Context) -> str:
    """The line of a rule."""
    found = as_json(rule, context)
    words = ["not"] if "not" in found else []
    for key, word in (("src", "from"), ("dst", "to")):
        if key in found:
            length = f"/{found[key + 'len']}" if key + "len" in found else ""
            words += [word, found[key] + length]
    if "tos" in found:
        words += ["tos", found["tos"]]
    if "fwmark" in found:
        mask = f"/{found['fwmask']}" if "fwmask" in found else ""
        words += ["fwmark", found["fwmark"] + mask]
    for key in ("iif", "oif"):
        if key in found:
            words += [key, found[key]]
            words += ["[detached]"] if f"{key}_detached" in found else []
    if "uid_start" in found:
        words += ["uidrange", f"{found['uid_start']}-{found['uid_end']}"]
    if "ipproto" in found:
        words += ["ipproto", found["ipproto"]]
    for key in ("sport", "dport"):
        if key in found:
            words += [key, str(found[key])]
        elif f"{key}_start" in found:
            words += [key, f"{found[key + '_start']}-{found[key + '_end']}"]
    if "table" in found:
        words += ["lookup", found["table"]]
    if "suppress_prefixlen" in found:
        words += ["suppress_prefixlength", str(found["suppress_prefixlen"])]
    if "goto" in found:
        words += ["goto", str(found["goto"])]
    if "action" in found:
        words.append(found["action"])
    if "protocol" in found:
        words += ["proto", found["protocol"]]
    return f"{rule.priority}:\t{' '.join(words)}\n"


def _change(kind: int, how: int, words: Words, context: Context) -> None:
    family = context.family
    lengths = {"from": 0, "to": 0}
    extra, tos, flags, action, table = b"", 0, 0, 0, -1
    given = False
    while words:
        word = words.take()
        given = True
        if word == "not":
            flags |= _INVERT
        elif word in ("from", "to"):
            network, length, family = prefix(words.after(word), family)
            if network:
                extra += attribute(rt.FRA_SRC if word == "from" else rt.FRA_DST, packed(network))
                lengths[word] = length
        elif word in ("pref", "preference", "order", "priority"):
            extra += attribute(rt.FRA_PRIORITY, struct.pack("=I", words.number(word)))
        elif word in ("tos", "dsfield"):
            tos = words.number(word, 0, 255)
        elif word == "fwmark":
            mark, slash, mask = words.after(word).partition("/")
            extra += attribute(rt.FRA_FWMARK, struct.pack("=I", number(mark, word)))
            if slash:
                extra += attribute(rt.FRA_FWMASK, struct.pack("=I", number(mask, word)))
        elif word in ("table", "lookup"):
            table, action = context.table(words.after(word)), _TO_TABLE
        elif word in ("iif", "dev"):
            extra += attribute(rt.FRA_IIFNAME, words.after(word).encode() + b"\0")
        elif word == "oif":
            extra += attribute(rt.FRA_OIFNAME, words.after(word).encode() + b"\0")
        elif word in ("suppress_prefixlength", "sup_pl"):
            extra += attribute(rt.FRA_SUPPRESS_PREFIXLEN, struct.pack("=I", words.number(word)))
        elif word == "uidrange":
            low, _, high = words.after(word).partition("-")
            extra += attribute(
                rt.FRA_UID_RANGE, struct.pack("=II", number(low, word), number(high or low, word))
            )
        elif word == "ipproto":
            extra += attribute(rt.FRA_IP_PROTO, bytes([_protocol(words.after(word))]))
        elif word in ("sport", "dport"):
            low, _, high = words.after(word).partition("-")
            ports = (number(low, word, 0, 65535), number(high or low, word, 0, 65535))
            extra += attribute(
                rt.FRA_SPORT_RANGE if word == "sport" else rt.FRA_DPORT_RANGE,
                struct.pack("=HH", *ports),
            )
        elif word in ("proto", "protocol"):
            extra += attribute(rt.FRA_PROTOCOL, bytes([context.protocol(words.after(word))]))
        elif word == "goto":
            extra += attribute(rt.FRA_GOTO, struct.pack("=I", words.number(word)))
            action = _GOTO
        else:
            if word == "type":
                word = words.after(word)
            action = next((bit for bit, name in _ACTIONS.items() if name == word), 0)
            if not action:
                raise Refusal(
                    f'Error: argument "{word}" is wrong: Failed to parse rule type\n', 255
                )
    if kind == RTM_DELRULE and not given:
        raise Refusal('"ip rule del" requires arguments.')
    if kind == RTM_NEWRULE and not action:
        action, table = _TO_TABLE, RT_TABLE_MAIN if table < 0 else table
    table = max(table, 0)
    small = table if table < 256 else 0
    body = struct.pack(
        "=BBBBBBBBI",
        family or INET,
        lengths["to"],
        lengths["from"],
        tos,
        small,
        0,
        0,
        action,
        flags,
    )
    if table > 255:
        extra += attribute(rt.FRA_TABLE, struct.pack("=I", table))
    context.kernel.request(kind, how, body + extra)


def _protocol(word: str) -> int:
    for value, name in _PROTOCOLS.items():
        if name == word:
            return value
    try:
        return socket.getprotobyname(word)
    except OSError:
        return number(word, "ipproto", 0, 255)


def _flush(context: Context) -> None:
    for family in (context.family,) if context.family else (INET,):
        for rule in context.kernel.rules(family):
            if rule.priority == 0 and rule.table == 255:
                continue  # without it the box does not know its own addresses
            fields = (rule.family, rule.destination_prefix, rule.source_prefix, rule.tos)
            small = rule.table if rule.table < 256 else 0
            body = struct.pack(
                "=BBBBBBBBI", *fields, small, 0, 0, rule.action, rule.flags & _INVERT
            )
            for kind in (1, 2, 3, 4, 6, 10, 15, 16, 17, 20, 22, 23, 24):
                if kind in rule.attributes:
                    body += attribute(kind, rule.attributes[kind])
            context.kernel.request(RTM_DELRULE, 0, body)
