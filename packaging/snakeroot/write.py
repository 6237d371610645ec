"""`snakeroot write /dev/sdX`: the disk image straight to a disk, after a look at what is on it."""

from __future__ import annotations

import errno
import os
import stat
import sys
from pathlib import Path

from snakeroot.disk import Disk
from snakeroot.host import BuildError, step
from toolbox.linux import blockdev
from toolbox.linux.mount import mounts
from toolbox.sizes import human
from toolbox.storage import device, gpt, slot
from toolbox.storage.device import SECTOR

PIECE = 1 << 20


def write(disk: Disk, path: Path, yes: bool) -> int:
    """Write the disk; 1 when the user says no.  BuildError when it can't be written there."""
    name = _check(path)
    try:
        target = device.Disk(str(path), writable=True, exclusive=True)
    except OSError as error:
        raise BuildError(f"{path}: {error.strerror}", _cure(error.errno, path)) from None
    with target:
        if target.size < disk.size:
            raise BuildError(
                f"{path} has {target.size >> 20} MiB, the image {disk.size >> 20}",
                "make it smaller: disk.root in snakeroot.toml",
            )
        print("\n".join(describe(name, target)), file=sys.stderr)
        if not yes and not _agreed(path):
            print("nothing was written", file=sys.stderr)
            return 1
        with step(f"writing {path}"):
            copy(disk, target)
        try:
            blockdev.read_partitions(target.fd)
        except OSError as error:
            print(f"the kernel did not read {path} again: {error.strerror}", file=sys.stderr)
    return 0


def copy(disk: Disk, target: device.BlockDevice) -> None:
    """Write what the image holds, and zeros where it needs them; the rest of the target is left alone.

    The partition table comes last: a disk that was pulled too early has none, instead of one that lies.
    """
    begin, *pieces = disk.pieces
    target.write(0, bytes(len(begin.data)))
    # A copy of an older table at the end would be found when the first one is missing.
    target.write(target.size - PIECE, bytes(PIECE))
    for partition in disk.table:
        if partition.kind == slot.BOOT_TYPE:  # which may end with the label of an older release
            area = partition.on(target)
            area.write(area.size - slot.BLOCK, bytes(slot.BLOCK))
    target.flush()
    for piece in pieces:
        for at in range(0, len(piece.data), PIECE):
            target.write(piece.offset + at, piece.data[at : at + PIECE])
    target.flush()
    target.write(0, begin.data)
    target.flush()


def describe(name: str, target: device.BlockDevice) -> list[str]:
    """What is on a disk: a line for itself, and one for each partition, or for what is there without any.

    A GPT is read from the disk, which also works for a kernel that does not know it; of other partitions
    the kernel's word is taken.
    """
    model = _line(Path(blockdev.SYSFS, name, "device/model"))
    lines = [f"/dev/{name}: {human(target.size)} {model}".rstrip()]
    try:
        table = gpt.read(target)
    except gpt.DamagedTable:
        found = [("", blockdev.size(part), blockdev.probe(f"/dev/{part}")) for part in _parts(name)]
        # Of a disk without partitions: what is on the whole of it.
        found = found or [("", target.size, _identify(target))]
    else:
        found = [(p.name, p.sectors * SECTOR, _identify(p.on(target))) for p in table]
    for label, size, contents in found:
        what = f"{contents.kind} {contents.label}".rstrip() if contents else "nothing that is known"
        lines.append("  " + ", ".join(text for text in (human(size), label, what) if text))
    return lines


def _identify(target: device.BlockDevice) -> blockdev.FileSystem | None:
    return blockdev.identify(target.read(0, min(4096, target.size)))


def _check(path: Path) -> str:
    """The kernel's name of the whole disk at `path`.  BuildError for anything else, or one in use."""
    try:
        is_disk = stat.S_ISBLK(path.stat().st_mode)
    except FileNotFoundError:
        is_disk = False
    if not is_disk:
        raise BuildError(f"{path}: no disk", "for a file: snakeroot image -o FILE")
    name = os.path.basename(os.path.realpath(path))
    if Path(blockdev.SYSFS, name, "partition").exists():
        raise BuildError(f"{path}: a partition", "name the whole disk")
    if int(_line(Path(blockdev.SYSFS, name, "queue/logical_block_size")) or SECTOR) != SECTOR:
        raise BuildError(f"{path}: its sectors have more than {SECTOR} bytes; GRUB cannot boot it")
    for mount in mounts():
        if mount.source in {f"/dev/{part}" for part in (name, *_parts(name))}:
            raise BuildError(f"{path}: {mount.source} is mounted at {mount.target}", "unmount it")
    return name


def _parts(name: str) -> list[str]:
    return [n for n in blockdev.names() if Path(blockdev.SYSFS, name, n).is_dir()]


def _cure(number: int | None, path: Path) -> str:
    if number in (errno.EACCES, errno.EPERM):
        return f"you may not write to it: be root, or in the group that owns {path}"
    return "something uses it" if number == errno.EBUSY else ""


def _agreed(path: Path) -> bool:
    if not sys.stdin.isatty():
        raise BuildError("nobody is there to ask", "give --yes to overwrite the disk")
    print(f"All of it will be lost.  Type the disk's name to go on ({path}): ", end="", flush=True)
    return sys.stdin.readline().strip() == str(path)


def _line(path: Path) -> str:
    return path.read_text().strip() if path.exists() else ""
