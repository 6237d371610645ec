"""What services tell init: each by a socket of its own, and never so much that others are not heard.

Breaks when a flood of messages costs init its time, or keeps another service from becoming ready.
"""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Iterator

import pytest

from applets.init.config import parse
from applets.init.notifications import MOST, PERIOD, Notifications
from applets.init.supervisor import Clocks, Supervisor


class Box:
    def __init__(self, folder: str) -> None:
        self.now = 0.0
        self.heard: list[dict[str, str]] = []
        clocks = Clocks(lambda: self.now, lambda: self.now, lambda: 0.0)
        self.box = Supervisor(clocks, lambda text: None, {})
        self.path = f"{folder}/notify"
        self.listener = Notifications(
            self.box.loop, f"{self.path}.a", lambda pid, said: self.heard.append(said)
        )

    def turn(self, times: int = 1) -> None:
        for _ in range(times):
            self.box.loop.turn(0)


@pytest.fixture
def box() -> Iterator[Box]:
    with tempfile.TemporaryDirectory(prefix="notify") as folder:
        made = Box(folder)
        yield made
        made.listener.close()
        made.box.close()


def flood(path: str) -> int:
    """Say something until nobody takes it; how often."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        for said in range(100_000):
            try:
                sock.sendto(b"STATUS=x", path)
            except BlockingIOError:
                return said
    return 100_000


def test_of_a_flood_so_much_is_heard_in_a_second(box: Box) -> None:
    for second in range(1, 4):
        for _ in range(50):
            flood(f"{box.path}.a")
            box.turn()
        assert len(box.heard) == second * MOST
        box.now += PERIOD
        box.turn()  # it listens again
    box.turn(5)
    assert len(box.heard) > 3 * MOST, "what waited is not lost"


def test_who_speaks_seldom_is_heard_at_once(box: Box) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        for n in range(3 * MOST):
            sock.sendto(b"STATUS=%d" % n, f"{box.path}.a")
            box.turn()
            assert len(box.heard) == n + 1
            box.now += 2 * PERIOD / MOST


def test_each_service_has_a_socket_of_its_own(box: Box) -> None:
    """So one that floods its own keeps nobody else's READY=1 out."""
    service = {"command": ["/none"], "ready": "notify"}
    config = parse(str({"services": {"a": service, "b": service}}).replace("'", '"').encode())
    assert config.problems == []
    box.box.add_services(config)
    box.box.receive_notifications(box.path + "s")
    paths = [box.box._notify_path(name, config.services[name]) for name in "ab"]
    assert paths == [f"{box.path}s.a", f"{box.path}s.b"]
    assert box.box._notify_path("a", config.services["a"]) == paths[0], "made once"
    flood(paths[0] or "")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        sock.sendto(b"READY=1", paths[1] or "")
    box.box.close()
    assert not any(os.path.exists(path or "") for path in paths)


@pytest.mark.lab
def test_only_the_services_own_user_may_speak_there(box: Box) -> None:
    text = b'{"services": {"a": {"command": ["/none"], "user": "nobody"}, "r": {"command": ["/none"]}}}'
    config = parse(text)
    box.box.add_services(config)
    box.box.receive_notifications(box.path + "s")
    for name, owner, mode in (("a", 65534, 0o600), ("r", 0, 0o666)):
        path = box.box._notify_path(name, config.services[name])
        status = os.stat(path or "")
        assert (status.st_uid, status.st_mode & 0o777) == (owner, mode)
