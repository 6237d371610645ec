"""Partition tables: what we write pleases sgdisk and sfdisk, what they write is read, damage is noticed."""

from __future__ import annotations

import json
import subprocess
import uuid
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.toolbox.storage.memory import Memory
from toolbox.storage import gpt
from toolbox.storage.device import SECTOR, Disk
from toolbox.storage.gpt import MIB, DamagedTable, Partition, Table


def sample(sectors: int = 40 * MIB) -> Table:
    return Table(
        gpt.derived_guid("seed", "disk"),
        [
            Partition(1, "bios", gpt.BIOS_BOOT, gpt.derived_guid("seed", "bios"), MIB, MIB),
            Partition(2, "esp", gpt.EFI_SYSTEM, gpt.derived_guid("seed", "esp"), 2 * MIB, 3 * MIB),
            Partition(8, "pérm", gpt.LINUX, gpt.derived_guid("seed", "p"), 5 * MIB, 30 * MIB, 4),
        ],
        sectors,
    )


def written(table: Table, path: Path) -> Path:
    with path.open("wb") as file:
        file.write(table.begin())
        file.truncate(table.sectors * SECTOR)
        file.seek(-len(table.end()), 2)
        file.write(table.end())
    return path


def on_memory(table: Table) -> Memory:
    disk = Memory(table.sectors * SECTOR)
    disk.write(0, table.begin())
    disk.write(disk.size - len(table.end()), table.end())
    return disk


def facts(table: Table) -> list[object]:
    return [
        table.own,
        table.sectors,
        table.first_usable,
        table.last_usable,
        [(p.number, p.name, p.kind, p.own, p.first, p.sectors, p.attributes) for p in table],
    ]


def run(*argv: str | Path) -> str:
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_other_programs_find_nothing_to_complain_about(tmp_path: Path) -> None:
    path = written(sample(), tmp_path / "disk")
    assert "No problems found." in run("sgdisk", "-v", path)
    assert "No errors detected." in run("sfdisk", "--verify", path)
    found = json.loads(run("sfdisk", "--json", path))["partitiontable"]
    assert found["id"].lower() == gpt.guid_text(gpt.derived_guid("seed", "disk"))
    assert [(p["name"], p["start"], p["size"]) for p in found["partitions"]] == [
        ("bios", MIB, MIB),
        ("esp", 2 * MIB, 3 * MIB),
        ("pérm", 5 * MIB, 30 * MIB),
    ]
    assert found["partitions"][2]["uuid"].lower() == gpt.guid_text(gpt.derived_guid("seed", "p"))


def test_the_tables_of_other_programs_are_read(tmp_path: Path) -> None:
    path = tmp_path / "disk"
    with path.open("wb") as file:
        file.truncate(64 << 20)
    run("sgdisk", "-n", "3:4096:8191", "-c", "3:data", "-t", "3:8300", "-n", "1:0:+1M", path)
    with Disk(str(path)) as disk:
        table = gpt.read(disk)
    assert [(p.number, p.name, p.kind, p.first, p.sectors) for p in table][1] == (
        *(3, "data", gpt.LINUX, 4096, 4096),
    )
    assert table.first_usable == 34
    # And what we make of it is what they wrote.
    assert table.end() == path.read_bytes()[-33 * SECTOR :]
    assert table.begin()[SECTOR:] == path.read_bytes()[SECTOR : 34 * SECTOR]


def test_written_and_read() -> None:
    table = sample()
    assert facts(gpt.read(on_memory(table))) == facts(table)


@pytest.mark.parametrize("lba", [1, 2, 33])
def test_the_copy_takes_the_place_of_a_damaged_table(lba: int) -> None:
    disk = on_memory(sample())
    disk.write(lba * SECTOR, b"\xa5" * SECTOR)
    found = gpt.read(disk)
    assert facts(found) == facts(sample())
    assert found.array == sample().sectors - 33


def test_both_damaged() -> None:
    disk = on_memory(sample())
    disk.write(SECTOR, bytes(SECTOR))
    disk.write(disk.size - 2 * SECTOR, b"x" * SECTOR)
    with pytest.raises(DamagedTable, match=r"no header; at the disk's end: the checksum of the e"):
        gpt.read(disk)
    with pytest.raises(DamagedTable, match="too small"):
        gpt.read(Memory(SECTOR))


@given(st.binary(min_size=1, max_size=92), st.integers(0, 91), st.booleans())
def test_any_header_is_read_or_refused(noise: bytes, at: int, right: bool) -> None:
    """Foreign bytes, some of them with the right checksum."""
    disk = on_memory(sample())
    header = bytearray(disk.read(SECTOR, SECTOR))
    header[at : at + len(noise)] = noise
    header = header[:SECTOR]
    if right:
        size = int.from_bytes(header[12:16], "little")
        crc = zlib.crc32(bytes(header[:16]) + bytes(4) + bytes(header[20:size]))
        header[16:20] = crc.to_bytes(4, "little")
    disk.write(SECTOR, bytes(header))
    disk.write(disk.size - SECTOR, bytes(SECTOR))
    try:
        table = gpt.read(disk)
    except DamagedTable:
        return
    for partition in table:
        assert table.first_usable <= partition.first


@given(st.uuids())
def test_guids_as_the_standard_library_has_them(value: uuid.UUID) -> None:
    assert gpt.guid(str(value)) == value.bytes_le
    assert gpt.guid_text(value.bytes_le) == str(value)


@given(st.text(), st.text(), st.text(), st.text())
def test_derived_guids(seed: str, name: str, other_seed: str, other_name: str) -> None:
    one, two = gpt.derived_guid(seed, name), gpt.derived_guid(other_seed, other_name)
    assert (one == two) == ((seed, name) == (other_seed, other_name))
    made = uuid.UUID(bytes_le=one)
    assert (made.version, made.variant) == (8, uuid.RFC_4122)


def test_names() -> None:
    table = sample()
    assert table.named("esp").number == 2
    with pytest.raises(DamagedTable, match="no partition is called A-root"):
        table.named("A-root")
    with pytest.raises(ValueError, match="36 characters"):
        Partition(1, "x" * 37, gpt.LINUX, bytes(16), 1, 1).encode()
