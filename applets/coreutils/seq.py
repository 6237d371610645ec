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
    from collections.abc import Callable, Iterator
    from decimal import Decimal

    Write = Callable[[float], bytes]

options = Options(__doc__)

#: Numbers written at a time.
CHUNK = 20_000


def main(argv: list[str]) -> int:
    """GNU seq.  Numbers are decimal, so that 0.1 steps are exact."""
    opt, operands = options.parse(with_operands_marked(argv))
    separator = os.fsencode("\n" if opt.separator is None else opt.separator)
    if opt.format is not None and opt.equal_width:
        raise UsageError("a format and equal width exclude each other")
    write = formatter(opt.format) if opt.format is not None else None
    out = stdout()
    started = False
    for block in numbers(operands, opt.equal_width, write):
        out.write((separator if started else b"") + separator.join(block))
        started = True
    if started:
        out.write(b"\n")
    return 0


def with_operands_marked(argv: list[str]) -> list[str]:
    """The words with `--` before the first negative number, which is an operand and no option."""
    for i in range(1, len(argv)):
        before = argv[i - 1] if i > 1 else ""
        if argv[i] == "--":
            break
        takes = before in ("--separator", "--format") or (
            before[:1] == "-" and before[1:2] != "-" and before[-1:] in ("s", "f")
        )
        if _negative(argv[i]) and not takes:
            return [*argv[:i], "--", *argv[i:]]
    return argv


def formatter(form: str) -> Write:
    """What writes a number by a format, in which a backslash is one (GNU).

    UsageError unless it has exactly one directive, for a floating-point number.
    """
    import re

    from toolbox.printf import Arguments, Directive, convert

    found = re.match(r"((?:[^%]|%%)*+)(%[-+ #0']*[0-9]*(?:\.[0-9]*)?)L?(.?)(.*)", form, re.DOTALL)
    if found is None:
        raise UsageError(f"format {form!r} has no % directive")
    before, start, letter, after = found.groups()
    if not letter:
        raise UsageError(f"format {form!r} ends in %")
    if letter not in "aAeEfFgG":
        raise UsageError(f"format {form!r} has unknown %{letter} directive")
    if "%" in after.replace("%%", ""):
        raise UsageError(f"format {form!r} has too many % directives")
    try:
        directive = Directive(os.fsencode(start.replace("'", "") + letter))
    except ValueError as error:
        raise UsageError(f"format {form!r}: {error}") from None
    head, tail = (os.fsencode(text.replace("%%", "%")) for text in (before, after))
    return lambda value: head + convert(directive, Arguments([repr(value)])) + tail


def numbers(operands: list[str], equal: bool, write: Write | None) -> Iterator[list[bytes]]:
    """The numbers as text, in lists of up to CHUNK; `write`: by -f."""
    if all(o.removeprefix("-").isdecimal() and o.isascii() for o in operands) and write is None:
        first, step, last = _whole([int(_value(o)) for o in operands])
        width = max(len(str(first)), len(str(last))) if equal else 0
        stop = last + (1 if step > 0 else -1)
        if equal and _writes_sign(operands):
            width = max(width, *(len(o) for o in operands))
        text = b"%%0%dd" % width if equal else b"%d"
        for part in _parts(first, stop, step):
            yield [text % n for n in part]
        return
    yield from _decimal(operands, equal, write)


def _decimal(operands: list[str], equal: bool, write: Write | None) -> Iterator[list[bytes]]:
    values = [_value(o) for o in operands]
    first = values[0] if len(values) > 1 else _value("1")
    step = values[1] if len(values) > 2 else _value("1")
    last = values[-1]
    if not step:
        raise UsageError(f"invalid Zero increment value: {operands[1]!r}")
    if write is None and any("x" in o.lower() for o in operands):
        write = formatter("%g")  # how many places there are is not seen (GNU)
    places = max(_places(o) for o in operands[:-1] or ["1"])

    def show(n: Decimal) -> bytes:
        return write(float(n)) if write else f"{n:.{places}f}".encode()

    # As wide as FIRST and LAST are written, were all their fractions as long (GNU).
    wholes = [_whole_width(o) for o in (operands[0] if len(operands) > 1 else "1", operands[-1])]
    width = max(wholes) + (places + 1 if places else 0) if equal else 0
    for operand, value in zip(operands, values, strict=True):
        if value.is_infinite() and value is not last:
            raise UsageError(f"{operand!r}: FIRST and INCREMENT must be finite")
    if write is None and not last.is_infinite():
        yield from _scaled(first, step, last, places, width)
        return
    block: list[bytes] = []
    index = 0
    while last.is_infinite() or (
        first + index * step <= last if step > 0 else first + index * step >= last
    ):
        block.append(show(first + index * step).zfill(width))
        index += 1
        if len(block) == CHUNK:
            yield block
            block = []
    if block:
        yield block


def _scaled(
    first: Decimal, step: Decimal, last: Decimal, places: int, width: int
) -> Iterator[list[bytes]]:
    """Numbers with so many places, counted in units of the last of them."""
    unit = 10**places
    one, more = int(first * unit), int(step * unit)
    stop = (last * unit).to_integral_value("ROUND_FLOOR" if more > 0 else "ROUND_CEILING")
    # A minus takes one of the columns; FIRST may be a negative zero.
    column = width - (places + 1 if places else 0)
    form, minus = (
        b"%%0%dd" % max(1, digits) + (b".%%0%dd" % places if places else b"")
        for digits in (column, column - 1)
    )

    def show(n: int, negative: bool) -> bytes:
        parts = divmod(abs(n), unit) if places else (abs(n),)
        return b"-" + minus % parts if negative else form % parts

    for part in _parts(one, int(stop) + (1 if more > 0 else -1), more):
        block = [show(n, n < 0) for n in part]
        if part.start == one == 0 and first.is_signed():
            block[0] = show(0, True)
        yield block


def _parts(first: int, stop: int, step: int) -> Iterator[range]:
    """range(first, stop, step) in parts of up to CHUNK: a longer one has no len()."""
    while first < stop if step > 0 else first > stop:
        end = first + CHUNK * step
        yield range(first, min(end, stop) if step > 0 else max(end, stop), step)
        first = end


def _whole(values: list[int]) -> tuple[int, int, int]:
    first = values[0] if len(values) > 1 else 1
    step = values[1] if len(values) > 2 else 1
    if not step:
        raise UsageError("invalid Zero increment value: '0'")
    return first, step, values[-1]


def _writes_sign(operands: list[str]) -> bool:
    return any(o.startswith("-") or (len(o) > 1 and o.startswith("0")) for o in operands)


#: More digits, before or behind the point, than any number needs: those of the smallest and largest of C's double.
_DIGITS = 1100


def _value(text: str) -> Decimal:
    from decimal import Decimal, InvalidOperation

    try:
        if len(text) > _DIGITS:
            raise InvalidOperation
        if not text.isascii() or text.strip() != text or "_" in text or "nan" in text.lower():
            raise InvalidOperation
        if text.lower().lstrip("+-").startswith("0x"):
            return Decimal(float.fromhex(text))
        value = Decimal(text)
        if value and value.is_finite() and not -_DIGITS < value.adjusted() < _DIGITS:
            raise InvalidOperation
        return value
    except (InvalidOperation, ValueError, OverflowError):
        raise UsageError(f"invalid floating point argument: {text!r}") from None


def _whole_width(text: str) -> int:
    """Characters before the point, as they are written: a sign and leading zeros count."""
    if not _value(text).is_finite():
        return 0
    if "e" in text.lower() or "x" in text.lower():
        return len(f"{int(_value(text)):d}")
    head = text.removeprefix("+").partition(".")[0]
    return len(head) if head.strip("-") else len(head) + 1


def _places(text: str) -> int:
    """Digits behind the point, as they are written."""
    value = _value(text)
    if not value.is_finite():
        return 0
    if "x" in text.lower():
        return max(0, -int(value.normalize().as_tuple().exponent))
    mantissa, _, exponent = text.lower().partition("e")
    return max(0, len(mantissa.partition(".")[2]) - int(exponent or 0))


def _negative(word: str) -> bool:
    return (
        len(word) > 1
        and word[0] == "-"
        and (word[1].isdecimal() or word[1] == "." or word[1:4] == "inf")
    )
