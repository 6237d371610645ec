"""The shared C library that the dynamic program and compiled packages run with.

It comes out of the distribution's packages, as the kernel does, and goes only into the images of boxes that need it.
"""

from __future__ import annotations

import platform
from pathlib import Path

from snakeroot import elf, packages
from snakeroot.host import BuildError

#: The C library, the compiler's two, and zlib, which wheels may expect of every system (PEP 513, manylinux).
PACKAGES = ("libc6", "libgcc-s1", "libstdc++6", "zlib1g")

#: What wheels name: since glibc 2.34 all but the first two of the C library's are stubs.
LIBRARIES = (
    *("libc.so.6", "libm.so.6", "libdl.so.2", "libpthread.so.0", "librt.so.1", "libutil.so.1"),
    *("libresolv.so.2", "libanl.so.1", "libgcc_s.so.1", "libstdc++.so.6", "libz.so.1"),
)

#: The versions of the C library that uv has platforms for, oldest first (`uv pip compile --python-platform`).
UV_KNOWS = ((2, 17), (2, 28), *((2, minor) for minor in range(31, 41)))

#: The C library's loaders, by machine.
LOADERS = ("ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1")

#: Where the distribution's loader looks.
FOLDER = f"lib/{platform.machine()}-linux-gnu"

#: Where the C library looks names up for wheels; the interpreter has it built in.
NSSWITCH = "passwd: files\ngroup: files\nhosts: files dns\n"


def version() -> tuple[int, ...]:
    """Of the distribution's C library: (2, 36).  Nothing is downloaded for it."""
    return elf.numbers(packages.candidate("libc6").rpartition(":")[2])


def tag() -> str:
    """The box as uv names it, by what wheels may ask of its C library: x86_64-manylinux_2_36.

    A C library that uv does not know runs all that an older one does.
    """
    fitting = [known for known in UV_KNOWS if known <= version()[:2]]
    major, minor = max(fitting, default=UV_KNOWS[0])
    return f"{platform.machine()}-manylinux_{major}_{minor}"


def files(program: Path) -> dict[str, Path]:
    """Name in the image -> file of the host, for all that the dynamic `program` and wheels load."""
    said = elf.read(program)
    if said.least_glibc() > version():
        wanted, has = (".".join(map(str, v)) for v in (said.least_glibc(), version()))
        raise BuildError(
            f"{program}: needs the C library {wanted}, and this distribution has {has}",
            "build the program here: ./dev build",
        )
    loader = said.interpreter.lstrip("/")
    return {loader: _found(Path(loader).name)} | {f"{FOLDER}/{n}": _found(n) for n in LIBRARIES}


def names() -> set[str]:
    """The libraries that a box with the dynamic program has, as others name them."""
    return {*LIBRARIES, *LOADERS}


def find(name: str) -> Path | None:
    """The file of a library of theirs; None when it is none of these."""
    return next((path for one in PACKAGES for path in packages.find(one, name)), None)


def _found(name: str) -> Path:
    if path := find(name):
        return path
    raise BuildError(f"{name}: not in {', '.join(PACKAGES)}")
