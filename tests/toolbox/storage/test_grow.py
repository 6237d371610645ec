"""The growing partition: the old table or the new one at every moment, and what is not ours stays as it is."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.toolbox.storage.crash import Recorder, states
from tests.toolbox.storage.memory import Memory
from toolbox.storage import gpt, grow
from toolbox.storage.device import SECTOR
from toolbox.storage.gpt import MIB, Partition, Table

OLD, NEW = 4 * MIB, 7 * MIB + 100


def table(*names: str, first: int = MIB) -> Table:
    made = [
        Partition(n, name, gpt.LINUX, gpt.derived_guid("x", name), first + (n - 1) * 700, 700)
        for n, name in enumerate(names, 1)
    ]
    return Table(gpt.derived_guid("x", "disk"), made, OLD, first_usable=34)


def disk_with(made: Table, sectors: int) -> Memory:
    disk = Memory(sectors * SECTOR)
    disk.write(0, made.begin())
    disk.write(OLD * SECTOR - len(made.end()), made.end())
    return disk


def place(found: Table) -> tuple[int, int]:
    last = found.named("perm")
    return last.first, last.sectors


def test_it_reaches_to_the_last_whole_mebibyte(tmp_path: Path) -> None:
    disk = disk_with(table("root", "perm"), NEW)
    larger = grow.grown(gpt.read(disk), NEW, "perm")
    assert larger
    grow.switch(disk, larger)
    found = gpt.read(disk)
    assert place(found) == (MIB + 700, 6 * MIB - 700)
    assert (found.array, found.sectors) == (gpt.SECOND_ARRAY, NEW)
    path = tmp_path / "disk"
    path.write_bytes(disk.bytes)
    said = subprocess.run(["sgdisk", "-v", path], capture_output=True, text=True, check=True).stdout
    assert "No problems found." in said
    assert grow.grown(found, NEW, "perm") is None, "once is enough"
    assert grow.grown(found, NEW + 10, "perm") is None, "less than a MiB more"
    # And again, to where the array was at first.
    again = grow.grown(found, NEW + 9 * MIB, "perm")
    assert again and again.array == gpt.FIRST_ARRAY


def test_every_power_failure_leaves_the_old_table_or_the_new_one() -> None:
    """GRUB and Linux read the first header only: it is whole at every moment."""
    before = disk_with(table("root", "perm"), NEW)
    old = place(gpt.read(before))
    for _ in range(2):  # from LBA 2 to 34, and back
        disk = Recorder(bytes(before.bytes))
        larger = grow.grown(gpt.read(disk), NEW, "perm")
        assert larger
        grow.switch(disk, larger)
        new = place(gpt.read(disk))
        seen = set()
        for state in states(disk.before, disk.events):
            left = Memory(NEW * SECTOR)
            left.bytes[:] = state
            left.write(NEW * SECTOR - SECTOR, bytes(SECTOR))  # the copy doesn't help
            found = place(gpt.read(left))
            assert found in (old, new)
            seen.add(found)
        assert seen == {old, new}
        before = disk_with(
            Table(larger.own, table("root", "perm").partitions, OLD, array=gpt.SECOND_ARRAY), NEW
        )
        before.write(gpt.SECOND_ARRAY * SECTOR, table("root", "perm").entries())
        before.write(gpt.FIRST_ARRAY * SECTOR, bytes(gpt.ENTRIES * gpt.ENTRY_BYTES))


def test_the_enumeration_finds_a_switch_without_its_flush() -> None:
    """A test of the test: the header before what it tells of."""
    disk = Recorder(bytes(disk_with(table("root", "perm"), NEW).bytes))
    larger = grow.grown(gpt.read(disk), NEW, "perm")
    assert larger
    grow.switch(disk, larger)
    events = [event for event in disk.events if event is not None]
    broken = 0
    for state in states(disk.before, [*events, None]):
        left = Memory(NEW * SECTOR)
        left.bytes[:] = state
        left.write(NEW * SECTOR - SECTOR, bytes(SECTOR))
        try:
            gpt.read(left)
        except gpt.DamagedTable:
            broken += 1
    assert broken


@pytest.mark.parametrize(
    ("made", "sectors"),
    [
        (table("perm", "root"), NEW),  # another is the last one
        (table("root", "perm", first=40), NEW),  # one lies where the second array would
        (table("root", "perm"), OLD),  # nothing to gain
        (table("root", "perm"), OLD - 1),
        (table(), NEW),
    ],
    ids=["not the last", "no room", "same", "smaller", "empty"],
)
def test_left_alone(made: Table, sectors: int) -> None:
    assert grow.grown(made, sectors, "perm") is None
