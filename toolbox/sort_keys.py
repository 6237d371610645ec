"""sort's keys: which part of a line, and what of it is compared (POSIX XCU sort, GNU's -g -h -M -V -R)."""

from __future__ import annotations

from toolbox.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import re
    from collections.abc import Callable
    from typing import Any

    Texts = Callable[[list[bytes]], list[bytes]]
    Values = Callable[[list[bytes]], list[Any]]

_BLANKS = b" \t\n"  # a line feed may stand in a line of sort -z
_UPPER = bytes(b - 32 if 97 <= b <= 122 else b for b in range(256))
_NOT_DICTIONARY = bytes(
    b for b in range(256) if not ((chr(b).isalnum() and b < 128) or b in _BLANKS)
)
_NOT_PRINTABLE = bytes(b for b in range(256) if not 32 <= b < 127)
#: A number of a field or a character that no line has, and that `re` takes as a count.
_MOST = (1 << 31) - 1

_MONTHS = {
    name: n for n, name in enumerate(b"JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC".split(), 1)
}
_SUFFIXES = b"KMGTPEZYRQ"  # GNU takes `k` too, but no other small letter

_ORDERS = "bdfigMhnRrV"


class Key:
    """One key.  `extract_all(lines)` gives what is compared of each; `reverse` turns the order round.

    cut_all: takes the key's text from lines; None: the whole line is the key
    """

    __slots__ = ("_cut_all", "_value_all", "is_plain_line", "reverse")

    def __init__(self, cut_all: Texts | None, letters: str) -> None:
        self.reverse = "r" in letters
        self._cut_all = cut_all
        self._value_all = _values(letters)
        self.is_plain_line = cut_all is None and self._value_all is None

    def extract_all(self, lines: list[bytes]) -> list[Any]:
        """What is compared of each line."""
        texts = lines if self._cut_all is None else self._cut_all(lines)
        return texts if self._value_all is None else self._value_all(texts)

    def extract(self, line: bytes) -> Any:
        """What is compared of one line."""
        return self.extract_all([line])[0]

    @classmethod
    def whole_line(cls, letters: str) -> Key:
        """The key of a sort without -k."""
        if "b" in letters:
            return cls(lambda lines: [line.lstrip(_BLANKS) for line in lines], letters)
        return cls(None, letters)


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
    orders = own + more or letters
    check_orders(orders)
    skip_start = "b" in (own if own or more else letters)
    skip_stop = "b" in (more if own or more else letters)
    cut = _cutter(
        field - 1, (char or 1) - 1, skip_start, separator, last_field, last_char or 0, skip_stop
    )
    return Key(cut, orders)


def check_orders(letters: str) -> None:
    """UsageError for orders that exclude each other, in GNU's words."""
    kinds = sum(letter in letters for letter in "nghM") + any(
        letter in letters for letter in "VRdi"
    )
    if kinds > 1:
        given = "".join(letter for letter in "dfghiMnRV" if letter in letters)
        raise UsageError(f"options '-{given}' are incompatible")


def _position(text: str, whole: str) -> tuple[int, int | None, str]:
    """FIELD[.CHAR][OPTIONS] -> (field, char or None, options)."""
    digits = text.rstrip(_ORDERS)
    orders = text[len(digits) :]
    field, point, char = digits.partition(".")
    if not all(w.isascii() and w.isdecimal() for w in ((field, char) if point else (field,))):
        raise UsageError(f"invalid key {whole!r}: a field's number is expected at {text!r}")
    # A field that no line has is as good as the last one.
    return _at_most(field), _at_most(char) if point else None, orders


def _cutter(
    first: int,
    first_char: int,
    skip_first: bool,
    separator: bytes | None,
    last: int,
    last_char: int,
    skip_last: bool,
) -> Texts:
    """A function that cuts the key out of lines.

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

    if first_char or last_char or skip_last:
        return lambda lines: [cut(line) for line in lines]
    if separator is not None and not skip_first and last in (0, first + 1):
        # One field, or all from one on: split off what is before it.
        splits = last or first
        return lambda lines: [
            parts[first] if len(parts := line.split(separator, splits)) > first else b""
            for line in lines
        ]
    match = _expression(first, skip_first, separator, last).match
    return lambda lines: [found[1] if (found := match(line)) else b"" for line in lines]


def _expression(
    first: int, skip_first: bool, separator: bytes | None, last: int
) -> re.Pattern[bytes]:
    """A regular expression whose group 1 is a key of whole fields."""
    import re

    if separator is None:
        # A field is the blanks before it and all that is none.
        before, field = rb"(?:[ \t\n]*+[^ \t\n]++)", rb"[ \t\n]*+[^ \t\n]*+"
        fields = rb"(?:[ \t\n]*+[^ \t\n]++){0,%d}%s" % (max(0, last - first - 1), field)
    else:
        one = re.escape(separator)
        before, field = rb"(?:[^%s]*%s)" % (one, one), rb"[^%s]*" % one
        fields = rb"%s(?:%s%s){0,%d}" % (field, one, field, max(0, last - first - 1))
    if last and last <= first:
        fields = b""
    blanks = rb"[ \t\n]*" if skip_first else b""
    return re.compile(
        rb"%s{%d}%s(%s)" % (before, first, blanks, fields if last else rb".*"), re.DOTALL
    )


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
    ends = [end for blank in (b" ", b"\t", b"\n") if (end := line.find(blank, at)) >= 0]
    return min(ends, default=len(line))


def _skip_blanks(line: bytes, at: int) -> int:
    while at < len(line) and line[at] in _BLANKS:
        at += 1
    return at


def _values(letters: str) -> Values | None:
    """What of keys' texts is compared; None for their bytes as they are."""
    if "n" in letters:
        return _numbers
    fold = _UPPER if "f" in letters else None
    # What is no word of a dictionary may not be printable either, so -d says it all.
    dropped = _NOT_DICTIONARY if "d" in letters else _NOT_PRINTABLE if "i" in letters else b""
    plain = fold is None and not dropped
    for letter, function in (
        ("g", _general),
        ("h", _human),
        ("M", _month),
        ("V", _version),
        ("R", _random()),
    ):
        if letter in letters:
            return lambda texts, one=function: list(  # type: ignore[misc]
                map(one, texts if plain else _translated(texts, fold, dropped))
            )
    return None if plain else lambda texts: _translated(texts, fold, dropped)


def _translated(texts: list[bytes], fold: bytes | None, dropped: bytes) -> list[bytes]:
    """All texts at once, joined by a byte that none of them holds."""
    for end in (b"\n", b"\0"):
        joined = end.join(texts)
        if joined.count(end) == len(texts) - 1:
            return joined.translate(fold, dropped.replace(end, b"")).split(end)
    return [text.translate(fold, dropped) for text in texts]


def _numbers(texts: list[bytes]) -> list[Any]:
    """The numbers at the beginnings: blanks, a minus, digits, a point, digits; none counts as 0 (POSIX -n)."""
    # Most keys are whole numbers; a plus or an underscore is none for sort, so it must not reach int().
    if not b"\n".join(texts).translate(None, b"0123456789- \t\n"):
        try:
            return list(map(int, texts))
        except ValueError:
            pass  # an empty one, a word behind the number, more digits than int() takes
    return [_leading_number(text.lstrip(_BLANKS)) for text in texts]


def _leading_number(text: bytes) -> Any:
    end = 1 if text[:1] == b"-" else 0
    start = end
    while text[end : end + 1].isdigit():
        end += 1
    whole = text[start:end]
    if text[end : end + 1] != b"." or not text[end + 1 : end + 2].isdigit():
        if len(whole) > _EXACT:
            return _decimal(text[:end])
        return int(text[:end]) if whole else 0
    rest = text[end + 1 :]
    part = rest[: len(rest) - len(rest.lstrip(b"0123456789"))]
    number = text[: end + 1] + part
    # So many digits a float tells apart.
    return float(number) if len(whole + part) <= _EXACT else _decimal(number)


#: Decimal digits that a float holds without loss; int() takes more, but not without end.
_EXACT = 15


def _decimal(text: bytes) -> Any:
    from decimal import Decimal

    return Decimal(text.decode("ascii"))


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
    if text.isdigit() and len(text) <= _EXACT:
        return (0, int(text))
    digits = b"0123456789"
    rest = text.removeprefix(b"-").lstrip(digits)
    if rest[:1] == b".":
        rest = rest[1:].lstrip(digits)
    value = _leading_number(text)
    power = _SUFFIXES.find(rest[:1].replace(b"k", b"K")) + 1 if rest else 0
    if value == 0:
        return (0, 0)
    return (power if value > 0 else -power, value)


def _month(text: bytes) -> int:
    return _MONTHS.get(text.lstrip(_BLANKS)[:3].upper(), 0)


def _version(text: bytes) -> Any:
    from toolbox.versions import version_key

    return version_key(text)[:-1]  # what only a name's bytes tell apart is equal here


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


def _at_most(digits: str) -> int:
    return min(int(digits.lstrip("0")[:18] or "0"), _MOST)
