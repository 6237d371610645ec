"""dhcp on a wire: dnsmasq as the fair server, scapy as the hostile one.

Breaks when dhcp and a real server do not understand each other, or when what a lease brought is not
set, or not withdrawn.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.network import Daemon, Lab, Namespace, eventually

pytestmark = pytest.mark.lab

HERE = Path(__file__).resolve().parent


class Net:
    """Two namespaces and a cable; the server's end is 10.9.0.1."""

    def __init__(self, lab: Lab, argv: list[str], env: dict[str, str]) -> None:
        self.lab = lab
        self.program = argv
        self.env = env
        self.server, self.client = lab.namespace(), lab.namespace()
        lab.cable(self.server, "s0", self.client, "eth0")
        self.server.ip("addr add 10.9.0.1/24 dev s0")
        self.server.ip("link set s0 up")
        self.run = lab.folder / "run"
        self.state = lab.folder / "state"
        self.run.mkdir()
        self.notes = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self.notes.bind(str(lab.folder / "notify"))

    def dnsmasq(self, *options: str, interface: str = "s0") -> Daemon:
        usual = (
            f"dnsmasq -k -C /dev/null -p 0 -i {interface} --bind-interfaces -u root --no-ping"
            " --log-facility=- --log-dhcp --pid-file= --leasefile-ro --dhcp-authoritative"
        )
        daemon = self.server.start([*usual.split(), *options])
        daemon.wait_for("DHCP, sockets bound")
        return daemon

    def scapy(self, mode: str, lease: int = 3600, interface: str = "s0") -> Daemon:
        script = [sys.executable, str(HERE / "dhcp_server.py")]
        daemon = self.server.start([*script, interface, "10.9.0.77", str(lease), mode])
        daemon.wait_for("ready")
        return daemon

    def third_party(self, *addresses: str) -> Namespace:
        """One more host on the link: the server's end becomes a bridge called br0."""
        self.server.ip("addr del 10.9.0.1/24 dev s0")
        self.server.ip("link add br0 type bridge")
        self.server.ip("addr add 10.9.0.1/24 dev br0")
        third = self.lab.namespace()
        self.lab.cable(self.server, "s1", third, "s0")
        for name in ("s0", "s1"):
            self.server.ip(f"link set {name} master br0 up")
        self.server.ip("link set br0 up")
        for address in addresses:
            third.ip(f"addr add {address} dev s0")
        third.ip("link set s0 up")
        return third

    def argv(self, *options: str) -> list[str]:
        return [*self.program, "dhcp", f"--run={self.run}", f"--state={self.state}", *options]

    def dhcp(self, *options: str) -> Daemon:
        env = {**self.env, "NOTIFY_SOCKET": str(self.lab.folder / "notify")}
        return self.client.start(self.argv(*options), env)

    @property
    def addresses(self) -> list[str]:
        links = json.loads(self.client.ip("-j -4 addr show"))
        return [
            f"{a['local']}/{a['prefixlen']}"
            for link in links
            for a in link.get("addr_info", ())
            if link.get("ifname") != "lo"
        ]

    @property
    def routes(self) -> list[str]:
        found = json.loads(self.client.ip("-j route show proto dhcp"))
        return [f"{route['dst']} {route.get('gateway', 'link')}" for route in found]

    @property
    def packet_sockets(self) -> int:
        """How many sockets for frames are open at the client's end."""
        return self.client.run(["cat", "/proc/net/packet"]).stdout.count(b"\n") - 1

    def lease(self) -> dict[str, object]:
        found: dict[str, object] = json.loads((self.run / "dhcp" / "eth0.json").read_text())
        return found

    def told(self) -> str:
        said = []
        while True:
            try:
                said.append(self.notes.recv(4096).decode())
            except BlockingIOError:
                return "\n".join(said)


@pytest.fixture
def net(lab: Lab, toolbox_argv: list[str], toolbox_env: dict[str, str]) -> Iterator[Net]:
    made = Net(lab, toolbox_argv, toolbox_env)
    yield made
    made.notes.close()


RANGE = "--dhcp-range=10.9.0.50,10.9.0.60,255.255.255.0,120"


def test_lease_and_everything_that_comes_with_it(net: Net) -> None:
    net.dnsmasq(
        RANGE,
        "--domain=lab.example",
        "--dhcp-option=3,10.9.0.1",
        "--dhcp-option=6,10.9.0.2,10.9.0.3",
        "--dhcp-option=26,1400",
        "--dhcp-option=42,10.9.0.4",
        "--dhcp-option=119,a.example,b.a.example",
    )
    done = net.client.run(net.argv("-q", "eth0"), net.env)
    assert done.returncode == 0, done.stderr
    (address,) = net.addresses
    assert address.startswith("10.9.0.") and address.endswith("/24")
    assert net.routes == ["default 10.9.0.1"]
    assert "mtu 1400" in net.client.ip("link show eth0")
    lease = net.lease()
    assert f"{lease['address']}/{lease['prefix']}" == address
    assert lease["routers"] == ["10.9.0.1"]
    assert lease["dns"] == ["10.9.0.2", "10.9.0.3"]
    assert lease["ntp"] == ["10.9.0.4"]
    assert (lease["domain"], lease["mtu"], lease["server"]) == ("lab.example", 1400, "10.9.0.1")
    assert lease["lease_seconds"] == 120
    assert (net.run / "resolv.conf").read_text().splitlines()[1:] == [
        "search a.example b.a.example",
        "nameserver 10.9.0.2",
        "nameserver 10.9.0.3",
    ]


@pytest.mark.parametrize(("before", "after"), [("localhost", "given"), ("own", "own")])
def test_host_name_only_for_a_box_without_one(before: str, after: str, net: Net) -> None:
    net.dnsmasq(RANGE, "--dhcp-option-force=12,given.lab.example")
    # a UTS namespace of its own: nothing of the host is renamed
    script = 'echo "$0" >/proc/sys/kernel/hostname; "$@"; cat /proc/sys/kernel/hostname'
    argv = ["unshare", "--uts", "sh", "-c", script, before, *net.argv("-q", "eth0")]
    done = net.client.run(argv, net.env)
    assert done.stdout.decode().strip() == after, done.stderr


def test_what_the_server_is_told(net: Net) -> None:
    server = net.dnsmasq(RANGE)
    options = [
        "-q",
        "-x",
        "vendor:acme",
        "-H",
        "box",
        "-r",
        "10.9.0.55",
        "-O",
        "tftp",
        "-i",
        "eth0",
    ]
    assert net.client.run(net.argv(*options), net.env).returncode == 0
    assert net.addresses == ["10.9.0.55/24"]
    for words in ("vendor class: acme", "client provides name: box", "66:tftp-server"):
        assert words in server.text


def test_classless_routes_replace_the_router(net: Net) -> None:
    net.dnsmasq(
        RANGE,
        "--dhcp-option=3,10.9.0.1",
        "--dhcp-option=121,192.0.2.0/24,10.9.0.9,0.0.0.0/0,10.9.0.8",
    )
    assert net.client.run(net.argv("-q", "eth0"), net.env).returncode == 0
    assert sorted(net.routes) == ["192.0.2.0/24 10.9.0.9", "default 10.9.0.8"]


def test_renewal_stop_and_start(net: Net) -> None:
    """Renewal by unicast; TERM leaves nothing; a remembered address takes two messages."""
    server = net.dnsmasq(RANGE)
    client = net.dhcp("eth0")
    client.wait_for("eth0: got 10.9.0.")
    before = net.addresses
    client.process.send_signal(signal.SIGUSR1)  # dnsmasq knows no T1 below a minute
    client.wait_for("eth0: kept 10.9.0.")
    assert net.addresses == before
    (address,) = json.loads(net.client.ip("-j -4 addr show eth0"))[0]["addr_info"]
    assert 100 < address["valid_life_time"] <= 120  # the kernel drops it even if we are killed
    told = net.told()
    assert "READY=1" in told and before[0] in told
    assert client.stop() == 0
    assert net.addresses == [] and net.routes == []
    assert not (net.run / "dhcp" / "eth0.json").exists()
    assert "nameserver" not in (net.run / "resolv.conf").read_text()
    assert "DHCPRELEASE" not in server.text  # it will want it back
    discovers = server.text.count("DHCPDISCOVER")
    client = net.dhcp("eth0")
    client.wait_for("eth0: got 10.9.0.")
    assert net.addresses == before
    assert server.text.count("DHCPDISCOVER") == discovers


def test_killed_and_started_again(net: Net) -> None:
    """kill -9: the address stays, the next one takes it over, and there is only one."""
    net.dnsmasq(RANGE)
    client = net.dhcp("eth0")
    client.wait_for("eth0: got 10.9.0.")
    before = net.addresses, net.routes
    client.stop(signal.SIGKILL)
    assert (net.addresses, net.routes) == before
    client = net.dhcp("eth0")
    client.wait_for("eth0: got 10.9.0.")
    assert (net.addresses, net.routes) == before


def test_a_bad_route_does_not_cost_the_others(net: Net) -> None:
    net.dnsmasq(RANGE, "--dhcp-option=121,192.0.2.0/24,224.0.0.9,0.0.0.0/0,10.9.0.8")
    done = net.client.run(net.argv("-q", "eth0"), net.env)
    assert (done.returncode, net.routes) == (0, ["default 10.9.0.8"])
    assert b"ignored route 192.0.2.0/24 via 224.0.0.9" in done.stderr


def test_a_route_that_the_kernel_refuses_does_not_cost_the_others(net: Net) -> None:
    net.dnsmasq(
        "--dhcp-range=10.9.0.50,10.9.0.50,255.255.255.0,120",
        "--dhcp-option=121,192.0.2.0/24,10.9.0.50,0.0.0.0/0,10.9.0.8",  # by way of ourselves
    )
    done = net.client.run(net.argv("-q", "eth0"), net.env)
    assert (done.returncode, net.routes) == (0, ["default 10.9.0.8"])
    assert b"dhcp: eth0: cannot set 10.9.0.50" in done.stderr


def test_values_that_cannot_be_are_said_and_not_set(net: Net) -> None:
    net.dnsmasq(
        RANGE,
        "--dhcp-option=3,10.9.0.1",
        "--dhcp-option=6,255.255.255.255,127.0.0.1,10.9.0.2",
        "--dhcp-option=26,68",
        "--dhcp-option=42,224.0.0.1",
        "--domain=lab.example",
        "--dhcp-option-force=15,lab.example corp.example",
    )
    done = net.client.run(net.argv("-q", "eth0"), net.env)
    assert done.returncode == 0, done.stderr
    assert "mtu 1500" in net.client.ip("link show eth0")
    assert "inet6 fe80" in net.client.ip("addr show eth0")
    assert (net.run / "resolv.conf").read_text().splitlines()[1:] == [
        "search lab.example corp.example",
        "nameserver 10.9.0.2",
    ]
    assert net.lease()["ntp"] == []
    for words in (
        b"name server 255.255.255.255, 127.0.0.1:",
        b"time server 224.0.0.1",
        b"MTU of 68: less than 1280",
    ):
        assert words in done.stderr


@pytest.mark.parametrize(("mtu", "set_to"), [(1279, 1500), (1280, 1280), (576, 1500)])
def test_no_mtu_below_what_ipv6_needs(mtu: int, set_to: int, net: Net) -> None:
    net.dnsmasq(RANGE, f"--dhcp-option=26,{mtu}")
    assert net.client.run(net.argv("-q", "eth0"), net.env).returncode == 0
    assert f"mtu {set_to}" in net.client.ip("link show eth0")


def test_a_small_mtu_without_ipv6(net: Net) -> None:
    net.client.run(["sh", "-c", "echo 1 > /proc/sys/net/ipv6/conf/eth0/disable_ipv6"])
    net.dnsmasq(RANGE, "--dhcp-option=26,576")
    assert net.client.run(net.argv("-q", "eth0"), net.env).returncode == 0
    assert "mtu 576" in net.client.ip("link show eth0")


# -- two interfaces ----------------------------------------------------------------------------------


def second(net: Net) -> None:
    """A cable of its own from s1 (10.8.0.1) to eth1."""
    net.lab.cable(net.server, "s1", net.client, "eth1")
    net.server.ip("addr add 10.8.0.1/24 dev s1")
    net.server.ip("link set s1 up")
    net.dnsmasq("--dhcp-range=10.8.0.50,10.8.0.60,255.255.255.0,120", interface="s1")


BOTH = ["default 10.8.0.1", "default 10.9.0.1"]


def defaults(net: Net) -> list[str]:
    return sorted(route for route in net.routes if route.startswith("default"))


def metrics(net: Net) -> list[int]:
    return sorted(route["metric"] for route in json.loads(net.client.ip("-j route show default")))


@pytest.mark.parametrize("which", ["eth0", "eth1"])
def test_two_interfaces_one_of_which_is_unplugged_and_plugged_in_again(
    net: Net, which: str
) -> None:
    """Neither takes the other's default route, in whatever order they come and go."""
    net.dnsmasq(RANGE)
    second(net)
    client = net.dhcp()
    eventually(lambda: defaults(net) == BOTH, "both have their route")
    assert metrics(net) == [100, 101]
    far, address = ("s0", "10.9.0.1") if which == "eth0" else ("s1", "10.8.0.1")
    for times in (2, 3):
        net.client.ip(f"link del {which}")
        client.wait_for(f"{which}: interface is gone", times=times - 1)
        eventually(lambda: len(defaults(net)) == 1, "the other's route stays")
        net.lab.cable(net.server, far, net.client, which)
        net.server.ip(f"addr add {address}/24 dev {far}")
        net.server.ip(f"link set {far} up")
        client.wait_for(f"{which}: got ", times=times)
        eventually(lambda: defaults(net) == BOTH, "both routes are there again")
        assert metrics(net) == [100, 101]
    downs = client.text.count(f"{which}: link down")
    net.server.ip(f"link set {far} down")
    client.wait_for(f"{which}: link down", times=downs + 1)
    net.server.ip(f"link set {far} up")
    client.wait_for(f"{which}: kept ")
    net.client.ip(f"link set {which} down")  # the kernel takes the routes away
    client.wait_for(f"{which}: link down", times=downs + 2)
    net.client.ip(f"link set {which} up")
    client.wait_for(f"{which}: kept ", times=2)
    eventually(lambda: defaults(net) == BOTH, "both routes are there after all")


def test_a_metric_that_somebody_takes_is_given_up_at_the_next_renewal(net: Net) -> None:
    net.dnsmasq(RANGE)
    client = net.dhcp("eth0")
    client.wait_for("eth0: got ")
    net.client.ip("link add dummy0 type veth peer name dummy1")
    net.client.ip("link set dummy1 up")
    net.client.ip("link set dummy0 up")
    net.client.ip("addr add 192.0.2.1/24 dev dummy0")
    net.client.ip("route replace default via 192.0.2.9 dev dummy0 metric 100")
    assert defaults(net) == []
    client.process.send_signal(signal.SIGUSR1)
    client.wait_for("eth0: kept ")
    assert (defaults(net), metrics(net)) == (["default 10.9.0.1"], [100, 101])
    assert client.stop() == 0
    assert metrics(net) == [100]


def test_two_processes_and_a_route_of_somebody_else(net: Net) -> None:
    """What others have set is not replaced: each takes the lowest metric that is free."""
    net.client.ip("link add dummy0 type veth peer name dummy1")
    net.client.ip("link set dummy1 up")
    net.client.ip("link set dummy0 up")
    net.client.ip("addr add 192.0.2.1/24 dev dummy0")
    net.client.ip("route add default via 192.0.2.9 dev dummy0 metric 100")
    net.dnsmasq(RANGE)
    second(net)
    for name in ("eth0", "eth1"):
        net.dhcp(name).wait_for(f"{name}: got ")
    assert defaults(net) == BOTH
    assert metrics(net) == [100, 101, 102]


@pytest.mark.parametrize("option", ["-R", "--state=/nonexistent/a/b/c"])
def test_release(option: str, net: Net) -> None:
    """On demand; and when the address cannot be remembered, since nobody will ask for it again."""
    server = net.dnsmasq(RANGE)
    client = net.dhcp(option, "eth0")
    client.wait_for("eth0: got 10.9.0.")
    assert client.stop() == 0
    server.wait_for("DHCPRELEASE")
    assert net.addresses == []


def test_remembered_address_of_another_network_is_refused(net: Net) -> None:
    net.dnsmasq(RANGE)
    net.state.mkdir()
    (net.state / "eth0").write_text("192.168.77.7\n")
    client = net.dhcp("eth0")
    client.wait_for("eth0: 10.9.0.1 refuses the address")
    client.wait_for("eth0: got 10.9.0.")
    assert (net.state / "eth0").read_text().strip() + "/24" == net.addresses[0]


@pytest.mark.parametrize("lease", [90 * 86400, 10 * 365 * 86400, 0xFFFFFFFE, 0xFFFFFFFF])
def test_a_long_lease_is_held_and_renewed(lease: int, net: Net) -> None:
    """Longer than what epoll takes at once (24.8 days); the last one never ends."""
    net.scapy("fair", lease=lease)
    client = net.dhcp("eth0")
    client.wait_for("eth0: got 10.9.0.77/24")
    # Only once the address has been probed for is the lease's time what it waits for.
    eventually(lambda: net.packet_sockets == 0, "the probing is over")
    client.process.send_signal(signal.SIGUSR1)
    client.wait_for("eth0: kept 10.9.0.77/24")
    assert client.process.poll() is None
    assert net.addresses == ["10.9.0.77/24"]
    assert "Traceback" not in client.text


def test_server_dies_and_the_lease_runs_out(net: Net) -> None:
    """Two seconds lie between asking everybody and the end, so that a busy machine does not sleep through them."""
    server = net.scapy("mute", lease=16)
    client = net.dhcp("eth0")
    client.wait_for("eth0: got 10.9.0.77/24")
    assert net.addresses == ["10.9.0.77/24"]
    client.wait_for("eth0: withdrew 10.9.0.77: lease expired")
    assert net.addresses == [] and net.routes == []
    assert not (net.run / "dhcp" / "eth0.json").exists()
    assert "heard 3 10.9.0.77 10.9.0.1" in server.text  # asked the server itself
    assert "heard 3 10.9.0.77 255.255.255.255" in server.text  # then everybody
    server.stop()
    net.dnsmasq(RANGE)
    client.wait_for("from 10.9.0.1 for 120 s")


def test_second_server_when_the_first_only_teases(net: Net) -> None:
    """Both speak on one link: the first to offer never acknowledges."""
    second = net.third_party("10.9.0.2/24")
    teaser = net.scapy("tease", interface="br0")
    client = net.dhcp("eth0")
    teaser.wait_for("heard 3")
    net.server = second
    net.dnsmasq(RANGE)
    client.wait_for("from 10.9.0.2 for 120 s", within=40)
    assert "10.9.0.1 offered 10.9.0.77 and does not answer any more" in client.text


def test_hostile_messages_cost_a_line_and_no_lease(net: Net) -> None:
    net.scapy("hostile", lease=10)
    client = net.dhcp("eth0")
    client.wait_for("eth0: got 10.9.0.77/24")
    client.wait_for("eth0: kept 10.9.0.77/24")
    assert 1 <= client.text.count("ignored a message from 10.9.0.1") <= 3
    assert "Traceback" not in client.text


def test_link_down_and_up(net: Net) -> None:
    net.dnsmasq(RANGE)
    client = net.dhcp("eth0")
    client.wait_for("eth0: got 10.9.0.")
    before = net.addresses
    net.server.ip("link set s0 down")
    client.wait_for("eth0: link down")
    net.server.ip("link set s0 up")
    client.wait_for("eth0: kept 10.9.0.")
    assert net.addresses == before and net.routes == ["default 10.9.0.1"]


def test_waits_for_the_interface_and_for_the_link(net: Net) -> None:
    net.dnsmasq(RANGE)
    net.client.ip("link set eth0 name later")
    net.server.ip("link set s0 down")
    client = net.dhcp("eth0")
    client.wait_for("eth0: waiting for the interface")
    net.client.ip("link set later name eth0")
    client.wait_for("eth0: waiting for the link")
    net.server.ip("link set s0 up")
    client.wait_for("eth0: got 10.9.0.")


def test_interface_goes_away_and_comes_back(net: Net) -> None:
    net.dnsmasq(RANGE)
    client = net.dhcp()  # and nobody said which
    client.wait_for("eth0: got 10.9.0.")
    net.client.ip("link del eth0")
    client.wait_for("eth0: interface is gone")
    assert not (net.run / "dhcp" / "eth0.json").exists()
    net.lab.cable(net.server, "s0", net.client, "eth0")
    net.server.ip("addr add 10.9.0.1/24 dev s0")
    net.server.ip("link set s0 up")
    client.wait_for("eth0: got 10.9.0.", times=2)


def test_conflict_is_declined(net: Net) -> None:
    """Somebody has taken the address by hand: it is given back within seconds."""
    net.third_party("10.9.0.50/24", "10.9.0.51/24")
    server = net.dnsmasq("--dhcp-range=10.9.0.50,10.9.0.51,255.255.255.0,120", interface="br0")
    client = net.dhcp("eth0")
    client.wait_for("is used by")
    server.wait_for("DHCPDECLINE")
    eventually(lambda: net.addresses == [], "the address is withdrawn")


def test_no_server(net: Net) -> None:
    done = net.client.run(net.argv("-n", "-t", "2", "-T", "0.2", "eth0"), net.env)
    assert (done.returncode, net.addresses) == (1, [])
    done = net.client.run(net.argv("-n", "eth9"), net.env)
    assert (done.returncode, done.stderr) == (1, b"dhcp: eth9: no such interface\n")


def test_signals_renew_and_release(net: Net) -> None:
    server = net.dnsmasq(RANGE)
    client = net.dhcp("eth0")
    client.wait_for("eth0: got 10.9.0.")
    os.kill(client.process.pid, signal.SIGUSR1)
    client.wait_for("eth0: kept 10.9.0.")
    os.kill(client.process.pid, signal.SIGUSR2)
    server.wait_for("DHCPRELEASE")
    eventually(lambda: net.addresses == [], "the address is withdrawn")
    os.kill(client.process.pid, signal.SIGUSR1)
    client.wait_for("eth0: got 10.9.0.", times=2)
