"""The boot loader with the GRUB of each release of Debian: 2.06, 2.12 and 2.14, by BIOS and by UEFI.

Whoever builds an image has one of them.  They break when GRUB sets another variable than the script reads, has another
command or module, or takes another disk of the machine for its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.packaging.snakeroot import grubs
from tests.packaging.snakeroot.grub_machine import Machine, check
from toolbox.storage.bootstate import State
from toolbox.storage.device import SECTOR

TRIAL = State("a", "b", 2).encode()
A = State("a").encode()


@pytest.fixture(scope="module", params=grubs.SUITES)
def machine(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Machine]:
    with pytest.MonkeyPatch.context() as patch:
        grubs.use(request.param, patch)
        made = Machine(tmp_path_factory.mktemp(f"grub-{request.param}"))
    yield made


@pytest.mark.parametrize(
    ("state", "kinds", "uefi"),
    [
        (A, ("good", "good"), False),
        (TRIAL, ("good", "good"), False),
        (TRIAL, ("good", "damaged"), False),
        (State("a", bad=["a"]).encode(), ("good", "empty"), False),
        (bytes(SECTOR), ("unloadable", "good"), False),
        (TRIAL, ("unloadable", "good"), True),
    ],
    ids=["a", "trial", "trial of a damaged slot", "a is bad", "no state", "trial by uefi"],
)
def test_each_grub_does_what_the_model_does(
    machine: Machine, state: bytes, kinds: tuple[str, str], uefi: bool
) -> None:
    check(machine, state, bytes(SECTOR), kinds, uefi=uefi)


@pytest.mark.parametrize("uefi", [False, True], ids=["bios", "uefi"])
@pytest.mark.parametrize("first", [True, False], ids=["first disk", "second disk"])
def test_the_disk_that_the_firmware_chose(
    machine: Machine, tmp_path: Path, first: bool, uefi: bool
) -> None:
    """Beside a disk of the same image, with the same identifiers and another state: the slot that boots tells whose
    state was read, and no byte of the other disk is written."""
    other = tmp_path / "other"
    machine.put_state(A, A)
    untouched = bytes(machine.bytes)
    other.write_bytes(untouched)
    before, after = ([], [other]) if first else ([other], [])
    check(machine, TRIAL, bytes(SECTOR), uefi=uefi, before=before, after=after)
    assert other.read_bytes() == untouched
