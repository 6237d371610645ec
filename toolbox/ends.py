"""The last lines or bytes of an input, and all but them (tail, head).

A regular file is read backwards from its end, and only as far as needed.  Of anything else a window is kept that
holds no more than the answer needs, in time that is linear in the input.

Counts are of bytes when `end` is empty, else of lines, each of which `end` ends; a last line without one counts.
"""

from __future__ import annotations

import os
import stat
from collections import deque

from toolbox.streams import BLOCK, line_end

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

#: Blocks that come in smaller pieces than this are put together.
_LEAST = 1 << 16


def extent(fd: int) -> tuple[int, int] | None:
    """(position, size) of what can be read from its end; None for what must be read to find out.

    The size of a regular file is believed when it is larger than a block: files of /proc say that they are empty,
    and those of /sys that they fill one.  Reading a small file costs nothing.
    """
    try:
        status = os.fstat(fd)
        here = os.lseek(fd, 0, os.SEEK_CUR)
        if stat.S_ISBLK(status.st_mode):
            size = os.lseek(fd, 0, os.SEEK_END)
            os.lseek(fd, here, os.SEEK_SET)
        elif stat.S_ISREG(status.st_mode) and status.st_size > status.st_blksize:
            size = status.st_size
        else:
            return None
    except OSError:
        return None
    return (here, size) if size > here else None


def start_of_last(fd: int, count: int, end: bytes) -> int | None:
    """The offset in a file where its last `count` bytes or lines begin, not before the current one.

    None for what must be read from its beginning (see `extent`).
    """
    known = extent(fd)
    if known is None:
        return None
    first, size = known
    if not end or not count:
        return max(first, size - count)
    position, found = size, 0
    step = _LEAST
    while position > first:
        start = max(first, position - step)
        block = os.pread(fd, position - start, start)
        # The line feed at the very end ends the last line, and begins none.
        ends = block.count(end, 0, len(block) - (position == size and block.endswith(end)))
        if found + ends >= count:
            return start + line_end(block, found + ends - count + 1, end)
        found += ends
        position = start
        step = min(step * 4, BLOCK)
    return first


class Window:
    """The last blocks of an input: those that may hold its last `count` bytes or lines."""

    __slots__ = ("_blocks", "_total", "_units", "count", "end")

    def __init__(self, count: int, end: bytes) -> None:
        self.count = count
        self.end = end
        self._blocks: deque[bytearray] = deque()
        self._units: deque[int] = deque()
        self._total = 0

    def push(self, block: bytes) -> Iterator[bytearray]:
        """Take the next block; yields those that turn out to lie before the last `count`, in order."""
        units = block.count(self.end) if self.end else len(block)
        if self._blocks and len(self._blocks[-1]) < _LEAST:
            self._blocks[-1] += block
            self._units[-1] += units
        else:
            self._blocks.append(bytearray(block))
            self._units.append(units)
        self._total += units
        while self._total - self._units[0] > self.count:
            self._total -= self._units.popleft()
            yield self._blocks.popleft()

    def parts(self) -> tuple[list[memoryview], list[memoryview]]:
        """At the end of the input: what is still held, divided before its last `count` bytes or lines."""
        started = bool(self.end and self._blocks and not self._blocks[-1].endswith(self.end))
        skipped = max(0, self._total + started - self.count)
        before: list[memoryview] = []
        after: list[memoryview] = []
        for block, units in zip(self._blocks, self._units, strict=True):
            view = memoryview(block)
            if skipped > units:
                cut = len(block)
            elif not self.end or not skipped:
                cut = skipped
            else:
                cut = line_end(block, skipped, self.end)
            skipped -= min(skipped, units)
            if cut:
                before.append(view[:cut])
            if cut < len(block):
                after.append(view[cut:])
        return before, after
