"""What audit.c has listed: names for it, and the few words that may stay.

A word of the image that points into the C library's heap, an anonymous map or the stack would point nowhere in a
restored process.  Padding of Rust's objects may look so, and is cleared first (layouts.py); what remains is a field, and
an error of the build, unless ALLOWED says why it is harmless.
"""

from __future__ import annotations

import bisect
import fnmatch
import re
import struct
from collections.abc import Container, Iterator
from pathlib import Path

from interpreter.snapshot import layouts
from interpreter.snapshot.heat import GRANULE, HEAP
from interpreter.snapshot.layouts import Layouts
from interpreter.workshop import BuildError, output

#: Which field may dangle (a pattern of the names that `describe` gives), and why that is harmless.  It is cleared:
#: nothing of the recorder's own addresses is in the program.
ALLOWED = {
    "heap cryptography.*.LoadedProviders *._default.* -> [[]heap]": (
        "OpenSSL's default provider: held only for as long as the object lives, which is immortal, and never used;"
        " OpenSSL loads the provider again by itself"
    ),
}

WORD = 8

#: What LLVM appends to the name of a variable that it makes another one of.
SUFFIX = re.compile(r"\.(llvm\.)?\d+$")


class Symbols:
    """The recorder's symbols, by address."""

    def __init__(self, recorder: Path) -> None:
        rows = (line.split() for line in output(["nm", "--defined-only", recorder]).splitlines())
        self._rows = sorted((int(row[0], 16), row[2]) for row in rows if len(row) == 3)
        self._starts = [address for address, _ in self._rows]
        self._addresses = {name: address for address, name in self._rows}

    def address(self, name: str) -> int:
        """Where a symbol is."""
        return self._addresses[name]

    def statics(self, names: Container[str]) -> Iterator[tuple[str, int]]:
        """Of these variables those that are there, and their addresses."""
        for address, name in self._rows:
            plain = SUFFIX.sub("", name)
            if plain in names:
                yield plain, address

    def name(self, address: int) -> str:
        """`symbol` or `symbol+offset`; the address itself when it lies before all of them."""
        index = bisect.bisect_right(self._starts, address) - 1
        if index < 0:
            return hex(address)
        start, name = self._rows[index]
        return f"{name}+{address - start}" if address > start else name


class Image:
    """What the recorder has written, and the fields of Rust's objects in it."""

    def __init__(self, folder: Path, symbols: Symbols) -> None:
        self._folder, self._symbols = folder, symbols
        self._data = bytearray((folder / "data").read_bytes())
        self._heap = bytearray((folder / "heap").read_bytes())
        self._starts = (folder / "starts").read_bytes()
        self._base = symbols.address("snapshot_data")
        #: address of a field of Rust's -> its path in the object
        self.fields: dict[int, str] = {}

    def save(self) -> None:
        """Write it back."""
        (self._folder / "data").write_bytes(self._data)
        (self._folder / "heap").write_bytes(self._heap)

    def word(self, address: int) -> int:
        """The word there; 0 outside."""
        part, at = self._place(address)
        return int(struct.unpack_from("<Q", part, at)[0]) if 0 <= at <= len(part) - WORD else 0

    def clear_word(self, address: int) -> None:
        """Zeros for the word there."""
        part, at = self._place(address)
        part[at : at + WORD] = bytes(WORD)

    def clear_padding(self, known: Layouts) -> None:
        """Clear it in all that has a known layout: static variables, and objects of PyO3's classes."""
        for symbol, address in self._symbols.statics(known.statics):
            if self._base <= address < self._base + len(self._data):
                words = self._clear(known.statics[symbol], address)
                if symbol in known.classes:
                    for type_at in filter(self._is_type, words):
                        for at in self._objects(type_at):
                            self._clear(known.classes[symbol], at)

    def _clear(self, node: layouts.Node, address: int) -> set[int]:
        """Clear the padding of a thing; the words that it holds."""
        part, at = self._place(address)
        words = set()
        for leaf in layouts.clear_padding(node, part, at):
            place = address + leaf.offset - at
            if leaf.size == WORD:
                self.fields[place] = leaf.path
                words.add(self.word(place))
        return words

    def _place(self, address: int) -> tuple[bytearray, int]:
        if address >= HEAP:
            return self._heap, address - HEAP
        return self._data, address - self._base

    def _is_type(self, address: int) -> bool:
        """Whether a type lies there, by its own type."""
        return address >= HEAP and self.word(address + WORD) == self._symbols.address("PyType_Type")

    def _objects(self, type_at: int) -> list[int]:
        """The addresses of the type's objects in the heap."""
        found, pointer = [], struct.pack("<Q", type_at)
        at = self._heap.find(pointer)
        while at >= 0:
            # The type is an object's second word; one that the collector knows has two words before it.
            if any(self._begins(at - WORD - before) for before in (0, 2 * WORD)):
                found.append(HEAP + at - WORD)
            at = self._heap.find(pointer, at + 1)
        return found

    def _begins(self, at: int) -> bool:
        """Whether a block begins at an offset of the heap."""
        granule, rest = divmod(at, GRANULE)
        return at >= 0 and rest == 0 and self._starts[granule // 8] >> granule % 8 & 1 == 1


def check(recorder: Path, folder: Path, known: Layouts) -> None:
    """BuildError that names the culprits, if any word dangles that is not allowed to; the others are cleared.

    folder: what the recorder has written, with audit.c's list in the file `dangling`.
    """
    symbols = Symbols(recorder)
    image = Image(folder, symbols)
    image.clear_padding(known)
    wrong = []
    for line in (folder / "dangling").read_text().splitlines():
        row = line.split()
        address, word = int(row[0], 16), int(row[1], 16)
        if image.word(address) != word:
            continue  # it was padding, or has some
        name = describe(row, symbols, image.fields.get(address, ""))
        if any(fnmatch.fnmatch(name, pattern) for pattern in ALLOWED):
            image.clear_word(address)
        else:
            wrong.append(name)
    if wrong:
        raise BuildError(
            f"{len(wrong)} words of the snapshot point to memory that no restored process has:\n"
            + "\n".join(wrong[:40])
        )
    image.save()


def describe(row: list[str], symbols: Symbols, path: str = "") -> str:
    """`data SYMBOL+OFFSET -> MAP`, or `heap TYPE+OFFSET -> MAP` with the type of the object around the word.

    path: the field's, where the layout is known; it takes the offset's place: `heap TYPE PATH -> MAP`
    """
    at, _, where, block, *words, type_name = row
    if int(at, 16) < HEAP:
        name = symbols.name(int(at, 16))
        return (
            f"data {name.rpartition('+')[0] or name} {path} -> {where}"
            if path
            else f"data {name} -> {where}"
        )
    # An object's second word is its type; one that the collector knows has two words before it.
    # That of a class written in Python lies in the heap, and audit.c has read its name.
    kinds = [symbols.name(int(words[i], 16)) for i in (1, 3)]
    kind = next((name for name in kinds if name.endswith("_Type")), type_name)
    offset = int(at, 16) - int(block, 16)
    return f"heap {kind} {path} -> {where}" if path else f"heap {kind}+{offset} -> {where}"
