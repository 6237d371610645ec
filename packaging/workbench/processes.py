"""One ./dev at a time in a checkout, and an end that leaves no process behind.

Signals: Ctrl-C, an end that was asked for (SIGTERM) and a terminal that was closed (SIGHUP) are the same to ./dev: it
stops what it has started, says one line, and the next run goes on from the last complete step.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

#: linux/prctl.h: processes that lose their parent become ours, so that none is missed.
_PR_SET_CHILD_SUBREAPER = 36

#: Seconds that processes have to end by themselves.
PATIENCE = 3.0


_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(KeyboardInterrupt):
    """A signal that ends us; `status` is the exit status that tells of it."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.status = 128 + number


def end_on_signals() -> None:
    """Let each of the signals that end a program raise Interrupted, wherever we are."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        _ignore_signals()  # what cleans up is not interrupted
        raise Interrupted(number)

    for number in _SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup
            signal.signal(number, interrupt)
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _ignore_signals() -> None:
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def stop_all() -> None:
    """End every process that comes from us, and wait for it."""
    _ignore_signals()
    for number in (signal.SIGTERM, signal.SIGKILL):
        deadline = time.monotonic() + PATIENCE
        told: set[int] = set()
        while living := _descendants():
            if time.monotonic() > deadline:
                break
            for pid in set(living) - told:
                with contextlib.suppress(OSError):  # it is over, or another user's: sudo's
                    os.kill(pid, number)
            told.update(living)
            with contextlib.suppress(ChildProcessError):
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass
            time.sleep(0.02)


def _descendants() -> list[int]:
    """The processes below us, by /proc."""
    parents: dict[int, int] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, parent = path.read_text(errors="replace").rpartition(")")[2].split()[:2]
            if state != "Z" or int(parent) == os.getpid():
                parents[int(path.parent.name)] = int(parent)
    found = {os.getpid()}
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return sorted(found - {os.getpid()})


@contextlib.contextmanager
def alone(lock: Path) -> Iterator[None]:
    """Wait until no other ./dev makes something in this checkout; say so when that takes a wait."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            other = file.read().strip() or "?"
            print(f"  waiting for another ./dev here (process {other})", file=sys.stderr)
            fcntl.flock(file, fcntl.LOCK_EX)
        file.truncate(0)
        print(os.getpid(), file=file, flush=True)
        yield
