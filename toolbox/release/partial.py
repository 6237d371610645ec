"""A part of a release, for a box that has the rest: the bytes that it asked for, and which ones they are.

    bytes=0-81919,913408-1049998\\n      ranges of the release's file, as HTTP names them (RFC 9110, 14.1.2)
    ...                                 what is in them, one after the other

The first range holds at least the head and the index.  A whole release begins with other letters, so that one
pipe takes both.  A box answers the head and the index with the first line (`update wanted`).
"""

from __future__ import annotations

from toolbox.release import ReleaseError
from toolbox.release.pack import MOST_RANGES
from toolbox.release.sources import PIECE, PipeSource

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import IO, BinaryIO

    Ranges = Sequence[tuple[int, int]]

UNIT = b"bytes="

#: The longest first line, in bytes; the largest offset has so many digits.
LONGEST_LINE, DIGITS = 1 << 13, 15

#: What is said when a part is not enough after all.
LACKS = "send the whole"

#: The pack's, and the one of head and index.
MOST = MOST_RANGES + 1


def encode(ranges: Ranges) -> bytes:
    """The first line for [start, stop) ranges, which are in order and none of them empty."""
    words = ",".join(f"{start}-{stop - 1}" for start, stop in ranges)
    return UNIT + words.encode() + b"\n"


def decode(line: bytes) -> list[tuple[int, int]]:
    """The [start, stop) ranges of a first line.  ReleaseError when it is none."""
    text = line.removesuffix(b"\n")
    if not text.startswith(UNIT) or len(text) >= LONGEST_LINE:
        raise ReleaseError("no ranges of a release")
    found: list[tuple[int, int]] = []
    for word in text.removeprefix(UNIT).split(b","):
        first, _, last = word.partition(b"-")
        if not all(number.isdigit() and len(number) <= DIGITS for number in (first, last)):
            raise ReleaseError("damaged ranges of a release")
        start, stop = int(first), int(last) + 1
        if start >= stop or (start < found[-1][1] if found else start != 0) or len(found) == MOST:
            raise ReleaseError("damaged ranges of a release")
        found.append((start, stop))
    return found


def joined(ranges: Ranges) -> list[tuple[int, int]]:
    """The same bytes in as few ranges as hold no others."""
    found: list[tuple[int, int]] = []
    for start, stop in ranges:
        if found and start <= found[-1][1]:
            found[-1] = found[-1][0], max(stop, found[-1][1])
        elif start < stop:
            found.append((start, stop))
    return found


def write(file: IO[bytes], ranges: Ranges, into: IO[bytes]) -> int:
    """Copy the ranges of a release's file, after their line; returns the bytes of both.

    ReleaseError when the file is too short, OSError as the disk says.
    """
    size = into.write(encode(ranges))
    for start, stop in ranges:
        file.seek(start)
        while start < stop:
            data = file.read(min(PIECE, stop - start))
            if not data:
                raise ReleaseError("the release's file is too short")
            into.write(data)
            start += len(data)
            size += len(data)
    return size


def open_pipe(name: str, file: BinaryIO) -> PipeSource:
    """What comes through a pipe, a whole release or a part of one.  file: buffered.

    ReleaseError when it is neither.
    """
    try:
        begun = file.read(len(UNIT))
        if begun != UNIT:
            return PipeSource(name, file, begun)
        return PartialSource(name, file, decode(begun + file.readline(LONGEST_LINE)))
    except OSError as error:
        raise ReleaseError(f"{name}: {error.strerror or error}") from None
    except ReleaseError as error:
        raise ReleaseError(f"{name}: {error}") from None


class PartialSource(PipeSource):
    """The ranges of a release that come by once.  What is in none of them is missing."""

    def __init__(self, name: str, file: BinaryIO, ranges: Ranges) -> None:
        super().__init__(name, file)
        self._ranges = list(ranges)

    def _seek(self, start: int, stop: int | None) -> None:
        while self._ranges and start >= self._ranges[0][1]:
            # What is left of this range is not wanted.
            super()._seek(self._ranges[0][1], None)
            self._ranges.pop(0)
            self._position = self._ranges[0][0] if self._ranges else self._position
        if not self._ranges or start < self._ranges[0][0]:
            raise ReleaseError(f"{self.name}: lacks what comes at {start}: {LACKS}")
        super()._seek(start, stop)

    def _read(self, size: int) -> bytes:
        left = self._ranges[0][1] - self._position if self._ranges else 0
        return super()._read(min(size, left)) if left else b""
