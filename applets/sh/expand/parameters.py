"""Parameter expansion (POSIX XCU 2.5, 2.6.2) with BusyBox's `${x/pattern/text}` and `${x:offset:length}`."""

from __future__ import annotations

from applets.sh.errors import ShellError
from applets.sh.expand import expansion
from applets.sh.syntax.nodes import Parameter, Word

TYPE_CHECKING = False
if TYPE_CHECKING:
    from applets.sh.expand.fields import Fields
    from applets.sh.shell.state import State

# The operators whose word, when it is taken, stands in the place of the value with its own quoting.
WITH_WORD = frozenset((":-", "-", ":=", "=", ":?", "?", ":+", "+"))


def value_of(shell: State, name: str) -> str | None:
    """A parameter's value, None when it is unset; not for $@ and $*."""
    value = shell.vars.get(name)
    if value is not None:
        return value
    if name.isdigit():
        name = name.lstrip("0")
        if not name:
            return shell.name
        if len(name) > 18:  # more than there can be
            return None
        number = int(name)
        return shell.params[number - 1] if number <= len(shell.params) else None
    if name == "#":
        return str(len(shell.params))
    if name == "?":
        return str(shell.status)
    if name == "$":
        return str(shell.pid)
    if name == "!":
        return None if shell.last_background is None else str(shell.last_background)
    if name == "-":
        return shell.option_letters()
    return shell.get(name)


def _separator(shell: State) -> str:
    ifs = shell.vars.get("IFS")
    return " " if ifs is None else ifs[:1]


def _values(shell: State, part: Parameter) -> str | list[str] | None:
    """The value before any operator: a list for $@ and $*."""
    if part.name in ("@", "*"):
        return list(shell.params)
    return value_of(shell, part.name)


def joined(shell: State, part: Parameter, as_pattern: bool = False) -> str:
    """The expansion as one string: $@ and $* are joined."""
    values = _values(shell, part)
    if part.operator in WITH_WORD:
        if _takes_word(shell, part, values):
            return _word(shell, part, as_pattern)
        if part.operator[-1] == "+":
            return ""
        text = _join(shell, part, values)
        if as_pattern and part.quoted:
            from applets.sh.pattern import quote

            return quote(text)
        return text
    return _join(shell, part, _operate(shell, part, values))


def _join(shell: State, part: Parameter, values: str | list[str] | None) -> str:
    if isinstance(values, list):
        return (" " if part.name == "@" else _separator(shell)).join(values)
    return values or ""


def into_fields(shell: State, part: Parameter, fields: Fields) -> None:
    """The expansion as fields."""
    values = _values(shell, part)
    if part.operator in WITH_WORD:
        if _takes_word(shell, part, values):
            if part.operator[-1] in "=?":
                values = _word(shell, part, False)
            else:
                word = part.word
                if word is not None:
                    expansion.emit(shell, word.parts, fields, not part.quoted)
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
        fields.add(_separator(shell).join(values), True)
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
    text = expansion.join(shell, word.parts, as_pattern)
    kind = part.operator[-1]
    if kind == "=":
        if not (part.name[0].isalpha() or part.name[0] == "_"):
            raise ShellError(f"{part.name}: bad variable name")
        shell.set(part.name, expansion.join(shell, word.parts, False) if as_pattern else text)
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
    pattern = expansion.pattern(shell, word)
    if operator[0] != "/":
        return shell.patterns.remove(operator, pattern, value)
    if not pattern:
        return value
    replacement = expansion.text(shell, part.second) if part.second is not None else ""
    return shell.patterns.replace(pattern, replacement, value, operator != "/")


def _bounds(shell: State, part: Parameter, size: int) -> tuple[int, int]:
    """Start and end of `${x:offset:length}`, as indices into a value of `size` characters."""
    offset = shell.arithmetic(expansion.text(shell, part.word)) if part.word else 0
    start = max(size + offset, 0) if offset < 0 else min(offset, size)
    if offset < 0 and size + offset < 0:
        return 0, 0
    if part.second is None:
        return start, size
    length = shell.arithmetic(expansion.text(shell, part.second))
    end = size + length if length < 0 else start + length
    return start, max(start, min(end, size))


def _slice_parameters(shell: State, part: Parameter, values: list[str]) -> list[str]:
    everything = [shell.name, *values]
    start, end = _bounds(shell, part, len(everything))
    return everything[max(start, 0) : end] if start else everything[:end]
