"""All processes of a service: its control group, or, where there are none, the session that it leads.

A service starts as the leader of a session of its own, so its descendants are found by their session
number in /proc, but for those that made themselves a session.  A control group misses none.
"""

from __future__ import annotations

import os
import signal

from applets.init.checks import share_of
from toolbox.linux import cgroup
from toolbox.linux.memory import sizes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Log = Callable[[str], None]

#: The inode of the initial control-group namespace (PROC_CGROUP_INIT_INO of the kernel's proc_ns.h).
INITIAL_CGROUPS = 0xEFFFFFFB

#: Controllers that every service gets, for their accounts.
CONTROLLERS = ("memory", "pids")

#: Keeps a service's name apart from the files of a control group, such as memory.max.
SUFFIX = ".service"


class Groups:
    """The control groups of the services, below `root`/services; disabled until `open` succeeds."""

    def __init__(self, log: Log) -> None:
        self.log = log
        self.folder: str | None = None

    def open(self, root: str, needed: set[str]) -> None:
        """Make the group of all services and give it the `needed` controllers.  OSError when it cannot be."""
        folder = os.path.join(root, "services")
        os.makedirs(folder, exist_ok=True)
        self.folder = folder
        there = cgroup.controllers(root)
        wanted = [name for name in there if name in needed or name in CONTROLLERS]
        for name in sorted(needed.difference(there)):
            self.log(f"control groups: there is no controller {name!r}")
        if wanted:
            cgroup.enable(root, wanted)
            cgroup.enable(folder, wanted)

    def path(self, name: str) -> str | None:
        """The directory of a service's group; None without control groups."""
        return None if self.folder is None else os.path.join(self.folder, name + SUFFIX)

    def prepare(self, name: str, settings: dict[str, str]) -> str | None:
        """Make a service's group and set its limits; what fails is logged.  Returns its directory."""
        path = self.path(name)
        if path is None:
            if settings:
                self.log(f"{name}: no control groups here: its limits do not hold")
            return None
        try:
            os.makedirs(path, exist_ok=True)
        except OSError as error:
            self.log(f"{name}: control group: {error.strerror}")
            return None
        for setting, value in settings.items():
            try:
                cgroup.write(path, setting, amount(setting, value))
            except OSError as error:
                self.log(f"{name}: {setting} = {value}: {error.strerror}")
        return path

    def send(self, name: str, pid: int, number: int) -> None:
        """Send a signal to all processes of a service whose first process is `pid`."""
        # That one first and by itself: it may be so young that it has joined no group or session yet.
        _signal(pid, number)
        path = self.path(name)
        if path is None or not cgroup.is_group(path):
            signal_session(pid, number)
        elif number == signal.SIGKILL:
            cgroup.kill(path)
        else:
            cgroup.send(path, number, but=pid)

    def service_of(self, pid: int) -> str | None:
        """The name of the service to whose group a process belongs."""
        if self.folder is None:
            return None
        try:
            name = os.path.basename(cgroup.of(pid))
        except OSError:
            return None
        return name.removesuffix(SUFFIX) if name.endswith(SUFFIX) else None


def amount(setting: str, value: str) -> str:
    """What is written for a share ("50%") of memory or of processes; any other value is its own.

    Without knowing what the whole is there is no limit, as without the setting.
    """
    share = share_of(value)
    if share is None:
        return value
    whole = _tasks() if setting.startswith("pids.") else sizes().get("MemTotal", 0)
    return str(max(1, whole * share // 100)) if whole else "max"


def _tasks() -> int:
    """How many processes and threads there can be (proc_sys_kernel(5)); 0 when the kernel cannot be asked."""
    found = []
    for name in ("pid_max", "threads-max"):
        try:
            with open(f"/proc/sys/kernel/{name}") as file:
                found.append(int(file.read()))
        except (OSError, ValueError):
            continue
    return min(found, default=0)


def in_own_namespace() -> bool:
    """Whether the control groups that this process sees are a container's own."""
    try:
        return os.stat("/proc/self/ns/cgroup").st_ino != INITIAL_CGROUPS
    except OSError:
        return False


def leave_root(root: str = cgroup.ROOT) -> None:
    """Move all processes out of a container's topmost group: only empty ones share out controllers."""
    folder = os.path.join(root, "init")
    os.makedirs(folder, exist_ok=True)
    for pid in cgroup.processes(root):
        if pid:
            cgroup.move(folder, pid)


def session_members(session: int) -> list[int]:
    """The processes of a session, from /proc (proc_pid_stat(5)); empty without /proc."""
    found = []
    try:
        names = os.listdir("/proc")
    except OSError:
        return []
    for name in names:
        if name.isdecimal() and session_of(int(name)) == session:
            found.append(int(name))
    return found


def session_of(pid: int) -> int | None:
    """The session of a process; None when it is gone."""
    try:
        return os.getsid(pid)
    except OSError:
        return None


def signal_session(session: int, number: int) -> None:
    """Send a signal to a session but for its leader; SIGKILL as often as members may have forked meanwhile."""
    for _ in range(10):
        members = [pid for pid in session_members(session) if pid != session]
        for pid in members:
            _signal(pid, number)
        if number != signal.SIGKILL or not members:
            return


def _signal(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except OSError:
        pass  # it ended meanwhile, or it is not ours


def kinship(pid: int) -> Iterator[int]:
    """A process, its session's leader, its parent, that one's session, and so on up to process 1."""
    for _ in range(64):
        if pid <= 1:
            return
        yield pid
        session = session_of(pid)
        if session:
            yield session
        try:
            with open(f"/proc/{pid}/stat", "rb") as file:
                pid = int(file.read().rpartition(b")")[2].split()[1])
        except (OSError, ValueError, IndexError):
            return
