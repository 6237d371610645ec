"""Patterns, arithmetic and field splitting without a process.

They break when a bracket expression, an operator's precedence or the order of IFS's two kinds of
separators is not POSIX's.
"""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from applets.sh.builtins.table import TABLE
from applets.sh.errors import ShellError
from applets.sh.expand.arithmetic import wrap
from applets.sh.expand.expansion import number
from applets.sh.expand.fields import Fields
from applets.sh.pattern import Patterns, quote
from applets.sh.run import evaluator
from applets.sh.shell.state import State
from toolbox.patterns import segments


@pytest.fixture
def shell() -> State:
    return State("sh", evaluator, TABLE)


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        ("a*c", "abbc ac", "ab bac"),
        ("[a-c]?", "ax b]", "dx a"),
        ("[!a]", "b !", "a"),
        ("[]a]", "] a", "b"),
        ("[a-]", "a -", "b"),
        ("[[:alpha:][:digit:]_]", "a 5 _", "- é"),
        ("\\*", "*", "a"),
        ("[", "[", "a"),
        ("[a", "[a", "a"),
        ("*[*", "[ a[b", "ab"),
        ("[z-a]", "", "a z -"),
    ],
)
def test_patterns(pattern: str, yes: str, no: str) -> None:
    patterns = Patterns()
    assert all(patterns.matches(pattern, text) for text in yes.split())
    assert not any(patterns.matches(pattern, text) for text in no.split())


@given(st.text(max_size=20))
def test_a_quoted_text_matches_itself_alone(text: str) -> None:
    patterns = Patterns()
    assert patterns.matches(quote(text), text)
    assert not patterns.matches(quote(text), text + "x")


@given(st.text(alphabet="a[]!^-\\*?:.=[:alpha:]", max_size=15), st.text(max_size=5))
def test_any_text_is_a_pattern(pattern: str, text: str) -> None:
    Patterns().matches(pattern, text)


@pytest.mark.parametrize(
    ("operator", "rest"), [("#", "b.a.b"), ("##", "b"), ("%", "a.b.a"), ("%%", "a")]
)
def test_shortest_and_longest(operator: str, rest: str) -> None:
    pattern = "*." if operator[0] == "#" else ".*"
    assert Patterns().remove(operator, pattern, "a.b.a.b") == rest


def ends(pattern: str, text: str, start: int) -> set[int]:
    """Where a match of `pattern` that begins at `start` may end: a matcher that tries everything."""
    reached = {start}
    for index, segment in enumerate(segments(pattern)):
        if index:
            reached = {at for end in reached for at in range(end, len(text) + 1)}
        for one in segment:
            fits = re.compile(one, re.DOTALL).match
            reached = {at + 1 for at in reached if at < len(text) and fits(text, at)}
    return reached


def replaced(pattern: str, text: str) -> str:
    """`${text//pattern/-}` by trying everything."""
    out, at = "", 0
    while at < len(text):
        end = max(ends(pattern, text, at), default=at)
        out += "-" if end > at else text[at]
        at = max(end, at + 1)
    return out


@given(st.text("aab**?[x]!", max_size=9), st.text("aabx", max_size=9))
def test_what_is_cut_off_and_replaced(pattern: str, text: str) -> None:
    patterns = Patterns()
    last = len(text)
    from_start = ends(pattern, text, 0)
    to_end = {at for at in range(last + 1) if last in ends(pattern, text, at)}
    assert patterns.matches(pattern, text) is (last in from_start)
    if pattern:
        assert patterns.remove("#", pattern, text) == text[min(from_start, default=0) :]
        assert patterns.remove("##", pattern, text) == text[max(from_start, default=0) :]
        assert patterns.remove("%", pattern, text) == text[: max(to_end, default=last)]
        assert patterns.remove("%%", pattern, text) == text[: min(to_end, default=last)]
    if pattern and text:
        assert patterns.replace(pattern, "-", text, every=True) == replaced(pattern, text)


@pytest.mark.parametrize("pattern", ["*a*a*a*a*b", "a*a*a*a*b", "*?a*?a*?a*b", "*[a]*a*[!b]*ab*"])
def test_many_stars_take_no_more_than_length_times_length(pattern: str) -> None:
    """A matcher that tries every place for every star needs years for these."""
    patterns = Patterns()
    text = "a" * 100_000
    assert not patterns.matches(pattern, text)
    for operator in ("#", "##", "%", "%%"):
        assert patterns.remove(operator, pattern, text) == text
    assert patterns.replace(pattern, "-", text, every=True) == text


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", 0),
        ("1+2*3", 7),
        ("2**3**2", 512),
        ("-2**2", 4),
        ("1?2:0?3:4", 2),
        ("5-3-1", 1),
        ("-7/2", -3),
        ("-7%2", -1),
        ("1<<63", -(2**63)),
        ("(1,2)", 2),
        ("a=b=4, a*b", 16),
        ("x++ + ++x", 2),
        ("4---7", -3),
        ("!0 && ~-1 == 0", 1),
        ("36#Z + 64#_", 98),
    ],
)
def test_arithmetic(shell: State, text: str, value: int) -> None:
    assert number(shell, text) == value


@pytest.mark.parametrize(
    "text", ["1+", "1 2", "(1", "1=2", "08", "3x", "2#3", "1?2", "$", "1/0", "2**-1"]
)
def test_arithmetic_errors(shell: State, text: str) -> None:
    with pytest.raises(ShellError):
        number(shell, text)


def test_a_variable_may_hold_an_expression_but_not_itself(shell: State) -> None:
    shell.vars.update(x="y+1", y="2", z="z")
    assert number(shell, "x*2") == 6
    with pytest.raises(ShellError):
        number(shell, "z")


@given(st.integers(), st.integers())
def test_sums_wrap_like_machine_words(a: int, b: int) -> None:
    total = wrap(wrap(a) + wrap(b))
    assert -(2**63) <= total < 2**63
    assert (total - a - b) % 2**64 == 0


@pytest.mark.parametrize(
    ("ifs", "pieces", "fields"),
    [
        (" \t\n", ["  a b\t"], ["a", "b"]),
        (":", ["a::b:"], ["a", "", "b"]),
        (": ", ["a ", ":b"], ["a", "b"]),
        (": ", [" : a"], ["", "a"]),
        (": ", ["a : : b"], ["a", "", "b"]),
        ("", ["a b"], ["a b"]),
        ("x", ["axb", "c"], ["a", "bc"]),
    ],
)
def test_splitting(shell: State, ifs: str, pieces: list[str], fields: list[str]) -> None:
    shell.vars["IFS"] = ifs
    got = Fields(shell)
    for piece in pieces:
        got.split(piece)
    assert got.done() == fields
