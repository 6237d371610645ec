"""Cutting, the index, the pack and its plan.  Breaks when a shifted byte changes all chunks, or a bound is lost."""

from __future__ import annotations

import hashlib
import io
import random
import struct
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.toolbox.release.factory import noise
from toolbox.release import ReleaseError, chunks, pack
from toolbox.release.chunks import Index

ENTRY = struct.Struct(">32sII")


def cut(data: bytes, average: int = chunks.AVERAGE) -> list[bytes]:
    return list(chunks.cut(io.BytesIO(data).read, average))


@pytest.mark.parametrize("data", [b"", b"x", noise(100_000), bytes(3_000_000), b"abc" * 900_000])
def test_chunks_are_the_data_and_within_bounds(data: bytes) -> None:
    found = cut(data)
    assert b"".join(found) == data
    assert all(len(c) <= chunks.AVERAGE * 4 for c in found)
    assert all(len(c) >= chunks.AVERAGE // 4 for c in found[:-1])


def test_the_average_is_the_average() -> None:
    for average in (1 << 14, 1 << 16):
        data = noise(300 * average)
        assert 0.8 * average < len(data) / len(cut(data, average)) < 1.25 * average


def test_how_the_data_is_read_makes_no_difference() -> None:
    data = noise(3_500_000)
    stream, choose = io.BytesIO(data), random.Random(3)
    assert list(chunks.cut(lambda size: stream.read(choose.randint(1, size)))) == cut(data)


def test_the_cuts_never_change() -> None:
    """A box compares with what an older builder made: other cuts would be a full download."""
    digest = hashlib.sha256(repr([len(c) for c in cut(noise(1_000_000))]).encode()).hexdigest()
    assert digest[:16] == "db37c2e65af0806a"


def test_an_insertion_changes_few_chunks() -> None:
    data = noise(4_000_000)
    changed = data[:1_000_000] + b"some more" + data[1_000_000:2_500_000] + data[2_500_100:]
    old = set(cut(data))
    new = [chunk for chunk in cut(changed) if chunk not in old]
    assert 2 <= len(new) <= 6, [len(c) for c in new]


def test_larger_releases_have_larger_chunks() -> None:
    assert chunks.average_for(60 << 20) == 1 << 14
    for size in (1 << 30, 1 << 33, 1 << 34):
        assert size / chunks.average_for(size) <= chunks.USUAL
        assert chunks.average_for(size) * 4 <= chunks.LARGEST


# -- the index ---------------------------------------------------------------------------------------------


def index_of(*entries: tuple[int, int]) -> bytes:
    return b"".join(ENTRY.pack(bytes([i]) * 32, *entry) for i, entry in enumerate(entries))


def test_an_index_says_where_chunks_belong() -> None:
    index = Index(index_of((5, 5), (3, 2), (4, 4)), {"boot": 8, "root": 4}, 11)
    found = [(c.part, c.offset, c.length, c.packed, c.stored) for c in index]
    assert found == [("boot", 0, 5, 0, 5), ("boot", 5, 3, 5, 2), ("root", 0, 4, 7, 4)]
    assert len(index) == 3


@pytest.mark.parametrize(
    ("data", "pack_size"),
    [
        (index_of((5, 5), (3, 2)), None),
        (index_of((5, 5), (3, 2), (5, 4)), None),
        (index_of((5, 5), (3, 2), (4, 4), (1, 1)), None),
        (index_of((5, 5), (4, 4), (3, 3)), None),
        (index_of((5, 5), (3, 2), (4, 4)), 12),
        (index_of((5, 5), (3, 4), (4, 4)), None),
        (index_of((5, 5), (3, 0), (4, 4)), None),
        (index_of((0, 0), (8, 8), (4, 4)), None),
        (index_of((5, 5), (3, 2), (4, 4))[:-1], None),
        (index_of((2**32 - 1, 5), (3, 2), (4, 4)), None),
        (b"", None),
    ],
)
def test_an_index_that_does_not_fit_is_refused(data: bytes, pack_size: int | None) -> None:
    with pytest.raises(ReleaseError):
        Index(data, {"boot": 8, "root": 4}, pack_size)


def test_an_index_of_too_many_chunks_is_refused() -> None:
    count = chunks.MOST_CHUNKS + 1
    with pytest.raises(ReleaseError):
        Index(index_of((1, 1)) * count, {"root": count})


@given(st.binary(max_size=400), st.integers(0, 1 << 40), st.integers(0, 1 << 40))
def test_any_bytes_are_an_index_or_an_error(data: bytes, one: int, other: int) -> None:
    try:
        index = Index(data, {"boot": one, "root": other})
    except ReleaseError:
        return
    assert sum(c.length for c in index) == one + other


def one(chunk: bytes, stored: bytes) -> chunks.Chunk:
    return next(iter(Index(chunks.entry(chunk, len(stored)), {"root": len(chunk)})))


def deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush()


def test_a_chunk_is_checked_when_it_is_unpacked() -> None:
    data = b"words " * 100
    assert one(data, deflate(data)).unpack(deflate(data)) == data
    assert one(data, data).unpack(data) == data
    for wrong in (deflate(data + b"x"), deflate(data[1:]), deflate(data)[:-1], b"", b"\xff" * 20):
        with pytest.raises(ReleaseError, match="root at 0"):
            one(data, deflate(data)).unpack(wrong)


def test_a_bomb_is_not_unpacked() -> None:
    bomb = deflate(bytes(1 << 26))
    chunk = one(bytes(1000), deflate(bytes(1000)))
    with pytest.raises(ReleaseError):
        chunk.unpack(bomb)


# -- the pack ----------------------------------------------------------------------------------------------


@settings(max_examples=30, deadline=None)
@given(
    st.binary(min_size=1, max_size=3000), st.binary(min_size=1, max_size=30), st.integers(1, 9000)
)
def test_a_pack_gives_back_the_parts(boot: bytes, word: bytes, times: int) -> None:
    contents = {"boot": boot, "root": word * times}
    stored = io.BytesIO()
    files = {name: io.BytesIO(data) for name, data in contents.items()}
    made = pack.write(files, {name: len(data) for name, data in contents.items()}, stored)
    data = stored.getvalue()
    assert hashlib.sha256(data).hexdigest() == made.pack.sha256
    found = dict.fromkeys(contents, b"")
    for chunk in Index(made.index, {n: b.size for n, b in made.parts.items()}, made.pack.size):
        found[chunk.part] += chunk.unpack(data[chunk.packed : chunk.packed + chunk.stored])
    assert found == contents


def test_an_empty_part_is_refused() -> None:
    with pytest.raises(ReleaseError, match="boot"):
        pack.write({"boot": io.BytesIO()}, {"boot": 0}, io.BytesIO())


GAP = pack.GAP


@pytest.mark.parametrize(
    ("missing", "total", "plan"),
    [
        ([], 100, []),
        ([(0, 10), (10, 10)], 1 << 20, [(0, 20)]),
        ([(0, 10), (10 + GAP, 10)], 1 << 20, [(0, 20 + GAP)]),
        ([(0, 10), (11 + GAP, 10)], 1 << 20, [(0, 10), (11 + GAP, 21 + GAP)]),
        ([(5, 10 * GAP), (20 * GAP, 10 * GAP)], 30 * GAP, [(5, 30 * GAP)]),
    ],
)
def test_plans(missing: list[tuple[int, int]], total: int, plan: list[tuple[int, int]]) -> None:
    assert pack.ranges(missing, total) == plan


@given(st.lists(st.tuples(st.integers(0, 200_000), st.integers(1, 60_000)), max_size=600))
def test_a_plan_covers_what_is_missing_in_few_ranges(steps: list[tuple[int, int]]) -> None:
    missing, at = [], 0
    for gap, size in steps:
        missing.append((at + gap, size))
        at += gap + size
    plan = pack.ranges(missing, at)
    assert len(plan) <= pack.MOST_RANGES
    assert plan == sorted(plan)
    for offset, size in missing:
        assert any(start <= offset and offset + size <= stop for start, stop in plan)
