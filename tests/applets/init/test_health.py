"""The watchdog that init goes on with.  Breaks when one that the first stage began is not found, and so not fed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from applets.init import health


@pytest.mark.parametrize(
    ("line", "seconds"),
    [
        ("quiet snakeroot.slot=a", health.TIMEOUT),
        ("snakeroot.watchdog=5 quiet", 5),
        ("snakeroot.watchdog=5 snakeroot.watchdog=7", 7),
        ("snakeroot.watchdog=0", 1),
        ("snakeroot.watchdog=-1 snakeroot.watchdog=", health.TIMEOUT),
        ("snakeroot.watchdog=\u0663 snakeroot.watchdog=999999999999", health.TIMEOUT),
    ],
)
def test_its_time_can_be_told_by_the_command_line(line: str, seconds: int) -> None:
    assert health.watchdog_seconds(line) == seconds


def test_another_file_that_is_no_device_is_not_inherited(tmp_path: Path) -> None:
    """The numbers of both are 0."""
    os.mkfifo(tmp_path / "watchdog")
    fd = os.open(tmp_path, os.O_RDONLY)
    try:
        assert health.inherited(str(tmp_path / "watchdog"), fd) == -1
    finally:
        os.close(fd)


def test_a_descriptor_of_that_device_is_inherited() -> None:
    fd = os.open("/dev/null", os.O_WRONLY)
    try:
        os.set_inheritable(fd, True)
        assert health.inherited("/dev/zero", fd) == -1
        assert health.inherited("/dev/null", fd) == fd
        assert not os.get_inheritable(fd), "no service is to hold the watchdog"
        assert health.inherited("/does/not/exist", fd) == -1
    finally:
        os.close(fd)
    assert health.inherited("/dev/null", fd) == -1
