"""ARP for IPv4 over Ethernet: asking whether an address is in use (RFC 826, RFC 5227)."""

from __future__ import annotations

import struct

from toolbox.net import ProtocolError
from toolbox.net.ip import ANY, address_bytes, address_text

ASK, ANSWER = 1, 2

_PACKET = struct.Struct("!HHBBH6s4s6s4s")


def probe(hardware: bytes, address: str) -> bytes:
    """The question whether anybody has `address`, from the host `hardware` (RFC 5227 2.1.1).

    Its sender address is 0.0.0.0, so that nobody's table changes by it.
    """
    return _PACKET.pack(
        1, 0x0800, 6, 4, ASK, hardware, address_bytes(ANY), bytes(6), address_bytes(address)
    )


def announcement(hardware: bytes, address: str) -> bytes:
    """The statement that `hardware` has `address` now; it corrects the neighbours' tables (2.3)."""
    own = address_bytes(address)
    return _PACKET.pack(1, 0x0800, 6, 4, ASK, hardware, own, bytes(6), own)


def sender(packet: bytes) -> tuple[bytes, str]:
    """The hardware and IPv4 address of a packet's sender; ProtocolError when it is no such packet."""
    if len(packet) < _PACKET.size:
        raise ProtocolError("ARP packet is too short")
    hardware_kind, protocol, hlen, plen, _, hardware, address, _, _ = _PACKET.unpack_from(packet)
    if (hardware_kind, protocol, hlen, plen) != (1, 0x0800, 6, 4):
        raise ProtocolError("ARP packet is not for IPv4 over Ethernet")
    return hardware, address_text(address)
