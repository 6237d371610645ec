"""Listening sockets.  Breaks when an endpoint is misread or the supervisor's sockets are not taken over."""

from __future__ import annotations

import os
import socket

import pytest

from toolbox.errors import UsageError
from toolbox.listening import inherited, listen, parse_endpoint


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("80", (None, 80)),
        ("127.0.0.1:8080", ("127.0.0.1", 8080)),
        ("[::1]:22", ("::1", 22)),
        ("[::]:0", ("::", 0)),
        (":80", (None, 80)),
    ],
)
def test_endpoints(text: str, expected: tuple[str | None, int]) -> None:
    assert parse_endpoint(text) == expected


@pytest.mark.parametrize(
    "text", ["", "x", "65536", "-1", "::1", "1.2.3.4", "1.2.3:80", "host:80", "[::1]", "80:", "٣"]
)
def test_what_is_no_endpoint(text: str) -> None:
    with pytest.raises(UsageError):
        parse_endpoint(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("1.2.3.4", ("1.2.3.4", 22)), ("::1", ("::1", 22)), ("[::1]", ("::1", 22))],
)
def test_endpoints_with_a_default(text: str, expected: tuple[str, int]) -> None:
    assert parse_endpoint(text, 22) == expected


def test_both_families_by_one_socket() -> None:
    (sock,) = listen(None, 0)
    with sock:
        port = sock.getsockname()[1]
        socket.create_connection(("127.0.0.1", port), 5).close()
        if sock.family == socket.AF_INET6:
            socket.create_connection(("::1", port), 5).close()


def test_a_port_in_use_is_named() -> None:
    (sock,) = listen("127.0.0.1", 0)
    with sock:
        port = sock.getsockname()[1]
        with pytest.raises(OSError) as caught:
            listen("127.0.0.1", port)
        assert caught.value.filename == f"127.0.0.1:{port}"


def test_inherited_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a child, whose descriptor 3 may be anything."""
    for variables, expected in (
        ({"LISTEN_FDS": "1"}, 1),
        ({"LISTEN_FDS": "1", "LISTEN_PID": "PID"}, 1),
        ({"LISTEN_FDS": "1", "LISTEN_PID": "1"}, 0),
        ({"LISTEN_FDS": "x"}, 0),
        ({}, 0),
    ):
        pid = os.fork()
        if pid == 0:
            status = 99
            try:
                sock = socket.create_server(("127.0.0.1", 0))
                os.dup2(sock.fileno(), 3)
                for name, value in variables.items():
                    os.environ[name] = value.replace("PID", str(os.getpid()))
                found = inherited()
                clean = not any(name.startswith("LISTEN_") for name in os.environ)
                status = (
                    len(found)
                    if clean and not any(map(os.get_inheritable, [3] * len(found)))
                    else 98
                )
            finally:
                os._exit(status)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == expected, variables
