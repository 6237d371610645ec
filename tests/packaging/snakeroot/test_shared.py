"""The C library of a box, as uv is told of it.

Breaks when a distribution's C library is newer than all that uv knows, and uv refuses to resolve anything.
"""

from __future__ import annotations

import platform
import subprocess
import sysconfig
from pathlib import Path

import pytest
from snakeroot import shared

UV = Path(sysconfig.get_path("scripts")) / "uv"


@pytest.mark.parametrize(
    ("version", "told"),
    [
        ((2, 36), "2_36"),  # Debian 12
        ((2, 39), "2_39"),  # Ubuntu 24.04
        ((2, 41), "2_40"),  # Debian 13: newer than all that uv 0.13 knows
        ((2, 99, 1), "2_40"),
        ((2, 30), "2_28"),  # between two that it knows
        ((3, 0), "2_40"),
    ],
)
def test_uv_is_told_of_the_newest_that_it_knows(
    version: tuple[int, ...], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared, "version", lambda: version)
    assert shared.tag() == f"{platform.machine()}-manylinux_{told}"


@pytest.mark.parametrize("version", shared.UV_KNOWS)
def test_uv_knows_it(
    version: tuple[int, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared, "version", lambda: version)
    assert shared.tag().endswith("_".join(map(str, version)))
    (tmp_path / "none.in").touch()
    words = ["pip", "compile", "--offline", "--quiet", "--python-platform", shared.tag()]
    done = subprocess.run(
        [UV, *words, tmp_path / "none.in"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
