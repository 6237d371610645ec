"""Control groups, version 2 (cgroups(7), Documentation/admin-guide/cgroup-v2): directories and their files.

A group is named by its directory.  Errors are OSError and name the file.
"""

from __future__ import annotations

import os
import signal

ROOT = "/sys/fs/cgroup"


def is_group(path: str = ROOT) -> bool:
    """Whether the unified hierarchy is mounted there."""
    return os.path.exists(os.path.join(path, "cgroup.controllers"))


def controllers(path: str) -> list[str]:
    """What the group may give to its children: ["cpu", "memory", ...]."""
    return read(path, "cgroup.controllers").split()


def enable(path: str, names: list[str]) -> None:
    """Give the children of a group these controllers.  EBUSY: processes live in the group itself."""
    write(path, "cgroup.subtree_control", " ".join(f"+{name}" for name in names))


def processes(path: str) -> list[int]:
    """The processes of a group, without those of its children."""
    return [int(word) for word in read(path, "cgroup.procs").split()]


def move(path: str, pid: int = 0) -> None:
    """Put a process (0: this one) into a group."""
    write(path, "cgroup.procs", str(pid))


def kill(path: str) -> None:
    """Kill every process of a group and of its children, even those that are just being forked."""
    try:
        write(path, "cgroup.kill", "1")
    except FileNotFoundError:
        # Before Linux 5.14: as often as forks may have hidden one.
        for _ in range(100):
            if not send(path, signal.SIGKILL):
                return


def send(path: str, number: int, but: int = 0) -> int:
    """Send a signal to every process of a group and of its children, `but` one; returns to how many."""
    count = 0
    for folder, _, _ in os.walk(path):
        for pid in processes(folder):
            if pid == but:
                continue
            try:
                os.kill(pid, number)
                count += 1
            except ProcessLookupError:
                pass  # it ended meanwhile
    return count


def of(pid: int) -> str:
    """The group of a process, as a path from the root of the hierarchy that this process sees."""
    with open(f"/proc/{pid}/cgroup", "rb") as file:
        for line in file:
            if line.startswith(b"0::"):
                return os.fsdecode(line[3:].rstrip(b"\n"))
    return "/"


def read(path: str, name: str) -> str:
    """The text of one of a group's files."""
    with open(os.path.join(path, name), "rb") as file:
        return file.read().decode()


def write(path: str, name: str, text: str) -> None:
    """Write one of a group's files; the kernel takes it in one piece or refuses it."""
    file = os.path.join(path, name)
    fd = os.open(file, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, text.encode())
    except OSError as error:
        raise OSError(error.errno, error.strerror, file) from None
    finally:
        os.close(fd)
