"""Tell the supervisor how a service is doing: sd_notify(3), the protocol that programs know already.

notify("READY=1", "STATUS=address 10.0.2.15")     a datagram to $NOTIFY_SOCKET, or nothing
"""

from __future__ import annotations

import os


def notify(*assignments: str) -> bool:
    """Send `NAME=value` lines; False when nobody asked for them or nobody takes them.

    Never raises and never waits: a service does not fail because its supervisor is busy.
    """
    path = os.environ.get("NOTIFY_SOCKET", "")
    if not path.startswith(("/", "@")):
        return False
    import socket

    address = "\0" + path[1:] if path.startswith("@") else path
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
            sock.setblocking(False)
            sock.sendto("\n".join(assignments).encode("utf-8", "surrogateescape"), address)
    except OSError:
        return False
    return True
