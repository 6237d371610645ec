"""What makes a box leave a bad state by itself: a bound to each trial of a release, and the watchdog.

Whether a release is healthy is for the service `update` to say; here nothing is believed but that it said so
in time.  A box that restarts without that is back in its old release: the boot loader counts the trials.
"""

from __future__ import annotations

import fcntl
import os
import struct

from toolbox.storage import tryboot
from toolbox.storage.bootstate import Booted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from applets.init.loop import Loop
    from applets.init.supervisor import Supervisor

#: The condition that holds when the release that runs is committed.
COMMITTED = "committed"

WATCHDOG = "/dev/watchdog"

#: Seconds without a sign of the loop after which the watchdog resets the machine: longer than unmounting takes.
TIMEOUT = 60

#: linux/watchdog.h: _IOWR('W', 6, int)
_WDIOC_SETTIMEOUT = 0xC0045706


def bound_trial(box: Supervisor, command_line: str, seconds: float) -> None:
    """Restart a box on trial unless it is committed in so many seconds."""
    if Booted(command_line).word != "trial":
        return

    def look() -> None:
        if COMMITTED not in box.conditions:
            box.log(f"this release was not committed within {seconds:g} s: going back")
            box.leave("reboot")

    box.loop.at(box.loop.clock() + seconds, look)


class Watchdog:
    """The machine's watchdog, hardware or softdog, told that all is well as long as the loop turns."""

    def __init__(self, loop: Loop, log: Callable[[str], None], path: str = WATCHDOG) -> None:
        """OSError when there is none."""
        self.loop = loop
        self.log = log
        self.fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        self.timeout = TIMEOUT
        try:
            asked = fcntl.ioctl(self.fd, _WDIOC_SETTIMEOUT, struct.pack("i", TIMEOUT))
            # Some know few times, and say which one they took.
            self.timeout = max(1, struct.unpack("i", asked)[0])
        except OSError:
            self.timeout = 10  # its own, unknown, is hardly shorter
        self.pet()

    def pet(self) -> None:
        """All is well; and again before the time is over."""
        try:
            os.write(self.fd, b"\0")
        except OSError as error:
            self.log(f"watchdog: {error.strerror}")
        self.loop.at(self.loop.clock() + self.timeout / 4, self.pet)


def begin(box: Supervisor, seconds: float, watchdog: str = WATCHDOG) -> None:
    """Both, on a machine; what cannot be had is left out.  OSError when the command line cannot be read."""
    if os.path.exists(watchdog):
        try:
            Watchdog(box.loop, box.log, watchdog)
        except OSError as error:
            box.log(f"{watchdog}: {error.strerror}")
    bound_trial(box, tryboot.command_line(), seconds)
