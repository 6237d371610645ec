"""The client on the loopback, against servers whose every byte the test says.

Breaks when a connection is used again that must not be, when a silent server, address or resolver holds it up
for longer than was said, when an address of a name is never tried, or when a cut body passes for a whole one.
"""

from __future__ import annotations

import io
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.applets.networking.test_wget import certificate
from toolbox.names import Place, Unresolved
from toolbox.net import ProtocolError
from toolbox.net.url import URL
from toolbox.web import ConnectTimeout, NoConnection, NoTLS, ProxyRefused, Untrusted, connect, tls
from toolbox.web.client import Client
from toolbox.web.connect import Settings, spread

OK = b"HTTP/1.1 200 OK\r\n"
ONE = OK + b"Content-Length: 1\r\n\r\n"


class Wire:
    """The server's end of one connection."""

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock
        self.file = sock.makefile("rb")

    def head(self) -> bytes:
        """The next request's head; b"" at the end."""
        lines = []
        while (line := self.file.readline()) and line != b"\r\n":
            lines.append(line)
        return b"".join(lines)

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def reset(self) -> None:
        """End it without a farewell."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


Script = Callable[[Wire], Any]


class Server:
    """Plays a script for each connection, the last one for all further ones; `heads` is what it was asked."""

    def __init__(self, *scripts: Script, context: ssl.SSLContext | None = None) -> None:
        self.scripts = scripts
        self.context = context
        self.heads: list[bytes] = []
        self.connections = 0
        self.over = threading.Event()
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = int(self.socket.getsockname()[1])
        self.threads = [threading.Thread(target=self._accept, daemon=True)]
        self.threads[0].start()

    def _accept(self) -> None:
        while True:
            sock, _ = self.socket.accept()
            if self.over.is_set():
                return
            script = self.scripts[min(self.connections, len(self.scripts) - 1)]
            self.connections += 1
            thread = threading.Thread(target=self._play, args=(sock, script), daemon=True)
            self.threads.append(thread)
            thread.start()

    def _play(self, sock: socket.socket, script: Script) -> None:
        try:
            if self.context is not None:
                sock = self.context.wrap_socket(sock, server_side=True)
            with sock:
                script(Wire(sock))
        except OSError:
            pass  # the client has gone

    def close(self) -> None:
        self.over.set()
        socket.create_connection(("127.0.0.1", self.port)).close()
        self.threads[0].join()
        self.socket.close()

    def url(self, path: str = "/", scheme: str = "http", host: str = "127.0.0.1") -> URL:
        return URL(f"{scheme}://{host}:{self.port}{path}")


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    made: list[Server] = []

    def start(*scripts: Script, **more: Any) -> Server:
        server = Server(*scripts, **more)
        made.append(server)
        return server

    yield start
    for server in made:
        server.close()


def client(**settings: Any) -> Client:
    usual = {"connect_timeout": 5.0, "read_timeout": 5.0, "use_proxy": False}
    return Client(Settings(**{**usual, **settings}))


def answer(data: bytes, heads: list[bytes] | None = None, times: int = 1 << 30) -> Script:
    """The same to each request of a connection, `times` in all."""

    def script(wire: Wire) -> None:
        for _ in range(times):
            head = wire.head()
            if not head:
                return
            if heads is not None:
                heads.append(head)
            wire.send(data)

    return script


def test_a_request_and_its_response(serve: Callable[..., Server]) -> None:
    heads: list[bytes] = []
    server = serve(answer(OK + b"Content-Length: 5\r\n\r\nhello", heads))
    with client().request(server.url("/a?b"), headers=[("X", "y")]) as response:
        assert (response.status, response.reason, response.left) == (200, "OK", 5)
        assert response.read(2) == b"he" and response.left == 3
        assert response.read_all(100) == b"llo" and response.read() == b""
    assert heads == [b"GET /a?b HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nX: y\r\n" % server.port]


# -- one connection for several requests -------------------------------------------------------------


def test_a_connection_is_used_again(serve: Callable[..., Server]) -> None:
    server = serve(answer(ONE + b"x"))
    one = client()
    for _ in range(5):
        with one.request(server.url()) as response:
            assert response.read_all(9) == b"x"
    for _ in range(3):
        one.request(server.url()).close()  # the little that is left is read
    assert server.connections == 1
    one.close()


@pytest.mark.parametrize(
    "data",
    [
        OK + b"Connection: close\r\nContent-Length: 1\r\n\r\nx",
        b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx",
        ONE + b"xy",
        ONE + b"xHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nz",
    ],
)
def test_a_connection_that_is_not_good_any_more(data: bytes, serve: Callable[..., Server]) -> None:
    """It was to be closed, or bytes came that nobody asked for: the next answer would be another's."""
    server = serve(answer(data))
    one = client()
    for _ in range(3):
        with one.request(server.url()) as response:
            assert response.read_all(1) == b"x"
    assert server.connections == 3


def test_a_large_rest_is_not_read(serve: Callable[..., Server]) -> None:
    server = serve(answer(OK + b"Content-Length: 99999999\r\n\r\n" + bytes(1000)))
    one = client()
    for _ in range(2):
        before = time.monotonic()
        one.request(server.url()).close()
        assert time.monotonic() - before < 3
    assert server.connections == 2


def test_a_rest_that_does_not_come_is_not_waited_for(serve: Callable[..., Server]) -> None:
    server = serve(answer(OK + b"Content-Length: 9\r\n\r\nx"))
    one = client(read_timeout=60.0)
    before = time.monotonic()
    one.request(server.url()).close()
    assert time.monotonic() - before < 10


@pytest.mark.parametrize("how", ["closed", "reset", "within"])
def test_a_kept_connection_that_was_closed_meanwhile(
    how: str, serve: Callable[..., Server]
) -> None:
    def once(wire: Wire) -> None:
        wire.head()
        wire.send(ONE + b"x")
        if how == "within":
            wire.head()  # the next request is taken, and not answered
        if how == "reset":
            wire.reset()

    server = serve(once, answer(ONE + b"y"))
    one = client()
    assert one.request(server.url()).read_all(2) == b"x"
    if how != "within":
        while not one._idle or not one._idle.speaks:
            threading.Event().wait(0.01)
    assert one.request(server.url()).read_all(2) == b"y"
    assert server.connections == 2


def test_what_must_not_be_sent_twice_gets_its_own_connection(serve: Callable[..., Server]) -> None:
    server = serve(answer(ONE + b"x"))
    one = client()
    one.request(server.url()).read_all(2)
    one.request(server.url(), "POST", body=b"").close()
    assert server.connections == 2
    server = serve(lambda wire: wire.head())
    with pytest.raises(NoConnection):
        client().request(server.url(), "POST", body=b"x")
    assert server.connections == 1


def test_a_new_connection_that_is_closed_is_not_tried_again(serve: Callable[..., Server]) -> None:
    server = serve(lambda wire: wire.head())
    with pytest.raises(NoConnection, match="without an answer"):
        client().request(server.url())
    assert server.connections == 1


def test_another_server_gets_another_connection(serve: Callable[..., Server]) -> None:
    first, second = serve(answer(ONE + b"1")), serve(answer(ONE + b"2"))
    one = client()
    for server, body in ((first, b"1"), (second, b"2"), (first, b"1")):
        assert one.request(server.url()).read_all(2) == body
    assert (first.connections, second.connections) == (2, 1)


# -- heads and bodies --------------------------------------------------------------------------------


def test_informational_responses_are_passed_over(serve: Callable[..., Server]) -> None:
    hints = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 1000
    server = serve(answer(b"HTTP/1.1 100 Continue\r\n\r\n" + hints + ONE + b"x"))
    one = client()
    for _ in range(2):
        assert one.request(server.url()).read_all(2) == b"x"
    assert server.connections == 1


@pytest.mark.parametrize(
    "data",
    [
        OK + b"Content-Length: 9\r\n\r\nhello",
        OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n",
    ],
)
def test_a_cut_body(data: bytes, serve: Callable[..., Server]) -> None:
    server = serve(answer(data, times=1))
    response = client().request(server.url())
    assert response.read() == b"hello"
    with pytest.raises(NoConnection):
        response.read()


def test_a_body_that_ends_with_the_connection(serve: Callable[..., Server]) -> None:
    server = serve(answer(OK + b"\r\nhello", times=1))
    response = client().request(server.url())
    assert response.left is None
    assert response.read_all(100) == b"hello"


def test_no_http(serve: Callable[..., Server]) -> None:
    """It is not waited for what more such a server may say."""
    server = serve(lambda wire: (wire.send(b"SSH-2.0-x\r\n"), wire.head(), wire.head()))
    with pytest.raises(ProtocolError, match="SSH-2"):
        client(read_timeout=60.0).request(server.url())


# -- times -------------------------------------------------------------------------------------------


def test_silence_before_and_within_an_answer(serve: Callable[..., Server]) -> None:
    server = serve(lambda wire: (wire.head(), wire.head()))
    with pytest.raises(TimeoutError):
        client(read_timeout=0.05).request(server.url())
    server = serve(answer(ONE))
    response = client(read_timeout=0.05).request(server.url())
    with pytest.raises(TimeoutError):
        response.read()


def test_a_head_that_drips(serve: Callable[..., Server]) -> None:
    def drip(wire: Wire) -> None:
        wire.head()
        while True:
            wire.send(b"HTTP/1.1 103 x\r\n\r\n")
            threading.Event().wait(0.01)

    server = serve(drip)
    with pytest.raises(TimeoutError):
        client(head_timeout=0.2).request(server.url())


def full() -> tuple[socket.socket, list[socket.socket]]:
    """A listener whose queue is full: connections to it get no answer."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=0)
    waiting = []
    for _ in range(4):
        sock = socket.socket()
        sock.setblocking(False)
        sock.connect_ex(listener.getsockname())
        waiting.append(sock)
    return listener, waiting


def test_an_address_that_does_not_answer(serve: Callable[..., Server]) -> None:
    listener, waiting = full()
    url = URL(f"http://127.0.0.1:{listener.getsockname()[1]}/")
    with pytest.raises(ConnectTimeout):
        client(connect_timeout=0.1, read_timeout=60.0).request(url)
    for sock in (listener, *waiting):
        sock.close()


def test_a_handshake_that_does_not_come(serve: Callable[..., Server]) -> None:
    server = serve(lambda wire: wire.head())
    with pytest.raises(TimeoutError):
        client(connect_timeout=0.1, read_timeout=60.0).request(server.url(scheme="https"))


def test_a_resolver_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *a: over.wait(30) and [])
    with pytest.raises(Unresolved, match="no answer within"):
        client(dns_timeout=0.05).request(URL("http://h/"))
    over.set()


@pytest.mark.parametrize("seconds", [90 * 86400.0, 1e18, float("inf")])
def test_times_of_any_length(seconds: float, serve: Callable[..., Server]) -> None:
    server = serve(answer(ONE + b"x"))
    times = dict.fromkeys(
        ("connect_timeout", "read_timeout", "head_timeout", "dns_timeout"), seconds
    )
    assert client(**times).request(server.url()).read_all(2) == b"x"
    assert client(**dict.fromkeys(times)).request(server.url()).read_all(2) == b"x"


# -- addresses ---------------------------------------------------------------------------------------


def places(*texts: str) -> list[Place]:
    v4, v6 = socket.AF_INET, socket.AF_INET6
    return [Place(v6, (t, 0, 0, 0), t) if ":" in t else Place(v4, (t, 0), t) for t in texts]


def named(monkeypatch: pytest.MonkeyPatch, *texts: str) -> None:
    """Let every name have these addresses."""

    def resolve(host: str, port: int = 0, **more: object) -> list[Place]:
        return [p._replace(address=(p.text, port, *p.address[2:])) for p in places(*texts)]

    monkeypatch.setattr(connect, "resolve", resolve)


def test_all_addresses_are_tried(
    serve: Callable[..., Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve(answer(ONE + b"x"))
    named(monkeypatch, "::1", "127.0.0.2", "127.0.0.3", "127.0.0.1")
    said: list[str] = []
    one = Client(Settings(connect_timeout=5.0, use_proxy=False), said.append)
    assert one.request(server.url(host="name.example")).read_all(2) == b"x"
    words = "".join(said)
    assert words.count("Connecting to name.example|") == 4
    assert words.count("failed: Connection refused.") >= 2
    assert f"|127.0.0.1|:{server.port}... connected.\n" in words


def test_an_address_that_does_not_answer_does_not_hold_up_the_next(
    serve: Callable[..., Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connect, "ATTEMPT", 0.1)
    server = serve(answer(ONE + b"x"))
    named(monkeypatch, "240.0.0.1", "127.0.0.1")
    true = connect._try

    def attempt(place: Place, timeout: float | None, source: str) -> socket.socket:
        if place.text == "240.0.0.1":
            assert timeout == 0.1
            raise TimeoutError("timed out")
        return true(place, timeout, source)

    monkeypatch.setattr(connect, "_try", attempt)
    one = client(connect_timeout=None)
    assert one.request(server.url(host="name.example")).read_all(2) == b"x"


def test_the_most_telling_failure_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    named(monkeypatch, "127.0.0.1", "255.255.255.255")
    with pytest.raises(ConnectionRefusedError):
        client().request(URL("http://name.example:1/"))


def test_families_take_turns() -> None:
    found = spread(places("::1", "::2", "::3", "1.1.1.1", "2.2.2.2", "3.3.3.3", "4.4.4.4"))
    assert [p.text for p in found] == [
        *("::1", "1.1.1.1", "::2", "2.2.2.2", "::3", "3.3.3.3", "4.4.4.4"),
    ]


def test_an_address_of_ours(serve: Callable[..., Server]) -> None:
    peers = []
    server = serve(lambda wire: (peers.append(wire.socket.getpeername()[0]), wire.head()))
    with pytest.raises(NoConnection):
        client(bind_address="127.0.0.9").request(server.url())
    assert peers == ["127.0.0.9"]
    for wrong in ("a..b", "::1", "nobody.invalid", "\udcff"):
        with pytest.raises(OSError):
            client(bind_address=wrong).request(server.url())


# -- bodies that are sent ----------------------------------------------------------------------------


def test_a_file_is_sent_from_where_it_is(serve: Callable[..., Server]) -> None:
    got: list[bytes] = []

    def script(wire: Wire) -> None:
        head = wire.head()
        size = int(head.partition(b"Content-Length: ")[2].split(b"\r\n")[0])
        got.append(wire.file.read(size))
        wire.send(ONE + b"x")

    server = serve(script)
    file = io.BytesIO(b"not this" + bytes(range(256)) * 2000)
    file.seek(8)
    assert client().request(server.url(), "PUT", body=file, size=512000).read_all(2) == b"x"
    assert got == [bytes(range(256)) * 2000]
    with pytest.raises(OSError, match="shorter"):
        client().request(server.url(), "PUT", body=io.BytesIO(b"abc"), size=4)


@pytest.mark.parametrize("reset", [False, True])
def test_a_server_that_wants_no_more_is_heard(reset: bool, serve: Callable[..., Server]) -> None:
    """It answers at the head, and reads nothing of the body, which would fill all buffers."""

    def script(wire: Wire) -> None:
        wire.head()
        wire.send(b"HTTP/1.1 413 Too Large\r\nContent-Length: 4\r\n\r\nless")
        if reset:
            wire.socket.shutdown(socket.SHUT_WR)
        else:
            wire.socket.recv(1 << 16, socket.MSG_WAITALL)

    server = serve(script)
    size = 200 << 20

    class Zeros(io.RawIOBase):
        def read(self, size: int = -1) -> bytes:
            return bytes(size)

    response = client().request(server.url(), "PUT", body=Zeros(), size=size)  # type: ignore[arg-type]
    assert (response.status, response.read_all(9)) == (413, b"less")


def test_continue_means_go_on(serve: Callable[..., Server]) -> None:
    def script(wire: Wire) -> None:
        wire.head()
        wire.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        wire.file.read(1 << 20)
        wire.send(ONE + b"x")

    server = serve(script)
    body = io.BytesIO(bytes(1 << 20))
    assert client().request(server.url(), "PUT", body=body, size=1 << 20).read_all(2) == b"x"


# -- proxies and TLS ---------------------------------------------------------------------------------


def proxied(monkeypatch: pytest.MonkeyPatch, server: Server, user: str = "") -> None:
    for name in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(name, f"http://{user}127.0.0.1:{server.port}")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)


def test_a_proxy_is_asked_for_the_whole_url(
    serve: Callable[..., Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    heads: list[bytes] = []
    server = serve(answer(ONE + b"x", heads))
    proxied(monkeypatch, server, "u:p@")
    assert client(use_proxy=True).request(URL("http://far.invalid/x")).read_all(2) == b"x"
    assert heads[0].startswith(b"GET http://far.invalid/x HTTP/1.1\r\nHost: far.invalid\r\n")
    assert b"Proxy-Authorization: Basic dTpw" in heads[0]
    with pytest.raises(Unresolved):
        client(use_proxy=False).request(URL("http://far.invalid/x"))


def test_a_tunnel(
    serve: Callable[..., Server], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    inside = certificate(tmp_path, "far.invalid")
    heads: list[bytes] = []

    def tunnel(wire: Wire) -> None:
        heads.append(wire.head())
        wire.send(b"HTTP/1.1 103 Wait\r\n\r\n" + OK + b"X: y\r\n" * 200 + b"\r\n")
        with inside.wrap_socket(wire.socket, server_side=True) as sock:
            answer(ONE + b"x", heads)(Wire(sock))

    server = serve(tunnel)
    proxied(monkeypatch, server, "u:p@")
    trusted = str(tmp_path / "cert.pem")
    one = client(use_proxy=True, context=lambda: tls.context(authorities=trusted))
    for _ in range(2):
        assert one.request(URL("https://far.invalid/x")).read_all(2) == b"x"
    assert server.connections == 1
    assert heads[0].startswith(b"CONNECT far.invalid:443 HTTP/1.1\r\nHost: far.invalid:443\r\n")
    assert b"Proxy-Authorization" in heads[0] and b"Proxy-Authorization" not in heads[1]
    assert heads[1].startswith(b"GET /x HTTP/1.1\r\nHost: far.invalid\r\n")


def test_a_proxy_that_makes_no_way(
    serve: Callable[..., Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    for data, error in (
        (b"HTTP/1.1 407 Log In\r\nContent-Length: 0\r\n\r\n", ProxyRefused),
        (b"HTTP/1.1 200", NoConnection),
        (b"SSH-2.0-x\r\n", ProtocolError),
    ):
        proxied(monkeypatch, serve(answer(data, times=1)))
        with pytest.raises(error):
            client(use_proxy=True).request(URL("https://far.invalid/"))


def test_whom_tls_believes(serve: Callable[..., Server], tmp_path: Path) -> None:
    server = serve(answer(ONE + b"x"), context=certificate(tmp_path, "127.0.0.1"))
    url = server.url(scheme="https")
    trusting = {"context": lambda: tls.context(authorities=str(tmp_path / "cert.pem"))}
    assert client(**trusting).request(url).read_all(2) == b"x"
    with pytest.raises(Untrusted, match="self-signed"):
        client().request(url)
    with pytest.raises(Untrusted, match=r"mismatch|not valid for"):
        client(**trusting).request(URL(f"https://localhost:{server.port}/"))
    assert client(context=lambda: tls.context(check=False)).request(url).read_all(2) == b"x"
    plain = serve(lambda wire: (wire.socket.recv(1), wire.send(b"HTTP/1.1 400 Bad\r\n\r\n")))
    with pytest.raises(NoTLS):
        client().request(plain.url(scheme="https"))


def test_a_name_with_a_dot_at_its_end(
    serve: Callable[..., Server], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The certificate is for the name without it (RFC 6066 3)."""
    named(monkeypatch, "127.0.0.1")
    server = serve(answer(ONE + b"x"), context=certificate(tmp_path, "name.example"))
    one = client(context=lambda: tls.context(authorities=str(tmp_path / "cert.pem")))
    url = server.url(scheme="https", host="name.example.")
    assert one.request(url).read_all(2) == b"x"


@pytest.mark.parametrize("farewell", [True, False])
def test_over_tls_only_a_farewell_ends_a_body_without_length(
    farewell: bool, serve: Callable[..., Server], tmp_path: Path
) -> None:
    """Whoever sits in between can cut the connection, but not say farewell in the server's name."""

    def script(wire: Wire) -> None:
        wire.head()
        wire.send(OK + b"\r\nhello")
        if farewell:
            try:
                wire.socket.unwrap()  # type: ignore[attr-defined]
            except OSError:
                pass  # the client does not answer it
        wire.socket.shutdown(socket.SHUT_WR)

    server = serve(script, context=certificate(tmp_path, "127.0.0.1"))
    one = client(context=lambda: tls.context(authorities=str(tmp_path / "cert.pem")))
    response = one.request(server.url(scheme="https"))
    assert response.read() == b"hello"
    if farewell:
        assert response.read() == b""
    else:
        with pytest.raises(NoConnection):
            response.read()
