"""switch_root [-c CONSOLE] NEW_ROOT COMMAND [ARG]...

Leave the initial file system for the mount NEW_ROOT, and run COMMAND there.

  -c CONSOLE   standard input and output become this device of the new root

/dev, /proc, /sys and /run move along; what lies in the old root's memory is deleted.  Only
process 1 does this.
"""

from __future__ import annotations

import os
import stat

from toolbox.errors import Fatal, UsageError, warn
from toolbox.linux.mount import MNT_DETACH, MS_MOVE, mount, umount
from toolbox.options import Options

alters_process = True
options = Options(__doc__)

#: statfs(2): file systems that live in memory, the only ones that may be emptied.
_IN_MEMORY = ("rootfs", "ramfs", "tmpfs")


def main(argv: list[str]) -> int:
    opt, words = options.parse(argv)
    if len(words) < 2:
        raise UsageError("missing operand")
    new, command = words[0], words[1:]
    if os.getpid() != 1:
        raise Fatal("must be run as PID 1")
    os.chdir(new)
    here, root = os.stat("."), os.stat("/")
    if here.st_dev == root.st_dev:
        raise Fatal(f"{new}: is not a mount point of its own")
    # Before anything is changed: afterwards there is no way back, and the end of process 1 is a panic.
    if not _can_run(command[0]):
        raise Fatal(f"{command[0]}: not to be run in the new root")
    in_memory = _root_kind() in _IN_MEMORY
    for folder in ("/dev", "/proc", "/sys", "/run"):
        _move(folder, new)
    old = os.open("/", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    os.chdir(new)
    mount(".", "/", "", MS_MOVE)
    os.chroot(".")
    os.chdir("/")
    if in_memory:
        _empty(old, root.st_dev)
    os.close(old)
    if opt.c is not None:
        console = os.open(opt.c, os.O_RDWR | os.O_NOCTTY)
        for fd in (0, 1, 2):
            os.dup2(console, fd)
        if console > 2:
            os.close(console)
    os.execv(command[0], command)


def _can_run(program: str) -> bool:
    """Whether `program` can be run once the working directory is the root, whatever links lead to it."""
    child = os.fork()
    if not child:
        try:
            os.chroot(".")
            os._exit(0 if os.access(program, os.X_OK) and not os.path.isdir(program) else 1)
        finally:
            os._exit(1)
    return os.waitpid(child, 0)[1] == 0


def _root_kind() -> str:
    from toolbox.linux.mount import mounts

    try:
        at_root = [one.kind for one in mounts() if one.target == "/"]
    except OSError:
        return "rootfs"  # no /proc yet: only an initramfs starts like this
    return at_root[-1] if at_root else "rootfs"


def _move(folder: str, new: str) -> None:
    """Move a mount below the new root; one that has no place there is let go of."""
    try:
        if os.stat(folder).st_dev == os.stat("/").st_dev:
            return  # not a mount
    except OSError:
        return
    target = new.rstrip("/") + folder
    try:
        mount(folder, target, "", MS_MOVE)
    except OSError as error:
        warn(error, 0)
        umount(folder, MNT_DETACH)


def _empty(folder: int, device: int) -> None:
    """Delete what lies below an open directory, on its own file system only."""
    for name in os.listdir(folder):
        try:
            status = os.stat(name, dir_fd=folder, follow_symlinks=False)
            if status.st_dev != device:
                continue
            if stat.S_ISDIR(status.st_mode):
                flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
                below = os.open(name, flags, dir_fd=folder)
                try:
                    _empty(below, device)
                finally:
                    os.close(below)
                os.rmdir(name, dir_fd=folder)
            else:
                os.unlink(name, dir_fd=folder)
        except OSError as error:
            warn(f"{name}: {error.strerror}", 0)  # memory is lost, the boot goes on
