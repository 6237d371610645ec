"""Standard streams: for each kind of descriptor what the plain program makes of it, and where bytes go."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

#: Everything that can be asked of a stream; written to a file, for standard output may be closed.
ASK = r"""
import json, os, sys
found = {}
for name in ("stdin", "stdout", "stderr"):
    stream = getattr(sys, name)
    there = found[name] = {"same": stream is getattr(sys, f"__{name}__"), "none": stream is None}
    if stream is None:
        continue
    raw = stream.buffer.raw
    for holder, one in (("text", stream), ("buffer", stream.buffer), ("raw", raw)):
        there[holder] = type(one).__qualname__
        for attribute in sorted(set(dir(one)) - {"__hash__"}):
            try:
                value = getattr(one, attribute)
            except Exception as error:
                value = repr(error)
            if attribute in ("__dict__", "closed", "encoding", "errors", "line_buffering", "mode", "name", "newlines",
                             "write_through", "closefd", "_blksize", "_finalizing", "_CHUNK_SIZE"):
                there[f"{holder}.{attribute}"] = repr(value)
        for question in ("isatty", "fileno", "readable", "writable", "seekable", "tell"):
            try:
                there[f"{holder}.{question}()"] = repr(getattr(one, question)())
            except Exception as error:
                there[f"{holder}.{question}()"] = repr(error)
    there["repr"] = [repr(stream), repr(raw)]
    there["inheritable"] = os.get_inheritable(raw.fileno())
with open(sys.argv[1], "w") as file:
    json.dump(found, file)
"""

#: Not PYTHONUNBUFFERED, which would make all streams the same.
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}

KINDS = (
    "null",
    "closed",
    "pipe",
    "file",
    "offset",
    "append",
    "terminal",
    "socket",
    "folder",
    "readonly",
    "full",
)


@contextmanager
def descriptor(kind: str, folder: Path) -> Iterator[int | None]:
    """A descriptor of a kind; None for a closed one."""
    with ExitStack() as stack:
        path = folder / "file"
        path.write_text("first\nsecond\nthird\n")
        if kind == "closed":
            yield None
            return
        if kind == "pipe":
            other, made = os.pipe()
            stack.callback(os.close, other)
        elif kind == "terminal":
            other, made = os.openpty()
            stack.callback(os.close, other)
        elif kind == "socket":
            import socket

            a, b = socket.socketpair()
            stack.callback(a.close)
            made = b.detach()
        else:
            flags = {
                "append": os.O_RDWR | os.O_APPEND,
                "readonly": os.O_RDONLY,
                "folder": os.O_RDONLY,
            }
            names = {"null": os.devnull, "folder": folder, "full": "/dev/full"}
            made = os.open(names.get(kind, path), flags.get(kind, os.O_RDWR))
            if kind in ("offset", "append"):
                os.lseek(made, 6, os.SEEK_SET)
        stack.callback(os.close, made)
        yield made


def start(program: Path, code: str, *words: str, fds: dict[int, int | None], **more: object) -> int:
    """Run code with the given descriptors (None: closed) in place of 0, 1, 2; its wait status as Popen has it."""
    numbers = {fd: os.dup(one) if one is not None else None for fd, one in fds.items()}
    high = {fd: one if one is None else one + 50 for fd, one in numbers.items()}
    for fd, one in numbers.items():
        if one is not None:
            os.dup2(one, high[fd] or 0, inheritable=True)
            os.close(one)
    words = (str(program), "-c", code, *words)
    moves = " ".join(f"{fd}>&{one if one is not None else '-'}" for fd, one in high.items())
    closes = " ".join(f"{one}>&-" for one in high.values() if one is not None)
    script = f'exec "$@" {moves} {closes}'
    try:
        return subprocess.run(
            ["bash", "-c", script, "bash", *words],
            pass_fds=[n for n in high.values() if n],
            env=ENVIRONMENT,
        ).returncode
    finally:
        for one in high.values():
            if one is not None:
                os.close(one)


@pytest.mark.parametrize("kind", KINDS)
def test_same_streams(snapshot: Path, plain: Path, tmp_path: Path, kind: str) -> None:
    """Each kind on each descriptor alone, and on all three."""
    for places in ((0,), (1,), (2,), (0, 1, 2)):
        answers = []
        for program in (snapshot, plain):
            with descriptor(kind, tmp_path) as one, open(os.devnull, "r+b") as null:
                fds: dict[int, int | None] = dict.fromkeys(range(3), null.fileno())
                fds |= dict.fromkeys(places, one)
                status = start(program, ASK, str(tmp_path / "answer"), fds=fds)
            answer = tmp_path / "answer"
            answers.append((status, json.loads(answer.read_text()) if answer.exists() else None))
            answer.unlink(missing_ok=True)
        (ours, here), (theirs, there) = answers
        # A folder is an error for the plain program at its start, here when it is used.
        assert ours == theirs or (kind == "folder" and theirs == 1), (kind, places)
        if here is None or there is None:
            assert kind == "folder"
            continue
        different = {
            (name, key): (here[name].get(key), there[name].get(key))
            for name in here
            for key in here[name].keys() | there[name].keys()
            if here[name].get(key) != there[name].get(key)
        }
        assert different == {}, (kind, places)


def test_output_lands_where_the_descriptor_points(
    snapshot: Path, plain: Path, tmp_path: Path
) -> None:
    """Behind what is there, at an offset, in order with a child's output and that of os.write."""
    code = """
import os, sys
print("a", sys.stdout.tell() if sys.stdout.seekable() else "")
sys.stdout.flush()
os.write(1, b"b\\n")
os.system("echo c")
print("d")
print("e", file=sys.stderr)
sys.stdout.buffer.write(b"f\\n")
sys.stdout.write("g\\udcff\\n")
"""
    found = []
    for program in (snapshot, plain):
        for kind in ("file", "offset", "append"):
            with descriptor(kind, tmp_path) as one:
                start(program, code, fds={1: one, 2: one})
                found.append((program is plain, kind, (tmp_path / "file").read_bytes()))
    assert [row[1:] for row in found if row[0]] == [row[1:] for row in found if not row[0]]
    assert found[2][2].startswith(b"first\nsecond\nthird\na")


def test_input_from_an_offset(snapshot: Path, plain: Path, tmp_path: Path) -> None:
    code = "import sys; print(sys.stdin.readline(), sys.stdin.read())"
    (tmp_path / "in").write_text("skipped\nä\nrest\n")
    found = set()
    for program in (snapshot, plain):
        with open(tmp_path / "in", "rb") as file:
            os.lseek(file.fileno(), 8, os.SEEK_SET)
            done = subprocess.run(
                [program, "-c", code],
                stdin=file,
                capture_output=True,
                env=ENVIRONMENT,
            )
            found.add((done.stdout, done.stderr))
    assert found == {("ä\n rest\n\n".encode(), b"")}


def test_terminal_prints_lines_at_once(snapshot: Path) -> None:
    """A terminal's line is there before the next; a pipe's is not."""
    code = "import sys; print('line'); sys.stderr.write('err\\n'); sys.stdin.readline()"
    for terminal in (True, False):
        other, ours = os.openpty() if terminal else os.pipe()
        process = subprocess.Popen(
            [snapshot, "-c", code],
            stdin=subprocess.PIPE,
            stdout=ours,
            stderr=subprocess.PIPE,
            env=ENVIRONMENT,
        )
        assert process.stdin is not None and process.stderr is not None
        assert process.stderr.readline() == b"err\n"
        os.set_blocking(other, False)
        if terminal:
            assert os.read(other, 100) == b"line\r\n"
        else:
            with pytest.raises(BlockingIOError):
                os.read(other, 100)
        process.communicate(b"\n", timeout=60)
        os.close(ours)
        os.close(other)


def test_closed_streams_stay_closed(snapshot: Path, plain: Path, tmp_path: Path) -> None:
    """What is opened later may get their numbers; nothing is printed into it."""
    code = """
import os, sys
print("nowhere"); print("nor here", file=sys.stderr)
file = open(sys.argv[1], "w")
print(file.fileno(), sys.stdin, sys.stdout, sys.stderr, file=file)
file.close()
print("still nowhere")
"""
    found = set()
    for program in (snapshot, plain):
        path = tmp_path / program.name
        assert start(program, code, str(path), fds={0: None, 1: None, 2: None}) == 0
        found.add(path.read_text())
    assert found == {"0 None None None\n"}


def test_full_disk_is_an_error(snapshot: Path, plain: Path, tmp_path: Path) -> None:
    for program in (snapshot, plain):
        with descriptor("full", tmp_path) as full:
            assert start(program, "print('x')", fds={1: full}) == 120


def test_streams_can_be_reconfigured(both: Callable[..., str]) -> None:
    code = """
import io, sys
sys.stdout.reconfigure(encoding="latin-1", errors="replace", line_buffering=True, newline="\\r\\n")
print("\\u20ac", sys.stdout.encoding, sys.stdout.line_buffering)
sys.stdout = io.TextIOWrapper(sys.stdout.detach(), "utf-8")
print("\\u20ac")
sys.stdin.close()
print(sys.stdin.closed, sys.__stdin__.closed)
"""
    both(code)


def test_seeking_in_input_from_an_offset(snapshot: Path, plain: Path, tmp_path: Path) -> None:
    """A reader counts from where its descriptor was, when it looks for a place in its buffer."""
    code = "import sys; b = sys.stdin.buffer; print(b.readline(), b.seek(10), b.read(2), b.tell(), b.seek(-1, 1), b.read())"
    (tmp_path / "in").write_bytes(b"skipped\nabcdef\nrest\n")
    found = set()
    for program in (snapshot, plain):
        with open(tmp_path / "in", "rb") as file:
            os.lseek(file.fileno(), 8, os.SEEK_SET)
            argv = [program, "-c", code]
            found.add(subprocess.run(argv, stdin=file, capture_output=True, env=ENVIRONMENT).stdout)
    assert found == {b"b'abcdef\\n' 10 b'cd' 12 11 b'def\\nrest\\n'\n"}
