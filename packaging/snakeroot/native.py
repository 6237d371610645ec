"""What of a program's folder is compiled, and which package brought it."""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from email.parser import HeaderParser
from pathlib import Path

from packaging.markers import default_environment
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from snakeroot import elf

#: What names a shared library: libz.so.1.2, libssl.so.1.1.1k, _x.cpython-313-x86_64-linux-gnu.so.
LIBRARY = re.compile(r".+\.so(\.[0-9]\w*)*")

#: Of a module for one version of Python.
SUFFIX = re.compile(r"\.cpython-(\d)(\d+)[a-z]*-")

#: What makes packages that are compiled in any case, by WHEEL's line "Generator".
COMPILING = ("maturin", "meson", "scikit-build-core", "skbuild")


@dataclass(frozen=True)
class Package:
    """An installed package.

    files: all of its files, below the folder, and its own notes (.dist-info)    generator: what made its wheel
    """

    name: str
    version: str
    requires: tuple[str, ...]
    files: tuple[str, ...]
    generator: str

    @property
    def native(self) -> list[str]:
        """Its shared libraries."""
        return [name for name in self.files if LIBRARY.fullmatch(os.path.basename(name))]

    @property
    def may_be_pure(self) -> bool:
        """Whether an attempt to build it without a compiler can succeed."""
        return not self.generator.startswith(COMPILING)


def packages(folder: Path) -> dict[str, Package]:
    """The packages installed in a folder, by their normalized names."""
    found: dict[str, Package] = {}
    for info in sorted(folder.glob("*.dist-info")):
        metadata = HeaderParser().parsestr(_text(info / "METADATA").partition("\n\n")[0])
        name, version = str(metadata["Name"]), str(metadata["Version"])
        wheel = HeaderParser().parsestr(_text(info / "WHEEL"))
        with (info / "RECORD").open(newline="", errors="surrogateescape") as record:
            files = tuple(row[0] for row in csv.reader(record) if row)
        requires = tuple(str(line) for line in metadata.get_all("Requires-Dist", []))
        generator = str(wheel.get("Generator", ""))
        found[canonicalize_name(name)] = Package(
            canonicalize_name(name), version, requires, files, generator
        )
    return found


def _text(path: Path) -> str:
    return path.read_text(errors="replace") if path.exists() else ""


def remove(folder: Path, package: Package) -> None:
    """Take a package's files, and the folders that become empty, out of a folder."""
    parents = set()
    for name in package.files:
        path = folder / name
        if ".." not in path.parts:
            path.unlink(missing_ok=True)
            parents |= {p for p in path.parents if p.is_relative_to(folder) and p != folder}
    for parent in sorted(parents, key=lambda p: len(p.parts), reverse=True):
        try:
            parent.rmdir()
        except OSError:
            pass  # something of another's is in it


def satisfied(
    installed: dict[str, Package], wanted: list[str], shipped: dict[str, str], python: str
) -> set[str]:
    """The packages in whose place the frozen program's own version does, for all who require them.

    wanted: the program's own requirements    shipped: name -> version of what is frozen in
    """
    environment = {
        **{key: str(value) for key, value in default_environment().items()},
        "python_version": ".".join(python.split(".")[:2]),
        "python_full_version": python,
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
        "implementation_version": python,
    }
    own = {str(canonicalize_name(name)): version for name, version in shipped.items()}
    able = set(own) & set(installed)
    lines = [*wanted, *(line for package in installed.values() for line in package.requires)]
    for line in lines:
        try:
            requirement = Requirement(line)
            name = canonicalize_name(requirement.name)
            if name not in able:
                continue
            # A requirement under an extra counts, whether the extra was asked for or not.
            marker = requirement.marker
            if marker and "extra" not in str(marker) and not marker.evaluate(environment):
                continue
            fits = requirement.specifier.contains(Version(own[name]), prereleases=True)
            if not fits or requirement.url:
                able.discard(name)
        except (InvalidRequirement, InvalidVersion):
            continue
    return able


def libraries(folder: Path) -> Iterator[str]:
    """The shared libraries in a folder, by their names below it, in order."""
    for path in sorted(folder.rglob("*.so*")):
        if LIBRARY.fullmatch(path.name) and path.is_file() and elf.is_elf(path):
            yield str(path.relative_to(folder))


def lacking(folder: Path, there: Collection[str]) -> dict[str, str]:
    """Library -> a file that needs it, for those that neither the folder nor the box has (`there`).

    Loaders look by a library's name alone, so where in the folder it lies does not matter here.
    """
    found: dict[str, str] = {}
    own = {os.path.basename(name) for name in libraries(folder)}
    for name in libraries(folder):
        try:
            needed = elf.read(folder / name).needed
        except ValueError:
            continue
        for library in needed:
            if library not in own and library not in there:
                found.setdefault(library, name)
    return found


def problem(folder: Path, name: str, machine: int, series: str) -> str:
    """Why a shared library cannot be loaded on the box; "" when nothing says so.

    machine: e_machine of the box    series: of its Python, "3.13"
    """
    match = SUFFIX.search(os.path.basename(name))
    if match and f"{match[1]}.{match[2]}" != series:
        return f"is for CPython {match[1]}.{match[2]}, and the box has {series}"
    try:
        found = elf.read(folder / name)
    except ValueError as error:
        return f"is {error}"
    if found.machine != machine:
        return "is for another machine"
    return ""
