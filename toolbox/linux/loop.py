"""Loop devices: a file as a block device (loop(4))."""

from __future__ import annotations

import errno
import os
import struct

LOOP_SET_FD = 0x4C00
LOOP_CLR_FD = 0x4C01
LOOP_SET_STATUS64 = 0x4C04
LOOP_CTL_GET_FREE = 0x4C82

LO_FLAGS_READ_ONLY = 1
LO_FLAGS_AUTOCLEAR = 4

#: struct loop_info64 of linux/loop.h: offset, size limit, flags and name are what is set here.
_INFO = struct.Struct("=QQQQQIIII64s64s32s2Q")


def attach(path: str, *, offset: int = 0, size: int = 0, read_only: bool = False) -> str:
    """Make a loop device of the file at `path`; it vanishes with its last user.  Returns "/dev/loop0".

    offset, size: of the part that it shows, in bytes; size 0: up to the end.  OSError: EPERM, ENOENT...
    """
    import fcntl

    file = os.open(path, (os.O_RDONLY if read_only else os.O_RDWR) | os.O_CLOEXEC)
    try:
        control = os.open("/dev/loop-control", os.O_RDWR | os.O_CLOEXEC)
        try:
            while True:
                device = f"/dev/loop{fcntl.ioctl(control, LOOP_CTL_GET_FREE)}"
                try:
                    _configure(device, file, path, offset, size, read_only)
                    return device
                except OSError as error:
                    if error.errno != errno.EBUSY:
                        raise
                    # Somebody else was faster; the next free one.
        finally:
            os.close(control)
    finally:
        os.close(file)


def _configure(device: str, file: int, path: str, offset: int, size: int, read_only: bool) -> None:
    import fcntl

    loop = os.open(device, (os.O_RDONLY if read_only else os.O_RDWR) | os.O_CLOEXEC)
    # The descriptor stays open until the process ends: without it the device would vanish at once.
    fcntl.ioctl(loop, LOOP_SET_FD, file)
    flags = LO_FLAGS_AUTOCLEAR | (LO_FLAGS_READ_ONLY if read_only else 0)
    name = os.fsencode(os.path.realpath(path))[:63]
    info = _INFO.pack(0, 0, 0, offset, size, 0, 0, 0, flags, name, b"", b"", 0, 0)
    try:
        fcntl.ioctl(loop, LOOP_SET_STATUS64, info)
    except OSError:
        fcntl.ioctl(loop, LOOP_CLR_FD)
        os.close(loop)
        raise


def detach(device: str) -> None:
    """Free a loop device.  OSError: EBUSY, ENXIO when it has no file."""
    import fcntl

    loop = os.open(device, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.ioctl(loop, LOOP_CLR_FD)
    finally:
        os.close(loop)
