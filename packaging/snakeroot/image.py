"""The steps from an instance to what boots; what is up to date is not made again."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from snakeroot import (
    binaries,
    check,
    crash_log,
    first_stage,
    kernel,
    programs,
    rootfs,
    shipped,
    squashfs,
)
from snakeroot.config import FILE, Instance
from snakeroot.host import BuildError, private_folder, replace, step


@dataclass(frozen=True)
class Image:
    """What boots, wherever it is put: by QEMU directly, or from the partitions of a slot.

    kernel: the bootable image.
    initramfs: the first stage and the modules that lead to the root, some 100 kB.  It mounts the squashfs on
        the device that `root=` names; with `root = "ram"` in snakeroot.toml it copies it to memory first.
    root: the root file system, a squashfs of whole 4 KiB blocks, to be written to a partition (or a whole
        disk) as it is; the partition may be larger.
    arguments: words of snakeroot.toml for the kernel's command line.
    release: the kernel's release, as `uname -r` says it.
    quotas: whether it can count what each user has on /perm.
    """

    kernel: Path
    initramfs: Path
    root: Path
    arguments: tuple[str, ...]
    release: str = ""
    quotas: bool = False

    def command_line(self, root: str) -> list[str]:
        """The kernel's words, without a console.

        root: where the squashfs lies: /dev/vda, or PARTLABEL=NAME for the partition of that name in a GPT.
        """
        # panic: a box that crashed, or whose first stage failed, starts again.  The user's words come last,
        # and the last one of several counts.
        return [f"root={root}", "panic=10", *self.arguments]


def build(instance: Instance) -> Image:
    """Make the image, showing a line for each step that takes time."""
    toolbox = shipped.program()
    private_folder(instance.output)
    settings = instance.settings
    with step("kernel and first stage"):
        chosen = kernel.find(settings.kernel.package)
        early = rootfs.early_modules(chosen, settings)
        packed = first_stage.initramfs(first_stage.program(), early, crash_log.modules(chosen))
        initramfs = instance.output / "initramfs"
        replace(initramfs, packed)
    with step("programs"):
        made = programs.every(instance, toolbox)
    others = binaries.every(instance, lambda path: check.is_there(instance, path))
    for line in (*programs.report(made, toolbox), *binaries.report(others)):
        print(f"    {line}", file=sys.stderr)
    root = instance.output / "root.squashfs"
    with step("root file system"):
        tree = rootfs.root(instance, toolbox, chosen, early, made)
        squashfs.write(tree, root, settings.compression)
    return Image(
        chosen.image,
        initramfs,
        root,
        tuple(settings.kernel.arguments),
        release=chosen.release,
        quotas=chosen.counts_for_users,
    )


def netboot(instance: Instance) -> tuple[Image, bytes]:
    """The image, and its initramfs with the root in it, for machines that boot without a disk.

    The kernel needs no `root=` then.  BuildError unless the root is to be in memory.
    """
    if instance.settings.root != "ram":
        raise BuildError(
            "a boot from the network has its root in memory, and this box has it on a disk",
            f'set root = "ram" in {instance.path / FILE}',
        )
    built = build(instance)
    return built, first_stage.with_root(built.initramfs.read_bytes(), built.root.read_bytes())
