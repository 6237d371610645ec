"""ip route: show, get, add, replace, change, append, delete, flush."""

from __future__ import annotations

import struct

from applets.networking.ip.context import INET, INET6, PROTOCOLS, SCOPES, Context
from applets.networking.ip.words import (
    Refusal,
    Words,
    address,
    garbage,
    number,
    one_of,
    prefix,
    within,
)
from toolbox.linux import rtnetlink as rt
from toolbox.linux.netlink import (
    ADD,
    APPEND,
    CHANGE,
    REPLACE,
    RT_SCOPE_HOST,
    RT_SCOPE_LINK,
    RT_SCOPE_UNIVERSE,
    RT_TABLE_LOCAL,
    RT_TABLE_MAIN,
    RTM_DELROUTE,
    RTM_NEWROUTE,
    RTN_BROADCAST,
    RTN_LOCAL,
    RTN_UNICAST,
    RTNH_F_ONLINK,
    RTPROT_BOOT,
    packed,
)
from toolbox.linux.netlink_objects import Route, address_text, attribute, u32

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_TYPES = {
    1: "unicast",
    2: "local",
    3: "broadcast",
    4: "anycast",
    5: "multicast",
    6: "blackhole",
    7: "unreachable",
    8: "prohibit",
    9: "throw",
    10: "nat",
}

#: RTNH_F_*
_HOP_FLAGS = ((1, "dead"), (4, "onlink"), (2, "pervasive"), (8, "offload"), (16, "linkdown"))

_METRICS = {
    2: "mtu",
    3: "window",
    4: "rtt",
    5: "rttvar",
    6: "ssthresh",
    7: "cwnd",
    8: "advmss",
    9: "reordering",
    10: "hoplimit",
    11: "initcwnd",
    13: "rto_min",
    14: "initrwnd",
    15: "quickack",
}

_CLONED = 0x200  # RTM_F_CLONED: an answer to `get`, not an entry of a table
_PREFERENCES = {0: "medium", 1: "high", 3: "low"}


def run(command: str, words: Words, context: Context) -> int:
    """Obey `ip route COMMAND ...`."""
    names = "show list lst get add change chg replace prepend append delete flush help"
    name = one_of(command, names) or command
    hows = {"add": ADD, "replace": REPLACE, "append": APPEND, "change": CHANGE, "chg": CHANGE}
    if name in ("show", "list", "lst"):
        _show(words, context)
    elif name == "get":
        _get(words, context)
    elif name in hows:
        _change(RTM_NEWROUTE, hows[name], words, context)
    elif name == "prepend":
        _change(RTM_NEWROUTE, ADD & ~0x200, words, context)
    elif name == "delete":
        _change(RTM_DELROUTE, 0, words, context)
    elif name == "flush":
        _flush(words, context)
    else:
        raise Refusal(f'Command "{command}" is unknown, try "ip route help".', 255)
    return 0


# -- show -----------------------------------------------------------------------------------------


class _Filter:
    """Which routes are to be shown."""

    def __init__(self) -> None:
        self.table = RT_TABLE_MAIN
        self.device = ""
        self.index = 0
        self.via = self.source = ""
        self.protocol = self.scope = self.type = -1
        self.metric = -1
        self.root: tuple[str, int] | None = None
        self.match: tuple[str, int] | None = None
        self.exact: tuple[str, int] | None = None
        self.family = 0

    def take(self, word: str, words: Words, context: Context) -> None:
        if word == "table":
            name = words.after(word)
            self.table = 0 if name in ("all", "0") else context.table(name)
        elif word == "vrf":
            self.table = u32(context.check(words.after(word)).information.get(rt.IFLA_VRF_TABLE))
        elif word in ("dev", "oif", "iif"):
            self.device = words.after(word)
            self.index = context.check(self.device).index
        elif word == "via":
            self.via = address(words.after(word), 0)
        elif word == "src":
            self.source = address(words.after(word), 0)
        elif word in ("proto", "protocol"):
            name = words.after(word)
            self.protocol = -1 if name == "all" else context.protocol(name)
        elif word == "scope":
            name = words.after(word)
            self.scope = -1 if name == "all" else context.scope(name)
        elif word == "type":
            self.type = _type(words.after(word))
        elif word in ("metric", "priority", "preference"):
            self.metric = words.number(word)
        elif word in ("root", "match", "exact", "to"):
            name = words.after(word)
            if word == "to" and name in ("root", "match", "exact"):
                word, name = name, words.after(name)
            text, length, family = prefix(name, context.family)
            setattr(self, "exact" if word == "to" else word, (text, length))
            self.family = family
        elif word in ("cache", "cloned"):
            self.type = 0  # no kernel keeps such a cache any more
        elif _is_type(word):
            self.type = _type(word)
        else:
            text, length, self.family = prefix(word, context.family)
            self.exact = (text, length)

    def takes(self, route: Route) -> bool:
        if route.flags & _CLONED or (self.table and route.table != self.table):
            return False
        if self.table == 0 and route.family == INET6 and route.type == 3:
            return False
        for wanted, value in (
            *((self.protocol, route.protocol), (self.scope, route.scope)),
            *((self.type, route.type), (self.metric, route.metric)),
        ):
            if wanted >= 0 and wanted != value:
                return False
        if self.index and self.index != route.index:
            return False
        if self.via and self.via != route.gateway:
            return False
        if self.source and self.source != route.preferred_source:
            return False
        return self._takes_prefix(route)

    def _takes_prefix(self, route: Route) -> bool:
        if self.exact is not None and self.exact != (route.destination, route.prefix):
            return False
        if self.root is not None:
            network, length = self.root
            if route.prefix < length or not within(
                route.destination or _zero(route), network, length
            ):
                return False
        if self.match is not None:
            network, length = self.match
            if route.prefix > length:
                return False
            if route.destination and not within(
                network or _zero(route), route.destination, route.prefix
            ):
                return False
        return True


def _zero(route: Route) -> str:
    return "::" if route.family == INET6 else "0.0.0.0"


def _is_type(word: str) -> bool:
    return word in _TYPES.values()


def _type(word: str) -> int:
    for value, name in _TYPES.items():
        if name == word:
            return value
    return number(word, "type", 0, 255)


def _read_filter(words: Words, context: Context) -> _Filter:
    chosen = _Filter()
    while words:
        chosen.take(words.take(), words, context)
    return chosen


def _chosen(chosen: _Filter, context: Context) -> list[Route]:
    family = context.family or chosen.family
    if not family and chosen.table:
        family = INET  # as `ip route` without -6 always did
    routes = context.kernel.routes(family, 0)
    return [route for route in routes if chosen.takes(route)]


def _show(words: Words, context: Context) -> None:
    chosen = _read_filter(words, context)
    routes = _chosen(chosen, context)
    if not routes and chosen.table not in (0, *range(253, 256)):
        _check_table(chosen.table, context)
    if context.json:
        context.write_json([as_json(route, context, chosen) for route in routes])
        return
    for route in routes:
        context.write(as_text(route, context, chosen))


def _check_table(table: int, context: Context) -> None:
    """iproute2 refuses to show a table that nothing has been put into."""
    family = context.family or INET
    if not any(route.table == table for route in context.kernel.routes(family, 0)):
        version = "ipv4" if family == INET else "ipv6"
        raise Refusal(f"Error: {version}: FIB table does not exist.\nDump terminated", 2)


def as_json(route: Route, context: Context, chosen: _Filter | None = None) -> dict[str, Any]:
    """What -j shows of a route; the text is made of it too."""
    found: dict[str, Any] = {}
    if route.type != RTN_UNICAST or context.details:
        found["type"] = _TYPES.get(route.type, str(route.type))
    found["dst"] = _destination(route)
    if rt.RTA_SRC in route.attributes:
        source = address_text(route.attributes[rt.RTA_SRC])
        whole = len(route.attributes[rt.RTA_SRC]) * 8
        length = route.source_prefix
        found["from"] = source if length in (0, whole) else f"{source}/{length}"
    elif route.source_prefix:
        found["from"] = f"0/{route.source_prefix}"
    if route.tos:
        found["tos"] = f"{route.tos:#x}"
    if rt.RTA_VIA in route.attributes:  # rt.RTA_VIA: a gateway of the other family
        found["via"] = {"family": "inet6", "host": route.gateway}
    elif route.gateway:
        found["gateway"] = route.gateway
    if route.index and not (chosen is not None and chosen.index):
        found["dev"] = context.name_of(route.index)
    alone = chosen is not None and chosen.table > 0
    if route.table != RT_TABLE_MAIN and not alone:
        found["table"] = context.table_name(route.table)
    if not route.flags & _CLONED or route.family == INET6:
        if route.protocol not in (0, RTPROT_BOOT) or (route.protocol and context.details):
            found["protocol"] = PROTOCOLS.get(route.protocol, str(route.protocol))
        if route.scope != RT_SCOPE_UNIVERSE or context.details:
            found["scope"] = SCOPES.get(route.scope, str(route.scope))
    if route.preferred_source:
        found["prefsrc"] = route.preferred_source
    if rt.RTA_PRIORITY in route.attributes:
        found["metric"] = route.metric
    found["flags"] = _hop_flags(route.flags)
    if rt.RTA_MARK in route.attributes:
        found["mark"] = f"{u32(route.attributes[rt.RTA_MARK]):#x}"
    if rt.RTA_UID in route.attributes:
        found["uid"] = u32(route.attributes[rt.RTA_UID])
    metrics = _metrics(route)
    if metrics:
        found["metrics"] = [metrics]
    if route.flags & _CLONED and route.family == INET:
        found["cache"] = ["local"] if route.flags & 0x80000000 else []
    elif route.family == INET6 and u32(route.attributes.get(rt.RTA_EXPIRES)):
        found["expires"] = u32(route.attributes.get(rt.RTA_EXPIRES))
    expires = _expires(route)
    if expires:
        found["expires"] = expires
    if rt.RTA_MULTIPATH in route.attributes:
        found["nexthops"] = [_hop(hop, context) for hop in route.hops]
    if chosen is not None:
        # What was asked for is not said again.
        for key, asked in (
            *(("protocol", chosen.protocol >= 0), ("scope", chosen.scope >= 0)),
            *(("gateway", chosen.via), ("prefsrc", chosen.source), ("metric", chosen.metric >= 0)),
        ):
            if asked:
                found.pop(key, None)
    if route.family == INET6 and rt.RTA_PREF in route.attributes:
        found["pref"] = _PREFERENCES.get(
            route.attributes[rt.RTA_PREF][0], str(route.attributes[rt.RTA_PREF][0])
        )
    return found


def _destination(route: Route) -> str:
    whole = 32 if route.family == INET else 128
    if not route.destination:
        return f"{'0/' + str(route.prefix) if route.prefix else 'default'}"
    return route.destination if route.prefix == whole else f"{route.destination}/{route.prefix}"


def _hop_flags(flags: int) -> list[str]:
    return [name for bit, name in _HOP_FLAGS if flags & bit]


def _hop(hop: tuple[int, int, int, str], context: Context) -> dict[str, Any]:
    index, weight, flags, gateway = hop
    found: dict[str, Any] = {"gateway": gateway} if gateway else {}
    found["dev"] = context.name_of(index)
    found["weight"] = weight
    found["flags"] = _hop_flags(flags)
    return found


def _metrics(route: Route) -> dict[str, Any]:
    found: dict[str, Any] = {}
    locked = u32(route.metrics.get(rt.RTAX_LOCK))
    for key, name in _METRICS.items():
        value = u32(route.metrics.get(key))
        if value:
            found[name] = f"lock {value}" if locked & 1 << key else value
    return found


def _expires(route: Route) -> int:
    """Seconds until a route that a router advertised ends (struct rta_cacheinfo)."""
    raw = route.attributes.get(rt.RTA_CACHEINFO, b"")
    if len(raw) < 12 or route.family != INET6:
        return 0
    # In hundredths of a second (USER_HZ).
    return max(0, int(struct.unpack_from("=IIi", raw)[2]) // 100)


def as_text(route: Route, context: Context, chosen: _Filter | None = None) -> str:
    """The line of a route, and a line for each of its ways."""
    found = as_json(route, context, chosen)
    words = []
    if "type" in found:
        words.append(found["type"])
    words.append(found["dst"])
    for key, word in (("from", "from"), ("tos", "tos"), ("gateway", "via")):
        if key in found:
            words += [word, found[key]]
    if "via" in found:
        words += ["via", "inet6", found["via"]["host"]]
    for key, word in (
        *(("dev", "dev"), ("table", "table"), ("protocol", "proto"), ("scope", "scope")),
        *(("prefsrc", "src"), ("metric", "metric")),
    ):
        if key in found:
            words += [word, str(found[key])]
    words += found["flags"]
    for key in ("mark", "uid"):
        if key in found:
            words += [key, str(found[key])]
    for name, value in found.get("metrics", [{}])[0].items():
        words += [name, str(value)]
    text = " ".join(words) + " "
    if "cache" in found:
        text += "\n    cache " + "".join(f"<{flag}> " for flag in found["cache"])
    if "expires" in found:
        text += f"expires {found['expires']}sec "
    for hop in found.get("nexthops", ()):
        text += "\n\tnexthop " + (f"via {hop['gateway']} " if "gateway" in hop else "")
        text += " ".join(["dev", hop["dev"], "weight", str(hop["weight"]), *hop["flags"]]) + " "
    if "pref" in found:
        # ip ends such a line without a blank.
        text += f"pref {found['pref']}"
    return text + "\n"


# -- get ------------------------------------------------------------------------------------------


def _get(words: Words, context: Context) -> None:
    target, source, extra = "", "", b""
    while words:
        word = words.take()
        if word in ("oif", "dev"):
            extra += attribute(
                rt.RTA_OIF, struct.pack("=i", context.check(words.after(word)).index)
            )
        elif word == "iif":
            extra += attribute(
                rt.RTA_IIF, struct.pack("=i", context.check(words.after(word)).index)
            )
        elif word == "from":
            source = address(words.after(word).partition("/")[0], context.family)
        elif word == "mark":
            extra += attribute(rt.RTA_MARK, struct.pack("=I", words.number(word)))
        elif word == "uid":
            extra += attribute(rt.RTA_UID, struct.pack("=I", words.number(word)))
        elif word in ("fibmatch", "connected", "notify"):
            continue
        else:
            if word == "to":
                word = words.after(word)
            target, length, _ = prefix(word, context.family)
            if not target or length not in (32, 128):
                target = target or "0.0.0.0"
    if not target:
        raise Refusal("need at least a destination address")
    route = context.kernel.route_to(target, source, extra)
    if context.json:
        context.write_json([as_json(route, context)])
    else:
        context.write(as_text(route, context))


# -- change ---------------------------------------------------------------------------------------


class _Wanted:
    """What `ip route add` and its like collect."""

    def __init__(self) -> None:
        self.destination, self.length, self.family = "", 0, 0
        self.given = False
        self.type = 0
        self.table = -1
        self.scope = -1
        self.protocol = -1
        self.tos = 0
        self.flags = 0
        self.device = self.gateway = ""
        self.extra = b""
        self.metrics = b""
        self.locks = 0
        self.hops = b""


def _change(kind: int, how: int, words: Words, context: Context) -> None:
    wanted = _Wanted()
    wanted.family = context.family
    while words:
        _take(wanted, words.take(), words, context)
    if not wanted.given and not wanted.gateway and not wanted.device:
        raise Refusal('Error: either "to" is duplicate, or "" is a garbage.', 255)
    context.kernel.request(kind, how, _body(wanted, kind, context))


def _take(wanted: _Wanted, word: str, words: Words, context: Context) -> None:
    names = {name: key for key, name in _METRICS.items()}
    if word == "via":
        name = words.after(word)
        other = 0
        if name in ("inet", "inet6"):
            other = INET6 if name == "inet6" else INET
            name = words.after(word)
        wanted.gateway = address(name, other)
        family = INET6 if ":" in wanted.gateway else INET
        if not wanted.family:
            wanted.family = family
        if family == wanted.family:
            wanted.extra += attribute(rt.RTA_GATEWAY, packed(wanted.gateway))
        else:
            wanted.extra += attribute(
                rt.RTA_VIA, struct.pack("=H", family) + packed(wanted.gateway)
            )
    elif word in ("dev", "oif"):
        wanted.device = words.after(word)
    elif word == "src":
        source = address(words.after(word), 0)
        wanted.extra += attribute(rt.RTA_PREFSRC, packed(source))
        wanted.family = wanted.family or (INET6 if ":" in source else INET)
    elif word == "from":
        source, _, family = prefix(words.after(word), wanted.family)
        wanted.family = wanted.family or family
        if source:
            wanted.extra += attribute(rt.RTA_SRC, packed(source))
    elif word in ("metric", "priority", "preference"):
        wanted.extra += attribute(rt.RTA_PRIORITY, struct.pack("=I", words.number(word)))
    elif word == "table":
        wanted.table = context.table(words.after(word))
    elif word == "vrf":
        wanted.table = u32(context.check(words.after(word)).information.get(rt.IFLA_VRF_TABLE))
    elif word in ("proto", "protocol"):
        wanted.protocol = context.protocol(words.after(word))
    elif word == "scope":
        wanted.scope = context.scope(words.after(word))
    elif word in ("tos", "dsfield"):
        wanted.tos = words.number(word, 0, 255)
    elif word in ("onlink", "pervasive"):
        wanted.flags |= RTNH_F_ONLINK if word == "onlink" else 2
    elif word in names:
        text = words.after(word)
        if text == "lock":
            wanted.locks |= 1 << names[word]
            text = words.after(word)
        wanted.metrics += attribute(names[word], struct.pack("=I", number(text, word)))
    elif word == "pref":
        value = {name: key for key, name in _PREFERENCES.items()}.get(words.after(word))
        if value is None:
            raise Refusal('Error: argument of "pref" must be low, medium or high', 255)
        wanted.extra += attribute(rt.RTA_PREF, bytes([value]))
    elif word == "expires":
        wanted.extra += attribute(rt.RTA_EXPIRES, struct.pack("=I", words.number(word)))
    elif word == "nexthop":
        wanted.hops += _read_hop(words, wanted, context)
    elif word == "type":
        wanted.type = _type(words.after(word))
    elif _is_type(word) and not wanted.given:
        wanted.type = _type(word)
    else:
        if word == "to":
            word = words.after(word)
            if _is_type(word):
                wanted.type, word = _type(word), words.after(word)
        if wanted.given:
            raise Refusal(f'Error: either "to" is duplicate, or "{word}" is a garbage.', 255)
        wanted.destination, wanted.length, family = prefix(word, wanted.family)
        wanted.family = wanted.family or family
        wanted.given = True


def _read_hop(words: Words, wanted: _Wanted, context: Context) -> bytes:
    """One `nexthop via A dev D weight N` (struct rtnexthop)."""
    inner, index, weight, flags = b"", 0, 0, 0
    while words and words.peek() != "nexthop":
        word = words.take()
        if word == "via":
            gateway = address(words.after(word), 0)
            wanted.family = wanted.family or (INET6 if ":" in gateway else INET)
            inner += attribute(rt.RTA_GATEWAY, packed(gateway))
        elif word == "dev":
            index = context.check(words.after(word)).index
        elif word == "weight":
            weight = words.number(word, 1, 256) - 1
        elif word == "onlink":
            flags |= RTNH_F_ONLINK
        else:
            raise garbage(word)
    return struct.pack("=HBBi", 8 + len(inner), flags, weight, index) + inner


def _body(wanted: _Wanted, kind: int, context: Context) -> bytes:
    family = wanted.family or INET
    adding = kind == RTM_NEWROUTE
    type_ = wanted.type or (RTN_UNICAST if adding else 0)
    table = wanted.table
    if table < 0:
        table = RT_TABLE_LOCAL if type_ in (RTN_LOCAL, RTN_BROADCAST, 4, 10) else RT_TABLE_MAIN
    scope = wanted.scope
    if scope < 0:
        # iproute2: what is on the wire has link scope, what is ours host scope; to delete, any.
        direct = not wanted.gateway and not wanted.hops
        if type_ in (RTN_LOCAL, 10):
            scope = RT_SCOPE_HOST
        elif type_ in (RTN_BROADCAST, 5, 4):
            scope = RT_SCOPE_LINK
        elif type_ in (RTN_UNICAST, 0) and family == INET:
            scope = (RT_SCOPE_LINK if direct else 0) if adding else 255
        else:
            scope = RT_SCOPE_UNIVERSE
        if not adding and type_ == 0 and not direct:
            scope = RT_SCOPE_UNIVERSE
    protocol = wanted.protocol if wanted.protocol >= 0 else RTPROT_BOOT if adding else 0
    small = table if table < 256 else 0
    body = struct.pack(
        "=BBBBBBBBI",
        *(family, wanted.length, 0, wanted.tos, small, protocol, scope, type_, wanted.flags),
    )
    if wanted.destination:
        body += attribute(rt.RTA_DST, packed(wanted.destination))
    if wanted.device:
        body += attribute(rt.RTA_OIF, struct.pack("=i", context.check(wanted.device).index))
    if not small:
        body += attribute(rt.RTA_TABLE, struct.pack("=I", table))
    if wanted.locks:
        wanted.metrics += attribute(rt.RTAX_LOCK, struct.pack("=I", wanted.locks))
    if wanted.metrics:
        body += attribute(rt.RTA_METRICS, wanted.metrics)
    if wanted.hops:
        body += attribute(rt.RTA_MULTIPATH, wanted.hops)
    return body + wanted.extra


def _flush(words: Words, context: Context) -> None:
    if not words:
        raise Refusal('"ip route flush" requires arguments.')
    chosen = _read_filter(words, context)
    count = 0
    for route in _chosen(chosen, context):
        fields = (route.family, route.prefix, route.source_prefix, route.tos)
        small = route.table if route.table < 256 else 0
        body = struct.pack("=BBBBBBBBI", *fields, small, route.protocol, route.scope, route.type, 0)
        # What was said of the route says which one it is.
        for kind in (1, 2, 4, 5, 6, 7, 9, 15, 18):
            if kind in route.attributes:
                body += attribute(kind, route.attributes[kind])
        try:
            context.kernel.request(RTM_DELROUTE, 0, body)
            count += 1
        except ProcessLookupError:
            pass  # gone together with another one
    if context.statistics:
        text = (
            f"*** Flush is complete after {count} deletions ***\n"
            if count
            else "Nothing to flush.\n"
        )
        context.write(text)
