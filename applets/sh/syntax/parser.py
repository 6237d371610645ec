"""Tokens to tree: POSIX's shell grammar (XCU 2.10) by recursive descent.

Reserved words and aliases are looked for only where a command may start.  One complete command is read
at a time, so that what a line changes (aliases, options) holds for the next.
"""

from __future__ import annotations

import re

from applets.sh.errors import SyntaxFault
from applets.sh.syntax.lexer import Lexer
from applets.sh.syntax.nodes import (
    AndOr,
    Assignment,
    Background,
    Case,
    CaseItem,
    DeclaredValue,
    For,
    Function,
    If,
    Literal,
    Loop,
    Node,
    Part,
    Pipeline,
    Redirected,
    Redirection,
    Sequence,
    Simple,
    Subshell,
    Word,
)
from applets.sh.syntax.source import Text
from applets.sh.syntax.tokens import REDIRECTIONS, RESERVED, Token
from applets.sh.syntax.words import mark_tildes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from applets.sh.syntax.source import Lines
    from applets.sh.syntax.words import WordLexer

_ASSIGNMENT = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(\+?)=")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_CLOSERS = frozenset(["then", "else", "elif", "fi", "do", "done", "esac", "}"])
# Their arguments of the form name=value are assignments: tildes expand, fields are not split.
DECLARATIONS = frozenset(("export", "readonly", "local"))


class Parser:
    """Complete commands of one input: `command()` until it returns None."""

    def __init__(self, lexer: Lexer, aliases: dict[str, str]) -> None:
        self.lexer = lexer
        self.aliases = aliases
        self._token: Token | None = None

    @classmethod
    def of(cls, lines: Lines, aliases: dict[str, str], line: int = 1) -> Parser:
        """A parser of the text that `lines` gives."""
        lexer = Lexer(lines, cls.nested, line)
        lexer.aliases = aliases
        return cls(lexer, aliases)

    @classmethod
    def nested(cls, lexer: WordLexer, closer: str) -> Node | None:
        """The commands up to `closer`: the `)` of `$(`, which the lexer has just read, or "" for all that a
        lexer with a text of its own has (backquotes).
        """
        parser = cls.inside(lexer)
        body = parser.list(False)
        if closer:
            parser.expect_operator(closer)
            return body
        token = parser.peek()
        if token.word is not None or token.operator:
            raise parser.lexer.unexpected(token)
        return body

    @classmethod
    def inside(cls, lexer: WordLexer) -> Parser:
        """A parser without lookahead over a lexer that is being used by another."""
        if not isinstance(lexer, Lexer):
            raise TypeError(lexer)
        return cls(lexer, lexer.aliases)

    # Tokens

    def peek(self) -> Token:
        """The next token, which stays.  After an alias that ends in a blank it may be an alias, too."""
        token = self._token
        if token is None:
            token = self._token = self.lexer.token()
            if self.lexer.blank_alias >= 0 and self.lexer.after_blank_alias(token):
                while self._alias(token, False):
                    token = self._token = self.lexer.token()
        return token

    def take(self) -> Token:
        """The next token, consumed."""
        token = self.peek()
        self._token = None
        return token

    def expect_operator(self, operator: str) -> None:
        """Consume `operator`, or fail."""
        token = self.peek()
        if token.operator != operator:
            raise self.lexer.unexpected(token, operator)
        self._token = None

    def expect(self, reserved: str) -> None:
        """Consume the reserved word, or fail."""
        token = self.peek()
        if token.word is None or token.word.plain != reserved:
            raise self.lexer.unexpected(token, reserved)
        self._token = None

    def skip_newlines(self) -> None:
        """Consume newline tokens."""
        while self.peek().operator == "\n":
            self._token = None

    def start(self) -> Token:
        """The token at a place where a reserved word or a command may stand: aliases are replaced there."""
        token = self.peek()
        if self.aliases:
            while self._alias(token, True):
                token = self.peek()
        return token

    def _alias(self, token: Token, reserved: bool) -> bool:
        """Put an alias's value in the token's place; `reserved`: reserved words are none (XCU 2.3.1)."""
        name = None if token.word is None else token.word.plain
        value = None if name is None else self.aliases.get(name)
        if name is None or value is None or (reserved and name in RESERVED):
            return False
        if not self.lexer.expand_alias(token, name, value):
            return False
        self._token = None
        return True

    def start_line(self) -> Token:
        """The same after any newlines: where `in` and `do` stand."""
        while self.start().operator == "\n":
            self._token = None
        return self.peek()

    def source(self, start: int) -> str:
        """The program text from `start` up to here, as `jobs` shows it."""
        end = self.lexer.position if self._token is None else self._token.start
        return " ".join(self.lexer.text[start:end].split())

    # Lists

    def command(self) -> Node | None:
        """The next complete command, up to a newline; None at the end of the input."""
        try:
            return self._command()
        except RecursionError:
            raise SyntaxFault("nested too deeply", self.lexer.line_number()) from None

    def _command(self) -> Node | None:
        while True:
            self.lexer.begin()
            if self.start().operator != "\n":
                break
            self._token = None
        token = self.peek()
        if token.word is None and not token.operator:
            return None
        node = self.list(True)
        token = self.peek()
        if token.operator != "\n" and (token.operator or token.word is not None):
            raise self.lexer.unexpected(token)
        self._token = None
        return node

    def at_end(self) -> bool:
        """Whether the text is in memory, and nothing but blanks is left of it."""
        rest = self.lexer.text[self.lexer.position :]
        lines = self.lexer.lines
        return isinstance(lines, Text) and not rest.strip() and lines.ended()

    def list(self, one_line: bool) -> Node | None:
        """Commands with `;`, `&` and newlines up to a token that cannot start one; None when empty."""
        items: list[Node] = []
        while True:
            if not one_line:
                self.skip_newlines()
            token = self.start()
            if token.word is None:
                if token.operator != "(" and token.operator not in REDIRECTIONS:
                    break
            elif token.word.plain in _CLOSERS:
                break
            node = self.and_or()
            separator = self.peek().operator
            if separator == "&":
                node = Background(node, self.source(token.start))
            items.append(node)
            if separator not in (";", "&") and (one_line or separator != "\n"):
                break
            self._token = None
        if not items:
            return None
        return items[0] if len(items) == 1 else Sequence(items)

    def body(self) -> Node:
        """A list that must not be empty."""
        node = self.list(False)
        if node is None:
            raise self.lexer.unexpected(self.peek())
        return node

    def and_or(self) -> Node:
        """Pipelines joined by `&&` and `||`."""
        first = self.pipeline()
        rest: list[tuple[str, Node]] = []
        while self.peek().operator in ("&&", "||"):
            operator = self.take().operator
            self.skip_newlines()
            rest.append((operator, self.pipeline()))
        return AndOr(first, rest) if rest else first

    def pipeline(self) -> Node:
        """Commands joined by `|`, with `!` in front."""
        token = self.start()
        start = token.start
        negated = False
        while token.word is not None and token.word.plain == "!":
            negated = not negated
            self._token = None
            token = self.start()
        commands = [self.simple_or_compound()]
        while self.peek().operator == "|":
            self._token = None
            self.skip_newlines()
            commands.append(self.simple_or_compound())
        if len(commands) == 1 and not negated:
            return commands[0]
        return Pipeline(commands, negated, self.source(start))

    # Commands

    def simple_or_compound(self) -> Node:
        """One command of a pipeline."""
        token = self.start()
        if token.operator == "(":
            self._token = None
            body = self.body()
            self.expect_operator(")")
            return self._redirected(Subshell(body, self.source(token.start)), token.line)
        plain = token.word.plain or "" if token.word is not None else ""
        if plain == "!" or plain in _CLOSERS:  # a | ! b, a && then
            raise self.lexer.unexpected(token)
        compound = COMPOUND.get(plain)
        if compound is not None:
            self._token = None
            return self._redirected(compound(self, token), token.line)
        return self.simple()

    def _redirected(self, command: Node, line: int) -> Node:
        redirections = []
        while self.start().operator in REDIRECTIONS:
            redirections.append(self.redirection())
        return Redirected(command, redirections, line) if redirections else command

    def redirection(self) -> Redirection:
        """`[n]op word`."""
        token = self.take()
        word, start = self.peek().word, self.peek().start
        if word is None:
            raise self.lexer.unexpected(self.peek())
        self._token = None
        operator = token.operator
        fd = token.fd if token.fd >= 0 else 0 if operator[0] == "<" else 1
        redirection = Redirection(fd, operator, word)
        if operator in ("<<", "<<-"):
            self.lexer.here_document(redirection, self.lexer.text[start : self.lexer.position])
        return redirection

    def simple(self) -> Node:
        """Assignments, words and redirections; or the definition of a function."""
        first = self.peek()
        assignments: list[Assignment] = []
        words: list[Word] = []
        redirections: list[Redirection] = []
        declares = False
        while True:
            token = self.peek()
            word = token.word
            if word is not None:
                if not words:
                    # After assignments and redirections the command's name is still to come.
                    if (assignments or redirections) and self._alias(token, False):
                        continue
                    assignment = as_assignment(word)
                    if assignment is not None:
                        assignments.append(assignment)
                        self._token = None
                        continue
                    declares = word.plain in DECLARATIONS
                elif declares:
                    word = _declared(word)
                elif len(words) == 1 and words[0].plain == "command":
                    declares = word.plain in DECLARATIONS
                words.append(word)
                self._token = None
                alone = len(words) == 1 and not assignments and not redirections
                if alone and self.peek().operator == "(":
                    return self._function(word, token)
            elif token.operator in REDIRECTIONS:
                redirections.append(self.redirection())
            else:
                break
        if not words and not assignments and not redirections:
            raise self.lexer.unexpected(self.peek())
        return Simple(assignments, words, redirections, first.line, self.source(first.start))

    def _function(self, word: Word, token: Token) -> Node:
        self._token = None
        self.expect_operator(")")
        name = word.plain
        if name is None:
            raise SyntaxFault("bad function name", token.line)
        self.start_line()
        return Function(name, self.simple_or_compound(), token.line)

    def if_command(self, token: Token) -> Node:
        """`if` list `then` list [`elif` list `then` list]... [`else` list] `fi`."""
        branches: list[tuple[Node, Node]] = []
        otherwise = None
        while True:
            condition = self.body()
            self.expect("then")
            branches.append((condition, self.body()))
            following = self.take()
            plain = following.word.plain if following.word is not None else None
            if plain == "elif":
                continue
            if plain == "else":
                otherwise = self.body()
                self.expect("fi")
            elif plain != "fi":
                raise self.lexer.unexpected(following, "fi")
            return If(branches, otherwise)

    def loop(self, token: Token) -> Node:
        """`while` or `until` list `do` list `done`."""
        until = token.word is not None and token.word.plain == "until"
        condition = self.body()
        return Loop(condition, self.do_group(), until)

    def do_group(self) -> Node:
        """`do` list `done`."""
        self.expect("do")
        body = self.body()
        self.expect("done")
        return body

    def for_command(self, token: Token) -> Node:
        """`for` name [`in` words] `do` list `done`."""
        name = self.take()
        plain = name.word.plain if name.word is not None else None
        if plain is None or not _NAME.fullmatch(plain):
            raise SyntaxFault("bad for loop variable", name.line)
        words: list[Word] | None = None
        if self.start().operator == ";":
            self._token = None
        else:
            word = self.start_line().word
            if word is not None and word.plain == "in":
                self._token = None
                words = []
                while (word := self.peek().word) is not None:
                    words.append(word)
                    self._token = None
                if self.peek().operator not in (";", "\n"):
                    raise self.lexer.unexpected(self.peek())
                self._token = None
        self.start_line()
        return For(plain, words, self.do_group(), token.line)

    def case_command(self, token: Token) -> Node:
        """`case` word `in` [pattern[|pattern]...`)` list `;;`]... `esac`."""
        word = self.take().word
        if word is None:
            raise SyntaxFault("unexpected token (expecting word)", token.line)
        self.start_line()
        self.expect("in")
        items: list[CaseItem] = []
        while True:
            self.skip_newlines()
            following = self.peek()
            if following.word is not None and following.word.plain == "esac":
                self._token = None
                return Case(word, items, token.line)
            if following.operator == "(":
                self._token = None
            patterns: list[Word] = []
            while True:
                pattern = self.take()
                if pattern.word is None:
                    raise self.lexer.unexpected(pattern)
                patterns.append(pattern.word)
                if self.peek().operator != "|":
                    break
                self._token = None
            self.expect_operator(")")
            body = self.list(False)
            end = self.peek()
            items.append(CaseItem(patterns, body, end.operator == ";&"))
            if end.operator in (";;", ";&"):
                self._token = None
            elif end.word is None or end.word.plain != "esac":
                raise self.lexer.unexpected(end, ";;")

    def brace_group(self, token: Token) -> Node:
        """`{` list `}`."""
        body = self.body()
        self.expect("}")
        return body

    def function_command(self, token: Token) -> Node:
        """`function` name [`()`] command, as BusyBox and bash have it."""
        name = self.take()
        plain = name.word.plain if name.word is not None else None
        if plain is None:
            raise self.lexer.unexpected(name)
        if self.peek().operator == "(":
            self._token = None
            self.expect_operator(")")
        self.skip_newlines()
        return Function(plain, self.simple_or_compound(), name.line)


COMPOUND = {
    "if": Parser.if_command,
    "while": Parser.loop,
    "until": Parser.loop,
    "for": Parser.for_command,
    "case": Parser.case_command,
    "{": Parser.brace_group,
    "function": Parser.function_command,
}


def as_assignment(word: Word) -> Assignment | None:
    """The word as `name=value` or `name+=value`; None when it is neither."""
    first = word.parts[0] if word.parts else None
    if not isinstance(first, Literal) or first.quoted:
        return None
    match = _ASSIGNMENT.match(first.text)
    if not match:
        return None
    return Assignment(match.group(1), Word(_value(word, match.end())), bool(match.group(2)))


def _value(word: Word, start: int) -> list[Part]:
    """The parts after the `=`, with tildes marked as in an assignment."""
    first, *rest = word.parts
    text = first.text[start:] if isinstance(first, Literal) else ""
    parts: list[Part] = [Literal(text, False)] if text else []
    return mark_tildes([*parts, *rest], True)


def _declared(word: Word) -> Word:
    """An argument of export, readonly or local: `name=value` neither splits nor globs."""
    assignment = as_assignment(word)
    if assignment is None or assignment.append:
        return word
    return Word([DeclaredValue(assignment)])


def here_document(text: str) -> Word:
    """The word of a text in which only parameters, commands and arithmetic expand (PS1, ENV)."""
    lexer = Lexer(Text(""), Parser.nested)
    lexer.text = text
    return lexer.here_document_word()
