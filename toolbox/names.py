"""Names and addresses of hosts: the one way to the system's resolver, getaddrinfo(3).

    for place in resolve("example.org", 80):        every address, in the order to try them in
        socket.socket(place.family, ...).connect(place.address)

Whatever the name holds (an empty label, 300 letters, a NUL, bytes that are no UTF-8) ends in addresses or in
`Unresolved`, an OSError that names it.
"""

from __future__ import annotations

import socket
from typing import NamedTuple

from toolbox.net import ProtocolError
from toolbox.net.host import ascii_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    T = TypeVar("T")


class Unresolved(OSError):
    """A name without an address.  errno: getaddrinfo's EAI_ number; strerror: why; filename: the name."""


class Place(NamedTuple):
    """An address that a socket of `family` connects to; `text` is it in numbers, without port and zone."""

    family: int
    address: tuple[Any, ...]
    text: str

    @property
    def name(self) -> str:
        """The same with its zone, as `resolve` takes it."""
        zone = self.address[3] if len(self.address) > 3 else 0
        return f"{self.text}%{zone}" if zone else self.text


def _ascii(name: str, host: str) -> bytes:
    """The name in the form that DNS has it.  Unresolved when it can be nobody's name."""
    try:
        return ascii_name(name).encode()
    except ProtocolError as error:
        raise Unresolved(socket.EAI_NONAME, f"not a host name: {error}", host) from None


def numeric(text: str) -> str | None:
    """The address that `text` spells out, in its usual form; None when it is a name."""
    try:
        (place, *_) = _look_up(text, 0, 0, socket.SOCK_DGRAM, socket.AI_NUMERICHOST)
    except Unresolved:
        return None
    return place.name


def resolve(
    host: str,
    port: int = 0,
    *,
    family: int = 0,
    kind: int = socket.SOCK_STREAM,
    timeout: float | None = None,
) -> list[Place]:
    """The places that a name, or an address with or without a zone (`fe80::1%eth0`), stands for: one at least.

    family: AF_INET or AF_INET6, 0 for both; timeout: seconds that the resolver may take.  Unresolved says
    why there is none.
    """
    if timeout is None:
        return _look_up(host, port, family, kind, 0)
    return _within(timeout, host, lambda: _look_up(host, port, family, kind, 0))


def _look_up(host: str, port: int, family: int, kind: int, flags: int) -> list[Place]:
    if not 0 <= port <= 65535:
        raise Unresolved(socket.EAI_SERVICE, f"there is no port {port}", host)
    text, mark, zone = host.partition("%")
    index = _zone(host, zone) if mark and ":" in text else 0
    name = _ascii(text if index else host, host)
    try:
        answers = socket.getaddrinfo(name, port, family, kind, 0, flags)
    except OSError as error:
        raise Unresolved(error.errno, error.strerror, host) from None
    found: dict[tuple[int, tuple[Any, ...]], None] = {}
    for of, _, _, _, address in answers:
        if of == socket.AF_INET6 and index:
            address = (*address[:3], index)
        if of in (socket.AF_INET, socket.AF_INET6):
            found[int(of), address] = None
    if not found:
        raise Unresolved(socket.EAI_NODATA, "it has no address", host)
    return [Place(of, address, str(address[0]).partition("%")[0]) for of, address in found]


def _zone(host: str, zone: str) -> int:
    """The index of the interface that an address's zone names (RFC 4007 11.2)."""
    if zone.isascii() and zone.isdecimal() and len(zone) < 10 and int(zone):
        return int(zone)
    try:
        return socket.if_nametoindex(zone)
    except (OSError, ValueError):
        raise Unresolved(socket.EAI_NONAME, f"no such interface: {zone}", host) from None


def _within(seconds: float, host: str, call: Callable[[], T]) -> T:
    """What `call` returns.  It runs beside us, for nothing stops getaddrinfo(3): it may go on unheard."""
    import threading

    from toolbox.waits import bounded

    results: list[T | Unresolved] = []

    def work() -> None:
        try:
            results.append(call())
        except Unresolved as error:
            results.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(bounded(seconds))
    if not results:
        raise Unresolved(socket.EAI_AGAIN, f"no answer within {seconds:g} s", host)
    if isinstance(results[0], Unresolved):
        raise results[0]
    return results[0]


def canonical(host: str) -> str:
    """The full name (AI_CANONNAME); `host` itself when the resolver knows none."""
    try:
        name = _ascii(host, host)
        found = socket.getaddrinfo(name, None, 0, socket.SOCK_DGRAM, 0, socket.AI_CANONNAME)
    except OSError:
        return host
    return found[0][3] or host


def aliases(host: str) -> list[str]:
    """The other names of a host.  Unresolved when the resolver does not know it."""
    name = _ascii(host, host).decode()
    try:
        return socket.gethostbyname_ex(name)[1]
    except OSError as error:
        raise Unresolved(error.errno, error.strerror, host) from None


def name_of(address: str) -> str:
    """The name of an address; "" when the resolver has none."""
    try:
        return socket.getnameinfo((address, 0), socket.NI_NAMEREQD)[0]
    except OSError:
        return ""
