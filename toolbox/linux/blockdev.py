"""Block devices: their size and read-ahead, and which of them bears a name.

Sources: ioctl_list(2), linux/fs.h; the superblocks of ext2-4 (Documentation/filesystems/ext4), FAT
(Microsoft's specification) and squashfs.
"""

from __future__ import annotations

import os
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

BLKRRPART = 0x125F
BLKRASET = 0x1262
BLKPG = 0x1269
BLKPG_RESIZE_PARTITION = 3

#: struct blkpg_partition: start and length in bytes, number, two names that the kernel does not read.
_BLKPG_PARTITION = struct.Struct("=qqi64s64s4x")
#: struct blkpg_ioctl_arg: what to do, flags, size of the other structure, pointer to it.
_BLKPG_ARGUMENT = struct.Struct("@iiiP")

SYSFS = "/sys/class/block"


class FileSystem:
    """What a superblock says: `kind` ("ext4", "vfat", "squashfs"), `label` and `uuid` as blkid shows them."""

    __slots__ = ("kind", "label", "uuid")

    def __init__(self, kind: str, label: str = "", uuid: str = "") -> None:
        self.kind = kind
        self.label = label
        self.uuid = uuid


def names() -> list[str]:
    """The kernel's names of all block devices and partitions ("vda", "vda1"), sorted."""
    try:
        return sorted(os.listdir(SYSFS))
    except FileNotFoundError:
        return []


def size(name: str) -> int:
    """A device's size in bytes, by its kernel name.  OSError when there is none."""
    with open(f"{SYSFS}/{name}/size", "rb") as file:
        return int(file.read()) * 512


def partition_name(name: str) -> str:
    """The label that the partition table gives a partition; empty for none."""
    return _uevent(name).get("PARTNAME", "")


def find_by_partition_label(label: str) -> str | None:
    """The partition that the partition table calls `label`."""
    return next((f"/dev/{name}" for name in names() if partition_name(name) == label), None)


def find_beside(device: int, label: str) -> str | None:
    """The partition called `label` on the disk that `device` (st_dev of a mounted file) is a partition of."""
    try:
        place = os.path.realpath(f"{SYSFS}/../../dev/block/{os.major(device)}:{os.minor(device)}")
        beside = os.listdir(os.path.dirname(place))
    except OSError:
        return None
    if not os.path.exists(f"{place}/partition"):
        return None
    found = sorted(name for name in beside if partition_name(name) == label)
    return f"/dev/{found[0]}" if found else None


def find_by_partition_uuid(uuid: str) -> str | None:
    """The partition of this id (GPT), where the kernel says it (PARTUUID in uevent, since Linux 6.15)."""
    wanted = uuid.lower()
    for name in names():
        if _uevent(name).get("PARTUUID", "").lower() == wanted:
            return f"/dev/{name}"
    return None


def _uevent(name: str) -> dict[str, str]:
    try:
        with open(f"{SYSFS}/{name}/uevent", "rb") as file:
            lines = os.fsdecode(file.read()).splitlines()
    except OSError:
        return {}
    return {k: v for k, _, v in (line.partition("=") for line in lines)}


def probe(path: str) -> FileSystem | None:
    """What file system is on a device or in a file; None when it is none that is known here."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        head = os.pread(fd, 4096, 0)
    finally:
        os.close(fd)
    return identify(head)


def identify(head: bytes) -> FileSystem | None:
    """The file system whose first 4096 bytes are `head`."""
    if len(head) >= 2048 and head[1080:1082] == b"\x53\xef":
        label = head[1024 + 0x78 :][:16].split(b"\0")[0]
        compatible, incompatible = struct.unpack_from("<II", head, 1024 + 0x5C)
        kind = "ext4" if incompatible & 0x40 else "ext3" if compatible & 4 else "ext2"
        return FileSystem(kind, os.fsdecode(label), _uuid(head[1024 + 0x68 :][:16]))
    if head[:4] == b"hsqs":
        return FileSystem("squashfs")
    if len(head) >= 512 and head[510:512] == b"\x55\xaa":
        for offset, mark in ((82, b"FAT32"), (54, b"FAT")):
            if head[offset : offset + len(mark)] == mark:
                serial = head[offset - 15 : offset - 11][::-1].hex().upper()
                label = head[offset - 11 : offset].rstrip()
                shown = "" if label == b"NO NAME" else os.fsdecode(label)
                return FileSystem("vfat", shown, f"{serial[:4]}-{serial[4:]}")
    return None


def find_by_label(label: str) -> str | None:
    """The device ("/dev/vda1") whose partition or file system bears `label`; the partition's counts first."""
    return find_by_partition_label(label) or next(
        (path for path, found in _file_systems() if found.label == label), None
    )


def find_by_uuid(uuid: str) -> str | None:
    """The device whose file system has `uuid`, as blkid shows it."""
    wanted = uuid.lower()
    return next((path for path, found in _file_systems() if found.uuid.lower() == wanted), None)


def set_read_ahead(fd: int, sectors: int) -> None:
    """Set a device's read-ahead in sectors of 512 bytes (BLKRASET)."""
    import fcntl

    fcntl.ioctl(fd, BLKRASET, sectors)


def read_partitions(fd: int) -> None:
    """Make the kernel read a disk's partition table again (BLKRRPART).  OSError: EBUSY when in use."""
    import fcntl

    fcntl.ioctl(fd, BLKRRPART)


def resize_partition(fd: int, number: int, start: int, length: int) -> None:
    """Tell the kernel that a partition of the disk `fd` has another length now (BLKPG); it may be mounted.

    start, length: in bytes.  OSError: EBUSY when it would overlap another, ENXIO when there is none.
    """
    import fcntl

    from toolbox.linux.syscall import address

    partition = _BLKPG_PARTITION.pack(start, length, number, b"", b"")
    pointer = address(partition)
    fcntl.ioctl(fd, BLKPG, _BLKPG_ARGUMENT.pack(BLKPG_RESIZE_PARTITION, 0, len(partition), pointer))


def _file_systems() -> Iterator[tuple[str, FileSystem]]:
    for name in names():
        path = f"/dev/{name}"
        try:
            found = probe(path)
        except OSError:
            continue  # an empty drive, or one that we may not read
        if found is not None:
            yield path, found


def _uuid(raw: bytes) -> str:
    text = raw.hex()
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))
