"""Waits of any length: what a user or a peer asks for, cut to what the system calls take.

poll(2), epoll_wait(2) and socket timeouts count milliseconds in an int, which ends after 24.8 days; a
number of seconds from a command line, a lease or a configuration may be larger.  So every wait of ours
passes one of these functions.  A loop hands `bounded` to its selector, looks at its clock when that
returns, and waits on; what has no loop of its own calls `sleep` or `readable`, which do the same.
"""

from __future__ import annotations

import math
import select
import time

#: The longest single wait in seconds, about 23 days.
LONGEST = 2_000_000.0


def bounded(seconds: float | None) -> float | None:
    """Seconds for a selector, select(2) or a socket: not negative, at most LONGEST.

    None stays None and infinity becomes it: wait for ever.
    """
    if seconds is None or seconds == math.inf:
        return None
    return min(max(seconds, 0.0), LONGEST)


def until(moment: float, now: float) -> float | None:
    """Seconds from `now` to `moment` of the same clock, for a selector; math.inf: for ever."""
    return bounded(moment - now)


def milliseconds(seconds: float | None) -> int | None:
    """The same for poll(2): whole milliseconds, rounded up, so that no loop spins at the end."""
    cut = bounded(seconds)
    return None if cut is None else math.ceil(cut * 1000)


def sleep(seconds: float) -> None:
    """Sleep for as long as that is, for ever with math.inf; a signal's handler may raise out of it."""
    end = time.monotonic() + seconds
    left = seconds
    while left > 0:
        time.sleep(min(left, LONGEST))
        left = end - time.monotonic()


def readable(fd: int, seconds: float | None) -> bool:
    """Whether there is something to read from `fd`, an end or an error included, within `seconds`.

    None: as long as it takes.
    """
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    end = math.inf if seconds is None else time.monotonic() + seconds
    while True:
        wait = milliseconds(end - time.monotonic())
        if poll.poll(wait):
            return True
        if time.monotonic() >= end:
            return False
