"""IPv4 and UDP headers around a payload, for links on which we have no address yet (RFC 791, 768).

A DHCP client must send from 0.0.0.0 and hear datagrams for an address that it does not own, which
the kernel's UDP cannot; so it builds and reads the two headers itself.
"""

from __future__ import annotations

import struct

from toolbox.net import ProtocolError

ANY = "0.0.0.0"
BROADCAST = "255.255.255.255"
UDP = 17


class Datagram:
    """A UDP datagram with its two ends: dotted quads and port numbers."""

    __slots__ = ("destination", "destination_port", "payload", "source", "source_port")

    def __init__(
        self, source: str, port: int, destination: str, to_port: int, payload: bytes
    ) -> None:
        self.source = source
        self.source_port = port
        self.destination = destination
        self.destination_port = to_port
        self.payload = payload


def address_bytes(address: str) -> bytes:
    """The four bytes of a dotted quad; ValueError for any other text (no "1.2", no names)."""
    parts = address.split(".")
    if len(parts) != 4 or not all(p.isascii() and p.isdigit() and int(p) < 256 for p in parts):
        raise ValueError(f"not an IPv4 address: {address!r}")
    return bytes(map(int, parts))


def address_number(address: str) -> int:
    """The 32 bits of a dotted quad; ValueError as for `address_bytes`."""
    return int.from_bytes(address_bytes(address), "big")


def address_text(data: bytes) -> str:
    """The dotted quad of four bytes."""
    return ".".join(map(str, data))


def checksum(data: bytes) -> int:
    """The Internet checksum of `data` (RFC 1071): 0 when it is taken over data with a right one."""
    if len(data) % 2:
        data += b"\0"
    # Ones' complement addition is addition modulo 65535, so one big number does for all its words.
    total = int.from_bytes(data, "big")
    return 0xFFFF if total == 0 else 0xFFFF - ((total - 1) % 0xFFFF + 1)


def build_udp(source: str, port: int, destination: str, to_port: int, payload: bytes) -> bytes:
    """An IPv4 packet that carries `payload` from `source`:`port` to `destination`:`to_port`."""
    ends = address_bytes(source) + address_bytes(destination)
    length = 8 + len(payload)
    udp = struct.pack("!HHHH", port, to_port, length, 0) + payload
    proof = checksum(ends + struct.pack("!HH", UDP, length) + udp) or 0xFFFF
    udp = udp[:6] + proof.to_bytes(2, "big") + payload
    # version 4 and 5 words, no service class, identification 0, don't fragment, 64 hops
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + length, 0, 0x4000, 64, UDP, 0) + ends
    return head[:10] + checksum(head).to_bytes(2, "big") + head[12:] + udp


def parse_udp(packet: bytes, verify: bool = True) -> Datagram:
    """The UDP datagram in an IPv4 packet; ProtocolError when it is none, or a damaged one.

    Pass verify=False when the kernel says that the UDP checksum is still to be filled in, as it
    is between virtual machines and namespaces (TP_STATUS_CSUMNOTREADY, packet(7)).
    """
    if len(packet) < 28 or packet[0] >> 4 != 4:
        raise ProtocolError("not an IPv4 packet that could hold UDP")
    head = (packet[0] & 15) * 4
    total, fragment, kind = struct.unpack_from("!2xH2xHxB", packet)
    if head < 20 or total < head + 8 or total > len(packet):
        raise ProtocolError("IPv4 lengths contradict each other")
    if kind != UDP or fragment & 0x3FFF:
        raise ProtocolError("not a whole UDP datagram")
    if checksum(packet[:head]):
        raise ProtocolError("IPv4 header checksum is wrong")
    port, to_port, length, proof = struct.unpack_from("!HHHH", packet, head)
    if length < 8 or length > total - head:
        raise ProtocolError("UDP length contradicts the IPv4 length")
    udp = packet[head : head + length]
    if verify and proof and checksum(packet[12:20] + struct.pack("!HH", UDP, length) + udp):
        raise ProtocolError("UDP checksum is wrong")
    source, destination = address_text(packet[12:16]), address_text(packet[16:20])
    return Datagram(source, port, destination, to_port, udp[8:])
