"""`snakeroot doctor`: what this machine lacks for making and running boxes, and its installation."""

from __future__ import annotations

import argparse
import shlex
import sys
from typing import Any

from snakeroot import first_stage, needs, shipped
from snakeroot.host import BuildError, run, step


def add_commands(commands: Any) -> None:
    """Declare the command; `commands` is what argparse's add_subparsers returned."""
    doctor = commands.add_parser(
        "doctor",
        help="say what this machine lacks for making and running boxes, and install it after asking",
        epilog="exit status: 0 when nothing is missing (any more), 1 when something is. The command that installs it"
        " is on the last line.",
    )
    doctor.add_argument("--yes", action="store_true", help="install without asking")
    doctor.set_defaults(run=_doctor)


def _doctor(arguments: argparse.Namespace) -> int:
    own = _own()
    for error in own:
        print(f"{error}: {error.hint}")
    lacking = needs.missing(needs.BOXES)
    for program, package in lacking.items():
        print(f"{program} is missing: package {package}")
    lists = needs.there(needs.LISTS) or not needs.there("apt-get")
    if not lists:
        print("apt has no lists of the distribution's packages, and the kernel is one of them")
    packages = sorted(set(lacking.values()))
    if not packages and lists:
        if not own:
            print("nothing is missing")
        return 1 if own else 0
    print(_line(packages), flush=True)
    if not (arguments.yes or sys.stdin.isatty()):
        return 1
    root = needs.ask(arguments.yes, "snakeroot doctor --yes")
    with step("package lists"):
        needs.update(root, run)
    if packages:
        with step(f"installing {len(packages)} packages"):
            needs.install(root, packages, run)
    left = needs.missing(needs.BOXES)
    for program, package in left.items():
        print(f"{program} is still missing: package {package} did not bring it")
    return 1 if own or left else 0


def _own() -> list[BuildError]:
    """What is wrong with this installation itself."""
    found = []
    for get in (shipped.program, first_stage.program, shipped.grub_script):
        try:
            get()
        except BuildError as error:
            found.append(error)
    return found


def _line(packages: list[str]) -> str:
    """What installs packages, for a shell."""
    sudo = needs.root()
    words = [*sudo, "apt-get", "update"]
    if not packages:
        return shlex.join(words)
    more = [*sudo, "apt-get", "install", "--no-install-recommends", *packages]
    return f"{shlex.join(words)} && {shlex.join(more)}"
