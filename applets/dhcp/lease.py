"""What a server granted: a lease as read from an ACK, and as others read it from a JSON file."""

from __future__ import annotations

import math

from toolbox.net import ProtocolError, dhcp
from toolbox.net.ip import ANY, address_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    T = TypeVar("T")

#: A lease without a time (BOOTP servers, RFC 2131 leaves it open) is asked for again every hour.
DEFAULT_SECONDS = 3600
#: A shorter lease is kept for this long, lest a mad server make us flood its network.
LEAST_SECONDS = 5
#: The smallest MTU that IPv4 knows (RFC 791), and the smallest that hosts must take (RFC 2132 5.1).
LEAST_MTU = 68
#: More are no network, but an attack on the routing table.
MOST_ROUTES = 64


class Lease:
    """An address with all that came with it; lists are empty and texts None where nothing came.

    seconds, renew_after (T1) and rebind_after (T2) count from the time the request was sent;
    they are math.inf for a lease that never ends.  routes: (destination, prefix length, router),
    router 0.0.0.0 for a destination on the link itself; classless routes (option 121) replace the
    routers of option 3, as RFC 3442 demands.
    """

    __slots__ = (
        "address",
        "dns",
        "domain",
        "hostname",
        "mtu",
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

    def __init__(self, message: dhcp.Message, source: str) -> None:
        """Read an OFFER or ACK that came from `source`; ProtocolError when its address is unusable."""
        options = message.options
        self.address = message.yiaddr
        check_host(self.address)
        self.server = _one(options, dhcp.SERVER_ID, dhcp.address) or source
        self.prefix = _mask(options, self.address)
        self.routers = _many(options, dhcp.ROUTERS, dhcp.addresses)
        self.dns = _many(options, dhcp.DNS_SERVERS, dhcp.addresses)
        self.ntp = _many(options, dhcp.NTP_SERVERS, dhcp.addresses)
        self.hostname = _one(options, dhcp.HOST_NAME, dhcp.domain)
        self.domain = _one(options, dhcp.DOMAIN_NAME, dhcp.domain)
        self.search = _many(options, dhcp.DOMAIN_SEARCH, dhcp.domain_search)
        mtu = _one(options, dhcp.INTERFACE_MTU, lambda value: dhcp.number(value, 2))
        self.mtu = mtu if mtu and mtu >= LEAST_MTU else None
        self.routes = _many(options, dhcp.CLASSLESS_ROUTES, dhcp.classless_routes)[:MOST_ROUTES]
        if not self.routes:
            self.routes = [(ANY, 0, router) for router in self.routers[:1]]
        self._read_times(options)

    def _read_times(self, options: dict[int, bytes]) -> None:
        def seconds(code: int) -> float | None:
            value = _one(options, code, lambda data: dhcp.number(data, 4))
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


def check_host(address: str) -> None:
    """Raise ProtocolError unless `address` may belong to a host (no 0/8, 127/8, 224/3)."""
    first = address_bytes(address)[0]
    if first in (0, 127) or first >= 224:
        raise ProtocolError(f"{address} is no address for a host")


def _one(options: dict[int, bytes], code: int, read: Callable[[bytes], T]) -> T | None:
    """The value of an option; None when it is absent or malformed.

    A malformed option is not worth a lease: a box with an address and no NTP server can be reached
    and mended, one without an address cannot.
    """
    if code not in options:
        return None
    try:
        return read(options[code])
    except ProtocolError:
        return None


def _many(options: dict[int, bytes], code: int, read: Callable[[bytes], list[T]]) -> list[T]:
    return _one(options, code, read) or []


def _mask(options: dict[int, bytes], address: str) -> int:
    """The prefix length; without a mask the one that the address's class implies (RFC 1122 3.2.2.9)."""
    if dhcp.SUBNET_MASK in options:
        return dhcp.prefix_length(options[dhcp.SUBNET_MASK])
    first = address_bytes(address)[0]
    return 8 if first < 128 else 16 if first < 192 else 24
