"""The kernel's random pool, as far as the daemon touches it (random(4))."""

from __future__ import annotations

import os

from toolbox.linux import entropy

DEVICE = "/dev/urandom"


class Pool:
    """Takes and gives random bytes, and never waits.  A test gives its own."""

    def credit(self, seed: bytes) -> None:
        """Mix `seed` in and count all of its bits as unknown to anybody.  OSError without the right to."""
        entropy.credit(seed)

    def mix(self, data: bytes) -> None:
        """Mix `data` in without counting it; anybody may."""
        fd = os.open(DEVICE, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(fd, data)
        finally:
            os.close(fd)

    def take(self, size: int) -> tuple[bytes, bool]:
        """`size` bytes (at most 256), and whether the pool was ready to give good ones."""
        try:
            return os.getrandom(size, os.GRND_NONBLOCK), True
        except BlockingIOError:
            fd = os.open(DEVICE, os.O_RDONLY | os.O_CLOEXEC)  # gives what it has, at once
            try:
                return os.read(fd, size), False
            finally:
                os.close(fd)

    def readiness(self) -> int:
        """A descriptor that becomes readable when the pool is ready; the caller closes it."""
        return os.open("/dev/random", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
