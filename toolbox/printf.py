r"""printf's format: POSIX XCU printf and XBD 5, with bash's and GNU's %q.

A template is parsed once and used as often as there are arguments for it.
"""

from __future__ import annotations

import os

from toolbox.errors import Fatal, warn
from toolbox.escapes import escape, unescape

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_FLAGS = b"-+ #0'"
_LENGTHS = b"hlLjzt"
_INTEGERS = b"diouxX"
_FLOATS = b"aAeEfFgG"

#: Flags that mean nothing for a letter, which C leaves undefined and GNU refuses; `.` is a precision.
_MEANINGLESS = {
    **dict.fromkeys(b"diu", b"#"),
    **dict.fromkeys(b"oxXaAeE", b"'"),
    **dict.fromkeys(b"sbq", b"'#0"),
    **dict.fromkeys(b"c", b"'#0."),
}


class Stop(Exception):
    r"""\c was met: nothing more is printed."""


class Directive:
    """One conversion: flags, width and precision (None: not given, -1: the next argument's), letter.

    `number` is that of its argument (`%2$s`: 2), or 0 for the next one.  ValueError for what C leaves undefined.
    """

    __slots__ = ("flags", "letter", "number", "precision", "text", "width")

    def __init__(self, text: bytes) -> None:
        self.text = text
        body = text[1:-1].rstrip(_LENGTHS)
        number, dollar, after = body.partition(b"$")
        self.number = int(number.lstrip(b"0")[:10] or b"0") if dollar else 0
        body = after if dollar else body
        rest = body.lstrip(_FLAGS)
        flags = body[: len(body) - len(rest)]
        self.flags = flags.replace(b"'", b"")
        width, point, precision = rest.partition(b".")
        self.width = _count(width) if width else None
        self.precision = (_count(precision) if precision else 0) if point else None
        self.letter = text[-1:]
        lengths = text[1:-1][len(text[1:-1].rstrip(_LENGTHS)) :]
        wrong = _MEANINGLESS.get(text[-1], b"")
        if (
            any(flag in wrong for flag in flags)
            or (point and b"." in wrong)
            or (lengths and self.letter in b"bq")
            or (dollar and (not self.number or b"*" in rest))
        ):
            raise ValueError(f"{os.fsdecode(text)}: invalid conversion specification")


#: The widest field and the longest precision, those of C's int.  What is padded to them is held in memory.
_WIDEST = (1 << 31) - 1


def _count(text: bytes) -> int:
    if text == b"*":
        return -1
    digits = text.lstrip(b"0") or b"0"
    if len(digits) > 10 or int(digits) >= _WIDEST:
        raise ValueError(f"{os.fsdecode(text)}: field width or precision too large")
    return int(digits)


class Arguments:
    """The arguments in their order; a missing one is empty."""

    def __init__(self, words: list[str]) -> None:
        self.words = words
        self.used = 0
        self.start = 0  # the first of this round
        self.reached = 0  # behind the last that was asked for by its number

    def next(self) -> str | None:
        """The next argument, None when there is none left."""
        if self.used >= len(self.words):
            return None
        self.used += 1
        return self.words[self.used - 1]

    def numbered(self, number: int) -> str | None:
        """That argument of this round, counted from 1; None when there is none."""
        place = self.start + number - 1
        self.reached = max(self.reached, place + 1)
        return self.words[place] if place < len(self.words) else None

    def next_round(self) -> None:
        """The format is used again, on what follows the last argument that it has used (POSIX)."""
        self.start = self.used = max(self.used, self.reached)

    @property
    def left(self) -> bool:
        return self.used < len(self.words)


class Template:
    """A parsed format: literal bytes and directives in their order.

    `fault` is what is wrong with it, if anything; `parts` then ends before it.
    """

    def __init__(self, form: bytes) -> None:
        self.parts: list[bytes | Directive] = []
        self.stops = False
        self.fault: ValueError | None = None
        literal = bytearray()
        try:
            self._parse(form, literal)
        except ValueError as error:
            self.fault = error
        self._literal(literal)
        self.takes = any(isinstance(part, Directive) for part in self.parts)

    def _parse(self, form: bytes, literal: bytearray) -> None:
        position = 0
        while position < len(form):
            byte = form[position : position + 1]
            if byte == b"\\":
                if form[position + 1 : position + 2] == b"c":
                    self.stops = True
                    break
                value, position = escape(form, position + 1, octal_zero=False, unicode=True)
                literal += value
            elif byte == b"%":
                if form[position : position + 2] == b"%%":
                    literal += b"%"
                    position += 2
                    continue
                end = _directive_end(form, position)
                self._literal(literal)
                self.parts.append(Directive(form[position:end]))
                position = end
            else:
                literal += byte
                position += 1

    def _literal(self, text: bytearray) -> None:
        if text:
            self.parts.append(bytes(text))
            text.clear()

    def fill(self, words: list[str]) -> Iterator[bytes]:
        r"""The output: the template is used again until no argument is left.  Ends early at \c.

        ValueError for a wrong directive or escape, after what stands before it.  A template without directives
        warns of arguments (GNU).
        """
        arguments = Arguments(words)
        while True:
            for part in self.parts:
                if isinstance(part, bytes):
                    yield part
                    continue
                try:
                    yield convert(part, arguments)
                except Stop as stop:
                    yield stop.args[0]
                    return
            if self.fault is not None:
                raise self.fault
            arguments.next_round()
            if self.stops or not arguments.left:
                return
            if not self.takes:
                first = words[arguments.used]
                warn(f"warning: ignoring excess arguments, starting with {first!r}", 0)
                return


def _directive_end(form: bytes, start: int) -> int:
    end = start + 1
    while form[end : end + 1].isdigit():
        end += 1
    end = end + 1 if end > start + 1 and form[end : end + 1] == b"$" else start + 1
    while form[end : end + 1] and form[end] in _FLAGS:
        end += 1
    for point in (b"", b"."):
        if point and form[end : end + 1] != b".":
            break
        end += len(point)
        if form[end : end + 1] == b"*":
            end += 1
        else:
            while form[end : end + 1].isdigit():
                end += 1
    while form[end : end + 1] and form[end] in _LENGTHS:
        end += 1
    letter = form[end : end + 1]
    if not letter or letter not in _INTEGERS + _FLOATS + b"csbq":
        text = os.fsdecode(form[start : end + 1])
        raise ValueError(f"{text}: invalid conversion specification")
    return end + 1


def convert(directive: Directive, arguments: Arguments) -> bytes:
    r"""One conversion.  A wrong number is warned of and counts as far as it goes; Stop at \c of %b."""
    flags = directive.flags.decode()
    width = _given(directive.width, arguments)
    if width is not None and width < 0:
        flags, width = flags + "-", -width
    precision = _given(directive.precision, arguments)
    if precision is not None and precision < 0:
        precision = None
    number = directive.number
    word = arguments.numbered(number) if number else arguments.next()
    letter = directive.letter
    if letter in _INTEGERS:
        text = integer(
            letter.decode(),
            flags,
            width,
            precision,
            whole_number(word or "", word is None, signed=letter in b"di"),
        )
        return text.encode()
    if letter in _FLOATS:
        return floating(
            letter.decode(), flags, width, precision, real_number(word or "", word is None)
        ).encode()
    raw = os.fsencode(word or "")
    if letter == b"b":
        raw, stopped = unescape(raw, octal_zero=True, unicode=True)
        if stopped:
            raise Stop(_padded(raw[:precision], flags, width))
    elif letter == b"q":
        raw = os.fsencode(_quoted(word or ""))
    elif letter == b"c":
        raw = raw[:1]
    return _padded(raw[:precision], flags, width)


def _given(count: int | None, arguments: Arguments) -> int | None:
    if count != -1:
        return count
    word = arguments.next() or ""
    count = whole_number(word, False)
    if abs(count) >= _WIDEST:
        raise Fatal(f"invalid field width or precision: {word!r}")
    return count


def _padded(raw: bytes, flags: str, width: int | None) -> bytes:
    return raw.ljust(width or 0) if "-" in flags else raw.rjust(width or 0)


def _quoted(word: str) -> str:
    from toolbox.quoting import quote

    return quote(word, "shell-escape")


def integer(letter: str, flags: str, width: int | None, precision: int | None, value: int) -> str:
    """An integer by %d, %i, %o, %u, %x or %X; the unsigned ones take it modulo 2**64 (C)."""
    if letter in "ouxX":
        value &= 0xFFFFFFFFFFFFFFFF
    digits = format(abs(value), {"o": "o", "x": "x", "X": "X"}.get(letter, "d"))
    if precision is not None:
        digits = "" if precision == 0 and value == 0 else digits.zfill(precision)
    prefix = ""
    if "#" in flags:
        if letter == "o" and not digits.startswith("0"):
            digits = "0" + digits
        elif letter in "xX" and value:
            prefix = f"0{letter}"
    if letter in "di":
        prefix = "-" if value < 0 else "+" if "+" in flags else " " if " " in flags else ""
    return _framed(prefix, digits, flags if precision is None else flags.replace("0", ""), width)


def floating(
    letter: str, flags: str, width: int | None, precision: int | None, value: float
) -> str:
    """A floating-point number by %e, %f, %g or %a and their capitals."""
    if value != value or value in (float("inf"), float("-inf")):
        digits = "nan" if value != value else "inf"
        flags = flags.replace("0", "")
    elif letter in "aA":
        digits = _hexadecimal(abs(value), precision)
    else:
        alternative = "#" if "#" in flags else ""
        shape = f"{alternative}.{6 if precision is None else precision}{letter.lower()}"
        digits = format(abs(value), shape)
    if letter.isupper():
        digits = digits.upper()
    minus = str(value).startswith("-")
    prefix = "-" if minus else "+" if "+" in flags else " " if " " in flags else ""
    return _framed(prefix, digits, flags, width)


def _hexadecimal(value: float, precision: int | None) -> str:
    mantissa, _, exponent = value.hex().partition("p")
    head, _, tail = mantissa.partition(".")
    if precision is None:
        tail = tail.rstrip("0")
    elif precision < len(tail):
        scaled = round(int(head[2:] + tail, 16) / 16 ** (len(tail) - precision))
        text = format(scaled, "x").zfill(precision + 1)
        head, tail = f"0x{text[: len(text) - precision]}", text[len(text) - precision :]
    else:
        tail = tail.ljust(precision, "0")
    return f"{head}{'.' if tail else ''}{tail}p{exponent}"


def _framed(prefix: str, digits: str, flags: str, width: int | None) -> str:
    space = (width or 0) - len(prefix) - len(digits)
    if space <= 0:
        return prefix + digits
    if "-" in flags:
        return prefix + digits + " " * space
    if "0" in flags:
        return prefix + "0" * space + digits
    return " " * space + prefix + digits


def whole_number(word: str, missing: bool, *, signed: bool = True) -> int:
    """A C integer constant, or a quote and a character (its code); warned of when it is neither.

    It must fit into 64 bits: intmax_t, or uintmax_t unless `signed`, of which a negative one is the complement.
    """
    if missing or not word:
        return 0
    if word[:1] in ("'", '"') and len(word) > 1:
        return _code(word[1:])
    text = word.strip()
    sign = -1 if text.startswith("-") else 1
    digits = text.lstrip("+-") if text[:1] in ("+", "-") else text
    base = (
        16
        if digits[:2].lower() == "0x"
        else 8
        if digits.startswith("0") and len(digits) > 1
        else 10
    )
    digits = digits[2:] if base == 16 else digits
    alphabet = "0123456789abcdef"[:base]
    length = next((i for i, c in enumerate(digits) if c.lower() not in alphabet), len(digits))
    if not length:
        warn(f"{word!r}: expected a numeric value")
        return 0
    if length < len(digits):
        warn(f"{word!r}: value not completely converted")
    value = sign * int(digits[:length], base)
    least, most = (-(2**63), 2**63 - 1) if signed else (1 - 2**64, 2**64 - 1)
    if not least <= value <= most:
        warn(f"{word!r}: Numerical result out of range")
        value = most if value > 0 or not signed else least
    return value


def real_number(word: str, missing: bool) -> float:
    """A C floating-point constant, or a quote and a character; warned of when it is neither."""
    if missing:
        return 0.0
    if word[:1] in ("'", '"') and len(word) > 1:
        return float(_code(word[1:]))
    text = word.strip().replace("_", "?")
    if text.lower().lstrip("+-").startswith("0x"):
        try:
            return float.fromhex(text)
        except (ValueError, OverflowError):
            pass  # warned of below
    for end in range(len(text), 0, -1):
        try:
            value = float(text[:end])
        except ValueError:
            continue
        if end < len(text):
            warn(f"{word!r}: value not completely converted")
        return value
    warn(f"{word!r}: expected a numeric value")
    return 0.0


def _code(text: str) -> int:
    if len(text) > 1:
        warn(f"warning: {text[1:]}: character(s) following character constant have been ignored", 0)
    code = ord(text[0])
    return code - 0xDC00 if 0xDC80 <= code <= 0xDCFF else code
