"""One connection: requests in, responses out, in their order, within limits of size and time.

A peer that breaks the rules gets 400 and the end; one that is slow gets 408, or nothing; neither holds
the thread for longer than the limits say.
"""

from __future__ import annotations

import os
import select
import socket
import time

import h11

from applets.httpd.message import File, Request, Response, plain
from toolbox.net import ProtocolError
from toolbox.net.http import REASONS, http_date
from toolbox.waits import bounded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from applets.httpd.message import Handler

#: Bytes of a request's head, and of a body that nobody reads but that is let through to keep the connection.
HEAD, DRAIN = 16384, 65536

#: Seconds for a whole head, for a body to be read, between requests, and for a peer to take some bytes.
HEAD_TIME, BODY_TIME, IDLE_TIME, SEND_TIME = 10.0, 30.0, 30.0, 30.0

#: Requests of one connection.
REQUESTS = 1000

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
    """

    def __init__(
        self,
        sock: socket.socket,
        peer: str,
        handler: Handler,
        stopping: Callable[[], bool],
        log: Callable[[Request, int], None],
    ) -> None:
        self.sock = sock
        self.peer = peer
        self.handler = handler
        self.stopping = stopping
        self.log = log
        self.method = ""
        self.framing = h11.Connection(h11.SERVER, max_incomplete_event_size=HEAD)

    def serve(self) -> None:
        """Answer requests until one side has had enough.  OSError and `Gone` are the connection's end."""
        if self.sock.family != socket.AF_UNIX:
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(REQUESTS):
            try:
                request = self._next_request()
            except h11.RemoteProtocolError as error:
                self._refuse(error.error_status_hint, str(error))
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
        self.method = ""
        begun = bool(self.framing.trailing_data[0])
        deadline = time.monotonic() + (HEAD_TIME if begun else IDLE_TIME)
        while True:
            event = self.framing.next_event()
            if event is h11.NEED_DATA:
                data = self._receive(deadline)
                if data and not begun:
                    begun = True
                    deadline = time.monotonic() + HEAD_TIME
                self.framing.receive_data(data)
            elif isinstance(event, h11.Request):
                self.method = event.method.decode("ascii")
                return Request(event, self.peer, self._read_body, self._pieces)
            else:
                return None

    def _receive(self, deadline: float) -> bytes:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TooSlow
        self.sock.settimeout(bounded(left))
        try:
            return self.sock.recv(HEAD)
        except TimeoutError:
            raise TooSlow from None

    def _read_body(self, most: int) -> bytes:
        """The request's body; BodyTooLarge beyond `most` bytes, TooSlow when it does not come."""
        parts, size = [], 0
        for piece in self._pieces(time.monotonic() + BODY_TIME):
            parts.append(piece)
            size += len(piece)
            if size > most:
                raise BodyTooLarge(f"the body is longer than {most} bytes")
        return b"".join(parts)

    def _pieces(self, deadline: float | None = None) -> Iterator[bytes]:
        """The request's body as it comes.  TooSlow after the deadline, or when there is none, after a silence."""
        if self.framing.they_are_waiting_for_100_continue:
            self._send_event(
                h11.InformationalResponse(status_code=100, headers=[], reason=b"Continue")
            )
        while True:
            event = self.framing.next_event()
            if event is h11.NEED_DATA:
                data = self._receive(deadline or time.monotonic() + BODY_TIME)
                if not data:
                    raise Gone
                self.framing.receive_data(data)
            elif isinstance(event, h11.Data):
                yield bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                return
            else:
                raise Gone

    def _ready_for_next(self) -> bool:
        """Let a body pass that nobody read, and begin the next exchange where that is possible."""
        if self.stopping() or self.framing.our_state is not h11.DONE:
            return False
        if self.framing.their_state is h11.SEND_BODY:
            if self.framing.they_are_waiting_for_100_continue:
                return False
            try:
                self._read_body(DRAIN)
            except (ProtocolError, TooSlow, h11.RemoteProtocolError):
                return False
        if self.framing.their_state is not h11.DONE:
            return False
        self.framing.start_next_cycle()
        return True

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
        if self.stopping():
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
        self.sock.settimeout(SEND_TIME)
        while view:
            try:
                view = view[self.sock.send(view) :]
            except TimeoutError:
                raise Gone from None

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
                poll = select.poll()
                poll.register(self.sock, select.POLLOUT)
                if not poll.poll(SEND_TIME * 1000):
                    raise Gone from None
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


class _Length:
    """Stands for so many bytes that go from a file to the socket by the kernel (see h11's documentation)."""

    def __init__(self, length: int) -> None:
        self.length = length

    def __len__(self) -> int:
        return self.length
