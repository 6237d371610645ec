"""Text from others, before it reaches a terminal or a log: nothing of it commands, hides or reorders.

    harmless("\\x1b[31mred")                \\x1b[31mred       as it can be read, never as it would act
    harmless("50\\u202e")                   50\\xe2\\x80\\xae    U+202E would turn the line around

Everything that Unicode calls a control, a format character (bidirectional overrides, zero widths, tags), a line or
paragraph separator, a surrogate, or unassigned is shown by the bytes of its UTF-8.  Letters, marks, signs and spaces
of all widths stay.  A file name's bytes that are no UTF-8 (PEP 383) are shown as these bytes.
"""

from __future__ import annotations

#: Spaces other than the usual one (category Zs), which str.isprintable() refuses: they only take room.
_SPACES = frozenset("\u00a0\u1680\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B))))


def harmless(text: str, keep: str = "", form: str = "\\x%02x") -> str:
    """The text with whatever is not printable in a form that only can be read.

    keep: characters that the caller can bear, such as tab and newline
    form: how one byte is shown, for `%`; without a `%` it stands for a whole character
    """
    if text.isprintable():
        return text
    return "".join(
        [c if c.isprintable() or c in keep or c in _SPACES else _shown(c, form) for c in text]
    )


def one_line(text: str, longest: int = 200) -> str:
    """Some words of somebody else's as a part of one line of ours: blanks made one, at most so many characters."""
    return harmless(" ".join(text.split()))[:longest]


def _shown(c: str, form: str) -> str:
    if "%" not in form:
        return form
    if "\udc80" <= c <= "\udcff":
        return form % (ord(c) & 0xFF)
    return "".join([form % byte for byte in c.encode("utf-8", "surrogatepass")])
