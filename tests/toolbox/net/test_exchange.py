"""A response's bytes and what they mean, however they are cut.

Breaks when a head or body is framed wrongly, a limit counts lines, or a cut response passes for a whole one.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolbox.net import ProtocolError
from toolbox.net.exchange import HEAD, Exchange, Head, Truncated

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"


def ask(method: str = "GET") -> Exchange:
    return Exchange(method, "h:1" if method == "CONNECT" else "/x", [("Host", "h")])


class Result:
    """What came of a response: its head, the body, and what is left over."""

    def __init__(self, head: Head, body: bytes, exchange: Exchange) -> None:
        self.head = head
        self.body = body
        self.persistent = exchange.persistent
        assert exchange.body is not None
        self.excess = exchange.body.excess


def take(data: bytes, method: str = "GET", step: int = 1 << 20, *, cut: bool = False) -> Result:
    """Feed a response `step` bytes at a time, then the end of the connection."""
    exchange = ask(method)
    at = 0
    while (head := exchange.head()) is None:
        piece = data[at : at + min(step, exchange.wants)]
        at += len(piece)
        exchange.receive(piece)
    body = exchange.body
    assert body is not None
    parts = [body.buffered()]
    while not body.done:
        if not (piece := data[at : at + step]):
            body.end(cut=cut)
            break
        at += len(piece)
        parts.append(body.receive(piece))
    return Result(head, b"".join(parts), exchange)


WHOLE = [
    (OK + b"Content-Length: 5\r\n\r\nhello", b"hello", True),
    (OK + b"Content-Length: 5\r\nConnection: close\r\n\r\nhello", b"hello", False),
    (OK + b"Content-Length: 5, 5\r\n\r\nhello", b"hello", True),
    (OK + b"Content-Length: 0\r\n\r\n", b"", True),
    (OK + b"\r\nhello", b"hello", False),
    (b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", b"hello", False),
    (
        b"HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 5\r\n\r\nhello",
        b"hello",
        True,
    ),
    (b"HTTP/1.1 204 No Content\r\n\r\n", b"", True),
    (b"HTTP/1.1 200\r\nContent-Length: 1\r\n\r\nx", b"x", True),
    (CHUNKED + b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n", b"abcde", True),
    (CHUNKED + b"3 \r\nabc\r\n0\r\nTrailer: x\r\nB: c\r\n\r\n", b"abc", True),
    (CHUNKED + b"000A\r\n0123456789\r\n00\r\n\r\n", b"0123456789", True),
    (b"HTTP/1.1 100 Continue\r\n\r\n" + OK + b"Content-Length: 1\r\n\r\nx", b"x", True),
    (
        b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 7
        + b"HTTP/1.1 102 Processing\r\n\r\n"
        + OK
        + b"Content-Length: 1\r\n\r\nx",
        b"x",
        True,
    ),
]


@pytest.mark.parametrize(("data", "body", "persistent"), WHOLE)
@pytest.mark.parametrize("step", [1, 2, 3, 7, 1 << 20])
def test_whole_responses_however_they_are_cut(
    data: bytes, body: bytes, persistent: bool, step: int
) -> None:
    found = take(data, step=step)
    assert (found.body, found.persistent, found.excess) == (body, persistent, b"")


def test_the_head_as_it_was_written() -> None:
    found = take(OK + b"X-One:  a b \r\nx-ONE: c\r\nSet: \xff\r\nContent-Length: 0\r\n\r\n").head
    assert (found.version, found.status, found.reason) == ("1.1", 200, "OK")
    assert found.fields[:3] == [("X-One", "a b"), ("x-ONE", "c"), ("Set", "\xff")]
    assert found.all("x-one") == ["a b", "c"]
    assert found.get("x-One") == "a b" and found.get("none", "-") == "-"


def test_methods_and_statuses_without_a_body() -> None:
    for data, method in (
        (OK + b"Content-Length: 5\r\n\r\n", "HEAD"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n", "HEAD"),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", "GET"),
        (OK + b"\r\n", "CONNECT"),
    ):
        found = take(data, method)
        assert (found.body, found.persistent) == (b"", True)
    assert take(OK + b"\r\ntunnel", "CONNECT").excess == b"tunnel"


def test_what_nobody_asked_for_is_seen() -> None:
    """A connection with bytes left over must not be used again."""
    assert take(OK + b"Content-Length: 1\r\n\r\nxyz").excess == b"yz"
    assert take(OK + b"Content-Length: 1\r\n\r\nxyz", step=1).body == b"x"
    assert take(CHUNKED + b"1\r\nx\r\n0\r\n\r\nHTTP").excess == b"HTTP"


CUT = [
    b"",
    b"HTTP",
    b"HTTP/1.1 200 OK",
    OK + b"Content-Le",
    b"HTTP/1.1 100 Continue\r\n\r\n",
    OK + b"Content-Length: 5\r\n\r\nhell",
    CHUNKED,
    CHUNKED + b"3",
    CHUNKED + b"3\r\nab",
    CHUNKED + b"3\r\nabc\r\n",
    CHUNKED + b"3\r\nabc\r\n0\r\n",
    CHUNKED + b"3\r\nabc\r\n0\r\nTrailer: x\r\n",
]


@pytest.mark.parametrize("data", CUT)
@pytest.mark.parametrize("step", [1, 1 << 20])
def test_a_cut_response_is_never_a_whole_one(data: bytes, step: int) -> None:
    with pytest.raises(Truncated):
        take(data, step=step)


def test_an_end_without_farewell_is_a_cut() -> None:
    data = OK + b"\r\nhello"
    assert take(data).body == b"hello"
    with pytest.raises(Truncated):
        take(data, cut=True)
    assert take(OK + b"Content-Length: 5\r\n\r\nhello", cut=True).body == b"hello"


WRONG = [
    b"SSH-2.0-OpenSSH_9\r\n",
    b"220 mail ESMTP\r\n",
    b"\x15\x03\x01\x00\x02\x02\x46",
    b"\xff" * 3000,
    b"HTTP/1.1 abc\r\n\r\n",
    b"HTTP/2.0 200 OK\r\n\r\n",
    b"HTTP/1.1 99 Low\r\n\r\n",
    b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
    OK + b"no colon\r\n\r\n",
    OK + b"X : y\r\n\r\n",
    OK + b"X: a\0b\r\n\r\n",
    OK + b"Content-Length: x\r\n\r\n",
    OK + b"Content-Length: -1\r\n\r\n",
    OK + b"Content-Length: +1\r\n\r\n",
    OK + b"Content-Length: 1, 2\r\n\r\n",
    OK + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
    OK + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n",
    OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n",
    CHUNKED + b"x\r\n",
    CHUNKED + b"-1\r\n",
    CHUNKED + b"+1\r\nx\r\n",
    CHUNKED + b"0x1\r\nx\r\n",
    CHUNKED + b"1_0\r\n",
    CHUNKED + b"\r\n",
    CHUNKED + b"1" * 17 + b"\r\n",
    CHUNKED + b"3\nabc",
    CHUNKED + b"3\r\nabcd\r\n",
    CHUNKED + b"3;" + b"x" * 5000 + b"\r\n",
    CHUNKED + b"0\r\n" + b"T: x\r\n" * 20000,
    OK + b"X: " + b"x" * 100000 + b"\r\n\r\n",
    OK + b"X: y\r\n" * 20000 + b"\r\n",
    b"HTTP/1.1 103 Hints\r\n" + b"X: y\r\n" * 20000 + b"\r\n",
]


@pytest.mark.parametrize("data", WRONG)
@pytest.mark.parametrize("step", [1000, 1 << 20])
def test_what_is_no_response(data: bytes, step: int) -> None:
    with pytest.raises(ProtocolError) as caught:
        take(data, step=step)
    assert not isinstance(caught.value, Truncated)


def test_limits_count_bytes_and_not_lines() -> None:
    head = OK + b"X: y\r\n" * 10000 + b"Content-Length: 1\r\n\r\n"
    assert HEAD - 6000 < len(head) < HEAD
    assert take(head + b"x").body == b"x"
    many = b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n" * 5000
    assert take(many + OK + b"Content-Length: 1\r\n\r\nx").body == b"x"


def test_a_head_that_is_too_long_is_not_waited_for() -> None:
    exchange = ask()
    sent = 0
    with pytest.raises(ProtocolError):
        while exchange.head() is None:
            exchange.receive(
                b"HTTP/1.1 200 OK\r\nX: ".ljust(exchange.wants, b"x")
                if not sent
                else b"x" * exchange.wants
            )
            sent += exchange.wants
    assert sent < HEAD + 2 * 16384


@pytest.mark.parametrize(
    ("name", "value"),
    [("a b", "x"), ("X", "a\nb"), ("X", "a\r\nY: z"), ("X", "a\0b"), ("", "x"), ("ü", "x")],
)
def test_a_header_that_cannot_be_sent(name: str, value: str) -> None:
    with pytest.raises(ProtocolError):
        Exchange("GET", "/", [("Host", "h"), (name, value)])


def test_a_request_as_it_is_sent() -> None:
    exchange = Exchange(
        "PUT", "/a?b", [("Host", "h"), ("X-Y", " ü\udcff "), ("Content-Length", "3")]
    )
    assert (
        exchange.request
        == b"PUT /a?b HTTP/1.1\r\nHost: h\r\nX-Y: \xc3\xbc\xff\r\nContent-Length: 3\r\n\r\n"
    )
    for target in ("/a b", "/ü", ""):
        with pytest.raises(ProtocolError):
            Exchange("GET", target, [("Host", "h")])


@given(st.lists(st.binary(min_size=1, max_size=50), max_size=8), st.integers(1, 40))
def test_chunks_of_any_size_cut_anywhere(chunks: list[bytes], step: int) -> None:
    data = CHUNKED + b"".join(b"%x\r\n%b\r\n" % (len(c), c) for c in chunks) + b"0\r\n\r\n"
    assert take(data, step=step).body == b"".join(chunks)


@given(
    st.binary(max_size=300), st.integers(1, 50), st.sampled_from([b"", OK, CHUNKED, OK + b"\r\n"])
)
def test_any_bytes_are_a_response_or_one_error(data: bytes, step: int, begun: bytes) -> None:
    try:
        take(begun + data, step=step)
    except ProtocolError:
        pass
