"""Processes as /proc shows them: proc_pid_stat(5), proc_pid_status(5), proc_pid_cmdline(5).

    for pid in process_ids():
        process = Process(pid)          # ProcessLookupError: it ended meanwhile
        process.name, process.field(RSS)

A process may end between any two reads; what is read later than `stat` then is empty.
"""

from __future__ import annotations

import errno
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

#: Numbers of the fields of /proc/PID/stat, as proc_pid_stat(5) counts them.
STATE, PPID, PGRP, SESSION, TTY, TPGID, FLAGS = 3, 4, 5, 6, 7, 8, 9
MINFLT, MAJFLT, UTIME, STIME, CUTIME, CSTIME = 10, 12, 14, 15, 16, 17
PRIORITY, NICE, THREADS, START, VSIZE, RSS = 18, 19, 20, 22, 23, 24
PROCESSOR, RT_PRIORITY, POLICY = 39, 40, 41


def process_ids() -> list[int]:
    """The ids of all processes, in order.  OSError where there is no /proc."""
    return sorted(int(name) for name in os.listdir("/proc") if name.isdecimal())


class Process:
    """A process (or with `thread` one of its threads).  `name` is its comm, `values` the rest of stat."""

    __slots__ = ("_status", "folder", "name", "pid", "thread", "values")

    def __init__(self, pid: int, thread: int | None = None) -> None:
        """ProcessLookupError when there is none."""
        self.pid = pid
        self.thread = pid if thread is None else thread
        self.folder = f"/proc/{pid}" if thread is None else f"/proc/{pid}/task/{thread}"
        raw = self.read("stat")
        # The name may hold blanks and parentheses; the last one closes it.
        end = raw.rfind(b")")
        if end < 0:
            raise ProcessLookupError(errno.ESRCH, os.strerror(errno.ESRCH))
        self.name = os.fsdecode(raw[raw.find(b"(") + 1 : end])
        self.values = raw[end + 2 :].split()
        self._status: dict[str, str] | None = None

    def field(self, number: int) -> int:
        """A number of /proc/PID/stat, by proc_pid_stat(5)'s count; 0 where the kernel has none."""
        at = number - STATE
        return int(self.values[at]) if at < len(self.values) else 0

    @property
    def state(self) -> str:
        """R running, S sleeping, D in the disk, Z dead but not waited for, T stopped, I idle..."""
        return self.values[0].decode()

    @property
    def arguments(self) -> list[str]:
        """The words of its command line; none for a kernel's thread and a zombie."""
        raw = self.read("cmdline")
        return os.fsdecode(raw.rstrip(b"\0")).split("\0") if raw.strip(b"\0") else []

    @property
    def status(self) -> dict[str, str]:
        """/proc/PID/status; empty when the process has ended."""
        if self._status is None:
            lines = os.fsdecode(self.read("status")).splitlines()
            self._status = {k: v.strip() for k, _, v in (line.partition(":") for line in lines)}
        return self._status

    def ids(self, kind: str) -> tuple[int, int, int, int]:
        """Its real, effective, saved and file system id; kind: "Uid" or "Gid".

        ProcessLookupError when it has ended: nobody must pass for root because he is gone.
        """
        words = self.status.get(kind, "").split()
        if len(words) != 4:
            raise ProcessLookupError(errno.ESRCH, os.strerror(errno.ESRCH))
        real, effective, saved, files = map(int, words)
        return real, effective, saved, files

    def read(self, name: str) -> bytes:
        """One of its files; empty when it cannot be read."""
        try:
            fd = os.open(f"{self.folder}/{name}", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return b""
        try:
            parts = []
            while part := os.read(fd, 1 << 16):
                parts.append(part)
            return b"".join(parts)
        except OSError:
            return b""
        finally:
            os.close(fd)

    def link(self, name: str) -> str:
        """Where one of its links points ("exe"); empty when that may not be known."""
        try:
            return os.readlink(f"{self.folder}/{name}")
        except OSError:
            return ""

    def threads(self) -> Iterator[Process]:
        """Its threads, the first one first."""
        try:
            tasks = sorted(int(name) for name in os.listdir(f"{self.folder}/task"))
        except OSError:
            return
        for task in tasks:
            try:
                yield Process(self.pid, task)
            except ProcessLookupError:
                pass  # it ended meanwhile


def terminal_name(number: int) -> str:
    """The name of a controlling terminal without /dev/, by the number in stat; "?" for none."""
    if number == 0:
        return "?"
    major, minor = os.major(number & 0xFFFFFFFF), os.minor(number & 0xFFFFFFFF)
    if 136 <= major <= 143:
        return f"pts/{minor + ((major - 136) << 8)}"
    try:
        with open(f"/sys/dev/char/{major}:{minor}/uevent", "rb") as file:
            for line in file:
                if line.startswith(b"DEVNAME="):
                    return os.fsdecode(line[8:].strip())
    except OSError:
        pass  # no /sys
    if major == 4:
        return f"tty{minor}" if minor < 64 else f"ttyS{minor - 64}"
    return {(5, 0): "tty", (5, 1): "console"}.get((major, minor), "?")


def uptime() -> float:
    """Seconds since the kernel started."""
    with open("/proc/uptime", "rb") as file:
        return float(file.read().split()[0])


def memory() -> dict[str, int]:
    """/proc/meminfo in KiB: {"MemTotal": ..., "MemFree": ...}."""
    with open("/proc/meminfo", "rb") as file:
        lines = file.read().decode().splitlines()
    return {k: int(v.split()[0]) for k, _, v in (line.partition(":") for line in lines)}
