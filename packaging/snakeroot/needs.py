"""What a machine must have, and how it gets it from the distribution.

./dev uses it too, before there is a virtual environment: the standard library alone.
"""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from snakeroot.host import PACKAGES, BuildError

#: What making and running a box takes: a program -> the package that brings it.
BOXES = {
    program: package
    for program, package in PACKAGES.items()
    if not program.startswith("qemu-system-") or program.endswith(f"-{platform.machine()}")
}

#: What apt knows of the distribution; an image of a container comes without.
LISTS = "/var/lib/apt/lists/*_Packages*"

#: Runs a command to its end, or raises an error that names it.
Run = Callable[[list[str]], object]

#: Nobody is there to answer what a package asks.
APT = ("env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-o", "DPkg::Lock::Timeout=300")


def missing(needs: dict[str, str]) -> dict[str, str]:
    """Of `needs` what is not there."""
    return {thing: package for thing, package in needs.items() if not there(thing)}


def there(thing: str) -> bool:
    """Whether a program is in PATH (or sbin), a file that matches the pattern exists, or Python has its part."""
    if thing == "ensurepip":
        import importlib.util

        return importlib.util.find_spec("ensurepip") is not None
    if thing == "Python.h":
        import sysconfig

        return Path(sysconfig.get_path("include"), thing).exists()
    if thing.startswith("/"):
        return any(Path("/").glob(thing[1:]))
    return shutil.which(thing, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin") is not None


def root() -> list[str]:
    """The words that make a command root's."""
    return [] if os.geteuid() == 0 else ["sudo"]


def ask(yes: bool, again: str) -> list[str]:
    """Ask whether to install; the words that make a command root's.  BuildError when it is not to be, or cannot.

    yes: don't ask    again: the command that would not ask
    """
    if not shutil.which("apt-get"):
        raise BuildError("no apt-get here: install these with your package manager")
    words = root()
    if not yes:
        if not sys.stdin.isatty():
            raise BuildError(f"install these packages, or let me: {again}")
        answer = input(f"  install them{' with sudo' if words else ''}? [Y/n] ").strip().lower()
        if answer not in ("", "y", "yes"):
            raise BuildError("nothing was installed")
    return words


def update(root: list[str], run: Run) -> None:
    """Get apt's newest lists."""
    run([*root, *APT, "update"])


def install(root: list[str], packages: list[str], run: Run) -> None:
    """Install packages with apt-get."""
    # What an interrupted installation has left half done would stop this one.
    run([*root, *APT[:2], "dpkg", "--configure", "-a"])
    run([*root, *APT, "install", "-y", "--no-install-recommends", *packages])
