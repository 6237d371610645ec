"""The two programs of ./dev build: the one with the snapshot, and the plain one, which is the reference."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from interpreter import link, stages
from interpreter.snapshot import heat
from interpreter.snapshot.layouts import Layouts

ROOT = Path(__file__).resolve().parents[4]

#: What every run gets, unless a test is about the environment.
ENVIRONMENT = {"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "LANG": "C.UTF-8", "TZ": "UTC"}


def _kept(name: str, folder: Path) -> Path:
    """A program under a name of our own, whatever ./dev build does meanwhile."""
    made, kept = ROOT / "build" / name, folder / name
    if not made.exists():
        pytest.fail(f"{made} is not there: ./dev build makes it")
    try:
        os.link(made, kept)
    except OSError:  # another file system
        shutil.copy(made, kept)
    return kept


@pytest.fixture(scope="session")
def programs() -> Iterator[Path]:
    """A folder with both, `toolbox` and `toolbox-plain`, which everybody may enter (pytest's own nobody may)."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        for program in ("toolbox", "toolbox-plain", "toolbox.symbols"):
            _kept(program, folder)
        yield folder


@pytest.fixture(scope="session")
def snapshot(programs: Path) -> Path:
    return programs / "toolbox"


@pytest.fixture(scope="session")
def plain(programs: Path) -> Path:
    return programs / "toolbox-plain"


@pytest.fixture
def run() -> Callable[..., str]:
    """Run Python code in a program; its output.  A status that is not 0, or a message, fails the test."""

    def call(
        program: Path, code: str, *words: str, env: Mapping[str, str] = ENVIRONMENT, **more: Any
    ) -> str:
        more = {"stdin": subprocess.DEVNULL, "timeout": 120, "check": False} | more
        done = subprocess.run(
            [program, "-c", code, *words], env=env, capture_output=True, text=True, **more
        )
        assert (done.returncode, done.stderr) == (0, ""), done.stderr
        return done.stdout

    return call


@pytest.fixture
def both(snapshot: Path, plain: Path, run: Callable[..., str]) -> Callable[..., str]:
    """Run code in both programs, which must print the same; what they print."""

    def call(code: str, *words: str, **more: Any) -> str:
        ours, theirs = run(snapshot, code, *words, **more), run(plain, code, *words, **more)
        assert ours == theirs
        return ours

    return call


@pytest.fixture(scope="session")
def linker(tmp_path_factory: pytest.TempPathFactory) -> link.Linker:
    """With all stages from the cache; ./dev build fills it."""
    folder = tmp_path_factory.mktemp("linker")
    log = folder / "log"
    made = stages.every(log)
    if not made.complete:
        pytest.fail("a stage is not in the cache: ./dev build makes it")
    link.freeze(made.python, made.code, folder / "frozen", log)
    return link.Linker(made.ssl, made.python, made.native, folder / "frozen", log)


@pytest.fixture(scope="session")
def recorder(linker: link.Linker, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The recorder, as it is linked for the first recording."""
    folder = tmp_path_factory.mktemp("recorder")
    heat.write_lists([], None, folder)
    linker.recorder(folder / "recorder", folder)
    return folder / "recorder"


@pytest.fixture(scope="session")
def known(linker: link.Linker) -> Layouts:
    """The layouts of the recorder's Rust."""
    return linker.layouts()
