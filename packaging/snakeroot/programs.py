"""A Python program of the user's -> the files that the box runs it from, and which Python runs it.

Everything is resolved on the developer's machine (resolve.py): the box has no pip and no compiler.  What is pure runs
from the static program, which starts from a snapshot; what has a compiled part runs from the dynamic one, with the
shared C library, and the image has both then.  A package whose compiled part is optional is taken without it when that
makes the program pure.  A library that the frozen program brings itself (cryptography, h11...) counts as installed
where its version is wanted.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import platform
import re
import shutil
import stat
import sys
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from packaging.utils import canonicalize_name

from snakeroot import bytecode, executable, native, reach, resolve, runtime, shared
from snakeroot.config import Instance, Service
from snakeroot.host import BuildError, private_folder, replace, run
from snakeroot.hostfiles import Item, LeftOut, items
from snakeroot.release import SECRETS
from toolbox.harmless import harmless

#: Where programs lie in the image, a folder for each service.
FOLDER = "lib/snakeroot"

#: The frozen program that loads compiled modules, in the image and beside the static one.
DYNAMIC = "toolbox-dynamic"

#: Where it is called python: first in the PATH of what it runs, so that `python` has the same packages there.
DYNAMIC_PYTHON = "lib/snakeroot/.dynamic"

#: What a program's folder holds for its making alone.
REQUIREMENTS, LOCK = "requirements.txt", "pylock.toml"

#: What makes a folder a project, which is built.
PROJECTS = ("pyproject.toml", "setup.py")

#: A module in a service's arguments, as servers name what they serve: site.wsgi:application.
SERVED = re.compile(r"([^\W\d]\w*(?:\.[^\W\d]\w*)*)(?::[^\W\d][\w.]*(?:\(.*\))?)?")


@dataclass(frozen=True)
class Program:
    """A service's code as it goes into the image.

    runtime: "static" or "dynamic"    why: what asks for a dynamic one
    packages: name -> version, those that are frozen in included    native: shared libraries, below the folder
    size: bytes of all its files    lacking: library -> a file that needs it, for those that the image has not
    """

    folder: Path
    runtime: str
    why: str
    packages: dict[str, str]
    native: list[str]
    size: int
    lacking: dict[str, str]


def every(instance: Instance, toolbox: Path) -> dict[str, Program]:
    """The programs of all services that are Python's."""
    private_folder(instance.output)
    own = instance.settings.services.items()
    return {name: install(instance, name, one, toolbox) for name, one in own if one.python}


def renew(instance: Instance, names: Collection[str], toolbox: Path) -> list[str]:
    """Take the newest versions into the locks of these services, or of all; a line for each that changed."""
    own = instance.settings.services
    for name in names:
        if name not in own:
            known = ", ".join(own) or "none"
            raise BuildError(f"{name}: no service of this instance", f"there is: {known}")
    python = resolve.Python(version(toolbox))
    lines = []
    done = set()
    for name in names or own:
        wanted = requirements(instance, name, own[name]) if own[name].python else None
        if wanted is None or wanted.lock in done:
            continue  # two services may run from one folder
        done.add(wanted.lock)
        before = resolve.locked(wanted.lock)
        resolve.lock(wanted, python, renew=True)
        after = resolve.locked(wanted.lock)
        for package in sorted({*before, *after}):
            old, new = before.get(package, "none"), after.get(package, "none")
            if old != new:
                lines.append(f"{name}: {package} {old} -> {new}")
    return lines


def install(instance: Instance, name: str, service: Service, toolbox: Path) -> Program:
    """Make (or find, when nothing changed) the folder with the service's code."""
    python = resolve.Python(version(toolbox))
    wanted = requirements(instance, name, service)
    if wanted:
        resolve.lock(wanted, python)
    shipped = provided(toolbox)
    folder = instance.output / "programs" / name
    kept = folder.with_name(f"{name}.json")
    inputs = _inputs(instance, service, wanted, python, shipped)
    if program := _kept(kept, folder, inputs):
        return program
    kept.unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    if wanted:
        resolve.install(wanted, python, folder)
    source = instance.place(service.python)
    if is_project(source):
        resolve.install_project(source, wanted or _wanted(source), python, folder)
    elif source.is_dir():
        _copy(source, folder, instance)
    _refuse_foreign(name, folder, python)
    frozen = native.satisfied(
        native.packages(folder), _own_requirements(wanted), shipped, python.version
    )
    calls = _calls(folder, service, source, toolbox) if service.runtime == "auto" else []

    def build(package: native.Package) -> Path | None:
        return (
            resolve.without_compiler(package.name, package.version, wanted.lock) if wanted else None
        )

    try:
        choice = runtime.choose(folder, service.runtime, frozen, calls, build)
    except BuildError as error:
        raise BuildError(f"services.{name}: {error}", error.hint) from None
    _apply(choice, folder)
    # What is frozen in is named with the version that runs.
    own = {str(canonicalize_name(one)): text for one, text in shipped.items()}
    versions = {one: own[one] for one in frozen} if choice.runtime == "static" else {}
    versions |= {one.name: one.version for one in native.packages(folder).values()}
    if problem := missing(folder, module(service), shipped=shipped):
        raise BuildError(f"services.{name}: {problem}")
    _compile(name, folder, source, toolbox)
    program = Program(
        folder,
        choice.runtime,
        choice.why,
        versions,
        list(native.libraries(folder)),
        sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()),
        native.lacking(folder, shared.names()),
    )
    table = dataclasses.asdict(program) | {"folder": "", "inputs": inputs}
    replace(kept, json.dumps(table, indent=1).encode())
    return program


def dynamic_files(toolbox: Path) -> dict[str, Path]:
    """Name in the image -> file, for the dynamic program and the libraries that it and wheels need."""
    program = toolbox.with_name(DYNAMIC)
    if not program.is_file():
        raise BuildError(f"{program}: no such program there", "make it: ./dev build, in a checkout")
    return {f"bin/{DYNAMIC}": program, **shared.files(program)}


def report(made: dict[str, Program], toolbox: Path) -> list[str]:
    """A line for each program: which Python runs it, why, and how much room it takes in the image."""
    lines = []
    for name, program in made.items():
        what = f"{program.runtime}: {program.why}" if program.why else program.runtime
        lines.append(f"{name:<16} {program.size / 1e6:7.1f} MB  {what}")
        for library, file in program.lacking.items():
            lines.append(
                f"{'':<16} {'':>7}     {file} needs {library}, which the image does not have"
            )
    if any(program.runtime == "dynamic" for program in made.values()):
        size = sum(path.stat().st_size for path in dynamic_files(toolbox).values())
        lines.append(f"{'':<16} {size / 1e6:7.1f} MB  the dynamic program and its libraries")
    return lines


def _kept(path: Path, folder: Path, inputs: str) -> Program | None:
    """What was made of these inputs the last time."""
    try:
        table = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    if not isinstance(table, dict) or table.pop("inputs", "") != inputs or not folder.is_dir():
        return None
    return Program(**{**table, "folder": folder})


# -- what is required --------------------------------------------------------------------------------------


def is_project(source: Path) -> bool:
    """Whether a folder is to be built, as pip builds projects."""
    return source.is_dir() and any((source / name).exists() for name in PROJECTS)


def requirements(instance: Instance, name: str, service: Service) -> resolve.Wanted | None:
    """What the service requires, and where its lock lies: in its folder, or for a requirement in the instance's."""
    source = instance.place(service.python)
    if not source.is_dir():
        return resolve.Wanted(lock_of(instance, name), text=service.python)
    if is_project(source):
        return _wanted(source)
    if (source / REQUIREMENTS).exists():
        return resolve.Wanted(source / LOCK, source / REQUIREMENTS)
    return None


def lock_of(instance: Instance, name: str) -> Path:
    """The lock of a service that is a requirement."""
    return instance.path / f"pylock.{name}.toml"


def _wanted(project: Path) -> resolve.Wanted:
    found = next(project / name for name in PROJECTS if (project / name).exists())
    return resolve.Wanted(project / LOCK, found)


# -- which Python runs it ----------------------------------------------------------------------------------


def _refuse_foreign(name: str, folder: Path, python: resolve.Python) -> None:
    """Shared libraries that no Python on the box loads: they are for another machine or another Python."""
    machine = platform.machine()
    for library in native.libraries(folder):
        number = executable.MACHINES[machine]
        if why := native.problem(folder, library, number, python.series):
            raise BuildError(
                f"services.{name}: {library} {why}",
                f"take one for CPython {python.series} on {machine}",
            )


def _apply(choice: runtime.Choice, folder: Path) -> None:
    """Make the folder what was chosen."""
    for package in choice.dropped:
        native.remove(folder, package)
    for built in choice.pure.values():
        shutil.copytree(built, folder, dirs_exist_ok=True)


def _own_requirements(wanted: resolve.Wanted | None) -> list[str]:
    """The program's own requirements, as far as they say versions."""
    if wanted is None:
        return []
    if wanted.source is None:
        return [wanted.text]
    return resolve.lines(wanted.source)


def _calls(folder: Path, service: Service, source: Path, toolbox: Path) -> list[tuple[str, str]]:
    """(file, function) for what reaches the C library of what the program may import."""
    main = module(service).partition(":")[0]
    roots = [main, f"{main}.__main__"]
    roots += [m[1] for word in service.arguments if (m := SERVED.fullmatch(word))]
    if source.is_dir() and not is_project(source):
        for path in sorted(source.rglob("*.py")):
            words = path.relative_to(source).with_suffix("").parts
            if all(word.isidentifier() for word in words):
                roots.append(".".join(words).removesuffix(".__init__"))
    found = json.loads(run([toolbox, "python", reach.__file__, folder, *roots]))
    return [(str(file), str(call)) for file, call in found]


# -- its modules -------------------------------------------------------------------------------------------


def module(service: Service) -> str:
    """What `python -m` runs: as configured, else the folder's or the requirement's name."""
    if service.module:
        return service.module
    if service.python.startswith((".", "/", "~")):
        name = service.python.rstrip("/").rpartition("/")[2]
    else:
        name = service.python
        for sign in "=<>~!@[; ":
            name = name.partition(sign)[0]
    return name.replace("-", "_")


def missing(folder: Path, name: str, shipped: Collection[str] = ()) -> str:
    """Why `python -m NAME` would not find the module, with the cure; "" when it does, or may.

    folder: with all code but that of the frozen program, which has the distributions `shipped`
    """
    name, _, function = name.partition(":")
    first, *rest = name.split(".")
    top = folder / first
    if not (top.is_dir() or top.with_name(f"{first}.py").exists()):
        elsewhere = first in sys.stdlib_module_names or first in {
            one.replace("-", "_").lower() for one in shipped
        }
        if elsewhere:
            return ""
        found = ", ".join(sorted(p.stem for p in folder.glob("*.py"))) or "no module at all"
        return f"'{folder.name}' has no module '{name}': set 'module' (there is {found})"
    place = top.joinpath(*rest)
    if place.with_name(f"{place.name}.py").exists() or (place / "__main__.py").exists():
        return ""
    if function and place.is_dir():
        return ""
    if place.is_dir():
        return f"'{folder.name}' has no '{'/'.join(name.split('.'))}/__main__.py' to run"
    return f"'{folder.name}' has no module '{name}': set 'module'"


def version(toolbox: Path) -> str:
    """The version of the frozen program's Python: "3.13.5"."""
    return run([toolbox, "python", "-V"]).decode().split()[1]


def provided(toolbox: Path) -> dict[str, str]:
    """The distributions inside the frozen program: name -> version."""
    code = (
        "import importlib.metadata as m, json;"
        "print(json.dumps({d.name: d.version for d in m.distributions()}))"
    )
    result: dict[str, str] = json.loads(run([toolbox, "python", "-c", code]))
    return result


def _inputs(
    instance: Instance,
    service: Service,
    wanted: resolve.Wanted | None,
    python: resolve.Python,
    shipped: dict[str, str],
) -> str:
    """A hash over all that the program's folder is made from."""
    what = (service.python, service.runtime, service.module, service.arguments)
    # The interpreter's version decides the bytecode, and what is frozen in is not taken along.
    digest = hashlib.sha256(repr((what, python, sorted(shipped.items()), shared.tag())).encode())
    for code in (
        __file__,
        native.__file__,
        reach.__file__,
        resolve.__file__,
        runtime.__file__,
        shared.__file__,
    ):
        digest.update(Path(code).read_bytes())
    if wanted:
        digest.update(wanted.lock.read_bytes())
    source = instance.place(service.python)
    for item in items(source, _not_made_of) if source.is_dir() else ():
        digest.update(f"\0{item.mode:o} ".encode() + os.fsencode(item.name) + b"\0")
        digest.update(os.fsencode(item.target))
        if stat.S_ISREG(item.mode):
            digest.update(Path(item.path).read_bytes())
    return digest.hexdigest()


def _not_made_of(folder: str, names: list[str]) -> set[str]:
    return {n for n in names if n in ("__pycache__", ".build", ".git")}


def own_files(source: Path, instance: Instance, left_out: LeftOut | None = None) -> Iterator[Item]:
    """What a program's folder holds, but not what is only for making it, and no secret of the instance's."""

    def unwanted(place: str, names: list[str]) -> set[str]:
        hidden = {n for n in names if n.startswith(".")} | {"__pycache__", REQUIREMENTS, LOCK}
        return hidden | (SECRETS if os.path.samefile(place, instance.path) else set())

    return items(source, unwanted, left_out)


def mode_of(item: Item) -> int:
    """Of a file's in a program's folder: who may execute it there may here."""
    return 0o755 if item.mode & 0o100 else 0o644


def _copy(source: Path, folder: Path, instance: Instance) -> None:
    for item in own_files(source, instance):
        target = folder / item.name
        if stat.S_ISLNK(item.mode):
            target.unlink(missing_ok=True)
            target.symlink_to(item.target)
        elif stat.S_ISDIR(item.mode):
            target.mkdir(exist_ok=True)
        else:
            shutil.copyfile(item.path, target)
            target.chmod(mode_of(item))


def _compile(service: str, folder: Path, source: Path, toolbox: Path) -> None:
    """Byte-compile with the box's own Python: hash-based and unchecked, so that no clock matters.

    BuildError for a file of the program's own that does not compile.  Packages have such files, too: examples for an
    older Python, templates of code.  They matter to nobody who does not import them, as where pip installs.
    """
    names = [
        os.path.relpath(os.path.join(place, file), folder)
        for place, _, files in sorted(os.walk(folder))
        for file in sorted(files)
        if file.endswith(".py")
    ]
    jobs = [[str(folder / name), "", f"/{FOLDER}/{service}/{name}", name] for name in names]
    said = run([toolbox, "python", bytecode.__file__], stdin=json.dumps(jobs).encode())
    for name, wrong in zip(names, json.loads(said), strict=True):
        if wrong and any((top / name).is_file() for top in (source, source / "src")):
            raise BuildError(harmless(f"services.{service}: {': '.join(map(str.strip, wrong))}"))
