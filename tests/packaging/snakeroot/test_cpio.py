"""The initramfs archive.  Breaks when GNU cpio reads anything else out of it than what was put in."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from snakeroot.cpio import archive
from snakeroot.host import BuildError
from snakeroot.tree import Tree

NAMES = st.text(alphabet="abcäß. _-", min_size=1, max_size=9).filter(lambda n: n.strip(".") != "")


def listed(data: bytes) -> list[str]:
    done = subprocess.run(["cpio", "-it", "--quiet"], input=data, capture_output=True, check=True)
    return done.stdout.decode().splitlines()


def test_cpio_unpacks_what_was_put_in(tmp_path: Path) -> None:
    tree = Tree()
    tree.file("/bin/program", b"\x7fELF" + bytes(1001), 0o755)
    tree.file("etc/motd", "grüße\n", uid=7, gid=8)
    tree.link("bin/ls", "program")
    tree.folder("tmp", 0o1777)
    subprocess.run(["cpio", "-idm", "--quiet"], input=archive(tree), cwd=tmp_path, check=True)
    assert (tmp_path / "bin/program").read_bytes() == b"\x7fELF" + bytes(1001)
    assert (tmp_path / "bin/program").stat().st_mode == 0o100755
    assert (tmp_path / "bin/ls").readlink() == Path("program")
    assert (tmp_path / "etc/motd").read_text() == "grüße\n"
    assert (tmp_path / "tmp").stat().st_mode == 0o41777


def test_devices_and_owners_are_listed() -> None:
    tree = Tree()
    tree.device("dev/console", 5, 1)
    tree.file("secret", b"x", 0o600, uid=12, gid=34)
    done = subprocess.run(
        ["cpio", "-itv", "--quiet", "--numeric-uid-gid"],
        input=archive(tree),
        capture_output=True,
        check=True,
    )
    lines = done.stdout.decode().splitlines()
    assert any(line.startswith("crw-------") and "5,   1" in line for line in lines)
    assert any(line.split()[:4] == ["-rw-------", "1", "12", "34"] for line in lines)


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(NAMES, st.binary(max_size=40), max_size=5))
def test_any_names_and_contents(files: dict[str, bytes]) -> None:
    tree = Tree()
    for name, data in files.items():
        tree.file(f"d/{name}", data)
    assert sorted(listed(archive(tree))) == sorted(
        {"d", *(f"d/{n}" for n in files)} if files else []
    )


def test_the_order_of_building_does_not_show() -> None:
    one, other = Tree(), Tree()
    for tree, names in ((one, "abc"), (other, "cab")):
        for name in names:
            tree.file(f"x/{name}", name)
    assert archive(one) == archive(other)


def test_two_kinds_under_one_name_are_refused() -> None:
    tree = Tree()
    tree.file("etc/x", b"")
    with pytest.raises(BuildError, match="/etc/x: is in the image already"):
        tree.link("/etc/x", "y")
    with pytest.raises(BuildError, match=r"must not contain '\.\.'"):
        tree.file("../x", b"")


def test_what_lies_below_a_link_gets_to_where_it_leads() -> None:
    tree = Tree()
    for name, target in (
        ("usr/bin", "../bin"),
        ("usr/local", "/usr"),
        ("sbin", "./usr//local/bin"),
        ("up", "../../bin"),
    ):
        tree.link(name, target)
    for number, name in enumerate(("bin", "usr/bin", "usr/local/bin", "sbin", "up")):
        tree.file(f"{name}/{number}", b"")
    assert [name for name, _ in tree if name.startswith("bin/")] == [f"bin/{n}" for n in range(5)]
    tree.link("a", "b/c")
    tree.link("b", "a")
    with pytest.raises(BuildError, match=r"^/a: its links lead to one another$"):
        tree.file("a/x", b"")
    with pytest.raises(BuildError, match=r"^/bin/0/x: /bin/0 is in the image already, and no"):
        tree.file("usr/bin/0/x", b"")
