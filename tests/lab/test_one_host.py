"""One host of an IPv6 network, with all the addresses it likes, against both servers.

Breaks when it can hold all their connections: its owner, from another network or from the same, gets in.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.daemon import Daemon
from tests.lab.network import one_host

pytestmark = pytest.mark.lab

#: Addresses of the stranger, of its own /64, and of two owners.
STRANGER = [f"fd00:1::{number + 1:x}" for number in range(8)]
OWNERS = ("10.1.2.3", "fd00:2::1", "fd00:1::ffff")

#: Opens 16 connections from each address, says nothing, and stays.
HOLD = """
import socket, sys, time
port, *addresses = sys.argv[1:]
held = []
for address in addresses:
    for _ in range(16):
        sock = socket.create_connection(("::1", int(port)), 10, source_address=(address, 0))
        held.append(sock)
print(len(held), flush=True)
time.sleep(300)
"""


@pytest.fixture(scope="module")
def inside() -> Iterator[list[str]]:
    """The words that run a command where all these addresses are."""
    with one_host((*STRANGER, *OWNERS)) as words:
        yield words


def hold(inside: list[str], port: int) -> subprocess.Popen[bytes]:
    """A stranger who holds 128 connections."""
    stranger = subprocess.Popen(
        [*inside, sys.executable, "-c", HOLD, str(port), *STRANGER], stdout=subprocess.PIPE
    )
    assert stranger.stdout is not None and stranger.stdout.readline() == b"128\n"
    return stranger


def test_the_page(
    inside: list[str], toolbox_argv: list[str], toolbox_env: dict[str, str], tmp_path: Path
) -> None:
    argv = [*inside, *toolbox_argv, "httpd", "--box", "-f", "-p", "8080"]
    with Daemon([*argv, "--password-file", str(tmp_path / "none")], toolbox_env) as daemon:
        stranger = hold(inside, 8080)
        try:
            for owner in OWNERS:
                to = "[::1]" if ":" in owner else "127.0.0.1"
                curl = ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "-m", "20"]
                done = subprocess.run(
                    [*inside, *curl, "--interface", owner, f"http://{to}:8080/"],
                    capture_output=True,
                    timeout=60,
                )
                assert done.stdout == b"401", owner
        finally:
            stranger.kill()
            stranger.communicate()
        assert sum("gave way" in line for line in daemon.lines) <= 20


def test_the_door(
    inside: list[str], toolbox_argv: list[str], toolbox_env: dict[str, str], tmp_path: Path
) -> None:
    key = tmp_path / "id"
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True, timeout=60
    )
    argv = [*inside, *toolbox_argv, "breakglass", "-p", "2222", "--keys", f"{key}.pub"]
    with Daemon([*argv, "--host-key", str(tmp_path / "host")], toolbox_env):
        stranger = hold(inside, 2222)
        try:
            for owner in OWNERS:
                to = "::1" if ":" in owner else "127.0.0.1"
                ssh = ["ssh", "-F", "none", "-i", str(key), "-o", "BatchMode=yes", "-b", owner]
                ssh += ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"]
                done = subprocess.run(
                    [*inside, *ssh, "-p", "2222", f"root@{to}", "echo in"],
                    capture_output=True,
                    timeout=60,
                )
                assert done.stdout == b"in\n", (owner, done)
        finally:
            stranger.kill()
            stranger.communicate()
