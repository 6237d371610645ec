"""The shell on a terminal: prompts, job control, Ctrl-C, Ctrl-D, Ctrl-Z, line editing, history.

They break when the terminal is not handed over and taken back, when an interrupt leaves more or less
than the command line, or when a terminal that cannot edit gets escape sequences.
"""

from __future__ import annotations

import os
import pty
import select
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

DEADLINE = 30.0  # seconds; only a broken shell takes that long


class Terminal:
    """A shell on a pseudo-terminal of its own."""

    def __init__(self, argv: list[str], environment: dict[str, str]) -> None:
        self.pid, self.fd = pty.fork()
        if not self.pid:
            try:
                os.execvpe(argv[0], argv, environment)
            finally:
                os._exit(127)
        self.seen = b""

    def type(self, text: bytes) -> None:
        """Press keys."""
        os.write(self.fd, text)

    def expect(self, text: bytes) -> bytes:
        """Wait until `text` is shown, and forget the output up to it; returns that output."""
        until = time.monotonic() + DEADLINE
        while text not in self.seen:
            assert time.monotonic() < until, f"no {text!r} in {self.seen!r}"
            if select.select([self.fd], [], [], 0.2)[0]:
                try:
                    self.seen += os.read(self.fd, 65536)
                except OSError:
                    assert text in self.seen, f"ended without {text!r}: {self.seen!r}"
        shown, _, self.seen = self.seen.partition(text)
        return shown

    def status(self) -> int:
        """Wait for the shell's end; its exit status."""
        until = time.monotonic() + DEADLINE
        while time.monotonic() < until:
            if select.select([self.fd], [], [], 0.05)[0]:
                try:
                    self.seen += os.read(self.fd, 65536)
                except OSError:
                    pass  # the terminal's other side is closed
            pid, raw = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.pid = 0
                return os.waitstatus_to_exitcode(raw)
        raise AssertionError(f"still running: {self.seen!r}")

    def close(self) -> None:
        """End whatever is left."""
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.fd)


@pytest.fixture
def start(
    toolbox_argv: list[str], toolbox_env: dict[str, str], tmp_path: Path
) -> Iterator[Callable[..., Terminal]]:
    """`start(TERM=...)` begins a conversation with the prompt `P> `."""
    made: list[Terminal] = []

    def begin(*arguments: str, **environment: str) -> Terminal:
        base = {**toolbox_env, "HOME": str(tmp_path), "PS1": "P> ", "PS2": "C> ", "TERM": "dumb"}
        terminal = Terminal([*toolbox_argv, "sh", *arguments], {**base, **environment})
        made.append(terminal)
        return terminal

    yield begin
    for terminal in made:
        terminal.close()


def test_commands_continuation_and_the_end(start: Callable[..., Terminal]) -> None:
    terminal = start()
    terminal.expect(b"P> ")
    terminal.type(b"for i in 1 2\n")
    terminal.expect(b"C> ")
    terminal.type(b"do echo got$i; done\n")
    terminal.expect(b"got1\r\ngot2\r\nP> ")
    terminal.type(b"fi\n")
    terminal.expect(b"syntax error")
    terminal.expect(b"P> ")
    terminal.type(b"echo ${nope?unset}; echo no\n")
    terminal.expect(b"nope: unset\r\nP> ")
    terminal.type(b"(exit 6)\n")
    terminal.expect(b"P> ")
    terminal.type(b"\x04")
    assert terminal.status() == 6


def test_stop_list_and_continue_a_job(start: Callable[..., Terminal]) -> None:
    terminal = start()
    terminal.expect(b"P> ")
    terminal.type(b"(echo rea''dy; exec sleep 1000)\n")
    terminal.expect(b"ready\r\n")
    terminal.type(b"\x1a")
    terminal.expect(b"Stopped")
    terminal.expect(b"P> ")
    terminal.type(b"jobs\n")
    terminal.expect(b"[1] + Stopped")
    terminal.expect(b"P> ")
    terminal.type(b"bg\n")
    terminal.expect(b"[1] (echo")
    terminal.expect(b"P> ")
    terminal.type(b"jobs\n")
    terminal.expect(b"[1] + Running")
    terminal.expect(b"P> ")
    terminal.type(b"kill %1; wait; echo st$?\n")
    terminal.expect(b"st0\r\n")
    terminal.type(b"exit 3\n")
    assert terminal.status() == 3


def test_interrupts_lead_to_the_prompt(start: Callable[..., Terminal]) -> None:
    terminal = start()
    terminal.expect(b"P> ")
    terminal.type(b"while :; do :; done\n")
    terminal.expect(b"done\r\n")
    terminal.type(b"\x03")
    terminal.expect(b"P> ")
    terminal.type(b"cat\n")
    terminal.expect(b"cat\r\n")
    terminal.type(b"line\n")
    terminal.expect(b"line\r\nline\r\n")  # its echo, and cat's own: it runs
    terminal.type(b"\x03")
    terminal.expect(b"P> ")
    terminal.type(b"read x; echo no\n")
    terminal.expect(b"no\r\n")
    terminal.type(b"\x03")
    terminal.expect(b"P> ")
    terminal.type(b"trap 'echo trapped' INT; kill -INT $$; echo on\n")
    terminal.expect(b"trapped\r\non\r\n")
    terminal.type(b"exit\n")
    assert terminal.status() == 0


def test_line_editing_completion_and_history(
    start: Callable[..., Terminal], tmp_path: Path
) -> None:
    (tmp_path / "a file").write_text("contents\n")
    terminal = start(TERM="xterm", PS1="P\\$ ")
    terminal.expect(b"P")
    terminal.type(b"eXcho l''one\x1b[H\x1b[C\x1b[3~\r")  # Home, right, delete
    terminal.expect(b"lone\r\n")
    terminal.type(b"\x1b[A")  # up
    terminal.expect(b"echo l''one")
    terminal.type(b" two\r")
    terminal.expect(b"one two\r\n")
    terminal.type(f"cat {tmp_path}/a".encode() + b"\t")
    terminal.expect(b"\\ file")
    terminal.type(b"\r")
    terminal.expect(b"contents\r\n")
    terminal.expect(b"P")
    terminal.expect(b"\x1b[?25h")
    terminal.type(b"\x04")
    assert terminal.status() == 0
    assert "+echo l''one two" in (tmp_path / ".sh_history").read_text()


def test_prompt_escapes(start: Callable[..., Terminal], tmp_path: Path) -> None:
    terminal = start(PS1="\\w|\\W|\\h|\\s|$x\\$ ", x="val")
    host = os.uname().nodename.partition(".")[0]
    terminal.expect(f"|{host}|sh|val".encode())
    terminal.type(b"cd; mkdir sub; cd sub\n")
    terminal.expect(b"~/sub|sub|")


def test_a_terminal_that_is_not_ours_means_no_job_control_and_one_line(
    toolbox_argv: list[str], toolbox_env: dict[str, str]
) -> None:
    master, slave = pty.openpty()
    pid = os.fork()
    if not pid:
        try:
            os.setsid()  # no controlling terminal: the slave is only a device
            for fd in (0, 1, 2):
                os.dup2(slave, fd)
            os.execvpe(toolbox_argv[0], [*toolbox_argv, "sh"], {**toolbox_env, "PS1": "P> "})
        finally:
            os._exit(127)
    os.close(slave)
    seen = b""
    until = time.monotonic() + DEADLINE
    while b"P> " not in seen and time.monotonic() < until:
        seen += os.read(master, 65536)
    os.write(master, b"sleep 0 | cat; echo still$((1+1)); exit 4\n")
    while b"still2" not in seen and time.monotonic() < until:
        seen += os.read(master, 65536)
    assert seen.count(b"job control turned off") == 1
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 4
    os.close(master)


def test_the_line_editor_comes_with_the_first_key(start: Callable[..., Terminal]) -> None:
    """Until then a console has none in its memory; what is typed is shown once, and Ctrl-C only asks again."""
    terminal = start(TERM="xterm", PS1="one\nP> ")
    for _ in range(2):
        assert EDITING not in terminal.expect(b"one\r\nP> ")
        terminal.type(b"\x03")
    assert EDITING not in terminal.expect(b"one\r\nP> ")
    terminal.type(b"e")
    terminal.expect(EDITING)
    terminal.type(b"cho got$?\r")
    assert b"got$?" in terminal.expect(b"got130")
    terminal.expect(EDITING)
    terminal.type(b"\x04")
    assert terminal.status() == 0


def test_the_end_of_the_input_as_the_first_key(start: Callable[..., Terminal]) -> None:
    terminal = start(TERM="xterm")
    terminal.expect(b"P> ")
    terminal.type(b"\x04")
    assert terminal.status() == 0


#: What the line editor begins with: the terminal shall bracket what is pasted.
EDITING = b"\x1b[?2004h"
