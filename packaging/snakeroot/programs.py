"""A Python program of the user's -> the files that the box runs it from.

Everything is resolved on the developer's machine: the box has no pip and no compiler.  Only packages
of pure Python fit, since the static interpreter loads no shared libraries; those that the frozen
program brings itself (cryptography, asyncssh, ...) count as installed, at its own versions.
"""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import sys
import zipfile
from pathlib import Path

from snakeroot.config import Instance, Service
from snakeroot.host import BuildError, run

#: Where programs lie in the image, a folder for each service.
FOLDER = "lib/snakeroot"

#: The Python of the frozen program.
TARGET = "3.13"


def install(instance: Instance, name: str, service: Service, toolbox: Path) -> Path:
    """Make (or find, when nothing changed) the folder with the service's code, and return it."""
    folder = instance.output / "programs" / name
    stamp = instance.output / "programs" / f"{name}.inputs"
    inputs = _inputs(instance, service, toolbox)
    if folder.is_dir() and stamp.exists() and stamp.read_text() == inputs:
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    source = instance.path / service.python
    shipped = provided(toolbox)
    if not source.is_dir():
        _pip(folder, [service.python], shipped)
    elif (source / "pyproject.toml").exists() or (source / "setup.py").exists():
        # pip builds a project with what the developer's machine has; only its result is taken.
        _pip(folder, [str(source)], shipped)
    else:
        requirements = source / "requirements.txt"
        if requirements.exists():
            _pip(folder, ["-r", str(requirements)], shipped)
        shutil.copytree(source, folder, dirs_exist_ok=True, ignore=_unwanted)
    _refuse_native(name, folder)
    _compile(folder, toolbox, f"/{FOLDER}/{name}")
    stamp.write_text(inputs)
    return folder


def module(service: Service) -> str:
    """What `python -m` runs: as configured, else the folder's or the requirement's name."""
    if service.module:
        return service.module
    if service.python.startswith((".", "/")):
        name = service.python.rstrip("/").rpartition("/")[2]
    else:
        name = service.python
        for sign in "=<>~!@[; ":
            name = name.partition(sign)[0]
    return name.replace("-", "_")


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
    digest.update(run([toolbox, "python", "-V"]))
    source = instance.path / service.python
    for path in sorted(source.rglob("*")) if source.is_dir() else ():
        if path.is_file() and "__pycache__" not in path.parts:
            digest.update(f"\0{path.relative_to(source)}\0".encode() + path.read_bytes())
    return digest.hexdigest()


def _unwanted(folder: str, names: list[str]) -> set[str]:
    return {n for n in names if n.startswith(".") or n in ("__pycache__", "requirements.txt")}


def _pip(folder: Path, what: list[str], shipped: dict[str, str]) -> None:
    """Install into `folder`, for the box's Python, without what the frozen program has already."""
    stand_ins = folder.parent / ".provided"
    constraints = folder.parent / "provided.txt"
    shutil.rmtree(stand_ins, ignore_errors=True)
    stand_ins.mkdir()
    for name, version in shipped.items():
        _stand_in(stand_ins, name, version)
    constraints.write_text("".join(f"{n}=={v}\n" for n, v in sorted(shipped.items())))
    target = [*("--python-version", TARGET), "--implementation=cp", "--abi=none", "--platform=any"]
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
