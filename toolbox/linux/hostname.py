"""The host name: sethostname(2)."""

from __future__ import annotations

import os

from toolbox.linux.syscall import syscall

#: HOST_NAME_MAX of Linux.
MAX_BYTES = 64


def sethostname(name: str) -> None:
    """Set the host name of this UTS namespace.  OSError: EPERM, EINVAL when longer than 64 bytes."""
    raw = os.fsencode(name)
    syscall("sethostname", raw, len(raw))
