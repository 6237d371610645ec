"""Word expansion (POSIX XCU 2.6): the order of things, and the two kinds of results.

`text` joins everything to one string (assignments, case, here-documents, redirections); `words` makes
fields.  The values of parameters are in parameters.py, fields in fields.py.
"""

from __future__ import annotations

import os

from applets.sh.errors import ShellError
from applets.sh.expand.fields import Fields
from applets.sh.expand.parameters import WITH_WORD, separator, values_of
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
            value = joined(shell, part, as_pattern)
            if part.operator in WITH_WORD:  # has quoted its own parts
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
            into_fields(shell, part, fields)
        elif part.quoted:
            fields.add(scalar(shell, part), True)
        else:
            fields.split(scalar(shell, part))


def scalar(shell: State, part: Part) -> str:
    """The value of a part that is always one string."""
    if type(part) is Substitution:
        return shell.runner.substitute(shell, part.body)
    if type(part) is Arithmetic:
        return str(number(shell, join(shell, part.parts, False)))
    if type(part) is Tilde:
        return home(shell, part.user)
    if type(part) is DeclaredValue:
        return f"{part.assignment.name}={text(shell, part.assignment.value)}"
    raise TypeError(part)


def number(shell: State, text: str) -> int:
    """The value of an arithmetic expression."""
    found = shell.expressions.get(text)
    if found is None:
        # here: many scripts never calculate, and the module's patterns take time to compile
        from applets.sh.expand.arithmetic import compiled

        found = compiled(shell, text)
    return found(shell)


def home(shell: State, user: str) -> str:
    """What `~user` stands for: $HOME, or the directory in the user database; itself when unknown."""
    if not user:
        value = shell.get("HOME")
        return "~" if value is None else value
    return os.path.expanduser("~" + user)


# Parameters (XCU 2.6.2), with BusyBox's `${x/pattern/text}` and `${x:offset:length}`


def joined(shell: State, part: Parameter, as_pattern: bool = False) -> str:
    """The expansion as one string: $@ and $* are joined."""
    values = values_of(shell, part)
    if part.operator in WITH_WORD:
        if _takes_word(shell, part, values):
            return _word(shell, part, as_pattern)
        if part.operator[-1] == "+":
            return ""
        text = _join_values(shell, part, values)
        if as_pattern and part.quoted:
            return quote(text)
        return text
    return _join_values(shell, part, _operate(shell, part, values))


def _join_values(shell: State, part: Parameter, values: str | list[str] | None) -> str:
    if isinstance(values, list):
        return (" " if part.name == "@" else separator(shell)).join(values)
    return values or ""


def into_fields(shell: State, part: Parameter, fields: Fields) -> None:
    """The expansion as fields."""
    values = values_of(shell, part)
    if part.operator in WITH_WORD:
        if _takes_word(shell, part, values):
            if part.operator[-1] in "=?":
                values = _word(shell, part, False)
            else:
                word = part.word
                if word is not None:
                    emit(shell, word.parts, fields, not part.quoted)
                    if part.quoted and not word.parts:
                        fields.add("", True)
                return
        elif part.operator[-1] == "+":
            if part.quoted:
                fields.add("", True)
            return
    else:
        values = _operate(shell, part, values)
    if not isinstance(values, list):
        if part.quoted:
            fields.add(values or "", True)
        elif values:
            fields.split(values)
    elif part.quoted and part.name == "*":
        fields.add(separator(shell).join(values), True)
    else:
        for index, value in enumerate(values):
            if index:
                fields.end()
            if part.quoted:
                fields.add(value, True)
            elif value:
                fields.split(value)


def _takes_word(shell: State, part: Parameter, values: str | list[str] | None) -> bool:
    """Whether the operator's word is taken (for +: instead of the value)."""
    operator = part.operator
    if isinstance(values, list):
        empty = not values or (operator[0] == ":" and not any(values))
    else:
        empty = values is None or (operator[0] == ":" and not values)
    return empty != (operator[-1] == "+")


def _word(shell: State, part: Parameter, as_pattern: bool) -> str:
    """The word of - = ? +, with what = and ? do besides."""
    word = part.word or Word([])
    text = join(shell, word.parts, as_pattern)
    kind = part.operator[-1]
    if kind == "=":
        if not (part.name[0].isalpha() or part.name[0] == "_"):
            raise ShellError(f"{part.name}: bad variable name")
        shell.set(part.name, join(shell, word.parts, False) if as_pattern else text)
    elif kind == "?":
        default = "parameter not set" + (" or null" if part.operator[0] == ":" else "")
        raise ShellError(f"{part.name}: {text or default}")
    return text


def _operate(
    shell: State, part: Parameter, values: str | list[str] | None
) -> str | list[str] | None:
    """Apply the operators other than - = ? +, to each value when there are several."""
    operator = part.operator
    if operator == "bad":
        raise ShellError("syntax error: bad substitution")
    if values is None and "u" in shell.flags:
        raise ShellError(f"{part.name}: parameter not set")
    if not operator:
        return values
    if operator == "length":
        return str(len(values)) if values is not None else "0"
    if operator == ":" and isinstance(values, list):
        return _slice_parameters(shell, part, values)
    if isinstance(values, list):
        return [_edit(shell, part, value) for value in values]
    return None if values is None else _edit(shell, part, values)


def _edit(shell: State, part: Parameter, value: str) -> str:
    operator = part.operator
    word = part.word or Word([])
    if operator == ":":
        start, end = _bounds(shell, part, len(value))
        return value[start:end]
    wanted = pattern(shell, word)
    if operator[0] != "/":
        return shell.patterns.remove(operator, wanted, value)
    if not wanted:
        return value
    replacement = text(shell, part.second) if part.second is not None else ""
    return shell.patterns.replace(wanted, replacement, value, operator != "/")


def _bounds(shell: State, part: Parameter, size: int) -> tuple[int, int]:
    """Start and end of `${x:offset:length}`, as indices into a value of `size` characters."""
    offset = number(shell, text(shell, part.word)) if part.word else 0
    start = max(size + offset, 0) if offset < 0 else min(offset, size)
    if offset < 0 and size + offset < 0:
        return 0, 0
    if part.second is None:
        return start, size
    length = number(shell, text(shell, part.second))
    end = size + length if length < 0 else start + length
    return start, max(start, min(end, size))


def _slice_parameters(shell: State, part: Parameter, values: list[str]) -> list[str]:
    everything = [shell.name, *values]
    start, end = _bounds(shell, part, len(everything))
    return everything[max(start, 0) : end] if start else everything[:end]
