"""The steps from an instance to a kernel and an initramfs; what is up to date is not made again.

The initramfs is two archives one after the other (see cpio): the large one, cached by the hash of what is
in it and shared by all instances, and the instance's own.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from snakeroot import cpio, kernel, rootfs
from snakeroot.config import Instance
from snakeroot.host import BuildError, cache, replace, run, step
from snakeroot.tree import Tree

#: zstd's level: 9 takes a second; 19 would take twenty and save a tenth.
LEVEL = "-9"


@dataclass(frozen=True)
class Image:
    """What boots: a kernel and an initramfs."""

    kernel: Path
    initramfs: Path
    arguments: tuple[str, ...]


def build(instance: Instance) -> Image:
    """Make the image, showing a line for each step that takes time."""
    toolbox = frozen_program()
    settings = instance.settings
    with step("kernel"):
        chosen = kernel.find(settings.kernel.package)
    with step("base: program, modules, certificates"):
        base = rootfs.base(toolbox, chosen, settings.kernel.modules)
        packed_base = _packed(base)
    with step("programs and configuration"):
        packed_own = compress(cpio.archive(rootfs.own(instance, toolbox)))
    initramfs = instance.output / "initramfs"
    replace(initramfs, packed_base + packed_own)
    return Image(chosen.image, initramfs, tuple(settings.kernel.arguments))


def frozen_program() -> Path:
    """The frozen program that becomes the box's userland ($SNAKEROOT_TOOLBOX, or the checkout's)."""
    checkout = Path(__file__).resolve().parent.parent.parent
    path = Path(os.environ.get("SNAKEROOT_TOOLBOX", checkout / "build" / "toolbox"))
    if not path.is_file():
        raise BuildError(f"{path}: no frozen program there", "make it: ./dev build, in a checkout")
    return path


def _packed(tree: Tree) -> bytes:
    """The tree's archive, compressed; from the cache when the same one was packed before."""
    archive = cpio.archive(tree)
    stored = cache() / "base" / f"{hashlib.sha256(archive).hexdigest()[:32]}{LEVEL}.cpio.zst"
    if not stored.exists():
        replace(stored, compress(archive))
    return stored.read_bytes()


def compress(data: bytes) -> bytes:
    """zstd, in one thread: the same bytes on every machine.  Padded: the next archive starts aligned."""
    packed = run(["zstd", "-q", "--single-thread", LEVEL, "-c"], stdin=data)
    return packed + bytes(-len(packed) % 4)
