"""Listening sockets: those that the supervisor passed on, or our own.

The supervisor's protocol is systemd's (sd_listen_fds(3)): descriptors from 3 on, their number in
LISTEN_FDS, the process they are meant for in LISTEN_PID.
"""

from __future__ import annotations

import errno
import os
import socket

from toolbox.errors import UsageError
from toolbox.net.address import plain_address

#: The first descriptor that is passed on (SD_LISTEN_FDS_START).
FIRST = 3


def inherited() -> list[socket.socket]:
    """The sockets that the supervisor passed to this process; none when it passed none.

    The variables are removed, so that no child takes the descriptors for its own.
    """
    count = os.environ.pop("LISTEN_FDS", "")
    owner = os.environ.pop("LISTEN_PID", "")
    os.environ.pop("LISTEN_FDNAMES", None)
    if not (count.isascii() and count.isdecimal() and len(count) <= 9) or (
        owner and owner != str(os.getpid())
    ):
        return []
    found = []
    for fd in range(FIRST, FIRST + min(int(count), 64)):
        os.set_inheritable(fd, False)
        found.append(socket.socket(fileno=fd))
    return found


def listen(address: str | None, port: int, backlog: int = 128) -> list[socket.socket]:
    """Listen on a numeric IPv4 or IPv6 address; None: on all of both families.

    Port 0 asks for any free one.  OSError as bind(2); UsageError when the address is none.
    """
    if address is not None:
        family = _family(address)
        return [_bound(family, address, port, backlog)]
    try:
        # One socket for both families, so that port 0 is the same port for both.
        return [_bound(socket.AF_INET6, "::", port, backlog, both=True)]
    except OSError as error:
        # A kernel without IPv6, or one that was told not to use it, has IPv4 alone.
        if error.errno not in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL):
            raise
        return [_bound(socket.AF_INET, "0.0.0.0", port, backlog)]


def peer_of(address: object) -> str:
    """The address, in numbers, of who connected: from what accept(2) or getpeername(2) says; "" without one.

    The one place where it is brought into its usual form, so that what compares addresses (near networks, limits,
    `from=`, logs) sees 192.0.2.7 and never ::ffff:192.0.2.7.
    """
    return plain_address(str(address[0])) if isinstance(address, tuple) and address else ""


def parse_endpoint(text: str, default: int | None = None) -> tuple[str | None, int]:
    """The address (None: any) and the port of `PORT`, `ADDRESS:PORT` or `[ADDRESS]:PORT`.

    default: the port of a lone ADDRESS, where that is allowed.  UsageError when the text is neither.
    """
    host, colon, port = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host or (not colon and not text.isdecimal()):
        if default is None:
            raise UsageError(
                f"invalid address: {text!r} (use PORT, ADDRESS:PORT or [ADDRESS]:PORT)"
            )
        host, port = text.strip("[]"), str(default)
    if not (port.isascii() and port.isdecimal() and len(port) <= 9) or int(port) > 65535:
        raise UsageError(f"invalid port: {port!r}")
    if host:
        _family(host)
    return host or None, int(port)


def _family(address: str) -> socket.AddressFamily:
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, address.partition("%")[0])
            return family
        except OSError:
            continue
    raise UsageError(f"not a numeric address: {address!r}")


def _bound(
    family: socket.AddressFamily, address: str, port: int, backlog: int, both: bool = False
) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0 if both else 1)
        sock.bind((address, port))
        sock.listen(backlog)
    except OSError as error:
        sock.close()
        shown = f"[{address}]" if ":" in address else address
        error.filename = f"{shown}:{port}"
        raise
    return sock
