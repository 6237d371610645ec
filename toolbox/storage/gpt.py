"""GUID partition tables: reading with every check, writing the same bytes for the same input.

Source: UEFI specification 2.10, chapter 5.  Sectors have 512 bytes.

The table begins with LBA 1, its array of 128 entries lies at LBA 2 to 33, and copies of both end the disk.
Partitions of ours begin at 1 MiB, so that LBA 34 to 65 can hold a second array: the array is then changed
by writing the other one, and one sector, the header, tells which of them counts (see grow.py).
"""

from __future__ import annotations

import hashlib
import struct
import zlib

from toolbox.storage.device import SECTOR

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from toolbox.storage.device import BlockDevice

SIGNATURE = b"EFI PART"
REVISION = 0x10000
ENTRIES = 128
ENTRY_BYTES = 128
ARRAY_SECTORS = ENTRIES * ENTRY_BYTES // SECTOR

#: Sectors of a MiB, which partitions are aligned to: no disk has larger pages.
MIB = (1 << 20) // SECTOR

#: Where the array lies, and where its second one does.
FIRST_ARRAY = 2
SECOND_ARRAY = FIRST_ARRAY + ARRAY_SECTORS

#: Signature, revision, size, CRC, reserved, own LBA, the other's, first and last usable, GUID of the disk,
#: the array's LBA, number and size of entries, the array's CRC.
_HEADER = struct.Struct("<8sIIIIQQQQ16sQIII")
#: Type, own GUID, first and last LBA, attributes, name in UTF-16.
_ENTRY = struct.Struct("<16s16sQQQ72s")
#: An MBR's partition: flags, first CHS, type, last CHS, first LBA, sectors.
_MBR_ENTRY = struct.Struct("<B3sB3sII")

#: The disk's name for itself in an MBR lies here; the code before it is the boot loader's.
MBR_CODE = 440


class DamagedTable(ValueError):
    """No partition table, or none that its checksums vouch for."""


def guid(text: str) -> bytes:
    """The 16 bytes of a GUID as they stand on a disk: the first three groups little endian."""
    a, b, c, d, e = text.split("-")
    return b"".join((*(bytes.fromhex(x)[::-1] for x in (a, b, c)), bytes.fromhex(d + e)))


def guid_text(raw: bytes) -> str:
    """The usual writing of a GUID on a disk, in lower case as Linux shows PARTUUID."""
    a, b, c = raw[3::-1].hex(), raw[5:3:-1].hex(), raw[7:5:-1].hex()
    return f"{a}-{b}-{c}-{raw[8:10].hex()}-{raw[10:16].hex()}"


def derived_guid(seed: str, name: str) -> bytes:
    """A GUID that is the same for the same seed and name, and another for any other (RFC 9562, version 8)."""
    # The length keeps ("a", "b/c") and ("a/b", "c") apart.
    digest = hashlib.sha256(f"snakeroot partition {len(seed)} {seed} {name}".encode()).digest()
    raw = bytearray(digest[:16])
    raw[7] = raw[7] & 0x0F | 0x80  # the version, in the third group's first digit
    raw[8] = raw[8] & 0x3F | 0x80  # the variant
    return bytes(raw)


BIOS_BOOT = guid("21686148-6449-6e6f-744e-656564454649")
EFI_SYSTEM = guid("c12a7328-f81f-11d2-ba4b-00a0c93ec93b")
LINUX = guid("0fc63daf-8483-4772-8e79-3d69d8477de4")


class Partition:
    """One entry.

    name: at most 36 characters   kind, own: type and own GUID, 16 bytes each
    first, sectors: in LBA        attributes: 64 bits      number: from 1, the place in the array
    """

    __slots__ = ("attributes", "first", "kind", "name", "number", "own", "sectors")

    def __init__(
        self,
        number: int,
        name: str,
        kind: bytes,
        own: bytes,
        first: int,
        sectors: int,
        attributes: int = 0,
    ) -> None:
        self.number = number
        self.name = name
        self.kind = kind
        self.own = own
        self.first = first
        self.sectors = sectors
        self.attributes = attributes

    def on(self, disk: BlockDevice) -> BlockDevice:
        """The partition as a device.  OSError (ENXIO) when the disk ends before it does."""
        return disk.part(self.first * SECTOR, self.sectors * SECTOR)

    def encode(self) -> bytes:
        """ValueError for a name that does not fit."""
        name = self.name.encode("utf-16le")
        if len(name) > 72:
            raise ValueError(f"{self.name!r} is no name for a partition: more than 36 characters")
        last = self.first + self.sectors - 1
        return _ENTRY.pack(self.kind, self.own, self.first, last, self.attributes, name)


class Table:
    """A disk's partitions.

    sectors: of the whole disk        array: LBA of the array that counts
    first_usable, last_usable: where partitions may lie
    """

    __slots__ = ("array", "first_usable", "last_usable", "own", "partitions", "sectors")

    def __init__(
        self,
        own: bytes,
        partitions: list[Partition],
        sectors: int,
        *,
        array: int = FIRST_ARRAY,
        first_usable: int = MIB,
        last_usable: int | None = None,
    ) -> None:
        self.own = own
        self.partitions = partitions
        self.sectors = sectors
        self.array = array
        self.first_usable = first_usable
        # The copies of array and header end the disk.
        self.last_usable = sectors - ARRAY_SECTORS - 2 if last_usable is None else last_usable

    def __iter__(self) -> Iterator[Partition]:
        return iter(self.partitions)

    def named(self, name: str) -> Partition:
        """The partition of that name.  DamagedTable when there is none."""
        for partition in self.partitions:
            if partition.name == name:
                return partition
        raise DamagedTable(f"no partition is called {name}")

    def entries(self) -> bytes:
        """The array."""
        data = bytearray(ENTRIES * ENTRY_BYTES)
        for partition in self.partitions:
            at = (partition.number - 1) * ENTRY_BYTES
            data[at : at + ENTRY_BYTES] = partition.encode()
        return bytes(data)

    def header(self, *, backup: bool = False) -> bytes:
        """The sector at LBA 1, or its copy, the disk's last one."""
        end = self.sectors - 1
        here, other = (end, 1) if backup else (1, end)
        array = end - ARRAY_SECTORS if backup else self.array

        def packed(crc: int) -> bytes:
            return _HEADER.pack(
                *(SIGNATURE, REVISION, _HEADER.size, crc, 0, here, other),
                *(self.first_usable, self.last_usable, self.own, array),
                *(ENTRIES, ENTRY_BYTES, zlib.crc32(self.entries())),
            )

        return packed(zlib.crc32(packed(0))).ljust(SECTOR, b"\0")

    def protective(self) -> bytes:
        """The sector at LBA 0: to programs that know no GPT, the disk is full (UEFI 5.2.3)."""
        sectors = min(self.sectors - 1, 0xFFFFFFFF)
        entry = _MBR_ENTRY.pack(0, b"\0\2\0", 0xEE, b"\xff\xff\xff", 1, sectors)
        return bytes(MBR_CODE) + self.own[:4] + b"\0\0" + entry + bytes(48) + b"\x55\xaa"

    def begin(self) -> bytes:
        """What the disk begins with, LBA 0 to 33.  For a table whose array lies at LBA 2."""
        return self.protective() + self.header() + self.entries()

    def end(self) -> bytes:
        """What the disk's last 33 sectors hold."""
        return self.entries() + self.header(backup=True)


def read(disk: BlockDevice) -> Table:
    """The table of a disk: the first one, or its copy when that is damaged.

    DamagedTable when neither is whole; OSError as the disk says.
    """
    end = disk.size // SECTOR - 1
    if end < 2 * (ARRAY_SECTORS + 1):
        raise DamagedTable("too small for a partition table")
    problems = []
    for lba in (1, end):
        try:
            return _read_at(disk, lba)
        except DamagedTable as damage:
            problems.append(str(damage))
    raise DamagedTable(f"no partition table: {problems[0]}; at the disk's end: {problems[1]}")


def _read_at(disk: BlockDevice, lba: int) -> Table:
    end = disk.size // SECTOR - 1
    sector = disk.read(lba * SECTOR, SECTOR)
    (signature, _, size, crc, _, here, other, first, last, own, array, number, each, array_crc) = (
        _HEADER.unpack_from(sector)
    )
    if signature != SIGNATURE:
        raise DamagedTable("no header")
    if not _HEADER.size <= size <= SECTOR:
        raise DamagedTable(f"a header of {size} bytes")
    if zlib.crc32(sector[:16] + bytes(4) + sector[20:size]) != crc:
        raise DamagedTable("the header's checksum is wrong")
    if here != lba:
        raise DamagedTable(f"the header of LBA {here} lies at LBA {lba}")
    # The usual array; other sizes are allowed, and nobody writes them.
    if (number, each) != (ENTRIES, ENTRY_BYTES):
        raise DamagedTable(f"{number} entries of {each} bytes")
    if not 2 <= array <= end - ARRAY_SECTORS:
        raise DamagedTable(f"entries at LBA {array}")
    data = disk.read(array * SECTOR, ENTRIES * ENTRY_BYTES)
    if zlib.crc32(data) != array_crc:
        raise DamagedTable("the checksum of the entries is wrong")
    # A disk that has grown since has its copy before its end: what the header says counts.
    sectors = max(here, other) + 1
    partitions = []
    for index in range(ENTRIES):
        entry = data[index * ENTRY_BYTES :][:ENTRY_BYTES]
        kind, self_guid, start, stop, attributes, name = _ENTRY.unpack(entry)
        if kind == bytes(16):
            continue
        if not first <= start <= stop <= last:
            raise DamagedTable(f"partition {index + 1} lies at LBA {start} to {stop}")
        text = name.decode("utf-16le", errors="replace").partition("\0")[0]
        found = Partition(index + 1, text, kind, self_guid, start, stop - start + 1, attributes)
        partitions.append(found)
    return Table(own, partitions, sectors, array=array, first_usable=first, last_usable=last)
