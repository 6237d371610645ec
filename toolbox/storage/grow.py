"""The last partition, and the ext4 on it, up to the disk's end: while it is mounted, and the power may fail.

The partition table is changed by one sector.  The new array is written to the place that isn't in use (LBA 2
or 34), the copy of everything to the disk's new end, all of it flushed; then the header at LBA 1 is written,
which tells which array counts.  Before that sector the old table is whole, after it the new one.

Sector 0 is left alone: GRUB's code is in it.  The size that it tells programs which know no GPT is the old one.

The kernel then hears of the new size (BLKPG, linux/blkpg.h), and ext4 of its (EXT4_IOC_RESIZE_FS, a
transaction of its journal).  Whatever was not reached before a power failure is done by the next boot.
"""

from __future__ import annotations

import os
import struct

from toolbox.linux import blockdev
from toolbox.storage import ext4, gpt
from toolbox.storage.device import SECTOR, Disk
from toolbox.storage.gpt import ARRAY_SECTORS, FIRST_ARRAY, MIB, SECOND_ARRAY, Partition, Table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from toolbox.storage.device import BlockDevice

#: _IOW('f', 16, __u64): the new size in blocks, to any file of the file system.
EXT4_IOC_RESIZE_FS = 0x40086610


def grown(table: Table, sectors: int, name: str) -> Table | None:
    """The table for a disk of `sectors` with its last partition, `name`, up to the last whole MiB.

    None when there is nothing to be grown, or it isn't ours to grow: another partition is the last one, or
    one lies where the second array would.
    """
    last = max(table, key=lambda partition: partition.first, default=None)
    if last is None or last.name != name:
        return None
    arrays_end = SECOND_ARRAY + ARRAY_SECTORS
    if min(partition.first for partition in table) < arrays_end:
        return None
    last_usable = sectors - ARRAY_SECTORS - 2
    end = (last_usable + 1) // MIB * MIB
    if sectors <= table.sectors or end <= last.first + last.sectors:
        return None
    larger = Partition(
        last.number, name, last.kind, last.own, last.first, end - last.first, last.attributes
    )
    return Table(
        table.own,
        [larger if partition is last else partition for partition in table],
        sectors,
        array=SECOND_ARRAY if table.array == FIRST_ARRAY else FIRST_ARRAY,
        first_usable=max(table.first_usable, arrays_end),
        last_usable=last_usable,
    )


def switch(disk: BlockDevice, table: Table) -> None:
    """Make `table`, whose array lies where no array is in use, the disk's table."""
    copy = table.end()
    disk.write(disk.size - len(copy), copy)
    disk.write(table.array * SECTOR, table.entries())
    disk.flush()
    disk.write(SECTOR, table.header())
    disk.flush()


def grow_partition(device: str) -> bool:
    """Grow the partition at `device` ("/dev/vda8"), the last of its disk, if the disk has become larger.

    Whether it was.  OSError as the disk says; DamagedTable (ValueError) when its table is.
    """
    place = os.path.realpath(f"{blockdev.SYSFS}/{os.path.basename(device)}")
    try:
        with open(f"{place}/partition", "rb") as file:
            number = int(file.read())
    except FileNotFoundError:
        return False  # a whole disk
    whole = os.path.basename(os.path.dirname(place))
    with Disk(f"/dev/{whole}", writable=True) as disk:
        table = gpt.read(disk)
        found = [partition for partition in table if partition.number == number]
        larger = grown(table, disk.size // SECTOR, found[0].name) if found else None
        if larger is not None:
            switch(disk, larger)
            table = larger
        for partition in table:
            # Also when an earlier boot wrote the table: the kernel read it before.
            size = partition.sectors * SECTOR
            if partition.number == number and size > blockdev.size(os.path.basename(device)):
                blockdev.resize_partition(disk.fd, number, partition.first * SECTOR, size)
                return True
    return larger is not None


def grow_ext4(device: str, mounted: str) -> bool:
    """Grow the ext4 of `device`, mounted at `mounted`, to the size of the device; whether it was smaller.

    OSError: ENOTTY when it is no ext4; as the kernel says.
    """
    blocks, block_size = ext4.size(device)
    room = blockdev.size(os.path.basename(os.path.realpath(device))) // block_size
    if blocks >= room:
        return False
    import fcntl

    fd = os.open(mounted, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.ioctl(fd, EXT4_IOC_RESIZE_FS, struct.pack("=Q", room))
    finally:
        os.close(fd)
    return True
