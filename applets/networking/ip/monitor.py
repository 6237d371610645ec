"""ip monitor: show changes of interfaces, addresses, routes and neighbours as they happen."""

from __future__ import annotations

import errno

from applets.networking.ip import address, link, neighbour, route
from applets.networking.ip.context import Context
from applets.networking.ip.words import Refusal, Words, one_of
from toolbox.errors import warn
from toolbox.linux import netlink
from toolbox.linux.netlink import Netlink
from toolbox.linux.netlink_objects import Address, Link, Neighbour, Route
from toolbox.streams import stdout

_GROUPS = {
    "link": netlink.RTMGRP_LINK,
    "address": netlink.RTMGRP_IPV4_IFADDR | netlink.RTMGRP_IPV6_IFADDR,
    "route": netlink.RTMGRP_IPV4_ROUTE | netlink.RTMGRP_IPV6_ROUTE,
    "neigh": netlink.RTMGRP_NEIGH,
}


def run(command: str, words: Words, context: Context) -> int:
    """Obey `ip monitor [all | OBJECT...]`; runs until it is ended."""
    wanted = [command] if command not in ("show", "all") else []
    while words:
        wanted.append(words.take())
    groups = 0
    for word in wanted:
        name = one_of(word, "all " + " ".join(_GROUPS))
        if not name:
            raise Refusal(f'Argument "{word}" is unknown, try "ip monitor help".')
        groups |= sum(_GROUPS.values()) if name == "all" else _GROUPS[name]
    with Netlink(groups or sum(_GROUPS.values())) as kernel:
        while True:
            try:
                for kind, body in kernel.events():
                    context.forget()
                    text = _show(kind, body, context)
                    if text:
                        context.write(text)
                        stdout().flush()
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                warn("some changes came too fast to be shown", 0)


def _show(kind: int, body: bytes, context: Context) -> str:
    deleted = "Deleted " if kind % 4 == 1 else ""
    if kind in (netlink.RTM_NEWLINK, netlink.RTM_DELLINK):
        return deleted + link.as_text(Link(body), context, mode=False)
    if kind in (netlink.RTM_NEWADDR, netlink.RTM_DELADDR):
        one = Address(body)
        return f"{deleted}{one.index}: {context.name_of(one.index)}" + address.as_text(one)
    if kind in (netlink.RTM_NEWROUTE, netlink.RTM_DELROUTE):
        return deleted + route.as_text(Route(body), context)
    if kind in (netlink.RTM_NEWNEIGH, netlink.RTM_DELNEIGH):
        return deleted + neighbour.as_text(Neighbour(body), context)
    return ""
