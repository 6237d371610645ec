"""Shell patterns, modes, sizes, quoting, version order: breaks when one is read or written other than GNU has it."""

from __future__ import annotations

import fnmatch
import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolbox.columns import arrange, display_width, pad
from toolbox.errors import UsageError
from toolbox.modes import Mode
from toolbox.patterns import matcher
from toolbox.quoting import quote
from toolbox.sizes import block_size, human
from toolbox.versions import version_key


@pytest.mark.parametrize(
    ("pattern", "name", "expected"),
    [
        ("*.c", "a.c", True),
        ("*.c", ".c", True),
        ("a*b*c", "axxbyyc", True),
        ("?", "ab", False),
        ("[a-c]x", "bx", True),
        ("[!a-c]x", "bx", False),
        ("[]]", "]", True),
        ("[[:digit:]]*", "1a", True),
        (r"\*", "*", True),
        (r"\*", "x", False),
        (r"[\]]", "]", True),
        ("[", "[", True),
        ("[a", "[a", True),
        ("[z-a]", "z", False),
        ("a\nb*", "a\nbc", True),
        ("*a?b*[cd]", "xaab-bd", True),
        ("*ab*ab*", "xabab", True),
        ("*ab*ab", "xab", False),
        ("[[:no-class:]a]", "a", True),  # fnmatch(3): a class that does not exist has no members
        ("[[:no-class:]]", ":", False),
        ("[![:no-class:]]", ":", True),
        ("[[.a.]-c]", "b", True),
        ("[[.space.]x]", "s", False),
        ("[[", "[[", True),
    ],
)
def test_patterns(pattern, name, expected):
    assert matcher(pattern)(name) is expected


def test_pattern_options():
    assert matcher("A*", ignore_case=True)("abc")
    assert not matcher("*", path=True)("a/b")
    assert not matcher("a[!b]c", path=True)("a/c")
    assert not matcher("*", period=True)(".a")
    assert not matcher("?a", period=True)(".a")
    assert matcher("a*", period=True)("a.b")
    assert matcher("*/*b/c*", path=True)("a/bb/cd")
    assert not matcher("*/*b/c*", path=True)("a/x/bb/cd")
    assert matcher(".*", period=True)(".a")
    assert not matcher("a/*", path=True, period=True)("a/.b")


@given(st.text("ab*?[]!-", max_size=8), st.text("ab-]", max_size=6))
def test_patterns_agree_with_fnmatch(pattern, name):
    if "[" not in pattern:  # fnmatch knows less of brackets
        assert matcher(pattern)(name) is fnmatch.fnmatchcase(name, pattern)


@given(st.text("ugoa+-=rwxXst,0127", max_size=8), st.integers(0, 0o7777))
def test_any_mode_is_a_mode_or_refused(text, before):
    try:
        mode = Mode(text)
    except UsageError:
        return
    assert 0 <= mode.apply(before, umask=0o022) <= 0o7777


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0"),
        (1023, "1023"),
        (1024, "1.0K"),
        (1025, "1.1K"),
        (10 * 1024, "10K"),
        (10 * 1024 + 1, "11K"),
        (1024**2 - 1, "1.0M"),
        (999 * 1024**3, "999G"),
    ],
)
def test_human(size, text):
    assert human(size) == text


def test_units():
    assert human(1000, 1000) == "1.0k"
    assert block_size("1K").show(1025) == "2"
    assert block_size("M").show(1) == "1M"
    assert block_size("si").show(1500) == "1.5k"
    with pytest.raises(UsageError):
        block_size("0")


@given(st.text(st.characters(codec="ascii", exclude_characters="\0"), min_size=1))
def test_shell_quoting_is_undone_by_a_shell(name):
    if name.isprintable():
        assert shlex.split(quote(name, "shell")) == [name]
        assert shlex.split(quote(name, "shell-always")) == [name]


def test_version_order():
    names = [b"a1", b"a~", b"a10", b"a9", b"a9.tar", b"a", b".x", b"1.0~rc1", b"1.0"]
    assert sorted(names, key=version_key) == [
        b".x",
        b"1.0~rc1",
        b"1.0",
        b"a~",
        b"a",
        b"a1",
        b"a9",
        b"a9.tar",
        b"a10",
    ]


@given(st.lists(st.integers(1, 30), min_size=1, max_size=60), st.integers(0, 120), st.booleans())
def test_columns_fit_and_hold_every_cell_once(widths, line, across):
    rows, spans = arrange(widths, line, across=across)
    assert sorted(i for row in rows for i in row) == list(range(len(widths)))
    if line and len(spans) > 1:
        assert sum(spans) < line


def test_widths():
    assert display_width("aé") == 2
    assert display_width("漢") == 2
    assert display_width("e\u0301") == 1
    assert pad(6, 16, 8) == "\t\t"
    assert pad(6, 9, 0) == "   "
