"""Updates on a disk that a Raspberry Pi's firmware boots: from the word of the firmware to what it is told next.

Breaks when the updater takes another disk for one of these, tells a restart nothing, takes a trial that is over
for one that is to come, or leaves the firmware nothing that it boots.
"""

from __future__ import annotations

import io
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.toolbox.release.factory import KEYS, TARGET, noise
from tests.toolbox.release.factory import release as sealed
from tests.toolbox.storage.crash import Recorder, states
from tests.toolbox.storage.memory import Memory
from tests.toolbox.storage.test_tryboot import Firmware
from tests.toolbox.storage.test_update import Splitting, label
from toolbox.release import slots
from toolbox.release.own import Own
from toolbox.release.sources import PipeSource
from toolbox.storage import fat, gpt, slot, tryboot
from toolbox.storage.bootstate import SLOTS, State
from toolbox.storage.device import SECTOR, BlockDevice
from toolbox.storage.gpt import Partition, Table
from toolbox.storage.slot import Slot
from toolbox.storage.update import SILENT, Updates, holds_root
from toolbox.storage.update_record import Record

FAT_SECTORS, BOOT_SECTORS, ROOT_SECTORS = 128, 160, 120
NOW = 1_750_000_000


def small_fat(files: dict[str, bytes]) -> bytes:
    """A FAT12 by mtools."""
    with tempfile.TemporaryDirectory() as folder:
        image = Path(folder, "image")
        image.write_bytes(bytes(FAT_SECTORS * SECTOR))
        shape = ["-T", str(FAT_SECTORS), "-h", "2", "-s", "8", "-c", "1", "-N", "1"]
        subprocess.run(["mformat", "-i", image, *shape, "::"], check=True)
        for name, data in files.items():
            Path(folder, name).write_bytes(data)
            subprocess.run(["mcopy", "-i", image, Path(folder, name), f"::{name}"], check=True)
        return image.read_bytes()


def parts(number: int) -> dict[str, bytes]:
    files = {"CONFIG.TXT": b"kernel=KERNEL8.IMG\n", "KERNEL8.IMG": noise(20_000, number)}
    root = noise(60 * SECTOR, 1000) + noise(20 * SECTOR, number + 10)
    return {"boot": small_fat(files), "root": root}


@pytest.fixture(scope="module")
def contents() -> dict[str, dict[str, bytes]]:
    return {name: parts(n) for n, name in enumerate(("1.0", "1.1", "1.2"), 1)}


def table(order: tuple[str, ...] = ("first", "A-boot", "B-boot", "A-root", "B-root")) -> Table:
    made, at = [], 34
    sizes = {"first": FAT_SECTORS, "boot": BOOT_SECTORS, "root": ROOT_SECTORS}
    for number, name in enumerate(order, 1):
        size = sizes[name.rpartition("-")[2]]
        made.append(Partition(number, name, gpt.LINUX, gpt.derived_guid("t", name), at, size))
        at += size
    return Table(gpt.derived_guid("t", "disk"), made, at + 33, first_usable=34)


LAYOUT = table()


class Bootable(dict[int, bool]):
    """What the firmware finds in a partition by its number."""

    def __init__(self, disk: BlockDevice) -> None:
        self.disk = disk

    def __missing__(self, number: int) -> bool:
        found = next(p for p in LAYOUT.partitions if p.number == number)
        try:
            fat.find(found.on(self.disk), "CONFIG.TXT")
        except fat.DamagedFat:
            return False
        return True


def firmware(disk: Memory) -> Firmware:
    return Firmware(LAYOUT.named("first").on(disk), Bootable(disk))  # type: ignore[arg-type]


class Box:
    """A disk, what the kernel shows of the firmware's words, and what init tells it."""

    def __init__(self, contents: dict[str, dict[str, bytes]], folder: Path) -> None:
        self.contents = contents
        self.root = folder
        disk = Memory(LAYOUT.sectors * SECTOR)
        disk.write(0, LAYOUT.begin())
        disk.write(disk.size - len(LAYOUT.end()), LAYOUT.end())
        first = small_fat({"AUTOBOOT.TXT": tryboot.encode(State("a", bad=["b"]))})
        LAYOUT.named("first").on(disk).write(0, first)
        a = Slot.of(disk, LAYOUT, "a")
        a.boot.write(0, contents["1.0"]["boot"])
        a.root.write(0, contents["1.0"]["root"])
        slots.write_label(a.boot, label(self.release("1.0")))
        self.disk: Recorder = Splitting(bytes(disk.bytes))
        self.firmware = firmware(self.disk)
        self.argument = ""
        self.boot()

    def release(self, version: str) -> bytes:
        return sealed(self.contents[version], version=version, number=int(version[-1]) + 1)

    def boot(self) -> str:
        """What comes up after a reset: the version."""
        self.argument = ""
        partition, trial = self.firmware.boot()
        place = self.root / tryboot.FIRMWARE
        place.mkdir(parents=True, exist_ok=True)
        (place / "partition").write_bytes(partition.to_bytes(4, "big"))
        (place / "tryboot").write_bytes(int(trial).to_bytes(4, "big"))
        (self.root / "proc/cmdline").write_text("coherent_pool=1M console=tty1\n")
        return version(self.disk, self.contents, partition)

    def restart(self) -> str:
        """What comes up after init's restart."""
        self.firmware.reboot(self.argument)
        return self.boot()

    def updates(self) -> Updates:
        words = tryboot.command_line(str(self.root))
        record = Record(str(self.root / "update.json"))
        own = Own(TARGET, KEYS)
        return Updates(self.disk, words, record, own, lambda: float(NOW), self.argument)

    def install(self, version: str) -> None:
        updates = self.updates()
        updates.install(PipeSource("pushed", io.BytesIO(self.release(version))))
        self.argument = updates.control.argument


def version(disk: BlockDevice, contents: dict[str, dict[str, bytes]], partition: int) -> str:
    """The version that is whole in the slot of a partition; "" for none."""
    name = {number: name for name, number in tryboot.PARTITIONS.items()}[partition]
    one = Slot.of(disk, LAYOUT, name)
    for found, data in contents.items():
        if all(
            device.read(0, len(data[part])) == data[part]
            for part, device in (("boot", one.boot), ("root", one.root))
        ):
            return found
    return ""


@pytest.fixture
def box(contents: dict[str, dict[str, bytes]], tmp_path: Path) -> Box:
    return Box(contents, tmp_path)


def test_installed_tried_committed(box: Box) -> None:
    assert box.updates().describe()["slots"]["a"] == {"state": "good", "version": "1.0"}
    box.install("1.1")
    assert box.argument == "0 tryboot"
    assert box.updates().describe()["state"] == "armed"
    assert box.updates().settle() is None  # the service may be restarted meanwhile
    assert box.restart() == "1.1"
    updates = box.updates()
    assert updates.on_trial
    assert updates.describe()["state"] == "trial"
    assert updates.settle() is None
    updates.commit()
    assert updates.control.argument == ""
    for _ in range(3):
        assert box.restart() == "1.1"
        assert box.updates().settle() is None
        described = box.updates().describe()
        assert (described["slot"], described["state"]) == ("b", "committed")
        assert described["boot_loader"] == "tryboot"
        assert described["last"]["outcome"] == "committed"
    # And the next one goes into slot a.
    box.install("1.2")
    assert box.restart() == "1.2"


def test_a_trial_that_is_left(box: Box) -> None:
    box.install("1.1")
    assert box.restart() == "1.1"
    assert box.boot() == "1.0"  # the watchdog, a panic, a cable
    updates = box.updates()
    last = updates.settle()
    assert last
    assert (last["outcome"], last["version"], last["reason"]) == ("failed", "1.1", SILENT)
    assert updates.describe()["slots"]["b"] == {"state": "bad", "version": "1.1"}
    assert updates.describe()["state"] == "committed"
    assert updates.control.argument == ""
    assert box.updates().settle() is None
    box.install("1.2")
    assert box.restart() == "1.2"


def test_a_trial_that_is_given_up(box: Box) -> None:
    box.install("1.1")
    assert box.restart() == "1.1"
    updates = box.updates()
    assert updates.roll_back("wanted") == "a"
    box.argument = updates.control.argument
    assert box.restart() == "1.0"
    assert box.updates().describe()["last"]["reason"] == "wanted"


def test_power_that_fails_before_the_trial(box: Box) -> None:
    box.install("1.1")
    assert box.boot() == "1.0"
    last = box.updates().settle()
    assert last
    assert last["outcome"] == "failed"


def test_a_kernel_that_does_not_load(box: Box) -> None:
    box.install("1.1")
    box.updates().slots["b"].boot.write(0, bytes(SECTOR))
    assert box.restart() == "1.0"
    assert box.updates().describe()["slots"]["b"] == {"state": "empty", "version": ""}


def test_back_to_the_other_release_and_the_default(box: Box) -> None:
    box.install("1.1")
    box.restart()
    box.updates().commit()
    updates = box.updates()
    assert updates.roll_back("wanted") == "a"
    box.argument = updates.control.argument
    assert box.argument == "0 tryboot"
    updates = box.updates()
    updates.set_default("b")  # on second thoughts
    assert updates.control.argument == ""
    box.argument = ""
    assert box.restart() == "1.1"
    box.updates().set_default("a")
    assert box.restart() == "1.0"


def test_every_power_failure(box: Box) -> None:
    """A reset clears the firmware's flag: until it is committed, the old release comes up from each state."""
    before = len(box.disk.events)
    box.install("1.1")
    seen = 0
    for state in states(box.disk.before, box.disk.events[before:], every=6, samples=2):
        assert after_reset(state, box.contents) == "1.0"
        seen += 1
    assert seen > 300
    box.restart()
    events, kept = len(box.disk.events), bytes(box.disk.bytes)
    box.updates().commit()
    found = {after_reset(state, box.contents) for state in states(kept, box.disk.events[events:])}
    assert found == {"1.0", "1.1"}


def after_reset(state: bytes, contents: dict[str, dict[str, bytes]]) -> str:
    left = Memory(len(state))
    left.bytes[:] = state
    return version(left, contents, firmware(left).boot()[0])


def test_which_disk_it_is(box: Box, tmp_path: Path) -> None:
    words = tryboot.command_line(str(tmp_path))
    assert words == "coherent_pool=1M console=tty1 snakeroot.slot=a snakeroot.boot=committed\n"
    assert holds_root(box.disk, words)
    guid = gpt.guid_text(LAYOUT.named("A-root").own)
    assert holds_root(box.disk, f"root=PARTUUID={guid.upper()} {words}")
    assert not holds_root(box.disk, f"root=PARTUUID={guid[:-1]}z {words}")
    assert not holds_root(box.disk, "quiet")  # no firmware of this kind
    LAYOUT.named("first").on(box.disk).write(0, small_fat({"OTHER.TXT": b"x"}))
    assert not holds_root(box.disk, words)
    with pytest.raises(ValueError, match="not booted from a slot"):
        box.updates()


def test_a_boot_loader_that_names_the_slot_is_believed(tmp_path: Path) -> None:
    (tmp_path / "proc").mkdir()
    for words in ("snakeroot.slot=b snakeroot.boot=trial\n", "quiet\n"):
        (tmp_path / "proc/cmdline").write_text(words)
        assert tryboot.command_line(str(tmp_path)) == words


def test_slots_in_other_partitions_are_refused() -> None:
    other = table(("first", "A-root", "A-boot", "B-boot", "B-root"))
    disk = Memory(other.sectors * SECTOR)
    assert tryboot.find(disk, other) is None
    first = small_fat({"AUTOBOOT.TXT": tryboot.encode(State("a"))})
    other.named("first").on(disk).write(0, first)
    with pytest.raises(ValueError, match="slot a is booted from partition 3 and not 2"):
        tryboot.find(disk, other)
    assert set(tryboot.PARTITIONS) == set(SLOTS) == set(slot.BOOT_PARTITIONS)
