"""ICMP's echo and what its errors mean, for IPv4 and IPv6 (RFC 792, RFC 4443).

echo_request(6, identifier, sequence, payload) -> bytes
parse_echo(data, 4) -> Echo             ProtocolError for what is no echo
error_words(4, 3, 1) -> "Destination Host Unreachable"
"""

from __future__ import annotations

import struct

from toolbox.net import ProtocolError
from toolbox.net.ip import checksum

_HEAD = struct.Struct("!BBHHH")

#: (type of a request, type of a reply) by IP version.
KINDS = {4: (8, 0), 6: (128, 129)}

_UNREACHABLE = (
    *("Destination Net Unreachable", "Destination Host Unreachable"),
    *("Destination Protocol Unreachable", "Destination Port Unreachable", "Frag needed and DF set"),
    *("Source Route Failed", "Destination Net Unknown", "Destination Host Unknown"),
    *("Source Host Isolated", "Destination Net Prohibited", "Destination Host Prohibited"),
    *("Destination Net Unreachable for Type of Service",),
    *("Destination Host Unreachable for Type of Service", "Packet filtered"),
    *("Precedence Violation", "Precedence Cutoff"),
)
_UNREACHABLE_6 = (
    *("No route", "Administratively prohibited", "Beyond scope of source address"),
    *("Address unreachable", "Port unreachable", "Source address failed ingress/egress policy"),
    "Reject route to destination",
)


class Echo:
    """A request or reply; `reply` says which."""

    __slots__ = ("identifier", "payload", "reply", "sequence")

    def __init__(self, reply: bool, identifier: int, sequence: int, payload: bytes) -> None:
        self.reply = reply
        self.identifier = identifier
        self.sequence = sequence
        self.payload = payload


def echo_request(version: int, identifier: int, sequence: int, payload: bytes) -> bytes:
    """An echo request.  For IPv6 the kernel fills in the checksum, which covers the addresses."""
    head = _HEAD.pack(KINDS[version][0], 0, 0, identifier, sequence)
    if version == 4:
        proof = checksum(head + payload)
        head = head[:2] + proof.to_bytes(2, "big") + head[4:]
    return head + payload


def parse_echo(data: bytes, version: int) -> Echo:
    """The echo in an ICMP message (without an IP header); ProtocolError when it is anything else.

    The checksum is not looked at: the kernel has done that, and an error quotes only a part.
    """
    if len(data) < _HEAD.size:
        raise ProtocolError("ICMP message is too short")
    kind, _, _, identifier, sequence = _HEAD.unpack_from(data)
    if kind not in KINDS[version]:
        raise ProtocolError("not an ICMP echo")
    return Echo(kind == KINDS[version][1], identifier, sequence, data[_HEAD.size :])


def without_ip_header(packet: bytes) -> tuple[bytes, int]:
    """(ICMP message, TTL) of an IPv4 packet, as a raw socket gets it; ProtocolError when it is cut."""
    size = (packet[0] & 15) * 4 if packet else 0
    if size < 20 or len(packet) < size:
        raise ProtocolError("IPv4 header is cut")
    return packet[size:], packet[8]


def error_words(version: int, kind: int, code: int, information: int = 0) -> str:
    """What ping says of an ICMP error; information: the MTU, where the error gives one."""
    if version == 4:
        if kind == 3 and code == 4:
            return f"{_UNREACHABLE[4]} (mtu = {information})"
        if kind == 3 and code < len(_UNREACHABLE):
            return _UNREACHABLE[code]
        if kind == 11:
            return ("Time to live exceeded", "Frag reassembly time exceeded")[code & 1]
        words = {3: f"Dest Unreachable, Bad Code: {code}", 4: "Source Quench", 5: "Redirect"}
        return words.get(kind, "Parameter problem" if kind == 12 else f"Bad ICMP type: {kind}")
    if kind == 1:
        what = _UNREACHABLE_6[code] if code < len(_UNREACHABLE_6) else f"Unknown code {code}"
        return f"Destination unreachable: {what}"
    if kind == 2:
        return f"Packet too big: mtu={information}"
    if kind == 3:
        return f"Time exceeded: {('Hop limit', 'Defragmentation failure')[code & 1]}"
    return "Parameter problem" if kind == 4 else f"unknown icmp type: {kind}"
