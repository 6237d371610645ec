"""Builtins on what names mean: alias, unalias, command, type, hash."""

from __future__ import annotations

import os

from applets.sh.builtins.arguments import letters, write
from applets.sh.errors import ShellError
from applets.sh.run.commands import forgive
from applets.sh.run.programs import DEFAULT_PATH, resolve, run_program, search
from applets.sh.syntax.quoting import single_quoted
from applets.sh.syntax.tokens import RESERVED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from applets.sh.shell.state import State


def alias(shell: State, argv: list[str]) -> int:
    """alias [NAME[=VALUE]]..."""
    status = 0
    operands = argv[2:] if argv[1:2] == ["--"] else argv[1:]
    if not operands:
        operands = sorted(shell.aliases)
    for word in operands:
        name, equals, value = word.partition("=")
        if equals and name:
            shell.aliases[name] = value
        elif word in shell.aliases:
            write(f"{word}={single_quoted(shell.aliases[word])}\n")
        else:
            shell.complain(f"{word} not found")
            status = 1
    return status


def unalias(shell: State, argv: list[str]) -> int:
    """unalias -a | NAME..."""
    found, operands = letters(argv, "a")
    if "a" in found:
        shell.aliases.clear()
        return 0
    status = 0
    for name in operands:
        if shell.aliases.pop(name, None) is None:
            shell.complain(f"{name} not found")
            status = 1
    return status


def hash_(shell: State, argv: list[str]) -> int:
    """hash [-r] [NAME]..."""
    found, operands = letters(argv, "r")
    if "r" in found:
        shell.hashed.clear()
    elif not operands:
        write("".join(f"{path}\n" for path in shell.hashed.values()))
    status = 0
    for name in operands:
        path = search(shell, name)
        if path is not None:
            shell.hashed[name] = path
        elif name not in shell.functions:
            shell.complain(f"{name}: not found")
            status = 1
    return status


def command(shell: State, argv: list[str]) -> int:
    """command [-p] [-v|-V] NAME [ARG]...: the command, but not the function of that name."""
    found, operands = "", argv[1:]
    while operands and operands[0][:1] == "-" and len(operands[0]) > 1:
        word = operands.pop(0)
        if word == "--":
            break
        if set(word[1:]) - set("pvV"):
            raise ShellError(f"illegal option {word}")
        found += word[1:]
    if not operands:
        return 0
    path = DEFAULT_PATH if "p" in found else None
    if "v" in found or "V" in found:
        return max([describe(shell, name, "V" in found, path) for name in operands])
    builtin = shell.builtins.get(operands[0])
    if builtin is not None:
        # errors of a special builtin are no longer fatal, and its assignments not permanent
        return forgive(shell, builtin, operands)
    shell.command = ""
    return run_program(shell, operands, " ".join(operands), path)


def type_(shell: State, argv: list[str]) -> int:
    """type NAME..."""
    return max([describe(shell, name, True, None) for name in argv[1:]], default=0)


def describe(shell: State, name: str, verbose: bool, path: str | None) -> int:
    """Write what `name` is: for people, or so that the shell can use it; 127 when it is nothing."""
    if name in RESERVED:
        text, short = "is a shell keyword", name
    elif name in shell.aliases:
        text = f"is an alias for {shell.aliases[name]}"
        short = f"alias {name}={single_quoted(shell.aliases[name])}"
    elif name in shell.functions:
        text, short = "is a function", name
    elif (builtin := shell.builtins.get(name)) is not None:
        text = f"is a {'special ' if builtin.special else ''}shell builtin"
        short = name
    else:
        found = _program(shell, name, path)
        if found is None:
            if verbose:
                shell.complain_plain(f"{name}: not found")
            return 127
        text, short = f"is {found}" if "/" in found else "is an applet", found
    write(f"{name} {text}\n" if verbose else f"{short}\n")
    return 0


def _program(shell: State, name: str, path: str | None) -> str | None:
    if "/" in name:
        return name if os.access(name, os.X_OK) and os.path.isfile(name) else None
    found = resolve(shell, name, path)
    return None if found is None else found.path
