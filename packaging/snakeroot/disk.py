"""A whole disk: GRUB for BIOS and UEFI, the boot state, two slots, /perm.  Same inputs, same bytes.

A `Disk` is its size and the pieces that are not zero; `raw` makes a file of it, qcow2.py and write.py the
other things it can become.  No root, no mounts, no loop devices.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from snakeroot import crash_log, grub
from snakeroot.config import DiskSettings
from snakeroot.host import BuildError, fresh, run
from snakeroot.image import Image
from snakeroot.kernel import CONSOLE
from toolbox.release import slots
from toolbox.storage import bootstate, gpt, slot
from toolbox.storage.device import SECTOR
from toolbox.storage.gpt import MIB

BIOS_BOOT, EFI_SYSTEM, STATE, PERM = "bios", "esp", "state", "perm"

#: MiB of the partitions that nobody wants to be another size.  FAT32 begins at 65525 clusters.
FIXED = {BIOS_BOOT: 1, EFI_SYSTEM: 40, STATE: 1}

#: 1980-01-01, the first day of FAT's calendar: the time that file systems are told it is.
NOW = "315532800"

#: mke2fs.conf(5): what the host has there does not count.  The largest journal that such a small file system
#: can have: it grows to the size of the disk, and its journal does not.
#:
#: No metadata_csum: its sums cover 1 KiB of superblock and 4 KiB of a journal's commit block, and a power failure
#: may leave the first of their sectors new and the last old.  Linux before 6.12 then refuses to mount.  uninit_bg
#: sums each group's descriptor, which is within a sector, and spares the growth zeroing all tables of inodes.
EXT4 = """\
[defaults]
base_features = sparse_super,large_file,filetype,resize_inode,dir_index,ext_attr
default_mntopts = acl,user_xattr
blocksize = 4096
inode_size = 256
inode_ratio = 16384
[fs_types]
ext4 = {
features = has_journal,extent,huge_file,flex_bg,uninit_bg,64bit,dir_nlink,extra_isize
}
perm = {
}
"""


#: mkfs.ext4's features (-O) and extended options (-E) for one that counts what users have.  Without sums of the
#: superblock init can go on without that where a kernel cannot count.
QUOTA_FEATURES, QUOTA_OPTION = "quota,^metadata_csum", "quotatype=usrquota"


@dataclass(frozen=True)
class Layout:
    """Sizes in MiB, and the seed of the disk's identifiers: two disks in one machine want different ones.

    boot, root: of each slot's partitions; an update must fit, for the box's whole life
    perm: in the image; on the device it grows to the disk's end
    """

    boot: int = 32
    root: int = 512
    perm: int = 64
    seed: str = ""


@dataclass(frozen=True)
class Release:
    """What a slot gets: the boot area (toolbox/storage/slot.py) and the root, a squashfs.

    label: by which the slot says what it holds (toolbox/release/slots.py); b"" for none
    quotas: whether its kernel can count what each user has: /perm is made for it then
    """

    boot: bytes
    root: bytes
    label: bytes = b""
    quotas: bool = False


def release(image: Image, number: int) -> Release:
    """The image as what a slot gets.  BuildError for a kernel's argument that GRUB cannot pass on.

    number: newer releases have higher ones; it decides only when the boot state is lost.
    """
    # The last console is where init's messages go; a machine without that port has the screen.
    words = ["console=tty0", f"console={CONSOLE}", "quiet", "panic=10", crash_log.WORD]
    words += image.arguments
    for word in words:
        if not slot.WORD.fullmatch(word):
            raise BuildError(
                f"kernel.arguments: {word!r} cannot be passed on by the boot loader",
                "use letters, digits and " + " ".join("_.,:;=/@%+^~!-"),
            )
    boot = slot.boot_area(image.kernel.read_bytes(), image.initramfs.read_bytes(), number, words)
    return Release(boot, image.root.read_bytes(), quotas=image.quotas)


def layout(settings: DiskSettings) -> Layout:
    """The sizes that snakeroot.toml asks for."""
    return Layout(settings.boot, settings.root, settings.perm, settings.seed)


@dataclass(frozen=True)
class Piece:
    """Bytes at an offset, both in bytes and whole sectors."""

    offset: int
    data: bytes


@dataclass(frozen=True)
class Disk:
    """size: bytes of the whole.  pieces: in the order of their offsets; everything else is zero."""

    size: int
    pieces: tuple[Piece, ...]
    table: gpt.Table

    def blocks(self, size: int) -> Iterator[tuple[int, bytes]]:
        """(offset, bytes) of each block of `size` bytes that is not all zero, in order."""
        zero = bytes(size)
        at, block = -1, bytearray()
        for piece in self.pieces:
            done = 0
            while done < len(piece.data):
                place = piece.offset + done
                start = place // size * size
                if start != at:
                    if any(block):
                        yield at, bytes(block)
                    at, block = start, bytearray(zero)
                part = piece.data[done : done + size - (place - start)]
                block[place - start : place - start + len(part)] = part
                done += len(part)
        if any(block):
            yield at, bytes(block)


def make(release: Release, layout: Layout) -> Disk:
    """The disk with the release in slot a, committed, and nothing in slot b.

    BuildError when the release does not fit into its partitions.
    """
    table = partitions(layout)
    place = {partition.name: partition for partition in table}
    numbers = {partition.name: partition.number for partition in table}
    text = grub.script(numbers)
    core = grub.placed(
        grub.program(grub.BIOS, text), place[BIOS_BOOT].first, place[BIOS_BOOT].sectors
    )
    begin = grub.boot_sector(table.protective(), place[BIOS_BOOT].first) + table.begin()[SECTOR:]
    first, second = bootstate.SLOTS
    contents = {
        BIOS_BOOT: core,
        EFI_SYSTEM: _efi_system(grub.program(grub.UEFI, text), place[EFI_SYSTEM], layout.seed),
        STATE: bootstate.archive(bootstate.State(first, bad=[second])),
        slot.BOOT_PARTITIONS[first]: release.boot,
        slot.ROOT_PARTITIONS[first]: release.root,
        slot.BOOT_PARTITIONS[second]: slot.EMPTY,
        PERM: _ext4(place[PERM], layout.seed, quotas=release.quotas),
    }
    pieces = [Piece(0, begin)]
    for name, data in contents.items():
        room = place[name].sectors * SECTOR
        if len(data) > room:
            what = "boot" if name in slot.BOOT_PARTITIONS.values() else "root"
            raise BuildError(
                f"{name} needs {-(-len(data) >> 20)} MiB and has {room >> 20}",
                f"make it larger: disk.{what} in snakeroot.toml",
            )
        pieces.append(Piece(place[name].first * SECTOR, data + bytes(-len(data) % SECTOR)))
    if release.label:
        pieces.append(_label(release, place[slot.BOOT_PARTITIONS[first]]))
    end = table.end()
    size = table.sectors * SECTOR
    pieces.append(Piece(size - len(end), end))
    return Disk(size, tuple(sorted(pieces, key=lambda piece: piece.offset)), table)


def _label(release: Release, partition: gpt.Partition) -> Piece:
    """The label, at the end of the boot partition."""
    data, room = slots.encode_label(release.label), partition.sectors * SECTOR
    if len(release.boot) + len(data) > room:
        raise BuildError(
            f"{partition.name} needs {-(-(len(release.boot) + len(data)) >> 20)} MiB and has {room >> 20}",
            "make it larger: disk.boot in snakeroot.toml",
        )
    return Piece(partition.first * SECTOR + room - len(data), data)


def partitions(layout: Layout) -> gpt.Table:
    """The partition table."""
    sizes = {
        BIOS_BOOT: (gpt.BIOS_BOOT, FIXED[BIOS_BOOT]),
        EFI_SYSTEM: (gpt.EFI_SYSTEM, FIXED[EFI_SYSTEM]),
        STATE: (bootstate.PARTITION_TYPE, FIXED[STATE]),
    }
    for name in bootstate.SLOTS:
        sizes[slot.BOOT_PARTITIONS[name]] = (slot.BOOT_TYPE, layout.boot)
        sizes[slot.ROOT_PARTITIONS[name]] = (gpt.LINUX, layout.root)
    sizes[PERM] = (gpt.LINUX, layout.perm)  # the last: it grows
    made, at = [], MIB
    for number, (name, (kind, size)) in enumerate(sizes.items(), 1):
        own = gpt.derived_guid(layout.seed, name)
        made.append(gpt.Partition(number, name, kind, own, at, size * MIB))
        at += size * MIB
    # One MiB more, for the copy of the table.
    return gpt.Table(gpt.derived_guid(layout.seed, "disk"), made, at + MIB)


def raw(disk: Disk, path: Path) -> None:
    """A file that is the disk byte by byte, with holes where it is zero.  The old one stays until it is whole.

    Nobody else may read it.
    """
    with fresh(path, private=True) as file:
        file.truncate(disk.size)
        for offset, data in disk.blocks(1 << 16):
            file.seek(offset)
            file.write(data[: disk.size - offset])


def _efi_system(program: bytes, partition: gpt.Partition, seed: str) -> bytes:
    """A FAT32 with the program where every UEFI looks for one (UEFI 3.5.1.1)."""
    serial = gpt.derived_guid(seed, "fat")[:4].hex()
    environment = {"SOURCE_DATE_EPOCH": NOW, "TZ": "UTC", "MTOOLSRC": os.devnull}
    with tempfile.TemporaryDirectory() as scratch:
        image, source = Path(scratch, "fat"), Path(scratch, "program")
        source.write_bytes(program)
        with image.open("wb") as file:
            file.truncate(partition.sectors * SECTOR)
        geometry = ("-h", "64", "-s", "32", "-T", str(partition.sectors))
        names = ("-H", str(partition.first), "-v", "SNAKEROOT", "-N", serial)
        for words in (
            ("mformat", "-i", image, "-F", "-c", "1", *geometry, *names, "::"),
            ("mmd", "-i", image, "::/EFI", "::/EFI/BOOT"),
            ("mcopy", "-i", image, source, "::/EFI/BOOT/BOOTX64.EFI"),
        ):
            run(words, env=environment)
        return image.read_bytes()


def _ext4(partition: gpt.Partition, seed: str, *, quotas: bool) -> bytes:
    """An empty ext4, labelled as init looks for it.

    quotas: it counts what each user has; kernels that cannot refuse it (applets/init/early.py goes on without then)
    """
    own = gpt.guid_text(gpt.derived_guid(seed, "ext4"))
    extended = f"hash_seed={own},root_owner=0:0,lazy_itable_init=0,lazy_journal_init=0,nodiscard"
    if quotas:
        extended += f",{QUOTA_OPTION}"
    with tempfile.TemporaryDirectory() as scratch:
        image, configuration = Path(scratch, "ext4"), Path(scratch, "mke2fs.conf")
        configuration.write_text(EXT4)
        with image.open("wb") as file:
            file.truncate(partition.sectors * SECTOR)
        run(
            [
                *("mkfs.ext4", "-q", "-F", "-L", PERM, "-U", own, "-E", extended),
                *(("-O", QUOTA_FEATURES) if quotas else ()),
                *(
                    "-m",
                    "1",
                    "-J",
                    f"size={min(64, partition.sectors // MIB // 4)}",
                    "-T",
                    "perm",
                    image,
                ),
            ],
            env={"E2FSPROGS_FAKE_TIME": NOW, "MKE2FS_CONFIG": str(configuration)},
        )
        return image.read_bytes()
