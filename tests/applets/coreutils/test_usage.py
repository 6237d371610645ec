"""stat, df, du: breaks when sizes, counts or formats come out other than the system and GNU have them."""

from __future__ import annotations

import os

import pytest


@pytest.fixture
def tree(tmp_path):
    (tmp_path / "d" / "e").mkdir(parents=True)
    (tmp_path / "d" / "big").write_bytes(b"x" * 100_000)
    (tmp_path / "d" / "e" / "small").write_bytes(b"y" * 10)
    os.link(tmp_path / "d" / "big", tmp_path / "d" / "e" / "link")
    (tmp_path / "f").write_bytes(b"12345")
    os.chmod(tmp_path / "f", 0o640)
    os.utime(tmp_path / "f", ns=(1_500_000_000, 1577934245_123456789))
    os.symlink("f", tmp_path / "l")
    return tmp_path


@pytest.mark.parametrize(
    ("args", "out"),
    [
        (["-c", "%n %s %a %A %F %h"], "f 5 640 -rw-r----- regular file 1\n"),
        (["-c", "%Y %.3Y %X"], "1577934245 1577934245.123 1\n"),
        (["-c", "%y"], "2020-01-02 03:04:05.123456789 +0000\n"),
        (["-c", "[%5s|%-5s|%05s] %%"], "[    5|5    |00005] %\n"),
        (["--printf", r"%s\t\101\n"], "5\tA\n"),
        (["-c", r"%s\t"], "5\\t\n"),
        (["-c", "%N"], "'f'\n"),
    ],
)
def test_stat(run, tree, args, out):
    assert run("stat", *args, "f", cwd=tree).out.decode() == out


def test_stat_links_and_devices(run, tree):
    assert run("stat", "-c", "%F %N", "l", cwd=tree).out == b"symbolic link 'l' -> 'f'\n"
    assert run("stat", "-Lc", "%s", "l", cwd=tree).out == b"5\n"
    assert run("stat", "-c", "%t %T %F", "/dev/null").out == b"1 3 character special file\n"
    status = os.statvfs(tree)
    assert run("stat", "-fc", "%S %b", ".", cwd=tree).out == b"%d %d\n" % (
        status.f_frsize,
        status.f_blocks,
    )
    r = run("stat", "gone", cwd=tree)
    assert (r.status, r.err) == (1, b"stat: cannot statx 'gone': No such file or directory\n")


def test_stat_usual(run, tree):
    lines = run("stat", "f", cwd=tree).out.decode().splitlines()
    assert lines[0] == "  File: f"
    assert lines[1].split()[:2] == ["Size:", "5"]
    assert lines[5] == "Modify: 2020-01-02 03:04:05.123456789 +0000"


def blocks(*paths):
    """KiB taken by files, each counted once."""
    return sum({(s.st_ino): s.st_blocks for s in map(os.lstat, paths)}.values()) // 2


def test_du(run, tree):
    d = tree / "d"
    inner = blocks(d / "e", d / "e" / "small", d / "e" / "link")
    whole = blocks(d, d / "big", d / "e", d / "e" / "small")
    assert run("du", "-s", "d", cwd=tree).out == b"%d\td\n" % whole
    lines = run("du", "d/e", "d", cwd=tree).out.decode().splitlines()
    assert lines == [f"{inner}\td/e", f"{whole - inner}\td"]
    assert run("du", "-d0", "d", cwd=tree).out == b"%d\td\n" % whole
    out = run("du", "-ab", "d/e", cwd=tree).out.decode().splitlines()
    size = os.stat(d / "e").st_size
    assert sorted(out[:2]) == ["10\td/e/small", "100000\td/e/link"]
    assert out[2] == f"{100010 + size}\td/e"
    assert run("du", "-c", "--apparent-size", "-B1", "f", cwd=tree).out == b"5\tf\n5\ttotal\n"
    assert run("du", "-a", "--exclude=small", "d", cwd=tree).out.count(b"small") == 0
    once = int(run("du", "-s", "d", cwd=tree).out.split()[0])
    twice = int(run("du", "-sl", "d", cwd=tree).out.split()[0])
    assert twice - once == blocks(d / "big")
    assert run("du", "--inodes", "-s", "d", cwd=tree).out == b"4\td\n"
    assert run("du", "gone", cwd=tree).status == 1
    assert run("du", "-as", "d", cwd=tree).status == 1


def test_df(run, tree):
    header, line = run("df", "-P", ".", cwd=tree).out.decode().splitlines()
    assert header.split() == [
        "Filesystem",
        "1024-blocks",
        "Used",
        "Available",
        "Capacity",
        "Mounted",
        "on",
    ]
    status = os.statvfs(tree)
    assert int(line.split()[1]) == status.f_blocks * status.f_frsize // 1024
    assert line.split()[4].endswith("%")
    out = run("df", "--output=target,itotal", ".", cwd=tree).out.decode().splitlines()
    assert out[1].split()[1] == str(status.f_files)
    assert run("df", "-h", ".", cwd=tree).out.split()[1] == b"Size"
    assert run("df", "-i", ".", cwd=tree).out.split()[1] == b"Inodes"
    assert b"\ntotal " in run("df", "--total", ".", cwd=tree).out
    r = run("df", "gone", cwd=tree)
    assert (r.status, r.err.splitlines()[0]) == (1, b"df: gone: No such file or directory")
    assert run("df", cwd=tree).status == 0
