"""The superblock of an ext4 (Linux's fs/ext4/ext4.h): its size, and whether it counts what users have."""

from __future__ import annotations

import errno
import os
import struct

#: Where the superblock is, and how much of it is looked at: two sectors.
_PLACE, _LENGTH = 1024, 1024

#: Where in it are: the magic number, the number of blocks (low, high), the logarithm of a block's size, features.
_MAGIC, _BLOCKS, _BLOCKS_HIGH, _BLOCK_SIZE = 0x38, 0x04, 0x150, 0x18
_INCOMPATIBLE, _READ_ONLY_COMPATIBLE = 0x60, 0x64

_64BIT = 0x80
_QUOTA, _METADATA_CSUM = 0x100, 0x400


def size(device: str) -> tuple[int, int]:
    """The size of an ext4 in blocks, and the size of a block in bytes.  OSError (EMEDIUMTYPE) for another."""
    data = _superblock(device)
    high = _number(data, _BLOCKS_HIGH) << 32 if _number(data, _INCOMPATIBLE) & _64BIT else 0
    return _number(data, _BLOCKS) | high, 1024 << _number(data, _BLOCK_SIZE)


def has_quota(device: str) -> bool:
    """Whether it was made to count what users have (the feature `quota`).  OSError as `size`."""
    return bool(_number(_superblock(device), _READ_ONLY_COMPATIBLE) & _QUOTA)


def drop_quota(device: str) -> bool:
    """Let an ext4 that is not mounted go on without the feature `quota`; False when it has checksums to be kept.

    Kernels that cannot count refuse to mount an ext4 with the feature.  One bit changes, in one sector.  The
    hidden file with the counts stays, until an e2fsck clears it.  OSError as `size`, and as the disk says.
    """
    data = bytearray(_superblock(device)[:512])
    features = _number(data, _READ_ONLY_COMPATIBLE)
    if features & _METADATA_CSUM:
        return False
    struct.pack_into("<I", data, _READ_ONLY_COMPATIBLE, features & ~_QUOTA)
    fd = os.open(device, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.pwrite(fd, data, _PLACE)
        os.fsync(fd)
    finally:
        os.close(fd)
    return True


def _superblock(device: str) -> bytes:
    fd = os.open(device, os.O_RDONLY | os.O_CLOEXEC)
    try:
        data = os.pread(fd, _LENGTH, _PLACE)
    finally:
        os.close(fd)
    if len(data) < _LENGTH or data[_MAGIC : _MAGIC + 2] != b"\x53\xef":
        raise OSError(errno.EMEDIUMTYPE, os.strerror(errno.EMEDIUMTYPE), device)
    return data


def _number(data: bytes | bytearray, at: int) -> int:
    number: int = struct.unpack_from("<I", data, at)[0]
    return number
