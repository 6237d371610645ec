"""The lab: what tests with network namespaces share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.network import Lab


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    """A lab without anything in it."""
    made = Lab(tmp_path)
    try:
        yield made
    finally:
        made.close()
