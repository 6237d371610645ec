"""Reading one word: quoting, `$` in all its forms, backquotes, tildes (POSIX XCU 2.2, 2.5, 2.6).

Modes differ only in which characters are plain and what ends the reading:

    word         ends at a blank or operator          'x' quotes
    "..."        ends at "                            ' is plain
    ${x-...}     ends at }                            ' quotes unless inside "..."
    here-doc     ends with the text                   " and ' are plain
    $((...))     ends at )) outside parentheses       " disappears, ' is plain
"""

from __future__ import annotations

import os
import re

from applets.sh.errors import SyntaxFault
from applets.sh.syntax.nodes import Arithmetic, Literal, Parameter, Part, Substitution, Tilde, Word
from applets.sh.syntax.source import Text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from applets.sh.syntax.nodes import Node
    from applets.sh.syntax.source import Lines

    # Parses commands from a lexer's place on, up to and with the operator ")", or for "" to the end of its text.
    Nested = Callable[["WordLexer", str], Node | None]


class Mode:
    """One row of the table above."""

    __slots__ = ("double", "end", "escapes", "plain", "single", "special")

    def __init__(self, special: str, end: str, escapes: str, single: bool, double: str) -> None:
        self.plain = re.compile("[^" + re.escape(special) + "]+")
        self.end = (
            end  # the character that ends the reading; "" for a word, "EOF" for a here-document
        )
        self.escapes = escapes  # what a backslash quotes; "" is everything
        self.single = single  # whether ' quotes
        self.double = double  # what " does: "quote", "end", "plain", "drop"


WORD = Mode(" \t\n|&;<>()$`\\\"'", "", "", True, "quote")
DOUBLE = Mode('$`\\"', '"', '$`"\\\n', False, "end")
BRACE = Mode("}$`\\\"'", "}", "", True, "quote")
BRACE_QUOTED = Mode('}$`\\"', "}", '$`"\\\n}', False, "quote")
BRACE_PATTERN = Mode("}/$`\\\"'", "}/", "", True, "quote")
BRACE_OFFSET = Mode("}:$`\\\"'", "}:", "", True, "quote")
HERE = Mode("$`\\", "EOF", "$`\\\n", False, "plain")
ARITHMETIC = Mode('()$`\\"', ")", '$`"\\\n', False, "drop")

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_BRACED = re.compile(r"[A-Za-z_][A-Za-z0-9_]*|[0-9]+|[@*#?$!-]")
_LENGTH = re.compile(r"#(?:[A-Za-z_][A-Za-z0-9_]*|[0-9]+|[@*#?$!-])\}")
_OPERATOR = re.compile(r":[-=?+]|[-=?+]|##?|%%?|//?|:")
# What may stand around a line continuation in $name and in the head of ${...}
_NAME_RUN = re.compile(r"(?:[A-Za-z0-9_]|\\\n)*")
_BRACE_RUN = re.compile(r"(?:[A-Za-z0-9_@*#?$!:=+%/}-]|\\\n)*")
_TILDE = re.compile(r"~([A-Za-z0-9._-]*)(?=[/:]|\Z)")
_COMMAND_END = re.compile(r"[`\\]")
_SPECIAL = frozenset("@*#?$!-0123456789")
_SIMPLE_ESCAPES = {
    "a": "\a",
    "b": "\b",
    "e": "\033",
    "E": "\033",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "v": "\v",
    "\\": "\\",
    "'": "'",
    '"': '"',
    "?": "?",
}


class WordLexer:
    """The text of the input, the place in it, and the reading of words."""

    def __init__(self, lines: Lines, nested: Nested, line: int = 1) -> None:
        self.lines = lines
        self.nested = nested
        self.aliases: dict[str, str] = {}
        self.text = ""
        self.position = 0
        self._line = line
        self._counted = 0  # up to here newlines are counted in _line
        self._stopped = ""  # the character that ended the last reading of parts

    def refill(self) -> bool:
        """Append the next line of input; False at its end."""
        line = self.lines.line(bool(self.text.strip()))
        self.text += line
        return bool(line)

    def line_number(self) -> int:
        """The line of the current place, from 1."""
        if self._counted < self.position:
            self._line += self.text.count("\n", self._counted, self.position)
            self._counted = self.position
        return self._line

    def peek(self) -> str:
        """The next character after any line continuations, "" at the end of the input."""
        while True:
            if self.position == len(self.text) and not self.refill():
                return ""
            if not self.skip_continuation():
                return self.text[self.position]

    def skip_continuation(self) -> bool:
        """Skip a backslash and newline at the current place."""
        if self.text.startswith("\\\n", self.position):
            self.position += 2
            if self.position == len(self.text):
                self.refill()
            return True
        return False

    def fault(self, message: str, unfinished: bool = False) -> SyntaxFault:
        """A syntax error at the current place."""
        return SyntaxFault(message, self.line_number(), unfinished)

    def nested_text(self, text: str) -> WordLexer:
        """A lexer over a text of its own (here-document body, backquotes, PS1)."""
        nested = type(self)(Text(""), self.nested, self._line)
        nested.aliases = self.aliases
        nested.text = text
        return nested

    def word(self) -> Word:
        """The word that starts here.  Tildes are marked."""
        return Word(mark_tildes(self.parts(WORD, False), False))

    def here_document_word(self) -> Word:
        """The whole text as the body of a here-document."""
        return Word(self.parts(HERE, True))

    def parts(self, mode: Mode, quoted: bool) -> list[Part]:
        """Read parts up to the mode's end, which stays unread in word mode and is consumed else."""
        parts: list[Part] = []
        depth = 0  # of parentheses in arithmetic
        while True:
            match = mode.plain.match(self.text, self.position)
            if match:
                self.position = match.end()
                _append(parts, match.group(), quoted)
            if self.position == len(self.text):
                if self.refill():
                    continue
                if mode is WORD or mode is HERE:
                    return parts
                raise self.fault(f"unterminated {_UNTERMINATED[mode.end[0]]}", True)
            c = self.text[self.position]
            if c == "\\":
                self._backslash(parts, mode, quoted)
            elif c == "$":
                self._dollar(parts, mode, quoted)
            elif c == "`":
                parts.append(Substitution(self._backquoted(mode), quoted))
            elif c == '"' and mode.double != "end":
                self._double_quote(parts, mode, quoted)
            elif c == "'" and mode.single:
                self._single_quote(parts)
            elif mode is ARITHMETIC:
                self.position += 1
                depth += 1 if c == "(" else -1
                if depth < 0:
                    if self.peek() != ")":
                        raise _NotArithmetic
                    self.position += 1
                    return parts
                _append(parts, c, quoted)
            else:
                if mode is not WORD:
                    self.position += 1
                self._stopped = c
                return parts

    def _double_quote(self, parts: list[Part], mode: Mode, quoted: bool) -> None:
        self.position += 1
        if mode.double == "drop":
            return
        inside = self.parts(DOUBLE, True)
        if not inside:
            _append(parts, "", True)
        for part in inside:
            if isinstance(part, Literal):
                _append(parts, part.text, True)
            else:
                parts.append(part)

    def _single_quote(self, parts: list[Part]) -> None:
        start = self.position + 1
        while True:
            end = self.text.find("'", start)
            if end >= 0:
                break
            if not self.refill():
                self.position = len(self.text)
                raise self.fault("unterminated quoted string", True)
        _append(parts, self.text[start:end], True)
        self.position = end + 1

    def _backslash(self, parts: list[Part], mode: Mode, quoted: bool) -> None:
        if self.skip_continuation():
            return
        if self.position + 1 == len(self.text) and not self.refill():
            self.position += 1
            _append(parts, "\\", True)
            return
        c = self.text[self.position + 1]
        if c == "\n":
            self.skip_continuation()
            return
        if mode.escapes and c not in mode.escapes:
            _append(parts, "\\", True)
            self.position += 1
            return
        _append(parts, c, True)
        self.position += 2

    # $name, ${...}, $(...), $((...)), $'...'

    def _join(self, run: re.Pattern[str]) -> None:
        """Take the line continuations out of a run of characters that starts here."""
        while True:
            match = run.match(self.text, self.position)
            found = match.group() if match else ""
            if "\\\n" in found:
                joined = found.replace("\\\n", "")
                self.text = (
                    self.text[: self.position] + joined + self.text[self.position + len(found) :]
                )
                self._line += found.count("\n")
            if (
                self.position + len(found) < len(self.text)
                or "\n" not in found
                or not self.refill()
            ):
                return

    def _dollar(self, parts: list[Part], mode: Mode, quoted: bool) -> None:
        self.position += 1
        c = self.peek()
        self._join(_NAME_RUN)
        match = _NAME.match(self.text, self.position)
        if match:
            self.position = match.end()
            parts.append(Parameter(match.group(), quoted))
        elif c in _SPECIAL and c:
            self.position += 1
            parts.append(Parameter(c, quoted))
        elif c == "{":
            self.position += 1
            parts.append(self._braced(mode, quoted))
        elif c == "(":
            self.position += 1
            parts.append(self._parenthesis(quoted))
        elif c == "'" and not quoted and mode.single:
            _append(parts, self._ansi_quoted(), True)
        elif c == '"' and not quoted and mode is WORD:
            pass  # $"...": a message to be translated, here into itself
        else:
            _append(parts, "$", quoted)

    def _parenthesis(self, quoted: bool) -> Part:
        start, line, counted = self.position, self._line, self._counted
        if self.peek() == "(":
            self.position += 1
            try:
                return Arithmetic(self.parts(ARITHMETIC, True), quoted)
            except _NotArithmetic:
                pass
            # $( (subshell) ): read it again as commands
            self.position, self._line, self._counted = start, line, counted
        return Substitution(self.nested(self, ")"), quoted)

    def _braced(self, mode: Mode, quoted: bool) -> Part:
        self.peek()
        self._join(_BRACE_RUN)
        length = _LENGTH.match(self.text, self.position)
        if length:
            self.position = length.end()
            return Parameter(length.group()[1:-1], quoted, "length")
        match = _BRACED.match(self.text, self.position)
        if not match:
            return self._bad(quoted)
        name = match.group()
        self.position = match.end()
        if self.text.startswith("}", self.position):
            self.position += 1
            return Parameter(name, quoted)
        found = _OPERATOR.match(self.text, self.position)
        if not found:
            return self._bad(quoted)
        operator = found.group()
        self.position = found.end()
        second = None
        if operator in ("/", "//"):
            pattern: list[Part] = []
            if operator == "//" and self.peek() == "/":  # ${x////b}: the pattern is /
                self.position += 1
                pattern.append(Literal("/", False))
            word = Word(pattern + self.parts(BRACE_PATTERN, False))
            if self._stopped != "}":
                second = Word(self.parts(BRACE, quoted))
        elif operator == ":":
            word = Word(self.parts(BRACE_OFFSET, False))
            if self._stopped != "}":
                second = Word(self.parts(BRACE, False))
        elif operator[0] in "#%":
            word = Word(mark_tildes(self.parts(BRACE, False), False))
        elif quoted:
            word = Word(self.parts(BRACE_QUOTED, True))
        else:
            word = Word(mark_tildes(self.parts(BRACE, False), False))
        return Parameter(name, quoted, operator, word, second)

    def _bad(self, quoted: bool) -> Part:
        """`${` followed by what is no parameter: an error, but only when it is expanded."""
        start = self.position
        self.parts(BRACE, False)
        return Parameter(self.text[start : self.position - 1], quoted, "bad")

    def _backquoted(self, mode: Mode) -> Node | None:
        """The commands between backquotes: there `\\` quotes only $, ` and \\ (and " inside "...")."""
        self.position += 1
        got: list[str] = []
        escapes = "$`\\" + ('"' if mode is DOUBLE or mode is BRACE_QUOTED else "")
        while True:
            match = _COMMAND_END.search(self.text, self.position)
            if not match:
                got.append(self.text[self.position :])
                self.position = len(self.text)
                if not self.refill():
                    raise self.fault("EOF in backquote substitution", True)
                continue
            got.append(self.text[self.position : match.start()])
            self.position = match.start()
            if match.group() == "`":
                self.position += 1
                return self.nested(self.nested_text("".join(got)), "")
            if self.skip_continuation():
                continue
            following = self.text[self.position + 1 : self.position + 2]
            got.append(following if following and following in escapes else "\\" + following)
            self.position += 1 + len(following)

    def _ansi_quoted(self) -> str:
        """The text of $'...' with C's escapes (POSIX 2024, XCU 2.2.4)."""
        self.position += 1
        got: list[str] = []
        pattern = re.compile(
            r"([^'\\]+)|(')|\\(?:x([0-9A-Fa-f]{1,2})|([0-7]{1,3})|u([0-9A-Fa-f]{1,4})|c(.)|([\s\S]))"
        )
        while True:
            match = pattern.match(self.text, self.position)
            if not match:
                if not self.refill():
                    raise self.fault("unterminated quoted string", True)
                continue
            self.position = match.end()
            plain, end, hexadecimal, octal, code, control, other = match.groups()
            if end:
                # bytes given one by one may make up characters
                return os.fsdecode(os.fsencode("".join(got).partition("\0")[0]))
            if plain:
                got.append(plain)
            elif hexadecimal or octal:
                value = int(hexadecimal, 16) if hexadecimal else int(octal, 8)
                got.append(os.fsdecode(bytes([value & 0xFF])))
            elif code:
                got.append(os.fsdecode(chr(int(code, 16)).encode("utf-8", "surrogatepass")))
            elif control:
                got.append(chr(ord(control) & 0x1F))
            else:
                got.append(_SIMPLE_ESCAPES.get(other, "\\" + other))


class _NotArithmetic(Exception):
    """`$((` turned out to be `$(` and a subshell."""


_UNTERMINATED = {'"': "quoted string", "}": "${", ")": "$(("}


def _append(parts: list[Part], text: str, quoted: bool) -> None:
    """Add literal text, joined to the part before where that is quoted alike."""
    if parts:
        last = parts[-1]
        if isinstance(last, Literal) and last.quoted == quoted:
            last.text += text
            return
    parts.append(Literal(text, quoted))


def mark_tildes(parts: list[Part], assignment: bool) -> list[Part]:
    """Turn unquoted leading tildes into Tilde parts; after each `:` too in an assignment's value."""
    if not any(isinstance(p, Literal) and not p.quoted and "~" in p.text for p in parts):
        return parts
    got: list[Part] = []
    for index, part in enumerate(parts):
        if not isinstance(part, Literal) or part.quoted or "~" not in part.text:
            got.append(part)
            continue
        last = index == len(parts) - 1
        pieces = part.text.split(":") if assignment else [part.text]
        for number, piece in enumerate(pieces):
            if number:
                _append(got, ":", False)
            match = _TILDE.match(piece) if not got or number else None
            # a tilde-prefix that runs into a quote or an expansion is none
            ends_here = match and match.end() == len(piece) and number == len(pieces) - 1
            if match and (last or not ends_here):
                got.append(Tilde(match.group(1)))
                piece = piece[match.end() :]
            if piece:
                _append(got, piece, False)
    return got
