"""What a handler gets and gives: a request that was checked, and a response that is not yet bytes."""

from __future__ import annotations

import os

from toolbox.net import ProtocolError
from toolbox.net.http import REASONS, host_name, split_target

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import h11

    Handler = Callable[["Request"], "Response"]


#: Lines of a request's head.
MOST_HEADERS = 128


class HeadTooLarge(ProtocolError):
    """A head is longer than it may be, or has more lines."""


class Request:
    """A request whose head has arrived.

    method     in capital letters
    names      the names on the path, decoded, without `.` and `..`; `slash`: whether it ends with one
    query      what follows the question mark, as it came
    headers    names in small letters; of repeated ones the values joined by commas
    peer       the address that it came from, in numbers
    read_body  reads the body, at most so many bytes (ProtocolError with .status 413 beyond)
    pieces     instead: the body as it comes, of any length
    trusted    whether its handler knows who sends it: then it keeps its place on a server that is full
    """

    __slots__ = (
        *("headers", "method", "names", "peer", "pieces", "query", "read_body", "slash", "target"),
        "trusted",
    )

    def __init__(
        self,
        event: h11.Request,
        peer: str,
        read_body: Callable[[int], bytes] | None = None,
        pieces: Callable[[], Iterator[bytes]] | None = None,
    ) -> None:
        self.method = event.method.decode("ascii")
        self.target = event.target.decode("ascii")
        self.peer = peer
        self.trusted = False
        self.read_body = read_body or (lambda most: b"")
        self.pieces = pieces or (lambda: iter(()))
        self.headers: dict[str, str] = {}
        hosts = 0
        if len(event.headers) > MOST_HEADERS:
            raise HeadTooLarge(f"more than {MOST_HEADERS} header lines")
        for raw_name, raw_value in event.headers:
            name, value = raw_name.decode("ascii"), raw_value.decode("latin-1")
            hosts += name == "host"
            glue = "; " if name == "cookie" else ", "
            self.headers[name] = (
                f"{self.headers[name]}{glue}{value}" if name in self.headers else value
            )
        if not event.http_version.startswith(b"1."):
            raise ProtocolError("only HTTP/1 is spoken here")
        if hosts > 1:
            raise ProtocolError("more than one Host header")
        if "transfer-encoding" in self.headers and "content-length" in self.headers:
            # The two may disagree about where the next request begins (RFC 9112, 6.1).
            raise ProtocolError("both a length and a transfer encoding")
        self.names, self.slash, self.query = split_target(self.target)

    @property
    def host(self) -> str:
        """The name or address that the client believes to speak to."""
        return host_name(self.headers.get("host", ""))

    @property
    def path(self) -> str:
        """The decoded path, for comparing and for the log."""
        path = "/" + b"/".join(self.names).decode("utf-8", "backslashreplace")
        return path + "/" if self.slash and self.names else path


class File:
    """A body that the kernel sends: the [start, end) bytes of an open file, which it then closes."""

    __slots__ = ("fd", "parts", "tail")

    def __init__(self, fd: int, parts: list[tuple[bytes, int, int]], tail: bytes = b"") -> None:
        self.fd = fd
        #: What goes before each range (the boundary of multipart/byteranges), and the range.
        self.parts = parts
        self.tail = tail

    @property
    def length(self) -> int:
        """The whole body's length in bytes."""
        return sum(len(head) + end - start for head, start, end in self.parts) + len(self.tail)

    def close(self) -> None:
        """Close the file, once."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


class Response:
    """An answer: status, headers, and a body of bytes, of a file, or of pieces as they come."""

    __slots__ = ("body", "headers", "status")

    def __init__(
        self,
        status: int,
        headers: list[tuple[str, str]],
        body: bytes | File | Iterator[bytes] = b"",
    ) -> None:
        self.status = status
        self.headers = headers
        self.body = body

    def close(self) -> None:
        """Release what the body holds."""
        if isinstance(self.body, File) or (
            not isinstance(self.body, bytes) and hasattr(self.body, "close")
        ):
            self.body.close()


def plain(status: int, text: str = "", headers: list[tuple[str, str]] | None = None) -> Response:
    """A short answer in words."""
    body = f"{text or REASONS.get(status, '')}\n".encode()
    return Response(status, [("Content-Type", "text/plain; charset=utf-8"), *(headers or [])], body)


def redirect(location: str, status: int = 303) -> Response:
    """Go there: 303 after a form, 301 for what has moved."""
    return plain(status, f"See {location}", [("Location", location)])
