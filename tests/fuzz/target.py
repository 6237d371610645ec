"""What a target is, and how inputs are made for it and tried."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import NamedTuple


class Target(NamedTuple):
    """A reader: its seeds, the function that reads, and its documented errors."""

    seeds: list[bytes]
    read: Callable[[bytes], object]
    errors: tuple[type[Exception], ...]


def changed(chance: random.Random, seeds: list[bytes]) -> bytes:
    """An input made from the seeds."""
    data = bytearray(chance.choice(seeds))
    for _ in range(chance.choice((1, 1, 2, 3, 8))):
        at = chance.randint(0, len(data))
        kind = chance.randrange(6)
        if kind == 0 and at < len(data):
            data[at] ^= 1 << chance.randrange(8)
        elif kind == 1 and at < len(data):
            data[at] = chance.choice((0, 1, 0x7F, 0x80, 0xFF, chance.randrange(256)))
        elif kind == 2:
            data[at:at] = chance.randbytes(chance.choice((1, 2, 4)))
        elif kind == 3:
            del data[at : at + chance.choice((1, 2, 4, 1000))]
        elif kind == 4:
            stop = min(len(data), at + chance.randrange(16))
            data[at:at] = data[at:stop] * chance.choice((1, 1, 9))
        else:
            data[at:at] = chance.choice(seeds)[chance.randrange(8) :][: chance.randrange(40)]
    return bytes(data[:4096])


def attempt(target: Target, data: bytes) -> None:
    """Read an input; any error but the documented ones goes on to the caller."""
    try:
        target.read(data)
    except target.errors:
        pass
