"""Making a pack, and planning which ranges of it to fetch when some chunks are at hand."""

from __future__ import annotations

import hashlib
import itertools
import zlib

from toolbox.release import ReleaseError
from toolbox.release.chunks import average_for, cut, entry
from toolbox.release.manifest import ENTRY, MOST_CHUNKS, Blob

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import BinaryIO

#: What may lie between two missing chunks and still be fetched with them, in bytes: about what a request costs.
GAP = 1 << 15

#: At most so many requests for one release: buckets cost by the request, and servers count them.
MOST_RANGES = 200

#: When more than this part of the pack is missing, it is fetched from its first missing byte to its last.
WHOLE = 0.6


def write(parts: Mapping[str, BinaryIO], sizes: Mapping[str, int], pack: BinaryIO) -> Packed:
    """Cut the parts, in order, and write their chunks to `pack`.

    sizes: the parts', in bytes: they decide how large chunks are.  ReleaseError for an empty part.
    """
    average = average_for(sum(sizes.values()))
    index = bytearray()
    digest, size = hashlib.sha256(), 0
    blobs = {}
    for name, file in parts.items():
        whole, length = hashlib.sha256(), 0
        for chunk in cut(file.read, average):
            stored = _compress(chunk)
            index += entry(chunk, len(stored))
            pack.write(stored)
            digest.update(stored)
            size += len(stored)
            whole.update(chunk)
            length += len(chunk)
        if not length:
            raise ReleaseError(f"{name}: is empty")
        blobs[name] = Blob(length, whole.hexdigest())
    if len(index) > MOST_CHUNKS * ENTRY:
        raise ReleaseError(f"a release of {sum(b.size for b in blobs.values())} bytes is too large")
    return Packed(blobs, bytes(index), Blob(size, digest.hexdigest()))


class Packed:
    """parts: size and hash of each    index: its bytes    pack: size and hash"""

    __slots__ = ("index", "pack", "parts")

    def __init__(self, parts: dict[str, Blob], index: bytes, pack: Blob) -> None:
        self.parts = parts
        self.index = index
        self.pack = pack


def _compress(chunk: bytes) -> bytes:
    """The chunk as it is stored: compressed only if that saves a sixteenth, since it costs the box time."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    packed = packer.compress(chunk) + packer.flush()
    return packed if len(packed) < len(chunk) * 15 // 16 else chunk


def ranges(missing: Iterable[tuple[int, int]], total: int) -> list[tuple[int, int]]:
    """What to ask the server for: [start, stop) of the pack, in order, few and not much more than needed.

    missing: (offset, bytes) of the missing chunks, in order       total: bytes of the pack
    """
    wanted: list[tuple[int, int]] = []
    amount = 0
    for offset, size in missing:
        amount += size
        if wanted and offset - wanted[-1][1] <= GAP:
            wanted[-1] = wanted[-1][0], offset + size
        else:
            wanted.append((offset, offset + size))
    if amount > total * WHOLE:
        return [(wanted[0][0], wanted[-1][1])]
    if len(wanted) > MOST_RANGES:
        # The widest gaps are what is left out.
        gaps = sorted((b[0] - a[1] for a, b in itertools.pairwise(wanted)), reverse=True)
        return _join(wanted, gaps[MOST_RANGES - 1])
    return wanted


def _join(wanted: list[tuple[int, int]], gap: int) -> list[tuple[int, int]]:
    joined = wanted[:1]
    for start, stop in wanted[1:]:
        if start - joined[-1][1] <= gap:
            joined[-1] = joined[-1][0], stop
        else:
            joined.append((start, stop))
    return joined
