"""What an updater asks of a boot loader, and GRUB's way to do it; the Raspberry Pi's is in tryboot.py.

Each call has happened when it returns, whatever happens to the power afterwards.
"""

from __future__ import annotations

from toolbox.storage import bootstate, slot

TYPE_CHECKING = False
if TYPE_CHECKING:
    from toolbox.storage.bootstate import State
    from toolbox.storage.device import BlockDevice


class BootControl:
    """The boot state of a device.  OSError as the disk says, from each call.

    name: of the boot loader, for people    argument: what reboot(2) is to be told next, mostly nothing
    """

    name = ""
    argument = ""

    def load(self) -> State | None:
        """What is booted next; None when the state is lost and the boot loader takes what it finds."""
        raise NotImplementedError

    def store(self, state: State) -> None:
        """Change it."""
        raise NotImplementedError

    def check(self, area: BlockDevice) -> None:
        """ValueError when the boot loader would not boot this boot area."""
        raise NotImplementedError

    def number(self, area: BlockDevice) -> int | None:
        """The number of the release in a boot area; None when it has none.  DamagedSlot when it holds no release."""
        raise NotImplementedError

    def begin(self, target: str, running: str) -> None:
        """`target` is about to be written: it is not booted any more.  ValueError as bootstate.begin says."""
        self.store(bootstate.begin(self.load(), target, running))

    def arm(self, target: str, running: str, trials: int = 1) -> str:
        """Boot `target` next, on trial; returns the argument that reboot(2) needs for it, mostly none.

        ValueError as bootstate.arm says.
        """
        state = self.load() or bootstate.commit(None, running)
        self.store(bootstate.arm(state, target, trials))
        return self.argument

    def commit(self, running: str) -> None:
        """`running` is healthy: boot it from now on.  Writes nothing when that is so already."""
        state = self.load()
        if state != (new := bootstate.commit(state, running)):
            self.store(new)

    def give_up(self) -> None:
        """The slot on trial failed.  Writes nothing when none is on trial."""
        state = self.load()
        if state and state.trial:
            self.store(bootstate.give_up(state))


class Grub(BootControl):
    """The boot state in its partition, for GRUB's script."""

    name = "grub"

    def __init__(self, partition: BlockDevice) -> None:
        self.partition = partition

    def load(self) -> State | None:
        return bootstate.load(self.partition)

    def store(self, state: State) -> None:
        bootstate.store(self.partition, state)

    def check(self, area: BlockDevice) -> None:
        slot.check_header(area)
        slot.check_hashes(area)

    def number(self, area: BlockDevice) -> int:
        return slot.check_header(area).number
