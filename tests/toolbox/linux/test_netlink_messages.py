"""netlink messages as bytes.  Breaks when a length or padding is read wrongly, or a refusal loses its words."""

from __future__ import annotations

import errno
import socket
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolbox.linux import netlink
from toolbox.linux.netlink_objects import Link, Route, attribute, attributes


@given(st.dictionaries(st.integers(1, 0x3FFF), st.binary(max_size=40), max_size=8))
def test_attributes_there_and_back(found) -> None:
    assert attributes(b"".join(attribute(kind, data) for kind, data in found.items())) == found


@given(st.binary(max_size=200))
def test_no_bytes_do_harm(data) -> None:
    attributes(data)
    for _, _, _, body in netlink.messages(data):
        assert len(body) <= len(data)


def test_messages_are_cut_at_their_lengths() -> None:
    one = struct.pack("=IHHII", 19, 16, 2, 7, 0) + b"abc"
    two = struct.pack("=IHHII", 16, 3, 0, 8, 0)
    found = list(netlink.messages(one + b"\0" + two + b"rest"))
    assert found == [(16, 2, 7, b"abc"), (3, 0, 8, b"")]


def test_a_link() -> None:
    body = struct.pack("=BxHiII", 0, 1, 5, 0x1043, 0)
    body += attribute(3, b"eth0\0") + attribute(4, struct.pack("=I", 1400)) + attribute(16, b"\6")
    body += attribute(18, attribute(1, b"vlan\0") + attribute(2, attribute(1, b"\5\0")))
    link = Link(body)
    assert (link.name, link.index, link.mtu, link.state, link.kind) == (
        "eth0",
        5,
        1400,
        "up",
        "vlan",
    )
    assert link.information == {1: b"\5\0"}


def test_a_route_with_several_ways() -> None:
    hop = struct.pack("=HBBi", 16, 0, 2, 7) + attribute(5, bytes([10, 0, 0, 1]))
    body = struct.pack("=BBBBBBBBI", 2, 8, 0, 0, 254, 3, 0, 1, 0)
    route = Route(body + attribute(1, bytes([10, 0, 0, 0])) + attribute(9, hop + b"\xff\xff\0\0"))
    assert (route.destination, route.prefix) == ("10.0.0.0", 8)
    assert route.hops == [(7, 3, 0, "10.0.0.1")]


def test_a_refusal_is_an_oserror() -> None:
    with netlink.Netlink() as kernel:
        assert kernel.link("lo").index == 1
        assert any(one.local == "127.0.0.1" for one in kernel.addresses(socket.AF_INET))
        with pytest.raises(OSError) as caught:
            kernel.link("no-such-link")
        assert caught.value.errno == errno.ENODEV
        # An unknown interface: nothing is changed, whoever runs this.
        body = struct.pack("=BxHiII", 0, 0, 0x7FFFFFFF, 1, 1)
        with pytest.raises(OSError) as caught:
            kernel.request(netlink.RTM_NEWLINK, 0, body)
        assert caught.value.errno in (errno.ENODEV, errno.EPERM)
