"""What is read from an ACK, and the files it becomes.  Breaks when an option is misread, when a bad one
costs the lease or reaches a file, or when another program would find half a file."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from applets.dhcp.lease import Lease
from applets.dhcp.records import Records
from toolbox.net import ProtocolError, dhcp

MAC = bytes.fromhex("525400123456")


def lease(address: str = "10.0.0.7", **options: bytes) -> Lease:
    """A lease from an ACK with the options `o51=bytes`..."""
    given = {int(name[1:]): value for name, value in options.items()}
    message = dhcp.Message(dhcp.REPLY, 1, MAC, {53: b"\x05", **given}, yiaddr=address)
    return Lease(message, "10.0.0.1")


def test_everything_is_read() -> None:
    found = lease(
        o1=bytes([255, 255, 252, 0]),
        o3=bytes([10, 0, 0, 1, 10, 0, 0, 2]),
        o6=bytes([10, 0, 0, 3]),
        o12=b"box\0",
        o15=b"example.org.",
        o26=(1400).to_bytes(2, "big"),
        o42=bytes([10, 0, 0, 4]),
        o51=(7200).to_bytes(4, "big"),
        o54=bytes([10, 0, 0, 5]),
        o119=b"\x01a\0",
    )
    assert found.as_json("eth0", 5.5) == {
        "interface": "eth0",
        "address": "10.0.0.7",
        "prefix": 22,
        "routers": ["10.0.0.1", "10.0.0.2"],
        "routes": [("0.0.0.0", 0, "10.0.0.1")],
        "dns": ["10.0.0.3"],
        "ntp": ["10.0.0.4"],
        "hostname": "box",
        "domain": "example.org",
        "search": ["a"],
        "mtu": 1400,
        "server": "10.0.0.5",
        "lease_seconds": 7200,
        "acquired": 5,
    }
    assert (found.renew_after, found.rebind_after) == (3600, 6300)


def u32(value: int) -> bytes:
    return value.to_bytes(4, "big")


TIMES = [
    # lease, T1, T2 -> lease, T1, T2
    ((None, None, None), (3600, 1800, 3150)),
    ((100, 10, 20), (100, 10, 20)),
    ((100, 20, 10), (100, 50, 87.5)),  # the wrong way round
    ((100, 200, 300), (100, 50, 87.5)),  # after the end
    ((100, 0, 0), (100, 50, 87.5)),
    ((0, None, None), (5, 2.5, 4.375)),
    ((0xFFFFFFFF, None, None), (math.inf, math.inf, math.inf)),
    ((0xFFFFFFFF, 10, 20), (math.inf, math.inf, math.inf)),
    ((0xFFFFFFFE, None, None), (0xFFFFFFFE, 0xFFFFFFFE / 2, 0xFFFFFFFE * 0.875)),
]


@pytest.mark.parametrize(("given", "times"), TIMES)
def test_times(given: tuple[int | None, ...], times: tuple[float, ...]) -> None:
    options = {f"o{c}": u32(v) for c, v in zip((51, 58, 59), given, strict=True) if v is not None}
    found = lease(**options)
    assert (found.seconds, found.renew_after, found.rebind_after) == times


@pytest.mark.parametrize(
    ("address", "prefix"), [("10.1.1.1", 8), ("172.16.1.1", 16), ("192.168.1.1", 24)]
)
def test_no_mask(address: str, prefix: int) -> None:
    assert lease(address).prefix == prefix


@pytest.mark.parametrize(
    "bad",
    [
        {"o3": b"abc"},
        {"o6": b""},
        {"o12": b"a b"},
        {"o15": b"a\nb"},
        {"o26": b"\0\x10"},
        {"o42": b"1"},
        {"o51": b"1"},
        {"o58": b""},
        {"o119": b"\xc0\0"},
        {"o121": b"\x21"},
    ],
)
def test_a_bad_option_costs_only_itself(bad: dict[str, bytes]) -> None:
    good, found = lease(), lease(**bad)
    assert found.as_json("eth0", 0) == good.as_json("eth0", 0)
    assert len(found.notes) == 1, "and it is said"


@pytest.mark.parametrize(
    "address", ["0.0.0.0", "127.0.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255"]
)
def test_no_address_for_a_host(address: str) -> None:
    with pytest.raises(ProtocolError):
        lease(address)


#: What no host has: this network, loopback, multicast, reserved, everybody, and the link's own two ends.
NOBODYS = ["0.0.0.0", "0.1.2.3", "127.0.0.1", "127.0.0.53", "224.0.0.1", "239.1.2.3", "240.0.0.1"]
NOBODYS += ["255.255.255.255", "10.0.0.0", "10.0.0.255"]
GOOD = ["10.0.0.1", "169.254.169.254", "192.0.2.255", "223.255.255.254", "1.1.1.1"]


def quads(*addresses: str) -> bytes:
    return b"".join(bytes(map(int, a.split("."))) for a in addresses)


@pytest.mark.parametrize(
    ("code", "attribute", "what"),
    [(3, "routers", "router"), (6, "dns", "name server"), (42, "ntp", "time server")],
)
def test_what_is_no_hosts_address_is_passed_over_with_a_word(
    code: int, attribute: str, what: str
) -> None:
    for bad in NOBODYS:
        found = lease(o1=quads("255.255.255.0"), **{f"o{code}": quads("10.0.0.9", bad, "10.0.0.8")})
        assert getattr(found, attribute) == ["10.0.0.9", "10.0.0.8"]
        assert found.notes == [f"ignored {what} {bad}: no host's address"]
    found = lease(o1=quads("255.255.255.0"), **{f"o{code}": quads(*GOOD, *GOOD)})
    assert (getattr(found, attribute), found.notes) == (GOOD, [])
    found = lease(**{f"o{code}": quads(*NOBODYS[:8])})
    assert getattr(found, attribute) == [] and found.routes == []
    assert found.notes == [
        f"ignored {what} 0.0.0.0, 0.1.2.3, 127.0.0.1 and 5 more: no host's address"
    ]


@pytest.mark.parametrize("router", NOBODYS[1:])
def test_routes_by_no_host_are_passed_over(router: str) -> None:
    way = b"\x18\xc0\0\2" + quads(router) + b"\0" + quads("10.0.0.8")
    found = lease(o1=quads("255.255.255.0"), o121=way)
    assert found.routes == [("0.0.0.0", 0, "10.0.0.8")]
    assert found.notes == [f"ignored route 192.0.2.0/24 via {router}: no host's address"]


@pytest.mark.parametrize(
    "destination", [b"\x08\x7f", b"\x20\x7f\0\0\1", b"\x08\0", b"\x20" + b"\xff" * 4]
)
def test_routes_to_ourselves_and_to_everybody_are_passed_over(destination: bytes) -> None:
    found = lease(o121=destination + quads("10.0.0.1") + b"\x18\xc0\0\2" + quads("0.0.0.0"))
    assert found.routes == [("192.0.2.0", 24, "0.0.0.0")]
    assert len(found.notes) == 1


@pytest.mark.parametrize("mtu", [0, 1, 68, 100, 575])
def test_a_small_mtu_is_passed_over(mtu: int) -> None:
    found = lease(o26=mtu.to_bytes(2, "big"))
    assert found.mtu is None
    assert found.notes == [f"ignored an MTU of {mtu}: less than 576"]
    assert lease(o26=(576).to_bytes(2, "big")).mtu == 576
    message = dhcp.Message(dhcp.REPLY, 1, MAC, {53: b"\x05", 26: b"\x04\xff"}, yiaddr="10.0.0.7")
    assert Lease(message, "10.0.0.1", (1280, 9000)).mtu is None
    message.options[26] = (9001).to_bytes(2, "big")
    found = Lease(message, "10.0.0.1", (1280, 9000))
    assert (found.mtu, found.notes) == (None, ["ignored an MTU of 9001: more than 9000"])


@pytest.mark.parametrize("mask", ["0.0.0.0", "128.0.0.0", "254.0.0.0"])
def test_a_mask_for_half_the_internet_is_passed_over(mask: str) -> None:
    found = lease(o1=quads(mask))
    assert found.prefix == 8 and found.notes
    assert lease(o1=quads("255.0.0.0")).notes == []


@pytest.mark.parametrize(
    ("address", "mask", "good"),
    [
        ("10.0.0.0", "255.255.255.0", False),
        ("10.0.0.255", "255.255.255.0", False),
        ("10.0.0.255", "255.255.254.0", True),
        ("10.0.0.0", "255.255.255.254", True),
        ("10.0.0.255", "255.255.255.255", True),
        ("10.0.0.3", "255.255.255.252", False),
    ],
)
def test_the_links_own_ends_are_no_addresses(address: str, mask: str, good: bool) -> None:
    if good:
        assert lease(address, o1=quads(mask)).address == address
    else:
        with pytest.raises(ProtocolError):
            lease(address, o1=quads(mask))


def test_several_domains_in_option_15() -> None:
    found = lease(o15=b"lab.example corp.example  third.example.")
    assert found.domain == "lab.example"
    assert found.search == ["lab.example", "corp.example", "third.example"]
    found = lease(o15=b"lab.example corp.example", o119=b"\x01a\0")
    assert (found.domain, found.search) == ("lab.example", ["a"])
    found = lease(o15=b"lab.example")
    assert (found.domain, found.search) == ("lab.example", [])
    for bad in (b"a..b", b"-a", b"a-.b", b"lab.example a\nb", b"lab.example ;reboot", b" "):
        found = lease(o15=bad)
        assert (found.domain, found.search) == (None, [])
        assert found.notes[0].startswith("ignored option 15: ")


def test_a_search_list_has_an_end() -> None:
    """A name, and 700 times a pointer to it: each would be a line for the resolver."""
    found = lease(o119=b"\x07example\0" + b"\xc0\0" * 700)
    assert found.search == ["example"]
    assert found.notes == ["took the first 32 domains of the search list"]
    found = lease(o15=b" ".join(b"d%d.example" % i for i in range(100)))
    assert found.search == [f"d{i}.example" for i in range(dhcp.MOST_DOMAINS)]
    assert found.notes == ["took the first 32 domains of the search list"]
    found = lease(o119=b"".join(b"\x01%c\0" % c for c in range(65, 65 + 26)))
    assert len(found.search) == 26 and found.notes == []


@given(st.dictionaries(st.integers(1, 254), st.binary(max_size=64)))
def test_any_options_are_a_lease_or_one_error(options: dict[int, bytes]) -> None:
    message = dhcp.Message(dhcp.REPLY, 1, MAC, {**options, 53: b"\x05"}, yiaddr="10.0.0.7")
    try:
        found = Lease(message, "10.0.0.1")
    except ProtocolError:
        return
    text = json.dumps(found.as_json("eth0", 0))
    assert "\n" not in text and 0 <= found.prefix <= 32
    assert 0 < found.renew_after <= found.rebind_after <= found.seconds


@pytest.fixture
def records(tmp_path: Path) -> Records:
    (tmp_path / "perm").mkdir()
    return Records(str(tmp_path), str(tmp_path / "perm" / "snakeroot" / "dhcp"))


def test_resolv_conf_is_of_all_leases(records: Records, tmp_path: Path) -> None:
    records.store("eth1", lease(o6=bytes([10, 0, 0, 3, 10, 0, 0, 4]), o15=b"b.example"), 0)
    records.store(
        "eth0", lease(o6=bytes([10, 0, 0, 1, 10, 0, 0, 3]), o119=b"\x01a\0\x01c\0", o15=b"x"), 0
    )
    conf = tmp_path / "resolv.conf"
    assert conf.read_text().splitlines()[1:] == [
        "search a c b.example",
        "nameserver 10.0.0.1",
        "nameserver 10.0.0.3",
        "nameserver 10.0.0.4",
    ]
    records.remove("eth0")
    assert conf.read_text().splitlines()[1:] == [
        "search b.example",
        "nameserver 10.0.0.3",
        "nameserver 10.0.0.4",
    ]
    records.remove("eth1")
    records.remove("eth1")
    assert len(conf.read_text().splitlines()) == 1
    assert sorted(os.listdir(tmp_path / "dhcp")) == []


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"\xff", b"null", b'{"dns": 5, "domain": 7}', b'{"dns": [5]}']
)
def test_a_foreign_file_among_the_leases(content: bytes, records: Records, tmp_path: Path) -> None:
    (tmp_path / "dhcp").mkdir()
    (tmp_path / "dhcp" / "wlan0.json").write_bytes(content)
    records.store("eth0", lease(o6=bytes([10, 0, 0, 1])), 0)
    assert "nameserver 10.0.0.1\n" in (tmp_path / "resolv.conf").read_text()


def test_remembered_address(records: Records, tmp_path: Path) -> None:
    assert records.remembered("eth0") is None
    assert records.remember("eth0", "10.0.0.7")
    assert records.remembered("eth0") == "10.0.0.7"
    file = tmp_path / "perm" / "snakeroot" / "dhcp" / "eth0"
    before = file.stat().st_ino
    assert records.remember("eth0", "10.0.0.7")
    assert file.stat().st_ino == before  # not written again: flash wears out
    for nonsense in (b"", b"\xff", b"127.0.0.1", b"10.0.0", b"10.0.0.7 x", b"9" * 1000):
        file.write_bytes(nonsense)
        assert records.remembered("eth0") is None


def test_no_perm_no_memory_and_no_complaint(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    records = Records(str(tmp_path), str(tmp_path / "perm" / "snakeroot" / "dhcp"))
    assert not records.remember("eth0", "10.0.0.7")
    assert capfd.readouterr().err == ""
    assert not (tmp_path / "perm").exists()


def test_a_full_disk_is_a_line_and_no_end(
    records: Records, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "dhcp").write_text("a file where a folder should be")
    records.store("eth0", lease(), 0)
    assert capfd.readouterr().err.startswith("dhcp: eth0: ")
