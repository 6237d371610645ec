"""Commands that do something in a running box."""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
from typing import Any

from snakeroot import config, remote


def add_commands(commands: Any) -> None:
    """Declare the commands; `commands` is what argparse's add_subparsers returned."""
    for name, words, text in (
        ("logs", ["logs"], "the running box's logs: logs -- -f hello"),
        ("ps", ["service"], "the running box's services"),
    ):
        look = commands.add_parser(name, help=text)
        look.add_argument("words", nargs="*", metavar="WORD", help="passed on")
        look.set_defaults(run=_on_box, command=words)
    shell = commands.add_parser(
        "ssh", help="a shell in the running box, or one command: ssh -- ls -l"
    )
    shell.add_argument("-t", action="store_true", help="a terminal for the command")
    shell.add_argument("command", nargs="*", metavar="COMMAND")
    shell.set_defaults(run=_ssh)


def _on_box(arguments: argparse.Namespace) -> int:
    words = [shlex.quote(word) for word in (*arguments.command, *arguments.words)]
    return subprocess.run(remote.ssh(config.load(arguments.folder), words), check=False).returncode


def _ssh(arguments: argparse.Namespace) -> int:
    instance = config.load(arguments.folder)
    argv = remote.ssh(instance, arguments.command, terminal=arguments.t)
    os.execvp(argv[0], argv)
