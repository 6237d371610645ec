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
from toolbox.names import resolve
from toolbox.net.address import is_private

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from applets.breakglass.program import Program

#: Connections that have not logged in yet, and all connections: beyond these a new one is closed.
STRANGERS, CONNECTIONS = 16, 64

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
    """

    def __init__(
        self, keys: list[str], host_key: bytes, shell: str, idle: float | None = None
    ) -> None:
        self.keys = keys
        self.host_key = host_key
        self.shell = shell
        self.idle = idle
        self.user, self.home = account()
        self.clients: set[Client] = set()
        self.tasks: set[asyncio.Task[None]] = set()
        self.programs: set[Program] = set()
        self.strangers = 0

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
        await self._until_done()
        notify("STOPPING=1")
        for task in accepting:
            task.cancel()
        await self._farewell()

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
                say(f"breakglass: accept: {describe(error)}")
                await asyncio.sleep(0.2)
                continue
            peer = _plain(address[0])
            if self.strangers >= STRANGERS or len(self.tasks) >= CONNECTIONS:
                say(f"breakglass: {peer}: refused: too many connections")
                connection.close()
                continue
            self.strangers += 1
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
            client = Client(self, peer)
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
                self.strangers -= 1
        except (OSError, asyncssh.Error, ValueError) as error:
            say(f"breakglass: {peer}: {_one_line(error)}")
            sock.close()
            return
        await connection.wait_closed()


class Client(asyncssh.SSHServer):
    """One connection."""

    def __init__(self, server: Server, peer: str) -> None:
        self.server = server
        self.address = peer
        self.port = 0
        self.local: tuple[str, int] = ("", 0)
        self.sessions: set[Session] = set()
        self.offers = 0
        self.known = False
        self.name = self.key = ""
        self.connection: Any = None

    def report(self, text: str) -> None:
        """One line in the log about this client."""
        say(f"breakglass: {self.address}: {text}")

    def connection_made(self, conn: Any) -> None:
        """The TCP connection is there; nothing has been said yet."""
        self.connection = conn
        self.server.clients.add(self)
        self.port = (conn.get_extra_info("peername") or ("", 0))[1]
        here = conn.get_extra_info("sockname") or ("", 0)
        self.local = (_plain(here[0]), here[1])

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
        self.connection.set_authorized_keys(Offered(self, read_keys(self.server.keys, self.report)))
        return True

    def public_key_auth_supported(self) -> bool:
        """Public keys are the only way in."""
        return True

    def auth_completed(self) -> None:
        """Logged in."""
        self.known = True
        self.report(f"{self.name[:40]!r} logged in with {self.key}")

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
        allowed = [place.name for place in found if is_private(place.text)]
        if not allowed:
            self.report(f"forwarding to {host[:80]!r} port {port} refused: not a private address")
            raise asyncssh.ChannelOpenError(
                asyncssh.OPEN_ADMINISTRATIVELY_PROHIBITED, "not a private address"
            )
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

    def __init__(self, client: Client, lines: list[str]) -> None:
        super().__init__()
        self.client = client
        if lines:
            try:
                self.load("\n".join(lines))
            except ValueError as error:
                client.report(f"authorized_keys: {error}")
        else:
            client.report(f"no usable key in {', '.join(client.server.keys)}: nobody can log in")

    def __bool__(self) -> bool:
        return True

    def validate(self, key: Any, *args: Any, **kwargs: Any) -> Any:
        """The options of the key's line; None when the key is not authorized."""
        client = self.client
        options = super().validate(key, *args, **kwargs)
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


def _plain(address: str) -> str:
    """An IPv4 address that came by an IPv6 socket in its own form."""
    return address.removeprefix("::ffff:") if "." in address else address
