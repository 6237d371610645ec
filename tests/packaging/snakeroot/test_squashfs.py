"""The root's squashfs, read back by unsquashfs.  Breaks when a file, a mode or the order of packing is lost."""

from __future__ import annotations

import os
import stat
import subprocess
import tempfile
from pathlib import Path

import pytest
from snakeroot import squashfs
from snakeroot.host import BuildError
from snakeroot.tree import Tree


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SNAKEROOT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def example() -> Tree:
    tree = Tree()
    tree.file("bin/program", b"\x7fELF" + bytes(300_000), 0o755)
    tree.link("bin/ls", "program")
    tree.file("etc/secret", b"x", 0o600)
    tree.file("etc/grüße, zwei\n", "two\nlines")
    tree.folder("tmp", 0o1777)
    tree.folder("closed", 0o555)
    tree.file("closed/inside", b"1")
    tree.link("sbin", "bin")
    return tree


def contents(image: Path, folder: Path) -> dict[str, tuple[int, bytes]]:
    """What unsquashfs finds: name -> mode, and bytes or a link's target."""
    argv = ["unsquashfs", "-quiet", "-no-progress", "-d", str(folder), str(image)]
    subprocess.run(argv, check=True, capture_output=True)
    found: dict[str, tuple[int, bytes]] = {}
    for path in folder.rglob("*"):
        mode = path.lstat().st_mode
        data = b""
        if stat.S_ISLNK(mode):
            data = os.fsencode(os.readlink(path))
        elif stat.S_ISREG(mode):
            data = path.read_bytes()
        found[str(path.relative_to(folder))] = (mode, data)
    return found


@pytest.mark.parametrize("compression", ["zstd", "lz4"])
def test_what_goes_in_comes_out(tmp_path: Path, compression: str) -> None:
    image = tmp_path / "root"
    squashfs.write(example(), image, compression)
    wanted = {name: (entry.mode, entry.data) for name, entry in example()}
    assert contents(image, tmp_path / "out") == wanted
    said = subprocess.run(["unsquashfs", "-s", image], capture_output=True, text=True, check=True)
    assert f"Compression {compression}" in said.stdout
    assert "Block size 32768" in said.stdout
    assert image.stat().st_size % 4096 == 0, "whole blocks, as a partition has"


def test_everything_belongs_to_root_and_has_no_time(tmp_path: Path) -> None:
    image = tmp_path / "root"
    squashfs.write(example(), image, "zstd")
    listed = subprocess.run(
        ["unsquashfs", "-lln", image],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "TZ": "UTC"},
    )
    lines = [line for line in listed.stdout.splitlines() if line.startswith(("d", "-", "l"))]
    assert len(lines) == len(list(example())) + 1
    for line in lines:
        assert line.split()[1] == "0/0"
        assert "1970-01-01 00:00" in line
    assert lines[0].startswith("drwxr-xr-x "), "the root itself, whatever the umask"


def test_what_seldom_changes_is_packed_once(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed: list[str] = []
    run = squashfs.run

    def spy(argv: list[str | Path]) -> bytes:
        if "-version" not in argv:
            packed.append("append" if "-no-recovery" in argv else "bin")
        return run(argv)

    monkeypatch.setattr(squashfs, "run", spy)
    image = tmp_path / "root"
    tree = example()
    squashfs.write(tree, image, "zstd")
    assert packed == ["bin", "append"]
    squashfs.write(tree, image, "zstd")
    assert packed == ["bin", "append"], "nothing changed, nothing is done"
    tree.file("etc/motd", b"hello")
    squashfs.write(tree, image, "zstd")
    assert packed == ["bin", "append", "append"]
    tree.file("bin/program", b"new", 0o755)
    squashfs.write(tree, image, "zstd")
    assert packed[3:] == ["bin", "append"]
    squashfs.write(tree, image, "lz4")
    assert packed[5:] == ["bin", "append"], "the other compression is another file"
    assert len(list((cache / "squashfs").iterdir())) == 3, "and no scraps"


def test_the_cache_forgets_what_was_used_longest_ago(tmp_path: Path, cache: Path) -> None:
    def write(number: int) -> set[Path]:
        tree = example()
        tree.file("bin/program", b"%d" % number, 0o755)
        squashfs.write(tree, tmp_path / f"root{number}", "lz4")
        return set((cache / "squashfs").iterdir())

    first = write(0)
    for number in range(1, squashfs.REMEMBERED):
        kept = write(number)
    assert len(kept) == squashfs.REMEMBERED
    for age, path in enumerate([*first, *(kept - first)]):
        os.utime(path, (age, age))
    (tmp_path / "root0").unlink()
    write(0)  # used again
    assert len(write(99)) == squashfs.REMEMBERED
    assert first < write(99)


def test_same_tree_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images = []
    for number in ("1", "2"):
        monkeypatch.setenv("SNAKEROOT_CACHE", str(tmp_path / number / "cache"))
        images.append(tmp_path / number / "root")
        squashfs.write(example(), images[-1], "zstd")
    assert images[0].read_bytes() == images[1].read_bytes()


def test_an_interrupted_build_leaves_the_old_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = tmp_path / "root"
    squashfs.write(example(), image, "zstd")
    before = image.read_bytes()
    changed = example()
    changed.file("etc/motd", b"hello")
    real = squashfs.run
    monkeypatch.setattr(squashfs, "run", lambda a: real(a) if "-version" in a else real(["false"]))
    with pytest.raises(BuildError, match="false ended with status 1"):
        squashfs.write(changed, image, "zstd")
    assert image.read_bytes() == before
    monkeypatch.undo()
    squashfs.write(changed, image, "zstd")
    assert image.read_bytes() != before, "not taken for up to date"


def test_a_device_has_no_place_in_the_root(tmp_path: Path) -> None:
    tree = Tree()
    tree.device("dev/null", 1, 3)
    with pytest.raises(BuildError, match="/dev/null: a device in the root"):
        squashfs.write(tree, tmp_path / "root", "zstd")


def owners(image: Path) -> dict[str, str]:
    argv = ["unsquashfs", "-lln", image]
    listed = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    lines = [line.split(maxsplit=5) for line in listed.splitlines() if line[:1] in ("d", "-", "l")]
    return {line[5].removeprefix("squashfs-root").lstrip("/"): line[1] for line in lines}


@pytest.mark.lab
@pytest.mark.parametrize("builder", [0, 1000, 70000])
def test_owners_are_those_of_the_tree_whoever_builds(tmp_path: Path, builder: int) -> None:
    """Also when whoever builds has the number of one of them; and the bytes are the same for all."""
    tree = example()
    tree.file("etc/hello key", b"x", 0o600, uid=70000, gid=70001)
    tree.folder("lib/hello", 0o750, gid=1000)
    tree.file('lib/hello/"quoted\\name', b"x")
    tree.file("lib/hello/mine", b"x", 0o640, uid=1000, gid=70000)

    def write(uid: int) -> Path:
        folder = tmp_path / str(uid)
        folder.mkdir()
        os.chown(folder, uid, uid)
        if not (child := os.fork()):
            try:
                os.environ["SNAKEROOT_CACHE"] = str(folder / "cache")
                os.setgid(uid)
                os.setuid(uid)
                squashfs.write(tree, folder / "root", "zstd")
                os._exit(0)
            finally:
                os._exit(1)
        assert os.waitpid(child, 0)[1] == 0
        return folder / "root"

    for folder in (tmp_path, *tmp_path.parents):
        if folder == Path(tempfile.gettempdir()):
            break
        folder.chmod(0o755)
    found = owners(image := write(builder))
    assert found.pop("etc/hello key") == "70000/70001"
    assert found.pop("lib/hello") == "0/1000"
    assert found.pop("lib/hello/mine") == "1000/70000"
    assert set(found.values()) == {"0/0"}
    assert '"quoted\\\\name' in " ".join(found) or 'lib/hello/"quoted\\name' in found
    if builder:
        assert image.read_bytes() == write(0).read_bytes()
    assert image.stat().st_mode & 0o777 == 0o600
