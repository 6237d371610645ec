"""The socket of the services' messages to init: sd_notify(3), with the kernel's word on who speaks."""

from __future__ import annotations

import os
import socket
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from applets.init.loop import Loop

#: Bytes of the longest message.
MAX_MESSAGE = 4096

#: Messages taken in one turn of the loop.
BURST = 32


class Notifications:
    """Calls `tell(pid, {NAME: VALUE})` for each message."""

    def __init__(self, loop: Loop, path: str, tell: Callable[[int, dict[str, str]], None]) -> None:
        """Listen at `path`.  OSError as bind(2)."""
        self.loop = loop
        self.path = path
        self.tell = tell
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        try:
            self.socket.setblocking(False)
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
            if os.path.lexists(path):
                os.unlink(path)
            self.socket.bind(path)
            # Services run as users of their own; the kernel says which process speaks.
            os.chmod(path, 0o666)
        except OSError as error:
            self.socket.close()
            raise OSError(error.errno or 0, str(error.strerror or error), path) from error
        loop.watch(self.socket.fileno(), loop.READ, self._ready)

    def close(self) -> None:
        """Stop listening."""
        self.loop.unwatch(self.socket.fileno())
        self.socket.close()
        try:
            os.unlink(self.path)
        except OSError:
            pass  # somebody took it away already

    def _ready(self, events: int) -> None:
        for _ in range(BURST):
            try:
                data, ancillary, _, _ = self.socket.recvmsg(MAX_MESSAGE, socket.CMSG_SPACE(1024))
            except BlockingIOError:
                return
            pid = 0
            for level, kind, payload in ancillary:
                if (level, kind) == (socket.SOL_SOCKET, socket.SCM_CREDENTIALS):
                    pid = struct.unpack_from("3i", payload)[0]
                elif (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                    # Nobody asked for descriptors (FDSTORE): don't let them pile up.
                    for (fd,) in struct.iter_unpack("i", payload[: len(payload) // 4 * 4]):
                        os.close(fd)
            self.tell(pid, assignments(data))


def assignments(data: bytes) -> dict[str, str]:
    """The NAME=VALUE lines of a message; other lines are left out."""
    lines = (line.partition("=") for line in data.decode("utf-8", "replace").split("\n"))
    return {name: value for name, equals, value in lines if equals}
