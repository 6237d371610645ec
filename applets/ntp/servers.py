"""Which servers to ask: their names, and from names to addresses without holding up the loop."""

from __future__ import annotations

import json
import os
import socket
import threading

from toolbox.files import read_file
from toolbox.names import Unresolved, resolve

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

POOL = tuple(f"{number}.pool.ntp.org" for number in range(4))
#: Servers that are asked, and addresses of one of them that are tried in turn.
MOST, MOST_ADDRESSES = 4, 8


def from_leases(folder: str) -> list[str]:
    """The servers that dhcp was told of (DIR/IFACE.json); a file that is no lease is passed over."""
    found: dict[str, None] = {}
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return []
    for name in names:
        if name.endswith(".json"):
            try:
                lease = json.loads(read_file(os.path.join(folder, name)) or b"{}")
                found.update((s, None) for s in lease.get("ntp") or () if isinstance(s, str))
            except (OSError, ValueError, AttributeError, TypeError, RecursionError):
                continue
    return list(found)[:MOST]


class Resolver:
    """Looks names up in a thread, for getaddrinfo(3) may take its time; readable when it is done."""

    def __init__(self) -> None:
        self._reader, self._writer = socket.socketpair()
        self._lock = threading.Lock()
        self._found: list[list[str]] = []
        self.busy = False

    def fileno(self) -> int:
        """The descriptor to wait on."""
        return self._reader.fileno()

    def close(self) -> None:
        """Forget what is under way."""
        with self._lock:
            self._reader.close()
            self._writer.close()

    def look_up(self, names: Iterable[str]) -> None:
        """Begin to look up `names`.  Not while `busy`."""
        self.busy = True
        threading.Thread(target=self._work, args=(list(names),), daemon=True).start()

    def take(self) -> list[list[str]]:
        """The addresses of each name that has any, in the order to try them in; the resolver is free again."""
        self._reader.recv(1)
        self.busy = False
        with self._lock:
            return self._found

    def _work(self, names: list[str]) -> None:
        found = []
        for name in names:
            try:
                places = resolve(name, kind=socket.SOCK_DGRAM)
            except Unresolved:
                continue
            # The resolver's order is by what can be reached (RFC 6724).
            found.append([place.name for place in places[:MOST_ADDRESSES]])
        with self._lock:
            self._found = found
            if self._writer.fileno() >= 0:
                self._writer.send(b".")
