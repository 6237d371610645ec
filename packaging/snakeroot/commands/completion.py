"""`snakeroot completion SHELL`: what a shell completes, made from the command line's own declaration."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Iterator
from typing import Any

SHELLS = ("bash", "zsh", "fish")

#: Where each shell looks for it.
EPILOG = """for every new shell:
  bash  snakeroot completion bash > ~/.local/share/bash-completion/completions/snakeroot
  zsh   snakeroot completion zsh > DIR/_snakeroot    (DIR: one of $fpath, before compinit)
  fish  snakeroot completion fish > ~/.config/fish/completions/snakeroot.fish"""


def add_commands(commands: Any, parser: Callable[[], argparse.ArgumentParser]) -> None:
    """Declare the command.  parser: makes the whole command line anew."""
    made = commands.add_parser(
        "completion",
        help="print what bash, zsh or fish complete",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("shell", choices=SHELLS, metavar="|".join(SHELLS))
    made.set_defaults(run=lambda arguments: _print(parser(), arguments.shell))


def _print(parser: argparse.ArgumentParser, shell: str) -> int:
    import shtab

    for action in _actions(parser):
        # What an argument is called says what it takes.
        names = action.metavar if isinstance(action.metavar, str) else ""
        if re.search(r"\b(FILE|FOLDER|DEVICE)\b", names):
            action.complete = shtab.FILE  # type: ignore[attr-defined]
        elif re.search(r"\bDIR\b", names):
            action.complete = shtab.DIRECTORY  # type: ignore[attr-defined]
    print(shtab.complete(parser, shell), end="")
    return 0


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """Every argument of a command line and of its commands."""
    for action in parser._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for inner in {id(one): one for one in action.choices.values()}.values():
                yield from _actions(inner)
