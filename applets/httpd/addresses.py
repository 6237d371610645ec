"""The addresses of the network interfaces, as the kernel tells anybody (netdevice(7), /proc/net/if_inet6)."""

from __future__ import annotations

import array
import fcntl
import ipaddress
import socket
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_SIOCGIFCONF, _SIOCGIFNETMASK = 0x8912, 0x891B

#: sizeof(struct ifreq) on 64-bit Linux, and where its sockaddr's address is.
_REQUEST, _ADDRESS = 40, slice(20, 24)


def ipv4() -> list[dict[str, Any]]:
    """The IPv4 addresses with interface and prefix length; none when the kernel has no IPv4."""
    found = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        room = array.array("B", bytes(_REQUEST * 128))
        asked = struct.pack("iP", len(room), room.buffer_info()[0])
        size = struct.unpack_from("i", fcntl.ioctl(sock, _SIOCGIFCONF, asked))[0]
        data = room.tobytes()
        for at in range(0, size, _REQUEST):
            entry = data[at : at + _REQUEST]
            name = entry[:16].partition(b"\0")[0].decode("utf-8", "replace")
            address = ipaddress.IPv4Address(entry[_ADDRESS])
            if address.is_loopback:
                continue
            try:
                mask = fcntl.ioctl(sock, _SIOCGIFNETMASK, entry)[_ADDRESS]
            except OSError:
                continue  # it has just gone
            prefix = int.from_bytes(mask, "big").bit_count()
            found.append(_entry(name, address, prefix))
    return found


def ipv6(table: str) -> list[dict[str, Any]]:
    """The IPv6 addresses in the text of /proc/net/if_inet6."""
    found = []
    for line in table.split("\n"):
        fields = line.split()
        if len(fields) != 6:
            continue
        address = ipaddress.IPv6Address(bytes.fromhex(fields[0]))
        if not address.is_loopback:
            found.append(_entry(fields[5], address, int(fields[2], 16)))
    return found


def _entry(
    interface: str, address: ipaddress.IPv4Address | ipaddress.IPv6Address, prefix: int
) -> dict[str, Any]:
    return {
        "interface": interface,
        "family": f"IPv{address.version}",
        "address": str(address),
        "prefix": prefix,
    }
