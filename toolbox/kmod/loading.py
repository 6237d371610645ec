"""Modules in and out of the kernel, and which are in it (finit_module(2), /sys/module)."""

from __future__ import annotations

import errno
import os

from toolbox.kmod import read_module
from toolbox.linux import modules

#: The kernel was built without modules that it decompresses itself, or does not know the flag.
_CANNOT = (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOEXEC, errno.ENOSYS)


def insert(path: str, parameters: str = "", *, force: bool = False) -> None:
    """Load the module in a file; compressed ones are decompressed, by the kernel when it can.

    OSError: EEXIST when it is loaded, ENOENT also for an unknown symbol, ENOEXEC, EPERM.
    """
    flags = 0
    if force:
        flags = modules.MODULE_INIT_IGNORE_MODVERSIONS | modules.MODULE_INIT_IGNORE_VERMAGIC
    if path.endswith(".ko"):
        modules.load(path, parameters, flags)
        return
    try:
        modules.load(path, parameters, flags | modules.MODULE_INIT_COMPRESSED_FILE)
    except OSError as error:
        if error.errno not in _CANNOT:
            raise
        modules.load_image(read_module(path), parameters)


def is_loaded(name: str) -> bool:
    """Whether the module `name` (with `_`) is in the kernel, or a part of it."""
    if os.path.exists(f"/sys/module/{name}/initstate"):
        return True
    # A built-in one has a folder only when it has parameters; and without /sys there is /proc.
    if os.path.isdir(f"/sys/module/{name}"):
        return True
    try:
        with open("/proc/modules", "rb") as file:
            return any(line.startswith(name.encode() + b" ") for line in file)
    except OSError:
        return False


def users(name: str) -> list[str]:
    """The modules that use a loaded one."""
    try:
        return sorted(os.listdir(f"/sys/module/{name}/holders"))
    except OSError:
        return []


def count(name: str) -> int:
    """How often a loaded module is in use; 0 when that is not known."""
    try:
        with open(f"/sys/module/{name}/refcnt", "rb") as file:
            return int(file.read())
    except (OSError, ValueError):
        return 0


def reason(error: OSError) -> str:
    """What the kernel's refusal means for a module (kmod's words)."""
    return {
        errno.ENOEXEC: "Invalid module format",
        errno.ENOENT: "Unknown symbol in module",
        errno.ESRCH: "Module has wrong symbol version",
        errno.EINVAL: "Invalid parameters",
    }.get(error.errno or 0, error.strerror or "")
