"""What `snakeroot add` is given -> a service's name and settings.

FOLDER       a program's folder: NAME.py in it, or a project with pyproject.toml
FILE         a program in one file of Python, which gets a folder of its own, or an executable
REQUIREMENT  a project of the package index with a program in it: radicale, pypiserver==2.3

A file or folder of that name comes first; ./NAME is never a requirement.
"""

from __future__ import annotations

import ast
import configparser
import importlib.metadata
import os
import re
import tempfile
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from snakeroot import programs, resolve
from snakeroot.check import SERVICE
from snakeroot.config import Instance, Service
from snakeroot.host import BuildError

#: The dependencies that a file of Python names itself (PEP 723).
_BLOCK = re.compile(r"(?m)^# /// script\s*$\n(?P<lines>(?:^#(?: .*)?$\n)+?)^# ///\s*$")

#: The box's Python, as far as it decides which files of a package are looked at.
PYTHON = resolve.Python("3.13")

#: Files that are the program of a folder when none has the folder's name.
_USUAL = ("main", "app", "server", "run", "bot", "manage")

#: Begins a name that can only be a path's.
_PATHS = (".", "/", "~")


@dataclass(frozen=True)
class Addition:
    """A service to be added.

    settings: keys of [services.NAME]    files: to be made in the instance, path below it -> contents
    notes: what the user may want to know
    """

    name: str
    settings: dict[str, Any]
    files: dict[str, bytes] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def find(instance: Instance, what: str, name: str = "", module: str = "") -> Addition:
    """What the user means by `what`.

    name, module: as chosen by the user, "" for what follows from `what`
    BuildError says in one line why there is no program in it, with the cure.
    """
    if not what.strip() or "\0" in what:
        raise BuildError(f"{what!r}: is no program", "name a folder, a file or a requirement")
    path = _path(instance, what)
    if path is None:
        return _requirement(what, name, module)
    if path.is_dir():
        return _folder(instance, path, name, module)
    if not path.is_file():
        raise BuildError(f"{what}: is neither a folder nor a file", "name a program")
    with path.open("rb") as file:
        head = file.read(4)
    if path.suffix == ".py" and head != b"\x7fELF":
        return _file(instance, path, name, module)
    if path.suffix in (".whl", ".gz", ".zip"):
        raise BuildError(
            f"{what}: is a package's file", "name it in requirements.txt of a program's folder"
        )
    if module:
        raise BuildError(f"{what}: is an executable, which has no modules", "leave --module out")
    return Addition(_name(name or path.name), {"binary": _written(instance, path)})


def _path(instance: Instance, what: str) -> Path | None:
    """The file or folder of this name, as seen from here or from the instance; None for a requirement."""
    for base in (Path(), instance.path):
        if os.path.lexists(path := (base / what).expanduser()):
            if not path.exists():
                raise BuildError(f"{what}: is a link that leads nowhere", "name what is there")
            return path.resolve()
    if what.startswith(_PATHS) or "/" in what.partition("@")[0]:
        raise BuildError(f"{what}: no such file or folder", "name a program that is there")
    return None


def _name(wanted: str) -> str:
    """A service's name made from another one.  BuildError when none can be."""
    name = re.sub(r"[^a-z0-9_-]+", "-", wanted.lower()).strip("-")
    if not SERVICE.fullmatch(name):
        raise BuildError(f"'{wanted}' gives no name for a service", "choose one: --name NAME")
    return name


def _written(instance: Instance, path: Path) -> str:
    """A path as snakeroot.toml has it: from the instance when it lies in it or beside it."""
    if path.is_relative_to(instance.path):
        return f"./{path.relative_to(instance.path)}"
    if path.is_relative_to(instance.path.parent):
        return os.path.relpath(path, instance.path)
    return str(path)


# -- folders and files of Python ------------------------------------------------------------------------


def _folder(instance: Instance, path: Path, name: str, module: str) -> Addition:
    if instance.path.is_relative_to(path):
        raise BuildError(
            f"{path}: the instance lies in it, and its keys would get into the image",
            "name the program's own folder",
        )
    settings: dict[str, Any] = {"python": _written(instance, path)}
    if not settings["python"].startswith(_PATHS):  # a sibling's name is never a requirement
        settings["python"] = str(path)
    project = (path / "pyproject.toml").exists() or (path / "setup.py").exists()
    if not module:
        module = _of_project(path) if project else _of_folder(path)
    if module and module != programs.module(Service(**settings)):
        settings["module"] = module
    return Addition(_name(name or path.name), settings)


def _of_folder(path: Path) -> str:
    """The module to run of a folder of modules."""
    if (path / "__main__.py").is_file():
        return "__main__"  # `python FOLDER` runs it
    own = path.name.replace("-", "_")
    if not programs.missing(path, own):
        return own
    found = sorted(p.stem for p in path.glob("*.py") if p.is_file())
    packages = sorted(p.parent.name for p in path.glob("*/__main__.py"))
    runnable = [one for one in found if _runs(path / f"{one}.py")]
    for choice in (packages, runnable, [one for one in _USUAL if one in found], found):
        if len(choice) == 1:
            return choice[0]
    if found or packages:
        there = ", ".join(packages + found)
        raise BuildError(f"{path}: which module is the program? there are {there}", "--module NAME")
    raise BuildError(f"{path}: has no Python program in it", "write one, for instance main.py")


def _of_project(path: Path) -> str:
    """The module to run of a project; "" for the one that is called as it is."""
    scripts: dict[str, str] = {}
    project = ""
    try:
        table = tomllib.loads((path / "pyproject.toml").read_text()).get("project", {})
        scripts, project = dict(table.get("scripts", {})), str(table.get("name", ""))
    except FileNotFoundError:
        pass
    except (ValueError, TypeError, AttributeError) as error:
        raise BuildError(f"{path / 'pyproject.toml'}: {error}", "correct it first") from None
    if not scripts and (path / "setup.cfg").exists():
        parser = configparser.ConfigParser()
        try:
            parser.read(path / "setup.cfg")
            text = parser.get("options.entry_points", "console_scripts", fallback="")
        except configparser.Error as error:
            said = " ".join(str(error).split())
            raise BuildError(f"{path / 'setup.cfg'}: {said}", "correct it first") from None
        pairs = (line.partition("=") for line in text.splitlines() if "=" in line)
        scripts = {key.strip(): value.strip() for key, _, value in pairs}
    top = path / "src" if (path / "src").is_dir() else path
    if scripts:
        return _entry(path.name, project or path.name, scripts, top)
    own = (project or path.name).replace("-", "_")
    return "" if programs.missing(top, own) else own


def _file(instance: Instance, path: Path, name: str, module: str) -> Addition:
    """A program in one file; it runs from the folder that it lies in, or from a copy in a folder of its own."""
    try:
        text = path.read_text()
        ast.parse(text)
    except (SyntaxError, ValueError) as error:
        line = f":{error.lineno}" if isinstance(error, SyntaxError) else ""
        said = error.msg if isinstance(error, SyntaxError) else str(error)
        raise BuildError(f"{path}{line}: {said}", "correct it first") from None
    if not re.fullmatch(r"[^\W\d]\w*", path.stem):
        fit = re.sub(r"\W+", "_", path.stem).strip("_")
        raise BuildError(f"{path.name}: is no name of a module", f"call it {fit or 'main'}.py")
    service = _name(name or path.stem)
    module = module or path.stem
    home = path.parent
    if home.is_relative_to(instance.path) and home != instance.path:
        settings = {"python": _written(instance, home)}
        if module != home.name.replace("-", "_"):
            settings["module"] = module
        return Addition(service, settings)
    settings = {"python": f"./{service}"}
    if module != service.replace("-", "_"):
        settings["module"] = module
    files = {f"{service}/{path.name}": path.read_bytes()}
    if wanted := _dependencies(path, text):
        files[f"{service}/requirements.txt"] = "".join(f"{one}\n" for one in wanted).encode()
    note = f"{path.name} is copied to {instance.path / service}: go on with it there"
    return Addition(service, settings, files, (note,))


def _dependencies(path: Path, text: str) -> list[str]:
    """What a file of Python says that it needs, in a block of comments (PEP 723)."""
    block = _BLOCK.search(text if text.endswith("\n") else f"{text}\n")
    if not block:
        return []
    lines = [line[2:] for line in block["lines"].splitlines()]
    try:
        found = tomllib.loads("\n".join(lines)).get("dependencies", [])
    except tomllib.TOMLDecodeError as error:
        raise BuildError(f"{path}: its '# /// script' block: {error}", "correct it first") from None
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise BuildError(f"{path}: 'dependencies' is no list of requirements", "correct it first")
    return found


def _runs(path: Path) -> bool:
    """Whether a module does something when it is the program: `if __name__ == "__main__"`."""
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError, OSError):
        return False
    names = (node for node in ast.walk(tree) if isinstance(node, ast.Compare))
    return any(isinstance(one.left, ast.Name) and one.left.id == "__name__" for one in names)


# -- the package index ------------------------------------------------------------------------------------


def _requirement(what: str, name: str, module: str) -> Addition:
    project = re.match(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?", what)
    if not project:
        raise _no_requirement(what)
    service = _name(name or project[0])
    settings: dict[str, Any] = {"python": what}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        version = _fetch(what, project[0], folder)
        module = module or _of_distribution(folder, project[0], what)
    if module != programs.module(Service(**settings)):
        settings["module"] = module
    return Addition(service, settings, notes=(f"{project[0]} {version}, run as {module}",))


def _no_requirement(what: str) -> BuildError:
    return BuildError(
        f"{what!r}: is no file or folder here, and no requirement",
        "name a folder, a file or a project of the package index, such as pypiserver==2.3",
    )


def _fetch(what: str, project: str, folder: Path) -> str:
    """Unpack the project alone into `folder`, and return its version."""
    try:
        resolve.unpack(what, PYTHON, folder)
    except BuildError as error:
        said = str(error).removeprefix(f"'{what}': ")
        if "the package index has no such package" in said:
            raise BuildError(
                f"{project}: no such file or folder, and the package index has no such project",
                "check its spelling",
            ) from None
        if said.startswith("no requirement: ") or "Failed to parse" in said:
            raise _no_requirement(what) from None
        raise BuildError(f"{what}: {said}", error.hint) from None
    found = _distribution(folder, project)
    return found.version if found else ""


def _distribution(folder: Path, project: str) -> importlib.metadata.Distribution | None:
    found = list(importlib.metadata.distributions(path=[str(folder)]))
    return found[0] if found else None


def _of_distribution(folder: Path, project: str, what: str) -> str:
    found = _distribution(folder, project)
    entries = found.entry_points.select(group="console_scripts") if found else ()
    scripts = {entry.name: entry.value for entry in entries}
    if scripts:
        return _entry(what, project, scripts, folder)
    packages = sorted(path.parent.name for path in folder.glob("*/__main__.py"))
    own = project.lower().replace("-", "_").replace(".", "_")
    if own in packages or len(packages) == 1:
        return own if own in packages else packages[0]
    if (alone := folder / f"{own}.py").exists() and _runs(alone):
        return own
    raise BuildError(
        f"{what}: has no program in it, it is a library",
        f"write a program that uses it, with {project} in requirements.txt beside it, and add its folder",
    )


def _entry(what: str, project: str, scripts: dict[str, str], folder: Path) -> str:
    """The module that a project's script runs.

    scripts: name -> module:function    folder: with the code
    """
    own = re.sub(r"[-_.]+", "-", project).lower()
    same = [name for name in scripts if re.sub(r"[-_.]+", "-", name).lower() == own]
    chosen = same or (list(scripts) if len(set(scripts.values())) == 1 else [])
    if not chosen:
        raise BuildError(
            f"{what}: which of its programs? {_listed(scripts)}",
            "name the module: --module, such as "
            + next(iter(scripts.values())).partition(":")[0].strip()
            + f"; if your own program uses {project}, put it into the requirements.txt beside that",
        )
    module, _, function = scripts[chosen[0]].partition(":")
    module, function = module.strip(), function.partition("[")[0].strip()
    package = module.removesuffix(".__main__")
    top = folder.joinpath(*package.split("."))
    if (top / "__main__.py").exists():
        return package
    source = top.with_name(f"{top.name}.py")
    if source.exists() and _runs(source):
        return module
    first = package.partition(".")[0]
    if (folder / first / "__main__.py").exists():
        return first
    return f"{module}:{function}" if function else module


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))
