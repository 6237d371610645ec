"""The end of a machine, after the services have stopped: other processes, file systems, reboot(2).

end_processes    TERM to whatever is left, KILL a moment later
unmount          write everything out, unmount in reverse order, the root read-only; in a child with a
                 time limit, because a dying disk or server may never answer
Ending           both as steps of the loop, and then the kernel's last word
"""

from __future__ import annotations

import errno
import os
import signal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from applets.init.loop import Loop, Timer

    Log = Callable[[str], None]

#: Seconds between TERM and KILL for processes that are no services.
PATIENCE = 1.0
#: Seconds that writing out and unmounting may take.
UNMOUNT = 30.0
#: Mounts that hold nothing to write out, and that the last steps need.
KEPT = ("/", "/proc", "/sys", "/dev")
#: File systems that live in memory: nothing of them is to be written out, and some are in use by init.
MEMORY = frozenset(
    {"rootfs", "ramfs", "tmpfs", "devtmpfs", "devpts", "proc", "sysfs", "cgroup2", "pstore"}
)


class Ending:
    """The steps after the services have stopped, as PID 1.

    reboot: called at the very end with the action; None in a container, where `loop.stop` ends it.
    """

    def __init__(
        self, loop: Loop, log: Log, action: str, reboot: Callable[[str], None] | None
    ) -> None:
        self.loop = loop
        self.log = log
        self.action = action
        self.reboot = reboot
        self.step: Callable[[], None] = self._after_processes
        self.timer: Timer | None = None
        self.child: int | None = None
        #: What a release on trial changed on /perm and is undone before the unmounting, in its child.
        self.undo: Callable[[Log], None] = lambda log: None

    def begin(self) -> None:
        """TERM to every process but this one."""
        if signal_all(signal.SIGTERM):
            self.timer = self.loop.at(self.loop.clock() + PATIENCE, self._kill)
            self.look()
        else:
            self._after_processes()

    def look(self) -> None:
        """To be called when children were reaped: goes on as soon as none is left."""
        if self.timer is not None and self.child is None and not has_children():
            self.timer.cancel()
            self._after_processes()

    def reaped(self, pid: int) -> None:
        """A child ended; the one that unmounts, perhaps."""
        if pid == self.child:
            self.child = None
            if self.timer is not None:
                self.timer.cancel()
            self._last()

    def _kill(self) -> None:
        signal_all(signal.SIGKILL)
        # They are gone when the kernel has done it; nobody waits for one that sleeps in a driver.
        self.timer = self.loop.at(self.loop.clock() + 0.2, self._after_processes)

    def _after_processes(self) -> None:
        self.timer = None
        if self.reboot is None:
            self.loop.stop(0)
            return
        try:
            pid = os.fork()
        except OSError as error:
            self.log(f"unmounting: {error.strerror}")
            self._last()
            return
        if pid == 0:
            try:
                self.undo(_complain)
            except Exception as error:  # the unmounting must come
                _complain(f"undoing the trial: {error}")
            try:
                unmount_all(_complain)
            finally:
                os._exit(0)
        self.child = pid
        self.timer = self.loop.at(self.loop.clock() + UNMOUNT, self._too_long)

    def _too_long(self) -> None:
        self.log(f"unmounting takes longer than {UNMOUNT:g} s: left")
        self._last()

    def _last(self) -> None:
        self.timer = None
        if self.reboot is not None:
            self.log(f"{self.action}: now")
            try:
                self.reboot(self.action)
            except OSError as error:
                # PID 1 must live on; the owner still has the control socket.
                self.log(f"{self.action}: {error.strerror}")


def signal_all(number: int) -> bool:
    """Signal every process that may be signalled but this one; False when there is none."""
    try:
        os.kill(-1, number)
    except OSError:
        return False
    return True


def has_children() -> bool:
    """Whether any process is left to wait for; as PID 1, every process of ours ends as our child."""
    try:
        os.waitid(os.P_ALL, 0, os.WNOHANG | os.WEXITED | os.WNOWAIT)
    except OSError:
        return False
    return True


def unmount_all(log: Log, targets: Iterable[str] | None = None) -> None:
    """Write out and unmount everything that can be, last mounted first; what is busy becomes read-only.

    targets: these mount points alone, in the order of their mounting; None: all, and the root.
    """
    from toolbox.linux import mount as door

    os.sync()
    everything = targets is None
    if targets is None:
        targets = [entry.target for entry in door.mounts() if entry.kind not in MEMORY]
    for target in unmount_order(targets):
        try:
            door.umount(target)
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.ENOENT):
                log(f"unmount {target}: {error.strerror}")
                _read_only(target, log)
    if everything:
        _read_only("/", log)


def unmount_order(targets: Iterable[str]) -> list[str]:
    """Mount points in the order to unmount them, without those that are kept to the end."""
    return [
        target
        for target in reversed(list(targets))
        if target not in KEPT and not target.startswith(("/proc/", "/sys/", "/dev/"))
    ]


def _read_only(target: str, log: Log) -> None:
    from toolbox.linux import mount as door

    try:
        door.mount("", target, "", door.MS_REMOUNT | door.MS_RDONLY)
    except OSError as error:
        if target != "/":  # an initramfs cannot be made read-only, and needs not
            log(f"make {target} read-only: {error.strerror}")


def _complain(text: str) -> None:
    from applets.init.console import Console

    Console().say(text)
