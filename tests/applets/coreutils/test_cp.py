"""cp: breaks when data, attributes, links or what stands in the way are treated other than POSIX and GNU say."""

from __future__ import annotations

import os
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def tree(tmp_path):
    (tmp_path / "d" / "e").mkdir(parents=True)
    (tmp_path / "a").write_text("one\n")
    (tmp_path / "b").write_text("two\n")
    (tmp_path / "d" / "x").write_text("three\n")
    (tmp_path / "d" / "e" / "y").write_text("four\n")
    os.symlink("a", tmp_path / "la")
    os.symlink("d", tmp_path / "ld")
    os.symlink("nowhere", tmp_path / "dangling")
    os.link(tmp_path / "a", tmp_path / "hard")
    os.chmod(tmp_path / "b", 0o4640)
    os.utime(tmp_path / "b", (10, 1000))
    return tmp_path


def mode(path):
    return stat.S_IMODE(os.lstat(path).st_mode)


def test_file(run, tree):
    assert run("cp", "a", "n", cwd=tree)[::2] == (0, b"")
    assert (tree / "n").read_text() == "one\n"
    assert run("cp", "a", "b", "d", cwd=tree).status == 0
    assert (tree / "d" / "b").read_text() == "two\n"
    assert run("cp", "-t", "d/e", "a", cwd=tree).status == 0
    assert (tree / "d" / "e" / "a").exists()


def test_mode_of_a_new_file_loses_set_id_and_umask(run, tree):
    run("cp", "b", "n", cwd=tree)
    assert mode(tree / "n") == 0o640
    run("cp", "-p", "b", "m", cwd=tree)
    assert mode(tree / "m") == 0o4640
    assert os.stat(tree / "m").st_mtime == 1000


def test_existing_file_keeps_its_mode_and_its_links(run, tree):
    os.chmod(tree / "hard", 0o600)
    run("cp", "b", "hard", cwd=tree)
    assert mode(tree / "hard") == 0o600
    assert (tree / "a").read_text() == "two\n"


def test_links(run, tree):
    run("cp", "la", "n", cwd=tree)
    assert not (tree / "n").is_symlink()
    run("cp", "-P", "la", "m", cwd=tree)
    assert os.readlink(tree / "m") == "a"
    run("cp", "-s", "a", "s", cwd=tree)
    assert os.readlink(tree / "s") == "a"
    run("cp", "-l", "a", "h", cwd=tree)
    assert os.path.samefile(tree / "a", tree / "h")
    r = run("cp", "a", "dangling", cwd=tree)
    assert (r.status, r.err) == (1, b"cp: not writing through dangling symlink 'dangling'\n")


def test_recursive(run, tree):
    r = run("cp", "d", "n", cwd=tree)
    assert (r.status, r.err) == (1, b"cp: omitting directory 'd'\n")
    assert run("cp", "-r", "d", "n", cwd=tree).status == 0
    assert (tree / "n" / "e" / "y").read_text() == "four\n"
    run("cp", "-r", "d", "n", cwd=tree)  # into the directory that is there now
    assert (tree / "n" / "d" / "e" / "y").exists()
    run("cp", "-rT", "d", "n", cwd=tree)
    assert not (tree / "n" / "e" / "d").exists()
    run("cp", "-R", "d/.", "dot", cwd=tree)
    assert (tree / "dot" / "x").exists()


def test_into_itself(run, tree):
    r = run("cp", "-r", "d", "d", cwd=tree)
    assert (r.status, r.err) == (1, b"cp: cannot copy a directory, 'd', into itself, 'd/d'\n")
    assert not (tree / "d" / "d" / "d").exists()


def test_archive(run, tree):
    os.mkfifo(tree / "d" / "pipe", 0o604)
    os.chmod(tree / "d" / "pipe", 0o604)
    os.symlink("x", tree / "d" / "l")
    os.link(tree / "d" / "x", tree / "d" / "x2")
    os.chmod(tree / "d" / "e", 0o500)
    os.utime(tree / "d" / "e", (10, 2000))
    os.utime(tree / "d" / "l", (10, 3000), follow_symlinks=False)
    assert run("cp", "-a", "d", "n", cwd=tree)[::2] == (0, b"")
    n = tree / "n"
    assert (mode(n / "e"), os.stat(n / "e").st_mtime) == (0o500, 2000)
    assert os.lstat(n / "l").st_mtime == 3000
    assert os.path.samefile(n / "x", n / "x2")
    assert stat.S_ISFIFO(os.lstat(n / "pipe").st_mode)
    assert mode(n / "pipe") == 0o604
    os.chmod(tree / "d" / "e", 0o700)


def test_overwriting(run, tree):
    run("cp", "-n", "a", "b", cwd=tree)
    assert (tree / "b").read_text() == "two\n"
    r = run("cp", "-i", "a", "b", stdin=b"n\n", cwd=tree)
    assert r.err == b"cp: overwrite 'b'? "
    assert (tree / "b").read_text() == "two\n"
    run("cp", "-u", "b", "a", cwd=tree)  # b is older
    assert (tree / "a").read_text() == "one\n"
    run("cp", "-u", "a", "b", cwd=tree)
    assert (tree / "b").read_text() == "one\n"
    run("cp", "--backup=numbered", "d/x", "b", cwd=tree)
    assert (tree / "b.~1~").read_text() == "one\n"
    run("cp", "-S", ".old", "d/x", "a", cwd=tree)
    assert (tree / "a.old").read_text() == "one\n"


def test_same_file(run, tree):
    r = run("cp", "a", "a", cwd=tree)
    assert (r.status, r.err) == (1, b"cp: 'a' and 'a' are the same file\n")
    assert run("cp", "a", "la", cwd=tree).status == 1
    assert run("cp", "a", "hard", cwd=tree).status == 1
    assert (tree / "a").read_text() == "one\n"


def test_just_created(run, tree):
    (tree / "q").mkdir()
    (tree / "q" / "x").write_text("other\n")
    (tree / "to").mkdir()
    r = run("cp", "d/x", "q/x", "to", cwd=tree)
    assert r.err == b"cp: will not overwrite just-created 'to/x' with 'q/x'\n"
    assert (tree / "to" / "x").read_text() == "three\n"


def test_parents(run, tree):
    (tree / "to").mkdir()
    assert run("cp", "--parents", "d/e/y", "to", cwd=tree).status == 0
    assert (tree / "to" / "d" / "e" / "y").read_text() == "four\n"


def test_sparse(run, tree):
    with open(tree / "holes", "wb") as f:
        f.write(b"start")
        f.seek(4 << 20)
        f.write(b"middle")
        f.truncate(8 << 20)
    run("cp", "holes", "n", cwd=tree)
    assert (tree / "n").read_bytes() == (tree / "holes").read_bytes()
    assert os.stat(tree / "n").st_blocks * 512 < 1 << 20
    (tree / "zeros").write_bytes(bytes(1 << 20))
    run("cp", "--sparse=always", "zeros", "m", cwd=tree)
    assert os.stat(tree / "m").st_size == 1 << 20
    assert os.stat(tree / "m").st_blocks == 0


def test_files_of_proc_have_no_size(run, tree):
    assert run("cp", "/proc/self/status", "n", cwd=tree).status == 0
    assert b"Name:" in (tree / "n").read_bytes()


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["gone", "n"], "cannot stat 'gone': No such file or directory"),
        (["a", "n/"], "cannot create regular file 'n/': Not a directory"),
        (["a", "b", "n"], "target 'n': No such file or directory"),
        (["-r", "d", "a"], "cannot overwrite non-directory 'a' with directory 'd'"),
        (["-T", "a", "d"], "cannot overwrite directory 'd' with non-directory"),
    ],
)
def test_errors(run, tree, args, message):
    r = run("cp", *args, cwd=tree)
    assert (r.status, r.err.decode()) == (1, f"cp: {message}\n")


def test_deep_tree(run, tmp_path):
    """More levels than descriptors, paths longer than PATH_MAX."""
    fd = os.open(tmp_path, os.O_RDONLY)
    for _ in range(1500):
        os.mkdir("deep", dir_fd=fd)
        inner = os.open("deep", os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = inner
    os.close(os.open("bottom", os.O_CREAT, 0o644, dir_fd=fd))
    os.close(fd)
    assert run("cp", "-a", "deep", "copy", cwd=tmp_path)[::2] == (0, b"")
    out = run("find", "copy", "-name", "bottom", "-printf", "%d", cwd=tmp_path).out
    assert out == b"1500"
    assert run("rm", "-r", "copy", "deep", cwd=tmp_path)[::2] == (0, b"")
    assert os.listdir(tmp_path) == []


def test_modes_as_gnu(run: Callable[..., Any], tmp_path: Path) -> None:
    """--no-preserve=mode gives a new file's usual mode; --parents -p those of new folders."""
    for number, program in enumerate((None, "/bin/cp")):
        folder = tmp_path / str(number)
        (folder / "a/b").mkdir(parents=True)
        (folder / "a/b/f").write_text("x")
        (folder / "a/b/f").chmod(0o751)
        (folder / "a/b").chmod(0o710)
        for words in (
            ["--no-preserve=mode", "a/b/f", "g"],
            ["-a", "--no-preserve=mode", "a/b/f", "h"],
            ["-R", "--no-preserve=mode", "a/b", "c"],
        ):
            if program:
                subprocess.run([program, *words], cwd=folder, check=True)
            else:
                assert run("cp", *words, cwd=folder).status == 0
        (folder / "d/a").mkdir(parents=True)
        words = ["-p", "--parents", "a/b/f", "d"]
        if program:
            subprocess.run([program, *words], cwd=folder, check=True)
        else:
            assert run("cp", *words, cwd=folder).status == 0
    modes = [
        {str(p.relative_to(tmp_path / n)): oct(p.stat().st_mode) for p in (tmp_path / n).rglob("*")}
        for n in ("0", "1")
    ]
    assert modes[0] == modes[1]


@pytest.mark.parametrize(
    ("options", "prepare", "groups"),
    [
        ("--preserve=links", "", "ab"),
        ("-d", "", "ab"),
        ("-a", "", "ab"),
        ("-p", "", "a b"),
        ("--preserve=links", "ln -f t/a t/c", "ab c"),
        ("--preserve=links", "ln -f t/a t/b", "ab"),
        ("-p", "ln -f t/a t/b", "ab"),
        ("-a --no-preserve=links", "ln -f t/a t/b", "ab"),
        ("-f", "ln -f t/a t/b", "ab"),
        ("--preserve=links", "ln -sf ../x t/b", "ab"),
        ("--preserve=links", "rm t/*; ln -s ../x t/a", "b x"),
        ("-r --preserve=links", "rm t/*; ln -s ../x t/a", "b x"),
    ],
)
def test_links_are_preserved_over_what_exists(
    run: Any, tmp_path: Path, options: str, prepare: str, groups: str
) -> None:
    """Hard links of the sources are so of the targets, whatever stood there (GNU)."""
    make = "mkdir s t; echo new >s/a; ln s/a s/b; echo o1 >t/a; echo o2 >t/b; echo X >x; "
    subprocess.run(["/bin/sh", "-c", make + prepare], cwd=tmp_path, check=True)
    r = run("cp", *options.split(), "s/a", "s/b", "t", cwd=tmp_path)
    assert (r.status, r.err) == (0, b"")
    assert (tmp_path / "t" / "a").read_text() == (tmp_path / "t" / "b").read_text() == "new\n"
    places = {name: tmp_path / "t" / name for name in "abc"} | {"x": tmp_path / "x"}
    if groups == "b x":  # b is a link to what was written through a
        assert os.path.samestat(places["b"].lstat(), places["x"].lstat())
        assert places["a"].is_symlink()
        return
    found: dict[int, str] = {}
    for name in "abc":
        if os.path.lexists(places[name]):
            inode = places[name].lstat().st_ino
            found[inode] = found.get(inode, "") + name
    assert " ".join(sorted(found.values())) == groups


@pytest.mark.parametrize("there", ["", "a", "a/b", "a/b/c"])
@pytest.mark.parametrize("options", ["", "-p", "--preserve=mode", "--preserve=timestamps", "-R"])
def test_parents_of_which_some_are_there(
    run: Any, tmp_path: Path, options: str, there: str
) -> None:
    """--parents gives the folders on the way the modes and times that GNU's cp gives them."""
    found = []
    for program in ("cp", None):
        folder = tmp_path / str(program)
        (folder / "a/b/c").mkdir(parents=True)
        (folder / "to" / there).mkdir(parents=True)
        (folder / "a/b/c/f").write_text("x")
        for number, name in enumerate(("a/b/c/f", "a/b/c", "a/b", "a")):
            (folder / name).chmod(0o700 + 0o11 * number)
            os.utime(folder / name, (10**9, 10**9 + number))
        words = [*options.split(), "--parents", "a/b/c/f", "to"]
        if program:
            subprocess.run([program, *words], cwd=folder, check=True)
        else:
            assert run("cp", *words, cwd=folder).status == 0
        all_ = [folder / "to" / name for name in ("a", "a/b", "a/b/c", "a/b/c/f")]
        # Times of this test are those of no source.
        found.append([(oct(p.stat().st_mode), min(p.stat().st_mtime, 1.1e9)) for p in all_])
    assert found[0] == found[1]
