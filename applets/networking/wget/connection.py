"""One request and its response, over TCP or TLS, directly or through a proxy."""

from __future__ import annotations

import os
import socket

from toolbox.errors import Fatal
from toolbox.names import Unresolved, resolve
from toolbox.net.url import URL, proxy_for
from toolbox.waits import bounded

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable
    from http.client import HTTPResponse

NETWORK, TLS, AUTHENTICATION, PROTOCOL = 4, 5, 6, 7

#: Where distributions keep the certificate authorities, when OpenSSL's own place is empty.
_AUTHORITIES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/ssl/cert.pem", "/etc/pki/tls/cert.pem")


class Settings:
    """How connections are made.  Times in seconds; family 0: IPv4 and IPv6."""

    def __init__(self) -> None:
        self.family = 0
        self.connect_timeout: float | None = None
        self.read_timeout: float | None = 900.0
        self.check_certificate = True
        self.authorities: str | None = None
        self.authority_folder: str | None = None
        self.certificate: str | None = None
        self.private_key: str | None = None
        self.use_proxy = True
        self.bind_address: str | None = None
        self._context: ssl.SSLContext | None = None

    def context(self) -> ssl.SSLContext:
        """The TLS settings; made once."""
        if self._context is None:
            self._context = self._make_context()
        return self._context

    def _make_context(self) -> ssl.SSLContext:
        import ssl

        try:
            context = ssl.create_default_context(
                cafile=self.authorities, capath=self.authority_folder
            )
            if not (self.authorities or self.authority_folder or context.get_ca_certs()):
                for path in _AUTHORITIES:
                    if os.path.exists(path):
                        context.load_verify_locations(path)
                        break
            if self.certificate is not None:
                context.load_cert_chain(self.certificate, self.private_key)
        except (OSError, ValueError) as error:
            raise Fatal(f"cannot load certificates: {error}", TLS) from None
        if not self.check_certificate:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context


def fetch(
    url: URL,
    method: str,
    headers: dict[str, str],
    body: bytes | None,
    settings: Settings,
    say: Callable[[str], None],
) -> HTTPResponse:
    """Send a request; the response, whose body is still to be read.

    OSError when the network fails; Fatal(TLS) when the server is not who it should be;
    http.client.HTTPException when what answers is no HTTP.
    """
    from http.client import HTTPConnection

    proxy = proxy_for(url) if settings.use_proxy else None
    through = proxy or url
    s = _connect(through, settings, say)
    try:
        target = url.target
        if proxy is not None and url.scheme == "http":
            target = str(url)
            if proxy.user:
                headers = {**headers, "Proxy-Authorization": basic(proxy.user, proxy.password)}
        elif proxy is not None:
            _tunnel(s, url, proxy)
        if url.scheme == "https":
            s = _secure(s, url, settings)
        connection = HTTPConnection(url.host, url.port)
        connection.sock = s
        connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
        for name, value in headers.items():
            connection.putheader(name, value.encode("utf-8", "surrogateescape"))
        connection.endheaders(body)
        say(f"{'Proxy' if proxy else 'HTTP'} request sent, awaiting response... ")
        return connection.getresponse()
    except BaseException:
        s.close()
        raise


def basic(user: str, password: str) -> str:
    """The value of an Authorization header (RFC 7617)."""
    from base64 import b64encode

    return "Basic " + b64encode(f"{user}:{password}".encode()).decode()


def _connect(to: URL, settings: Settings, say: Callable[[str], None]) -> socket.socket:
    try:
        found = resolve(to.host, to.port, family=settings.family)
    except Unresolved as error:
        words = error.strerror
        raise Fatal(f"unable to resolve host address '{to.host}': {words}", NETWORK) from None
    last: OSError | None = None
    for family, address, text in found:
        shown = f"[{text}]" if family == socket.AF_INET6 else text
        place = f"{to.host}|{shown}|" if to.host != text else shown
        say(f"Connecting to {place}:{to.port}... ")
        s = socket.socket(family, socket.SOCK_STREAM)
        try:
            s.settimeout(bounded(settings.connect_timeout))
            if settings.bind_address is not None:
                s.bind((settings.bind_address, 0))
            s.connect(address)
        except OSError as error:
            s.close()
            last = error
            say(f"failed: {_reason(error)}.\n")
            continue
        s.settimeout(bounded(settings.read_timeout))
        say("connected.\n")
        return s
    raise last if last is not None else OSError(0, "no addresses")


def _reason(error: OSError) -> str:
    return (
        "Connection timed out" if isinstance(error, TimeoutError) else error.strerror or str(error)
    )


def _tunnel(s: socket.socket, url: URL, proxy: URL) -> None:
    """Ask the proxy for a way to the server (RFC 9110 9.3.6)."""
    from http.client import HTTPResponse

    host = f"[{url.host}]" if ":" in url.host else url.host
    lines = [f"CONNECT {host}:{url.port} HTTP/1.1", f"Host: {host}:{url.port}"]
    if proxy.user:
        lines.append(f"Proxy-Authorization: {basic(proxy.user, proxy.password)}")
    s.sendall("\r\n".join([*lines, "", ""]).encode())
    response = HTTPResponse(s, method="CONNECT")
    response.begin()
    if response.status != 200:
        raise Fatal(f"Proxy tunneling failed: {response.reason}", NETWORK)


def _secure(s: socket.socket, url: URL, settings: Settings) -> socket.socket:
    import ssl

    try:
        return settings.context().wrap_socket(s, server_hostname=url.host)
    except ssl.SSLCertVerificationError as error:
        words = error.verify_message.rstrip(".")
        raise Fatal(
            f"cannot verify {url.host}'s certificate: {words}\n"
            f"To connect to {url.host} insecurely, use '--no-check-certificate'.",
            TLS,
        ) from None
    except ssl.SSLError as error:
        raise Fatal(f"Unable to establish SSL connection: {error.reason or error}", TLS) from None
