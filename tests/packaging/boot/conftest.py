"""The kernel and a machine, for the tests of the first stage."""

from __future__ import annotations

from pathlib import Path

import pytest
from snakeroot import kernel

from tests.packaging.boot.machine import Machine


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent == Path(__file__).parent and "machine" in getattr(
            item, "fixturenames", ()
        ):
            item.add_marker(pytest.mark.vm)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A machine with the kernel that boxes get."""
    return Machine(kernel.find(), tmp_path)
