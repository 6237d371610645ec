"""The disk of `snakeroot run`: made once, renewed but for /perm, refused when its partitions are others."""

from __future__ import annotations

from pathlib import Path

import pytest
from snakeroot import config, disk, machine, new
from snakeroot.host import BuildError
from snakeroot.image import Image

from toolbox.storage import gpt, slot
from toolbox.storage.device import SECTOR, Disk


@pytest.fixture
def instance(tmp_path: Path) -> config.Instance:
    new.create(tmp_path / "box")
    return config.load(tmp_path / "box")


def image(folder: Path, root: bytes) -> Image:
    """An image with stand-ins for the kernel and the rest: nothing boots here."""
    files = {"kernel": b"kernel", "initramfs": b"initramfs", "root": root.ljust(4096, b"\0")}
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return Image(*(folder / name for name in files), (), release="6.1")


def partition(path: Path, name: str) -> gpt.Partition:
    with Disk(str(path)) as opened:
        return next(one for one in gpt.read(opened) if one.name == name)


def content(path: Path, name: str, size: int) -> bytes:
    with path.open("rb") as file:
        file.seek(partition(path, name).first * SECTOR)
        return file.read(size)


def test_another_image_leaves_perm_and_the_table_alone(
    instance: config.Instance, tmp_path: Path
) -> None:
    path = machine.prepare(instance, image(tmp_path, b"first"))
    root = slot.ROOT_PARTITIONS["a"]
    assert content(path, root, 5) == b"first"
    perm = partition(path, disk.PERM)
    with path.open("r+b") as file:
        file.seek(perm.first * SECTOR + 5000)
        file.write(b"the box's")
    table = path.read_bytes()[: 34 * SECTOR]
    assert machine.prepare(instance, image(tmp_path, b"second")) == path
    assert content(path, root, 6) == b"second"
    assert content(path, disk.PERM, 5009)[5000:] == b"the box's"
    assert path.read_bytes()[: 34 * SECTOR] == table


def test_fresh_disk_has_nothing_in_perm(instance: config.Instance, tmp_path: Path) -> None:
    path = machine.prepare(instance, image(tmp_path, b"first"))
    perm = partition(path, disk.PERM)
    with path.open("r+b") as file:
        file.seek(perm.first * SECTOR + 5000)
        file.write(b"the box's")
    known = instance.output / "known_hosts"
    known.write_text("the old key")
    assert machine.prepare(instance, image(tmp_path, b"first"), fresh=True) == path
    assert content(path, disk.PERM, 5009)[5000:] != b"the box's"
    assert content(path, slot.ROOT_PARTITIONS["a"], 5) == b"first"
    assert not known.exists()


def test_the_same_image_is_not_written_again(instance: config.Instance, tmp_path: Path) -> None:
    path = machine.prepare(instance, image(tmp_path, b"same"))
    before = path.stat().st_mtime_ns
    machine.prepare(instance, image(tmp_path, b"same"))
    assert path.stat().st_mtime_ns == before


def test_other_sizes_are_refused_and_nothing_is_lost(
    instance: config.Instance, tmp_path: Path
) -> None:
    path = machine.prepare(instance, image(tmp_path, b"first"))
    file = instance.path / config.FILE
    text = file.read_text()
    file.write_text(
        text.replace("[disk]", "[disk]\nroot = 600")
        if "[disk]" in text
        else text + "\n[disk]\nroot = 600\n"
    )
    with pytest.raises(BuildError, match="partitions are not those"):
        machine.prepare(config.load(instance.path), image(tmp_path, b"second"))
    assert content(path, slot.ROOT_PARTITIONS["a"], 5) == b"first"
