"""Loop devices: a file as a block device (loop(4), linux/loop.h)."""

from __future__ import annotations

import errno
import os
import stat
import struct

LOOP_CLR_FD = 0x4C01
LOOP_CONFIGURE = 0x4C0A
LOOP_CTL_GET_FREE = 0x4C82

LO_FLAGS_READ_ONLY = 1
LO_FLAGS_AUTOCLEAR = 4

MAJOR = 7
SYSFS = "/sys/class/block"

#: struct loop_config: descriptor, block size, and struct loop_info64, of which offset, size limit, flags
#: and name are set here.
_CONFIG = struct.Struct("=II QQQQQIIII64s64s32s2Q 64x")


def attach(
    path: str, *, offset: int = 0, size: int = 0, read_only: bool = False
) -> tuple[str, int]:
    """Make a loop device of the file at `path`.  Returns its name ("/dev/loop0") and a descriptor of it.

    The device vanishes with its last user: the caller closes the descriptor when it is mounted.
    offset, size: of the part that it shows, in bytes; size 0: up to the end.
    OSError: EPERM, ENOENT, EROFS and EACCES when the file cannot be written to...
    """
    import fcntl

    mode = os.O_RDONLY if read_only else os.O_RDWR
    file = os.open(path, mode | os.O_CLOEXEC)
    flags = LO_FLAGS_AUTOCLEAR | (LO_FLAGS_READ_ONLY if read_only else 0)
    name = os.fsencode(os.path.realpath(path))[:63]
    config = _CONFIG.pack(file, 0, 0, 0, 0, offset, size, 0, 0, 0, flags, name, b"", b"", 0, 0)
    try:
        while True:
            device = _node(_free())
            loop = os.open(device, mode | os.O_CLOEXEC)
            try:
                fcntl.ioctl(loop, LOOP_CONFIGURE, config)
                return device, loop
            except OSError as error:
                os.close(loop)
                if error.errno != errno.EBUSY:
                    raise
                # Somebody else was faster; the next free one.
    finally:
        os.close(file)


def detach(device: str) -> None:
    """Free a loop device.  OSError: EBUSY, ENXIO when it has no file."""
    import fcntl

    loop = os.open(device, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.ioctl(loop, LOOP_CLR_FD)
    finally:
        os.close(loop)


def file_of(device: str) -> str:
    """The path of the file that a loop device shows; empty for none, and for what is no loop device."""
    try:
        with open(f"{SYSFS}/{os.path.basename(device)}/loop/backing_file", "rb") as file:
            return os.fsdecode(file.read().removesuffix(b"\n"))
    except OSError:
        return ""


def _free() -> int:
    """The number of a loop device that shows no file."""
    import fcntl

    try:
        control = os.open("/dev/loop-control", os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        # A /dev that somebody filled by hand.
        found = os.listdir(SYSFS) if os.path.isdir(SYSFS) else []
        names = [name for name in found if name[:4] == "loop" and name[4:].isdecimal()]
        free = [int(name[4:]) for name in names if not os.path.exists(f"{SYSFS}/{name}/loop")]
        if not free:
            raise
        return min(free)
    try:
        return fcntl.ioctl(control, LOOP_CTL_GET_FREE)
    finally:
        os.close(control)


def _node(number: int) -> str:
    """The device's file, made where it is not there."""
    path = f"/dev/loop{number}"
    try:
        os.mknod(path, stat.S_IFBLK | 0o600, os.makedev(MAJOR, number))
    except FileExistsError:
        pass
    return path
