"""ping between two namespaces, by datagram and by raw socket.

Breaks when the packets are wrong, when answers of other pings are counted, or when an error that the
network reports is lost.
"""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable

import pytest

from tests.lab.network import Lab, Namespace

pytestmark = pytest.mark.lab


@pytest.fixture(params=["datagram", "raw"])
def near(request, lab: Lab) -> Namespace:
    """A namespace with 10.0.0.1, whose peer has 10.0.0.2 and routes to nowhere beyond."""
    near, far = lab.namespace(), lab.namespace()
    lab.cable(near, "eth0", far, "eth0")
    for space, last in ((near, 1), (far, 2)):
        space.ip(f"addr add 10.0.0.{last}/24 dev eth0")
        space.ip(f"addr add fd00::{last}/64 dev eth0 nodad")
        space.ip("link set eth0 up")
    near.ip("route add 10.8.0.0/16 via 10.0.0.2")
    far.run(["sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"])
    far.ip("route add unreachable 10.8.0.0/16")
    groups = "0 2147483647" if request.param == "datagram" else "1 0"
    done = near.run(["sh", "-c", f"echo {groups} > /proc/sys/net/ipv4/ping_group_range"])
    assert done.returncode == 0, done.stderr
    return near


@pytest.fixture
def ping(near, toolbox_argv, toolbox_env) -> Callable[..., tuple[int, str, str]]:
    def call(*words: str) -> tuple[int, str, str]:
        done = near.run([*toolbox_argv, "ping", *words], env=toolbox_env)
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    return call


@pytest.mark.parametrize(
    ("address", "sizes"), [("10.0.0.2", " 56(84) bytes of data."), ("fd00::2", " 56 data bytes")]
)
def test_answers(ping, address, sizes) -> None:
    status, out, err = ping("-c", "2", "-i", "0.05", address)
    head, one, two, _, title, sums, times = out.splitlines()
    assert (status, err) == (0, "")
    assert head == f"PING {address} ({address}){sizes}"
    assert re.fullmatch(rf"64 bytes from {address}: icmp_seq=1 ttl=64 time=[\d.]+ ms", one)
    assert "icmp_seq=2 " in two
    assert title == f"--- {address} ping statistics ---"
    assert re.fullmatch(r"2 packets transmitted, 2 received, 0% packet loss, time \d+ms", sums)
    assert re.fullmatch(r"rtt min/avg/max/mdev = [\d.]+/[\d.]+/[\d.]+/[\d.]+ ms", times)


def test_sizes_and_quiet(ping) -> None:
    for size in (0, 8, 3000):
        status, out, _ = ping("-c", "1", "-s", str(size), "-t", "3", "-p", "a5", "10.0.0.2")
        assert (status, f"{size + 8} bytes from" in out) == (0, True)
    status, out, _ = ping("-q", "-c", "3", "-A", "10.0.0.2")
    assert "bytes from" not in out
    assert "3 received" in out


def test_source(ping) -> None:
    assert (
        "PING 10.0.0.2 (10.0.0.2) from 10.0.0.1 eth0: 56(84)"
        in ping("-c1", "-I", "eth0", "10.0.0.2")[1]
    )
    assert "from 10.0.0.1 :" in ping("-c1", "-I", "10.0.0.1", "10.0.0.2")[1].replace(
        "10.0.0.1:", "10.0.0.1 :"
    )
    assert ping("-c1", "-I", "eth7", "10.0.0.2") == (2, "", "ping: unknown iface eth7\n")


def test_a_router_says_that_there_is_no_way(ping) -> None:
    status, out, _ = ping("-c", "1", "-W", "3", "10.8.0.1")
    assert status == 1
    assert "From 10.0.0.2 icmp_seq=1 Destination Host Unreachable" in out
    assert "1 packets transmitted, 0 received, +1 errors, 100% packet loss" in out


def test_nobody_is_there(ping) -> None:
    status, out, _ = ping("-c", "1", "-W", "5", "10.0.0.77")
    assert status == 1
    assert "From 10.0.0.1 icmp_seq=1 Destination Host Unreachable" in out


def test_a_time_limit(ping, near) -> None:
    near.ip("neigh add 10.0.0.77 lladdr 02:00:00:00:00:77 dev eth0")
    status, out, _ = ping("-c", "1", "-W", "0.1", "10.0.0.77")
    assert (status, "0 received, 100% packet loss" in out) == (1, True)
    status, out, _ = ping("-w", "1", "-i", "0.2", "10.0.0.2")
    assert status == 0
    assert int(out.split(" packets transmitted")[0].split()[-1]) >= 4
    assert ping("-w", "1", "-c", "100", "-i", "0.3", "10.0.0.2")[0] == 1


def test_no_way_at_all(ping) -> None:
    assert ping("-c1", "192.0.2.1") == (2, "", "ping: connect: Network is unreachable\n")


def test_ctrl_c_shows_the_sums(near, toolbox_argv, toolbox_env) -> None:
    daemon = near.start([*toolbox_argv, "ping", "10.0.0.2"], env=toolbox_env)
    daemon.wait_for("icmp_seq=1 ")
    os.kill(daemon.process.pid, signal.SIGINT)
    assert daemon.process.wait(10) == 0
    assert "ping statistics ---" in daemon.text


@pytest.mark.parametrize(
    "words", [["-c", "0", "10.0.0.2"], ["-s", "70000", "10.0.0.2"], ["-p", "xy", "10.0.0.2"], []]
)
def test_wrong_words(ping, words) -> None:
    status, out, err = ping(*words)
    assert (status, out) == (2, "")
    assert err.startswith("ping: ")
