"""What starts touch lies side by side in the program that was built: a cold start reads and unpacks blocks of it."""

from __future__ import annotations

import signal
import struct
from pathlib import Path

from interpreter.snapshot import heat
from interpreter.snapshot.image import LOAD, NOTE, NOTE_HEADER, Elf

#: Bytes of a squashfs's block: as much is unpacked for the first byte that is touched.
BLOCK = 1 << 15


def blocks(program: Path, words: tuple[str, ...], scratch: Path) -> set[int]:
    """The numbers of the blocks of the heap that a run touches, of hundreds; the stack lies far above."""
    seen = heat.accesses(program, words, scratch, scratch / "log")
    heap = range(heat.HEAP, heat.HEAP + (160 << 20))
    return {(one.address - heat.HEAP) // BLOCK for one in seen if one.address in heap}


def test_a_start_touches_few_blocks_of_the_heap(snapshot: Path, tmp_path: Path) -> None:
    """Several more, when an interpreter's cache sends it to old names all over the heap."""
    assert len(blocks(snapshot, ("true",), tmp_path)) <= 8


def test_the_note_names_the_parts_of_the_file_that_starts_touch(
    snapshot: Path, tmp_path: Path
) -> None:
    """Two thirds and more, in a tenth of the file; the rest is the linker's tables, and strings that it has merged."""
    elf = Elf(snapshot.read_bytes())
    _, note = elf.section(NOTE)
    parts = elf.data[note.offset + NOTE_HEADER : note.offset + note.size]
    named = [range(at, at + size) for at, size in struct.iter_unpack("<QQ", parts)]
    assert sum(map(len, named)) < snapshot.stat().st_size / 10
    loaded = [row for row in elf.segments() if row.type == LOAD]
    for words in (("true",), ("-c", heat.REHEARSALS[0].read_text())):
        pages, missed = set[int](), set[int]()
        for one in heat.accesses(snapshot, words, tmp_path, tmp_path / "log"):
            for row in loaded:
                if one.address in range(row.address, row.address + row.file_size):
                    at = one.address - row.address + row.offset
                    pages.add(at // heat.PAGE)
                    if not any(at in part for part in named):
                        missed.add(at // heat.PAGE)
        assert len(missed) < len(pages) * 0.35, words


def test_the_daemons_starts_touch_few_blocks_of_the_heap(snapshot: Path, tmp_path: Path) -> None:
    """Nearly all of these are what the plan has put together."""
    found = set[int]()
    for rehearsal in heat.REHEARSALS:
        found |= blocks(snapshot, ("-c", rehearsal.read_text()), tmp_path)
    assert len(found) <= 80


def test_signals_that_the_build_ignores_change_nothing(snapshot: Path, tmp_path: Path) -> None:
    """A shell's background job ignores two, and sh notices; the program's bytes must not depend on that."""
    words = ("sh", "-c", "for i in 1 2; do echo $i; done")
    expected = heat.accesses(snapshot, words, tmp_path, tmp_path / "log")
    before = {
        number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGQUIT)
    }
    try:
        assert heat.accesses(snapshot, words, tmp_path, tmp_path / "log") == expected
    finally:
        for number, action in before.items():
            signal.signal(number, action)
