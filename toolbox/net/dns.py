"""Questions to name servers and their answers, as bytes (RFC 1035), on dnslib; and resolv.conf(5).

identity, packet = question("example.org", "MX")
record = answer(reply, identity, "example.org", "MX")      # ProtocolError when it is not ours
"""

from __future__ import annotations

from toolbox.net import ProtocolError
from toolbox.net.host import ascii_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

PORT = 53

CODES = {
    0: "NOERROR",
    1: "FORMERR",
    2: "SERVFAIL",
    3: "NXDOMAIN",
    4: "NOTIMP",
    5: "REFUSED",
    6: "YXDOMAIN",
    7: "YXRRSET",
    8: "NXRRSET",
    9: "NOTAUTH",
    10: "NOTZONE",
}


class Configuration:
    """resolv.conf(5): `servers`, domains to `search`, `ndots`, seconds to wait (`timeout`), `attempts`."""

    __slots__ = ("attempts", "ndots", "search", "servers", "timeout")

    def __init__(self) -> None:
        self.servers: list[str] = []
        self.search: list[str] = []
        self.ndots = 1
        self.timeout = 5
        self.attempts = 2


def parse_configuration(text: str) -> Configuration:
    """The settings in the text of resolv.conf; what is not understood is passed over, as libc does."""
    found = Configuration()
    for line in text.splitlines():
        words = line.split()
        if len(words) < 2 or line[:1] in "#;":
            continue
        if words[0] == "nameserver":
            found.servers.append(words[1])
        elif words[0] in ("search", "domain"):
            found.search = words[1:] if words[0] == "search" else words[1:2]
        elif words[0] == "options":
            for word in words[1:]:
                name, _, value = word.partition(":")
                if (
                    name in ("ndots", "timeout", "attempts")
                    and value.isdecimal()
                    and len(value) < 10
                ):
                    least, most = (0, 15) if name == "ndots" else (1, 30)
                    setattr(found, name, max(least, min(most, int(value))))
    return found


def candidates(name: str, search: list[str], ndots: int) -> list[str]:
    """The names to ask for in turn: with the domains of the search list, and as it is."""
    if name.endswith("."):
        return [name]
    longer = [f"{name}.{domain.strip('.')}" for domain in search if domain.strip(".")]
    return [name, *longer] if name.count(".") >= ndots else [*longer, name]


def reverse_name(address: str) -> str | None:
    """The name that PTR records of an address have (1.0.0.127.in-addr.arpa); None when it is no address."""
    import ipaddress

    try:
        return ipaddress.ip_address(address.partition("%")[0]).reverse_pointer
    except ValueError:
        return None


def record_types() -> dict[str, int]:
    """Types of records by name: {"A": 1, ...}."""
    from dnslib import QTYPE

    return {str(name): int(number) for name, number in QTYPE.reverse.items()}


def question(
    name: str, kind: str, *, recurse: bool = True, record_class: str = "IN"
) -> tuple[int, bytes]:
    """(identity, packet) of a question.  ValueError when the name is none."""
    import secrets

    from dnslib import CLASS, DNSHeader, DNSLabel, DNSQuestion, DNSRecord

    labels = []
    if name != ".":
        try:
            labels = ascii_name(name).removesuffix(".").encode().split(b".")
        except ProtocolError as error:
            raise ValueError(f"{name!r} is not a legal name: {error}") from None
    identity = secrets.randbits(16)
    record = DNSRecord(DNSHeader(id=identity, rd=int(recurse)))
    label = DNSLabel(labels)
    record.add_question(DNSQuestion(label, type_number(kind), getattr(CLASS, record_class)))
    return identity, bytes(record.pack())


def type_number(kind: str) -> int:
    """The number of a type of records: MX, TYPE65 (RFC 3597), 65.  ValueError when it is none."""
    known = record_types().get(kind)
    if known is not None:
        return known
    digits = kind.removeprefix("TYPE")
    if digits.isascii() and digits.isdecimal() and len(digits) < 6 and int(digits) < 65536:
        return int(digits)
    raise ValueError(f"unknown query type: {kind}")


def answer(packet: bytes, identity: int, sent: bytes) -> Any:
    """The reply (a dnslib.DNSRecord) to the question `sent`.

    ProtocolError: it cannot be read, or answers another question: somebody else's, or a forged one.
    """
    import struct

    from dnslib import DNSRecord
    from dnslib.bimap import BimapError
    from dnslib.buffer import BufferError as ShortError
    from dnslib.dns import DNSError

    try:
        record = DNSRecord.parse(packet)
        asked = DNSRecord.parse(sent)
    except (DNSError, ShortError, BimapError, struct.error, ValueError, IndexError) as error:
        raise ProtocolError(f"malformed reply: {error}") from None
    if record.header.id != identity or not record.header.qr:
        raise ProtocolError("a reply to another question")
    if record.questions:
        mine, theirs = asked.q, record.q
        same = str(mine.qname).lower() == str(theirs.qname).lower() and mine.qtype == theirs.qtype
        if not same:
            raise ProtocolError("a reply to another question")
    return record
