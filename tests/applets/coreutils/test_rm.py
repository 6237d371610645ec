"""rm: breaks when it removes what it must not, or asks or complains other than POSIX and GNU say."""

from __future__ import annotations

import os

import pytest


@pytest.fixture
def tree(tmp_path):
    (tmp_path / "d" / "e").mkdir(parents=True)
    (tmp_path / "d" / "e" / "y").write_text("y")
    (tmp_path / "empty").mkdir()
    (tmp_path / "a").write_text("a")
    (tmp_path / "b").write_text("b")
    os.symlink("d", tmp_path / "ld")
    return tmp_path


def names(tree):
    return sorted(os.listdir(tree))


@pytest.mark.parametrize(
    ("args", "stdin", "left", "status", "err"),
    [
        (["a", "b"], b"", "d empty ld", 0, ""),
        (
            ["a", "gone"],
            b"",
            "b d empty ld",
            1,
            "rm: cannot remove 'gone': No such file or directory\n",
        ),
        (["-f", "gone"], b"", "a b d empty ld", 0, ""),
        (["-f"], b"", "a b d empty ld", 0, ""),
        (["d"], b"", "a b d empty ld", 1, "rm: cannot remove 'd': Is a directory\n"),
        (["-d", "empty"], b"", "a b d ld", 0, ""),
        (["-d", "d"], b"", "a b d empty ld", 1, "rm: cannot remove 'd': Directory not empty\n"),
        (["-r", "d", "ld"], b"", "a b empty", 0, ""),
        (["-r", "ld"], b"", "a b d empty", 0, ""),
        (["-rf", ".", "d/.."], b"", "a b d empty ld", 1, None),
        (["-i", "a", "b"], b"y\nn\n", "b d empty ld", 0, None),
        (["-I", "-r", "d"], b"n\n", "a b d empty ld", 0, "rm: remove 1 argument recursively? "),
        (["-I", "a", "b"], b"", "d empty ld", 0, ""),
        (["-if", "a"], b"n\n", "b d empty ld", 0, ""),
        (["-ri", "d"], b"n\n", "a b d empty ld", 0, "rm: descend into directory 'd'? "),
        (["-ri", "d"], b"y\ny\nn\n", "a b d empty ld", 0, None),
        (["-ri", "d"], b"y\n" * 9, "a b empty ld", 0, None),
        (
            [],
            b"",
            "a b d empty ld",
            1,
            "rm: missing operand\nTry 'rm --help' for more information.\n",
        ),
    ],
)
def test_removes(run, tree, args, stdin, left, status, err):
    r = run("rm", *args, stdin=stdin, cwd=tree)
    assert names(tree) == left.split()
    assert r.status == status
    if err is not None:
        assert r.err.decode() == err


def test_root_is_safe(run):
    r = run("rm", "-r", "--no-preserve-roo", "/nonexistent/x")
    assert r.status == 1
    # Only the refusal is tested; --one-file-system and the read-only test user are no safety net.
    r = run("rm", "-ri", "/", stdin=b"")
    assert r.status == 1
    assert b"dangerous" in r.err


def test_verbose(run, tree):
    out = run("rm", "-rv", "d", "a", cwd=tree).out
    assert out == b"removed 'd/e/y'\nremoved directory 'd/e'\nremoved directory 'd'\nremoved 'a'\n"
