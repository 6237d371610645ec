"""The DHCP codec against scapy and against junk.  Breaks when a field moves, an option is lost or cut,
or foreign bytes raise anything but ProtocolError."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.dhcp import BOOTP, DHCP

from toolbox.net import ProtocolError, dhcp
from toolbox.net.ip import address_text

MAC = bytes.fromhex("525400123456")

addresses = st.binary(min_size=4, max_size=4).map(address_text)
option_sets = st.dictionaries(
    st.integers(1, 254).filter(lambda code: code not in (dhcp.OVERLOAD, dhcp.MESSAGE_TYPE)),
    st.binary(max_size=700),
    max_size=8,
)


@st.composite
def messages(draw: st.DrawFn) -> dhcp.Message:
    kind = {dhcp.MESSAGE_TYPE: bytes([draw(st.integers(1, 8))])}
    return dhcp.Message(
        draw(st.sampled_from([1, 2])),
        draw(st.integers(0, 2**32 - 1)),
        draw(st.binary(max_size=16)),
        kind | draw(option_sets),
        ciaddr=draw(addresses),
        yiaddr=draw(addresses),
        siaddr=draw(addresses),
        giaddr=draw(addresses),
        secs=draw(st.integers(0, 65535)),
        flags=draw(st.integers(0, 65535)),
        sname=draw(st.binary(max_size=64)).rstrip(b"\0"),
        file=draw(st.binary(max_size=128)).rstrip(b"\0"),
    )


def fields(message: dhcp.Message) -> dict[str, object]:
    return {name: getattr(message, name) for name in dhcp.Message.__slots__}


@given(messages())
def test_round_trip(message: dhcp.Message) -> None:
    """Also of options longer than 255 bytes, which go in parts (RFC 3396)."""
    assert fields(dhcp.decode(message.encode())) == fields(message)


@given(st.binary(max_size=700))
def test_junk_is_one_error_or_a_message(data: bytes) -> None:
    for junk in (data, bytes(236) + dhcp.MAGIC + data):
        with pytest.raises(ProtocolError):
            dhcp.decode(junk)


@given(messages(), st.data())
def test_a_damaged_message_is_one_error_or_a_message(
    message: dhcp.Message, data: st.DataObject
) -> None:
    wire = bytearray(message.encode())
    for _ in range(data.draw(st.integers(1, 8))):
        wire[data.draw(st.integers(0, len(wire) - 1))] = data.draw(st.integers(0, 255))
    wire = wire[: data.draw(st.integers(0, len(wire)))]
    try:
        dhcp.decode(bytes(wire))
    except ProtocolError:
        pass


def test_scapy_reads_ours() -> None:
    message = dhcp.Message(
        dhcp.REQUEST,
        0x12345678,
        MAC,
        {
            dhcp.MESSAGE_TYPE: bytes([dhcp.REQUEST_LEASE]),
            dhcp.REQUESTED_ADDRESS: bytes([10, 0, 0, 7]),
            dhcp.SERVER_ID: bytes([10, 0, 0, 1]),
            dhcp.HOST_NAME: b"box",
        },
        ciaddr="10.0.0.9",
        secs=3,
    )
    theirs = BOOTP(message.encode())
    assert (theirs.op, theirs.xid, theirs.secs, theirs.ciaddr) == (1, 0x12345678, 3, "10.0.0.9")
    assert theirs.chaddr[:6] == MAC
    options = [option for option in theirs[DHCP].options if isinstance(option, tuple)]
    assert options == [
        ("message-type", 3),
        ("requested_addr", "10.0.0.7"),
        ("server_id", "10.0.0.1"),
        ("hostname", b"box"),
    ]


def test_we_read_scapys() -> None:
    theirs = BOOTP(op=2, xid=7, yiaddr="10.0.0.7", siaddr="10.0.0.1", chaddr=MAC) / DHCP(
        options=[
            ("message-type", "offer"),
            ("server_id", "10.0.0.1"),
            ("lease_time", 3600),
            ("subnet_mask", "255.255.254.0"),
            ("router", "10.0.0.1", "10.0.0.2"),
            ("domain", b"example.org"),
            "end",
        ]
    )
    message = dhcp.decode(bytes(theirs))
    options = message.options
    assert (message.op, message.xid, message.kind) == (2, 7, dhcp.OFFER)
    assert (message.yiaddr, message.siaddr, message.hardware) == ("10.0.0.7", "10.0.0.1", MAC)
    assert dhcp.number(options[dhcp.LEASE_TIME], 4) == 3600
    assert dhcp.prefix_length(options[dhcp.SUBNET_MASK]) == 23
    assert dhcp.addresses(options[dhcp.ROUTERS]) == ["10.0.0.1", "10.0.0.2"]
    assert dhcp.domain(options[dhcp.DOMAIN_NAME]) == "example.org"


def wire(options: bytes, sname: bytes = b"", file: bytes = b"") -> bytes:
    """A reply with these raw option bytes."""
    head = bytes([2, 1, 6, 0]) + bytes(24) + MAC + bytes(10)
    return head + sname.ljust(64, b"\0") + file.ljust(128, b"\0") + dhcp.MAGIC + options


def test_overload_reads_file_then_sname() -> None:
    message = dhcp.decode(
        wire(
            b"\x35\x01\x05\x34\x01\x03\x0c\x01a\xff",
            sname=b"\x0c\x01c\xff",
            file=b"\x34\x01\x03\x0c\x01b\x03\x04\x0a\0\0\x01\xff",  # an overload inside means nothing
        )
    )
    assert message.options[dhcp.HOST_NAME] == b"abc"
    assert message.options[dhcp.ROUTERS] == bytes([10, 0, 0, 1])
    assert (message.sname, message.file) == (b"", b"")


def test_pads_and_a_missing_end_are_harmless() -> None:
    assert dhcp.decode(wire(b"\0\0\x35\x01\x02\0\x0c\x01a")).options[12] == b"a"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        bytes(239),
        wire(b""),  # no type
        wire(b"\x35"),
        wire(b"\x35\x01"),
        wire(b"\x35\x00"),
        wire(b"\x35\x02\x05\x05"),
        wire(b"\x35\x01\x00"),
        wire(b"\x35\x01\x63"),
        wire(b"\x35\x01\x05\x0c\xff" + b"a" * 254),  # runs past the end
        wire(b"\x35\x01\x05\x34\x01\x04"),  # overload of what?
        wire(b"\x35\x01\x05\x34\x02\x01\x01"),
        wire(b"\x35\x01\x05\x34\x01\x01", file=b"\x0c\xff"),
        wire(b"\x35\x01\x05").replace(dhcp.MAGIC, b"XXXX"),
        b"\x03" + wire(b"\x35\x01\x05")[1:],
        b"\x02\x01\x40" + wire(b"\x35\x01\x05")[3:],
    ],
)
def test_refused(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        dhcp.decode(data)


def test_the_largest_message_is_read() -> None:
    message = dhcp.decode(wire(b"\x35\x01\x05" + (b"\x2b\xff" + b"x" * 255) * 250))
    assert len(message.options[43]) == 255 * 250


@pytest.mark.parametrize(
    ("value", "routes"),
    [
        ("00 0a000001", [("0.0.0.0", 0, "10.0.0.1")]),
        ("08 0a 0a000001", [("10.0.0.0", 8, "10.0.0.1")]),
        ("18 0a0102 00000000", [("10.1.2.0", 24, "0.0.0.0")]),
        (
            "20 a9fea9fe 0a000001 00 0a000002",
            [("169.254.169.254", 32, "10.0.0.1"), ("0.0.0.0", 0, "10.0.0.2")],
        ),
        ("19 0a0102ff 0a000001", [("10.1.2.128", 25, "10.0.0.1")]),  # host bits are cut off
    ],
)
def test_classless_routes(value: str, routes: list[tuple[str, int, str]]) -> None:
    assert dhcp.classless_routes(bytes.fromhex(value)) == routes


@pytest.mark.parametrize(
    ("value", "names"),
    [
        (b"\x03eng\x05apple\x03com\0", ["eng.apple.com"]),
        # the example of RFC 3397: the second name ends in the first one's end
        (
            b"\x03eng\x05apple\x03com\0\x09marketing\xc0\x04",
            ["eng.apple.com", "marketing.apple.com"],
        ),
    ],
)
def test_search_list(value: bytes, names: list[str]) -> None:
    assert dhcp.domain_search(value) == names


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"\0",
        b"\x03eng",
        b"\x03en",
        b"\xc0",
        b"\xc0\x00",  # points at itself
        b"\x01a\xc0\x00",  # a circle
        b"\x01a\xc0\x04\x01b\0",  # forward
        b"\x40a\0",
        b"\x01\n\0",
        b"\x03a b\0",
        b"\x01a" * 200 + b"\0",
    ],
)
def test_search_list_refused(value: bytes) -> None:
    with pytest.raises(ProtocolError):
        dhcp.domain_search(value)


READERS = (
    dhcp.addresses,
    dhcp.address,
    dhcp.prefix_length,
    dhcp.text,
    dhcp.domain,
    dhcp.domain_search,
    dhcp.classless_routes,
    lambda value: dhcp.number(value, 4),
)


@given(st.binary(max_size=300))
def test_option_readers_on_junk(value: bytes) -> None:
    for read in READERS:
        try:
            read(value)
        except ProtocolError:
            pass


@pytest.mark.parametrize(
    "value",
    [b"", b"\0", b"a\nnameserver 6.6.6.6", b"a b", b"-a", b"a..b", b"\xff", b"a" * 64, b"a.;b"],
)
def test_no_name_can_smuggle_a_line_into_a_file(value: bytes) -> None:
    with pytest.raises(ProtocolError):
        dhcp.domain(value)


@pytest.mark.parametrize("mask", ["255.0.255.0", "0.0.0.1", "255.255.255.253"])
def test_masks_with_holes(mask: str) -> None:
    with pytest.raises(ProtocolError):
        dhcp.prefix_length(bytes(map(int, mask.split("."))))
