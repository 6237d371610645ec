"""What processes share: the offset, flags and terminal of descriptors 0, 1 and 2.  Starting an applet changes none of it.

An open file description belongs to everybody who inherited it (POSIX XSH 2.5.1).  Whoever asks for its offset and
sets it again overwrites what others wrote in between.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

WRITERS = 8

#: Of the frozen programs a hundred, in which the fault lost some thirty lines of 800; CPython's own start is slow.
ROUNDS = 100
ROUNDS_IN_CHECKOUT = 15


def test_writers_into_one_file_lose_nothing(
    toolbox_argv: list[str], toolbox_env: dict[str, str], tmp_path: Path
) -> None:
    """A hundred rounds of eight writers that share one open file, as `for ...; do echo & done >file` makes them."""
    path = tmp_path / "out"
    rounds = ROUNDS if len(toolbox_argv) == 1 else ROUNDS_IN_CHECKOUT
    with path.open("wb") as out:
        for round_number in range(rounds):
            started = [
                subprocess.Popen(
                    [*toolbox_argv, "echo", f"round {round_number} line {number}"],
                    env=toolbox_env,
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                )
                for number in range(WRITERS)
            ]
            assert [process.wait(60) for process in started] == [0] * WRITERS
    lines = path.read_text().splitlines()
    wanted = {f"round {r} line {n}" for r in range(rounds) for n in range(WRITERS)}
    assert set(lines) == wanted and len(lines) == len(wanted)


def test_writers_of_a_shell_lose_nothing(run: Callable[..., Any], tmp_path: Path) -> None:
    """The same within a shell: its own children, by fork, and programs that it starts."""
    script = """
        for r in 1 2 3 4 5 6 7 8 9 10; do
            for k in 1 2 3 4; do echo "echo $r $k" & printf 'printf %s %s\\n' $r $k & done
            for k in 1 2 3 4; do env echo "env $r $k" & done
            wait
        done >out
    """
    done = run("sh", "-c", script, cwd=tmp_path)
    assert (done.status, done.out, done.err) == (0, b"", b"")
    lines = (tmp_path / "out").read_text().splitlines()
    wanted = {
        f"{w} {r} {k}" for w in ("echo", "printf", "env") for r in range(1, 11) for k in range(1, 5)
    }
    assert set(lines) == wanted and len(lines) == len(wanted)


#: Calls that change what a descriptor shares with others: its offset, its flags, its terminal's modes.
CHANGES = re.compile(
    rb"(?:lseek\([012], \d+, SEEK_(?:SET|END|DATA|HOLE)"
    rb"|lseek\([012], -?[1-9]\d*, SEEK_CUR"
    rb"|fcntl\([012], F_SET"
    rb"|ioctl\([012], (?:TC[SF]|TIOCS|FIO|FIC)"
    rb"|fchmod\([012]|fchown\([012]|ftruncate\([012]|flock\([012]"
    rb"|dup[23]\([0-9]+, [012]\b|close\([012]\)).*"
)


@pytest.mark.parametrize("kind", ["file", "append", "terminal", "pipe"])
def test_a_start_changes_nothing_shared(
    toolbox_argv: list[str], toolbox_env: dict[str, str], tmp_path: Path, kind: str
) -> None:
    """Each system call of a start that names 0, 1 or 2, as strace(1) shows it."""
    strace = shutil.which("strace")
    assert strace, "strace is missing: ./dev test installs it"
    with contextlib.ExitStack() as stack:
        if kind == "terminal":
            other, fd = os.openpty()
            stack.callback(os.close, other)
        elif kind == "pipe":
            other, fd = os.pipe()
            stack.callback(os.close, other)
        else:
            flags = os.O_RDWR | os.O_CREAT | (os.O_APPEND if kind == "append" else 0)
            fd = os.open(tmp_path / "file", flags)
            os.write(fd, b"first\nsecond\n")
            os.lseek(fd, 6, os.SEEK_SET)
        stack.callback(os.close, fd)
        done = subprocess.run(
            [
                strace,
                "-f",
                "-o",
                tmp_path / "calls",
                "-e",
                "trace=desc,ioctl",
                *toolbox_argv,
                "true",
            ],
            env=toolbox_env,
            stdin=fd,
            stdout=fd,
            stderr=fd,
        )
    calls = (tmp_path / "calls").read_bytes()
    assert done.returncode == 0
    assert re.search(rb"\b(?:ioctl|fcntl|lseek|dup2|close)\(", calls), "strace shows nothing"
    assert [found[0] for found in CHANGES.finditer(calls)] == []


#: (first reader, what it prints, what the second one, `cat`, finds) of the input "1\n2\n3\n4\n".
READERS = [
    (["head", "-n1"], b"1\n", b"2\n3\n4\n"),
    (["head", "-n", "2"], b"1\n2\n", b"3\n4\n"),
    (["head", "-c3"], b"1\n2", b"\n3\n4\n"),
    (["head", "-n0"], b"", b"1\n2\n3\n4\n"),
    (["head", "-n", "-1"], b"1\n2\n3\n", b"4\n"),
    (["head", "-c", "-3"], b"1\n2\n3", b"\n4\n"),
    (["grep", "-m1", "2"], b"2\n", b"3\n4\n"),
    (["sh", "-c", "read x; echo $x"], b"1\n", b"2\n3\n4\n"),
    (["sh", "-c", "true"], b"", b"1\n2\n3\n4\n"),
    (["true"], b"", b"1\n2\n3\n4\n"),
    (["sleep", "0"], b"", b"1\n2\n3\n4\n"),
    (["cat"], b"1\n2\n3\n4\n", b""),
    (["wc", "-l"], b"4\n", b""),
    (["tail", "-n1"], b"4\n", b""),
    (["wc", "-c"], b"8\n", b"1\n2\n3\n4\n"),  # asks for the size alone, as GNU
]


@pytest.mark.parametrize(("argv", "first", "second"), READERS)
def test_two_readers_of_one_file_in_turn(
    toolbox_argv: list[str],
    toolbox_env: dict[str, str],
    tmp_path: Path,
    argv: list[str],
    first: bytes,
    second: bytes,
) -> None:
    """`(head -n1; cat) <file`: a utility leaves the offset behind what it used (POSIX XCU 1.4, INPUT FILES)."""
    (tmp_path / "in").write_bytes(b"1\n2\n3\n4\n")
    with (tmp_path / "in").open("rb") as file:
        outputs = [
            subprocess.run(
                [*toolbox_argv, *words],
                env=toolbox_env,
                stdin=file,
                capture_output=True,
                check=True,
            ).stdout
            for words in (argv, ["cat"])
        ]
    assert outputs == [first, second]


def test_readers_at_an_offset(
    toolbox_argv: list[str], toolbox_env: dict[str, str], tmp_path: Path
) -> None:
    """A reader begins where the last one ended, and says so by the offset: eight in turn, a line each."""
    (tmp_path / "in").write_bytes(b"".join(b"%d\n" % n for n in range(8)))
    with (tmp_path / "in").open("rb") as file:
        found = []
        for _ in range(8):
            subprocess.run(
                [*toolbox_argv, "head", "-n1"],
                env=toolbox_env,
                stdin=file,
                stdout=subprocess.DEVNULL,
                check=True,
            )
            found.append(os.lseek(file.fileno(), 0, os.SEEK_CUR))
    assert found == [2, 4, 6, 8, 10, 12, 14, 16]
