"""What ./dev makes in the folder build, unless nothing that goes into it has changed."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path

from interpreter.workshop import BuildError, run
from snakeroot.host import replace, step

from workbench.processes import alone

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build"
LOGS = BUILD / "log"
VENV = BUILD / "venv"
PYTHON = VENV / "bin" / "python"
LOCK = ROOT / "packaging" / "requirements.lock"
SYSCALLS = ROOT / "packaging" / "interpreter" / "syscalls.c"
PROGRAM = BUILD / "toolbox"
PLAIN = BUILD / "toolbox-plain"
DYNAMIC = BUILD / "toolbox-dynamic"

#: Held while something is made.
ALONE = BUILD / "lock"


def make_venv() -> None:
    """A virtual environment with just what the lock file names, and this project, editable."""
    log = LOGS / "venv.log"
    pip: list[str | Path] = [PYTHON, "-m", "pip", "--disable-pip-version-check", "-q", "install"]
    own = [path.read_bytes() for path in (LOCK, SYSCALLS, Path(__file__))]
    inputs = digest([sys.version.encode(), *own])
    if is_made(VENV / "complete", inputs):
        return
    with alone(ALONE), changed(VENV / "complete", inputs) as new:
        if new:
            with step("virtual environment"):
                shutil.rmtree(VENV, ignore_errors=True)
                run([sys.executable, "-m", "venv", VENV], log=log)
                run([*pip, "--no-compile", "--require-hashes", "-r", LOCK], log=log)
            _install_project(log)


#: What starts a function of ours with the environment's Python, wherever the checkout lies: a path with a blank, a `$`
#: or more than 127 bytes fits into no `#!` line.
LAUNCHER = """#!/bin/sh
'''exec' "$(dirname "$(readlink -f "$0")")/python" "$0" "$@"
' '''
import sys

from {module} import {function}

sys.exit({function}())
"""


def _install_project(log: Path) -> None:
    """This project in the environment: the code where it is, its C module, and its commands.

    Not by pip: setuptools takes a `$` in a path for a variable.  `pip install .` is for others.
    """
    site = Path(sysconfig.get_path("purelib", vars={"base": str(VENV)}))
    folders = (ROOT, ROOT / "packaging")
    # Relative, so that no encoding matters.
    paths = "".join(f"{os.path.relpath(folder, site)}\n" for folder in folders)
    replace(site / "snakeroot.pth", paths.encode())
    module = site / f"_syscalls{sysconfig.get_config_var('EXT_SUFFIX')}"
    include = f"-I{sysconfig.get_path('include')}"
    run(["gcc", "-O2", "-shared", "-fPIC", include, SYSCALLS, "-o", module], log=log)
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    for name, place in scripts.items():
        module_name, _, function = place.partition(":")
        script = VENV / "bin" / name
        replace(script, LAUNCHER.format(module=module_name, function=function).encode())
        script.chmod(0o755)


def make_program() -> None:
    """The frozen programs, unless nothing that goes into them has changed."""
    stamp = BUILD / "toolbox.inputs"
    if not (PROGRAM.exists() and PLAIN.exists() and DYNAMIC.exists()):
        stamp.unlink(missing_ok=True)
    inputs = digest(_inputs())
    if is_made(stamp, inputs):
        return
    with alone(ALONE), changed(stamp, inputs) as new:
        if new:
            environment = {**os.environ, "PYTHONPATH": str(ROOT / "packaging")}
            done = subprocess.run([PYTHON, "-m", "interpreter"], env=environment, check=False)
            if done.returncode < 0:
                raise BuildError(f"the build was killed by signal {-done.returncode}; run it again")
            if done.returncode:
                sys.exit(done.returncode)  # it has said why


def _inputs() -> Iterator[bytes]:
    sources = [LOCK]
    for folder in ("toolbox", "applets", "packaging/interpreter"):
        found = (ROOT / folder).rglob("*")
        sources += sorted(p for p in found if p.is_file() and "__pycache__" not in p.parts)
    for path in sources:
        yield f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes()


def digest(parts: Iterable[bytes]) -> str:
    """What names a thing's inputs: another order or another cut is another name."""
    whole = hashlib.sha256()
    for part in parts:
        whole.update(hashlib.sha256(part).digest())
    return whole.hexdigest()


def is_made(stamp: Path, inputs: str) -> bool:
    """Whether a thing has been made of these inputs, as its stamp says."""
    return stamp.exists() and stamp.read_text() == inputs


@contextlib.contextmanager
def changed(stamp: Path, inputs: str) -> Iterator[bool]:
    """Whether a thing's inputs are not those of its last making; if the making succeeds, they are noted."""
    new = not is_made(stamp, inputs)
    if new:
        stamp.unlink(missing_ok=True)
    yield new
    if new:
        replace(stamp, inputs.encode())
