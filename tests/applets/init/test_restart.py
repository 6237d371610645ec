"""The restart policy: breaks when back-off, cap, jitter or forgiveness change."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from applets.init.restart import CAP, FIRST, JITTER, STABLE, Restart


def test_doubles_up_to_the_cap() -> None:
    policy = Restart(lambda: 0.0)
    delays = [policy.delay(0.0) for _ in range(12)]
    assert delays[:4] == [FIRST, 2 * FIRST, 4 * FIRST, 8 * FIRST]
    assert delays[-2:] == [CAP, CAP]


@pytest.mark.parametrize(
    ("ran", "forgiven"), [(0.0, False), (STABLE - 0.1, False), (STABLE, True), (1e6, True)]
)
def test_a_stable_run_is_forgiven(ran: float, forgiven: bool) -> None:
    policy = Restart(lambda: 0.0)
    for _ in range(5):
        policy.delay(0.0)
    assert (policy.delay(ran) == FIRST) is forgiven


def test_a_start_by_hand_is_forgiven() -> None:
    policy = Restart(lambda: 0.0)
    policy.delay(0.0)
    policy.delay(0.0)
    policy.reset()
    assert policy.delay(0.0) == FIRST


@given(st.lists(st.floats(0, STABLE / 2), min_size=1, max_size=2000), st.floats(0, 0.999999))
def test_never_above_the_cap_nor_below_the_first(runs: list[float], chance: float) -> None:
    policy = Restart(lambda: chance)
    for ran in runs:
        assert FIRST * (1 - JITTER) <= policy.delay(ran) <= CAP


def test_a_crash_loop_costs_less_than_a_hundredth() -> None:
    """A program that works for half a second of processor time before it crashes, for a day."""
    policy = Restart(lambda: 0.999)
    now = spent = 0.0
    while now < 86400:
        spent += 0.45
        now += 0.45 + policy.delay(0.45)
    assert spent / now < 0.011
