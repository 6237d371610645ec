"""What the builder needs and does not make: the frozen programs, the first stage, and GRUB's script.

A checkout has their sources, and makes the programs by ./dev build.  A wheel (./dev wheel) brings all of them: the
programs as commands of the environment that it is installed in, the rest in the folder data beside this file.
"""

from __future__ import annotations

import os
from importlib import metadata
from pathlib import Path

from snakeroot.host import BuildError

#: Names another frozen program.
VARIABLE = "SNAKEROOT_TOOLBOX"

#: The frozen programs; the first one is the box's userland, and the others lie beside it.
PROGRAMS = ("toolbox", "toolbox-plain", "toolbox-dynamic")

#: The checkout, if this is one, and its folder with the sources of the boot.
CHECKOUT = Path(__file__).resolve().parents[2]
SOURCES = CHECKOUT / "packaging" / "boot"

#: What a wheel brings for the boot, and the names there.
DATA = Path(__file__).resolve().parent / "data"
FIRST_STAGE, GRUB_SCRIPT = "first-stage", "grub.cfg"

_CURE = "install a wheel that ./dev wheel made in a checkout"


def program() -> Path:
    """The frozen program: $SNAKEROOT_TOOLBOX, else the checkout's, else the installed wheel's.

    BuildError when it is not there.
    """
    if named := os.environ.get(VARIABLE):
        path, cure = Path(named), f"make it: ./dev build, in a checkout; ${VARIABLE} names it"
    elif SOURCES.is_dir():
        path, cure = CHECKOUT / "build" / PROGRAMS[0], "make it: ./dev build, in a checkout"
    else:
        path, cure = _installed(PROGRAMS[0]), _CURE
    if not path.is_file():
        raise BuildError(f"{path}: no frozen program there", cure)
    return path


def first_stage() -> bytes | None:
    """The compiled first stage that a wheel brought; None in a checkout, which compiles its own."""
    if SOURCES.is_dir():
        return None
    return _brought(FIRST_STAGE).read_bytes()


def grub_script() -> str:
    """The text that GRUB's script is made from (packaging/boot/grub.cfg)."""
    path = SOURCES / GRUB_SCRIPT if SOURCES.is_dir() else _brought(GRUB_SCRIPT)
    return path.read_text()


def _brought(name: str) -> Path:
    path = DATA / name
    if not path.is_file():
        raise BuildError(f"{path}: not there", _CURE)
    return path


def _installed(name: str) -> Path:
    """Where the installer has put a command of the wheel: it alone knows, and has written it down."""
    try:
        files = metadata.distribution("snakeroot").files or []
    except metadata.PackageNotFoundError:
        files = []
    for file in files:
        if file.name == name and file.parent.name == "bin":
            place = Path(str(file.locate()))
            if place.is_file():
                return place.parent.resolve() / name
    # pip install --target moves the commands after it has written where they are.
    return Path(__file__).resolve().parents[1] / "bin" / name
