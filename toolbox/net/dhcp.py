"""DHCP for IPv4: the message codec (RFC 2131 section 2, options of RFC 2132).

    decode(data) -> Message         ProtocolError for anything that is no DHCP message
    Message.encode() -> bytes       at least 300 bytes, as some relays insist (RFC 1542 2.1)

Options stand in `Message.options` as code -> bytes, joined from all their parts and places: long
options come in parts (RFC 3396), and `sname` and `file` may hold more of them (option 52).
The functions below read one option's bytes; each raises ProtocolError when its form is wrong.
"""

from __future__ import annotations

import struct

from toolbox.net import ProtocolError
from toolbox.net.ip import ANY, address_bytes, address_text

SERVER_PORT = 67
CLIENT_PORT = 68

# op
REQUEST, REPLY = 1, 2
# option 53
DISCOVER, OFFER, REQUEST_LEASE, DECLINE, ACK, NAK, RELEASE, INFORM = range(1, 9)
KINDS = ("", "DISCOVER", "OFFER", "REQUEST", "DECLINE", "ACK", "NAK", "RELEASE", "INFORM")

MAGIC = b"\x63\x82\x53\x63"
PAD, END = 0, 255
SUBNET_MASK = 1
ROUTERS = 3
DNS_SERVERS = 6
HOST_NAME = 12
DOMAIN_NAME = 15
INTERFACE_MTU = 26
BROADCAST_ADDRESS = 28
NTP_SERVERS = 42
REQUESTED_ADDRESS = 50
LEASE_TIME = 51
OVERLOAD = 52
MESSAGE_TYPE = 53
SERVER_ID = 54
PARAMETER_LIST = 55
ERROR_TEXT = 56
MAXIMUM_SIZE = 57
RENEWAL_TIME = 58
REBINDING_TIME = 59
VENDOR_CLASS = 60
CLIENT_ID = 61
DOMAIN_SEARCH = 119
CLASSLESS_ROUTES = 121

#: The names that BusyBox's udhcpc gives to options (`-O NAME`, `-x NAME:VALUE`).
OPTION_NAMES = {
    "subnet": SUBNET_MASK,
    "router": ROUTERS,
    "dns": DNS_SERVERS,
    "hostname": HOST_NAME,
    "domain": DOMAIN_NAME,
    "mtu": INTERFACE_MTU,
    "broadcast": BROADCAST_ADDRESS,
    "ntpsrv": NTP_SERVERS,
    "lease": LEASE_TIME,
    "vendor": VENDOR_CLASS,
    "clientid": CLIENT_ID,
    "search": DOMAIN_SEARCH,
    "staticroutes": CLASSLESS_ROUTES,
    "bootfile": 67,
    "tftp": 66,
    "timezone": 2,
    "wpad": 252,
}

#: The longest message that a client of ours asks for (option 57) and takes, in bytes.
LONGEST_MESSAGE = 1500
#: The most domains that are read of a list: each costs every look-up of a short name a question.
MOST_DOMAINS = 32

INFINITE = 0xFFFFFFFF
BROADCAST_FLAG = 0x8000
ETHERNET = 1

_HEAD = struct.Struct("!BBBBIHH4s4s4s4s16s64s128s4s")
_LEAST = 300


class Message:
    """One DHCP message.  Addresses are dotted quads; `hardware` is the client's link address."""

    __slots__ = (
        "ciaddr",
        "file",
        "flags",
        "giaddr",
        "hardware",
        "op",
        "options",
        "secs",
        "siaddr",
        "sname",
        "xid",
        "yiaddr",
    )

    def __init__(
        self,
        op: int,
        xid: int,
        hardware: bytes,
        options: dict[int, bytes],
        *,
        ciaddr: str = ANY,
        yiaddr: str = ANY,
        siaddr: str = ANY,
        giaddr: str = ANY,
        secs: int = 0,
        flags: int = 0,
        sname: bytes = b"",
        file: bytes = b"",
    ) -> None:
        self.op = op
        self.xid = xid
        self.hardware = hardware
        self.options = options
        self.ciaddr = ciaddr
        self.yiaddr = yiaddr
        self.siaddr = siaddr
        self.giaddr = giaddr
        self.secs = secs
        self.flags = flags
        self.sname = sname
        self.file = file

    @property
    def kind(self) -> int:
        """The message type (option 53), DISCOVER to INFORM."""
        return self.options[MESSAGE_TYPE][0]

    def encode(self) -> bytes:
        """The message as it goes on the wire, with option 53 first; ValueError for a field out of range."""
        try:
            head = _HEAD.pack(
                self.op,
                ETHERNET,
                len(self.hardware),
                0,
                self.xid,
                min(self.secs, 0xFFFF),
                self.flags,
                *map(address_bytes, (self.ciaddr, self.yiaddr, self.siaddr, self.giaddr)),
                self.hardware,
                self.sname,
                self.file,
                MAGIC,
            )
        except struct.error as error:
            raise ValueError(f"a DHCP header field is out of range: {error}") from None
        codes = sorted(self.options, key=lambda code: code != MESSAGE_TYPE)
        body = b"".join(_encode_option(code, self.options[code]) for code in codes)
        return (head + body + bytes([END])).ljust(_LEAST, b"\0")


def decode(data: bytes) -> Message:
    """The message in `data`; ProtocolError when it is none or contradicts itself."""
    if len(data) < _HEAD.size:
        raise ProtocolError(f"message of {len(data)} bytes is too short")
    op, htype, hlen, _, xid, secs, flags, ci, yi, si, gi, hardware, sname, file, magic = (
        _HEAD.unpack_from(data)
    )
    if magic != MAGIC:
        raise ProtocolError("not DHCP: the magic cookie is missing")
    if op not in (REQUEST, REPLY) or htype != ETHERNET or hlen > 16:
        raise ProtocolError("operation or hardware type is unknown")
    options: dict[int, bytes] = {}
    _collect(data[_HEAD.size :], options)
    overload = options.get(OVERLOAD, b"\0")
    if len(overload) != 1 or overload[0] > 3:
        raise ProtocolError("option 52 (overload) is malformed")
    # RFC 2131 4.1: first `file`, then `sname`; an option 52 in there means nothing any more.
    if overload[0] & 1:
        _collect(file, options)
        file = b""
    if overload[0] & 2:
        _collect(sname, options)
        sname = b""
    kind = options.get(MESSAGE_TYPE, b"")
    if len(kind) != 1 or not 1 <= kind[0] < len(KINDS):
        raise ProtocolError("message type (option 53) is missing or unknown")
    return Message(
        op,
        xid,
        hardware[:hlen],
        options,
        ciaddr=address_text(ci),
        yiaddr=address_text(yi),
        siaddr=address_text(si),
        giaddr=address_text(gi),
        secs=secs,
        flags=flags,
        sname=sname.rstrip(b"\0"),
        file=file.rstrip(b"\0"),
    )


def _encode_option(code: int, value: bytes) -> bytes:
    if not PAD < code < END:
        raise ValueError(f"no such option: {code}")
    parts = [value[i : i + 255] for i in range(0, len(value), 255)] or [b""]
    return b"".join(bytes([code, len(part)]) + part for part in parts)


def _collect(area: bytes, options: dict[int, bytes]) -> None:
    """Add the options of one area; parts of one option are joined in order (RFC 3396)."""
    at = 0
    while at < len(area) and area[at] != END:
        code = area[at]
        at += 1
        if code == PAD:
            continue
        if at >= len(area) or at + 1 + area[at] > len(area):
            raise ProtocolError(f"option {code} runs past the end of its area")
        size = area[at]
        options[code] = options.get(code, b"") + area[at + 1 : at + 1 + size]
        at += 1 + size


def addresses(value: bytes) -> list[str]:
    """A list of one or more addresses (options 3, 6, 42)."""
    if not value or len(value) % 4:
        raise ProtocolError("not a list of addresses")
    return [address_text(value[i : i + 4]) for i in range(0, len(value), 4)]


def address(value: bytes) -> str:
    """One address (options 50, 54)."""
    if len(value) != 4:
        raise ProtocolError("not an address")
    return address_text(value)


def number(value: bytes, size: int) -> int:
    """An unsigned number of `size` bytes (options 26, 51, 57, 58, 59)."""
    if len(value) != size:
        raise ProtocolError(f"not a number of {size} bytes")
    return int.from_bytes(value, "big")


def prefix_length(value: bytes) -> int:
    """The prefix length that a subnet mask (option 1) stands for."""
    mask = number(value, 4)
    length = mask.bit_count()
    if mask != (0xFFFFFFFF << (32 - length)) & 0xFFFFFFFF:
        raise ProtocolError(f"subnet mask {address_text(value)} has holes")
    return length


def text(value: bytes) -> str:
    """A text without control characters and without the final NULs that some servers add."""
    shown = value.rstrip(b"\0").decode("ascii", "replace")
    if not shown or not shown.isascii() or not shown.isprintable():
        raise ProtocolError("not a printable text")
    return shown


def domain(value: bytes) -> str:
    """A host name (option 12), fit to be written to a file (RFC 1123 2.1)."""
    return _domain_text(text(value).removesuffix(".").split("."))


def _domain_text(labels: list[str]) -> str:
    name = ".".join(labels)
    for label in labels:
        if not 0 < len(label) < 64 or not label.isascii() or "-" in (label[0], label[-1]):
            raise ProtocolError("not a domain name")
        if not label.replace("-", "").replace("_", "").isalnum():
            raise ProtocolError("not a domain name")
    if not 0 < len(name) < 254:
        raise ProtocolError("domain name is empty or too long")
    return name


def domains(value: bytes, most: int = MOST_DOMAINS) -> list[str]:
    """The domains of option 15, the first `most`.

    It is for one (RFC 2132 3.17), but servers have long put several there, with blanks between them.
    """
    words = text(value).split()
    if not words:
        raise ProtocolError("no domain")
    return [_domain_text(word.removesuffix(".").split(".")) for word in words[:most]]


def domain_search(value: bytes, most: int = MOST_DOMAINS) -> list[str]:
    """The domains of a search list (option 119, RFC 3397), with DNS's compression undone.

    What comes after the first `most` is not read.
    """
    names: list[str] = []
    at = 0
    while at < len(value) and len(names) < most:
        labels, at = _labels(value, at)
        names.append(_domain_text(labels))
    if not names:
        raise ProtocolError("search list is empty")
    return names


def _labels(value: bytes, at: int) -> tuple[list[str], int]:
    """The labels of the name at `at`, and where the next name starts (RFC 1035 4.1.4)."""
    labels: list[str] = []
    after = -1
    limit = at  # a pointer must point before the name that holds it: so there can be no loop
    while True:
        if at >= len(value):
            raise ProtocolError("search list is truncated")
        size = value[at]
        if size >= 0xC0:
            if at + 1 >= len(value):
                raise ProtocolError("search list is truncated")
            target = (size & 0x3F) << 8 | value[at + 1]
            if target >= limit:
                raise ProtocolError("search list points forward or in a circle")
            after = at + 2 if after < 0 else after
            at = limit = target
        elif size >= 64:
            raise ProtocolError("search list has a label of unknown form")
        elif size == 0:
            return labels, at + 1 if after < 0 else after
        else:
            label = value[at + 1 : at + 1 + size]
            if len(label) < size or len(labels) > 127:
                raise ProtocolError("search list is truncated")
            labels.append(label.decode("ascii", "replace"))
            at += 1 + size


def classless_routes(value: bytes) -> list[tuple[str, int, str]]:
    """The routes of option 121 (RFC 3442): (destination, prefix length, router).

    Router 0.0.0.0 means that the destination is on the link itself.
    """
    routes = []
    at = 0
    while at < len(value):
        length = value[at]
        if length > 32:
            raise ProtocolError("route has a prefix longer than 32 bits")
        size = (length + 7) // 8
        entry = value[at + 1 : at + 1 + size + 4]
        if len(entry) != size + 4:
            raise ProtocolError("route is truncated")
        destination = int.from_bytes(entry[:size].ljust(4, b"\0"), "big")
        destination &= (0xFFFFFFFF << (32 - length)) & 0xFFFFFFFF
        routes.append(
            (address_text(destination.to_bytes(4, "big")), length, address_text(entry[size:]))
        )
        at += 1 + size + 4
    if not routes:
        raise ProtocolError("list of routes is empty")
    return routes
