"""A file system that fails: the n-th call that changes something, and from then on all or none of them."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest

#: What a disk says that is full, read-only, broken, or whose share is used up.
ERRORS = (errno.ENOSPC, errno.EROFS, errno.EIO, errno.EDQUOT)

#: Calls of os that make or change files; those that open look at their flags.
CHANGES = ("open", "mkdir", "makedirs", "pwrite", "write", "ftruncate", "fsync", "rename", "unlink")


class Faults:
    """Fails the calls from `first` on (`last`: up to that one) below the folder `within`."""

    def __init__(
        self, patch: pytest.MonkeyPatch, within: str, first: int, last: int, number: int
    ) -> None:
        self.within = within
        self.first = first
        self.last = last
        self.number = number
        self.calls = 0
        self.fds: set[int] = set()
        for name in CHANGES:
            patch.setattr(os, name, self._wrapped(name, getattr(os, name)))
        close = os.close

        def closed(fd: int) -> None:
            self.fds.discard(fd)
            close(fd)

        patch.setattr(os, "close", closed)

    def _wrapped(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def fail(what: Any, *words: Any, **more: Any) -> Any:
            if isinstance(what, int):
                ours = what in self.fds
            else:
                ours = os.fsdecode(what).startswith(self.within)
                if name == "open":
                    flags = words[0] if words else more.get("flags", 0)
                    ours = ours and bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))
            if ours:
                self.calls += 1
                if self.first <= self.calls <= self.last:
                    raise OSError(self.number, os.strerror(self.number), what)
            done = call(what, *words, **more)
            if name == "open" and ours:
                self.fds.add(done)
            return done

        return fail


def every(most: int = 60) -> Iterator[tuple[int, int]]:
    """(first, last) of the calls that fail: each one alone, and each one with all that follow."""
    for n in range(1, most):
        yield n, n
        yield n, most * 1000
