r"""POSIX regular expressions (XBD 9, with GNU's extensions) as Python's `re` understands them, on bytes.

    pattern = translate(br"\(a\)\1", extended=False)
    compiled = re.compile(pattern.source, re.MULTILINE)

The text that is matched may hold many lines: `.`, `[^x]`, `\W` and the like never match a newline, and
`^` and `$` match at lines (compile with re.MULTILINE), unless `lines=False`.

Differences that remain: `re` takes the first alternative that matches where POSIX wants the longest
match.  Whether there is a match at all never depends on that.  Where the extent matters (grep -o, sed),
`longest` finds POSIX's; it gives the first one for patterns that end in a context (`$`, `\>`), and
subexpressions hold what `re` found.  Classes as [:alpha:] hold ASCII; with `utf8`, `.` and brackets take
a whole UTF-8 character.
"""

from __future__ import annotations

import re

from toolbox.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_CLASSES = {
    b"alpha": b"A-Za-z",
    b"digit": b"0-9",
    b"alnum": b"0-9A-Za-z",
    b"upper": b"A-Z",
    b"lower": b"a-z",
    b"space": b" \\t\\n\\r\\f\\v",
    b"blank": b" \\t",
    b"punct": b"!-/:-@\\[-`{-~",
    b"print": b" -~",
    b"graph": b"!-~",
    b"cntrl": b"\\x00-\\x1f\\x7f",
    b"xdigit": b"0-9A-Fa-f",
}

#: One UTF-8 character that is not ASCII.
_WIDE = rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}"

_SPECIAL = frozenset(b"\\.^$*+?{}[]|()#&~-\t\n\v\f\r ")

#: The largest repetition count (GNU's RE_DUP_MAX).
_MOST = 32767


class Pattern:
    """A translated expression.

    source: for re.compile; groups: how many subexpressions; literal: the text itself when the expression
    is nothing but that; alternation: whether POSIX's longest match may differ from the first;
    context: whether it ends by looking at what follows.
    """

    __slots__ = ("alternation", "context", "groups", "literal", "source")

    def __init__(self) -> None:
        self.source = b""
        self.groups = 0
        self.literal: bytes | None = None
        self.alternation = False
        self.context = False


def translate(
    pattern: bytes,
    *,
    extended: bool,
    ignore_case: bool = False,
    utf8: bool = False,
    lines: bool = True,
    first_group: int = 0,
) -> Pattern:
    """Translate a basic or extended regular expression.

    ignore_case: only what re.IGNORECASE does not do by itself on bytes (characters beyond ASCII)
    lines: nothing but `^` and `$` sees a newline
    first_group: subexpressions before this one when several are joined in one `re`
    UsageError says what is wrong with the expression, in GNU's words.
    """
    return _Translator(pattern, extended, ignore_case, utf8, lines, first_group).run()


def escape(text: bytes) -> bytes:
    """The text as an expression that matches only itself."""
    return b"".join(b"\\" + bytes((c,)) if c in _SPECIAL else bytes((c,)) for c in text)


def class_members(name: bytes) -> bytes:
    """What [:name:] stands for between brackets (`alpha`: A-Za-z).  UsageError when there is no such class."""
    if name not in _CLASSES:
        raise UsageError("Invalid character class name")
    return _CLASSES[name]


def alternatives(words: Iterable[bytes]) -> bytes:
    """An expression for any of the words; of those that match at a place the longest is taken.

    Words are grouped by common beginnings, so that thousands of them stay fast.
    """
    return _grouped(sorted(set(words)), 0, 6)


def _grouped(words: list[bytes], at: int, levels: int) -> bytes:
    if len(words) == 1:
        return escape(words[0][at:])
    if levels == 0:
        by_length = sorted(words, key=len, reverse=True)
        return b"(?:" + b"|".join(escape(word[at:]) for word in by_length) + b")"
    ends = bool(words) and len(words[0]) == at  # sorted: the shortest comes first
    rest = words[1:] if ends else words
    branches = []
    start = 0
    for stop in range(1, len(rest) + 1):
        if stop == len(rest) or rest[stop][at] != rest[start][at]:
            first = bytes((rest[start][at],))
            branches.append(escape(first) + _grouped(rest[start:stop], at + 1, levels - 1))
            start = stop
    if ends:
        branches.append(b"")
    return b"(?:" + b"|".join(branches) + b")"


def longest(compiled: re.Pattern[bytes], found: re.Match[bytes], stop: int) -> tuple[int, int]:
    """The span of POSIX's match: at the place of `found` the longest that ends at or before `stop`."""
    start, end = found.span()
    text = found.string
    for limit in range(stop, end, -1):
        if compiled.fullmatch(text, start, limit):
            return start, limit
    return start, end


class _Translator:
    def __init__(
        self,
        pattern: bytes,
        extended: bool,
        ignore_case: bool,
        utf8: bool,
        lines: bool,
        first_group: int,
    ) -> None:
        self.text = pattern
        self.at = 0
        self.extended = extended
        self.ignore_case = ignore_case
        self.utf8 = utf8
        self.lines = lines
        self.base = first_group
        self.open: list[tuple[int, int]] = []  # group number, where its source starts in out
        self.closed: set[int] = set()
        self.out: list[bytes] = []
        self.quantifiable = False  # whether the last piece of `out` is something to repeat
        self.literal: list[bytes] | None = []
        self.result = Pattern()

    def run(self) -> Pattern:
        text = self.text
        while self.at < len(text):
            c = text[self.at : self.at + 1]
            if c == b"\\":
                self._backslash()
            elif c == b"[":
                self._not_literal()
                self._piece(self._bracket())
            elif c == b".":
                self._not_literal()
                self.at += 1
                self._piece(self._any())
            elif c == b"*":
                self._star()
            elif self.extended and c in b"+?":
                self._quantifier(c)
            elif self.extended and c == b"{":
                self._interval()
            elif self.extended and c == b"(":
                self.at += 1
                self._group()
            elif self.extended and c == b")" and self.open:
                self.at += 1
                self._end_group()
            elif self.extended and c == b"|":
                self.at += 1
                self._alternative()
            elif c == b"^" and self._anchors_start():
                self.at += 1
                self._assertion(b"^" if self.lines else b"\\A")
            elif c == b"$" and self._anchors_end():
                self.at += 1
                self.result.context = True
                self._assertion(b"$" if self.lines else b"\\Z")
            else:
                self._literal_character()
        if self.open:
            raise UsageError("Unmatched ( or \\(")
        result = self.result
        result.source = b"".join(self.out)
        if self.literal is not None:
            result.literal = b"".join(self.literal)
        return result

    # -- pieces ----------------------------------------------------------------------------

    def _not_literal(self) -> None:
        self.literal = None

    def _piece(self, source: bytes) -> None:
        self.out.append(source)
        self.quantifiable = True

    def _assertion(self, source: bytes) -> None:
        self._not_literal()
        self.out.append(source)
        self.quantifiable = False

    def _literal_character(self) -> None:
        text, at = self.text, self.at
        size = 1
        if self.utf8 and text[at] >= 0xC2:
            size = _character_size(text, at)
        self.at += size
        self._literal(text[at : at + size])

    def _literal(self, c: bytes) -> None:
        if self.literal is not None:
            self.literal.append(c)
        if len(c) == 1:
            self._piece(escape(c))
            return
        both = {c}
        if self.ignore_case:
            decoded = c.decode()
            both |= {decoded.lower().encode(), decoded.upper().encode()}
            self._not_literal()
        self._piece(b"(?:" + b"|".join(sorted(both)) + b")")

    def _any(self) -> bytes:
        one = b"[^\\n]" if self.lines else b"[\\x00-\\xff]"
        if not self.utf8 or self.text[self.at : self.at + 1] == b"*":
            # With a star it makes no difference whether bytes or characters are counted.
            return one
        ascii_one = b"[\\x00-\\x09\\x0b-\\x7f]" if self.lines else b"[\\x00-\\x7f]"
        return b"(?:" + ascii_one + b"|" + _WIDE + b")"

    def _anchors_start(self) -> bool:
        before = self.text[: self.at]
        if self.extended or self.at == 0:
            return True
        return (
            before.endswith((b"\\(", b"\\|")) and not before.endswith((b"\\\\(", b"\\\\|"))
        ) or (before.endswith(b"\n"))

    def _anchors_end(self) -> bool:
        after = self.text[self.at + 1 :]
        return self.extended or not after or after.startswith((b"\\)", b"\\|", b"\n"))

    def _star(self) -> None:
        if not self.extended and not self.quantifiable:
            # XBD 9.3.3: a star at the start of a basic expression, or after \( or ^, is a star.
            self.at += 1
            self._literal(b"*")
            return
        self._quantifier(b"*")

    def _quantifier(self, source: bytes) -> None:
        self.at += 1
        self._repeat(source)

    def _repeat(self, source: bytes) -> None:
        self._not_literal()
        if not self.quantifiable:
            return  # GNU: repeating nothing is nothing
        last = self.out[-1]
        if last.startswith(b"(") and not last.startswith(b"(?:["):
            # A repeated group: how often may change what follows, so the first match need not be the longest.
            self.result.alternation = True
        escaped = len(last) == 2 and last[:1] == b"\\"
        if last[-1:] in b"*+?}" and len(last) > 1 and not escaped:
            # Repeated already: re has a repeated repetition only of a group.
            last = b"(?:" + last + b")"
        self.out[-1] = last + source

    def _interval(self) -> None:
        """`{n}`, `{n,}`, `{,m}`, `{n,m}` at self.at (past the backslash of a basic expression)."""
        text = self.text
        found = re.compile(rb"\{([0-9]*)(,?)([0-9]*)(\\?)\}").match(text, self.at)
        valid = found and bool(found[4]) is not self.extended and (found[1] or found[2])
        if not valid or found is None:
            if not self.extended:
                end = text.find(b"\\}", self.at)
                raise UsageError("Unmatched { or \\{" if end < 0 else "Invalid content of \\{\\}")
            self._literal_character()  # GNU: an invalid interval is what it looks like
            return
        low, high = int(found[1] or 0), int(found[3]) if found[3] else None
        if low > _MOST or (high or 0) > _MOST:
            raise UsageError("Regular expression too big")
        if high is not None and low > high:
            raise UsageError("Invalid content of \\{\\}")
        if not self.extended and not self.quantifiable:
            raise UsageError("Invalid preceding regular expression")
        self.at = found.end()
        self._repeat(b"{" + str(low).encode() + found[2] + found[3] + b"}")

    def _group(self) -> None:
        self._not_literal()
        self.result.groups += 1
        self.open.append((self.result.groups, len(self.out)))
        self.out.append(b"(")
        self.quantifiable = False

    def _end_group(self) -> None:
        if not self.open:
            raise UsageError("Unmatched ) or \\)")
        number, start = self.open.pop()
        self.closed.add(number)
        self.out[start:] = [b"".join(self.out[start:]) + b")"]
        self.quantifiable = True

    def _alternative(self) -> None:
        self._not_literal()
        self.result.alternation = True
        self.out.append(b"|")
        self.quantifiable = False

    def _backslash(self) -> None:
        text = self.text
        c = text[self.at + 1 : self.at + 2]
        if not c:
            raise UsageError("Trailing backslash")
        self.at += 2
        if not self.extended and c in b"(){}|+?":
            self._basic_operator(c)
        elif c in b"123456789":
            self._back_reference(int(c))
        elif c in _ESCAPES:
            self._not_literal()
            source = _ESCAPES[c][0 if self.lines else 1]
            if c in b"wWsS":
                self._piece(source)
            else:
                self.result.context = True
                self._assertion(source)
        else:
            self.at -= 1
            self._literal_character()

    def _basic_operator(self, c: bytes) -> None:
        if c == b"(":
            self._group()
        elif c == b")":
            self._end_group()
        elif c == b"|":
            self._alternative()
        elif c == b"{":
            self.at -= 1
            self._interval()
        elif c == b"}" or not self.quantifiable:
            self._literal(c)
        else:
            self._repeat(c)

    def _back_reference(self, number: int) -> None:
        if number not in self.closed:
            raise UsageError("Invalid back reference")
        self._not_literal()
        self.result.alternation = True
        self._piece(b"(?:\\%d)" % (number + self.base))

    # -- brackets --------------------------------------------------------------------------

    def _bracket(self) -> bytes:
        """A bracket expression (XBD 9.3.5) at self.at, as a class; with wide characters as alternatives."""
        text = self.text
        at = self.at + 1
        negated = text[at : at + 1] == b"^"
        at += negated
        narrow: list[bytes] = []
        wide: set[str] = set()
        spans_newline = False
        first = True
        while True:
            if at >= len(text):
                raise UsageError("Unmatched [, [^, [:, [., or [=")
            if text[at : at + 1] == b"]" and not first:
                break
            first = False
            if text[at : at + 2] == b"[:":
                name, at = _named(text, at, b":]")
                known = class_members(name)
                if self.ignore_case and name in (b"upper", b"lower"):
                    known = _CLASSES[b"alpha"]
                narrow.append(known)
                spans_newline = spans_newline or name in (b"space", b"cntrl")
                continue
            low, at = self._element(at)
            high = low
            if text[at : at + 1] == b"-" and text[at + 1 : at + 2] not in (b"]", b""):
                high, at = self._element(at + 1)
            if low > high:
                raise UsageError("Invalid range end")
            spans_newline = spans_newline or low <= 10 <= high
            self._add_range(low, high, narrow, wide)
        self.at = at + 1
        return self._bracket_source(negated, narrow, wide, spans_newline)

    def _element(self, at: int) -> tuple[int, int]:
        """One character, `[.x.]` or `[=x=]`: its code and where the text goes on."""
        text = self.text
        two = text[at : at + 2]
        if two in (b"[.", b"[="):
            name, at = _named(text, at, two[1:] + b"]")
            size = _character_size(name, 0) if self.utf8 and name else 1
            if len(name) != size:
                raise UsageError("Invalid collation character")
            return (ord(name.decode()) if size > 1 else name[0]), at
        size = _character_size(text, at) if self.utf8 else 1
        if size > 1:
            return ord(text[at : at + size].decode()), at + size
        return text[at], at + 1

    def _add_range(self, low: int, high: int, narrow: list[bytes], wide: set[str]) -> None:
        edge = 0x7F if self.utf8 else 0xFF
        if low <= edge:
            end = min(high, edge)
            one = escape(bytes((low,)))
            narrow.append(one if low == end else one + b"-" + escape(bytes((end,))))
        if high > edge:
            low = max(low, edge + 1)
            wide.update(map(chr, range(low, min(high, low + 0x4000) + 1)))
            if self.ignore_case:
                for c in list(wide):
                    wide |= {x for x in (c.lower(), c.upper()) if len(x) == 1}

    def _bracket_source(
        self, negated: bool, narrow: list[bytes], wide: set[str], spans_newline: bool
    ) -> bytes:
        wide_source = _wide_alternatives(wide)
        if not negated:
            choices = [b"[" + b"".join(narrow) + b"]"] if narrow else []
            choices += [wide_source] if wide_source else []
            either = b"|".join(choices)
            if self.lines and spans_newline:
                either = b"(?!\\n)(?:" + either + b")"
            return (
                either
                if len(choices) == 1 and narrow and not spans_newline
                else b"(?:" + either + b")"
            )
        inside = b"[^" + b"".join(narrow) + (b"\\n" if self.lines else b"")
        if not self.utf8:
            return inside + b"]"
        without = b"(?!" + wide_source + b")" if wide_source else b""
        if inside == b"[^":
            return b"(?:[\\x00-\\x7f]|" + without + b"(?:" + _WIDE + b"))"
        return b"(?:" + inside + b"\\x80-\\xff]|" + without + b"(?:" + _WIDE + b"))"


_ESCAPES = {
    # with lines, without
    b"w": (b"\\w", b"\\w"),
    b"W": (b"[^\\w\\n]", b"\\W"),
    b"s": (b"[ \\t\\r\\f\\v]", b"\\s"),
    b"S": (b"\\S", b"\\S"),
    b"b": (b"\\b", b"\\b"),
    b"B": (b"\\B", b"\\B"),
    b"<": (b"\\b(?=\\w)", b"\\b(?=\\w)"),
    b">": (b"\\b(?<=\\w)", b"\\b(?<=\\w)"),
    b"`": (b"^", b"\\A"),
    b"'": (b"$", b"\\Z"),
}


def _named(text: bytes, at: int, end: bytes) -> tuple[bytes, int]:
    """The name in `[:name:]` at `at`, and where the text goes on."""
    stop = text.find(end, at + 2)
    if stop < 0:
        raise UsageError("Unmatched [, [^, [:, [., or [=")
    return text[at + 2 : stop], stop + 2


def _character_size(text: bytes, at: int) -> int:
    """Bytes of the UTF-8 character at `at`; 1 when there is none."""
    first = text[at]
    size = 1 if first < 0xC2 else 2 if first < 0xE0 else 3 if first < 0xF0 else 4
    try:
        text[at : at + size].decode()
    except UnicodeDecodeError:
        return 1
    return size


def _wide_alternatives(wide: set[str]) -> bytes:
    """An expression for one of the characters: a class of last bytes for each beginning."""
    endings: dict[bytes, bytearray] = {}
    for c in sorted(wide):
        encoded = c.encode("utf-8", "surrogateescape")
        endings.setdefault(encoded[:-1], bytearray()).append(encoded[-1])
    return b"|".join(start + b"[" + bytes(ends) + b"]" for start, ends in endings.items())
