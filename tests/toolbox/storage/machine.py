"""A machine as far as an update goes: small disk, two known releases, and what firmware, GRUB and early boot do.

The boot is the model that test_grub.py holds against the real GRUB, and after it the question that only a
test can ask: is what was booted, to the last byte of its root, a release, and which?
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache
from typing import NamedTuple

from tests.toolbox.storage.memory import Memory
from toolbox.storage import bootstate, gpt, slot
from toolbox.storage.bootstate import SPARE, STATE, State
from toolbox.storage.control import Grub
from toolbox.storage.device import SECTOR, BlockDevice
from toolbox.storage.gpt import Partition, Table
from toolbox.storage.install import Contents, Installation
from toolbox.storage.slot import Slot

BOOT_SECTORS, ROOT_SECTORS, STATE_SECTORS = 32, 24, 24


class Release(NamedTuple):
    name: str
    boot: bytes
    root: bytes


def release(name: str, number: int, root_sectors: int = 20) -> Release:
    """A release whose every sector is its own."""
    kernel, initramfs = (noise(f"{name} {what}", size) for what, size in (("k", 9), ("i", 3)))
    return Release(
        name,
        slot.boot_area(kernel[:-100], initramfs[:-7], number, [f"release={name}"]),
        noise(f"{name} root", root_sectors),
    )


def noise(seed: str, sectors: int) -> bytes:
    return hashlib.shake_256(seed.encode()).digest(sectors * SECTOR)


OLDER, OLD, NEW = release("older", 1), release("old", 2), release("new", 3)


def contents(data: bytes) -> Contents:
    return Contents(len(data), hashlib.sha256(data).hexdigest())


def table() -> Table:
    sizes = {
        "state": STATE_SECTORS,
        **{
            name: size
            for letter in bootstate.SLOTS
            for name, size in (
                (slot.BOOT_PARTITIONS[letter], BOOT_SECTORS),
                (slot.ROOT_PARTITIONS[letter], ROOT_SECTORS),
            )
        },
    }
    made, at = [], 34
    for number, (name, size) in enumerate(sizes.items(), 1):
        kind = bootstate.PARTITION_TYPE if name == "state" else gpt.LINUX
        made.append(Partition(number, name, kind, gpt.derived_guid("m", name), at, size))
        at += size
    return Table(gpt.derived_guid("m", "disk"), made, at + 33, first_usable=34)


def installed(first: Release, second: Release | None = None, state: State | None = None) -> bytes:
    """A disk with a release in slot a, perhaps one in slot b, and a state."""
    layout = table()
    disk = Memory(layout.sectors * SECTOR)
    disk.write(0, layout.begin())
    disk.write(disk.size - len(layout.end()), layout.end())
    state = state or State("a", bad=[] if second else ["b"])
    layout.named("state").on(disk).write(0, bootstate.archive(state))
    for name, what in zip(bootstate.SLOTS, (first, second), strict=True):
        place = Slot.of(disk, layout, name)
        if what:
            place.boot.write(0, what.boot)
            place.root.write(0, what.root)
        else:
            place.boot.write(0, slot.EMPTY)
    return bytes(disk.bytes)


class Held(NamedTuple):
    """What is in a slot.  contents: as a boot loader sees it    release: its name, or "neither" """

    contents: bootstate.Contents | None
    release: str


def held(one: Slot, known: tuple[Release, ...]) -> Held:
    """Look at every byte of a slot, but for what follows a damaged beginning."""
    for release in known:
        if (
            one.boot.read(0, slot.BLOCK) == release.boot[: slot.BLOCK]
            and one.boot.read(0, len(release.boot)) == release.boot
            and one.root.read(0, len(release.root)) == release.root
        ):
            return Held(bootstate.Contents(slot.check_header(one.boot).number), release.name)
    return Held(slot.inspect(one.boot), "neither")


class Boot(NamedTuple):
    """slot, word: as the kernel's command line says    release: its name, or why it is none
    committed: the release in the slot that is booted when a trial is left
    """

    slot: str
    word: str
    release: str
    failed: list[str]
    committed: str = ""


def boot(
    disk: BlockDevice,
    known: tuple[Release, ...] = (OLD, NEW),
    look: Callable[[str], Held] | None = None,
) -> Boot:
    """Boot the disk: GRUB's choice and what it writes, then what early boot finds.

    look: says what is in a slot, for a disk too large to be read each time
    """
    layout = gpt.read(disk)
    partition = bootstate.find(disk, layout)
    assert partition
    state, spare = (partition.read(at * SECTOR, SECTOR) for at in (STATE, SPARE))
    slots = {name: Slot.of(disk, layout, name) for name in bootstate.SLOTS}
    found = {name: look(name) if look else _held(one, known) for name, one in slots.items()}
    choice = bootstate.choose(state, spare, {name: one.contents for name, one in found.items()})
    if choice.state != state:
        partition.write(STATE * SECTOR, choice.state)
    if not choice.slot:
        return Boot("", "", "nothing boots", choice.failed)
    left = bootstate.effective(choice.state, spare)
    committed = found[left.slot].release if left else ""
    return Boot(choice.slot, choice.word, found[choice.slot].release, choice.failed, committed)


def _held(one: Slot, known: tuple[Release, ...]) -> Held:
    """As `held`, for many states of a small disk."""
    area = one.boot.read(0, one.boot.size)
    for release in known:
        if area.startswith(release.boot) and one.root.read(0, len(release.root)) == release.root:
            return Held(inspected(area), release.name)
    return Held(inspected(area), "neither")


@cache
def inspected(area: bytes) -> bootstate.Contents | None:
    """slot.inspect of these bytes; most states of a crash share them."""
    disk = Memory(len(area))
    disk.bytes[:] = area
    return slot.inspect(disk)


def installation(
    disk: BlockDevice, target: str, running: str, kind: type[Installation] = Installation
) -> Installation:
    layout = gpt.read(disk)
    partition = bootstate.find(disk, layout)
    assert partition
    return kind(Grub(partition), Slot.of(disk, layout, target), running)


def update(
    disk: BlockDevice,
    what: Release,
    running: str,
    *,
    kind: type[Installation] = Installation,
    piece: int = 4,
    reuse: bool = False,
) -> None:
    """Install a release into the slot that does not run, in pieces of some sectors.

    reuse: a piece that is on the disk already is not written again, as a resumed or a delta update does
    """
    target = "b" if running == "a" else "a"
    work = installation(disk, target, running, kind)
    work.begin(contents(what.boot), contents(what.root))
    size = piece * SECTOR
    for device, data in ((work.root, what.root), (work.boot, what.boot)):
        for at in range(0, len(data), size):
            part = data[at : at + size]
            if not reuse or device.read(at, len(part)) != part:
                device.write(at, part)
    work.finish(contents(what.boot), contents(what.root))


def control(disk: BlockDevice) -> Grub:
    partition = bootstate.find(disk, gpt.read(disk))
    assert partition
    return Grub(partition)


def on(contents: bytes) -> Memory:
    disk = Memory(len(contents))
    disk.bytes[:] = contents
    return disk
