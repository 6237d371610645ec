"""sort's keys: which part of a line, and what of it is compared (POSIX XCU sort, GNU's -g -h -M -V -R)."""

from __future__ import annotations

from toolbox.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_BLANKS = b" \t"
_UPPER = bytes(b - 32 if 97 <= b <= 122 else b for b in range(256))
_NOT_DICTIONARY = bytes(
    b for b in range(256) if not ((chr(b).isalnum() and b < 128) or b in _BLANKS)
)
_NOT_PRINTABLE = bytes(b for b in range(256) if not 32 <= b < 127)
_MONTHS = {
    name: n for n, name in enumerate(b"JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC".split(), 1)
}
_SUFFIXES = b"KMGTPEZYRQ"  # GNU takes `k` too, but no other small letter

_ORDERS = "bdfigMhnRrV"


class Key:
    """One key.  `extract(line)` gives what is compared; `reverse` turns the order round."""

    __slots__ = ("extract", "is_plain_line", "reverse")

    def __init__(
        self, cut: Callable[[bytes], bytes] | None, letters: str, separator: bytes | None
    ) -> None:
        self.reverse = "r" in letters
        value = _value(letters)
        self.is_plain_line = cut is None and value is None
        if cut is None:
            self.extract: Callable[[bytes], Any] = value or _same
        elif value is None:
            self.extract = cut
        else:
            self.extract = lambda line: value(cut(line))

    @classmethod
    def whole_line(cls, letters: str, separator: bytes | None) -> Key:
        """The key of a sort without -k."""
        strip = (lambda line: line.lstrip(_BLANKS)) if "b" in letters else None
        return cls(strip, letters, separator)


def compare_all(keys: list[Key], left: bytes, right: bytes) -> int:
    """-1, 0 or 1: how two lines stand by all keys in turn."""
    for key in keys:
        a, b = key.extract(left), key.extract(right)
        if a != b:
            relation = 1 if a > b else -1
            return -relation if key.reverse else relation
    return 0


def parse_key(text: str, letters: str, separator: bytes | None) -> Key:
    """A -k argument: `FIELD[.CHAR][OPTIONS][,FIELD[.CHAR][OPTIONS]]`.

    A key without orders of its own has the command's (`letters`).  UsageError names what is wrong.
    """
    start, comma, stop = text.partition(",")
    field, char, own = _position(start, text)
    last_field, last_char, more = _position(stop, text) if comma else (0, 0, "")
    if field == 0 or (comma and last_field == 0) or char == 0:
        raise UsageError(f"invalid key {text!r}: fields and characters are numbered from 1")
    check_orders(own + more)
    orders = own + more or letters
    skip_start = "b" in (own if own or more else letters)
    skip_stop = "b" in (more if own or more else letters)
    cut = _cutter(
        field - 1, (char or 1) - 1, skip_start, separator, last_field, last_char or 0, skip_stop
    )
    return Key(cut, orders, separator)


def check_orders(letters: str) -> None:
    """UsageError for orders that exclude each other, in GNU's words."""
    kinds = [letter for letter in "MRVghn" if letter in letters]
    if kinds and kinds != ["R"]:
        kinds = [letter for letter in "di" if letter in letters] + kinds
    if len(kinds) > 1:
        raise UsageError(f"options '-{''.join(sorted(kinds))}' are incompatible")


def _position(text: str, whole: str) -> tuple[int, int | None, str]:
    """FIELD[.CHAR][OPTIONS] -> (field, char or None, options)."""
    digits = text.rstrip(_ORDERS)
    orders = text[len(digits) :]
    field, point, char = digits.partition(".")
    if not field.isdecimal() or (point and not char.isdecimal()):
        raise UsageError(f"invalid key {whole!r}: a field's number is expected at {text!r}")
    return int(field), int(char) if point else None, orders


def _cutter(
    first: int,
    first_char: int,
    skip_first: bool,
    separator: bytes | None,
    last: int,
    last_char: int,
    skip_last: bool,
) -> Callable[[bytes], bytes]:
    """A function that cuts the key out of a line.

    first, first_char: where it begins, from 0; last: the last field, from 1 (0: the line's end);
    last_char: its last character, from 1 (0: the field's end).
    """

    def cut(line: bytes) -> bytes:
        begin = _field_start(line, first, separator)
        if skip_first:
            begin = _skip_blanks(line, begin)
        begin += first_char
        if not last:
            return line[begin:]
        if last_char:
            end = _field_start(line, last - 1, separator)
            if skip_last:
                end = _skip_blanks(line, end)
            end += last_char
        else:
            end = _field_end(line, last - 1, separator)
        return line[begin:end]

    def simple(line: bytes) -> bytes:
        # One whole field of separated ones: the usual case, by one split.
        parts = line.split(separator, last)
        return parts[first] if first < len(parts) else b""

    whole_field = separator is not None and last == first + 1 and not first_char and not last_char
    return simple if whole_field and not skip_first else cut


def _field_start(line: bytes, number: int, separator: bytes | None) -> int:
    at = 0
    for _ in range(number):
        at = _field_end_from(line, at, separator)
        if at >= len(line):
            return len(line)
        if separator is not None:
            at += 1
    return at


def _field_end(line: bytes, number: int, separator: bytes | None) -> int:
    return _field_end_from(line, _field_start(line, number, separator), separator)


def _field_end_from(line: bytes, at: int, separator: bytes | None) -> int:
    if separator is not None:
        end = line.find(separator, at)
        return len(line) if end < 0 else end
    # Without a separator a field is the blanks before it and all that is none.
    at = _skip_blanks(line, at)
    ends = [e for e in (line.find(b" ", at), line.find(b"\t", at)) if e >= 0]
    return min(ends, default=len(line))


def _skip_blanks(line: bytes, at: int) -> int:
    while at < len(line) and line[at] in _BLANKS:
        at += 1
    return at


def _same(line: bytes) -> bytes:
    return line


def _value(letters: str) -> Callable[[bytes], Any] | None:
    """What of a key is compared; None for its bytes as they are."""
    for letter, function in (
        ("n", _numeric),
        ("g", _general),
        ("h", _human),
        ("M", _month),
        ("V", _version),
        ("R", _random()),
    ):
        if letter in letters:
            return function
    fold = _UPPER if "f" in letters else None
    dropped = (_NOT_DICTIONARY if "d" in letters else b"") + (
        _NOT_PRINTABLE if "i" in letters else b""
    )
    if fold is None and not dropped:
        return None
    return lambda text: text.translate(fold, dropped)


def _numeric(text: bytes) -> Any:
    """The number at the beginning: blanks, a minus, digits, a point, digits; none counts as 0 (POSIX -n)."""
    text = text.lstrip(_BLANKS)
    try:
        # Most keys are whole numbers; a plus or an underscore is no number for sort.
        if text.isdigit() or (text[:1] == b"-" and text[1:].isdigit()):
            return int(text)
    except ValueError:
        pass  # longer than int() takes from text: below, digit by digit
    return _leading_number(text)


def _leading_number(text: bytes) -> Any:
    from fractions import Fraction

    end = 1 if text[:1] == b"-" else 0
    start = end
    while text[end : end + 1].isdigit():
        end += 1
    whole = text[start:end]
    part = b""
    if text[end : end + 1] == b".":
        rest = text[end + 1 :]
        part = rest[: len(rest) - len(rest.lstrip(b"0123456789"))]
    if not whole and not part:
        return 0
    value = Fraction(int(whole + part or b"0"), 10 ** len(part)) if part else int(whole)
    return -value if start else value


def _general(text: bytes) -> tuple[int, float]:
    """A floating-point number; what is none comes first, then NaN, then numbers (GNU -g)."""
    word = text.strip().split(None, 1)[0] if text.strip() else b""
    for end in range(len(word), 0, -1):
        try:
            value = float(word[:end].replace(b"_", b"?"))
        except ValueError:
            continue
        return (1, 0.0) if value != value else (2, value)
    return (0, 0.0)


def _human(text: bytes) -> tuple[int, Any]:
    """Sizes: first by sign and suffix, then by number (GNU -h)."""
    text = text.lstrip(_BLANKS)
    value = _leading_number(text)
    end = len(text) - len(text.lstrip(b"-0123456789."))
    power = (
        _SUFFIXES.find(text[end : end + 1].replace(b"k", b"K")) + 1 if text[end : end + 1] else 0
    )
    if value == 0:
        return (0, 0)
    return (power if value > 0 else -power, value) if power else (0, value)


def _month(text: bytes) -> int:
    return _MONTHS.get(text.lstrip(_BLANKS)[:3].upper(), 0)


def _version(text: bytes) -> Any:
    from toolbox.versions import version_key

    return version_key(text)


def _random() -> Callable[[bytes], bytes]:
    """A keyed hash: equal keys stay together, in an order that differs from run to run."""
    salt: list[bytes] = []

    def shuffled(text: bytes) -> bytes:
        import hashlib
        import os

        if not salt:
            salt.append(os.urandom(16))
        return hashlib.blake2b(text, digest_size=16, key=salt[0]).digest()

    return shuffled
