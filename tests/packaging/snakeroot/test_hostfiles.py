"""Files of the host on their way into the image: odd ones are copied as they are, or refused by name.

Breaks when a program's folder with a dangling link, a loop, a fifo or a name that is no UTF-8 ends in a traceback
or an empty message, or when a file that few may read here may be read by all there.
"""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from snakeroot import config, programs, rootfs
from snakeroot.cli import main
from snakeroot.config import Service
from snakeroot.host import BuildError
from snakeroot.hostfiles import items
from snakeroot.resolve import Python
from snakeroot.tree import Tree

from tests.packaging.snakeroot.test_image import instance, toolbox

assert toolbox  # a fixture

ODD = os.fsdecode(b"caf\xe9 \xff")


def fifo(path: Path) -> None:
    os.mkfifo(path)


def unix_socket(path: Path) -> None:
    here = os.getcwd()
    os.chdir(path.parent)  # its path may be longer than a socket's may be
    try:
        with socket.socket(socket.AF_UNIX) as sock:
            sock.bind(path.name)
    finally:
        os.chdir(here)


def outward_loop(path: Path) -> None:
    path.symlink_to("../..")


REFUSED: list[tuple[Callable[[Path], None], str]] = [
    (fifo, "is a fifo, which an image cannot hold"),
    (unix_socket, "is a socket, which an image cannot hold"),
    (outward_loop, "leads back to a folder that it lies in"),
]


@pytest.mark.parametrize(("make", "words"), REFUSED)
@pytest.mark.parametrize("name", ["odd", ODD])
def test_what_no_image_can_hold_is_refused_by_name(
    tmp_path: Path, make: Callable[[Path], None], words: str, name: str
) -> None:
    folder = tmp_path / "top" / "deep"
    folder.mkdir(parents=True)
    make(folder / name)
    with pytest.raises(BuildError) as caught:
        list(items(tmp_path / "top"))
    text = str(caught.value)
    assert words in text
    assert str(folder) in text
    text.encode()


def odd_folder(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "data").write_text("data")
    (folder / "inside").symlink_to("data")
    (folder / "nowhere").symlink_to("no-such-file")
    (folder / "later").symlink_to("/perm/home/hello/made-on-the-box")
    (folder / "loop").symlink_to("loop")
    (folder / "one").symlink_to("two")
    (folder / "two").symlink_to("one")
    (folder / "here").symlink_to(".")
    (folder / "outside").symlink_to("/etc/hostname")
    (folder / ODD).write_text("odd")
    (folder / "empty").mkdir()


def test_links_are_copied_as_they_are_when_they_stay_or_lead_nowhere(tmp_path: Path) -> None:
    odd_folder(tmp_path / "x")
    tree = Tree()
    tree.copy("lib/x", tmp_path / "x")
    links = {
        name.removeprefix("lib/x/"): entry.data for name, entry in tree if stat.S_ISLNK(entry.mode)
    }
    assert links == {
        "inside": b"data",
        "nowhere": b"no-such-file",
        "later": b"/perm/home/hello/made-on-the-box",
        "loop": b"loop",
        "one": b"two",
        "two": b"one",
        "here": b".",
    }
    assert tree.entries["lib/x/outside"].data == Path("/etc/hostname").read_bytes()
    assert tree.entries[f"lib/x/{ODD}"].data == b"odd"
    assert stat.S_ISDIR(tree.entries["lib/x/empty"].mode)


def test_a_programs_folder_may_hold_odd_things(tmp_path: Path) -> None:
    odd_folder(source := tmp_path / "hello")
    (source / "hello.py").write_text("")
    (source / ".hidden").write_text("")
    (source / "requirements.txt").write_text("")
    target = tmp_path / "out"
    programs._copy(source, target, config.Instance(tmp_path, config.Settings(hostname="x")))
    copied = sorted(p.name for p in target.iterdir())
    assert copied == sorted(
        p.name for p in source.iterdir() if p.name not in (".hidden", "requirements.txt")
    )
    assert (target / "loop").is_symlink()
    assert (target / "outside").read_bytes() == Path("/etc/hostname").read_bytes()
    python = Python("3.13.5")
    one = config.Instance(tmp_path, config.Settings(hostname="x"))
    before = programs._inputs(one, Service(python="./hello"), None, python, {})
    (source / "nowhere").unlink()
    (source / "nowhere").symlink_to("elsewhere")
    assert programs._inputs(one, Service(python="./hello"), None, python, {}) != before


def test_the_instances_secrets_stay_out_of_a_program_that_is_the_instance(tmp_path: Path) -> None:
    for name in ("hello.py", "release.key", "update-token", "ssh_key", "first-password"):
        (tmp_path / name).write_text("x")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "release.key").write_text("somebody else's")
    one = config.Instance(tmp_path, config.Settings(hostname="x"))
    programs._copy(tmp_path, out := tmp_path.parent / "out", one)
    assert sorted(p.name for p in out.iterdir()) == ["hello.py", "sub"]
    assert (out / "sub" / "release.key").exists()


@pytest.mark.parametrize(
    ("files", "name", "words"),
    [
        ({"other.py": ""}, "hello", "has no module 'hello': set 'module' (there is other)"),
        ({}, "hello", "has no module 'hello': set 'module' (there is no module at all)"),
        ({"hello/__init__.py": ""}, "hello", "has no 'hello/__main__.py' to run"),
        ({"hello/__main__.py": ""}, "hello", ""),
        ({"hello.py": ""}, "hello", ""),
        ({"pkg/web.py": "", "pkg/__init__.py": ""}, "pkg.web", ""),
        ({"pkg/__init__.py": ""}, "pkg.web", "has no module 'pkg.web'"),
        ({}, "http.server", ""),
        ({}, "asyncssh", ""),
    ],
)
def test_a_module_that_is_not_there_is_told_before_the_box_looks_for_it(
    tmp_path: Path, files: dict[str, str], name: str, words: str
) -> None:
    for file, text in files.items():
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_text(text)
    said = programs.missing(tmp_path, name, ["asyncssh"])
    assert (words in said) if words else said == ""


# -- modes and owners --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        *((0o600, 0o600), (0o644, 0o644), (0o640, 0o640), (0o664, 0o644), (0o666, 0o644)),
        *((0o700, 0o700), (0o755, 0o755), (0o750, 0o750), (0o777, 0o755), (0o4755, 0o755)),
        *((0o400, 0o600), (0o444, 0o644), (0o604, 0o604), (0o711, 0o711), (0o611, 0o600)),
    ],
)
def test_who_may_not_read_a_file_here_may_not_there(
    tmp_path: Path, mode: int, expected: int
) -> None:
    path = tmp_path / "file"
    path.write_text("x")
    path.chmod(mode)
    tree = Tree()
    tree.copy("etc/file", path)
    assert tree.entries["etc/file"].mode == stat.S_IFREG | expected
    assert expected & 0o044 & ~mode == 0


@pytest.mark.parametrize(
    ("mode", "expected"), [(0o700, 0o700), (0o755, 0o755), (0o775, 0o755), (0o750, 0o750)]
)
def test_who_may_not_look_into_a_folder_here_may_not_there(
    tmp_path: Path, mode: int, expected: int
) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d").chmod(mode)
    tree = Tree()
    tree.copy("etc/d", tmp_path / "d")
    assert tree.entries["etc/d"].mode == stat.S_IFDIR | expected


@pytest.mark.usefixtures("toolbox")
def test_files_get_their_owner_and_nobody_sees_what_is_not_his(tmp_path: Path) -> None:
    folder = instance(tmp_path / "box")
    text = (folder / "snakeroot.toml").read_text()
    text += '"/etc/tool.key" = { source = "key", owner = "tool" }\n'
    text += '"/etc/own" = { source = "extra", owner = "tool", mode = "0440" }\n'
    text += '"/etc/plain.key" = "key"\n"/usr/bin/own" = "extra"\n'
    (folder / "snakeroot.toml").write_text(text)
    (folder / "key").write_text("secret")
    (folder / "key").chmod(0o600)
    one = config.load(folder)
    tree = dict(rootfs.root(one, tmp_path / "toolbox", rootfs_kernel(tmp_path), {}, {}))
    uid = config_uid(one, "tool")
    assert tree_of(tree, "etc/tool.key") == (0o600, uid, uid)
    assert tree_of(tree, "etc/plain.key") == (0o600, 0, 0)
    assert tree_of(tree, "etc/own") == (0o750, uid, uid)
    assert tree_of(tree, "etc/own/a") == (0o440, uid, uid)
    assert "bin/own/a" in tree and "usr/bin/own/a" not in tree  # /usr/bin is a link to /bin
    assert tree_of(tree, "etc/snakeroot/services.json") == (0o600, 0, 0)
    assert tree_of(tree, "lib/snakeroot/tool") == (0o750, 0, uid)
    assert tree_of(tree, "lib/snakeroot/tool/tool") == (0o755, 0, 0)


def rootfs_kernel(folder: Path) -> rootfs.Kernel:
    return rootfs.Kernel("6.1", folder / "vmlinuz", (folder / "modules",))


def config_uid(one: config.Instance, name: str) -> int:
    from snakeroot import services, users

    return users.numbers(services.users_of(one.settings))[name]


def tree_of(tree: dict[str, object], name: str) -> tuple[int, int, int]:
    entry = tree[name]
    return stat.S_IMODE(entry.mode), entry.uid, entry.gid  # type: ignore[attr-defined]


# -- the command line --------------------------------------------------------------------------------------


def test_no_error_is_without_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever goes wrong: one line that says what, never a traceback, never `: None`."""
    for error in (
        OSError("a text alone"),
        OSError(28, "No space left on device", "/x"),
        OSError(5, "Input/output error"),
        UnicodeEncodeError("utf-8", "\udcff", 0, 1, "surrogates not allowed"),
        RuntimeError("odd"),
        RecursionError(),
        KeyError("x"),
    ):

        def fail(folder: Path, error: Exception = error) -> None:
            raise error

        monkeypatch.setattr(config, "load", fail)
        assert main(["-C", str(tmp_path), "check"]) == 1
        said = capsys.readouterr().err
        assert said.startswith("snakeroot: ")
        assert "None" not in said
        assert ": :" not in said
        assert "Traceback" not in said
        assert len(said.splitlines()) <= 2


def test_a_shared_folder_is_read_by_all_whatever_the_umask_was(tmp_path: Path) -> None:
    """What was installed under 077 is a program that its service's user has to read."""
    source = tmp_path / "program"
    (source / "package").mkdir(parents=True)
    (source / "package" / "__init__.py").write_text("")
    (source / "tool").write_text("#!/bin/sh\n")
    for path, mode in (
        (source / "package" / "__init__.py", 0o600),
        (source / "tool", 0o700),
        (source / "package", 0o700),
        (source, 0o700),
    ):
        path.chmod(mode)
    tree = Tree()
    tree.copy("lib/x", source, shared=True)
    modes = {name: entry.mode & 0o7777 for name, entry in tree if name.startswith("lib/x")}
    assert modes == {
        "lib/x": 0o755,
        "lib/x/package": 0o755,
        "lib/x/package/__init__.py": 0o644,
        "lib/x/tool": 0o755,
    }
