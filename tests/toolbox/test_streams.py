"""Sources and copying.  Breaks when a block loses or doubles bytes, or a line is cut in two."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolbox.errors import Run
from toolbox.streams import Source, copy, inputs, write_all


def pipe_of(data: bytes) -> int:
    """The reading end of a pipe that holds `data` (at most a pipe's 64 KiB)."""
    reader, writer = os.pipe()
    os.write(writer, data)
    os.close(writer)
    return reader


@given(st.lists(st.sampled_from([b"a", b"bb", b"\n", b"\n\n", b"ccc\n"])), st.integers(1, 7))
def test_line_blocks_keep_lines_whole(parts: list[bytes], size: int) -> None:
    data = b"".join(parts)
    with Source(pipe_of(data), "pipe") as source:
        blocks = list(source.line_blocks(size=size))
    assert b"".join(blocks) == data
    assert all(block.endswith(b"\n") for block in blocks[:-1])
    assert all(blocks)


@given(st.binary(max_size=2000).map(lambda b: b.replace(b"\0", b"\n")))
def test_lines_are_those_of_split(data: bytes) -> None:
    with Source(pipe_of(data), "pipe") as source:
        lines = list(source.lines())
    expected = data.split(b"\n")
    assert lines == (expected[:-1] if data.endswith(b"\n") or not data else expected)


def test_a_missing_input_is_warned_of_and_skipped(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    there = tmp_path / "there"
    there.write_bytes(b"x")
    with Run("cat") as run:
        read = [source.read_all() for source in inputs([str(tmp_path / "no"), str(there)])]
    assert read == [b"x"]
    assert run.status == 1
    assert capfd.readouterr().err == f"cat: {tmp_path}/no: No such file or directory\n"


def test_a_folder_as_input_is_warned_of(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with Run("cat") as run:
        assert [source.read_all() for source in inputs([str(tmp_path)])] == [b""]
    assert run.status == 1
    assert capfd.readouterr().err == f"cat: {tmp_path}: Is a directory\n"


@pytest.mark.parametrize("size", [0, 1, 70_000, 3_000_000])
@pytest.mark.parametrize("append", [False, True])
def test_copy_between_files(tmp_path: Path, size: int, append: bool) -> None:
    data = os.urandom(size)
    (tmp_path / "a").write_bytes(data)
    source = os.open(tmp_path / "a", os.O_RDONLY)
    flags = os.O_WRONLY | os.O_CREAT | (os.O_APPEND if append else 0)
    target = os.open(tmp_path / "b", flags)
    assert copy(source, target) == size
    os.close(source)
    os.close(target)
    assert (tmp_path / "b").read_bytes() == data


def test_copy_of_a_part_leaves_the_rest(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"0123456789")
    source = os.open(tmp_path / "a", os.O_RDONLY)
    target = os.open(tmp_path / "b", os.O_WRONLY | os.O_CREAT)
    assert copy(source, target, 4) == 4
    assert os.read(source, 99) == b"456789"
    assert (tmp_path / "b").read_bytes() == b"0123"


def test_copy_of_proc_and_pipes(tmp_path: Path) -> None:
    target = os.open(tmp_path / "b", os.O_WRONLY | os.O_CREAT)
    source = os.open("/proc/self/status", os.O_RDONLY)
    assert copy(source, target) > 100
    assert copy(pipe_of(b"abc"), target) == 3
    assert (tmp_path / "b").read_bytes().endswith(b"abc")


def test_copy_to_a_full_device_raises() -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    with pytest.raises(OSError, match="No space left"):
        copy(pipe_of(b"abc"), full)
    with pytest.raises(OSError, match="No space left"):
        write_all(full, b"abc")
