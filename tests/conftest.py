"""What all tests share: the black-box fixture `run`, and the choice of the program it runs.

pytest                          the applets from the checkout (python -m toolbox)
pytest --toolbox=build/toolbox -m blackbox     the same tests in the frozen program
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parent.parent

# How long an example takes depends on what else the machine does: no test fails by that.
settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any machine")


class Result(NamedTuple):
    """How a run ended: exit status (negative: the signal), standard output, standard error."""

    status: int
    out: bytes
    err: bytes


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--packages", action="store_true", help="try all packages, not a sample")
    parser.addoption("--toolbox", metavar="PATH", help="test this program instead of the checkout")


def pytest_configure(config: pytest.Config) -> None:
    """Let what the tests start obey signals, also when a shell's `&` or nohup started us.

    They ignore SIGINT, SIGQUIT or SIGHUP for us, and execve(2) would hand that down; it does not hand down a
    handler.  One that does nothing leaves us as deaf as we were meant to be.  Python ignores two itself, and gives
    them back to what it starts.
    """
    for number in signal.valid_signals() - {signal.SIGPIPE, signal.SIGXFSZ}:
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, lambda number, frame: None)
    # Modes of new files are what tests expect, whatever our caller's mask is; what is about a mask sets its own.
    os.umask(0o022)


#: Seconds in which a test that boots machines ends, however busy the host is.
BOOTS = 1200


def pytest_itemcollected(item: pytest.Item) -> None:
    # Before -m chooses, which happens among the hooks that modify the list of items.
    if "toolbox_argv" in getattr(item, "fixturenames", ()):
        item.add_marker(pytest.mark.blackbox)


@pytest.hookimpl(trylast=True)  # the folders have marked what boots
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("--packages"):
        long = [item for item in items if item.get_closest_marker("packages")]
        config.hook.pytest_deselected(items=long)
        items[:] = [item for item in items if item not in long]
    for item in items:
        if item.get_closest_marker("vm") and not item.get_closest_marker("timeout"):
            # An image with all packages takes its time to be made.
            patience = 5 if item.config.getoption("--packages") else 1
            item.add_marker(pytest.mark.timeout(BOOTS * patience))


@pytest.fixture(scope="session")
def toolbox_argv(request: pytest.FixtureRequest) -> list[str]:
    """The words that start the multicall program; an applet's name and arguments follow."""
    path = request.config.getoption("--toolbox")
    return [os.path.abspath(path)] if path else [sys.executable, "-m", "toolbox"]


@pytest.fixture(scope="session")
def toolbox_env() -> dict[str, str]:
    """The environment that every run gets: small, and the same on every machine."""
    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
        "PYTHONPATH": str(ROOT),
        "PYTHONDONTWRITEBYTECODE": "1",
        "HOME": "/nonexistent",
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
    }


@pytest.fixture
def run(toolbox_argv: list[str], toolbox_env: dict[str, str]) -> Callable[..., Result]:
    """Run an applet and wait: `run("head", "-n", "2", stdin=b"...", cwd=..., env={...})`."""

    def call(
        *argv: str | bytes,
        stdin: bytes | int = b"",
        cwd: str | os.PathLike[str] | None = None,
        env: Mapping[str, str] | None = None,
        timeout: float = 60,
    ) -> Result:
        feed: dict[str, object] = {"input": stdin} if isinstance(stdin, bytes) else {"stdin": stdin}
        done = subprocess.run(
            [*toolbox_argv, *argv],
            cwd=cwd,
            env={**toolbox_env, **(env or {})},
            capture_output=True,
            timeout=timeout,
            **feed,  # type: ignore[call-overload]
        )
        return Result(done.returncode, done.stdout, done.stderr)

    return call
