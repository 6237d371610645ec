"""How ip reads numbers, addresses and prefixes.  Breaks when a short form means another network."""

from __future__ import annotations

import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from applets.networking.ip import words as w

INET, INET6 = int(socket.AF_INET), int(socket.AF_INET6)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("default", ("", 0, 0)),
        ("10.0.0.0/8", ("10.0.0.0", 8, INET)),
        ("10/8", ("10.0.0.0", 8, INET)),
        ("10.1/16", ("10.1.0.0", 16, INET)),
        ("10.1", ("10.1.0.0", 16, INET)),
        ("10.1.2.3", ("10.1.2.3", 32, INET)),
        ("10.0.0.0/255.255.0.0", ("10.0.0.0", 16, INET)),
        ("fd00::/64", ("fd00::", 64, INET6)),
        ("FD00:0::1", ("fd00::1", 128, INET6)),
    ],
)
def test_prefixes(text, expected) -> None:
    assert w.prefix(text, 0) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "10.0.0.0/33",
        "10.0.0.0/-1",
        "1.2.3.4.5",
        "10.0.0.0/255.0.255.0",
        "::/129",
        "256.1.1.1",
        ":",
    ],
)
def test_what_is_no_prefix(text) -> None:
    with pytest.raises(w.Refusal, match="expected rather than"):
        w.prefix(text, 0)


def test_families_are_not_mixed() -> None:
    with pytest.raises(w.Refusal, match="inet6 prefix is expected"):
        w.prefix("10.0.0.0/8", INET6)
    with pytest.raises(w.Refusal, match="inet address is expected"):
        w.address("::1", INET)


@pytest.mark.parametrize(("text", "value"), [("5", 5), ("0x10", 16), ("010", 10), ("0", 0)])
def test_numbers(text, value) -> None:
    assert w.number(text, "mtu") == value


@pytest.mark.parametrize("text", ["", "x", "-1", "1.5", "0x", "4294967296"])
def test_what_is_no_number(text) -> None:
    with pytest.raises(w.Refusal, match='Invalid "mtu" value'):
        w.number(text, "mtu")


def test_hardware_addresses() -> None:
    assert w.hardware("2:0:0:0:0:ff") == bytes([2, 0, 0, 0, 0, 255])
    for wrong in ("", "zz", "1:2:300:4:5:6", "12"):
        with pytest.raises(w.Refusal, match="invalid lladdr"):
            w.hardware(wrong)


@pytest.mark.parametrize(
    ("address", "network", "length", "inside"),
    [
        ("10.1.2.3", "10.1.0.0", 16, True),
        ("10.2.2.3", "10.1.0.0", 16, False),
        ("fd00::1", "fd00::", 64, True),
        ("fd00::1", "10.0.0.0", 8, False),
        ("10.1.2.3", "", 0, True),
        ("10.1.2.3", "0.0.0.0", 0, True),
    ],
)
def test_within(address, network, length, inside) -> None:
    assert w.within(address, network, length) is inside


@given(st.text(st.characters(exclude_characters="\0"), max_size=20))
def test_whatever_is_typed(text) -> None:
    for reader in (
        lambda: w.prefix(text, 0),
        lambda: w.address(text, 0),
        lambda: w.number(text, "x"),
        lambda: w.hardware(text),
    ):
        try:
            reader()
        except w.Refusal:
            pass


def test_short_forms() -> None:
    assert w.one_of("a", "address link route") == "address"
    assert w.one_of("r", "address link route rule") == "route"
    assert w.one_of("ru", "address link route rule") == "rule"
    assert w.one_of("", "address") == ""
    assert w.one_of("addressx", "address") == ""
