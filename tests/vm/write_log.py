"""What QEMU's blklogwrites driver wrote down: each write and flush that a machine's disk was given, in order.

The format is that of Linux's dm-log-writes (Documentation/admin-guide/device-mapper/log-writes.rst): a
superblock, then for each entry a sector with its header, followed by its data.
"""

from __future__ import annotations

import errno
import mmap
import random
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from toolbox.storage.device import SECTOR, BlockDevice

MAGIC = 0x6A736677736872
FLUSH, DISCARD = 1, 4

_SUPERBLOCK = struct.Struct("<QQQI")
_ENTRY = struct.Struct("<QQQQ")

#: offset, bytes; None is a flush
Event = tuple[int, bytes] | None


def read(path: Path) -> list[Event]:
    """The events of a log; what was discarded counts as written zeros."""
    events: list[Event] = []
    with path.open("rb") as file:
        magic, version, count, sector = _SUPERBLOCK.unpack(file.read(_SUPERBLOCK.size))
        assert (magic, version) == (MAGIC, 1)
        at = sector
        for _ in range(count):
            file.seek(at)
            first, sectors, flags, _ = _ENTRY.unpack(file.read(_ENTRY.size))
            at += sector
            if sectors:
                if flags & DISCARD:
                    events.append((first * sector, bytes(sectors * sector)))
                else:
                    file.seek(at)
                    events.append((first * sector, file.read(sectors * sector)))
                    at += sectors * sector
            if flags & FLUSH:
                events.append(None)
    return events


class State(NamedTuple):
    """What a power failure may leave of a log.

    at: the events before it have happened; what the last flush among them followed is on the disk
    kept: numbers of those writes since then that are on it, too
    torn: the sectors that are of the last one of them; None for all
    """

    at: int
    kept: tuple[int, ...] = ()
    torn: range | None = None


def states(events: Sequence[Event], seed: int = 1) -> Iterator[State]:
    """At each flush: with nothing, all, the first some, any and all but one of what was pending, one torn; of much, more."""
    chance = random.Random(seed)
    pending: list[int] = []
    for number, event in enumerate([*events, None]):
        if event is not None:
            pending.append(number)
            continue
        yield State(number)
        for _ in range(1 + len(pending) // 8 if pending else 0):
            kept = pending[: chance.randint(1, len(pending))]
            event = events[kept[-1]]
            assert event
            sectors = range(len(event[1]) // SECTOR)
            first, last = sorted(chance.choices(sectors, k=2))
            yield State(number, tuple(kept))
            yield State(number, tuple(kept), sectors[first : last + 1])
            yield State(number, tuple(one for one in pending if chance.random() < 0.5))
            lost = chance.choice(pending)
            yield State(number, tuple(one for one in pending if one != lost))
        if pending:
            yield State(number, tuple(pending))
        pending = []


class Replayed(BlockDevice):
    """The disk of a log, in a file that was a copy of it before the log; it goes from state to state, forward."""

    def __init__(self, path: Path, events: Sequence[Event]) -> None:
        self.path = path
        self.events = events
        self.size = path.stat().st_size
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), 0)
        self._durable = 0
        self._undone: list[tuple[int, bytes]] = []
        self._state = State(0)

    def go(self, state: State) -> None:
        """Be in that state; what was written to the disk since the last one is taken back."""
        while self._undone:
            offset, data = self._undone.pop()
            self._map[offset : offset + len(data)] = data
        stop = max((n for n in range(state.at) if self.events[n] is None), default=-1) + 1
        assert stop >= self._durable
        for event in self.events[self._durable : stop]:
            if event:
                self._map[event[0] : event[0] + len(event[1])] = event[1]
        self._durable, self._state = stop, state
        for number in state.kept:
            offset, data = self._write(number)
            self.write(offset, data)

    def key(self, offset: int, size: int) -> object:
        """What tells apart what is in a part of the disk in different states."""
        touched = [
            n for n in (*range(self._durable), *self._state.kept) if self._in(n, offset, size)
        ]
        fresh = tuple(n for n in touched if n >= self._durable)
        old = max((n for n in touched if n < self._durable), default=-1)
        torn = self._state.torn if fresh and fresh[-1] == self._state.kept[-1] else None
        return old, fresh, torn

    def _in(self, number: int, offset: int, size: int) -> bool:
        event = self.events[number]
        return event is not None and event[0] < offset + size and offset < event[0] + len(event[1])

    def _write(self, number: int) -> tuple[int, bytes]:
        event = self.events[number]
        assert event
        if self._state.torn is None or number != self._state.kept[-1]:
            return event
        start, stop = self._state.torn.start * SECTOR, self._state.torn.stop * SECTOR
        return event[0] + start, event[1][start:stop]

    def read(self, offset: int, length: int) -> bytes:
        self.check(offset, length, errno.EIO)
        return self._map[offset : offset + length]

    def write(self, offset: int, data: bytes | memoryview) -> None:
        self.check(offset, len(data), errno.ENOSPC)
        self._undone.append((offset, self.read(offset, len(data))))
        self._map[offset : offset + len(data)] = bytes(data)

    def flush(self) -> None:
        pass

    def close(self) -> None:
        self._map.close()
