"""Same inputs, same bytes: two builds in different folders, at different times, with other umasks.

Breaks when a time, an owner, a name of the host or the order of a folder gets into the image.
"""

from __future__ import annotations

import os
import shutil
import zlib
from pathlib import Path

import pytest
from snakeroot import config, image, new, rootfs, shipped
from snakeroot.cli import main
from snakeroot.host import BuildError
from snakeroot.kernel import Kernel

from tests.applets.modutils.kernel_tree import module


@pytest.fixture
def toolbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in for the frozen program: what is under test is what is made around it."""
    path = tmp_path / "toolbox"
    path.write_bytes(b"\x7fELF" + bytes(5000))
    path.chmod(0o755)
    monkeypatch.setenv("SNAKEROOT_TOOLBOX", str(path))
    monkeypatch.setenv("SNAKEROOT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(rootfs.packages, "certificates", lambda: b"CERTIFICATES\n")
    vmlinuz = tmp_path / "vmlinuz"
    vmlinuz.write_bytes(b"kernel")
    modules = tmp_path / "modules"
    modules.mkdir()
    for name in ("squashfs", "ext4", "brd", "virtio_blk", "virtio_pci", "virtio_net"):
        (modules / f"{name}.ko").write_bytes(module(f"description={name}"))
    found = Kernel("6.1", vmlinuz, (modules,))
    monkeypatch.setattr(image.kernel, "find", lambda package: found)
    return path


def instance(folder: Path) -> Path:
    new.create(folder)
    (folder / "tool").write_bytes(b"\x7fELF")
    text = (folder / "snakeroot.toml").read_text()
    head = text[: text.index("[services.hello]")]
    service = '[services.tool]\nbinary = "tool"\n[files]\n"/etc/extra" = "extra"\n'
    (folder / "snakeroot.toml").write_text(head + service)
    (folder / "extra").mkdir()
    for name in ("b", "a", "c"):
        (folder / "extra" / name).write_text(name)
    return folder


def test_same_inputs_same_bytes(
    toolbox: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def bytes_of(folder: Path, cache: str) -> tuple[bytes, bytes]:
        # What is compiled or packed before is not taken from the other's cache.
        monkeypatch.setenv("SNAKEROOT_CACHE", str(tmp_path / cache))
        built = image.build(config.load(folder))
        return built.initramfs.read_bytes(), built.root.read_bytes()

    first = instance(tmp_path / "one" / "box")
    second = tmp_path / "other" / "deeper" / "box"
    shutil.copytree(first, second)
    for path in second.rglob("*"):
        os.utime(path, (86400, 86400))
    old = os.umask(0o077)
    try:
        (second / "extra" / "b").chmod(0o664)  # as another umask makes it
        built = [bytes_of(folder, cache) for folder, cache in ((first, "1"), (second, "2"))]
    finally:
        os.umask(old)
    assert built[0] == built[1]


def test_an_image_follows_what_it_is_made_of(toolbox: Path, tmp_path: Path) -> None:
    folder = instance(tmp_path / "box")
    before = image.build(config.load(folder)).root.read_bytes()
    (folder / "extra" / "a").write_text("changed")
    after = image.build(config.load(folder)).root.read_bytes()
    assert before != after
    toolbox.write_bytes(toolbox.read_bytes() + b"new")
    assert image.build(config.load(folder)).root.read_bytes() != after


def test_the_modules_that_lead_to_the_root_are_in_the_initramfs_alone_to_be_loaded(
    toolbox: Path, tmp_path: Path
) -> None:
    folder = instance(tmp_path / "box")
    one = config.load(folder)
    found = image.kernel.find("")
    early = rootfs.early_modules(found, one.settings)
    assert list(early) == [f"kernel/{n}.ko" for n in ("virtio_pci", "virtio_blk", "squashfs")]
    tree = dict(rootfs.root(one, toolbox, found, early, {}))
    late = tree["etc/snakeroot/modules"].data.decode().split()
    rest = [f"kernel/{name}.ko" for name in ("ext4", "virtio_net")]
    assert late == [f"/lib/modules/6.1/{name}" for name in rest], "init loads the rest"
    for name in (*early, *rest):
        assert f"lib/modules/6.1/{name}" in tree, "all can be looked at, and depended on"


def test_settings_choose_the_drivers_and_the_place_of_the_root(
    toolbox: Path, tmp_path: Path
) -> None:
    folder = instance(tmp_path / "box")
    text = (folder / "snakeroot.toml").read_text()
    (folder / "snakeroot.toml").write_text(
        'root = "ram"\ncompression = "lz4"\n' + text + '[kernel]\ndisks = ["usb"]\n'
    )
    with pytest.raises(image.BuildError, match=r"module xhci_pci: kernel 6\.1 has") as caught:
        image.build(config.load(folder))
    assert "linux-image-amd64" in caught.value.hint
    for name in ("xhci_pci", "ehci_pci", "usb_storage", "uas", "sd_mod"):
        (tmp_path / "modules" / f"{name}.ko").write_bytes(module(f"description={name}"))
    built = image.build(config.load(folder))
    archive = zlib.decompressobj(31).decompress(built.initramfs.read_bytes())
    assert b"load" in archive and b"/modules/uas.ko" in archive
    assert b"ram" in archive and b"/modules/brd.ko" in archive
    assert b"/modules/virtio_blk.ko" in archive, "`snakeroot run` boots it, too"
    assert built.root.read_bytes()[20:22] == b"\5\0", "squashfs's number for lz4"


def test_an_initramfs_with_the_root_in_it(
    toolbox: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, output = instance(tmp_path / "box"), tmp_path / "out"
    argv = ["-C", str(folder), "image", "--format", "netboot", "-o", str(output)]
    assert main(argv) == 1
    assert f'set root = "ram" in {folder}/snakeroot.toml' in capsys.readouterr().err
    text = (folder / "snakeroot.toml").read_text()
    (folder / "snakeroot.toml").write_text(f'root = "ram"\n{text}')
    assert main(argv) == 0
    assert capsys.readouterr().out == f"{tmp_path}/vmlinuz\n{output}\n"
    built = image.build(config.load(folder))
    made = output.read_bytes()
    assert made.startswith(built.initramfs.read_bytes())
    assert built.root.read_bytes() in made


def test_the_kernels_words() -> None:
    one = image.Image(Path("/k"), Path("/i"), Path("/r"), ("panic=60", "loglevel=4"))
    words = one.command_line("PARTLABEL=A-root")
    assert words == ["root=PARTLABEL=A-root", "panic=10", "panic=60", "loglevel=4"], (
        "the last counts"
    )


def test_without_a_frozen_program_the_cure_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SNAKEROOT_TOOLBOX", str(tmp_path / "none"))
    with pytest.raises(BuildError, match="no frozen program there") as caught:
        shipped.program()
    assert "./dev build" in caught.value.hint
