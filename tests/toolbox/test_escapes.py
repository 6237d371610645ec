r"""Escapes and formats of echo, printf, date.  Breaks when a sequence means other bytes than in POSIX."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolbox.escapes import unescape
from toolbox.printf import Template
from toolbox.strftime import strftime


@pytest.mark.parametrize(
    ("text", "zero", "result"),
    [
        (rb"a\tb", True, (b"a\tb", False)),
        (rb"\0101\101", True, (b"AA", False)),
        (rb"\0101", False, (b"\x081", False)),
        (rb"\x41\x4g\xg", True, (b"A\x04g\\xg", False)),
        (rb"ab\cde", True, (b"ab", True)),
        (b"a\\", True, (b"a\\", False)),
        (rb"\q\\", True, (b"\\q\\", False)),
        (rb"\777", False, (b"\xff", False)),
    ],
)
def test_escapes(text: bytes, zero: bool, result: tuple[bytes, bool]) -> None:
    assert unescape(text, octal_zero=zero) == result


@given(st.binary(max_size=20), st.booleans())
def test_any_bytes_are_taken(text: bytes, zero: bool) -> None:
    result, _ = unescape(text, octal_zero=zero)
    assert b"\\" in text or result == text


@given(
    st.text(alphabet="%dsxq*.-0123 \\cnb", max_size=10), st.lists(st.text(max_size=5), max_size=3)
)
def test_any_format_prints_or_is_refused(form: str, words: list[str]) -> None:
    words = [word for word in words if not word.strip().lstrip("+-").isdecimal() or len(word) < 4]
    if any(len(d) > 3 for d in form.replace("%", " ").replace("*", " ").split() if d.isdecimal()):
        return  # a width of a gigabyte is the caller's own
    try:
        b"".join(Template(form.encode()).fill(words))
    except ValueError as error:
        assert "invalid conversion" in str(error) or "hexadecimal" in str(error)


@given(st.integers(0, 4_000_000_000))
def test_the_common_letters_are_pythons(seconds: int) -> None:
    fields = time.gmtime(seconds)
    form = "%Y-%m-%d %H:%M:%S %j %U %W %V %G %u %w %a %A %b %B %p %I %y %D %T"
    assert strftime(form, fields, seconds) == time.strftime(form, fields)
