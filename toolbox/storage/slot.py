"""A slot: one release in two partitions, and how it gets there.

The boot area is raw, for a boot loader that reads block lists and no file system:

    sector 0..3   header, a GRUB environment block: format, number, kernel, initramfs, arguments, end
    sector 4      what is to be hashed: lines "MD5  FIRST+COUNT" as md5sum writes them, blanks before
    sector 8..    kernel, then initramfs, each at a multiple of 4 KiB and padded with zeros

The root is a squashfs as it is mounted.  Both are the same bytes in slot a and in slot b, on every device.
A slot without a header is none at all: the header goes before anything else of a slot is written, and comes
back when everything else is on the disk.
"""

from __future__ import annotations

import hashlib
import re

from toolbox.storage import bootstate
from toolbox.storage.device import PIECE, SECTOR, BlockDevice
from toolbox.storage.gpt import guid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from toolbox.storage.bootstate import Contents
    from toolbox.storage.gpt import Table

#: The partitions of the slots, by the letter of the slot.
BOOT_PARTITIONS = {"a": "A-boot", "b": "B-boot"}
ROOT_PARTITIONS = {"a": "A-root", "b": "B-root"}

#: The type of the partitions with a boot area.
BOOT_TYPE = guid("2d9f6b1c-6c0e-4b0a-8f4d-536e616b6572")

FORMAT = "2"

#: GRUB's and hashlib's name of the hash that finds damage before a trial boot.  It is no guard against people: who can
#: write to a slot can write its hashes, too, and what is installed has been judged by its signature and SHA-256.  For 14 MB
#: GRUB needs 0.1 s with MD5 and 0.9 s with SHA-256, on a processor that is emulated.
HASH = "md5"

KEYS = ("format", "number", "kernel", "initramfs", "arguments", "end")
HEADER_SECTORS = 4
HASHES = 4
BLOCK = 4096
FIRST = 8

#: Release numbers are compared by GRUB, which counts in 32 bits with a sign.
MAX_NUMBER = (1 << 31) - 1

#: A word that GRUB passes on unchanged: it has no quotes, no variables, no wildcards.
WORD = re.compile(r"[A-Za-z0-9_.,:;=/@%+^~!-]+")

_EXTENT = re.compile(r"([1-9][0-9]{0,9})\+([1-9][0-9]{0,9})")
_HASH = re.compile(r"([0-9a-f]{32})  ([0-9]{1,10})\+([1-9][0-9]{0,9})")


#: What a slot without a release begins with: GRUB reads it without a complaint on the screen.
EMPTY = bootstate.block((), HEADER_SECTORS * SECTOR).ljust(BLOCK, b"\0")


class DamagedSlot(ValueError):
    """A boot area that isn't one, or that isn't what its hashes say."""


class Header:
    """number: the release's, higher ones are newer    kernel, initramfs: first sector and count
    arguments: words for the kernel's command line"""

    __slots__ = ("arguments", "initramfs", "kernel", "number")

    def __init__(
        self,
        number: int,
        kernel: tuple[int, int],
        initramfs: tuple[int, int],
        arguments: Sequence[str] = (),
    ) -> None:
        self.number = number
        self.kernel = kernel
        self.initramfs = initramfs
        self.arguments = list(arguments)

    def encode(self) -> bytes:
        """The header's sectors.  ValueError for words that GRUB would change, or too many of them."""
        if not 0 < self.number <= MAX_NUMBER:
            raise ValueError(f"{self.number} is no release number (1 to {MAX_NUMBER})")
        for word in self.arguments:
            if not WORD.fullmatch(word):
                raise ValueError(f"{word!r}: the boot loader cannot pass that on to the kernel")
        extents = ("{}+{}".format(*extent) for extent in (self.kernel, self.initramfs))
        values = (FORMAT, str(self.number), *extents, " ".join(self.arguments), bootstate.END)
        return bootstate.block(zip(KEYS, values, strict=True), HEADER_SECTORS * SECTOR)

    @classmethod
    def decode(cls, data: bytes) -> Header:
        """DamagedSlot when GRUB would not take it, either."""
        values = bootstate.variables(data[: HEADER_SECTORS * SECTOR]) or {}
        extents = [_EXTENT.fullmatch(values.get(key, "")) for key in ("kernel", "initramfs")]
        number = values.get("number", "")
        if (
            values.get("format") != FORMAT
            or values.get("end") != bootstate.END
            or not re.fullmatch("[1-9][0-9]{0,9}", number)
            or int(number) > MAX_NUMBER
            or not all(extents)
        ):
            raise DamagedSlot("no header")
        kernel, initramfs = ((int(e[1]), int(e[2])) for e in extents if e)
        return cls(int(number), kernel, initramfs, values.get("arguments", "").split())


def boot_area(kernel: bytes, initramfs: bytes, number: int, arguments: Sequence[str] = ()) -> bytes:
    """The boot area of a release: whole blocks of 4 KiB.  ValueError as Header.encode says."""
    body = bytearray()
    extents = []
    for data in (kernel, initramfs):
        extents.append((FIRST + len(body) // SECTOR, -(-len(data) // SECTOR)))
        body += data + bytes(-len(data) % BLOCK)
    header = Header(number, extents[0], extents[1], arguments).encode()
    lines = [_hash_line(header, 0)]
    for first, count in extents:
        at = (first - FIRST) * SECTOR
        lines.append(_hash_line(body[at : at + count * SECTOR], first))
    # GRUB passes over blanks before a line, and stumbles over an empty one after the last.
    hashes = "".join(lines).encode().rjust(SECTOR)
    return (header + hashes).ljust(BLOCK, b"\0") + bytes(body)


def _hash_line(data: bytes | bytearray, first: int) -> str:
    found = hashlib.new(HASH, data, usedforsecurity=False)
    return f"{found.hexdigest()}  {first}+{len(data) // SECTOR}\n"


def inspect(area: BlockDevice) -> Contents | None:
    """What a boot loader finds in a boot area; None without a valid header.  OSError as the disk says."""
    try:
        header = check_header(area)
    except DamagedSlot:
        return None
    try:
        check_hashes(area)
    except DamagedSlot:
        return bootstate.Contents(header.number, whole=False)
    return bootstate.Contents(header.number)


def check_header(area: BlockDevice) -> Header:
    """The header.  DamagedSlot when it is none."""
    header = Header.decode(area.read(0, HEADER_SECTORS * SECTOR))
    for first, count in (header.kernel, header.initramfs):
        if (first + count) * SECTOR > area.size:
            raise DamagedSlot(f"sectors {first}+{count} lie beyond the partition's end")
    return header


def check_hashes(area: BlockDevice) -> None:
    """DamagedSlot names the sectors that are not what the list says, or a list that isn't one."""
    text = area.read(HASHES * SECTOR, SECTOR).lstrip(b" ").decode("latin-1")
    lines = text.splitlines()
    if not lines or not text.endswith("\n"):
        raise DamagedSlot("no hashes")
    for line in lines:
        match = _HASH.fullmatch(line)
        if not match:
            raise DamagedSlot("no hashes")
        first, count = int(match[2]), int(match[3])
        if (first + count) * SECTOR > area.size:
            raise DamagedSlot(f"sectors {first}+{count} lie beyond the partition's end")
        if digest(area.part(first * SECTOR, count * SECTOR), count * SECTOR, HASH) != match[1]:
            raise DamagedSlot(f"sectors {first}+{count} are damaged")


def digest(device: BlockDevice, size: int, name: str = "sha256") -> str:
    """A hash of the first `size` bytes (whole sectors), in hexadecimal; in constant memory."""
    found = hashlib.new(name, usedforsecurity=False)
    for at in range(0, size, PIECE):
        found.update(device.read(at, min(PIECE, size - at)))
    return found.hexdigest()


class Slot:
    """The two partitions of a slot, as devices."""

    __slots__ = ("boot", "name", "root")

    def __init__(self, name: str, boot: BlockDevice, root: BlockDevice) -> None:
        self.name = name
        self.boot = boot
        self.root = root

    @classmethod
    def of(cls, disk: BlockDevice, table: Table, name: str) -> Slot:
        """DamagedTable (ValueError) when the disk has no such partitions."""
        boot = table.named(BOOT_PARTITIONS[name]).on(disk)
        return cls(name, boot, table.named(ROOT_PARTITIONS[name]).on(disk))

    def invalidate(self) -> None:
        """Make it no slot at all; when this returns, it stays so."""
        self.boot.write(0, EMPTY)
        self.boot.flush()


class HeldBack(BlockDevice):
    """A boot area whose first block, the header's, is kept until everything else is on the disk."""

    def __init__(self, area: BlockDevice) -> None:
        self.area = area
        self.size = area.size
        self.head = bytearray(BLOCK)

    def read(self, offset: int, length: int) -> bytes:
        data = self.area.read(offset, length)
        if offset < BLOCK:
            held = bytes(self.head[offset : offset + length])
            data = held + data[len(held) :]
        return data

    def write(self, offset: int, data: bytes | memoryview) -> None:
        if offset < BLOCK:
            count = min(BLOCK - offset, len(data))
            self.head[offset : offset + count] = data[:count]
            offset, data = offset + count, data[count:]
        if data:
            self.area.write(offset, data)

    def flush(self) -> None:
        self.area.flush()

    def release(self) -> None:
        """Write the header.  The slot is one from here on."""
        self.area.flush()
        self.area.write(0, bytes(self.head))
        self.area.flush()
