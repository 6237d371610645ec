"""Stages: built once for their inputs, and never half.

They break when an interrupted build is taken for a finished one, when a changed input or a changed builder
does not make a new stage, or when a finished stage is built again.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from interpreter.stages import KEPT, Stage, fit, reachable
from interpreter.workshop import BuildError, run


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SNAKEROOT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_built_once(tmp_path: Path) -> None:
    built = []

    def build(folder: Path, log: Path) -> None:
        built.append(folder)
        (folder / "result").write_text("made")

    for _ in range(2):
        stage = Stage("thing", ["a"], build)
        stage.make(tmp_path / "log")
        assert stage.complete
        assert (stage.folder / "result").read_text() == "made"
    assert len(built) == 1


def test_inputs_and_builder_make_the_key() -> None:
    def build(folder: Path, log: Path) -> None:
        (folder / "result").write_text("made")

    def other(folder: Path, log: Path) -> None:
        (folder / "result").write_text("made otherwise")

    def key(inputs: list[str], builder: object) -> str:
        return Stage("thing", inputs, builder).key  # type: ignore[arg-type]

    assert key(["a"], build) == key(["a"], build)
    assert key(["a"], build) != key(["b"], build)
    assert key(["ab", "c"], build) != key(["a", "bc"], build)
    assert key(["a"], build) != key(["a"], other)


@pytest.mark.parametrize(
    "name", ["two words", "ü", "it's $y", "a,b:c", 'q"', "back\\slash", "#%;&"]
)
def test_built_where_the_tools_can_take_the_path(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The makefile of a stage has its folder in its rules, as configure writes them; and another stage's."""
    monkeypatch.setenv("SNAKEROOT_CACHE", str(tmp_path / name))
    seen = []

    def build(folder: Path, log: Path) -> None:
        seen.append(folder)
        other = reachable(tmp_path / name, folder / "other")
        (folder / "Makefile").write_text(f"{folder}/made: {other}\n\techo made >{folder}/made\n")
        run(["make", "-C", folder], log=log)

    stage = Stage("thing", [], build)
    stage.make(tmp_path / "log")
    assert (stage.folder / "made").read_text() == "made\n"
    assert fit(seen[0]) and not seen[0].exists() and not fit(stage.folder)


@pytest.mark.parametrize("end", [BuildError("no"), KeyboardInterrupt()])
def test_interrupted(tmp_path: Path, end: BaseException) -> None:
    attempts = []

    def build(folder: Path, log: Path) -> None:
        assert list(folder.iterdir()) == []  # nothing of an attempt before
        (folder / "half").write_text("")
        attempts.append(folder)
        if len(attempts) == 1:
            raise end

    stage = Stage("thing", ["a"], build)
    with pytest.raises(type(end)):
        stage.make(tmp_path / "log")
    assert not stage.complete
    stage.make(tmp_path / "log")
    assert stage.complete


def test_old_ones_go(tmp_path: Path) -> None:
    """A stage of other inputs stays while somebody uses it, then is removed."""

    def build(folder: Path, log: Path) -> None:
        (folder / "result").write_text("made")

    stages = [Stage("thing", [letter], build) for letter in "abc"]
    long_ago = time.time() - KEPT - 60
    for stage in stages[:2]:
        stage.make(tmp_path / "log")
        os.utime(stage.folder / "complete", (long_ago, long_ago))
    stages[1].use()
    stages[2].make(tmp_path / "log")
    assert [stage.complete for stage in stages] == [False, True, True]
    assert not stages[0].folder.exists()
