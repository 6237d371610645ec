"""kill, pidof, free, uptime, sysctl as scripts use them.  Breaks when what they print or return changes."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Iterator

import pytest


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sleep", "1000"]) as process:
        yield process
        process.kill()


@pytest.mark.parametrize(
    ("words", "number"),
    [
        ([], signal.SIGTERM),
        (["-9"], signal.SIGKILL),
        (["-KILL"], signal.SIGKILL),
        (["-SIGHUP"], signal.SIGHUP),
        (["-s", "int"], signal.SIGINT),
        (["-n", "1"], signal.SIGHUP),
        (["--signal=USR1", "--"], signal.SIGUSR1),
        (["-RTMIN+2"], signal.SIGRTMIN + 2),
    ],
)
def test_kill_sends_the_signal(run, sleeper, words, number) -> None:
    assert run("kill", *words, str(sleeper.pid)) == (0, b"", b"")
    assert sleeper.wait(10) == -number


def test_kill_0_only_looks(run, sleeper) -> None:
    assert run("kill", "-0", str(sleeper.pid)).status == 0
    sleeper.kill()
    sleeper.wait()
    r = run("kill", "-0", str(sleeper.pid))
    assert (r.status, r.err) == (1, f"kill: ({sleeper.pid}): No such process\n".encode())


def test_kill_a_process_group(run) -> None:
    words = ["sh", "-c", "sleep 1000 & wait"]
    with subprocess.Popen(words, start_new_session=True) as process:
        assert run("kill", "-s", "KILL", "--", f"-{process.pid}").status == 0
        assert process.wait(10) == -signal.SIGKILL


@pytest.mark.parametrize(
    ("words", "out"),
    [
        (["-l", "9"], b"KILL\n"),
        (["-l", "kill"], b"9\n"),
        (["-l", "SIGHUP", "15"], b"1\nTERM\n"),
        (["-l", "143"], b"TERM\n"),
        (["-l", "36"], b"RTMIN+2\n"),
    ],
)
def test_kill_names_signals(run, words, out) -> None:
    assert run("kill", *words) == (0, out, b"")


def test_kill_lists_every_name(run) -> None:
    names = run("kill", "-l").out.decode().split()
    assert names[:9] == ["HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL"]
    assert names[-1] == "RTMAX"


@pytest.mark.parametrize(
    "words",
    [[], ["-HUP"], ["-FOO", "1"], ["x"], ["-s"], ["-l", "FOO"], ["%1"], ["-l", "999"], ["-s", "T"]],
)
def test_kill_refuses(run, words) -> None:
    r = run("kill", *words)
    assert r.status == 1
    assert r.err.startswith(b"kill: ")


def test_kill_sends_nothing_when_a_word_is_wrong(run, sleeper) -> None:
    assert run("kill", str(sleeper.pid), "wrong").status == 1
    assert sleeper.poll() is None


def test_kill_goes_on_after_one_that_is_not_there(run, sleeper) -> None:
    r = run("kill", "999999999", "--", str(sleeper.pid))
    assert (r.status, r.err) == (1, b"kill: (999999999): No such process\n")
    assert sleeper.wait(10) == -signal.SIGTERM


def test_kill_0_is_the_callers_group(toolbox_argv, toolbox_env) -> None:
    with subprocess.Popen(
        [*toolbox_argv, "kill", "-KILL", "0"], env=toolbox_env, start_new_session=True
    ) as process:
        assert process.wait(30) == -signal.SIGKILL


def test_kill_shows_a_table(run) -> None:
    first, *_, last = run("kill", "-L").out.decode().splitlines()
    assert first.split()[:4] == ["1", "HUP", "2", "INT"]
    assert last.split()[-2:] == [str(int(signal.SIGRTMAX)), "RTMAX"]


def test_pidof_finds_by_name_path_and_not_the_omitted(run, sleeper) -> None:
    pid = str(sleeper.pid)
    assert pid in run("pidof", "sleep").out.decode().split()
    assert pid in run("pidof", os.path.realpath(f"/proc/{pid}/exe")).out.decode().split()
    assert pid not in run("pidof", "-o", pid, "sleep").out.decode().split()
    assert len(run("pidof", "-s", "sleep").out.split()) == 1
    assert run("pidof", "-q", "sleep") == (0, b"", b"")
    assert run("pidof", "no-such-program") == (1, b"", b"")


def test_pidof_x_finds_scripts(run, tmp_path) -> None:
    script = tmp_path / "waits-here"
    script.write_text("#!/bin/sh\nread x\n")
    script.chmod(0o755)
    with subprocess.Popen([script], stdin=subprocess.PIPE) as process:
        assert run("pidof", "-x", "waits-here").out.decode() == f"{process.pid}\n"
        process.kill()


def test_free_adds_up(run) -> None:
    head, memory, swap = run("free", "-b").out.decode().splitlines()
    assert head.split() == ["total", "used", "free", "shared", "buff/cache", "available"]
    numbers = [int(word) for word in memory.split()[1:]]
    assert numbers[0] == os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert numbers[1] + numbers[5] == numbers[0]
    assert swap.startswith("Swap:")
    kib = run("free").out.decode().splitlines()[1].split()
    assert int(kib[1]) * 1024 == numbers[0]
    assert len({len(line) for line in run("free", "-m").out.splitlines()[:2]}) == 1


def test_free_for_people(run) -> None:
    words = run("free", "-h", "-t").out.decode().splitlines()[1].split()[1:]
    assert all(re.fullmatch(r"\d+(\.\d)?([KMGT]i|B)", word) for word in words)
    assert run("free", "-h", "-t").out.decode().splitlines()[3].startswith("Total:")


def test_free_again_and_again(run) -> None:
    assert run("free", "-s", "0.01", "-c", "3").out.count(b"Mem:") == 3
    assert run("free", "-c", "0").status == 1
    assert run("free", "-s", "0").status == 1


def test_uptime(run) -> None:
    text = run("uptime").out.decode()
    assert re.fullmatch(
        r" \d\d:\d\d:\d\d up (\d+ days?, )?( ?\d+:\d\d| ?\d+ min), +\d+ users?,"
        r"  load average: \d+\.\d\d, \d+\.\d\d, \d+\.\d\d\n",
        text,
    )
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\n", run("uptime", "-s").out.decode())
    assert run("uptime", "-p").out.startswith(b"up ")


def test_sysctl_shows(run) -> None:
    assert run("sysctl", "kernel.ostype") == (0, b"kernel.ostype = Linux\n", b"")
    assert run("sysctl", "-n", "kernel/ostype") == (0, b"Linux\n", b"")
    assert run("sysctl", "-N", "kernel.ostype") == (0, b"kernel.ostype\n", b"")
    assert run("sysctl", "net.ipv4.conf.lo.forwarding").out.startswith(
        b"net.ipv4.conf.lo.forwarding = "
    )
    assert b"kernel.ostype = Linux\n" in run("sysctl", "kernel").out
    assert b"kernel.ostype = Linux\n" in run("sysctl", "-a", "--pattern", "^kernel.os").out


def test_sysctl_unknown(run) -> None:
    r = run("sysctl", "kernel.nonsense", "kernel.ostype")
    assert r.status == 1
    assert r.out == b"kernel.ostype = Linux\n"
    assert r.err == b"sysctl: cannot stat /proc/sys/kernel/nonsense: No such file or directory\n"
    assert run("sysctl", "-e", "kernel.nonsense") == (0, b"", b"")
    assert run("sysctl").status == 1


def test_sysctl_reads_a_file(run, tmp_path) -> None:
    file = tmp_path / "some.conf"
    file.write_text("# a comment\n; another\n\nkernel.nonsense = 1\n-kernel.other=2\n")
    r = run("sysctl", "-p", str(file))
    assert r.status == 1
    assert r.err.count(b"\n") == 1
    assert run("sysctl", "-e", "-p", str(file)) == (0, b"", b"")
    assert run("sysctl", "-e", f"-p{file}") == (0, b"", b"")
    assert run("sysctl", "-e", "-p", "-", stdin=b"kernel.nonsense=1\n") == (0, b"", b"")
    r = run("sysctl", "--load=/nonexistent/file")
    assert (r.status, r.out) == (1, b"")
    assert b"cannot open '/nonexistent/file'" in r.err
    file.write_text("kernel.ostype = x\n")
    assert run("sysctl", "--dry-run", "-p", str(file)).out == b"kernel.ostype = x\n"


@pytest.mark.lab
def test_sysctl_sets(toolbox_argv, toolbox_env, tmp_path) -> None:
    """In a network namespace, whose parameters are its own."""
    names = [f"net.ipv4.conf.lo.{name}" for name in ("forwarding", "rp_filter")]
    (tmp_path / "some.conf").write_text(f"# both\n{names[0]} = 0\n-net.none = 1\n{names[1]}=2\n")
    text = f"""
    "$@" sysctl -w {names[0]}=1; "$@" sysctl -n {names[0]}
    "$@" sysctl -q {names[1].replace(".", "/")}=1; "$@" sysctl -n {names[1]}
    "$@" sysctl {names[0]}=many 2>&1; echo $?
    "$@" sysctl -p {tmp_path}/some.conf; "$@" sysctl -n {" ".join(names)}
    """
    words = ["unshare", "--net", "sh", "-c", text, "sh", *toolbox_argv]
    done = subprocess.run(words, env=toolbox_env, capture_output=True, text=True, timeout=60)
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        *(f"{names[0]} = 1", "1", "1"),
        *(f"sysctl: setting key '{names[0]}': Invalid argument", "1"),
        *(f"{names[0]} = 0", f"{names[1]} = 2", "0", "2"),
    ]
