"""The recorder and what it has recorded -> the program.

The linker has left a place for everything: .snapshot, whose bytes are replaced, and the heap's sections, which are empty
in the file.  They get their contents at its end, and their rows in the tables of segments and sections say so.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from pathlib import Path

from interpreter.workshop import BuildError

PAGE = 4096
LOAD, BITS, NO_BITS = 1, 1, 8  # PT_LOAD, SHT_PROGBITS, SHT_NOBITS

#: The note that says which parts of the file starts touch, as pairs of offset and size; before them is its header.
NOTE, NOTE_HEADER = ".note.snakeroot", 24

#: What the recorder writes -> the section that it goes into.
FILES = {
    "data": ".snapshot",
    "heap": ".snapshot_heap",
    "arena": ".snapshot_arena",
}

#: What starts touch: most of the data, what heat.py has put together, and a beginning of the heap.
TOUCHED = (".snapshot", ".text_of_starts", ".rodata_of_starts", ".snapshot_heap")


@dataclass(frozen=True)
class Section:
    """A row of the table of sections (elf(5), Elf64_Shdr)."""

    name: int
    type: int
    flags: int
    address: int
    offset: int
    size: int
    link: int
    info: int
    align: int
    entry: int

    FORMAT = "<IIQQQQIIQQ"


@dataclass(frozen=True)
class Segment:
    """A row of the table of segments (elf(5), Elf64_Phdr)."""

    type: int
    flags: int
    offset: int
    address: int
    physical: int
    file_size: int
    size: int
    align: int

    FORMAT = "<IIQQQQQQ"


class Elf:
    """An ELF file of 64 bits, little endian, in memory."""

    def __init__(self, data: bytes) -> None:
        if data[:6] != b"\x7fELF\x02\x01":
            raise BuildError("the recorder is no little-endian 64-bit ELF file")
        self.data = bytearray(data)
        self._segments_at, self._sections_at = struct.unpack_from("<QQ", data, 32)
        _, self._segment_count, _, self._section_count, names = struct.unpack_from("<5H", data, 54)
        self._names = self._section(names).offset

    def _section(self, index: int) -> Section:
        size = struct.calcsize(Section.FORMAT)
        return Section(
            *struct.unpack_from(Section.FORMAT, self.data, self._sections_at + index * size)
        )

    def section(self, name: str) -> tuple[int, Section]:
        """The section of that name, and its index.  BuildError when there is none."""
        for index in range(self._section_count):
            row = self._section(index)
            start = self._names + row.name
            if self.data[start : self.data.index(b"\0", start)].decode() == name:
                return index, row
        raise BuildError(f"the recorder has no section {name}")

    def fill(self, name: str, content: bytes) -> None:
        """Give a section with bytes in the file other ones, of the same length."""
        _, row = self.section(name)
        if row.type != BITS or row.size != len(content):
            raise BuildError(f"{name}: {len(content)} bytes were recorded, {row.size} are there")
        self.data[row.offset : row.offset + row.size] = content

    def append(self, name: str, content: bytes) -> None:
        """Give a section that is empty in the file its contents: at the file's end, with a segment of its own.

        Pages of zeros at the end take no room in the file.
        """
        index, row = self.section(name)
        if row.type != NO_BITS or row.size < len(content):
            raise BuildError(f"{name}: there is no room for {len(content)} bytes")
        self.data += bytes(-len(self.data) % PAGE)
        offset = len(self.data)
        kept = len(content.rstrip(b"\0"))
        kept += min(-kept % PAGE, len(content) - kept)
        self.data += content[:kept]
        moved = replace(row, type=BITS, offset=offset, size=kept)
        size = struct.calcsize(Section.FORMAT)
        struct.pack_into(
            Section.FORMAT, self.data, self._sections_at + index * size, *values(moved)
        )
        at, segment = self._segment(row.address)
        grown = replace(segment, offset=offset, file_size=kept, size=len(content), align=PAGE)
        struct.pack_into(Segment.FORMAT, self.data, at, *values(grown))

    def note(self, parts: list[tuple[int, int]]) -> None:
        """Fill in the note.  parts: offsets in the file and sizes."""
        _, row = self.section(NOTE)
        packed = b"".join(struct.pack("<QQ", *part) for part in parts)
        if row.size != NOTE_HEADER + len(packed):
            raise BuildError(f"{NOTE}: there is no room for just {len(parts)} parts")
        self.data[row.offset + NOTE_HEADER : row.offset + row.size] = packed

    def erase(self, address: int, size: int) -> None:
        """Zero bytes that nobody reads any more, for the sake of compression."""
        for row in self.segments():
            if row.type == LOAD and row.address <= address < row.address + row.file_size:
                start = row.offset + address - row.address
                self.data[start : start + size] = bytes(size)

    def segments(self) -> list[Segment]:
        """The table of segments."""
        size = struct.calcsize(Segment.FORMAT) * self._segment_count
        table = self.data[self._segments_at : self._segments_at + size]
        return [Segment(*row) for row in struct.iter_unpack(Segment.FORMAT, table)]

    def _segment(self, address: int) -> tuple[int, Segment]:
        """Where in the file the row of the segment that begins at an address is, and the row."""
        size = struct.calcsize(Segment.FORMAT)
        for index, row in enumerate(self.segments()):
            if row.type == LOAD and row.address == address:
                return self._segments_at + index * size, row
        raise BuildError(f"no segment begins at {address:#x}")


def values(row: Section | Segment) -> list[int]:
    """The row's fields, in the file's order."""
    return [getattr(row, field) for field in row.__dataclass_fields__]


def assemble(recorder: Path, recorded: Path, program: Path, touched: int = 0) -> None:
    """Write the program: the recorder with the files of the folder `recorded` in it.

    touched: how many bytes of the heap, from its beginning, starts touch; 0: that is not known
    """
    elf = Elf(recorder.read_bytes())
    for file, section in FILES.items():
        content = (recorded / file).read_bytes()
        if file == "data":
            elf.fill(section, content)
        else:
            elf.append(section, content)
    for line in (recorded / "dropped").read_text().splitlines():
        address, size = (int(word, 16) for word in line.split())
        elf.erase(address, size)
    if touched:
        *whole, heap = (elf.section(name)[1] for name in TOUCHED)
        parts = [(row.offset, row.size) for row in whole]
        elf.note([*parts, (heap.offset, min(touched, heap.size))])
    program.write_bytes(elf.data)
    program.chmod(0o755)
