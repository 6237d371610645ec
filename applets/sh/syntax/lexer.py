"""Characters to tokens (POSIX XCU 2.2, 2.3): operators, words with their quoting, here-documents.

The lexer reads lines only when it needs them, keeps the text of one complete command, and calls a
function that it is given for the commands in `$(...)`.  Words themselves (quoting, `$`, backquotes) are read by `words.WordLexer`.
"""

from __future__ import annotations

import re

from applets.sh.errors import SyntaxFault
from applets.sh.numbers import decimal
from applets.sh.syntax.nodes import Literal, Redirection, Word
from applets.sh.syntax.tokens import OPERATORS, Token
from applets.sh.syntax.words import WordLexer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from applets.sh.syntax.source import Lines
    from applets.sh.syntax.words import Nested

_BLANK = re.compile(r"[ \t]*")
_COMMENT = re.compile(r"[^\n]*")
_NUMBER = re.compile(r"[0-9]+(?=[<>])")
_DIGIT_RUN = re.compile(r"(?:[0-9]|\\\n)*")  # with line continuations
_DIGITS = frozenset("0123456789")
_STARTS_OPERATOR = frozenset("&|;<>()\n")


class Lexer(WordLexer):
    """Tokens of one input.  `begin` starts a complete command, `token` reads the next token."""

    def __init__(self, lines: Lines, nested: Nested, line: int = 1) -> None:
        super().__init__(lines, nested, line)
        self._bodies: list[tuple[Redirection, str]] = []  # here-documents announced on this line
        self._aliases: list[
            tuple[str, int]
        ] = []  # alias, distance from the end of the text to its end
        self.blank_alias = (
            -1
        )  # the same distance for an alias that ends in a blank; -1: there is none

    def begin(self) -> None:
        """Forget the text that was consumed: a new complete command starts here."""
        self.line_number()
        self.text = self.text[self.position :]
        self.position = self._counted = 0

    def refill(self) -> bool:
        """Append the next line of input; the ends of aliases are counted from the end of the text."""
        before = len(self.text)
        if not super().refill():
            return False
        more = len(self.text) - before
        if self._aliases:
            self._aliases = [(alias, end + more) for alias, end in self._aliases]
        if self.blank_alias >= 0:
            self.blank_alias += more
        return True

    def token(self) -> Token:
        """The next token; a newline token also reads the bodies of the line's here-documents."""
        while True:
            text = self.text
            match = _BLANK.match(text, self.position)
            position = self.position = match.end() if match else self.position
            if position == len(text):
                if not self.refill():
                    if self._bodies:
                        self._read_bodies()
                    return Token("", None, -1, position, self.line_number())
                continue
            c = text[position]
            if c == "\\" and self.skip_continuation():
                continue
            if c == "#":
                comment = _COMMENT.match(text, position)
                self.position = comment.end() if comment else position
                continue
            break
        line = self.line_number()
        if c in _STARTS_OPERATOR:
            return self._operator(c, position, -1, line)
        if c in _DIGITS:
            self._join(_DIGIT_RUN)
            number = _NUMBER.match(self.text, position)
            fd = decimal(number.group()) if number else None
            if number and fd is not None:  # a number that no descriptor can have is a word
                self.position = number.end()
                return self._operator(self.text[self.position], position, fd, line)
        return Token("", self.word(), -1, position, line)

    def _operator(self, c: str, start: int, fd: int, line: int) -> Token:
        operator = c
        self.position += 1
        while True:  # the longest operator, with line continuations between its characters
            while self.skip_continuation():
                pass
            longer = operator + self.text[self.position : self.position + 1]
            if longer == operator or longer not in OPERATORS:
                break
            operator = longer
            self.position += 1
        if operator == "\n" and self._bodies:
            self._read_bodies()
        return Token(operator, None, fd, start, line)

    # Aliases (XCU 2.3.1): the text is put in place of the word and read again.

    def expand_alias(self, token: Token, name: str, value: str) -> bool:
        """Put `value` in place of the word just read; False when the alias is being expanded already."""
        left = len(self.text) - self.position
        self._aliases = [(a, end) for a, end in self._aliases if len(self.text) - token.start > end]
        if any(a == name for a, _ in self._aliases):
            return False
        self._aliases.append((name, left))
        if value[-1:] in (" ", "\t"):
            self.blank_alias = left
        self.line_number()
        self.text = self.text[: token.start] + value + self.text[self.position :]
        self.position = token.start
        self._counted = min(self._counted, self.position)
        return True

    def after_blank_alias(self, token: Token) -> bool:
        """Whether `token` is the first one after an alias whose value ends in a blank."""
        if len(self.text) - token.start > self.blank_alias:
            return False
        self.blank_alias = -1
        return True

    # Here-documents (XCU 2.7.4)

    def here_document(self, redirection: Redirection, source: str) -> None:
        """Announce a here-document: its body starts after the next newline token.

        `source` is the delimiter as it was written; nothing in it expands.
        """
        if redirection.target.literal is not None:
            delimiter = redirection.target.literal
        elif redirection.target.quoted:
            delimiter = re.sub(r"""\\(.)|['"]""", r"\1", source)
        else:
            delimiter = source
        self._bodies.append((redirection, delimiter))

    def _read_bodies(self) -> None:
        bodies, self._bodies = self._bodies, []
        for redirection, delimiter in bodies:
            quoted = redirection.target.quoted and not _only_expands(redirection.target)
            body = self._read_body(delimiter, redirection.operator == "<<-", quoted)
            if quoted:
                redirection.target = Word([Literal(body, True)])
            else:
                redirection.target = self.nested_text(body).here_document_word()
            redirection.operator = "<<"

    def _read_body(self, delimiter: str, strip: bool, quoted: bool) -> str:
        got: list[str] = []
        joined = ""  # lines that end in a backslash, unless the delimiter is quoted
        while True:
            if self.position == len(self.text) and not self.refill():
                break  # the end of the input ends the document, as in every shell
            end = self.text.find("\n", self.position) + 1 or len(self.text)
            line = self.text[self.position : end]
            self.position = end
            line = joined + line
            joined = ""
            if strip:
                line = line.lstrip("\t")
            if not quoted and line.endswith("\\\n"):
                backslashes = len(line) - 1 - len(line[:-1].rstrip("\\"))
                if backslashes % 2:
                    joined = line[:-2]
                    continue
            if line.removesuffix("\n") == delimiter:
                return "".join(got)
            got.append(line)
        return "".join(got) + joined

    def unexpected(self, token: Token, expected: str = "") -> SyntaxFault:
        """The error for a token that cannot stand where it stands."""
        wanted = f' (expecting "{expected}")' if expected else ""
        unfinished = token.word is None and not token.operator
        return SyntaxFault(f"unexpected {token.describe()}{wanted}", token.line, unfinished)


def _only_expands(word: Word) -> bool:
    """Whether nothing in the word was quoted by the user: an expansion in a delimiter is no quoting."""
    return not any(isinstance(part, Literal) and part.quoted for part in word.parts)
