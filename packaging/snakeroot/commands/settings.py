"""Commands that change snakeroot.toml: add, remove, edit.

What they stand on (tomlkit) is imported when they run: it would cost every other command a third of its start.
"""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from snakeroot import config
from snakeroot.host import BuildError, replace

#: Where `edit` keeps what is not good yet.
KEPT = f".{config.FILE}.edit"

#: Editors that are taken when neither $VISUAL nor $EDITOR names one.
EDITORS = ("sensible-editor", "editor", "nano", "vi")


def add_commands(commands: Any) -> None:
    """Declare the commands; `commands` is what argparse's add_subparsers returned."""
    add = commands.add_parser(
        "add",
        help="add a service to snakeroot.toml: a program's folder or file, or a requirement",
        epilog="A file or folder of that name comes first, here or in the instance; else it is a project of the"
        " package index. Arguments for the program stand after --.",
    )
    add.add_argument(
        "what", metavar="NAME|FOLDER|FILE|REQUIREMENT", help="./hello, pypiserver==2.3"
    )
    add.add_argument("arguments", nargs="*", metavar="ARGUMENT", help="the program's arguments")
    add.add_argument("--name", default="", help="the service's; by default made from the program's")
    add.add_argument(
        "--module", default="", help="what to run as `python -m`, when it is not found"
    )
    add.add_argument(
        *("-p", "--port"),
        type=int,
        action="append",
        default=[],
        metavar="N",
        help="a port that it listens on; may be given again",
    )
    add.add_argument(
        *("-e", "--env"),
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="an environment variable; may be given again",
    )
    add.set_defaults(run=_add, trailing="arguments")
    remove = commands.add_parser("remove", help="take a service out of snakeroot.toml")
    remove.add_argument("name", metavar="NAME", help="the service; its folder stays")
    remove.set_defaults(run=_remove)
    edit = commands.add_parser(
        "edit",
        help="edit snakeroot.toml with $VISUAL or $EDITOR; what is not good does not replace it",
    )
    edit.set_defaults(run=_edit)


def _add(arguments: argparse.Namespace) -> int:
    from snakeroot import adding, editing

    folder: Path = arguments.folder
    instance = config.load(folder)
    found = adding.find(instance, arguments.what, arguments.name, arguments.module)
    settings = dict(found.settings)
    if arguments.arguments:
        settings["arguments"] = arguments.arguments
    if arguments.env:
        settings["environment"] = dict(_variable(one) for one in arguments.env)
    if arguments.port:
        settings["ports"] = arguments.port
    made: list[Path] = []
    try:
        for name, data in found.files.items():
            place = instance.path / name
            if place.exists():
                raise BuildError(
                    f"{place}: is there already", "add that folder, or choose a --name"
                )
            made.append(place)
            replace(place, data)
        editing.change(folder, lambda text: editing.add(text, found.name, settings))
    except BaseException:
        for place in made:
            place.unlink(missing_ok=True)
        for parent in {place.parent for place in made}:
            if parent.is_dir() and not any(parent.iterdir()):
                parent.rmdir()
        raise
    for note in found.notes:
        print(f"  {note}", file=sys.stderr)
    print(f"added services.{found.name} to {folder / config.FILE}")
    return 0


def _variable(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise BuildError(f"--env {text}: is no variable", "it looks so: --env NAME=VALUE")
    return name, value


def _remove(arguments: argparse.Namespace) -> int:
    from snakeroot import editing, programs

    folder: Path = arguments.folder
    gone: list[str] = []

    def edit(text: str) -> str:
        new, lines = editing.remove(text, arguments.name)
        gone.append(lines)
        return new

    instance = editing.change(folder, edit)
    lock = programs.lock_of(instance, arguments.name)
    if lock.exists():  # of a requirement, with no folder of its own that it could stay in
        lock.unlink()
    # Whoever wants it back finds it here.
    print("".join(gone), end="")
    print(f"removed services.{arguments.name} from {folder / config.FILE}", file=sys.stderr)
    return 0


def _edit(arguments: argparse.Namespace) -> int:
    from snakeroot import editing

    folder: Path = arguments.folder
    path, copy = folder / config.FILE, folder / KEPT
    editor = _editor()
    try:
        former = path.read_bytes()
    except FileNotFoundError:
        raise BuildError(f"{path}: no such file", "make an instance: snakeroot new NAME") from None
    if copy.exists():
        print(f"going on with {copy}, which was kept (remove it to begin anew)", file=sys.stderr)
    else:
        replace(copy, former, private=True)
    while True:
        _run(editor, copy, former)
        data = copy.read_bytes()
        if data == former:
            copy.unlink()
            print("nothing is changed", file=sys.stderr)
            return 0
        if why := _wrong(folder, copy, data):
            print(f"snakeroot: {why}", file=sys.stderr)
            if not _again():
                raise BuildError(f"{path} is as it was", f"your text is in {copy}: snakeroot edit")
            continue
        try:
            editing.put(folder, former, data)
        except BuildError as error:
            raise BuildError(str(error), f"your text is in {copy}") from None
        copy.unlink()
        print(f"{path}: good, and in place")
        return 0


def _wrong(folder: Path, copy: Path, data: bytes) -> str:
    """What `snakeroot check` says of the copy, in the name of the copy; "" when it is good."""
    try:
        config.load(folder, copy)
    except BuildError as error:
        return str(error)
    return ""


def _again() -> bool:
    """Ask whether to edit again; nobody to ask is a no."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    print("edit it again? [Y/n] ", end="", file=sys.stderr, flush=True)
    return not sys.stdin.readline().strip().lower().startswith("n")


def _editor() -> list[str]:
    """The editor's command line.  BuildError when there is none."""
    wanted = os.environ.get("VISUAL") or os.environ.get("EDITOR") or ""
    try:
        words = shlex.split(wanted) or [one for one in EDITORS if shutil.which(one)][:1]
    except ValueError as error:
        raise BuildError(f"$VISUAL or $EDITOR: {wanted}: {error}", "name a program there") from None
    if not words:
        raise BuildError("no editor is found", "name one: EDITOR=nano snakeroot edit")
    return words


def _run(editor: list[str], copy: Path, former: bytes) -> None:
    """Let the user edit the copy.  BuildError when the editor is not found, or fails."""
    try:
        status = subprocess.run([*editor, copy], check=False).returncode
        why = f"{shlex.join(editor)} ended with status {status}" if status else ""
    except OSError as error:
        why = f"{editor[0]}: {error.strerror} (named by $VISUAL or $EDITOR)"
    if not why:
        return
    if copy.read_bytes() == former:
        copy.unlink()
        raise BuildError(why, f"{config.FILE} is as it was")
    raise BuildError(why, f"{config.FILE} is as it was; what it wrote is in {copy}")
