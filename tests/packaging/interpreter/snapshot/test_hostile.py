"""Starts under hostile conditions: a small stack, little memory, no /proc, no /dev.  A message and a status, no crash."""

from __future__ import annotations

import resource
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

KB, MB = 1 << 10, 1 << 20

#: For the whole address space, which the program's own segments take a part of.
WORK = "import json, re, threading; t = threading.Thread(target=print, args=('thread',)); t.start(); t.join()"


def limited(
    program: Path, code: str, timeout: float = 60, **limits: int
) -> subprocess.CompletedProcess[bytes]:
    """Run code with resource limits, by their names in `resource`."""

    def limit() -> None:
        for name, size in limits.items():
            number = getattr(resource, f"RLIMIT_{name}")
            resource.setrlimit(number, (size, resource.getrlimit(number)[1]))

    return subprocess.run(
        [program, "-c", code], preexec_fn=limit, capture_output=True, timeout=timeout, check=False
    )


@pytest.mark.parametrize("size", [128 * KB, 256 * KB, 512 * KB, resource.RLIM_INFINITY])
def test_small_stack(snapshot: Path, size: int) -> None:
    """Applets and Python; recursion ends with an exception where the stack has room for it."""
    done = limited(snapshot, "print(sum(range(10)), sorted([3, 1, 2]), 'x'.encode())", STACK=size)
    assert (done.returncode, done.stdout) == (0, b"45 [1, 2, 3] b'x'\n")


def test_recursion_ends_with_an_exception(both: Callable[..., str]) -> None:
    code = """
import sys
def down(n): return down(n + 1)
for function in (lambda: down(0), lambda: sorted([0], key=lambda n: down(n))):
    try:
        function()
    except RecursionError as error:
        print(error)
print(sys.getrecursionlimit())
"""
    both(code)


def test_tiny_stack(snapshot: Path, plain: Path) -> None:
    """64 kB: the kernel may refuse, the program may not do what the plain one can."""
    ours, theirs = (limited(p, "print('there')", STACK=64 * KB) for p in (snapshot, plain))
    assert ours.returncode == 0 or theirs.returncode != 0


def test_enough_memory(snapshot: Path) -> None:
    done = limited(snapshot, WORK, AS=300 * MB)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"thread\n", b"")


def test_too_little_memory(snapshot: Path) -> None:
    """From nothing to enough: killed by the kernel before there is a program, or a message, or it works; no loop."""
    seen = set()
    for size in range(1, 300, 13):
        done = limited(snapshot, "print('there')", AS=size * MB)
        if done.returncode == 0:
            assert done.stdout == b"there\n"
        elif done.returncode < 0:
            # execve(2): a segment that cannot be mapped after the old program is gone.
            assert done.returncode in (-signal.SIGKILL, -signal.SIGSEGV), size
            assert done.stderr == b""
        else:
            assert b"memory" in done.stderr.lower(), (size, done)
        seen.add(done.returncode)
    assert 0 in seen and len(seen) > 1


def test_exhausted_memory_is_an_exception(snapshot: Path) -> None:
    """Lists, strings, bytes, dictionaries of the image that grow, threads: MemoryError, and life goes on."""
    code = """
import os, re, sys, threading, keyword
def grow_list():
    while True: keyword.kwlist.extend(range(100000))
def grow_dict():
    n = 0
    while True:
        vars(re)[n] = n
        n += 1
def grow_bytes():
    data = b"x" * 1000000
    while True: data += data
def grow_text():
    text = "\\u20ac" * 1000000
    while True: text += text
def grow_objects():
    chain = None
    while True: chain = (chain, [])
for function in (grow_bytes, grow_text, grow_list, grow_dict):
    try:
        function()
    except MemoryError:
        print(function.__name__)
    keyword.kwlist.clear()
    for key in [key for key in vars(re) if type(key) is int]:
        del vars(re)[key]
print(re.match("a+", "aaa").end(), len(keyword.kwlist))
"""
    done = limited(snapshot, code, AS=400 * MB)
    assert done.returncode == 0, done
    assert done.stdout.split() == [
        b"grow_bytes",
        b"grow_text",
        b"grow_list",
        b"grow_dict",
        b"3",
        b"0",
    ]


def test_message_for_exhausted_memory(snapshot: Path) -> None:
    done = limited(snapshot, "data = b'x' * (1 << 40)", AS=400 * MB)
    assert done.returncode == 1 and b"MemoryError" in done.stderr
    applet = subprocess.run(
        [snapshot, "sort"], stdin=open("/dev/zero", "rb"), capture_output=True, timeout=120,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (300 * MB, 300 * MB)),
    )  # fmt: skip
    assert 0 < applet.returncode < 126 and b"memory" in applet.stderr.lower(), applet.stderr


def test_threads_that_cannot_be_made(snapshot: Path) -> None:
    code = "import threading\ntry: threading.Thread(target=print).start()\nexcept RuntimeError as e: print(e)"
    done = limited(
        snapshot, "import threading; threading.stack_size(1 << 30)\n" + code, AS=300 * MB
    )
    assert (done.returncode, done.stdout) == (0, b"can't start new thread\n")


@pytest.fixture
def empty(snapshot: Path, tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[bytes]]:
    """Run the program in a root that holds nothing else: no /proc, no /dev, no /etc."""
    root = tmp_path / "root"
    root.mkdir()
    (root / "toolbox").hardlink_to(snapshot)

    def run(*words: str, shell: str = 'exec "$@"') -> subprocess.CompletedProcess[bytes]:
        argv = ["bash", "-c", shell, "bash", "unshare", "-r", f"--root={root}", *words]
        return subprocess.run(argv, capture_output=True, env={}, timeout=60, check=False)

    return run


def test_empty_root(empty: Callable[..., subprocess.CompletedProcess[bytes]]) -> None:
    code = """
import os, random, socket, ssl, sys, tempfile, threading, time, uuid
print(os.listdir("/"), sys.executable, sys.orig_argv[0], time.tzname, uuid.uuid4().version, len(os.urandom(9)))
t = threading.Thread(target=print, args=("thread",)); t.start(); t.join()
print(ssl.create_default_context().check_hostname, os.cpu_count() > 0)
"""
    done = empty("/toolbox", "-c", code)
    assert (done.returncode, done.stderr) == (0, b"")
    first = b"['toolbox'] /toolbox /toolbox ('UTC', 'UTC') 4 9\n"
    assert done.stdout == first + b"thread\nTrue True\n"


def test_empty_root_without_streams(
    empty: Callable[..., subprocess.CompletedProcess[bytes]],
) -> None:
    done = empty("/toolbox", "echo", "x", shell='exec "$@" <&- >&- 2>&-')
    assert done.returncode in (0, 1)
    assert empty("/toolbox", "true", shell='exec "$@" <&- >&- 2>&-').returncode == 0


def test_names_of_applets(snapshot: Path, tmp_path: Path) -> None:
    """By a link's name, a path, a name that is no applet's, no name at all."""
    for name in ("echo", "true", "python"):
        (tmp_path / name).symlink_to(snapshot)
    assert subprocess.check_output([tmp_path / "echo", "a"]) == b"a\n"
    assert subprocess.check_output(["python", "-c", "print(1)"], executable=snapshot) == b"1\n"
    assert subprocess.check_output([snapshot, "echo", "b"]) == b"b\n"
    assert subprocess.run([tmp_path / "true"]).returncode == 0
    code = "import ctypes, sys; f = sys.argv[1].encode(); ctypes.CDLL(None).execve(f, (ctypes.c_char_p * 1)(None), None)"
    import sys

    done = subprocess.run([sys.executable, "-c", code, snapshot], capture_output=True, timeout=60)
    assert done.returncode == 127 and b"no such applet" in done.stderr
