"""Files replaced as a whole.  Breaks when a reader could see a part, when permissions leak, or when a
failed write loses the old contents or leaves litter."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from toolbox import files


@pytest.mark.parametrize("durable", [False, True])
def test_replace(durable: bool, tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_text("old")
    with open(path) as reader:
        files.replace_file(str(path), b"new" * 100000, mode=0o640, durable=durable)
        assert reader.read() == "old"  # who has it open keeps what he opened
    assert path.read_bytes() == b"new" * 100000
    assert path.stat().st_mode & 0o777 == 0o640
    assert os.listdir(tmp_path) == ["f"]


def test_leftover_of_a_killed_writer(tmp_path: Path) -> None:
    """Neither its contents nor its permissions, nor what it may point to, matter."""
    victim = tmp_path / "victim"
    victim.write_text("precious")
    os.symlink(victim, tmp_path / "f.new")
    files.replace_file(str(tmp_path / "f"), b"secret", mode=0o600)
    assert victim.read_text() == "precious"
    assert (tmp_path / "f").stat().st_mode & 0o777 == 0o600
    assert not (tmp_path / "f").is_symlink()


def test_failure_keeps_the_old(tmp_path: Path) -> None:
    (tmp_path / "f").mkdir()  # a folder cannot be replaced by a file
    with pytest.raises(OSError):
        files.replace_file(str(tmp_path / "f"), b"x")
    assert os.listdir(tmp_path) == ["f"]
    with pytest.raises(FileNotFoundError):
        files.replace_file(str(tmp_path / "no" / "f"), b"x")


def test_read(tmp_path: Path) -> None:
    assert files.read_file(str(tmp_path / "f")) is None
    assert files.read_file(str(tmp_path / "no" / "f")) is None
    (tmp_path / "f").write_bytes(b"x" * 5000)
    assert files.read_file(str(tmp_path / "f")) == b"x" * 5000
    assert files.read_file(str(tmp_path / "f"), 10) == b"x" * 10
    with pytest.raises(IsADirectoryError):
        files.read_file(str(tmp_path))


def test_make_folder_makes_no_more_than_asked(tmp_path: Path) -> None:
    files.make_folder(str(tmp_path / "a" / "b"), levels=2)
    files.make_folder(str(tmp_path / "a" / "b"), levels=2)
    assert (tmp_path / "a" / "b").stat().st_mode & 0o777 == 0o700
    with pytest.raises(FileNotFoundError):
        files.make_folder(str(tmp_path / "x" / "y" / "z"), levels=2)
    assert not (tmp_path / "x").exists()
