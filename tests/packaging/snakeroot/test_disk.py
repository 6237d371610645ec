"""The disk image: same inputs same bytes, what other programs say of it, and what does not fit.

Breaks when a time, a path, a user or a time zone gets into it, or when one of its file systems is no good.
"""

from __future__ import annotations

import dataclasses
import os
import subprocess
import time
from pathlib import Path

import pytest
from snakeroot import disk, host
from snakeroot.disk import Layout, Release

from toolbox.storage import bootstate, ext4, gpt, slot
from toolbox.storage.device import SECTOR, Disk

LAYOUT = Layout(boot=2, root=3, perm=16, seed="one")
RELEASE = Release(
    slot.boot_area(b"kernel" * 5000, b"initramfs" * 99, 7, ["quiet"]), b"hsqs" + bytes(2 << 20)
)


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("disk") / "image"
    disk.raw(disk.make(RELEASE, LAYOUT), path)
    return path


def part(image: Path, name: str, to: Path) -> Path:
    """A partition as a file."""
    with Disk(str(image)) as whole:
        found = gpt.read(whole).named(name).on(whole)
        to.write_bytes(found.read(0, found.size))
    return to


def check(*argv: str | Path) -> str:
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_same_inputs_same_bytes(
    image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another folder, second, time zone, language, user and umask."""
    folder = tmp_path / "another place"
    folder.mkdir()
    monkeypatch.chdir(folder)
    for name, value in {
        "TZ": "Pacific/Kiritimati",
        "HOME": str(folder),
        "USER": "other",
        "LOGNAME": "other",
        "TMPDIR": str(folder),
        "LC_ALL": "C.UTF-8",
        "MKE2FS_SYNC": "1",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    before = int(image.stat().st_mtime)
    while int(time.time()) <= before + 2:  # FAT counts in steps of two seconds
        time.sleep(0.05)
    mask = os.umask(0o077)
    try:
        disk.raw(disk.make(RELEASE, LAYOUT), folder / "disk")
    finally:
        os.umask(mask)
    assert (folder / "disk").read_bytes() == image.read_bytes()


def test_another_seed_is_another_disk(image: Path, tmp_path: Path) -> None:
    other = tmp_path / "disk"
    disk.raw(disk.make(RELEASE, Layout(boot=2, root=3, perm=16, seed="two")), other)
    tables = []
    for path in (image, other):
        with Disk(str(path)) as whole:
            tables.append(gpt.read(whole))
    mine, its = ({table.own, *(p.own for p in table)} for table in tables)
    assert len(mine) == 9
    assert not mine & its


def test_the_checkers_of_other_programs(image: Path, tmp_path: Path) -> None:
    assert "No problems found." in check("sgdisk", "-v", image)
    assert "No errors detected." in check("sfdisk", "--verify", image)
    said = check("fsck.fat", "-n", part(image, "esp", tmp_path / "esp"))
    assert "4 files" in said
    check("e2fsck", "-f", "-n", part(image, "perm", tmp_path / "perm"))
    found = check("tar", "-tvf", part(image, "state", tmp_path / "state"))
    assert [line.split()[2::3] for line in found.splitlines()][1::2] == [
        ["512", "state"],
        ["512", "spare"],
    ]


def test_perm_can_grow_and_belongs_to_root(image: Path, tmp_path: Path) -> None:
    shown = check("dumpe2fs", "-h", part(image, "perm", tmp_path / "perm"))
    facts = dict(line.split(":", 1) for line in shown.splitlines() if ":" in line)
    assert facts["Filesystem volume name"].strip() == "perm"
    assert int(facts["Reserved GDT blocks"]) > 0
    assert "resize_inode" in facts["Filesystem features"]
    assert facts["Filesystem OS type"].strip() == "Linux"
    listed = check("debugfs", "-R", "stat /", tmp_path / "perm")
    assert "User:     0   Group:     0" in listed


def test_perm_counts_for_users_where_the_kernel_can(image: Path, tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("one", "two")]
    for path in paths:
        disk.raw(disk.make(dataclasses.replace(RELEASE, quotas=True), LAYOUT), path)
    assert paths[0].read_bytes() == paths[1].read_bytes()
    perm = part(paths[0], "perm", tmp_path / "perm")
    check("e2fsck", "-f", "-n", perm)
    assert ext4.has_quota(str(perm))
    shown = check("dumpe2fs", "-h", perm)
    assert "User quota inode:         3" in shown
    assert "Group quota inode" not in shown
    assert not ext4.has_quota(str(part(image, "perm", tmp_path / "without")))


def test_slot_a_is_the_release_and_slot_b_is_none(image: Path) -> None:
    with Disk(str(image)) as whole:
        table = gpt.read(whole)
        first, second = (slot.Slot.of(whole, table, name) for name in bootstate.SLOTS)
        state = bootstate.find(whole, table)
        assert state
        assert bootstate.load(state) == bootstate.State("a", bad=["b"])
        assert first.boot.read(0, len(RELEASE.boot)) == RELEASE.boot
        assert first.root.read(0, 4096) == RELEASE.root[:4096]
        found = slot.inspect(first.boot)
        assert found and found.whole and found.number == 7
        assert slot.inspect(second.boot) is None


def test_the_image_has_holes(image: Path) -> None:
    status = image.stat()
    assert status.st_blocks * 512 < status.st_size // 4


def test_a_release_that_does_not_fit(tmp_path: Path) -> None:
    with pytest.raises(host.BuildError, match="A-root needs 3 MiB and has 1") as raised:
        disk.make(RELEASE, Layout(boot=2, root=1, perm=16))
    assert raised.value.hint == "make it larger: disk.root in snakeroot.toml"


def test_blocks_are_those_that_are_not_zero() -> None:
    pieces = (
        disk.Piece(512, b"a" * 512),
        disk.Piece(1024, bytes(512) + b"b" * 512),
        disk.Piece(8192, bytes(4096)),
        disk.Piece(16384 - 512, b"c" * 1024),
    )
    made = disk.Disk(32768, pieces, gpt.Table(bytes(16), [], 64))
    assert list(made.blocks(4096)) == [
        (0, bytes(512) + b"a" * 512 + bytes(512) + b"b" * 512 + bytes(2048)),
        (12288, bytes(3584) + b"c" * 512),
        (16384, b"c" * 512 + bytes(3584)),
    ]
    assert SECTOR == 512
