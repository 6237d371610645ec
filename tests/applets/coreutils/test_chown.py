"""chown, chgrp: breaks when owners are read or set other than POSIX and GNU say."""

from __future__ import annotations

import os

import pytest

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")


def ids(path):
    status = os.lstat(path)
    return status.st_uid, status.st_gid


@pytest.fixture
def tree(tmp_path):
    (tmp_path / "d").mkdir()
    (tmp_path / "f").touch()
    (tmp_path / "d" / "g").touch()
    os.symlink("f", tmp_path / "l")
    os.symlink("d", tmp_path / "ld")
    os.symlink("../f", tmp_path / "d" / "up")
    return tmp_path


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        (["chown", "7"], (7, 0)),
        (["chown", "7:8"], (7, 8)),
        (["chown", ":8"], (0, 8)),
        (["chown", "+7:+8"], (7, 8)),
        (["chown", "root:root"], (0, 0)),
        (["chown", "--from=0:0", "7"], (7, 0)),
        (["chown", "--from=1", "7"], (0, 0)),
        (["chgrp", "9"], (0, 9)),
    ],
)
def test_operand(run, tree, args, expected):
    assert run(*args, "f", cwd=tree)[::2] == (0, b"")
    assert ids(tree / "f") == expected


def test_links(run, tree):
    run("chown", "7", "l", cwd=tree)
    assert (ids(tree / "l")[0], ids(tree / "f")[0]) == (0, 7)
    run("chown", "-h", "8", "l", cwd=tree)
    assert (ids(tree / "l")[0], ids(tree / "f")[0]) == (8, 7)


def test_recursive_walk_changes_links_not_their_targets(run, tree):
    run("chown", "-R", "7:7", "d", cwd=tree)
    assert [ids(tree / p) for p in ("d", "d/g", "d/up", "f")] == [(7, 7), (7, 7), (7, 7), (0, 0)]
    run("chown", "-R", "9", "ld", cwd=tree)
    assert (ids(tree / "ld")[0], ids(tree / "d")[0]) == (9, 7)
    run("chown", "-RH", "9", "ld", cwd=tree)
    assert ids(tree / "d" / "g")[0] == 9


def test_errors(run, tree):
    assert (
        run("chown", "no-such-user", "f", cwd=tree).err == b"chown: invalid user: 'no-such-user'\n"
    )
    assert (
        run("chgrp", "no-such-group", "f", cwd=tree).err
        == b"chgrp: invalid group: 'no-such-group'\n"
    )
    assert run("chown", "1", "gone", cwd=tree).err == (
        b"chown: cannot access 'gone': No such file or directory\n"
    )
    assert run("chown", "1", cwd=tree).status == 1
