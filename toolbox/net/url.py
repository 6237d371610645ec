"""URLs as wget takes them, proxies for them, and the file names they become."""

from __future__ import annotations

import os

from toolbox.errors import Fatal
from toolbox.net.http import percent_encode

DEFAULT_PORTS = {"http": 80, "https": 443}

#: What may stand in a path or query as it is (RFC 3986), and `%`, because it may be encoded already.
_PLAIN = b"/-._~!$&'()*+,;=:@%?"


class URL:
    """scheme, host (without brackets), port, target (path and query, encoded), user and password."""

    __slots__ = ("host", "password", "port", "scheme", "target", "user")

    def __init__(self, text: str) -> None:
        """A URL, or a bare `host/path`.  Fatal when wget cannot fetch such a thing."""
        scheme, mark, rest = text.partition("://")
        if not mark:
            scheme, rest = "http", text
        self.scheme = scheme.lower()
        if self.scheme not in DEFAULT_PORTS:
            raise Fatal(f"{text}: Unsupported scheme '{scheme}'.", 1)
        rest = rest.partition("#")[0]
        cut = min((at for at in map(rest.find, "/?") if at >= 0), default=len(rest))
        authority, target = rest[:cut], rest[cut:]
        login, at, place = authority.rpartition("@")
        user, colon, password = login.partition(":")
        self.user = os.fsdecode(_decode(user)) if at else ""
        self.password = os.fsdecode(_decode(password)) if colon else ""
        self.host, self.port = self._place(place, text)
        if not target.startswith("/"):
            target = "/" + target
        self.target = percent_encode(os.fsencode(target), _PLAIN)

    def _place(self, place: str, text: str) -> tuple[str, int]:
        if place.startswith("["):
            host, bracket, after = place[1:].partition("]")
            port = after.removeprefix(":")
            if not bracket or (after and not after.startswith(":")):
                raise Fatal(f"{text}: Invalid IPv6 numeric address.", 1)
        else:
            host, _, port = place.partition(":")
        if not host:
            raise Fatal(f"{text}: Invalid host name.", 1)
        if any(c.isspace() or not c.isprintable() for c in host):
            raise Fatal(f"{text}: Invalid host name.", 1)
        if port and not (port.isascii() and port.isdecimal() and 0 < int(port) < 65536):
            raise Fatal(f"{text}: Bad port number.", 1)
        return host, int(port) if port else DEFAULT_PORTS[self.scheme]

    @property
    def authority(self) -> str:
        """What the Host header says."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def origin(self) -> tuple[str, str, int]:
        """To whom secrets may go."""
        return self.scheme, self.host.lower(), self.port

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}{self.target}"

    def join(self, location: str) -> URL:
        """Where a redirection leads."""
        from urllib.parse import urljoin

        try:
            return URL(urljoin(str(self), location.strip()))
        except ValueError as error:
            raise Fatal(f"{location!r}: {error}", 1) from None

    def file_name(self) -> str:
        """The last part of the path with the query, as the name of a file in this directory only."""
        path, question, query = self.target.partition("?")
        raw = _decode(path.rpartition("/")[2] or "index.html")
        return safe_name(raw + (question + query).encode())


def safe_name(raw: bytes) -> str:
    """A name without slashes and control characters, and not `.` or `..`."""
    name = b"".join(b"%%%02X" % c if c < 32 or c in (47, 127) else bytes([c]) for c in raw)
    if name in (b"", b".", b".."):
        name = name.replace(b".", b"%2E") or b"index.html"
    return os.fsdecode(name[:240])


def proxy_for(url: URL) -> URL | None:
    """The proxy that the environment names for a URL: $http_proxy, $https_proxy, $no_proxy."""
    found = os.environ.get(f"{url.scheme}_proxy") or os.environ.get(f"{url.scheme}_proxy".upper())
    # HTTP_PROXY is not asked for: a web server's request header could set it (httpoxy).
    if url.scheme == "http":
        found = os.environ.get("http_proxy")
    if not found:
        return None
    host = url.host.lower()
    exceptions = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    for word in exceptions.lower().split(","):
        domain = word.strip().removeprefix(".")
        if domain == "*" or (domain and (host == domain or host.endswith("." + domain))):
            return None
    return URL(found)


def _decode(text: str) -> bytes:
    """Percent-encoded text as bytes; a stray `%` stays, as people type it."""
    from urllib.parse import unquote_to_bytes

    return unquote_to_bytes(text.encode("utf-8", "surrogateescape"))
