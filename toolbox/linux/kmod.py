"""Modules of the running kernel: which there are, and putting in and taking out (kmod's commands share it)."""

from __future__ import annotations

import errno
import os

from toolbox.linux import modules
from toolbox.linux.module_file import ModuleFormatError, normalize, read_module
from toolbox.streams import write_all

#: What the errors of init_module(2) mean, as kmod says it.
_MEANINGS = {
    errno.ENOEXEC: "Invalid module format",
    errno.ENOENT: "Unknown symbol in module, or unknown parameter (see dmesg)",
    errno.ESRCH: "Module has wrong symbol version",
    errno.EINVAL: "Invalid parameters",
    errno.EEXIST: "Module already in kernel",
}


class Loaded:
    """A line of /proc/modules.  size in bytes; users: the count; holders: the modules that use it."""

    __slots__ = ("holders", "name", "size", "users")

    def __init__(self, line: str) -> None:
        self.name, size, users, holders = (*line.split(" "), "", "", "")[:4]
        self.size = int(size or 0)
        self.users = int(users) if users.isdecimal() else 0  # "-": the kernel cannot unload
        self.holders = [h for h in holders.split(",") if h not in ("", "-", "[permanent]")]


def loaded(path: str = "/proc/modules") -> list[Loaded]:
    """The modules in the kernel.  FileNotFoundError for a kernel that has no modules at all."""
    with open(path, encoding="utf-8", errors="surrogateescape") as file:
        return [Loaded(line.rstrip("\n")) for line in file]


def state(name: str) -> str | None:
    """ "live", "coming" or "going"; None for a module that is not loaded, and for a built-in one."""
    try:
        with open(f"/sys/module/{normalize(name)}/initstate", encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return None


def holders(name: str) -> list[str]:
    """The modules that use `name`, in the kernel."""
    try:
        return sorted(os.listdir(f"/sys/module/{normalize(name)}/holders"))
    except OSError:
        return []


def references(name: str) -> int:
    """How often a module is in use; 0 where the kernel does not say."""
    try:
        with open(f"/sys/module/{normalize(name)}/refcnt", encoding="ascii") as file:
            return int(file.read())
    except (OSError, ValueError):
        return 0


def insert(path: str, parameters: str = "", flags: int = 0) -> None:
    """Put the module in `path` in, unpacking it.  OSError; FileExistsError: it is in.

    zstd is left to the kernel (CONFIG_MODULE_DECOMPRESS): ModuleFormatError when that cannot.
    """
    if path.endswith(".zst"):
        try:
            modules.load(path, parameters, flags | modules.MODULE_INIT_COMPRESSED_FILE)
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.EOPNOTSUPP, errno.ENOEXEC):
                raise
            raise ModuleFormatError(
                path, "compressed with zstd, which neither this kernel nor this program unpacks"
            ) from None
    elif path.endswith((".xz", ".gz")):
        image = read_module(path)
        # init_module(2) takes no flags: with some, the module goes by a file in memory.
        if not flags:
            modules.load_image(image, parameters)
            return
        fd = os.memfd_create("module")
        try:
            write_all(fd, image)
            modules.load(f"/proc/self/fd/{fd}", parameters, flags)
        finally:
            os.close(fd)
    else:
        modules.load(path, parameters, flags)


def meaning(error: OSError) -> str:
    """What went wrong with a module: kmod's words for the kernel's error."""
    if isinstance(error, ModuleFormatError):
        return str(error.strerror)
    return _MEANINGS.get(error.errno or 0, error.strerror or str(error))


def parameter(word: str) -> str:
    """`name=value` as the kernel wants it: a value with blanks in quotes."""
    name, equals, value = word.partition("=")
    return f'{name}="{value}"' if equals and " " in value and '"' not in value else word
