"""All processes of a service, without control groups: those of the session that it leads.

A service starts as the leader of a session of its own, so its descendants are found by their session
number in /proc, but for those that made themselves a session.
"""

from __future__ import annotations

import os
import signal


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


def kill_session(session: int, number: int = signal.SIGKILL) -> int:
    """Send a signal to every process of a session; returns to how many."""
    count = 0
    for pid in session_members(session):
        try:
            os.kill(pid, number)
            count += 1
        except OSError:
            pass  # it ended meanwhile, or it is not ours
    return count
