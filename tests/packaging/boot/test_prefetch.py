"""What a boot reads ahead of the program.  Breaks when a damaged file is more than a read for nothing."""

from __future__ import annotations

import ctypes
import mmap
import os
import struct
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from snakeroot import first_stage

PAGE = 4096
NAME = b"Snakeroot\0\0\0"


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A program that does as the first stage does with the file that it is told."""
    made = tmp_path_factory.mktemp("prefetch") / "driver"
    here = Path(__file__).with_name("prefetch_driver.c")
    flags = ["-std=gnu11", "-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover"]
    sources = [here, first_stage.SOURCES / "prefetch.c"]
    subprocess.run(["gcc", *flags, "-o", made, *sources], check=True)
    return made


def program(
    parts: bytes,
    *,
    owner: bytes = NAME,
    sizes: tuple[int, int] | None = None,
    table: int = 64,
    count: int = 1,
    at: int = 120,
    size: int | None = None,
) -> bytes:
    """An ELF file with one row in its table of segments, a note; each number can be another than it should be."""
    head = b"\x7fELF\x02\x01\x01" + bytes(9)
    head += struct.pack("<HHIQQQIHHHHHH", 2, 62, 1, 0, table, 0, 0, 64, 56, count, 0, 0, 0)
    note = struct.pack("<III", *(sizes or (10, len(parts))), 1) + owner + parts
    head += struct.pack("<IIQQQQQQ", 4, 4, at, 0, 0, len(note) if size is None else size, 0, 4)
    return (head + note).ljust(PAGE, b"\0")


def resident(path: Path) -> list[bool]:
    """For each page of a file whether it is in memory (mincore(2))."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY) as mapped:
        flags = (ctypes.c_ubyte * -(-len(mapped) // PAGE))()
        start = ctypes.c_char.from_buffer(mapped)
        status = ctypes.CDLL(None).mincore(ctypes.byref(start), ctypes.c_size_t(len(mapped)), flags)
        del start  # it keeps the map from being closed
        assert status == 0
        return [bool(one & 1) for one in flags]


@pytest.fixture
def on_a_disk() -> Iterator[Path]:
    """A folder that is not in memory, as /tmp may be."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        yield Path(folder)


def test_the_parts_are_read_and_no_others(driver: Path, on_a_disk: Path) -> None:
    big = 1 << 20
    path = on_a_disk / "program"
    parts = struct.pack("<6Q", 8 * big + 100, big, 24 * big, PAGE, 0, 0)
    path.write_bytes(program(parts) + bytes(32 * big))
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_RANDOM)
    assert not any(resident(path)), "/var/tmp is in memory itself"
    assert subprocess.run([driver, path], check=False, timeout=60).returncode == 0
    found = resident(path)
    assert all(found[8 * big // PAGE : 9 * big // PAGE + 1])
    assert found[24 * big // PAGE]
    assert not any(found[16 * big // PAGE : 20 * big // PAGE])


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"#!/bin/sh\n".ljust(PAGE), id="script"),
        pytest.param(program(b"")[:200], id="short"),
        pytest.param(program(b"", table=1 << 63), id="table-far-away"),
        pytest.param(program(b"", table=PAGE - 8), id="table-cut-off"),
        pytest.param(program(b"", count=65535), id="many-segments"),
        pytest.param(program(b"", at=PAGE - 4), id="note-cut-off"),
        pytest.param(program(b"", at=(1 << 64) - 8), id="note-far-away"),
        pytest.param(program(b"", size=(1 << 64) - 64), id="large-segment"),
        pytest.param(program(b"x" * 32, sizes=(10, 0xFFFFFFFF)), id="large-note"),
        pytest.param(program(b"x" * 32, sizes=(0xFFFFFFFF, 32)), id="large-name"),
        pytest.param(program(b"x" * 32, owner=b"Somebody\0\0\0\0"), id="another's-note"),
        pytest.param(program(struct.pack("<QQ", (1 << 64) - 1, 1 << 63)), id="part-far-away"),
        pytest.param(program(struct.pack("<QQ", 0, (1 << 64) - 1)), id="large-part"),
        pytest.param(program(b"x" * 7), id="half-a-part"),
    ],
)
def test_another_or_a_damaged_file_does_no_harm(
    driver: Path, tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "program"
    path.write_bytes(content)
    done = subprocess.run([driver, path], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


def test_no_file_does_no_harm(driver: Path, tmp_path: Path) -> None:
    assert subprocess.run([driver, tmp_path / "none"], check=False, timeout=60).returncode == 0
