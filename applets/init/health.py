"""What makes a box leave a bad state by itself: a bound to each trial of a release, and the watchdog.

Whether a release is healthy is for the service `update` to say; here nothing is believed but that it said so
in time.  A box that restarts without that is back in its old release: the boot loader counts the trials.
"""

from __future__ import annotations

import fcntl
import os
import stat
import struct

from applets.init.state import Former
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

#: Where the first stage leaves the watchdog open when it has begun it (packaging/boot/stage.c).
WATCHDOG_FD = 3

#: Seconds without a sign of the loop after which the watchdog resets the machine: longer than unmounting takes.
TIMEOUT = 60

#: The word of the kernel's command line that says another number of them.
TIMEOUT_WORD = "snakeroot.watchdog="

#: linux/watchdog.h: _IOWR('W', 6, int)
_WDIOC_SETTIMEOUT = 0xC0045706


def bound_trial(box: Supervisor, command_line: str, seconds: float) -> None:
    """Restart a box on trial unless it is committed in so many seconds."""
    if Booted(command_line).word != "trial":
        return
    box.former = Former()

    def look() -> None:
        if not committed(box):
            box.log(f"this release was not committed within {seconds:g} s: going back")
            box.leave("reboot")

    box.loop.at(box.loop.clock() + seconds, look)


def committed(box: Supervisor) -> bool:
    """Whether the updater said that the release that runs is kept."""
    return COMMITTED in box.conditions


class Watchdog:
    """The machine's watchdog, hardware or softdog, told that all is well as long as the loop turns."""

    def __init__(
        self,
        loop: Loop,
        log: Callable[[str], None],
        path: str = WATCHDOG,
        seconds: int = TIMEOUT,
    ) -> None:
        """OSError when there is none."""
        self.loop = loop
        self.log = log
        self.fd = inherited(path)
        if self.fd < 0:
            self.fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        self.timeout = seconds
        try:
            asked = fcntl.ioctl(self.fd, _WDIOC_SETTIMEOUT, struct.pack("i", seconds))
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


def inherited(path: str, fd: int = WATCHDOG_FD) -> int:
    """The descriptor of the watchdog that was begun already, which nobody else can open; -1 for none."""
    try:
        ours, there = os.fstat(fd), os.stat(path)
        # What is no device has the number 0, as any other file.
        if not stat.S_ISCHR(ours.st_mode) or ours.st_rdev != there.st_rdev:
            return -1
        os.set_inheritable(fd, False)
    except OSError:
        return -1
    return fd


def watchdog_seconds(command_line: str) -> int:
    """How long the loop may stand still."""
    for word in reversed(command_line.split()):
        number = word.removeprefix(TIMEOUT_WORD)
        if number != word and number.isascii() and number.isdecimal() and len(number) < 6:
            return max(1, int(number))
    return TIMEOUT


def begin(box: Supervisor, seconds: float, watchdog: str = WATCHDOG) -> None:
    """Both, on a machine; what cannot be had is left out.  OSError when the command line cannot be read."""
    command_line = tryboot.command_line()
    if os.path.exists(watchdog):
        try:
            Watchdog(box.loop, box.log, watchdog, watchdog_seconds(command_line))
        except OSError as error:
            box.log(f"{watchdog}: {error.strerror}")
    bound_trial(box, command_line, seconds)
