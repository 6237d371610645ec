"""httpd.conf and the walk beneath a directory.  Breaks when a rule is misread or a path gets out."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from applets.httpd.beneath import open_beneath
from applets.httpd.conf import matches, parse_conf

HASH = "$scrypt$ln=4,r=8,p=1$c2FsdHNhbHRzYWx0$aGFzaGhhc2hoYXNoaGFzaA"


def test_rules() -> None:
    conf = parse_conf(
        f"# comment\nH:/srv\nI:start.html\nE404:/e/404.html\n.own:text/x-own # own\n/a:u:p#w\n/a/b:v:{HASH}\n"
    )
    assert (conf.home, conf.index, conf.errors) == ("/srv", "start.html", {404: "/e/404.html"})
    assert conf.types == {"own": "text/x-own"}
    assert conf.users([b"x"]) == []
    assert conf.users([b"a"]) == conf.users([b"a", b"c"]) == [("u", "p#w")]
    assert conf.users([b"a", b"b", b"c"]) == [("v", HASH)]
    assert conf.users([b"ab"]) == []


@pytest.mark.parametrize(
    ("rules", "admitted", "refused"),
    [
        ("", ["1.2.3.4", "::1"], []),
        ("D:*", [], ["1.2.3.4", "::1", "nonsense"]),
        ("A:10.\nD:*", ["10.1.2.3", "::ffff:10.9.9.9"], ["11.0.0.1", "::1"]),
        ("A:172.20\nA:127.0.0.1\nD:*", ["172.20.3.4", "127.0.0.1"], ["172.21.0.1", "127.0.0.2"]),
        ("A:10.0.0.0/25\nD:*", ["10.0.0.127"], ["10.0.0.128"]),
        ("A:10.0.0.0/255.255.255.128\nD:*", ["10.0.0.127"], ["10.0.0.128"]),
        ("A:*\nD:1.2.3.4", ["1.2.3.5", "::1"], ["1.2.3.4"]),
        ("D:fe80::/10", ["1.2.3.4", "fd00::1"], ["fe80::1%eth0"]),
    ],
)
def test_addresses(rules: str, admitted: list[str], refused: list[str]) -> None:
    conf = parse_conf(rules)
    assert [one for one in admitted if not conf.admits(one)] == []
    assert [one for one in refused if conf.admits(one)] == []


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("A:1.2.3.4.5", "not an address"),
        ("A:box", "not an address"),
        ("A:", "not a rule"),
        ("nonsense", "not a rule"),
        ("P:/a:http://b", "'P' is not supported"),
        ("*.php:/bin/php", "is not supported"),
        ("/a:u", "use /PATH:USER:PASSWORD"),
        ("/a:u:$1$salt$hash", r"only \$scrypt\$"),
        ("/a:u:$scrypt$x", "not a password hash"),
        ("/a:u:*", "system passwords"),
        ("I:a/b", "without a path"),
        ("E99:x", "is not supported"),
    ],
)
def test_rules_that_are_refused(rule: str, words: str) -> None:
    with pytest.raises(ValueError, match=f"line 2: .*{words}"):
        parse_conf(f"# first\n{rule}\n")


@given(st.text())
def test_any_text_is_rules_or_a_value_error(text: str) -> None:
    try:
        parse_conf(text)
    except ValueError:
        pass


def test_stored_passwords() -> None:
    assert matches("clear", "clear") and not matches("clear", "Clear") and not matches("ä", "a")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A home with files and links, and a secret beside it."""
    home = tmp_path / "home"
    (home / "d" / "e").mkdir(parents=True)
    (tmp_path / "secret").write_text("secret")
    (home / "f").write_text("f")
    (home / "d" / "g").write_text("g")
    os.mkfifo(home / "fifo")
    for name, target in {
        "in": "d/g",
        "d/e/up": "../../f",
        "dir": "d",
        "round": "d/../dir/../f",
        "out": "../secret",
        "d/out": "../../secret",
        "abs": str(tmp_path / "secret"),
        "loop": "loop",
        "dangling": "nothing",
        "self": "/proc/self/root/etc/passwd",
    }.items():
        (home / name).symlink_to(target)
    return home


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("f", b"f"),
        ("d/g", b"g"),
        ("in", b"g"),
        ("d/e/up", b"f"),
        ("dir/g", b"g"),
        ("round", b"f"),
        ("dir/e/up", b"f"),
        ("out", errno.EXDEV),
        ("d/out", errno.EXDEV),
        ("dir/out", errno.EXDEV),
        ("abs", errno.EXDEV),
        ("self", errno.EXDEV),
        ("loop", errno.ELOOP),
        ("dangling", errno.ENOENT),
        ("nothing", errno.ENOENT),
        ("f/x", errno.ENOTDIR),
        ("fifo", errno.EPERM),
        ("x" * 300, errno.ENAMETOOLONG),
    ],
)
def test_open_beneath(root: Path, path: str, expected: bytes | int) -> None:
    directory = os.open(root, os.O_RDONLY)
    before = len(os.listdir("/proc/self/fd"))
    try:
        if isinstance(expected, int):
            with pytest.raises(OSError) as caught:
                open_beneath(directory, path.encode().split(b"/"))
            assert caught.value.errno == expected
        else:
            fd, status = open_beneath(directory, path.encode().split(b"/"))
            assert os.read(fd, 100) == expected and status.st_size == len(expected)
            os.close(fd)
        assert len(os.listdir("/proc/self/fd")) == before, "a descriptor is left open"
    finally:
        os.close(directory)


def test_open_directories_beneath(root: Path) -> None:
    directory = os.open(root, os.O_RDONLY)
    for path, expected in (("", root), ("d/e", root / "d" / "e"), ("dir", root / "d")):
        fd, status = open_beneath(directory, path.encode().split(b"/") if path else [])
        assert status.st_ino == expected.stat().st_ino
        os.close(fd)
    os.close(directory)
