"""Network namespaces for tests against real peers.  Needs root and iproute2; nothing of the host's
own network is touched.

    def test(lab):
        server, client = lab.namespace(), lab.namespace()
        lab.cable(server, "s0", client, "eth0")
        daemon = client.start(["dnsmasq", ...])      # ended with the test
        daemon.wait_for("text in its standard error")
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

DEADLINE = 20.0


def eventually(true: Callable[[], object], what: str, within: float = DEADLINE) -> None:
    """Wait until `true()` holds; AssertionError names `what` did not happen."""
    end = time.monotonic() + within
    while not true():
        if time.monotonic() > end:
            raise AssertionError(f"not within {within:.0f} s: {what}")
        time.sleep(0.02)


class Daemon:
    """A program that runs in a namespace, with what it has written so far."""

    def __init__(self, argv: list[str], env: Mapping[str, str] | None, log: Path) -> None:
        self.log = log
        with open(log, "wb") as file:
            self.process = subprocess.Popen(
                argv, env=env, stdin=subprocess.DEVNULL, stdout=file, stderr=file
            )

    @property
    def text(self) -> str:
        """Its standard output and standard error."""
        return self.log.read_text(errors="replace")

    def wait_for(self, text: str, times: int = 1, within: float = DEADLINE) -> None:
        """Wait until it has written `text` that often."""
        try:
            eventually(lambda: self.text.count(text) >= times, text, within)
        except AssertionError as error:
            raise AssertionError(f"{error}; it wrote:\n{self.text}") from None

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and wait; the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(number)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        return self.process.returncode


class Namespace:
    """A network of its own."""

    def __init__(self, lab: Lab, name: str) -> None:
        self.lab = lab
        self.name = name

    def argv(self, *command: str) -> list[str]:
        """The words that run `command` in here."""
        return ["ip", "netns", "exec", self.name, *command]

    def ip(self, command: str) -> str:
        """Run `ip COMMAND` on this network; its output."""
        argv = ["ip", "-n", self.name, *command.split()]
        return subprocess.run(argv, check=True, capture_output=True, text=True, timeout=10).stdout

    def run(
        self, argv: list[str], env: Mapping[str, str] | None = None, timeout: float = 30
    ) -> subprocess.CompletedProcess[bytes]:
        """Run a program in here to its end."""
        return subprocess.run(self.argv(*argv), env=env, capture_output=True, timeout=timeout)

    def start(self, argv: list[str], env: Mapping[str, str] | None = None) -> Daemon:
        """Start a program in here; the test's end stops it."""
        daemon = Daemon(self.argv(*argv), env, self.lab.folder / f"log{len(self.lab.daemons)}")
        self.lab.daemons.append(daemon)
        return daemon


class Lab:
    """Makes namespaces and cables, and takes them away again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.namespaces: list[Namespace] = []
        self.daemons: list[Daemon] = []

    def namespace(self) -> Namespace:
        """A new namespace with its loopback up."""
        name = f"lab{os.getpid()}-{len(self.namespaces)}"
        subprocess.run(["ip", "netns", "add", name], check=True, timeout=10)
        space = Namespace(self, name)
        self.namespaces.append(space)
        space.ip("link set lo up")
        return space

    def cable(self, one: Namespace, name: str, other: Namespace, other_name: str) -> None:
        """An Ethernet cable between two namespaces; both ends are down at first."""
        one.ip(f"link add {name} type veth peer name {other_name} netns {other.name}")

    def close(self) -> None:
        for daemon in reversed(self.daemons):
            daemon.stop()
        for space in self.namespaces:
            subprocess.run(["ip", "netns", "del", space.name], check=False, timeout=10)


@contextlib.contextmanager
def one_host(addresses: Iterable[str]) -> Iterator[list[str]]:
    """The words that run a command in a namespace whose loopback has all these addresses ("fe80::1%lo" too)."""
    holder = subprocess.Popen(
        ["unshare", "-n", "sh", "-c", "echo ready; exec sleep 600"], stdout=subprocess.PIPE
    )
    try:
        if holder.stdout is None or holder.stdout.readline() != b"ready\n":
            raise RuntimeError("no network namespace: is this root?")
        words = ["nsenter", f"--net=/proc/{holder.pid}/ns/net"]
        subprocess.run([*words, "ip", "link", "set", "lo", "up"], check=True)
        for address in addresses:
            plain = address.partition("%")[0]
            wide = ["128", "nodad"] if ":" in address else ["32"]
            argv = ["ip", "address", "add", f"{plain}/{wide[0]}", "dev", "lo", *wide[1:]]
            subprocess.run([*words, *argv], check=True)
        yield words
    finally:
        holder.kill()
        holder.wait()
