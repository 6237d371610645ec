"""Commands about what one box is: its folder, and snakeroot.toml in it."""

from __future__ import annotations

import argparse
import getpass
import secrets
import sys
from pathlib import Path
from typing import Any

from snakeroot import config, new
from toolbox.trust import tokens
from toolbox.trust.password import hash_password


def add_commands(commands: Any) -> None:
    """Declare the commands; `commands` is what argparse's add_subparsers returned."""
    make = commands.add_parser("new", help="make an instance with a small web service")
    make.add_argument(
        "name", metavar="NAME", type=Path, help="folder to make; its name is the host name"
    )
    make.set_defaults(run=_new)
    for name, run, text in (
        ("check", _check, "read snakeroot.toml and say what is wrong with it"),
        ("password", _password, "make the hash of a password for snakeroot.toml"),
        ("token", _token, "make a token for pushing releases, and its hash for snakeroot.toml"),
    ):
        commands.add_parser(name, help=text).set_defaults(run=run)


def _new(arguments: argparse.Namespace) -> int:
    new.create(arguments.folder / arguments.name)
    return 0


def _check(arguments: argparse.Namespace) -> int:
    instance = config.load(arguments.folder)
    print(f"{instance.path / config.FILE}: good")
    return 0


def _password(arguments: argparse.Namespace) -> int:
    text = getpass.getpass("New password (empty: make one): ") if sys.stdin.isatty() else input()
    if not text:
        text = secrets.token_urlsafe(12)
        print(f"password: {text}", file=sys.stderr)
    print(f'password = "{hash_password(text)}"')
    return 0


def _token(arguments: argparse.Namespace) -> int:
    token, hashed = tokens.make()
    print(f"token: {token}", file=sys.stderr)
    print(f'update_tokens = ["{hashed}"]')
    return 0
