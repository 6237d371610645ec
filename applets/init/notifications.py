"""The sockets of the services' messages to init: sd_notify(3), with the kernel's word on who speaks.

Each service has a socket of its own, which is its user's alone to write to, and is listened to so many times a
second: one that never stops talking keeps no other from being heard, and costs next to nothing.
"""

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

#: Messages taken of one socket in so many seconds; those beyond wait in it, and their senders with them.
MOST, PERIOD = 64, 1.0


class Notifications:
    """Calls `tell(pid, {NAME: VALUE})` for each message."""

    def __init__(
        self,
        loop: Loop,
        path: str,
        tell: Callable[[int, dict[str, str]], None],
        uid: int | None = None,
    ) -> None:
        """Listen at `path`, for the user `uid` alone or for all.  OSError as bind(2)."""
        self.begun = loop.clock()
        self.taken = 0
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
            os.chmod(path, 0o666 if uid is None else 0o600)
            if uid:
                os.chown(path, uid, -1)
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
            if not self._may_take():
                return
            try:
                data, ancillary, _, _ = self.socket.recvmsg(MAX_MESSAGE, socket.CMSG_SPACE(1024))
            except BlockingIOError:
                return
            self.taken += 1
            pid = 0
            for level, kind, payload in ancillary:
                if (level, kind) == (socket.SOL_SOCKET, socket.SCM_CREDENTIALS):
                    pid = struct.unpack_from("3i", payload)[0]
                elif (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                    # Nobody asked for descriptors (FDSTORE): don't let them pile up.
                    for (fd,) in struct.iter_unpack("i", payload[: len(payload) // 4 * 4]):
                        os.close(fd)
            self.tell(pid, assignments(data))

    def _may_take(self) -> bool:
        """Whether there were not enough in this period; if so, the rest is taken in the next one."""
        now = self.loop.clock()
        if now - self.begun >= PERIOD:
            self.begun, self.taken = now, 0
        if self.taken >= MOST:
            self.loop.unwatch(self.socket.fileno())
            self.loop.at(self.begun + PERIOD, self._listen_again)
            return False
        return True

    def _listen_again(self) -> None:
        if self.socket.fileno() >= 0:
            self.loop.watch(self.socket.fileno(), self.loop.READ, self._ready)


def assignments(data: bytes) -> dict[str, str]:
    """The NAME=VALUE lines of a message; other lines are left out."""
    lines = (line.partition("=") for line in data.decode("utf-8", "replace").split("\n"))
    return {name: value for name, equals, value in lines if equals}
