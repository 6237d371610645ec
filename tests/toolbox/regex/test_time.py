"""How long a search takes: breaks when it grows faster than the line, whatever the expression.

Times are processor time, the best of several, so that other programs hardly matter.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from toolbox.errors import UsageError
from toolbox.regex import compile

MB = 1 << 20


def least(job: Callable[[], object], rounds: int = 3) -> float:
    """The shortest time of a few, in seconds."""
    times = []
    for _ in range(rounds):
        start = time.process_time()
        job()
        times.append(time.process_time() - start)
    return min(times)


def search(pattern: str, line: bytes) -> tuple[int, int]:
    """How many lines and matches a fresh expression finds in a line."""
    regex = compile([pattern.encode()], extended=True)
    return sum(1 for _ in regex.lines(line + b"\n")), sum(1 for _ in regex.spans(line))


# Each with a line that is repeated; a backtracking matcher needs at least the square of its length.
HARD = [
    ("(a+)+b", "a"),
    ("(x+x+)+y", "x"),
    ("(a|a)*b", "a"),
    ("(a?){50}a{50}", "a"),
    ("(.*)(.*)(.*)x", "a"),
    (".*.*.*=.*", "a"),
    ("(a*)*", "a"),
    ("((a*)*)*b", "a"),
    ("(a|aa)+$", "a"),
    ("^(a|aa)+b$", "a"),
    ("a*a*a*a*b", "a"),
    ("(a|b|ab)*c", "ab"),
    ("(.*a){20}b", "a"),
    ("a.*b.*c.*d", "abc"),
    ("([a-z]+)+[0-9]", "a"),
    ("(a*b|a*c)*d", "aab"),
    ("x*y*z*w", "xyz"),
    (".*foo.*bar", "foo"),
    ("(foo|bar)*baz", "foobar"),
    (r"(\w+\s?)+$", "word !"),
    ("^(([a-z])+.)+[A-Z]([a-z])+$", "a"),
    (r"\b(\w*\B)*-", "a"),
    ("(a{1,100}b?){2,}c", "a"),
    ("[ab]*a[ab]{8}c", "aab"),
]


@pytest.mark.parametrize(("pattern", "text"), HARD, ids=lambda v: v)
def test_twice_the_line_takes_less_than_three_times_as_long(pattern, text):
    line = text.encode() * (100_000 // len(text))
    once = least(lambda: search(pattern, line))
    twice = least(lambda: search(pattern, line * 2))
    assert twice < max(3 * once, 0.02)


@pytest.mark.parametrize(("pattern", "text"), HARD, ids=lambda v: v)
def test_short_lines_are_no_harder(pattern, text):
    """Up to a length lines are left to `re`; that must not cost more than it saves."""
    for size in (100, 120, 450, 1000, 1100, 1900, 2100, 3900):
        line = (text * (size // len(text))).encode() + b"\n"
        block = line * (100_000 // len(line))
        regex = compile([pattern.encode()], extended=True)
        assert least(lambda: list(regex.lines(block))) < 1  # noqa: B023


@pytest.mark.parametrize(("pattern", "text"), HARD[:3], ids=lambda v: v)
def test_a_megabyte_in_less_than_a_second(pattern, text):
    line = text.encode() * MB
    regex = compile([pattern.encode()], extended=True)
    assert least(lambda: list(regex.lines(line))) < 1
    assert not regex.fullmatch(line)


@pytest.mark.parametrize(
    "pattern",
    [
        "((a{1,100}){1,100}){1,100}",
        "(((((a{9}){9}){9}){9}){9}){9}",
        "(a{1,32767}){2,32767}b",
        "(ab|cd{3000}){3000}",
        "((((((((a{2,}){2,}){2,}b){99}){99}c){99}){99}d){9})",
        "a{32768}",
        "a{1,99999999999999999999}",
    ],
)
def test_what_is_too_big_is_refused_at_once(pattern):
    def refused() -> None:
        with pytest.raises(UsageError, match="Regular expression too big"):
            compile([pattern.encode()], extended=True)

    assert least(refused, 1) < 1


def test_large_expressions():
    """The largest repetition, ten thousand expressions, deep parentheses."""

    def largest() -> None:
        assert search("(a{1,32767}b)+c", b"a" * 40_000) == (0, 0)

    assert least(largest, 1) < 10

    def many() -> None:
        patterns = [b"w%05d[0-9]*x$" % number for number in range(10_000)]
        lines = [b"w%05dx" % number for number in range(0, 20_000, 10)]
        regex = compile(patterns, extended=True)
        found = list(regex.lines(b"\n".join(lines) + b"\n"))
        assert len(found) == 1000

    assert least(many, 1) < 10
    nested = b"(" * 5000 + b"a" + b")*" * 5000
    assert compile([nested], extended=True).fullmatch(b"aaa")


def test_many_words():
    words = [b"w%05d" % number for number in range(10_000)]
    block = b"".join(b"none of them w%05d\n" % number for number in range(5000, 15_000))

    def search() -> None:
        assert sum(1 for _ in compile(words, extended=False).lines(block)) == 5000

    assert least(search, 1) < 5
