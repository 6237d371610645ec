"""ntp on a wire: chronyd as the fair servers, scapy as the liar.  Always -n: the clock is the host's.

Breaks when ntp and a real server do not understand each other, when a liar is believed, or when the
servers that dhcp was told of are not asked.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest

from tests.lab.network import Daemon, Lab

pytestmark = pytest.mark.lab

HERE = Path(__file__).resolve().parent


class Net:
    """Two namespaces and a cable; the server's end has 10.9.0.1 to 10.9.0.4."""

    def __init__(self, lab: Lab, argv: list[str], env: dict[str, str]) -> None:
        self.lab = lab
        self.program = argv
        self.env = env
        self.server, self.client = lab.namespace(), lab.namespace()
        lab.cable(self.server, "s0", self.client, "eth0")
        for last in (1, 2, 3, 4):
            self.server.ip(f"addr add 10.9.0.{last}/24 dev s0")
        self.server.ip("link set s0 up")
        self.client.ip("addr add 10.9.0.9/24 dev eth0")
        self.client.ip("link set eth0 up")

    def chronyd(self, address: str, *more: str) -> Daemon:
        """A server whose clock is the host's, and which never sets it (-x)."""
        lines = [
            "local stratum 5",
            "allow",
            f"bindaddress {address}",
            "cmdport 0",
            "bindcmdaddress /",
        ]
        lines += [f"pidfile {self.lab.folder}/{address}.pid", *more]
        config = self.lab.folder / f"{address}.conf"
        config.write_text("\n".join(lines) + "\n")
        daemon = self.server.start(["chronyd", "-x", "-d", "-u", "root", "-f", str(config)])
        daemon.wait_for("Disabled control of system clock")
        return daemon

    def scapy(self, address: str, mode: str) -> Daemon:
        daemon = self.server.start([sys.executable, str(HERE / "ntp_server.py"), address, mode])
        daemon.wait_for("ready")
        return daemon

    def once(self, *argv: str) -> tuple[float, str, str]:
        """One setting that is none: the offset in seconds, how many agreed, what it complained of."""
        done = self.client.run([*self.program, "ntp", "-q", "-n", *argv], self.env)
        assert done.returncode == 0, done.stderr
        found = re.fullmatch(r"offset (\S+) s, round trip \S+ s, (.*)\n", done.stdout.decode())
        assert found, done.stdout
        return float(found[1]), found[2], done.stderr.decode()


@pytest.fixture
def net(lab: Lab, toolbox_argv: list[str], toolbox_env: dict[str, str]) -> Net:
    return Net(lab, toolbox_argv, toolbox_env)


def test_one_server(net: Net) -> None:
    net.chronyd("10.9.0.1")
    offset, agreed, complaints = net.once("10.9.0.1")
    assert (abs(offset) < 0.05, agreed, complaints) == (True, "1 of 1 servers", "")


def test_liar_among_three(net: Net) -> None:
    net.chronyd("10.9.0.1")
    net.chronyd("10.9.0.2")
    net.scapy("10.9.0.3", "liar")
    offset, agreed, _ = net.once("10.9.0.3", "10.9.0.1", "10.9.0.2")
    assert (abs(offset) < 0.05, agreed) == (True, "3 of 3 servers")


def test_liar_alone_is_believed_and_two_that_disagree_are_not(net: Net) -> None:
    net.chronyd("10.9.0.1")
    net.scapy("10.9.0.3", "liar")
    offset, _, _ = net.once("10.9.0.3")
    assert offset == pytest.approx(1000, abs=0.05)
    done = net.client.run([*net.program, "ntp", "-qn", "-t", "2", "10.9.0.1", "10.9.0.3"], net.env)
    assert done.returncode == 1 and b"the servers disagree" in done.stderr


def test_hostile_server(net: Net) -> None:
    net.scapy("10.9.0.3", "hostile")
    offset, _, complaints = net.once("10.9.0.3")
    assert abs(offset) < 0.05
    assert complaints.count("\n") == 1 and "ignored an answer of 10.9.0.3" in complaints


def test_refused_by_one_served_by_the_other(net: Net) -> None:
    net.chronyd("10.9.0.1")
    net.scapy("10.9.0.3", "deny")
    offset, agreed, complaints = net.once("10.9.0.1", "10.9.0.3")
    assert (abs(offset) < 0.05, agreed) == (True, "1 of 2 servers")
    assert "10.9.0.3 refuses us (DENY)" in complaints


def test_server_without_a_time_of_its_own(net: Net) -> None:
    """Unsynchronised: leap indicator 3, stratum 0."""
    config = net.chronyd("10.9.0.1")
    config.stop()
    path = net.lab.folder / "10.9.0.1.conf"
    path.write_text(path.read_text().replace("local stratum 5\n", ""))
    again = net.server.start(["chronyd", "-x", "-d", "-u", "root", "-f", str(path)])
    again.wait_for("Disabled control of system clock")
    done = net.client.run([*net.program, "ntp", "-qn", "-t", "2", "10.9.0.1"], net.env)
    assert done.returncode == 1
    assert b"no usable answer from 10.9.0.1" in done.stderr


def test_the_servers_that_dhcp_was_told_of(net: Net) -> None:
    """The lease comes later than ntp starts; the daemon keeps asking after the first answer."""
    net.chronyd("10.9.0.2")
    leases = net.lab.folder / "leases"
    leases.mkdir()
    (leases / "eth0.json").write_text(json.dumps({"ntp": ["10.9.0.4"]}))  # nobody there
    daemon = net.client.start([*net.program, "ntp", "-n", f"--leases={leases}"], net.env)
    (leases / "new").write_text(json.dumps({"ntp": ["10.9.0.2"]}))
    (leases / "new").rename(leases / "eth0.json")
    daemon.wait_for("1 of 1 servers", times=2)
    assert daemon.stop() == 0
