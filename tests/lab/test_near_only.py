"""The box's page in a network of its own: far addresses get nothing, near ones a question for the password.

Breaks when a box that has a public address shows its page to the Internet, or refuses its own network.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.daemon import Daemon
from tests.lab.network import one_host

NEAR = ("10.1.2.3", "192.168.9.9", "169.254.7.7", "fd00:1::5", "fe80::77%lo")
FAR = ("192.0.2.1", "8.8.8.8", "2001:db8::1", "100.64.3.3")

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def inside() -> Iterator[list[str]]:
    """The words that run a command where all these addresses are."""
    with one_host((*NEAR, *FAR)) as words:
        yield words


def fetch(inside: list[str], port: int, address: str) -> bytes:
    """What curl gets when it comes from the address: the status, or 000."""
    host = f"[{address}]" if ":" in address else address
    url = f"http://{host.replace('%', '%25')}:{port}/"
    curl = shutil.which("curl") or "curl"
    # A link-local source cannot be named so; it is chosen for a link-local destination anyway.
    source = [] if "%" in address else ["--interface", address]
    argv = [curl, "-s", "-o", "/dev/null", "-w", "%{http_code}", "-m", "20", "--noproxy", "*"]
    return subprocess.run([*inside, *argv, *source, url], capture_output=True, timeout=40).stdout


@pytest.mark.parametrize(
    "more",
    [[], ["--anywhere"], ["--near=100.64.0.0/10", "--near=2001:db8::/32"]],
    ids=["near", "anywhere", "overlay"],
)
def test_who_may_connect(
    inside: list[str],
    toolbox_argv: list[str],
    toolbox_env: dict[str, str],
    tmp_path: Path,
    more: list[str],
) -> None:
    argv = [*inside, *toolbox_argv, "httpd", "--box", "-fv", "-p", "8080"]
    with Daemon([*argv, "--password-file", str(tmp_path / "none"), *more], toolbox_env) as daemon:
        for address in (*NEAR, "127.0.0.1", "::1"):
            assert fetch(inside, 8080, address) == b"401", address
        for address in FAR:
            overlay = len(more) == 2 and address in ("100.64.3.3", "2001:db8::1")
            let_in = overlay or more == ["--anywhere"]
            assert fetch(inside, 8080, address) == (b"401" if let_in else b"000"), address
        if not more:
            daemon.wait_log("8.8.8.8: refused")
    assert daemon.process.returncode == 0
