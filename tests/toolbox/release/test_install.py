"""A release from a web server into a slot of a disk: all rooms together, as an updater calls them.

Breaks when the fetcher, the writer and the installation disagree about an offset, a size or a hash.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.toolbox.release.factory import KEYS, TARGET, noise, release, serve
from toolbox.release import slots
from toolbox.release.fetch import Box, Fetch, check, open_release, parse_release
from toolbox.release.sources import HTTPSource
from toolbox.storage import bootstate, gpt, slot
from toolbox.storage.bootstate import State
from toolbox.storage.control import Grub
from toolbox.storage.device import Disk
from toolbox.storage.gpt import MIB
from toolbox.storage.install import Contents, Installation

KERNEL, ROOT = noise(200_000, 5), noise(1 << 20, 6)


def contents(number: int, root: bytes) -> dict[str, bytes]:
    return {"boot": slot.boot_area(KERNEL, b"initramfs" * 500, number), "root": root}


FIRST = contents(1, ROOT)
#: A little is inserted, so that everything behind it lies elsewhere.
SECOND = contents(2, (ROOT[:500_000] + b"!" * 4096 + ROOT[500_000:])[: len(ROOT)])


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    """Slot a holds the first release, with its label; slot b nothing."""
    sizes = {"state": 1, "A-boot": 1, "A-root": 2, "B-boot": 1, "B-root": 2}
    kinds = {"state": bootstate.PARTITION_TYPE}
    partitions, at = [], MIB
    for number, (name, size) in enumerate(sizes.items(), 1):
        kind = kinds.get(name, gpt.LINUX)
        own = gpt.derived_guid("test", name)
        partitions.append(gpt.Partition(number, name, kind, own, at, size * MIB))
        at += size * MIB
    table = gpt.Table(gpt.derived_guid("test", "disk"), partitions, at + MIB)
    path = tmp_path / "disk"
    path.write_bytes(bytes(table.sectors * 512))
    made = Disk(str(path), writable=True)
    made.write(0, table.begin())
    made.write(made.size - len(table.end()), table.end())
    table.named("state").on(made).write(0, bootstate.archive(State("a", bad=["b"])))
    first = slot.Slot.of(made, table, "a")
    first.boot.write(0, FIRST["boot"])
    first.root.write(0, FIRST["root"])
    data = release(FIRST, version="1")
    slots.write_label(first.boot, data[: parse_release(data, KEYS).pack_at])
    return made


def install(disk: Disk, url: str, running: str, after: int | None = None) -> Fetch:
    """What an updater does; `after` so many pieces the power fails."""
    table = gpt.read(disk)
    both = {name: slot.Slot.of(disk, table, name) for name in bootstate.SLOTS}
    target = both["b" if running == "a" else "a"]
    source = HTTPSource(url)
    found = open_release(source, KEYS)
    room = {"boot": target.boot.size, "root": target.root.size}
    check(found.manifest, Box(TARGET, "1", room=room))
    index = found.load_index(source)
    state = bootstate.find(disk, table)
    assert state is not None
    installation = Installation(Grub(state), target, running)
    written = {"boot": installation.boot, "root": installation.root}
    at_hand = [
        slots.have({"boot": one.boot, "root": one.root}, KEYS, target=one is target)
        for one in both.values()
    ]
    parts = [
        Contents(found.manifest.parts[n].size, found.manifest.parts[n].sha256) for n in written
    ]
    installation.begin(*parts)
    haves = [have for have in at_hand if have is not None]
    fetch = Fetch(source, found, index, haves, slots.reader(written))
    writer = slots.SlotWriter(written)
    for number, piece in enumerate(fetch):
        if number == after:
            source.close()
            return fetch
        writer.put(piece)
    writer.close()
    source.close()
    slots.write_label(installation.boot, slots.label(found, index.data))
    installation.finish(*parts)
    return fetch


def test_from_the_web_into_the_other_slot_and_back(disk: Disk) -> None:
    with disk, serve() as server:
        server.files = {"/1": release(FIRST, version="1"), "/2": release(SECOND, version="2")}
        # Cut off twice, then whole: only the chunks that are new come over the wire.
        for after in (3, 40, None):
            fetch = install(disk, f"{server.url}/2", "a", after)
        assert fetch.needed < 200_000
        assert sum(fetch.counts.values()) == len(SECOND["boot"]) + len(SECOND["root"])
        assert fetch.counts["there"] > 0
        table = gpt.read(disk)
        b = slot.Slot.of(disk, table, "b")
        assert b.boot.read(0, len(SECOND["boot"])) == SECOND["boot"]
        assert b.root.read(0, len(SECOND["root"])) == SECOND["root"]
        area = bootstate.find(disk, table)
        assert area is not None
        assert bootstate.load(area) == State("a", "b", 1)
        Grub(area).commit("b")
        # Slot b runs, and a gets a third release: its old chunks serve while it is written over.
        third = contents(3, ROOT[300_000 - 300_000 % 512 :])
        server.files["/3"] = release(third, version="3")
        fetch = install(disk, f"{server.url}/3", "b")
        a = slot.Slot.of(disk, table, "a")
        assert a.root.read(0, len(third["root"])) == third["root"]
        assert fetch.needed < 200_000
        assert slots.parse_label(slots.read_label(a.boot), KEYS).manifest.version == "3"
