"""Releases and disks: what an update of a running box costs, what a slot holds, and how long a disk takes to boot.

update  seconds: of `snakeroot update`, from its start to the box's word that it has kept the release (build, signature,
        transfer, reboot under emulation, the time for which all must be well).  wire: bytes that the box was sent.
slot    bytes of each part of a release.
build   seconds of `snakeroot image`'s work with everything up to date, after a changed line, and with another program.
boot    seconds from QEMU's start to HTTP: by the firmware and GRUB, and with kernel and initramfs given by QEMU.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest import mock

from snakeroot import config, disk, image, new, releasing

from tests.bench.programs import PLAIN, PROGRAM
from tests.bench.table import Table, middle
from tests.vm.conftest import Box, namespace
from tests.vm.test_disk import FIRMWARE, DiskBox

BOOTS = 3

#: What `snakeroot update` says of the transfer.
SENT = re.compile(r"^  (\d+) kB of (\d+)$", re.MULTILINE)


def timed(work: Callable[[], object]) -> float:
    """Seconds that it takes."""
    begun = time.monotonic()
    work()
    return time.monotonic() - begun


def change_one(folder: Path) -> None:
    """A line of the service."""
    program = folder / "hello" / "hello.py"
    program.write_text(program.read_text().replace("<h1>", "<h1>again: "))


def change_three(folder: Path) -> None:
    """Three Python files of the service."""
    change_one(folder)
    for name in ("one", "two"):
        (folder / "hello" / f"{name}.py").write_text(f"{name} = {time.monotonic_ns()}\n")


def change_arguments(folder: Path) -> None:
    """The kernel's command line, which lies in the boot area."""
    settings = folder / "snakeroot.toml"
    settings.write_text(settings.read_text() + '\n[kernel]\narguments = ["quiet"]\n')


def change_kernel(folder: Path) -> None:
    """The distribution's kernel for real machines in place of the one for virtual machines."""
    settings = folder / "snakeroot.toml"
    text = settings.read_text()
    settings.write_text(
        text.replace("[kernel]\narg", '[kernel]\npackage = "linux-image-amd64"\narg')
    )


def measure() -> list[Table]:
    """Four tables."""
    with (
        TemporaryDirectory() as scratch,
        mock.patch.dict(os.environ, SNAKEROOT_TOOLBOX=str(PROGRAM)),
    ):
        folder = Path(scratch) / "hello"
        new.create(folder)
        instance = config.load(folder)
        slot, build = Table("slot (bytes)"), Table("build of an image (s)")
        build.add(state="new instance", s=timed(lambda: image.build(instance)))
        build.add(state="up to date", s=timed(lambda: image.build(instance)))
        change_one(folder)
        build.add(state="one line of hello changed", s=timed(lambda: image.build(instance)))
        built = image.build(instance)
        for part in (built.kernel, built.initramfs, built.root):
            slot.add(part=part.name, bytes=part.stat().st_size)
        whole = disk.make(releasing.labelled(instance, built), disk.layout(instance.settings.disk))
        path = folder.parent / "disk.img"
        disk.raw(whole, path)
        boot = boots(folder, path, built)
        updated = updates(folder, path)
    return [updated, slot, build, boot]


def boots(folder: Path, path: Path, built: image.Image) -> Table:
    """From the disk, by each firmware, and directly."""
    ways: dict[str, Callable[[str], Box]] = {
        "direct": lambda netns: Box(folder, netns),
        "BIOS": lambda netns: DiskBox(folder, netns, path),
    }
    if FIRMWARE:
        ways["UEFI"] = lambda netns: DiskBox(folder, netns, path, uefi=True)
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(BOOTS):
        for name, start in ways.items():
            with box_of(start) as box:
                box.wait("the page", lambda box=box: box.curl("/").err == "200")
                seconds[name].append(time.monotonic() - box.started)
    table = Table(f"boot of {built.root.name} (s from QEMU's start to HTTP, {BOOTS} runs)")
    for name, values in seconds.items():
        table.add(way=name, s=middle(values), least=min(values))
    return table


@contextmanager
def box_of(start: Callable[[str], Box]) -> Iterator[Box]:
    """A box in a network namespace of its own."""
    with namespace() as netns:
        box = start(netns)
        try:
            yield box
        finally:
            box.close()


def updates(folder: Path, path: Path) -> Table:
    """One box, one update after the other."""
    table = Table("update of a running box, from the command to the box's word")
    snakeroot = str(Path(sys.executable).with_name("snakeroot"))
    changes: dict[str, tuple[Callable[[Path], None], Path]] = {
        "one line of hello": (change_one, PROGRAM),
        "three Python files": (change_three, PROGRAM),
        "kernel's arguments": (change_arguments, PROGRAM),
        "another kernel": (change_kernel, PROGRAM),
        "another program": (change_one, PLAIN),
    }
    (folder / ".build" / "known_hosts").unlink(missing_ok=True)
    with box_of(lambda netns: DiskBox(folder, netns, path, reboots=True)) as box:
        box.ready()
        for name, (change, program) in changes.items():
            change(folder)
            with mock.patch.dict(os.environ, SNAKEROOT_TOOLBOX=str(program)):
                image.build(
                    config.load(folder)
                )  # the build is warm: what is measured is the update
                begun = time.monotonic()
                done = box.run([snakeroot, "-C", str(folder), "update"], seconds=300)
            seconds = time.monotonic() - begun
            if done.status:
                raise subprocess.CalledProcessError(done.status, name, done.out, done.err)
            sent = SENT.search(done.err)
            wire, of = (int(sent[1]), int(sent[2])) if sent else (None, None)
            share = 100 * wire / of if wire is not None and of else None
            table.add(changed=name, s=seconds, wire_kB=wire, release_kB=of, percent=share)
    return table
