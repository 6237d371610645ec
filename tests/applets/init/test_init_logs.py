"""Rings, numbering and lines: breaks when a line is lost, doubled, unbounded or out of order."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from applets.init.logs import (
    MAX_LINE,
    RING_BYTES,
    RING_LINES,
    Assembler,
    Logs,
    kernel_record,
    readable,
)


@given(st.lists(st.binary(max_size=50)))
def test_lines_are_the_same_however_they_arrive(blocks: list[bytes]) -> None:
    whole, parts = Assembler(), Assembler()
    expected = whole.feed(b"".join(blocks)) + whole.flush()
    got = [line for block in blocks for line in parts.feed(block)] + parts.flush()
    assert got == expected


def test_a_line_of_a_megabyte_is_cut_and_nothing_of_it_is_held() -> None:
    assembler = Assembler()
    lines = []
    for _ in range(16):
        lines += assembler.feed(b"x" * 65536)
        assert len(assembler.held) <= MAX_LINE
    lines += assembler.feed(b"\nnext\n")
    assert b"".join(lines[:-1]) == b"x" * (1 << 20)
    assert lines[-1] == b"next"
    assert max(map(len, lines)) == MAX_LINE


def test_carriage_returns_and_empty_lines() -> None:
    assert Assembler().feed(b"a\r\n\n b \n") == [b"a", b"", b" b "]


def test_a_talkative_service_displaces_only_itself() -> None:
    logs = Logs()
    logs.add("quiet", b"important", 0.0)
    for number in range(RING_LINES * 2):
        logs.add("loud", str(number).encode(), 1.0)
    assert [line.text for line in logs.read(0, ["quiet"])] == [b"important"]
    assert len(logs.rings["loud"].lines) == RING_LINES
    for _ in range(200):
        logs.add("loud", b"x" * MAX_LINE, 2.0)
    assert logs.rings["loud"].bytes <= RING_BYTES


def test_readers_go_on_where_they_were() -> None:
    logs = Logs()
    for number in range(1000):
        logs.add("ab"[number % 2], str(number).encode(), 0.0)
    seen, place = [], 0
    while found := logs.read(place, most=64):
        seen += found
        place = found[-1].seq
    assert [line.seq for line in seen] == list(range(1, 1001))
    assert [line.text for line in logs.read(990, ["a"])] == [b"990", b"992", b"994", b"996", b"998"]


@pytest.mark.parametrize(
    ("count", "first"), [(0, None), (1, b"9"), (3, b"7"), (10, b"0"), (99, b"0")]
)
def test_tail(count: int, first: bytes | None) -> None:
    logs = Logs()
    for number in range(10):
        logs.add("a", str(number).encode(), 0.0)
    found = logs.read(logs.tail(count))
    assert (found[0].text if found else None) == first


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (b"6,339,5140900,-;NET: Registered\n", (6, 5.1409, b"NET: Registered")),
        (
            b"30,340,5690716,-,caller=T1;udevd[80]: x; y\n SUBSYSTEM=a\n",
            (30, 5.690716, b"udevd[80]: x; y"),
        ),
        (rb"6,1,1000000,-;\x5c_SB_ \xc3\xa4 \xzz \x", (6, 1.0, b"\\_SB_ \xc3\xa4 \\xzz \\x")),
        (b"", None),
        (b"junk", None),
        (b"a,b,c;d", None),
        (b"6;x", None),
    ],
)
def test_kernel_records(record: bytes, expected: object) -> None:
    assert kernel_record(record) == expected


def test_bytes_that_are_no_text_are_shown() -> None:
    assert readable(b"a\xff\xc3\xa4") == "a\\xff\u00e4"
