"""Kernel modules: finit_module(2), delete_module(2)."""

from __future__ import annotations

import os

from toolbox.linux.syscall import syscall

MODULE_INIT_IGNORE_MODVERSIONS = 1
MODULE_INIT_IGNORE_VERMAGIC = 2
MODULE_INIT_COMPRESSED_FILE = 4


def load(path: str, parameters: str = "", flags: int = 0) -> None:
    """Load the module in the file `path` with parameters ("a=1 b=2").  FileExistsError: it is loaded."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        syscall("finit_module", fd, parameters, flags)
    except OSError as error:
        raise OSError(error.errno, error.strerror, path) from None
    finally:
        os.close(fd)


def load_image(image: bytes, parameters: str = "") -> None:
    """Load a module from memory, as one that had to be decompressed (init_module(2))."""
    syscall("init_module", image, len(image), parameters)


def unload(name: str, *, force: bool = False) -> None:
    """Remove the module `name`, without waiting for its users (delete_module(2))."""
    try:
        syscall("delete_module", name, os.O_NONBLOCK | (os.O_TRUNC if force else 0))
    except OSError as error:
        raise OSError(error.errno, error.strerror, name) from None
