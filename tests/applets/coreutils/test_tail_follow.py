"""tail -f: woken by what happens, not by a clock; it ends with its reader, with --pid's process, by signal.

`-s 3600` stands in every row whose wake-up the kernel tells: a look by the clock would come too late.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

SECONDS = 60


class Tail:
    """A running tail, and the process of its --pid."""

    def __init__(self, process: subprocess.Popen[bytes], other: subprocess.Popen[bytes]) -> None:
        self.process = process
        self.other = other

    def line(self) -> bytes:
        assert self.process.stdout
        return self.process.stdout.readline()

    def end(self) -> tuple[bytes, bytes, int]:
        """End --pid's process; what was still printed, the messages, and the status."""
        self.other.kill()
        self.other.wait()
        out, err = self.process.communicate(timeout=SECONDS)
        return out, err, self.process.returncode


@pytest.fixture
def tail(
    toolbox_argv: list[str], toolbox_env: dict[str, str], tmp_path: Path
) -> Iterator[Callable[..., Tail]]:
    """Start `tail --pid=...` in the test's folder."""
    started: list[subprocess.Popen[bytes]] = []

    def start(*words: str, sleep: str = "3600", **more: object) -> Tail:
        other = subprocess.Popen(["sleep", str(10 * SECONDS)])
        started.append(other)
        process = subprocess.Popen(
            [*toolbox_argv, "tail", f"--pid={other.pid}", "-s", sleep, *words],
            cwd=tmp_path,
            env=toolbox_env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            **more,  # type: ignore[call-overload]
        )
        started.append(process)
        return Tail(process, other)

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_growth_wakes_it(tail: Callable[..., Tail], tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"0\n1\n")
    running = tail("-n1", "-f", "log")
    assert running.line() == b"1\n"
    for number in range(2, 20):
        with path.open("ab") as file:
            file.write(b"%d\n" % number)
        assert running.line() == b"%d\n" % number
    with path.open("ab") as file:
        file.write(b"last words")
    assert running.end() == (b"last words", b"", 0)


def test_rotation_loses_no_line(tail: Callable[..., Tail], tmp_path: Path) -> None:
    """What was added before the name went to another file is printed first."""
    path = tmp_path / "log"
    path.write_bytes(b"one\n")
    running = tail("-F", "log")
    assert running.line() == b"one\n"
    for number in range(20):
        with path.open("ab") as file:
            file.write(b"a%d\nb%d\n" % (number, number))
            os.replace(path, tmp_path / "log.1")
            file.write(b"c%d\n" % number)
        (tmp_path / "new").write_bytes(b"d%d\n" % number)
        os.replace(tmp_path / "new", path)
        assert [running.line() for _ in "abcd"] == [b"%c%d\n" % (c, number) for c in b"abcd"]
    _, err, status = running.end()
    assert status == 0 and b"following new file" in err


@pytest.mark.parametrize("how", ["-F", "--follow=name"])
def test_a_file_that_appears(tail: Callable[..., Tail], tmp_path: Path, how: str) -> None:
    """Also when its folder comes later: then the clock is the only way."""
    words = ["--retry"] if how != "-F" else []
    running = tail(how, *words, "later", "folder/file", sleep="0.05")
    assert running.process.stderr
    for name in ("later", "folder/file"):
        line = running.process.stderr.readline()
        assert line == b"tail: %s: No such file or directory\n" % name.encode()
    (tmp_path / "later").write_bytes(b"here\n")
    assert running.line() == b"==> later <==\n" and running.line() == b"here\n"
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/file").write_bytes(b"there\n")
    assert [running.line() for _ in range(3)] == [b"\n", b"==> folder/file <==\n", b"there\n"]
    running.end()


def test_truncation_begins_again(tail: Callable[..., Tail], tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"a long line\n")
    running = tail("-f", "log")
    assert running.line() == b"a long line\n"
    path.write_bytes(b"new\n")
    assert running.line() == b"new\n"
    out, err, status = running.end()
    assert (out, err, status) == (b"", b"tail: log: file truncated\n", 0)


def test_a_named_pipe_has_one_writer_after_the_other(
    tail: Callable[..., Tail], tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "pipe")
    running = tail("-f", "pipe")
    for number in range(5):
        (tmp_path / "pipe").write_bytes(b"%d\n" % number)
        assert running.line() == b"%d\n" % number
    assert running.end() == (b"", b"", 0)


@pytest.mark.parametrize("words", [["-f", "pipe"], ["-F", "pipe"], ["-f", "-n", "+1", "pipe"]])
def test_pid_ends_it_while_a_pipe_has_no_writer(
    tail: Callable[..., Tail], tmp_path: Path, words: list[str]
) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert tail(*words).end() == (b"", b"", 0)


@pytest.mark.parametrize("target", ["file", "pipe", "/dev/null", "absent"])
def test_the_end_of_its_reader_ends_it(
    tail: Callable[..., Tail], tmp_path: Path, target: str
) -> None:
    """`tail -f file | head -n1`: nothing more needs to be written for it."""
    (tmp_path / "file").write_bytes(b"one\n")
    os.mkfifo(tmp_path / "pipe")
    running = tail("-F" if target == "absent" else "-f", target)
    assert running.process.stdout
    if target == "file":
        running.line()
    running.process.stdout.close()
    assert running.process.wait(SECONDS) == -signal.SIGPIPE


def test_standard_input_and_folders(tail: Callable[..., Tail], tmp_path: Path) -> None:
    """A pipe on standard input ends (POSIX); a file there is followed; a folder cannot be."""
    running = tail("-f", stdin=subprocess.DEVNULL)
    running.end()
    reader, writer = os.pipe()
    os.write(writer, b"all\n")
    os.close(writer)
    process = tail("-f", "-", stdin=reader).process
    os.close(reader)
    assert process.communicate(timeout=SECONDS) == (b"all\n", b"") and process.returncode == 0
    process = tail("-f", str(tmp_path)).process
    out, err = process.communicate(timeout=SECONDS)
    assert out == b"" and b"Is a directory" in err and process.returncode == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--pid=99999999999999999999"], b"invalid PID: '99999999999999999999'"),
        (["--pid=x"], b"invalid PID: 'x'"),
        (["-s", "-1"], b"invalid time interval"),
        (["--follow=x"], b"invalid argument 'x'"),
    ],
)
def test_wrong_words(
    toolbox_argv: list[str], toolbox_env: dict[str, str], words: list[str], message: bytes
) -> None:
    done = subprocess.run(
        [*toolbox_argv, "tail", "-f", *words, "/dev/null"], env=toolbox_env, capture_output=True
    )
    assert done.returncode == 1 and message in done.stderr and done.stderr.count(b"\n") <= 2
