"""Modes are set on what stands there, and never on what a link leads to.

Breaks when a link that takes a name's place between two system calls lets somebody else choose whose mode is changed.
"""

from __future__ import annotations

import os
import stat
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from toolbox.modes import set_mode

#: Seconds for a race.
LONG = 1.0


@contextmanager
def swapped(name: Path, victim: Path) -> Iterator[None]:
    """`name` is a file and a link to `victim` in turn, as often as another thread can make it so."""
    over = threading.Event()

    def swap() -> None:
        new = name.with_name("new")
        while not over.is_set():
            new.symlink_to(victim)
            new.rename(name)
            new.touch()
            new.rename(name)

    name.touch()
    thread = threading.Thread(target=swap)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def is_lost(change: Callable[[str, int], None], folder: Path) -> bool:
    """Whether the victim's mode was changed before the time was over."""
    victim = folder / "victim"
    victim.touch(0o600)
    end = time.monotonic() + LONG
    with swapped(folder / "name", victim):
        while time.monotonic() < end:
            try:
                change(str(folder / "name"), 0o777)
            except OSError:
                pass  # a link has no mode
            if stat.S_IMODE(victim.stat().st_mode) != 0o600:
                return True
    return False


@pytest.mark.parametrize(("change", "lost"), [(set_mode, False), (os.chmod, True)])
def test_a_link_that_takes_the_place(
    change: Callable[[str, int], None], lost: bool, tmp_path: Path
) -> None:
    """The second row, which follows links, shows that the test can fail."""
    assert is_lost(change, tmp_path) is lost
