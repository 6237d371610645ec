"""What audit.c has listed: names for it, and the few words that may stay.

A word of the image that points into the C library's heap, an anonymous map or the stack would point nowhere in a
restored process.  Each is an error of the build, unless ALLOWED says why it is harmless.
"""

from __future__ import annotations

import bisect
import fnmatch
import struct
from pathlib import Path

from interpreter.snapshot.heat import HEAP
from interpreter.workshop import BuildError, output

#: Where a dangling word may be (a pattern of the names that `describe` gives) -> the bits of it that mean something,
#: and why the others do not.  They are cleared: nothing of the recorder's own addresses is in the program.
ALLOWED = {
    "data *lazy_type_object*TYPE_OBJECT*+64 -> [[]stack]": (
        0xFF,
        "PyO3's cell for a class holds a bool, and after it what the stack held when it was moved there",
    ),
    "heap cryptography.*.LoadedProviders+24 -> [[]stack]": (
        0xFF,
        "the same, beside the bool `legacy`",
    ),
    "heap cryptography.*.LoadedProviders+48 -> [[]heap]": (
        0,
        "OpenSSL's default provider: held only for as long as the object lives, which is immortal, and never used;"
        " OpenSSL loads the provider again by itself",
    ),
}


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

    def name(self, address: int) -> str:
        """`symbol` or `symbol+offset`; the address itself when it lies before all of them."""
        index = bisect.bisect_right(self._starts, address) - 1
        if index < 0:
            return hex(address)
        start, name = self._rows[index]
        return f"{name}+{address - start}" if address > start else name


def check(recorder: Path, folder: Path) -> None:
    """BuildError that names the culprits, if any word dangles that is not allowed to; the others are cleared.

    folder: what the recorder has written, with audit.c's list in the file `dangling`.
    """
    symbols = Symbols(recorder)
    images = {name: bytearray((folder / name).read_bytes()) for name in ("data", "heap")}
    bases = {"data": symbols.address("snapshot_data"), "heap": HEAP}
    wrong = []
    for line in (folder / "dangling").read_text().splitlines():
        row = line.split()
        name = describe(row, symbols)
        bits = next(
            (bits for what, (bits, _) in ALLOWED.items() if fnmatch.fnmatch(name, what)), None
        )
        if bits is None:
            wrong.append(name)
            continue
        at, word = int(row[0], 16), int(row[1], 16)
        image = "heap" if at >= HEAP else "data"
        struct.pack_into("<Q", images[image], at - bases[image], word & bits)
    if wrong:
        raise BuildError(
            f"{len(wrong)} words of the snapshot point to memory that no restored process has:\n"
            + "\n".join(wrong[:40])
        )
    for file, content in images.items():
        (folder / file).write_bytes(content)


def describe(row: list[str], symbols: Symbols) -> str:
    """`data SYMBOL+OFFSET -> MAP`, or `heap TYPE+OFFSET -> MAP` with the type of the object around the word."""
    at, _, where, block, *words, type_name = row
    if int(at, 16) < HEAP:
        return f"data {symbols.name(int(at, 16))} -> {where}"
    # An object's second word is its type; one that the collector knows has two words before it.
    # That of a class written in Python lies in the heap, and audit.c has read its name.
    kinds = [symbols.name(int(words[i], 16)) for i in (1, 3)]
    kind = next((name for name in kinds if name.endswith("_Type")), type_name)
    return f"heap {kind}+{int(at, 16) - int(block, 16)} -> {where}"
