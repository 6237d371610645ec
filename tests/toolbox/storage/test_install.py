"""Updates, cut off everywhere: the device comes up with the old release or the new one, whole.

Invariants, for every state that a power failure can leave (crash.py) and the boot after it (machine.py):
the state or its absence leads to a slot; that slot is a release to the last byte; the same update, run
again, succeeds; a committed slot stays it however often the power is cut; with the boot state lost as well,
there still is a whole release.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest

from tests.toolbox.storage import machine
from tests.toolbox.storage.crash import Event, Recorder, states
from tests.toolbox.storage.machine import NEW, OLD, OLDER, boot, control, installed, on, update
from toolbox.storage import bootstate, slot
from toolbox.storage.bootstate import SPARE, STATE, State
from toolbox.storage.device import SECTOR
from toolbox.storage.gpt import read
from toolbox.storage.install import Contents, Installation
from toolbox.storage.slot import DamagedSlot

#: What happens to a disk, from what it is before.
Work = Callable[[Recorder], None]


def recorded(before: bytes, work: Work) -> Recorder:
    disk = Recorder(before)
    work(disk)
    return disk


def half_way() -> bytes:
    """A disk whose update was cut off in the middle of the root."""
    disk = Recorder(installed(OLD))
    update(disk, NEW, "a")
    writes = [i for i, event in enumerate(disk.events) if event is not None]
    left = on(disk.before)
    for event in disk.events[: writes[len(writes) // 2]]:
        if event is not None:
            left.write(*event)
    return bytes(left.bytes)


def trial(left: int = 1) -> bytes:
    """A disk whose update is to be tried; slot b booted."""
    disk = on(installed(OLD, NEW, State("a", "b", left)))
    assert boot(disk)[:3] == ("b", "trial", "new")
    return bytes(disk.bytes)


def lost(contents: bytes) -> bytes:
    """The disk with both sectors of the boot state gone."""
    disk = on(contents)
    partition = bootstate.find(disk, read(disk))
    assert partition
    for at in (STATE, SPARE):
        partition.write(at * SECTOR, bytes(SECTOR))
    return bytes(disk.bytes)


#: name -> the disk before, and what is done with it
SCENARIOS: dict[str, tuple[bytes, Work]] = {
    "full update": (installed(OLD), lambda disk: update(disk, NEW, "a", piece=3)),
    "full update over another release": (
        *(installed(OLD, OLDER), lambda disk: update(disk, NEW, "a")),
    ),
    "into slot a": (installed(OLDER, OLD, State("b")), lambda disk: update(disk, NEW, "b")),
    "delta update": (
        *(installed(OLD, OLDER._replace(root=NEW.root[:6144] + OLDER.root[6144:])),),
        lambda disk: update(disk, NEW, "a", piece=1, reuse=True),
    ),
    "resumed update": (half_way(), lambda disk: update(disk, NEW, "a", reuse=True)),
    "commit": (trial(), lambda disk: control(disk).commit("b")),
    "roll back": (
        *(installed(OLD, NEW, State("a", "b", 0)), lambda disk: control(disk).give_up()),
    ),
    "the committed slot did not boot": (
        *(installed(OLD, None, State("b")), lambda disk: update(disk, NEW, "a")),
    ),
}


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_power_failure(name: str) -> None:
    before, work = SCENARIOS[name]
    disk = recorded(before, work)
    seen: Counter[str] = Counter()
    for number, state in enumerate(states(before, disk.events, every=7, samples=60)):
        left = on(state)
        first = boot(left)
        assert first.release in ("old", "new"), first
        seen[first.release] += 1
        again = boot(on(lost(state)))
        assert again.release in ("old", "new"), again
        if number % 10 == 0:
            converges(left, first)
    assert seen["old"], seen
    assert seen["new"] or name == "roll back", seen


def converges(disk: machine.Memory, first: machine.Boot) -> None:
    """From here the new release gets there, and stays."""
    runs = first
    if runs.word == "trial":
        control(disk).commit(runs.slot)
    if runs.release == "old":
        control(disk).give_up()
        update(disk, NEW, runs.slot, reuse=True)
        runs = boot(disk)
        assert runs.word == "trial"
        control(disk).commit(runs.slot)
    assert runs.release == "new"
    kept = bytes(disk.bytes)
    for _ in range(5):
        assert boot(disk)[:3] == (runs.slot, "committed", "new")
    assert bytes(disk.bytes) == kept, "a boot of a committed slot writes nothing"


def test_ten_thousand_states() -> None:
    """Cut off, begun again, and cut off again: each kind of state of a first failure, then all of a second."""
    before = installed(OLD)
    first = recorded(before, lambda disk: update(disk, NEW, "a"))
    count = 0
    for number, state in enumerate(states(before, first.events, every=4, samples=10)):
        count += 1
        if number % 12:
            continue
        disk = on(state)
        booted = boot(disk)
        if booted.word == "trial":
            control(disk).commit(booted.slot)
        second = recorded(
            bytes(disk.bytes), lambda disk, slot=booted.slot: update(disk, NEW, slot, reuse=True)
        )
        for left in states(second.before, second.events, every=5, samples=40):
            count += 1
            found = boot(on(left))
            assert found.release in ("old", "new"), found
    assert count > 10_000


# -- tests of the test: each wrong order is found --------------------------------------------------------------


class NotTakenOut(Installation):
    """Writes over a slot that a boot loader still takes: when the state is lost, and it is the newest."""

    def begin(self, boot: Contents, root: Contents) -> None:
        self.boot.head[:] = self.boot.area.read(0, len(self.boot.head))


class HeaderAndArmedAtOnce(Installation):
    """Does not wait for the root: the disk may write what comes later first."""

    def finish(self, boot: Contents, root: Contents, trials: int = 1) -> str:
        self.boot.area.write(0, bytes(self.boot.head))
        return self.control.arm(self.target.name, self.running, trials)


class NotReadBack(Installation):
    """Believes that a disk has what it was given."""

    def finish(self, boot: Contents, root: Contents, trials: int = 1) -> str:
        self.boot.release()
        return self.control.arm(self.target.name, self.running, trials)


def wrong(events: list[Event], before: bytes, known: tuple[machine.Release, ...]) -> int:
    """How many states come up with no release, the boot state there or lost."""
    return sum(
        boot(on(view(state)), known).release not in ("older", "old", "new", "newest")
        for state in states(before, events)
        for view in (bytes, lost)
    )


@pytest.mark.parametrize("kind", [Installation, NotTakenOut, HeaderAndArmedAtOnce])
def test_a_wrong_order_is_found(kind: type[Installation]) -> None:
    newest = machine.release("newest", 9)
    before = installed(OLD, newest)
    disk = recorded(before, lambda disk: update(disk, NEW, "a", kind=kind))
    found = wrong(disk.events, before, (OLD, NEW, newest))
    assert (found == 0) == (kind is Installation)


def test_updates_without_flushes_are_found() -> None:
    before = installed(OLD, OLDER)
    disk = recorded(before, lambda disk: update(disk, NEW, "a"))
    events = [event for event in disk.events if event is not None]
    assert wrong([*events, None], before, (OLDER, OLD, NEW)) > 0


def test_a_disk_that_forgets_a_sector_is_noticed_by_reading_back() -> None:
    class Forgetful(Recorder):
        def write(self, offset: int, data: bytes | memoryview) -> None:
            if bytes(data[:SECTOR]) != NEW.root[4096 : 4096 + SECTOR]:
                super().write(offset, data)

    for kind, release in ((Installation, "old"), (NotReadBack, "neither")):
        disk = Forgetful(installed(OLD))
        try:
            update(disk, NEW, "a", kind=kind)
        except DamagedSlot:
            assert kind is Installation
        assert boot(on(bytes(disk.bytes))).release == release


# -- what an installation says ----------------------------------------------------------------------------------


def test_what_was_not_written_as_it_should_be_is_never_armed() -> None:
    disk = on(installed(OLD))
    work = machine.installation(disk, "b", "a")
    sizes = machine.contents(NEW.boot), machine.contents(NEW.root)
    work.begin(*sizes)
    work.boot.write(0, NEW.boot)
    work.root.write(0, NEW.root[:-SECTOR])  # the last sector is missing
    with pytest.raises(DamagedSlot, match="slot b: the root is not what was to be written"):
        work.finish(*sizes)
    assert control(disk).load() == State("a", bad=["b"])
    assert boot(disk)[:3] == ("a", "committed", "old")
    assert slot.inspect(work.target.boot) is None


def test_what_does_not_fit_and_what_runs_are_left_alone() -> None:
    disk = Recorder(installed(OLD))
    large = Contents(machine.BOOT_SECTORS * SECTOR * 9, "0" * 64)
    with pytest.raises(ValueError, match=r"needs 147456 and 10240 bytes, slot b has 16384"):
        machine.installation(disk, "b", "a").begin(large, machine.contents(NEW.root))
    with pytest.raises(ValueError, match="slot a is running"):
        machine.installation(disk, "a", "a").begin(
            machine.contents(NEW.boot), machine.contents(NEW.root)
        )
    assert disk.events == []


def test_no_update_while_a_trial_runs() -> None:
    disk = Recorder(trial())
    with pytest.raises(ValueError, match="slot b is on trial"):
        update(disk, NEW, "b")
    assert disk.events == []


def test_the_header_is_read_where_it_is_held() -> None:
    disk = on(installed(OLD))
    work = machine.installation(disk, "b", "a")
    work.boot.write(3 * SECTOR, b"x" * 10 * SECTOR)
    assert work.boot.read(2 * SECTOR, 12 * SECTOR) == (
        bytes(SECTOR) + b"x" * 10 * SECTOR + bytes(SECTOR)
    )
    assert work.target.boot.read(0, SECTOR) == slot.EMPTY[:SECTOR]
    work.boot.release()
    assert work.target.boot.read(3 * SECTOR, 10 * SECTOR) == b"x" * 10 * SECTOR
