"""Every disk that a power failure may leave behind: a disk that records, and what becomes of its record.

A disk keeps what was flushed.  Of the writes since then it keeps any, in any order; of a write of several
sectors, any of the sectors.  `states` tries all of that where it is little, and much of it where it is a lot:

- for each moment (before each write, before and after each flush) the writes since the last flush,
- all subsets of up to `every` pending writes; of more: none, all, each alone, all but each, and random ones,
- with each subset, the last write torn: no sectors, the first half, the second half, a random choice.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator

from tests.toolbox.storage.memory import Memory
from toolbox.storage.device import SECTOR

#: offset, bytes; None is a flush
Event = tuple[int, bytes] | None


class Recorder(Memory):
    """A disk in memory that writes down every write and flush."""

    def __init__(self, contents: bytes) -> None:
        super().__init__(len(contents))
        self.bytes[:] = contents
        self.before = bytes(contents)
        self.events: list[Event] = []

    def write(self, offset: int, data: bytes | memoryview) -> None:
        super().write(offset, data)
        self.events.append((offset, bytes(data)))

    def flush(self) -> None:
        self.events.append(None)


def states(
    before: bytes, events: list[Event], *, every: int = 6, samples: int = 12, seed: int = 0
) -> Iterator[bytes]:
    """The contents that a power failure at any moment may leave; the same ones in every run."""
    chance = random.Random(seed)
    durable = bytearray(before)
    pending: list[tuple[int, bytes]] = []
    for event in [*events, None]:
        if event is not None:
            pending.append(event)
        yield from _crashes(durable, pending, every, samples, chance)
        if event is None:
            for offset, data in pending:
                durable[offset : offset + len(data)] = data
            pending = []


def _crashes(
    durable: bytearray,
    pending: list[tuple[int, bytes]],
    every: int,
    samples: int,
    chance: random.Random,
) -> Iterator[bytes]:
    for chosen in _subsets(len(pending), every, samples, chance):
        disk = bytearray(durable)
        for index in chosen:
            offset, data = pending[index]
            disk[offset : offset + len(data)] = data
        yield bytes(disk)
        if chosen:
            yield from _torn(durable, pending, chosen, chance)


def _subsets(
    count: int, every: int, samples: int, chance: random.Random
) -> Iterator[tuple[int, ...]]:
    everything = tuple(range(count))
    if count <= every:
        for size in range(count + 1):
            yield from itertools.combinations(everything, size)
        return
    yield ()
    yield everything
    for index in everything:
        yield (index,)
        yield everything[:index] + everything[index + 1 :]
    for _ in range(samples):
        yield tuple(index for index in everything if chance.random() < 0.5)


def _torn(
    durable: bytearray,
    pending: list[tuple[int, bytes]],
    chosen: tuple[int, ...],
    chance: random.Random,
) -> Iterator[bytes]:
    offset, data = pending[chosen[-1]]
    sectors = len(data) // SECTOR
    if sectors < 2:
        return
    half = sectors // 2
    for kept in (
        range(half),
        range(half, sectors),
        [s for s in range(sectors) if chance.random() < 0.5],
    ):
        disk = bytearray(durable)
        for index in chosen[:-1]:
            start, whole = pending[index]
            disk[start : start + len(whole)] = whole
        for sector in kept:
            at = sector * SECTOR
            disk[offset + at : offset + at + SECTOR] = data[at : at + SECTOR]
        yield bytes(disk)
