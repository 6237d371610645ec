"""Word expansion (POSIX XCU 2.6): the order of things, and the two kinds of results.

`text` joins everything to one string (assignments, case, here-documents, redirections); `words` makes
fields.  Parameters and their operators are in parameters.py, fields in fields.py.
"""

from __future__ import annotations

import os

from applets.sh.expand import parameters
from applets.sh.expand.fields import Fields
from applets.sh.pattern import quote
from applets.sh.syntax.nodes import (
    Arithmetic,
    DeclaredValue,
    Literal,
    Parameter,
    Part,
    Substitution,
    Tilde,
    Word,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from applets.sh.shell.state import State


def words(shell: State, items: list[Word]) -> list[str]:
    """The fields that a command's words expand to."""
    got: list[str] = []
    for word in items:
        if word.literal is not None:
            got.append(word.literal)
        else:
            fields = Fields(shell)
            emit(shell, word.parts, fields, False)
            got += fields.done()
    return got


def text(shell: State, word: Word) -> str:
    """The word as one string: without field splitting and pathname expansion."""
    if word.literal is not None:
        return word.literal
    return join(shell, word.parts, False)


def pattern(shell: State, word: Word) -> str:
    """The word as a pattern: what is quoted matches only itself."""
    return join(shell, word.parts, True)


def join(shell: State, parts: list[Part], as_pattern: bool) -> str:
    """The expanded parts side by side."""
    got: list[str] = []
    for part in parts:
        if type(part) is Literal:
            value = part.text
        elif type(part) is Parameter:
            value = parameters.joined(shell, part, as_pattern)
            if part.operator in parameters.WITH_WORD:  # has quoted its own parts
                got.append(value)
                continue
        else:
            value = scalar(shell, part)
        got.append(quote(value) if as_pattern and part.quoted else value)
    return "".join(got)


def emit(shell: State, parts: list[Part], fields: Fields, split: bool) -> None:
    """Expand parts into fields; `split`: unquoted literals are split too (they come from ${x-word})."""
    for part in parts:
        if type(part) is Literal:
            if split and not part.quoted:
                fields.split(part.text)
            else:
                fields.add(part.text, part.quoted)
        elif type(part) is Parameter:
            parameters.into_fields(shell, part, fields)
        elif part.quoted:
            fields.add(scalar(shell, part), True)
        else:
            fields.split(scalar(shell, part))


def scalar(shell: State, part: Part) -> str:
    """The value of a part that is always one string."""
    if type(part) is Substitution:
        from applets.sh.run.substitution import substitute

        return substitute(shell, part.body)
    if type(part) is Arithmetic:
        return str(shell.arithmetic(join(shell, part.parts, False)))
    if type(part) is Tilde:
        return home(shell, part.user)
    if type(part) is DeclaredValue:
        return f"{part.assignment.name}={text(shell, part.assignment.value)}"
    raise TypeError(part)


def home(shell: State, user: str) -> str:
    """What `~user` stands for: $HOME, or the directory in the user database; itself when unknown."""
    if not user:
        value = shell.get("HOME")
        return "~" if value is None else value
    return os.path.expanduser("~" + user)
