"""`snakeroot dev`: what is sent for which change, and what the box makes of it.

Breaks when a file that was deleted, renamed or replaced by a folder is another one in the box than here, when old
bytecode outlives its source, or when something odd in the folder ends the session.
"""

from __future__ import annotations

import io
import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from snakeroot import bytecode, changes, config, develop, overlay
from snakeroot.changes import Change, Folder
from snakeroot.host import BuildError

#: What a program's packages are to be after every change.
PACKAGES = {"segno/__init__.py": b"segno", "segno/data/x": b"x", "segno.dist-info/METADATA": b"m"}


def write(folder: Path, files: dict[str, bytes]) -> None:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)


@pytest.fixture
def instance(tmp_path: Path) -> config.Instance:
    path = tmp_path / "instance"
    write(path / "web", {"web.py": b"print(1)\n", "pages/index.html": b"<p>", "pages/a.py": b"a=1"})
    (path / config.FILE).write_text('hostname = "box"\n[services.web]\npython = "./web"\n')
    return config.load(path)


@pytest.fixture
def box(instance: config.Instance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in for the box: the folder of its programs.  A mount is a copy there."""
    released = tmp_path / "programs" / "web"
    shutil.copytree(instance.path / "web", released)
    write(released, PACKAGES)
    for name in ("web.py", "pages/a.py", "segno/__init__.py"):
        write(released, {overlay.bytecode(name): b"old bytecode"})

    def call(*words: str) -> None:
        if words[:2] == ("mount", "--bind") and words[3].endswith("/lower"):
            shutil.copytree(words[2], words[3], dirs_exist_ok=True, symlinks=True)

    monkeypatch.setattr(overlay, "PROGRAMS", str(released.parent))
    monkeypatch.setattr(overlay, "PLACE", str(tmp_path / "run"))
    monkeypatch.setattr(overlay, "call", call)
    return released


class Pair:
    """A folder here, and what the box has over it."""

    def __init__(self, instance: config.Instance) -> None:
        self.source = instance.path / "web"
        self.said: list[str] = []
        self.folder = Folder(self.source, instance, self.said.append)
        self.overlay = overlay.Overlay("web")
        self.overlay.lock()
        self.overlay.mount()
        now = self.folder.look()
        asked = {name: [one.kind, one.mode, one.what] for name, one in now.items()}
        lacking = self.overlay.keep(json.loads(json.dumps(asked)))
        self.has = {name: one for name, one in now.items() if name not in lacking}
        self.top = Path(self.overlay.top)

    def bring(self) -> Change:
        now = self.folder.look()
        change = changes.between(self.has, now)
        data = self.folder.read(now, change.put)
        code = {name: b"code of " + data[name] for name in data if name.endswith(".py")}
        words, pieces = changes.request("web", change, now, data, code)
        words = json.loads(json.dumps(words))
        stream = io.BytesIO(b"".join(pieces))
        self.overlay.change(words["remove"], words["items"], stream)
        assert not stream.read()
        self.has = now
        return change

    def ours(self) -> dict[str, bytes | str]:
        return content(self.source)

    def theirs(self) -> dict[str, bytes | str]:
        """What the box has besides packages and bytecode."""
        return {
            name: what
            for name, what in content(self.top).items()
            if not name.startswith("segno") and "__pycache__" not in name
        }


def content(top: Path) -> dict[str, bytes | str]:
    """Name -> a file's bytes, a link's target, "/" for a folder.  Links out of the folder are followed."""
    found: dict[str, bytes | str] = {}

    def walk(folder: Path, name: str) -> None:
        for one in sorted(os.listdir(folder)):
            path, below = folder / one, f"{name}{one}"
            if path.is_symlink() and not os.readlink(path).startswith("/"):
                found[below] = os.readlink(path)
            elif path.is_dir():
                found[below] = "/"
                walk(path, f"{below}/")
            else:
                found[below] = path.read_bytes()

    walk(top, "")
    return found


def intact(pair: Pair) -> bool:
    found = content(pair.top)
    return all(found[name] == data for name, data in PACKAGES.items())


def test_what_is_as_in_the_release_is_not_sent(instance: config.Instance, box: Path) -> None:
    pair = Pair(instance)
    assert not pair.bring()
    assert pair.theirs() == pair.ours()
    # What asks where it lies itself finds its neighbours.
    assert (pair.top / "pages/a.py").resolve().parent == pair.top / "pages"


def test_what_differs_from_the_release_at_first_is_sent(
    instance: config.Instance, box: Path
) -> None:
    write(instance.path / "web", {"web.py": b"print(2)\n", "new/x.txt": b"x"})
    (instance.path / "web" / "pages" / "index.html").chmod(0o755)
    pair = Pair(instance)
    assert pair.bring() == Change(put=["new", "new/x.txt", "pages/index.html", "web.py"])
    assert pair.theirs() == pair.ours() and intact(pair)


def edited(source: Path) -> None:
    (source / "web.py").write_bytes(b"print(3)\n")


def deleted(source: Path) -> None:
    (source / "pages" / "a.py").unlink()


def renamed(source: Path) -> None:
    (source / "web.py").rename(source / "main.py")


def folder_renamed(source: Path) -> None:
    (source / "pages").rename(source / "sheets")


def folder_becomes_file(source: Path) -> None:
    shutil.rmtree(source / "pages")
    (source / "pages").write_bytes(b"file")


def file_becomes_folder(source: Path) -> None:
    (source / "web.py").unlink()
    write(source, {"web.py/inside": b"x"})


def folder_becomes_link(source: Path) -> None:
    (source / "pages").rename(source / "sheets")
    (source / "pages").symlink_to("sheets")


def touched(source: Path) -> None:
    os.utime(source / "web.py")


def hidden(source: Path) -> None:
    write(source, {".web.py.swp": b"x", "__pycache__/web.pyc": b"x", "requirements.txt": b"segno"})


CHANGES: list[tuple[Callable[[Path], None], list[str], list[str]]] = [
    (edited, [], ["web.py"]),
    (deleted, ["pages/a.py"], []),
    (renamed, ["web.py"], ["main.py"]),
    (folder_renamed, ["pages"], ["sheets", "sheets/a.py", "sheets/index.html"]),
    (folder_becomes_file, ["pages"], ["pages"]),
    (file_becomes_folder, ["web.py"], ["web.py", "web.py/inside"]),
    (folder_becomes_link, ["pages"], ["pages", "sheets", "sheets/a.py", "sheets/index.html"]),
    (touched, [], []),
    (hidden, [], []),
]


@pytest.mark.parametrize(("alter", "removed", "put"), CHANGES)
def test_only_what_changed_is_sent(
    instance: config.Instance,
    box: Path,
    alter: Callable[[Path], None],
    removed: list[str],
    put: list[str],
) -> None:
    pair = Pair(instance)
    pair.bring()
    alter(pair.source)
    assert pair.bring() == Change(removed, put)
    if alter is not hidden:
        assert pair.theirs() == pair.ours()
    assert intact(pair) and pair.said == []


def test_bytecode_is_that_of_the_source(instance: config.Instance, box: Path) -> None:
    pair = Pair(instance)
    code = pair.top / overlay.bytecode("web.py")
    assert code.read_bytes() == b"old bytecode"
    edited(pair.source)
    pair.bring()
    assert code.read_bytes() == b"code of print(3)\n"
    (pair.source / "web.py").unlink()
    deleted(pair.source)
    pair.bring()
    assert not os.path.lexists(code)
    assert not os.path.lexists(pair.top / overlay.bytecode("pages/a.py"))
    assert (pair.top / overlay.bytecode("segno/__init__.py")).read_bytes() == b"old bytecode"


@pytest.mark.parametrize("seed", range(40))
def test_any_changes_make_the_box_as_the_folder_is(
    instance: config.Instance, box: Path, seed: int
) -> None:
    choose = random.Random(seed)
    pair = Pair(instance)
    names = [a + b for a in ("", "a/", "pages/", "a/b/") for b in ("web.py", "a.py", "x", "b")]
    for step in range(12):
        for _ in range(choose.randrange(1, 5)):
            path = pair.source / choose.choice(names)
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            elif os.path.lexists(path):
                path.unlink()
            if choose.random() < 0.3 or any(
                os.path.lexists(one) and not (one.is_dir() and not one.is_symlink())
                for one in path.parents
            ):
                continue
            if choose.random() < 0.2:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.symlink_to(choose.choice(("x", "web.py", "nothing")))
            else:
                write(pair.source, {str(path.relative_to(pair.source)): b"%d" % step})
        pair.bring()
        assert pair.theirs() == pair.ours() and intact(pair)


def test_no_room_leaves_all_as_it_was(instance: config.Instance, box: Path) -> None:
    pair = Pair(instance)
    pair.bring()
    before = content(pair.top)
    write(pair.source, {"a.txt": b"a", "b.txt": b"b" * 100_000, "c.txt": b"c"})
    deleted(pair.source)
    (Path(pair.overlay.stage) / "1").symlink_to("/dev/full")
    has = pair.has
    with pytest.raises(OSError, match="No space left"):
        pair.bring()
    assert content(pair.top) == before and os.listdir(pair.overlay.stage) == []
    pair.has = has
    assert pair.bring().put == ["a.txt", "b.txt", "c.txt"]
    assert pair.theirs() == pair.ours()


def test_two_sessions_of_one_service(instance: config.Instance, box: Path) -> None:
    pair = Pair(instance)
    with pytest.raises(RuntimeError, match="another `snakeroot dev` has the service web"):
        Pair(instance)
    assert pair.theirs() == pair.ours()


def test_service_that_the_release_has_not(box: Path) -> None:
    with pytest.raises(RuntimeError, match="the box has no service other"):
        overlay.Overlay("other").lock()


def test_odd_things_are_one_line_each(instance: config.Instance, box: Path) -> None:
    pair = Pair(instance)
    os.mkfifo(pair.source / "fifo")
    (pair.source / "dangling").symlink_to("nowhere")
    (pair.source / "loop").symlink_to(".")
    odd = os.path.join(os.fsencode(pair.source), b"caf\xe9")
    with open(odd, "wb"):
        edited(pair.source)
    assert pair.bring().put == ["dangling", "loop", "web.py"]
    pair.bring()
    assert pair.said == [
        f"{os.fsdecode(odd)[:-1]}\\xe9: its name is no UTF-8: it is not sent",
        f"{pair.source}/dangling: leads to nothing: it is sent as it is",
        f"{pair.source}/fifo: is a fifo, which an image cannot hold: it is not sent",
    ]


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (b"x = 1\n", []),
        (b"x = 1\ndef broken(:\n", ["web.py:2: SyntaxError: invalid syntax", "  def broken(:"]),
        (b"if x:\nprint(1)\n", ["web.py:2: IndentationError: expected an indented block after"]),
        (b"\0", ["web.py: SyntaxError: source code string cannot contain null bytes"]),
        (b"x = '\xff'\n", ["web.py:1: SyntaxError: (unicode error) 'utf-8' codec can't decode"]),
    ],
)
def test_what_does_not_compile_is_one_line_or_two(
    tmp_path: Path, source: bytes, said: list[str]
) -> None:
    (tmp_path / "0.py").write_bytes(source)
    words = [str(tmp_path / "0.py"), str(tmp_path / "0.pyc"), "/lib/snakeroot/web/web.py", "web.py"]
    done = subprocess.run(
        [sys.executable, bytecode.__file__],
        input=json.dumps([words]).encode(),
        capture_output=True,
        check=True,
    )
    (found,) = json.loads(done.stdout)
    assert len(found) <= 2 and (tmp_path / "0.pyc").exists() == (not said)
    for line, start in zip(found, said, strict=False):
        assert line.startswith(start) or start.split(":")[-1] in line
    assert bool(found) == bool(said)


def test_time_of_a_save(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"")
    os.utime(tmp_path / "x", (1000.0, 1000.0))
    assert changes.saved(tmp_path, ["x", "gone"], 1000.5) == 1000.0
    assert changes.saved(tmp_path, ["x"], 2000.0) == 2000.0  # it was moved here
    assert changes.saved(tmp_path, [], 2000.0) == 2000.0


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ('python = "segno==1.6"', "services.web is a requirement"),
        ('python = "./project"', "services.web is a project"),
    ],
)
def test_services_without_a_folder_are_refused(
    instance: config.Instance, table: str, said: str
) -> None:
    write(
        instance.path / "project", {"pyproject.toml": b"[project]\nname='p'\n", "project.py": b""}
    )
    (instance.path / config.FILE).write_text(
        f'hostname = "box"\n[services.web]\n{table}\nmodule = "project"\n'
    )
    one = config.load(instance.path)
    with pytest.raises(BuildError, match=said):
        develop.chosen(one, ["web"])
    with pytest.raises(BuildError, match="no service is a folder"):
        develop.chosen(one, [])
    with pytest.raises(BuildError, match="there is no service 'other'"):
        develop.chosen(one, ["other"])
