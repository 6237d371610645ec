r"""Which lines of a large block match: the heart of grep.

matcher = Matcher([b"error"], "fixed_strings")
for start, stop in matcher.lines(block): ...     # each matching line, with its end
for start, stop in matcher.parts(line): ...      # the matches in one line
"""

from __future__ import annotations

import re

from toolbox.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from toolbox.regex import Regex

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
        if flavor == "perl_regexp":
            self._regex: Regex | _Perl = _Perl(patterns, ignore_case, words, whole, end, utf8)
        elif flavor == "fixed_strings":
            from toolbox.regex import compile_texts

            self._regex = compile_texts(
                patterns, ignore_case=ignore_case, words=words, whole=whole, end=end, utf8=utf8
            )
        else:
            from toolbox.regex import compile

            self._regex = compile(
                patterns,
                extended=flavor == "extended_regexp",
                ignore_case=ignore_case,
                words=words,
                whole=whole,
                end=end,
                utf8=utf8,
            )
        self.lines = self._regex.lines
        self.all_parts = self._regex.parts

    def parts(self, line: bytes) -> Iterator[tuple[int, int]]:
        """The matches that are not empty in a line, which is without its end."""
        return (span for span in self._regex.spans(line) if span[0] < span[1])


class _Perl:
    """A Perl expression; all is left to `re`, which takes as long as it takes."""

    def __init__(
        self,
        patterns: list[bytes],
        ignore_case: bool,
        words: bool,
        whole: bool,
        end: bytes,
        utf8: bool,
    ) -> None:
        from toolbox.perl_regex import perl
        from toolbox.regex import lines

        if len(patterns) > 1:
            raise UsageError("the -P option only supports a single pattern")
        source, self._keep = perl(patterns[0])
        by_record = end != b"\n" or bool(_BEYOND_LINE.search(patterns[0]))
        if whole:
            source = b"^(?:" + source + b")$"
        elif words:
            letter = b"[\\w\\x80-\\xff]" if utf8 else b"\\w"
            source = b"(?<!" + letter + b")(?:" + source + b")(?!" + letter + b")"
        flags = re.IGNORECASE if ignore_case else 0
        if not by_record:
            flags |= re.MULTILINE
        self._compiled = _compile(source, flags)
        self._by_block = not by_record
        if by_record:
            self.lines = lines.one_by_one(self._compiled.search, end)
        else:
            self.lines = lines.by_block(self._compiled, end)

    def parts(self, block: bytes) -> list[bytes] | None:
        """The matches in a block of lines that are not empty; None where lines must be looked at one by one."""
        if self._keep or not self._by_block:
            return None
        return [part for found in self._compiled.finditer(block) if (part := found[0])]

    def spans(self, line: bytes) -> Iterator[tuple[int, int]]:
        """The matches in a line; of each what \\K keeps."""
        return (found.span(self._keep or 0) for found in self._compiled.finditer(line))


def _compile(source: bytes, flags: int) -> re.Pattern[bytes]:
    import warnings

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # "possible nested set": it is meant as it stands
            return re.compile(source, flags)
    except (re.error, OverflowError) as error:
        raise UsageError(str(error)) from None
