"""The SSH server: who may connect, how many, for how long, and what each of them is allowed.

Everything that a peer does wrong is one line in the log and the end of its own connection at most.
"""

from __future__ import annotations

import asyncio
import logging
import os
import pwd
import signal
import socket

from applets.breakglass.keys import read_keys
from applets.breakglass.library import SSHForwarder, asyncssh
from applets.breakglass.session import Session
from toolbox.errors import describe, say
from toolbox.harmless import one_line
from toolbox.limited_log import LimitedLog
from toolbox.listening import peer_of
from toolbox.names import resolve
from toolbox.net.address import is_metadata, is_private
from toolbox.shares import Shares

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from applets.breakglass.keys import Line
    from applets.breakglass.program import Program
    from toolbox.net.address import Network

#: Connections that have not logged in yet: in all, and of one source.  Beyond these the longest silent one gives way.
STRANGERS, SHARE = 32, 16

#: Connections that have logged in: beyond these a new one is closed.
CONNECTIONS = 64

#: Open sessions of one connection (OpenSSH's MaxSessions).
SESSIONS = 10

#: Keys that one connection may offer.
OFFERS = 16

#: Seconds to log in, and between signs of life asked of a silent client.
GRACE, ALIVE = 30, 30

#: Seconds that programs get to end after the server was told to.
FAREWELL = 2.0


#: What the library offers by default but for SHA-1, GSS, and key exchanges that cost us much and others little.
ALGORITHMS = {
    "kex_algs": "-gss-*,*-sha1,rsa*,diffie-hellman-group-exchange-*,*-group17-*,*-group18-*",
    "mac_algs": "-*-sha1*,*@ssh.com",
    "signature_algs": "-ssh-rsa,*@ssh.com",
    "compression_algs": "none",
}


class Server:
    """The settings and the state of one server.

    idle: seconds without a connection after which it ends; None: never
    near: networks besides the private ones that forwarding may reach
    """

    def __init__(
        self,
        keys: list[str],
        host_key: bytes,
        shell: str,
        idle: float | None = None,
        near: Sequence[Network] = (),
    ) -> None:
        self.keys = keys
        self.host_key = host_key
        self.shell = shell
        self.idle = idle
        self.near = near
        self.user, self.home = account()
        self.clients: set[Client] = set()
        self.tasks: set[asyncio.Task[None]] = set()
        self.programs: set[Program] = set()
        self.shares = Shares(STRANGERS, SHARE)
        #: Whoever has not logged in writes here: how many lines, and what of others they displace, is not his choice.
        self.log = LimitedLog("breakglass")

    def run(self, sockets: list[socket.socket]) -> None:
        """Serve until a signal, or until idle."""
        asyncio.run(self._run(sockets))

    async def _run(self, sockets: list[socket.socket]) -> None:
        from toolbox.notify import notify

        self.loop = asyncio.get_running_loop()
        self.loop.set_exception_handler(_report_exception)
        self._stop = asyncio.Event()
        self._changed = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            self.loop.add_signal_handler(number, self._stop.set)
        # Made once here, so that a bad key is known at the start and not at the first connection.
        asyncssh.import_private_key(self.host_key)
        accepting = [asyncio.create_task(self._accept(sock)) for sock in sockets]
        for sock in sockets:
            host, port = sock.getsockname()[:2]
            say(f"breakglass: listening on {f'[{host}]' if ':' in host else host}:{port}")
        notify("READY=1")
        counting = asyncio.create_task(self._count())
        await self._until_done()
        counting.cancel()
        notify("STOPPING=1")
        for task in accepting:
            task.cancel()
        await self._farewell()
        self.log.flush(all=True)

    async def _count(self) -> None:
        """Say from time to time what was not said one by one."""
        while True:
            await asyncio.sleep(30.0)
            self.log.flush()

    async def _until_done(self) -> None:
        while not self._stop.is_set():
            self._changed.clear()
            busy = self.tasks or self.programs
            waiting = [
                asyncio.create_task(self._stop.wait()),
                asyncio.create_task(self._changed.wait()),
            ]
            done, rest = await asyncio.wait(
                waiting,
                timeout=None if busy or self.idle is None else self.idle,
                return_when=asyncio.FIRST_COMPLETED,
            )
            for task in rest:
                task.cancel()
            if not done and not self.tasks and not self.programs:
                return  # idle; a connection that comes now starts us again

    async def _farewell(self) -> None:
        for client in list(self.clients):
            client.disconnect("the server is stopping")
        for program in list(self.programs):
            program.hang_up()
        until = self.loop.time() + FAREWELL
        while (self.tasks or self.programs) and self.loop.time() < until:
            await asyncio.sleep(0.02)

    # Connections.

    async def _accept(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        while True:
            try:
                connection, address = await self.loop.sock_accept(sock)
            except OSError as error:
                # Out of descriptors, or the peer gave up in the queue: neither ends the server.
                self.log("accept", describe(error))
                await asyncio.sleep(0.2)
                continue
            peer = peer_of(address)
            known = sum(client.known for client in self.clients)
            dropped = None if known >= CONNECTIONS else self.shares.enter(connection, peer)
            if dropped is None:
                self.log("refused: too many connections", peer)
                connection.close()
                continue
            for victim in dropped:
                self.log("silent connections gave way to others", _peer_of(victim))
                _end(victim)
            task = asyncio.create_task(self._serve(connection, peer))
            self.tasks.add(task)
            self._changed.set()
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self.tasks.discard(task)
        self._changed.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            say(f"breakglass: {_one_line(error)}")

    async def _serve(self, sock: socket.socket, peer: str) -> None:
        client: Client | None = None

        def made() -> Client:
            nonlocal client
            client = Client(self, peer, sock)
            return client

        try:
            try:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                connection = await asyncssh.run_server(
                    sock,
                    server_factory=made,
                    server_host_keys=[self.host_key],
                    server_version="Snakeroot",
                    encoding=None,
                    line_editor=False,
                    agent_forwarding=False,
                    x11_forwarding=False,
                    gss_host=None,  # its default asks the DNS for our own name
                    password_auth=False,
                    kbdint_auth=False,
                    host_based_auth=False,
                    login_timeout=GRACE,
                    keepalive_interval=ALIVE,
                    keepalive_count_max=4,
                    **ALGORITHMS,
                )
            finally:
                self.shares.leave(sock)
        except (OSError, asyncssh.Error, ValueError) as error:
            self.log("no login", peer, _one_line(error))
            sock.close()
            return
        await connection.wait_closed()


class Client(asyncssh.SSHServer):
    """One connection."""

    def __init__(self, server: Server, peer: str, sock: socket.socket) -> None:
        self.server = server
        self.address = peer
        self.sock = sock
        self.port = 0
        self.local: tuple[str, int] = ("", 0)
        self.sessions: set[Session] = set()
        self.offers = 0
        self.known = False
        self.name = self.key = ""
        self.connection: Any = None

    def report(self, text: str) -> None:
        """One line in the log about this client; of strangers not any number."""
        if self.known:
            say(f"breakglass: {self.address}: {text}")
        else:
            self.server.log("strangers", self.address, text)

    def connection_made(self, conn: Any) -> None:
        """The TCP connection is there; nothing has been said yet."""
        self.connection = conn
        self.server.clients.add(self)
        self.port = (conn.get_extra_info("peername") or ("", 0))[1]
        here = conn.get_extra_info("sockname") or ("", 0)
        self.local = (peer_of(here), here[1])

    def connection_lost(self, exc: Exception | None) -> None:
        """The end; of strangers the caller reports why."""
        self.server.clients.discard(self)
        if self.known:
            self.report(f"closed{f': {_one_line(exc)}' if exc else ''}")

    def disconnect(self, reason: str) -> None:
        """End the connection, saying why."""
        self.connection.disconnect(asyncssh.DISC_BY_APPLICATION, reason)

    def begin_auth(self, username: str) -> bool:
        """Any user name is root's (or ours, when we are not root): what counts is the key."""
        self.name = username
        self.server.shares.progress(self.sock)
        self.connection.set_authorized_keys(
            Offered(self, read_keys(self.server.keys, self.unusable))
        )
        return True

    def unusable(self, problem: str) -> None:
        """What is wrong in a file of keys; read for each login, it is not said at each."""
        self.server.log("authorized keys", self.address, problem)

    def public_key_auth_supported(self) -> bool:
        """Public keys are the only way in."""
        return True

    def auth_completed(self) -> None:
        """Logged in."""
        self.known = True
        self.report(f"{self.name[:40]!r} logged in with {self.key}")

    @property
    def is_restricted(self) -> bool:
        """Whether the key's line lets it run one command only, and does not say what it may connect to."""
        option = self.connection.get_key_option
        return option("command") is not None and not option("permitopen")

    @property
    def key_environment(self) -> dict[str, str]:
        """What the key's line in authorized_keys puts into the environment."""
        return dict(self.connection.get_key_option("environment", {}))

    def session_requested(self) -> Session | bool:
        """A shell, a command or a transfer, as long as there are not too many."""
        if len(self.sessions) >= SESSIONS:
            self.report("session refused: too many")
            return False
        session = Session(self)
        self.sessions.add(session)
        return session

    def connection_requested(
        self, dest_host: str, dest_port: int, orig_host: str, orig_port: int
    ) -> Any:
        """Forward to the box itself and to private networks; the box is no way out to the world."""
        return self._forward(dest_host, dest_port)

    async def _forward(self, host: str, port: int) -> Any:
        try:
            # The addresses are judged, not the name, and the judged address is the one used.
            found = await self.server.loop.run_in_executor(None, resolve, host, port)
        except OSError as error:
            self.report(f"forwarding to {host[:80]!r}: {error.strerror}")
            raise asyncssh.ChannelOpenError(
                asyncssh.OPEN_CONNECT_FAILED, "name not found"
            ) from error
        allowed = [place.name for place in found if is_private(place.text, self.server.near)]
        why = "not a private address"
        if self.is_restricted:
            # Who may run one command only shall not get by the network what the machine alone may know.
            kept = [name for name in allowed if not is_metadata(name)]
            why = "not for a key with a command of its own" if allowed and not kept else why
            allowed = kept
        if not allowed:
            self.report(f"forwarding to {host[:80]!r} port {port} refused: {why}")
            raise asyncssh.ChannelOpenError(asyncssh.OPEN_ADMINISTRATIVELY_PROHIBITED, why)
        why = ""
        for address in allowed:
            try:
                _, peer = await self.server.loop.create_connection(SSHForwarder, address, port)
            except OSError as error:
                why = error.strerror or ""
            else:
                return Forward(peer)
        raise asyncssh.ChannelOpenError(asyncssh.OPEN_CONNECT_FAILED, why or "no connection")

    def server_requested(self, listen_host: str, listen_port: int) -> bool:
        """Listening on the box for the client is not offered."""
        self.report("remote forwarding refused")
        return False

    def unix_connection_requested(self, dest_path: str) -> bool:
        """Nor are sockets in the file system."""
        self.report("forwarding to a Unix socket refused")
        return False

    def unix_server_requested(self, listen_path: str) -> bool:
        """Nor are sockets in the file system."""
        self.report("remote forwarding refused")
        return False


class Forward(SSHForwarder):
    """The channel's side of a forwarded connection, which ends when both sides have said all."""

    def eof_received(self) -> bool:
        """Left to itself the library keeps the channel when our end came before the client's."""
        more = super().eof_received()
        if not more:
            asyncio.get_running_loop().call_soon(self.close)
        return more


class Offered(asyncssh.SSHAuthorizedKeys):
    """The authorized keys, which counts what a client offers and says which key was taken."""

    def __init__(self, client: Client, lines: list[Line]) -> None:
        super().__init__()
        self.client = client
        for line in lines:
            try:
                found = asyncssh.import_authorized_keys(line.text)
            except (ValueError, TypeError, KeyError, ArithmeticError) as error:
                client.unusable(f"{line.where}: {_one_line(error)}; the key is refused")
                continue
            self._user_entries += found._user_entries
        if not self._user_entries:
            client.unusable(f"no usable key in {', '.join(client.server.keys)}: nobody can log in")

    def __bool__(self) -> bool:
        return True

    def validate(self, key: Any, *args: Any, **kwargs: Any) -> Any:
        """The options of the key's line; None when the key is not authorized.

        The library's own idea of the client's address, in whatever form its socket has it, is not asked.
        """
        client = self.client
        options = super().validate(key, client.address, client.address.partition("%")[0])
        if options is not None:
            client.key = key.get_fingerprint()
            return options
        client.offers += 1
        client.report(f"key {key.get_fingerprint()} for {client.name[:40]!r} is not authorized")
        if client.offers >= OFFERS:
            client.disconnect("too many keys")
        return None


def account() -> tuple[str, str]:
    """The name and the home directory of the user that we are: whoever logs in becomes that."""
    try:
        entry = pwd.getpwuid(os.geteuid())
    except KeyError:
        return "root" if os.geteuid() == 0 else str(os.geteuid()), "/"
    return entry.pw_name, entry.pw_dir if os.path.isdir(entry.pw_dir) else "/"


def quieten() -> None:
    """Let the library log to us, in single lines, and only what is an error of our own."""

    class Lines(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            error = record.exc_info[1] if record.exc_info else None
            said = one_line(record.getMessage())
            say(f"breakglass: {said}{f': {_one_line(error)}' if error else ''}")

    for name in ("asyncssh", "asyncio"):
        logger = logging.getLogger(name)
        logger.handlers = [Lines()]
        logger.propagate = False
        logger.setLevel(logging.ERROR)


def _report_exception(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    error = context.get("exception")
    say(f"breakglass: {context.get('message')}{f': {_one_line(error)}' if error else ''}")


def _one_line(error: BaseException) -> str:
    """An error's words, whose bytes may be a hostile peer's, as one short printable line."""
    text = describe(error) if isinstance(error, OSError) else str(error) or type(error).__name__
    return one_line(text)


def _peer_of(sock: socket.socket) -> str:
    try:
        return peer_of(sock.getpeername())
    except OSError:
        return ""  # it is gone already


def _end(sock: socket.socket) -> None:
    """End a connection; whoever serves it finds out."""
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass  # it has just ended
