"""The boot area: where things lie, what its hashes find, and that no bytes make its reader stumble."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.toolbox.storage.memory import Memory
from toolbox.storage import slot
from toolbox.storage.device import SECTOR
from toolbox.storage.slot import DamagedSlot, Header

KERNEL, INITRAMFS = b"kernel" * 1000, b"initramfs" * 333


def area(data: bytes, size: int = 1 << 16) -> Memory:
    disk = Memory(size)
    disk.write(0, data)
    return disk


def sample() -> bytes:
    return slot.boot_area(KERNEL, INITRAMFS, 7, ["quiet", "console=ttyS0,115200"])


def test_where_things_lie() -> None:
    data = sample()
    header = Header.decode(data)
    assert (header.number, header.arguments) == (7, ["quiet", "console=ttyS0,115200"])
    for (first, count), what in ((header.kernel, KERNEL), (header.initramfs, INITRAMFS)):
        assert first * SECTOR % slot.BLOCK == 0
        assert data[first * SECTOR :][: len(what)] == what
        assert 0 <= count * SECTOR - len(what) < SECTOR
        assert not any(data[first * SECTOR + len(what) : (first + count) * SECTOR])
    assert len(data) % slot.BLOCK == 0
    assert data == sample(), "same inputs, same bytes"


def test_its_hashes_are_those_of_md5sum() -> None:
    data = sample()
    text = data[slot.HASHES * SECTOR :][:SECTOR].decode()
    assert text.endswith("\n")
    for line in text.strip().splitlines():
        digest, _, extent = line.partition("  ")
        first, count = map(int, extent.split("+"))
        part = data[first * SECTOR : (first + count) * SECTOR]
        assert hashlib.md5(part).hexdigest() == digest


def test_each_byte_that_counts_is_vouched_for() -> None:
    """Header, hashes, kernel, initramfs: a changed byte of any makes it no slot, or a damaged one."""
    data = sample()
    header = Header.decode(data)
    last = sum(header.initramfs)
    for at in [*range(0, 40, 3), 600, 2047, 2200, 2559, 4096, 9000, last * SECTOR - 1]:
        changed = bytearray(data)
        changed[at] ^= 0x20 if at < 2048 else 1
        found = slot.inspect(area(bytes(changed)))
        assert found is None or not found.whole, at
    good = slot.inspect(area(data))
    assert good and good.whole and good.number == 7


@pytest.mark.parametrize(
    ("area_bytes", "size"),
    [
        (slot.EMPTY, 1 << 16),
        (bytes(4096), 1 << 16),
        (b"\xff" * 4096, 1 << 16),
        (sample()[:8192], 8192),
    ],
    ids=["empty", "zeros", "ones", "cut off"],
)
def test_no_slot(area_bytes: bytes, size: int) -> None:
    assert slot.inspect(area(area_bytes, size)) is None
    with pytest.raises(DamagedSlot):
        slot.check_header(area(area_bytes, size))


@given(st.integers(0, 2600), st.binary(max_size=80))
def test_any_bytes_are_a_slot_or_none(at: int, noise: bytes) -> None:
    data = bytearray(sample())
    data[at : at + len(noise)] = noise
    slot.inspect(area(bytes(data[: 1 << 16])))


@pytest.mark.parametrize("word", ["a b", 'x="y"', "a*", "$x", "", "a\\b", "ä", "a\nb", "[x]", "'"])
def test_words_that_grub_would_change(word: str) -> None:
    with pytest.raises(ValueError, match="cannot pass that on"):
        slot.boot_area(KERNEL, INITRAMFS, 1, [word])


@pytest.mark.parametrize("number", [0, -1, 1 << 31])
def test_numbers_that_grub_cannot_compare(number: int) -> None:
    with pytest.raises(ValueError, match="no release number"):
        slot.boot_area(KERNEL, INITRAMFS, number)


def test_too_many_words() -> None:
    with pytest.raises(ValueError, match="environment block of 2048"):
        slot.boot_area(KERNEL, INITRAMFS, 1, ["x" * 100] * 20)
