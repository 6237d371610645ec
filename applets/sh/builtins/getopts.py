"""getopts (POSIX XCU): the place between two calls is OPTIND and, inside bundled letters, the shell's state."""

from __future__ import annotations

from applets.sh.builtins.arguments import number
from applets.sh.errors import ShellError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from applets.sh.shell.state import State


def getopts(shell: State, argv: list[str]) -> int:
    """getopts LETTERS NAME [ARG]..."""
    if len(argv) < 3:
        raise ShellError("usage: getopts optstring var [arg]...")
    letters, name = argv[1], argv[2]
    arguments = argv[3:] or shell.params
    silent = letters.startswith(":")
    index = max(number(shell.get("OPTIND") or "1"), 1)
    at = shell.option_at
    if index > len(arguments):
        return _end(shell, name, index)
    word = arguments[index - 1]
    if not at or at >= len(word):
        at = 1
        if len(word) < 2 or word[0] != "-":
            return _end(shell, name, index)
        if word == "--":
            return _end(shell, name, index + 1)
    letter = word[at]
    at += 1
    place = letters.find(letter) if letter != ":" else -1
    result, value = letter, None
    takes = place >= 0 and letters[place + 1 : place + 2] == ":"
    if takes:
        if at < len(word):
            value = word[at:]
        elif index < len(arguments):
            value = arguments[index]
            index += 1
        at = len(word)
    if at >= len(word):
        at = 0
        index += 1
    if place < 0:
        result = "?"
        value = letter if silent else None
        if not silent and shell.get("OPTERR") != "0":
            shell.complain_plain(f"Illegal option -{letter}")
    elif takes and value is None:
        result = ":" if silent else "?"
        value = letter if silent else None
        if not silent and shell.get("OPTERR") != "0":
            shell.complain_plain(f"No arg for -{letter} option")
    if value is None:
        shell.unset("OPTARG")
    else:
        shell.set("OPTARG", value)
    _store(shell, index, at)
    shell.set(name, result)
    return 0


def _end(shell: State, name: str, index: int) -> int:
    shell.unset("OPTARG")
    _store(shell, index, 0)
    shell.set(name, "?")
    return 1


def _store(shell: State, index: int, at: int) -> None:
    shell.set("OPTIND", str(index))
    shell.option_at = at
