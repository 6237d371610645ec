"""Which Python runs a program: the static one, which starts from a snapshot, or the dynamic one.

Dynamic is what needs a shared library: a compiled module, or the C library by ctypes.  A package whose compiled part is
optional is taken without it, at the same version, when that makes the whole program static.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from snakeroot import native
from snakeroot.config import FILE
from snakeroot.host import BuildError

#: A package -> a folder with it built without a compiler, or None where that cannot be done.
Build = Callable[[native.Package], Path | None]


@dataclass(frozen=True)
class Choice:
    """runtime: "static" or "dynamic"    why: what asked for it

    dropped: packages that leave the folder    pure: package -> the folder that takes its place
    """

    runtime: str
    why: str
    dropped: list[native.Package] = field(default_factory=list)
    pure: dict[str, Path] = field(default_factory=dict)


def choose(
    folder: Path,
    asked: str,
    frozen: Collection[str],
    calls: Sequence[tuple[str, str]],
    build: Build,
) -> Choice:
    """Nothing is changed by this.  BuildError when "static" is asked for and cannot be.

    asked: the service's `runtime`    frozen: packages in whose place the frozen program's own do
    calls: files that reach the C library by ctypes (reach.py)
    """
    if asked == "dynamic":
        return Choice("dynamic", f'runtime = "dynamic" in {FILE}')
    installed = native.packages(folder)
    dropped = [installed[name] for name in sorted(frozen)]
    gone = {file for package in dropped for file in package.files}
    owner = {file: package for package in installed.values() for file in package.native}
    compiled = [file for file in native.libraries(folder) if file not in gone]
    pure: dict[str, Path] = {}
    # What can be told without a build comes first.
    for file in compiled:
        if file not in owner or not owner[file].may_be_pure:
            return _dynamic(asked, file, owner.get(file))
    if asked == "auto":
        # With runtime = "static" it is up to the program to do without; the error at run time names the cure.
        for file, _ in calls:
            if file not in gone:
                return Choice("dynamic", f"ctypes in {file}")
    for file in compiled:
        package = owner[file]
        if package.name in pure:
            continue
        built = build(package)
        if built is None or any(native.libraries(built)):
            return _dynamic(asked, file, package)
        pure[package.name] = built
        dropped.append(package)
    why = f"without the compiled part of {', '.join(sorted(pure))}" if pure else ""
    return Choice("static", why, dropped, pure)


def _dynamic(asked: str, file: str, package: native.Package | None) -> Choice:
    if asked == "static":
        of = f" of {package.name} {package.version}" if package else ""
        raise BuildError(
            f'{file}{of} is a shared library, and runtime = "static" loads none',
            'set runtime = "auto", or do without it',
        )
    return Choice("dynamic", file)
