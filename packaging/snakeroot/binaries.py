"""A program of any language -> what it needs on the box: its loader, and the shared libraries that it loads.

A static program needs nothing.  A dynamic one names its loader (PT_INTERP) and libraries (DT_NEEDED), which are looked
for as ld.so(8) does: where RPATH and RUNPATH say, then in the packages of `packages` and what those depend on, then in
this machine's library folders.  Libraries lie in the service's own folder, to which LD_LIBRARY_PATH leads.  The program
itself is executed, and not the loader with the program as its argument: so /proc/self/exe, by which programs start
themselves again, is the program, and so are argv[0] and its name in ps.  The loader and the C library belong together
and are the same for all: they come out of the distribution's packages, at the distribution's paths, and the dynamic
Python runs with the very same files.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache as once
from pathlib import Path

from snakeroot import elf, executable, packages, programs, shared
from snakeroot.config import Instance, Service
from snakeroot.host import BuildError, OfflineError, cache, run
from toolbox.harmless import harmless

#: The folder of a service's libraries, below its own; no service can have this name.
FOLDER = ".lib"

#: Where this machine has libraries, besides those that ld.so.cache lists.
STANDARD = tuple(
    f"{top}/{folder}"
    for top in ("", "/usr", "/usr/local")
    for folder in (shared.FOLDER, "lib64", "lib")
)

#: musl's loader is its C library, too: libc.so, libc.musl-x86_64.so.1.
MUSL, MUSL_C = "ld-musl-", re.compile(r"libc\.(so|musl-.*)")

#: A library's name in its parts, as Debian's policy makes a package's name of them: libssl.so.3 -> libssl3.
NAME = re.compile(r"(?P<stem>lib[\w.+-]*?)(?:-(?P<of>[\d.]+))?\.so(?:\.(?P<version>\d+))?")

#: Bytes of an ELF header: what is shorter names no loader.
HEADER = 64


@dataclass(frozen=True)
class Binary:
    """A program and what goes into the image with it.

    system: name in the image -> file, for the loader and the C library, which all services share
    own: name -> file, for libraries that are the service's alone
    """

    program: Path
    system: dict[str, Path] = field(default_factory=dict)
    own: dict[str, Path] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Bytes of the program and its own libraries."""
        return sum(path.stat().st_size for path in (self.program, *self.own.values()))


def every(instance: Instance, there: executable.There) -> dict[str, Binary]:
    """The programs of all services that are no Python's.  BuildError names service and cure.

    there: tells what the image has of [files] and applets
    """
    found = {}
    for name, service in instance.settings.services.items():
        if not service.binary:
            continue
        try:
            found[name] = closure(_program(instance, service), service.packages, there)
        except OfflineError:
            raise
        except BuildError as error:
            raise BuildError(f"services.{name}: {error}", error.hint) from None
    return found


def of_a_package(service: Service) -> bool:
    """Whether the program may be one of `packages`, by its path there."""
    return bool(service.packages) and service.binary.startswith("/")


def library_path(name: str) -> str:
    """Where the box has the libraries of the service `name`."""
    return f"/{programs.FOLDER}/{name}/{FOLDER}"


def report(made: dict[str, Binary]) -> list[str]:
    """A line for each dynamic program: how much room it takes in the image, and with which libraries of its own."""
    lines = []
    for name, binary in made.items():
        if binary.system:
            own = ", ".join(binary.own) or "none but the C library's"
            lines.append(f"{name:<16} {binary.size / 1e6:7.1f} MB  binary, its libraries: {own}")
    return lines


def closure(program: Path, wanted: Sequence[str], there: executable.There) -> Binary:
    """The program with all that it loads.  BuildError for what cannot run on a box, or lacks a library.

    wanted: packages of the distribution to look in
    """
    if why := executable.problem(program, there):
        raise BuildError(f"'{program.name}' {why}")
    if program.stat().st_size < HEADER or not elf.is_elf(program):
        return Binary(program)
    said = _read(program)
    # Whoever brings the loader by [files] brings what goes with it.
    if not said.interpreter or there(said.interpreter):
        return Binary(program)
    try:
        search = _Search(said, tuple(wanted))
        search.all_of(program, said)
    except OfflineError:
        raise
    except BuildError as error:  # which has names out of the program in it, whatever they are
        raise BuildError(harmless(str(error)), harmless(error.hint)) from None
    return Binary(program, search.system, search.own)


def _program(instance: Instance, service: Service) -> Path:
    """The service's program: of its packages, or a file of this machine."""
    if of_a_package(service):
        for package in service.packages:
            if path := packages.file(package, service.binary):
                return path
    path = instance.place(service.binary)
    if path.is_file():
        return path
    where = f", nor in {', '.join(service.packages)}" if of_a_package(service) else ""
    raise BuildError(f"'{service.binary}': no such file here{where}", "set 'binary' to one")


def _read(path: Path) -> elf.Elf:
    try:
        return elf.read(path)
    except ValueError as error:
        raise BuildError(f"'{path.name}' is {error}", "build it again") from None


class _Search:
    """What one program loads, found in the order in which ld.so does: breadth first, each name once."""

    def __init__(self, program: elf.Elf, wanted: tuple[str, ...]) -> None:
        self.machine = program.machine
        self.wanted = wanted
        self.system: dict[str, Path] = {}
        self.own: dict[str, Path] = {}
        self.loader = os.path.basename(program.interpreter)
        self.musl = self.loader.startswith(MUSL)
        self.system[program.interpreter.lstrip("/")] = self._find_loader(program.interpreter)

    def all_of(self, program: Path, said: elf.Elf) -> None:
        """Find all that the program and its libraries need."""
        # (file, what it says, the folders that those which wanted it look in, by RPATH)
        queue: list[tuple[Path, elf.Elf, tuple[str, ...]]] = [(program, said, ())]
        seen = {self.loader}
        for path, file, inherited in queue:
            self._fits_c_library(path, file)
            # Who has a RUNPATH looks nowhere else; RPATHs hold for what is loaded on their behalf, too.
            rpath = (*_expanded(file.rpath, path), *inherited)
            folders = _expanded(file.runpath, path) if file.runpath else rpath
            for name in file.needed:
                if name in seen or (self.musl and MUSL_C.fullmatch(name)):
                    continue
                seen.add(name)
                found = self._library(name, path, folders)
                queue.append((found, _read(found), () if file.runpath else rpath))

    def _library(self, name: str, needed_by: Path, folders: Sequence[str]) -> Path:
        if "/" in name:
            raise BuildError(
                f"'{needed_by.name}' needs '{name}' by its path, which the box does not have",
                f"link that library with -Wl,-soname,{os.path.basename(name)}, and the program again",
            )
        if not self.musl and (path := _of_c_library(name)):
            self.system[f"{shared.FOLDER}/{name}"] = path
            return path
        for path in self._places(name, folders):
            if self._is_for_us(path):
                self.own[name] = path
                return path
        if not self.musl and (system := shared.find(name)):
            self.system[f"{shared.FOLDER}/{name}"] = system
            return system
        for path in self._elsewhere(name):
            if self._is_for_us(path):
                self.own[name] = path
                return path
        looked = f" nor in {', '.join(self.wanted)}" if self.wanted else ""
        raise BuildError(f"'{needed_by.name}' needs {name}, which is not here{looked}", _cure(name))

    def _places(self, name: str, folders: Sequence[str]) -> Iterator[Path]:
        """Where the file that needs it looks first."""
        for folder in folders:
            path = Path(folder, name)
            if path.is_file():
                yield path.resolve()

    def _elsewhere(self, name: str) -> Iterator[Path]:
        for package in self.wanted:
            yield from packages.find(package, name)
        if self.wanted:
            # Most libraries' packages can be told by their names; so not all that is depended on must be fetched.
            for package in filter(_exists, _named(name)):
                yield from packages.find(package, name)
        for package in _with_dependencies(self.wanted):
            yield from packages.find(package, name)
        if not self.musl:  # this machine's libraries are for its own C library
            paths = (*_listed().get(name, ()), *(f"{folder}/{name}" for folder in STANDARD))
            yield from (Path(path).resolve() for path in paths if os.path.isfile(path))

    def _is_for_us(self, path: Path) -> bool:
        """The loader goes on where it meets a library for another machine, or no library at all."""
        try:
            return elf.read(path).machine == self.machine
        except (ValueError, OSError):
            return False

    def _find_loader(self, path: str) -> Path:
        if self.loader in shared.LOADERS and (found := shared.find(self.loader)):
            return found
        for package in self.wanted:
            for one in packages.find(package, self.loader):
                return one
        if os.path.isfile(path):
            return Path(path).resolve()
        cure = f'packages = ["{"musl" if self.musl else "PACKAGE"}"]'
        raise BuildError(
            f"its loader {path} is not here",
            f"name the distribution's package that has it ({cure}), or link the program statically",
        )

    def _fits_c_library(self, path: Path, file: elf.Elf) -> None:
        wanted = file.least_glibc()
        if not self.musl and wanted > (has := shared.version()):
            least, own = (".".join(map(str, version)) for version in (wanted, has))
            raise BuildError(
                f"'{path.name}' needs the C library {least}, and this distribution has {own}",
                "build it here, or link it statically",
            )


@once
def _of_c_library(name: str) -> Path | None:
    """A part of the C library itself, which goes with its loader whatever RPATHs say."""
    return next(packages.find(shared.PACKAGES[0], name), None)


def _expanded(folders: Sequence[str], path: Path) -> tuple[str, ...]:
    """The folders of an RPATH, where this machine has them (ld.so(8), "Dynamic string tokens").

    The paths of a package's file are those of a machine where it is installed: `packages` finds what is there.
    """
    values = {"ORIGIN": str(path.parent), "LIB": shared.FOLDER, "PLATFORM": platform.machine()}
    found = []
    for folder in folders:
        for name, value in values.items():
            folder = folder.replace(f"${{{name}}}", value).replace(f"${name}", value)
        inside = path.is_relative_to(cache() / "packages")
        if folder.startswith("/") and (not inside or Path(folder).is_relative_to(cache())):
            found.append(folder)
    return tuple(found)


def _with_dependencies(names: Sequence[str]) -> Iterator[str]:
    """The packages, what they depend on, and of what those depend on the libraries; fetched as it is asked for."""
    seen = set(names)
    nearest = list(names)
    yield from nearest
    first = True
    while nearest:
        further = []
        for package in nearest:
            for one in packages.dependencies(package):
                name = one.partition(":")[0]
                if name in seen or not (first or name.startswith("lib")) or not _exists(name):
                    continue
                seen.add(name)
                further.append(name)
        yield from further
        nearest, first = further, False


def _exists(package: str) -> bool:
    """Whether the distribution has it: dependencies may be names that several packages provide."""
    try:
        return bool(packages.candidate(package))
    except OfflineError:
        raise
    except BuildError:
        return False


@once
def _listed() -> dict[str, list[str]]:
    """Library -> its files in this machine's ld.so.cache; nothing where there is none."""
    program = shutil.which("ldconfig") or "/sbin/ldconfig"
    found: dict[str, list[str]] = {}
    if os.path.exists(program):
        for line in run([program, "-p"]).decode(errors="surrogateescape").splitlines():
            name, arrow, path = line.partition(" => ")
            if arrow:
                found.setdefault(name.split()[0], []).append(path)
    return found


def _named(library: str) -> tuple[str, ...]:
    """The packages that may have it, as Debian's policy (8.1) names them; none for an odd name."""
    match = NAME.fullmatch(library)
    if not match:
        return ()
    stem = match["stem"].lower().replace("_", "-")
    version = "-".join(filter(None, (match["of"], match["version"])))
    dash = "-" if match["of"] or stem[-1:].isdigit() else ""
    return f"{stem}{dash}{version}", f"{stem}{dash}{version}t64"


def _cure(library: str) -> str:
    """How to get it: by the package that is named as it, if the distribution has that one."""
    for name in filter(_exists, _named(library)):
        return f'set packages = ["{name}"] for the service'
    return (
        "name the distribution's package that has it (packages = [...]), or say where it lies when you link:"
        " -Wl,-rpath,'$ORIGIN/lib'"
    )
