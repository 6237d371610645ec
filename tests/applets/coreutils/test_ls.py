"""ls: breaks when names are chosen, ordered, laid out or described other than POSIX and GNU say."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

OLD = 1577934245  # 2020-01-02 03:04:05 UTC


@pytest.fixture
def tree(tmp_path):
    for name, size in (("b", 5), ("A", 2000), (".hid", 0), ("c.txt", 100), ("a~", 1)):
        (tmp_path / name).write_bytes(b"x" * size)
        os.utime(tmp_path / name, (OLD, OLD + size))
        os.chmod(tmp_path / name, 0o644)
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "in").write_bytes(b"")
    os.symlink("b", tmp_path / "l")
    os.symlink("d", tmp_path / "ld")
    os.chmod(tmp_path / "A", 0o755)
    os.utime(tmp_path / "d", (OLD, OLD))
    os.utime(tmp_path / "l", (OLD, OLD), follow_symlinks=False)
    os.utime(tmp_path / "ld", (OLD, OLD), follow_symlinks=False)
    return tmp_path


NAMES = [
    ([], "A a~ b c.txt d l ld"),
    (["-r"], "ld l d c.txt b a~ A"),
    (["-A"], ".hid A a~ b c.txt d l ld"),
    (["-a"], ". .. .hid A a~ b c.txt d l ld"),
    (["-B"], "A b c.txt d l ld"),
    (["-I", "*.txt", "-I", "l*"], "A a~ b d"),
    (["-A", "-I", "*"], ".hid"),  # as in the shell: no star for a leading dot
    (["-A", "-I", ".*", "-I", "[[:lower:]]*"], "A"),
    (["-S", "-I", "[dl]*"], "A c.txt b a~"),
    (["-Sr", "-I", "[dl]*"], "a~ b c.txt A"),
    (["-t", "-I", "[dl]*"], "A c.txt b a~"),
    (["-X", "-I", "[dl]*"], "A a~ b c.txt"),
    (["-F"], "A* a~ b c.txt d/ l@ ld@"),
    (["-p"], "A a~ b c.txt d/ l ld"),
    (["--group-directories-first"], "d ld A a~ b c.txt l"),
    (["-d"], "."),
    (["d"], "in"),
    (["ld"], "in"),
    (["-d", "ld"], "ld"),
    (["-m"], "A, a~, b, c.txt, d, l, ld"),
    (["-Q", "b", "d"], '"b" "d": "in"'.replace('"d":', '\n"d":')),
]


@pytest.mark.parametrize(
    ("args", "names"), NAMES, ids=lambda v: " ".join(v) if isinstance(v, list) else ""
)
def test_names(run, tree, args, names):
    r = run("ls", *args, cwd=tree)
    assert r.out.decode().split() == names.split()
    assert (r.err, r.status) == (b"", 0)


def test_long(run, tree):
    out = run("ls", "-ln", "--time-style=long-iso", "A", "b", "l", cwd=tree).out
    ids = f"{os.getuid()} {os.getgid()}".encode()
    assert out == (
        b"-rwxr-xr-x 1 %s 2000 2020-01-02 03:37 A\n"
        b"-rw-r--r-- 1 %s    5 2020-01-02 03:04 b\n"
        b"lrwxrwxrwx 1 %s    1 2020-01-02 03:04 l -> b\n" % (ids, ids, ids)
    )
    assert run("ls", "-go", "b", cwd=tree).out == b"-rw-r--r-- 1 5 Jan  2  2020 b\n"
    assert run("ls", "-goh", "A", cwd=tree).out == b"-rwxr-xr-x 1 2.0K Jan  2  2020 A\n"
    assert run("ls", "-gL", "-G", "l", cwd=tree).out == b"-rw-r--r-- 1 5 Jan  2  2020 l\n"
    out = run("ls", "-go", "--full-time", "b", cwd=tree).out
    assert out == b"-rw-r--r-- 1 5 2020-01-02 03:04:10.000000000 +0000 b\n"
    out = run("ls", "-go", "--time-style=+%s", "b", cwd=tree).out
    assert out == b"-rw-r--r-- 1 5 %d b\n" % (OLD + 5)


def test_recent_times_show_the_hour(run, tree):
    os.utime(tree / "b")
    fields = run("ls", "-l", "b", cwd=tree).out.split()
    assert b":" in fields[7]
    os.utime(tree / "b", (2**33, 2**33))  # the future shows its year
    assert run("ls", "-l", "b", cwd=tree).out.split()[7] == b"2242"


def test_total_inode_and_blocks(run, tree):
    lines = run("ls", "-lA", cwd=tree).out.splitlines()
    blocks = sum(os.lstat(tree / n).st_blocks for n in os.listdir(tree))
    assert lines[0] == b"total %d" % (blocks // 2)
    assert run("ls", "-i", "b", cwd=tree).out == b"%d b\n" % os.stat(tree / "b").st_ino
    size = os.stat(tree / "A").st_blocks // 2
    assert run("ls", "-s", "A", cwd=tree).out == b"%d A\n" % size


def test_recursive(run, tree):
    (tree / "d" / "e").mkdir()
    assert run("ls", "-R", "d", cwd=tree).out == b"d:\ne\nin\n\nd/e:\n"
    assert run("ls", "b", "d", "A", cwd=tree).out == b"A\nb\n\nd:\ne\nin\n"


def test_columns(run, tmp_path):
    for i in range(1, 11):
        (tmp_path / f"file{i:02}").touch()
    run_ls = lambda *args: run("ls", *args, cwd=tmp_path).out  # noqa: E731
    assert run_ls("-C", "-w", "28", "-T", "0") == (
        b"file01  file05  file09\nfile02  file06  file10\nfile03  file07\nfile04  file08\n"
    )
    assert run_ls("-x", "-w", "28", "-T", "0") == (
        b"file01  file02  file03\nfile04  file05  file06\nfile07  file08  file09\nfile10\n"
    )
    assert run_ls("-C", "-w", "20") == (
        b"file01\tfile06\nfile02\tfile07\nfile03\tfile08\nfile04\tfile09\nfile05\tfile10\n"
    )


def test_odd_names(run, tmp_path):
    for name in ("a b", "new\nline", "q'", 'd"', "back\\"):
        (tmp_path / name).touch()
    with open(os.fsencode(tmp_path) + b"/\xff", "w"):
        pass

    def names(*args):
        return run("ls", *args, cwd=tmp_path).out

    assert names() == b"a b\nback\\\nd\"\nnew\nline\nq'\n\xff\n"
    assert names("-q") == b"a b\nback\\\nd\"\nnew?line\nq'\n?\n"
    assert names("-b") == b"a\\ b\nback\\\\\nd\"\nnew\\nline\nq'\n\\377\n"
    assert names("-Q") == b'"a b"\n"back\\\\"\n"d\\""\n"new\\nline"\n"q\'"\n"\\377"\n'
    assert names("--quoting-style=shell-escape") == (
        b"'a b'\n'back\\'\n'd\"'\n'new'$'\\n''line'\n\"q'\"\n''$'\\377'\n"
    )
    assert names("--zero") == b"a b\0back\\\0d\"\0new\nline\0q'\0\xff\0"


def test_bytewise_order(run, tmp_path):
    for name in (b"\xc3\xa9", b"\xff", b"z", b"Z", b"\xf0\x9f\x98\x80"):
        with open(os.fsencode(tmp_path) + b"/" + name, "w"):
            pass
    assert run("ls", cwd=tmp_path).out.split() == [
        b"Z",
        b"z",
        b"\xc3\xa9",
        b"\xf0\x9f\x98\x80",
        b"\xff",
    ]


def test_version_order(run, tmp_path):
    for name in ("a10", "a9", "a1", "a9.tar", "a~"):
        (tmp_path / name).touch()
    assert run("ls", "-v", cwd=tmp_path).out.split() == [b"a~", b"a1", b"a9", b"a9.tar", b"a10"]


def test_colors(run, tree):
    out = run("ls", "--color=always", "-d", "d", "A", "b", cwd=tree, env={"LS_COLORS": ""}).out
    assert out == b"\x1b[0m\x1b[01;32mA\x1b[0m\nb\n\x1b[01;34md\x1b[0m\n"
    out = run("ls", "--color=always", "c.txt", cwd=tree, env={"LS_COLORS": "*.txt=31"}).out
    assert out == b"\x1b[0m\x1b[31mc.txt\x1b[0m\n"


def test_errors(run, tree):
    r = run("ls", "gone", "b", cwd=tree)
    assert (r.status, r.out, r.err) == (2, b"b\n", b"ls: gone: No such file or directory\n")
    os.symlink("nowhere", tree / "dangling")
    assert run("ls", "dangling", cwd=tree).out == b"dangling\n"
    assert run("ls", "-L", "dangling", cwd=tree).status == 2
    assert run("ls", "--bogus").status == 2
    assert run("ls", "--sort=colour").status == 2


def test_names_without_a_status(toolbox_argv, toolbox_env, tree):
    """A directory that may be read and not entered; root without its capabilities may not, either."""
    drop = ["setpriv", "--bounding-set", "-all", "--inh-caps", "-all"] if os.geteuid() == 0 else []
    tree.chmod(0o444)
    argv = [*drop, *toolbox_argv, "ls", "-l", str(tree)]
    done = subprocess.run(argv, capture_output=True, env=toolbox_env, check=False)
    tree.chmod(0o755)
    first, *lines = done.stdout.decode().splitlines()
    assert (done.returncode, first) == (1, "total 0")
    names = ["A", "a~", "b", "c.txt", "d", "l", "ld"]
    assert lines == [f"?????????? ? ? ? ? ? {name}" for name in names]
    assert done.stderr.decode().count("Permission denied") == 7


def test_own_descriptors(run):
    """A directory that is being read is among them, and still open when it is shown."""
    done = run("ls", "-i", "/proc/self/fd")
    assert (done.err, done.status) == (b"", 0)
    assert b" 3\n" in done.out
    done = run("ls", "-l", "/", "/proc/self/fd")
    assert (done.err, done.status) == (b"", 0)
    assert re.search(rb" 3 -> /proc/\d+/fd\n", done.out)


def test_long_with_names_that_are_not_utf8(run, tmp_path):
    for name in (b"\xff", b"a\xfe", "\u00e9".encode()):
        with open(os.fsencode(tmp_path) + b"/" + name, "w"):
            pass
        os.utime(os.fsencode(tmp_path) + b"/" + name, (OLD, OLD))
    os.symlink(b"\xff", os.fsencode(tmp_path) + b"/l")
    done = run("ls", "-go", "--time-style=+", cwd=tmp_path)
    assert done.err == b""
    assert [line.split(maxsplit=3)[3] for line in done.out.splitlines()[1:]] == [
        b"a\xfe",
        b"l -> \xff",
        b"\xc3\xa9",
        b"\xff",
    ]


def test_vanished_and_dangling(run, tree):
    """With -L a link to nothing has no status: it is named by its whole path, and shown nonetheless."""
    os.symlink("nowhere", tree / "d" / "dangling")
    done = run("ls", "-Lgi", "--time-style=long-iso", "d", cwd=tree)
    assert (done.status, done.err) == (1, b"ls: d/dangling: No such file or directory\n")
    lines = done.out.decode().splitlines()
    assert lines[1].split() == ["?", "??????????", "?", "?", "?", "?", "dangling"]
    assert lines[2].split()[1:3] == ["-rw-r--r--", "1"]


def birth(path):
    """Seconds, by GNU's stat; skips where that is missing, or the file system keeps no time of birth."""
    gnu = shutil.which("stat", path="/usr/bin:/bin")
    if not gnu:
        pytest.skip("GNU's stat is missing")
    done = subprocess.run([gnu, "-c", "%W", path], capture_output=True, check=True)
    if not int(done.stdout):
        pytest.skip("the file system keeps no time of birth")
    return int(done.stdout)


def test_time_of_birth(run, tmp_path):
    """A file's times can be set, but for that of its birth."""
    for name in ("first", "second"):
        (tmp_path / name).touch()
        (tmp_path / name).chmod(0o644)
        time.sleep(0.02)
    os.utime(tmp_path / "second", (OLD, OLD))
    time.sleep(0.02)
    os.utime(tmp_path / "first", (OLD + 9, OLD + 9))  # the last status change, too
    born = birth(tmp_path / "first")
    out = run("ls", "-go", "--time=birth", "--time-style=+%s", "first", cwd=tmp_path).out
    assert out == b"-rw-r--r-- 1 0 %d first\n" % born
    assert run("ls", "-t", cwd=tmp_path).out == b"first\nsecond\n"
    assert run("ls", "--time=birth", cwd=tmp_path).out == b"second\nfirst\n"
    assert run("ls", "--time=birth", "-r", cwd=tmp_path).out == b"first\nsecond\n"
    assert run("stat", "-c", "%W", "first", cwd=tmp_path).out == b"%d\n" % born


def test_stat_shows_birth_as_gnu_does(run, tmp_path):
    file = tmp_path / "file"
    file.touch()
    os.symlink("file", tmp_path / "link")
    birth(file)
    for form in ("%w", "%W", "%.3W"):
        for words in (["file"], ["link"], ["-L", "link"], ["/proc/self"]):
            argv = ["/usr/bin/stat", "-c", form, *words]
            gnu = subprocess.run(
                argv, cwd=tmp_path, capture_output=True, env={"TZ": "UTC"}, check=True
            )
            assert run("stat", "-c", form, *words, cwd=tmp_path).out == gnu.stdout, (form, words)
    with file.open() as stdin:
        assert run("stat", "-c", "%W", "-", stdin=stdin.fileno()).out == b"%d\n" % birth(file)


def test_no_time_of_birth(run):
    """procfs keeps none."""
    assert run("stat", "-c", "%w %W", "/proc/self/status").out == b"- 0\n"
    line = run("ls", "-gon", "--time=birth", "/proc/version").out
    assert line == b"-r--r--r-- 1 0 ? /proc/version\n"


def test_without_the_c_module(toolbox_env, tree, monkeypatch):
    """os.stat gives the same listings; only births are not known."""
    code = "import sys; sys.modules['_syscalls'] = None; from toolbox.multicall import main; sys.exit(main(['toolbox', *sys.argv[1:]]))"

    def listing(before, *words):
        argv = [sys.executable, "-c", before, "ls", *words]
        done = subprocess.run(argv, cwd=tree, env=toolbox_env, capture_output=True, check=False)
        return done.returncode, done.stdout, done.stderr

    os.symlink("nowhere", tree / "dangling")
    with_it = code.replace("sys.modules['_syscalls'] = None; ", "")
    for words in (
        ["-lais"],
        ["-lL"],
        ["-l", "-u"],
        ["-lc", "--full-time"],
        ["-l", "/dev/null", "gone"],
    ):
        assert listing(code, *words) == listing(with_it, *words), words
    _, out, _ = listing(code, "-go", "--time=birth", "b")
    assert out == b"-rw-r--r-- 1 5 ? b\n"


def test_two_links_to_one_directory_are_no_loop(run: Any, tmp_path: Path) -> None:
    """-LR: only a directory that leads to itself is one (GNU shows the others each time)."""
    (tmp_path / "d").mkdir()
    (tmp_path / "d/inside").touch()
    (tmp_path / "a").symlink_to("d")
    (tmp_path / "b").symlink_to("d")
    done = run("ls", "-LR", cwd=tmp_path)
    assert (done.status, done.err) == (0, b"") and done.out.count(b"inside") == 3
    (tmp_path / "d/up").symlink_to("..")
    done = run("ls", "-LR", cwd=tmp_path)
    assert done.status == 2 and b"not listing already-listed directory" in done.err
