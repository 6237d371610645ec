"""What lies on a disk, or in the image of one: its boot state, and what its slots say they hold."""

from __future__ import annotations

import stat
from collections.abc import Sequence
from pathlib import Path

from snakeroot.host import BuildError
from toolbox.release import ReleaseError, slots
from toolbox.storage import bootstate, gpt, slot
from toolbox.storage.bootstate import State
from toolbox.storage.device import SECTOR, Disk
from toolbox.trust.minisign import PublicKey


def is_disk(what: str) -> bool:
    """Whether this is a block device, or a file with a partition table."""
    path = Path(what)
    try:
        if stat.S_ISBLK(path.stat().st_mode):
            return True
        with path.open("rb") as file:
            file.seek(SECTOR)
            return file.read(8) == gpt.SIGNATURE
    except OSError:
        return False


def describe(what: str, trusted: Sequence[PublicKey]) -> dict[str, object]:
    """committed, trial: slots    a, b: state, version, created, key of each.  BuildError for another disk."""
    try:
        with Disk(what) as disk:
            table = gpt.read(disk)
            area = bootstate.find(disk, table)
            state = bootstate.load(area) if area else None
            found = {name: slot.Slot.of(disk, table, name) for name in bootstate.SLOTS}
            return {
                "type": "disk",
                "committed": state.slot if state else "",
                "trial": state.trial if state else "",
                **{name: _slot(one, state, trusted) for name, one in found.items()},
            }
    except gpt.DamagedTable as error:
        raise BuildError(f"{what}: no disk of a box: {error}") from None


def _slot(found: slot.Slot, state: State | None, trusted: Sequence[PublicKey]) -> dict[str, object]:
    inside = slot.inspect(found.boot)
    if inside is None:
        return {"state": "empty"}
    marked = "bad" if state and found.name in state.bad else "good"
    described: dict[str, object] = {"state": marked if inside.whole else "damaged"}
    label = slots.read_label(found.boot)
    if not label:
        return {**described, "number": inside.number}
    try:
        release = slots.parse_label(label, trusted)
    except ReleaseError as error:
        return {**described, "number": inside.number, "label": str(error)}
    return {
        **described,
        "number": inside.number,
        "name": release.manifest.target.name,
        "version": release.manifest.version,
        "key": release.key.name,
    }
