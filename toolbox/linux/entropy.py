"""The kernel's random pool: random(4)."""

from __future__ import annotations

import os
import struct

#: _IOW('R', 0x03, int[2])
RNDADDENTROPY = 0x40085203


def credit(seed: bytes, bits: int | None = None) -> None:
    """Mix `seed` into the pool and count it as `bits` of entropy (all of it).  OSError: EPERM."""
    import fcntl

    bits = len(seed) * 8 if bits is None else bits
    fd = os.open("/dev/urandom", os.O_WRONLY | os.O_CLOEXEC)
    try:
        fcntl.ioctl(fd, RNDADDENTROPY, struct.pack("ii", bits, len(seed)) + seed)
    finally:
        os.close(fd)
