"""Which addresses are near: the box itself, its links, and networks that no router of the Internet reaches."""

from __future__ import annotations

import ipaddress

#: RFC 1918, RFC 3927, RFC 6598 (shared address space, which overlay networks use), RFC 4193, RFC 4291.
_PRIVATE = (
    "127.0.0.0/8",
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "169.254.0.0/16",
    "100.64.0.0/10",
    "::1/128",
    "fe80::/10",
    "fc00::/7",
)


def parse_address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """A numeric address without its scope; one that was mapped into IPv6 in its own form.  ValueError."""
    address = ipaddress.ip_address(text.partition("%")[0])
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped if mapped is not None else address


def is_private(text: str) -> bool:
    """Whether the numeric address is a loopback, link-local or private one; False for anything else."""
    try:
        address = parse_address(text)
    except ValueError:
        return False
    return any(
        address in network
        for network in map(ipaddress.ip_network, _PRIVATE)
        if network.version == address.version
    )
