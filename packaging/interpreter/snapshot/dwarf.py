"""Types and variables out of the debug information of an object file.

Only what tells how types are laid out in memory is kept: of the million entries that a compiler writes, most say where
code came from.  A general reader takes a minute and more for them, this one some seconds.

Source: DWARF Debugging Information Format, versions 4 and 5, sections 7.4 and 7.5; elf(5).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Any

from interpreter.snapshot.image import Elf
from interpreter.workshop import BuildError

#: Tags (DWARF 5, table 7.3).
ARRAY, ENUMERATION, MEMBER, POINTER, STRUCTURE = 0x01, 0x04, 0x0D, 0x0F, 0x13
SUBROUTINE, TYPEDEF, UNION, VARIANT, SUBRANGE, BASE = 0x15, 0x16, 0x17, 0x19, 0x21, 0x24
VARIABLE, VARIANT_PART = 0x34, 0x33
KEPT = {
    *(ARRAY, ENUMERATION, MEMBER, POINTER, STRUCTURE, SUBROUTINE, TYPEDEF, UNION, VARIANT),
    *(SUBRANGE, BASE, VARIABLE, VARIANT_PART),
}

#: Attributes (table 7.5) -> their names here.
NAMES = {
    0x03: "name",
    0x0B: "size",
    0x15: "discriminant",
    0x16: "value",
    0x2F: "upper_bound",
    0x37: "count",
    0x38: "offset",
    0x49: "type",
    0x6E: "symbol",
}

#: Forms (table 7.6) whose values are so many bytes.
FIXED = {
    form: size
    for size, forms in {
        0: (0x19, 0x21),
        1: (0x0B, 0x0C, 0x11, 0x25, 0x29),
        2: (0x05, 0x12, 0x26, 0x2A),
        3: (0x27, 0x2B),
        4: (0x06, 0x0E, 0x10, 0x13, 0x17, 0x1C, 0x1D, 0x1F, 0x28, 0x2C),
        8: (0x01, 0x07, 0x14, 0x20, 0x24),
        16: (0x1E,),
    }.items()
    for form in forms
}
STRING, SIGNED, STRING_AT, LINE_STRING, IMPLICIT = 0x08, 0x0D, 0x0E, 0x1F, 0x21
BLOCKS = {0x03: 2, 0x04: 4, 0x0A: 1, 0x09: 0, 0x18: 0}  # bytes of their length; 0: it is a LEB128
ULEB = {0x0F, 0x15, 0x1A, 0x1B, 0x22, 0x23}
STRING_INDEX = {0x1A, 0x25, 0x26, 0x27, 0x28}
REFERENCES = {0x11, 0x12, 0x13, 0x14, 0x15}  # within the unit

#: A unit that is no part of another (DW_UT_compile).
COMPILED = 1

#: Of a unit: where its strings' offsets begin (DW_AT_str_offsets_base).
STRING_BASE = 0x72

#: Relocations that put down an address: machine (elf.h) -> type -> its size in bytes.
RELOCATIONS = {62: {1: 8, 10: 4}, 183: {257: 8, 258: 4}}


@dataclass
class Entry:
    """An entry: its tag, its attributes by NAMES, and the kept entries that it holds.

    "type" and "discriminant" are offsets of other entries.
    """

    tag: int
    offset: int
    values: dict[str, Any] = field(default_factory=dict)
    inner: list[Entry] = field(default_factory=list)


@dataclass(frozen=True)
class _Abbreviation:
    tag: int
    parent: bool
    attributes: tuple[tuple[int, int, int], ...]  # attribute, form, implicit value


class _Reader:
    """A place in a section."""

    def __init__(self, data: bytes, at: int = 0) -> None:
        self.data, self.at = data, at

    def number(self, size: int) -> int:
        self.at += size
        return int.from_bytes(self.data[self.at - size : self.at], "little")

    def uleb(self) -> int:
        value = shift = 0
        while True:
            byte = self.data[self.at]
            self.at += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7

    def sleb(self) -> int:
        begun = self.at
        value = self.uleb()
        bits = 7 * (self.at - begun)
        return value - (1 << bits) if value >> (bits - 1) else value

    def string(self) -> str:
        end = self.data.index(b"\0", self.at)
        found = self.data[self.at : end].decode()
        self.at = end + 1
        return found


def read(data: bytes) -> dict[int, Entry]:
    """The kept entries of an object file, by their offsets.  BuildError for DWARF that it does not know."""
    elf = Elf(data)
    info = _Reader(_relocated(elf, ".debug_info"))
    strings = _Strings(elf)
    abbreviations = bytes(_content(elf, ".debug_abbrev"))
    found: dict[int, Entry] = {}
    while info.at < len(info.data):
        _read_unit(info, abbreviations, strings, found)
    return found


def _content(elf: Elf, name: str, *, required: bool = True) -> bytearray:
    try:
        _, row = elf.section(name)
    except BuildError:
        if required:
            raise
        return bytearray()
    return elf.data[row.offset : row.offset + row.size]


def _relocated(elf: Elf, name: str, *, required: bool = True) -> bytes:
    """A section with its references to other sections filled in, as if these all lay at 0."""
    content = _content(elf, name, required=required)
    machine = struct.unpack_from("<H", elf.data, 18)[0]
    sizes = RELOCATIONS.get(machine, {})
    for place, info, addend in struct.iter_unpack(
        "<QQq", _content(elf, f".rela{name}", required=False)
    ):
        size = sizes.get(info & 0xFFFFFFFF)
        if size:
            content[place : place + size] = (addend & ((1 << (8 * size)) - 1)).to_bytes(
                size, "little"
            )
    return bytes(content)


def _abbreviations(data: bytes, at: int) -> dict[int, _Abbreviation]:
    reader, found = _Reader(data, at), {}
    while code := reader.uleb():
        tag, parent = reader.uleb(), reader.number(1) == 1
        attributes = []
        while True:
            attribute, form = reader.uleb(), reader.uleb()
            implicit = reader.sleb() if form == IMPLICIT else 0
            if not attribute and not form:
                break
            attributes.append((attribute, form, implicit))
        found[code] = _Abbreviation(tag, parent, tuple(attributes))
    return found


class _Strings:
    """The strings that units refer to."""

    def __init__(self, elf: Elf) -> None:
        self._text = bytes(_content(elf, ".debug_str", required=False))
        self._lines = bytes(_content(elf, ".debug_line_str", required=False))
        self._offsets = _relocated(elf, ".debug_str_offsets", required=False)
        #: Where those of the unit that is read begin.
        self.base = 8

    def string(self, form: int, value: int) -> str:
        """What a value of that form refers to."""
        if form in STRING_INDEX:
            at = self.base + 4 * value
            value = int.from_bytes(self._offsets[at : at + 4], "little")
        return _Reader(self._lines if form == LINE_STRING else self._text, value).string()


def _read_unit(
    reader: _Reader, abbreviations: bytes, strings: _Strings, found: dict[int, Entry]
) -> None:
    """Read one unit, and leave the reader behind it."""
    start = reader.at
    length = reader.number(4)
    if length >= 0xFFFFFFF0:
        raise BuildError("debug information of 64 bits")
    end = reader.at + length
    version = reader.number(2)
    if version == 4:
        at, _ = reader.number(4), reader.number(1)
    elif version == 5:
        kind, _, at = reader.number(1), reader.number(1), reader.number(4)
        if kind != COMPILED:
            reader.at = end
            return
    else:
        raise BuildError(f"debug information of version {version}")
    known = _abbreviations(abbreviations, at)
    outer: list[Entry | None] = []
    while reader.at < end:
        entry = None
        offset = reader.at
        code = reader.uleb()
        if code:
            abbreviation = known[code]
            if abbreviation.tag in KEPT:
                entry = found[offset] = Entry(abbreviation.tag, offset)
                _read_values(reader, abbreviation, start, strings, entry)
                if outer and outer[-1]:
                    outer[-1].inner.append(entry)
            else:
                _skip_values(reader, abbreviation, strings)
            if abbreviation.parent:
                outer.append(entry)
        elif outer:
            outer.pop()
    reader.at = end


def _read_values(
    reader: _Reader, abbreviation: _Abbreviation, start: int, strings: _Strings, entry: Entry
) -> None:
    for attribute, form, implicit in abbreviation.attributes:
        value = _value(reader, form, implicit)
        name = NAMES.get(attribute)
        if name and form in REFERENCES:
            entry.values[name] = start + value
        elif name and (form in STRING_INDEX or form in (STRING_AT, LINE_STRING)):
            entry.values[name] = strings.string(form, value)
        elif name and value is not None:
            entry.values[name] = value


def _skip_values(reader: _Reader, abbreviation: _Abbreviation, strings: _Strings) -> None:
    for attribute, form, implicit in abbreviation.attributes:
        size = FIXED.get(form)
        if attribute == STRING_BASE:
            strings.base = _value(reader, form, implicit)
        elif size is not None:
            reader.at += size
        else:
            _value(reader, form, implicit)


def _value(reader: _Reader, form: int, implicit: int) -> Any:
    """An attribute's value: a number, a string in place, None for a block of bytes."""
    if form == IMPLICIT:
        return implicit
    if form in FIXED:
        return reader.number(FIXED[form])
    if form == STRING:
        return reader.string()
    if form == SIGNED:
        return reader.sleb()
    if form in ULEB:
        return reader.uleb()
    if form in BLOCKS:
        size = reader.number(BLOCKS[form]) if BLOCKS[form] else reader.uleb()
        reader.at += size
        return None
    raise BuildError(f"debug information in the form {form:#x}")
