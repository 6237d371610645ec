"""Parts of releases.  Breaks when a damaged line is taken, or a range's bytes end up in another's place."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolbox.release import ReleaseError, partial
from toolbox.release.partial import MOST, PartialSource, decode, encode, joined, open_pipe, write

WHOLE = bytes(range(256)) * 40


@st.composite
def ranges(draw: st.DrawFn) -> list[tuple[int, int]]:
    """In order, from 0 on, within WHOLE; they may touch."""
    cuts = sorted(draw(st.sets(st.integers(1, len(WHOLE)), min_size=1, max_size=21)))
    bounds = [0, *cuts]
    bounds = bounds[: len(bounds) // 2 * 2]
    return list(zip(bounds[::2], bounds[1::2], strict=True))


def pipe(wanted: list[tuple[int, int]]) -> PartialSource:
    into = io.BytesIO()
    assert write(io.BytesIO(WHOLE), wanted, into) == into.tell()
    into.seek(0)
    source = open_pipe("pushed", into)
    assert isinstance(source, PartialSource)
    return source


@given(ranges())
def test_the_line_there_and_back(wanted: list[tuple[int, int]]) -> None:
    assert decode(encode(wanted)) == wanted
    assert decode(encode(wanted).removesuffix(b"\n")) == wanted


@given(ranges(), st.data())
def test_each_range_gives_its_bytes(wanted: list[tuple[int, int]], data: st.DataObject) -> None:
    source = pipe(wanted)
    for start, stop in wanted:
        if data.draw(st.booleans()):
            continue  # it is passed by
        at = data.draw(st.integers(start, stop - 1))
        source.at(at, stop)
        assert source.exactly(stop - at) == WHOLE[at:stop]
        assert source.read(1) == b""


@given(ranges(), st.integers(0, len(WHOLE)))
def test_what_is_in_no_range_is_said_to_lack(wanted: list[tuple[int, int]], at: int) -> None:
    source = pipe(wanted)
    if any(start <= at < stop for start, stop in wanted):
        source.at(at, None)
        assert source.exactly(1) == WHOLE[at : at + 1]
    else:
        with pytest.raises(ReleaseError, match=f"pushed: lacks what comes at {at}: send the whole"):
            source.at(at, None)


@given(st.binary(max_size=60) | st.from_regex(rb"bytes=[0-9,-]{0,40}\n?", fullmatch=True))
def test_any_line_is_ranges_in_order_or_an_error(line: bytes) -> None:
    try:
        found = decode(line)
    except ReleaseError:
        return
    bounds = [bound for one in found for bound in one]
    assert bounds[0] == 0
    assert bounds == sorted(bounds)
    assert all(start < stop for start, stop in found)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"bytes=",
        b"bytes=5-9",
        b"bytes=0-",
        b"bytes=-5",
        b"bytes=0-9,5-20",
        b"bytes=0-9,30-20",
        b"bytes=0-9999999999999999",
        b"bytes=0-+9",
        b"bytes=0-9,",
        encode([(2 * n, 2 * n + 1) for n in range(MOST + 1)]),
    ],
)
def test_damaged_lines(line: bytes) -> None:
    with pytest.raises(ReleaseError, match="ranges of a release"):
        decode(line)


def test_a_line_without_an_end_is_not_read_for_ever() -> None:
    endless = io.BytesIO(b"bytes=" + b"0" * (1 << 20))
    with pytest.raises(ReleaseError, match="pushed: no ranges of a release"):
        open_pipe("pushed", endless)
    assert endless.tell() <= partial.LONGEST_LINE + 6


@pytest.mark.parametrize("begin", [b"", b"un", b"untrusted comment", b"bytes"])
def test_a_whole_release_is_passed_on_as_it_is(begin: bytes) -> None:
    source = open_pipe("pushed", io.BytesIO(begin))
    source.at(0, 100)
    assert source.read(100) + source.read(100) == begin
    assert source.received == len(begin)


def test_a_pipe_that_ends_too_early() -> None:
    into = io.BytesIO()
    write(io.BytesIO(WHOLE), [(0, 10), (20, 40)], into)
    source = open_pipe("pushed", io.BytesIO(into.getvalue()[:-5]))
    source.at(20, 40)
    with pytest.raises(ReleaseError, match="pushed: ends too early"):
        source.exactly(20)
    with pytest.raises(ReleaseError, match="the release's file is too short"):
        write(io.BytesIO(WHOLE), [(0, len(WHOLE) + 1)], io.BytesIO())


def test_neighbours_are_joined() -> None:
    assert joined([(0, 5), (5, 9), (9, 9), (12, 13)]) == [(0, 9), (12, 13)]
