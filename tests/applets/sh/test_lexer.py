"""The lexer and parser without a shell: positions of reserved words, here-documents, bad input.

They break when a quoting mode ends at the wrong character, when an unfinished program is not told from
a wrong one, or when any text makes the parser fail otherwise than by a syntax error.
"""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from applets.sh.errors import SyntaxFault
from applets.sh.syntax.nodes import (
    Arithmetic,
    Background,
    Case,
    Function,
    Literal,
    Node,
    Parameter,
    Pipeline,
    Sequence,
    Simple,
    Substitution,
    Tilde,
)
from applets.sh.syntax.parser import Parser
from applets.sh.syntax.quoting import quoted, single_quoted
from applets.sh.syntax.source import Text


def parse(text: str, aliases: dict[str, str] | None = None) -> list[Node]:
    parser = Parser.of(Text(text), aliases or {})
    got = []
    while (node := parser.command()) is not None:
        got.append(node)
    return got


def simple(text: str) -> Simple:
    (node,) = parse(text)
    assert isinstance(node, Simple)
    return node


def test_words_that_cannot_expand_are_literal() -> None:
    assert simple("echo 'a b' \"c\"d\\ e [ ]").static == ["echo", "a b", "cd e", "[", "]"]
    assert simple("echo *").static is None
    assert simple("echo [a]").static is None
    assert simple("echo '*' \"[a]\"").static == ["echo", "*", "[a]"]


def test_parts_of_a_word() -> None:
    word = simple('echo ~/a"$x"$(b)$((1))${y:-z}').words[1]
    assert [type(part) for part in word.parts] == [
        *(Tilde, Literal, Parameter, Substitution, Arithmetic, Parameter)
    ]


@pytest.mark.parametrize(
    "text",
    [
        "$((1+(2)))",
        "$( (a) )",
        "$(case x in x) ;; esac)",
        '${x:-$(a "}")}',
        "`a \\`b\\``",
        '"$(a ")")"',
    ],
)
def test_expansions_end_where_they_should(text: str) -> None:
    node = simple(f"echo {text} after")
    assert len(node.words) == 3
    assert node.words[2].literal == "after"


def test_dollar_parentheses_twice_may_be_a_subshell() -> None:
    part = simple("echo $((a); b)").words[1].parts[0]
    assert isinstance(part, Substitution)
    assert isinstance(part.body, Sequence)


def test_here_documents_are_read_after_their_line() -> None:
    first, second = parse("cat <<A <<'B' | wc\n$x\nA\n$y\nB\necho\n")
    assert isinstance(first, Pipeline)
    cat = first.commands[0]
    assert isinstance(cat, Simple)
    assert cat.redirections[0].target.literal is None
    assert cat.redirections[1].target.literal == "$y\n"
    assert isinstance(second, Simple)


def test_lines_are_counted_through_quotes_and_continuations() -> None:
    nodes = parse("a '\n\n' b\nc \\\n d\n\ne <<X\n1\nX\nf")
    assert [node.line for node in nodes if isinstance(node, Simple)] == [1, 4, 7, 10]


def test_aliases_only_where_a_command_may_start() -> None:
    nodes = parse("ll ll; x | ll\n", {"ll": "ls -l", "x": "y "})
    assert isinstance(nodes[0], Sequence)
    first = nodes[0].items[0]
    assert isinstance(first, Simple)
    assert first.static == ["ls", "-l", "ll"]


def test_an_alias_that_names_itself_ends() -> None:
    assert simple_with("ls x", {"ls": "ls -F"}) == ["ls", "-F", "x"]
    assert simple_with("a", {"a": "b", "b": "a"}) == ["a"]
    assert simple_with("a b", {"a": "echo ", "b": "c "}) == ["echo", "c"]


def simple_with(text: str, aliases: dict[str, str]) -> list[str] | None:
    (node,) = parse(text, aliases)
    assert isinstance(node, Simple)
    return node.static


def test_compound_commands() -> None:
    assert isinstance(parse("f() { a; }")[0], Function)
    assert isinstance(parse("case a in esac")[0], Case)
    assert isinstance(parse("a & ")[0], Background)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("if true; then fi", 'unexpected "fi"'),
        ("fi", 'unexpected "fi"'),
        ("a ;; b", 'unexpected ";;"'),
        ("( )", 'unexpected ")"'),
        ("a | | b", 'unexpected "|"'),
        ("for 1 in a; do :; done", "bad for loop variable"),
        ("{ a; )", 'unexpected ")" (expecting "}")'),
        ("a >", "unexpected end of file"),
    ],
)
def test_syntax_errors_name_the_token(text: str, message: str) -> None:
    with pytest.raises(SyntaxFault) as caught:
        parse(text)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "text", ["'a", '"a', "$(a", "`a", "${a", "$((1", "if a", "a &&", "{ a", "f()"]
)
def test_unfinished_input_is_told_from_wrong_input(text: str) -> None:
    with pytest.raises(SyntaxFault) as caught:
        parse(text)
    assert caught.value.unfinished


def test_deep_nesting_is_a_syntax_error() -> None:
    with pytest.raises(SyntaxFault):
        parse("(" * 100_000)


SHELL_TEXT = st.text(alphabet="ab1 \t\n'\"\\$`(){}[]<>|&;#*?!=~-+:/%@\x00é\udcff", max_size=40)
WORDS = st.lists(
    st.sampled_from(
        [
            "if",
            "then",
            "else",
            "elif",
            "fi",
            "for",
            "in",
            "while",
            "until",
            "do",
            "done",
            "case",
            "esac",
            "{",
            "}",
            "!",
            "(",
            ")",
            ";",
            ";;",
            "&",
            "&&",
            "|",
            "||",
            "\n",
            "<",
            ">",
            ">>",
            "<<",
            "<<-",
            "<&",
            ">|",
            "a",
            "b=c",
            "$x",
            "${x}",
            "${x:-",
            "${#x}",
            "$(a)",
            "$((",
            "`b`",
            "'",
            '"',
            "\\",
            "#",
            "~",
            "*",
            "E",
            "f()",
            "function",
        ]
    ),
    max_size=25,
)


@given(st.one_of(SHELL_TEXT, WORDS.map(" ".join)))
@settings(max_examples=1500, deadline=None)
def test_any_text_parses_or_is_a_syntax_error(text: str) -> None:
    try:
        parse(text)
    except SyntaxFault:
        pass


@given(st.lists(st.text(alphabet=st.characters(exclude_characters="\x00"), max_size=20)))
def test_quoted_words_read_back_as_they_were(words: list[str]) -> None:
    for quote in (quoted, single_quoted):
        node = simple("echo " + " ".join(quote(word) or "''" for word in words))
        assert node.static is not None
        assert node.static[1:] == words
