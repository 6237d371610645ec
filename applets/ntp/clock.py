"""The clock: what the client reads and sets, and the time that outlives a box without a battery."""

from __future__ import annotations

import os
import time

from toolbox.errors import describe, say
from toolbox.files import make_folder, read_file, replace_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    class Clock(Protocol):
        """What the daemon needs of a clock; a test gives its own."""

        def steady(self) -> float: ...
        def wall(self) -> float: ...
        def step(self, offset: float) -> None: ...
        def slew(self, offset: float, poll: float) -> None: ...


#: No right time lies before this (1 January 2025).  An image says more by its /etc/os-release.
RELEASED = 1_735_689_600
#: A file that says it is later than this (2075) was written by a clock as wrong as the one to be set.
LATEST = RELEASED + 50 * 365 * 86400
#: Further off, the clock is set; nearer, it is led there, so that no program sees a jump.
STEP_LIMIT = 0.5


class SystemClock:
    """The host's clock (clock_settime(2), clock_adjtime(2)).  Times are in seconds."""

    def steady(self) -> float:
        """A clock that nobody sets."""
        return time.monotonic()

    def wall(self) -> float:
        """The Unix time that the host believes in."""
        return time.time()

    def step(self, offset: float) -> None:
        """Put the clock `offset` forward (negative: back) at once; OSError without the right to."""
        target = time.clock_gettime_ns(time.CLOCK_REALTIME) + round(offset * 1e9)
        time.clock_settime_ns(time.CLOCK_REALTIME, target)

    def slew(self, offset: float, poll: float) -> None:
        """Lead the clock `offset` forward over the next `poll` seconds; it learns its rate by that."""
        from toolbox.linux import clock

        clock.slew(offset, poll)


class DryClock(SystemClock):
    """A clock that is only read."""

    def step(self, offset: float) -> None:
        """Nothing."""

    def slew(self, offset: float, poll: float) -> None:
        """Nothing."""


def known_time(release_file: str = "/etc/os-release") -> float:
    """A Unix time that is certainly past: when this program, or the image that it is in, was made."""
    try:
        made = os.stat(release_file).st_mtime
    except OSError:
        made = 0.0
    return made if RELEASED < made < LATEST else RELEASED


class SavedTime:
    """The last time that was known, in a file; for boxes that start in 1970."""

    def __init__(self, path: str) -> None:
        self.path = path

    def load(self) -> float:
        """The saved Unix time; 0 when there is none, or nonsense."""
        try:
            saved = int(read_file(self.path, 32) or b"0")
        except (OSError, ValueError):
            return 0.0
        return float(saved) if saved < LATEST else 0.0

    def save(self, wall: float) -> None:
        """Save the Unix time `wall`; without a /perm, nothing."""
        try:
            make_folder(os.path.dirname(self.path))
            replace_file(self.path, b"%d\n" % wall, durable=True)
        except FileNotFoundError:
            pass
        except OSError as error:
            say(f"ntp: {describe(error)}")
