"""The box's persistent file system, /perm: which partition it is, and what mounting it takes."""

from __future__ import annotations

import os

from toolbox.linux import blockdev, mount
from toolbox.release.manifest import QUOTA
from toolbox.storage import ext4

PERM = "/perm"

#: Of the partition, or of the file system in it.
LABEL = "perm"


def find(label: str = LABEL) -> str | None:
    """The block device that bears the label, in its partition table or its ext4 file system.

    The disk that the root is on comes first: another box's disk may be in the machine.  OSError as stat(2).
    """
    return blockdev.find_beside(os.stat("/").st_dev, label) or blockdev.find_by_label(label)


def mounted(path: str = PERM) -> str:
    """The disk that is mounted there as an ext4; "" for none."""
    found = [m.source for m in mount.mounts() if m.target == path and m.kind == "ext4"]
    return found[-1] if found else ""


def features() -> list[str]:
    """Those of its ext4 that not every release can mount (manifest.MOUNTS)."""
    try:
        device = mounted() or find()
        return [QUOTA] if device and ext4.has_quota(device) else []
    except OSError:
        return []  # no disk's, or one that nobody can mount
