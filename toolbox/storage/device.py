"""Block devices as three verbs: read, write, flush.

Whatever changes a disk in this package takes a `BlockDevice` and uses nothing else of it, so that a test can
stand in for the disk, record every write and flush, and try every moment at which the power may fail.

The promises are those of a disk, no more:
- A write of one sector happens or does not; one of several may be torn at any sector.
- Writes that no `flush` has followed may be lost, all or some, in any order.
- What `flush` has returned from stays.
"""

from __future__ import annotations

import errno
import mmap
import os

#: Bytes of a sector: the unit of partition tables, of GRUB, and of what a disk writes at once.
SECTOR = 512

#: The largest piece that is read or written at once.
PIECE = 1 << 20


class BlockDevice:
    """A disk, or a part of one.

    size: bytes.  Offsets and lengths are in bytes and multiples of SECTOR.
    """

    size: int

    def read(self, offset: int, length: int) -> bytes:
        """Exactly `length` bytes.  OSError (EIO) beyond the end, or what the disk says."""
        raise NotImplementedError

    def write(self, offset: int, data: bytes | memoryview) -> None:
        """Write all of `data`.  OSError (ENOSPC) beyond the end, or what the disk says."""
        raise NotImplementedError

    def flush(self) -> None:
        """Return when all that was written will be there after a power failure."""
        raise NotImplementedError

    def part(self, offset: int, size: int) -> BlockDevice:
        """The part of that many bytes as a device of its own.  OSError (ENXIO) when it isn't inside."""
        return _Part(self, offset, size)

    def check(self, offset: int, length: int, error: int) -> None:
        """ValueError for what is no whole sector, OSError(`error`) for what is not inside."""
        if offset % SECTOR or length % SECTOR:
            raise ValueError(f"{length} bytes at {offset} are no whole sectors")
        if not 0 <= offset <= offset + length <= self.size:
            raise OSError(error, os.strerror(error))


class _Part(BlockDevice):
    def __init__(self, whole: BlockDevice, offset: int, size: int) -> None:
        whole.check(offset, size, errno.ENXIO)
        self.whole = whole
        self.offset = offset
        self.size = size

    def read(self, offset: int, length: int) -> bytes:
        self.check(offset, length, errno.EIO)
        return self.whole.read(self.offset + offset, length)

    def write(self, offset: int, data: bytes | memoryview) -> None:
        self.check(offset, len(data), errno.ENOSPC)
        self.whole.write(self.offset + offset, data)

    def flush(self) -> None:
        self.whole.flush()


class Disk(BlockDevice):
    """A disk of this machine, or a file that holds one, by its path.

    A device is read and written directly (O_DIRECT): a slot that is read back comes from the disk and not
    from memory, one sector is written as one sector and not as the page around it, and an update of any
    size takes none of the memory that the programs need.  OSError as open(2) says.

    exclusive: nobody else, no mount among them, may use the device (EBUSY)
    """

    def __init__(self, path: str, *, writable: bool = False, exclusive: bool = False) -> None:
        mode = (os.O_RDWR if writable else os.O_RDONLY) | os.O_CLOEXEC
        if exclusive:
            mode |= os.O_EXCL
        try:
            self.fd = os.open(path, mode | os.O_DIRECT)
        except OSError as error:
            if error.errno != errno.EINVAL:  # a file, on a file system that has none of it
                raise
            self.fd = os.open(path, mode)
        self.path = path
        self.size = os.lseek(self.fd, 0, os.SEEK_END) // SECTOR * SECTOR
        # Direct transfers want aligned memory; an anonymous map is.
        self._buffer = mmap.mmap(-1, PIECE)

    def read(self, offset: int, length: int) -> bytes:
        self.check(offset, length, errno.EIO)
        pieces, left = [], length
        with memoryview(self._buffer) as view:
            while left:
                with view[: min(PIECE, left)] as piece:
                    done = os.preadv(self.fd, [piece], offset + length - left)
                    if done == 0:
                        raise OSError(errno.EIO, os.strerror(errno.EIO), self.path)
                    pieces.append(bytes(piece[:done]))
                    left -= done
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def write(self, offset: int, data: bytes | memoryview) -> None:
        self.check(offset, len(data), errno.ENOSPC)
        done = 0
        with memoryview(self._buffer) as view, memoryview(data) as source:
            while done < len(source):
                count = min(PIECE, len(source) - done)
                with view[:count] as piece:
                    piece[:] = source[done : done + count]
                    done += os.pwritev(self.fd, [piece], offset + done)

    def flush(self) -> None:
        os.fsync(self.fd)

    def close(self) -> None:
        """Close it; what was written and not flushed may still be in the disk's own memory."""
        os.close(self.fd)
        self._buffer.close()

    def __enter__(self) -> Disk:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
