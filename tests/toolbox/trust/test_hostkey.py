"""The SSH host key.  Breaks when it is made twice, readable by others, or lost by half a write."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.toolbox.storage import faults
from toolbox.trust.hostkey import any_host_key, host_key


def test_made_once_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "ssh" / "host_key"
    key = host_key(str(path))
    assert key.startswith(b"-----BEGIN OPENSSH PRIVATE KEY-----")
    assert host_key(str(path)) == key
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert os.listdir(path.parent) == ["host_key"]


def test_of_two_makers_the_first_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the look and the making another process may have made one."""
    path = tmp_path / "host_key"
    link = os.link

    def slow(source: str, target: str) -> None:
        link(other, target)
        link(source, target)

    other = tmp_path / "other"
    first = host_key(str(other))
    monkeypatch.setattr(os, "link", slow)
    assert host_key(str(path)) == first
    assert sorted(os.listdir(tmp_path)) == ["host_key", "other"]


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o602])
def test_a_key_that_others_can_reach_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "host_key"
    host_key(str(path))
    path.chmod(mode)
    with pytest.raises(PermissionError, match="accessible by others"):
        host_key(str(path))


def test_an_empty_key_and_a_link_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "host_key"
    path.touch(0o600)
    with pytest.raises(ValueError, match="empty"):
        host_key(str(path))
    path.unlink()
    path.symlink_to(tmp_path / "other")
    with pytest.raises(OSError):
        host_key(str(path))
    assert not (tmp_path / "other").exists()


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError):
        host_key(str(tmp_path / "file" / "host_key"))


@pytest.mark.parametrize("number", faults.ERRORS)
@pytest.mark.parametrize("there", [False, True])
def test_a_disk_that_is_full_or_broken_keeps_nobody_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, there: bool
) -> None:
    """At every write: there is a key, and the same one for as long as the box runs where that can be."""
    for n, (first, last) in enumerate(faults.every()):
        folder = tmp_path / str(n) / "ssh"
        temporary = str(tmp_path / f"temporary-{n}")
        said: list[str] = []
        if there:
            folder.parent.mkdir()
            host_key(str(folder / "host_key"))
        with monkeypatch.context() as patch:
            failing = faults.Faults(patch, str(folder), first, last, number)
            key = any_host_key(str(folder / "host_key"), said.append, temporary)
        assert key.startswith(b"-----BEGIN OPENSSH PRIVATE KEY-----")
        if failing.calls < first:
            assert said == []
            break
        assert os.strerror(number) in said[0]
        if last > first:
            with monkeypatch.context() as patch:
                faults.Faults(patch, str(folder), 1, last, number)
                assert any_host_key(str(folder / "host_key"), said.append, temporary) == key
    assert n > 3 or there


def test_without_any_place_the_key_is_in_memory(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    nowhere = str(tmp_path / "file" / "x")
    assert any_host_key(nowhere, lambda text: None, nowhere).startswith(b"-----BEGIN")


def test_a_key_that_others_can_reach_is_not_replaced_by_another(tmp_path: Path) -> None:
    path = tmp_path / "host_key"
    host_key(str(path))
    path.chmod(0o644)
    with pytest.raises(PermissionError, match="accessible by others"):
        any_host_key(str(path), lambda text: None, str(tmp_path / "other"))
