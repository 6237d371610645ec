"""ip against iproute2's own: what ours changes, theirs shows; what either shows is the same.

Breaks when an attribute is read or written wrongly, or when a word of a command means something else.
"""

from __future__ import annotations

import itertools
import json
import re
import subprocess
from collections.abc import Callable, Iterator

import pytest

from tests.lab.network import Lab, Namespace, eventually

pytestmark = pytest.mark.lab

Ours = Callable[[str], "subprocess.CompletedProcess[bytes]"]


@pytest.fixture
def box(lab: Lab) -> Iterator[Namespace]:
    """A namespace with a cable, whose ends are d0 and d1; both are down."""
    space = lab.namespace()
    space.ip("link add d0 type veth peer name d1")
    yield space


@pytest.fixture
def ours(box: Namespace, toolbox_argv, toolbox_env) -> Ours:
    """Run our `ip COMMAND` in the namespace."""
    return lambda command: box.run([*toolbox_argv, "ip", *command.split()], env=toolbox_env)


def good(result: subprocess.CompletedProcess[bytes]) -> str:
    assert (result.returncode, result.stderr) == (0, b"")
    return result.stdout.decode()


def prepare(box: Namespace) -> None:
    for command in """
        link set d0 up
        link set d1 up
        link add br0 type bridge
        link add v0 type veth peer name v1
        link set v0 master br0
        link set br0 alias of-stone
        addr add 10.1.0.1/24 brd + dev d0
        addr add 10.1.0.9/24 dev d0 label d0:x
        addr add 10.9.0.1 peer 10.9.0.2 dev d0
        addr add fd00::1/64 dev d0 nodad
        route add default via 10.1.0.254 metric 100
        route add 192.168.0.0/16 via 10.1.0.2 src 10.1.0.1
        route add unreachable 10.66.0.0/16
        route add 172.16.0.0/12 dev d0 mtu 1400 proto static
        route add 10.77.0.0/24 nexthop via 10.1.0.2 weight 1 nexthop via 10.1.0.3 weight 2
        route add 10.5.0.0/16 dev d0 table 100
        -6 route add default via fd00::fe
        neigh add 10.1.0.2 lladdr 02:00:00:00:00:01 dev d0 nud permanent
        neigh add 10.1.0.3 lladdr 02:00:00:00:00:02 dev d0 nud permanent
        rule add from 10.1.0.0/24 table 100 priority 1000
        rule add fwmark 5/0xff lookup main
        rule add to 1.2.3.4 blackhole
        rule add not from 10.2.0.0/16 iif lo ipproto tcp dport 80-90 table 7 pref 9
    """.strip().splitlines():
        box.ip(command.strip())
    # Until the cable is in and the link-local addresses are no longer tentative.
    eventually(lambda: "tentative" not in box.ip("-6 addr"), "addresses settle")


SHOWN = [
    "link",
    "addr",
    "-4 addr",
    "-6 addr show dev d0",
    "-br addr",
    "-br link",
    "-o addr",
    "-o link",
    "addr show d0",
    "addr show dev d0 scope link",
    "addr show up",
    "addr show to 10.0.0.0/8",
    "link show type bridge",
    "link show master br0",
    "-s link show lo",
    "route",
    "-6 route",
    "route show table all",
    "route show table local",
    "route show table 100",
    "route show dev d0",
    "route show default",
    "route show 192.168.0.0/16",
    "route show proto static",
    "route show via 10.1.0.2",
    "route show root 10.0.0.0/8",
    "route show match 10.66.1.1",
    "route show scope link",
    "route get 1.1.1.1",
    "route get 10.1.0.2",
    "route get 127.0.0.1",
    "route get fd00::5",
    "route get 1.1.1.1 from 10.1.0.9",
    "neigh",
    "neigh show dev d0",
    "neigh show 10.1.0.2",
    "neigh show nud permanent",
    "rule",
    "-6 rule",
    "rule show table 100",
]


def settled(text: str) -> str:
    """Without the numbers that run, and without the name that iproute2 finds for a namespace."""
    return re.sub(r"link-netns(id)? \S+", "link-netns X", re.sub(r"\b\d+sec", "Nsec", text))


def test_the_same_text_and_the_same_json(box, ours) -> None:
    prepare(box)
    for command in SHOWN:
        assert settled(good(ours(command))) == settled(box.ip(command)), command
        if "-o" not in command:
            # iproute2 leaves {} where a filter took something out.
            text = box.ip(f"-j {command}").replace("{},", "").replace(",{}", "")
            expected = json.loads(text or "[]")
            assert json.loads(good(ours(f"-j {command}"))) == expected, command


CHANGES = [
    # (what, iproute2's view, what must be in it)
    (["link set d0 up"], "link show d0", "state UP|NO-CARRIER"),
    (["link set dev d0 mtu 1400 up"], "link show d0", "mtu 1400"),
    (["link set d0 address 02:00:00:00:00:05"], "link show d0", "link/ether 02:00:00:00:00:05"),
    (["link set d0 name lan"], "link show lan", "lan@d1"),
    (["link set d0 promisc on arp off"], "link show d0", "NOARP,PROMISC"),
    (["link set d0 txqueuelen 7 alias seven"], "link show d0", "qlen 7\n.*\n +alias seven"),
    (["link add br0 type bridge", "link set d0 master br0"], "link show d0", "master br0"),
    (
        ["link add br0 type bridge", "link set d0 master br0", "link set d0 nomaster"],
        "link show master br0",
        "^$",
    ),
    (["link add a type veth peer name b mtu 1300"], "link show b", "b@a.* mtu 1300"),
    (["link add link d0 name m0 type macvlan mode bridge"], "-d link show m0", "macvlan mode bridge"),
    (["link del d0"], "link", "^1: lo: (?!(?s:.)*d0)"),
    (["addr add 10.1.0.1/24 dev d0"], "addr show d0", "inet 10.1.0.1/24 scope global d0"),
    (["addr add 10.1.0.1/24 brd + dev d0 label d0:1"], "addr show d0", "brd 10.1.0.255 scope global d0:1"),
    (["a a 10.1.0.1 peer 10.1.0.2/32 dev d0"], "addr show d0", "inet 10.1.0.1 peer 10.1.0.2/32"),
    (["addr add 10.1.0.1/255.255.0.0 dev d0 scope link"], "addr show d0", "10.1.0.1/16 scope link"),
    (["addr add 127.0.0.2/8 dev lo"], "addr show lo", "127.0.0.2/8 scope host secondary lo"),
    (["addr add fd00::1/64 dev d0 nodad"], "addr show d0", "inet6 fd00::1/64 scope global"),
    (
        ["addr add 10.1.0.1/24 dev d0", "addr change 10.1.0.1/24 dev d0 valid_lft 99 preferred_lft 50"],
        "addr show d0",
        "valid_lft 9\\dsec preferred_lft [45]\\dsec",
    ),
    (["addr add 10.1.0.1/24 dev d0", "addr del 10.1.0.1/24 dev d0"], "-4 addr show d0", "^$"),
    (
        ["addr add 10.1.0.1/24 dev d0", "addr add 10.1.0.2/24 dev d0", "addr flush dev d0"],
        "-4 addr show d0",
        "^$",
    ),
    (["route add 10.2.0.0/16 dev d0"], "route", "10.2.0.0/16 dev d0 scope link"),
    (["route add default via 10.0.0.1 metric 5"], "route", "default via 10.0.0.1 dev d0 metric 5"),
    (["r add 10.8/16 via 10.0.0.1 src 10.0.0.2 mtu 1300"], "route", "10.8.0.0/16 via .* src 10.0.0.2 mtu 1300"),
    (["route add default dev d0", "route replace default via 10.0.0.1"], "route", "^default via 10.0.0.1"),
    (["route add default dev d0", "route del default"], "route show default", "^$"),
    (["route add blackhole 10.6.0.0/16"], "route", "blackhole 10.6.0.0/16"),
    (["route add 10.6.0.0/16 dev d0 table 1000 proto dhcp"], "route show table 1000", "proto dhcp"),
    (["route add 9.9.9.9 via 10.9.9.9 dev d0 onlink"], "route", "9.9.9.9 via 10.9.9.9 dev d0 onlink"),
    (
        ["route add 10.7.0.0/16 nexthop via 10.0.0.1 nexthop dev d0 weight 3"],
        "route show 10.7.0.0/16",
        "nexthop via 10.0.0.1 dev d0 weight 1 \n\tnexthop dev d0 weight 3",
    ),
    (["route add 10.3.0.0/16 dev d0", "route flush 10.3.0.0/16"], "route show 10.3.0.0/16", "^$"),
    (["route add 10.3.0.0/16 dev d0", "route flush dev d0"], "route", "^$"),
    (["-6 route add fd01::/64 dev d0 metric 7"], "-6 route", "fd01::/64 dev d0 metric 7"),
    (["route add fd01::/64 via fd00::9 dev d0 onlink"], "-6 route", "fd01::/64 via fd00::9 dev d0"),
    (["neigh add 10.0.0.9 lladdr 2:0:0:0:0:9 dev d0"], "neigh", "10.0.0.9 dev d0 lladdr 02:00:00:00:00:09 PERM"),
    (["n replace fe80::9 lladdr 2:0:0:0:0:9 dev d0 nud reachable router"], "neigh", "router REACHABLE"),
    (["neigh add 10.0.0.9 lladdr 2:0:0:0:0:9 dev d0", "neigh del 10.0.0.9 dev d0"], "neigh", "^$"),
    (["neigh add 10.0.0.9 lladdr 2:0:0:0:0:9 dev d0", "neigh flush dev d0 nud all"], "neigh", "^$"),
    (["rule add from 10.0.0.0/8 table 100 pref 5"], "rule", "5:\tfrom 10.0.0.0/8 lookup 100"),
    (["ru add fwmark 0x10/0xf0 lookup 1000"], "rule", "from all fwmark 0x10/0xf0 lookup 1000"),
    (["rule add not to 10.1.1.1 oif d0 unreachable"], "rule", "not from all to 10.1.1.1 oif d0 unreachable"),
    (["rule add uidrange 1-2 sport 5 ipproto udp table main suppress_prefixlength 0"], "rule",
     "ipproto udp sport 5 uidrange 1-2 lookup main suppress_prefixlength 0|uidrange 1-2 ipproto udp sport 5 lookup main suppress_prefixlength 0"),
    (["rule add table 5 pref 5", "rule del pref 5"], "rule show table 5", "^$"),
    (["rule add table 5 pref 5", "rule flush"], "rule", "^0:\tfrom all lookup local\n$"),
]  # fmt: skip


@pytest.mark.parametrize(("commands", "view", "expected"), CHANGES, ids=[c[0][-1] for c in CHANGES])
def test_what_ours_changes_theirs_shows(box, ours, commands, view, expected) -> None:
    if "10.0.0.1" in commands[-1] or commands[0].startswith(
        ("route", "r ", "-6 route", "neigh", "n ")
    ):
        box.ip("link set d1 up")
        box.ip("link set d0 up")
        if "10.0.0.1" in commands[-1]:
            box.ip("addr add 10.0.0.2/24 dev d0")
    for command in commands:
        good(ours(command))
    shown = box.ip(view)
    assert re.search(expected, shown), shown


WRONG = [
    "addr add 10.1.0.1/24",
    "addr add 10.1.0.1/33 dev d0",
    "addr add 10.1.0.1/24 dev nope",
    "link show nope",
    "link set nope up",
    "route add default via 10.1.0.1",
    "foo",
    "link foo",
    "route get 1.1.1.1",
    "route del default",
    "addr add x dev d0",
    "neigh add 10.1.0.2 dev d0 lladdr zz",
    "link add d0 type veth",
    "addr show dev nope",
    "route show table 77",
    "rule del table 55",
    "link set d0 mtu x",
    "link set d0 mtu 1",
    "addr flush",
    "route flush",
    "neigh del 10.1.0.77 dev d0",
    "link set d0 name d1",
    "link add type nonsense",
    "link set d0 blah",
    "addr del 1.1.1.1/32 dev d0",
]


@pytest.mark.parametrize("command", WRONG)
def test_refusals_have_the_same_words_and_status(box, ours, command) -> None:
    theirs = box.run(["ip", *command.split()])
    mine = ours(command)
    assert mine.stderr.decode() == theirs.stderr.decode()
    assert (mine.returncode, mine.stdout) == (theirs.returncode, theirs.stdout)


def test_batch(box, ours, tmp_path) -> None:
    file = tmp_path / "batch"
    file.write_text(
        "# a comment\nlink set d0 up\naddr add 10.1.0.1/24 dev d0\nroute add x\nlink set d1 up\n"
    )
    r = ours(f"-batch {file}")
    assert r.returncode == 1
    assert f"Command failed {file}:4" in r.stderr.decode()
    assert "10.1.0.1/24" in box.ip("addr show d0")
    assert "NO-CARRIER" in box.ip("link show d0")
    assert ours(f"-force -batch {file}").returncode == 2
    assert "NO-CARRIER" not in box.ip("link show d0")


def test_another_namespace(lab, box, ours) -> None:
    other = lab.namespace()
    good(ours(f"link set d1 netns {other.name}"))
    assert json.loads(good(ours(f"-n {other.name} -j link"))) == json.loads(other.ip("-j link"))
    assert settled(good(ours("link"))) == settled(box.ip("link"))


def test_monitor(box, lab, toolbox_argv, toolbox_env) -> None:
    daemon = box.start([*toolbox_argv, "ip", "monitor", "link", "address"], env=toolbox_env)
    sizes = itertools.count(1400)

    def changed() -> bool:
        """Changes are lost until it listens."""
        box.ip(f"link set d0 mtu {next(sizes)}")
        return "d0@d1" in daemon.text

    eventually(changed, "a change is shown")
    box.ip("addr add 10.1.0.1/24 dev d0")
    daemon.wait_for("inet 10.1.0.1/24 scope global d0")
    box.ip("addr del 10.1.0.1/24 dev d0")
    daemon.wait_for("Deleted ")
