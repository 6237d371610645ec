"""What a disk becomes: a qcow2 that QEMU's own tools read, and a written disk, after a look and a question."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from snakeroot import disk, host, qcow2, write
from snakeroot.disk import Layout, Piece, Release
from snakeroot.host import BuildError

from tests.toolbox.storage.crash import Recorder
from tests.toolbox.storage.memory import Memory
from toolbox.release import slots
from toolbox.storage import gpt, slot
from toolbox.storage.device import SECTOR, Disk

MB = 1 << 20


def run(*argv: str | Path) -> str:
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def sparse(size: int, *pieces: tuple[int, bytes]) -> disk.Disk:
    table = gpt.Table(bytes(16), [], size // SECTOR)
    return disk.Disk(size, tuple(Piece(*piece) for piece in pieces), table)


@pytest.fixture(scope="module")
def whole() -> disk.Disk:
    release = Release(slot.boot_area(b"k" * 9000, b"i" * 900, 1), b"hsqs" + bytes(3 * MB))
    return disk.make(release, Layout(boot=2, root=4, perm=16, seed="formats"))


# -- qcow2 ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "made",
    [
        sparse(1 * MB),
        sparse(512 * MB, (0, b"a" * 512), (512 * MB - 512, b"z" * 512)),
        sparse(513 * MB + 512, (65536 - 512, b"x" * 1024), (513 * MB, b"e" * 512)),
        sparse(9 << 30, (3 << 30, b"m" * 70000), (8 << 30, b"n" * 512)),
    ],
    ids=["empty", "one table", "odd size", "large"],
)
def test_qemus_tools_find_the_same_bytes(made: disk.Disk, tmp_path: Path) -> None:
    flat, small = tmp_path / "raw", tmp_path / "qcow2"
    disk.raw(made, flat)
    qcow2.write(made, small)
    assert "No errors were found" in run("qemu-img", "check", "-f", "qcow2", small)
    assert "identical" in run("qemu-img", "compare", "-f", "raw", "-F", "qcow2", flat, small)
    assert small.stat().st_size < 2 * MB


@settings(max_examples=15, deadline=None)
@given(
    st.integers(1, 5000),
    st.lists(st.tuples(st.integers(0, 4999), st.integers(1, 300)), max_size=5),
)
def test_any_disk(
    tmp_path_factory: pytest.TempPathFactory, sectors: int, places: list[tuple[int, int]]
) -> None:
    pieces, end = [], 0
    for first, count in sorted(places):
        first, count = max(first, end), min(count, sectors - max(first, end))
        if count > 0:
            pieces.append((first * SECTOR, b"\x01" * SECTOR * count))
            end = first + count
    folder = tmp_path_factory.mktemp("any")
    test_qemus_tools_find_the_same_bytes(sparse(sectors * SECTOR, *pieces), folder)


def test_the_whole_disk_is_small_and_the_same_each_time(whole: disk.Disk, tmp_path: Path) -> None:
    made = []
    for name in ("one", "two"):
        qcow2.write(whole, tmp_path / name)
        made.append((tmp_path / name).read_bytes())
    assert made[0] == made[1]
    assert len(made[0]) < 12 * MB
    assert sorted(p.name for p in tmp_path.iterdir()) == ["one", "two"]


# -- writing to a disk ---------------------------------------------------------------------------------------


def test_nothing_of_what_was_there_matters(whole: disk.Disk, tmp_path: Path) -> None:
    """A used disk, larger than the image: what counts is the image's, and no old table is left."""
    target = Memory(whole.size + 9 * MB)
    target.bytes[:] = b"\xa5" * target.size
    slots.write_label(whole.table.named("B-boot").on(target), b"an older release")
    write.copy(whole, target)
    table = gpt.read(target)
    assert [p.name for p in table][-1] == "perm"
    for piece in whole.pieces:
        assert target.read(piece.offset, len(piece.data)) == piece.data
    assert not any(target.read(target.size - MB, MB))
    second = slot.Slot.of(target, table, "b")
    assert slot.inspect(second.boot) is None
    assert slots.read_label(second.boot) == b""
    perm = tmp_path / "perm"
    part = table.named("perm").on(target)
    perm.write_bytes(part.read(0, part.size))
    run("/sbin/e2fsck", "-fn", perm)


def test_a_disk_that_was_pulled_too_early_has_no_table(whole: disk.Disk) -> None:
    old = Recorder(b"\xa5" * (whole.size + 2 * MB))
    write.copy(whole, old)
    assert [event is None for event in old.events[-4:]] == [False, True, False, True]
    left = Memory(old.size)
    left.bytes[:] = old.before
    for event in old.events[:-2]:
        if event:
            left.write(*event)
    left.write(whole.size - SECTOR, left.read(whole.size - SECTOR, SECTOR))
    with pytest.raises(gpt.DamagedTable):
        gpt.read(left)


@pytest.fixture
def loop(tmp_path: Path, whole: disk.Disk) -> Iterator[Path]:
    """A disk to write to: a loop device with a partition of somebody's."""
    image = tmp_path / "disk"
    with image.open("wb") as file:
        file.truncate(whole.size + 10 * MB)
    run("sgdisk", "-n", "1:2048:+4M", "-c", "1:holiday photos", image)
    run("mkfs.ext4", "-q", "-L", "albums", "-E", f"offset={MB}", image, "4M")
    device = Path(run("losetup", "-f", "--show", image).strip())
    try:
        yield device
    finally:
        run("losetup", "-d", device)


@pytest.mark.lab
def test_it_shows_what_is_there_and_asks(
    whole: disk.Disk,
    loop: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = loop.read_bytes()
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    for answer in ("y\n", "", "/dev/other\n"):
        monkeypatch.setattr(sys.stdin, "readline", lambda answer=answer: answer, raising=False)
        assert write.write(whole, loop, yes=False) == 1
    shown = capsys.readouterr()
    assert f"{loop}: 82M\n  4.0M, holiday photos, ext4 albums\n" in shown.err
    assert "nothing was written" in shown.err
    assert loop.read_bytes() == before
    monkeypatch.setattr(sys.stdin, "readline", lambda: f"{loop}\n", raising=False)
    assert write.write(whole, loop, yes=False) == 0
    with loop.open("rb") as file:
        for piece in whole.pieces:
            file.seek(piece.offset)
            assert file.read(len(piece.data)) == piece.data
    with Disk(str(loop)) as written:
        lines = write.describe(loop.name, written)
    assert lines[1:3] == ["  1.0M, bios, nothing that is known", "  40M, esp, vfat SNAKEROOT"]
    assert lines[-1] == "  16M, perm, ext4 perm"


@pytest.mark.lab
def test_nobody_is_there_to_ask(whole: disk.Disk, loop: Path) -> None:
    with pytest.raises(BuildError, match="nobody is there to ask") as raised:
        write.write(whole, loop, yes=False)
    assert "--yes" in raised.value.hint


@pytest.mark.lab
def test_disks_that_are_refused(whole: disk.Disk, loop: Path, tmp_path: Path) -> None:
    mounted = tmp_path / "mounted"
    mounted.mkdir()
    small = tmp_path / "small"
    small.write_bytes(bytes(MB))
    small_loop = Path(run("losetup", "-f", "--show", small).strip())
    try:
        for path, text in {
            tmp_path / "disk": "no disk",
            tmp_path / "nothing": "no disk",
            small_loop: "has 1 MiB, the image",
        }.items():
            with pytest.raises(BuildError, match=text):
                write.write(whole, path, yes=True)
    finally:
        run("losetup", "-d", small_loop)
    run("mkfs.ext4", "-q", "-F", loop)
    run("mount", loop, mounted)
    try:
        with pytest.raises(BuildError, match=f"{loop} is mounted at {mounted}"):
            write.write(whole, loop, yes=True)
    finally:
        run("umount", mounted)


@pytest.mark.parametrize("make", [disk.raw, qcow2.write])
def test_nobody_else_may_read_a_disk(tmp_path: Path, make: Any) -> None:
    """It has the hash of the page's password in it, and /perm of a box that ran."""
    path = tmp_path / "disk"
    path.write_bytes(b"old")
    path.chmod(0o644)
    make(sparse(MB, (0, b"x" * 512)), path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert os.listdir(tmp_path) == ["disk"]


def test_nobody_else_looks_into_what_is_built(tmp_path: Path) -> None:
    folder = tmp_path / ".build"
    folder.mkdir(0o755)
    assert host.private_folder(folder).stat().st_mode & 0o777 == 0o700
    host.replace(folder / "x", b"1", private=True)
    host.replace(folder / "y", b"1")
    assert (folder / "x").stat().st_mode & 0o777 == 0o600
    assert (folder / "y").stat().st_mode & 0o777 == 0o666 & ~umask()


def umask() -> int:
    old = os.umask(0)
    os.umask(old)
    return old
