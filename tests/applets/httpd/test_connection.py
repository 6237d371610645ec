"""HTTP/1.1 between the lines: empty lines, limits, and how a connection ends.

Breaks when httpd closes a connection without having said so, loses its last answer, or takes more than its limits say.
"""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator

import h11
import pytest

from applets.httpd import connection
from applets.httpd.connection import Connection
from applets.httpd.message import Request, Response, plain

ONE = b"GET / HTTP/1.1\r\nHost: box\r\n\r\n"


class Served:
    """A connection that is served in a thread, and our end of it."""

    def __init__(self, sock: socket.socket, thread: threading.Thread) -> None:
        self.sock = sock
        self.thread = thread
        self.asked: list[str] = []
        self.failures: list[Exception] = []

    def answers(self, data: bytes, *, end: bool = True) -> list[bytes]:
        """Send it all; the heads of the answers until the server closes."""
        sender = threading.Thread(target=self._send, args=(data, end))
        sender.start()
        received = b""
        try:
            while block := self.sock.recv(65536):
                received += block
        finally:
            sender.join()
        self.thread.join(20)
        assert not self.thread.is_alive()
        return re.findall(rb"HTTP/1\.1 (\d{3} .*?)\r\n\r\n", received, re.DOTALL)

    def _send(self, data: bytes, end: bool) -> None:
        try:
            self.sock.sendall(data)
            if end:
                self.sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # it has closed, and the answers say why


@pytest.fixture
def served() -> Iterator[Served]:
    yield from serve()


def serve() -> Iterator[Served]:
    listening = socket.create_server(("127.0.0.1", 0))
    ours = socket.create_connection(listening.getsockname(), 20)
    theirs, _ = listening.accept()
    listening.close()

    def handler(request: Request) -> Response:
        result.asked.append(request.path)
        if request.path == "/fault":
            raise KeyError("a fault of ours")
        if request.path == "/body":
            return plain(200, f"{len(request.read_body(1 << 20))} bytes")
        if request.path == "/pieces":
            return Response(200, [], iter([b"a", b"b"]))
        return plain(200, "good")

    def run() -> None:
        made = Connection(
            theirs,
            "127.0.0.1",
            handler,
            lambda: False,
            lambda request, status: None,
            lambda request, error: result.failures.append(error),
        )
        try:
            made.serve()
            made.linger()
        except (OSError, connection.Gone):
            pass
        theirs.close()

    result = Served(ours, threading.Thread(target=run))
    result.thread.start()
    yield result
    ours.close()
    result.thread.join(20)


def says_close(head: bytes) -> bool:
    return b"connection: close" in head.lower()


# -- empty lines (RFC 9112, 2.2) -------------------------------------------------------------------


@pytest.mark.parametrize(
    "before",
    [b"\r\n", b"\n", b"\r\n\r\n", b"\n\r\n\n", b"\r\n" * 16],
    ids=lambda before: before.hex(),
)
def test_empty_lines_before_a_request(served: Served, before: bytes) -> None:
    """Before the first, and between requests, as old browsers send one after a form."""
    form = b"POST /body HTTP/1.1\r\nHost: box\r\nContent-Length: 3\r\n\r\nabc"
    heads = served.answers(before + ONE + before + form + before + ONE + before)
    assert [head[:3] for head in heads] == [b"200"] * 3
    assert served.asked == ["/", "/body", "/"]


@pytest.mark.parametrize("cut", range(1, 9))
def test_empty_lines_that_come_in_pieces(served: Served, cut: int) -> None:
    data = b"\r\n\r\n" + ONE + b"\r\n\r\n" + ONE
    served.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for at in range(0, len(data), cut):
        served.sock.sendall(data[at : at + cut])
    assert [head[:3] for head in served.answers(b"")] == [b"200"] * 2


@pytest.mark.parametrize(
    "data", [b"\r\n" * 40 + ONE, b"\r" + ONE, b"\r\r\n" + ONE, b" \r\n" + ONE, b"\0\r\n" + ONE]
)
def test_what_is_no_empty_line(served: Served, data: bytes) -> None:
    heads = served.answers(data)
    assert [head[:3] for head in heads] == [b"400"] and says_close(heads[0])


# -- limits ----------------------------------------------------------------------------------------


def head_of(size: int) -> bytes:
    """A request whose head has so many bytes."""
    return ONE[:-2] + b"X: " + b"x" * (size - len(ONE) - 5) + b"\r\n\r\n"


@pytest.mark.parametrize("first", [b"", ONE, ONE * 3], ids=["alone", "second", "fourth"])
@pytest.mark.parametrize(
    ("size", "status"),
    [(16000, b"200"), (16384, b"200"), (16385, b"431"), (17000, b"431"), (32300, b"431")],
)
def test_the_longest_head(served: Served, first: bytes, size: int, status: bytes) -> None:
    head = head_of(size)
    assert len(head) == size
    heads = served.answers(first + head)
    assert [one[:3] for one in heads] == [b"200"] * first.count(ONE) + [status]


@pytest.mark.parametrize(("lines", "status"), [(127, b"200"), (128, b"431"), (1500, b"431")])
def test_the_most_header_lines(served: Served, lines: int, status: bytes) -> None:
    more = b"".join(b"a%d: \r\n" % number for number in range(lines))
    assert [one[:3] for one in served.answers(ONE[:-2] + more + b"\r\n")] == [status]


def test_a_body_that_trickles(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends after the time that its length allows, though something comes all the while."""
    monkeypatch.setattr(connection, "BODY_TIME", 0.5)
    served.sock.sendall(b"POST /body HTTP/1.1\r\nHost: box\r\nContent-Length: 1000\r\n\r\n")
    served.sock.settimeout(0.05)
    received = b""
    while not received:
        try:
            served.sock.sendall(b"x")
            received = served.sock.recv(65536)
        except TimeoutError:
            continue
    assert received.startswith(b"HTTP/1.1 408") and says_close(received)


# -- how it ends (RFC 9112, 9.6) -------------------------------------------------------------------

#: What makes httpd close after its last answer: with each it is said there, and nowhere before.
ENDS = {
    "the client's wish": ONE + ONE[:-2] + b"Connection: close\r\n\r\n",
    "the old protocol": ONE + b"GET / HTTP/1.0\r\n\r\n",
    "a head that is none": ONE + b"nonsense\r\n\r\n",
    "two hosts": ONE + b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "a head too long": ONE + head_of(20000),
    "a fault of ours": ONE + ONE.replace(b"/", b"/fault", 1),
    "a body nobody reads": ONE
    + ONE[:-2].replace(b"GET", b"PUT")
    + b"Content-Length: 300000\r\n\r\n",
    "one that may come or not": ONE
    + ONE[:-2].replace(b"GET", b"PUT")
    + b"Content-Length: 5\r\nExpect: 100-continue\r\n\r\n",
    "a body too long": ONE
    + b"PUT /body HTTP/1.1\r\nHost: box\r\nContent-Length: 2000000\r\n\r\n"
    + b"x" * 2_000_000,
    "a chunk that is none": ONE
    + b"PUT /body HTTP/1.1\r\nHost: box\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
}


@pytest.mark.parametrize("why", ENDS)
def test_the_last_answer_says_that_it_is_the_last(served: Served, why: str) -> None:
    heads = served.answers(ENDS[why], end=False)
    assert [says_close(head) for head in heads] == [False, True], heads


def test_after_a_thousand_requests(served: Served) -> None:
    heads = served.answers(ONE * 1005, end=False)
    assert len(heads) == connection.REQUESTS
    assert [says_close(head) for head in heads] == [False] * 999 + [True]


@pytest.mark.parametrize(
    "data",
    [
        ONE * 2,
        ONE.replace(b"GET", b"HEAD") * 2,
        b"PUT /body HTTP/1.1\r\nHost: box\r\nContent-Length: 5\r\n\r\nabcde" * 2,
        b"PUT / HTTP/1.1\r\nHost: box\r\nContent-Length: 5\r\n\r\nabcde" * 2,
        b"PUT / HTTP/1.1\r\nHost: box\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n" * 2,
        ONE.replace(b"/", b"/pieces", 1) * 2,
        (ONE[:-2] + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\r\n") * 2,
        b"OPTIONS /x HTTP/1.1\r\nHost: box\r\n\r\n" * 2,
    ],
)
def test_what_does_not_end_a_connection(served: Served, data: bytes) -> None:
    heads = served.answers(data)
    assert [says_close(head) for head in heads] == [False, False], heads


def test_the_last_answer_is_not_lost(served: Served) -> None:
    """The client goes on sending when the answer is there already: no reset destroys it."""
    head = b"PUT / HTTP/1.1\r\nHost: box\r\nContent-Length: 40000000\r\n\r\n"
    heads = served.answers(head + bytes(40_000_000), end=False)
    assert [one[:3] for one in heads] == [b"200"] and says_close(heads[0])


def test_a_fault_of_ours_is_an_answer_and_a_report(served: Served) -> None:
    heads = served.answers(ONE.replace(b"/", b"/fault", 1), end=False)
    assert [head[:3] for head in heads] == [b"500"]
    assert [repr(one) for one in served.failures] == ["KeyError('a fault of ours')"]


def test_a_client_of_h11_never_loses_a_request(served: Served) -> None:
    """As the rule has it: after `close` none is sent, and each that is sent is answered."""
    client = h11.Connection(h11.CLIENT)
    sent = answered = 0
    while True:
        data = client.send(h11.Request(method="GET", target="/", headers=[("Host", "box")]))
        served.sock.sendall((data or b"") + (client.send(h11.EndOfMessage()) or b""))
        sent += 1
        while not isinstance(event := client.next_event(), h11.EndOfMessage):
            if event is h11.NEED_DATA:
                client.receive_data(served.sock.recv(65536))
        answered += 1
        if client.our_state is h11.MUST_CLOSE:
            break
        client.start_next_cycle()
    assert sent == answered == connection.REQUESTS
