"""Pieces into slots, and labels.  Breaks when a sector is written that loses a neighbour, or a torn label counts."""

from __future__ import annotations

import errno
import io
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.toolbox.release.factory import FOREIGN, KEYS, noise, release
from tests.toolbox.storage.memory import Memory
from toolbox.release import slots
from toolbox.release.fetch import NETWORK, THERE, Fetch, open_release
from toolbox.release.sources import PipeSource
from toolbox.storage.device import SECTOR


class Piece:
    """What SlotWriter looks at of a piece."""

    def __init__(self, offset: int, data: bytes, origin: str) -> None:
        self.part = "root"
        self.offset = offset
        self.length = len(data)
        self.data = b"" if origin == THERE else data
        self.origin = origin


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 3000), st.booleans()), max_size=30),
    st.sampled_from([512, 2048, slots.BUFFER]),
)
def test_any_pieces_arrive(steps: list[tuple[int, bool]], buffer: int) -> None:
    total = sum(size for size, _ in steps)
    wanted = noise(total)
    room = -(-total // SECTOR) * SECTOR + 1024
    disk = Memory(b"\xaa" * room)
    pieces, at = [], 0
    for size, there in steps:
        data = wanted[at : at + size]
        if there:
            disk.bytes[at : at + size] = data
        pieces.append(Piece(at, data, THERE if there else NETWORK))
        at += size
    whole, slots.BUFFER = slots.BUFFER, buffer
    try:
        writer = slots.SlotWriter({"root": disk})
        for piece in pieces:
            writer.put(piece)  # type: ignore[arg-type]
        writer.close()
    finally:
        slots.BUFFER = whole
    assert bytes(disk.bytes[:total]) == wanted
    assert disk.bytes[room - 1024 :] == b"\xaa" * 1024
    if all(there for _, there in steps):
        assert writer.written == 0


def test_reading_at_any_offset() -> None:
    data = noise(4 * SECTOR)
    read = slots.reader({"root": Memory(data)})
    for offset, length in ((0, 1), (511, 2), (512, 512), (1000, 1048), (2040, 100), (5000, 5)):
        assert read("root", offset, length) == data[offset : offset + length]


@given(st.lists(st.tuples(st.integers(0, 9000), st.integers(1, 3000), st.booleans()), max_size=30))
def test_reading_ahead_is_reading(steps: list[tuple[int, int, bool]]) -> None:
    """At any offset, or on from where the last one ended."""
    disk = Memory(noise(16 * SECTOR))
    exactly = slots.reader({"root": disk})
    with mock.patch.object(slots, "AHEAD", 4 * SECTOR):
        read, at = slots.read_ahead({"root": disk}), 0
        for offset, length, on in steps:
            at = at if on else offset
            assert read("root", at, length) == exactly("root", at, length)
            at += length


def test_reading_ahead_takes_few_reads_and_no_neighbours_trouble() -> None:
    class Worn(Memory):
        """A disk whose last sector cannot be read."""

        reads = 0

        def read(self, offset: int, length: int) -> bytes:
            self.reads += 1
            if offset + length > self.size - SECTOR:
                raise OSError(errno.EIO, "worn")
            return super().read(offset, length)

    disk = Worn(noise(3 * slots.AHEAD))
    read, size = slots.read_ahead({"root": disk}), 10000
    for at in range(0, disk.size - SECTOR - size, size):
        assert read("root", at, size) == disk.bytes[at : at + size]
    assert disk.reads < 10 + slots.AHEAD // size  # the rest is read chunk by chunk
    with pytest.raises(OSError, match="worn"):
        read("root", disk.size - 10, 10)


def test_a_label_comes_back_and_tells_what_is_at_hand() -> None:
    contents = {"boot": noise(30 * SECTOR), "root": noise(300 * SECTOR, 2)}
    data = release(contents)
    source = PipeSource("x", io.BytesIO(data))
    found = open_release(source, KEYS)
    index = found.load_index(source)
    devices = {"boot": Memory(bytes(60 * SECTOR)), "root": Memory(bytes(400 * SECTOR))}
    assert slots.have(devices, KEYS) is None
    writer = slots.SlotWriter(devices)
    for piece in Fetch(source, found, index, there=slots.reader(devices)):
        writer.put(piece)
    writer.close()
    label = slots.label(found, index.data)
    slots.write_label(devices["boot"], label)
    assert slots.read_label(devices["boot"]) == label
    assert slots.parse_label(label, KEYS).manifest.version == "1.2"
    at_hand = slots.have(devices, KEYS)
    assert at_hand is not None
    again = Fetch(PipeSource("y", io.BytesIO(data)), found, index, [at_hand])
    assert again.needed == 0
    assert slots.have(devices, [FOREIGN.public]) is None


@pytest.mark.parametrize("place", [-1, -30, -SECTOR - 1, -SECTOR * 2, -SECTOR - 600])
def test_a_damaged_label_is_none(place: int) -> None:
    area = Memory(bytes(20 * SECTOR))
    slots.write_label(area, noise(700))
    assert slots.read_label(area) == noise(700)
    area.bytes[area.size + place] ^= 1
    expected = b"" if place != -SECTOR - 1 else noise(700)  # padding is nobody's
    assert slots.read_label(area) == expected


@given(st.binary(min_size=52, max_size=52), st.integers(0, 4))
def test_any_bytes_are_a_label_or_none(trailer: bytes, sectors: int) -> None:
    area = Memory(bytes(sectors * SECTOR))
    area.bytes[-52:] = trailer if sectors else b""
    assert slots.read_label(area) == b""
    area.bytes[-52:] = (b"snakeroot label\0" + trailer)[:52] if sectors else b""
    assert slots.read_label(area) == b""


@pytest.mark.parametrize(
    "names", [[], ["hello"], [f"a-service-with-a-long-name-{n}" for n in range(slots.MOST_EXCUSED)]]
)
def test_who_is_excused(names: list[str]) -> None:
    area = Memory(40 * SECTOR)
    assert slots.read_excused(area) is None
    slots.write_label(area, noise(700))
    assert (found := slots.read_excused(area)) is not None
    assert "hello" not in found
    for write in (
        lambda: slots.write_label(area, noise(900), names),
        lambda: slots.write_excused(area, names),
    ):
        write()
        assert slots.read_label(area) == noise(900)
        assert (found := slots.read_excused(area)) is not None
        assert all(name in found for name in names)
        assert not any(other in found for other in ("other", "", "HELLO", "\ud800", 1))


def test_too_many_to_be_excused_are_not() -> None:
    area = Memory(40 * SECTOR)
    names = [f"{n}" for n in range(300)]
    slots.write_label(area, noise(700), names)
    assert slots.read_label(area) == noise(700)
    assert (found := slots.read_excused(area)) is not None
    assert [name in found for name in names] == [n < slots.MOST_EXCUSED for n in range(300)]
