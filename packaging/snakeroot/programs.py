"""A Python program of the user's -> the files that the box runs it from.

Everything is resolved on the developer's machine: the box has no pip and no compiler.  Only packages
of pure Python fit, since the static interpreter loads no shared libraries; those that the frozen
program brings itself (cryptography, asyncssh, ...) count as installed, at its own versions.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import stat
import sys
import zipfile
from collections.abc import Collection
from pathlib import Path

from snakeroot.config import Instance, Service
from snakeroot.host import BuildError, OfflineError, run
from snakeroot.hostfiles import items
from snakeroot.release import SECRETS

#: Where programs lie in the image, a folder for each service.
FOLDER = "lib/snakeroot"

#: The processors' and systems' part of a wheel's name: the box runs pure Python.
TARGET = ("--implementation=cp", "--abi=none", "--platform=any")


def install(instance: Instance, name: str, service: Service, toolbox: Path) -> Path:
    """Make (or find, when nothing changed) the folder with the service's code, and return it."""
    folder = instance.output / "programs" / name
    stamp = instance.output / "programs" / f"{name}.inputs"
    inputs = _inputs(instance, service, toolbox)
    if folder.is_dir() and stamp.exists() and stamp.read_text() == inputs:
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    source = instance.place(service.python)
    shipped, python = provided(toolbox), version(toolbox)
    if not source.is_dir():
        _pip(folder, [service.python], shipped, python)
    elif (source / "pyproject.toml").exists() or (source / "setup.py").exists():
        # pip builds a project with what the developer's machine has; only its result is taken.
        _pip(folder, [str(source)], shipped, python)
    else:
        requirements = source / "requirements.txt"
        if requirements.exists():
            _pip(folder, ["-r", str(requirements)], shipped, python)
        _copy(source, folder, instance)
    _refuse_native(name, folder)
    if why := missing(folder, module(service), shipped=shipped):
        raise BuildError(f"services.{name}: {why}")
    _compile(folder, toolbox, f"/{FOLDER}/{name}")
    stamp.write_text(inputs)
    return folder


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


def _inputs(instance: Instance, service: Service, toolbox: Path) -> str:
    """A hash over all that the program's folder is made from."""
    digest = hashlib.sha256(repr((service.python, TARGET)).encode())
    # The interpreter's version decides the bytecode; its other changes do not matter here.
    digest.update(version(toolbox).encode())
    source = instance.place(service.python)
    for item in items(source, _not_made_of) if source.is_dir() else ():
        digest.update(f"\0{item.mode:o} ".encode() + os.fsencode(item.name) + b"\0")
        digest.update(os.fsencode(item.target))
        if stat.S_ISREG(item.mode):
            digest.update(Path(item.path).read_bytes())
    return digest.hexdigest()


def _not_made_of(folder: str, names: list[str]) -> set[str]:
    return {n for n in names if n in ("__pycache__", ".build", ".git")}


def _copy(source: Path, folder: Path, instance: Instance) -> None:
    """Copy what a program's folder holds, but not what is only for making it, and no secret of the instance's."""

    def unwanted(place: str, names: list[str]) -> set[str]:
        left_out = {n for n in names if n.startswith(".")} | {"__pycache__", "requirements.txt"}
        return left_out | (SECRETS if os.path.samefile(place, instance.path) else set())

    for item in items(source, unwanted):
        target = folder / item.name
        if stat.S_ISLNK(item.mode):
            target.unlink(missing_ok=True)
            target.symlink_to(item.target)
        elif stat.S_ISDIR(item.mode):
            target.mkdir(exist_ok=True)
        else:
            shutil.copyfile(item.path, target)
            target.chmod(0o755 if item.mode & 0o100 else 0o644)


def _pip(folder: Path, what: list[str], shipped: dict[str, str], python: str) -> None:
    """Install into `folder`, for the box's Python, without what the frozen program has already."""
    stand_ins = folder.parent / ".provided"
    constraints = folder.parent / "provided.txt"
    shutil.rmtree(stand_ins, ignore_errors=True)
    stand_ins.mkdir()
    for name, version in shipped.items():
        _stand_in(stand_ins, name, version)
    constraints.write_text("".join(f"{n}=={v}\n" for n, v in sorted(shipped.items())))
    target = ["--python-version", python, *TARGET]
    try:
        run(
            [
                *(sys.executable, "-m", "pip", "install", "--quiet", "--no-input", "--no-compile"),
                *("--disable-pip-version-check", "--no-warn-conflicts", "--only-binary=:all:"),
                *target,
                *("--find-links", stand_ins, "--constraint", constraints, "--target", folder),
                *what,
            ]
        )
    except OfflineError as error:
        raise BuildError(f"{' '.join(what)}: {error}", error.hint) from None
    except BuildError as error:
        raise BuildError(
            f"{' '.join(what)}: cannot be resolved for the box\n{error}",
            "the box runs pure Python packages, and those built in: " + ", ".join(sorted(shipped)),
        ) from None
    for name, version in shipped.items():
        shutil.rmtree(folder / f"{name.replace('-', '_')}-{version}.dist-info", ignore_errors=True)
    shutil.rmtree(folder / "bin", ignore_errors=True)  # scripts name the host's interpreter


def _stand_in(folder: Path, name: str, version: str) -> None:
    """A wheel without code, by which pip counts a distribution as available."""
    info = f"{name.replace('-', '_')}-{version}.dist-info"
    members = {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = ""
    for member, text in members.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=")
        record += f"{member},sha256={digest.decode()},{len(text)}\n"
    members[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n"
    with zipfile.ZipFile(
        folder / f"{info.removesuffix('.dist-info')}-py3-none-any.whl", "w"
    ) as wheel:
        for member, text in members.items():
            wheel.writestr(member, text)


def _refuse_native(name: str, folder: Path) -> None:
    for path in sorted(folder.rglob("*.so*")):
        raise BuildError(
            f"services.{name}: {path.relative_to(folder)} is a shared library, which the static"
            " interpreter cannot load",
            "use a package of pure Python, or a static binary as a service of its own",
        )


def _compile(folder: Path, toolbox: Path, target: str) -> None:
    """Byte-compile with the box's own Python: hash-based and unchecked, so that no clock matters."""
    code = (
        "import compileall, py_compile, sys;"
        "ok = compileall.compile_dir(sys.argv[1], quiet=1, force=True, stripdir=sys.argv[1],"
        " prependdir=sys.argv[2], maxlevels=50,"
        " invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH);"
        "sys.exit(not ok)"
    )
    run([toolbox, "python", "-c", code, folder, target])
