r"""tr [-cCdst] SET1 [SET2]

Translate, squeeze or delete bytes of standard input.

  -c, -C, --complement   the bytes that are not in SET1
  -d, --delete           delete the bytes of SET1
  -s, --squeeze-repeats  one for several of the same in a row, of the last SET
  -t, --truncate-set1    shorten SET1 to the length of SET2

A SET holds bytes and \\ \a \b \f \n \r \t \v \OOO, ranges a-z, classes [:alpha:], [=x=], and
repetitions [x*N]; [x*] fills SET2 up to the length of SET1.
"""

from __future__ import annotations

import os

from toolbox.errors import UsageError
from toolbox.escapes import escape
from toolbox.options import Options
from toolbox.streams import open_input, stdout

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    #: A part of a SET: "plain", "class", "case" (lower and upper), "equivalence" or "repeat"; its bytes, how often.
    Element = tuple[str, bytes, int]

options = Options(__doc__, permute=False)

#: POSIX's classes in the C locale.
CLASSES = {
    "alnum": "0-9A-Za-z",
    "alpha": "A-Za-z",
    "blank": "\t ",
    "cntrl": "\0-\x1f\x7f",
    "digit": "0-9",
    "graph": "!-~",
    "lower": "a-z",
    "print": " -~",
    "punct": "!-/:-@[-`{-~",
    "space": "\t-\r ",
    "upper": "A-Z",
    "xdigit": "0-9A-Fa-f",
}


def main(argv: list[str]) -> int:
    """POSIX XCU tr, on bytes."""
    opt, sets = options.parse(argv)
    needed = 2 if opt.delete == opt.squeeze_repeats else 1
    if len(sets) < needed:
        raise UsageError(f"missing operand after {sets[-1]!r}: two sets are needed")
    if opt.delete and not opt.squeeze_repeats and len(sets) == 2:
        raise UsageError(f"extra operand {sets[1]!r}: only one set is needed to delete")
    translates = len(sets) == 2 and not opt.delete
    elements = parse(os.fsencode(sets[0]))
    if _fills(elements):
        raise UsageError("the [c*] repeat construct may not appear in string1")
    first = expand(elements, _MOST if translates and not opt.complement else 1)
    if opt.complement:
        kept = set(first)
        first = bytes(byte for byte in range(256) if byte not in kept)
    second, table = b"", None
    if len(sets) == 2:
        others = parse(os.fsencode(sets[1]))
        check(elements, others, first, translates=translates, complement=opt.complement)
        second = expand(others, len(first) if translates else 1, fill_up=translates)
    if translates:
        table = translation(first, second, others, opt.truncate_set1)
        if opt.complement and any(kind in ("class", "case") for kind, _, _ in elements):
            short = opt.truncate_set1 and len(second) < len(first)
            if short or len(second) > len(first) or len(set(second)) > 1:
                raise UsageError(
                    "when translating with complemented character classes,"
                    " string2 must map all characters in the domain to one"
                )
    deleted = first if opt.delete else b""
    squeezed = (second or first) if opt.squeeze_repeats else b""
    change(table, deleted, set(squeezed))
    return 0


def check(
    elements: list[Element],
    others: list[Element],
    first: bytes,
    *,
    translates: bool,
    complement: bool,
) -> None:
    """UsageError for what may not stand in SET2 (`others`) beside this SET1 (POSIX, GNU)."""
    fills = _fills(others)
    if fills > 1:
        raise UsageError("only one [c*] repeat construct may appear in string2")
    if not translates:
        if fills:
            raise UsageError("the [c*] construct may appear in string2 only when translating")
        return
    kinds = [kind for kind, _, _ in others]
    if "equivalence" in kinds:
        raise UsageError("[=c=] expressions may not appear in string2 when translating")
    if "class" in kinds:
        raise UsageError(
            "when translating, the only character classes that may appear in"
            " string2 are 'upper' and 'lower'"
        )
    if complement:
        return
    # A class of one case stands against one of SET1.
    begins = set(_places(elements, 0))
    fill = len(first) - sum(len(text) * times for _, text, times in others)
    if any(at <= len(first) and at not in begins for at in _places(others, max(0, fill))):
        raise UsageError("misaligned [:upper:] and/or [:lower:] construct")


def _fills(elements: list[Element]) -> int:
    return sum(not times for _, _, times in elements)


def _places(elements: list[Element], fill: int) -> list[int]:
    """Where its [:lower:] and [:upper:] begin; `fill`: how often a [x*] stands for its byte."""
    found = []
    at = 0
    for kind, text, times in elements:
        if kind == "case":
            found.append(at)
        at += len(text) * (times or fill)
    return found


def translation(first: bytes, second: bytes, others: list[Element], truncate: bool) -> bytes:
    """A table for bytes.translate; a shorter SET2 is filled with its last byte (GNU)."""
    if truncate:
        first = first[: len(second)]
    elif len(second) < len(first):
        if not second:
            raise UsageError("when not truncating set1, string2 must be non-empty")
        if others[-1][0] == "case":
            raise UsageError(
                "when translating with string1 longer than string2,"
                " the latter string must not end with a character class"
            )
    second = second[: len(first)]
    second += second[-1:] * (len(first) - len(second))
    table = bytearray(range(256))
    for old, new in zip(first, second, strict=True):
        table[old] = new
    return bytes(table)


def change(table: bytes | None, deleted: bytes, squeezed: set[int]) -> None:
    """Copy standard input to standard output: delete, translate, squeeze, in this order."""
    source = open_input("-")
    if source is None:
        return
    out = stdout()
    last = b""
    squeeze = squeezer(squeezed) if squeezed else None
    for block in source.blocks():
        block = block.translate(table, deleted)
        if squeeze is not None and block:
            # A run may go on from the block before.
            if last and last[0] in squeezed:
                block = block.lstrip(last)
            block = squeeze(block)
            last = block[-1:] or last
        out.write(block)
        out.flush()


def squeezer(squeezed: set[int]) -> Callable[[bytes], bytes]:
    """A function that leaves one of several equal bytes in a row, of these bytes."""
    if len(squeezed) <= 64:
        twos = [(bytes([byte]) * 2, bytes([byte])) for byte in sorted(squeezed)]

        def halve(block: bytes) -> bytes:
            for two, one in twos:
                while two in block:
                    block = block.replace(two, one)
            return block

        return halve
    import re

    members = b"".join(re.escape(bytes([byte])) for byte in sorted(squeezed))
    pattern = re.compile(b"([" + members + b"])\\1+", re.DOTALL)
    return lambda block: pattern.sub(b"\\1", block)


#: The longest SET1: a repetition is held in memory.
_MOST = 1 << 24


def expand(elements: list[Element], most: int, *, fill_up: bool = False) -> bytes:
    """The bytes that a SET stands for.

    most: of a repetition, and with fill_up the length up to which [x*] fills.
    """
    fill = most - sum(len(text) * times for _, text, times in elements) if fill_up else 0
    if most == _MOST and any(times > most for _, _, times in elements):
        raise UsageError(f"a repetition in SET1 is longer than {most}")
    return b"".join(text * min(times or max(0, fill), most) for _, text, times in elements)


def parse(text: bytes) -> list[Element]:
    """The parts of a SET; a [x*] has the count 0."""
    elements: list[Element] = []
    at = 0
    while at < len(text):
        opening = text[at : at + 2]
        if opening in (b"[:", b"[="):
            end = text.find(opening[1:] + b"]", at + 2)
            if end >= at + 2 and (end > at + 2 or opening == b"[:"):
                name = text[at + 2 : end]
                if opening == b"[=":
                    elements.append(("equivalence", _equivalence(name), 1))
                else:
                    kind = "case" if name in (b"lower", b"upper") else "class"
                    elements.append((kind, _class(name), 1))
                at = end + 2
                continue
        if opening[:1] == b"[":
            repetition = _repetition(text, at)
            if repetition is not None:
                byte, count, at = repetition
                elements.append(("repeat", byte, count))
                continue
        low, at = _one(text, at)
        high = low
        if text[at : at + 1] == b"-" and at + 1 < len(text):
            high, at = _one(text, at + 1)
            if high < low:
                raise UsageError(
                    f"range-endpoints of '{chr(low)}-{chr(high)}' are in reverse collating sequence order"
                )
        elements.append(("plain", bytes(range(low, high + 1)), 1))
    return elements


def _one(text: bytes, at: int) -> tuple[int, int]:
    """The byte at a place, an escape counted as one, and where it ends."""
    if text[at : at + 1] == b"\\" and at + 1 < len(text):
        value, end = escape(text, at + 1, octal_zero=False)
        # A backslash before any other byte stands for that byte.
        return (value[0], end) if len(value) == 1 else (value[-1], end)
    return text[at], at + 1


def _equivalence(name: bytes) -> bytes:
    byte, end = _one(name, 0)
    if end != len(name):
        raise UsageError(
            f"{os.fsdecode(name)}: equivalence class operand must be a single character"
        )
    return bytes([byte])


def _class(name: bytes) -> bytes:
    found = CLASSES.get(name.decode("ascii", "replace"))
    if found is None:
        raise UsageError(f"invalid character class {os.fsdecode(name)!r}")
    return b"".join(text for _, text, _ in parse(found.encode()))


def _repetition(text: bytes, at: int) -> tuple[bytes, int, int] | None:
    """`[x*N]` at a place: the byte, how often (0: to fill up), and where it ends."""
    if at + 1 >= len(text):
        return None
    byte, after = _one(text, at + 1)
    end = text.find(b"]", after)
    if text[after : after + 1] != b"*" or end < 0:
        return None
    digits = text[after + 1 : end]
    if not digits:
        return bytes([byte]), 0, end + 1
    try:
        if len(digits) > 19 or not digits.isdigit():
            raise ValueError
        return bytes([byte]), int(digits, 8 if digits.startswith(b"0") else 10), end + 1
    except ValueError:
        raise UsageError(
            f"invalid repeat count {os.fsdecode(digits)!r} in [c*n] construct"
        ) from None
