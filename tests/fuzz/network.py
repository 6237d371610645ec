"""What comes over the network or from the kernel: HTTP both ways, addresses, packets, netlink, scp."""

from __future__ import annotations

import contextlib
import struct
from socket import AF_UNIX
from typing import Any

from applets.breakglass import scp
from applets.httpd.connection import Connection, Gone
from applets.httpd.message import Request, Response, plain
from applets.init.logs import kernel_record, readable
from applets.init.notifications import assignments
from tests.fuzz.target import Target
from toolbox.linux import netlink_objects
from toolbox.net import ProtocolError, arp, http, ip
from toolbox.net.address import is_private, network_of, parse_address, parse_network, plain_address
from toolbox.net.exchange import Exchange
from toolbox.net.url import URL, is_exempt


class _Socket:
    """Stands for a connected socket whose peer sends pieces of the data and then closes its side."""

    family = AF_UNIX

    def __init__(self, data: bytes, piece: int) -> None:
        self._left = data
        self._piece = piece
        self.sent = bytearray()

    def setblocking(self, flag: bool) -> None:
        """Nothing ever blocks."""

    def recv(self, most: int) -> bytes:
        size = min(most, self._piece)
        data, self._left = self._left[:size], self._left[size:]
        return data

    def send(self, data: bytes) -> int:
        self.sent += data
        return len(data)


def _serve(data: bytes) -> None:
    """Requests to httpd: whatever comes, each is answered by HTTP or by the end of the connection."""

    def handler(request: Request) -> Response:
        headers = request.headers
        for read in (
            lambda: http.parse_cookies(headers.get("cookie", "")),
            lambda: http.parse_basic(headers.get("authorization", "")),
            lambda: http.parse_bearer(headers.get("authorization", "")),
            lambda: http.preferred(headers.get("accept", ""), ["text/html", "application/json"]),
            lambda: http.precondition(request.method, headers, '"tag"', 1.7e9),
            lambda: http.range_applies(headers, '"tag"', 1.7e9),
            lambda: http.parse_ranges(headers.get("range", ""), 1000),
            lambda: http.parse_form(request.query),
            lambda: (request.host, request.path),
        ):
            with contextlib.suppress(ProtocolError):
                read()
        return plain(200, repr(len(request.read_body(1000))))

    def failed(request: Request, error: Exception) -> None:
        raise AssertionError(f"{type(error).__name__}: {error}") from error

    def log(request: Request, status: int) -> None:
        assert "\n" not in request.path or request.path.isprintable() is False

    sock: Any = _Socket(data, 1 + len(data) % 97 if data[:1] < b"\x80" else 1 << 16)
    connection = Connection(sock, "192.0.2.1", handler, lambda: False, log, failed)
    try:
        connection.serve()
    finally:
        assert not sock.sent or sock.sent.startswith(b"HTTP/1.1 ")


def _ask(data: bytes) -> None:
    """A server's answer to the client."""
    for method, piece in (("GET", 1 << 16), ("GET", 7), ("HEAD", 1 << 16)):
        exchange = Exchange(method, "/", [("Host", "example.org")])
        pieces = iter([data[at : at + piece] for at in range(0, len(data), piece)] + [b""])
        while (head := exchange.head()) is None:
            exchange.receive(next(pieces))
        head.get("Location")
        head.tokens("Connection")
        body = exchange.body
        assert body is not None
        body.buffered()
        for part in pieces:
            if body.done:
                break
            if part:
                body.receive(part)
            else:
                body.end(cut=False)


def _urls(data: bytes) -> None:
    text, _, other = data.decode("utf-8", "surrogateescape").partition("\n")
    url = URL(text)
    for made in (url, url.join(other)):
        assert str(URL(str(made))) == str(made)
        is_exempt(made, other)
        assert made.origin and made.tls_name is not None and made.full and made.bare


def _addresses(data: bytes) -> None:
    text = data.decode("utf-8", "surrogateescape")
    plain_address(text)
    network_of(text)
    is_private(text)
    for parse in (parse_address, parse_network):
        with contextlib.suppress(ValueError):
            parse(text)


def _packets(data: bytes) -> None:
    for read in (ip.parse_udp, lambda packet: ip.parse_udp(packet, verify=False), arp.sender):
        with contextlib.suppress(ProtocolError):
            read(data)


def _objects(data: bytes) -> None:
    """Bodies of the kernel's messages, whose fixed part is whole (the kernel's word)."""
    body = data.ljust(20, b"\0")
    for kind in ("Link", "Address", "Route", "Neighbour", "Rule"):
        made = getattr(netlink_objects, kind)(body)
        for name in ("metrics", "hops"):
            getattr(made, name, None)


def _kernel(data: bytes) -> None:
    found = kernel_record(data)
    if found is not None:
        readable(found[2])
    assignments(data)


def _scp(data: bytes) -> None:
    channel: Any = None
    words = scp.Words(channel)
    words.write(data)
    scp.Job(words.words())


_HEADERS = (
    b"Host: box\r\nCookie: a=b%20c; d=e\r\nAccept: text/html;q=0.5, */*\r\nRange: bytes=0-5,7-\r\n"
    b'If-None-Match: W/"x", "tag"\r\nIf-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n'
    b"Authorization: Basic YTpi\r\n"
)

TARGETS: dict[str, Target] = {
    "httpd": Target(
        [
            b"GET /a/%41?b=c&d HTTP/1.1\r\n" + _HEADERS + b"\r\n",
            b"POST /x HTTP/1.1\r\nHost: box\r\nContent-Length: 5\r\n\r\nhello",
            b"POST /x HTTP/1.1\r\nHost: [::1]:80\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"5;x=y\r\nhello\r\n0\r\nA: b\r\n\r\nGET / HTTP/1.0\r\n\r\n",
            b"\r\n\r\nHEAD http://box/ HTTP/1.1\r\nHost: box\r\nExpect: 100-continue\r\n\r\n",
        ],
        _serve,
        (OSError, Gone),
    ),
    "answers": Target(
        [
            b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\nhello",
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 302 Found\r\nLocation: /x\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n0\r\nA: b\r\n\r\n",
            b"HTTP/1.0 200 OK\r\n\r\nall the rest",
        ],
        _ask,
        (ProtocolError,),
    ),
    "urls": Target(
        [
            b"http://user:pass@example.org:8080/a/../b?c=d#e\n../x?y",
            b"https://[fe80::1%25eth0]/\n//other/z",
            b"http://10.0.0.1\n10.0.0.0/8,.example.org,*",
        ],
        _urls,
        (ProtocolError,),
    ),
    "addresses": Target(
        [b"192.0.2.1", b"::ffff:192.0.2.1", b"fe80::1%eth0", b"10.0.0.0/8", b"2001:db8::/32"],
        _addresses,
        (ValueError,),
    ),
    "packets": Target(
        [
            ip.build_udp("192.0.2.1", 67, "192.0.2.2", 68, b"hello"),
            arp.announcement(b"\2\0\0\0\0\1", "192.0.2.1"),
        ],
        _packets,
        (),
    ),
    "netlink objects": Target(
        [
            struct.pack("=BxHiII", 0, 1, 2, 3, 0)
            + netlink_objects.attribute(3, b"eth0\0")
            + netlink_objects.attribute(18, netlink_objects.attribute(1, b"vlan\0"))
            + netlink_objects.attribute(23, bytes(192)),
            struct.pack("=BBBBi", 2, 24, 0, 0, 1)
            + netlink_objects.attribute(1, b"\x0a\0\0\1")
            + netlink_objects.attribute(6, bytes(16)),
            struct.pack("=BBBBBBBBI", 2, 24, 0, 0, 254, 4, 0, 1, 0)
            + netlink_objects.attribute(8, netlink_objects.attribute(2, bytes(4)))
            + netlink_objects.attribute(9, struct.pack("=HBBi", 16, 0, 0, 1) + bytes(8)),
        ],
        _objects,
        (),
    ),
    "kernel records": Target(
        [b"6,339,5140900,-;NET: Registered\\x0aprotocol\n SUBSYSTEM=x\n", b"READY=1\nSTATUS=on\n"],
        _kernel,
        (),
    ),
    "scp": Target([b"-r\0-t\0--\0/tmp/x\0", b"-pf\0a\0b\0"], _scp, (ValueError,)),
}
