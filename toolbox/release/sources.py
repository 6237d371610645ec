"""Where a release is read from: a file, a pipe, or a URL, all as bytes from an offset on.

A reader says beforehand which range it wants (`at`), and then reads it through.  Only a file goes back
freely; a URL costs a request for each range; a pipe, and a server without ranges, pass by what is not wanted.
"""

from __future__ import annotations

import os
import time

from toolbox.release import ReleaseError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from http.client import HTTPConnection, HTTPResponse
    from typing import BinaryIO

#: Read at once, in bytes.
PIECE = 1 << 16

#: How often one request may be sent elsewhere.
MOST_REDIRECTIONS = 5

#: Seconds without a byte, and the least bytes a second over SLOW_AFTER seconds, before a server has stalled.
SILENCE, SLOWEST, SLOW_AFTER = 30.0, 512, 60.0

#: Where distributions keep the certificate authorities, when OpenSSL's own place is empty.
AUTHORITIES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/ssl/cert.pem", "/etc/pki/tls/cert.pem")


class Interrupted(ReleaseError):
    """The network failed in a way that may be better the next time."""


class Source:
    """name: for messages    received: bytes that came from it so far    whole: it cannot leave anything out"""

    name: str
    received = 0
    whole = False

    def at(self, start: int, stop: int | None = None) -> None:
        """What `read` gives next is [start, stop) of the whole; stop None: up to the end.

        ReleaseError when it cannot be had; Interrupted when that may change.
        """
        raise NotImplementedError

    def read(self, size: int) -> bytes:
        """Up to `size` bytes; b"" at the end.  Errors as for `at`."""
        raise NotImplementedError

    def exactly(self, size: int) -> bytes:
        """That many bytes.  Interrupted when there are fewer."""
        parts = []
        while size:
            data = self.read(min(size, PIECE))
            if not data:
                raise Interrupted(f"{self.name}: ends too early")
            parts.append(data)
            size -= len(data)
        return b"".join(parts)

    def close(self) -> None:
        """Let go of what is open; `at` opens it anew."""


class FileSource(Source):
    """A file of a disk or a stick."""

    def __init__(self, path: str) -> None:
        """OSError when it cannot be opened."""
        self.name = path
        self._file = open(path, "rb")

    def at(self, start: int, stop: int | None = None) -> None:
        self._file.seek(start)

    def read(self, size: int) -> bytes:
        try:
            data = self._file.read(size)
        except OSError as error:
            raise ReleaseError(f"{self.name}: {error.strerror}") from None
        self.received += len(data)
        return data

    def close(self) -> None:
        self._file.close()


class PipeSource(Source):
    """What comes by once: standard input, the body of a request."""

    whole = True

    def __init__(self, name: str, file: BinaryIO) -> None:
        self.name = name
        self._file = file

    def at(self, start: int, stop: int | None = None) -> None:
        if start < self.received:
            raise ReleaseError(f"{self.name}: what has passed cannot be read again")
        while start > self.received:
            if not self.read(min(PIECE, start - self.received)):
                raise ReleaseError(f"{self.name}: ends too early")

    def read(self, size: int) -> bytes:
        try:
            data = self._file.read(size)
        except OSError as error:
            raise ReleaseError(f"{self.name}: {error.strerror or error}") from None
        self.received += len(data)
        return data


class HTTPSource(Source):
    """A URL.  Ranges are asked for; a server that sends the whole instead is read through from its beginning."""

    def __init__(self, url: str, clock: Callable[[], float] = time.monotonic) -> None:
        """clock: seconds.  ReleaseError when the URL is none for HTTP."""
        _split(url)
        self.name = url
        self.silence = SILENCE
        self._clock = clock
        self._url = url
        self._connection: HTTPConnection | None = None
        self._origin: tuple[str, str, int] | None = None
        self._response: HTTPResponse | None = None
        self._position = 0
        self._left: int | None = None
        self._began, self._start = 0.0, 0

    def at(self, start: int, stop: int | None = None) -> None:
        if self._response is not None and self.whole and start >= self._position:
            self._skip(start - self._position)
            return
        if self._response is not None and start == self._position and stop is None:
            return
        if self._response is not None and self._left:
            self.close()  # the rest of the last range is not wanted
        self._open(start, stop)
        if self.whole:
            self._skip(start)

    def read(self, size: int) -> bytes:
        from http.client import HTTPException

        if self._response is None:
            return b""
        if self._left is not None:
            size = min(size, self._left)
            if not size:
                return b""
        try:
            data = self._response.read(size)
        except TimeoutError:
            raise self._fail(f"has sent nothing for {self.silence:g} seconds") from None
        except (OSError, HTTPException) as error:
            raise self._fail(_reason(error)) from None
        if not data and self._left:
            raise self._fail("broke the connection off")
        self.received += len(data)
        self._position += len(data)
        if self._left is not None:
            self._left -= len(data)
        elapsed = self._clock() - self._began
        if elapsed > SLOW_AFTER:
            if self.received - self._start < SLOWEST * elapsed:
                raise self._fail(f"sends less than {SLOWEST} bytes a second")
            self._began, self._start = self._clock(), self.received
        return data

    def close(self) -> None:
        if self._response is not None:
            self._response.close()
            self._response = None
        if self._connection is not None:
            self._connection.close()
            self._connection = self._origin = None

    def _skip(self, size: int) -> None:
        while size:
            data = self.read(min(size, PIECE))
            if not data:
                raise ReleaseError(f"{self.name}: ends too early")
            size -= len(data)

    def _fail(self, what: str) -> Interrupted:
        self.close()
        return Interrupted(f"{self.name}: the server {what}")

    def _open(self, start: int, stop: int | None) -> None:
        """Send the request, and go where the server sends it."""
        headers = {"User-Agent": "snakeroot", "Accept-Encoding": "identity"}
        if not self.whole:
            headers["Range"] = f"bytes={start}-{'' if stop is None else stop - 1}"
        url = self._url
        for _ in range(MOST_REDIRECTIONS + 1):
            response = self._request(url, headers)
            if response.status not in (301, 302, 303, 307, 308):
                break
            location = response.headers.get("Location", "")
            self.close()
            url = _join(url, location)
        else:
            raise ReleaseError(f"{self.name}: redirected more than {MOST_REDIRECTIONS} times")
        self._response = response
        self._began, self._start = self._clock(), self.received
        if response.status == 206:
            self._position, self._left = start, self._length(response, start, stop)
        elif response.status == 200:
            self.whole = True
            self._position, self._left = 0, response.length
        else:
            self.close()
            words = f"{self.name}: the server says {response.status} {response.reason}"
            if response.status >= 500 or response.status in (408, 429):
                raise Interrupted(words)
            raise ReleaseError(words)

    def _request(self, url: str, headers: dict[str, str]) -> HTTPResponse:
        from http.client import HTTPConnection, HTTPException, HTTPSConnection

        scheme, host, port, target = _split(url)
        try:
            if self._connection is None or self._origin != (scheme, host, port):
                self.close()
                if scheme == "https":
                    self._connection = HTTPSConnection(
                        host, port, timeout=self.silence, context=_context()
                    )
                else:
                    self._connection = HTTPConnection(host, port, timeout=self.silence)
                self._origin = scheme, host, port
            self._connection.request("GET", target, headers=headers)
            return self._connection.getresponse()
        except TimeoutError:
            raise self._fail(f"has sent nothing for {self.silence:g} seconds") from None
        except (OSError, HTTPException) as error:
            raise self._fail(f"cannot be asked: {_reason(error)}") from None

    def _length(self, response: HTTPResponse, start: int, stop: int | None) -> int:
        """The bytes of a 206, checked against what was asked for (RFC 9110, 14.4)."""
        text = response.headers.get("Content-Range", "")
        unit, _, rest = text.partition(" ")
        span, _, total = rest.partition("/")
        first, _, last = span.partition("-")
        numbers = [
            int(n) if n.isascii() and n.isdecimal() and len(n) < 19 else -1 for n in (first, last)
        ]
        end = numbers[1] + 1
        # A file that ends earlier than was asked for is no error here.
        short = total == str(end) or stop is None
        if (
            unit != "bytes"
            or numbers[0] != start
            or end <= start
            or (stop is not None and end != stop and not (short and end < stop))
        ):
            self.close()
            raise ReleaseError(f"{self.name}: the server sent another range than was asked for")
        return end - start


def open_source(place: str) -> Source:
    """What a path or URL leads to.  OSError, or ReleaseError, when it cannot be."""
    return HTTPSource(place) if is_url(place) else FileSource(place)


def is_url(place: str) -> bool:
    """Whether this is a URL and no path."""
    return place.lower().startswith(("http://", "https://"))


def child(place: str, name: str) -> str:
    """A file in the folder that a path or URL names; `name` matches manifest.FILE."""
    return f"{place.rstrip('/')}/{name}" if is_url(place) else os.path.join(place, name)


def _split(url: str) -> tuple[str, str, int, str]:
    from urllib.parse import quote, urlsplit

    try:
        parts = urlsplit(url)
        port = parts.port or {"http": 80, "https": 443}[parts.scheme]
    except (ValueError, KeyError):
        raise ReleaseError(f"{url}: no URL of http or https") from None
    if not parts.hostname or not url.isprintable():
        raise ReleaseError(f"{url!r}: no URL of http or https")
    target = quote(parts.path or "/", safe="/%-._~!$&'()*+,;=:@")
    if parts.query:
        target += "?" + quote(parts.query, safe="/%-._~!$&'()*+,;=:@?")
    return parts.scheme, parts.hostname, port, target


def _join(url: str, location: str) -> str:
    from urllib.parse import urljoin

    try:
        return urljoin(url, location)
    except ValueError:
        raise ReleaseError(f"{url}: redirected to what is no URL") from None


def _reason(error: BaseException) -> str:
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(text.split())[:200]


def _context():  # type: ignore[no-untyped-def]
    import ssl

    context = ssl.create_default_context()
    if not context.get_ca_certs():
        for path in AUTHORITIES:
            if os.path.exists(path):
                context.load_verify_locations(path)
                break
    return context
