"""Requests and their responses, one after the other; a connection is kept for the next request to its server."""

from __future__ import annotations

import errno
import time

from toolbox.net.exchange import Exchange, Truncated
from toolbox.web import NoConnection
from toolbox.web.connect import Settings, basic, connect, key_of, receive_head

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import IO

    from toolbox.net.exchange import Body, Head
    from toolbox.net.url import URL
    from toolbox.web.connect import Connection

#: Bytes that are received, and sent, at once.
BLOCK = 1 << 16

#: So much of a body that nobody reads is read all the same, within so many seconds: the connection stays good.
DRAIN, DRAIN_TIME = 1 << 16, 1.0

#: What may be sent twice, if the connection that was kept was closed meanwhile (RFC 9110 9.2.2).
IDEMPOTENT = ("GET", "HEAD", "OPTIONS", "PUT", "DELETE")


class Client:
    """Asks servers.  Redirections are the caller's: he knows what may go where."""

    def __init__(self, settings: Settings, say: Callable[[str], None] = lambda text: None) -> None:
        """say: hears of connections, in words as wget's."""
        self.settings = settings
        self.say = say
        self._idle: Connection | None = None

    def close(self) -> None:
        """Close the connection that is kept."""
        if self._idle is not None:
            self._idle.close()
            self._idle = None

    def request(
        self,
        url: URL,
        method: str = "GET",
        headers: Iterable[tuple[str, str]] = (),
        body: bytes | IO[bytes] | None = None,
        size: int = 0,
    ) -> Response:
        """Send a request; its response, whose body is still to be read.

        headers: Host comes by itself; body: a file is read from where it is, `size` bytes of it.
        OSError and ProtocolError as the package says.
        """
        proxy = self.settings.proxy_for(url)
        fields = _fields(url, proxy, headers)
        if body is not None:
            fields.append(("Content-Length", str(len(body) if isinstance(body, bytes) else size)))
        target = str(url) if proxy is not None and url.scheme == "http" else url.target
        again = method in IDEMPOTENT and (body is None or isinstance(body, bytes))
        connection = self._kept(url, proxy) if again else None
        while True:
            exchange = Exchange(method, target, fields)
            kept = connection is not None
            if connection is None:
                self.close()
                connection = connect(url, proxy, self.settings, self.say)
            try:
                head = self._ask(connection, exchange, body, size, proxied=proxy is not None)
            except (ConnectionError, NoConnection):
                connection.close()
                if not kept or exchange.begun:
                    raise
                connection = None  # it had been closed meanwhile
            except BaseException:
                connection.close()
                raise
            else:
                return Response(self, connection, exchange, head)

    def _kept(self, url: URL, proxy: URL | None) -> Connection | None:
        kept, self._idle = self._idle, None
        if kept is None:
            return None
        if kept.key != key_of(url, proxy) or kept.speaks:
            kept.close()
            return None
        self.say(f"Reusing existing connection to {url.full}.\n")
        return kept

    def keep(self, connection: Connection) -> None:
        """Have this connection for the next request."""
        self.close()
        self._idle = connection

    def _ask(
        self,
        connection: Connection,
        exchange: Exchange,
        body: bytes | IO[bytes] | None,
        size: int,
        *,
        proxied: bool,
    ) -> Head:
        """Send the request and receive the response's head."""
        failed: ConnectionError | None = None
        try:
            connection.send(exchange.request, self.settings.read_timeout)
            if isinstance(body, bytes):
                self._send(connection, exchange, iter([body]))
            elif body is not None:
                self._send(connection, exchange, _pieces(body, size))
        except (BrokenPipeError, ConnectionResetError) as error:
            failed = error  # it has seen enough, and perhaps says why
        self.say(f"{'Proxy' if proxied else 'HTTP'} request sent, awaiting response... ")
        try:
            head = receive_head(connection, exchange, self.settings)
        except (ConnectionError, NoConnection):
            raise failed or NoConnection(
                errno.ECONNRESET, "the connection was closed without an answer"
            ) from None
        if failed is not None:
            exchange.persistent = False
        return head

    def _send(self, connection: Connection, exchange: Exchange, pieces: Iterable[bytes]) -> None:
        """Send a body, as long as the server has not answered."""
        for piece in pieces:
            if not connection.secure and connection.speaks:
                # With 100 the server bids us go on, with anything final it wants no more.
                exchange.receive(connection.receive(exchange.wants, self.settings.read_timeout))
                if exchange.answered:
                    exchange.persistent = False
                    return
            connection.send(piece, self.settings.read_timeout)


def _fields(
    url: URL, proxy: URL | None, headers: Iterable[tuple[str, str]]
) -> list[tuple[str, str]]:
    fields = list(headers)
    if not any(name.lower() == "host" for name, _ in fields):
        fields.insert(0, ("Host", url.authority))
    if proxy is not None and proxy.user and url.scheme == "http":
        fields.append(("Proxy-Authorization", basic(proxy.user, proxy.password)))
    return fields


def _pieces(file: IO[bytes], size: int) -> Iterable[bytes]:
    """`size` bytes of a file.  NoConnection when it has become shorter: what was promised cannot be sent."""
    while size:
        data = file.read(min(size, BLOCK))
        if not data:
            raise NoConnection(0, "what is sent has become shorter")
        size -= len(data)
        yield data


class Response:
    """A response: its head, and its body as it comes.

    status, reason, head; url: that was asked
    """

    def __init__(
        self, client: Client, connection: Connection, exchange: Exchange, head: Head
    ) -> None:
        if exchange.body is None:
            raise ValueError("a response without a head")
        self.head = head
        self.status = head.status
        self.reason = head.reason
        self._client = client
        self._connection: Connection | None = connection
        self._exchange = exchange
        self._body: Body = exchange.body
        self._pending = self._body.buffered()

    def __enter__(self) -> Response:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def get(self, name: str, default: str = "") -> str:
        """The value of the first field of that name."""
        return self.head.get(name, default)

    @property
    def left(self) -> int | None:
        """Bytes of the body that are still to be read; None when the server has not said."""
        return None if self._body.left is None else self._body.left + len(self._pending)

    def read(self, size: int = BLOCK) -> bytes:
        """At most `size` bytes of the body, as soon as there are any; b"" at its end.

        TimeoutError, NoConnection when it ends before it is whole, another OSError, ProtocolError.
        """
        return self._read(size, self._client.settings.read_timeout)

    def _read(self, size: int, seconds: float | None) -> bytes:
        while True:
            if self._pending:
                data, self._pending = self._pending[:size], self._pending[size:]
                return data
            if self._body.done or self._connection is None:
                self._let_go()
                return b""
            try:
                data = self._connection.receive(min(size, BLOCK), seconds)
                if not data:
                    self._body.end(cut=self._connection.cut)
                elif data := self._body.receive(data):
                    return data
            except Truncated as error:
                self._abandon()
                raise NoConnection(errno.ECONNRESET, str(error)) from None
            except BaseException:
                self._abandon()
                raise

    def read_all(self, most: int) -> bytes:
        """The body, or its first `most` bytes."""
        parts = []
        while most and (data := self.read(min(most, BLOCK))):
            parts.append(data)
            most -= len(data)
        return b"".join(parts)

    def close(self) -> None:
        """Done with it.  A little that is left is read, so that the connection can be used again."""
        if self._connection is None:
            return
        if not self._body.done and self._exchange.persistent:
            left = self._body.left
            if left is None or left <= DRAIN:
                self._drain()
        if self._body.done:
            self._let_go()
        else:
            self._abandon()

    def _drain(self) -> None:
        room, deadline = DRAIN, time.monotonic() + DRAIN_TIME
        self._pending = b""
        try:
            while room > 0 and not self._body.done and deadline > time.monotonic():
                room -= len(self._read(BLOCK, deadline - time.monotonic()))
        except (OSError, ValueError):
            pass  # it is closed then, and nobody wants it

    def _let_go(self) -> None:
        """The body has been read: the connection is good for another request, or ends."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        if self._exchange.persistent and self._body.done and not self._body.excess:
            self._client.keep(connection)
        else:
            connection.close()

    def _abandon(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
