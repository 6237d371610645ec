"""The sockets at which init listens for a service: opened when it can be, watched while nobody else does."""

from __future__ import annotations

from applets.init.service import LISTENING
from applets.init.sockets import open_listener

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from applets.init.loop import Loop
    from applets.init.service import Service

#: Seconds until a socket that could not be opened is tried again.
LISTEN_AGAIN = 5.0


class Listeners:
    """Those of one service."""

    __slots__ = ("log", "loop", "name", "service", "sockets", "trouble", "watched")

    def __init__(self, name: str, service: Service, loop: Loop, log: Callable[[str], None]) -> None:
        self.name = name
        self.service = service
        self.loop = loop
        self.log = log
        self.sockets: dict[str, socket.socket] = {}  # by address
        self.watched: set[str] = set()  # the addresses whose sockets the loop watches
        self.trouble = ""  # what the log was last told of the sockets

    def open(self) -> None:
        """Open those that are not open; what fails is logged and tried again later."""
        if self.service.config.problem:
            return
        retry = False
        for address in self.service.config.listen:
            if address in self.sockets:
                continue
            try:
                self.sockets[address] = open_listener(address)
            except OSError as error:
                retry = True
                trouble = f"{self.name}: cannot listen at {address}: {error.strerror}"
                if trouble != self.trouble:
                    self.trouble = trouble
                    self.log(trouble)
        if retry:
            self.loop.at(self.loop.clock() + LISTEN_AGAIN, self.open)

    def descriptors(self) -> list[int]:
        """Those that are open, in the order of the configuration."""
        return [self.sockets[a].fileno() for a in self.service.config.listen if a in self.sockets]

    def watch(self) -> None:
        """Watch them while, and only while, the service listens."""
        wanted = set(self.sockets) if self.service.state == LISTENING else set()
        for address in wanted - self.watched:
            fd = self.sockets[address].fileno()
            self.loop.watch(fd, self.loop.READ, lambda events: self.service.connection())
        for address in self.watched - wanted:
            self.loop.unwatch(self.sockets[address].fileno())
        self.watched = wanted
