"""The boot state: sectors and their meaning, what each step makes of a state, and what GRUB does with it.

The real GRUB's side of the same table is tests/packaging/snakeroot/test_grub.py.
"""

from __future__ import annotations

import io
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.toolbox.storage.crash import Recorder
from toolbox.storage import bootstate
from toolbox.storage.bootstate import SPARE, STATE, Booted, Contents, State
from toolbox.storage.control import Grub
from toolbox.storage.device import SECTOR

SLOT = st.sampled_from(bootstate.SLOTS)
STATES = st.builds(
    State,
    SLOT,
    st.sampled_from(["", *bootstate.SLOTS]),
    st.integers(0, bootstate.MAX_TRIALS),
    st.sets(SLOT),
)


def partition(state: State) -> Recorder:
    return Recorder(bootstate.archive(state).ljust(32 * SECTOR, b"\0"))


@given(STATES)
def test_a_state_is_a_sector_and_back(state: State) -> None:
    assert len(state.encode()) == SECTOR
    assert bootstate.decode(state.encode()) == state


@given(STATES, st.integers(0, SECTOR - 1), st.binary(max_size=40))
def test_any_sector_is_a_state_or_none(state: State, at: int, noise: bytes) -> None:
    sector = bytearray(state.encode())
    sector[at : at + len(noise)] = noise
    found = bootstate.decode(bytes(sector[:SECTOR]))
    assert found is None or found.slot in bootstate.SLOTS


@given(st.binary(max_size=600))
def test_any_bytes(noise: bytes) -> None:
    assert bootstate.variables(noise) is None or noise.startswith(bootstate.SIGNATURE)
    bootstate.variables(bootstate.SIGNATURE + noise)
    changed = bootstate.set_variable(bootstate.SIGNATURE + noise, "left", "1")
    assert changed is None or len(changed) == len(bootstate.SIGNATURE) + len(noise)


@given(STATES, st.integers(1, SECTOR - 1))
def test_a_sector_without_its_end_does_not_count(state: State, kept: int) -> None:
    whole = state.encode()
    lines = len(whole.rstrip(b"#"))
    torn = bootstate.decode(whole[:kept].ljust(SECTOR, b"\0"))
    assert torn == (state if kept >= lines else None)


def test_the_archive_is_a_tar_with_both_files_in_their_places() -> None:
    data = bootstate.archive(State("b"))
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        places = {m.name: (m.offset_data, m.size) for m in tar}
    assert places["state"] == (STATE * SECTOR, SECTOR)
    assert places["spare"] == (SPARE * SECTOR, SECTOR)
    assert data[-2 * SECTOR :] == bytes(2 * SECTOR)


# -- the steps ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "step", "after"),
    [
        (State("a"), lambda s: bootstate.begin(s, "b", "a"), State("a", bad=["b"])),
        (State("a", bad=["b"]), lambda s: bootstate.begin(s, "b", "a"), State("a", bad=["b"])),
        # What runs is booted next, though another one is committed, or even marked bad.
        (State("b", bad=["a"]), lambda s: bootstate.begin(s, "b", "a"), State("a", bad=["b"])),
        (None, lambda s: bootstate.begin(s, "a", "b"), State("b", bad=["a"])),
        # An armed trial that never was is dropped.
        (State("a", "b", 2), lambda s: bootstate.begin(s, "b", "a"), State("a", bad=["b"])),
        (State("a", bad=["b"]), lambda s: bootstate.arm(s, "b"), State("a", "b", 1)),
        (State("a", bad=["b"]), lambda s: bootstate.arm(s, "b", 3), State("a", "b", 3)),
        (State("a", "b", 0), lambda s: bootstate.commit(s, "b"), State("b")),
        (State("a", "b", 2), lambda s: bootstate.commit(s, "a"), State("a")),
        (None, lambda s: bootstate.commit(s, "b"), State("b")),
        (State("a", "b", 0), bootstate.give_up, State("a", bad=["b"])),
        (State("a"), bootstate.give_up, State("a")),
    ],
)
def test_steps(before: State | None, step: object, after: State) -> None:
    assert callable(step)
    assert step(before) == after


@pytest.mark.parametrize(
    "step",
    [
        lambda: bootstate.begin(State("a"), "a", "a"),
        lambda: bootstate.begin(State("a", "b", 0), "a", "b"),  # the trial runs
        lambda: bootstate.arm(State("a"), "a"),
        lambda: bootstate.arm(State("a"), "b", 0),
        lambda: bootstate.arm(State("a"), "b", 4),
    ],
)
def test_steps_that_are_refused(step: object) -> None:
    assert callable(step)
    with pytest.raises(ValueError, match="slot"):
        step()


def test_the_spare_is_written_first_and_only_for_another_slot() -> None:
    disk = partition(State("a"))
    control = Grub(disk)
    control.begin("b", "a")
    control.arm("b", "a")
    sectors = [event[0] // SECTOR if event else None for event in disk.events]
    assert sectors == [STATE, None, STATE, None]
    disk.events.clear()
    control.commit("b")
    sectors = [event[0] // SECTOR if event else None for event in disk.events]
    assert sectors == [SPARE, None, STATE, None]
    assert control.load() == State("b")
    assert all(event is None or len(event[1]) == SECTOR for event in disk.events)


def test_what_is_so_already_is_not_written() -> None:
    disk = partition(State("a"))
    Grub(disk).commit("a")
    Grub(disk).give_up()
    assert disk.events == []


def test_a_lost_state_is_replaced_by_its_spare_and_then_by_what_runs() -> None:
    disk = partition(State("b"))
    disk.write(STATE * SECTOR, bytes(SECTOR))
    control = Grub(disk)
    assert control.load() == State("b")
    disk.write(SPARE * SECTOR, bytes(SECTOR))
    assert control.load() is None
    control.commit("a")
    assert [bootstate.decode(disk.read(at * SECTOR, SECTOR)) for at in (STATE, SPARE)] == (
        [State("a"), State("a")]
    )


# -- the choice --------------------------------------------------------------------------------------------------


def choose(
    state: State | None, a: Contents | None, b: Contents | None, spare: State | None = None
) -> tuple[str, str, list[str], State | None]:
    sectors = (s.encode() if s else bytes(SECTOR) for s in (state, spare))
    found = bootstate.choose(*sectors, {"a": a, "b": b})
    return found.slot, found.word, found.failed, bootstate.decode(found.state)


ONE, TWO = Contents(1), Contents(2)
DAMAGED, UNLOADABLE = Contents(2, whole=False), Contents(2, loads=False)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (choose(State("a"), ONE, TWO), ("a", "committed", [], State("a"))),
        (choose(State("a"), DAMAGED, ONE), ("a", "committed", [], State("a"))),
        (choose(State("a", "b", 2), ONE, TWO), ("b", "trial", [], State("a", "b", 1))),
        (choose(State("a", "b", 1), ONE, TWO), ("b", "trial", [], State("a", "b", 0))),
        (choose(State("a", "b", 0), ONE, TWO), ("a", "committed", [], State("a", "b", 0))),
        (
            choose(State("a", "b", 1), ONE, DAMAGED),
            ("a", "committed", ["b:hash"], State("a", "b", 0)),
        ),
        (
            choose(State("a", "b", 1), ONE, None),
            ("a", "committed", ["b:header"], State("a", "b", 0)),
        ),
        (choose(State("a"), UNLOADABLE, ONE), ("b", "fallback", ["a:load"], State("a"))),
        (
            choose(State("a", bad=["b"]), None, ONE),
            ("b", "rescue", ["a:header"], State("a", bad=["b"])),
        ),
        (choose(State("a", bad=["a"]), ONE, TWO), ("b", "fallback", [], State("a", bad=["a"]))),
        (choose(None, ONE, TWO, State("a")), ("a", "committed", [], None)),
        (choose(None, ONE, TWO, State("a", "b", 1)), ("a", "committed", [], None)),
        (choose(None, ONE, TWO), ("b", "fallback", [], None)),
        (choose(None, TWO, ONE), ("a", "fallback", [], None)),
        (choose(None, ONE, DAMAGED), ("a", "fallback", ["b:hash"], None)),
        (choose(None, None, None), ("", "", ["a:header", "b:header"], None)),
    ],
)
def test_choices(found: object, expected: object) -> None:
    assert found == expected


@given(STATES, STATES, st.booleans(), st.booleans())
def test_one_whole_slot_is_enough(state: State, spare: State, first: bool, lost: bool) -> None:
    """Whatever the state says, and whether it is there."""
    a, b = (ONE, None) if first else (None, ONE)
    sectors = (bytes(SECTOR), bytes(SECTOR)) if lost else (state.encode(), spare.encode())
    assert bootstate.choose(*sectors, {"a": a, "b": b}).slot == ("a" if first else "b")


@given(STATES)
def test_a_boot_writes_only_the_count_of_a_trial(state: State) -> None:
    after = bootstate.choose(state.encode(), bytes(SECTOR), {"a": ONE, "b": TWO}).state
    if state.armed:
        state = State(state.slot, state.trial, state.left - 1, state.bad)
    assert after == state.encode()


def test_the_command_line_says_what_runs() -> None:
    line = "BOOT_IMAGE=(hd0,gpt6)8+9 snakeroot.slot=b snakeroot.boot=trial snakeroot.failed=a:load, quiet"
    found = Booted(line)
    assert (found.slot, found.word, found.failed) == ("b", "trial", ["a:load"])
    other = Booted("root=/dev/vda snakeroot.slot=c quiet")
    assert (other.slot, other.word, other.failed) == ("", "", [])
