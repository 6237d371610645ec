"""IPv4/UDP headers and ARP.  Breaks when a checksum, a length or a field's place is wrong."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import ARP
from scapy.packet import Raw

from toolbox.net import ProtocolError, arp, ip

addresses = st.binary(min_size=4, max_size=4).map(ip.address_text)
ports = st.integers(0, 65535)
payloads = st.binary(max_size=600)


@given(addresses, ports, addresses, ports, payloads)
def test_what_we_build_scapy_reads_and_would_build_the_same(
    source: str, port: int, destination: str, to_port: int, payload: bytes
) -> None:
    packet = ip.build_udp(source, port, destination, to_port, payload)
    theirs = IP(src=source, dst=destination, flags="DF", id=0) / UDP(sport=port, dport=to_port)
    assert packet == bytes(theirs / Raw(payload) if payload else theirs)
    ours = ip.parse_udp(packet)
    assert (ours.source, ours.source_port) == (source, port)
    assert (ours.destination, ours.destination_port) == (destination, to_port)
    assert ours.payload == payload


def test_ip_options_and_padding_after_the_packet() -> None:
    packet = bytes(IP(options=b"\x01" * 8) / UDP(sport=67, dport=68) / Raw(b"abc"))
    assert ip.parse_udp(packet + b"trailer of a short frame").payload == b"abc"


@given(st.binary(max_size=80))
def test_junk_is_one_error(packet: bytes) -> None:
    with pytest.raises(ProtocolError):
        ip.parse_udp(packet)


@given(st.integers(0, 29), st.integers(1, 255))
def test_any_changed_byte_is_noticed(at: int, change: int) -> None:
    """Headers and payload are covered by the two checksums, but for what only routers may change."""
    packet = bytearray(ip.build_udp("10.0.0.1", 67, "10.0.0.2", 68, b"payload"))
    packet[at] ^= change
    with pytest.raises(ProtocolError):
        ip.parse_udp(bytes(packet))


def test_a_checksum_that_the_sender_left_to_its_hardware() -> None:
    packet = bytearray(ip.build_udp("10.0.0.1", 67, "10.0.0.2", 68, b"payload"))
    packet[26:28] = b"\x12\x34"
    assert ip.parse_udp(bytes(packet), verify=False).payload == b"payload"
    packet[26:28] = b"\0\0"  # none at all is allowed (RFC 768)
    assert ip.parse_udp(bytes(packet)).payload == b"payload"


def test_fragments_are_refused() -> None:
    for flags, offset in (("MF", 0), (0, 5)):
        packet = bytes(IP(flags=flags, frag=offset) / UDP(sport=67, dport=68) / Raw(b"x" * 32))
        with pytest.raises(ProtocolError):
            ip.parse_udp(packet)


@given(st.binary(max_size=101))
def test_checksum_against_the_textbook(data: bytes) -> None:
    padded = data + bytes(len(data) % 2)
    total = sum(struct.unpack(f"!{len(padded) // 2}H", padded))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    assert ip.checksum(data) == total ^ 0xFFFF


@pytest.mark.parametrize(
    "text", ["", "1.2.3", "1.2.3.4.5", "256.1.1.1", "1.2.3.a", "1.2.3.²", " 1.2.3.4"]
)
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(ValueError):
        ip.address_bytes(text)


MAC = bytes.fromhex("525400123456")


def test_arp_probe_is_what_scapy_reads() -> None:
    packet = ARP(arp.probe(MAC, "10.0.0.9"))
    assert (packet.op, packet.psrc, packet.pdst) == (1, "0.0.0.0", "10.0.0.9")
    assert packet.hwsrc == "52:54:00:12:34:56"
    packet = ARP(arp.announcement(MAC, "10.0.0.9"))
    assert (packet.psrc, packet.pdst) == ("10.0.0.9", "10.0.0.9")


def test_arp_sender_of_what_scapy_builds() -> None:
    packet = bytes(ARP(op=2, hwsrc="52:54:00:12:34:56", psrc="10.0.0.9"))
    assert arp.sender(packet) == (MAC, "10.0.0.9")


@given(st.binary(max_size=27))
def test_short_arp_is_one_error(packet: bytes) -> None:
    with pytest.raises(ProtocolError):
        arp.sender(packet)
