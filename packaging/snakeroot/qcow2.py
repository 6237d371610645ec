"""A disk as a qcow2 image, QEMU's own format: only what is not zero takes room.

Source: docs/interop/qcow2.txt of QEMU, version 3.  Clusters have 64 KiB.  In the file come the header, the
reference counts, the first-level table, then each second-level table followed by its clusters of data.
"""

from __future__ import annotations

import struct
from pathlib import Path

from snakeroot.disk import Disk
from snakeroot.host import fresh

CLUSTER_BITS = 16
CLUSTER = 1 << CLUSTER_BITS

#: Entries of 8 bytes in a second-level table: it maps 512 MiB.
ENTRIES = CLUSTER // 8

#: Reference counts have 16 bits.
COUNTS = CLUSTER // 2

#: A cluster that nobody else refers to: it is written in place.
COPIED = 1 << 63

#: Magic, version, backing file's offset and length, bits of a cluster, size, encryption, entries and offset of
#: the first-level table, offset and clusters of the reference table, snapshots and their offset, three sets of
#: feature bits, order of a count (2**4 bits), header's length.
_HEADER = struct.Struct(">4sIQIIQIIQQIIQQQQII")


def write(disk: Disk, path: Path) -> None:
    """Make the file; the old one stays until it is whole, and nobody else may read it."""
    tables = -(-disk.size // (CLUSTER * ENTRIES))
    first_clusters = -(-tables * 8 // CLUSTER)
    # Enough reference counts for a disk without holes: one block of them counts 2 GiB.
    most = disk.size // CLUSTER + 1 + tables + first_clusters + 2
    count_blocks = -(-most // (COUNTS - 1)) + 1
    counts_at, first_at = 1, 2 + count_blocks
    used = first_at + first_clusters
    first = [0] * tables
    second: list[int] = []
    second_at = current = -1
    with fresh(path, private=True) as file:

        def put(cluster: int, data: bytes) -> None:
            file.seek(cluster * CLUSTER)
            file.write(data)

        def finish() -> None:
            if current >= 0:
                put(second_at, struct.pack(f">{ENTRIES}Q", *second))

        for offset, data in disk.blocks(CLUSTER):
            index, entry = divmod(offset // CLUSTER, ENTRIES)
            if index != current:
                finish()
                current, second, second_at = index, [0] * ENTRIES, used
                first[index] = used * CLUSTER | COPIED
                used += 1
            second[entry] = used * CLUSTER | COPIED
            put(used, data)
            used += 1
        finish()
        put(first_at, struct.pack(f">{tables}Q", *first))
        blocks = [(counts_at + 1 + i) * CLUSTER for i in range(count_blocks)]
        put(counts_at, struct.pack(f">{count_blocks}Q", *blocks))
        put(counts_at + 1, struct.pack(">H", 1) * used)
        put(0, _header(disk.size, tables, first_at, counts_at))
        file.truncate(used * CLUSTER)


def _header(size: int, tables: int, first_at: int, counts_at: int) -> bytes:
    length = _HEADER.size
    return _HEADER.pack(
        *(b"QFI\xfb", 3, 0, 0, CLUSTER_BITS, size, 0, tables, first_at * CLUSTER),
        *(counts_at * CLUSTER, 1, 0, 0, 0, 0, 0, 4, length),
    ).ljust(CLUSTER, b"\0")
