"""What each service's user may have on /perm, and a line in the log when that is used up.

Without limits a service that leaks files or space would use up those of all others.  The ext4 of /perm counts
for each user (toolbox/linux/quota.py); each service has a user of its own.  Root has no limit.
"""

from __future__ import annotations

import errno
import os

from applets.init import checks
from applets.init.spawn import user_id
from toolbox.limited_log import LimitedLog
from toolbox.linux import quota
from toolbox.linux.quota import Limits
from toolbox.sizes import human
from toolbox.storage import ext4
from toolbox.storage.perm import PERM, mounted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from applets.init.config import ServiceConfig
    from applets.init.loop import Loop, Timer

    Log = Callable[[str], None]

#: Where users may be limited: init's own mounts (early.py).
PLACES = (PERM, "/tmp", "/dev/shm")

#: Lines about one kind of limit that are said at once; the others are counted.
BURST = 3


def wanted(services: Iterable[ServiceConfig], space: int, files: int) -> dict[int, Limits]:
    """What each user may have of `space` bytes and `files` in all; the most that one of his services is given.

    Users whose services have no limits in the file are left out, and so is root.
    """
    found: dict[int, Limits] = {}
    for service in services:
        if (service.disk is None and service.files is None) or (uid := user_id(service)) is None:
            continue
        one = Limits(amount(service.disk, space), amount(service.files, files))
        other = found.get(uid, one)
        found[uid] = Limits(_more(one.space, other.space), _more(one.files, other.files))
    return found


def _more(one: int, other: int) -> int:
    return max(one, other) if one and other else 0


def amount(text: str | None, whole: int) -> int:
    """A number of bytes ("64M") or files, or a share of the whole ("50%"); 0 for all that there is."""
    if text is None or text == "max":
        return 0
    if (share := checks.share_of(text)) is not None:
        return max(1, whole * share // 100)
    return checks.number_of(text)


def limit(log: Log, services: Iterable[ServiceConfig], path: str = PERM) -> None:
    """Tell the kernel what each service's user may have; once it is mounted and has grown.

    What is there already is not written again.  OSError as quotactl(2).
    """
    device = mounted(path)
    if not device:
        return  # in memory
    if not ext4.has_quota(device):
        log(f"{path} was made without quotas: one service can use up its space and files for all")
        return
    whole = os.statvfs(path)
    for uid, limits in wanted(services, whole.f_blocks * whole.f_frsize, whole.f_files).items():
        # The kernel keeps space in KiB.
        rounded = Limits(-(-limits.space // 1024) * 1024, limits.files)
        if quota.limits(device, uid) != rounded:
            quota.set_limits(device, uid, rounded)


class Watch:
    """Says whose limit was reached, as the kernel tells it."""

    def __init__(
        self,
        loop: Loop,
        log: Log,
        services: Callable[[], Iterable[ServiceConfig]],
        places: Iterable[str] = PLACES,
    ) -> None:
        """OSError when the kernel tells nobody."""
        self.loop = loop
        self.services = services
        self.places = places
        self.said = LimitedLog("limit", loop.clock, log, burst=BURST)
        self.warnings = quota.Warnings()
        self._timer: Timer | None = None
        loop.watch(self.warnings.fileno(), loop.READ, lambda events: self.told())

    def told(self) -> None:
        """The kernel said something."""
        for reached in self.warnings.take():
            names = [s.name for s in self.services() if user_id(s) == reached.uid]
            place = next((p for p in self.places if _is_on(p, reached.device)), "a file system")
            source = " and ".join(names) or f"user {reached.uid}"
            self.said(f"{reached.what} on {place}", source, _text(reached, place))
        self._count()

    def _count(self) -> None:
        """Say what was counted when that is due."""
        self.said.flush()
        if self._timer is not None:
            self._timer.cancel()
        due = self.said.due()
        self._timer = None if due is None else self.loop.at(self.loop.clock() + due, self._count)


def _is_on(path: str, device: int) -> bool:
    try:
        return os.stat(path).st_dev == device
    except OSError:
        return False


def _text(reached: quota.Reached, place: str) -> str:
    """What is said: how much it may have where that can be asked, and which setting that is."""
    most = f"the {reached.what}"
    if place != PERM:
        return f"has all {most} that a user may have on {place}"
    try:
        limits = quota.limits(mounted(place), reached.uid)
    except OSError:
        pass  # who reached it is known all the same
    else:
        most = f"{limits.files} files" if reached.what == quota.FILES else human(limits.space)
    key = "files" if reached.what == quota.FILES else "disk"
    return f"has all {most} that it may have on {place} ('{key}' in snakeroot.toml)"


def watch(loop: Loop, log: Log, services: Callable[[], Iterable[ServiceConfig]]) -> None:
    """Begin to say so, where the kernel tells.  OSError as socket(2)."""
    try:
        Watch(loop, log, services)
    except OSError as error:
        if error.errno != errno.ENOENT:
            raise
