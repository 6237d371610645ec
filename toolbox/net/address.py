"""What addresses say of who connects: whether it is near, and whose it is.

Near are the box itself, its links, and networks that no router of the Internet reaches.
"""

from __future__ import annotations

import ipaddress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    Address = ipaddress.IPv4Address | ipaddress.IPv6Address
    Network = ipaddress.IPv4Network | ipaddress.IPv6Network

#: RFC 1918, RFC 3927, RFC 4193, RFC 4291.  Not the shared address space of RFC 6598 (100.64.0.0/10): behind a carrier's
#: NAT those are its other customers.
_PRIVATE = (
    "127.0.0.0/8",
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "169.254.0.0/16",
    "::1/128",
    "fe80::/10",
    "fc00::/7",
)

#: Where clouds tell a machine its secrets, without a password, to whoever asks from that machine.
_METADATA = ("169.254.169.254", "169.254.170.2", "169.254.170.23", "fd00:ec2::254", "fd00:ec2::23")


def parse_address(text: str) -> Address:
    """A numeric address without its scope; one that was mapped into IPv6 in its own form.  ValueError."""
    address = ipaddress.ip_address(text.partition("%")[0])
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped if mapped is not None else address


def parse_network(text: str) -> Network:
    """A network such as 100.64.0.0/10, or a single address.  ValueError says what is wrong with it."""
    return ipaddress.ip_network(text, strict=False)


def plain_address(text: str) -> str:
    """A numeric address as it is known elsewhere: an IPv4 address that came by an IPv6 socket in its own form.

    A scope stays; what is no address, too.
    """
    try:
        address = parse_address(text)
    except ValueError:
        return text
    return str(address) if address.version == 4 else text


def network_of(text: str) -> str:
    """Who an address belongs to, for whatever is counted by source: IPv4 exactly, of IPv6 the network of 64 bits.

    Whoever has one address of such a network can take any other of it.  What is no address is itself.
    """
    try:
        address = parse_address(text)
    except ValueError:
        return text
    if address.version == 4:
        return str(address)
    return str(ipaddress.IPv6Network((int(address) >> 64 << 64, 64)))


def is_private(text: str, also: Sequence[Network] = ()) -> bool:
    """Whether the numeric address is a loopback, link-local or private one, or of one of the networks `also`.

    False for what is no address.
    """
    try:
        address = parse_address(text)
    except ValueError:
        return False
    near = (*map(ipaddress.ip_network, _PRIVATE), *also)
    return any(network.version == address.version and address in network for network in near)


def is_metadata(text: str) -> bool:
    """Whether it is an address at which a cloud gives away what only the machine itself may know."""
    try:
        return str(parse_address(text)) in _METADATA
    except ValueError:
        return False
