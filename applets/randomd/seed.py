"""The seed file: what one run of the box leaves to the next.

The rule that everything here serves: no seed is ever counted twice.  Two boots (or two copies of a
disk image) that credit the same seed may make the same keys.  So the file is removed, and the
removal made durable, before its contents are credited; power may fail at any point.

A seed that was made before the pool was ready carries another name and is mixed in uncounted.
"""

from __future__ import annotations

import hashlib
import os

from toolbox.files import read_file, replace_file, sync_folder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from applets.randomd.pool import Pool

SEED = "seed"
WEAK = "seed.uncounted"
SIZE = 256
#: random(4): the pool is ready with 256 bits; a shorter file was cut off, or is not ours.
LEAST = 32


def load(folder: str, pool: Pool) -> bool:
    """Feed the saved seeds in `folder` to the pool; whether one was counted.  OSError: nothing was."""
    weak = _consume(folder, WEAK)
    if weak:
        pool.mix(weak)
    good = _consume(folder, SEED)
    if good is None:
        return False
    if len(good) < LEAST:
        pool.mix(good)
        return False
    try:
        pool.credit(good)
    except OSError:
        pool.mix(good)  # not our right: it still helps, and the caller says so
        raise
    return True


def save(folder: str, pool: Pool) -> bool:
    """Write a new seed; whether it is a good one.  OSError: there is no new one, an old one stays."""
    data, good = pool.take(SIZE)
    # What was saved before, if it is still there, must not be lost for one that may be worse.
    former = read_file(os.path.join(folder, SEED if good else WEAK), SIZE) or b""
    data = data[:-32] + hashlib.blake2b(former + data, digest_size=32).digest()
    name, other = (SEED, WEAK) if good else (WEAK, SEED)
    replace_file(os.path.join(folder, name), data, mode=0o600, durable=True)
    if good:
        try:
            os.unlink(os.path.join(folder, other))
        except FileNotFoundError:
            pass
    return good


def _consume(folder: str, name: str) -> bytes | None:
    """The contents of a seed file, which is gone for good when they are returned; None: none there."""
    path = os.path.join(folder, name)
    data = read_file(path, SIZE * 2)
    if data is not None:
        os.unlink(path)
        sync_folder(folder)
    return data
