"""A user's program on its way into the image, with a local index of wheels made here.

Breaks when something that cannot run on the box gets in, or something it needs does not.
"""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

import pytest
from snakeroot import programs
from snakeroot.config import Service
from snakeroot.host import BuildError


def wheel(folder: Path, name: str, files: dict[str, str], requires: str = "") -> None:
    info = f"{name}-1.0.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"
    if requires:
        metadata += f"Requires-Dist: {requires}\n"
    members = {
        **files,
        f"{info}/METADATA": metadata,
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/RECORD": "",
    }
    with zipfile.ZipFile(folder / f"{name}-1.0-py3-none-any.whl", "w") as archive:
        for member, text in members.items():
            archive.writestr(member, text)


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    return folder


def test_what_is_built_in_counts_as_installed(index: Path, tmp_path: Path) -> None:
    wheel(index, "tool", {"tool.py": "import h11\n"}, requires="h11>=0.10")
    target = tmp_path / "out" / "tool"
    target.mkdir(parents=True)
    programs._pip(target, ["tool==1.0"], {"h11": "0.16.0"}, "3.13.5")
    assert (target / "tool.py").exists()
    assert not list(target.glob("h11*")), "neither its code nor its stand-in is in the image"


def test_another_version_of_what_is_built_in_is_refused(index: Path, tmp_path: Path) -> None:
    wheel(index, "tool", {"tool.py": ""}, requires="h11>=99")
    target = tmp_path / "out" / "tool"
    target.mkdir(parents=True)
    with pytest.raises(BuildError) as caught:
        programs._pip(target, ["tool"], {"h11": "0.16.0"}, "3.13.5")
    assert "cannot be resolved for the box" in str(caught.value)
    assert "h11" in caught.value.hint


def test_shared_libraries_are_refused(tmp_path: Path) -> None:
    (tmp_path / "fast.cpython-313.so").write_bytes(b"")
    with pytest.raises(BuildError, match=r"fast\.cpython-313\.so is a shared library"):
        programs._refuse_native("hello", tmp_path)


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


def test_stand_ins_have_the_shipped_version(index: Path, tmp_path: Path) -> None:
    programs._stand_in(tmp_path, "some-thing", "2.5")
    with zipfile.ZipFile(tmp_path / "some_thing-2.5-py3-none-any.whl") as archive:
        assert "Version: 2.5\n" in archive.read("some_thing-2.5.dist-info/METADATA").decode()
    assert sys.version_info >= (3, 11)
