"""./dev: what it says when something is wrong, and what it does not do again.

They break when a wrong command line is obeyed or ends in a traceback, when a failed step hides its log, when
an interrupted step counts as done, or when a Rust that is too old is taken.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from interpreter import workshop
from snakeroot.host import step

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def dev() -> ModuleType:
    loader = importlib.machinery.SourceFileLoader("dev", str(ROOT / "dev"))
    spec = importlib.util.spec_from_loader("dev", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("words", "status"), [([], 2), (["nonsense"], 2), (["--help"], 0), (["-h"], 0)]
)
def test_usage(words: list[str], status: int) -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "dev", *words], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == status
    text, other = (done.stdout, done.stderr) if status == 0 else (done.stderr, done.stdout)
    assert text.startswith("./dev COMMAND") and other == ""


def test_every_command_is_explained(dev: ModuleType) -> None:
    assert dev.__doc__
    for command in ("run", "build", "test", "lint", "bench", "doctor"):
        assert f"\n  {command} " in dev.__doc__


def test_missing_things_are_named(dev: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    needs = {"no-such-program": "a-package", "/no/such/*/file.h": "b-dev", "sh": "dash", "/etc": ""}
    assert dev.missing(needs) == {"no-such-program": "a-package", "/no/such/*/file.h": "b-dev"}


def test_nothing_is_installed_unasked(
    dev: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(dev.NEEDS, "lint", {"no-such-program": "a-package"})
    monkeypatch.setattr(dev.sys, "stdin", open("/dev/null"))
    with pytest.raises(workshop.BuildError, match="--yes"):
        dev.provide(["lint"], False)
    assert "no-such-program is missing: package a-package" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("version", "enough"),
    [
        ("rustc 1.83.0 (90b35a623 2024-11-26)", True),
        ("rustc 1.82.9", False),
        ("1.96.0+dfsg1-1~deb12u2", True),
        ("rustc 2.0.0-nightly", True),
        ("(none)", False),
        ("", False),
    ],
)
def test_recent_rust(dev: ModuleType, version: str, enough: bool) -> None:
    assert dev.recent(version) is enough


def test_made_once_for_its_inputs(dev: ModuleType, tmp_path: Path) -> None:
    stamp = tmp_path / "folder/stamp"

    def made(*parts: bytes) -> bool:
        with dev.changed(stamp, parts) as new:
            return bool(new)

    assert [made(b"a", b"b"), made(b"a", b"b"), made(b"ab"), made(b"ab")] == [True, False] * 2


def test_failed_making_is_not_noted(dev: ModuleType, tmp_path: Path) -> None:
    stamp = tmp_path / "stamp"
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt), dev.changed(stamp, [b"a"]) as new:
            assert new
            raise KeyboardInterrupt


def test_failed_step_names_its_log_and_last_lines(tmp_path: Path) -> None:
    log = tmp_path / "log/step.log"
    with pytest.raises(workshop.BuildError) as failure:
        workshop.run(["sh", "-c", "echo the reason >&2; exit 3"], log=log)
    text = str(failure.value)
    assert str(log) in text and "status 3" in text and text.endswith("the reason")
    assert log.read_text() == "$ sh -c 'echo the reason >&2; exit 3'\nthe reason\n"


def test_missing_tool_is_named(tmp_path: Path) -> None:
    with pytest.raises(workshop.BuildError, match=r"no-such-tool: not found; .*doctor"):
        workshop.run(["no-such-tool"], log=tmp_path / "log")


def test_step_shows_its_title_and_time(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(KeyError), step("a step"):
        raise KeyError
    line = capsys.readouterr().err
    assert line.startswith("  a step ") and line.endswith(" s\n")
