r"""tr [-cCdst] SET1 [SET2]

Translate, squeeze or delete bytes of standard input.

  -c, -C, --complement   the bytes that are not in SET1
  -d, --delete           delete the bytes of SET1
  -s, --squeeze-repeats  one for several of the same in a row, of the last SET
  -t, --truncate-set1    shorten SET1 to the length of SET2

A SET holds bytes and \\ \a \b \f \n \r \t \v \OOO, ranges a-z, classes [:alpha:], [=x=], and in
SET2 repetitions [x*N]; [x*] fills SET2 up to the length of SET1.
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
    first = expand(os.fsencode(sets[0]), None)
    if opt.complement:
        kept = set(first)
        first = bytes(byte for byte in range(256) if byte not in kept)
    translates = len(sets) == 2 and not opt.delete
    second = expand(os.fsencode(sets[1]), len(first), translates) if len(sets) == 2 else b""
    table = translation(first, second, opt.truncate_set1, opt.complement) if translates else None
    deleted = first if opt.delete else b""
    squeezed = (second or first) if opt.squeeze_repeats else b""
    change(table, deleted, set(squeezed))
    return 0


def translation(first: bytes, second: bytes, truncate: bool, complement: bool) -> bytes:
    """A table for bytes.translate; a shorter SET2 is filled with its last byte (GNU)."""
    if truncate:
        first = first[: len(second)]
    elif not second:
        raise UsageError("when not truncating set1, string2 must be non-empty")
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


def expand(text: bytes, length: int | None, translated: bool = False) -> bytes:
    """The bytes that a SET stands for; `length` is that of SET1, for [x*].

    translated: it is what is translated to, where only the classes lower and upper have an order (POSIX).
    """
    out = bytearray()
    fill: tuple[int, bytes] | None = None
    at = 0
    while at < len(text):
        if text[at : at + 2] in (b"[:", b"[="):
            end = text.find(text[at + 1 : at + 2] + b"]", at + 2)
            if end >= at + 2 and (end > at + 2 or text[at + 1 : at + 2] == b":"):
                if translated and text[at + 1 : end] not in (b":lower", b":upper"):
                    raise UsageError(
                        "when translating, the only character classes that may appear in"
                        " string2 are 'upper' and 'lower'"
                    )
                out += _class(text[at + 1 : at + 2], text[at + 2 : end])
                at = end + 2
                continue
        if text[at : at + 1] == b"[" and length is not None:
            repetition = _repetition(text, at)
            if repetition is not None:
                byte, count, at = repetition
                if count:
                    out += byte * count
                else:
                    fill = (len(out), byte)
                continue
        low, at = _one(text, at)
        if text[at : at + 1] == b"-" and at + 1 < len(text):
            high, at = _one(text, at + 1)
            if high < low:
                raise UsageError(
                    f"range-endpoints of '{chr(low)}-{chr(high)}' are in reverse collating sequence order"
                )
            out += bytes(range(low, high + 1))
        else:
            out.append(low)
    if fill is not None and length is not None:
        place, byte = fill
        out[place:place] = byte * max(0, length - len(out))
    return bytes(out)


def _one(text: bytes, at: int) -> tuple[int, int]:
    """The byte at a place, an escape counted as one, and where it ends."""
    if text[at : at + 1] == b"\\" and at + 1 < len(text):
        value, end = escape(text, at + 1, octal_zero=False)
        # A backslash before any other byte stands for that byte.
        return (value[0], end) if len(value) == 1 else (value[-1], end)
    return text[at], at + 1


def _class(kind: bytes, name: bytes) -> bytes:
    if kind == b"=":
        byte, end = _one(name, 0)
        if end != len(name):
            raise UsageError(
                f"{os.fsdecode(name)}: equivalence class operand must be a single character"
            )
        return bytes([byte])
    found = CLASSES.get(name.decode("ascii", "replace"))
    if found is None:
        raise UsageError(f"invalid character class {os.fsdecode(name)!r}")
    return expand(found.encode(), None)


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
