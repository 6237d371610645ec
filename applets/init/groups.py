"""All processes of a service, without control groups: those of the session that it leads.

A service starts as the leader of a session of its own, so its descendants are found by their session
number in /proc, but for those that made themselves a session.
"""

from __future__ import annotations

import os
import signal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


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


def kill_session(session: int, number: int = signal.SIGKILL) -> None:
    """Send a signal to every process of a session but its leader.

    Repeated while members are found, since they may have forked meanwhile.
    """
    for _ in range(10):
        members = [pid for pid in session_members(session) if pid != session]
        for pid in members:
            try:
                os.kill(pid, number)
            except OSError:
                pass  # it ended meanwhile, or it is not ours
        if not members or number != signal.SIGKILL:
            return


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
