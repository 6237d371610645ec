"""sd_notify's client: what is sent, and that a supervisor that isn't there is no failure."""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Iterator

import pytest

from toolbox.notify import notify


@pytest.fixture(params=["path", "abstract"])
def supervisor(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[socket.socket]:
    with (
        tempfile.TemporaryDirectory() as folder,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock,
    ):
        path = os.path.join(folder, "n")
        shown = path if request.param == "path" else "@" + path
        sock.bind(path if request.param == "path" else "\0" + path)
        sock.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", shown)
        yield sock


def test_what_is_sent(supervisor: socket.socket) -> None:
    assert notify("READY=1", "STATUS=gr\u00fcn")
    assert supervisor.recv(100) == "READY=1\nSTATUS=gr\u00fcn".encode()


def test_one_who_does_not_listen_makes_nobody_wait(supervisor: socket.socket) -> None:
    assert not all(notify("STATUS=" + "x" * 1000) for _ in range(2000))


@pytest.mark.parametrize("value", [None, "", "/no/such/socket", "tcp:1", "@no-such-name"])
def test_nobody_there(value: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    if value is None:
        monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    else:
        monkeypatch.setenv("NOTIFY_SOCKET", value)
    assert notify("READY=1") is False
