"""The listening sockets that init holds for services, so that a connection can start them.

The sockets stay open while the service comes and goes: a client that connects meanwhile waits in the
kernel's queue instead of being refused.
"""

from __future__ import annotations

import errno
import os
import socket

from applets.init.checks import parse_address

#: Connections that wait in the kernel.
BACKLOG = 128


def open_listener(address: str) -> socket.socket:
    """A listening socket (checks.parse_address).  OSError names the address.

    `[::]:PORT` and `:PORT` take IPv4 too, where the kernel knows IPv6, else IPv4 alone.
    """
    kind, host, port = parse_address(address)
    try:
        if kind == "unix":
            return _unix(host)
        if host in ("", "::"):
            try:
                return _tcp(socket.AF_INET6, "::", port)
            except OSError as error:
                if error.errno not in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL):
                    raise
                return _tcp(socket.AF_INET, "0.0.0.0", port)
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return _tcp(family, host, port)
    except OSError as error:
        error.filename = address
        raise


def _tcp(family: socket.AddressFamily, host: str, port: int) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1 if host != "::" else 0)
        # The address may come later than the service (a lease, duplicate address detection).
        sock.setsockopt(socket.SOL_IP, _IP_FREEBIND, 1)
        sock.bind((host, port))
        return _listening(sock)
    except OSError:
        sock.close()
        raise


def _unix(path: str) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        if path.startswith("@"):
            sock.bind("\0" + path[1:])
        else:
            try:
                sock.bind(path)
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise
                os.unlink(path)  # left by an earlier life
                sock.bind(path)
        return _listening(sock)
    except OSError:
        sock.close()
        raise


def _listening(sock: socket.socket) -> socket.socket:
    # Blocking is a property that all holders share, and the service expects to accept as usual; init
    # itself only ever waits for readiness and never accepts.
    sock.listen(BACKLOG)
    return sock


#: ip(7); the socket module does not name it.
_IP_FREEBIND = 15
