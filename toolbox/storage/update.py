"""A box's updates: a release into the slot that does not run, its trial, and how that ended.

    wanted      which bytes of a release the box lacks
    install     the signature, then what it signs; is it for this box; the record says what is to be tried; into
                the slot (install.py has the order); label; read back; armed
    settle      once after a boot: what became of the last trial
    commit      this slot is healthy: it is booted from now on
    roll_back   the other slot is tried, as if it were a new release
    set_default the other slot is booted from now on, untried

Nothing here reboots, waits or knows of services.  Errors are ValueErrors whose text is one line for the
box's owner (ReleaseError, DamagedSlot, DamagedTable and the boot state's own among them), or OSErrors.
"""

from __future__ import annotations

import os
import time

from toolbox.release import ReleaseError, fetch, manifest, partial, slots
from toolbox.release.fetch import Fetch, Retry
from toolbox.storage import bootstate, gpt, tryboot
from toolbox.storage import slot as slot_format
from toolbox.storage.bootstate import Booted
from toolbox.storage.control import Grub
from toolbox.storage.device import Disk
from toolbox.storage.install import Contents, Installation
from toolbox.storage.slot import DamagedSlot, Slot
from toolbox.storage.update_record import COMMITTED, FAILED, NOT_INSTALLED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Container, Sequence
    from typing import Any

    from toolbox.release.fetch import Release
    from toolbox.release.manifest import Manifest
    from toolbox.release.own import Own
    from toolbox.release.sources import Source
    from toolbox.storage.control import BootControl
    from toolbox.storage.device import BlockDevice
    from toolbox.storage.update_record import Record
    from toolbox.trust.minisign import PublicKey

#: What a slot is: it holds nothing, something whole, or what is not to be booted.
EMPTY, GOOD, BAD = "empty", "good", "bad"

#: Why a trial failed that left no word of its own.
SILENT = "it did not come up: it crashed, hung, or the power failed"

#: What the boot loader says of a slot that it could not boot (bootstate.choose).
_LOADER = {
    "header": "the boot loader found no release in its slot",
    "hash": "the boot loader found its slot damaged",
    "load": "the boot loader could not load its kernel",
}


class RunsAlready(ReleaseError):
    """The release is the one that runs."""


class Updates:
    """The updates of one box.

    disk: the whole, with a boot state and two slots    command_line: the kernel's, which says what runs
    own: what this box is and whom it believes; None when it takes no releases
    """

    def __init__(
        self,
        disk: BlockDevice,
        command_line: str,
        record: Record,
        own: Own | None = None,
        clock: Callable[[], float] = time.time,
        argument: str = "",
        perm: Collection[str] = (),
    ) -> None:
        """argument: what the next restart is to be told by now; `control.argument` is it afterwards.

        perm: features of the box's /perm that a release has to be able to mount (manifest.MOUNTS)
        """
        self.perm = perm
        self.disk = disk
        self.record = record
        self.own = own
        self.clock = clock
        self.booted = Booted(command_line)
        self.table = gpt.read(disk)
        control = _find_control(disk, self.table, argument)
        if control is None or not self.booted.slot:
            raise ValueError("this box was not booted from a slot: it takes no updates")
        self.control: BootControl = control
        self.running = self.booted.slot
        self.other = next(name for name in bootstate.SLOTS if name != self.running)
        self.slots = {name: Slot.of(disk, self.table, name) for name in bootstate.SLOTS}
        self.keys: list[PublicKey] = own.keys if own else []

    @property
    def on_trial(self) -> bool:
        """Whether what runs is on trial and not committed yet."""
        if self.booted.word != "trial":
            return False
        state = self.control.load()
        return state is not None and state.trial == self.running

    @property
    def excused(self) -> Container[str]:
        """The services that need not work in the trial that is on; nobody when none is.

        The slot itself says so.  One that an older release installed does not: then the record does.
        """
        if not self.on_trial:
            return ()
        try:
            found = slots.read_excused(self.slots[self.running].boot)
        except OSError:
            found = None
        return self.record.unready if found is None else found

    # -- what there is -------------------------------------------------------------------------------------

    def release(self, name: str) -> Release | None:
        """What a slot says it holds, signed; None when it holds nothing, or says nothing that is believed."""
        area = self.slots[name].boot
        try:
            number = self.control.number(area)
            found = slots.parse_label(slots.read_label(area), self.keys)
        except (DamagedSlot, ReleaseError):
            return None
        return found if number in (None, found.manifest.number) else None

    def version(self, name: str) -> str:
        """The version in a slot; "" when it is unknown."""
        found = self.release(name)
        return found.manifest.version if found else ""

    def describe(self) -> dict[str, Any]:
        """slot, version, state, last, and the slots: what `update show --json` prints."""
        state = self.control.load()
        return {
            "slot": self.running,
            "version": self.version(self.running),
            "state": self._state(state),
            "last": self.record.last,
            "boot_loader": self.control.name,
            "slots": {name: self._slot(name, state) for name in bootstate.SLOTS},
        }

    def _state(self, state: bootstate.State | None) -> str:
        """trial: on trial; armed: the other slot is tried by the next boot; else the word for this boot."""
        if self.on_trial:
            return "trial"
        if state and state.armed and state.trial != self.running:
            return "armed"
        return COMMITTED if state and state.slot == self.running else self.booted.word

    def _slot(self, name: str, state: bootstate.State | None) -> dict[str, Any]:
        try:
            self.control.number(self.slots[name].boot)
        except DamagedSlot:
            return {"state": EMPTY, "version": ""}
        bad = state is not None and name in state.bad
        return {"state": BAD if bad else GOOD, "version": self.version(name)}

    # -- installing ----------------------------------------------------------------------------------------

    def check(self, release: Release, *, downgrade: bool = False) -> None:
        """ReleaseError says why this box does not take it; RunsAlready when it runs."""
        running = self.release(self.running)
        expected = fetch.Box(
            self._own().target,
            running.manifest.version if running else "",
            self._floor(running),
            self._room(release),
        )
        fetch.check(release.manifest, expected, downgrade=downgrade)
        if running and running.manifest.parts == release.manifest.parts:
            raise RunsAlready(f"version {running.manifest.version} runs already")
        fetch.check_mounts(release, self.perm)

    def wanted(self, source: Source, *, downgrade: bool = False) -> list[tuple[int, int]]:
        """Which [start, stop) of a release's file `install` needs: its head and index, and what is not at hand.

        source: of the head and the index.  Writes nothing.  ReleaseError as `check` says.
        """
        release = fetch.open_release(source, self._own().keys)
        begin = (0, release.pack_at)
        try:
            self.check(release, downgrade=downgrade)
        except RunsAlready:
            return [begin]
        fetched = Fetch(source, release, release.load_index(source), self._at_hand())
        work = self._installation()
        there = slots.read_ahead({"boot": work.boot, "root": work.root})
        return partial.joined([begin, *fetched.missing(there)])

    def install(
        self,
        source: Source,
        *,
        release: Release | None = None,
        unready: Sequence[str] = (),
        downgrade: bool = False,
        say: Callable[[str], None] = lambda text: None,
        progress: Callable[[str, int, int], None] = lambda version, done, total: None,
    ) -> Manifest:
        """Put a release into the other slot and arm it; the next boot tries it.

        release: what `fetch.open_release` made of the source, if it did
        unready: services that do not work now, and so need not in the trial (`excused`)
        downgrade: the owner wants an older version    say: is told of a network that fails for a moment
        progress: called with the version, and bytes done and in all
        """
        retry = Retry(say)
        release = release or fetch.open_release(source, self._own().keys, retry)
        wanted = release.manifest
        if self.on_trial:
            raise ReleaseError(
                f"slot {self.running} is on trial: it must be committed first, or left"
            )
        try:
            self.check(release, downgrade=downgrade)
            index = release.load_index(source, retry)
        except RunsAlready:
            raise
        except ReleaseError as error:
            self._not_installed(wanted.version, error, self.record.trial)
            raise
        work = self._installation()
        boot, root = (
            Contents(b.size, b.sha256) for b in map(wanted.parts.get, manifest.PARTS) if b
        )
        # Before the point of no return: what is written on /perm must not be able to stop it halfway.
        self.record.begin(self.other, wanted.version, unready)
        try:
            have = self._at_hand()
            work.begin(boot, root)
            devices = {"boot": work.boot, "root": work.root}
            fetched = Fetch(source, release, index, have, slots.read_ahead(devices), retry)
            writer = slots.SlotWriter(devices)
            done, total = 0, boot.size + root.size
            for piece in fetched:
                writer.put(piece)
                done += piece.length
                progress(wanted.version, done, total)
            writer.close()
            slots.write_label(work.boot, slots.label(release, index.data), unready)
            work.finish(boot, root)
        except (OSError, ValueError) as error:
            self._not_installed(wanted.version, error)
            raise
        return wanted

    def _own(self) -> Own:
        if self.own is None:
            raise ReleaseError("this box knows no key for releases, and takes none")
        return self.own

    def _installation(self) -> Installation:
        return Installation(self.control, self.slots[self.other], self.running)

    def _at_hand(self) -> list[fetch.Have]:
        """The chunks of the slot that runs, and of the one that is to be written, whose header goes first."""
        one, other = self.slots[self.running], self.slots[self.other]
        boot = slot_format.HeldBack(other.boot)
        found = [
            slots.have({"boot": one.boot, "root": one.root}, self.keys),
            slots.have({"boot": boot, "root": other.root}, self.keys, target=True),
        ]
        return [have for have in found if have]

    def _room(self, release: Release) -> dict[str, int]:
        one = self.slots[self.other]
        label = slots.label_room(len(release.head) + release.manifest.index.size)
        return {"boot": one.boot.size - label, "root": one.root.size}

    def _floor(self, running: Release | None) -> str:
        """The higher one of the record's, which may be lost, and the running release's own."""
        floors = [self.record.floor, running.manifest.floor if running else "0"]
        return floors[0] if manifest.compare(*floors) > 0 else floors[1]

    def _not_installed(
        self, version: str, error: Exception, trial: dict[str, Any] | None = None
    ) -> None:
        """trial: one that this try has not ended."""
        reason = getattr(error, "strerror", None) or str(error)
        self.record.end(NOT_INSTALLED, version, self.other, self.clock(), reason, trial=trial)

    # -- trials --------------------------------------------------------------------------------------------

    def settle(self, crash: str = "") -> dict[str, Any] | None:
        """See what became of the last trial; the record's new `last` when it has ended by now, else None.

        To be called once after each boot.  A trial that was left is over: its slot is marked bad.
        crash: why the kernel of the last boot panicked, if it did
        """
        trial, state = self.record.trial, self.control.load()
        if self.on_trial or (state and state.armed):
            return None
        if state and state.trial:
            slot = state.trial
            known = trial if trial and trial["slot"] == slot else {}
            version = known.get("version") or self.version(slot)
            self.record.end(FAILED, version, slot, self.clock(), self._reason(slot, known, crash))
            self.control.give_up()
        elif trial is None:
            return None
        elif trial["slot"] == self.running and state and state.slot == self.running:
            self._committed(trial["version"])  # and then the power failed
        else:
            reason = trial["reason"] or "it was interrupted before it could be tried"
            self.record.end(NOT_INSTALLED, trial["version"], trial["slot"], self.clock(), reason)
        return self.record.last

    def _reason(self, slot: str, trial: dict[str, Any], crash: str) -> str:
        for word in self.booted.failed:
            name, _, why = word.partition(":")
            if name == slot and why in _LOADER:
                return _LOADER[why]
        said = trial.get("reason", "")
        if said and not said.endswith("..."):
            return str(said)
        silent = f"its kernel panicked: {crash}" if crash else SILENT
        return f"{silent}; the last that is known: {said}" if said else silent

    def commit(self) -> None:
        """What runs is healthy: it is booted from now on.  Writes nothing when that is so already."""
        tried = self.on_trial or self.record.trial is not None
        self.control.commit(self.running)
        if tried:
            self._committed(self.version(self.running))

    def _committed(self, version: str) -> None:
        floor = self._floor(self.release(self.running))
        self.record.end(COMMITTED, version, self.running, self.clock(), floor=floor)

    def roll_back(self, reason: str, unready: Sequence[str] = ()) -> str:
        """The next boot leaves what runs: a trial is given up, else the other slot is tried.

        Returns the slot that is booted next.
        """
        state = self.control.load()
        if self.on_trial and state:
            version = self.version(self.running)
            self.control.give_up()
            self.record.end(FAILED, version, self.running, self.clock(), reason)
            return state.slot
        self.verify(self.other)
        self.record.begin(self.other, self.version(self.other), unready)
        slots.write_excused(self.slots[self.other].boot, unready)
        self.control.arm(self.other, self.running)
        return self.other

    def set_default(self, name: str) -> None:
        """Boot a slot from now on, untried.  DamagedSlot unless it holds a whole release."""
        if name != self.running:
            self.verify(name)
        self.control.commit(name)

    def verify(self, name: str) -> None:
        """DamagedSlot unless a slot holds a release, to the last byte; ReleaseError when it cannot mount /perm."""
        found = self.release(name)
        one = self.slots[name]
        if found is None:
            raise DamagedSlot(f"slot {name} holds no release")
        fetch.check_mounts(found, self.perm)
        for part, device in (("boot", one.boot), ("root", one.root)):
            blob = found.manifest.parts[part]
            if slot_format.digest(device, blob.size) != blob.sha256:
                raise DamagedSlot(f"slot {name}: its {part} is damaged")


def find_disk(command_line: str) -> str:
    """The path of the disk that this box was booted from: the kernel is told its root's GUID.

    Firmware that boots a slot without telling it boots from the only disk that it can.  ValueError when there
    is none.
    """
    from toolbox.linux import blockdev

    for name in blockdev.names():
        if os.path.exists(f"{blockdev.SYSFS}/{name}/partition"):
            continue
        try:
            with Disk(f"/dev/{name}") as disk:
                if holds_root(disk, command_line):
                    return f"/dev/{name}"
        except (OSError, ValueError):
            continue  # an empty drive, or another kind of disk
    raise ValueError("this box was not booted from a slot: it takes no updates")


def holds_root(disk: BlockDevice, command_line: str) -> bool:
    """Whether a box was booted from this disk.  OSError or ValueError when it is none with partitions."""
    table = gpt.read(disk)
    words = dict(w.split("=", 1) for w in command_line.split() if "=" in w)
    kind, _, wanted = words.get("root", "").partition("=")
    if kind == "PARTUUID":
        return any(gpt.guid_text(partition.own).lower() == wanted.lower() for partition in table)
    return "snakeroot.slot" in words and tryboot.find(disk, table) is not None


def _find_control(disk: BlockDevice, table: gpt.Table, argument: str) -> BootControl | None:
    """The boot state's, by what the disk has: a partition for it, or autoboot.txt."""
    state = bootstate.find(disk, table)
    return Grub(state) if state else tryboot.find(disk, table, argument)
