"""The disk of the virtual machine that `snakeroot run` makes: as a device's, kept between runs.

The first run makes it.  Later ones put what has been built since into it, as taking the disk out of a device and
writing it anew would, but for /perm, which stays.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from snakeroot import disk, releasing
from snakeroot.config import Instance
from snakeroot.host import BuildError, private_folder, replace, step
from snakeroot.image import Image
from toolbox.storage import gpt
from toolbox.storage.device import SECTOR, Disk

#: What the disk has beyond the image, for /perm to grow into; the file is sparse.
MORE_BYTES = 1 << 30


def path_of(instance: Instance) -> Path:
    """Where the disk is."""
    return instance.output / "disk.img"


def prepare(instance: Instance, image: Image, *, fresh: bool = False) -> Path:
    """The disk with the image in it.  BuildError when it was made with other sizes of partitions.

    fresh: a new disk, with nothing in /perm
    """
    path = path_of(instance)
    if fresh:
        path.unlink(missing_ok=True)
    contents = releasing.labelled(instance, image)
    inputs = (contents.boot, contents.root, contents.label)
    digest = hashlib.sha256(b"".join(hashlib.sha256(data).digest() for data in inputs)).hexdigest()
    stamp = path.with_suffix(".contents")
    if path.exists() and stamp.exists() and stamp.read_text() == digest:
        return path
    with step("boot loader and disk"):
        made = disk.make(contents, disk.layout(instance.settings.disk))
        if path.exists():
            stamp.unlink(missing_ok=True)  # until all is written, it is neither the old nor the new
            _renew(path, made)
        else:
            private_folder(path.parent)
            disk.raw(made, path)
            os.truncate(path, path.stat().st_size + MORE_BYTES)
            (instance.output / "known_hosts").unlink(missing_ok=True)  # a new disk, a new host key
        replace(stamp, digest.encode())
    return path


def _renew(path: Path, made: disk.Disk) -> None:
    """Write everything into the disk but its table and /perm."""
    with Disk(str(path), writable=True) as old:
        there = {one.name: (one.first, one.sectors) for one in gpt.read(old)}
        wanted = {one.name: (one.first, one.sectors) for one in made.table}
        there[disk.PERM] = (
            there.get(disk.PERM, (0, 0))[0],
            wanted[disk.PERM][1],
        )  # it may have grown
        if there != wanted:
            raise BuildError(
                f"{path}: its partitions are not those of snakeroot.toml's [disk]",
                f"undo the change, or remove {path} and with it what is in /perm",
            )
        # In front of the first partition lie the table, which the box may have changed, and the boot sector.
        begin, end = (min(first for first, _ in wanted.values()), wanted[disk.PERM][0])
        for piece in made.pieces:
            if begin * SECTOR <= piece.offset < end * SECTOR:
                old.write(piece.offset, piece.data)
        old.flush()
