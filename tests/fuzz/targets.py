"""What reads foreign bytes, and the only errors with which it may refuse them.

Each target has seeds: inputs that are right, or nearly, from which others are made by changing, cutting and joining.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Iterator

from tests.fuzz import network, texts
from tests.fuzz.target import Target, changed
from tests.toolbox.storage.memory import Memory
from toolbox.errors import Fatal, UsageError
from toolbox.linux import netlink
from toolbox.net import ProtocolError, dhcp, dns, http, ntp
from toolbox.release import ReleaseError, channel, chunks, manifest, partial, signed
from toolbox.storage import bootstate, fat, gpt, tryboot
from toolbox.storage.slot import DamagedSlot, Header
from toolbox.trust import minisign


def _dhcp(data: bytes) -> None:
    message = dhcp.decode(data)
    for value in message.options.values():
        for read in (
            dhcp.addresses,
            dhcp.address,
            dhcp.prefix_length,
            dhcp.text,
            dhcp.domain,
            dhcp.domains,
            dhcp.domain_search,
            dhcp.classless_routes,
        ):
            try:
                read(value)
            except ProtocolError:
                pass
    again = dhcp.decode(message.encode())
    assert again.options == message.options


def _disk(read: Callable[[Memory], object]) -> Callable[[bytes], object]:
    """Reading from a disk of 64 KiB that begins with the data."""

    def reader(data: bytes) -> object:
        memory = Memory(1 << 16)
        memory.write(0, data[: 1 << 16] + bytes(-len(data) % 512))
        return read(memory)

    return reader


def _lines(text: bytes) -> None:
    from toolbox.regex import compile

    pattern, _, line = text.partition(b"\n")
    for extended in (False, True):
        if b"\\" in pattern and any(c in pattern for c in b"123456789"):
            return  # back-references may take long
        regex = compile([pattern[:60]], extended=extended, utf8=True)
        found = list(regex.spans(line[:200]))
        assert bool(found) == bool(list(regex.lines(line[:200].replace(b"\n", b" ") + b"\n"))) or (
            b"\n" in line
        )


def _patterns(text: bytes) -> None:
    from toolbox.patterns import matcher

    pattern, _, name = text.decode("utf-8", "surrogateescape").partition("\n")
    matcher(pattern)(name)
    matcher(pattern, path=True, period=True, ignore_case=True)(name)


def _dates(text: bytes) -> None:
    from toolbox.dates import parse

    parse(text.decode("utf-8", "surrogateescape"), 1.7e9, utc=True)


def _http(data: bytes) -> None:
    text = data.decode("latin-1")
    http.parse_date(text)
    http.parse_ranges(text, 1000)
    http.parse_content_range(text)
    http.parse_cookies(text)
    http.parse_basic(text)
    http.parse_bearer(text)
    http.parse_form(text)


def _json(decode: Callable[[dict[str, object]], object]) -> Callable[[bytes], object]:
    return lambda data: decode(signed.parse(data))


_DHCP = (
    b"\2\1\6\0"
    + b"abcd"
    + bytes(8)
    + bytes((10, 0, 0, 9))
    + bytes(8)
    + bytes(208)
    + b"\x63\x82\x53\x63"
    + b"\x35\1\2\1\4\xff\xff\xff\0\3\4\x0a\0\0\1\x33\4\0\0\x0e\x10"
    + b"\x77\x09\4corp\2de\0\x79\5\x08\x0a\x0a\0\1\x0f\x03lan\xff"
)
_DNS_QUESTION = b"\0\1\1\0\0\1\0\0\0\0\0\0\4host\3lan\0\0\1\0\1"
_DNS_REPLY = (
    b"\0\1\x81\x80\0\1\0\1\0\0\0\0\4host\3lan\0\0\1\0\1\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\x0a\0\0\1"
)
_NTP = (
    b"\x24\2\x06\xe8"
    + bytes(8)
    + b"GPS\0"
    + b"\xea\0\0\0\0\0\0\0"
    + b"cookie00"
    + b"\xea\0\0\1\0\0\0\0" * 2
)
_MESSAGE = struct.pack("=IHHII", 32, 16, 2, 1, 0) + struct.pack("=BxHiII", 0, 1, 1, 0, 0)

TARGETS: dict[str, Target] = {
    **network.TARGETS,
    **texts.TARGETS,
    "dhcp": Target([_DHCP], _dhcp, (ProtocolError,)),
    "dns": Target([_DNS_REPLY], lambda data: dns.answer(data, 1, _DNS_QUESTION), (ProtocolError,)),
    "ntp": Target([_NTP], lambda data: ntp.read_reply(data, b"cookie00", 1.7e9), (ProtocolError,)),
    "netlink": Target([_MESSAGE * 3], lambda data: list(netlink.messages(data)), ()),
    "gpt": Target(
        [bytes(512) + b"EFI PART\0\0\1\0\x5c\0\0\0"], _disk(gpt.read), (gpt.DamagedTable,)
    ),
    "fat": Target(
        [b"\xeb\x3c\x90mkfs.fat\0\2\4\1\0\2\0\2\0\1\xf8\1\0" + bytes(484) + b"\x55\xaa"],
        _disk(lambda memory: fat.find(memory, "KERNEL.IMG")),
        (fat.DamagedFat,),
    ),
    "bootstate": Target([b"# GRUB Environment Block\nslot=a\n" + b"#" * 480], bootstate.decode, ()),
    "tryboot": Target([b"slot=a\n" + b"#" * 500], tryboot.decode, ()),
    "slot": Target(
        [b"# GRUB Environment Block\nformat=1\nnumber=1\nkernel=8+9\ninitramfs=17+3\nend=1\n"],
        Header.decode,
        (DamagedSlot,),
    ),
    "signed": Target([b'{"type": "release", "format": 1}'], signed.parse, (ReleaseError,)),
    "manifest": Target(
        [b'{"type": "release", "format": 1, "parts": {}}'], _json(manifest.decode), (ReleaseError,)
    ),
    "channel": Target(
        [b'{"type": "channel", "format": 1, "channel": "a"}'],
        _json(channel.decode),
        (ReleaseError,),
    ),
    "partial": Target([b"snakeroot partial 1 0-5 7-9\n"], partial.decode, (ReleaseError,)),
    "chunks": Target(
        [bytes(range(48)), bytes(96)],
        lambda data: list(chunks.Index(data, {"root": 1 << 20, "boot": 1 << 12})),
        (ReleaseError,),
    ),
    "public key": Target(
        [b"untrusted comment: x\nRWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3\n"],
        minisign.parse_public_keys,
        (minisign.SignatureError,),
    ),
    "signature": Target(
        [b"untrusted comment: x\nRUQf6LRCGA9i5w==\ntrusted comment: y\nAAAA\n"],
        minisign.parse_signature,
        (minisign.SignatureError,),
    ),
    "http": Target(
        [b"bytes=0-5,7-", b"Sun, 06 Nov 1994 08:49:37 GMT", b"a=b%20c&d; e=f", b"Basic YTpi"],
        _http,
        (ProtocolError,),
    ),
    "regex": Target(
        [b"(a|ab)*[[:alpha:]]{1,3}\naab", b"\\(x*\\)\\{2\\}$\nxx", b"\\b[^a-c]+|.?\nq"],
        _lines,
        (UsageError,),
    ),
    "patterns": Target([b"*.[ch]\na.c", b"a*[![:digit:]]?*\nabc"], _patterns, ()),
    "dates": Target(
        [
            b"2020-01-01 10:00:00 UTC +3 days",
            b"-\n1 month",
            b"next friday",
            b"@123.5",
            b"-1 month ago",
        ],
        _dates,
        (Fatal,),
    ),
}


def inputs(name: str, start: int) -> Iterator[bytes]:
    """Inputs for a target without an end, the same for the same start."""
    chance = random.Random(f"{name} {start}")
    while True:
        yield changed(chance, TARGETS[name].seeds)
