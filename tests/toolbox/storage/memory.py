"""A disk in memory, for tests."""

from __future__ import annotations

import errno

from toolbox.storage.device import BlockDevice


class Memory(BlockDevice):
    """A disk that keeps what is written at once."""

    def __init__(self, contents: int | bytes) -> None:
        """contents: the size of a disk of zeros, or what is on it"""
        self.bytes = bytearray(contents)
        self.size = len(self.bytes)

    def read(self, offset: int, length: int) -> bytes:
        self.check(offset, length, errno.EIO)
        return bytes(self.bytes[offset : offset + length])

    def write(self, offset: int, data: bytes | memoryview) -> None:
        self.check(offset, len(data), errno.ENOSPC)
        self.bytes[offset : offset + len(data)] = data

    def flush(self) -> None:
        pass
