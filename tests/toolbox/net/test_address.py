"""Which addresses are near.  Breaks when one of the Internet is let in, or one of a home network kept out."""

from __future__ import annotations

import pytest

from toolbox.net.address import is_private


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
        ("100.64.0.1", True),
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
