"""Packages that people put on such boxes: each is resolved, imported in a booted box, and does one thing there.

Ten always; all of them with `./dev test --packages`, which takes half an hour.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from snakeroot import config, programs, shipped

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


def test_a_package_does_its_thing_on_the_box(tried: Box, requirement: str) -> None:
    runtime, _ = (SAMPLE | MORE)[requirement]
    name = _service(requirement)
    made = programs.every(config.load(tried.instance.path), shipped.program())
    assert made[name].runtime == runtime, made[name].why
    python = "toolbox-dynamic python" if runtime == "dynamic" else "python"
    command = f"cd /tmp && PYTHONPATH=/{programs.FOLDER}/{name} {python} -m main"
    done = tried.ssh(command, seconds=PATIENCE)
    assert (done.status, done.out.splitlines()[-1:]) == (0, ["True"]), done.err
