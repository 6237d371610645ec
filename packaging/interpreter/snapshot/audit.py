"""What audit.c has listed: names for it, and the few words that may stay.

A word of the image that points into the C library's heap, an anonymous map or the stack would point nowhere in a
restored process.  Each is an error of the build, unless ALLOWED says why it is harmless.
"""

from __future__ import annotations

import bisect
import fnmatch
from pathlib import Path

from interpreter.workshop import BuildError, output

#: Where a dangling word may be (a pattern of the names that `describe` gives) -> why.
ALLOWED: dict[str, str] = {
    "data *lazy_type_object*TYPE_OBJECT*+64 -> [[]stack]": (
        "PyO3's cell for a class holds a bool, and after it what the stack held when it was moved there"
    ),
    "heap cryptography.*.LoadedProviders+24 -> [[]stack]": "the same, beside the bool `legacy`",
    "heap cryptography.*.LoadedProviders+48 -> [[]heap]": (
        "OpenSSL's default provider: held only for as long as the object lives, which is immortal, and never used;"
        " OpenSSL loads the provider again by itself"
    ),
}


class Symbols:
    """The recorder's symbols, by address."""

    def __init__(self, recorder: Path) -> None:
        rows = (line.split() for line in output(["nm", "--defined-only", recorder]).splitlines())
        self._rows = sorted((int(row[0], 16), row[2]) for row in rows if len(row) == 3)
        self._starts = [address for address, _ in self._rows]

    def name(self, address: int) -> str:
        """`symbol` or `symbol+offset`; the address itself when it lies before all of them."""
        index = bisect.bisect_right(self._starts, address) - 1
        if index < 0:
            return hex(address)
        start, name = self._rows[index]
        return f"{name}+{address - start}" if address > start else name


def check(recorder: Path, report: Path) -> None:
    """BuildError that names the culprits, if any word dangles that is not allowed to."""
    symbols = Symbols(recorder)
    found = [describe(line.split(), symbols) for line in report.read_text().splitlines()]
    wrong = [
        line for line in found if not any(fnmatch.fnmatch(line, pattern) for pattern in ALLOWED)
    ]
    if wrong:
        raise BuildError(
            f"{len(wrong)} words of the snapshot point to memory that no restored process has:\n"
            + "\n".join(wrong[:40])
        )


def describe(row: list[str], symbols: Symbols) -> str:
    """`data SYMBOL+OFFSET -> MAP`, or `heap TYPE+OFFSET -> MAP` with the type of the object around the word."""
    at, _, where, block, *words, type_name = row
    if int(at, 16) < 0x40000000:
        return f"data {symbols.name(int(at, 16))} -> {where}"
    # An object's second word is its type; one that the collector knows has two words before it.
    # That of a class written in Python lies in the heap, and audit.c has read its name.
    kinds = [symbols.name(int(words[i], 16)) for i in (1, 3)]
    kind = next((name for name in kinds if name.endswith("_Type")), type_name)
    return f"heap {kind}+{int(at, 16) - int(block, 16)} -> {where}"
