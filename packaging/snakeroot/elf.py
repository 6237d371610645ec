"""What an ELF file says of itself: its machine, and which libraries it needs.  Source: elf(5), gABI chapter 5."""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from pathlib import Path

MAGIC = b"\x7fELF"

_LOAD, _DYNAMIC, _INTERPRETER = 1, 2, 3
_NEEDED, _STRTAB, _RPATH, _RUNPATH = 1, 5, 15, 29
_VERNEED, _VERNEEDNUM = 0x6FFFFFFE, 0x6FFFFFFF


@dataclass(frozen=True)
class Elf:
    """A 64-bit little-endian ELF file.

    machine: e_machine    interpreter: the loader's path, "" for none
    needed: names of libraries (DT_NEEDED)    versions: names like GLIBC_2.34 that it wants of them
    rpath, runpath: folders to look for them in, as they are written, with $ORIGIN
    """

    machine: int
    interpreter: str
    needed: tuple[str, ...]
    versions: frozenset[str]
    rpath: tuple[str, ...] = ()
    runpath: tuple[str, ...] = ()

    def least_glibc(self) -> tuple[int, ...]:
        """The oldest C library that has all it wants: (2, 34); () when it wants none."""
        wanted = [v.removeprefix("GLIBC_") for v in self.versions if v.startswith("GLIBC_2.")]
        return max((numbers(version) for version in wanted), default=())


def numbers(version: str) -> tuple[int, ...]:
    """ "2.36" -> (2, 36), whatever follows the numbers."""
    found = []
    for part in version.split("."):
        digits = part[: len(part) - len(part.lstrip("0123456789"))]
        if not digits:
            break
        found.append(int(digits))
        if digits != part:
            break
    return tuple(found)


def is_elf(path: Path) -> bool:
    """Whether a file begins as ELF files do."""
    with path.open("rb") as file:
        return file.read(4) == MAGIC


def read(path: Path) -> Elf:
    """ValueError for a file that is none of these, or is damaged."""
    data = path.read_bytes()
    if data[:6] != MAGIC + b"\x02\x01":
        raise ValueError("not a 64-bit little-endian ELF file")
    try:
        return _parse(data)
    except (struct.error, IndexError, OverflowError, ValueError):
        raise ValueError("a damaged ELF file") from None


def _parse(data: bytes) -> Elf:
    (machine,) = struct.unpack_from("<H", data, 18)
    (at,) = struct.unpack_from("<Q", data, 32)
    size, count = struct.unpack_from("<HH", data, 54)
    interpreter, dynamic = "", (0, 0)
    loads: list[tuple[int, int, int]] = []
    for place in range(at, at + size * count, size or 1):
        kind, _, offset, address, _, length = struct.unpack_from("<IIQQQQ", data, place)
        if kind == _LOAD:
            loads.append((address, offset, length))
        elif kind == _DYNAMIC:
            dynamic = (offset, length)
        elif kind == _INTERPRETER:
            interpreter = os.fsdecode(data[offset : offset + length].rstrip(b"\0"))
    entries = list(struct.iter_unpack("<QQ", data[dynamic[0] : sum(dynamic) - dynamic[1] % 16]))
    tags = dict(entries)

    def in_file(address: int) -> int:
        for start, offset, length in loads:
            if start <= address < start + length:
                return offset + address - start
        raise IndexError(address)

    strings = in_file(tags[_STRTAB]) if _STRTAB in tags else 0

    def text(index: int) -> str:
        return os.fsdecode(data[strings + index : data.index(b"\0", strings + index)])

    needed = tuple(text(value) for tag, value in entries if tag == _NEEDED)

    def folders(tag: int) -> tuple[str, ...]:
        return tuple(text(tags[tag]).split(":")) if tag in tags else ()

    versions = set()
    if _VERNEED in tags:
        place = in_file(tags[_VERNEED])
        for _ in range(tags.get(_VERNEEDNUM, 0)):
            _, number, _, first, following = struct.unpack_from("<HHIII", data, place)
            one = place + first
            for _ in range(number):
                _, _, _, name, after = struct.unpack_from("<IHHII", data, one)
                versions.add(text(name))
                one += after
                if not after:
                    break
            place += following
            if not following:
                break
    paths = folders(_RPATH), folders(_RUNPATH)
    return Elf(machine, interpreter, needed, frozenset(versions), *paths)
