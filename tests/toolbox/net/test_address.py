"""Which addresses are near, and whose they are.

Breaks when one of the Internet is let in, one of a home network kept out, or one host counts as many.
"""

from __future__ import annotations

import pytest

from toolbox.net.address import (
    is_metadata,
    is_private,
    network_of,
    parse_network,
    plain_address,
)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("127.0.0.1", True),
        ("127.255.0.9", True),
        ("10.1.2.3", True),
        ("172.16.0.1", True),
        ("172.32.0.1", False),
        ("192.168.255.255", True),
        ("192.0.2.1", False),
        ("169.254.1.1", True),
        ("100.64.0.1", False),  # a carrier's other customers
        ("100.127.255.255", False),
        ("100.128.0.1", False),
        ("8.8.8.8", False),
        ("0.0.0.0", False),
        ("255.255.255.255", False),
        ("::1", True),
        ("::", False),
        ("fe80::1%eth0", True),
        ("fd00::1", True),
        ("2001:db8::1", False),
        ("::ffff:192.168.0.1", True),
        ("::ffff:8.8.8.8", False),
        ("64:ff9b::a00:1", False),
        ("localhost", False),
        ("", False),
        ("10.1", False),
        ("0x7f.1", False),
    ],
)
def test_is_private(address: str, expected: bool) -> None:
    assert is_private(address) is expected


def test_further_networks() -> None:
    also = [parse_network("100.64.0.0/10"), parse_network("2001:db8::/32")]
    for address in ("100.64.0.1", "::ffff:100.100.1.1", "2001:db8::1", "10.0.0.1"):
        assert is_private(address, also), address
    for address in ("100.128.0.1", "2001:db9::1", "8.8.8.8", "x"):
        assert not is_private(address, also), address
    with pytest.raises(ValueError):
        parse_network("10.0.0.0/33")


@pytest.mark.parametrize(
    ("address", "plain", "network"),
    [
        ("192.0.2.7", "192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7", "192.0.2.7"),
        ("::ffff:c000:207", "192.0.2.7", "192.0.2.7"),
        ("::FFFF:192.0.2.7", "192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7%eth0", "192.0.2.7", "192.0.2.7"),
        ("0:0:0:0:0:ffff:192.0.2.7", "192.0.2.7", "192.0.2.7"),
        ("2001:db8::1", "2001:db8::1", "2001:db8::/64"),
        ("2001:db8::ffff:1:2:3", "2001:db8::ffff:1:2:3", "2001:db8::/64"),
        ("2001:db8:0:1::1", "2001:db8:0:1::1", "2001:db8:0:1::/64"),
        ("fe80::1%eth0", "fe80::1%eth0", "fe80::/64"),
        ("::1", "::1", "::/64"),
        ("", "", ""),
        ("a name", "a name", "a name"),
    ],
)
def test_forms(address: str, plain: str, network: str) -> None:
    assert plain_address(address) == plain
    assert network_of(address) == network


def test_metadata() -> None:
    for address in ("169.254.169.254", "::ffff:169.254.169.254", "fd00:ec2::254"):
        assert is_metadata(address), address
    for address in ("169.254.169.253", "127.0.0.1", "x"):
        assert not is_metadata(address), address
