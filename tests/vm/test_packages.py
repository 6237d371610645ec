"""Packages that people put on such boxes: each is resolved, imported in a booted box, and does one thing there.

Ten always; all of them with `./dev test --packages`, which takes half an hour.  What it found is a table then, in
build/packages.md.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name
from snakeroot import config, programs, resolve, shipped

from tests.vm.conftest import Box
from tests.vm.packages import MORE, SAMPLE

#: Seconds for a program under emulation on a busy host: it imports scikit-learn.
PATIENCE = 300.0


def _service(requirement: str) -> str:
    """The name of the service that tries a package."""
    return "try-" + re.sub("[^a-z0-9]", "-", requirement).strip("-")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "requirement" in metafunc.fixturenames:
        metafunc.parametrize("requirement", _chosen(metafunc.config))


def _chosen(chosen: pytest.Config) -> list[str]:
    return [*SAMPLE, *(MORE if chosen.getoption("--packages") else ())]


@pytest.fixture(scope="module")
def tried(
    request: pytest.FixtureRequest, make_box: Callable[..., AbstractContextManager[Box]]
) -> Iterator[Box]:
    """A box with a service for each package.  None starts by itself: no server tells this box the time."""

    def edit(folder: Path) -> None:
        services = ""
        for requirement in _chosen(request.config):
            name = _service(requirement)
            (folder / name).mkdir()
            (folder / name / "main.py").write_text((SAMPLE | MORE)[requirement][1] + "\n")
            (folder / name / "requirements.txt").write_text(f"{requirement}\n")
            services += f'[services.{name}]\npython = "./{name}"\nmodule = "main"\n'
            services += 'wait_for = ["clock"]\n'
        path = folder / "snakeroot.toml"
        text = path.read_text().replace("\n# [files]", f"\n{services}\n# [files]")
        path.write_text(f"{text}\n[machine]\nmemory = 1024\n")

    with make_box(edit) as box:
        yield box.ready()


@pytest.fixture(scope="module")
def table(request: pytest.FixtureRequest) -> Iterator[dict[str, str]]:
    """Requirement -> its line of the table; of all packages it is written down."""
    lines: dict[str, str] = {}
    yield lines
    if request.config.getoption("--packages"):
        head = "| package | version | runtime | why | what it did |\n|---|---|---|---|---|\n"
        path = shipped.CHECKOUT / "build" / "packages.md"
        path.write_text(head + "".join(lines[one] for one in sorted(lines)))


def test_a_package_does_its_thing_on_the_box(
    tried: Box, requirement: str, table: dict[str, str]
) -> None:
    runtime, code = (SAMPLE | MORE)[requirement]
    name = _service(requirement)
    made = programs.every(config.load(tried.instance.path), shipped.program())[name]
    assert made.runtime == runtime, made.why
    assert made.lacking == {}
    python = "toolbox-dynamic python" if runtime == "dynamic" else "python"
    command = f"cd /tmp && PYTHONPATH=/{programs.FOLDER}/{name} {python} -m main"
    done = tried.ssh(command, seconds=PATIENCE)
    assert (done.status, done.out.splitlines()[-1:]) == (0, ["True"]), done.err
    version = made.packages[canonicalize_name(requirement.partition("[")[0])]
    did = " ".join(code.split()).replace("|", "\\|")
    table[requirement] = f"| {requirement} | {version} | {runtime} | {made.why} | `{did}` |\n"


def test_versions_are_those_that_a_cpython_gets(tried: Box, requirement: str) -> None:
    """pip, run by the CPython that the box has, takes the same ones: of the package and of all that it requires."""
    lock = tried.instance.path / _service(requirement) / programs.LOCK
    assert resolve.locked(lock) == _by_pip(requirement)


def _by_pip(requirement: str) -> dict[str, str]:
    """Package -> version, as pip would install them there; nothing is installed."""
    done = subprocess.run(
        [
            *(shipped.program().with_name(programs.DYNAMIC), "python", "-m", "pip", "install"),
            *("--quiet", "--dry-run", "--ignore-installed", "--report", "-", requirement),
        ],
        env={**os.environ, "PYTHONPATH": _folder_of_pip()},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    metadata = [one["metadata"] for one in json.loads(done.stdout)["install"]]
    return {canonicalize_name(one["name"]): one["version"] for one in metadata}


def _folder_of_pip() -> str:
    """Where this Python has pip."""
    import pip

    return str(Path(pip.__file__).parents[1])
