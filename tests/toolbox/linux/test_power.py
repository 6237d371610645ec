"""What a restart is told.  Breaks when an argument is lost on the way to reboot(2), or told twice."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest

from applets.init.boot import _reboot
from toolbox.linux import power


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What the kernel was asked, which it is not; and a /run of its own."""
    calls: list[tuple[Any, ...]] = []
    monkeypatch.setattr(power, "syscall", lambda *words: calls.append(words))
    path = str(tmp_path / "argument")
    for door in (power.arrange, power.arranged):
        monkeypatch.setattr(power, door.__name__, partial(door, path=path))
    return calls


def test_init_tells_what_was_arranged(asked: list[tuple[Any, ...]]) -> None:
    _reboot("reboot")
    power.arrange("0 tryboot")
    power.arrange("0 tryboot")
    _reboot("poweroff")
    _reboot("halt")
    _reboot("reboot")
    power.arrange("")
    power.arrange("")
    _reboot("reboot")
    magic = (0xFEE1DEAD, 0x28121969)
    # linux/reboot.h
    assert asked == [
        ("reboot", *magic, 0x01234567, None),
        ("reboot", *magic, 0x4321FEDC, None),
        ("reboot", *magic, 0xCDEF0123, None),
        ("reboot", *magic, 0xA1B2C3D4, "0 tryboot"),
        ("reboot", *magic, 0x01234567, None),
    ]


def test_any_file_is_an_argument_or_none(tmp_path: Path) -> None:
    path = tmp_path / "argument"
    assert power.arranged(str(path)) == ""
    path.write_bytes(b"\xff" * 1000 + b"\n")
    assert len(power.arranged(str(path))) == power.LONGEST
    path.write_text("one\ntwo\n")
    assert power.arranged(str(path)) == "one"
