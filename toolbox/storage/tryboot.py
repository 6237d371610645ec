"""The boot state of a Raspberry Pi: autoboot.txt, one sector in place, and the firmware's one-shot tryboot.

The firmware reads autoboot.txt on the first partition.  `boot_partition` of the section [all] names the
partition with the committed slot's kernel; that of [tryboot] counts for the one boot after
`reboot "0 tryboot"`, a flag in a register of the processor that any other reset clears.  So the trial that
was not committed is over with the next reset, whatever caused it, and no boot writes anything.

What the firmware does not need to know stands in a comment: the slot on trial, and what is bad.  It is one
trial only; a device that comes up with the committed slot while another is on trial says that it failed (or
that the power did, before the trial began: the register cannot be asked).

Source: Raspberry Pi documentation, config.txt, "The autoboot.txt file" (at most 512 bytes) and "Fail-safe OS
updates"; the device tree's chosen/bootloader/{partition,tryboot} say what was booted.
"""

from __future__ import annotations

import re

from toolbox.storage import fat
from toolbox.storage.bootstate import SLOTS, Booted, State
from toolbox.storage.control import BootControl
from toolbox.storage.device import SECTOR

TYPE_CHECKING = False
if TYPE_CHECKING:
    from toolbox.storage.device import BlockDevice

FILE = "AUTOBOOT.TXT"

#: What reboot(2) is told for a trial: 0 is the partition that autoboot.txt names.
REBOOT = "0 tryboot"

#: The partitions with the slots' kernels, by the numbers that the firmware counts with.
PARTITIONS = {"a": 2, "b": 3}

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
    slots = {number: name for name, number in PARTITIONS.items()}
    word = "trial" if tryboot else "committed"
    return Booted(f"snakeroot.slot={slots.get(partition, '')} snakeroot.boot={word}")


class Tryboot(BootControl):
    """The boot state in autoboot.txt of the first partition, a FAT.

    DamagedFat (ValueError) when there is no such file, or when it isn't of one sector: it is never made here.
    """

    name = "tryboot"

    def __init__(self, partition: BlockDevice) -> None:
        offset, size = fat.find(partition, FILE)
        if size != SECTOR:
            raise fat.DamagedFat(f"{FILE} has {size} bytes, not {SECTOR}")
        self.sector = partition.part(offset, SECTOR)

    def load(self) -> State | None:
        return decode(self.sector.read(0, SECTOR))

    def store(self, state: State) -> None:
        self.sector.write(0, encode(state))
        self.sector.flush()

    def check(self, area: BlockDevice) -> None:
        # The firmware looks for its own files; which those are differs by board.
        fat.find(area, "CONFIG.TXT")

    def arm(self, target: str, running: str, trials: int = 1) -> str:
        if trials != 1:
            raise ValueError(f"{trials} trials of slot {target}: this firmware makes one")
        super().arm(target, running, trials)
        return REBOOT
