"""mv: breaks when something is lost, overwritten against the options, or not moved whole between file systems."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile

import pytest


@pytest.fixture
def tree(tmp_path):
    (tmp_path / "d" / "e").mkdir(parents=True)
    (tmp_path / "a").write_text("one\n")
    (tmp_path / "b").write_text("two\n")
    (tmp_path / "d" / "x").write_text("three\n")
    os.symlink("a", tmp_path / "la")
    os.utime(tmp_path / "b", (10, 1000))
    return tmp_path


@pytest.fixture
def elsewhere(tmp_path):
    """A directory on another file system than tmp_path."""
    path = tempfile.mkdtemp(dir="/dev/shm")
    if os.stat(path).st_dev == os.stat(tmp_path).st_dev:
        pytest.fail("/dev/shm is on the same file system as the temporary directory")
    yield path
    shutil.rmtree(path)


def test_rename(run, tree):
    assert run("mv", "a", "n", cwd=tree)[::2] == (0, b"")
    assert (tree / "n").read_text() == "one\n"
    assert not (tree / "a").exists()
    assert (
        run("mv", "-v", "n", "b", "d", cwd=tree).out
        == b"renamed 'n' -> 'd/n'\nrenamed 'b' -> 'd/b'\n"
    )
    assert run("mv", "la", "link", cwd=tree).status == 0
    assert os.readlink(tree / "link") == "a"
    assert run("mv", "d", "D", cwd=tree).status == 0
    assert (tree / "D" / "n").exists()


def test_overwriting(run, tree):
    run("mv", "-n", "a", "b", cwd=tree)
    assert (tree / "b").read_text() == "two\n"
    r = run("mv", "-i", "a", "b", stdin=b"n\n", cwd=tree)
    assert r.err == b"mv: overwrite 'b'? "
    assert (tree / "a").exists()
    run("mv", "-u", "b", "a", cwd=tree)
    assert (tree / "a").read_text() == "one\n"
    run("mv", "-b", "a", "b", cwd=tree)
    assert (tree / "b~").read_text() == "two\n"
    assert (tree / "b").read_text() == "one\n"


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["gone", "n"], "cannot stat 'gone': No such file or directory"),
        (["a", "a"], "'a' and 'a' are the same file"),
        (["d", "d/e"], "cannot move 'd' to a subdirectory of itself, 'd/e/d'"),
        (["-T", "a", "d"], "cannot overwrite directory 'd' with non-directory"),
        (["-T", "d", "a"], "cannot overwrite non-directory 'a' with directory 'd'"),
        (["a", "b", "n"], "target 'n': No such file or directory"),
    ],
)
def test_errors(run, tree, args, message):
    r = run("mv", *args, cwd=tree)
    assert (r.status, r.err.decode()) == (1, f"mv: {message}\n")
    assert (tree / "a").read_text() == "one\n"


def test_between_file_systems(run, tree, elsewhere):
    os.link(tree / "d" / "x", tree / "d" / "x2")
    os.symlink("x", tree / "d" / "l")
    os.utime(tree / "d", (10, 2000))
    assert run("mv", "d", "b", elsewhere, cwd=tree)[::2] == (0, b"")
    assert not (tree / "d").exists()
    assert not (tree / "b").exists()
    assert os.stat(f"{elsewhere}/d").st_mtime == 2000
    assert os.stat(f"{elsewhere}/b").st_mtime == 1000
    assert os.readlink(f"{elsewhere}/d/l") == "x"
    assert os.path.samefile(f"{elsewhere}/d/x", f"{elsewhere}/d/x2")


def test_between_file_systems_keeps_what_is_in_a_full_directory(run, tree, elsewhere):
    os.makedirs(f"{elsewhere}/d/full")
    r = run("mv", "d", elsewhere, cwd=tree)
    assert r.status == 1
    assert (tree / "d" / "x").exists()
    assert os.listdir(f"{elsewhere}/d") == ["full"]


GNU = [name for name in ("/usr/bin/mv",) if os.path.exists(name)]


@pytest.mark.parametrize("how", ["ours", *GNU])
@pytest.mark.parametrize(
    ("options", "source", "there", "lines"),
    [
        (["-v"], "a", "", ["copied 'a' -> 'TO/a'", "removed 'a'"]),
        (["-v"], "la", "", ["copied 'la' -> 'TO/la'", "removed 'la'"]),
        (["-v"], "a", "a", ["copied 'a' -> 'TO/a'", "removed 'a'"]),
        (
            ["-v"],
            "d",
            "",
            [
                "created directory 'TO/d'",
                "created directory 'TO/d/e'",
                "copied 'd/x' -> 'TO/d/x'",
                "removed 'd/x'",
                "removed directory 'd/e'",
                "removed directory 'd'",
            ],
        ),
    ],
)
def test_verbose_across_devices_names_all(
    run, tree, elsewhere, how: str, options: list[str], source: str, there: str, lines: list[str]
) -> None:
    """As GNU, whose program is held to the same table on hosts that have it; in any order of names."""
    if there:
        with open(os.path.join(elsewhere, there), "w") as file:
            file.write("old")
    words = [*options, source, elsewhere + "/"]
    if how == "ours":
        out = run("mv", *words, cwd=tree).out
    else:
        out = subprocess.run([how, *words], cwd=tree, capture_output=True, check=True).stdout
    said = out.decode().replace(elsewhere, "TO").splitlines()
    assert sorted(said) == sorted(lines)
    assert said[0] == lines[0]
    assert said[-1] == lines[-1]


def test_verbose_across_devices_names_the_backup(run, tree, elsewhere) -> None:
    with open(os.path.join(elsewhere, "a"), "w") as file:
        file.write("old")
    out = run("mv", "-v", "--backup=simple", "a", elsewhere + "/", cwd=tree).out.decode()
    assert out.replace(elsewhere, "TO").splitlines() == [
        "copied 'a' -> 'TO/a' (backup: 'TO/a~')",
        "removed 'a'",
    ]
