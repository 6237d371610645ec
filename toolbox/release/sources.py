"""Where a release is read from: a file, a pipe, or a URL, all as bytes from an offset on.

A reader says beforehand which range it wants (`at`), and then reads it through.  Only a file goes back
freely; a URL costs a request for each range; a pipe, and a server without ranges, pass by what is not wanted.
"""

from __future__ import annotations

import os
import time

from toolbox.harmless import one_line
from toolbox.net import ProtocolError
from toolbox.net.http import REDIRECTIONS, parse_content_range
from toolbox.net.url import URL
from toolbox.release import ReleaseError
from toolbox.web import Untrusted
from toolbox.web.client import Client
from toolbox.web.connect import Settings, basic

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import BinaryIO

    from toolbox.web.client import Response

#: Read at once, in bytes.
PIECE = 1 << 16

#: How often one request may be sent elsewhere.
MOST_REDIRECTIONS = 5

#: Seconds without a byte, and the least bytes a second over SLOW_AFTER seconds, before a server has stalled.
SILENCE, SLOWEST, SLOW_AFTER = 30.0, 512, 60.0


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
    """A URL.  Ranges are asked for; a server that sends the whole instead is read through from its beginning.

    A user and password in the URL are told to its own server only, and to no log; proxies are asked as the
    environment says.
    """

    def __init__(self, url: str, clock: Callable[[], float] = time.monotonic) -> None:
        """clock: seconds.  ReleaseError when the URL is none for HTTP."""
        self._url = _parse(url)
        super().__init__(str(self._url) if self._url.user else url)
        self._clock = clock
        self._settings = Settings(
            connect_timeout=SILENCE,
            read_timeout=SILENCE,
            head_timeout=SLOW_AFTER,
            dns_timeout=SILENCE,
        )
        self._client = Client(self._settings)
        #: Where the last redirection led: a server asks for it once, not for every range.
        self._moved: URL | None = None
        self._response: Response | None = None
        self._position = 0
        self._left: int | None = None
        self._began, self._start = 0.0, 0

    @property
    def silence(self) -> float:
        """After so many seconds without a byte the server has stalled."""
        return self._settings.read_timeout or SILENCE

    @silence.setter
    def silence(self, seconds: float) -> None:
        self._settings.connect_timeout = self._settings.read_timeout = seconds

    def _seek(self, start: int, stop: int | None) -> None:
        if self._response is None or not self._is_under_way(start, stop):
            self._end_response()  # what is left of the last range is not wanted
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
        if self._response is None or self._left == 0:
            return b""
        if self._left is not None:
            size = min(size, self._left)
        try:
            data = self._response.read(size)
        except TimeoutError:
            raise self._fail(f"has sent nothing for {self.silence:g} seconds") from None
        except (OSError, ProtocolError) as error:
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

    def _end_response(self) -> None:
        """Done with the response; the connection stays for the next one if it can."""
        if self._response is not None:
            self._response.close()
            self._response = None

    def close(self) -> None:
        self._end_response()
        self._client.close()

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
        self._settings.head_timeout = SLOW_AFTER
        response = self._follow(self._moved or self._url, headers)
        if self._moved and 400 <= response.status < 500:
            # Such places may be good for a while only.
            response.close()
            self._moved = None
            response = self._follow(self._url, headers)
        self._response = response
        self._began, self._start = self._clock(), 0
        if response.status == 206:
            self._position, self._left = start, self._length(response, start, stop)
        elif response.status == 200:
            self.whole = True
            self._position, self._left = 0, response.left
        else:
            self.close()
            words = f"{self.name}: the server says {response.status} {one_line(response.reason)}"
            if response.status >= 500 or response.status in (408, 429):
                raise Interrupted(words)
            raise ReleaseError(words)

    def _follow(self, url: URL, headers: dict[str, str]) -> Response:
        for _ in range(MOST_REDIRECTIONS + 1):
            response = self._request(url, headers)
            if response.status not in REDIRECTIONS:
                return response
            location = response.get("Location")
            response.close()
            try:
                url = self._moved = url.join(location)
            except ProtocolError:
                self.close()
                raise ReleaseError(
                    f"{self.name}: redirected to {one_line(location)}, which is no URL of http or https"
                ) from None
        self._moved = None
        raise ReleaseError(f"{self.name}: redirected more than {MOST_REDIRECTIONS} times")

    def _request(self, url: URL, headers: dict[str, str]) -> Response:
        if self._url.user and url.origin == self._url.origin:
            login = basic(self._url.user, self._url.password)
            headers = {**headers, "Authorization": login}
        try:
            return self._client.request(url, "GET", headers.items())
        except TimeoutError:
            raise self._fail(f"has sent nothing for {self.silence:g} seconds") from None
        except Untrusted as error:
            self.close()
            why = one_line(str(error.strerror))
            raise ReleaseError(f"{self.name}: the certificate does not count: {why}") from None
        except (OSError, ProtocolError) as error:
            raise self._fail(f"cannot be asked: {_reason(error)}") from None

    def _length(self, response: Response, start: int, stop: int | None) -> int:
        """The bytes of a 206, checked against what was asked for (RFC 9110, 14.4)."""
        span = parse_content_range(response.get("Content-Range"))
        if span is not None:
            begin, end, total = span
            # A file that ends earlier than was asked for is no error here.
            wanted = end == stop or (end == total and (stop is None or end < stop))
            # An answer that says two lengths says none.
            if begin == start and wanted and response.left in (None, end - begin):
                return end - begin
        self.close()
        raise ReleaseError(f"{self.name}: the server sent another range than was asked for")


def open_source(place: str) -> Source:
    """What a path or URL leads to.  OSError, or ReleaseError, when it cannot be."""
    return HTTPSource(place) if is_url(place) else FileSource(place)


def is_url(place: str) -> bool:
    """Whether this is a URL and no path."""
    return place.lower().startswith(("http://", "https://"))


def child(place: str, name: str) -> str:
    """A file in the folder that a path or URL names; `name` matches manifest.FILE."""
    return f"{place.rstrip('/')}/{name}" if is_url(place) else os.path.join(place, name)


def _parse(url: str) -> URL:
    try:
        if not is_url(url) or not url.isprintable():
            raise ProtocolError
        return URL(url)
    except ProtocolError:
        raise ReleaseError(f"{url!r}: no URL of http or https") from None


def _reason(error: OSError | ProtocolError) -> str:
    return one_line((isinstance(error, OSError) and error.strerror) or str(error))
