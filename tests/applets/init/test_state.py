"""Whose a service's folder is: given with all that is in it, by descriptor, and given back.

Breaks when an update that changes a user's number locks a service out of its state, or when giving reaches
a file outside of the folder.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from applets.init.state import Former, give, prepare

pytestmark = pytest.mark.lab

OLD, NEW, OTHER = 1000, 70000, 1001


def owners(top: Path) -> dict[str, tuple[int, int]]:
    """Every path below `top` -> user and group; links as themselves."""
    paths = [top, *top.rglob("*")]
    return {str(p.relative_to(top)): (p.lstat().st_uid, p.lstat().st_gid) for p in sorted(paths)}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder of user OLD's: files, folders, links, a fifo, one file of another's."""
    home = tmp_path / "home" / "hello"
    deep = home / "a" / "b"
    deep.mkdir(parents=True)
    (tmp_path / "outside").write_text("root's")
    for name in ("x", "a/y", "a/b/z", "foreign"):
        (home / name).write_text(name)
    (home / "link").symlink_to(tmp_path / "outside")
    (home / "linked").symlink_to(tmp_path)
    os.mkfifo(home / "fifo")
    os.link(home / "x", home / "x2")
    os.link(tmp_path / "outside", home / "hard")
    for path in [home, *home.rglob("*")]:
        if path.name != "hard":
            os.chown(path, OLD, OLD, follow_symlinks=False)
    os.chown(home / "foreign", OTHER, OTHER)
    home.chmod(0o700)
    (home / "x").chmod(0o600)
    return home


def test_all_of_a_folder_becomes_its_users_and_nothing_beyond(home: Path) -> None:
    said: list[str] = []
    prepare(str(home), NEW, NEW, said.append)
    found = owners(home)
    assert found.pop("hard") == (0, 0), "the second name of a file that was never the service's"
    assert set(found.values()) == {(NEW, NEW)}
    assert (home.parent.parent / "outside").stat().st_uid == 0
    assert home.parent.parent.stat().st_uid == 0, "what a link leads to"
    assert (home.stat().st_mode & 0o777, (home / "x").stat().st_mode & 0o777) == (0o700, 0o600)
    assert said == [f"{home}: was user {OLD}'s; it and 9 files in it now are user {NEW}'s"]
    prepare(str(home), NEW, NEW, said.append)
    assert len(said) == 1, "nothing is looked at that is right"


def test_a_folder_that_was_given_halfway_is_given_again(home: Path) -> None:
    os.chown(home / "a", NEW, NEW)
    os.chown(home / "a" / "y", NEW, NEW)
    give(str(home), NEW, NEW, lambda text: None)
    assert set(owners(home).values()) == {(NEW, NEW), (0, 0)}


def test_a_link_in_the_folders_place_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    link = tmp_path / "home"
    link.symlink_to(tmp_path / "there")
    prepare(str(link), NEW, NEW, lambda text: None)
    assert (tmp_path / "there").stat().st_uid == 0


def test_a_tree_that_is_deeper_than_paths_may_be_long(tmp_path: Path) -> None:
    top = tmp_path / "home"
    top.mkdir()
    fd = os.open(top, os.O_RDONLY)
    for _ in range(3000):
        os.mkdir("d", dir_fd=fd)
        below = os.open("d", os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = below
    os.chown(top, OLD, OLD)
    give(str(top), NEW, NEW, lambda text: None)
    assert os.fstat(fd).st_uid == NEW
    os.close(fd)
    subprocess.run(["rm", "-r", str(top)], check=True)


def test_what_was_given_on_trial_is_given_back(home: Path) -> None:
    former = Former()
    said: list[str] = []
    former.remember(str(home))
    former.remember(str(home.parent / "new"))
    for _ in range(2):  # a service that starts again changes nothing in what is remembered
        prepare(str(home), NEW, NEW, said.append)
        former.remember(str(home))
    (home / "made on trial").write_text("new")
    os.chown(home / "made on trial", NEW, NEW)
    former.give_back(said.append)
    found = owners(home)
    assert found.pop("hard") == (0, 0)
    assert set(found.values()) == {(OLD, OLD)}


def test_an_error_is_told_and_the_rest_is_given(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chown, said = os.chown, list[str]()

    def fail(path: Any, *words: int, **more: Any) -> None:
        if str(path).startswith("/proc/self/fd") and os.readlink(path).endswith(("/y", "/x")):
            raise OSError(5, "Input/output error")
        chown(path, *words, **more)

    monkeypatch.setattr(os, "chown", fail)
    give(str(home), NEW, NEW, said.append)
    assert said[0] == f"{home}/a/y: cannot be given to user {NEW}: Input/output error" or (
        said[0] == f"{home}/x: cannot be given to user {NEW}: Input/output error"
    )
    assert home.stat().st_uid == NEW
    assert (home / "a" / "b" / "z").stat().st_uid == NEW
