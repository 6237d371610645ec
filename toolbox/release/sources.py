"""Where a release is read from: a file, a pipe, or a URL, all as bytes from an offset on.

A reader says beforehand which range it wants (`at`), and then reads it through.  Only a file goes back
freely; a URL costs a request for each range; a pipe, and a server without ranges, pass by what is not wanted.
"""

from __future__ import annotations

import os
import time

from toolbox.harmless import one_line
from toolbox.release import ReleaseError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ssl
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

    def __init__(self, name: str) -> None:
        self.name = name
        self._kept = b""
        self._queue = b""
        self._wanted: tuple[int, int | None] | None = None

    def keep(self, data: bytes) -> None:
        """Remember the whole's first bytes, which were read: they are not fetched again."""
        self._kept = data

    def at(self, start: int, stop: int | None = None) -> None:
        """What `read` gives next is [start, stop) of the whole; stop None: up to the end.

        ReleaseError when it cannot be had; Interrupted when that may change.
        """
        self._queue = self._kept[start:stop]
        self._wanted = start + len(self._queue), stop
        if not self._queue:
            self._find()

    def read(self, size: int) -> bytes:
        """Up to `size` bytes; b"" at the end.  Errors as for `at`."""
        if self._queue:
            data, self._queue = self._queue[:size], self._queue[size:]
            return data
        if self._wanted is not None:
            self._find()
        data = self._read(size)
        self.received += len(data)
        return data

    def _find(self) -> None:
        if self._wanted is not None:
            start, stop = self._wanted
            if stop is None or start < stop:
                self._seek(start, stop)
            self._wanted = None

    def _seek(self, start: int, stop: int | None) -> None:
        raise NotImplementedError

    def _read(self, size: int) -> bytes:
        raise NotImplementedError

    def exactly(self, size: int) -> bytes:
        """That many bytes.  ReleaseError when there are fewer."""
        parts = []
        while size:
            data = self.read(min(size, PIECE))
            if not data:
                raise self._short()
            parts.append(data)
            size -= len(data)
        return b"".join(parts)

    def skip(self, size: int) -> None:
        """Read that many bytes for nothing."""
        while size:
            data = self.read(min(size, PIECE))
            if not data:
                raise self._short()
            size -= len(data)

    def _short(self) -> ReleaseError:
        return ReleaseError(f"{self.name}: ends too early")

    def close(self) -> None:
        """Let go of what is open; `at` opens it anew."""


class FileSource(Source):
    """A file of a disk or a stick."""

    def __init__(self, path: str) -> None:
        """OSError when it cannot be opened."""
        super().__init__(path)
        self._file: BinaryIO | None = open(path, "rb")

    def _seek(self, start: int, stop: int | None) -> None:
        try:
            if self._file is None:
                self._file = open(self.name, "rb")
            self._file.seek(start)
        except OSError as error:
            raise ReleaseError(f"{self.name}: {error.strerror}") from None

    def _read(self, size: int) -> bytes:
        if self._file is None:
            return b""
        try:
            return self._file.read(size)
        except OSError as error:
            raise ReleaseError(f"{self.name}: {error.strerror}") from None

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


class PipeSource(Source):
    """What comes by once: standard input, the body of a request."""

    whole = True

    def __init__(self, name: str, file: BinaryIO, begun: bytes = b"") -> None:
        """begun: what was read from it already."""
        super().__init__(name)
        self._file = file
        self.keep(begun)
        self._position = self.received = len(begun)

    def _seek(self, start: int, stop: int | None) -> None:
        if start < self._position:
            raise ReleaseError(f"{self.name}: what has passed cannot be read again")
        while start > self._position:
            if not self._read(min(PIECE, start - self._position)):
                raise self._short()

    def _read(self, size: int) -> bytes:
        try:
            data = self._file.read(size)
        except OSError as error:
            raise ReleaseError(f"{self.name}: {error.strerror or error}") from None
        self._position += len(data)
        return data


class HTTPSource(Source):
    """A URL.  Ranges are asked for; a server that sends the whole instead is read through from its beginning."""

    def __init__(self, url: str, clock: Callable[[], float] = time.monotonic) -> None:
        """clock: seconds.  ReleaseError when the URL is none for HTTP."""
        super().__init__(url)
        _split(url)
        self.silence = SILENCE
        self._clock = clock
        #: Where the last redirection led: a server asks for it once, not for every range.
        self._moved = ""
        self._connection: HTTPConnection | None = None
        self._origin: tuple[str, str, int] | None = None
        self._response: HTTPResponse | None = None
        self._position = 0
        self._left: int | None = None
        self._began, self._start = 0.0, 0

    def _seek(self, start: int, stop: int | None) -> None:
        if self._response is None or not self._is_under_way(start, stop):
            if self._left != 0:
                self.close()  # what is left of the last range is not wanted
            self._open(start, stop)
        while self._position < start:
            if not self._read(min(PIECE, start - self._position)):
                raise self._short()

    def _is_under_way(self, start: int, stop: int | None) -> bool:
        """Whether the response that is being read leads there."""
        if self.whole:
            return start >= self._position
        end = None if self._left is None else self._position + self._left
        return start == self._position and end is not None and stop is not None and stop <= end

    def _read(self, size: int) -> bytes:
        from http.client import HTTPException

        if self._response is None or self._left == 0:
            return b""
        if self._left is not None:
            size = min(size, self._left)
        try:
            # Not `read`: that waits for all of it, however slowly it comes.
            data = self._response.read1(size)
        except TimeoutError:
            raise self._fail(f"has sent nothing for {self.silence:g} seconds") from None
        except (OSError, HTTPException, ValueError) as error:
            raise self._fail(f"broke off: {_reason(error)}") from None
        if not data and self._left:
            raise self._fail("broke the connection off")
        self._position += len(data)
        if self._left is not None:
            self._left -= len(data)
        self._check_pace(len(data))
        return data

    def _check_pace(self, size: int) -> None:
        self._start += size
        elapsed = self._clock() - self._began
        if elapsed > SLOW_AFTER:
            if self._start < SLOWEST * elapsed:
                raise self._fail(f"sends less than {SLOWEST} bytes a second")
            self._began, self._start = self._clock(), 0

    def close(self) -> None:
        if self._response is not None:
            self._response.close()
            self._response = None
        if self._connection is not None:
            self._connection.close()
            self._connection = self._origin = None

    def _short(self) -> ReleaseError:
        # Without a length, the end and a broken connection look the same.
        return self._fail("ended too early") if self._left is None else super()._short()

    def _fail(self, what: str) -> Interrupted:
        self.close()
        return Interrupted(f"{self.name}: the server {what}")

    def _open(self, start: int, stop: int | None) -> None:
        """Send the request, go where the server sends it, and look at what it answers."""
        headers = {"User-Agent": "snakeroot", "Accept-Encoding": "identity"}
        if not self.whole:
            headers["Range"] = f"bytes={start}-{'' if stop is None else stop - 1}"
        response = self._follow(self._moved or self.name, headers)
        if self._moved and 400 <= response.status < 500:
            # Such places may be good for a while only.
            self.close()
            self._moved = ""
            response = self._follow(self.name, headers)
        self._response = response
        self._began, self._start = self._clock(), 0
        if response.status == 206:
            self._position, self._left = start, self._length(response, start, stop)
        elif response.status == 200:
            self.whole = True
            self._position, self._left = 0, response.length
        else:
            self.close()
            words = f"{self.name}: the server says {response.status} {_words(response.reason)}"
            if response.status >= 500 or response.status in (408, 429):
                raise Interrupted(words)
            raise ReleaseError(words)

    def _follow(self, url: str, headers: dict[str, str]) -> HTTPResponse:
        for _ in range(MOST_REDIRECTIONS + 1):
            response = self._request(url, headers)
            if response.status not in (301, 302, 303, 307, 308):
                return response
            location = response.headers.get("Location", "")
            self.close()
            url = self._moved = _join(url, location)
        self._moved = ""
        raise ReleaseError(f"{self.name}: redirected more than {MOST_REDIRECTIONS} times")

    def _request(self, url: str, headers: dict[str, str]) -> HTTPResponse:
        from http.client import HTTPConnection, HTTPException, HTTPSConnection

        scheme, host, port, target = _split(url)
        kept = self._connection is not None and self._origin == (scheme, host, port)
        if not kept:
            self.close()
            if scheme == "https":
                self._connection = HTTPSConnection(
                    host, port, timeout=self.silence, context=_context()
                )
            else:
                self._connection = HTTPConnection(host, port, timeout=self.silence)
            self._origin = scheme, host, port
        connection = self._connection
        if connection is None:
            raise self._fail("is not connected")
        try:
            connection.request("GET", target, headers=headers)
            return self._answer(connection)
        except TimeoutError:
            raise self._fail(f"has sent nothing for {self.silence:g} seconds") from None
        except (OSError, HTTPException, ValueError) as error:
            if words := getattr(error, "verify_message", ""):
                self.close()
                raise ReleaseError(
                    f"{self.name}: the certificate does not count: {words}"
                ) from None
            failure = self._fail(f"cannot be asked: {_reason(error)}")
        if kept:
            return self._request(url, headers)  # it had closed the connection meanwhile
        raise failure

    def _answer(self, connection: HTTPConnection) -> HTTPResponse:
        """The response's head.  One that comes byte by byte is given up after SLOW_AFTER seconds."""
        import socket
        import threading

        late = []

        def give_up() -> None:
            late.append(True)
            try:
                if connection.sock is not None:
                    connection.sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # it has ended by itself

        timer = threading.Timer(SLOW_AFTER, give_up)
        timer.daemon = True
        timer.start()
        try:
            return connection.getresponse()
        finally:
            timer.cancel()
            if late:
                # What was cut off may look like an answer.
                raise TimeoutError

    def _length(self, response: HTTPResponse, start: int, stop: int | None) -> int:
        """The bytes of a 206, checked against what was asked for (RFC 9110, 14.4)."""
        unit, _, rest = response.headers.get("Content-Range", "").partition(" ")
        span, _, total = rest.partition("/")
        first, _, last = span.partition("-")
        begin, end = _number(first), _number(last) + 1
        # A file that ends earlier than was asked for is no error here.
        wanted = end == stop or (end == _number(total) and (stop is None or end < stop))
        if unit != "bytes" or begin != start or end <= start or not wanted:
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
    return _words(getattr(error, "strerror", None) or str(error) or type(error).__name__)


def _words(text: str) -> str:
    """What came from elsewhere, as part of one line."""
    return one_line(text)


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else -1


def _context() -> ssl.SSLContext:
    import ssl

    context = ssl.create_default_context()
    if not context.get_ca_certs():
        for path in AUTHORITIES:
            if os.path.exists(path):
                context.load_verify_locations(path)
                break
    return context
