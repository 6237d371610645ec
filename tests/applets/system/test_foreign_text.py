"""What services, the kernel and processes say of themselves, on the terminal of who asks.

Breaks when a status, a log line or a process's name reaches the terminal as anything but text.
"""

from __future__ import annotations

import os
import pty
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.applets.httpd.fake_init import FakeInit, service
from tests.daemon import wait_until
from tests.toolbox.test_harmless import HOSTILE


@pytest.fixture
def init(tmp_path: Path) -> Iterator[FakeInit]:
    stand_in = FakeInit(str(tmp_path / "init.sock"))
    for number, text in enumerate(HOSTILE.values()):
        name = f"s{number}"
        stand_in.services[name] = service(name, "failed", status=text, exit=text, command=[text])
        stand_in.log(name, f"said {text}")
    stand_in.stuck = set(stand_in.services)
    yield stand_in
    stand_in.close()


def on_terminal(argv: list[str], env: dict[str, str]) -> bytes:
    """All that a program writes, standard error included, to a terminal of its own."""
    master, slave = pty.openpty()
    try:
        with subprocess.Popen(argv, env=env, stdin=slave, stdout=slave, stderr=slave) as process:
            os.close(slave)
            seen = b""
            while True:
                try:
                    block = os.read(master, 65536)
                except OSError:
                    break
                if not block:
                    break
                seen += block
            process.wait(60)
    finally:
        os.close(master)
    return seen


COMMANDS = [
    ["service"],
    ["service", "list"],
    ["service", "status"],
    ["service", "status", "s0", "s3"],
    ["service", "--json"],
    ["service", "status", "--json", "s0"],
    ["service", "start", "s0"],
    ["service", "status", "none\x1b[1m\n"],
    ["logs"],
    ["logs", "--json"],
    ["logs", "-n", "5", "s1"],
]


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_printers(
    init: FakeInit, words: list[str], toolbox_argv: list[str], toolbox_env: dict[str, str]
) -> None:
    env = {**toolbox_env, "SNAKEROOT_CONTROL": init.path, "TERM": "xterm"}
    lines = on_terminal([*toolbox_argv, *words], env).decode().split("\r\n")
    assert lines and all(line.isprintable() for line in lines), lines
    assert any(line for line in lines) and not any("Traceback" in line for line in lines)


def test_names_of_processes(toolbox_argv: list[str], toolbox_env: dict[str, str]) -> None:
    """By their words, and by the name that a process gives itself."""
    program = (
        "import sys; open('/proc/self/comm', 'wb').write(b'x\\x1b[31m\\xe2\\x80\\xae'); input()"
    )
    words = ["python3", "-c", program, "\x1b]0;title\x07\u202e\x9b"]
    child = subprocess.Popen(words, stdin=subprocess.PIPE)
    try:
        comm = Path(f"/proc/{child.pid}/comm")
        wait_until(lambda: b"\x1b" in comm.read_bytes())
        for argv in (
            ["ps", "-f", "-p", str(child.pid)],
            ["ps", "-o", "comm,args,ucmd", "-p", str(child.pid)],
            ["ps", "-L", "-p", str(child.pid)],
        ):
            lines = on_terminal([*toolbox_argv, *argv], toolbox_env).decode().split("\r\n")
            assert str(child.pid) in " ".join(lines) or "x?" in " ".join(lines)
            assert all(line.isprintable() for line in lines), lines
    finally:
        child.communicate()


def test_questions_and_complaints(
    tmp_path: Path, toolbox_argv: list[str], toolbox_env: dict[str, str]
) -> None:
    """File names are others' words, too: an archive brought them, or a service."""
    name = "a\x1b[31mb\u202e\nc"
    (tmp_path / name).write_text("x")
    for argv in (
        ["cat", f"{tmp_path}/none{name}"],
        ["rm", f"{tmp_path}/none{name}"],
        ["wc", f"{tmp_path}/none{name}"],
        ["grep", "x", f"{tmp_path}/none{name}"],
        ["ls", f"{tmp_path}/none{name}"],
        [f"no{name}"],
        ["sh", f"{tmp_path}/none{name}"],
        ["sh", "-c", f"'no{name}'"],
        ["head", f"--no{name}"],
        ["logs", f"--since={name}"],
    ):
        seen = on_terminal([*toolbox_argv, *argv], toolbox_env).decode()
        lines = seen.split("\r\n")
        assert lines[-1] == "" and all(line.isprintable() for line in lines), (argv, lines)
        assert len(lines) <= 3, (argv, lines)
