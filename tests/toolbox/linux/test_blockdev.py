"""Superblocks: which file system, which label, which id.  Breaks when a field is read at the wrong place."""

from __future__ import annotations

import os
import struct
import subprocess
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolbox.linux import blockdev


@pytest.mark.parametrize("kind", ["ext2", "ext4"])
def test_ext(tmp_path, kind) -> None:
    image = tmp_path / "image"
    wanted = str(uuid.uuid4())
    with open(image, "wb") as file:
        file.truncate(8 << 20)
    argv = ["mke2fs", "-q", "-F", "-t", kind, "-L", "perm-a", "-U", wanted, str(image)]
    subprocess.run(
        argv, check=True, env={**os.environ, "PATH": os.environ["PATH"] + ":/sbin:/usr/sbin"}
    )
    found = blockdev.probe(str(image))
    assert found is not None
    assert (found.kind, found.label, found.uuid) == (kind, "perm-a", wanted)


def fat(label: bytes, wide: bool) -> bytes:
    """The first sector of a FAT file system (Microsoft's specification)."""
    at = 67 if wide else 39
    sector = bytearray(4096)
    sector[510:512] = b"\x55\xaa"
    sector[at - 1 : at] = b"\x29"
    sector[at : at + 4] = struct.pack("<I", 0x1234ABCD)
    sector[at + 4 : at + 15] = label.ljust(11)
    sector[at + 15 : at + 23] = b"FAT32   " if wide else b"FAT16   "
    return bytes(sector)


@pytest.mark.parametrize("wide", [True, False])
def test_fat(wide) -> None:
    found = blockdev.identify(fat(b"BOOT", wide))
    assert found is not None
    assert (found.kind, found.label, found.uuid) == ("vfat", "BOOT", "1234-ABCD")
    unnamed = blockdev.identify(fat(b"NO NAME", wide))
    assert unnamed is not None
    assert unnamed.label == ""


def test_squashfs_and_nothing() -> None:
    found = blockdev.identify(b"hsqs" + bytes(4092))
    assert found is not None
    assert found.kind == "squashfs"
    assert blockdev.identify(bytes(4096)) is None
    assert blockdev.probe("/dev/null") is None


@given(st.binary(max_size=3000))
def test_no_bytes_do_harm(head) -> None:
    blockdev.identify(head)


def test_what_is_not_there_is_not_found() -> None:
    assert blockdev.find_by_label("nobody-has-this-label") is None
    assert blockdev.find_by_uuid(str(uuid.uuid4())) is None
    assert blockdev.find_by_partition_label("nobody-has-this-label") is None
    assert blockdev.find_by_partition_uuid(str(uuid.uuid4())) is None
    with pytest.raises(FileNotFoundError):
        blockdev.size("no-such-device")
    for name in blockdev.names():
        assert blockdev.size(name) >= 0


def test_a_partition_beside_another(tmp_path, monkeypatch) -> None:
    """Two disks with the same labels; the one that the root is on counts."""
    block = tmp_path / "class" / "block"
    numbers = tmp_path / "dev" / "block"
    block.mkdir(parents=True)
    numbers.mkdir(parents=True)
    for major, disk in enumerate(("vda", "vdb"), 254):
        for minor, name in enumerate(("", "A-root", "perm")):
            place = tmp_path / "devices" / disk / (f"{disk}{minor}" if minor else "")
            place.mkdir(parents=True)
            (place / "uevent").write_text(f"PARTN={minor}\nPARTNAME={name}\n" if minor else "")
            if minor:
                (place / "partition").write_text(f"{minor}\n")
            (block / place.name).symlink_to(place)
            (numbers / f"{major}:{minor}").symlink_to(place)
    monkeypatch.setattr(blockdev, "SYSFS", str(block))
    assert blockdev.find_beside(os.makedev(255, 1), "perm") == "/dev/vdb2"
    assert blockdev.find_beside(os.makedev(254, 1), "perm") == "/dev/vda2"
    assert blockdev.find_beside(os.makedev(255, 1), "other") is None
    assert blockdev.find_beside(os.makedev(255, 0), "perm") is None, "no partition"
    assert blockdev.find_beside(os.makedev(7, 0), "perm") is None, "no such device"
