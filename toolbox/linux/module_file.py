"""What a kernel module's file says of itself: elf(5), its section .modinfo, the symbols it needs and gives.

    module = ModuleFile(path)
    module.information("alias") -> ["pci:v00008086d...", ...]
    module.exports, module.needs

A compressed file is unpacked by its name's ending: .xz, .gz.  zstd is in no library of ours.
"""

from __future__ import annotations

import errno
import os
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

ENDINGS = (".ko", ".ko.xz", ".ko.gz", ".ko.zst")

#: How large a module may become when it is unpacked: a guard against a bomb, far above any module.
_MOST = 1 << 29


class ModuleFormatError(OSError):
    """ENOEXEC for a file that is no kernel module, with its name and the reason."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(errno.ENOEXEC, f"not a kernel module ({reason})", path)


def normalize(name: str) -> str:
    """A module's name as the kernel writes it: `-` is `_`, but not within brackets of an alias's pattern."""
    if "[" not in name:
        return name.replace("-", "_")
    parts = []
    while name:
        outside, bracket, rest = name.partition("[")
        inside, closing, name = rest.partition("]")
        parts.append(outside.replace("-", "_") + bracket + inside + closing)
    return "".join(parts)


def is_module_file(name: str) -> bool:
    """Whether a file's name has one of a module's endings."""
    return name.endswith(ENDINGS)


def module_name(path: str) -> str:
    """The module's name by its file's: `/x/snd-pcm.ko.xz` -> `snd_pcm`."""
    return normalize(os.path.basename(path).partition(".ko")[0])


def read_module(path: str) -> bytes:
    """A module's bytes, unpacked.  OSError; ENOEXEC with a reason when it cannot be unpacked."""
    with open(path, "rb") as file:
        data = file.read()
    try:
        if path.endswith(".xz"):
            import lzma

            unpack = lzma.LZMADecompressor()
            data = unpack.decompress(data, _MOST)
            complete = unpack.eof
        elif path.endswith(".gz"):
            import zlib

            inflate = zlib.decompressobj(31)
            data = inflate.decompress(data, _MOST)
            complete = inflate.eof
        elif path.endswith(".zst"):
            raise ModuleFormatError(path, "compressed with zstd, which is not supported")
        else:
            return data
    except (ValueError, EOFError, ImportError) as error:
        raise ModuleFormatError(path, str(error)) from None
    except Exception as error:
        # lzma.LZMAError and zlib.error derive from Exception alone.
        if isinstance(error, OSError):
            raise
        raise ModuleFormatError(path, str(error)) from None
    if not complete:
        raise ModuleFormatError(path, "its compressed data is cut")
    return data


class ModuleFile:
    """One module's file.  `path` is where it was read from; names of symbols are bytes."""

    def __init__(self, path: str, data: bytes | None = None) -> None:
        """`data`: the unpacked bytes, where they are at hand.  OSError as `read_module`."""
        self.path = path
        self.name = module_name(path)
        self._data = read_module(path) if data is None else data
        try:
            self._sections = dict(self._read_sections())
            raw = self._section(b".modinfo")
            self.modinfo = [entry for entry in raw.split(b"\0") if entry]
            self.exports = self._exported()
            self.needs, self.weak = self._undefined()
        except (struct.error, IndexError, ValueError, OverflowError) as error:
            raise ModuleFormatError(path, f"ELF structure is broken: {error}") from None
        del self._data  # a tree has thousands of modules

    def information(self, key: str) -> list[str]:
        """The values of `key` in .modinfo, in order."""
        start = key.encode() + b"="
        return [os.fsdecode(e[len(start) :]) for e in self.modinfo if e.startswith(start)]

    def _read_sections(self) -> Iterator[tuple[bytes, tuple[int, int, int, int]]]:
        """Name -> (offset, size, link, size of an entry)."""
        data = self._data
        if data[:4] != b"\x7fELF" or len(data) < 52:
            raise ModuleFormatError(self.path, "no ELF file")
        self._wide = data[4] == 2
        self._order = order = ">" if data[5] == 2 else "<"
        if self._wide:
            (table,) = struct.unpack_from(order + "Q", data, 40)
            each, count, names_at = struct.unpack_from(order + "HHH", data, 58)
            layout = struct.Struct(order + "II8x8xQQII8xQ")
        else:
            (table,) = struct.unpack_from(order + "I", data, 32)
            each, count, names_at = struct.unpack_from(order + "HHH", data, 46)
            layout = struct.Struct(order + "II4x4xIIII4xI")
        if not count or each < layout.size:
            raise ModuleFormatError(self.path, "no sections")
        rows = [layout.unpack_from(data, table + i * each) for i in range(count)]
        names = data[rows[names_at][2] : rows[names_at][2] + rows[names_at][3]]
        self._by_number = [(row[2], row[3]) for row in rows]
        for name, kind, offset, size, link, _, entry in rows:
            end = names.find(b"\0", name)
            # SHT_NOBITS has no bytes in the file.
            yield names[name:end], (offset, 0 if kind == 8 else size, link, entry)

    def _section(self, name: bytes) -> bytes:
        offset, size, _, _ = self._sections.get(name, (0, 0, 0, 0))
        return self._data[offset : offset + size]

    def _exported(self) -> list[bytes]:
        """Names in __ksymtab_strings; the section also holds those of symbol namespaces, which are none."""
        found = [name for name in self._section(b"__ksymtab_strings").split(b"\0") if name]
        names = self._section(b".strtab")
        return [name for name in found if b"\0__ksymtab_%b\0" % name in names] or found

    def _undefined(self) -> tuple[list[bytes], list[bytes]]:
        """(needed, weak) symbols that the module leaves to others, in the table's order."""
        table = self._section(b".symtab")
        layout = struct.Struct(self._order + ("IBxH8x8x" if self._wide else "I4x4xBxH"))
        link = self._sections.get(b".symtab", (0, 0, 0, 0))[2]
        offset, size = self._by_number[link]
        names = self._data[offset : offset + size]
        strong: list[bytes] = []
        weak: list[bytes] = []
        usable = len(table) // layout.size * layout.size
        for name, kind, section in layout.iter_unpack(table[:usable]):
            if section == 0 and name:
                # STB_GLOBAL is 1, STB_WEAK is 2
                target = strong if kind >> 4 == 1 else weak
                target.append(names[name : names.index(b"\0", name)])
        return strong, weak
