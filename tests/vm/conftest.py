"""A box in QEMU for tests: made by `snakeroot new`, built and booted as a user's is.

The machine and its clients live in a network namespace of the test's own, so that nothing listens on the
host and no port is taken.  The clients are the real ones: curl, ssh, scp, sftp.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import shlex
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from snakeroot import config, image, new, qemu, remote

#: Seconds that a boot may take under software emulation on a busy machine; it takes a tenth.
BOOT = 90.0


#: On a busy host the emulated timer may not tick while the kernel looks whether it does, and the kernel panics.
PATIENT = '\n[kernel]\narguments = ["no_timer_check"]\n'


class Result(NamedTuple):
    status: int
    out: str
    err: str


#: Seconds for an answer of a box that boots, at first, and of one that runs.  QEMU takes a connection to a box whose
#: network is not up, and tries it again after 1, 3, 6, 12... seconds; a new connection is tried at once.
GLANCE, ANSWER = 0.5, 20.0


class Box:
    """One virtual machine.  `ssh`, `curl` and `console` reach it."""

    #: Seconds: how long an answer is waited for.
    patience = GLANCE

    def __init__(self, folder: Path, netns: str, extra: list[str] | None = None) -> None:
        self.instance = config.load(folder)
        secret = folder / "first-password"
        self.password = secret.read_text().strip()
        self.netns = netns
        self.log = folder / "console.log"
        ports = {8080: 80, 8022: 22, 8000: 8000}
        argv = [*qemu.command(self.instance, image.build(self.instance), ports), *(extra or [])]
        (self.instance.output / "ports").write_text("".join(f"{g} {h}\n" for h, g in ports.items()))
        self.started = time.monotonic()
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                ["ip", "netns", "exec", netns, *argv],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def wait(self, what: str, true: Callable[[], Any], seconds: float = BOOT) -> Any:
        """Poll until `true()` is; a failure shows the console's end."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if result := true():
                return result
            if self.process.poll() is not None and "off" not in what:
                break
            time.sleep(0.05)
        raise AssertionError(f"{what}: not within {seconds:.0f} s\n{self.console()[-3000:]}")

    def console(self) -> str:
        return self.log.read_bytes().decode(errors="replace")

    def type(self, text: str) -> None:
        """Type on the serial console."""
        assert self.process.stdin
        self.process.stdin.write(text.encode())
        self.process.stdin.flush()

    def run(self, argv: list[str], stdin: bytes | None = b"", seconds: float = 60) -> Result:
        """Run a client in the box's namespace."""
        done = subprocess.run(
            ["ip", "netns", "exec", self.netns, *argv],
            input=stdin,
            capture_output=True,
            timeout=seconds,
            check=False,
        )
        return Result(
            done.returncode,
            done.stdout.decode(errors="replace"),
            done.stderr.decode(errors="replace"),
        )

    def curl(self, path: str, *options: str, port: int = 8080, login: bool = True) -> Result:
        """The body as `out`, the HTTP status as `err`."""
        user = ["-u", f"box:{self.password}"] if login else []
        words = ["curl", "-s", "-m", f"{self.patience:.1f}", "-w", "%{stderr}%{http_code}"]
        answer = self.run([*words, *user, *options, f"http://127.0.0.1:{port}{path}"])
        if answer.err != "000":
            self.patience = ANSWER
        else:
            self.patience = GLANCE if self.patience == ANSWER else self.patience * 1.1
        return answer

    def services(self) -> dict[str, dict[str, Any]]:
        """The services by the page's JSON; empty while it does not answer."""
        answer = self.curl("/", "-H", "Accept: application/json")
        if answer.err != "200":
            return {}
        return {s["name"]: s for s in json.loads(answer.out)["services"]}

    def ssh(self, command: str, *options: str, stdin: bytes = b"", seconds: float = 60) -> Result:
        argv = remote.ssh(self.instance, [command])
        return self.run([argv[0], *options, *argv[1:]], stdin, seconds)

    def ssh_options(self) -> list[str]:
        return remote.options(self.instance)

    def ready(self) -> Box:
        """Wait until page and SSH answer."""
        self.wait("the page answers", lambda: self.curl("/").err == "200")
        self.wait("SSH answers", lambda: self.ssh("true").status == 0)
        return self

    def poweroff(self) -> None:
        self.ssh("poweroff")
        self.wait("power off", lambda: self.process.poll() is not None, 30)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()


@contextlib.contextmanager
def namespace() -> Iterator[str]:
    """A network namespace with loopback only; each box has one, so that their ports don't meet."""
    name = f"snakeroot-vm-{os.getpid()}-{next(_numbers)}"
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        subprocess.run(["ip", "-n", name, "link", "set", "lo", "up"], check=True)
        yield name
    finally:
        subprocess.run(["ip", "netns", "del", name], check=True)


_numbers = itertools.count()


def create(folder: Path) -> None:
    """A new instance, for a busy host."""
    new.create(folder)
    with (folder / "snakeroot.toml").open("a") as settings:
        settings.write(PATIENT)


@pytest.fixture(scope="session")
def make_box(
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[..., contextlib.AbstractContextManager[Box]]:
    """`with make_box(edit=..., extra=[...]) as box:` boots a new instance of the template."""

    @contextlib.contextmanager
    def make(
        edit: Callable[[Path], None] | None = None, extra: list[str] | None = None
    ) -> Iterator[Box]:
        folder = tmp_path_factory.mktemp("vm") / "hello"
        create(folder)
        if edit:
            edit(folder)
        with namespace() as netns:
            box = Box(folder, netns, extra)
            try:
                yield box
            finally:
                box.close()

    return make


@pytest.fixture(scope="session")
def box(make_box: Callable[..., contextlib.AbstractContextManager[Box]]) -> Iterator[Box]:
    """The box that tests share as long as they leave it as it was."""
    with make_box() as one:
        yield one.ready()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "/tests/vm/" in str(item.path):
            item.add_marker(pytest.mark.vm)


def quoted(*words: str) -> str:
    return shlex.join(words)
