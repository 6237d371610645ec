"""The boot state of a Raspberry Pi: autoboot.txt, one sector in place, and the firmware's one-shot tryboot.

The firmware reads autoboot.txt on the first partition.  `boot_partition` of the section [all] names the
partition with the committed slot's kernel; that of [tryboot] counts for the one boot after
`reboot "0 tryboot"`, a flag in a register of the processor that any other reset clears.  So the trial that
was not committed is over with the next reset, whatever caused it, and no boot writes anything.

What the firmware does not need to know stands in a comment: the slot on trial, and what is bad.  It is one
trial only, and on its way only as long as the next restart is to be told of it; a device that comes up with the
committed slot while another is on trial says that it failed (or that the power did, before the trial began: the
register cannot be asked).

Source: Raspberry Pi documentation, config.txt, "The autoboot.txt file" (at most 512 bytes) and "Fail-safe OS
updates"; the device tree's chosen/bootloader/{partition,tryboot} say what was booted.
"""

from __future__ import annotations

import os
import re

from toolbox.storage import fat
from toolbox.storage.bootstate import SLOTS, Booted, State
from toolbox.storage.control import BootControl
from toolbox.storage.device import SECTOR
from toolbox.storage.slot import BOOT_PARTITIONS, DamagedSlot

TYPE_CHECKING = False
if TYPE_CHECKING:
    from toolbox.storage.device import BlockDevice
    from toolbox.storage.gpt import Table

FILE = "AUTOBOOT.TXT"

#: What reboot(2) is told for a trial: 0 is the partition that autoboot.txt names.
REBOOT = "0 tryboot"

#: The partitions with the slots' kernels, by the numbers that the firmware counts with.
PARTITIONS = {"a": 2, "b": 3}

#: Every kernel that the firmware boots has one.
KERNEL = "CONFIG.TXT"

#: Where the firmware says what it booted, in numbers of 32 bits, the highest first.
FIRMWARE = "proc/device-tree/chosen/bootloader"

_COMMENT = re.compile(r"^# try=(\w?) left=(\d) bad=(\w*) end$", re.MULTILINE)
_SECTION = re.compile(r"^\[(\w+)\]$")


def encode(state: State) -> bytes:
    """autoboot.txt, exactly one sector."""
    other = SLOTS[1 - SLOTS.index(state.slot)]
    text = (
        f"[all]\ntryboot_a_b=1\nboot_partition={PARTITIONS[state.slot]}\n"
        f"[tryboot]\nboot_partition={PARTITIONS[state.trial or other]}\n"
        f"# try={state.trial} left={state.left} bad={''.join(sorted(state.bad))} end\n"
    )
    return text.encode().ljust(SECTOR - 1, b"#") + b"\n"


def decode(sector: bytes) -> State | None:
    """The state in autoboot.txt, also in one that people wrote; None when it names no slot of ours."""
    text = sector.decode("latin-1").replace("\r", "")
    partition = ""
    section = "all"
    for line in text.splitlines():
        if match := _SECTION.match(line):
            section = match[1].lower()
        elif section == "all" and line.startswith("boot_partition="):
            partition = line.partition("=")[2].strip()
    slots = {str(number): name for name, number in PARTITIONS.items()}
    if partition not in slots:
        return None
    comment = _COMMENT.search(text)
    if comment is None:
        return State(slots[partition])
    trial, bad = comment[1], [name for name in SLOTS if name in comment[3]]
    return State(slots[partition], trial if trial in SLOTS else "", min(int(comment[2]), 1), bad)


def booted(partition: int, tryboot: bool) -> Booted:
    """What runs, of the device tree's words for it: the number of the partition, and whether it is a trial."""
    return Booted(_words(partition, tryboot))


def _words(partition: int, tryboot: bool) -> str:
    slots = {number: name for name, number in PARTITIONS.items()}
    word = "trial" if tryboot else "committed"
    return f"snakeroot.slot={slots.get(partition, '')} snakeroot.boot={word}"


class Tryboot(BootControl):
    """The boot state in autoboot.txt of the first partition, a FAT.

    argument: what the next restart is to be told, as toolbox/linux/power.py keeps it while the device runs
    DamagedFat (ValueError) when there is no such file, or when it isn't of one sector: it is never made here.
    """

    name = "tryboot"

    def __init__(self, partition: BlockDevice, argument: str = "") -> None:
        self.argument = argument
        offset, size = fat.find(partition, FILE)
        if size != SECTOR:
            raise fat.DamagedFat(f"{FILE} has {size} bytes, not {SECTOR}")
        self.sector = partition.part(offset, SECTOR)

    def load(self) -> State | None:
        state = decode(self.sector.read(0, SECTOR))
        if state and state.armed and self.argument != REBOOT:
            return State(state.slot, state.trial, 0, state.bad)  # no boot writes that it was made
        return state

    def store(self, state: State) -> None:
        self.sector.write(0, encode(state))
        self.sector.flush()
        self.argument = REBOOT if state.armed else ""

    def check(self, area: BlockDevice) -> None:
        # The firmware looks for its own files; which those are differs by board.
        fat.find(area, KERNEL)

    def number(self, area: BlockDevice) -> None:
        try:
            self.check(area)
        except fat.DamagedFat as error:
            raise DamagedSlot(str(error)) from None

    def arm(self, target: str, running: str, trials: int = 1) -> str:
        if trials != 1:
            raise ValueError(f"{trials} trials of slot {target}: this firmware makes one")
        return super().arm(target, running, trials)


def find(disk: BlockDevice, table: Table, argument: str = "") -> Tryboot | None:
    """The boot state of a disk that such firmware boots; None for another disk.

    ValueError when its slots aren't where autoboot.txt can name them, or as Tryboot says.
    """
    first = next((partition for partition in table if partition.number == 1), None)
    if first is None:
        return None
    try:
        fat.find(first.on(disk), FILE)
    except fat.DamagedFat:
        return None
    for name, number in PARTITIONS.items():
        if (found := table.named(BOOT_PARTITIONS[name]).number) != number:
            raise ValueError(f"slot {name} is booted from partition {found} and not {number}")
    return Tryboot(first.on(disk), argument)


def command_line(root: str = "/") -> str:
    """The kernel's, and in its words what the firmware says was booted, when no boot loader of ours says it.

    root: where the file system begins.  OSError when there is none.
    """
    with open(os.path.join(root, "proc/cmdline"), errors="replace") as file:
        words = file.read()
    if "snakeroot.slot=" in words:
        return words
    said = {}
    for name in ("partition", "tryboot"):
        try:
            with open(os.path.join(root, FIRMWARE, name), "rb") as cells:
                said[name] = int.from_bytes(cells.read(4), "big")
        except OSError:
            return words
    return f"{words.rstrip()} {_words(said['partition'], said['tryboot'] != 0)}\n"
