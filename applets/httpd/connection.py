"""One connection: requests in, responses out, in their order, within limits of size and time.

A peer that breaks the rules gets 400 and the end; one that is slow gets 408, or nothing; neither holds
the thread for longer than the limits say.
"""

from __future__ import annotations

import os
import re
import select
import socket
import time

import h11

from applets.httpd.message import File, HeadTooLarge, Request, Response, plain
from toolbox.net import ProtocolError
from toolbox.net.http import REASONS, http_date
from toolbox.waits import milliseconds

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from applets.httpd.message import Handler

#: Bytes of a request's head, that one read of a body asks for, and of a body that nobody reads but that is here
#: already and let through to keep the connection.
HEAD, BLOCK, DRAIN = 16384, 65536, 65536

#: Seconds for a whole head, for a body to be read, between requests, and for a peer to take some bytes.
HEAD_TIME, BODY_TIME, IDLE_TIME, SEND_TIME = 10.0, 30.0, 30.0, 30.0

#: Seconds after which a stranger that is waited for in the midst of a request counts as silent.
PATIENCE = 5.0

#: A body may take so many seconds, and one more for each so many bytes of its length; one of unknown length as long as
#: the last number says.
BODY_BEGINS, BODY_RATE, BODY_UNKNOWN = 60.0, 65536, 900.0

#: Seconds that a peer has to take our last answer, and of its silence meanwhile.
LINGER, LINGER_SILENCE = 10.0, 0.5

#: Requests of one connection.
REQUESTS = 1000

#: Bytes of empty lines that may come before a request (RFC 9112, 2.2).
EMPTY = 64

_EMPTY_LINES = re.compile(rb"(?:\r?\n)*(?:\r\Z)?")

#: The most bytes that one sendfile is asked for, so that a stop is noticed in between.
PIECE = 1 << 24


class TooSlow(Exception):
    """The peer took longer than the limits allow."""


class Gone(Exception):
    """The peer has closed the connection, or the server is to stop."""


class BodyTooLarge(ProtocolError):
    """A body is longer than its reader takes."""


class Connection:
    """A connected socket and what serves it.

    stopping: asked between requests; then the connection ends
    log: called with the request and the status of each response
    failed: called with a request that met an error of ours
    place: told when the peer is waited for, and when something is done for it
    """

    def __init__(
        self,
        sock: socket.socket,
        peer: str,
        handler: Handler,
        stopping: Callable[[], bool],
        log: Callable[[Request, int], None],
        failed: Callable[[Request, Exception], None],
        place: Place | None = None,
    ) -> None:
        self.sock = sock
        self.peer = peer
        self.handler = handler
        self.stopping = stopping
        self.log = log
        self.failed = failed
        self.place = place or Place()
        self.method = ""
        self.request: Request | None = None
        self.framing = _framing()
        self._last = False
        self._blank = b""  # the half of an empty line that has come

    def serve(self) -> None:
        """Answer requests until one side has had enough.  OSError and `Gone` are the connection's end."""
        if self.sock.family != socket.AF_UNIX:
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock.setblocking(False)
        for number in range(1, REQUESTS + 1):
            self._last = number == REQUESTS
            try:
                request = self._next_request()
            except h11.RemoteProtocolError as error:
                self._refuse(error.error_status_hint, str(error))
                return
            except HeadTooLarge as error:
                self._refuse(431, str(error))
                return
            except ProtocolError as error:
                self._refuse(400, str(error))
                return
            except TooSlow:
                if self.framing.trailing_data[0]:
                    self._refuse(408, "the request did not arrive in time")
                return
            if request is None:
                return
            self._answer(request)
            if not self._ready_for_next():
                return

    # Receiving.

    def _next_request(self) -> Request | None:
        """The next request's head; None when the peer is done."""
        self.method, self.request = "", None
        self.place.quiet()
        begun = self._has_begun()
        whole = begun
        deadline = time.monotonic() + (HEAD_TIME if begun else IDLE_TIME)
        passed = 0
        while True:
            event = self.framing.next_event()
            if event is h11.NEED_DATA:
                room = HEAD - len(self.framing.trailing_data[0]) if whole else HEAD
                if room <= 0:
                    raise HeadTooLarge(f"the head is longer than {HEAD} bytes")
                data = self._receive(deadline, room)
                if data and not begun:
                    rest = self._after_empty_lines(data)
                    passed += len(data) - len(rest)
                    if passed > EMPTY:
                        raise ProtocolError("too many empty lines before a request")
                    if not rest:
                        continue
                    data, begun = rest, True
                    deadline = time.monotonic() + HEAD_TIME
                whole = True
                self.framing.receive_data(data)
            elif isinstance(event, h11.Request):
                self.place.busy()
                self.method = event.method.decode("ascii")
                self.request = Request(event, self.peer, self._read_body, self._pieces)
                return self.request
            else:
                return None

    def _has_begun(self) -> bool:
        """Whether the next request's beginning came together with the last one; empty lines before it are dropped."""
        ahead, ended = self.framing.trailing_data
        if ahead[:1] in (b"\r", b"\n"):
            ahead = self._after_empty_lines(ahead)
            self.framing = _framing()
            if ahead:
                self.framing.receive_data(ahead)
            if ended:
                self.framing.receive_data(b"")
        return bool(ahead)

    def _after_empty_lines(self, data: bytes) -> bytes:
        """What follows the empty lines with which the data begins; half of the first may have come before."""
        data = self._blank + data
        found = _EMPTY_LINES.match(data)
        end = found.end() if found else 0
        self._blank = b"\r" if data[:end].endswith(b"\r") else b""
        return data[end:]

    def _receive(self, deadline: float, most: int = BLOCK) -> bytes:
        while True:
            try:
                return self.sock.recv(most)
            except BlockingIOError:
                pass
            left = deadline - time.monotonic()
            if left <= 0 or not self._wait(select.POLLIN, left):
                raise TooSlow

    def _wait(self, what: int, seconds: float) -> bool:
        """Wait until the socket can be read or written; False after so many seconds."""
        poll = select.poll()
        poll.register(self.sock, what)
        return bool(poll.poll(milliseconds(seconds)))

    def _read_body(self, most: int) -> bytes:
        """The request's body; BodyTooLarge beyond `most` bytes, TooSlow when it does not come."""
        parts, size = [], 0
        for piece in self._pieces(BODY_TIME):
            parts.append(piece)
            size += len(piece)
            if size > most:
                raise BodyTooLarge(f"the body is longer than {most} bytes")
        return b"".join(parts)

    def _pieces(self, seconds: float | None = None) -> Iterator[bytes]:
        """The request's body as it comes.

        TooSlow after a silence, and after so many seconds; by default after what its length allows for.
        """
        deadline = time.monotonic() + (seconds or self._body_time())
        if self.request is None or not self.request.trusted:
            self.place.quiet(PATIENCE)
        if self.framing.they_are_waiting_for_100_continue:
            self._send_event(
                h11.InformationalResponse(status_code=100, headers=[], reason=b"Continue")
            )
        while True:
            event = self.framing.next_event()
            if event is h11.NEED_DATA:
                data = self._receive(min(deadline, time.monotonic() + BODY_TIME))
                if not data:
                    raise Gone
                self.framing.receive_data(data)
            elif isinstance(event, h11.Data):
                yield bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                self.place.busy()
                return
            else:
                raise Gone

    def _body_time(self) -> float:
        """Seconds that a body of the announced length may take, however busily it comes."""
        length = "" if self.request is None else self.request.headers.get("content-length", "")
        return BODY_BEGINS + int(length) / BODY_RATE if length.isdecimal() else BODY_UNKNOWN

    def _body_is_over(self) -> bool:
        """Whether the request that is answered has come to its end, as far as it is here already.

        If not, more may come, or nothing (Expect: 100-continue): the next request could not be told from it.
        """
        left = DRAIN
        while self.framing.their_state is h11.SEND_BODY:
            if self.framing.they_are_waiting_for_100_continue or left < 0:
                return False
            try:
                event = self.framing.next_event()
                if event is h11.NEED_DATA:
                    data = self.sock.recv(BLOCK)
                    left -= len(data)
                    self.framing.receive_data(data)
            except (OSError, h11.RemoteProtocolError):
                return False
        return True

    def _ready_for_next(self) -> bool:
        """Begin the next exchange where that is possible; where it is not, the answer has said so."""
        if self.stopping() or self._last or self.framing.our_state is not h11.DONE:
            return False
        if self.framing.their_state is not h11.DONE:
            return False
        self.framing.start_next_cycle()
        return True

    def linger(self) -> None:
        """After the last answer: let the peer read it.

        A socket that is closed while data comes is reset, and the answer lost (RFC 9112, 9.6): our side ends first,
        and what still comes is thrown away for a while.
        """
        self.place.quiet()
        self.sock.shutdown(socket.SHUT_WR)
        self.sock.settimeout(LINGER_SILENCE)
        until = time.monotonic() + LINGER
        while not self.stopping() and time.monotonic() < until:
            if not self.sock.recv(BLOCK):
                break

    # Answering.

    def _answer(self, request: Request) -> None:
        try:
            response = self.handler(request)
        except BodyTooLarge as error:
            response = plain(413, str(error), [("Connection", "close")])
        except (ProtocolError, h11.RemoteProtocolError) as error:
            response = plain(400, str(error), [("Connection", "close")])
        except TooSlow:
            response = plain(408, "the body did not arrive in time", [("Connection", "close")])
        except Gone:
            raise
        except Exception as error:
            # A fault of ours is told to the log, and costs this request only.
            self.failed(request, error)
            response = plain(500, headers=[("Connection", "close")])
        self.log(request, response.status)
        try:
            self._send(response)
        finally:
            response.close()

    def _send(self, response: Response) -> None:
        body = response.body
        headers = [("Date", http_date(time.time())), ("Server", "Snakeroot"), *response.headers]
        if isinstance(body, File):
            headers.append(("Content-Length", str(body.length)))
        elif isinstance(body, bytes) and response.status not in (204, 304):
            headers.append(("Content-Length", str(len(body))))
        if self._last or self.stopping() or not self._body_is_over():
            # Else whoever sends its next request at once has it lost (RFC 9112, 9.6).
            headers = [header for header in headers if header[0] != "Connection"]
            headers.append(("Connection", "close"))
        head = self.framing.send(
            h11.Response(
                status_code=response.status,
                headers=headers,
                reason=REASONS.get(response.status, "").encode(),
            )
        )
        silent = self.method == "HEAD" or response.status in (204, 304)
        if isinstance(body, bytes):
            data = b"" if silent else self.framing.send(h11.Data(data=body)) or b""
            self._send_bytes((head or b"") + data)
        else:
            self._send_bytes(head or b"")
            if silent:
                pass
            elif isinstance(body, File):
                self._send_file(body)
            else:
                for piece in body:
                    self._send_event(h11.Data(data=piece))
        self._send_event(h11.EndOfMessage())

    def _send_event(self, event: h11.Event) -> None:
        self._send_bytes(self.framing.send(event) or b"")

    def _send_bytes(self, data: bytes) -> None:
        """Send all; a peer that takes nothing for SEND_TIME is gone."""
        view = memoryview(data)
        while view:
            try:
                view = view[self.sock.send(view) :]
            except BlockingIOError:
                self._wait_for_taker()

    def _wait_for_taker(self) -> None:
        """Wait until the peer takes more; a stranger that takes nothing for long is as good as silent."""
        if self.request is None or not self.request.trusted:
            self.place.quiet(PATIENCE)
        if not self._wait(select.POLLOUT, SEND_TIME):
            raise Gone
        self.place.busy()

    def _send_file(self, body: File) -> None:
        """Send a file's ranges without their bytes passing through this program."""
        for head, start, end in body.parts:
            self._frame(len(head))
            self._send_bytes(head)
            self._frame(end - start)
            while start < end:
                start += self._send_piece(body.fd, start, min(end - start, PIECE))
        self._frame(len(body.tail))
        self._send_bytes(body.tail)

    def _frame(self, length: int) -> None:
        """Tell the framing that `length` bytes of the body are sent past it."""
        if length:
            self.framing.send_with_data_passthrough(h11.Data(data=_Length(length)))  # type: ignore[arg-type]

    def _send_piece(self, fd: int, start: int, count: int) -> int:
        while True:
            if self.stopping():
                raise Gone
            try:
                sent = os.sendfile(self.sock.fileno(), fd, start, count)
            except BlockingIOError:
                self._wait_for_taker()
                continue
            if sent == 0:
                raise Gone  # the file became shorter: the length that was promised cannot be kept
            return sent

    def _refuse(self, status: int, why: str) -> None:
        """The last response of a connection whose peer is not understood."""
        try:
            self._send(plain(status, why, [("Connection", "close")]))
        except h11.LocalProtocolError:
            pass  # a response was under way already


def _framing() -> h11.Connection:
    return h11.Connection(h11.SERVER, max_incomplete_event_size=HEAD)


class Place:
    """Where a connection tells how it is with it; this one is of a server with places enough."""

    def quiet(self, after: float = 0.0) -> None:
        """The peer is waited for; in so many seconds it counts as silent."""

    def busy(self) -> None:
        """Something is done for it."""


class _Length:
    """Stands for so many bytes that go from a file to the socket by the kernel (see h11's documentation)."""

    def __init__(self, length: int) -> None:
        self.length = length

    def __len__(self) -> int:
        return self.length
