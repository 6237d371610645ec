"""From a URL to a connection: names, addresses in turn, proxies, TLS."""

from __future__ import annotations

import errno
import math
import os
import socket
import time

from toolbox.names import Place, resolve
from toolbox.net.exchange import Exchange, Truncated
from toolbox.net.url import URL, is_exempt
from toolbox.waits import bounded, readable
from toolbox.web import ConnectTimeout, NoConnection, NoTLS, ProxyRefused, Untrusted, tls

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterable, Mapping

    from toolbox.net.exchange import Head

#: Seconds for one address while there are others; what SYN's second repetition still reaches (RFC 6298).
ATTEMPT = 10.0

#: The most addresses of a name that are tried.
MOST_PLACES = 16

#: What says that there is no way from here at all, which is less telling than what another address said.
_NO_WAY = (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)


class Settings:
    """How connections are made.  Times are seconds, None for no limit of ours.

    connect_timeout  for each address, and for TLS's handshake
    read_timeout     between two pieces of what comes or goes
    head_timeout     for a response's head altogether
    dns_timeout      for the resolver
    family           AF_INET, AF_INET6, or 0 for both
    use_proxy        the proxies that the environment names
    bind_address     an address of ours, "" for any
    context          makes TLS's settings when they are needed first
    """

    def __init__(
        self,
        *,
        connect_timeout: float | None = 30.0,
        read_timeout: float | None = 60.0,
        head_timeout: float | None = None,
        dns_timeout: float | None = None,
        family: int = 0,
        use_proxy: bool = True,
        bind_address: str = "",
        context: Callable[[], ssl.SSLContext] = tls.context,
    ) -> None:
        self.connect_timeout = connect_timeout
        self.read_timeout = read_timeout
        self.head_timeout = head_timeout
        self.dns_timeout = dns_timeout
        self.family = family
        self.use_proxy = use_proxy
        self.bind_address = bind_address
        self._make_context = context
        self._context: ssl.SSLContext | None = None

    @property
    def context(self) -> ssl.SSLContext:
        """TLS's settings."""
        if self._context is None:
            self._context = self._make_context()
        return self._context

    def proxy_for(self, url: URL) -> URL | None:
        """The proxy to ask for a URL.  ProtocolError when the environment has none that can be asked."""
        return proxy_for(url, os.environ) if self.use_proxy else None


def proxy_for(url: URL, environment: Mapping[str, str]) -> URL | None:
    """The proxy that $http_proxy or $https_proxy names, unless $no_proxy takes the URL out.

    HTTP_PROXY is not looked at: a web server's request could set it (httpoxy).
    """
    names = ["http_proxy"] if url.scheme == "http" else ["https_proxy", "HTTPS_PROXY"]
    found = next((value for name in names if (value := environment.get(name))), None)
    exceptions = environment.get("no_proxy") or environment.get("NO_PROXY") or ""
    return URL(found) if found and not is_exempt(url, exceptions) else None


class Connection:
    """A socket to a server or its proxy.  key: what it may be used again for; cut: it ended without TLS's farewell."""

    def __init__(self, sock: socket.socket, key: tuple[object, ...]) -> None:
        self.socket = sock
        self.key = key
        self.cut = False
        self._timeout: float | None = -1.0

    def _set_timeout(self, seconds: float | None) -> None:
        if seconds != self._timeout:
            self.socket.settimeout(bounded(seconds))
            self._timeout = seconds

    def receive(self, size: int, seconds: float | None) -> bytes:
        """Some bytes, b"" at the end.  TimeoutError when none come in time; OSError."""
        import ssl

        self._set_timeout(seconds)
        try:
            return self.socket.recv(size)
        except ssl.SSLEOFError:
            self.cut = True
            return b""

    def send(self, data: bytes | memoryview, seconds: float | None) -> None:
        """Send all.  TimeoutError when nothing goes in time; OSError."""
        self._set_timeout(seconds)
        view = memoryview(data)
        while view:
            view = view[self.socket.send(view) :]

    @property
    def speaks(self) -> bool:
        """Whether something has come unasked: an end, or an early answer.  Never told of TLS's own messages."""
        return readable(self.socket.fileno(), 0)

    @property
    def secure(self) -> bool:
        """Whether it speaks TLS."""
        import ssl

        return isinstance(self.socket, ssl.SSLSocket)

    def close(self) -> None:
        """Close the socket."""
        self.socket.close()


def key_of(url: URL, proxy: URL | None) -> tuple[object, ...]:
    """What a connection may be used again for: the same origin by the same way."""
    return (*url.origin, str(proxy) if proxy else "")


def connect(
    url: URL, proxy: URL | None, settings: Settings, say: Callable[[str], None]
) -> Connection:
    """A connection to the URL's server, or to the proxy that is to ask for it.  OSError.

    say: hears of the addresses that are tried, in words as wget's.
    """
    through = proxy or url
    if proxy is not None and proxy.scheme != "http":
        raise NoTLS(0, f"{proxy}: a proxy is asked by http only")
    connection = Connection(reach(through, settings, say), key_of(url, proxy))
    try:
        if url.scheme == "https":
            if proxy is not None:
                _tunnel(connection, url, proxy, settings)
            connection.socket = _secure(connection.socket, url, settings)
            connection._timeout = -1.0
    except BaseException:
        connection.close()
        raise
    return connection


def reach(to: URL, settings: Settings, say: Callable[[str], None]) -> socket.socket:
    """A TCP connection to one of the host's addresses, which are tried in turn.  OSError of the most telling."""
    places = resolve(to.host, to.port, family=settings.family, timeout=settings.dns_timeout)
    places = spread(places)[:MOST_PLACES]
    errors: list[OSError] = []
    for number, place in enumerate(places, 1):
        shown = f"[{place.text}]" if place.family == socket.AF_INET6 else place.text
        named = f"{to.host}|{shown}|" if to.host != place.text else shown
        say(f"Connecting to {named}:{to.port}... ")
        timeout = settings.connect_timeout
        if number < len(places):
            timeout = ATTEMPT if timeout is None else min(timeout, ATTEMPT)
        try:
            sock = _try(place, timeout, settings.bind_address)
        except OSError as error:
            errors.append(error)
            say(f"failed: {reason(error)}.\n")
        else:
            say("connected.\n")
            return sock
    worst = next((error for error in errors if error.errno not in _NO_WAY), errors[-1])
    if isinstance(worst, TimeoutError):
        raise ConnectTimeout(errno.ETIMEDOUT, "Connection timed out")
    raise worst


def spread(places: Iterable[Place]) -> list[Place]:
    """The places with their families in turn (RFC 8305 4): one that is dead does not hold up all of them."""
    left = list(places)
    found: list[Place] = []
    while left:
        other = (p for p in left if not found or p.family != found[-1].family)
        found.append(next(other, left[0]))
        left.remove(found[-1])
    return found


def _try(place: Place, timeout: float | None, source: str) -> socket.socket:
    sock = socket.socket(place.family, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        sock.settimeout(bounded(timeout))
        if source:
            sock.bind(resolve(source, family=place.family)[0].address)
        sock.connect(place.address)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except BaseException:
        sock.close()
        raise
    return sock


def reason(error: OSError) -> str:
    """Why it failed, in a few words."""
    if isinstance(error, TimeoutError):
        return "Connection timed out"
    return error.strerror or str(error) or type(error).__name__


def _tunnel(connection: Connection, url: URL, proxy: URL, settings: Settings) -> None:
    """Ask the proxy for a way to the server (RFC 9110 9.3.6)."""
    headers = [("Host", url.full)]
    if proxy.user:
        headers.append(("Proxy-Authorization", basic(proxy.user, proxy.password)))
    exchange = Exchange("CONNECT", url.full, headers)
    connection.send(exchange.request, settings.read_timeout)
    head = receive_head(connection, exchange, settings)
    if not 200 <= head.status < 300:
        refused = ProxyRefused(0, head.reason or str(head.status))
        refused.status = head.status
        raise refused


def receive_head(connection: Connection, exchange: Exchange, settings: Settings) -> Head:
    """The response's head.  TimeoutError, NoConnection, ProtocolError."""
    limit = settings.head_timeout
    deadline = math.inf if limit is None else time.monotonic() + limit
    try:
        while (head := exchange.head()) is None:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError(errno.ETIMEDOUT, "the head of the answer takes too long")
            silence = settings.read_timeout
            seconds = left if silence is None else min(silence, left)
            exchange.receive(connection.receive(exchange.wants, seconds))
    except Truncated as error:
        raise NoConnection(errno.ECONNRESET, str(error)) from None
    return head


def basic(user: str, password: str) -> str:
    """The value of an Authorization header (RFC 7617)."""
    from base64 import b64encode

    text = f"{user}:{password}".encode("utf-8", "surrogateescape")
    return "Basic " + b64encode(text).decode()


def _secure(sock: socket.socket, url: URL, settings: Settings) -> socket.socket:
    import ssl

    limits = [t for t in (settings.connect_timeout, settings.read_timeout) if t is not None]
    sock.settimeout(bounded(min(limits, default=None)))
    try:
        return settings.context.wrap_socket(
            sock, server_hostname=url.tls_name, suppress_ragged_eofs=False
        )
    except ssl.SSLCertVerificationError as error:
        raise Untrusted(0, error.verify_message.rstrip(".")) from None
    except ssl.SSLError as error:
        raise NoTLS(0, error.reason or str(error)) from None
