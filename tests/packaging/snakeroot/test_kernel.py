"""Modules of a kernel: dependencies first, compression undone.  Breaks when one is lost or out of order."""

from __future__ import annotations

import gzip
import lzma
from pathlib import Path

import pytest
from snakeroot.host import BuildError
from snakeroot.kernel import Kernel, depends


def module(*depends: str, pre: str = "") -> bytes:
    info = [b"license=GPL", b"depends=" + ",".join(depends).encode()]
    if pre:
        info.append(b"softdep=pre: " + pre.encode())
    return b"\x7fELF....\0" + b"\0".join(info) + b"\0rest"


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


def test_an_unknown_module_is_named(kernel: Kernel) -> None:
    with pytest.raises(BuildError, match=r"kernel module e1000: kernel 6\.1 has none"):
        kernel.modules(("e1000",))


def test_depends_without_any() -> None:
    assert depends(b"\0depends=\0") == []
