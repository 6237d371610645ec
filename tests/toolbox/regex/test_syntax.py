"""Expressions as POSIX XBD 9 and GNU's extensions say: breaks when one is read other than grep reads it."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolbox.errors import UsageError
from toolbox.regex import compile, escape, rewriting
from toolbox.regex.charset import WIDE, characters, without
from toolbox.regex.source import alternatives
from toolbox.regex.syntax import Syntax, parse
from toolbox.regex.tree import Node


def tree(pattern: str) -> Node:
    syntax = Syntax(extended=True, ignore_case=False, utf8=False, lines=True)
    return parse(pattern.encode(), syntax).node


def matches(pattern: str, text: str, *, extended: bool, **options: bool) -> str | None:
    """The first match that `spans` finds; `lines` must find it, too, when it lies in one."""
    regex = compile([pattern.encode()], extended=extended, **options)
    data = text.encode()
    found: list[str] = []
    for line in data.split(b"\n"):
        spans = list(regex.spans(line))
        found += [line[start:stop].decode() for start, stop in spans]
        assert bool(list(regex.lines(line + b"\n"))) is bool(spans)
    return found[0] if found else None


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
    ("pattern", "message"),
    [
        ("(", "Unmatched ( or \\("),
        ("[a", "Unmatched [, [^, [:, [., or [="),
        ("[[:alpha:", "Unmatched [, [^, [:, [., or [="),
        ("a\\", "Trailing backslash"),
        ("[[:x:]]", "Invalid character class name"),
        ("[:space:]", "character class syntax is [[:space:]], not [:space:]"),
        ("[[.space.]]", "Invalid collation character"),
        ("\\1", "Invalid back reference"),
        ("(a)\\2", "Invalid back reference"),
        ("(a)|\\1", "Invalid back reference"),
        ("a{3,1}", "Invalid content of \\{\\}"),
        ("a{32768}", "Regular expression too big"),
        ("[b-a]", "Invalid range end"),
        ("[a-c-e]", "Invalid range end"),
        ("[[:alpha:]-z]", "Invalid range end"),
        ("[a-[:alpha:]]", "Invalid range end"),
    ],
)
def test_errors(pattern, message):
    with pytest.raises(UsageError) as error:
        compile([pattern.encode()], extended=True)
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("pattern", "simpler"),
    [
        ("(a+)+", "a+"),
        ("(x+x+)+y", "x{2,}y"),
        ("(a|a)*b", "a*b"),
        ("((a*)*)*", "a*"),
        ("(a|b|[c-e])*", "[abcde]*"),
        ("(a*b*)*", "[ab]*"),
        ("(a?){50}a{50}", "a{50,100}"),
        ("(a{2,3}){4}", "a{8,12}"),
        ("(a{2}){3,4}", "(a{2}){3,4}"),  # six or eight, not seven
        (".*.*.*=.*", ".*=.*"),
        ("a+.*b+", "a.*b+"),
        ("x(|a)y", "xa?y"),
        ("(^)*a", "a"),
        ("a{0}b", "b"),
        ("foo|foo", "foo"),
    ],
)
def test_the_simplest_tree(pattern, simpler):
    assert tree(pattern) == tree(simpler)


@pytest.mark.parametrize(
    ("pattern", "trimmed"),
    [
        ("a*b+", "b"),
        (".*foo.*", "foo"),
        ("(a+)+b", "ab"),
        ("^a*b*", "^"),
        ("x*$", "$"),
        ("(a*b|c*d)e?", "b|d"),
        ("a{3,}", "a{3}"),
        (r"a*\bb", r"\bb"),
        ("a*", ""),
    ],
)
def test_what_a_line_must_have(pattern, trimmed):
    assert rewriting.trimmed(tree(pattern)) == tree(trimmed)


def test_groups_of_other_patterns_are_not_counted():
    regex = compile([b"(x)(y)", rb"(a)(b)\2\1"], extended=True)
    assert list(regex.spans(b"-abba-xy")) == [(1, 5), (6, 8)]
    assert not list(regex.lines(b"abab\n"))


def test_an_expression_that_is_no_utf8_is_matched_by_bytes():
    regex = compile([b"\xff.a"], extended=True, utf8=True)
    assert regex.fullmatch(b"\xff\x80a")
    assert compile([b"[\xf0-\xff]"], extended=True, utf8=True).fullmatch(b"\xfa")


def test_ends_of_records():
    """With another end than a newline a newline is a byte as others are."""
    regex = compile([b"^a.b$"], extended=True, end=b"\0")
    block = b"a\nb\0ab\0axb"
    assert [block[start:stop] for start, stop in regex.lines(block)] == [b"a\nb\0", b"axb"]
    hard = compile([b"^(a|aa)+.$"], extended=True, end=b"\0")
    block = b"aaa\n\0aa-b\0\0"
    assert [block[start:stop] for start, stop in hard.lines(block)] == [b"aaa\n\0"]


@given(st.binary(max_size=20))
def test_escaped_text_matches_itself(text):
    assert re.fullmatch(escape(text), text)
    if b"\n" not in text:
        assert compile([escape(text)], extended=True).fullmatch(text)


@given(st.lists(st.binary(min_size=1, max_size=6), min_size=1, max_size=30), st.binary(max_size=8))
def test_alternatives_take_the_longest_word(words, tail):
    compiled = re.compile(alternatives(words))
    text = words[0] + tail
    found = compiled.match(text)
    assert found is not None
    assert found[0] == max((w for w in words if text.startswith(w)), key=len)


@given(st.text("aé-]^b", max_size=6), st.text("aàéöb-]^", min_size=1, max_size=6), st.booleans())
def test_brackets_hold_characters(members, text, negated):
    """Also those of several bytes."""
    inside = "".join(sorted(set(members) - set("]^-")))
    inside = ("]" if "]" in members else "") + inside + ("^" if "^" in members else "")
    inside += "-" if "-" in members else ""
    if not inside or (inside[0] == "^" and not negated):
        inside = "x" + inside
    regex = compile([f"[{'^' if negated else ''}{inside}]".encode()], extended=True, utf8=True)
    found = [text.encode()[start:stop].decode() for start, stop in regex.spans(text.encode())]
    assert found == [c for c in text if (c in inside) is not negated]


@given(st.integers(0x80, 0x10FFFF), st.integers(0x80, 0x10FFFF), st.integers(0x80, 0x10FFFF))
def test_ranges_of_characters(low, high, other):
    low, high = min(low, high), max(low, high)
    wide = list(characters(low, high))
    for code in (low, high, (low + high) // 2, other, max(low - 1, 0x80), min(high + 1, 0x10FFFF)):
        encoded = chr(code).encode("utf-8", "surrogatepass")
        fits = [
            one
            for one in wide
            if len(one) == len(encoded)
            and all(s >> c & 1 for s, c in zip(one, encoded, strict=True))
        ]
        assert len(fits) == (low <= code <= high)  # and only one way
        rest = without(WIDE, wide)
        assert any(
            len(one) == len(encoded) and all(s >> c & 1 for s, c in zip(one, encoded, strict=True))
            for one in rest
        ) is not (low <= code <= high)


@given(st.text("ab*+?|(){}[]^$\\.1,-:é<>wWB", max_size=12), st.booleans(), st.booleans())
def test_any_pattern_is_read_or_refused(pattern, extended, utf8):
    """Whatever somebody types: a clear error, or an expression that finds something or does not."""
    try:
        regex = compile([pattern.encode()], extended=extended, utf8=utf8)
    except UsageError:
        return
    text = "ab(1) é-aaa".encode()
    list(regex.lines(text))
    list(regex.spans(text))
    regex.fullmatch(text)


@given(st.binary(max_size=12), st.booleans(), st.booleans(), st.booleans())
def test_any_bytes_are_read_or_refused(pattern, extended, utf8, ignore_case):
    try:
        regex = compile([pattern], extended=extended, utf8=utf8, ignore_case=ignore_case)
    except UsageError:
        return
    list(regex.lines(b"ab\n\xff\x00\n\xc3\xa9"))
    list(regex.spans(b"ab\xff\x00\xc3\xa9"))
