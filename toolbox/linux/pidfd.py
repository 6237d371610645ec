"""Processes by descriptor, which never means another process: pidfd_open(2), pidfd_send_signal(2).

A pidfd is readable once its process has ended, so it can be waited for beside sockets.
"""

from __future__ import annotations

import os

from toolbox.waits import readable


def open(pid: int) -> int:
    """A descriptor for a process; it is closed on exec.  ProcessLookupError when there is none."""
    return os.pidfd_open(pid)


def send(pidfd: int, number: int) -> None:
    """Send a signal.  ProcessLookupError when the process has ended and was waited for."""
    import signal

    signal.pidfd_send_signal(pidfd, number)


def has_ended(pidfd: int, seconds: float = 0) -> bool:
    """Whether the process ends within `seconds`; it still has to be waited for if it is our child."""
    return readable(pidfd, seconds)


def wait(pidfd: int) -> int:
    """Wait for a child; its exit status, or -N when signal N ended it.  ChildProcessError when it is none."""
    ended = os.waitid(os.P_PIDFD, pidfd, os.WEXITED)
    if ended is None:
        return 0
    return ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status
