"""Between releases and slots: pieces of any size onto a disk of sectors, and the label that a slot carries.

The label is the head and the index of the release that a slot holds, at the end of its boot partition:

    ... | label | zeros up to the last sector | excused | "snakeroot label\\0" | length u32 | SHA-256[32] of the label

With it a slot can say what it is, signed, and the next update knows which chunks are at hand.  A label that is
torn is none; nothing but the size of a download depends on it.

`excused` is about the slot's trial: the services that did not work before it, and so need not in it.  It lies here,
in one sector with the label's end, because the trial's verdict depends on it, and nothing that may be full, broken
or written to by services may decide that:

    "excused\\0" | count u16 | for each the first 4 bytes of its name's SHA-256 | zeros
"""

from __future__ import annotations

import contextlib
import hashlib
import struct

from toolbox.release import ReleaseError, signed
from toolbox.release.fetch import THERE, Have, parse_release
from toolbox.release.manifest import ENTRY, MOST_CHUNKS
from toolbox.storage.device import SECTOR

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from toolbox.release.fetch import Piece, Reader, Release
    from toolbox.storage.device import BlockDevice
    from toolbox.trust.minisign import PublicKey

_TRAILER = struct.Struct(">16sI32s")
_MAGIC = b"snakeroot label\0"

_EXCUSED, _COUNT, _HASH = b"excused\0", struct.Struct(">H"), 4

#: The bytes of the last sector before the trailer, and how many services can be excused in them.
_FREE = SECTOR - _TRAILER.size
MOST_EXCUSED = (_FREE - len(_EXCUSED) - _COUNT.size) // _HASH

#: The longest label, in bytes.
LONGEST_LABEL = signed.LONGEST + MOST_CHUNKS * ENTRY

#: What is collected before it is written, in bytes.
BUFFER = 1 << 18

#: What is read at once of what is read in its order, in bytes; a whole number of sectors.
AHEAD = 1 << 20


def reader(devices: Mapping[str, BlockDevice]) -> Reader:
    """Reads parts (name -> device) at any offset; what lies beyond a device's end is missing."""

    def read(part: str, offset: int, length: int) -> bytes:
        device = devices[part]
        start = offset // SECTOR * SECTOR
        stop = min(-(-(offset + length) // SECTOR) * SECTOR, device.size)
        if start >= stop:
            return b""
        return device.read(start, stop - start)[offset - start : offset - start + length]

    return read


def read_ahead(devices: Mapping[str, BlockDevice]) -> Reader:
    """A reader that reads much at once where one read begins at the end of the one before.

    What is written meanwhile may be missed: for readers who check what they get, as chunks are.
    """
    exactly = reader(devices)
    held, begins, data, expected = "", 0, b"", 0

    def read(part: str, offset: int, length: int) -> bytes:
        nonlocal held, begins, data, expected
        end = offset + length
        if part != held or not begins <= offset <= end <= begins + len(data):
            data = b""
            if part == held and offset == expected:
                # A sector that cannot be read is the trouble only of who wants it.
                with contextlib.suppress(OSError):
                    begins, data = offset, exactly(part, offset, max(length, AHEAD))
            held, expected = part, end
            if not data:
                return exactly(part, offset, length)
        expected = end
        return data[offset - begins : end - begins]

    return read


class SlotWriter:
    """Puts a release's pieces, which come in order, into a slot's devices, in whole sectors.

    `put` each of them, then `close`.  Nothing is flushed.  OSError as the disk says.
    written: bytes that were written so far
    """

    def __init__(self, devices: Mapping[str, BlockDevice]) -> None:
        self.written = 0
        self._devices = devices
        self._read = reader(devices)
        self._part = ""
        self._start = 0
        self._data = bytearray()
        self._changed = False
        self._left = 0  # bytes of the sector at _start that are passed by, unread

    def put(self, piece: Piece) -> None:
        """Write a piece, unless it is there."""
        if piece.part != self._part:
            self.close()
            self._part, self._start = piece.part, 0
        if piece.origin == THERE:
            self._pass(piece.offset, piece.offset + piece.length)
        else:
            if self._left:
                self._data += self._read(self._part, self._start, self._left)
                self._left = 0
            self._data += piece.data
            self._changed = True
            if len(self._data) >= BUFFER:
                self._write()

    def close(self) -> None:
        """Write what was collected; the last sector is filled with zeros."""
        if self._changed:
            self._data += bytes(-len(self._data) % SECTOR)
            self._write()
        self._data.clear()
        self._changed, self._left = False, 0

    def _pass(self, offset: int, end: int) -> None:
        """Leave [offset, end) as it is; its first and last sector may hold neighbours that are new."""
        if self._changed:
            rest = -len(self._data) % SECTOR
            self._data += self._read(self._part, offset, min(rest, end - offset))
            if rest > end - offset:
                return
            self._write()
        self._start = end // SECTOR * SECTOR
        self._left = end - self._start
        self._data.clear()
        self._changed = False

    def _write(self) -> None:
        """Write the whole sectors of what was collected, and keep the rest."""
        size = len(self._data) // SECTOR * SECTOR
        if size:
            with memoryview(self._data) as whole, whole[:size] as sectors:
                self._devices[self._part].write(self._start, sectors)
            del self._data[:size]
            self._start += size
            self.written += size
        self._changed = bool(self._data)


def label(release: Release, index: bytes) -> bytes:
    """The label of a release; index: its bytes."""
    return release.head + index


def label_room(size: int) -> int:
    """Bytes at the end of the boot partition that a label of that many bytes takes."""
    return -(-size // SECTOR) * SECTOR + SECTOR


def encode_label(data: bytes, excused: Sequence[str] = ()) -> bytes:
    """What the boot partition ends with.  excused: services, in the slot's trial"""
    trailer = _TRAILER.pack(_MAGIC, len(data), hashlib.sha256(data).digest())
    return data + bytes(-len(data) % SECTOR) + _encode_excused(excused) + trailer


def write_label(area: BlockDevice, data: bytes, excused: Sequence[str] = ()) -> None:
    """Put a label at the end of a boot area.  Not flushed.  OSError as the disk says."""
    end = encode_label(data, excused)
    area.write(area.size - len(end), end)


class Excused:
    """The services that need not work in a trial: `name in excused`."""

    __slots__ = ("_hashes",)

    def __init__(self, names: Iterable[str] = (), hashes: Iterable[bytes] = ()) -> None:
        self._hashes = frozenset((*map(_name_hash, names), *hashes))

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and _name_hash(name) in self._hashes


def _name_hash(name: str) -> bytes:
    return hashlib.sha256(name.encode("utf-8", "backslashreplace")).digest()[:_HASH]


def _encode_excused(names: Sequence[str]) -> bytes:
    """The first MOST_EXCUSED of them."""
    hashes = [_name_hash(name) for name in names[:MOST_EXCUSED]]
    return b"".join((_EXCUSED, _COUNT.pack(len(hashes)), *hashes)).ljust(_FREE, b"\0")


def write_excused(area: BlockDevice, names: Sequence[str]) -> None:
    """Say who is excused in the next trial of a slot that has a label.  Flushed.  OSError as the disk says."""
    place = area.size - SECTOR
    area.write(place, _encode_excused(names) + area.read(place, SECTOR)[_FREE:])
    area.flush()


def read_excused(area: BlockDevice) -> Excused | None:
    """Who is; None when the slot does not say, as one that an older release installed.  OSError as the disk says."""
    sector = area.read(area.size - SECTOR, SECTOR)
    at = len(_EXCUSED) + _COUNT.size
    if not sector.startswith(_EXCUSED) or sector[_FREE : _FREE + len(_MAGIC)] != _MAGIC:
        return None
    (count,) = _COUNT.unpack_from(sector, len(_EXCUSED))
    end = at + min(count, MOST_EXCUSED) * _HASH
    return Excused(hashes=[sector[i : i + _HASH] for i in range(at, end, _HASH)])


def read_label(area: BlockDevice) -> bytes:
    """The label at the end of a boot area; b"" when there is none.  OSError as the disk says."""
    if area.size < 2 * SECTOR:
        return b""
    trailer = area.read(area.size - SECTOR, SECTOR)[-_TRAILER.size :]
    magic, size, digest = _TRAILER.unpack(trailer)
    if magic != _MAGIC or not 0 < size <= LONGEST_LABEL or label_room(size) > area.size:
        return b""
    room = label_room(size)
    data = area.read(area.size - room, room - SECTOR)[:size]
    return data if hashlib.sha256(data).digest() == digest else b""


def parse_label(data: bytes, keys: Sequence[PublicKey]) -> Release:
    """The release of a label.  ReleaseError when it is not signed by one of the keys."""
    return parse_release(data, keys)


def have(
    devices: Mapping[str, BlockDevice], keys: Sequence[PublicKey], *, target: bool = False
) -> Have | None:
    """A slot's chunks, by its label; None when it has none, or one that is not signed by one of the keys.

    devices: "boot" and "root"    target: whether it is the slot that is to be written
    """
    try:
        data = read_label(devices["boot"])
        release = parse_release(data, keys)
        index = release.parse_index(data[len(release.head) :])
    except (OSError, ReleaseError):
        return None
    return Have(index, read_ahead(devices), target=target)
