"""Updates on a disk: installed, tried, committed, left, gone back; and cut off at every write.

Breaks when a release that is not for this box is taken, a slot is touched before that is known, a box comes up
with neither release, or the reason of a failed trial is lost.
"""

from __future__ import annotations

import hashlib
import io
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.toolbox.release.factory import FOREIGN, KEY, KEYS, TARGET, noise
from tests.toolbox.release.factory import release as sealed
from tests.toolbox.storage import faults
from tests.toolbox.storage.crash import Recorder, states
from tests.toolbox.storage.memory import Memory
from toolbox.release import ReleaseError, manifest, partial, signed, slots
from toolbox.release.manifest import ENTRY
from toolbox.release.own import Own
from toolbox.release.sources import PipeSource
from toolbox.storage import bootstate, gpt, slot
from toolbox.storage.bootstate import SPARE, STATE, State
from toolbox.storage.control import Grub
from toolbox.storage.device import SECTOR, BlockDevice
from toolbox.storage.gpt import Partition, Table
from toolbox.storage.install import Contents, Installation
from toolbox.storage.slot import DamagedSlot, Slot
from toolbox.storage.update import SILENT, RunsAlready, Updates
from toolbox.storage.update_record import Record

STATE_SECTORS, BOOT_SECTORS, ROOT_SECTORS = 24, 96, 240
NOW = 1_750_000_000


def parts(name: str, number: int) -> dict[str, bytes]:
    """A release's parts; the roots of all have a beginning and an end in common."""
    kernel, initramfs = noise(9 * SECTOR, number), noise(4 * SECTOR, number + 100)
    common = noise(80 * SECTOR, 1000)
    own = noise(30 * SECTOR, number + 200)
    return {
        "boot": slot.boot_area(kernel, initramfs, number, [f"release={name}"]),
        "root": common + own + noise(100 * SECTOR, 1001),
    }


PARTS = {name: parts(name, n) for n, name in enumerate(("1.0", "1.1", "1.2"), 1)}


def release(version: str, **changes: Any) -> bytes:
    """The file of a release."""
    return sealed(PARTS[version], version=version, number=int(version[-1]) + 1, **changes)


OLD, NEW, NEWER = (release(version) for version in PARTS)


def table() -> Table:
    made, at = [], 34
    sizes = {"state": STATE_SECTORS}
    for letter in bootstate.SLOTS:
        sizes[slot.BOOT_PARTITIONS[letter]] = BOOT_SECTORS
        sizes[slot.ROOT_PARTITIONS[letter]] = ROOT_SECTORS
    for number, (name, size) in enumerate(sizes.items(), 1):
        kind = bootstate.PARTITION_TYPE if name == "state" else gpt.LINUX
        made.append(Partition(number, name, kind, gpt.derived_guid("u", name), at, size))
        at += size
    return Table(gpt.derived_guid("u", "disk"), made, at + 33, first_usable=34)


LAYOUT = table()


def label(file: bytes) -> bytes:
    head, rest = signed.split(file)
    size = manifest.decode(signed.parse(signed.unseal(head, KEYS)[0])).index.size
    return head + rest[:size]


def installed(first: str, second: str = "", state: State | None = None) -> bytes:
    """A disk with versions in its slots."""
    disk = Memory(LAYOUT.sectors * SECTOR)
    disk.write(0, LAYOUT.begin())
    disk.write(disk.size - len(LAYOUT.end()), LAYOUT.end())
    state = state or State("a", bad=[] if second else ["b"])
    LAYOUT.named("state").on(disk).write(0, bootstate.archive(state))
    for name, version in zip(bootstate.SLOTS, (first, second), strict=True):
        place = Slot.of(disk, LAYOUT, name)
        if version:
            place.boot.write(0, PARTS[version]["boot"])
            place.root.write(0, PARTS[version]["root"])
            slots.write_label(place.boot, label(release(version)))
        else:
            place.boot.write(0, slot.EMPTY)
    return bytes(disk.bytes)


class Splitting(Recorder):
    """Takes large writes as several, each of which may be lost alone."""

    def write(self, offset: int, data: bytes | memoryview) -> None:
        for at in range(0, len(data), 4 * SECTOR):
            super().write(offset + at, data[at : at + 4 * SECTOR])


def on(contents: bytes) -> Recorder:
    return Splitting(contents)


def boot(disk: BlockDevice) -> tuple[str, str]:
    """Firmware, GRUB and early boot: the kernel's command line, and the version that came up ("" for neither)."""
    place = bootstate.find(disk, LAYOUT)
    assert place
    state, spare = (place.read(at * SECTOR, SECTOR) for at in (STATE, SPARE))
    found = {name: Slot.of(disk, LAYOUT, name) for name in bootstate.SLOTS}
    choice = bootstate.choose(
        state, spare, {name: slot.inspect(one.boot) for name, one in found.items()}
    )
    if choice.state != state:
        place.write(STATE * SECTOR, choice.state)
    if not choice.slot:
        return "", ""
    booted = found[choice.slot]
    version = next(
        (
            version
            for version, data in PARTS.items()
            if booted.boot.read(0, len(data["boot"])) == data["boot"]
            and booted.root.read(0, len(data["root"])) == data["root"]
        ),
        "",
    )
    failed = f" snakeroot.failed={','.join(choice.failed)}" if choice.failed else ""
    return f"quiet snakeroot.slot={choice.slot} snakeroot.boot={choice.word}{failed}", version


class Box:
    """A disk, a /perm, and what was booted last."""

    perm: tuple[str, ...] = ()

    def __init__(self, contents: bytes, folder: Path) -> None:
        self.disk = on(contents)
        self.path = str(folder / "perm" / "update.json")
        self.words, self.version = boot(self.disk)

    def boot(self) -> str:
        self.words, self.version = boot(self.disk)
        return self.version

    def updates(self, kind: type[Updates] = Updates) -> Updates:
        own = Own(TARGET, KEYS)
        record = Record(self.path)
        return kind(self.disk, self.words, record, own, lambda: float(NOW), perm=self.perm)

    def install(self, file: bytes, **options: Any) -> manifest.Manifest:
        return self.updates().install(PipeSource("pushed", io.BytesIO(file)), **options)


@pytest.fixture
def box(tmp_path: Path) -> Box:
    return Box(installed("1.0"), tmp_path)


def test_installed_tried_committed(box: Box) -> None:
    seen: list[tuple[str, int, int]] = []
    assert box.updates().settle() is None
    box.install(NEW, progress=lambda *now: seen.append(now))
    total = sum(map(len, PARTS["1.1"].values()))
    assert seen[-1] == ("1.1", total, total)
    assert box.updates().describe()["state"] == "armed"
    assert box.boot() == "1.1"
    updates = box.updates()
    assert updates.settle() is None
    assert updates.on_trial
    assert updates.describe()["state"] == "trial"
    updates.commit()
    assert not updates.on_trial
    for _ in range(3):
        assert box.boot() == "1.1"
        assert box.updates().settle() is None
        assert box.updates().describe() == {
            "slot": "b",
            "version": "1.1",
            "state": "committed",
            "last": {
                "outcome": "committed",
                "version": "1.1",
                "slot": "b",
                "reason": "",
                "time": NOW,
            },
            "boot_loader": "grub",
            "slots": {
                "a": {"state": "good", "version": "1.0"},
                "b": {"state": "good", "version": "1.1"},
            },
        }


def test_what_is_at_hand_is_not_fetched(box: Box) -> None:
    """A pipe cannot leave anything out; a file is only asked for what is missing."""

    class Counting(io.BytesIO):
        passed = 0

        def read(self, size: int | None = -1) -> bytes:
            data = super().read(size)
            self.passed += len(data)
            return data

    box.install(NEW)
    box.boot()
    box.updates().commit()
    box.disk.events.clear()
    again = Counting(OLD)  # what slot a holds already
    box.updates().install(PipeSource("pushed", again), downgrade=True)
    written = sum(len(data) for event in box.disk.events if event for data in [event[1]])
    assert written < 40 * SECTOR  # header, label, boot state
    assert box.boot() == "1.0"


def part(box: Box, file: bytes, **options: Any) -> bytes:
    """What a builder sends: the box is given the head and the index, and says what else it lacks."""
    begin = PipeSource("begin", io.BytesIO(label(file)))
    into = io.BytesIO()
    partial.write(io.BytesIO(file), box.updates().wanted(begin, **options), into)
    return into.getvalue()


@pytest.mark.parametrize("before", [("1.0", ""), ("1.0", "1.2"), ("1.0", "1.1")])
def test_a_part_is_enough(before: tuple[str, str], tmp_path: Path) -> None:
    box = Box(installed(*before), tmp_path)
    sent = part(box, NEW)
    assert box.disk.events == []
    # The header of a slot goes first; the rest of what is there already stays.
    most = len(label(NEW)) + (90 if before[1] != "1.1" else 20) * SECTOR
    assert len(sent) < most < len(NEW)
    box.updates().install(partial.open_pipe("pushed", io.BytesIO(sent)))
    assert box.boot() == "1.1"


def test_the_part_of_a_try_that_was_cut_off(box: Box) -> None:
    sent = part(box, NEW)
    with pytest.raises(ReleaseError, match="ends too early"):
        box.updates().install(partial.open_pipe("pushed", io.BytesIO(sent[:-9000])))
    rest = part(box, NEW)
    assert len(rest) < len(sent) - 5000
    box.updates().install(partial.open_pipe("pushed", io.BytesIO(rest)))
    assert box.boot() == "1.1"


def test_a_damaged_slot_that_runs_is_made_up_for(box: Box) -> None:
    sent = part(box, NEW)
    box.updates().slots["a"].root.write(20 * SECTOR, bytes(SECTOR))
    # Found after it was asked what it lacks: the builder sends the whole then.
    with pytest.raises(ReleaseError, match="send the whole"):
        box.updates().install(partial.open_pipe("pushed", io.BytesIO(sent)))
    box.updates().install(partial.open_pipe("pushed", io.BytesIO(NEW)))
    assert box.boot() == "1.1"


def test_what_is_wanted_of_a_release_that_is_refused(box: Box) -> None:
    with pytest.raises(ReleaseError, match=r"older than 1\.0"):
        part(box, sealed(PARTS["1.1"], version="0.9"))
    with pytest.raises(ReleaseError, match="signature does not fit"):
        part(box, release("1.1", key=FOREIGN))
    assert len(part(box, OLD)) < len(label(OLD)) + 100  # it runs: `install` says so
    assert box.disk.events == []


def test_a_release_that_cannot_mount_perm_is_refused(tmp_path: Path) -> None:
    """It would come up without the services' data: not installed, nor gone back to, nor chosen."""
    box = Box(installed("1.2", "1.1"), tmp_path)
    box.perm = ("quota",)
    cause = r"cannot mount this box's /perm \(ext4 with quota\): make it anew"
    for other in (NEW, release("1.1", mounts="casefold")):
        with pytest.raises(ReleaseError, match=cause):
            part(box, other, downgrade=True)
        with pytest.raises(ReleaseError, match=cause):
            box.install(other, downgrade=True)
    last = box.updates().record.last
    assert last and last["outcome"] == "not installed" and "version 1.1" in last["reason"]
    for go in (
        lambda: box.updates().roll_back("somebody went back"),
        lambda: box.updates().set_default("b"),
    ):
        with pytest.raises(ReleaseError, match=cause):
            go()
    assert box.disk.events == []
    assert box.boot() == "1.2"
    box.install(release("1.1", mounts="casefold,quota"), downgrade=True)
    assert box.boot() == "1.1"


def test_a_trial_is_left_for_any_release(tmp_path: Path) -> None:
    """Whatever the one before says of /perm: it is what worked."""
    box = Box(installed("1.0"), tmp_path)
    box.install(NEW)
    assert box.boot() == "1.1"
    box.perm = ("quota",)
    box.updates().roll_back("its services failed")
    assert box.boot() == "1.0"


@pytest.mark.parametrize(
    ("said", "crash", "shown"),
    [
        ("hello is backoff (exit 1)", "", "hello is backoff (exit 1)"),
        ("hello is backoff (exit 1)", "of its restart", "hello is backoff (exit 1)"),
        ("hello is starting...", "", f"{SILENT}; the last that is known: hello is starting..."),
        ("hello is...", "a", "its kernel panicked: a; the last that is known: hello is..."),
        ("", "Fatal", "its kernel panicked: Fatal"),
        ("", "", SILENT),
    ],
)
def test_a_trial_that_is_left_keeps_its_reason(box: Box, said: str, crash: str, shown: str) -> None:
    box.install(NEW, unready=["ntp"])
    assert box.boot() == "1.1"
    updates = box.updates()
    assert updates.record.unready == ["ntp"]
    updates.record.explain(said)
    assert box.boot() == "1.0"
    updates = box.updates()
    last = updates.settle(crash)
    assert last == {
        "outcome": "failed",
        "version": "1.1",
        "slot": "b",
        "reason": shown,
        "time": NOW,
    }
    assert updates.describe()["slots"]["b"] == {"state": "bad", "version": "1.1"}
    assert box.updates().settle() is None
    assert box.updates().describe()["last"] == last
    box.install(NEWER)  # it is tried again with another
    assert box.boot() == "1.2"


@pytest.mark.parametrize(
    ("offset", "reason"),
    [(0, "found no release"), (slot.FIRST * SECTOR, "found its slot damaged")],
)
def test_what_the_boot_loader_cannot_boot_is_named(box: Box, offset: int, reason: str) -> None:
    box.install(NEW)
    area = box.updates().slots["b"].boot
    area.write(offset, bytes(SECTOR) * 4)
    assert box.boot() == "1.0"
    last = box.updates().settle()
    assert last
    assert last["outcome"] == "failed"
    assert reason in last["reason"]


REFUSED = {
    "another key": (release("1.1", key=FOREIGN), "signature does not fit"),
    "another board": (sealed(PARTS["1.1"], version="1.1", board="pi"), "board pi"),
    "a flipped bit": (NEW[:400] + bytes([NEW[400] ^ 1]) + NEW[401:], "signature|JSON"),
    "an older one": (sealed(PARTS["1.1"], version="0.9"), "older than 1.0"),
    "nothing": (b"", "signature"),
    "cut in the index": (NEW[: len(label(NEW)) - ENTRY], "too early"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_before_a_byte_is_written(box: Box, name: str) -> None:
    file, words = REFUSED[name]
    with pytest.raises(ReleaseError, match=words):
        box.install(file)
    assert box.disk.events == []
    assert box.updates().describe()["state"] == "committed"


def test_a_damaged_pack_leaves_the_slot_bad(box: Box) -> None:
    at = len(label(NEW)) + 3000
    with pytest.raises(ReleaseError, match="the hash is wrong"):
        box.install(NEW[:at] + bytes([NEW[at] ^ 1]) + NEW[at + 1 :])
    described = box.updates().describe()
    assert described["state"] == "committed"
    assert described["slots"]["b"] == {"state": "empty", "version": ""}
    assert described["last"]["outcome"] == "not installed"
    assert "the hash is wrong" in described["last"]["reason"]
    assert box.boot() == "1.0"


def test_the_floor_stays_when_the_record_is_lost(box: Box) -> None:
    high = sealed(PARTS["1.1"], version="1.1", number=2, floor="1.1")
    box.install(high)
    box.boot()
    box.updates().commit()
    assert Record(box.path).floor == "1.1"
    for lost in (False, True):
        if lost:
            Path(box.path).unlink()
        with pytest.raises(ReleaseError, match=r"below 1\.1"):
            box.install(OLD, downgrade=True)


def test_what_runs_is_not_installed_again(box: Box) -> None:
    with pytest.raises(RunsAlready, match=r"1\.0 runs already"):
        box.install(OLD)
    assert box.disk.events == []


def test_not_while_a_trial_is_on(box: Box) -> None:
    box.install(NEW)
    box.boot()
    box.disk.events.clear()
    with pytest.raises(ReleaseError, match="slot b is on trial"):
        box.install(NEWER)
    assert box.disk.events == []
    assert box.updates().record.trial


def test_back_by_hand(box: Box) -> None:
    with pytest.raises(DamagedSlot, match="slot b holds no release"):
        box.updates().roll_back("wanted")
    box.install(NEW)
    box.boot()
    assert box.updates().roll_back("wanted") == "a"  # a trial is given up
    assert box.boot() == "1.0"
    assert box.updates().describe()["last"]["reason"] == "wanted"
    box.install(NEW)
    box.boot()
    box.updates().commit()
    assert box.updates().roll_back("wanted") == "a"  # the other one is tried
    assert box.boot() == "1.0"
    assert box.updates().on_trial
    box.updates().commit()
    assert box.boot() == "1.0"


def test_the_default_is_a_whole_slot(box: Box) -> None:
    box.install(NEW)
    box.updates().set_default("b")
    assert box.boot() == "1.1"
    assert box.updates().describe()["state"] == "committed"
    root = box.updates().slots["a"].root
    root.write(50 * SECTOR, bytes(SECTOR))
    with pytest.raises(DamagedSlot, match="slot a: its root is damaged"):
        box.updates().set_default("a")


def test_a_box_without_slots_says_so(box: Box) -> None:
    with pytest.raises(ValueError, match="not booted from a slot"):
        Updates(box.disk, "quiet", Record(box.path))


@pytest.mark.parametrize("number", faults.ERRORS)
def test_a_perm_that_takes_nothing_stops_no_update(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """At every write of the record: the release is installed, tried, committed, and can be left."""
    contents, n = installed("1.0"), 0
    for n, (first, last) in enumerate(faults.every()):
        box = Box(contents, tmp_path / str(n))
        with monkeypatch.context() as patch:
            failing = faults.Faults(patch, str(tmp_path / str(n)), first, last, number)
            box.install(NEW, unready=["ntp"])
            assert box.boot() == "1.1"
            updates = box.updates()
            assert "ntp" in updates.excused
            assert "hello" not in updates.excused
            updates.settle()
            updates.record.explain("hello is starting...")
            updates.commit()
            assert box.boot() == "1.1"
            box.install(NEWER)
            assert box.boot() == "1.2"
            box.updates().settle()
            assert box.boot() == "1.1", "the trial was not committed"
            box.updates().settle()
            assert box.updates().describe()["slots"]["a"] == {"state": "bad", "version": "1.2"}
        if failing.calls < first:
            break
    assert n > 30


@pytest.mark.parametrize("found", ["", "nothing", "others", "a folder"])
def test_a_trials_verdict_does_not_depend_on_what_is_on_perm(box: Box, found: str) -> None:
    """Whatever becomes of the record between the installation and the trial."""
    box.install(NEW, unready=["ntp", "web"])
    path = Path(box.path)
    if found:
        path.unlink()
    if found == "others":
        path.write_text(
            '{"trial": {"slot": "b", "version": "1.1", "unready": ["hello"]}, "floor": "0"}'
        )
    elif found == "a folder":
        path.mkdir()
    assert box.boot() == "1.1"
    updates = box.updates()
    assert [name in updates.excused for name in ("ntp", "web", "hello", "")] == [1, 1, 0, 0]
    updates.commit()
    assert [name in box.updates().excused for name in ("ntp", "hello")] == [0, 0], "no trial is on"


def test_who_goes_back_excuses_what_does_not_work(box: Box) -> None:
    box.install(NEW, unready=["ntp"])
    box.boot()
    box.updates().commit()
    box.updates().roll_back("it is wanted", ["web"])
    Path(box.path).unlink()
    assert box.boot() == "1.0"
    assert [name in box.updates().excused for name in ("ntp", "web")] == [0, 1]
    assert box.updates().version("a") == "1.0", "its label is whole"


def test_a_slot_of_an_older_release_leaves_it_to_the_record(box: Box) -> None:
    box.install(NEW, unready=["ntp"])
    area = box.updates().slots["b"].boot
    last = area.read(area.size - SECTOR, SECTOR)
    area.write(area.size - SECTOR, last[-52:].rjust(SECTOR, b"\0"))
    assert box.boot() == "1.1"
    assert "ntp" in box.updates().excused
    Path(box.path).unlink()
    assert "ntp" not in box.updates().excused


def test_what_is_tried_is_on_record_before_the_slot_is_touched(box: Box) -> None:
    """Afterwards it would be too late to find out that nothing can be written."""
    seen: list[Any] = []

    class Watched(Updates):
        def _installation(self) -> Installation:
            made = super()._installation()
            begin = made.begin

            def looked(*words: Any) -> None:
                seen.append(Record(box.path).trial)
                begin(*words)

            made.begin = looked  # type: ignore[method-assign]
            return made

    box.updates(Watched).install(PipeSource("pushed", io.BytesIO(NEW)), unready=["ntp"])
    assert seen == [{"slot": "b", "version": "1.1", "reason": "", "unready": ["ntp"]}]


# -- power failures ----------------------------------------------------------------------------------------


def cut_off(box: Box, seed: int, every: int, samples: int) -> Counter[str]:
    """Boot each state that a power failure may leave of what was done to the box's disk."""
    seen: Counter[str] = Counter()
    known: dict[bytes, str] = {}
    for state in states(box.disk.before, box.disk.events, every=every, samples=samples, seed=seed):
        key = hashlib.blake2b(state, digest_size=16).digest()
        if key not in known:
            known[key] = boot(on(state))[1]
        seen[known[key]] += 1
    return seen


#: How many states there are at least: 10,000 of all.
LEAST = {"full": 8000, "delta": 1000, "resumed": 1000, "back": 4}


@pytest.mark.parametrize("name", LEAST)
def test_every_power_failure(name: str, tmp_path: Path) -> None:
    """Old or new, whole, from each state; and some of them are updated again."""
    before = installed("1.0", "" if name == "full" else "1.2")
    if name == "resumed":
        work = Box(before, tmp_path / "first")
        work.install(NEW)
        half = on(work.disk.before)
        for event in work.disk.events[: len(work.disk.events) // 2]:
            if event:
                half.write(*event)
        before = bytes(half.bytes)
    box = Box(before, tmp_path)
    if name == "back":
        assert box.updates().roll_back("wanted") == "b"
    else:
        box.install(NEW)
    seen = cut_off(box, 0, 6, 2)
    assert set(seen) == {"1.0", "1.2" if name == "back" else "1.1"}, seen
    assert seen.total() > LEAST[name], seen
    for number, state in enumerate(states(box.disk.before, box.disk.events, samples=3)):
        if number % 400 == 0:
            converges(Box(state, tmp_path / str(number)))


def converges(box: Box) -> None:
    box.updates().settle()
    if box.updates().on_trial:
        box.updates().commit()
    if box.version != "1.1":
        box.install(NEW, downgrade=True)
        assert box.boot() == "1.1"
        box.updates().commit()
    kept = bytes(box.disk.bytes)
    assert box.boot() == "1.1"
    assert bytes(box.disk.bytes) == kept


def test_two_steps_swapped_are_found(tmp_path: Path) -> None:
    """A test of the test: armed before the slot is whole, some state comes up with neither release."""

    class Swapped(Installation):
        def begin(self, boot: Contents, root: Contents) -> None:
            super().begin(boot, root)
            self.boot.head[:] = PARTS["1.1"]["boot"][: len(self.boot.head)]
            self.boot.release()
            self.control.arm(self.target.name, self.running)

        def finish(self, boot: Contents, root: Contents, trials: int = 1) -> str:
            self.root.flush()
            self.boot.release()
            return ""

    class Wrong(Updates):
        def _installation(self) -> Installation:
            return Swapped(self.control, self.slots[self.other], self.running)

    box = Box(installed("1.0", "1.2"), tmp_path)
    box.updates(Wrong).install(PipeSource("pushed", io.BytesIO(NEW)))
    assert isinstance(box.updates().control, Grub)
    assert cut_off(box, 0, 6, 40)[""] > 0
    assert KEY.public in KEYS
