"""Modules of a kernel: dependencies first, compression undone.  Breaks when one is lost or out of order."""

from __future__ import annotations

import gzip
import lzma
from pathlib import Path

import pytest
from snakeroot import kernel as kernels
from snakeroot import packages
from snakeroot.host import BuildError
from snakeroot.kernel import Kernel

from tests.applets.modutils.kernel_tree import module as elf_module


def module(*depends: str, pre: str = "", more: tuple[str, ...] = ()) -> bytes:
    info = ["license=GPL", "depends=" + ",".join(depends), *more]
    return elf_module(*info, *([f"softdep=pre: {pre}"] if pre else []))


@pytest.fixture
def kernel(tmp_path: Path) -> Kernel:
    folder = tmp_path / "kernel/drivers"
    folder.mkdir(parents=True)
    (folder / "virtio_net.ko").write_bytes(module("net-failover", "virtio"))
    (folder / "net_failover.ko.gz").write_bytes(gzip.compress(module("failover")))
    (folder / "failover.ko.xz").write_bytes(lzma.compress(module()))
    (folder / "virtio.ko").write_bytes(module(pre="ring built"))
    (folder / "ring.ko").write_bytes(module())
    (tmp_path / "modules.builtin").write_text("kernel/lib/built.ko\n")
    return Kernel("6.1", tmp_path / "vmlinuz", (tmp_path,))


def test_dependencies_come_first(kernel: Kernel) -> None:
    loaded = kernel.modules(("virtio-net",))
    assert [Path(name).stem for name in loaded] == [
        *("failover", "net_failover", "ring", "virtio", "virtio_net")
    ]
    assert loaded["kernel/failover.ko"] == module()


def test_a_built_in_module_is_nothing_to_load(kernel: Kernel) -> None:
    assert kernel.modules(("built",)) == {}


def test_whether_it_can_count_for_users(kernel: Kernel) -> None:
    """Ubuntu's kernel for virtual machines has the modules in a package of their own."""
    assert not kernel.counts_for_users
    (folder,) = kernel.folders
    quota = folder / "kernel" / "quota_v2.ko.xz"
    quota.write_bytes(lzma.compress(module("quota_tree")))
    assert kernel.counts_for_users
    quota.unlink()
    (folder / "modules.builtin").write_text("kernel/fs/quota/quota_v2.ko\n")
    assert kernel.counts_for_users


def test_an_unknown_module_is_named(kernel: Kernel) -> None:
    with pytest.raises(BuildError, match=r"kernel module e1000: kernel 6\.1 has none"):
        kernel.modules(("e1000",))


def test_a_soft_dependency_may_be_an_alias_or_missing(kernel: Kernel) -> None:
    """libcrc32c asks for `crc32c`, which several modules are and none is called."""
    folder = kernel.folders[0] / "kernel"
    aliases = ("alias=crc32c", "alias=crypto-crc32c")
    (folder / "crc32c-generic.ko").write_bytes(module(more=aliases))
    (folder / "crc32c_fast.ko").write_bytes(module("gone", more=aliases))
    softdeps = ("softdep=pre: nosuch crc32c", "softdep=post: later pre: crypto-crc32c ring")
    (folder / "lib.ko").write_bytes(module("virtio", more=softdeps))
    (folder / "later.ko").write_bytes(module(pre="lib"))
    loaded = kernel.modules(("lib",))
    names = [Path(name).stem for name in loaded]
    assert names == ["ring", "virtio", "crc32c_generic", "lib", "later"]


def test_the_aliases_of_a_packages_modules_are_read_once(
    kernel: Kernel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SNAKEROOT_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "cache" / "packages" / "linux_1" / "modules"
    folder.mkdir(parents=True)
    (folder / "one.ko").write_bytes(module(more=("alias=pci:v1-x*",)))
    unpacked = Kernel("6.1", tmp_path / "vmlinuz", (folder,))
    assert unpacked.aliases() == [("pci:v1_x*", "one")]
    (folder / "one.ko").unlink()
    assert unpacked.aliases() == [("pci:v1_x*", "one")]
    assert kernel.aliases() == [], "a folder of the user's own may change"
    (kernel.folders[0] / "kernel/two.ko").write_bytes(module(more=("alias=two",)))
    assert kernel.aliases() == [("two", "two")]
    newer = Kernel("6.1", tmp_path / "vmlinuz", (folder.parent.with_name("linux_2"),))
    assert newer.aliases() == [], "another version of the package"


def test_text_that_looks_like_a_dependency_is_none(kernel: Kernel) -> None:
    """Only the section .modinfo counts, not what stands elsewhere in the file."""
    path = kernel.folders[0] / "kernel/odd.ko"
    path.write_bytes(elf_module("license=GPL") + b"\0depends=nosuch\0")
    assert list(kernel.modules(("odd",))) == ["kernel/odd.ko"]


def test_a_file_that_is_no_module_is_named(kernel: Kernel) -> None:
    (kernel.folders[0] / "kernel/bad.ko").write_bytes(b"text " * 20)
    with pytest.raises(BuildError, match=r"bad\.ko: not a kernel module \(no ELF file\)"):
        kernel.modules(("bad",))


#: Package -> what it depends on, and its files: how the distributions divide a kernel.
DIVISIONS: dict[str, dict[str, tuple[list[str], list[str]]]] = {
    "debian 12": {
        "linux-image-amd64": (["linux-image-6.1-amd64"], []),
        "linux-image-6.1-amd64": (
            ["kmod", "linux-base", "initramfs-tools"],
            [
                "boot/vmlinuz-6.1-amd64",
                "lib/modules/6.1-amd64/kernel/one.ko",
                "lib/modules/6.1-amd64/modules.builtin",
            ],
        ),
    },
    "debian 14": {
        "linux-image-amd64": (["linux-base-amd64", "linux-image-7.2-amd64"], []),
        "linux-base-amd64": (["linux-base-7.2-amd64"], []),
        "linux-image-7.2-amd64": (
            [
                *("dracut", "linux-initramfs-tool", "linux-base-7.2-amd64"),
                *("linux-binary-7.2-amd64", "linux-modules-7.2-amd64", "linux-base"),
            ],
            [],
        ),
        "linux-base-7.2-amd64": ([], ["usr/lib/modules/7.2-amd64/modules.builtin"]),
        "linux-binary-7.2-amd64": (
            ["linux-base-7.2-amd64"],
            ["usr/lib/modules/7.2-amd64/vmlinuz"],
        ),
        "linux-modules-7.2-amd64": (
            ["kmod", "linux-base-7.2-amd64"],
            ["usr/lib/modules/7.2-amd64/kernel/one.ko"],
        ),
    },
    "ubuntu": {
        "linux-image-virtual": (["linux-image-6.8-generic"], []),
        "linux-image-6.8-generic": (
            ["kmod", "linux-base", "linux-modules-6.8-generic"],
            ["boot/vmlinuz-6.8-generic"],
        ),
        "linux-modules-6.8-generic": (
            [],
            [
                "lib/modules/6.8-generic/kernel/one.ko",
                "lib/modules/6.8-generic/modules.builtin",
            ],
        ),
    },
}


@pytest.mark.parametrize("name", DIVISIONS)
def test_a_kernel_out_of_its_packages(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What has no part of it is not even fetched."""
    division = DIVISIONS[name]
    for package, (_, files) in division.items():
        for file in files:
            path = tmp_path / package / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(module() if file.endswith(".ko") else b"kernel/lib/built.ko\n")
    monkeypatch.setattr(packages, "dependencies", lambda package: division[package][0])
    monkeypatch.setattr(
        packages, "unpacked", lambda package: division[package] and tmp_path / package
    )
    found = kernels.find(next(iter(division)))
    assert found.release in found.image.as_posix()
    assert found.image.name.startswith("vmlinuz")
    assert list(found.modules(("one", "built"))) == ["kernel/one.ko"]


def test_a_package_without_a_kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "dependencies", lambda package: [])
    monkeypatch.setattr(packages, "unpacked", lambda package: tmp_path)
    with pytest.raises(BuildError, match="linux-image-nothing: holds no kernel"):
        kernels.find("linux-image-nothing")
