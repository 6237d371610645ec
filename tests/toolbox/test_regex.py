"""POSIX expressions as `re` has them: breaks when one matches other text than POSIX XBD 9 (with GNU's extensions) says."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolbox.errors import UsageError
from toolbox.regex import alternatives, escape, longest, translate


def matches(pattern: str, text: str, *, extended: bool, **options: bool) -> str | None:
    translated = translate(pattern.encode(), extended=extended, **options)
    flags = re.MULTILINE | (re.IGNORECASE if options.get("ignore_case") else 0)
    found = re.compile(translated.source, flags).search(text.encode())
    return found[0].decode() if found else None


@pytest.mark.parametrize(
    ("pattern", "text", "match"),
    [
        ("*a", "x*a", "*a"),
        (r"\(*a\)", "*a", "*a"),
        ("^*a", "*a", "*a"),
        ("a*", "aab", "aa"),
        (r"a\{2\}", "aaa", "aa"),
        (r"a\{2,\}", "aaa", "aaa"),
        (r"a\{,2\}", "aaa", "aa"),
        ("a+?", "a+?", "a+?"),
        (r"a\+", "aa", "aa"),
        (r"ab\?", "ab", "ab"),
        (r"a\|b", "b", "b"),
        ("a|b", "a|b", "a|b"),
        ("a^b", "a^b", "a^b"),
        ("a$b", "a$b", "a$b"),
        (r"\(^a\)", "ba", None),
        (r"\(a\)\1", "aa", "aa"),
        ("[]x]*", "]x", "]x"),
        ("[^]x]", "]y", "y"),
        (r"[\]", "\\", "\\"),
        ("[a-]*", "a-", "a-"),
        ("[[:digit:]x]*", "1x2", "1x2"),
        ("[[.-.]a]*", "-a", "-a"),
        ("[[=a=]]", "a", "a"),
        ("a.c", "a\nc", None),
        ("a[^x]c", "a\nc", None),
        ("^b$", "a\nb\nc", "b"),
        (r"\<b\w*\>", "abc bcd", "bcd"),
        ("(a)", "(a)", "(a)"),
        ("a{1}", "a{1}", "a{1}"),
        (r"a\.b", "a.b", "a.b"),
    ],
)
def test_basic(pattern, text, match):
    assert matches(pattern, text, extended=False) == match


@pytest.mark.parametrize(
    ("pattern", "text", "match"),
    [
        ("a+b?", "aab", "aab"),
        ("(a|b)+", "abba", "abba"),
        ("a{2}", "aaa", "aa"),
        ("a{x", "a{x", "a{x"),
        ("a{1", "a{1", "a{1"),
        ("a**", "aa", "aa"),
        ("a{2}{2}", "aaaa", "aaaa"),
        ("()b", "b", "b"),
        ("a)", "a)", "a)"),
        ("(a)(b)\\2\\1", "abba", "abba"),
        ("^a|b$", "xb", "b"),
        ("[[:space:]]", "a\nb", None),
    ],
)
def test_extended(pattern, text, match):
    assert matches(pattern, text, extended=True) == match


@pytest.mark.parametrize(
    ("pattern", "text", "match"),
    [
        (".", "é", "é"),
        ("^.$", "€", "€"),
        ("[^a]", "é", "é"),
        ("[à-ö]+", "xéö", "éö"),
        ("[^é]", "éa", "a"),
        ("é+", "ééa", "éé"),
    ],
)
def test_utf8(pattern, text, match):
    assert matches(pattern, text, extended=True, utf8=True) == match


def test_ignore_case_beyond_ascii():
    assert matches("É", "é", extended=True, utf8=True, ignore_case=True) == "é"
    assert matches("[É]", "é", extended=True, utf8=True, ignore_case=True) == "é"
    assert matches("[[:upper:]]", "a", extended=True, ignore_case=True) == "a"


@pytest.mark.parametrize(
    "pattern", ["(", "[a", "a\\", "[[:x:]]", "\\1", "(a)\\2", "a{3,1}", "[b-a]"]
)
def test_errors(pattern):
    with pytest.raises(UsageError):
        translate(pattern.encode(), extended=True)


def test_literals_are_known():
    assert translate(b"a.b", extended=False).literal is None
    assert translate(rb"a\.b", extended=False).literal == b"a.b"


def test_longest():
    compiled = re.compile(translate(b"a|ab|abc", extended=True).source)
    text = b"xabcd"
    found = compiled.search(text)
    assert found is not None
    assert longest(compiled, found, len(text)) == (1, 4)


@given(st.binary(max_size=20))
def test_escaped_text_matches_itself(text):
    assert re.fullmatch(escape(text), text)


@given(st.lists(st.binary(min_size=1, max_size=6), min_size=1, max_size=30), st.binary(max_size=8))
def test_alternatives_take_the_longest_word(words, tail):
    compiled = re.compile(alternatives(words))
    text = words[0] + tail
    found = compiled.match(text)
    assert found is not None
    assert found[0] == max((w for w in words if text.startswith(w)), key=len)


@given(st.text("ab*+?|(){}[]^$\\.1,-:", max_size=12), st.booleans())
def test_any_pattern_is_translated_or_refused(pattern, extended):
    """Whatever somebody types: a clear error or an expression that `re` takes."""
    try:
        source = translate(pattern.encode(), extended=extended).source
    except UsageError:
        return
    re.compile(source)
