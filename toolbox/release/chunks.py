"""Cutting parts into chunks where their contents say so, and the index of the chunks.

A chunk ends where a hash of the bytes before it has a certain value; so what an insertion shifts is cut as it
was before, and a box that has the last release has most chunks of the next.  The hash is computed by
whole-buffer primitives: four tables turn a block into four streams of random bytes, which are XORed, each
shifted by one, as large integers; a zero byte of that, one in 256, is a candidate, and the CRC-32 of the 64
bytes up to it chooses among them.  That is some 30 to 60 MB/s here, where a loop over bytes does 10.

The index has an entry of 40 bytes for each chunk, in order, big-endian:

    SHA-256[32] | length u32 | stored u32      stored: bytes in the pack; raw when that is the length
"""

from __future__ import annotations

import functools
import hashlib
import struct
import zlib

from toolbox.release import ReleaseError
from toolbox.release.manifest import ENTRY, MOST_CHUNKS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

_ENTRY = struct.Struct(">32sII")

#: The average chunk of a small release, in bytes; four times less is the least, four times more the most.
AVERAGE = 1 << 14

#: The largest chunk of any release: what a box must hold in memory.
LARGEST = 1 << 22

#: How many chunks a release should have at most; a larger one gets larger chunks.
USUAL = MOST_CHUNKS // 2

WINDOW = 64
_LANES = 4
_BLOCK = 1 << 20


def average_for(size: int) -> int:
    """The average chunk for so many bytes: the same for releases of about the same size."""
    average = AVERAGE
    while size > average * USUAL and average * 4 < LARGEST:
        average *= 2
    return average


def cut(read: Callable[[int], bytes], average: int = AVERAGE) -> Iterator[bytes]:
    """The chunks of what `read` (up to so many bytes, b"" at the end) gives."""
    least, most = average // 4, average * 4
    every = (average - least) // 256
    data = b""
    ended = False
    while not ended or data:
        while not ended and len(data) < max(_BLOCK, most):
            more = read(_BLOCK)
            ended = not more
            data += more
        marks = _marks(data)
        view = memoryview(data)
        at = 0
        # What is left at the block's end waits for its continuation.
        while at < len(data) and (ended or len(data) - at >= most):
            limit = min(at + most, len(data))
            found = marks.find(0, at + least - 1, limit)
            while found >= 0 and zlib.crc32(view[found + 1 - WINDOW : found + 1]) % every:
                found = marks.find(0, found + 1, limit)
            end = found + 1 if found >= 0 else limit
            yield data[at:end]
            at = end
        view.release()
        data = data[at:]


def _marks(data: bytes) -> bytes:
    """A byte for each byte of the data that depends on it and the three before; zero: a candidate."""
    mixed = 0
    for lane, table in enumerate(_tables()):
        mixed ^= int.from_bytes(data.translate(table), "little") << (8 * lane)
    return mixed.to_bytes(len(data) + _LANES, "little")


@functools.cache
def _tables() -> list[bytes]:
    """Four tables of 256 random bytes: any will do, but they must stay the same for ever."""
    return [hashlib.shake_128(b"snakeroot chunks %d" % n).digest(256) for n in range(_LANES)]


def entry(chunk: bytes, stored: int) -> bytes:
    """The chunk's entry in an index; stored: its bytes in the pack."""
    return _ENTRY.pack(hashlib.sha256(chunk).digest(), len(chunk), stored)


class Index:
    """An index that was checked: what the parts are made of.

    data: its bytes      parts: name -> size, in order; each is a whole number of chunks
    """

    __slots__ = ("data", "parts")

    def __init__(self, data: bytes, parts: Mapping[str, int], pack: int | None = None) -> None:
        """ReleaseError when the entries are not the parts' and, when it is given, the pack's of that size."""
        self.data = data
        self.parts = dict(parts)
        count, rest = divmod(len(data), ENTRY)
        if rest or count > MOST_CHUNKS:
            raise ReleaseError(f"an index of {len(data)} bytes")
        sizes = iter(self.parts.values())
        left = next(sizes, 0)
        packed = 0
        for _, length, stored in _ENTRY.iter_unpack(data):
            left = left or next(sizes, 0)
            if not 0 < stored <= length <= LARGEST or length > left:
                raise ReleaseError("the index does not fit its parts: a chunk has a wrong size")
            left -= length
            packed += stored
        if left or any(sizes) or (pack is not None and packed != pack):
            raise ReleaseError("the index does not fit its parts: the sizes do not add up")

    def __len__(self) -> int:
        return len(self.data) // ENTRY

    def __iter__(self) -> Iterator[Chunk]:
        """The chunks, in order."""
        places = iter(self.parts.items())
        part, size = next(places, ("", 0))
        at = packed = 0
        for digest, length, stored in _ENTRY.iter_unpack(self.data):
            if at == size:
                (part, size), at = next(places), 0
            yield Chunk(digest, part, at, length, packed, stored)
            at += length
            packed += stored


class Chunk:
    """digest: SHA-256    part, offset, length: where it belongs    packed, stored: where it lies in the pack"""

    __slots__ = ("digest", "length", "offset", "packed", "part", "stored")

    def __init__(
        self, digest: bytes, part: str, offset: int, length: int, packed: int, stored: int
    ) -> None:
        self.digest = digest
        self.part = part
        self.offset = offset
        self.length = length
        self.packed = packed
        self.stored = stored

    def matches(self, data: bytes) -> bool:
        """Whether these are the chunk's bytes."""
        return len(data) == self.length and hashlib.sha256(data).digest() == self.digest

    def unpack(self, data: bytes) -> bytes:
        """The chunk, of what the pack has.  ReleaseError when it is not what the index says."""
        if self.stored != self.length:
            unpacker = zlib.decompressobj(-zlib.MAX_WBITS)
            try:
                # One byte more would show that there is more.
                data = unpacker.decompress(data, self.length + 1)
            except zlib.error:
                data = b""
            if not unpacker.eof or unpacker.unused_data:
                data = b""
        if not self.matches(data):
            raise ReleaseError(f"damaged data for {self.part} at {self.offset}: the hash is wrong")
        return data
