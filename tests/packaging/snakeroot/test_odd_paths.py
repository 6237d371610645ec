"""Paths with blanks, quotes, commas and the like, where another program would take a part of them for its own.

They break when an instance in such a folder has no disk, or when the SSH client looks for its files elsewhere.
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from snakeroot import qemu, remote
from snakeroot.config import Instance

NAMES = ["plain", "two words", "ü b'x $y,z", 'a"b', "100% %h", "back\\slash", "a,,b", "-o x", "#1"]


@pytest.mark.parametrize("name", NAMES)
def test_ssh_client_finds_its_files(name: str, tmp_path: Path) -> None:
    folder = tmp_path / name
    folder.mkdir()
    (folder / "ssh_key").touch()
    settings = SimpleNamespace(hostname="box")
    instance = SimpleNamespace(path=folder, output=folder / "build", settings=settings)
    words = remote.options(cast(Instance, instance))
    said = subprocess.run(
        ["ssh", "-G", *words, "box"], capture_output=True, text=True, check=True
    ).stdout
    # -G shows the key's name as it is before tokens are replaced.
    assert f"identityfile {str(folder).replace('%', '%%')}/ssh_key\n" in said
    assert f"userknownhostsfile {folder}/build/known_hosts\n" in said


@pytest.mark.parametrize("name", NAMES)
def test_drive_is_the_file(name: str, tmp_path: Path) -> None:
    """QEMU says which file it cannot open."""
    missing = tmp_path / name / "no.img"
    drive = f"{qemu.file(missing)},format=raw,if=none,id=x"
    words = [qemu.program(), "-machine", "none", "-display", "none", "-drive", drive]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and f"Could not open '{missing}'" in done.stderr
