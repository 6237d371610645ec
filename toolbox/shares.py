"""Connections of a server, shared by who connects: nobody can hold them all, and a full server lets newcomers in.

    shares = Shares(96, 32)
    dropped = shares.enter(sock, "2001:db8::7")     those that have to be closed for it; None: it is turned away
    shares.quiet(sock)   shares.busy(sock)          it is silent, and may be dropped; something is done for it
    shares.leave(sock)

First come, first served lets the first who comes take everything and say nothing.  Here one source, an IPv4 address
or an IPv6 network of 64 bits (whoever has one address of that has them all), gets a share at most, and one more of it
takes the place of its own longest silent one.  When all places are taken, the longest silent connection of the source
that has most silent ones goes.  OpenSSH has PerSourceMaxStartups and PerSourceNetBlockSize for the same reason.
"""

from __future__ import annotations

import threading
import time

from toolbox.net.address import network_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from socket import socket

_NEVER = float("inf")


class Shares:
    """Places for `number` connections, of which one source may have `share`.  Safe to use from several threads."""

    def __init__(
        self, number: int, share: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.number = number
        self.share = share
        self.clock = clock
        self._held: dict[socket, _Place] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._held)

    def enter(self, key: socket, peer: str) -> list[socket] | None:
        """Give a place to a new connection, which is silent as yet, from the address `peer`.

        The connections that lost theirs for it are returned, and have to be closed; None when there is no place.
        """
        source, now = network_of(peer), self.clock()
        with self._lock:
            dropped: list[socket] = []
            own = [item for item in self._held.items() if item[1].source == source]
            if len(own) >= self.share:
                if (victim := _longest_silent(own, now)) is None:
                    return None
                dropped.append(victim)
            elif len(self._held) >= self.number:
                if (victim := self._of_the_busiest(now)) is None:
                    return None
                dropped.append(victim)
            for one in dropped:
                del self._held[one]
            self._held[key] = _Place(source, now)
            return dropped

    def leave(self, key: socket) -> None:
        """The connection has ended; one that was dropped has left already."""
        with self._lock:
            self._held.pop(key, None)

    def quiet(self, key: socket, after: float = 0.0) -> None:
        """From now on, or in so many seconds, it counts as silent, until it is busy; if it does not already."""
        since = self.clock() + after
        with self._lock:
            if (place := self._held.get(key)) is not None:
                place.since = min(place.since, since)

    def busy(self, key: socket) -> None:
        """Something is done for it: it keeps its place."""
        with self._lock:
            if (place := self._held.get(key)) is not None:
                place.since = _NEVER

    def progress(self, key: socket) -> None:
        """It got a step further: those that did not go first."""
        with self._lock:
            if (place := self._held.get(key)) is not None:
                place.rank += 1

    def _of_the_busiest(self, now: float) -> socket | None:
        """The longest silent one of the source with most silent ones."""
        silent: dict[str, list[tuple[socket, _Place]]] = {}
        for item in self._held.items():
            if item[1].since <= now:
                silent.setdefault(item[1].source, []).append(item)
        if not silent:
            return None
        most = max(map(len, silent.values()))
        return _longest_silent((i for of in silent.values() if len(of) == most for i in of), now)


class _Place:
    """Who has it, since when its holder is silent, and how far it got."""

    __slots__ = ("rank", "since", "source")

    def __init__(self, source: str, since: float) -> None:
        self.source = source
        self.since = since
        self.rank = 0


def _longest_silent(places: Iterable[tuple[socket, _Place]], now: float) -> socket | None:
    silent = [item for item in places if item[1].since <= now]
    return min(silent, key=lambda item: (item[1].rank, item[1].since))[0] if silent else None
