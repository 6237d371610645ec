"""One request and its response as a client has them, without sockets (RFC 9110, RFC 9112), on h11.

    exchange = Exchange("GET", url.target, [("Host", url.authority)])
    send(exchange.request)                          then the body, as long as Content-Length says
    while (head := exchange.head()) is None:
        exchange.receive(recv(exchange.wants))      b"" when the server has closed
    body = exchange.body                            body.receive(recv()) -> bytes, until body.done

h11 builds and reads the heads.  Bodies are framed here: h11 copies each byte three times, which halves
the speed of a download.  A head has at most HEAD bytes, however many lines; informational responses
(1xx), of which there may be any number, are passed over.
"""

from __future__ import annotations

from toolbox.net import ProtocolError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

#: Bytes of a head, and of the trailers after a body in chunks.
HEAD = 65536

#: Bytes of the line before a chunk, with its extensions.
_CHUNK_LINE = 4096


class Truncated(ProtocolError):
    """The server closed the connection before the response was whole."""


class Head:
    """A response's head: version ("1.0", "1.1"), status, reason, and fields in their order, as they were written."""

    __slots__ = ("fields", "reason", "status", "version")

    def __init__(
        self, version: str, status: int, reason: str, fields: list[tuple[str, str]]
    ) -> None:
        self.version = version
        self.status = status
        self.reason = reason
        self.fields = fields

    def get(self, name: str, default: str = "") -> str:
        """The first field's value."""
        return next((value for value in self.all(name)), default)

    def all(self, name: str) -> list[str]:
        """The values of all fields called `name`, in whatever letters."""
        lower = name.lower()
        return [value for one, value in self.fields if one.lower() == lower]

    def tokens(self, name: str) -> list[str]:
        """The words of a field that is a list of such (Connection), in small letters."""
        return [w.strip().lower() for value in self.all(name) for w in value.split(",")]


class Exchange:
    """What is sent for a request, and what comes of it."""

    def __init__(self, method: str, target: str, headers: Iterable[tuple[str, str]]) -> None:
        """headers: with Host, and Content-Length when there is a body.  ProtocolError when h11 refuses one."""
        import h11

        self.method = method
        self._h11 = h11.Connection(h11.CLIENT, max_incomplete_event_size=HEAD)
        self._ended = False
        self._begun = False
        self._head: Head | None = None
        self._failure: ProtocolError | None = None
        fields = [
            (name.encode("ascii", "replace"), value.encode("utf-8", "surrogateescape").strip())
            for name, value in headers
        ]
        try:
            request = h11.Request(method=method, target=target, headers=fields)
            #: The head's bytes.
            self.request = self._h11.send(request) or b""
        except (h11.LocalProtocolError, UnicodeError) as error:
            raise ProtocolError(str(error)) from None
        #: How the response's body ends; None before its head is there.
        self.body: Body | None = None
        self.persistent = False

    @property
    def begun(self) -> bool:
        """Whether a byte of a response has come."""
        return self._begun

    @property
    def wants(self) -> int:
        """How many bytes to receive at most while the head is not there."""
        return max(1, min(16384, HEAD + 1 - len(self._h11.trailing_data[0])))

    def receive(self, data: bytes) -> None:
        """Take what has come; b"" when the server has closed its side."""
        self._begun = self._begun or bool(data)
        self._ended = self._ended or not data
        self._h11.receive_data(data)

    @property
    def answered(self) -> bool:
        """Whether the final response's head is there, or never will be: `head` does not ask for more."""
        try:
            return self.head() is not None
        except ProtocolError:
            return True

    def head(self) -> Head | None:
        """The final response's head; None: receive more.  Truncated, or ProtocolError when it is no HTTP."""
        if self._failure is not None:
            raise self._failure
        if self._head is None:
            try:
                self._head = self._next_head()
            except ProtocolError as error:
                self._failure = error
                raise
        return self._head

    def _next_head(self) -> Head | None:
        import h11

        try:
            while isinstance(event := self._h11.next_event(), h11.InformationalResponse):
                pass
        except h11.RemoteProtocolError as error:
            begun = self._h11.trailing_data[0]
            if self._ended and begun[:5] == b"HTTP/"[: len(begun)]:
                raise Truncated("the connection was closed within the head") from None
            raise ProtocolError(str(error)) from None
        if event is h11.NEED_DATA:
            begun = self._h11.trailing_data[0]
            if begun[:5] != b"HTTP/"[: len(begun)]:
                raise ProtocolError(f"an answer begins with {begun[:20]!r}")
            return None
        if not isinstance(event, h11.Response):
            raise Truncated("the connection was closed without an answer")
        fields = [
            (name.decode("latin-1"), value.decode("latin-1"))
            for name, value in event.headers.raw_items()
        ]
        version = event.http_version.decode("latin-1")
        if not version.startswith("1."):
            raise ProtocolError(f"an answer in HTTP/{version}")
        found = Head(version, event.status_code, event.reason.decode("latin-1"), fields)
        rest, closed = self._h11.trailing_data
        self.body = _body(self.method, found)
        self.body.prepend(rest)
        said = found.tokens("Connection")
        self.persistent = (
            not closed
            and not isinstance(self.body, UntilClosed)
            and "close" not in said
            and (version != "1.0" or "keep-alive" in said)
        )
        return found


class Body:
    """Bytes of a body out of bytes of the connection.

    left      bytes still to come, None when that is not known
    done      whether it is whole
    excess    what came after its end, which nobody asked for
    """

    left: int | None = None
    done = False
    excess = b""

    def __init__(self) -> None:
        self._before = b""

    def prepend(self, data: bytes) -> None:
        """What was received together with the head."""
        self._before = data

    def buffered(self) -> bytes:
        """What is there of it without receiving more; b"" when there is nothing."""
        data, self._before = self._before, b""
        return self.receive(data) if data else b""

    def receive(self, data: bytes) -> bytes:
        """Take bytes of the connection (not b""); those of the body among them.  ProtocolError."""
        raise NotImplementedError

    def end(self, *, cut: bool) -> None:
        """The server has closed the connection; cut: without TLS's farewell.  Truncated when it is not whole."""
        raise Truncated("the connection was closed within the body")


class Counted(Body):
    """A body of so many bytes."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.left: int = size
        self.done = not size

    def receive(self, data: bytes) -> bytes:
        if len(data) > self.left:
            data, self.excess = data[: self.left], self.excess + data[self.left :]
        self.left -= len(data)
        self.done = not self.left
        return data


class UntilClosed(Body):
    """A body that ends with the connection."""

    def receive(self, data: bytes) -> bytes:
        return data

    def end(self, *, cut: bool) -> None:
        # Over TLS anybody in between could cut it, but cannot say farewell (RFC 9112 9.8).
        if cut:
            raise Truncated("the connection was cut within the body")
        self.done = True


class Chunked(Body):
    """A body in chunks (RFC 9112 7.1).  Extensions and trailers are passed over."""

    def __init__(self) -> None:
        super().__init__()
        self._line = b""  # begun, of a size, of the end of a chunk, or of trailers
        self._in_chunk = 0  # bytes of the chunk still to come
        self._state = "size"
        self._trailers = 0

    def receive(self, data: bytes) -> bytes:
        parts = []
        at = 0
        while at < len(data) and not self.done:
            if self._in_chunk:
                part = data[at : at + self._in_chunk]
                parts.append(part)
                at += len(part)
                self._in_chunk -= len(part)
            else:
                at = self._read_line(data, at)
        if self.done:
            self.excess += data[at:]
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _read_line(self, data: bytes, at: int) -> int:
        """Take a line, or the beginning of one; where what follows begins."""
        end = data.find(b"\n", at) + 1
        self._line += data[at : end or len(data)]
        most = HEAD if self._state == "trailer" else _CHUNK_LINE
        if len(self._line) + self._trailers > most:
            raise ProtocolError(f"a chunk has a line of more than {most} bytes")
        if not end:
            return len(data)
        line, self._line = self._line, b""
        if not line.endswith(b"\r\n"):
            raise ProtocolError("a chunk has a line that does not end with CR LF")
        self._obey(line[:-2])
        return end

    def _obey(self, line: bytes) -> None:
        if self._state == "size":
            digits = line.partition(b";")[0].rstrip(b" \t")
            if not 0 < len(digits) <= 16 or digits.strip(b"0123456789abcdefABCDEF"):
                raise ProtocolError("a chunk has no size")
            self._in_chunk = int(digits, 16)
            self._state = "end" if self._in_chunk else "trailer"
        elif self._state == "end":
            if line:
                raise ProtocolError("a chunk is longer than it says")
            self._state = "size"
        else:
            self._trailers += len(line) + 2
            self.done = not line


def _body(method: str, head: Head) -> Body:
    """How the body of a response ends (RFC 9112 6.3); h11 has checked both fields' forms."""
    if (
        method == "HEAD"
        or head.status in (204, 304)
        or (method == "CONNECT" and 200 <= head.status < 300)
    ):
        return Counted(0)
    if head.all("Transfer-Encoding"):
        return Chunked()
    length = head.get("Content-Length")
    return Counted(int(length.partition(",")[0])) if length else UntilClosed()
