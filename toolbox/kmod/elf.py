"""What a kernel module says of itself: .modinfo, and the symbols that it exports (elf(5))."""

from __future__ import annotations

import struct

from toolbox.errors import Fatal


class Information:
    """The contents of .modinfo by key, each with its values in order, and the exported symbols."""

    __slots__ = ("symbols", "values")

    def __init__(self, image: bytes, path: str) -> None:
        """image: the module, decompressed.  Fatal when it is no ELF file."""
        sections = _sections(image, path)
        self.values: dict[str, list[str]] = {}
        for entry in sections.get(b".modinfo", b"").split(b"\0"):
            key, equals, value = entry.decode("utf-8", "surrogateescape").partition("=")
            if equals:
                self.values.setdefault(key, []).append(value)
        self.symbols = _exported(sections)

    def first(self, key: str) -> str:
        """The first value of a key; "" when there is none."""
        return self.values.get(key, [""])[0]

    @property
    def depends(self) -> list[str]:
        """The modules whose symbols it uses directly."""
        return [name for name in self.first("depends").split(",") if name]


def _sections(image: bytes, path: str) -> dict[bytes, bytes]:
    """The sections that matter, by name."""
    if image[:4] != b"\x7fELF" or len(image) < 64:
        raise Fatal(f"{path}: not an ELF file")
    order = "<" if image[5] == 1 else ">"
    wide = image[4] == 2
    try:
        if wide:
            (at,) = struct.unpack_from(order + "Q", image, 0x28)
            size, count, names = struct.unpack_from(order + "HHH", image, 0x3A)
        else:
            (at,) = struct.unpack_from(order + "I", image, 0x20)
            size, count, names = struct.unpack_from(order + "HHH", image, 0x2E)
        places = []
        for i in range(count):
            head = at + i * size
            (name,) = struct.unpack_from(order + "I", image, head)
            form, where = ("QQ", head + 0x18) if wide else ("II", head + 0x10)
            places.append((name, *struct.unpack_from(order + form, image, where)))
        _, start, length = places[names]
    except (struct.error, IndexError):
        raise Fatal(f"{path}: a broken ELF file") from None
    table = image[start : start + length]
    wanted = (b".modinfo", b".symtab", b".strtab", b"__ksymtab_strings")
    found = {}
    for name, start, length in places:
        text = table[name : table.find(b"\0", name)]
        if text in wanted:
            found[text] = image[start : start + length]
    return found


def _exported(sections: dict[bytes, bytes]) -> list[str]:
    """Names of the exported symbols: each has an entry `__ksymtab_NAME`."""
    strings = sections.get(b".strtab", b"")
    mark = b"\0__ksymtab_"
    found = []
    at = strings.find(mark)
    while at >= 0:
        end = strings.find(b"\0", at + 1)
        name = strings[at + len(mark) : end]
        if name not in (b"strings", b"gpl"):
            found.append(name.decode("ascii", "replace"))
        at = strings.find(mark, end - 1 if end > 0 else len(strings))
    return found
