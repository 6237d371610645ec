"""URLs of http and https, as people type them and as servers send them (RFC 3986, RFC 6874)."""

from __future__ import annotations

import os

from toolbox.net import ProtocolError
from toolbox.net.host import ascii_name
from toolbox.net.http import percent_encode

DEFAULT_PORTS = {"http": 80, "https": 443}

#: What may stand in a path or query as it is, and `%`, because it may be encoded already.
_PLAIN = b"/-._~!$&'()*+,;=:@%?"


class URL:
    """scheme; host (without brackets, an IPv6 address with its zone: `fe80::1%eth0`); port; target (path and
    query, encoded); user and password ("" for none)."""

    __slots__ = ("host", "password", "port", "scheme", "target", "user")

    def __init__(self, text: str) -> None:
        """A URL, or a bare `host/path`.  ProtocolError when it is none of http or https."""
        scheme, mark, rest = text.partition("://")
        if not mark:
            scheme, rest = "http", text
        self.scheme = scheme.lower()
        if self.scheme not in DEFAULT_PORTS:
            raise ProtocolError(f"{text}: Unsupported scheme '{scheme}'.")
        rest = rest.partition("#")[0]
        cut = min((at for at in map(rest.find, "/?") if at >= 0), default=len(rest))
        authority, target = rest[:cut], rest[cut:]
        login, at, place = authority.rpartition("@")
        user, colon, password = login.partition(":")
        self.user = os.fsdecode(decode(user)) if at else ""
        self.password = os.fsdecode(decode(password)) if colon else ""
        self.host, self.port = self._place(place, text)
        if not target.startswith("/"):
            target = "/" + target
        self.target = percent_encode(target.encode("utf-8", "surrogateescape"), _PLAIN)

    def _place(self, place: str, text: str) -> tuple[str, int]:
        if place.startswith("["):
            host, bracket, after = place[1:].partition("]")
            port = after.removeprefix(":")
            if not bracket or ":" not in host or (after and not after.startswith(":")):
                raise ProtocolError(f"{text}: Invalid IPv6 numeric address.")
            # RFC 6874 has `%25` before the zone, people type `%`.
            address, mark, zone = host.partition("%")
            host = address + mark + (zone.removeprefix("25") or zone)
        else:
            host, _, port = place.partition(":")
            try:
                ascii_name(host)
            except ProtocolError as error:
                raise ProtocolError(f"{text}: Invalid host name: {error}.") from None
        if not host.isprintable() or any(map(str.isspace, host)):
            raise ProtocolError(f"{text}: Invalid host name.")
        if port and not (
            port.isascii() and port.isdecimal() and len(port) < 6 and 0 < int(port) < 65536
        ):
            raise ProtocolError(f"{text}: Bad port number.")
        return host, int(port) if port else DEFAULT_PORTS[self.scheme]

    @property
    def authority(self) -> str:
        """What the Host header says: ASCII, without a zone, which means nothing elsewhere (RFC 6874 4)."""
        return self.bare if self.port == DEFAULT_PORTS[self.scheme] else self.full

    @property
    def full(self) -> str:
        """Host and port, as CONNECT has them (RFC 9110 9.3.6)."""
        return f"{self.bare}:{self.port}"

    @property
    def bare(self) -> str:
        """The host in ASCII, an IPv6 address in brackets and without its zone."""
        if ":" in self.host:
            return f"[{self.host.partition('%')[0]}]"
        return ascii_name(self.host)

    @property
    def tls_name(self) -> str:
        """The name that a certificate has to be for (RFC 6066 3: without a dot at the end)."""
        return self.bare.strip("[]").removesuffix(".")

    @property
    def origin(self) -> tuple[str, str, int]:
        """To whom secrets may go."""
        return self.scheme, self.host.lower().removesuffix("."), self.port

    def __str__(self) -> str:
        address, mark, zone = self.host.partition("%")
        if mark and zone.startswith("25"):
            zone = f"25{zone}"  # else it would be taken for RFC 6874's mark
        host = f"[{address}{mark}{zone}]" if ":" in self.host else self.host
        shown = host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"
        return f"{self.scheme}://{shown}{self.target}"

    def join(self, location: str) -> URL:
        """Where a redirection leads.  ProtocolError when that is no URL of http or https."""
        from urllib.parse import urljoin

        try:
            return URL(urljoin(str(self), location.strip()))
        except ProtocolError:
            raise
        except ValueError as error:
            raise ProtocolError(f"{location!r}: {error}") from None


def decode(text: str) -> bytes:
    """Percent-encoded text as bytes; a stray `%` stays, as people type it."""
    from urllib.parse import unquote_to_bytes

    return unquote_to_bytes(text.encode("utf-8", "surrogateescape"))


def is_exempt(url: URL, exceptions: str) -> bool:
    """Whether a list like $no_proxy's takes this URL out.

    Separated by commas or blanks: `*`; a domain (with or without a dot before it) with all below it; an
    address; a network (`10.0.0.0/8`); each with a port or without.
    """
    host = url.host.lower().partition("%")[0].removesuffix(".")
    for word in exceptions.lower().replace(",", " ").split():
        if word == "*":
            return True
        name, port = _split_port(word)
        if port and port != str(url.port):
            continue
        domain = name.removeprefix("*").removeprefix(".").removesuffix(".")
        if domain and (host == domain or host.endswith("." + domain) or _is_in(host, domain)):
            return True
    return False


def _split_port(word: str) -> tuple[str, str]:
    """`name:80` -> name, 80; a bare IPv6 address has no port, one in brackets may have."""
    if word.startswith("["):
        name, _, rest = word[1:].partition("]")
        return name, rest.removeprefix(":")
    if word.count(":") == 1:
        name, _, port = word.partition(":")
        return name, port
    return word, ""


def _is_in(host: str, network: str) -> bool:
    if "/" not in network and ":" not in network:
        return False
    from ipaddress import ip_address, ip_network

    try:
        return ip_address(host) in ip_network(network, strict=False)
    except ValueError:
        return False
