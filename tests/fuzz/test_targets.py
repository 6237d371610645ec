"""A sample of the inputs of `./dev test --fuzz`: breaks when a reader of foreign bytes fails otherwise than documented."""

from __future__ import annotations

import itertools
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz import network, texts
from tests.fuzz.target import attempt
from tests.fuzz.targets import TARGETS, inputs


@pytest.mark.parametrize("name", TARGETS)
def test_a_sample(name):
    start = time.process_time()
    for data in itertools.islice(inputs(name, 0), 1000):
        attempt(TARGETS[name], data)
    assert time.process_time() - start < 20


@pytest.mark.parametrize("name", TARGETS)
def test_any_bytes(name):
    @given(st.binary(max_size=600))
    @settings(max_examples=50, deadline=None)
    def read(data):
        attempt(TARGETS[name], data)

    read()


@pytest.mark.parametrize(
    "name",
    [
        "dhcp",
        "dns",
        "netlink",
        "http",
        "regex",
        "patterns",
        "dates",
        *network.TARGETS,
        *texts.TARGETS,
    ],
)
def test_the_seeds_are_right(name):
    """Else the inputs would all be refused at the first byte."""
    for seed in TARGETS[name].seeds:
        TARGETS[name].read(seed)
