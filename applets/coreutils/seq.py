"""seq [-w] [-s STRING] [-f FORMAT] [FIRST [INCREMENT]] LAST

Print numbers from FIRST (1) to LAST in steps of INCREMENT (1).

  -s, --separator=STRING  between the numbers (default: a line feed)
  -w, --equal-width       pad with zeros to equal width
  -f, --format=FORMAT     print by a printf format for one floating-point number
"""

from __future__ import annotations

import os

from toolbox.errors import UsageError
from toolbox.options import Options
from toolbox.streams import stdout

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from decimal import Decimal

options = Options(__doc__)

#: Numbers written at a time.
CHUNK = 20_000


def main(argv: list[str]) -> int:
    """GNU seq.  Numbers are decimal, so that 0.1 steps are exact."""
    words = [f"--separator={argv[i]}" if argv[i - 1] == "-s" else argv[i] for i in range(len(argv))]
    words = [word for word in words if word != "-s"]
    # A negative number is no option.
    first = next((i for i, w in enumerate(words) if i and _negative(w)), None)
    if first is not None and "--" not in words[:first]:
        words.insert(first, "--")
    opt, operands = options.parse(words)
    separator = os.fsencode("\n" if opt.separator is None else opt.separator)
    if opt.format is not None and opt.equal_width:
        raise UsageError("a format and equal width exclude each other")
    out = stdout()
    started = False
    for block in numbers(operands, opt.equal_width, opt.format):
        out.write((separator if started else b"") + separator.join(block))
        started = True
    if started:
        out.write(b"\n")
    return 0


def numbers(operands: list[str], equal: bool, form: str | None) -> Iterator[list[bytes]]:
    """The numbers as text, in lists of up to CHUNK."""
    if all(o.removeprefix("-").isdecimal() and o.isascii() for o in operands) and form is None:
        first, step, last = _whole([int(o) for o in operands])
        width = max(len(str(first)), len(str(last))) if equal else 0
        stop = last + (1 if step > 0 else -1)
        if equal and _writes_sign(operands):
            width = max(width, *(len(o) for o in operands))
        text = b"%%0%dd" % width if equal else b"%d"
        span = range(first, stop, step)
        for start in range(0, len(span), CHUNK):
            yield [text % n for n in span[start : start + CHUNK]]
        return
    yield from _decimal(operands, equal, form)


def _decimal(operands: list[str], equal: bool, form: str | None) -> Iterator[list[bytes]]:
    values = [_value(o) for o in operands]
    first = values[0] if len(values) > 1 else _value("1")
    step = values[1] if len(values) > 2 else _value("1")
    last = values[-1]
    if not step:
        raise UsageError(f"invalid Zero increment value: {operands[1]!r}")
    places = max(_places(o) for o in operands[:-1] or ["1"])

    def show(n: Decimal) -> str:
        return _formatted(form, n) if form else f"{n:.{places}f}"

    width = max(len(show(first)), len(show(last))) if equal else 0
    block: list[bytes] = []
    index = 0
    while last.is_infinite() or (
        first + index * step <= last if step > 0 else first + index * step >= last
    ):
        block.append(show(first + index * step).zfill(width).encode())
        index += 1
        if len(block) == CHUNK:
            yield block
            block = []
    if block:
        yield block


def _whole(values: list[int]) -> tuple[int, int, int]:
    first = values[0] if len(values) > 1 else 1
    step = values[1] if len(values) > 2 else 1
    if not step:
        raise UsageError("invalid Zero increment value: '0'")
    return first, step, values[-1]


def _writes_sign(operands: list[str]) -> bool:
    return any(o.startswith("-") or (len(o) > 1 and o.startswith("0")) for o in operands)


def _value(text: str) -> Decimal:
    from decimal import Decimal, InvalidOperation

    try:
        if text.strip() != text or "_" in text or "nan" in text.lower():
            raise InvalidOperation
        if text.lower().lstrip("+-").startswith("0x"):
            return Decimal(float.fromhex(text))
        return Decimal(text)
    except (InvalidOperation, ValueError):
        raise UsageError(f"invalid floating point argument: {text!r}") from None


def _places(text: str) -> int:
    """Digits behind the point, as they are written."""
    mantissa, _, exponent = text.lower().partition("e")
    return max(0, len(mantissa.partition(".")[2]) - int(exponent or 0))


def _formatted(form: str | None, value: Decimal) -> str:
    from toolbox.printf import Template

    return os.fsdecode(Template(os.fsencode(form or "%g")).one_number(float(value)))


def _negative(word: str) -> bool:
    return (
        len(word) > 1
        and word[0] == "-"
        and (word[1].isdecimal() or word[1] == "." or word[1:4] == "inf")
    )
