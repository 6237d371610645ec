"""The control socket: JSON lines in, JSON lines out, and no client that can hurt.

A client is never waited for.  What it may send is bounded (a line), what is kept for it is bounded (a
buffer; a log reader keeps a place in the rings instead, a watcher the names of what changed), how many
there may be is bounded, and one that says nothing is sent away.  Whatever it sends that is no request
gets {"error": ...}.
"""

from __future__ import annotations

import errno
import json
import os
import select
import socket
import struct

from applets.init.verbs import VERBS, Refused, encode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from applets.init.loop import Loop, Timer
    from applets.init.supervisor import Supervisor

#: Bytes of the longest request.
MAX_REQUEST = 1 << 16
#: Bytes waiting for a client above which no more is made for it.
HIGH_WATER = 1 << 16
#: Bytes waiting for a client that does not read, above which it is cut off.
MAX_WAITING = 1 << 22
#: Clients at a time.
MAX_CLIENTS = 64
#: Seconds that a client may take between connecting or an answer and its next request.
SILENCE = 30.0
#: Seconds after which it is seen whether a client that sends nothing more is still there.
GONE = 5.0


class Listener:
    """A socket at `path`.  verbs: what its clients may ask for, None for all    uid: whose it is besides root's"""

    __slots__ = ("path", "socket", "uid", "verbs")

    def __init__(
        self, sock: socket.socket, path: str, verbs: frozenset[str] | None, uid: int
    ) -> None:
        self.socket = sock
        self.path = path
        self.verbs = verbs
        self.uid = uid


class Server:
    """Listens, and owns its clients."""

    def __init__(self, box: Supervisor, loop: Loop) -> None:
        self.box = box
        self.loop = loop
        self.clients: set[Client] = set()
        self.listeners: dict[str, Listener] = {}
        self.path = ""

    def listen(self, path: str) -> None:
        """Listen at `path`, for root and this user alone.  OSError as bind(2)."""
        self._open(path, None, os.geteuid())
        self.path = path

    def listen_for(self, name: str, uid: int, verbs: Iterable[str]) -> str:
        """A socket of a service's own, for its user, who may ask for these things alone; returns its path.

        OSError as bind(2).
        """
        path = f"{self.path}.{name}"
        if path not in self.listeners:
            self._open(path, frozenset(verbs), uid)
        return path

    def _open(self, path: str, verbs: frozenset[str] | None, uid: int) -> None:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        try:
            sock.setblocking(False)
            _refuse_if_served(path)
            # It gets its name when it listens: nobody finds it half-made.
            temporary = f"{path}.new"
            if os.path.lexists(temporary):
                os.unlink(temporary)
            former = os.umask(0o177)
            try:
                sock.bind(temporary)
            finally:
                os.umask(former)
            if uid != os.geteuid():
                os.chown(temporary, uid, -1)
            sock.listen(64)
            os.rename(temporary, path)
        except OSError as error:
            sock.close()
            raise OSError(error.errno or 0, str(error.strerror or error), path) from error
        self.listeners[path] = Listener(sock, path, verbs, uid)
        self._accept_at(path)

    def close(self) -> None:
        """Stop listening and send everybody away."""
        for listener in self.listeners.values():
            self.loop.unwatch(listener.socket.fileno())
            try:
                os.unlink(listener.path)
            except OSError:
                pass  # somebody took it away already
            listener.socket.close()
        self.listeners.clear()
        for client in list(self.clients):
            client.flush()
            client.close()

    def changed(self, name: str) -> None:
        """The state of a service changed: watchers will be told."""
        for client in self.clients:
            if client.watching:
                client.changed.add(name)

    def pump(self) -> None:
        """Give the clients that stream or wait what there is for them now; called once a turn."""
        for client in list(self.clients):
            client.pump()

    def _accept_at(self, path: str) -> None:
        listener = self.listeners.get(path)
        if listener is not None:
            fd = listener.socket.fileno()
            self.loop.watch(fd, self.loop.READ, lambda events: self._accept(listener))

    def _accept(self, listener: Listener) -> None:
        for _ in range(16):
            try:
                sock, _address = listener.socket.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return
            except OSError as error:
                # No descriptors left: somebody will close some.  Until then nobody is accepted.
                self.box.log(f"control socket: {error.strerror}")
                self.loop.unwatch(listener.socket.fileno())
                self.loop.at(self.loop.clock() + 1, lambda: self._accept_at(listener.path))
                return
            sock.setblocking(False)
            client = Client(self, sock, listener.verbs)
            self.clients.add(client)
            if peer_uid(sock) not in (0, listener.uid):
                client.refuse("this socket is another user's")
            elif len(self.clients) > MAX_CLIENTS:
                client.refuse("too many clients")


def peer_uid(sock: socket.socket) -> int:
    """The user at the other end of a Unix socket, as the kernel says (SO_PEERCRED of unix(7))."""
    size = struct.calcsize("3i")
    return int(struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))[1])


class Client:
    """One connection.  Its ways: requests one after the other, until one of them is a stream."""

    def __init__(
        self, server: Server, sock: socket.socket, verbs: frozenset[str] | None = None
    ) -> None:
        """verbs: what it may ask for; None: everything."""
        self.server = server
        self.verbs = verbs
        self.socket = sock
        self.fd = sock.fileno()
        self.received = b""
        self.waiting = b""
        self.closing = False
        self.deaf = False  # nothing comes from it any more
        self.watching = False
        self.changed: set[str] = set()
        self.answer_when: Callable[[], dict[str, Any] | None] | None = None
        self.more: Callable[[], bytes | None] | None = None
        self.timer: Timer | None = None
        self.on_close: Callable[[], None] | None = None
        self._expect()

    # -- what comes in --------------------------------------------------------------------------

    def _ready(self, events: int) -> None:
        if events & self.server.loop.WRITE:
            self.flush()
        if events & self.server.loop.READ and self.socket.fileno() >= 0:
            self._receive()

    def _receive(self) -> None:
        try:
            data = self.socket.recv(1 << 16)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._no_more_requests()
            return
        if self.streaming:
            return  # nothing is expected any more; don't keep it
        self.received += data
        self._requests()

    def _no_more_requests(self) -> None:
        """It is gone, or it closed its sending side only and still waits for answers."""
        if self.socket.fileno() < 0:
            return
        gone = select.poll()
        gone.register(self.fd, 0)  # POLLHUP is always reported
        if gone.poll(0) or (self._idle() and not self.waiting):
            self.close()
            return
        self.deaf = True
        self.closing = self.closing or self._idle()
        self._watch()
        if self.timer is not None:
            self.timer.cancel()
        self.timer = self.server.loop.at(self.server.loop.clock() + GONE, self._no_more_requests)

    def _requests(self) -> None:
        while not self.closing and self._idle():
            line, end, rest = self.received.partition(b"\n")
            if not end:
                if len(line) > MAX_REQUEST:
                    self.refuse(f"a request has at most {MAX_REQUEST} bytes")
                return
            self.received = rest
            if line.strip():
                self._request(line)

    def _request(self, line: bytes) -> None:
        try:
            if len(line) > MAX_REQUEST:
                raise Refused(f"a request has at most {MAX_REQUEST} bytes")
            try:
                asked = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise Refused(f"not JSON: {error}") from None
            if not isinstance(asked, dict) or not isinstance(asked.get("verb"), str):
                raise Refused('a request is an object with a "verb"')
            verb = VERBS.get(asked["verb"])
            if verb is None:
                raise Refused(f"unknown verb {asked['verb'][:40]!r}; known: {', '.join(VERBS)}")
            if self.verbs is not None and asked["verb"] not in self.verbs:
                raise Refused(f"this service may not ask for {asked['verb']!r}")
            verb(self, asked)
        except Refused as refusal:
            self.send({"error": str(refusal)})
        except Exception as error:
            self.server.loop.report("control request", error)
            self.send({"error": f"init failed to do it: {error}"})

    # -- what goes out --------------------------------------------------------------------------

    def send(self, answer: dict[str, Any]) -> None:
        """One line to the client, when it takes it."""
        self.waiting += encode(answer)
        self._expect()
        self.flush()

    def refuse(self, reason: str) -> None:
        """Say why, and close once it is said."""
        self.closing = True
        self.waiting += encode({"error": reason})
        self.flush()

    def flush(self) -> None:
        """Send what the client takes now."""
        while self.waiting:
            try:
                sent = self.socket.send(self.waiting, socket.MSG_NOSIGNAL)
            except BlockingIOError:
                break
            except OSError:
                self.close()
                return
            self.waiting = self.waiting[sent:]
        if len(self.waiting) > MAX_WAITING or (self.closing and not self.waiting):
            self.close()
        elif self.socket.fileno() >= 0:
            self._watch()

    def pump(self) -> None:
        """Go on with a stream or a postponed answer."""
        if self.answer_when is not None:
            answer = self.answer_when()
            if answer is not None:
                self.answer_when = None
                self.closing = self.deaf
                self.send(answer)
                self._requests()
        if self.watching and self.changed and len(self.waiting) < HIGH_WATER:
            names, self.changed = self.changed, set()
            for name in sorted(names):
                self.waiting += encode(self.server.box.describe(name))
            self.flush()
        while self.more is not None and not self.closing and len(self.waiting) < HIGH_WATER:
            data = self.more()
            if data is None:
                self.closing = True
                self.flush()
                return
            if not data:
                return
            self.waiting += data
            self.flush()

    def close(self) -> None:
        """Forget the client."""
        if self.timer is not None:
            self.timer.cancel()
        self.server.clients.discard(self)
        self.more = self.answer_when = None
        self.watching = False
        if self.socket.fileno() >= 0:
            self.server.loop.unwatch(self.fd)
            self.socket.close()
        then, self.on_close = self.on_close, None
        if then is not None:
            then()

    @property
    def streaming(self) -> bool:
        """Whether the rest of the connection is one answer."""
        return self.watching or self.more is not None

    def _idle(self) -> bool:
        return not self.streaming and self.answer_when is None

    def _watch(self) -> None:
        events = 0 if self.deaf or self.closing else self.server.loop.READ
        if self.waiting:
            events |= self.server.loop.WRITE
        if events:
            self.server.loop.watch(self.fd, events, self._ready)
        else:
            self.server.loop.unwatch(self.fd)

    def _expect(self) -> None:
        """A request is expected: start its time anew."""
        if self.timer is not None:
            self.timer.cancel()
        self.timer = self.server.loop.at(self.server.loop.clock() + SILENCE, self._silent)
        if not self.deaf:
            self._watch()

    def _silent(self) -> None:
        if self._idle():
            self.close()


def _refuse_if_served(path: str) -> None:
    """OSError (EADDRINUSE) when another init listens there; what a dead one left is taken over."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as probe:
        probe.setblocking(False)
        try:
            probe.connect(path)
        except OSError:
            return  # nobody there
    raise OSError(errno.EADDRINUSE, "an init serves this socket already", path)
