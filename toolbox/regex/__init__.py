r"""POSIX regular expressions (XBD 9, with GNU's extensions), on bytes: leftmost, longest, in linear time.

    regex = compile([br"\(ab*\)*c"], extended=False)
    for start, stop in regex.lines(block): ...       # the lines of a block that match, each with its end
    for start, stop in regex.spans(line): ...        # the matches in a line

An expression is read into the simplest tree for what it matches (`syntax`, `tree`).  Then the cheapest way that is
surely right is taken: the search for a text; Python's `re`, where it is proven that its first match is the longest
and that its backtracking is bounded (`source`); else a DFA that is built while it runs (`automaton`, `dfa`).  Where
`re` needs time that grows with the square of a line's length, it gets short lines only.

An expression that refers to its subexpressions (`\1`) is left to `re`; it may take time that is exponential in the
length of a line, as it does in GNU grep.  Classes as [:alpha:] hold ASCII.
"""

from __future__ import annotations

from toolbox.regex.expression import Regex
from toolbox.regex.source import escape
from toolbox.regex.syntax import SPECIAL, Syntax, parse
from toolbox.regex.tree import (
    END,
    NO_LETTER_AFTER,
    NO_LETTER_BEFORE,
    NO_WIDE_LETTER_AFTER,
    NO_WIDE_LETTER_BEFORE,
    START,
    Node,
    alt,
)

__all__ = ["Regex", "compile", "compile_texts", "escape"]


def compile(
    patterns: list[bytes],
    *,
    extended: bool,
    ignore_case: bool = False,
    utf8: bool = False,
    end: bytes | None = b"\n",
    words: bool = False,
    whole: bool = False,
) -> Regex:
    r"""Read expressions, of which any may match.  UsageError says what is wrong with one, in GNU's words.

    utf8: characters are UTF-8, not bytes
    end: what ends a line.  A newline that does is not matched by `.` and the like.  None: a text is no lines
    words, whole: a match must be whole words, a whole line
    """
    if not any(map(SPECIAL.intersection, patterns)):
        return compile_texts(
            patterns, ignore_case=ignore_case, utf8=utf8, end=end, words=words, whole=whole
        )
    syntax = Syntax(extended=extended, ignore_case=ignore_case, utf8=utf8, lines=end == b"\n")
    nodes: list[Node] = []
    groups = 0
    for pattern in patterns:
        parsed = parse(pattern, syntax, first_group=groups)
        groups += parsed.groups if parsed.refers else 0  # else they are not kept
        nodes.append(parsed.node)
    node = alt(nodes) if len(nodes) > 1 else nodes[0]
    return Regex(node=node, end=end, fold=ignore_case, around=_around(words, whole, utf8))


def compile_texts(
    texts: list[bytes],
    *,
    ignore_case: bool = False,
    utf8: bool = False,
    end: bytes | None = b"\n",
    words: bool = False,
    whole: bool = False,
) -> Regex:
    """An expression for any of the texts, in which no byte is special; the rest is as with `compile`."""
    if ignore_case and not all(map(bytes.isascii, texts)):
        syntax = Syntax(extended=True, ignore_case=True, utf8=utf8, lines=end == b"\n")
        node = alt([parse(escape(text), syntax).node for text in texts])
        return Regex(node=node, end=end, fold=True, around=_around(words, whole, utf8))
    if ignore_case:
        texts = [text.lower() for text in texts]
    return Regex(texts=texts, end=end, fold=ignore_case, around=_around(words, whole, utf8))


def _around(words: bool, whole: bool, utf8: bool) -> tuple[int, int] | None:
    """What must hold before and behind a match."""
    if whole:
        return START, END
    if not words:
        return None
    if utf8:
        return NO_WIDE_LETTER_BEFORE, NO_WIDE_LETTER_AFTER
    return NO_LETTER_BEFORE, NO_LETTER_AFTER
