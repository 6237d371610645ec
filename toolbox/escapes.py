r"""Backslash escapes of echo, printf and tr: POSIX XCU echo and printf, with GNU's \e and \xHH."""

from __future__ import annotations

_SINGLE = {
    ord("a"): 7,
    ord("b"): 8,
    ord("e"): 27,
    ord("f"): 12,
    ord("n"): 10,
    ord("r"): 13,
    ord("t"): 9,
    ord("v"): 11,
    ord("\\"): 92,
}
_OCTAL = b"01234567"
_HEXADECIMAL = b"0123456789abcdefABCDEF"


def unescape(text: bytes, *, octal_zero: bool, unicode: bool = False) -> tuple[bytes, bool]:
    r"""Interpret the escapes in `text`: (the bytes, whether \c ended them early).

    octal_zero: a leading 0 does not count among an octal escape's three digits (echo, printf %b);
    `\1` to `\7` begin an octal escape too.  A backslash before anything else stays.
    unicode: \uHHHH and \UHHHHHHHH are characters in UTF-8, and neither they nor \x may lack digits
    (printf): ValueError.
    """
    if b"\\" not in text:
        return text, False
    out = bytearray()
    position = 0
    while (found := text.find(b"\\", position)) >= 0:
        out += text[position:found]
        letter = text[found + 1 : found + 2]
        if letter == b"c":
            return bytes(out), True
        value, position = escape(text, found + 1, octal_zero=octal_zero, unicode=unicode)
        out += value
    return bytes(out + text[position:]), False


def escape(text: bytes, at: int, *, octal_zero: bool, unicode: bool = False) -> tuple[bytes, int]:
    """The bytes of one escape, whose character after the backslash stands at `at`, and where it ends.

    ValueError when `unicode` and hexadecimal digits are missing (GNU printf).
    """
    if at >= len(text):
        return b"\\", at
    letter = text[at]
    if letter in _SINGLE:
        return bytes([_SINGLE[letter]]), at + 1
    if letter == ord("x"):
        end = _digits(text, at + 1, _HEXADECIMAL, 2)
        if end > at + 1:
            return bytes([int(text[at + 1 : end], 16)]), end
    elif unicode and letter in b"uU":
        end = _digits(text, at + 1, _HEXADECIMAL, 4 if letter == ord("u") else 8)
        if end > at + 1:
            code = int(text[at + 1 : end], 16)
            if code < 0xD800 or 0xDFFF < code < 0x110000:
                return chr(code).encode(), end
            name = text[at:end].decode("ascii")
            raise ValueError(f"invalid universal character name \\{name}")
    elif letter in _OCTAL:
        longest = 4 if octal_zero and letter == ord("0") else 3
        end = _digits(text, at, _OCTAL, longest)
        return bytes([int(text[at:end], 8) & 0xFF]), end
    if unicode and letter in b"xuU":
        raise ValueError("missing hexadecimal number in escape")
    return b"\\" + text[at : at + 1], at + 1


def _digits(text: bytes, start: int, alphabet: bytes, most: int) -> int:
    end = start
    while end < len(text) and end - start < most and text[end] in alphabet:
        end += 1
    return end
