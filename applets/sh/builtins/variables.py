"""Builtins on variables, positional parameters and options."""

from __future__ import annotations

from applets.sh.builtins.arguments import letters, number, write
from applets.sh.errors import ShellError
from applets.sh.expand import expansion
from applets.sh.shell.state import OPTION_NAMES, SETTABLE, is_name
from applets.sh.syntax.quoting import single_quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from applets.sh.shell.state import State


def _split(name: str, word: str) -> tuple[str, str | None]:
    variable, equals, value = word.partition("=")
    if not is_name(variable):
        raise ShellError(f"{variable}: bad variable name")
    return variable, value if equals else None


def _listing(shell: State, command: str, chosen: set[str]) -> int:
    lines = []
    for name in sorted(chosen):
        value = shell.get(name)
        lines.append(f"{command} {name}" + ("" if value is None else "=" + single_quoted(value)))
    write("".join(line + "\n" for line in lines))
    return 0


def export(shell: State, argv: list[str]) -> int:
    """export [-p] [-n] [NAME[=VALUE]]..."""
    found, operands = letters(argv, "pn")
    if not operands:
        return _listing(shell, "export", shell.exported)
    for word in operands:
        name, value = _split(argv[0], word)
        if value is not None:
            shell.set(name, value)
        (shell.exported.discard if "n" in found else shell.exported.add)(name)
    return 0


def readonly(shell: State, argv: list[str]) -> int:
    """readonly [-p] [NAME[=VALUE]]..."""
    _, operands = letters(argv, "p")
    if not operands:
        return _listing(shell, "readonly", shell.readonly)
    for word in operands:
        name, value = _split(argv[0], word)
        if value is not None:
            shell.set(name, value)
        shell.readonly.add(name)
    return 0


def local(shell: State, argv: list[str]) -> int:
    """local [NAME[=VALUE]]...: until the function ends."""
    if not shell.frames:
        raise ShellError("not in a function")
    frame = shell.frames[-1]
    for word in argv[1:]:
        if word == "-":
            shell.keep_options()
            continue
        name, value = _split(argv[0], word)
        if name in shell.readonly:
            raise ShellError(f"{name}: is read only")
        if name not in frame:
            frame[name] = shell.save(name)
            if value is None:
                exported = name in shell.exported
                shell.unset(name)
                if exported:
                    shell.exported.add(name)
        if value is not None:
            shell.set(name, value)
    return 0


def unset(shell: State, argv: list[str]) -> int:
    """unset [-v|-f] NAME..."""
    found, operands = letters(argv, "vf")
    for name in operands:
        if "f" in found:
            shell.functions.pop(name, None)
            continue
        if not is_name(name):
            raise ShellError(f"{name}: bad variable name")
        if "v" not in found and shell.get(name) is None and name in shell.functions:
            del shell.functions[name]
        else:
            shell.unset(name)
    return 0


def shift(shell: State, argv: list[str]) -> int:
    """shift [N]"""
    count = number(argv[1]) if len(argv) > 1 else 1
    if count > len(shell.params):
        return 1
    del shell.params[:count]
    shell.option_at = 0
    return 0


def set_(shell: State, argv: list[str]) -> int:
    """set [-abCefhmnuvx] [-o NAME] [--] [ARG]..."""
    if len(argv) == 1:
        items = sorted(shell.vars.items())
        write("".join(f"{name}={single_quoted(value)}\n" for name, value in items))
        return 0
    at, given = options(shell, argv, 1)
    if given or at < len(argv):
        shell.params = argv[at:]
    return 0


def options(shell: State, argv: list[str], at: int) -> tuple[int, bool]:
    """Take the options of set (and of sh itself) from `argv[at:]`.

    Returns where the operands start, and whether `--` says that they replace the parameters.
    """
    while at < len(argv):
        word = argv[at]
        if word == "--":
            return at + 1, True
        if word in ("-", "+"):
            if word == "-":
                shell.flags -= {"x", "v"}
            return at + 1, False
        if word[:1] not in ("-", "+"):
            return at, False
        at += 1
        on = word[0] == "-"
        for letter in word[1:]:
            if letter == "o":
                if at >= len(argv):
                    list_options(shell, on)
                    continue
                flag = option_flag(argv[at])
                if flag is None:
                    raise ShellError(f"illegal option {word[0]}o {argv[at]}")
                shell.set_option(flag, on)
                at += 1
            elif letter in SETTABLE:
                shell.set_option(letter, on)
            else:
                raise ShellError(f"illegal option {word[0]}{letter}")
    return at, False


def option_flag(name: str) -> str | None:
    """What stands in `shell.flags` for `set -o NAME`; None when it is no option that can be set."""
    flag = OPTION_NAMES.get(name)
    return None if flag in ("i", "s") else flag


def list_options(shell: State, readable: bool) -> None:
    """set -o and set +o: the options for people, and as commands."""
    if readable:
        lines = ["Current option settings\n"]
        for name, flag in OPTION_NAMES.items():
            lines.append(f"{name:<16}{'on' if flag in shell.flags else 'off'}\n")
    else:
        lines = [
            f"set {'-' if flag in shell.flags else '+'}o {name}\n"
            for name, flag in OPTION_NAMES.items()
            if flag not in ("i", "s")
        ]
    write("".join(lines))


def let(shell: State, argv: list[str]) -> int:
    """let EXPRESSION...: false when the last one is zero."""
    if len(argv) < 2:
        raise ShellError("expression expected", 2)
    value = 0
    for text in argv[1:]:
        value = expansion.number(shell, text)
    return 0 if value else 1
