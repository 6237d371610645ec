"""find: breaks when a test is true of the wrong file, or an action does not do what POSIX and GNU say."""

from __future__ import annotations

import os
import time

import pytest


@pytest.fixture
def tree(tmp_path):
    """F/ with files of known sizes, modes and ages."""
    (tmp_path / "F" / "a" / "b" / "c").mkdir(parents=True)
    (tmp_path / "F" / "x").mkdir()
    (tmp_path / "F" / "a" / "f1").write_bytes(b"x" * 100)
    (tmp_path / "F" / "a" / "b" / "g.c").write_bytes(b"y" * 2000)
    os.link(tmp_path / "F" / "a" / "b" / "g.c", tmp_path / "F" / "x" / "hard")
    (tmp_path / "F" / "x" / "sp ace").write_bytes(b"hi\n")
    (tmp_path / "F" / "x" / "empty").write_bytes(b"")
    os.symlink("../a/f1", tmp_path / "F" / "x" / "link")
    os.symlink("nowhere", tmp_path / "F" / "x" / "dangling")
    os.mkfifo(tmp_path / "F" / "x" / "pipe")
    os.chmod(tmp_path / "F" / "a" / "f1", 0o4755)
    os.chmod(tmp_path / "F" / "x" / "sp ace", 0o600)
    os.chmod(tmp_path / "F" / "x" / "empty", 0o644)
    now = time.time()
    os.utime(tmp_path / "F" / "x" / "hard", (now, now - 3.5 * 86400))
    os.utime(tmp_path / "F" / "x" / "empty", (now, now - 10.5 * 60))
    return tmp_path


ALL = "F F/a F/a/b F/a/b/c F/a/b/g.c F/a/f1 F/x F/x/dangling F/x/empty F/x/hard F/x/link F/x/pipe F/x/sp_ace"

FOUND = [
    ("F", ALL),
    ("F -type f", "F/a/b/g.c F/a/f1 F/x/empty F/x/hard F/x/sp_ace"),
    ("F -type p,l", "F/x/dangling F/x/link F/x/pipe"),
    ("F -name *.c", "F/a/b/g.c"),
    ("F -name F", "F"),
    ("F/ -name F -maxdepth 0", "F/"),
    ("F -iname SP*", "F/x/sp_ace"),
    ("F -name [[:lower:]]1", "F/a/f1"),
    ("F -name [!af]", "F F/a/b F/a/b/c F/x"),
    ("F -path */b/*", "F/a/b/c F/a/b/g.c"),
    ("F ( -name f1 -o -name pipe )", "F/a/f1 F/x/pipe"),
    ("F ! -type d ! -type f", "F/x/dangling F/x/link F/x/pipe"),
    ("F -perm 600", "F/x/sp_ace"),
    ("F -perm -4000", "F/a/f1"),
    ("F -perm /u=s,o=t", "F/a/f1"),
    ("F -perm u=rw", "F/x/sp_ace"),
    ("F -type f -perm -u=rw,go=r", "F/a/b/g.c F/a/f1 F/x/empty F/x/hard"),
    ("F -empty", "F/a/b/c F/x/empty"),
    ("F -size 0", "F/x/empty F/x/pipe"),
    ("F -type f -size +3", "F/a/b/g.c F/x/hard"),
    ("F -type f -size -2", "F/a/f1 F/x/empty F/x/sp_ace"),
    ("F -type f -size 1k", "F/a/f1 F/x/sp_ace"),
    ("F -type f -size 2k", "F/a/b/g.c F/x/hard"),
    ("F -size 3c", "F/x/sp_ace"),
    ("F -mtime +2", "F/a/b/g.c F/x/hard"),
    ("F -mtime 3", "F/a/b/g.c F/x/hard"),
    ("F -mtime +3", ""),
    ("F -mtime -4 -name hard", "F/x/hard"),
    ("F -type f -mmin 11", "F/x/empty"),
    ("F -type f -mmin +10 -mmin -12", "F/x/empty"),
    ("F -type f -newer F/x/empty", "F/a/f1 F/x/sp_ace"),
    ("F -type f -newermt 2001-01-01 -size 0", "F/x/empty"),
    ("F -links 2 -type f", "F/a/b/g.c F/x/hard"),
    ("F -samefile F/x/hard", "F/a/b/g.c F/x/hard"),
    ("F -maxdepth 1", "F F/a F/x"),
    ("F -mindepth 3", "F/a/b/c F/a/b/g.c"),
    ("F -name b -prune -o -type f -print", "F/a/f1 F/x/empty F/x/hard F/x/sp_ace"),
    ("F -regex .*/[a-f]1?", "F/a F/a/b F/a/b/c F/a/f1"),
    ("F -regextype posix-extended -regex .*(c|1)", "F/a/b/c F/a/b/g.c F/a/f1"),
    ("F -iregex .*/F[0-9]+", "F/a/f1"),
    ("F -lname *f1", "F/x/link"),
    ("F -xtype l", "F/x/dangling"),
    ("-L F -type l", "F/x/dangling"),
    ("-L F -type f -name link", "F/x/link"),
    ("-H F/x/link -type f", "F/x/link"),
    ("F/x/link -type l", "F/x/link"),
    ("F -uid 99999", ""),
    ("F -false -o -name e*", "F/x/empty"),
    ("F -quit -o -print", ""),
    ("F -type f -exec test -s {} ; -print", "F/a/b/g.c F/a/f1 F/x/hard F/x/sp_ace"),
    ("F -executable -type f", "F/a/f1"),
]


@pytest.mark.parametrize(("args", "names"), FOUND, ids=lambda v: v[:40])
def test_finds(run, tree, args, names):
    r = run("find", *args.split(" "), cwd=tree)
    # Blanks in a name are written _ in the table.
    assert sorted(r.out.decode().replace("sp ace", "sp_ace").split()) == sorted(names.split())
    assert (r.err, r.status) == (b"", 0)


def test_depth_first(run, tree):
    order = run("find", "F/a", "-depth", cwd=tree).out.split()
    assert order[-1] == b"F/a"
    assert order.index(b"F/a/b/c") < order.index(b"F/a/b")


def test_print0_and_printf(run, tree):
    out = run(
        "find", "F/a/f1", "-print0", "-printf", r"%p|%f|%h|%P|%H|%d|%s|%m|%y|%n\n", cwd=tree
    ).out
    assert out == b"F/a/f1\0F/a/f1|f1|F/a||F/a/f1|0|100|4755|f|1\n"
    out = run(
        "find", "F/a", "-name", "f1", "-printf", r"%P %d %M [%5f] [%-5f] %#m %%\101\t|", cwd=tree
    ).out
    assert out == b"f1 1 -rwsr-xr-x [   f1] [f1   ] 04755 %A\t|"
    out = run("find", "F/x", "-name", "link", "-printf", r"%l %y %Y\n", cwd=tree).out
    assert out == b"../a/f1 l f\n"
    os.utime(tree / "F" / "a" / "f1", ns=(0, 86400_500_000_000))
    out = run("find", "F/a/f1", "-printf", r"%T@ %TY-%Tm-%Td %t\n", cwd=tree).out
    assert out == b"86400.5000000000 1970-01-02 Fri Jan  2 00:00:00.5000000000 1970\n"


def test_ls(run, tree):
    fields = run("find", "F/a/f1", "-ls", cwd=tree).out.split()
    assert fields[2:4] == [b"-rwsr-xr-x", b"1"]
    assert fields[6] == b"100"
    assert fields[-1] == b"F/a/f1"


def test_exec(run, tree):
    out = run("find", "F/a/f1", "-exec", "echo", "a{}b", "{}", ";", cwd=tree).out
    assert out == b"aF/a/f1b F/a/f1\n"
    out = run("find", "F/a", "-type", "f", "-exec", "echo", "x", "{}", "+", cwd=tree).out
    assert sorted(out.split()) == [b"F/a/b/g.c", b"F/a/f1", b"x"]
    out = run(
        "find",
        "F/a/b",
        "-name",
        "g.c",
        "-execdir",
        "sh",
        "-c",
        'pwd; echo "$1"',
        "sh",
        "{}",
        ";",
        cwd=tree,
    ).out
    assert out.split() == [os.fsencode(tree / "F" / "a" / "b"), b"./g.c"]
    assert run("find", "F", "-type", "f", "-exec", "false", "{}", "+", cwd=tree).status == 1
    assert run("find", "F/a/f1", "-exec", "false", ";", cwd=tree).status == 0
    r = run("find", "F/a/f1", "-exec", "no-such-command", ";", "-print", cwd=tree)
    assert (r.out, r.err) == (b"", b"find: no-such-command: No such file or directory\n")


def test_ok_asks(run, tree):
    r = run("find", "F/a/f1", "-ok", "echo", "did", "{}", ";", stdin=b"y\n", cwd=tree)
    assert (r.out, r.err) == (b"did F/a/f1\n", b"echo did F/a/f1 ?")
    assert run("find", "F/a/f1", "-ok", "echo", ";", stdin=b"n\n", cwd=tree).out == b""


def test_delete(run, tree):
    assert run("find", "F/a", "-delete", cwd=tree).status == 0
    assert not (tree / "F" / "a").exists()
    r = run("find", "F", "-maxdepth", "0", "-delete", cwd=tree)
    assert (r.status, r.err) == (1, b"find: cannot delete F: Directory not empty\n")
    assert (tree / "F" / "x" / "hard").exists()


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["gone"], b"find: gone: No such file or directory\n"),
        (["F", "-bogus"], b"find: unknown predicate '-bogus'\n"),
        (["F", "-name"], b"find: missing argument to '-name'\n"),
        (["F", "("], b"find: expected an expression after '('\n"),
        (["F", "-true", ")"], b"find: you have too many ')'\n"),
        (["F", "-true", "x"], b"find: paths must precede expression: 'x'\n"),
        (["F", "-type", "q"], b"find: unknown argument to -type: q\n"),
        (["F", "-mtime", "q"], b"find: invalid argument 'q' to '-mtime'\n"),
        (["F", "-user", "no-such-user"], b"find: invalid user: 'no-such-user'\n"),
        (["F", "-exec", "echo"], b"find: missing argument to '-exec'\n"),
    ],
)
def test_errors(run, tree, args, message):
    r = run("find", *args, cwd=tree)
    assert r.status == 1
    assert r.err.startswith(message)


def test_a_tree_deeper_than_any_path(run, tmp_path):
    """Paths longer than PATH_MAX and more levels than descriptors: still found and deleted."""
    depth = 3000
    fd = os.open(tmp_path, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir("deep", dir_fd=fd)
        inner = os.open("deep", os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = inner
    os.close(os.open("bottom", os.O_CREAT, dir_fd=fd))
    os.close(fd)
    r = run("find", "deep", "-name", "bottom", "-printf", "%d\\n", cwd=tmp_path)
    assert (r.out, r.err) == (b"%d\n" % depth, b"")
    assert run("find", "deep", "-delete", cwd=tmp_path).err == b""
    assert not (tmp_path / "deep").exists()
