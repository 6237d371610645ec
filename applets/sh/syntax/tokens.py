"""Tokens (POSIX XCU 2.10.1): operators, reserved words, and what the lexer hands to the parser."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from applets.sh.syntax.nodes import Word

# Longest first: the first that fits is the operator.
OPERATORS = (
    *("&>>", "<<-", "<<<"),
    *("&&", "||", ";;", ";&", "<<", ">>", "<&", ">&", "<>", ">|", "&>"),
    *("&", "|", ";", "<", ">", "(", ")", "\n"),
)
REDIRECTIONS = frozenset(["&>>", "<<-", "<<<", "<<", ">>", "<&", ">&", "<>", ">|", "&>", "<", ">"])
RESERVED = frozenset(
    [
        "!",
        "{",
        "}",
        "case",
        "do",
        "done",
        "elif",
        "else",
        "esac",
        "fi",
        "for",
        "if",
        "in",
        "then",
        "until",
        "while",
        "function",
        "[[",
    ]
)


class Token:
    """What the parser sees: `word` for a word, else `operator` ("" at the end of the input)."""

    __slots__ = ("fd", "line", "operator", "start", "word")

    def __init__(self, operator: str, word: Word | None, fd: int, start: int, line: int) -> None:
        self.operator = operator
        self.word = word
        self.fd = fd  # the number in front of a redirection, or -1
        self.start = start
        self.line = line

    def describe(self) -> str:
        """The token as an error message names it."""
        if self.word is not None:
            plain = self.word.plain
            return "word" if plain is None or plain not in RESERVED else f'"{plain}"'
        if self.operator in ("", "\n"):
            return "end of file" if not self.operator else "newline"
        return "redirection" if self.operator in REDIRECTIONS else f'"{self.operator}"'
