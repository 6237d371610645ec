r"""Which lines of a large block match: the heart of grep.

A block of whole lines is searched as one text; after a hit the search goes on behind the end of its
line.  So a line that does not match costs no Python at all.

    matcher = Matcher([b"error"], "fixed_strings")
    for start, stop in matcher.lines(block): ...     # each matching line, with its end
    for start, stop in matcher.parts(block, start, stop): ...   # the matches in one line
"""

from __future__ import annotations

import re

from toolbox.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: What makes a Perl expression look beyond a line, so that lines must be searched one by one.
_BEYOND_LINE = re.compile(rb"\(\?[^:P<'#]|\(\?<[=!]|\\[sSDWRNnAzZGxvVHX0-9]|\[|\(\?P?[<']")


class Matcher:
    """Patterns compiled together.

    patterns: any of them; flavor: basic_regexp, extended_regexp, fixed_strings or perl_regexp;
    words, whole: matches must be whole words, whole lines; end: what ends a line;
    utf8: characters are UTF-8.  UsageError for a pattern that is wrong.
    """

    def __init__(
        self,
        patterns: list[bytes],
        flavor: str,
        *,
        ignore_case: bool = False,
        words: bool = False,
        whole: bool = False,
        end: bytes = b"\n",
        utf8: bool = False,
    ) -> None:
        self.end = end
        self.ignore_case = ignore_case
        self.words = words
        self.whole = whole
        self.utf8 = utf8
        self.alternation = False
        self.keep = ""  # the group that \K of a Perl expression leaves
        self.literal: bytes | None = None
        self.compiled: re.Pattern[bytes] | None = None
        by_record = end != b"\n"
        if flavor == "fixed_strings":
            source = self._fixed(patterns)
        elif flavor == "perl_regexp":
            source = self._perl(patterns)
            by_record = by_record or any(map(_BEYOND_LINE.search, patterns))
        else:
            source = self._posix(patterns, flavor == "extended_regexp", not by_record)
        if source is not None:
            flags = re.IGNORECASE if ignore_case else 0
            if not by_record:
                flags |= re.MULTILINE
            elif flavor != "perl_regexp":
                flags |= re.DOTALL
            self.compiled = self._compile(source, flags)
        self.lines: Callable[[bytes], Iterator[tuple[int, int]]]
        if source is None:
            self.lines = self._literal_lines
        else:
            self.lines = self._record_lines if by_record else self._regex_lines

    def _compile(self, source: bytes, flags: int) -> re.Pattern[bytes]:
        import warnings

        if self.whole:
            source = b"^(?:" + source + b")$"
        elif self.words:
            word = b"[\\w\\x80-\\xff]" if self.utf8 else b"\\w"
            source = b"(?<!" + word + b")(?:" + source + b")(?!" + word + b")"
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # "possible nested set": it is meant as it stands
                return re.compile(source, flags)
        except (re.error, OverflowError) as error:
            raise UsageError(str(error)) from None

    # -- patterns --------------------------------------------------------------------------

    def _take_literal(self, text: bytes) -> bool:
        """Use plain search when one text is all there is to find."""
        if self.words or self.whole or (self.ignore_case and not text.isascii()):
            return False
        self.literal = text.lower() if self.ignore_case else text
        return True

    def _fixed(self, patterns: list[bytes]) -> bytes | None:
        from toolbox.regex import alternatives, translate

        if len(patterns) == 1 and self._take_literal(patterns[0]):
            return None
        if self.utf8 and self.ignore_case and not all(map(bytes.isascii, patterns)):
            from toolbox.regex import escape

            return b"|".join(
                translate(escape(p), extended=True, ignore_case=True, utf8=True).source
                for p in sorted(patterns, key=len, reverse=True)
            )
        return alternatives(patterns)

    def _posix(self, patterns: list[bytes], extended: bool, lines: bool) -> bytes | None:
        from toolbox.regex import Pattern, alternatives, translate

        translated: list[Pattern] = []
        groups = 0
        for pattern in patterns:
            one = translate(
                pattern,
                extended=extended,
                ignore_case=self.ignore_case,
                utf8=self.utf8,
                lines=lines,
                first_group=groups,
            )
            groups += one.groups
            translated.append(one)
        literals = [p.literal for p in translated if p.literal is not None]
        if lines and len(translated) == 1 and literals and self._take_literal(literals[0]):
            return None
        if len(literals) == len(translated) > 1:
            return alternatives(literals)
        context = self.words or any(p.context for p in translated)
        several = len(translated) > 1 or any(p.alternation for p in translated)
        self.alternation = several and not context
        return b"|".join(
            b"(?:" + p.source + b")" if len(translated) > 1 else p.source for p in translated
        )

    def _perl(self, patterns: list[bytes]) -> bytes:
        from toolbox.perl_regex import perl

        if len(patterns) > 1:
            raise UsageError("the -P option only supports a single pattern")
        source, self.keep = perl(patterns[0])
        return source

    # -- lines -----------------------------------------------------------------------------

    def _literal_lines(self, block: bytes) -> Iterator[tuple[int, int]]:
        literal, end = self.literal or b"", self.end
        text = block.lower() if self.ignore_case else block
        find, rfind, total, size = text.find, text.rfind, len(text), len(literal)
        at = 0
        while at < total and (hit := find(literal, at)) >= 0:
            start = rfind(end, at, hit) + 1 or at
            stop = find(end, hit + size) + 1 or total
            yield start, stop
            at = stop

    def _regex_lines(self, block: bytes) -> Iterator[tuple[int, int]]:
        compiled, end = self.compiled, self.end
        if compiled is None:
            return
        search, find, rfind, total = compiled.search, block.find, block.rfind, len(block)
        ended = block.endswith(end)
        at = 0
        while at < total and (found := search(block, at)):
            hit, after = found.span()
            if hit == total and ended:
                break  # nothing is no line
            start = rfind(end, at, hit) + 1 or at
            stop = find(end, after) + 1 or total
            yield start, stop
            at = stop

    def _record_lines(self, block: bytes) -> Iterator[tuple[int, int]]:
        compiled, end = self.compiled, self.end
        if compiled is None:
            return
        search = compiled.search
        start = 0
        for record in block.removesuffix(end).split(end):
            stop = start + len(record) + 1
            if search(record):
                yield start, min(stop, len(block))
            start = stop

    # -- parts -----------------------------------------------------------------------------

    def parts(self, block: bytes, start: int, stop: int) -> Iterator[tuple[int, int]]:
        """The matches that are not empty in the line block[start:stop], which is without its end."""
        line = block[start:stop]
        for first, last in self._spans(line):
            if first < last:
                yield start + first, start + last

    def all_parts(self, block: bytes) -> list[bytes] | None:
        """All matches in a block of lines that are not empty; None when lines must be looked at one by one."""
        if self.compiled is None:
            literal = self.literal or b""
            if self.ignore_case or not literal:
                return None
            return [literal] * block.count(literal)
        if self.alternation or self.keep or self.lines != self._regex_lines:
            return None
        if self.compiled.groups:
            return [part for found in self.compiled.finditer(block) if (part := found[0])]
        return list(filter(None, self.compiled.findall(block)))

    def _spans(self, line: bytes) -> Iterator[tuple[int, int]]:
        compiled = self.compiled
        if compiled is None:
            literal = self.literal or b""
            text = line.lower() if self.ignore_case else line
            at = 0
            while literal and (hit := text.find(literal, at)) >= 0:
                at = hit + len(literal)
                yield hit, at
            return
        if not self.alternation:
            for found in compiled.finditer(line):
                yield found.span(self.keep) if self.keep else found.span()
            return
        from toolbox.regex import longest

        at = 0
        while match := compiled.search(line, at):
            first, last = longest(compiled, match, len(line))
            yield first, last
            at = last if last > first else last + 1
            if at > len(line):
                return
