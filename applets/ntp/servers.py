"""Which servers to ask: their names, and from names to addresses without holding up the loop."""

from __future__ import annotations

import json
import os
import socket
import threading

from toolbox.files import read_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

POOL = tuple(f"{number}.pool.ntp.org" for number in range(4))
MOST = 4


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


def numeric(name: str) -> str | None:
    """The address that `name` spells out, in its usual form; None when it is a name to look up."""
    try:
        found = socket.getaddrinfo(name, None, type=socket.SOCK_DGRAM, flags=socket.AI_NUMERICHOST)
    except (OSError, UnicodeError):
        return None
    return str(found[0][4][0])


class Resolver:
    """Looks names up in a thread, for getaddrinfo(3) may take its time; readable when it is done."""

    def __init__(self) -> None:
        self._reader, self._writer = socket.socketpair()
        self._lock = threading.Lock()
        self._found: list[str] = []
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
        """Begin to look up `names`, one address for each.  Not while `busy`."""
        self.busy = True
        threading.Thread(target=self._work, args=(list(names),), daemon=True).start()

    def take(self) -> list[str]:
        """The addresses found; the resolver is free again."""
        self._reader.recv(1)
        self.busy = False
        with self._lock:
            return self._found

    def _work(self, names: list[str]) -> None:
        found: dict[str, None] = {}
        for name in names:
            try:
                answers = socket.getaddrinfo(name, None, type=socket.SOCK_DGRAM)
            except (OSError, UnicodeError):
                continue
            # The resolver's order is by what can be reached (RFC 6724); one address is one server.
            new = [str(a[4][0]) for a in answers if a[4][0] not in found]
            found.update(dict.fromkeys(new[:1]))
        with self._lock:
            self._found = list(found)
            if self._writer.fileno() >= 0:
                self._writer.send(b".")
