"""Sizes as people read them: `1.5K`, blocks of a unit, and the units that --block-size names.

GNU coreutils, "Block size": sizes are rounded up, so that nothing that takes room shows as 0.
"""

from __future__ import annotations

from toolbox.errors import UsageError
from toolbox.options import number

#: What follows a number, by power of the base; base 1000 writes a small k.
_LETTERS = ("", "K", "M", "G", "T", "P", "E", "Z", "Y", "R", "Q")


def human(size: int, base: int = 1024) -> str:
    """A number of bytes in at most four characters: 1023, 1.0K, 9.9M, 10M, 123G.  Rounded up."""
    if size < base:
        return str(size)
    power, unit = 0, 1
    while size >= unit * base:
        unit *= base
        power += 1
    tenths = -(-size * 10 // unit)
    if tenths >= 100:
        whole = -(-size // unit)
        if whole < base:
            return f"{whole}{_letter(power, base)}"
        power, tenths = power + 1, 10
    return f"{tenths // 10}.{tenths % 10}{_letter(power, base)}"


def _letter(power: int, base: int) -> str:
    return "k" if base == 1000 and power == 1 else _LETTERS[power]


class Scale:
    """How sizes are written: in a unit of bytes, or for people (`base` 1024 or 1000; 0: in units)."""

    __slots__ = ("base", "suffix", "unit")

    def __init__(self, unit: int = 1, base: int = 0, suffix: str = "") -> None:
        self.unit = unit
        self.base = base
        self.suffix = suffix

    def show(self, size: int) -> str:
        """A number of bytes in this scale, rounded up."""
        if self.base:
            return human(size, self.base)
        return f"{-(-size // self.unit)}{self.suffix}"


def block_size(text: str) -> Scale:
    """The scale that --block-size=TEXT names: `human-readable`, `si`, `K` (with suffix), `1K`, `512`."""
    if text == "human-readable":
        return Scale(base=1024)
    if text == "si":
        return Scale(base=1000)
    text = text.removeprefix("'")
    if text[:1].isdecimal():
        unit = number(text, "block size")
        suffix = ""
    else:
        unit = number("1" + text, "block size")
        suffix = text
    if unit <= 0:
        raise UsageError(f"invalid block size: {text!r}")
    return Scale(unit, suffix=suffix)
