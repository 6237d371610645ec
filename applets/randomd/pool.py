"""The kernel's random pool, as far as the daemon touches it (random(4))."""

from __future__ import annotations

import fcntl
import os
import struct

RNDADDENTROPY = 0x40085203


class Pool:
    """Takes and gives random bytes, and never waits.  A test gives its own."""

    def __init__(self, device: str = "/dev/urandom") -> None:
        self.device = device

    def credit(self, seed: bytes) -> None:
        """Mix `seed` in and count all of its bits as unknown to anybody.  OSError without the right to."""
        # struct rand_pool_info: bits to count, bytes that follow, the bytes
        info = struct.pack("ii", 8 * len(seed), len(seed)) + seed
        fd = os.open(self.device, os.O_WRONLY | os.O_CLOEXEC)
        try:
            fcntl.ioctl(fd, RNDADDENTROPY, info)
        finally:
            os.close(fd)

    def mix(self, data: bytes) -> None:
        """Mix `data` in without counting it; anybody may."""
        fd = os.open(self.device, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(fd, data)
        finally:
            os.close(fd)

    def take(self, size: int) -> tuple[bytes, bool]:
        """`size` bytes (at most 256), and whether the pool was ready to give good ones."""
        try:
            return os.getrandom(size, os.GRND_NONBLOCK), True
        except BlockingIOError:
            fd = os.open(self.device, os.O_RDONLY | os.O_CLOEXEC)  # gives what it has, at once
            try:
                return os.read(fd, size), False
            finally:
                os.close(fd)

    def readiness(self) -> int:
        """A descriptor that becomes readable when the pool is ready; the caller closes it."""
        return os.open("/dev/random", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
