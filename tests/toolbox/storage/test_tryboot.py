"""The Raspberry Pi's way: a file found on a FAT and written in place, against a model of the firmware."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.toolbox.storage.crash import Recorder, states
from tests.toolbox.storage.memory import Memory
from toolbox.storage import fat, tryboot
from toolbox.storage.bootstate import SLOTS, State
from toolbox.storage.device import SECTOR
from toolbox.storage.tryboot import Tryboot

STATES = st.builds(
    lambda slot, trial, bad: State(slot, trial, 1 if trial else 0, bad),
    st.sampled_from(SLOTS),
    st.sampled_from(["", *SLOTS]),
    st.sets(st.sampled_from(SLOTS)),
)


def made(folder: Path, bits: int, files: dict[str, bytes]) -> bytes:
    """A FAT by mtools."""
    image = folder / f"fat{bits}"
    size = {12: 1 << 20, 16: 8 << 20, 32: 36 << 20}[bits]
    image.write_bytes(bytes(size))
    kind = ["-F"] if bits == 32 else []
    sectors = ["-T", str(size // SECTOR), "-h", "16", "-s", "63", "-c", "1"]
    subprocess.run(["mformat", "-i", image, *kind, *sectors, "::"], check=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
        subprocess.run(["mcopy", "-o", "-i", image, folder / name, f"::{name}"], check=True)
    return image.read_bytes()


def on(contents: bytes) -> Recorder:
    return Recorder(contents)


class Firmware:
    """The EEPROM's boot loader, as its documentation has it: the tryboot flag is cleared when it is read."""

    def __init__(self, disk: Memory, bootable: dict[int, bool]) -> None:
        self.disk = disk
        self.bootable = bootable
        self.flag = False

    def reboot(self, argument: str) -> None:
        self.flag = argument == "0 tryboot"

    def boot(self) -> tuple[int, bool]:
        """(partition, whether by tryboot); a partition that does not boot ends in a reset."""
        for _ in range(3):
            trial, self.flag = self.flag, False
            offset, size = fat.find(self.disk, "AUTOBOOT.TXT")
            text = self.disk.read(offset, SECTOR)[:size].decode("ascii")
            chosen, applies = 1, True
            for line in text.splitlines():
                if line.startswith("["):
                    applies = line == "[all]" or (line == "[tryboot]" and trial)
                elif applies and line.startswith("boot_partition="):
                    chosen = int(line.partition("=")[2])
            if self.bootable[chosen]:
                return chosen, trial
        raise AssertionError("it does not boot")


@pytest.mark.parametrize("bits", [12, 16, 32])
def test_a_file_is_found(tmp_path: Path, bits: int) -> None:
    files = {f"FILE{n}.TXT": bytes([n]) * (n * 300) for n in range(1, 40)}
    files["AUTOBOOT.TXT"] = tryboot.encode(State("a"))
    image = on(made(tmp_path, bits, files))
    for name, data in files.items():
        offset, size = fat.find(image, name)
        assert size == len(data)
        assert image.bytes[offset:][: min(size, SECTOR)] == data[:SECTOR]
    for name in ("OTHER.TXT", "AUTOBOOT", "AUTOBOOT.TX"):
        with pytest.raises(fat.DamagedFat, match=f"no file {name}"):
            fat.find(image, name)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    files = {"AUTOBOOT.TXT": tryboot.encode(State("a"))}
    return made(tmp_path_factory.mktemp("small"), 12, files)


@given(at=st.integers(0, 100), noise=st.binary(min_size=1, max_size=60), table=st.booleans())
def test_any_bytes_are_a_fat_or_none(small: bytes, at: int, noise: bytes, table: bool) -> None:
    image = Memory(len(small))
    image.bytes[:] = small
    start = SECTOR + at if table else at
    image.bytes[start : start + len(noise)] = noise
    try:
        fat.find(image, "AUTOBOOT.TXT")
    except fat.DamagedFat:
        pass


@given(STATES)
def test_a_state_is_a_file_of_one_sector_and_back(state: State) -> None:
    data = tryboot.encode(state)
    assert len(data) == SECTOR
    assert data.isascii() and data.endswith(b"\n")
    assert tryboot.decode(data) == state


@given(st.binary(max_size=SECTOR))
def test_any_file(noise: bytes) -> None:
    found = tryboot.decode(noise)
    assert found is None or found.slot in SLOTS
    tryboot.decode(b"[all]\nboot_partition=2\n" + noise)


def test_files_of_people() -> None:
    text = b"boot_partition=3\r\n[tryboot]\r\nboot_partition=2\r\n"
    assert tryboot.decode(text) == State("b")
    assert tryboot.decode(b"[tryboot]\nboot_partition=2\n") is None
    assert tryboot.decode(b"[all]\nboot_partition=7\n") is None


def test_a_whole_update_with_the_firmware(tmp_path: Path) -> None:
    disk = on(made(tmp_path, 16, {"AUTOBOOT.TXT": tryboot.encode(State("a", bad=["b"]))}))
    firmware = Firmware(disk, {2: True, 3: True})
    control = Tryboot(disk)
    assert tryboot.booted(*firmware.boot()).slot == "a"

    control.begin("b", "a")
    assert control.load() == State("a", bad=["b"])
    assert control.arm("b", "a") == "0 tryboot"
    firmware.reboot("0 tryboot")
    runs = tryboot.booted(*firmware.boot())
    assert (runs.slot, runs.word) == ("b", "trial")
    # A reset, by the watchdog or by hand, before it was committed.
    runs = tryboot.booted(*firmware.boot())
    assert (runs.slot, runs.word) == ("a", "committed")
    control.give_up()
    assert control.load() == State("a", bad=["b"])

    control.begin("b", "a")
    firmware.reboot(control.arm("b", "a"))
    firmware.boot()
    control.commit("b")
    for _ in range(3):
        assert tryboot.booted(*firmware.boot()).slot == "b"
    assert control.load() == State("b")
    # Nothing but the one sector was ever written.
    offset, _ = fat.find(disk, "AUTOBOOT.TXT")
    writes = [event for event in disk.events if event]
    assert {(at, len(data)) for at, data in writes} == {(offset, SECTOR)}
    assert disk.events[1::2] == [None] * len(writes), "each is flushed"


def test_a_trial_that_does_not_load_goes_back(tmp_path: Path) -> None:
    disk = on(made(tmp_path, 16, {"AUTOBOOT.TXT": tryboot.encode(State("a"))}))
    firmware = Firmware(disk, {2: True, 3: False})
    firmware.reboot(Tryboot(disk).arm("b", "a"))
    assert tryboot.booted(*firmware.boot()).slot == "a"


def test_every_power_failure_of_a_commit(tmp_path: Path) -> None:
    image = made(tmp_path, 12, {"AUTOBOOT.TXT": tryboot.encode(State("a", "b", 1))})
    disk = on(image)
    Tryboot(disk).commit("b")
    seen = set()
    for state in states(image, disk.events):
        left = Memory(len(state))
        left.bytes[:] = state
        seen.add(Firmware(left, {2: True, 3: True}).boot())
    assert seen == {(2, False), (3, False)}


def test_what_is_refused(tmp_path: Path) -> None:
    disk = on(made(tmp_path, 12, {"AUTOBOOT.TXT": tryboot.encode(State("a"))}))
    with pytest.raises(ValueError, match="this firmware makes one"):
        Tryboot(disk).arm("b", "a", 2)
    with pytest.raises(fat.DamagedFat, match=r"no file CONFIG.TXT"):
        Tryboot(disk).check(disk)
    short = on(made(tmp_path, 12, {"AUTOBOOT.TXT": b"[all]\nboot_partition=2\n"}))
    with pytest.raises(fat.DamagedFat, match="has 23 bytes, not 512"):
        Tryboot(short)
    assert disk.events == []
