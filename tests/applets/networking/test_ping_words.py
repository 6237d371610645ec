"""ping's words on the loopback: numbers have bounds, and a name's next address is tried when one has no way.

Breaks when a number reaches the kernel as it is, or when only a name's first address counts.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable

import pytest

from applets.networking import ping
from applets.networking.ping.wire import Echo
from toolbox.names import Place


@pytest.mark.parametrize(
    "words",
    [
        ["-s", "65508"],
        ["-s", "9" * 30],
        ["-s", "-1"],
        ["-c", "0"],
        ["-t", "256"],
        ["-t", "0"],
        ["-Q", "256"],
        ["-Q", "-1"],
        ["-Q", "9" * 5000],
        ["-Q", "x"],
        ["-l", "0"],
        ["-l", "9" * 30],
        ["-i", "-1"],
        ["-i", "nan"],
        ["-W", "x"],
    ],
)
def test_a_number_beyond_its_bounds(run: Callable[..., object], words: list[str]) -> None:
    done = run("ping", "-c1", *words, "127.0.0.1")
    assert done.status == 2  # type: ignore[attr-defined]
    assert done.err.startswith(b"ping: ") and b"Traceback" not in done.err  # type: ignore[attr-defined]


def test_the_next_address_when_one_has_no_way(
    monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    tried = []
    check = Echo.connect_check

    def connect_check(echo: Echo) -> None:
        tried.append(echo.target[0])
        if echo.target[0] != "127.0.0.1":
            raise OSError(errno.ENETUNREACH, "Network is unreachable")
        check(echo)

    places = [
        Place(socket.AF_INET6, ("2001:db8::1", 0, 0, 0), "2001:db8::1"),
        Place(socket.AF_INET, ("192.0.2.1", 0), "192.0.2.1"),
        Place(socket.AF_INET, ("127.0.0.1", 0), "127.0.0.1"),
    ]
    monkeypatch.setattr(ping, "resolve", lambda *a, **k: places)
    monkeypatch.setattr(Echo, "connect_check", connect_check)
    assert ping.main(["ping", "-c1", "name.example"]) == 0
    assert tried == ["2001:db8::1", "192.0.2.1", "127.0.0.1"]
    assert b"PING name.example (127.0.0.1)" in capfdbinary.readouterr().out
