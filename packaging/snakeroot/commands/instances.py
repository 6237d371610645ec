"""Commands about what one box is: its folder, and snakeroot.toml in it."""

from __future__ import annotations

import argparse
import getpass
import json
import re
import secrets
import sys
from pathlib import Path
from typing import Any

from snakeroot import binaries, check, config, new, programs, shipped
from snakeroot.host import BuildError
from toolbox.trust import tokens
from toolbox.trust.password import hash_password


def add_commands(commands: Any) -> None:
    """Declare the commands; `commands` is what argparse's add_subparsers returned."""
    make = commands.add_parser("new", help="make an instance with a small program to begin with")
    make.add_argument(
        "name", metavar="NAME", type=Path, help="folder to make; its name is the host name"
    )
    make.add_argument(
        "--template",
        choices=new.names(),
        default=new.DEFAULT,
        help=f"which program it begins with; by default {new.DEFAULT}, a web page",
    )
    make.set_defaults(run=_new)
    check = commands.add_parser(
        "check",
        help="read snakeroot.toml and say what is wrong with it, and what its programs need",
        epilog="exit status: 0 when it is good, 1 when it is not. --json prints an object: good; file; services (of"
        " Python's the runtime, why, packages with versions, native files, libraries that are lacking, bytes in the image), or error: its line"
        " (0 for none), its text, and a hint.",
    )
    check.add_argument("--json", action="store_true", help="for programs")
    check.set_defaults(run=_check)
    lock = commands.add_parser(
        "lock",
        help="take the newest versions of what services require, and write them to their locks",
        epilog="A lock (pylock.toml, PEP 751) is written by the first build; later ones take what it names. It lies in"
        " the program's folder, or for a requirement in the instance's, as pylock.NAME.toml.",
    )
    lock.add_argument("services", nargs="*", metavar="SERVICE", help="by default all")
    lock.set_defaults(run=_lock)
    for name, run, text in (
        ("password", _password, "make the hash of a password for snakeroot.toml"),
        ("token", _token, "make a token for pushing releases, and its hash for snakeroot.toml"),
    ):
        commands.add_parser(name, help=text).set_defaults(run=run)


def _new(arguments: argparse.Namespace) -> int:
    new.create(arguments.folder / arguments.name, arguments.template)
    return 0


def _check(arguments: argparse.Namespace) -> int:
    path = arguments.folder / config.FILE
    try:
        instance = config.load(arguments.folder)
        toolbox = _frozen_program()
        made = programs.every(instance, toolbox) if toolbox else {}
        others = binaries.every(instance, lambda path: check.is_there(instance, path))
        report = [
            *(programs.report(made, toolbox) if toolbox else []),
            *binaries.report(others),
        ]
    except BuildError as error:
        if not arguments.json:
            raise
        told = {**_error(path, str(error)), "hint": error.hint}
        print(json.dumps({"good": False, "file": str(path), "error": told}))
        return 1
    if arguments.json:
        services = {
            name: {**_described(one), **_needs(made.get(name)), **_loads(others.get(name))}
            for name, one in instance.settings.services.items()
        }
        print(json.dumps({"good": True, "file": str(path), "services": services}))
    else:
        print(f"{instance.path / config.FILE}: good", *(f"  {line}" for line in report), sep="\n")
    return 0


def _frozen_program() -> Path | None:
    """What tells which versions programs run with; None, after a word, where it was never built."""
    try:
        return shipped.program()
    except BuildError as error:
        print(f"snakeroot: what the programs need was not looked up: {error}", file=sys.stderr)
        return None


def _lock(arguments: argparse.Namespace) -> int:
    instance = config.load(arguments.folder)
    for line in programs.renew(instance, arguments.services, shipped.program()):
        print(line)
    return 0


def _error(path: Path, said: str) -> dict[str, Any]:
    """What is wrong, and in which line; 0 when no line is named."""
    named = re.fullmatch(rf"{re.escape(str(path))}:(?:(\d+):)? (.*)", said, re.DOTALL)
    return {"line": int(named[1] or 0), "text": named[2]} if named else {"line": 0, "text": said}


def _described(service: config.Service) -> dict[str, Any]:
    """What a program may want to know of a service."""
    what = {"binary": service.binary}
    if service.python:
        what = {"python": service.python, "module": programs.module(service)}
    return {**what, "ports": service.ports}


def _needs(program: programs.Program | None) -> dict[str, Any]:
    """What a Python program needs on the box."""
    if program is None:
        return {}
    return {
        "runtime": program.runtime,
        "why": program.why,
        "packages": program.packages,
        "native": program.native,
        "lacking": program.lacking,
        "size": program.size,
    }


def _loads(binary: binaries.Binary | None) -> dict[str, Any]:
    """What a program of another language loads on the box."""
    if binary is None:
        return {}
    return {
        "runtime": "dynamic" if binary.system else "static",
        "libraries": sorted(binary.own),
        "size": binary.size,
    }


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
