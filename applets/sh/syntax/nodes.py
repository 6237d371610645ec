"""The shell's tree: what the parser makes and the evaluator walks (POSIX XCU 2.9, 2.10).

A word is a list of parts; a part is quoted or not, and knows nothing of its neighbours.
`Word.literal` is set when nothing in the word can expand, so that most words cost nothing to evaluate.
"""

from __future__ import annotations


class Node:
    """A command.  `evaluator` has one function for each subclass."""

    __slots__ = ()


class Part:
    """A piece of a word."""

    __slots__ = ("quoted",)

    quoted: bool


class Literal(Part):
    """Text that stands for itself; unquoted text may still be a pattern."""

    __slots__ = ("text",)

    def __init__(self, text: str, quoted: bool) -> None:
        self.text = text
        self.quoted = quoted


class Tilde(Part):
    """`~` or `~user` at a place where it stands for a home directory."""

    __slots__ = ("user",)

    def __init__(self, user: str) -> None:
        self.user = user
        self.quoted = True


class Parameter(Part):
    """`$name` or `${name op word}`.

    `operator` is "" (value), "length", one of `:- - := = :? ? :+ + # ## % %% / // :` or "bad".
    `word` is the operator's operand; `second` is the replacement of `/` or the length of `:`.
    """

    __slots__ = ("name", "operator", "second", "word")

    def __init__(
        self,
        name: str,
        quoted: bool,
        operator: str = "",
        word: Word | None = None,
        second: Word | None = None,
    ) -> None:
        self.name = name
        self.quoted = quoted
        self.operator = operator
        self.word = word
        self.second = second


class Substitution(Part):
    """`$(commands)` or backquotes; `body` is None when there is nothing between the parentheses."""

    __slots__ = ("body",)

    def __init__(self, body: Node | None, quoted: bool) -> None:
        self.body = body
        self.quoted = quoted


class Arithmetic(Part):
    """`$((expression))`; the parts expand to the expression's text."""

    __slots__ = ("parts",)

    def __init__(self, parts: list[Part], quoted: bool) -> None:
        self.parts = parts
        self.quoted = quoted


def may_match(text: str) -> bool:
    """Whether unquoted text may be a pattern for other text than itself.  A lone `[` (the command) is none."""
    return "*" in text or "?" in text or ("[" in text and "]" in text)


class Word:
    """Parts side by side.  `literal` is the word's only possible value, or None when it expands."""

    __slots__ = ("literal", "parts")

    def __init__(self, parts: list[Part]) -> None:
        self.parts = parts
        self.literal: str | None = None
        texts = []
        unquoted = ""
        for part in parts:
            if not isinstance(part, Literal):
                return
            if not part.quoted:
                unquoted += part.text
            texts.append(part.text)
        if not may_match(unquoted):
            self.literal = "".join(texts)

    @property
    def plain(self) -> str | None:
        """The text of a word without any quoting or expansion: what may be a reserved word or an alias."""
        if len(self.parts) == 1:
            part = self.parts[0]
            if isinstance(part, Literal) and not part.quoted:
                return part.text
        return None

    @property
    def quoted(self) -> bool:
        """Whether any part is quoted (the question that a here-document asks of its delimiter)."""
        return any(part.quoted for part in self.parts)


class Assignment:
    """`name=value` before a command; `append` is for `name+=value`."""

    __slots__ = ("append", "name", "value")

    def __init__(self, name: str, value: Word, append: bool = False) -> None:
        self.name = name
        self.value = value
        self.append = append


class DeclaredValue(Part):
    """An assignment in the place of an argument (of export...); it expands to exactly one field."""

    __slots__ = ("assignment",)

    def __init__(self, assignment: Assignment) -> None:
        self.assignment = assignment
        self.quoted = True


class Redirection:
    """`fd op target`.  A here-document's body comes after the line: the lexer fills `target` then."""

    __slots__ = ("fd", "operator", "target")

    def __init__(self, fd: int, operator: str, target: Word) -> None:
        self.fd = fd
        self.operator = operator
        self.target = target


class Simple(Node):
    """Assignments, words and redirections; `static` holds the words when none of them expands."""

    __slots__ = ("assignments", "line", "redirections", "static", "text", "words")

    def __init__(
        self,
        assignments: list[Assignment],
        words: list[Word],
        redirections: list[Redirection],
        line: int,
        text: str,
    ) -> None:
        self.assignments = assignments
        self.words = words
        self.redirections = redirections
        self.line = line
        self.text = text
        values = [word.literal for word in words if word.literal is not None]
        self.static = values if len(values) == len(words) else None


class Pipeline(Node):
    """Commands joined by `|`, or a single one after `!`."""

    __slots__ = ("commands", "negated", "text")

    def __init__(self, commands: list[Node], negated: bool, text: str) -> None:
        self.commands = commands
        self.negated = negated
        self.text = text


class AndOr(Node):
    """`first`, then (operator, command) pairs; the operator is `&&` or `||`."""

    __slots__ = ("first", "rest")

    def __init__(self, first: Node, rest: list[tuple[str, Node]]) -> None:
        self.first = first
        self.rest = rest


class Sequence(Node):
    """Commands one after the other."""

    __slots__ = ("items",)

    def __init__(self, items: list[Node]) -> None:
        self.items = items


class Background(Node):
    """`command &`."""

    __slots__ = ("command", "text")

    def __init__(self, command: Node, text: str) -> None:
        self.command = command
        self.text = text


class Redirected(Node):
    """A compound command with redirections of its own."""

    __slots__ = ("command", "line", "redirections")

    def __init__(self, command: Node, redirections: list[Redirection], line: int) -> None:
        self.command = command
        self.redirections = redirections
        self.line = line


class Subshell(Node):
    """`( commands )`."""

    __slots__ = ("body", "text")

    def __init__(self, body: Node, text: str) -> None:
        self.body = body
        self.text = text


class If(Node):
    """Pairs of condition and body, and what follows `else`."""

    __slots__ = ("branches", "otherwise")

    def __init__(self, branches: list[tuple[Node, Node]], otherwise: Node | None) -> None:
        self.branches = branches
        self.otherwise = otherwise


class Loop(Node):
    """`while` and `until`."""

    __slots__ = ("body", "condition", "until")

    def __init__(self, condition: Node, body: Node, until: bool) -> None:
        self.condition = condition
        self.body = body
        self.until = until


class For(Node):
    """`for name in words`; without `in`, `words` is None and the positional parameters are taken."""

    __slots__ = ("body", "line", "name", "words")

    def __init__(self, name: str, words: list[Word] | None, body: Node, line: int) -> None:
        self.name = name
        self.words = words
        self.body = body
        self.line = line


class CaseItem:
    """`pattern|pattern) body ;;`; `falls` is for `;&`: the next body runs too."""

    __slots__ = ("body", "falls", "patterns")

    def __init__(self, patterns: list[Word], body: Node | None, falls: bool) -> None:
        self.patterns = patterns
        self.body = body
        self.falls = falls


class Case(Node):
    """`case word in items esac`."""

    __slots__ = ("items", "line", "word")

    def __init__(self, word: Word, items: list[CaseItem], line: int) -> None:
        self.word = word
        self.items = items
        self.line = line


class Function(Node):
    """`name() compound-command`."""

    __slots__ = ("body", "line", "name")

    def __init__(self, name: str, body: Node, line: int) -> None:
        self.name = name
        self.body = body
        self.line = line
