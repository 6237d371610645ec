"""The doors to the kernel, as far as they can be opened without changing the machine.

Breaks when an argument reaches the kernel wrongly, when an error loses its number or name, or when a
structure is read at the wrong place.  What needs namespaces stands in tests/lab.
"""

from __future__ import annotations

import errno
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from toolbox.linux import clock, entropy, modules, pidfd, power, syscall
from toolbox.linux.hostname import sethostname

ROOT = Path(__file__).resolve().parents[3]


def unshared(kinds: str, code: str) -> subprocess.CompletedProcess[str]:
    """Run Python code as root of new namespaces."""
    argv = ["unshare", *kinds.split(), sys.executable, "-c", code]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(argv, env=env, capture_output=True, text=True, timeout=30)


def test_arguments_of_all_kinds(tmp_path) -> None:
    fd = syscall.syscall("memfd_create", "name", 0)
    os.write(fd, b"data")
    assert os.readlink(f"/proc/self/fd/{fd}").startswith("/memfd:name")
    os.close(fd)
    buffer = bytearray(16)  # prctl(PR_GET_NAME)
    assert syscall.syscall("prctl", 16, buffer, 0, 0, 0) == 0
    assert bytes(buffer).split(b"\0")[0]
    assert syscall.address(buffer) > 0


def test_errors_are_oserrors_with_their_number() -> None:
    with pytest.raises(FileNotFoundError):
        syscall.syscall("umount2", "/nonexistent/\udcff", 0)
    with pytest.raises(OSError, match="not known") as caught:
        syscall.syscall("nonsense")
    assert caught.value.errno == errno.ENOSYS
    with pytest.raises(TypeError):
        syscall.syscall("umount2", 1.5)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        syscall.syscall("umount2", *range(9))


@pytest.mark.lab
def test_what_a_file_system_knows_is_asked_without_a_word_in_the_kernels_log() -> None:
    def told() -> str:
        return subprocess.run(["dmesg"], capture_output=True, text=True, check=True).stdout

    code = (
        "from toolbox.linux.mount import knows\n"
        "asked = [('tmpfs', 'inode64'), ('tmpfs', 'nonsense-1'), ('nosuchfs', 'x'), ('tmpfs', '')]\n"
        "print([knows(*one) for one in asked])\n"
    )
    done = unshared("--mount", code)
    assert done.stdout == "[True, False, False, False]\n", done.stderr
    assert "nonsense-1" not in told()
    code = "from toolbox.linux.mount import mount\nmount('x', '/mnt', 'tmpfs', 0, 'nonsense-2')"
    assert "Invalid argument" in unshared("--mount", code).stderr
    assert "Unknown parameter 'nonsense-2'" in told(), "and so it is that the line would be seen"


def test_without_the_module_it_says_how_to_get_it(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "_syscalls", None)
    with pytest.raises(OSError, match="pip install -e") as caught:
        syscall.syscall("umount2", "/", 0)
    assert caught.value.errno == errno.ENOSYS


def test_pidfd() -> None:
    with subprocess.Popen(["sleep", "100"]) as child:
        fd = pidfd.open(child.pid)
        assert not pidfd.has_ended(fd)
        pidfd.send(fd, signal.SIGTERM)
        assert pidfd.has_ended(fd, 10)
        assert pidfd.wait(fd) == -signal.SIGTERM
        child.returncode = -signal.SIGTERM
        with pytest.raises(ProcessLookupError):
            pidfd.send(fd, 0)
        os.close(fd)
    pid = os.fork()
    if pid == 0:
        os._exit(7)
    fd = pidfd.open(pid)
    assert pidfd.wait(fd) == 7
    os.close(fd)


def test_the_clock_is_read_and_not_touched() -> None:
    state = clock.read()
    assert abs(state.frequency) <= 500
    assert abs(state.offset) <= clock.MAX_OFFSET
    assert isinstance(state.synchronized, bool)


def test_what_is_no_module_is_refused_by_name(tmp_path) -> None:
    file = tmp_path / "x.ko"
    file.write_bytes(b"no module")
    with pytest.raises(OSError) as caught:
        modules.load(str(file))
    assert caught.value.filename == str(file)
    with pytest.raises(OSError) as caught:
        modules.unload("no_such_module")
    assert caught.value.filename == "no_such_module"


@pytest.mark.lab
def test_a_seed_that_counts_for_nothing_is_taken() -> None:
    entropy.credit(b"seed" * 8, 0)


@pytest.mark.lab
def test_host_name() -> None:
    code = "from toolbox.linux.hostname import sethostname as s; s('böx'); import os; print(os.uname().nodename)"
    done = unshared("--uts", code)
    assert (done.stdout, done.stderr) == ("böx\n", "")
    before = socket.gethostname()
    with pytest.raises(OSError) as caught:
        sethostname("x" * 65)
    assert caught.value.errno == errno.EINVAL
    assert socket.gethostname() == before


@pytest.mark.lab
@pytest.mark.parametrize(
    ("call", "number"),
    [
        ("restart()", signal.SIGHUP),
        ("restart('0 tryboot')", signal.SIGHUP),
        ("power_off()", signal.SIGINT),
    ],
)
def test_reboot_ends_only_its_namespace(call, number) -> None:
    """In a namespace of processes reboot(2) kills that namespace's init, by a signal that says how."""
    code = (
        f"import os; os.getpid() == 1 or os._exit(9)\nfrom toolbox.linux import power; power.{call}"
    )
    uptime = time.clock_gettime(time.CLOCK_BOOTTIME)
    done = unshared("--pid --fork", code)
    assert done.returncode in (-number, 128 + number), done.stderr
    assert time.clock_gettime(time.CLOCK_BOOTTIME) > uptime
    assert power.halt.__doc__
