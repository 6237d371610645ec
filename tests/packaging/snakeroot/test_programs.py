"""A user's program on its way into the image, with a local index of wheels made here.

Breaks when something that cannot run on the box gets in, something it needs does not, or a build is not repeated when
what it is made from has changed.
"""

from __future__ import annotations

import dataclasses
import json
import platform
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from snakeroot import cli, config, native, programs, resolve, shared
from snakeroot.config import Service
from snakeroot.host import BuildError

from tests.packaging.snakeroot.wheelhouse import LIBRARY, Index

TAG = f"cp{sys.version_info[0]}{sys.version_info[1]}"
NATIVE = f"{TAG}-{TAG}-manylinux_2_17_{platform.machine()}"

#: In place of the frozen program: the Python of the tests, with h11 frozen in.
STAND_IN = """#!/bin/sh
shift
case "$*" in
-V) echo Python {version} ;;
*importlib.metadata*) echo '{{"h11": "0.16.0"}}' ;;
*) exec {python} "$@" ;;
esac
"""


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Index:
    monkeypatch.setattr(shared, "version", lambda: (2, 36))
    return Index(tmp_path / "index", monkeypatch)


@pytest.fixture
def toolbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "toolbox"
    path.write_text(STAND_IN.format(version=platform.python_version(), python=sys.executable))
    path.chmod(0o755)
    monkeypatch.setenv("SNAKEROOT_TOOLBOX", str(path))
    return path


@pytest.fixture
def box(tmp_path: Path, index: Index, toolbox: Path) -> Path:
    """An instance with one service."""
    folder = tmp_path / "box"
    (folder / "hello").mkdir(parents=True)
    (folder / "hello" / "hello.py").write_text("import h11\n")
    (folder / "snakeroot.toml").write_text('hostname = "x"\n[services.hello]\npython = "./hello"\n')
    return folder


def made(box: Path, **settings: str) -> programs.Program:
    instance = config.load(box)
    service = dataclasses.replace(instance.settings.services["hello"], **settings)
    return programs.install(instance, "hello", service, box.parent / "toolbox")


def require(box: Path, *lines: str) -> None:
    (box / "hello" / "requirements.txt").write_text("".join(f"{line}\n" for line in lines))


def names(program: programs.Program) -> set[str]:
    found = {path.name for path in program.folder.iterdir()}
    return {name for name in found if not name.endswith(".dist-info") and name[0] not in "._"}


@pytest.mark.parametrize(
    ("python", "module"),
    [
        *(("./hello", "hello"), ("/a/b-c/", "b_c"), ("golink==1.2", "golink")),
        *(("my-tool[x]>=1; python_version>'3'", "my_tool"), ("tool @ file:///x/tool.whl", "tool")),
    ],
)
def test_the_module_that_is_run(python: str, module: str) -> None:
    assert programs.module(Service(python=python)) == module
    assert programs.module(Service(python=python, module="other")) == "other"


def test_what_is_built_in_counts_as_installed(index: Index, box: Path) -> None:
    index.wheel("tool", requires=("h11>=0.10",))
    index.wheel("h11", "0.17")
    require(box, "tool")
    program = made(box)
    assert (program.runtime, program.why) == ("static", "")
    assert names(program) == {"hello.py", "tool.py"}
    assert program.packages == {"tool": "1.0", "h11": "0.16.0"}


def test_another_version_of_what_is_built_in_comes_along(index: Index, box: Path) -> None:
    index.wheel("tool", requires=("h11>=0.17",))
    index.wheel("h11", "0.17")
    require(box, "tool")
    program = made(box)
    assert names(program) == {"hello.py", "tool.py", "h11.py"}
    assert program.packages == {"tool": "1.0", "h11": "0.17"}


def test_a_compiled_package(index: Index, box: Path) -> None:
    index.wheel("fast", tag=NATIVE, files={"fast.py": "", "_fast.so": LIBRARY})
    require(box, "fast")
    program = made(box)
    assert (program.runtime, program.why) == ("dynamic", "_fast.so")
    assert program.native == ["_fast.so"]
    assert program.size > len(LIBRARY)
    with pytest.raises(BuildError, match=r"services\.hello: _fast\.so of fast 1\.0") as caught:
        made(box, runtime="static")
    assert 'runtime = "auto"' in caught.value.hint


def test_a_package_that_can_be_pure_is(index: Index, box: Path) -> None:
    index.wheel("quick", tag=NATIVE, files={"quick.py": "old = 1", "_quick.so": LIBRARY})
    index.archive("quick")
    require(box, "quick")
    program = made(box)
    assert (program.runtime, program.why) == ("static", "without the compiled part of quick")
    assert names(program) == {"hello.py", "quick.py"}
    assert (program.folder / "quick.py").read_text() == "import sys"
    assert made(box, runtime="dynamic").native == ["_quick.so"]


def test_ctypes_in_what_the_program_imports(index: Index, box: Path) -> None:
    index.wheel("watch", files={"watch.py": "import ctypes\nlibc = ctypes.CDLL(None)\n"})
    require(box, "watch")
    assert made(box).runtime == "static"
    (box / "hello" / "hello.py").write_text("import watch\n")
    assert (made(box).runtime, made(box).why) == ("dynamic", "ctypes in watch.py")
    assert made(box, runtime="static").runtime == "static"


def test_a_file_of_a_package_need_not_compile(index: Index, box: Path) -> None:
    """As with pip: it is an example for Python 2, and nobody imports it."""
    old = "print 'old'\n"
    index.wheel("tool", files={"tool/__init__.py": "", "tool/old.py": old, "contrib/old.py": old})
    require(box, "tool")
    folder = made(box).folder
    assert [path.name for path in (folder / "tool").iterdir() if path.is_file()] == [
        *("__init__.py", "old.py"),
    ]
    assert [path.name.split(".")[0] for path in (folder / "tool/__pycache__").iterdir()] == [
        "__init__"
    ]
    assert (folder / "contrib" / "old.py").read_text() == old


@pytest.mark.parametrize("name", ["hello.py", "more/old.py"])
def test_a_file_of_the_program_must_compile(index: Index, box: Path, name: str) -> None:
    (box / "hello" / "more").mkdir()
    (box / "hello" / name).write_text("\nprint 'old'\n")
    said = rf"^services\.hello: {name}:2: SyntaxError: Missing .*: print 'old'$"
    for _ in range(2):  # what could not be made is not kept
        with pytest.raises(BuildError, match=said):
            made(box)
    (box / "hello" / name).write_text("")
    assert (made(box).folder / name).exists()


def test_a_module_of_a_project_must_compile(index: Index, box: Path) -> None:
    source = box / "hello"
    index.archive("hello")
    with tarfile.open(index.folder / "hello-1.0.tar.gz") as archive:
        for member in ("pyproject.toml", "backend.py"):
            file = archive.extractfile(f"hello-1.0/{member}")
            assert file
            (source / member).write_bytes(file.read().replace(b'import sys"', b"print 'old'\""))
    (source / "hello.py").write_text("print 'old'")
    with pytest.raises(BuildError, match=r"^services\.hello: hello\.py:1: SyntaxError: Missing"):
        made(box)


def test_a_program_is_made_again_when_something_has_changed(index: Index, box: Path) -> None:
    index.wheel("tool")
    require(box, "tool")

    def stamp() -> int:
        return (made(box).folder / "hello.py").stat().st_mtime_ns

    first = stamp()
    assert stamp() == first
    (box / "hello" / "hello.py").write_text("changed\n")
    second = stamp()
    assert second != first
    index.wheel("tool", "1.1")
    assert stamp() == second, "the lock holds"
    assert cli.main(["-C", str(box), "lock"]) == 0
    assert stamp() != second
    assert made(box).packages == {"tool": "1.1"}


def test_a_requirement_has_its_lock_in_the_instance(index: Index, box: Path) -> None:
    index.wheel("tool", files={"tool/__main__.py": ""})
    text = (box / "snakeroot.toml").read_text().replace("./hello", "tool==1.0")
    (box / "snakeroot.toml").write_text(text)
    assert made(box).packages == {"tool": "1.0"}
    assert resolve.locked(box / "pylock.hello.toml") == {"tool": "1.0"}


def test_a_library_that_the_image_lacks_is_named(box: Path) -> None:
    """gcc links what needs one of ours, one of the box's, and one that nobody has."""
    folder = box / "hello"
    for name, others in (
        ("own", ("-Wl,-soname,libown.so.1.1.1k",)),  # as OpenSSL names its own in wheels
        ("absent", ()),
        ("fast", ("-lown", "-labsent", "-lm", "-lc")),
    ):
        argv = ["gcc", "-shared", "-nostdlib", "-Wl,--no-as-needed", f"-L{folder}", *others]
        subprocess.run([*argv, "-o", folder / f"lib{name}.so", "-x", "c", "/dev/null"], check=True)
    (folder / "libabsent.so").unlink()
    (folder / "libown.so").rename(folder / "libown.so.1.1.1k")
    program = made(box)
    assert program.lacking == {"libabsent.so": "libfast.so"}
    line = programs.report({"hello": dataclasses.replace(program, runtime="static")}, box)[1]
    assert line.strip() == "libfast.so needs libabsent.so, which the image does not have"


def test_what_is_for_another_machine_or_python(box: Path) -> None:
    (box / "hello" / "x.cpython-27-x86_64-linux-gnu.so").write_bytes(LIBRARY)
    with pytest.raises(BuildError, match=r"x\.cpython-27.* is for CPython 2\.7, and the box has"):
        made(box)


def test_check_says_which_python_and_why(
    index: Index, box: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    index.wheel("tool")
    require(box, "tool")
    assert cli.main(["-C", str(box), "check"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0].endswith("snakeroot.toml: good")
    assert said[1].split() == ["hello", "0.0", "MB", "static"]
    assert cli.main(["-C", str(box), "check", "--json"]) == 0
    hello = json.loads(capsys.readouterr().out)["services"]["hello"]
    assert (hello["runtime"], hello["packages"], hello["native"]) == ("static", {"tool": "1.0"}, [])
    require(box, "absent")
    assert cli.main(["-C", str(box), "check", "--json"]) == 1
    error = json.loads(capsys.readouterr().out)["error"]
    assert "absent: the package index has no such package" in error["text"]
    assert error["hint"]


def test_lock_of_a_service_that_is_not_there(box: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["-C", str(box), "lock", "nope"]) == 1
    assert "nope: no service of this instance" in capsys.readouterr().err


def test_lock_names_what_changed(
    index: Index, box: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    index.wheel("tool")
    require(box, "tool")
    made(box)
    index.wheel("tool", "2.0", requires=("more",))
    index.wheel("more")
    assert cli.main(["-C", str(box), "lock"]) == 0
    assert capsys.readouterr().out == "hello: more none -> 1.0\nhello: tool 1.0 -> 2.0\n"


def test_nothing_of_this_machine_is_in_it(index: Index, box: Path) -> None:
    wheel = index.wheel("tool", files={"tool.py": "", "tool-1.0.data/scripts/run": "#!python\n"})
    require(box, str(wheel))
    program = made(box)
    assert not list(program.folder.glob(".*"))
    assert not (program.folder / "bin").exists()
    for path in program.folder.rglob("*.dist-info/*"):
        assert str(box.parent).encode() not in path.read_bytes()
    assert native.packages(program.folder).keys() == {"tool"}
