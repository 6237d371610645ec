"""ntp around its client: names, leases, the clock, the saved time.  No test touches the host's clock.

Breaks when the clock is set by the wrong rule, when the saved time is not used or not written, when a
changed lease goes unnoticed, or when a hostile server ends the daemon.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from applets.ntp import servers
from applets.ntp.clock import RELEASED, SavedTime, known_time
from applets.ntp.daemon import Daemon
from tests.conftest import Result
from toolbox.names import Place
from toolbox.net.ntp import UNIX_EPOCH

Run = Callable[..., Result]


class FakeClock:
    """The host's clock, but `off` seconds ahead; setting it changes only `off`."""

    def __init__(self, off: float) -> None:
        self.off = off
        self.steps: list[float] = []
        self.slews: list[float] = []
        self.changed = threading.Event()

    def steady(self) -> float:
        return time.monotonic()

    def wall(self) -> float:
        return time.time() + self.off

    def step(self, offset: float) -> None:
        self.steps.append(offset)
        self.off += offset

    def slew(self, offset: float, poll: float) -> None:
        self.slews.append(offset)
        self.changed.set()


class Server(threading.Thread):
    """An NTP server on the loopback; `answers` makes the datagrams from a request."""

    def __init__(self, answers: Callable[[bytes], list[bytes]]) -> None:
        super().__init__(daemon=True)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.answers = answers
        self.start()

    def run(self) -> None:
        while True:
            data, source = self.socket.recvfrom(1024)
            if not data:
                return
            for answer in self.answers(data):
                self.socket.sendto(answer, source)

    def close(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as door:
            door.sendto(b"", ("127.0.0.1", self.port))
        self.join()
        self.socket.close()


def right(request: bytes) -> bytes:
    now = time.time() + UNIX_EPOCH
    stamp = struct.pack("!II", int(now), int(now % 1 * 2**32))
    return b"\x24\x02\x06\xec" + bytes(12) + stamp + request[40:48] + stamp + stamp


def fair(request: bytes) -> list[bytes]:
    return [right(request)]


def hostile(request: bytes) -> list[bytes]:
    good = right(request)
    return [
        b"\0",
        good[:47],
        os.urandom(48),
        good[:24] + bytes(8) + good[32:],
        b"\xe4" + good[1:],
        good[:1] + b"\x10" + good[2:],
        good[:8] + b"\xff" * 4 + good[12:],
        good[:32] + bytes(16),
        bytes(1024),
        good,
    ]


@pytest.fixture
def serve() -> Iterator[Callable[[Callable[[bytes], list[bytes]]], int]]:
    made: list[Server] = []

    def start(answers: Callable[[bytes], list[bytes]]) -> int:
        made.append(Server(answers))
        return made[-1].port

    yield start
    for server in made:
        server.close()


def daemon(clock: FakeClock, tmp_path: Path, port: int, **options: object) -> Daemon:
    usual: dict[str, object] = {
        "names": ["127.0.0.1"],
        "saved": SavedTime(str(tmp_path / "clock")),
        "leases": str(tmp_path / "leases"),
        "once": True,
    }
    return Daemon(clock=clock, port=port, **{**usual, **options})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("off", "stepped"), [(-1e9, True), (3600.0, True), (0.2, True), (0.0, False)]
)
def test_once_steps_whatever_is_worth_it(
    off: float, stepped: bool, tmp_path: Path, serve: Callable[..., int]
) -> None:
    clock = FakeClock(off)
    one = daemon(clock, tmp_path, serve(fair), saved=None)
    assert one.run() == 0
    assert abs(clock.off) < 0.05
    assert bool(clock.steps) == stepped or abs(off) < 0.01


def test_hostile_server_is_survived(
    tmp_path: Path, serve: Callable[..., int], capfd: pytest.CaptureFixture[str]
) -> None:
    clock = FakeClock(-5.0)
    assert daemon(clock, tmp_path, serve(hostile)).run() == 0
    assert abs(clock.off) < 0.05
    lines = capfd.readouterr().err.splitlines()
    assert len([line for line in lines if "ignored an answer of 127.0.0.1" in line]) == 1


def test_silence_ends_once_with_a_message(tmp_path: Path, run: Run) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as hole:
        hole.bind(("127.0.0.1", 0))
        result = run("ntp", "-q", "-n", "-t", "1.5", f"--port={hole.getsockname()[1]}", "127.0.0.1")
    assert result.status == 1
    assert result.err == b"ntp: no usable answer from 127.0.0.1\n"


def test_dry_run_prints_the_offset(run: Run, serve: Callable[..., int]) -> None:
    result = run("ntp", "-q", "-n", f"--port={serve(fair)}", "127.0.0.1")
    assert result.status == 0, result.err
    assert result.out.startswith((b"offset +0.0", b"offset -0.0"))
    assert result.out.endswith(b", 1 of 1 servers\n")


def test_saved_time_is_restored_before_any_server_answers(tmp_path: Path) -> None:
    """A box without a battery starts in 1970; certificates of the last run must hold at once."""
    clock = FakeClock(-time.time())
    (tmp_path / "clock").write_text("1790000000\n")
    one = daemon(clock, tmp_path, 9)
    one._restore()
    assert clock.wall() == pytest.approx(1790000000, abs=5)
    one._restore()  # and never put back
    assert len(clock.steps) == 1


@pytest.mark.parametrize("content", [None, "", "nonsense", "\0" * 40, "-5", "9" * 400, "1e400"])
def test_damaged_saved_time_is_only_the_release(content: str | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "clock").write_text(content)
    clock = FakeClock(-time.time())
    one = daemon(clock, tmp_path, 9, known=RELEASED)
    one._restore()
    assert clock.wall() == pytest.approx(RELEASED, abs=5)


def test_release_file_moves_the_floor(tmp_path: Path) -> None:
    file = tmp_path / "os-release"
    assert known_time(str(file)) == RELEASED
    file.touch()
    for stamp, floor in (
        (0, RELEASED),
        (RELEASED + 5e7, RELEASED + 5e7),
        (RELEASED + 2e9, RELEASED),
    ):
        os.utime(file, (stamp, stamp))
        assert known_time(str(file)) == floor


def test_runs_saves_reads_leases_and_ends(
    tmp_path: Path, serve: Callable[..., int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole life: no server known, then dhcp writes a lease, then TERM."""
    monkeypatch.setattr(servers, "POOL", ())
    notes = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    notes.settimeout(10)
    notes.bind(str(tmp_path / "notify"))
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    clock = FakeClock(-100.0)
    leases = tmp_path / "leases"
    leases.mkdir()
    one = daemon(clock, tmp_path, serve(fair), names=[], once=False)
    said: list[bytes] = []

    def others() -> None:
        (leases / "eth0.json.new").write_text(json.dumps({"ntp": ["127.0.0.1"]}))
        os.rename(leases / "eth0.json.new", leases / "eth0.json")
        said.extend(notes.recv(1000) for _ in range(3))
        clock.changed.wait(10)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Timer(0.2, others).start()
    assert one.run() == 0
    assert said[:2] == [b"STATUS=looking for servers", b"READY=1"]
    assert said[2].startswith(b"STATUS=off by ")
    assert clock.steps and abs(clock.off) < 0.05
    assert abs(int((tmp_path / "clock").read_text()) - time.time()) < 5
    notes.close()


def test_a_lease_without_servers_hurries_a_lookup_that_failed(
    tmp_path: Path, serve: Callable[..., int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The network comes after ntp has begun: the names can be looked up now, not in a minute."""
    monkeypatch.setattr(servers, "POOL", ("time.example",))
    answers: list[list[list[str]]] = [[], [], [], [], [["127.0.0.1"]]]
    asked: list[float] = []

    def look_up(self: servers.Resolver, names: list[str]) -> None:
        asked.append(time.monotonic())
        self.busy = True
        self._found = answers[len(asked) - 1]
        self._writer.send(b".")

    monkeypatch.setattr(servers.Resolver, "look_up", look_up)
    leases = tmp_path / "leases"
    leases.mkdir()
    clock = FakeClock(-100.0)
    one = daemon(clock, tmp_path, serve(fair), names=[], once=False)

    def others() -> None:
        while len(asked) < 2:  # the next one would be in two seconds, the last in eight more
            threading.Event().wait(0.01)
        for name in ("eth0", "eth1", "eth2"):
            before = len(asked)
            (leases / f"{name}.json").write_text("{}")
            while len(asked) == before:
                threading.Event().wait(0.01)
        clock.changed.wait(10)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=others).start()
    assert one.run() == 0
    assert asked[4] - asked[0] < 3
    assert abs(clock.off) < 0.05


@pytest.mark.parametrize(
    "content",
    ["", "[]", "null", '{"ntp": 5}', '{"ntp": [1, null]}', "{", "[" * 5000, '{"ntp": "x"'],
)
def test_leases_that_are_none(content: str, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(content)
    (tmp_path / "b.json").write_text('{"ntp": ["10.0.0.1", "10.0.0.1", "10.0.0.2"]}')
    assert servers.from_leases(str(tmp_path)) == ["10.0.0.1", "10.0.0.2"]
    assert servers.from_leases(str(tmp_path / "absent")) == []


@pytest.mark.parametrize(
    "dead",
    [
        ["::1"],  # nobody listens there
        ["2001:db8::1"],  # perhaps there is no way to it at all
        ["::1", "127.0.0.2", "::1"],
    ],
)
def test_all_addresses_of_a_name_are_tried(
    dead: list[str],
    tmp_path: Path,
    serve: Callable[..., int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def resolve(name: str, **more: object) -> list[Place]:
        places = []
        for text in [*dead, "127.0.0.1"]:
            family = socket.AF_INET6 if ":" in text else socket.AF_INET
            places.append(Place(family, (text, 0, 0, 0)[: 4 if ":" in text else 2], text))
        return places

    monkeypatch.setattr(servers, "resolve", resolve)
    clock = FakeClock(-100.0)
    assert daemon(clock, tmp_path, serve(fair), names=["time.example"]).run() == 0
    assert abs(clock.off) < 0.05


def test_resolver_works_beside_the_loop() -> None:
    resolver = servers.Resolver()
    resolver.look_up(["localhost", "no name at all", "\0", "x" * 300])
    (found,) = resolver.take()
    assert "127.0.0.1" in found
    assert not resolver.busy
    resolver.close()
