"""service, logs and poweroff as commands: their arguments, and their words when there is no init.

What they do with an init is in tests/applets/init/test_init.py.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["service", "start"], b"service: missing name of a service after 'start'\n"),
        (["service", "list", "x"], b"service: extra operand 'x'\n"),
        (
            ["service", "kick", "x"],
            b"service: unknown command 'kick'; known: list, status, start, ",
        ),
        (["logs", "-n", "-5"], b"logs: invalid number for '-n': '-5': the smallest is 0\n"),
        (["logs", "--since", "x"], b"logs: invalid number: 'x'\n"),
        (["reboot", "now"], b"reboot: extra operand 'now'\n"),
        (["init", "single"], b"init: extra operand 'single'\n"),
    ],
)
def test_wrong_words(run: Callable[..., Any], argv: list[str], message: bytes) -> None:
    done = run(*argv, env={"SNAKEROOT_CONTROL": "/no/such/socket"})
    assert done.status == 1
    assert done.err.startswith(message)


@pytest.mark.parametrize(
    "argv", [["service"], ["service", "status"], ["logs"], ["logs", "-f"], ["halt"], ["poweroff"]]
)
def test_no_init(run: Callable[..., Any], argv: list[str], tmp_path: Path) -> None:
    done = run(*argv, env={"SNAKEROOT_CONTROL": "/no/such/socket"})
    message = f"{argv[0]}: init cannot be reached: there is no /no/such/socket\n"
    assert (done.status, done.out, done.err) == (1, b"", message.encode())


def test_wtmp_only_does_nothing(run: Callable[..., Any]) -> None:
    assert run("reboot", "-w") == (0, b"", b"")
