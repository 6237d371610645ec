"""The disk image boots to the page: by BIOS and by UEFI, from every kind of disk; /perm fills the disk."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from snakeroot import cli, config, disk, first_stage, image, kernel, qemu, rootfs
from snakeroot.host import BuildError

from tests.packaging.boot.machine import root
from tests.vm.conftest import BOOT, Box, create, namespace
from toolbox.storage import gpt, slot
from toolbox.storage.device import SECTOR, Disk

#: Debian 12 has it with this name, Debian 13 and Ubuntu only the one of 4 MiB.
FIRMWARE = next(
    (p for n in ("", "_4M") if (p := Path(f"/usr/share/OVMF/OVMF_CODE{n}.fd")).exists()), None
)

#: Kind of disk -> QEMU's words for one whose drive is called "disk".
BUSES = {
    "virtio": ("-device", "virtio-blk-pci,drive=disk,bootindex=1"),
    "sata": ("-device", "ich9-ahci,id=ahci", "-device", "ide-hd,bus=ahci.0,drive=disk,bootindex=1"),
    "nvme": ("-device", "nvme,serial=1,drive=disk,bootindex=1"),
    "usb": ("-device", "qemu-xhci", "-device", "usb-storage,drive=disk,bootindex=1"),
}


class DiskBox(Box):
    """A box that QEMU boots from its disk, as a machine does: the firmware finds the boot loader."""

    def __init__(
        self,
        folder: Path,
        netns: str,
        image: Path,
        bus: str = "virtio",
        *,
        uefi: bool = False,
        reboots: bool = False,
        drive: tuple[str, ...] = (),
    ) -> None:
        self.instance = config.load(folder)
        self.password = (folder / "first-password").read_text().strip()
        self.netns = netns
        self.log = folder / "console.log"
        ports = {8080: 80, 8022: 22, 8000: 8000}
        (self.instance.output / "ports").write_text("".join(f"{g} {h}\n" for h, g in ports.items()))
        forwards = "".join(f",hostfwd=tcp:127.0.0.1:{h}-:{g}" for h, g in ports.items())
        argv = [
            *("qemu-system-x86_64", *qemu.emulated(2), "-cpu", "max"),
            *("-machine", "q35", "-m", "512"),
            *("-nodefaults", "-no-user-config", "-display", "none"),
            *(() if reboots else ("-no-reboot",)),
            *("-netdev", f"user,id=net{forwards}", "-device", "virtio-net-pci,netdev=net,romfile="),
            *(drive or ("-drive", f"file={image},format=raw,if=none,id=disk,discard=unmap")),
            *(*BUSES[bus], "-serial", "stdio"),
        ]
        if uefi:
            argv += ["-drive", f"if=pflash,format=raw,readonly=on,file={FIRMWARE}"]
        self.started = time.monotonic()
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                ["ip", "netns", "exec", netns, *argv],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
            )


@contextlib.contextmanager
def booted(folder: Path, path: Path, *words: Any, **options: Any) -> Iterator[DiskBox]:
    with namespace() as netns:
        box = DiskBox(folder, netns, path, *words, **options)
        try:
            yield box
        finally:
            box.close()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, disk.Disk]:
    folder = tmp_path_factory.mktemp("disk") / "hello"
    create(folder)
    instance = config.load(folder)
    release = disk.release(image.build(instance), 1)
    return folder, disk.make(release, disk.layout(instance.settings.disk))


@pytest.mark.parametrize("uefi", [False, True], ids=["bios", "uefi"])
def test_it_boots_to_the_page_and_keeps_what_was_written(
    made: tuple[Path, disk.Disk], tmp_path: Path, uefi: bool
) -> None:
    folder, whole = made
    path = tmp_path / "disk.img"
    assert cli.main(["-C", str(folder), "image", "--format", "disk", "-o", str(path)]) == 0
    (config.load(folder).output / "known_hosts").unlink(missing_ok=True)  # a new disk, a new key
    with booted(folder, path, uefi=uefi) as box:
        box.ready()
        words = box.ssh("cat /proc/cmdline").out
        assert " snakeroot.slot=a snakeroot.boot=committed " in words
        assert f" root=PARTUUID={gpt.guid_text(whole.table.named('A-root').own)} " in words
        mounted = box.ssh("mount").out
        assert re.search(r"^/dev/vda5 on / type squashfs \(ro,", mounted, re.M)
        assert re.search(r"^/dev/vda8 on /perm type ext4 \(rw,", mounted, re.M)
        assert box.ssh("echo kept > /perm/note").status == 0
        box.poweroff()
    os.truncate(path, 5 << 30)  # as if the image had been written to a larger disk
    with booted(folder, path, uefi=uefi) as box:
        assert box.ready().ssh("cat /perm/note").out == "kept\n"
        assert "init: /perm now fills /dev/vda8" in box.console()
        blocks = int(box.ssh("df -k /perm | tail -1").out.split()[1])
        assert 3 << 20 < blocks < 4 << 20
        box.poweroff()
    with Disk(str(path)) as grown:
        perm = gpt.read(grown).named("perm")
        assert (perm.first + perm.sectors) * SECTOR == (5 << 30) - (1 << 20)
    said = subprocess.run(["sgdisk", "-v", path], capture_output=True, text=True, check=True)
    assert "No problems found." in said.stdout
    where = f"{path}?offset={perm.first * SECTOR}"
    subprocess.run(["/sbin/e2fsck", "-fn", where], capture_output=True, check=True)


#: What an updater does, without the network: run in the box, with a release's two streams in /perm.
INSTALL = """
import hashlib, sys
from toolbox.storage import bootstate, gpt
from toolbox.storage.control import Grub
from toolbox.storage.device import Disk
from toolbox.storage.install import Contents, Installation
from toolbox.storage.slot import Slot

with Disk("/dev/vda", writable=True) as disk:
    table = gpt.read(disk)
    running = bootstate.Booted(open("/proc/cmdline").read()).slot
    target = "b" if running == "a" else "a"
    work = Installation(Grub(bootstate.find(disk, table)), Slot.of(disk, table, target), running)
    streams = {name: open(f"/perm/{name}", "rb").read() for name in ("boot", "root")}
    sizes = [Contents(len(s), hashlib.sha256(s).hexdigest()) for s in streams.values()]
    work.begin(*sizes)
    for name, data in streams.items():
        for at in range(0, len(data), 100 << 10):
            getattr(work, name).write(at, data[at : at + (100 << 10)])
    work.finish(*sizes)
    print("armed", bootstate.load(work.control.partition))
"""

COMMIT = """
from toolbox.storage import bootstate, gpt
from toolbox.storage.control import Grub
from toolbox.storage.device import Disk

with Disk("/dev/vda", writable=True) as disk:
    control = Grub(bootstate.find(disk, gpt.read(disk)))
    control.commit(bootstate.Booted(open("/proc/cmdline").read()).slot)
    print(control.load())
"""


def test_another_release_on_trial_and_committed(
    made: tuple[Path, disk.Disk], tmp_path: Path
) -> None:
    """On the real disk: installed, tried, not committed and so left again, tried again and kept."""
    folder, whole = made
    path = tmp_path / "disk.img"
    disk.raw(whole, path)
    os.truncate(path, 3 << 30)
    (config.load(folder).output / "known_hosts").unlink(missing_ok=True)
    built = image.build(config.load(folder))
    second = disk.release(dataclasses.replace(built, arguments=(*built.arguments, "release=2")), 2)

    with booted(folder, path, reboots=True) as box:
        box.ready()

        def python(program: str) -> str:
            result = box.ssh("python -", stdin=program.encode())
            assert result.status == 0, result.err
            return result.out

        def reboot_into(words: str) -> None:
            box.ssh("reboot")
            box.wait(words, lambda: f" {words} " in box.ssh("cat /proc/cmdline").out)

        for name, data in (("boot", second.boot), ("root", second.root)):
            assert box.ssh(f"cat > /perm/{name}", stdin=data).status == 0
        armed = "armed State('a', 'b', 1, [])\n"
        assert python(INSTALL) == armed
        reboot_into("snakeroot.slot=b snakeroot.boot=trial")
        assert "release=2" in box.ssh("cat /proc/cmdline").out
        assert re.search(r"^/dev/vda7 on / type squashfs", box.ssh("mount").out, re.M)
        # Nobody committed it.
        reboot_into("snakeroot.slot=a snakeroot.boot=committed")
        assert python(INSTALL) == armed
        reboot_into("snakeroot.slot=b snakeroot.boot=trial")
        assert python(COMMIT) == "State('b', '', 0, [])\n"
        reboot_into("snakeroot.slot=b snakeroot.boot=committed")
        box.poweroff()


#: A kernel with drivers for machines that are not virtual.
FULL_KERNELS = ("linux-image-amd64", "linux-image-generic")


@pytest.fixture(scope="module")
def bus_disk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A disk whose initramfs has the drivers of every bus, and whose root says where it is and powers off."""
    folder = tmp_path_factory.mktemp("bus")
    settings = config.Settings(
        hostname="bus", kernel=config.KernelSettings(disks=["virtio", "sata", "nvme", "usb"])
    )
    full = next(k for name in FULL_KERNELS if (k := found(name)))
    early = rootfs.early_modules(full, settings)
    packed = first_stage.initramfs(first_stage.program(), early)
    squashfs = root(folder / "root", "cat /proc/cmdline; grep ' / ' /proc/mounts")
    words = ["panic=1", "quiet", f"console={kernel.CONSOLE}"]
    release = disk.Release(
        slot.boot_area(full.image.read_bytes(), packed, 1, words), squashfs.read_bytes()
    )
    for seed in ("disk", "other"):
        layout = disk.Layout(boot=64, root=16, perm=16, seed=seed)
        disk.raw(disk.make(release, layout), folder / f"{seed}.img")
    return folder / "disk.img"


def found(package: str) -> kernel.Kernel | None:
    try:
        return kernel.find(package)
    except BuildError:
        return None


@pytest.mark.parametrize("uefi", [False, True], ids=["bios", "uefi"])
@pytest.mark.parametrize("bus", BUSES)
def test_one_image_boots_from_every_kind_of_disk(bus_disk: Path, bus: str, uefi: bool) -> None:
    argv = [
        *("qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "max", "-machine", "q35"),
        *("-m", "384", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"),
        *("-drive", f"file={bus_disk},format=raw,if=none,id=disk,snapshot=on", *BUSES[bus]),
        *("-serial", "stdio"),
    ]
    if uefi:
        argv += ["-drive", f"if=pflash,format=raw,readonly=on,file={FIRMWARE}"]
    done = subprocess.run(
        argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=BOOT, check=True
    )
    said = done.stdout.decode(errors="replace").replace("\r", "")
    names = {"virtio": "vda5", "sata": "sda5", "nvme": "nvme0n1p5", "usb": "sda5"}
    assert f"/dev/{names[bus]} / squashfs ro" in said, said
    assert " snakeroot.slot=a snakeroot.boot=committed " in said
    assert "END" in said


@pytest.mark.parametrize("uefi", [False, True], ids=["bios", "uefi"])
def test_disks_of_two_boxes_are_not_mixed(bus_disk: Path, uefi: bool) -> None:
    """The other one is the first disk, with the same labels; the firmware boots the second."""
    argv = [
        *("qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "max", "-machine", "q35"),
        *("-m", "384", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"),
        *("-drive", f"file={bus_disk.with_name('other.img')},format=raw,if=none,id=other"),
        *("-device", "virtio-blk-pci,drive=other", "-snapshot"),
        *("-drive", f"file={bus_disk},format=raw,if=none,id=disk", *BUSES["virtio"]),
        *("-serial", "stdio"),
    ]
    if uefi:
        argv += ["-drive", f"if=pflash,format=raw,readonly=on,file={FIRMWARE}"]
    done = subprocess.run(
        argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=BOOT, check=True
    )
    said = done.stdout.decode(errors="replace").replace("\r", "")
    assert "/dev/vdb5 / squashfs ro" in said, said
