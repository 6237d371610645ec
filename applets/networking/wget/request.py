"""Requests: what the command line says of connections, bodies and headers, and what failures mean."""

from __future__ import annotations

import os

from applets.networking.wget.output import FILE_TROUBLE
from toolbox.errors import Fatal, UsageError
from toolbox.names import Unresolved
from toolbox.net import ProtocolError
from toolbox.web import NoTLS, ProxyRefused, Untrusted
from toolbox.web.connect import Settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ssl

    from toolbox.net.url import URL
    from toolbox.options import Values
    from toolbox.web.client import Client, Response

#: Statuses.
NETWORK, TLS, AUTHENTICATION, PROTOCOL = 4, 5, 6, 7


#: Seconds of silence after which a server is given up, when the command line does not say.
_SILENCE = 900.0


def settings(opt: Values) -> Settings:
    """How connections are made; a time of 0 is no limit."""
    import socket

    family = 0
    if opt.last("inet4_only", "inet6_only"):
        v6 = opt.last("inet4_only", "inet6_only") == "inet6_only"
        family = int(socket.AF_INET6 if v6 else socket.AF_INET)

    def limit(own: float | None, usual: float | None) -> float | None:
        given = own if own is not None else opt.timeout
        return usual if given is None else given or None

    return Settings(
        dns_timeout=limit(opt.dns_timeout, None),
        connect_timeout=limit(opt.connect_timeout, None),
        read_timeout=limit(opt.read_timeout, _SILENCE),
        family=family,
        use_proxy=not opt.no_proxy and opt.proxy != "off",
        bind_address=opt.bind_address or "",
        context=lambda: _context(opt),
    )


def _context(opt: Values) -> ssl.SSLContext:
    from toolbox.web import tls

    try:
        return tls.context(
            check=not opt.no_check_certificate,
            authorities=opt.ca_certificate,
            folder=opt.ca_directory,
            certificate=opt.certificate,
            key=opt.private_key,
        )
    except (OSError, ValueError) as error:
        raise Fatal(f"cannot load certificates: {error}", TLS) from None


def ask(
    web: Client, url: URL, method: str, headers: dict[str, str], data: bytes | None
) -> Response:
    """Send a request; its response.  OSError when another try may help, Fatal when none will."""
    try:
        web.settings.proxy_for(url)
    except ProtocolError as error:
        raise Fatal(f"proxy: {error}", 1) from None
    try:
        return web.request(url, method, headers.items(), data)
    except Unresolved as error:
        raise Fatal(
            f"unable to resolve host address '{error.filename}': {error.strerror}", NETWORK
        ) from None
    except Untrusted as error:
        raise Fatal(
            f"cannot verify {url.host}'s certificate: {error.strerror}\n"
            f"To connect to {url.host} insecurely, use '--no-check-certificate'.",
            TLS,
        ) from None
    except NoTLS as error:
        raise Fatal(f"Unable to establish SSL connection: {error.strerror}", TLS) from None
    except ProxyRefused as error:
        raise Fatal(f"Proxy tunneling failed: {error.strerror}", NETWORK) from None
    except ProtocolError as error:
        raise Fatal(f"{url}: no HTTP: {error}", PROTOCOL) from None


def body(opt: Values) -> bytes | None:
    data = opt.post_data if opt.post_data is not None else opt.body_data
    path = opt.post_file if opt.post_file is not None else opt.body_file
    if data is not None and path is not None:
        raise UsageError("You cannot specify both --post-data and --post-file.")
    if data is not None:
        return os.fsencode(data)
    if path is None:
        return None
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise Fatal(f"BODY data file '{path}' missing: {error.strerror}", FILE_TROUBLE) from None


def headers_given(lines: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        legal = name.isascii() and name.strip() == name and name and name.isprintable()
        if not colon or not legal or " " in name or "\n" in value or "\r" in value:
            raise UsageError(f"--header: Invalid header {line!r}.")
        found[name] = value.strip()
    return found
