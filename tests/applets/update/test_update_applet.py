"""The applet where there is nothing to update: one clear line, and the status that scripts go by."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        ((), 1, "update: this box was not booted from a slot: it takes no updates"),
        (("show", "--json"), 1, "update: this box was not booted from a slot"),
        (("check",), 2, "this box takes no releases"),
        (("apply", "/none.release"), 1, "update: this box was not booted from a slot"),
        (("wanted", "/none.release"), 1, "update: this box was not booted from a slot"),
        (("wanted",), 1, "missing file of a release"),
        (("commit",), 1, "update: this box was not booted from a slot"),
        (("set-default",), 1, "missing slot: a or b"),
        (("set-default", "c"), 1, "'c' is no slot: a or b"),
        (("show", "x"), 1, "extra operand 'x'"),
        (("remove",), 1, "unknown command 'remove'; known: show, check, apply"),
        (("--daemon", "--window=2"), 1, "invalid window: '2'"),
    ],
)
def test_one_line_and_a_status(
    run: Callable[..., Any], words: tuple[str, ...], status: int, said: str
) -> None:
    done = run("update", *words)
    assert done.status == status
    first = done.err.decode().splitlines()[0]
    assert said in first
    assert done.out == b""
