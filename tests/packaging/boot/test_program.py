"""The first stage as a file, and the archive around it.  Breaks when a flag or the archive's order is lost."""

from __future__ import annotations

import struct
import subprocess
import zlib
from pathlib import Path

import pytest
from snakeroot import first_stage
from snakeroot.host import BuildError


def headers(elf: bytes) -> list[tuple[int, int]]:
    """(type, flags) of each program header (elf(5), 64 bits)."""
    offset, size, number = (
        struct.unpack_from("<Q", elf, 32)[0],
        *struct.unpack_from("<HH", elf, 54),
    )
    return [struct.unpack_from("<II", elf, offset + i * size) for i in range(number)]


def members(archive: bytes) -> list[tuple[str, bytes]]:
    """Name and bytes of each member of a newc archive."""
    found, at = [], 0
    while True:
        assert archive[at : at + 6] == b"070701"
        fields = [int(archive[at + 6 + 8 * i :][:8], 16) for i in range(13)]
        size, length = fields[6], fields[11]
        name = archive[at + 110 : at + 110 + length - 1].decode()
        if name == "TRAILER!!!":
            return found
        start = at + (110 + length + 3) // 4 * 4
        found.append((name, archive[start : start + size]))
        at = (start + size + 3) // 4 * 4


def test_the_compiler_has_nothing_to_complain_about(tmp_path: Path) -> None:
    sources = [str(first_stage.SOURCES / name) for name in first_stage.FILES]
    argv = ["gcc", *first_stage.FLAGS, "-Wall", "-Wextra", "-Wshadow", "-Werror", *sources]
    done = subprocess.run([*argv, "-o", tmp_path / "stage"], capture_output=True, check=False)
    assert done.stderr.decode() == ""
    assert done.returncode == 0


def test_it_is_small_static_and_no_page_is_writable_and_executable() -> None:
    elf = first_stage.program()
    assert len(elf) < 10_000
    kinds = headers(elf)
    interpreter, dynamic, gnu_stack = 3, 2, 0x6474E551
    assert interpreter not in dict(kinds)
    assert dynamic not in dict(kinds)
    assert gnu_stack in dict(kinds), "without it the kernel makes the stack executable"
    for _, flags in kinds:
        assert flags & 3 != 3
    assert b"GCC: " not in elf
    assert b".c\0" not in elf, "no names of sources"


def test_same_sources_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    for number in ("1", "2"):
        monkeypatch.setenv("SNAKEROOT_CACHE", str(tmp_path / number))
        made.append(first_stage.program())
    assert made[0] == made[1]


def test_a_changed_source_is_compiled_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources = tmp_path / "boot"
    sources.mkdir()
    for path in first_stage.SOURCES.glob("*.[ch]"):
        (sources / path.name).write_bytes(path.read_bytes())
    monkeypatch.setattr(first_stage, "SOURCES", sources)
    before = first_stage.program()
    header = sources / "root.h"
    header.write_text(header.read_text() + "/* more */\n")
    with (sources / "stage.c").open("a") as file:
        file.write('const char mark[] __attribute__((used)) = "changed";\n')
    assert first_stage.program() != before


def test_without_the_kernels_headers_the_cure_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SNAKEROOT_CACHE", str(tmp_path))
    monkeypatch.setattr(first_stage, "FLAGS", (*first_stage.FLAGS, "-nostdinc"))
    with pytest.raises(BuildError, match="ended with status 1") as caught:
        first_stage.program()
    assert "linux-libc-dev" in caught.value.hint


def test_the_archive_ends_with_the_list_of_its_modules() -> None:
    modules = {"kernel/z.ko": b"zz", "kernel/brd.ko": b"b", "kernel/a.ko": b"a" * 1000}
    packed = first_stage.initramfs(b"program", modules)
    assert len(packed) % 4 == 0
    found = members(zlib.decompressobj(31).decompress(packed))
    assert found[-1] == (
        "modules.list",
        b"load 2 /modules/z.ko\nram 1 /modules/brd.ko\nload 1000 /modules/a.ko\nend\n",
    )
    assert dict(found)["modules/a.ko"] == b"a" * 1000
    assert dict(found)["init"] == b"program"
    assert [name for name, _ in found].index("init") < 3, "it says what is missing after it"


def test_a_root_follows_as_an_archive_of_its_own() -> None:
    packed = first_stage.initramfs(b"program", {})
    both = first_stage.with_root(packed, b"hsqs" * 100)
    assert both.startswith(packed)
    assert members(both[len(packed) :]) == [("root.img", b"hsqs" * 100)]
