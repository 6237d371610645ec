"""The values of parameters (POSIX XCU 2.5), as they are before any operator of `${...}`."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from applets.sh.shell.state import State
    from applets.sh.syntax.nodes import Parameter

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


def separator(shell: State) -> str:
    """What stands between the values of $*: the first character of IFS."""
    ifs = shell.vars.get("IFS")
    return " " if ifs is None else ifs[:1]


def values_of(shell: State, part: Parameter) -> str | list[str] | None:
    """The value before any operator: a list for $@ and $*."""
    if part.name in ("@", "*"):
        return list(shell.params)
    return value_of(shell, part.name)
