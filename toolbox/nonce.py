"""Numbers that nobody guesses, without ever waiting for the kernel's random pool.

For transaction numbers, cookies and jitter early at boot; never for keys.
"""

from __future__ import annotations

import os
import time


def nonce(size: int) -> bytes:
    """`size` bytes (at most 64): from getrandom(2), or from the clocks while the pool is not ready."""
    try:
        return os.getrandom(size, os.GRND_NONBLOCK)
    except BlockingIOError:
        import hashlib

        seed = f"{time.monotonic_ns()} {time.time_ns()} {os.getpid()} {os.times().elapsed}"
        return hashlib.blake2b(seed.encode(), digest_size=size).digest()


def chance() -> float:
    """A number in [0, 1), for jitter."""
    return int.from_bytes(nonce(7), "big") / 2**56
