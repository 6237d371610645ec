"""GRUB as files and sectors: its script, its core for BIOS, its program for UEFI.

grub-mkimage links both from the modules in the distribution's packages; nothing of them is installed, and
no disk is touched.  The script is part of them (a tar archive that GRUB sees as a disk of its own), so that
the boot loader is one piece that an update of a slot never changes.

Sources: grub-core/boot/i386/pc/boot.S and diskboot.S, include/grub/i386/pc/boot.h, util/setup.c.
"""

from __future__ import annotations

import io
import re
import struct
import tarfile
import tempfile
from collections.abc import Iterable
from pathlib import Path
from platform import machine

from snakeroot import packages, shipped
from snakeroot.host import BuildError, run
from toolbox.storage import bootstate, slot
from toolbox.storage.device import SECTOR
from toolbox.storage.gpt import MBR_CODE

BIOS, UEFI = "i386-pc", "x86_64-efi"

#: Platform -> the package with its modules, and the modules that only it needs: the firmware's disks, and
#: a screen.
PLATFORMS: dict[str, tuple[str, tuple[str, ...]]] = {
    BIOS: ("grub-pc-bin", ("biosdisk", "linux16")),
    UEFI: ("grub-efi-amd64-bin", ("efi_gop",)),
}

#: The machines that such a disk boots.
PROCESSORS = ("x86_64", "amd64")

#: memdisk, tar and normal read the script; the others are its commands, and how it reads the disk.
MODULES = (
    *("memdisk", "tar", "normal", "part_gpt", "loadenv", "regexp", "test", "true", "echo"),
    *("linux", "probe", "hashsum", f"gcry_{slot.HASH}", "serial", "terminal", "sleep", "reboot"),
)

#: The program that links them.
MAKE_IMAGE: tuple[str | Path, ...] = ("grub-mkimage",)

#: Where GRUB looks for its script in the archive; another place leaves it at a prompt.
SCRIPT = "boot/grub/grub.cfg"

#: A prefix without a device: of GRUB's ways to say which disk it was read from, the one that all versions have.  It
#: becomes the root, and the prefix one on that disk.  $cmdpath is not set by Debian's GRUB from 2.12 on: $fw_path
#: takes its place there, and neither is set by BIOS.
PREFIX = "/boot/grub"

#: What GRUB runs before it looks for its script: the script is in the archive.
EARLY = "set prefix=(memdisk)/boot/grub\n"

#: Places in boot.img, GRUB's code for sector 0.
_CORE_LBA = 0x5C
_BOOT_DRIVE = 0x64
_DRIVE_CHECK = 0x66

#: The block list in the core's first sector: first LBA, sectors, segment to load them to.
_BLOCK_LIST = struct.Struct("<QHH")
_BLOCK_LIST_AT = SECTOR - _BLOCK_LIST.size
_SEGMENT = 0x820


def script(partitions: dict[str, int]) -> str:
    """The script.  partitions: the number of each partition in the table, by name."""
    first, second = bootstate.SLOTS
    one_of = " -o ".join
    words = {
        "STATE_PARTITION": str(partitions["state"]),
        "STATE_FILE": bootstate.STATE_FILE,
        "SPARE_FILE": bootstate.SPARE_FILE,
        "STATE_KEYS": " ".join(bootstate.KEYS),
        "CLEAR_STATE": _lines(f"set {key}=" for key in bootstate.KEYS),
        "END": bootstate.END,
        "BAD": bootstate.BAD,
        "SLOT_IS_ONE": one_of(f'"$slot" = {name}' for name in bootstate.SLOTS),
        "TRY_IS_ONE": one_of(f'"$try" = {name}' for name in bootstate.SLOTS),
        "COUNT": _lines(_count(left) for left in range(1, bootstate.MAX_TRIALS + 1)),
        "CLEAR_HEADER": _lines(f"set {key}=" for key in slot.KEYS),
        "HEADER_KEYS": " ".join(slot.KEYS),
        "HEADER_SECTORS": str(slot.HEADER_SECTORS),
        "HASHES": str(slot.HASHES),
        "HASH": slot.HASH,
        "FORMAT": slot.FORMAT,
        "FIRST": first,
        "SECOND": second,
        "READ_NUMBERS": _lines(
            f"read_header {partitions[slot.BOOT_PARTITIONS[name]]}\nset number_{name}=$number"
            for name in bootstate.SLOTS
        ),
        "SELECT": _lines(
            f'if [ "$2" = {name} ]; then set boot={partitions[slot.BOOT_PARTITIONS[name]]} ;'
            f" set root_partition={partitions[slot.ROOT_PARTITIONS[name]]} ;"
            f" set label={slot.ROOT_PARTITIONS[name]} ; set mark=${name} ; fi"
            for name in bootstate.SLOTS
        ),
        "ATTEMPTS": _lines(
            f'attempt {word} "${role}" {_yes(skip_bad)} {_yes(check)}'
            for word, role, skip_bad, check in bootstate.PASSES
        ),
    }

    def fill(match: re.Match[str]) -> str:
        text = words[match[2]]
        return match[1] + text.replace("\n", f"\n{match[1]}") if match[1] else text

    template = shipped.grub_script().partition("\n\n")[2]
    text = re.sub(r"(?m)^( +)@([A-Z_]+)@$", fill, template)
    return re.sub(r"()@([A-Z_]+)@", fill, text)


def _lines(lines: Iterable[str]) -> str:
    return "\n".join(lines)


def _count(left: int) -> str:
    save = "if save_env -f $state left; then set trial=$try ; fi"
    # In one chain: a count of 3 must not become 2 and then be counted again.
    word = "if" if left == 1 else "elif"
    end = "\nfi" if left == bootstate.MAX_TRIALS else ""
    return f'{word} [ "$left" = {left} ]; then set left={left - 1} ; {save}{end}'


def _yes(flag: bool) -> str:
    return "yes" if flag else "no"


def program(platform: str, text: str) -> bytes:
    """GRUB for a platform (BIOS: its core; UEFI: a PE program) with this script in it."""
    if machine() not in PROCESSORS:
        raise BuildError(f"no boot loader is known for a disk of a {machine()}")
    package, modules = PLATFORMS[platform]
    folder = packages.unpacked(package) / "usr/lib/grub" / platform
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        member = tarfile.TarInfo(SCRIPT)
        member.size = len(text.encode())
        tar.addfile(member, io.BytesIO(text.encode()))
    with tempfile.TemporaryDirectory() as scratch:
        disk, early, made = (Path(scratch, name) for name in ("disk", "early", "made"))
        disk.write_bytes(archive.getvalue())
        early.write_text(EARLY)
        # -m sets a prefix in the archive; the -p after it is what counts.
        argv: list[str | Path] = [*MAKE_IMAGE, "-d", folder, "-O", platform, "-m", disk]
        run([*argv, "-p", PREFIX, "-c", early, "-o", made, *MODULES, *modules])
        return made.read_bytes()


def boot_sector(protective: bytes, lba: int) -> bytes:
    """Sector 0: GRUB's code, which loads the core at `lba`, in the protective MBR."""
    folder = packages.unpacked(PLATFORMS[BIOS][0]) / "usr/lib/grub" / BIOS
    code = bytearray((folder / "boot.img").read_bytes()[:SECTOR])
    struct.pack_into("<Q", code, _CORE_LBA, lba)
    # The drive that the firmware names, whatever it is: no test for a floppy.
    code[_BOOT_DRIVE] = 0xFF
    code[_DRIVE_CHECK : _DRIVE_CHECK + 2] = b"\x90\x90"
    return bytes(code[:MBR_CODE]) + protective[MBR_CODE:]


def placed(core: bytes, lba: int, sectors: int) -> bytes:
    """The core for BIOS as it lies at `lba`: its first sector says where the others are.

    BuildError when it does not fit into a partition of `sectors`.
    """
    data = bytearray(core + bytes(-len(core) % SECTOR))
    count = len(data) // SECTOR
    if count > sectors:
        raise BuildError(f"GRUB's core has {count} sectors, its partition {sectors}")
    if _BLOCK_LIST.unpack_from(data, _BLOCK_LIST_AT)[2] != _SEGMENT:
        raise BuildError("GRUB's core has no block list", "another version of GRUB was installed?")
    _BLOCK_LIST.pack_into(data, _BLOCK_LIST_AT, lba + 1, count - 1, _SEGMENT)
    return bytes(data)
