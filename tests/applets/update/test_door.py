"""Releases by the page, which is not root: the updater's daemon runs its own program for it, and nothing else.

Breaks when the status or the streams of that program do not reach who asked, when a service may ask for more than the
page needs, or when a client that goes leaves its program behind.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from applets.update import door

ROOT = Path(__file__).resolve().parents[3]

#: Stands for `update`: says what it was asked, copies its input, and ends as its last word says.
PROGRAM = """
import sys
print(*sys.argv[1:], flush=True)
sys.stdout.write(sys.stdin.read())
print("an error", file=sys.stderr)
sys.exit(7 if sys.argv[1:] == ["wanted", "-"] else 0)
"""


@pytest.fixture
def path() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="door") as folder:
        program = Path(folder, "program.py")
        program.write_text(PROGRAM)
        socket_path = f"{folder}/s"
        door.Door(os.geteuid(), socket_path, (sys.executable, str(program)))
        yield socket_path


def ask(path: str, *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    script = (
        "import sys; from applets.update.door import ask; sys.exit(ask(sys.argv[2:], sys.argv[1]))"
    )
    return subprocess.run(
        [sys.executable, "-c", script, path, *words],
        cwd=ROOT,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_it_is_as_if_the_client_had_run_it(path: str) -> None:
    done = ask(path, "apply", "-", stdin="a release\n" * 50_000)
    assert (done.returncode, done.stderr) == (0, "an error\n")
    assert done.stdout == "apply -\n" + "a release\n" * 50_000
    done = ask(path, "wanted", "-", stdin="a head")
    assert (done.returncode, done.stdout) == (7, "wanted -\na head")


def test_several_at_a_time(path: str) -> None:
    clients = [socket.socket(socket.AF_UNIX) for _ in range(door.MOST - 1)]
    for client in clients:
        client.connect(path)  # they say nothing
    assert ask(path, "show", "--json").returncode == 0
    for client in clients:
        client.close()


@pytest.mark.parametrize(
    ("words", "allowed"),
    [
        (["show", "--json"], True),
        (["wanted", "-"], True),
        (["apply", "-"], True),
        (["apply", "http://x/y.release"], True),
        (["apply", "--downgrade"], False),
        (["apply", "--downgrade", "-"], False),
        (["apply", "-", "--no-reboot"], False),
        (["apply"], False),
        (["commit"], False),
        (["rollback"], False),
        (["set-default", "b"], False),
        (["retry"], False),
        (["--daemon"], False),
        ([], False),
    ],
)
def test_what_may_be_asked_for(path: str, words: list[str], allowed: bool) -> None:
    assert door.is_allowed(words) is allowed
    done = ask(path, *words)
    if not allowed:
        assert done.stdout == ""
        assert "that may not be asked for by a service" in done.stderr


@pytest.mark.parametrize(
    "data", [b"junk\n", b"[1]\n", b'"apply"\n', b"{}\n", b'["a\\u0000"]\n', b"\n"]
)
def test_what_is_no_request_is_an_end(path: str, data: bytes) -> None:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(20)
        client.connect(path)
        socket.send_fds(client, [data], [0, 1, 2])
        assert client.recv(1000) == b""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(20)
        client.connect(path)
        client.sendall(json.dumps(["show", "--json"]).encode() + b"\n")  # without its streams
        assert client.recv(1000) == b""
    assert ask(path, "show", "--json").returncode == 0


def test_a_client_that_goes_takes_its_program_with_it(path: str) -> None:
    reading, writing = os.pipe()
    kept, output = os.pipe()
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(path)
        socket.send_fds(client, [b'["apply", "-"]\n'], [reading, output, output])
        os.close(reading)
        os.close(output)
        said = b""
        while not said.endswith(b"\n"):
            said += os.read(kept, 100)
        assert said == b"apply -\n"  # and now it waits for its input
    os.set_blocking(kept, False)
    deadline = time.monotonic() + 20
    while True:  # its output ends when it has ended, and nobody else holds it
        try:
            if os.read(kept, 100) == b"":
                break
        except BlockingIOError:
            assert time.monotonic() < deadline
            time.sleep(0.02)
    os.close(writing)
    os.close(kept)


@pytest.mark.lab
def test_the_socket_is_its_users_alone() -> None:
    with tempfile.TemporaryDirectory(prefix="door") as folder:
        door.Door(65534, f"{folder}/s")
        status = os.stat(f"{folder}/s")
        assert (status.st_uid, status.st_mode & 0o777) == (65534, 0o600)
