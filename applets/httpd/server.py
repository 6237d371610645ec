"""The server: accepts connections, gives each a thread, and never has more of them than it was told.

It knows nothing of what is served: a handler makes a Response of a Request.
"""

from __future__ import annotations

import errno
import selectors
import signal
import socket
import threading
import time

from applets.httpd.connection import Connection, Gone, Place
from applets.httpd.message import Request, Response, plain
from toolbox.errors import describe, say
from toolbox.harmless import one_line
from toolbox.limited_log import LimitedLog
from toolbox.listening import peer_of
from toolbox.shares import Shares
from toolbox.signals import Signals
from toolbox.waits import bounded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from applets.httpd.message import Handler

#: Connections at a time, and of them from one source.
CONNECTIONS, SHARE = 96, 32

#: Bytes of a thread's stack: what parsing and sending need, with room.
STACK = 512 * 1024

#: Seconds that responses under way get when the server is to stop.
FAREWELL = 2.0

_TOO_MANY = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 21\r\nRetry-After: 2\r\n"
    b"Connection: close\r\nContent-Type: text/plain\r\n\r\ntoo many connections\n"
)


class Server:
    """A handler on listening sockets.

    admit: whether an address may connect at all
    verbose: 0: errors, 1: requests, 2: connections too
    on_stop: called at the stop, for responses that would go on for ever
    log: what strangers cause is told here
    """

    def __init__(
        self,
        handler: Handler,
        sockets: list[socket.socket],
        admit: Callable[[str], bool] = lambda address: True,
        verbose: int = 0,
        on_stop: Callable[[], None] = lambda: None,
        log: LimitedLog | None = None,
    ) -> None:
        self.handler = handler
        self.sockets = sockets
        self.admit = admit
        self.verbose = verbose
        self.on_stop = on_stop
        self.log = log or LimitedLog("httpd")
        self.stopping = threading.Event()
        self.shares = Shares(CONNECTIONS, SHARE)
        self._connections: set[socket.socket] = set()
        self._lock = threading.Lock()

    def run(self, ready: Callable[[], object] = lambda: None) -> None:
        """Serve until SIGTERM or SIGINT; `ready` is called once connections are taken."""
        threading.stack_size(STACK)
        with (
            Signals((signal.SIGTERM, signal.SIGINT)) as signals,
            selectors.DefaultSelector() as wait,
        ):
            wait.register(signals.fileno(), selectors.EVENT_READ)
            for sock in self.sockets:
                sock.setblocking(False)
                wait.register(sock, selectors.EVENT_READ, sock)
            ready()
            while not self.stopping.is_set():
                for key, _ in wait.select(bounded(self.log.due())):
                    if key.data is not None:
                        self._accept(key.data)
                    elif list(signals.take()):
                        self.stopping.set()
                self.log.flush()
        for sock in self.sockets:
            sock.close()
        self._farewell()
        self.log.flush(all=True)

    def _farewell(self) -> None:
        """Idle connections end at once; responses under way get a moment."""
        self.on_stop()
        with self._lock:
            for sock in self._connections:
                try:
                    sock.shutdown(socket.SHUT_RD)
                except OSError:
                    pass  # it has just ended
        until = time.monotonic() + FAREWELL
        while self._connections and time.monotonic() < until:
            time.sleep(0.02)

    def serve_one(self, sock: socket.socket) -> None:
        """Serve a single connection in this thread (a superserver's child)."""
        peer = peer_of(_peer_name(sock))
        if self.admit(peer):
            self._converse(sock, peer)

    def _accept(self, listening: socket.socket) -> None:
        try:
            sock, address = listening.accept()
        except BlockingIOError:
            return  # the peer gave up in the queue
        except OSError as error:
            self.log("accept", describe(error))
            if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
                time.sleep(0.1)  # the connection stays in the queue until somebody has ended
            return
        peer = peer_of(address)
        if not self.admit(peer):
            self._say(1, f"{peer}: refused: the address may not connect")
            sock.close()
            return
        dropped = self.shares.enter(sock, peer)
        if dropped is None:
            self._turn_away(sock, peer)
            return
        for victim in dropped:
            self.log("silent connections gave way to others", peer_of(_peer_name(victim)))
            try:
                victim.shutdown(socket.SHUT_RDWR)  # its thread finds out, and closes it
            except OSError:
                pass  # it has just ended
        with self._lock:
            self._connections.add(sock)
        try:
            threading.Thread(target=self._thread, args=(sock, peer), daemon=True).start()
        except RuntimeError:  # the system has no thread left
            self._forget(sock)
            self._turn_away(sock, peer)

    def _turn_away(self, sock: socket.socket, peer: str) -> None:
        self.log("turned away: too many connections", peer)
        try:
            sock.setblocking(False)
            sock.send(_TOO_MANY)
        except OSError:
            pass  # it would not have waited for the answer
        sock.close()

    def _thread(self, sock: socket.socket, peer: str) -> None:
        try:
            self._converse(sock, peer)
        finally:
            self._forget(sock)
            sock.close()

    def _forget(self, sock: socket.socket) -> None:
        self.shares.leave(sock)
        with self._lock:
            self._connections.discard(sock)

    def _converse(self, sock: socket.socket, peer: str) -> None:
        self._say(2, f"{peer}: connected")
        try:
            place = _Held(self.shares, sock)
            connection = Connection(
                *(sock, peer, self._handle, self.stopping.is_set, self._log, self._failed), place
            )
            connection.serve()
            connection.linger()
        except (OSError, Gone) as error:
            self._say(2, f"{peer}: {describe(error)}")
        except Exception as error:
            # A fault of ours in one connection is reported and is that connection's end only.
            self.log("internal error", peer, _fault(error))

    def _handle(self, request: Request) -> Response:
        try:
            return self.handler(request)
        except OSError as error:
            where = f"{one_line(request.path, 100)}: {describe(error)}"
            self.log("a file or device failed", request.peer, where)
            return plain(500)

    def _failed(self, request: Request, error: Exception) -> None:
        self.log("internal error", request.peer, f"{one_line(request.path, 100)}: {_fault(error)}")

    def _log(self, request: Request, status: int) -> None:
        self._say(1, f"{request.peer}: {request.method[:16]} {one_line(request.path)} {status}")

    def _say(self, level: int, text: str) -> None:
        if self.verbose >= level:
            say(f"httpd: {text}")


class _Held(Place):
    """The place of one connection among those of its server."""

    def __init__(self, shares: Shares, sock: socket.socket) -> None:
        self.shares = shares
        self.sock = sock

    def quiet(self, after: float = 0.0) -> None:
        self.shares.quiet(self.sock, after)

    def busy(self) -> None:
        self.shares.busy(self.sock)


def _fault(error: Exception) -> str:
    return f"{type(error).__name__}: {one_line(str(error))}"


def _peer_name(sock: socket.socket) -> object:
    """What getpeername(2) says; None when the peer is gone."""
    try:
        return sock.getpeername()
    except OSError:
        return None
