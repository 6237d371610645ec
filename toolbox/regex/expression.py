"""An expression that was read, and the ways to find it: each is made when it is first needed."""

from __future__ import annotations

import re

from toolbox.errors import UsageError
from toolbox.regex.charset import NEWLINE
from toolbox.regex.rewriting import direct, factored, is_any_text, relaxed, trimmed, without_anchors
from toolbox.regex.source import (
    ANY_LINE,
    Writer,
    alternatives,
    first_is_longest,
    longest_line,
)
from toolbox.regex.tree import (
    END,
    START,
    Alt,
    Assertion,
    Cat,
    Chars,
    Node,
    Reference,
    cat,
    children,
    literal,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from toolbox.regex.dfa import Spans
    from toolbox.regex.lines import Lines


#: Texts are not looked for before the expression itself where they are in one line of so many; and when `re` looks for
#: the beginning of the expression fast.
_COMMON = 3
_COMMON_AT_START = 25

#: A length of lines that is hardly worth to be told apart.
_SHORT = 500


class Regex:
    """An expression.

    node: its tree; or texts: what it matches, nothing else
    end: what ends a line; None: a text is no lines
    fold: case does not matter, and the texts are in lower case
    around: what must hold before and behind a match
    """

    def __init__(
        self,
        *,
        node: Node | None = None,
        texts: list[bytes] | None = None,
        end: bytes | None = b"\n",
        fold: bool = False,
        around: tuple[int, int] | None = None,
    ) -> None:
        self._end = end
        self._fold = fold
        self._around = around
        self._given = node
        self._refers = node is not None and node.known and _refers(node)
        self._node = relaxed(node) if node is not None and node.known else node
        if texts is None and self._node is not None and not self._refers:
            texts = _texts(self._node, fold)
        if texts is None and node is not None and around == (START, END):
            # As a part of the expression they make it simpler.
            self._around = None
            self._given = cat([Assertion(START), node, Assertion(END)])
            if self._node is not None:
                self._node = cat([Assertion(START), self._node, Assertion(END)])
        self._texts = texts
        self._text = texts[0] if texts is not None and len(texts) == 1 and not around else None
        self._lines: Lines | None = None
        self._fits: Callable[[bytes], bool] | None = None
        self._finder: re.Pattern[bytes] | None = None
        self._finds_in = -1  # the longest line that is left to the finder; -1: it was not made yet
        self._spans: Spans | None = None

    # -- expressions of `re` ---------------------------------------------------------------

    def _compile(self, node: Node) -> re.Pattern[bytes]:
        source = Writer(lines=self._end == b"\n").write(self._surrounded(node))
        return self._compile_source(source, self._fold and self._refers)

    def _compile_texts(self, texts: list[bytes]) -> re.Pattern[bytes]:
        source = alternatives(texts)
        if self._around:
            write = Writer(lines=self._end == b"\n").write
            source = b"".join(
                (write(Assertion(self._around[0])), source, write(Assertion(self._around[1])))
            )
        return self._compile_source(source, self._fold)

    def _compile_source(self, source: bytes, ignore_case: bool) -> re.Pattern[bytes]:
        flags = re.MULTILINE if self._end == b"\n" else 0
        if ignore_case:
            flags |= re.IGNORECASE
        try:
            return re.compile(source, flags)
        except (re.error, OverflowError, RecursionError):
            raise UsageError("Regular expression too big") from None

    def _surrounded(self, node: Node) -> Node:
        if not self._around:
            return node
        return Cat((Assertion(self._around[0]), node, Assertion(self._around[1])))

    # -- lines -----------------------------------------------------------------------------

    def lines(self, block: bytes) -> Iterator[tuple[int, int]]:
        """The lines of a block that match: for each its start and its stop, with its end."""
        if self._lines is None:
            self._lines = self._make_lines(self._end or b"\n")
        return self._lines(block)

    def _make_lines(self, end: bytes) -> Lines:
        from toolbox.regex import lines

        if self._refers:
            return self._make_referring_lines(end)
        node, texts = self._node, self._texts
        if node is not None and not self._around:
            node = without_anchors(trimmed(node), 1 << end[0])
            texts = _texts(node, self._fold)
        if texts is not None and len(texts) == 1 and not self._around:
            return lines.with_text(texts[0], end, self._fold)
        if texts is not None:
            return self._texts_lines(texts, end)
        if node is None:
            raise TypeError("neither a tree nor texts")
        return self._tree_lines(node, end)

    def _texts_lines(self, texts: list[bytes], end: bytes) -> Lines:
        from toolbox.regex import lines
        from toolbox.regex.landmarks import Landmarks

        by_re = lines.by_re(lambda: self._compile_texts(texts), end)
        marks = Landmarks([texts], exact=not self._around, fold=self._fold)
        if not marks.useful():
            return by_re.lines
        if not marks.exact:
            return lines.by_landmarks(marks, by_re, end, _COMMON)
        if len({text[:1] for text in texts}) == 1 and not self._fold:
            return by_re.lines  # it looks for the common beginning
        return lines.with_landmarks(marks, by_re, ANY_LINE, end, _COMMON)

    def _tree_lines(self, node: Node, end: bytes) -> Lines:
        from toolbox.regex import lines
        from toolbox.regex.landmarks import landmarks

        marks = landmarks(node, end, fold=self._fold)
        marks.exact = marks.exact and not self._around
        given, node = node, factored(node)
        most = longest_line(self._surrounded(node))
        if most < _SHORT and not self._around:
            node = factored(direct(given, 1 << end[0]))
            most = longest_line(node)
        surrounded = self._surrounded(node)
        by_re = lines.by_re(lambda: self._compile(node), end)
        way = lines.by_automaton(surrounded, end) if most != ANY_LINE else by_re
        if 0 < most < ANY_LINE:
            way = lines.by_length(by_re, way, most, end)
        fast = most >= _SHORT and not self._around and _begins_with_text(node)
        if not marks.useful() or (fast and most == ANY_LINE):
            return way.lines
        share = _COMMON_AT_START if fast else _COMMON
        if marks.exact:
            return lines.with_landmarks(marks, by_re, most if most >= _SHORT else 0, end, share)
        return lines.by_landmarks(marks, way, end, share)

    def _make_referring_lines(self, end: bytes) -> Lines:
        """Lines that match an expression that refers to its subexpressions.

        Where backtracking may take long, only lines are tried that match an expression which matches more.
        """
        from toolbox.regex import lines

        if self._given is None or self._node is None:
            raise TypeError("no tree")
        compiled = self._compile(self._given)
        by_re = lines.by_re(lambda: compiled, end)
        most = longest_line(self._surrounded(factored(self._node)))
        if most == ANY_LINE:
            return by_re.lines
        likely = Regex(node=self._node, end=end, fold=self._fold, around=self._around).lines
        fits = compiled.search

        def find(block: bytes) -> Iterator[tuple[int, int]]:
            return lines.sieved(likely(block), block, fits, end)

        sieved = lines.Way(lambda: (find, fits))
        return lines.by_length(by_re, sieved, most, end).lines if most else find

    # -- matches ---------------------------------------------------------------------------

    def spans(self, line: bytes, at: int = 0) -> Iterator[tuple[int, int]]:
        """The matches in a line, without its end, from `at` on: each the longest at its place.

        Also empty ones, but not right behind another (as sed and GNU have it).
        """
        if self._finds_in < 0:
            self._make_finder()
        if self._text is not None:
            return self._text_spans(line, at)
        if len(line) <= self._finds_in and self._finder is not None:
            found = (found.span() for found in self._finder.finditer(line, at))
            nullable = self._node is None or self._node.nullable
            return _apart(found) if nullable else found
        if self._refers:
            return self._referring_spans(line, at)
        if self._spans is None:
            self._spans = self._make_spans()
        return self._spans.spans(line.translate(self._spans.automaton.classes), at)

    def parts(self, block: bytes) -> list[bytes] | None:
        """The matches in a block of lines that are not empty; None where lines must be looked at one by one."""
        if self._finds_in < 0:
            self._make_finder()
        if self._text:
            return None if self._fold else [self._text] * block.count(self._text)
        if self._finder is None or self._end != b"\n":
            return None
        if self._finds_in != ANY_LINE:
            from toolbox.regex.lines import longer_lines

            if next(longer_lines(block, self._finds_in, b"\n"), None):
                return None
        return list(filter(None, self._finder.findall(block)))

    def _text_spans(self, line: bytes, at: int) -> Iterator[tuple[int, int]]:
        wanted = self._text or b""
        text = line.lower() if self._fold else line
        size = len(wanted)
        while (hit := text.find(wanted, at)) >= 0:
            at = hit + (size or 1)
            yield hit, hit + size
            if at > len(text):
                return

    def _make_finder(self) -> None:
        self._finds_in = 0
        if self._refers or self._text is not None:
            return
        if self._texts is not None:
            self._finder = self._compile_texts(self._texts)
            self._finds_in = ANY_LINE
            return
        if self._node is None:
            return
        node = factored(self._node)
        if self._end == b"\n" and not self._around and _takes_lines(node):
            # It matches from the start of a line or nowhere in it, and only once.
            node = cat([Assertion(START), node])
        if first_is_longest(node):
            self._finds_in = longest_line(self._surrounded(node))
            if self._finds_in:
                self._finder = self._compile(node)

    def _make_spans(self) -> Spans:
        from toolbox.regex.automaton import Automaton
        from toolbox.regex.dfa import Spans

        if self._node is None:
            raise TypeError("no tree")
        return Spans(Automaton(self._surrounded(self._node), self._end[0] if self._end else None))

    def _referring_spans(self, line: bytes, at: int) -> Iterator[tuple[int, int]]:
        if self._finder is None and self._given is not None:
            self._finder = self._compile(self._given)
        compiled = self._finder
        before = -1
        while compiled and at <= len(line) and (found := compiled.search(line, at)):
            first, last = found.span()
            if self._around is None:
                for limit in range(len(line), last, -1):
                    if compiled.fullmatch(line, first, limit):
                        last = limit
                        break
            if first < last or first != before:
                yield first, last
            before = last
            at = last if last > first else last + 1

    # -- whole texts -----------------------------------------------------------------------

    def fullmatch(self, text: bytes) -> bool:
        """Whether the whole text matches."""
        if self._fits is None:
            self._fits = self._make_fits()
        return self._fits(text)

    def _make_fits(self) -> Callable[[bytes], bool]:
        if self._texts is not None and not self._around:
            texts = frozenset(self._texts)
            return lambda text: (text.lower() if self._fold else text) in texts
        node = self._given if self._refers else self._node
        compiled = (
            self._compile(node) if node is not None else self._compile_texts(self._texts or [])
        )
        by_re = compiled.fullmatch
        if self._refers or self._node is None:
            return lambda text: by_re(text) is not None
        surrounded = self._surrounded(factored(self._node))
        most = longest_line(surrounded, search=False)
        if most == ANY_LINE:
            return lambda text: by_re(text) is not None
        from toolbox.regex.automaton import Automaton
        from toolbox.regex.dfa import Scanner

        automaton = Automaton(Cat((Assertion(START), surrounded, Assertion(END))), None)
        find, classes = Scanner(automaton).find, automaton.classes

        def fits(text: bytes) -> bool:
            if len(text) <= most:
                return by_re(text) is not None
            return find(text.translate(classes)) >= 0

        return fits


def _refers(node: Node) -> bool:
    return isinstance(node, Reference) or any(map(_refers, children(node)))


def _texts(node: Node, fold: bool) -> list[bytes] | None:
    """The texts that a tree matches, when it is no more than a few texts side by side."""
    found: list[bytes] = []
    for branch in node.branches if isinstance(node, Alt) else (node,):
        text = literal(branch, fold=fold)
        if text is not None:
            found.append(text)
        elif isinstance(node, Alt) and isinstance(branch, Chars) and not branch.wide and not fold:
            found += [bytes((c,)) for c in range(256) if branch.narrow >> c & 1]
        else:
            return None
    return found


def _apart(spans: Iterator[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """The spans without empty ones right behind another."""
    end = -1
    for first, last in spans:
        if first < last or first != end:
            yield first, last
        end = last


def _begins_with_text(node: Node) -> bool:
    """Whether `re` looks for the place where a match may begin by a fast search."""
    first = node.parts[0] if isinstance(node, Cat) and node.parts else node
    return isinstance(first, Chars) and first.text() is not None


def _takes_lines(node: Node) -> bool:
    """Whether it begins with `.*`, so that where it matches it matches from the start of the line."""
    first = node.parts[0] if isinstance(node, Cat) and node.parts else node
    return is_any_text(first, NEWLINE)
