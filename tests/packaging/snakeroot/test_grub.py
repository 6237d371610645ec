"""The real GRUB in QEMU against the model of it in toolbox/storage/bootstate.py, for every kind of state.

Each case writes both sectors and both slots, boots, and compares: the slot that came up, every word about it
on the kernel's command line, and all bytes of the disk afterwards.  Breaks when the script, the tables that
it is made from, the model, or the distribution's GRUB change their minds.
"""

from __future__ import annotations

import itertools
import random

import pytest
from snakeroot import disk, grub
from snakeroot.host import BuildError

from tests.packaging.snakeroot.grub_machine import LAYOUT, Machine, check
from toolbox.storage import bootstate
from toolbox.storage.bootstate import State
from toolbox.storage.device import SECTOR

#: What a slot can be: its boot area, and what the model is told of it.
KINDS = ("good", "empty", "damaged", "unloadable")


def changed(state: State, **values: str) -> bytes:
    """Its sector with other values, also such as no state has."""
    data = state.encode()
    for key, value in values.items():
        new = bootstate.set_variable(data, key, value)
        assert new is not None
        data = new
    return data


A, B = State("a"), State("b")
TRIAL = State("a", "b", 2)
BACK = State("b", "a", 1)

#: What the state's sector can hold.  The spare says b, so that it shows when it counts.
STATES: dict[str, bytes] = {
    "a": A.encode(),
    "b": B.encode(),
    "trial of b, 3 left": State("a", "b", 3).encode(),
    "trial of b, 2 left": TRIAL.encode(),
    "trial of b, 1 left": State("a", "b", 1).encode(),
    "trial of b, 0 left": State("a", "b", 0).encode(),
    "trial of a": BACK.encode(),
    "trial of a bad slot": State("a", "b", 2, ["b"]).encode(),
    "b is bad": State("a", bad=["b"]).encode(),
    "a is bad": State("a", bad=["a"]).encode(),
    "both are bad": State("a", bad=["a", "b"]).encode(),
    "left=9": changed(TRIAL, left="9"),
    "left is empty": changed(TRIAL, left=""),
    "left=2x": changed(TRIAL, left="2x"),
    "try=c": changed(TRIAL, **{"try": "c"}),
    "slot=c": changed(A, slot="c"),
    "slot is empty": changed(A, slot=""),
    "an odd mark": changed(A, a="perhaps"),
    "zeros": bytes(SECTOR),
    "ones": b"\xff" * SECTOR,
    "noise": bytes(random.Random(1).randbytes(SECTOR)),
    "half a first line": A.encode()[:13].ljust(SECTOR, b"\0"),
    "torn after the slot": A.encode()[:40].ljust(SECTOR, b"\0"),
    "torn before the end": A.encode().partition(b"end=")[0].ljust(SECTOR, b"\0"),
    "no last line feed": A.encode().replace(b"end=yes\n", b"end=yes").ljust(SECTOR, b"#"),
    "carriage returns": A.encode().replace(b"\n", b"\r\n").rstrip(b"#").ljust(SECTOR, b"#"),
    "more keys": changed(A, x="a b", seq="77"),
    "full": TRIAL.encode().rstrip(b"#").replace(b"\nend", b"\nx=" + b"y" * 424 + b"\nend"),
    "the last of two counts": bootstate.set_variable(A.encode(), "z", "1\nslot=b") or b"",
    "a comment": A.encode().replace(b"\nslot=a", b"\n# slot=b\nslot=a").ljust(SECTOR)[:SECTOR],
    "other variables": bootstate.set_variable(B.encode(), "root", "hd7\nprefix=x") or b"",
}


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Machine:
    return Machine(tmp_path_factory.mktemp("grub"))


@pytest.mark.parametrize("name", STATES)
def test_each_state(machine: Machine, name: str) -> None:
    check(machine, STATES[name], B.encode())


@pytest.mark.parametrize(
    "spare", ["zeros", "a is bad", "trial of b, 2 left", "torn before the end"]
)
@pytest.mark.parametrize("numbers", [(1, 2), (2, 1), (5, 5), (9, 10), (2**31 - 1, 3)])
def test_without_a_valid_state(machine: Machine, spare: str, numbers: tuple[int, int]) -> None:
    """The spare counts; without it, the newest slot that is whole."""
    check(machine, bytes(SECTOR), STATES[spare], numbers=numbers)


@pytest.mark.parametrize("kinds", list(itertools.product(KINDS, KINDS)), ids="-".join)
@pytest.mark.parametrize("name", ["a", "trial of b, 1 left", "zeros"])
def test_each_kind_of_slot(machine: Machine, name: str, kinds: tuple[str, str]) -> None:
    check(machine, STATES[name], STATES[name], kinds)


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("a", ("good", "good")),
        ("trial of b, 2 left", ("good", "good")),
        ("trial of b, 1 left", ("good", "damaged")),
        ("trial of a", ("unloadable", "good")),
        ("a is bad", ("good", "empty")),
        ("zeros", ("good", "good")),
        ("torn before the end", ("damaged", "good")),
    ],
)
def test_the_same_by_uefi(machine: Machine, name: str, kinds: tuple[str, str]) -> None:
    check(machine, STATES[name], bytes(SECTOR), kinds, uefi=True)


def test_every_word_of_the_template_is_filled_in() -> None:
    text = grub.script({p.name: p.number for p in disk.partitions(LAYOUT)})
    assert "@" not in text
    assert text.count("attempt ") == len(bootstate.PASSES) + 1


def test_a_machine_without_such_a_boot_loader(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grub, "machine", lambda: "riscv64")
    with pytest.raises(BuildError, match="no boot loader is known for a disk of a riscv64"):
        grub.program(grub.BIOS, "")
