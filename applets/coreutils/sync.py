"""sync [-d | -f] [FILE]...

Write what the kernel holds back to the disks: everything, or just each FILE.

  -d, --data         the file's data, and only the metadata that are needed to read them
  -f, --file-system  the whole file system that holds the file
"""

from __future__ import annotations

import os

from toolbox.errors import UsageError, warn
from toolbox.options import Options

options = Options(__doc__)


def main(argv: list[str]) -> int:
    """GNU sync."""
    opt, files = options.parse(argv)
    if opt.data and opt.file_system:
        raise UsageError("cannot specify both --data and --file-system")
    if opt.data and not files:
        raise UsageError("--data needs at least one argument")
    if not files:
        os.sync()
    for name in files:
        try:
            sync_file(name, opt.data, opt.file_system)
        except OSError as error:
            warn(f"{name}: {error.strerror}")
    return 0


def sync_file(name: str, data: bool, whole: bool) -> None:
    """Write one file, or its file system, to the disk."""
    # Without O_NONBLOCK a FIFO would be waited for.
    fd = os.open(name, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if whole:
            from toolbox.linux.syscall import syscall

            syscall("syncfs", fd)
        elif data:
            os.fdatasync(fd)
        else:
            os.fsync(fd)
    finally:
        os.close(fd)
