"""Where a small file lies on a FAT, so that its one sector can be written in place, without mounting it.

Source: Microsoft's FAT specification 1.03 (fatgen103).  FAT12, FAT16 and FAT32; the root directory only.
"""

from __future__ import annotations

import struct

from toolbox.storage.device import SECTOR

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from toolbox.storage.device import BlockDevice

_ENTRY = 32
_VOLUME_LABEL, _FOLDER = 0x08, 0x10

#: No directory that we look into is longer: a damaged chain must end.
_MOST_CLUSTERS = 4096


class DamagedFat(ValueError):
    """No FAT, or not the file that was looked for."""


def find(partition: BlockDevice, name: str) -> tuple[int, int]:
    """A file of the root directory by its short name ("AUTOBOOT.TXT"): (offset of its first byte, size).

    Only the first cluster is vouched for.  DamagedFat when there is no such file; OSError as the disk says.
    """
    base, _, extension = name.upper().partition(".")
    wanted = f"{base:<8}{extension:<3}".encode()
    fat = _Fat(partition)
    for sector in fat.root():
        data = partition.read(sector * SECTOR, SECTOR)
        for at in range(0, SECTOR, _ENTRY):
            entry = data[at : at + _ENTRY]
            if entry[0] == 0:
                raise DamagedFat(f"no file {name}")
            if entry[:11] == wanted and not entry[11] & (_VOLUME_LABEL | _FOLDER):
                high, low, size = struct.unpack("<H4xHI", entry[20:32])
                return fat.sector(high << 16 | low) * SECTOR, size
    raise DamagedFat(f"no file {name}")


class _Fat:
    def __init__(self, partition: BlockDevice) -> None:
        boot = partition.read(0, SECTOR)
        if boot[510:512] != b"\x55\xaa":
            raise DamagedFat("no FAT")
        self.cluster: int
        (sector, self.cluster, reserved, fats, entries, small, _, per_fat) = struct.unpack(
            "<HBHBHHBH", boot[11:24]
        )
        large, per_fat32 = struct.unpack("<II", boot[32:40])
        total = small or large
        per_fat = per_fat or per_fat32
        # A power of two; other sizes of sectors are allowed, and nobody makes them for small cards.
        if sector != SECTOR or not self.cluster or self.cluster & (self.cluster - 1):
            raise DamagedFat("no FAT with sectors of 512 bytes")
        if not reserved or not fats or not per_fat or total * SECTOR > partition.size:
            raise DamagedFat("no FAT that fits its partition")
        self.partition = partition
        self.table: int = reserved
        self.root_at: int = reserved + fats * per_fat
        self.root_sectors: int = -(-entries * _ENTRY // SECTOR)
        self.data: int = self.root_at + self.root_sectors
        self.clusters: int = (total - self.data) // self.cluster
        if self.clusters <= 0:
            raise DamagedFat("no FAT: it has no room for files")
        #: Bits of an entry of the table: this, and nothing else, is what tells the three kinds apart.
        self.bits = 12 if self.clusters < 4085 else 16 if self.clusters < 65525 else 32
        self.first: int = struct.unpack("<I", boot[44:48])[0]

    def root(self) -> Iterator[int]:
        """The sectors of the root directory."""
        if self.bits < 32:
            yield from range(self.root_at, self.data)
            return
        cluster = self.first
        for _ in range(_MOST_CLUSTERS):
            start = self.sector(cluster)
            yield from range(start, start + self.cluster)
            at = self.table * SECTOR + cluster * 4
            data = self.partition.read(at // SECTOR * SECTOR, SECTOR)
            cluster = struct.unpack_from("<I", data, at % SECTOR)[0] & 0x0FFFFFFF
            if cluster >= 0x0FFFFFF8:
                return
        raise DamagedFat("the root directory has no end")

    def sector(self, cluster: int) -> int:
        """The first sector of a cluster."""
        if not 2 <= cluster < self.clusters + 2:
            raise DamagedFat(f"a file in cluster {cluster} of {self.clusters}")
        return self.data + (cluster - 2) * self.cluster
