"""Which mounted file system a file is on (df, stat -f, stat -c %m, find -fstype)."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from toolbox.linux.mount import Mount


def mount_of(path: str, mounts: list[Mount] | None = None) -> Mount | None:
    """The mount that a file lies on; None when /proc does not tell.  OSError when there is no such file."""
    from toolbox.linux.mount import mounts as all_mounts

    if mounts is None:
        try:
            mounts = all_mounts()
        except OSError:
            return None
    real = os.path.realpath(path)
    device = os.stat(real).st_dev
    number = f"{os.major(device)}:{os.minor(device)}"
    fits = [m for m in mounts if is_below(real, m.target)]
    # Of mounts on one directory the last one covers the others; the device number tells, where it
    # can: subvolumes and overlays have numbers that the list does not know.
    exact = [m for m in fits if m.device == number]
    return max(enumerate(exact or fits), key=lambda p: (len(p[1].target), p[0]), default=(0, None))[
        1
    ]


def is_below(path: str, directory: str) -> bool:
    """Whether a path is a directory or lies in it, by their names."""
    return path == directory or path.startswith(directory.rstrip("/") + "/")


def kinds_by_device() -> dict[int, str]:
    """Types of the mounted file systems by device number; empty where there is no /proc."""
    from toolbox.linux.mount import mounts

    try:
        found = mounts()
    except OSError:
        return {}
    kinds = {}
    for m in found:
        major, _, minor = m.device.partition(":")
        kinds[os.makedev(int(major), int(minor))] = m.kind
    return kinds
