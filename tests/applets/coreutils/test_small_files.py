"""mkdir, rmdir, mknod, ln, readlink, realpath, touch: breaks when names, links, modes or times come out wrong."""

from __future__ import annotations

import os
import stat

import pytest


@pytest.fixture
def tree(tmp_path):
    (tmp_path / "d" / "e").mkdir(parents=True)
    (tmp_path / "a").write_text("one\n")
    (tmp_path / "b").write_text("two\n")
    os.symlink("a", tmp_path / "la")
    os.symlink("d", tmp_path / "ld")
    os.symlink("nowhere", tmp_path / "dangling")
    os.utime(tmp_path / "a", (1000, 2000))
    return tmp_path


def mode(path):
    return stat.S_IMODE(os.lstat(path).st_mode)


def test_mkdir(run, tree):
    assert run("mkdir", "n", cwd=tree).status == 0
    r = run("mkdir", "n", "x/y", cwd=tree)
    assert r.err == (
        b"mkdir: cannot create directory 'n': File exists\n"
        b"mkdir: cannot create directory 'x/y': No such file or directory\n"
    )
    assert run("mkdir", "-pv", "x/y/z", "n", cwd=tree).out == (
        b"mkdir: created directory 'x'\nmkdir: created directory 'x/y'\nmkdir: created directory 'x/y/z'\n"
    )
    assert run("mkdir", "-p", "a", cwd=tree).status == 1
    run("mkdir", "-m", "1777", "s", cwd=tree)
    assert mode(tree / "s") == 0o1777
    run("mkdir", "-p", "-m", "u=rwx,g=", "p/q", cwd=tree)
    assert (mode(tree / "p"), mode(tree / "p" / "q")) == (0o755, 0o707)


def test_mkdir_makes_parents_that_can_be_entered(run, tree):
    old = os.umask(0o777)
    try:
        assert run("mkdir", "-p", "u/v", cwd=tree).status == 0
    finally:
        os.umask(old)
    assert (mode(tree / "u"), mode(tree / "u" / "v")) == (0o300, 0)


def test_rmdir(run, tree):
    assert run("rmdir", "d", cwd=tree).err == b"rmdir: failed to remove 'd': Directory not empty\n"
    assert run("rmdir", "--ignore-fail-on-non-empty", "d", cwd=tree).status == 0
    assert run("rmdir", "-p", "d/e", cwd=tree).status == 0
    assert not (tree / "d").exists()
    assert run("rmdir", "a", cwd=tree).status == 1


def test_mknod(run, tree):
    assert run("mknod", "-m", "640", "p", "p", cwd=tree).status == 0
    assert stat.S_ISFIFO(os.stat(tree / "p").st_mode)
    assert mode(tree / "p") == 0o640
    assert run("mknod", "n", "c", cwd=tree).status == 1
    assert run("mknod", "n", "p", "1", "2", cwd=tree).status == 1
    assert run("mknod", "n", "z", cwd=tree).status == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="device nodes need root")
def test_mknod_devices(run, tree):
    assert run("mknod", "n", "c", "1", "0x3", cwd=tree).status == 0
    status = os.stat(tree / "n")
    assert stat.S_ISCHR(status.st_mode)
    assert status.st_rdev == os.makedev(1, 3)


@pytest.mark.parametrize(
    ("args", "link", "target"),
    [
        (["-s", "a", "n"], "n", "a"),
        (["-s", "/x/y/zz"], "zz", "/x/y/zz"),
        (["-s", "a", "d"], "d/a", "a"),
        (["-s", "-t", "d", "a"], "d/a", "a"),
        (["-sf", "a", "b"], "b", "a"),
        (["-sf", "a", "ld"], "d/a", "a"),
        (["-sfn", "a", "ld"], "ld", "a"),
        (["-sfT", "a", "ld"], "ld", "a"),
        (["-sr", "a", "d/e/n"], "d/e/n", "../../a"),
        (["-s", "nowhere", "n"], "n", "nowhere"),
        (["-sb", "a", "b"], "b", "a"),
    ],
)
def test_symbolic_links(run, tree, args, link, target):
    assert run("ln", *args, cwd=tree)[::2] == (0, b"")
    assert os.readlink(tree / link) == target


def test_hard_links(run, tree):
    run("ln", "a", "n", cwd=tree)
    assert os.path.samefile(tree / "a", tree / "n")
    r = run("ln", "a", "b", cwd=tree)
    assert (r.status, r.err) == (1, b"ln: failed to create hard link 'b' => 'a': File exists\n")
    assert run("ln", "-f", "a", "b", cwd=tree).status == 0
    assert os.path.samefile(tree / "a", tree / "b")
    assert run("ln", "-f", "a", "a", cwd=tree).err == b"ln: 'a' and 'a' are the same file\n"
    assert run("ln", "-f", "gone", "b", cwd=tree).status == 1
    assert (tree / "b").exists()
    assert run("ln", "d", "n2", cwd=tree).err == b"ln: d: hard link not allowed for directory\n"
    run("ln", "la", "physical", cwd=tree)
    assert os.readlink(tree / "physical") == "a"
    run("ln", "-L", "la", "logical", cwd=tree)
    assert os.path.samefile(tree / "a", tree / "logical")


@pytest.mark.parametrize(
    ("args", "out", "status"),
    [
        (["readlink", "la"], "a\n", 0),
        (["readlink", "-n", "la"], "a", 0),
        (["readlink", "-z", "la", "ld"], "a\0d\0", 0),
        (["readlink", "a"], "", 1),
        (["readlink", "-f", "la", "gone", "gone/x"], "T/a\nT/gone\n", 1),
        (["readlink", "-f", "dangling", "ld/e/.."], "T/nowhere\nT/d\n", 0),
        (["readlink", "-f", "a/"], "", 1),
        (["readlink", "-e", "la", "gone"], "T/a\n", 1),
        (["readlink", "-m", "a/b/../c", "gone/../x"], "T/a/c\nT/x\n", 0),
        (["realpath", "la", "gone"], "T/a\nT/gone\n", 0),
        (["realpath", "-e", "gone"], "", 1),
        (["realpath", "-s", "ld/../a"], "T/a\n", 0),
        (["realpath", "-L", "ld/e/../.."], "T\n", 0),
        (["realpath", "--relative-to=d", "a", "ld/e"], "../a\ne\n", 0),
        (["realpath", "--relative-base=d", "a", "d/e"], "T/a\ne\n", 0),
    ],
)
def test_paths(run, tree, args, out, status):
    r = run(*args, cwd=tree)
    assert (r.out.decode(), r.status) == (out.replace("T", os.path.realpath(tree)), status)


def test_links_in_a_loop(run, tree):
    os.symlink("loop", tree / "loop")
    r = run("realpath", "loop", cwd=tree)
    assert r.err == b"realpath: loop: Too many levels of symbolic links\n"


@pytest.mark.parametrize(
    ("args", "seconds"),
    [
        (["-d", "2020-01-02 03:04:05"], 1577934245),
        (["-d", "2020-01-02T03:04:05+01:00"], 1577930645),
        (["-d", "@5"], 5),
        (["-t", "202001020304.05"], 1577934245),
        (["-t", "7001020304"], 97440),
        (["-r", "a"], 2000),
        (["-r", "a", "-d", "+1 day"], 2000 + 86400),
    ],
)
def test_touch_sets_times(run, tree, args, seconds):
    assert run("touch", *args, "n", cwd=tree)[::2] == (0, b"")
    assert os.stat(tree / "n").st_mtime == seconds


def test_touch(run, tree):
    run("touch", "-c", "gone", cwd=tree)
    assert not (tree / "gone").exists()
    run("touch", "-a", "-d", "@7", "a", cwd=tree)
    assert (os.stat(tree / "a").st_atime, os.stat(tree / "a").st_mtime) == (7, 2000)
    run("touch", "-m", "-d", "@8.25", "a", cwd=tree)
    assert (os.stat(tree / "a").st_atime, os.stat(tree / "a").st_mtime) == (7, 8.25)
    run("touch", "-h", "-d", "@9", "la", cwd=tree)
    assert (os.lstat(tree / "la").st_mtime, os.stat(tree / "a").st_mtime) == (9, 8.25)
    assert run("touch", "-d", "@9", "d", cwd=tree).status == 0
    assert os.stat(tree / "d").st_mtime == 9
    r = run("touch", "x/y", cwd=tree)
    assert r.err == b"touch: cannot touch 'x/y': No such file or directory\n"
    assert run("touch", "-d", "garbage", "n", cwd=tree).err == b"touch: invalid date 'garbage'\n"
    assert run("touch", "-t", "99", "n", cwd=tree).status == 1
