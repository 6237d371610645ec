"""What the client does to the kernel's network: links, addresses and routes."""

from __future__ import annotations

import errno
import math
import socket
from functools import partial

from applets.dhcp.lease import ANY_LINK, LEAST_IPV6_MTU, LEAST_MTU
from toolbox.linux import rtnetlink as rt
from toolbox.linux.netlink import (
    IFF_LOOPBACK,
    IFF_LOWER_UP,
    IFF_NOARP,
    IFF_UP,
    REPLACE,
    RTM_NEWLINK,
    RTMGRP_LINK,
    RTPROT_DHCP,
    Netlink,
    messages,
)
from toolbox.linux.netlink_objects import Link, u32
from toolbox.net.ip import ANY, address_number, address_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from applets.dhcp.lease import Lease

ARPHRD_ETHER = 1
#: Kinds of links that stand for a wire; others (bridges, tunnels...) are served when they are named.
WIRES = ("", "veth", "macvlan")
#: What says that there is nothing left to take away.
GONE = (errno.EADDRNOTAVAIL, errno.ENODEV, errno.ESRCH, errno.ENETDOWN)
BATCH = 64


def like_ethernet(link: Link) -> bool:
    """Whether DHCP can be spoken on it: 6-byte addresses, ARP, not the loopback."""
    return (
        link.type == ARPHRD_ETHER
        and len(link.hardware) == 6
        and not link.flags & (IFF_LOOPBACK | IFF_NOARP)
    )


def is_wire(link: Link) -> bool:
    """Whether to serve it without being told to: a wire that belongs to no bridge or bond."""
    return like_ethernet(link) and link.kind in WIRES and not link.master


def has_carrier(link: Link) -> bool:
    """Whether the other end of the wire is there.  Only known while the interface is up."""
    return bool(link.flags & IFF_LOWER_UP)


class Interfaces:
    """The door to rtnetlink; `news` is readable when a link has changed.

    lasting: addresses stay until they are withdrawn; else the kernel drops one when its lease is
    over, even if nobody is left to withdraw it.
    """

    def __init__(self, lasting: bool) -> None:
        self.lasting = lasting
        self._door = Netlink()
        listener = Netlink(RTMGRP_LINK)
        self.news = listener.socket
        self.news.setblocking(False)
        self._mtu: dict[str, int] = {}  # where we have changed it

    def close(self) -> None:
        """Close the sockets."""
        self.news.close()
        self._door.close()

    def links(self) -> list[Link]:
        """All interfaces, in the kernel's order."""
        return self._door.links()

    def changes(self) -> Iterator[tuple[int, bool]]:
        """The links that the kernel told of since the last call: index, and whether it has a carrier.

        A loss of the carrier for a moment shows only here.  News may be lost when there is much of
        it; the caller compares `links` anyway.
        """
        for _ in range(BATCH):
            try:
                data, (sender, _) = self.news.recvfrom(1 << 16)
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno == errno.ENOBUFS:
                    continue
                raise
            for kind, _, _, body in messages(data) if sender == 0 else ():
                if kind == RTM_NEWLINK:
                    link = Link(body)
                    yield link.index, has_carrier(link)

    def metrics_of_others(self, link: Link) -> set[int]:
        """The metrics of the default routes by other interfaces, whoever made them.

        The kernel has one route to a destination for each metric: ours with the same one would take
        its place.
        """
        routes = self._door.routes(socket.AF_INET)
        return {r.metric for r in routes if not r.prefix and r.index != link.index}

    def bring_up(self, link: Link) -> Link:
        """Set the interface up, and return it as it then is."""
        if link.flags & IFF_UP:
            return link
        self._door.set_link(link.name, up=True)
        return self._door.link(link.name)

    def configure(self, link: Link, lease: Lease, previous: Lease | None, metric: int) -> None:
        """Set what the lease says, and remove what only the previous one said.

        What fails does not keep the rest from being done; OSError is the first failure.
        """
        failures: list[OSError] = []
        for step in self._steps(link, lease, previous, metric):
            try:
                step()
            except OSError as error:
                failures.append(error)
        if failures:
            raise failures[0]

    def _steps(
        self, link: Link, lease: Lease, previous: Lease | None, metric: int
    ) -> Iterator[Callable[[], None]]:
        name = link.name
        if previous and (previous.address, previous.prefix) != (lease.address, lease.prefix):
            yield lambda: self._drop_address(name, previous)
        yield lambda: self._set_mtu(link, lease.mtu)
        yield lambda: self._add_address(name, lease)
        for route in previous.routes if previous else ():
            if route not in lease.routes:
                yield partial(self._drop_route, name, route, metric)
        # First the routes on the link itself: the others' routers may be reached by them.
        for route in sorted(lease.routes, key=lambda route: route[2] != ANY):
            yield partial(self._add_route, name, lease, route, metric)

    def drop_routes(self, link: Link, lease: Lease, metric: int) -> None:
        """Remove the lease's routes; what is gone already is no error."""
        for route in lease.routes:
            self._drop_route(link.name, route, metric)

    def withdraw(self, link: Link, lease: Lease, metric: int) -> None:
        """Remove everything that came with the lease; what is gone already is no error."""
        self.drop_routes(link, lease, metric)
        self._drop_address(link.name, lease)
        self._set_mtu(link, None)

    def _add_address(self, name: str, lease: Lease) -> None:
        ends = None if self.lasting or lease.seconds == math.inf else int(lease.seconds)
        self._door.add_address(
            name,
            lease.address,
            lease.prefix,
            how=REPLACE,
            broadcast=_broadcast(lease),
            preferred=ends,
            valid=ends,
        )

    def _drop_address(self, name: str, lease: Lease) -> None:
        try:
            self._door.delete_address(name, lease.address, lease.prefix)
        except OSError as error:
            if error.errno not in GONE:
                raise

    def _add_route(self, name: str, lease: Lease, route: tuple[str, int, str], metric: int) -> None:
        destination, length, router = route
        self._door.add_route(
            destination if length else "",
            length,
            how=REPLACE,
            gateway="" if router == ANY else router,
            name=name,
            metric=metric,
            source=lease.address,
            protocol=RTPROT_DHCP,
            # Some clouds give /32 addresses with a router outside of them: it is on the link.
            on_link=router != ANY,
        )

    def forget(self, name: str) -> None:
        """The interface is gone; one that comes by its name is another."""
        self._mtu.pop(name, None)

    def _set_mtu(self, link: Link, mtu: int | None) -> None:
        """Set the link's MTU; None puts back what it was before we changed it."""
        now = self._mtu.get(link.name, link.mtu)
        if (mtu or link.mtu) != now:
            self._door.set_link(link.name, mtu=mtu or link.mtu)
            self._mtu[link.name] = mtu or link.mtu

    def _drop_route(self, name: str, route: tuple[str, int, str], metric: int) -> None:
        destination, length, router = route
        try:
            self._door.delete_route(
                destination if length else "",
                length,
                gateway="" if router == ANY else router,
                name=name,
                metric=metric,
            )
        except OSError as error:
            if error.errno not in GONE:
                raise


def mtus(link: Link) -> tuple[int, int]:
    """The least MTU that the link may get, by whether the kernel has IPv6 on it, and its driver's most."""
    try:
        with open(f"/proc/sys/net/ipv6/conf/{link.name}/disable_ipv6") as file:
            least = LEAST_IPV6_MTU if file.read().strip() == "0" else LEAST_MTU
    except OSError:
        least = LEAST_MTU
    return least, u32(link.attributes.get(rt.IFLA_MAX_MTU)) or ANY_LINK[1]


def _broadcast(lease: Lease) -> str:
    """The address that means everybody on the link; "" where there is none (RFC 3021)."""
    if lease.prefix > 30:
        return ""
    hosts = (1 << (32 - lease.prefix)) - 1
    return address_text((address_number(lease.address) | hosts).to_bytes(4, "big"))
