"""What a server granted: a lease as read from an ACK, and as others read it from a JSON file."""

from __future__ import annotations

import math

from toolbox.net import ProtocolError, dhcp
from toolbox.net.ip import ANY, address_bytes, address_number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    T = TypeVar("T")

#: A lease without a time (BOOTP servers, RFC 2131 leaves it open) is asked for again every hour.
DEFAULT_SECONDS = 3600
#: A shorter lease is kept for this long, lest a mad server make us flood its network.
LEAST_SECONDS = 5
#: The least MTU that a server may set: what every IPv4 host must take at once (RFC 791), and what IPv6
#: needs on a link (RFC 8200 5): below it the kernel takes the link's IPv6 addresses away.
LEAST_MTU, LEAST_IPV6_MTU = 576, 1280
#: The least and the most MTU where nothing more is known of the link.
ANY_LINK = (LEAST_MTU, 65535)
#: More are no network, but an attack on the routing table.
MOST_ROUTES = 64
#: A shorter mask would put a part of the Internet on our link.
SHORTEST_PREFIX = 8
#: So many of the values that were passed over are named in a note.
MOST_NAMED = 3


class Lease:
    """An address with all that came with it; lists are empty and texts None where nothing came.

    seconds, renew_after (T1) and rebind_after (T2) count from the time the request was sent;
    they are math.inf for a lease that never ends.  routes: (destination, prefix length, router),
    router 0.0.0.0 for a destination on the link itself; classless routes (option 121) replace the
    routers of option 3, as RFC 3442 demands.  notes: what was passed over, and why, a line each.
    """

    __slots__ = (
        "address",
        "dns",
        "domain",
        "hostname",
        "mtu",
        "notes",
        "ntp",
        "prefix",
        "rebind_after",
        "renew_after",
        "routers",
        "routes",
        "search",
        "seconds",
        "server",
    )

    def __init__(
        self, message: dhcp.Message, source: str, mtus: tuple[int, int] = ANY_LINK
    ) -> None:
        """Read an OFFER or ACK that came from `source`; ProtocolError when its address is unusable.

        mtus: the least and the most MTU that the link can have; any other is passed over.
        """
        read = _Reader(message.options)
        self.notes = read.notes
        self.address = message.yiaddr
        check_host(self.address)
        self.prefix = _mask(message.options, self.address, self.notes)
        check_host(self.address, self.address, self.prefix)
        self.server = read.one(dhcp.SERVER_ID, dhcp.address) or source
        check_host(self.server)
        self.routers = self._hosts(read, dhcp.ROUTERS, "router")
        self.dns = self._hosts(read, dhcp.DNS_SERVERS, "name server")
        self.ntp = self._hosts(read, dhcp.NTP_SERVERS, "time server")
        self.hostname = read.one(dhcp.HOST_NAME, dhcp.domain)
        most = dhcp.MOST_DOMAINS
        domains = read.many(dhcp.DOMAIN_NAME, lambda value: dhcp.domains(value, most + 1))
        self.domain = domains[0] if domains else None
        found = read.many(dhcp.DOMAIN_SEARCH, lambda value: dhcp.domain_search(value, most + 1))
        if not found and len(domains) > 1:
            found = domains
        if len(found) > most:
            self.notes.append(f"took the first {most} domains of the search list")
        self.search = list(dict.fromkeys(found[:most]))
        self.mtu = read.one(dhcp.INTERFACE_MTU, lambda value: dhcp.number(value, 2))
        least, most_mtu = mtus
        if self.mtu is not None and not least <= self.mtu <= most_mtu:
            bound = f"less than {least}" if self.mtu < least else f"more than {most_mtu}"
            self.notes.append(f"ignored an MTU of {self.mtu}: {bound}")
            self.mtu = None
        self.routes = self._routes(read)
        self._read_times(read)

    def _hosts(self, read: _Reader, code: int, what: str) -> list[str]:
        """The addresses of an option that can be a host's; the others are noted."""
        good, bad = [], []
        for address in read.many(code, dhcp.addresses):
            try:
                check_host(address, self.address, self.prefix)
            except ProtocolError:
                bad.append(address)
            else:
                good.append(address)
        self._note(what, bad)
        return list(dict.fromkeys(good))

    def _routes(self, read: _Reader) -> list[tuple[str, int, str]]:
        good, bad = [], []
        for route in read.many(dhcp.CLASSLESS_ROUTES, dhcp.classless_routes)[:MOST_ROUTES]:
            destination, length, router = route
            try:
                if router != ANY:
                    check_host(router, self.address, self.prefix)
                if length:
                    check_destination(destination)
            except ProtocolError:
                bad.append(f"{destination}/{length} via {router}")
            else:
                good.append(route)
        self._note("route", bad)
        return good or [(ANY, 0, router) for router in self.routers[:1]]

    def _note(self, what: str, bad: list[str]) -> None:
        if bad:
            more = f" and {len(bad) - MOST_NAMED} more" if len(bad) > MOST_NAMED else ""
            self.notes.append(
                f"ignored {what} {', '.join(bad[:MOST_NAMED])}{more}: no host's address"
            )

    def _read_times(self, read: _Reader) -> None:
        def seconds(code: int) -> float | None:
            value = read.one(code, lambda data: dhcp.number(data, 4))
            return math.inf if value == dhcp.INFINITE else value

        given = seconds(dhcp.LEASE_TIME)
        self.seconds = max(DEFAULT_SECONDS if given is None else given, LEAST_SECONDS)
        renew, rebind = seconds(dhcp.RENEWAL_TIME), seconds(dhcp.REBINDING_TIME)
        # RFC 2131 4.4.5: T1 = 0.5, T2 = 0.875 of the lease, unless the server says better.
        self.renew_after = renew if renew and renew >= 1 else self.seconds * 0.5
        self.rebind_after = rebind if rebind and rebind >= 1 else self.seconds * 0.875
        if self.seconds == math.inf:
            self.renew_after = self.rebind_after = math.inf
        elif not self.renew_after < self.rebind_after < self.seconds:
            self.renew_after, self.rebind_after = self.seconds * 0.5, self.seconds * 0.875

    def as_json(self, interface: str, acquired: float) -> dict[str, Any]:
        """The contents of /run/dhcp/IFACE.json; `acquired` is a Unix time in seconds."""
        return {
            "interface": interface,
            "address": self.address,
            "prefix": self.prefix,
            "routers": self.routers,
            "routes": self.routes,
            "dns": self.dns,
            "ntp": self.ntp,
            "hostname": self.hostname,
            "domain": self.domain,
            "search": self.search,
            "mtu": self.mtu,
            "server": self.server,
            "lease_seconds": None if self.seconds == math.inf else int(self.seconds),
            "acquired": int(acquired),
        }


def check_host(address: str, own: str = "", prefix: int = 0) -> None:
    """Raise ProtocolError unless `address` may belong to a host: not in 0/8, 127/8, 224/3.

    own, prefix: an address on the link and its prefix length: the link's network address and its
    broadcast address are no host's (RFC 1122 3.2.1.3), but with 31 bits there are no such (RFC 3021).
    """
    first = address_bytes(address)[0]
    if first in (0, 127) or first >= 224:
        raise ProtocolError(f"{address} is no address for a host")
    if own and prefix < 31:
        hosts = (1 << (32 - prefix)) - 1
        number, of_link = address_number(address), address_number(own)
        if number | hosts == of_link | hosts and number & hosts in (0, hosts):
            raise ProtocolError(f"{address} is no address for a host, but for a whole link")


def check_destination(address: str) -> None:
    """Raise ProtocolError when nobody can be reached there: 0/8 and 127/8 are the host itself, 240/4 nothing."""
    first = address_bytes(address)[0]
    if first in (0, 127) or first >= 240:
        raise ProtocolError(f"{address} is no destination")


class _Reader:
    """Reads options; a malformed one is noted and absent.

    It is not worth a lease: a box with an address and no NTP server can be reached and repaired, one
    without an address cannot.
    """

    def __init__(self, options: dict[int, bytes]) -> None:
        self.options = options
        self.notes: list[str] = []

    def one(self, code: int, read: Callable[[bytes], T]) -> T | None:
        """The value of an option; None when it is absent or malformed."""
        if code not in self.options:
            return None
        try:
            return read(self.options[code])
        except ProtocolError as error:
            self.notes.append(f"ignored option {code}: {error}")
            return None

    def many(self, code: int, read: Callable[[bytes], list[T]]) -> list[T]:
        """The values of an option; empty as `one`."""
        return self.one(code, read) or []


def _mask(options: dict[int, bytes], address: str, notes: list[str]) -> int:
    """The prefix length; without a mask the one that the address's class implies (RFC 1122 3.2.2.9)."""
    if dhcp.SUBNET_MASK in options:
        length = dhcp.prefix_length(options[dhcp.SUBNET_MASK])
        if length >= SHORTEST_PREFIX:
            return length
        notes.append(f"ignored a subnet mask of {length} bits")
    first = address_bytes(address)[0]
    return 8 if first < 128 else 16 if first < 192 else 24
