"""What QEMU's blklogwrites driver wrote down: each write and flush that a machine's disk was given, in order.

The format is that of Linux's dm-log-writes (Documentation/admin-guide/device-mapper/log-writes.rst): a
superblock, then for each entry a sector with its header, followed by its data.
"""

from __future__ import annotations

import struct
from pathlib import Path

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
