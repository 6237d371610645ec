"""A disk that is booted by the real GRUB in QEMU, and the model of GRUB that it is held against."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

from snakeroot import disk

from tests.packaging.snakeroot.fake_kernel import fake_kernel
from toolbox.storage import bootstate, gpt, slot
from toolbox.storage.bootstate import SPARE, STATE, Contents
from toolbox.storage.device import SECTOR
from toolbox.storage.gpt import MIB

#: Seconds that a case may take on a busy machine: by BIOS one is over in half a second.
LIMIT = 60.0

FIRMWARE = "/usr/share/OVMF/OVMF_CODE.fd"

LAYOUT = disk.Layout(boot=1, root=1, perm=16, seed="test")


def area(kind: str, number: int) -> tuple[bytes, Contents | None]:
    """A boot area of that kind."""
    kernel, initramfs = fake_kernel(), bytes(range(256)) * 20
    if kind == "empty":
        return slot.EMPTY, None
    if kind == "unloadable":  # its hashes are right
        kernel = bytes(len(kernel))
    data = bytearray(slot.boot_area(kernel, initramfs, number, ["quiet", "a.b=c,d:1"]))
    if kind == "damaged":  # a byte of the initramfs: it loads, and would be booted
        data[data.index(initramfs)] ^= 1
    loads = kind != "unloadable"
    return bytes(data), Contents(number, whole=kind != "damaged", loads=loads)


class Machine:
    """A disk that cases write to, and the machine that boots it."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "disk"
        release = disk.Release(area("good", 1)[0], b"hsqs".ljust(4096, b"\0"))
        made = disk.make(release, LAYOUT)
        disk.raw(made, self.path)
        self.table = made.table
        self.bytes = bytearray(self.path.read_bytes())

    def put(self, partition: str, offset: int, data: bytes) -> None:
        at = self.table.named(partition).first * SECTOR + offset
        self.bytes[at : at + len(data)] = data

    def put_state(self, state: bytes, spare: bytes) -> None:
        self.put(disk.STATE, STATE * SECTOR, state)
        self.put(disk.STATE, SPARE * SECTOR, spare)

    def boot(self, uefi: bool, before: Sequence[Path] = (), after: Sequence[Path] = ()) -> str:
        """Boot the disk; the serial port's text, as far as the kernel's command line.

        before, after: other disks in the machine
        """
        self.path.write_bytes(self.bytes)
        argv = [
            *("qemu-system-x86_64", "-accel", "tcg", "-machine", "q35", "-m", "128"),
            *("-nodefaults", "-no-user-config", "-display", "none", "-serial", "stdio"),
            "-no-reboot",
        ]
        for number, path in enumerate((*before, self.path, *after)):
            drive = f"file={path},format=raw,if=none,id=disk{number}"
            chosen = ",bootindex=1" if path == self.path else ""
            argv += ["-drive", drive, "-device", f"virtio-blk-pci,drive=disk{number}{chosen}"]
        if uefi:
            argv += ["-drive", f"if=pflash,format=raw,readonly=on,file={FIRMWARE}"]
        done = subprocess.run(
            argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=LIMIT, check=True
        )
        return done.stdout.decode("latin-1").replace("\r", "")


def check(
    machine: Machine,
    state: bytes,
    spare: bytes,
    kinds: tuple[str, str] = ("good", "good"),
    numbers: tuple[int, int] = (1, 2),
    uefi: bool = False,
    before: Sequence[Path] = (),
    after: Sequence[Path] = (),
) -> None:
    """Boot it, with other disks before and after its own, and compare with the model."""
    contents: dict[str, Contents | None] = {}
    for name, kind, number in zip(bootstate.SLOTS, kinds, numbers, strict=True):
        data, contents[name] = area(kind, number)
        machine.put(slot.BOOT_PARTITIONS[name], 0, data.ljust(MIB * SECTOR, b"\0"))
    machine.put_state(state, spare)
    expected = bootstate.choose(state, spare, contents)
    said = machine.boot(uefi, before, after)
    line = re.search(r"BOOT_IMAGE=.*", said)
    if not expected.slot:
        assert line is None, said
        # By UEFI the console is the serial port as well: everything stands there twice.
        assert f"no slot boots: {','.join(expected.failed)},\n" in said.replace("Snakeroot: ", "")
    else:
        assert line, said
        booted = bootstate.Booted(line[0])
        assert (booted.slot, booted.word) == (expected.slot, expected.word), said
        assert booted.failed == expected.failed
        own = machine.table.named(slot.ROOT_PARTITIONS[expected.slot]).own
        assert f" root=PARTUUID={gpt.guid_text(own)} " in line[0]
        assert line[0].endswith(" quiet a.b=c,d:1")
    machine.put(disk.STATE, STATE * SECTOR, expected.state)
    assert machine.path.read_bytes() == machine.bytes, "no other byte of the disk was written"
