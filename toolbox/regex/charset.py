"""Sets of bytes and of UTF-8 characters.

A set of bytes is an int of 256 bits, bit c for byte c.  Characters beyond one byte are sequences: tuples
of such sets, one for each byte.
"""

from __future__ import annotations

from toolbox.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    Sequence = tuple[int, ...]


def span(low: int, high: int) -> int:
    """The bytes from `low` to `high`, both included."""
    return (2 << high) - (1 << low)


ALL = span(0, 255)
ASCII = span(0, 127)
NEWLINE = 1 << 10
UPPER = span(65, 90)
LOWER = span(97, 122)
DIGIT = span(48, 57)
WORD = UPPER | LOWER | DIGIT | 1 << 95
SPACE = span(9, 13) | 1 << 32

#: The sets of [:name:] (POSIX XBD 7.3.1, in the C locale).
CLASSES = {
    b"alpha": UPPER | LOWER,
    b"digit": DIGIT,
    b"alnum": UPPER | LOWER | DIGIT,
    b"upper": UPPER,
    b"lower": LOWER,
    b"space": SPACE,
    b"blank": 1 << 32 | 1 << 9,
    b"punct": span(33, 47) | span(58, 64) | span(91, 96) | span(123, 126),
    b"print": span(32, 126),
    b"graph": span(33, 126),
    b"cntrl": span(0, 31) | 1 << 127,
    b"xdigit": DIGIT | span(65, 70) | span(97, 102),
}

_CONTINUATION = span(0x80, 0xBF)

#: Every UTF-8 character beyond ASCII.  Surrogates and overlong forms pass: no text has them.
WIDE: tuple[Sequence, ...] = (
    (span(0xC2, 0xDF), _CONTINUATION),
    (span(0xE0, 0xEF), _CONTINUATION, _CONTINUATION),
    (span(0xF0, 0xF4), _CONTINUATION, _CONTINUATION, _CONTINUATION),
)

#: Where characters have an upper and a lower case; elsewhere nobody looks for the other one.
_CASED = ((0x80, 0x2E00), (0xA640, 0xAC00), (0xFB00, 0xFF60), (0x10400, 0x1E960))


def class_members(name: bytes) -> int:
    """The set that [:name:] stands for.  UsageError when there is no such class."""
    if name not in CLASSES:
        raise UsageError("Invalid character class name")
    return CLASSES[name]


def fold(narrow: int) -> int:
    """The set with both cases of its ASCII letters."""
    return narrow | (narrow & UPPER) << 32 | (narrow & LOWER) >> 32


def other_cases(low: int, high: int) -> Iterator[int]:
    """The other cases, of one character each and beyond ASCII, of the characters from `low` to `high`."""
    for first, end in _CASED:
        for code in range(max(low, first), min(high + 1, end)):
            c = chr(code)
            for other in (c.lower(), c.upper()):
                if other != c and len(other) == 1 and ord(other) > 127:
                    yield ord(other)


def runs(narrow: int) -> Iterator[tuple[int, int]]:
    """The first and the last byte of each run in a set, in order."""
    at = 0
    while narrow:
        skip = (narrow & -narrow).bit_length() - 1
        narrow >>= skip
        size = (~narrow & narrow + 1).bit_length() - 1
        yield at + skip, at + skip + size - 1
        narrow >>= size
        at += skip + size


def characters(low: int, high: int) -> Iterator[Sequence]:
    """The sequences for the characters from `low` to `high`, which are beyond ASCII."""
    for first, last in ((0x80, 0x7FF), (0x800, 0xFFFF), (0x10000, 0x10FFFF)):
        start, end = max(low, first), min(high, last)
        if start <= end:
            yield from _between(
                chr(start).encode("utf-8", "surrogatepass"),
                chr(end).encode("utf-8", "surrogatepass"),
            )


def _between(low: bytes, high: bytes) -> Iterator[Sequence]:
    if len(low) == 1:
        yield (span(low[0], high[0]),)
        return
    first, last = low[0], high[0]
    least, most = b"\x80" * (len(low) - 1), b"\xbf" * (len(low) - 1)
    if first == last:
        for rest in _between(low[1:], high[1:]):
            yield (1 << first, *rest)
        return
    if low[1:] != least:
        for rest in _between(low[1:], most):
            yield (1 << first, *rest)
        first += 1
    whole = high[1:] == most
    if first <= last - (not whole):
        yield (span(first, last - (not whole)), *(_CONTINUATION,) * len(most))
    if not whole:
        for rest in _between(least, high[1:]):
            yield (1 << last, *rest)


def without(wide: Iterable[Sequence], taken: Iterable[Sequence]) -> tuple[Sequence, ...]:
    """The sequences of `wide` less those of `taken`."""
    left = list(wide)
    for away in taken:
        kept: list[Sequence] = []
        for one in left:
            kept += _difference(one, away) if len(one) == len(away) else [one]
        left = kept
    return tuple(left)


def _difference(one: Sequence, away: Sequence) -> Iterator[Sequence]:
    if not all(a & b for a, b in zip(one, away, strict=True)):
        yield one
        return
    for at in range(len(one)):
        rest = one[at] & ~away[at]
        if rest:
            yield (*(a & b for a, b in zip(one[:at], away[:at], strict=True)), rest, *one[at + 1 :])


def joined(wide: Iterable[Sequence]) -> tuple[Sequence, ...]:
    """The sequences with those joined that differ only in their last byte."""
    endings: dict[Sequence, int] = {}
    for one in wide:
        endings[one[:-1]] = endings.get(one[:-1], 0) | one[-1]
    return tuple((*start, last) for start, last in endings.items())
