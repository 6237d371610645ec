"""A release into a slot, in the one order in which the power may fail at any moment.

    the slot is marked bad                   flushed: no boot loader takes it
    its header goes                          flushed: nor one that has lost the boot state
    everything but the header is written     flushed
    the header is written                    flushed
    all of it is read back and hashed
    the slot is armed for a trial            flushed

Up to the last write the device boots what it booted before.  Whoever writes the data may begin again at any
time; what is on the disk already can be read there and need not be fetched twice.
"""

from __future__ import annotations

from toolbox.storage.slot import DamagedSlot, HeldBack, Slot, digest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from toolbox.storage.control import BootControl


class Contents:
    """One of a release's two streams, as its manifest vouches for it.

    size: bytes, whole sectors    sha256: hexadecimal
    """

    __slots__ = ("sha256", "size")

    def __init__(self, size: int, sha256: str) -> None:
        self.size = size
        self.sha256 = sha256


class Installation:
    """Writes a slot.  `begin`, then write to `boot` and `root` in any order, then `finish`.

    boot, root: the slot's partitions, to be written and read; the header stays in memory until `finish`.
    """

    def __init__(self, control: BootControl, target: Slot, running: str) -> None:
        self.control = control
        self.target = target
        self.running = running
        self.boot = HeldBack(target.boot)
        self.root = target.root

    def begin(self, boot: Contents, root: Contents) -> None:
        """Take the slot out of use.  ValueError when it runs, or when the release is too large for it."""
        if boot.size > self.boot.size or root.size > self.root.size:
            raise ValueError(
                f"the release needs {boot.size} and {root.size} bytes,"
                f" slot {self.target.name} has {self.boot.size} and {self.root.size}"
            )
        self.control.begin(self.target.name, self.running)
        self.target.invalidate()

    def finish(self, boot: Contents, root: Contents, trials: int = 1) -> str:
        """Check all that was written and arm the slot; returns what reboot(2) is to be told.

        DamagedSlot when what is on the disk is not the release: the slot stays bad, and nothing is armed.
        """
        self.root.flush()
        self.boot.release()
        for what, contents, device in (
            ("boot area", boot, self.target.boot),
            ("root", root, self.root),
        ):
            found = digest(device, contents.size)
            if found != contents.sha256:
                self.target.invalidate()
                raise DamagedSlot(
                    f"slot {self.target.name}: the {what} is not what was to be written:"
                    f" SHA-256 {found}, not {contents.sha256}"
                )
        self.control.check(self.target.boot)
        return self.control.arm(self.target.name, self.running, trials)
