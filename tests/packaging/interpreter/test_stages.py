"""Stages: built once for their inputs, and never half.

They break when an interrupted build is taken for a finished one, when a changed input or a changed builder
does not make a new stage, or when a finished stage is built again.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from interpreter.stages import Stage
from interpreter.workshop import BuildError


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

    def with_a_comment(folder: Path, log: Path) -> None:
        # which changes nothing
        (folder / "result").write_text("made")

    def other(folder: Path, log: Path) -> None:
        (folder / "result").write_text("made otherwise")

    def key(inputs: list[str], builder: object) -> str:
        return Stage("thing", inputs, builder).key  # type: ignore[arg-type]

    assert key(["a"], build) == key(["a"], build)
    assert key(["a"], build) != key(["b"], build)
    assert key(["ab", "c"], build) != key(["a", "bc"], build)
    assert key(["a"], build) != key(["a"], other)
    assert key(["a"], with_a_comment) == key(["a"], with_a_comment)


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
