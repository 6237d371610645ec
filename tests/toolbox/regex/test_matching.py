"""Every way to find an expression: breaks when one of them matches other text than a matcher that tries everything."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.toolbox.regex.reference import EXPRESSIONS, TEXTS, Expression, ends, spans, written
from toolbox.regex import compile
from toolbox.regex.automaton import Automaton
from toolbox.regex.dfa import Scanner, Spans
from toolbox.regex.landmarks import Landmarks, landmarks
from toolbox.regex.rewriting import direct, factored, trimmed, without_anchors
from toolbox.regex.source import Writer, first_is_longest
from toolbox.regex.syntax import Syntax, parse
from toolbox.regex.tree import Node


def tree(expression: Expression) -> Node:
    syntax = Syntax(extended=True, ignore_case=False, utf8=False, lines=True)
    return parse(written(expression).encode(), syntax).node


@given(EXPRESSIONS, TEXTS)
@settings(max_examples=300)
def test_lines_spans_and_whole_texts(expression, text):
    """What the expression itself chooses."""
    regex = compile([written(expression).encode()], extended=True)
    expected = spans(expression, text)
    assert list(regex.spans(text)) == expected
    assert regex.fullmatch(text) is (len(text) in ends(expression, text, 0, {}))
    assert bool(list(regex.lines(text + b"\n"))) is bool(expected)
    if text:
        assert bool(list(regex.lines(text))) is bool(expected)


@given(EXPRESSIONS, st.lists(TEXTS, min_size=1, max_size=5))
@settings(max_examples=200)
def test_lines_of_a_block(expression, texts):
    regex = compile([written(expression).encode()], extended=True)
    block = b"".join(text + b"\n" for text in texts)
    expected = [text + b"\n" for text in texts if spans(expression, text)]
    assert [block[start:stop] for start, stop in regex.lines(block)] == expected


def by_automaton(node: Node, text: bytes) -> list[tuple[int, int]]:
    automaton = Automaton(node, 10)
    return list(Spans(automaton).spans(text.translate(automaton.classes)))


@given(EXPRESSIONS, TEXTS)
@settings(max_examples=300)
def test_the_automata(expression, text):
    """Also where `re` would be chosen."""
    node = tree(expression)
    expected = spans(expression, text)
    assert by_automaton(node, text) == expected
    assert by_automaton(factored(node), text) == expected
    for found in (node, trimmed(node)):
        automaton = Automaton(found, 10)
        scanner = Scanner(automaton)
        for line in (text, text + b"\n"):
            assert (scanner.find(line.translate(automaton.classes)) >= 0) is bool(expected)


@given(EXPRESSIONS, TEXTS)
@example(("cat", [("repeat", ("set", "a", b"a"), "?", 0, 1), ("set", "a", b"a")]), b"aa")
@settings(max_examples=400)
def test_where_the_first_match_is_said_to_be_the_longest_it_is(expression, text):
    node = factored(tree(expression))
    if first_is_longest(node):
        compiled = re.compile(Writer(lines=True).write(node), re.MULTILINE)
        for start in range(len(text) + 1):
            found = compiled.match(text, start)
            longest = max(ends(expression, text, start, {}), default=None)
            assert (found.end() if found else None) == longest


@given(EXPRESSIONS, TEXTS)
@settings(max_examples=100)
def test_forgotten_states_are_found_again(expression, text):
    """With room for hardly a state."""
    automaton = Automaton(tree(expression), 10)
    line = text.translate(automaton.classes)
    ways = Spans(automaton)
    scanner = Scanner(automaton)
    for states in (ways._ahead, ways._back, scanner):
        states._most = 1
    expected = spans(expression, text)
    assert list(ways.spans(line)) == expected
    assert (scanner.find(line) >= 0) is bool(expected)


@given(st.lists(TEXTS, min_size=1, max_size=30), st.integers(1, 12), st.booleans())
def test_long_lines_are_found_among_others(texts, most, ended):
    from toolbox.regex.lines import longer_lines

    block = b"\n".join(texts) + (b"\n" if ended else b"")
    found = [
        block[start:stop].removesuffix(b"\n") for start, stop in longer_lines(block, most, b"\n")
    ]
    assert found == [text for text in texts if len(text) > most]


@given(EXPRESSIONS, st.lists(TEXTS, min_size=1, max_size=5), st.booleans(), st.booleans())
@example(
    ("cat", [("set", "a", b"a"), ("repeat", ("set", ".", b""), "*", 0, None), ("set", "b", b"b")]),
    [b"b", b"ba", b"bab"],
    False,
    True,
)
@settings(max_examples=400)
def test_landmarks(expression, texts, fold, ended):
    """Lines without them do not match; where they are said to be all, lines with them do, whichever is tried first."""
    syntax = Syntax(extended=True, ignore_case=fold, utf8=False, lines=True)
    node = parse(written(expression).encode(), syntax).node
    if fold:
        texts = [text.replace(b"a", b"A") + b"B" for text in texts]
    block = b"\n".join(texts) + b"\n" * ended
    lines = block.splitlines(keepends=True)
    compiled = re.compile(Writer(lines=True).write(node), re.MULTILINE)
    expected = [line for line in lines if compiled.search(line.removesuffix(b"\n"))]
    for simpler in (node, without_anchors(trimmed(node), 1 << 10)):
        marks = landmarks(simpler, b"\n", fold=fold)
        for rarest in range(len(marks.pieces)):
            found = [block[start:stop] for start, stop in marks.lines(block, b"\n", rarest)]
            if marks.exact:
                assert found == expected
            else:
                assert set(found) >= set(expected)


@pytest.mark.parametrize(
    "pattern",
    [
        b"[^\x00-\xff]",
        b"[^\x00-\xff]+|.?q",
        b"ab[^\x00-\xff]*cd",
        b"(ab|[^\x00-\xff])cd.*ef",
        b"ab.*[^\x00-\xff].*cd",
    ],
)
def test_a_set_without_a_byte_matches_nothing(pattern):
    block = b"q\nab\nabcd\nabcdef\nef\n\n"
    regex = compile([pattern], extended=True, utf8=False)
    expected = [line for line in block.splitlines(keepends=True) if re.search(pattern, line)]
    assert [block[start:stop] for start, stop in regex.lines(block)] == expected


@pytest.mark.parametrize(
    ("pattern", "text"), [("é", "é"), ("caf[é]s", "cafés"), ("a.*日本", "日本")]
)
def test_characters_of_several_bytes_are_landmarks(pattern, text):
    """Without one, every line is matched by the automaton."""
    syntax = Syntax(extended=True, ignore_case=False, utf8=True, lines=True)
    found = landmarks(parse(pattern.encode(), syntax).node, b"\n", fold=False)
    assert [text.encode()] in found.pieces


@given(
    st.lists(st.lists(TEXTS.filter(bool), min_size=1, max_size=4), min_size=1, max_size=4),
    st.lists(TEXTS, max_size=6),
)
def test_texts_in_order(pieces, texts):
    """Several choices of texts, of which some hold others."""
    block = b"".join(text + b"\n" for text in texts)
    compiled = re.compile(b".*".join(b"(?:" + b"|".join(piece) + b")" for piece in pieces))
    expected = [text + b"\n" for text in texts if compiled.search(text)]
    marks = Landmarks(pieces, exact=True, fold=False)
    for rarest in range(len(pieces)):
        found = [block[start:stop] for start, stop in marks.lines(block, b"\n", rarest)]
        assert found == expected


@given(EXPRESSIONS, TEXTS)
@settings(max_examples=300)
def test_what_is_rewritten_is_found_in_the_same_lines(expression, text):
    node = tree(expression)
    expected = bool(spans(expression, text))
    for other in (
        trimmed(node),
        without_anchors(node, 1 << 10),
        direct(node, 1 << 10),
        factored(direct(without_anchors(trimmed(node), 1 << 10), 1 << 10)),
    ):
        assert bool(re.search(Writer(lines=True).write(other), text, re.MULTILINE)) is expected


@pytest.mark.parametrize("pattern", ["[^é]*x", "[^é]+x", "[aé]{2,}x", "é*x", "x.*é+[^x]{2,}"])
@given(text=st.text("xaéü ", max_size=12))
@settings(max_examples=40)
def test_loops_of_characters_beyond_ascii(pattern, text):
    regex = compile([pattern.encode()], extended=True, utf8=True)
    found = [text.encode()[start:stop].decode() for start, stop in regex.spans(text.encode())]
    assert found == re.findall(pattern, text)
