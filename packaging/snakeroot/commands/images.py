"""Commands from an instance to bytes that boot, and to a machine that does."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from snakeroot import config, disk, image, machine, qcow2, qemu, releasing, remote, write
from snakeroot.host import replace, step

#: Format -> what writes it.
IMAGES = {"disk": disk.raw, "qcow2": qcow2.write}


def add_commands(commands: Any) -> None:
    """Declare the commands; `commands` is what argparse's add_subparsers returned."""
    build = commands.add_parser("build", help="make kernel, initramfs and root file system")
    build.set_defaults(run=_build)
    start = commands.add_parser("run", help="build, and boot in a virtual machine")
    start.add_argument("--check", action="store_true", help="power off as soon as the box answers")
    start.add_argument(
        "--fresh", action="store_true", help="with an empty /perm; what is in it is lost"
    )
    start.set_defaults(run=_run)
    make_image = commands.add_parser("image", help="build, and make a disk image")
    make_image.add_argument(
        *("--format",),
        choices=sorted([*IMAGES, "netboot"]),
        default="disk",
        help="disk: byte by byte, with holes; qcow2: for QEMU, small; netboot: an initramfs with the"
        ' root in it, which must be "ram"',
    )
    make_image.add_argument("-o", dest="output", metavar="FILE", type=Path, required=True)
    make_image.set_defaults(run=_image)
    to_disk = commands.add_parser(
        "write", help="build, and write to a disk; all that is on it is lost"
    )
    to_disk.add_argument("device", metavar="DEVICE", type=Path, help="the whole disk: /dev/sdX")
    to_disk.add_argument("--yes", action="store_true", help="don't ask")
    to_disk.set_defaults(run=_write)


def _build(arguments: argparse.Namespace) -> int:
    built = image.build(config.load(arguments.folder))
    print(f"{built.kernel}\n{built.initramfs}\n{built.root}")
    return 0


def _run(arguments: argparse.Namespace) -> int:
    instance = config.load(arguments.folder)
    built = image.build(instance)
    power_off = (lambda: remote.power_off(instance)) if arguments.check else None
    return qemu.boot(
        instance, lambda: machine.prepare(instance, built, fresh=arguments.fresh), power_off
    )


def _image(arguments: argparse.Namespace) -> int:
    instance = config.load(arguments.folder)
    if arguments.format == "netboot":
        built, initramfs = image.netboot(instance)
        replace(arguments.output, initramfs, private=True)  # with the root in it
        print(f"{built.kernel}\n{arguments.output}")
        return 0
    made = _disk(instance)
    with step(f"{arguments.format} image"):
        IMAGES[arguments.format](made, arguments.output)
    print(arguments.output)
    return 0


def _write(arguments: argparse.Namespace) -> int:
    instance = config.load(arguments.folder)
    return write.write(_disk(instance), arguments.device, arguments.yes)


def _disk(instance: config.Instance) -> disk.Disk:
    contents = releasing.labelled(instance, image.build(instance))
    with step("boot loader and disk"):
        return disk.make(contents, disk.layout(instance.settings.disk))
